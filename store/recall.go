package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// recallReach is among how many of a person's last answers, in whatever project, the last of one project is looked for,
// so that looking costs the same whatever they did elsewhere.
const recallReach = 1000

// lastAnswered selects the assignment that person $1 answered last in project $2, of their last $3 answers. The order
// is that of the answers' numbers: a clock may step back.
const lastAnswered = `SELECT a.id
	FROM (SELECT id, assignment_id FROM annotations WHERE person_id = $1 AND recalled_at IS NULL ORDER BY id DESC LIMIT $3) last
	JOIN assignments a ON a.id = last.assignment_id
	WHERE a.project_id = $2 AND a.state = 'submitted' ORDER BY last.id DESC LIMIT 1`

// Recall takes back the actor's last answer in a project, as long as nobody reviewed it: the assignment is
// leased to them again (or, after a surplus vote, open without a lease), with the answer as draft. It
// returns an InvalidError if it is too late for that.
func (s *Store) Recall(ctx context.Context, actor Actor, task int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var assignment int64
		// The membership is locked, so that nobody who is taken out meanwhile ends with a lease.
		err := tx.QueryRow(ctx, `
			SELECT a.id FROM assignments a JOIN members m ON m.project_id = a.project_id AND m.person_id = a.person_id
			WHERE a.task_id = $1 AND a.person_id = $2 ORDER BY a.pass DESC LIMIT 1 FOR KEY SHARE OF m`,
			task, actor.PersonID).Scan(&assignment)
		if err != nil {
			return notFound(err)
		}
		h, err := hold(ctx, tx, actor, task, assignment)
		if err != nil {
			return err
		}
		if h.State == "leased" {
			return nil // the same recall again
		}
		var annotation int64
		var surplus bool
		err = tx.QueryRow(ctx, `
			UPDATE annotations SET recalled_at = now()
			WHERE assignment_id = $4 AND (superseded_at IS NULL OR gold) AND recalled_at IS NULL AND $5 AND assignment_id = (`+lastAnswered+`)
			RETURNING id, surplus`,
			actor.PersonID, h.Project, recallReach, assignment, !h.reviewed()).Scan(&annotation, &surplus)
		if errors.Is(err, pgx.ErrNoRows) {
			return invalid("", "Only your last answer can be recalled, and only until it was reviewed.")
		}
		if err != nil {
			return err
		}
		boxes, err := boxesOf(ctx, tx, "annotation_boxes", "annotation_id", annotation)
		if err != nil {
			return err
		}
		said, err := transcriptOf(ctx, tx, h.Item, annotationTranscript, annotation)
		if err != nil {
			return err
		}
		if _, err := saveDraft(ctx, tx, h.Item, assignment, 0, begun(boxes), said); err != nil {
			return err
		}
		if err := takeBack(ctx, tx, actor, h, annotation, surplus); err != nil {
			return err
		}
		return s.askForScore(ctx, tx, h.Item)
	})
	if err != nil {
		return fmt.Errorf("recall task %d: %w", task, err)
	}
	return nil
}

// takeBack undoes for assignment and task what the answer did to them.
func takeBack(ctx context.Context, tx pgx.Tx, actor Actor, h held, annotation int64, surplus bool) error {
	batch := &pgx.Batch{}
	if surplus {
		batch.Queue(`UPDATE assignments SET state = 'expired', finished_at = NULL WHERE id = $1`, h.Assignment)
	} else {
		batch.Queue(`
			UPDATE assignments a SET state = 'leased', finished_at = NULL, lease_until = now() + make_interval(mins => p.lease_minutes)
			FROM projects p WHERE a.id = $1 AND p.id = a.project_id`, h.Assignment)
	}
	if !surplus && !h.gold() {
		// Sent to review by its votes, the task wants another one now; sent there by a labeler who could
		// not decide, it stays there.
		batch.Queue(`
			UPDATE tasks SET votes = votes - 1, live = live + 1, changed_at = now(), state = CASE WHEN votes >= overlap THEN 'open' ELSE state END
			WHERE id = $1`, h.Task)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	return audit(ctx, tx, actor, auditEvent{
		Action: "annotation.recall", ObjectType: "annotation", ObjectID: annotation, ProjectID: h.Project, Detail: map[string]any{"task": h.Task},
	})
}

// Dispute puts the labeler's word beside the marks that a reviewer left on the box with this id, or,
// for nil, on none. It returns ErrNotFound if there is no such mark.
func (s *Store) Dispute(ctx context.Context, actor Actor, task, assignment int64, box *string, text string) error {
	text = strings.TrimSpace(text)
	if text == "" || len([]rune(text)) > noteLimit {
		return invalid("text", fmt.Sprintf("Say why you disagree, in at most %d characters.", noteLimit))
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		h, err := hold(ctx, tx, actor, task, assignment)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			WITH disputed AS (
				UPDATE review_marks m SET disputed_at = now()
				FROM annotations an
				WHERE an.id = m.annotation_id AND an.task_id = $1 AND an.person_id = $2 AND m.position::text IS NOT DISTINCT FROM $3
				  AND m.review_id = (`+lastReview+`)
				RETURNING m.id, an.item_id)
			INSERT INTO item_notes (item_id, kind, of_id, body) SELECT item_id, 'dispute', id, $4 FROM disputed
			ON CONFLICT (item_id, kind, of_id) DO UPDATE SET body = excluded.body`, task, actor.PersonID, box, text)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotFound
		}
		if _, err := tx.Exec(ctx, `UPDATE tasks SET agreement = 0 WHERE id = $1`, task); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "review.dispute", ObjectType: "assignment", ObjectID: assignment, ProjectID: h.Project, Detail: map[string]any{"task": task},
		})
	})
	if err != nil {
		return fmt.Errorf("dispute on assignment %d: %w", assignment, err)
	}
	return nil
}

// lastReview selects the newest review that left marks on an answer of person $2 to task $1.
const lastReview = `SELECT max(lm.review_id) FROM review_marks lm JOIN annotations la ON la.id = lm.annotation_id
	WHERE la.task_id = $1 AND la.person_id = $2`
