package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// traceEvaluation has the steps of trends divided that an evaluation has made.
type traceEvaluation struct {
	river.WorkerDefaults[jobargs.TraceEvaluation]
	deps
}

func (w *traceEvaluation) Work(ctx context.Context, job *river.Job[jobargs.TraceEvaluation]) error {
	return w.store.TraceEvaluation(ctx, job.Args.EvaluationID)
}

// attributeCells divides the difference of two cells among what changed.
type attributeCells struct {
	river.WorkerDefaults[jobargs.AttributeCells]
	deps
}

// Timeout lets the states in between be measured as long as it takes.
func (w *attributeCells) Timeout(*river.Job[jobargs.AttributeCells]) time.Duration { return -1 }

func (w *attributeCells) Work(ctx context.Context, job *river.Job[jobargs.AttributeCells]) error {
	err := w.store.AttributeCells(ctx, job.Args.AttributionID)
	const reason = "Dividing the difference failed again and again. The server's log says why; ask for it again when that is mended."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailAttribution(ctx, job.Args.AttributionID, reason) },
		slog.Int64("attribution", job.Args.AttributionID))
}
