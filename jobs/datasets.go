package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/jobargs"
)

// longJob is how long a freeze, a verification or an export may take. It is wide: millions of lines, terabytes of images.
const longJob = 12 * time.Hour

// lastTry tells that River will not try the job again.
func lastTry(job *rivertype.JobRow) bool { return job.Attempt >= job.MaxAttempts }

// freezeVersion fills one dataset version.
type freezeVersion struct {
	river.WorkerDefaults[jobargs.FreezeVersion]
	deps
}

func (w *freezeVersion) Timeout(*river.Job[jobargs.FreezeVersion]) time.Duration { return longJob }

func (w *freezeVersion) Work(ctx context.Context, job *river.Job[jobargs.FreezeVersion]) error {
	err := w.store.FillVersion(ctx, job.Args.VersionID)
	if err != nil && lastTry(job.JobRow) {
		const reason = "Freezing failed again and again. The server's log says why; freeze again when that is mended."
		return errors.Join(err, w.store.FailVersion(context.WithoutCancel(ctx), job.Args.VersionID, reason))
	}
	return err
}

// verifyVersion checks one dataset version.
type verifyVersion struct {
	river.WorkerDefaults[jobargs.VerifyVersion]
	deps
}

func (w *verifyVersion) Timeout(*river.Job[jobargs.VerifyVersion]) time.Duration { return longJob }

func (w *verifyVersion) Work(ctx context.Context, job *river.Job[jobargs.VerifyVersion]) error {
	err := w.store.RunVerification(ctx, job.Args.VerificationID)
	if err != nil && lastTry(job.JobRow) {
		return errors.Join(err, w.store.FailVerification(context.WithoutCancel(ctx), job.Args.VerificationID))
	}
	return err
}
