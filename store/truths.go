package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/speech"
)

// Truth is the agreed annotation of an item. It never changes: another one takes its place, and it
// stays for the dataset versions that refer to it.
type Truth struct {
	ID         int64
	Item       int64
	Review     int64 // the decision that made it, 0 if it was imported
	Annotation int64 // the answer that was taken or amended, 0 for none
	At         time.Time
	// Transcript is what was said, nil for an image; Rules is the version of the transcription rules that it was written under.
	Transcript speech.Transcript
	Rules      *int
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
		SELECT u.id, u.item_id AS item, coalesce(u.review_id, 0) AS review, coalesce(u.annotation_id, 0) AS annotation, u.created_at AS at,
			w.segments AS transcript, u.rules_version AS rules
		FROM truths u LEFT JOIN transcripts w ON w.item_id = u.item_id AND w.kind = 'truth' AND w.of_id = u.id
		WHERE u.item_id = $1 AND u.current`, item)
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

// replaceTruth makes boxes, or moments and words, the truth of an item by a decision. Whatever held before stays, no longer
// current. The boxes bring their definition versions, the words that of their rules.
func replaceTruth(ctx context.Context, tx pgx.Tx, item, review, annotation int64, truth content) error {
	if err := retireTruth(ctx, tx, item); err != nil {
		return err
	}
	var id int64
	var rules *int
	if truth.words != nil {
		rules = truth.words.Rules
	}
	err := tx.QueryRow(ctx, `INSERT INTO truths (item_id, review_id, annotation_id, rules_version) VALUES ($1, $2, $3, $4) RETURNING id`,
		item, review, orNull(annotation), rules).Scan(&id)
	if err != nil {
		return fmt.Errorf("add truth: %w", err)
	}
	if truth.words != nil {
		if err := writeTranscript(ctx, tx, item, truthTranscript, id, truth.words.Transcript); err != nil {
			return err
		}
	}
	return insertBoxes(ctx, tx, "truth_boxes", "truth_id", id, truth.boxes, nil)
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
