package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// reject sends answers back: each that has a mark is superseded, and its labeler mends it in a pass
// of their own, which holds the place that the answer had. Who cannot label here any more leaves it
// to others; an answer that nothing waits for is set aside.
func reject(ctx context.Context, tx pgx.Tx, u *undecided, decision int64, marks []NewMark) error {
	rejected := map[int64]bool{}
	for _, m := range marks {
		if rejected[m.Annotation] {
			continue
		}
		rejected[m.Annotation] = true
		if !slices.Contains(Faults(u.Kind), m.Fault) {
			return invalid("marks", "Choose one of the reasons for each mark.")
		}
		a, err := answerOf(ctx, tx, u, m.Annotation)
		if err != nil {
			return err
		}
		if err := sendBack(ctx, tx, u, decision, a); err != nil {
			return err
		}
	}
	for _, m := range marks {
		if err := addMark(ctx, tx, u, decision, m); err != nil {
			return err
		}
	}
	decided := u.State == "adjudicated"
	u.State = "in_review"
	if u.Votes < u.Overlap {
		u.State = "open"
	}
	if !decided {
		return nil // a truth that stands while its labels are made again is not what was rejected
	}
	return retireTruth(ctx, tx, u.Item)
}

func sendBack(ctx context.Context, tx pgx.Tx, u *undecided, decision int64, a answer) error {
	if _, err := tx.Exec(ctx, `UPDATE annotations SET superseded_at = now() WHERE id = $1`, a.ID); err != nil {
		return err
	}
	if !a.Surplus {
		u.Votes--
	}
	stays, err := canLabel(ctx, tx, u.Project, a.Person)
	if err != nil || !stays {
		return err
	}
	if !u.free() {
		return u.tell(ctx, tx, a.Person, AnswerSetAside)
	}
	u.Live++
	var rework int64
	err = tx.QueryRow(ctx, `
		INSERT INTO assignments (task_id, project_id, person_id, reason, state, review_id, pass, mode)
		SELECT $1, $2, $3, 'rework', 'returned', $4, max(pass) + 1, (SELECT mode FROM assignments WHERE id = $5) FROM assignments
		WHERE task_id = $1 AND person_id = $3 RETURNING id`, u.Task, u.Project, a.Person, decision, a.Assignment).Scan(&rework)
	if err != nil {
		return fmt.Errorf("rework: %w", err)
	}
	boxes, err := boxesOf(ctx, tx, "annotation_boxes", "annotation_id", a.ID)
	if err != nil {
		return err
	}
	said, err := transcriptOf(ctx, tx, u.Item, annotationTranscript, a.ID)
	if err != nil {
		return err
	}
	if _, err := saveDraft(ctx, tx, u.Item, rework, 0, begun(boxes), said); err != nil {
		return fmt.Errorf("draft of rework: %w", err)
	}
	return u.tell(ctx, tx, a.Person, AnswerRejected)
}

// tell leaves a notice about the item's task, unless something else tells of it.
func (u *undecided) tell(ctx context.Context, tx pgx.Tx, person int64, kind NoticeKind) error {
	if u.Quiet {
		return nil
	}
	return notify(ctx, tx, person, kind, "task", u.Task, u.Project)
}

// canLabel reports whether a person is still in the project, in a role that labels.
func canLabel(ctx context.Context, tx pgx.Tx, project, person int64) (bool, error) {
	var role access.Role
	err := tx.QueryRow(ctx, `
		SELECT p.role FROM people p JOIN members m ON m.person_id = p.id AND m.project_id = $1
		WHERE p.id = $2 AND p.left_at IS NULL FOR SHARE OF m`, project, person).Scan(&role)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return access.Allows(role, access.Label), err
}

func addMark(ctx context.Context, tx pgx.Tx, u *undecided, decision int64, m NewMark) error {
	if m.X != nil && u.audio() {
		if *m.X < 0 || *m.X > u.Seconds || *m.Y < 0 || *m.Y > float64(u.Channels) {
			return invalid("marks", "A mark lies outside the recording. Put it inside.")
		}
	} else if m.X != nil && (*m.X < 0 || *m.Y < 0 || *m.X > float64(u.Width) || *m.Y > float64(u.Height)) {
		return invalid("marks", "A mark lies outside the image. Put it inside.")
	}
	var mark int64
	err := tx.QueryRow(ctx, `
		INSERT INTO review_marks (review_id, annotation_id, position, x, y, reason)
		SELECT $1, $2, $3::int, $4, $5, $6
		WHERE $3::int IS NULL OR EXISTS (SELECT FROM annotation_boxes WHERE annotation_id = $2 AND position = $3::int)
		RETURNING id`,
		decision, m.Annotation, m.Position, m.X, m.Y, m.Fault).Scan(&mark)
	if errors.Is(err, pgx.ErrNoRows) {
		return invalid("marks", "A mark is pinned to a box that the answer does not have. Load the page again.")
	}
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	return writeNote(ctx, tx, u.Item, markNote, mark, m.Note)
}

// Undo takes back the last decision about an item that stands, whoever made it and however long ago, and puts the
// item back as it was before: the earlier truth holds again, a rework that was not handed in is withdrawn
// and the answer counts as before. What was handed in meanwhile stays. It returns the item, and
// ErrConflict if the decision does not stand any more or a later one does.
func (s *Store) Undo(ctx context.Context, reviewer Actor, decision int64) (item int64, err error) {
	return s.UndoBy(ctx, reviewer, decision, 0)
}

// UndoBy is Undo in the name of a reviewer, whom a token has to say; 0 for a person.
func (s *Store) UndoBy(ctx context.Context, reviewer Actor, decision, by int64) (item int64, err error) {
	if err := reviewer.may(access.Review); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		var version int
		err := tx.QueryRow(ctx, `SELECT t.item_id, t.version FROM reviews r JOIN tasks t ON t.id = r.task_id WHERE r.id = $1`,
			decision).Scan(&item, &version)
		if err != nil {
			return notFound(err)
		}
		u, err := lockUndecided(ctx, tx, reviewer, item, version)
		if err != nil {
			return err
		}
		if reviewer.PersonID, err = answering(ctx, tx, reviewer, u.Project, by); err != nil {
			return err
		}
		if err := s.askForScore(ctx, tx, item); err != nil {
			return err
		}
		return undo(ctx, tx, reviewer, u, decision)
	})
	if err != nil {
		return 0, fmt.Errorf("undo decision %d: %w", decision, err)
	}
	return item, nil
}

// ItemOfDecision returns the item that a decision is about, or ErrNotFound if the actor sees no such decision.
func (s *Store) ItemOfDecision(ctx context.Context, actor Actor, decision int64) (item int64, err error) {
	if err := actor.may(access.Review); err != nil {
		return 0, err
	}
	err = s.pool.QueryRow(ctx, `
		SELECT r.item_id FROM reviews r JOIN items i ON i.id = r.item_id JOIN projects p ON p.id = i.project_id
		WHERE r.id = @decision AND `+sees, actor.args(pgx.NamedArgs{"decision": decision})).Scan(&item)
	if err != nil {
		return 0, fmt.Errorf("item of decision %d: %w", decision, notFound(err))
	}
	return item, nil
}

// standing selects the last decision about task $1 that was not taken back.
const standing = `SELECT max(r.id) FROM reviews r
	WHERE r.task_id = $1 AND r.decision <> 'undone' AND NOT EXISTS (SELECT FROM reviews back WHERE back.undoes = r.id)`

func undo(ctx context.Context, tx pgx.Tx, reviewer Actor, u *undecided, decision int64) error {
	var kind DecisionKind
	var former int64
	var state string
	err := tx.QueryRow(ctx, `
		SELECT decision, coalesce(former_truth_id, 0), coalesce(former_state, 'in_review') FROM reviews WHERE id = $2 AND id = (`+standing+`)`,
		u.Task, decision).Scan(&kind, &former, &state)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrConflict
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO reviews (task_id, item_id, reviewer_id, decision, undoes, former_state, former_truth_id)
		VALUES ($1, $2, $3, 'undone', $4, $5, $6)`, u.Task, u.Item, reviewer.PersonID, decision, u.State, orNull(u.Truth))
	if err != nil {
		return err
	}
	if err := restoreTruth(ctx, tx, u.Item, decision, former); err != nil {
		return err
	}
	if kind == Rejected {
		if err := withdrawReworks(ctx, tx, u, decision); err != nil {
			return err
		}
	}
	if u.State, err = u.settled(ctx, tx, state, former); err != nil {
		return err
	}
	err = audit(ctx, tx, reviewer, auditEvent{
		Action: "review.undone", ObjectType: "review", ObjectID: decision, ProjectID: u.Project,
		Detail: map[string]any{"item": u.Item, "decision": kind},
	})
	if err != nil {
		return err
	}
	return u.write(ctx, tx)
}

// settled returns the state that fits what the item has after an undo; wanted is the one it had before, and former
// the truth that it had then.
func (u *undecided) settled(ctx context.Context, tx pgx.Tx, wanted string, former int64) (state string, err error) {
	var truth int64
	var relabel bool
	err = tx.QueryRow(ctx, `
		SELECT coalesce((SELECT id FROM truths WHERE item_id = $1 AND current), 0),
			EXISTS (SELECT FROM assignments WHERE task_id = $2 AND reason = 'relabel' AND state IN ('leased', 'returned'))`,
		u.Item, u.Task).Scan(&truth, &relabel)
	if err != nil {
		return "", err
	}
	// A truth that stood beside an open or waiting task was being looked at again.
	again := truth != 0 && truth == former && (wanted == "open" || wanted == "in_review")
	switch {
	case relabel && u.Votes < u.Overlap:
		return "open", nil
	case truth != 0 && !again:
		return "adjudicated", nil
	case wanted == "discarded":
		return wanted, nil
	case wanted == "open" && u.Votes < u.Overlap:
		return wanted, nil
	}
	return "in_review", nil
}

// sentBack is an answer that a decision rejected, with the rework that it asked for.
type sentBack struct {
	Answer, Rework, Person int64
	State                  string // of the rework, "" for none
	Surplus                bool
	Answered               bool // its labeler has another answer by now
}

// withdrawReworks makes the answers that a decision rejected count again.
func withdrawReworks(ctx context.Context, tx pgx.Tx, u *undecided, decision int64) error {
	rows, err := tx.Query(ctx, `
		SELECT an.id AS answer, coalesce(w.id, 0) AS rework, an.person_id AS person, coalesce(w.state, '') AS state, an.surplus,
			EXISTS (SELECT FROM annotations later WHERE later.task_id = an.task_id AND later.person_id = an.person_id
				AND later.superseded_at IS NULL AND later.recalled_at IS NULL) AS answered
		FROM annotations an LEFT JOIN assignments w ON w.review_id = $1 AND w.person_id = an.person_id
		WHERE an.id IN (SELECT annotation_id FROM review_marks WHERE review_id = $1) ORDER BY an.id FOR NO KEY UPDATE OF an`, decision)
	if err != nil {
		return err
	}
	answers, err := pgx.CollectRows(rows, pgx.RowToStructByName[sentBack])
	if err != nil {
		return err
	}
	for _, a := range answers {
		if a.Answered {
			continue
		}
		if err := restoreAnswer(ctx, tx, u, a); err != nil {
			return err
		}
	}
	return nil
}

// restoreAnswer makes a rejected answer count again: as a wanted vote if it was one and its place is
// still free, else beside the others.
func restoreAnswer(ctx context.Context, tx pgx.Tx, u *undecided, a sentBack) error {
	// Whether it still holds the place is read here, under the assignment's lock: a lease that ran out
	// may change it until then.
	var held bool
	err := tx.QueryRow(ctx, `
		WITH rework AS (SELECT id, state FROM assignments WHERE id = $1 FOR NO KEY UPDATE), ended AS (
			UPDATE assignments a SET state = 'cancelled', lease_until = NULL, finished_at = now()
			FROM rework WHERE a.id = rework.id AND rework.state IN ('leased', 'returned', 'expired'))
		SELECT coalesce((SELECT state IN ('leased', 'returned') FROM rework), false)`, a.Rework).Scan(&held)
	if err != nil {
		return fmt.Errorf("withdraw rework: %w", err)
	}
	if held {
		u.Live--
	}
	surplus := a.Surplus || !u.free()
	if !surplus {
		u.Votes++
	}
	if _, err := tx.Exec(ctx, `UPDATE annotations SET superseded_at = NULL, surplus = $2 WHERE id = $1`, a.Answer, surplus); err != nil {
		return fmt.Errorf("restore answer: %w", err)
	}
	return notify(ctx, tx, a.Person, RejectionUndone, "task", u.Task, u.Project)
}
