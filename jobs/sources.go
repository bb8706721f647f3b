package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// moveDates gives the items of a source the dates that its policy asks for.
type moveDates struct {
	river.WorkerDefaults[jobargs.MoveDates]
	deps
}

// Timeout lets it take as long as the source is large.
func (w *moveDates) Timeout(*river.Job[jobargs.MoveDates]) time.Duration { return -1 }

func (w *moveDates) Work(ctx context.Context, job *river.Job[jobargs.MoveDates]) error {
	return w.store.MoveDates(ctx, job.Args.ChangeID)
}
