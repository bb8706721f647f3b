package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// sumCounts keeps the rows that a project's progress is read from few.
type sumCounts struct {
	river.WorkerDefaults[jobargs.SumCounts]
	deps
}

func (w *sumCounts) Work(ctx context.Context, _ *river.Job[jobargs.SumCounts]) error {
	return w.store.SumCounts(ctx)
}
