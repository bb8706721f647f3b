package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
	"fiducial/store"
)

// heldBackPause is how long the maintenance waits before it tries again while something sees what was erased.
const heldBackPause = 30 * time.Second

// rewriteErased writes the files anew that may still hold what was erased. It runs after every erasure, and by the clock for whatever
// a crash or an old snapshot left.
type rewriteErased struct {
	river.WorkerDefaults[jobargs.RewriteErased]
	deps
}

// Timeout lets it take as long as it takes.
func (w *rewriteErased) Timeout(*river.Job[jobargs.RewriteErased]) time.Duration { return -1 }

func (w *rewriteErased) Work(ctx context.Context, _ *river.Job[jobargs.RewriteErased]) error {
	began := time.Now() //nolint:forbidigo // only for the log
	receipts, err := w.store.RewriteErased(ctx)
	if held, ok := errors.AsType[*store.HeldBackError](err); ok {
		w.log.InfoContext(ctx, "files wait to be rewritten after an erasure", slog.Int64("held_by", held.By))
		return river.JobSnooze(heldBackPause)
	}
	if errors.Is(err, store.ErrRewriting) {
		return river.JobSnooze(heldBackPause)
	}
	if receipts > 0 {
		w.log.InfoContext(ctx, "files were rewritten after erasures", slog.Int("erasures", receipts), slog.Duration("took", time.Since(began)))
	}
	_, failed := w.store.SignReceipts(ctx)
	return errors.Join(err, failed)
}
