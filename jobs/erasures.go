package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// collectErasure lists what an erasure would take.
type collectErasure struct {
	river.WorkerDefaults[jobargs.CollectErasure]
	deps
}

// Timeout lets a listing take as long as it takes.
func (w *collectErasure) Timeout(*river.Job[jobargs.CollectErasure]) time.Duration { return -1 }

func (w *collectErasure) Work(ctx context.Context, job *river.Job[jobargs.CollectErasure]) error {
	return w.store.CollectErasure(ctx, job.Args.ErasureID)
}

// erase does an erasure.
type erase struct {
	river.WorkerDefaults[jobargs.Erase]
	deps
}

// Timeout lets an erasure take as long as it takes.
func (w *erase) Timeout(*river.Job[jobargs.Erase]) time.Duration { return -1 }

func (w *erase) Work(ctx context.Context, job *river.Job[jobargs.Erase]) error {
	err := w.store.RunErasure(ctx, job.Args.ErasureID)
	const reason = "It failed again and again. The server's log says why; run it again when that is mended. What was erased stays erased."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailErasure(ctx, job.Args.ErasureID, reason) },
		slog.Int64("erasure", job.Args.ErasureID))
}

// watchErasures sees to it that no erasure is forgotten.
type watchErasures struct {
	river.WorkerDefaults[jobargs.WatchErasures]
	deps
}

func (w *watchErasures) Work(ctx context.Context, _ *river.Job[jobargs.WatchErasures]) error {
	return errors.Join(w.store.ResumeErasures(ctx), w.store.TellOverdueErasures(ctx))
}
