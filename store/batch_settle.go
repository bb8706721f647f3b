package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// settleChunk is after how many items the progress of a settling is noted.
const settleChunk = 25

// settling is a batch that a job approves or returns item by item.
type settling struct {
	Batch, Project, Person int64
	How                    string
	Fault                  Fault
	Note                   string
}

// pendingItem is an item that is still to be settled, as it was when that was decided.
type pendingItem struct {
	Item    int64
	Version int
}

// SettleBatch does what was decided about a batch as a whole to every item that is left, each in a transaction of its
// own: stopped anywhere, it goes on there when it is called again. Nothing happens if the batch is not being settled.
func (s *Store) SettleBatch(ctx context.Context, id int64) error {
	rows, err := s.pool.Query(ctx, `
		SELECT b.id AS batch, b.project_id AS project, b.settle_by AS person, b.settling AS how, b.fault, b.note
		FROM batches b WHERE b.id = $1 AND b.settling IS NOT NULL`, id)
	if err != nil {
		return fmt.Errorf("settle batch %d: %w", id, err)
	}
	job, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[settling])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("settle batch %d: %w", id, err)
	}
	reviewer, err := reviewerOf(ctx, s.pool, job.Project, job.Person)
	if errors.Is(err, ErrDenied) {
		return s.FailSettling(ctx, id, "Whoever asked for this may not review here any more. Somebody else has to decide again.")
	}
	for more := true; err == nil && more; {
		more, err = s.settleSome(ctx, job, reviewer)
	}
	if err != nil {
		return fmt.Errorf("settle batch %d: %w", id, err)
	}
	return s.finishSettling(ctx, job)
}

// settleSome settles the next items, and says whether there may be more.
func (s *Store) settleSome(ctx context.Context, job settling, reviewer Actor) (more bool, err error) {
	rows, err := s.pool.Query(ctx, `
		SELECT item_id AS item, settle_version AS version FROM batch_items WHERE batch_id = $1 AND settle_version IS NOT NULL
		ORDER BY position LIMIT $2`, job.Batch, settleChunk)
	if err != nil {
		return false, err
	}
	pending, err := pgx.CollectRows(rows, pgx.RowToStructByName[pendingItem])
	if err != nil || len(pending) == 0 {
		return false, err
	}
	for _, item := range pending {
		if err := s.inTx(ctx, func(tx pgx.Tx) error { return settleInBatch(ctx, tx, job, reviewer, item) }); err != nil {
			return false, fmt.Errorf("item %d: %w", item.Item, err)
		}
	}
	_, err = s.pool.Exec(ctx, `
		UPDATE batches b SET done = b.of_items - (SELECT count(*) FROM batch_items i WHERE i.batch_id = b.id AND i.settle_version IS NOT NULL)
		WHERE b.id = $1`, job.Batch)
	return err == nil, err
}

// settleInBatch decides on one item, or notes why that is left to a person.
func settleInBatch(ctx context.Context, tx pgx.Tx, job settling, reviewer Actor, item pendingItem) error {
	u, err := lockUndecided(ctx, tx, reviewer, item.Item, item.Version)
	changed := errors.Is(err, ErrConflict)
	if err != nil && !changed {
		return err
	}
	// Under the task's lock: another run of the job may have been here first.
	var pending bool
	err = tx.QueryRow(ctx, `SELECT settle_version IS NOT NULL FROM batch_items WHERE batch_id = $1 AND item_id = $2`, job.Batch, item.Item).Scan(&pending)
	if err != nil || !pending {
		return err
	}
	left := LeftChanged
	if !changed && u.State == "in_review" {
		if left, err = settleOne(ctx, tx, job, reviewer, u); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `UPDATE batch_items SET settle_version = NULL, left_because = $3 WHERE batch_id = $1 AND item_id = $2`, job.Batch, item.Item, string(left))
	return err
}

func settleOne(ctx context.Context, tx pgx.Tx, job settling, reviewer Actor, u *undecided) (LeftBecause, error) {
	v, err := votesFor(ctx, tx, u)
	if err != nil {
		return "", err
	}
	a := Adjudication{Item: u.Item, batch: job.Batch}
	switch {
	case len(v.ids) == 0:
		return LeftUnanswered, nil
	case job.How == "return":
		a.Kind = Rejected
		for _, answer := range v.ids {
			a.Marks = append(a.Marks, NewMark{Annotation: answer, Fault: job.Fault, Note: job.Note})
		}
		u.Quiet = true // its labelers are told of the batch, once
	default:
		if left, err := contested(ctx, tx, u.Task); err != nil || left != "" {
			return left, err
		}
		if !v.matching.Settled() || !v.spoken.settled() {
			return LeftConflict, nil
		}
		a.Kind, a.Annotation = v.outcome()
	}
	_, err = decide(ctx, tx, reviewer, u, a)
	return "", err
}

// outcome is what an approval of all answers together comes to: the one that bears out what they make together, else
// that itself.
func (v votes) outcome() (kind DecisionKind, annotation int64) {
	merged := v.merged()
	for i, answer := range v.boxes {
		if len(v.ids) == 1 || sameShapes(answer, merged.boxes) && sameWords(v.spoken.of(i), merged.words) {
			return Approved, v.ids[i]
		}
	}
	return Merged, 0
}

// contested says what of a task asks for a person: a labeler who could not decide, or one who contests a remark that
// nobody decided on since.
func contested(ctx context.Context, tx pgx.Tx, task int64) (LeftBecause, error) {
	var undecided, disputed bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM assignments a WHERE a.task_id = $1 AND a.state = 'skipped' AND a.skip_reason IN ('cannot_decide', 'broken_image', 'broken_sound')),
			EXISTS (SELECT FROM review_marks m JOIN annotations an ON an.id = m.annotation_id WHERE an.task_id = $1 AND m.disputed_at IS NOT NULL
				AND NOT EXISTS (SELECT FROM reviews r WHERE r.task_id = $1 AND r.decided_at > m.disputed_at))`, task).Scan(&undecided, &disputed)
	switch {
	case err != nil:
		return "", err
	case undecided:
		return LeftUndecided, nil
	case disputed:
		return LeftDisputed, nil
	}
	return "", nil
}

// finishSettling ends a settling, and tells of it.
func (s *Store) finishSettling(ctx context.Context, job settling) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE batches SET settling = NULL, done = of_items, version = version + 1 WHERE id = $1 AND settling IS NOT NULL`, job.Batch)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if job.How == "return" {
			if err := endReturn(ctx, tx, job); err != nil {
				return err
			}
		}
		return refreshBatch(ctx, tx, job.Batch)
	})
	if err != nil {
		return fmt.Errorf("finish settling batch %d: %w", job.Batch, err)
	}
	return nil
}

// endReturn puts a batch back to its labelers: its sample is void, and the next one will be drawn anew.
func endReturn(ctx context.Context, tx pgx.Tx, job settling) error {
	var owner int64
	err := tx.QueryRow(ctx, `
		UPDATE batches SET state = 'returned', plan_limit = NULL, plan_accept = NULL, plan_lot = NULL, plan_size = NULL, plan_seed = NULL, planned_at = NULL,
			approved_by = NULL, changed_at = now() WHERE id = $1 RETURNING coalesce(owner_id, 0)`, job.Batch).Scan(&owner)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE batch_items SET look = NULL WHERE batch_id = $1 AND look IS NOT NULL`, job.Batch); err != nil {
		return err
	}
	people, err := batchPeople(ctx, tx, job.Batch, owner)
	if err != nil {
		return err
	}
	if err := notifyOthers(ctx, tx, Actor{PersonID: job.Person}, people, BatchBack, job.Batch, job.Project); err != nil {
		return err
	}
	return audit(ctx, tx, Actor{}, auditEvent{
		Action: "batch.state", ObjectType: "batch", ObjectID: job.Batch, ProjectID: job.Project, Detail: map[string]any{"from": BatchInReview, "to": BatchReturned},
	})
}

// FailSettling gives up on settling a batch; reason is a sentence for people. What was settled stays.
func (s *Store) FailSettling(ctx context.Context, id int64, reason string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE batches SET settling = NULL, approved_by = NULL, error = $2, version = version + 1 WHERE id = $1 AND settling IS NOT NULL`, id, reason)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE batch_items SET settle_version = NULL WHERE batch_id = $1 AND settle_version IS NOT NULL`, id); err != nil {
			return err
		}
		return refreshBatch(ctx, tx, id)
	})
	if err != nil {
		return fmt.Errorf("fail settling batch %d: %w", id, err)
	}
	return nil
}
