package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
	"fiducial/internal/models"
	"fiducial/store"
	"fiducial/store/blob"
)

// runChunk has a model asked about one chunk.
type runChunk struct {
	river.WorkerDefaults[jobargs.RunChunk]
	*asking
}

// Timeout lets a chunk take as long as its model does.
func (w *runChunk) Timeout(*river.Job[jobargs.RunChunk]) time.Duration { return -1 }

// busyPause is how long a chunk waits for which no call is left of those that may be made at once, or all of whose questions another run asks.
const busyPause = time.Second

func putOff(err error) bool { return errors.Is(err, errNoPlace) || errors.Is(err, errOthers) }

func (w *runChunk) Work(ctx context.Context, job *river.Job[jobargs.RunChunk]) error {
	err := w.run(ctx, job.Args.StepID, job.Args.Number)
	if putOff(err) {
		return river.JobSnooze(busyPause)
	}
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.giveUp(ctx, job.Args.StepID, job.Args.Number) },
		slog.Int64("step", job.Args.StepID), slog.Int("chunk", job.Args.Number))
}

// giveUp counts all as failed that a chunk has no output of, so that its run goes on.
func (a *asking) giveUp(ctx context.Context, step int64, number int) error {
	c, ok, err := a.store.BeginChunk(ctx, step, number)
	if err != nil || !ok {
		return err
	}
	r := newChunkRun(a, &c)
	r.failRest(&models.Fault{Code: models.FaultOurs})
	return r.finish(ctx)
}

// scoreStep measures a step.
type scoreStep struct {
	river.WorkerDefaults[jobargs.ScoreStep]
	deps
}

// Timeout lets scoring take as long as it takes.
func (w *scoreStep) Timeout(*river.Job[jobargs.ScoreStep]) time.Duration { return -1 }

func (w *scoreStep) Work(ctx context.Context, job *river.Job[jobargs.ScoreStep]) error {
	err := w.store.ScoreStep(ctx, job.Args.StepID)
	const reason = "Scoring failed again and again. The server's log says why; try again when that is mended."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailEvaluationOf(ctx, job.Args.StepID, reason) },
		slog.Int64("step", job.Args.StepID))
}

// compareEvaluation compares cells with their baselines.
type compareEvaluation struct {
	river.WorkerDefaults[jobargs.CompareEvaluation]
	deps
}

// Timeout lets a comparison take as long as it takes.
func (w *compareEvaluation) Timeout(*river.Job[jobargs.CompareEvaluation]) time.Duration { return -1 }

func (w *compareEvaluation) Work(ctx context.Context, job *river.Job[jobargs.CompareEvaluation]) error {
	err := w.store.CompareEvaluation(ctx, job.Args.EvaluationID)
	const reason = "Comparing with the baseline failed again and again. The server's log says why; try again when that is mended."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailEvaluation(ctx, job.Args.EvaluationID, reason) },
		slog.Int64("evaluation", job.Args.EvaluationID))
}

// sweepOutputs deletes outputs whose time is up.
type sweepOutputs struct {
	river.WorkerDefaults[jobargs.SweepOutputs]
	deps

	days int
}

func (w *sweepOutputs) Work(ctx context.Context, _ *river.Job[jobargs.SweepOutputs]) error {
	deleted, err := w.store.SweepOutputs(ctx, w.days)
	if deleted > 0 {
		w.log.InfoContext(ctx, "outputs of models deleted", slog.Int64("outputs", deleted), slog.Int("days", w.days))
	}
	return err
}

// EvaluationStep runs one step of an evaluation in this process, chunk by chunk, for containers that an engine of workflows starts. It returns
// once the step is done, or its run has ended.
func EvaluationStep(ctx context.Context, st *store.Store, blobs *blob.Bucket, cfg Config, step int64) error {
	a := newAsking(deps{store: st, blobs: blobs, log: cfg.Log}, cfg)
	for {
		number, ok, err := st.NextChunk(ctx, step)
		if err != nil || !ok {
			return err
		}
		err = a.run(ctx, step, number)
		if putOff(err) {
			if err := wait(ctx, busyPause); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("chunk %d of step %d: %w", number, step, err)
		}
	}
}

// wait waits, or returns the error of ctx if that ends before.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
