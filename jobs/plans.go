package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// drawPlan chooses the utterances of a plan and makes its batch.
type drawPlan struct {
	river.WorkerDefaults[jobargs.DrawPlan]
	deps
}

// Timeout lets a draw take as long as it takes.
func (w *drawPlan) Timeout(*river.Job[jobargs.DrawPlan]) time.Duration { return -1 }

func (w *drawPlan) Work(ctx context.Context, job *river.Job[jobargs.DrawPlan]) error {
	err := w.store.FillPlan(ctx, job.Args.PlanID)
	const reason = "Drawing failed again and again. The server's log says why; draw the plan again when that is mended."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailPlan(ctx, job.Args.PlanID, reason) },
		slog.Int64("plan", job.Args.PlanID))
}

// reportPlan measures what a plan has brought so far.
type reportPlan struct {
	river.WorkerDefaults[jobargs.ReportPlan]
	deps
}

// Timeout lets a report take as long as it takes.
func (w *reportPlan) Timeout(*river.Job[jobargs.ReportPlan]) time.Duration { return -1 }

func (w *reportPlan) Work(ctx context.Context, job *river.Job[jobargs.ReportPlan]) error {
	return w.store.ReportPlan(ctx, job.Args.PlanID)
}
