package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/semaphore"

	"fiducial/internal/jobargs"
	"fiducial/jobs/media"
	"fiducial/store"
)

// importPatience is how long an import waits for another run of it to end.
const importPatience = 10 * time.Second

// importAttempts is how often an import is tried while a service it needs is away.
const importAttempts = 10

// runImport brings in what was uploaded for one import.
type runImport struct {
	river.WorkerDefaults[jobargs.RunImport]
	deps

	pixels    *semaphore.Weighted
	converter func() media.Converter
}

// Timeout lets an import take as long as it takes.
func (w *runImport) Timeout(*river.Job[jobargs.RunImport]) time.Duration { return -1 }

func (w *runImport) Work(ctx context.Context, job *river.Job[jobargs.RunImport]) error {
	id := job.Args.ImportID
	err := w.run(ctx, id)
	switch {
	case errors.Is(err, store.ErrImportEnded):
		return w.store.ClearImport(ctx, id)
	case errors.Is(err, store.ErrImportBusy):
		return river.JobSnooze(importPatience)
	case errors.Is(err, store.ErrNotFound):
		return river.JobCancel(err)
	case err != nil && ctx.Err() == nil && job.Attempt >= importAttempts:
		w.log.ErrorContext(ctx, "import failed", slog.Int64("import", id), slog.Any("error", err))
		return errors.Join(river.JobCancel(err), w.store.FailImport(ctx, id, "The import could not go on: the database or the object storage did not answer. Start it again later; what came in stays."))
	}
	return err
}

func (w *runImport) run(ctx context.Context, id int64) (err error) {
	run, err := w.store.BeginImport(ctx, id)
	if err != nil {
		return err
	}
	defer run.Close()
	reading, err := newImportReading(run, w.pixels)
	if err != nil {
		return err
	}
	reading.converter = w.converter
	defer func() { err = errors.Join(err, reading.Close()) }()
	if err := reading.folder.open(ctx, run); err != nil {
		return err
	}
	if err := reading.read(ctx); err != nil {
		return fmt.Errorf("import %d: %w", id, err)
	}
	return run.Finish(ctx, reading.refused())
}
