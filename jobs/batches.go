package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// settleBatch approves or returns what is left of a batch.
type settleBatch struct {
	river.WorkerDefaults[jobargs.SettleBatch]
	deps
}

// Timeout lets a settling take as long as it takes.
func (w *settleBatch) Timeout(*river.Job[jobargs.SettleBatch]) time.Duration { return -1 }

func (w *settleBatch) Work(ctx context.Context, job *river.Job[jobargs.SettleBatch]) error {
	err := w.store.SettleBatch(ctx, job.Args.BatchID)
	const reason = "This failed again and again, and what is left waits for review. The server's log says why."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailSettling(ctx, job.Args.BatchID, reason) },
		slog.Int64("batch", job.Args.BatchID))
}

// drawRound draws a round and makes its batches.
type drawRound struct {
	river.WorkerDefaults[jobargs.DrawRound]
	deps
}

// Timeout lets a draw take as long as it takes.
func (w *drawRound) Timeout(*river.Job[jobargs.DrawRound]) time.Duration { return -1 }

func (w *drawRound) Work(ctx context.Context, job *river.Job[jobargs.DrawRound]) error {
	err := w.store.DrawRound(ctx, job.Args.RoundID)
	const reason = "Drawing failed again and again. The server's log says why; open the round again when that is mended."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailRound(ctx, job.Args.RoundID, reason) },
		slog.Int64("round", job.Args.RoundID))
}

// refreshBatches lets the states of batches follow while nobody looks at them, so that their owners are told.
type refreshBatches struct {
	river.WorkerDefaults[jobargs.RefreshBatches]
	deps
}

func (w *refreshBatches) Work(ctx context.Context, _ *river.Job[jobargs.RefreshBatches]) error {
	_, err := w.store.RefreshBatches(ctx)
	return err
}
