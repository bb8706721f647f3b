package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// WorkflowStep is a step of a run that is not done. After is the step whose outputs it is given, 0 for none.
type WorkflowStep struct{ ID, After int64 }

// WorkflowRun is what Argo is told of a run.
type WorkflowRun struct {
	State    string // of the evaluation
	Workflow string // its name, "" before it was submitted
	Steps    []WorkflowStep
}

// WorkflowRun returns what Argo is to be told of a run, or ErrNotFound. It is for jobs.
func (s *Store) WorkflowRun(ctx context.Context, evaluation int64) (run WorkflowRun, err error) {
	err = s.pool.QueryRow(ctx, `SELECT state, workflow FROM evaluations WHERE id = $1`, evaluation).Scan(&run.State, &run.Workflow)
	if err != nil {
		return run, fmt.Errorf("evaluation %d: %w", evaluation, notFound(err))
	}
	rows, err := s.pool.Query(ctx, `SELECT id, coalesce(after_step, 0) FROM evaluation_steps WHERE evaluation_id = $1 AND state <> 'done' ORDER BY id`, evaluation)
	if err != nil {
		return run, fmt.Errorf("steps of evaluation %d: %w", evaluation, err)
	}
	if run.Steps, err = pgx.CollectRows(rows, pgx.RowToStructByPos[WorkflowStep]); err != nil {
		return run, fmt.Errorf("steps of evaluation %d: %w", evaluation, err)
	}
	return run, nil
}

// NoteWorkflow notes the workflow by which Argo runs an evaluation.
func (s *Store) NoteWorkflow(ctx context.Context, evaluation int64, name string) error {
	if _, err := s.pool.Exec(ctx, `UPDATE evaluations SET workflow = $2 WHERE id = $1`, evaluation, name); err != nil {
		return fmt.Errorf("workflow of evaluation %d: %w", evaluation, err)
	}
	return nil
}
