package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// dropMetadata removes from a project's items what it keeps no longer.
type dropMetadata struct {
	river.WorkerDefaults[jobargs.DropMetadata]
	deps
}

// Timeout lets it take as long as the project is large.
func (w *dropMetadata) Timeout(*river.Job[jobargs.DropMetadata]) time.Duration { return -1 }

func (w *dropMetadata) Work(ctx context.Context, job *river.Job[jobargs.DropMetadata]) error {
	_, err := w.store.DropMetadata(ctx, job.Args.ProjectID)
	return err
}
