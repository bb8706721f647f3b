package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Truth is the agreed annotation of an item. It never changes: another one takes its place, and it
// stays for the dataset versions that refer to it.
type Truth struct {
	ID         int64
	Item       int64
	Review     int64 // the decision that made it, 0 if it was imported
	Annotation int64 // the answer that was taken or amended, 0 for none
	At         time.Time
	Boxes      []Box `db:"-"`
}

// CurrentTruth returns the truth that holds for an item, or ErrNotFound if there is none or the actor
// may not see it.
func (s *Store) CurrentTruth(ctx context.Context, actor Actor, item int64) (Truth, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return Truth{}, err
	}
	var seen bool
	err := s.pool.QueryRow(ctx, `SELECT true FROM items i JOIN projects p ON p.id = i.project_id WHERE i.id = @item AND `+sees,
		actor.args(pgx.NamedArgs{"item": item})).Scan(&seen)
	if err != nil {
		return Truth{}, fmt.Errorf("truth of item %d: %w", item, notFound(err))
	}
	return currentTruth(ctx, s.pool, item)
}

// currentTruth returns the truth that holds for an item, or ErrNotFound.
func currentTruth(ctx context.Context, q querier, item int64) (Truth, error) {
	rows, err := q.Query(ctx, `
		SELECT id, item_id AS item, coalesce(review_id, 0) AS review, coalesce(annotation_id, 0) AS annotation, created_at AS at
		FROM truths WHERE item_id = $1 AND current`, item)
	if err != nil {
		return Truth{}, fmt.Errorf("truth of item %d: %w", item, err)
	}
	truth, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Truth])
	if err != nil {
		return Truth{}, fmt.Errorf("truth of item %d: %w", item, notFound(err))
	}
	truth.Boxes, err = boxesOf(ctx, q, "truth_boxes", "truth_id", truth.ID)
	return truth, err
}

// replaceTruth makes boxes the truth of an item by a decision. Whatever held before stays, no longer
// current. The boxes bring their definition versions.
func replaceTruth(ctx context.Context, tx pgx.Tx, item, review, annotation int64, boxes []Box) error {
	if err := retireTruth(ctx, tx, item); err != nil {
		return err
	}
	var id int64
	err := tx.QueryRow(ctx, `INSERT INTO truths (item_id, review_id, annotation_id) VALUES ($1, $2, $3) RETURNING id`,
		item, review, orNull(annotation)).Scan(&id)
	if err != nil {
		return fmt.Errorf("add truth: %w", err)
	}
	return insertBoxes(ctx, tx, "truth_boxes", "truth_id", id, boxes, nil)
}

// retireTruth leaves an item without a current truth.
func retireTruth(ctx context.Context, tx pgx.Tx, item int64) error {
	if _, err := tx.Exec(ctx, `UPDATE truths SET current = false WHERE item_id = $1 AND current`, item); err != nil {
		return fmt.Errorf("retire truth: %w", err)
	}
	return nil
}

// restoreTruth takes back what a decision made the truth, and puts back the one that held before it,
// unless another has come in meanwhile.
func restoreTruth(ctx context.Context, tx pgx.Tx, item, review, former int64) error {
	if _, err := tx.Exec(ctx, `UPDATE truths SET current = false WHERE review_id = $1 AND current`, review); err != nil {
		return fmt.Errorf("restore truth: %w", err)
	}
	_, err := tx.Exec(ctx, `
		UPDATE truths SET current = true
		WHERE id = $2 AND NOT EXISTS (SELECT FROM truths WHERE item_id = $1 AND current)`, item, former)
	if err != nil {
		return fmt.Errorf("restore truth: %w", err)
	}
	return nil
}
