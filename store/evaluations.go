package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// The states of an evaluation.
const (
	EvaluationWaiting   = "waiting"
	EvaluationRunning   = "running"
	EvaluationScoring   = "scoring" // all is answered, figures are computed
	EvaluationDone      = "done"
	EvaluationFailed    = "failed"
	EvaluationCancelled = "cancelled"
)

// Evaluation is a run of a chain's model versions over dataset versions.
type Evaluation struct {
	ID         int64
	ChainID    int64
	Chain      string
	Slots      []string
	Title      string
	Split      string
	Normalizer string
	Labels     string // frozen or today
	Baseline   []string
	StartedBy  string // page, api, release or schedule
	Schedule   int64
	Runner     string // workers or argo
	Workflow   string
	State      string
	Error      string
	Versions   []string // DATASET@NUMBER
	Steps      int
	StepsDone  int
	Items      int // to be answered, by all steps together
	Done       int // of those, with an output
	Reused     int // of those, that were there before
	Failed     int
	CreatedBy  string
	CreatedAt  time.Time
	BeganAt    *time.Time
	FinishedAt *time.Time
}

// Open tells that the evaluation goes on.
func (e *Evaluation) Open() bool {
	return e.State == EvaluationWaiting || e.State == EvaluationRunning || e.State == EvaluationScoring
}

// Answered is how many items have their output or their failure, of Items.
func (e *Evaluation) Answered() int { return e.Done + e.Failed }

const evaluationColumns = `e.id, e.chain_id, c.name AS chain, c.slots, e.title, e.split, e.normalizer, e.labels, names_of_path(e.baseline) AS baseline, e.started_by,
	coalesce(e.schedule_id, 0) AS schedule, e.runner, e.workflow, e.state, e.error,
	ARRAY(SELECT d.name || '@' || v.number FROM evaluation_versions ev JOIN dataset_versions v ON v.id = ev.version_id JOIN datasets d ON d.id = v.dataset_id
		WHERE ev.evaluation_id = e.id ORDER BY d.name, v.number) AS versions,
	t.steps, t.steps_done, t.items, t.done, t.reused, t.failed,
	coalesce(n.name, p.pseudonym, '') AS created_by, e.created_at, e.began_at, e.finished_at`

// What a step has done so far is in its chunks, and once it is done in its own row.
const evaluationTables = `evaluations e JOIN chains c ON c.id = e.chain_id
	LEFT JOIN people p ON p.id = e.created_by LEFT JOIN person_identities n ON n.person_id = e.created_by
	CROSS JOIN LATERAL (SELECT count(*)::int AS steps, count(*) FILTER (WHERE s.state = 'done')::int AS steps_done,
		coalesce(sum(s.items), 0)::int AS items, coalesce(sum(w.done), 0)::int AS done, coalesce(sum(w.reused), 0)::int AS reused,
		coalesce(sum(w.failed), 0)::int AS failed
		FROM evaluation_steps s CROSS JOIN LATERAL (` + stepProgress + `) w WHERE s.evaluation_id = e.id) t`

const stepProgress = `SELECT s.done, s.reused, s.failed WHERE s.state IN ('waiting', 'done')
		UNION ALL SELECT sum(h.done), sum(h.reused), sum(h.failed) FROM evaluation_chunks h WHERE h.step_id = s.id AND s.state NOT IN ('waiting', 'done') HAVING count(*) > 0`

// seesEvaluation is the condition that the actor sees every dataset version of evaluation e.
const seesEvaluation = `NOT EXISTS (SELECT FROM evaluation_versions ev JOIN dataset_version_projects vp ON vp.version_id = ev.version_id
	WHERE ev.evaluation_id = e.id AND NOT sees_project(vp.project_id, @role, @person, @token, @scope))`

func evaluationsWhere(ctx context.Context, q querier, actor Actor, rest string, args pgx.NamedArgs) ([]Evaluation, error) {
	rows, err := q.Query(ctx, `SELECT `+evaluationColumns+` FROM `+evaluationTables+` WHERE `+seesEvaluation+` AND `+rest, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("evaluations: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Evaluation])
	if err != nil {
		return nil, fmt.Errorf("evaluations: %w", err)
	}
	return list, nil
}

// EvaluationQuery selects evaluations; its zero value is the newest of all.
type EvaluationQuery struct {
	Chain  int64
	Before int64 // an id, 0 for the newest
	Limit  int
}

// Evaluations lists the evaluations that the actor sees, the newest first.
func (s *Store) Evaluations(ctx context.Context, actor Actor, q EvaluationQuery) ([]Evaluation, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	return evaluationsWhere(ctx, s.pool, actor, `(@chain::bigint = 0 OR e.chain_id = @chain) AND (@before::bigint = 0 OR e.id < @before) ORDER BY e.id DESC LIMIT @limit`,
		pgx.NamedArgs{"chain": q.Chain, "before": q.Before, "limit": q.Limit})
}

// Evaluation returns one evaluation with its progress, or ErrNotFound if the actor does not see it.
func (s *Store) Evaluation(ctx context.Context, actor Actor, id int64) (Evaluation, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return Evaluation{}, err
	}
	list, err := evaluationsWhere(ctx, s.pool, actor, `e.id = @id`, pgx.NamedArgs{"id": id})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("evaluation %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Evaluation{}, err
	}
	return list[0], nil
}

// EvaluationStep is a model asked about a version's items, with how far it is.
type EvaluationStep struct {
	ID       int64
	After    int64 // the step whose outputs it is given; 0: none
	Version  string
	Path     []int64 // 0: the truth in the place of a model
	Models   []string
	State    string
	Items    int
	Done     int
	Reused   int
	Failed   int
	Cell     int64 // 0: not scored yet
	BeganAt  *time.Time
	Finished *time.Time
}

// Model is that which the step asks.
func (s *EvaluationStep) Model() string { return s.Models[len(s.Models)-1] }

// EvaluationSteps lists the steps of an evaluation, which came from a method that checked who asks, those before others first.
func (s *Store) EvaluationSteps(ctx context.Context, evaluation Evaluation) ([]EvaluationStep, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT s.id, coalesce(s.after_step, 0) AS after, d.name || '@' || v.number AS version, s.path, names_of_path(s.path) AS models, s.state, s.items,
			w.done::int, w.reused::int, w.failed::int, coalesce(s.cell_id, 0) AS cell, s.began_at, s.finished_at AS finished
		FROM evaluation_steps s JOIN dataset_versions v ON v.id = s.version_id JOIN datasets d ON d.id = v.dataset_id
		CROSS JOIN LATERAL (`+stepProgress+`) w
		WHERE s.evaluation_id = $1 ORDER BY s.id`, evaluation.ID)
	if err != nil {
		return nil, fmt.Errorf("steps of evaluation %d: %w", evaluation.ID, err)
	}
	steps, err := pgx.CollectRows(rows, pgx.RowToStructByName[EvaluationStep])
	if err != nil {
		return nil, fmt.Errorf("steps of evaluation %d: %w", evaluation.ID, err)
	}
	return steps, nil
}

// EvaluationModels are the versions that an evaluation has in each slot, as NAME@VERSION or Reference.
func (s *Store) EvaluationModels(ctx context.Context, evaluation Evaluation) ([][]string, error) {
	models := make([][]string, len(evaluation.Slots))
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT x.slot, coalesce(m.name || '@' || v.version, 'reference') FROM evaluation_models x
		LEFT JOIN model_versions v ON v.id = x.model_version_id LEFT JOIN models m ON m.id = v.model_id
		WHERE x.evaluation_id = $1 ORDER BY x.slot, m.name, v.id`, evaluation.ID)
	if err != nil {
		return nil, fmt.Errorf("models of evaluation %d: %w", evaluation.ID, err)
	}
	var slot int
	var name string
	_, err = pgx.ForEachRow(rows, []any{&slot, &name}, func() error {
		models[slot] = append(models[slot], name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("models of evaluation %d: %w", evaluation.ID, err)
	}
	return models, nil
}

// EvaluationFailure is an item that a model has no output for.
type EvaluationFailure struct {
	Item     int64
	Step     int64
	Version  string
	Position int
	Models   []string
	Reason   string // a code
	Status   int    // of the server's answer, 0 for none
	Attempts int
	At       time.Time
}

// FailureQuery selects failures of an evaluation: After a step and an item, of one step or of all for 0.
type FailureQuery struct {
	Step                 int64
	AfterStep, AfterItem int64
	Limit                int
}

// EvaluationFailures lists the items without an output, step by step. It names items, so it is for those who may read them.
func (s *Store) EvaluationFailures(ctx context.Context, actor Actor, evaluation int64, q FailureQuery) ([]EvaluationFailure, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT f.item_id AS item, f.step_id AS step, d.name || '@' || v.number AS version, coalesce(l.position, -1) AS position, names_of_path(s.path) AS models,
			f.reason, coalesce(f.status, 0) AS status, f.attempts, f.at
		FROM evaluations e JOIN evaluation_steps s ON s.evaluation_id = e.id JOIN evaluation_failures f ON f.step_id = s.id
		JOIN dataset_versions v ON v.id = s.version_id JOIN datasets d ON d.id = v.dataset_id
		LEFT JOIN dataset_lines l ON l.version_id = s.version_id AND l.item_id = f.item_id
		WHERE e.id = @id AND `+seesEvaluation+` AND (@step::bigint = 0 OR s.id = @step) AND (f.step_id, f.item_id) > (@after_step::bigint, @after_item::bigint)
		ORDER BY f.step_id, f.item_id LIMIT @limit`,
		actor.args(pgx.NamedArgs{"id": evaluation, "step": q.Step, "after_step": q.AfterStep, "after_item": q.AfterItem, "limit": q.Limit}))
	if err != nil {
		return nil, fmt.Errorf("failures of evaluation %d: %w", evaluation, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[EvaluationFailure])
	if err != nil {
		return nil, fmt.Errorf("failures of evaluation %d: %w", evaluation, err)
	}
	return list, nil
}

// FailureCount is how many items of an evaluation have no output for one reason.
type FailureCount struct {
	Step   int64
	Reason string
	Status int
	Items  int
}

// EvaluationFailureCounts counts the failures of an evaluation, which came from a method that checked who asks, by step and reason.
func (s *Store) EvaluationFailureCounts(ctx context.Context, evaluation Evaluation) ([]FailureCount, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT f.step_id AS step, f.reason, coalesce(f.status, 0) AS status, count(*)::int AS items
		FROM evaluation_steps s JOIN evaluation_failures f ON f.step_id = s.id WHERE s.evaluation_id = $1 GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC, 2, 3`, evaluation.ID)
	if err != nil {
		return nil, fmt.Errorf("failures of evaluation %d: %w", evaluation.ID, err)
	}
	counts, err := pgx.CollectRows(rows, pgx.RowToStructByName[FailureCount])
	if err != nil {
		return nil, fmt.Errorf("failures of evaluation %d: %w", evaluation.ID, err)
	}
	return counts, nil
}
