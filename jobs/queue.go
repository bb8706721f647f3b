package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// releaseLeases returns to the queue what ran out. Claims release what they come upon by themselves;
// this is for projects in which nobody claims, so that pages show what is free.
type releaseLeases struct {
	river.WorkerDefaults[jobargs.ReleaseLeases]
	deps
}

func (w *releaseLeases) Work(ctx context.Context, _ *river.Job[jobargs.ReleaseLeases]) error {
	_, err := w.store.ReleaseLeases(ctx)
	return err
}
