package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// sendBack sends labels back that were made under an older definition.
type sendBack struct {
	river.WorkerDefaults[jobargs.SendBack]
	deps
}

// Timeout lets it take as long as it takes: it works in short steps, and goes on where it was stopped.
func (w *sendBack) Timeout(*river.Job[jobargs.SendBack]) time.Duration { return -1 }

func (w *sendBack) Work(ctx context.Context, job *river.Job[jobargs.SendBack]) error {
	return w.store.RunRelabel(ctx, job.Args.RelabelID)
}
