package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// refreshCalendars keeps what the calendar shows of dataset versions close to the dates of their items.
type refreshCalendars struct {
	river.WorkerDefaults[jobargs.RefreshCalendars]
	deps
}

func (w *refreshCalendars) Work(ctx context.Context, _ *river.Job[jobargs.RefreshCalendars]) error {
	for {
		if n, err := w.store.RefreshCalendars(ctx); err != nil || n == 0 {
			return err
		}
	}
}
