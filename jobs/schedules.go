package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// runSchedules starts the evaluations that are due by the clock.
type runSchedules struct {
	river.WorkerDefaults[jobargs.RunSchedules]
	deps
}

func (w *runSchedules) Work(ctx context.Context, _ *river.Job[jobargs.RunSchedules]) error {
	return w.store.RunSchedules(ctx)
}

// runSchedule starts the evaluation of a schedule after a release.
type runSchedule struct {
	river.WorkerDefaults[jobargs.RunSchedule]
	deps
}

func (w *runSchedule) Work(ctx context.Context, job *river.Job[jobargs.RunSchedule]) error {
	return w.store.RunSchedule(ctx, job.Args.ScheduleID, job.Args.ModelVersionID)
}
