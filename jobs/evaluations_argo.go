package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
	"fiducial/jobs/argo"
	"fiducial/store"
)

// submitEvaluation has Argo run the steps of an evaluation, and follows them. What the steps came to they write themselves; their scoring
// is a job of the workers as ever.
type submitEvaluation struct {
	river.WorkerDefaults[jobargs.SubmitEvaluation]
	deps

	argo  *argo.Client // nil without Argo
	every time.Duration
}

// followWorkflow is how often Argo is asked how far a run is.
const followWorkflow = 5 * time.Second

const noArgo = "There is no Argo here: whoever runs the product names its server with --argo-url. Start the evaluation anew with the workers, or try again once there is one."

func newSubmitEvaluation(d deps, cfg Config) *submitEvaluation {
	return &submitEvaluation{deps: d, argo: cfg.Launcher.Argo, every: followWorkflow}
}

func (w *submitEvaluation) Work(ctx context.Context, job *river.Job[jobargs.SubmitEvaluation]) error {
	id := job.Args.EvaluationID
	goesOn, err := w.follow(ctx, id, argo.EvaluationName(id, job.ID))
	if err == nil && goesOn {
		return river.JobSnooze(w.every)
	}
	const reason = "Argo did not take the evaluation, again and again. The product's log says why; try again when that is mended."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailEvaluation(ctx, id, reason) },
		slog.Int64("evaluation", id))
}

// follow submits the workflow unless it was, and looks how far it is; goesOn tells that it has to be looked at again.
func (w *submitEvaluation) follow(ctx context.Context, id int64, name string) (goesOn bool, err error) {
	run, err := w.store.WorkflowRun(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case run.State != store.EvaluationWaiting && run.State != store.EvaluationRunning:
		return false, w.end(ctx, run, name)
	case len(run.Steps) == 0:
		return false, nil
	case w.argo == nil:
		return false, w.store.FailEvaluation(ctx, id, noArgo)
	}
	if run.Workflow != name {
		if err := w.submit(ctx, id, name, run.Steps); err != nil {
			return false, err
		}
		return true, nil
	}
	status, err := w.argo.Get(ctx, name)
	if errors.Is(err, argo.ErrNotFound) {
		return false, w.store.FailEvaluation(ctx, id, "The workflow "+name+" is not in Argo any more. Try again: what was answered stays.")
	}
	if err != nil || !status.Ended() {
		return err == nil, err
	}
	reason := fmt.Sprintf("The workflow %s ended (%s) before every item was asked about. Argo says why; try again when that is mended.", name, status.Phase)
	return false, w.failUnlessDone(ctx, id, reason)
}

func (w *submitEvaluation) submit(ctx context.Context, id int64, name string, left []store.WorkflowStep) error {
	steps := make([]argo.Step, len(left))
	for i, s := range left {
		steps[i] = argo.Step(s)
	}
	// By name it is submitted once, also when this process ends before that is noted.
	if err := w.argo.Create(ctx, w.argo.Evaluation(name, steps)); err != nil {
		return err
	}
	return w.store.NoteWorkflow(ctx, id, name)
}

// failUnlessDone fails a run that has steps left: a step may have ended between the look at the run and that at the workflow.
func (w *submitEvaluation) failUnlessDone(ctx context.Context, id int64, reason string) error {
	run, err := w.store.WorkflowRun(ctx, id)
	if err != nil || len(run.Steps) == 0 {
		return err
	}
	return w.store.FailEvaluation(ctx, id, reason)
}

// end ends the workflow of a run that was stopped.
func (w *submitEvaluation) end(ctx context.Context, run store.WorkflowRun, name string) error {
	if w.argo == nil || run.Workflow != name || len(run.Steps) == 0 {
		return nil
	}
	return w.argo.Terminate(ctx, name)
}
