package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/sampling"
)

// A trigger notes in batch_changes which batches' tasks moved on; whoever reads a project's batches, and a job every
// minute, prepares their figures anew and lets the states follow. So no labeler ever waits for another one's batch, and
// whatever changes a task need not know of batches.

// RefreshBatches prepares the figures of every batch whose tasks moved on, and says how many those were. Plans whose batch came to be
// approved are reported on.
func (s *Store) RefreshBatches(ctx context.Context) (int, error) {
	n, err := s.refreshSome(ctx, `SELECT DISTINCT batch_id FROM batch_changes`)
	if err == nil {
		err = errors.Join(s.askForReports(ctx), s.askForAudits(ctx))
	}
	return n, err
}

// refreshBatches is RefreshBatches for one project.
func (s *Store) refreshBatches(ctx context.Context, project int64) error {
	_, err := s.refreshSome(ctx, `SELECT DISTINCT c.batch_id FROM batch_changes c JOIN batches b ON b.id = c.batch_id WHERE b.project_id = $1`, project)
	return err
}

func (s *Store) refreshSome(ctx context.Context, query string, args ...any) (int, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("changed batches: %w", err)
	}
	changed, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, fmt.Errorf("changed batches: %w", err)
	}
	for _, id := range changed {
		if err := s.inTx(ctx, func(tx pgx.Tx) error { return refreshBatch(ctx, tx, id) }); err != nil {
			return 0, fmt.Errorf("refresh batch %d: %w", id, err)
		}
	}
	return len(changed), nil
}

// batchFacts are what a batch's state follows from.
type batchFacts struct {
	Project, Owner           int64
	State                    BatchState
	Planned, Approved        bool // a sample was drawn; its approval was given
	Settling                 bool
	Items, Answered, Decided int
	Compared                 int
	ScoreSum, ScoreSquares   float64
	Looked, Faulty           int
	Begun                    bool // somebody has had an item of it in hand
	Resumed                  bool // or has again since it was returned
	OneByOne                 bool // every item was decided by a person since the batch was made
}

// next is the state that the facts make. What is finished stays so: a decision that is undone later is shown by
// the figures.
func (f *batchFacts) next() BatchState {
	all := f.Items > 0
	switch {
	case f.State.Finished():
		return f.State
	case f.Settling:
		return BatchInReview
	case all && f.Decided == f.Items && (f.Approved || f.OneByOne):
		return BatchApproved
	case all && f.Answered == f.Items, f.Planned:
		return BatchInReview
	case f.State == BatchReturned && !f.Resumed:
		return BatchReturned
	case f.Begun:
		return BatchLabeling
	}
	return BatchOpen
}

// personal is the condition that decision r was made by a person about this item alone, and stands.
const personal = `r.batch_id IS NULL AND r.decision IN ('approved', 'merged', 'amended', 'rejected', 'discarded')
	AND NOT EXISTS (SELECT FROM reviews back WHERE back.undoes = r.id)`

const readBatchFacts = `
	SELECT b.project_id AS project, coalesce(b.owner_id, 0) AS owner, b.state, b.planned_at IS NOT NULL AS planned, b.approved_by IS NOT NULL AS approved,
		b.settling IS NOT NULL AS settling, f.*,
		EXISTS (SELECT FROM batch_items i JOIN assignments a ON a.task_id = i.task_id WHERE i.batch_id = b.id AND a.state <> 'cancelled' AND a.reason <> 'gold') AS begun,
		b.state = 'returned' AND EXISTS (SELECT FROM batch_items i JOIN assignments a ON a.task_id = i.task_id
			WHERE i.batch_id = b.id AND a.state IN ('leased', 'submitted') AND a.reason <> 'gold' AND a.claimed_at > b.returned_at) AS resumed
	FROM batches b CROSS JOIN LATERAL (
		SELECT count(*) AS items, count(*) FILTER (WHERE t.state <> 'open') AS answered, count(*) FILTER (WHERE t.state IN ('adjudicated', 'discarded')) AS decided,
			count(g.score) AS compared, coalesce(sum(g.score), 0) AS score_sum, coalesce(sum(g.score * g.score), 0) AS score_squares,
			count(*) FILTER (WHERE i.look IS NOT NULL AND d.looked) AS looked, count(*) FILTER (WHERE i.look IS NOT NULL AND d.faulty) AS faulty,
			coalesce(bool_and(d.since), false) AS one_by_one
		FROM batch_items i JOIN tasks t ON t.id = i.task_id LEFT JOIN item_agreements g ON g.item_id = i.item_id
		CROSS JOIN LATERAL (
			SELECT count(*) > 0 AS since, coalesce(bool_or(r.decided_at >= b.planned_at), false) AS looked,
				coalesce(bool_or(r.decided_at >= b.planned_at AND r.decision NOT IN ('approved', 'merged')), false) AS faulty
			FROM reviews r WHERE r.task_id = i.task_id AND r.decided_at >= b.created_at AND ` + personal + `) d
		WHERE i.batch_id = b.id) f
	WHERE b.id = $1`

// refreshBatch locks a batch, prepares its figures and lets its state follow, with what that causes.
func refreshBatch(ctx context.Context, tx pgx.Tx, id int64) error {
	// What is deleted here was committed before the facts are read, so that nothing is ever missed.
	if _, err := tx.Exec(ctx, `SELECT FROM batches WHERE id = $1 FOR NO KEY UPDATE`, id); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM batch_changes WHERE batch_id = $1`, id); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, readBatchFacts, id)
	if err != nil {
		return err
	}
	f, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[batchFacts])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	next := f.next()
	_, err = tx.Exec(ctx, `
		UPDATE batches SET items = $2, answered = $3, decided = $4, compared = $5, score_sum = $6, score_squares = $7, looked = $8, faulty = $9, state = $10,
			approved_at = CASE WHEN $10 = 'approved' THEN coalesce(approved_at, now()) END, changed_at = CASE WHEN state = $10 THEN changed_at ELSE now() END
		WHERE id = $1`, id, f.Items, f.Answered, f.Decided, f.Compared, f.ScoreSum, f.ScoreSquares, f.Looked, f.Faulty, string(next))
	if err != nil || next == f.State {
		return err
	}
	return batchMoved(ctx, tx, id, f, next)
}

// batchMoved tells whom it concerns that a batch came into another state.
func batchMoved(ctx context.Context, tx pgx.Tx, id int64, f batchFacts, next BatchState) error {
	switch next {
	case BatchInReview:
		if err := notifyOthers(ctx, tx, Actor{}, []int64{f.Owner}, BatchAnswered, id, f.Project); err != nil {
			return err
		}
	case BatchApproved:
		people, err := batchPeople(ctx, tx, id, f.Owner)
		if err != nil {
			return err
		}
		if err := notifyOthers(ctx, tx, Actor{}, people, BatchDone, id, f.Project); err != nil {
			return err
		}
	default:
	}
	return audit(ctx, tx, Actor{}, auditEvent{
		Action: "batch.state", ObjectType: "batch", ObjectID: id, ProjectID: f.Project, Detail: map[string]any{"from": f.State, "to": next},
	})
}

// batchPeople are the owner of a batch, 0 for none, and whoever answered an item of it.
func batchPeople(ctx context.Context, tx pgx.Tx, id, owner int64) ([]int64, error) {
	rows, err := tx.Query(ctx, `
		SELECT an.person_id FROM batch_items i JOIN annotations an ON an.task_id = i.task_id
		JOIN people q ON q.id = an.person_id AND q.left_at IS NULL WHERE i.batch_id = $1
		UNION SELECT $2::bigint WHERE $2::bigint <> 0 ORDER BY 1`, id, owner)
	if err != nil {
		return nil, fmt.Errorf("people of batch %d: %w", id, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// notifyOthers tells people of a batch, but not whoever did it, nor nobody (0).
func notifyOthers(ctx context.Context, tx pgx.Tx, actor Actor, people []int64, kind NoticeKind, batch, project int64) error {
	for _, person := range people {
		if person == 0 || person == actor.PersonID {
			continue
		}
		if err := notify(ctx, tx, person, kind, "batch", batch, project); err != nil {
			return err
		}
	}
	return nil
}

// newPlan says how many of a lot to look at, or why there is none.
func newPlan(lot int, limit float64, accept int) (sampling.Plan, error) {
	switch {
	case !(limit > 0 && limit < 1): // false for NaN too
		return sampling.Plan{}, invalid("limit", "Choose a share above 0 and below 100 % of faulty items that is still good enough.")
	case accept < 0 || accept > 20:
		return sampling.Plan{}, invalid("accept", "Choose between 0 and 20 faulty items that the sample may hold.")
	case lot == 0:
		return sampling.Plan{}, invalid("", "Every item of this batch was looked at already.")
	}
	return sampling.PlanFor(lot, limit, accept), nil
}
