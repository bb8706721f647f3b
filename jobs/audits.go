package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// drawAudit draws the lines of a blind audit and makes its batch.
type drawAudit struct {
	river.WorkerDefaults[jobargs.DrawAudit]
	deps
}

func (w *drawAudit) Work(ctx context.Context, job *river.Job[jobargs.DrawAudit]) error {
	err := w.store.FillAudit(ctx, job.Args.AuditID)
	const reason = "Drawing failed again and again. The server's log says why; start the audit again when that is mended."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailAudit(ctx, job.Args.AuditID, reason) },
		slog.Int64("audit", job.Args.AuditID))
}

// reportAudit measures what a blind audit has found so far.
type reportAudit struct {
	river.WorkerDefaults[jobargs.ReportAudit]
	deps
}

func (w *reportAudit) Work(ctx context.Context, job *river.Job[jobargs.ReportAudit]) error {
	return w.store.ReportAudit(ctx, job.Args.AuditID)
}

// flagCells looks for what the cells of an evaluation lean towards.
type flagCells struct {
	river.WorkerDefaults[jobargs.FlagCells]
	deps
}

// Timeout lets the estimates take as long as they take.
func (w *flagCells) Timeout(*river.Job[jobargs.FlagCells]) time.Duration { return -1 }

func (w *flagCells) Work(ctx context.Context, job *river.Job[jobargs.FlagCells]) error {
	if err := w.store.FlagCells(ctx, job.Args.EvaluationID); err != nil {
		return err
	}
	return w.store.RaiseBias(ctx, job.Args.EvaluationID)
}
