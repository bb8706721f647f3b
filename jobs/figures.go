package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// refreshFigures keeps what pages show of labelers close to what they did.
type refreshFigures struct {
	river.WorkerDefaults[jobargs.RefreshFigures]
	deps
}

func (w *refreshFigures) Work(ctx context.Context, _ *river.Job[jobargs.RefreshFigures]) error {
	for {
		if n, err := w.store.RefreshFigures(ctx); err != nil || n == 0 {
			return err
		}
	}
}
