package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// uploadPatience is how long an upload may stand still before its parts are removed.
const uploadPatience = 24 * time.Hour

// sweepUploads clears what nobody will come back for. The object stores' own lifecycle rules are
// not relied on: the embedded one has none.
type sweepUploads struct {
	river.WorkerDefaults[jobargs.SweepUploads]
	deps
}

func (w *sweepUploads) Work(ctx context.Context, job *river.Job[jobargs.SweepUploads]) error {
	before := job.CreatedAt.Add(-uploadPatience)
	_, err := w.blobs.DeleteUploads(ctx, before)
	return errors.Join(err, w.store.SweepImports(ctx, before), w.store.SweepIdempotencyKeys(ctx))
}
