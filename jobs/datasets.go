package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/jobargs"
	"fiducial/store"
)

// datasetAttempts is how often a freeze, a verification or an export is tried while a service it needs is away.
const datasetAttempts = 6

// givesUp tells that a job which failed is not worth another try. One that was stopped with its process always is.
func givesUp(ctx context.Context, job *rivertype.JobRow) bool {
	return ctx.Err() == nil && job.Attempt >= datasetAttempts
}

// orGiveUp returns what became of a job. One that failed as often as is worth a try is ended: what it was about goes to the log, and
// fail notes it for people. As long as that cannot be noted the job is tried again, so that nothing seems to be under way that nobody is at.
func (d deps) orGiveUp(ctx context.Context, job *rivertype.JobRow, err error, fail func() error, of ...any) error {
	if err == nil || !givesUp(ctx, job) {
		return err
	}
	d.log.ErrorContext(ctx, "a job failed again and again", append(of, slog.String("job", job.Kind), slog.Any("error", err))...)
	if failed := fail(); failed != nil {
		return errors.Join(err, failed)
	}
	return river.JobCancel(err)
}

// freezeVersion fills one dataset version.
type freezeVersion struct {
	river.WorkerDefaults[jobargs.FreezeVersion]
	deps
}

// Timeout lets a freeze take as long as it takes.
func (w *freezeVersion) Timeout(*river.Job[jobargs.FreezeVersion]) time.Duration { return -1 }

func (w *freezeVersion) Work(ctx context.Context, job *river.Job[jobargs.FreezeVersion]) error {
	err := w.store.FillVersion(ctx, job.Args.VersionID)
	const reason = "Freezing failed again and again. The server's log says why; freeze again when that is mended."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailVersion(ctx, job.Args.VersionID, reason) },
		slog.Int64("version", job.Args.VersionID))
}

// verifyVersion checks one dataset version.
type verifyVersion struct {
	river.WorkerDefaults[jobargs.VerifyVersion]
	deps
}

// Timeout lets a verification take as long as it takes.
func (w *verifyVersion) Timeout(*river.Job[jobargs.VerifyVersion]) time.Duration { return -1 }

func (w *verifyVersion) Work(ctx context.Context, job *river.Job[jobargs.VerifyVersion]) error {
	err := w.store.RunVerification(ctx, job.Args.VerificationID)
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailVerification(ctx, job.Args.VerificationID) },
		slog.Int64("verification", job.Args.VerificationID))
}

// diffVersions works out what two dataset versions differ in.
type diffVersions struct {
	river.WorkerDefaults[jobargs.DiffVersions]
	deps
}

// Timeout lets a diff take as long as it takes.
func (w *diffVersions) Timeout(*river.Job[jobargs.DiffVersions]) time.Duration { return -1 }

func (w *diffVersions) Work(ctx context.Context, job *river.Job[jobargs.DiffVersions]) error {
	err := w.store.RunDiff(ctx, job.Args.DiffID)
	if errors.Is(err, store.ErrNotFound) { // a later one has taken its place
		return nil
	}
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailDiff(ctx, job.Args.DiffID) },
		slog.Int64("diff", job.Args.DiffID))
}

// previewRebuild works out what rebuilding a dataset version would change.
type previewRebuild struct {
	river.WorkerDefaults[jobargs.PreviewRebuild]
	deps
}

// Timeout lets a preview take as long as it takes.
func (w *previewRebuild) Timeout(*river.Job[jobargs.PreviewRebuild]) time.Duration { return -1 }

func (w *previewRebuild) Work(ctx context.Context, job *river.Job[jobargs.PreviewRebuild]) error {
	err := w.store.RunRebuildPreview(ctx, job.Args.PreviewID)
	if errors.Is(err, store.ErrNotFound) { // a later one has taken its place
		return nil
	}
	if err == nil || !givesUp(ctx, job.JobRow) {
		return err
	}
	w.log.ErrorContext(ctx, "preview of a rebuild failed", slog.Int64("preview", job.Args.PreviewID), slog.Any("error", err))
	const problem = "It could not be worked out what would change. The server's log says why; load this page again when that is mended."
	return errors.Join(river.JobCancel(err), w.store.FailRebuildPreview(ctx, job.Args.PreviewID, problem))
}
