package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/sampling"
)

// changeReview makes one change to a batch that is in review, locked, by somebody who may review.
func (s *Store) changeReview(ctx context.Context, actor Actor, id int64, version int, change func(pgx.Tx, Batch) error) error {
	if err := actor.may(access.Review); err != nil {
		return err
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		b, err := lockBatch(ctx, tx, actor, id, version)
		if err != nil {
			return err
		}
		if b.State != BatchInReview {
			return invalid("", "This batch is not in review: its items have to be answered first.")
		}
		return change(tx, b)
	})
	if err != nil {
		return fmt.Errorf("review batch %d: %w", id, err)
	}
	return nil
}

// lotOf selects the items of batch $1 that a sample is drawn from: those that no person decided on since the batch was
// made, and whose task was not thrown out.
const lotOf = `SELECT i.item_id FROM batch_items i JOIN tasks t ON t.id = i.task_id JOIN batches b ON b.id = i.batch_id
	WHERE i.batch_id = $1 AND t.state <> 'discarded'
	  AND NOT EXISTS (SELECT FROM reviews r WHERE r.task_id = i.task_id AND r.decided_at >= b.created_at AND ` + personal + `)`

// BatchPlans returns, for each of these limits and each number of faulty items that may be accepted, how many of a
// batch's items are to be looked at. The batch came from a method that checked who asks.
func (s *Store) BatchPlans(ctx context.Context, actor Actor, batch Batch, limits []float64, accept []int) (plans [][]sampling.Plan, err error) {
	if err := actor.may(access.Review); err != nil {
		return nil, err
	}
	var lot int
	if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM (`+lotOf+`) lot`, batch.ID).Scan(&lot); err != nil {
		return nil, fmt.Errorf("plans for batch %d: %w", batch.ID, err)
	}
	for _, limit := range limits {
		var row []sampling.Plan
		for _, c := range accept {
			row = append(row, sampling.PlanFor(lot, limit, c))
		}
		plans = append(plans, row)
	}
	return plans, nil
}

// SampleBatch begins the look at a batch: it draws at random as many items as must be looked at, so that at most the
// share limit of the batch is faulty if at most accept of those are (internal/sampling). A plan can be changed until
// the first look.
func (s *Store) SampleBatch(ctx context.Context, actor Actor, batch int64, version int, limit float64, accept int) error {
	return s.changeReview(ctx, actor, batch, version, func(tx pgx.Tx, b Batch) error {
		if b.Looked > 0 {
			return invalid("", "The look has begun: a plan that is changed after it has been seen says nothing.")
		}
		rows, err := tx.Query(ctx, lotOf, b.ID)
		if err != nil {
			return err
		}
		lot, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		plan, err := newPlan(len(lot), limit, accept)
		if err != nil {
			return err
		}
		seed := newSeed()
		_, err = tx.Exec(ctx, `
			UPDATE batches SET plan_limit = $2, plan_accept = $3, plan_lot = $4, plan_size = $5, plan_seed = $6, planned_at = now() WHERE id = $1`,
			b.ID, plan.Limit, plan.Accept, plan.Lot, plan.Size, seed)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE batch_items i SET look = u.place FROM batch_items c LEFT JOIN unnest($2::bigint[]) WITH ORDINALITY u (item, place) ON u.item = c.item_id
			WHERE c.batch_id = $1 AND i.batch_id = $1 AND i.item_id = c.item_id`, b.ID, sampling.Draw(lot, plan.Size, seed))
		if err != nil {
			return err
		}
		return batchChanged(ctx, tx, actor, b, "batch.sample", map[string]any{
			"lot": plan.Lot, "size": plan.Size, "limit": plan.Limit, "accept": plan.Accept, "seed": seed,
		})
	})
}

// newSeed is a number that nobody could have chosen.
func newSeed() int64 {
	var bits [8]byte
	_, _ = rand.Read(bits[:]) // documented never to fail
	return int64(binary.NativeEndian.Uint64(bits[:]) >> 1)
}

// SmallSeed is a seed that people can read and type.
func SmallSeed() int64 { return newSeed()%999_999 + 1 }

// NextLook returns the next item of a batch's sample to look at, other than after, which they have before them, or
// ErrQueueEmpty when all were looked at.
func (s *Store) NextLook(ctx context.Context, actor Actor, batch Batch, after int64) (item int64, err error) {
	if err := actor.may(access.Review); err != nil {
		return 0, err
	}
	err = s.pool.QueryRow(ctx, `
		SELECT i.item_id FROM batch_items i WHERE i.batch_id = $1 AND i.look IS NOT NULL AND i.item_id <> $3
		  AND NOT EXISTS (SELECT FROM reviews r WHERE r.task_id = i.task_id AND r.decided_at >= $2 AND `+personal+`)
		ORDER BY i.look LIMIT 1`, batch.ID, batch.PlannedAt, after).Scan(&item)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrQueueEmpty
	}
	if err != nil {
		return 0, fmt.Errorf("next look of batch %d: %w", batch.ID, err)
	}
	return item, nil
}

// SampledLook is an item's place in the sample of a batch that is being looked at.
type SampledLook struct {
	Slug   string
	Number int // of the batch
	Look   int
	Size   int
}

// LookOf returns the sampled look that an item belongs to, or ErrNotFound if it does to none.
func (s *Store) LookOf(ctx context.Context, actor Actor, item int64) (SampledLook, error) {
	if err := actor.may(access.Review); err != nil {
		return SampledLook{}, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT p.slug, b.number, i.look, b.plan_size AS size FROM batch_items i JOIN batches b ON b.id = i.batch_id JOIN projects p ON p.id = b.project_id
		WHERE i.item_id = @item AND i.look IS NOT NULL AND b.state = 'in_review' AND b.planned_at IS NOT NULL AND `+sees+` LIMIT 1`,
		actor.args(pgx.NamedArgs{"item": item}))
	if err != nil {
		return SampledLook{}, fmt.Errorf("look of item %d: %w", item, err)
	}
	look, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[SampledLook])
	if err != nil {
		return SampledLook{}, fmt.Errorf("look of item %d: %w", item, notFound(err))
	}
	return look, nil
}

// answering is in whose name something is decided: the actor's own, or, for a token, that of the person by.
func answering(ctx context.Context, tx pgx.Tx, actor Actor, project, by int64) (int64, error) {
	if actor.PersonID != 0 {
		return actor.PersonID, nil
	}
	if by == 0 {
		return 0, invalid("reviewer", "Each decision bears a person's name. Say which reviewer answers for it.")
	}
	_, err := reviewerOf(ctx, tx, project, by)
	if errors.Is(err, ErrDenied) {
		return 0, invalid("reviewer", "Choose a reviewer of the project, or an admin.")
	}
	return by, err
}

// reviewerOf returns a person as who may decide in a project, or ErrDenied.
func reviewerOf(ctx context.Context, q querier, project, person int64) (Actor, error) {
	actor := Actor{PersonID: person}
	err := q.QueryRow(ctx, `SELECT o.role FROM people o WHERE o.id = @person AND `+owners, pgx.NamedArgs{"person": person, "project": project}).Scan(&actor.Role)
	if errors.Is(err, pgx.ErrNoRows) {
		return Actor{}, ErrDenied
	}
	if err != nil {
		return Actor{}, err
	}
	return actor, actor.may(access.Review)
}

// ApproveBatch approves whatever of a batch still waits for review, once its plan is fulfilled: a job gives each item a
// decision of its own, which can be undone like any other. What no majority settles, a labeler could not decide, or
// contests, is left to a person. A token says by whom; for a person that is 0.
func (s *Store) ApproveBatch(ctx context.Context, actor Actor, batch int64, version int, by int64) error {
	return s.changeReview(ctx, actor, batch, version, func(tx pgx.Tx, b Batch) error {
		plan, ok := b.Plan()
		if !ok {
			return invalid("", "Nobody has looked at a sample of this batch yet. Begin the look.")
		}
		switch plan.Verdict(b.Looked, b.Faulty) {
		case sampling.Open:
			return invalid("", fmt.Sprintf("%d of the %d items of the sample are still to be looked at.", plan.Size-b.Looked, plan.Size))
		case sampling.Refuse:
			return invalid("", fmt.Sprintf("%d faulty items were found, and the plan accepts %d. Return the batch, or look at every item of it.", b.Faulty, plan.Accept))
		case sampling.Take:
		}
		person, err := answering(ctx, tx, actor, b.ProjectID, by)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE batches SET approved_by = $2 WHERE id = $1`, b.ID, person); err != nil {
			return err
		}
		return s.settle(ctx, tx, actor, b, "approve", person)
	})
}

// BatchReturn is why a batch goes back as a whole.
type BatchReturn struct {
	Batch   int64
	Version int
	Fault   Fault
	Note    string
	By      int64 // in whose name, for a token; 0 for a person
}

// ReturnBatch sends every answer of a batch that is not yet approved back to its labeler, with the reason on the whole
// of it: a job does so item by item.
func (s *Store) ReturnBatch(ctx context.Context, actor Actor, r BatchReturn) error {
	mark := NewMark{Fault: r.Fault, Note: r.Note}
	if err := mark.check(); err != nil {
		if refused, ok := errors.AsType[*InvalidError](err); ok {
			return invalid("note", refused.Reason)
		}
		return err
	}
	return s.changeReview(ctx, actor, r.Batch, r.Version, func(tx pgx.Tx, b Batch) error {
		if b.Decided == b.Items {
			return invalid("", "Every item of this batch is decided: there is nothing to send back.")
		}
		person, err := answering(ctx, tx, actor, b.ProjectID, r.By)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE batches SET fault = $2, note = $3, returned_at = now(), approved_by = NULL WHERE id = $1`, b.ID, mark.Fault, mark.Note)
		if err != nil {
			return err
		}
		return s.settle(ctx, tx, actor, b, "return", person)
	})
}

// settle has a job do to every item in review what a person decided about the whole batch. Each is to be as it is
// now: one that somebody decides on meanwhile is left alone.
func (s *Store) settle(ctx context.Context, tx pgx.Tx, actor Actor, b Batch, how string, person int64) error {
	var items int
	err := tx.QueryRow(ctx, `
		WITH waiting AS (
			UPDATE batch_items i SET settle_version = CASE t.state WHEN 'in_review' THEN t.version END,
				left_because = CASE t.state WHEN 'open' THEN 'unanswered' ELSE '' END
			FROM tasks t WHERE t.id = i.task_id AND i.batch_id = $1 RETURNING i.settle_version)
		SELECT count(settle_version) FROM waiting`, b.ID).Scan(&items)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE batches SET settling = $2, settle_by = $3, of_items = $4, done = 0, error = '' WHERE id = $1`, b.ID, how, person, items)
	if err != nil {
		return err
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.SettleBatch{BatchID: b.ID}, nil); err != nil {
		return fmt.Errorf("enqueue batch %d: %w", b.ID, err)
	}
	return batchChanged(ctx, tx, actor, b, "batch."+how, map[string]any{
		"items": items, "by": person, "looked": b.Looked, "faulty": b.Faulty, "size": b.PlanSize, "lot": b.PlanLot,
	})
}
