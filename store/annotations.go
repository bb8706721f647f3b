package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/speech"
)

// NewAnnotation is a labeler's answer to a task. Version is that of the draft that it was made from, 0 if
// none was saved; ActiveMS is how long they were at it, in milliseconds. Of an utterance the boxes are moments, and what
// was said is the transcript, which is nil for an image.
type NewAnnotation struct {
	Task       int64
	Assignment int64
	Version    int
	Boxes      []DraftBox
	Transcript speech.Transcript
	ActiveMS   int64
}

// Receipt says what became of an answer.
type Receipt struct {
	Annotation int64 // 0 after a skip
	Surplus    bool  // it came late and is kept beside the wanted answers
	Project    string
}

// SkipReason is why a labeler passes a task over.
type SkipReason string

// The reasons for a skip. The first three send the task to review, the others back to the queue.
const (
	CannotDecide SkipReason = "cannot_decide"
	BrokenImage  SkipReason = "broken_image"
	BrokenSound  SkipReason = "broken_sound"
	NotMine      SkipReason = "not_mine"
	OtherReason  SkipReason = "other"
)

const noteLimit = 2000

// held is an assignment of the actor, locked together with its task.
type held struct {
	Task, Item, Project, Assignment int64
	Slug                            string
	TaskState                       string
	Overlap, Live, Votes            int
	State                           string
	Reason                          string
	ActiveMS                        int64
	WallMS                          int64 // since it was handed out
	ItemState                       string
	Width, Height                   int

	Mode string // blind, edit or reveal; empty of an image

	sounding
}

// gold reports whether the answer measures the labeler, and is none to the task.
func (h held) gold() bool { return h.Reason == "gold" }

// placed reports whether the assignment holds one of the task's places.
func (h held) placed() bool { return !h.gold() && (h.State == "leased" || h.State == "returned") }

// free reports whether the task has a place that nobody holds.
func (h held) free() bool { return h.TaskState == "open" && h.Live+h.Votes < h.Overlap }

// reviewed reports whether it is too late to take an answer back.
func (h held) reviewed() bool {
	return h.TaskState == "discarded" || h.TaskState == "adjudicated" && !h.gold()
}

// hold locks the task, then the actor's assignment, and reads both.
func hold(ctx context.Context, tx pgx.Tx, actor Actor, task, assignment int64) (h held, err error) {
	if err := actor.may(access.Label); err != nil {
		return held{}, err
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		SELECT FROM tasks t WHERE t.id = $1
		AND EXISTS (SELECT FROM assignments a WHERE a.id = $2 AND a.task_id = t.id AND a.person_id = $3 AND `+stillMember+`)
		FOR NO KEY UPDATE`, task, assignment, actor.PersonID)
	batch.Queue(`
		SELECT t.id AS task, t.item_id AS item, t.project_id AS project, a.id AS assignment, p.slug, t.state AS task_state, t.overlap, t.live, t.votes,
			a.state, a.reason, a.active_ms, (extract(epoch FROM now() - a.claimed_at) * 1000)::bigint AS wall_ms,
			i.state AS item_state, coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height, `+soundingColumns+`, `+modeColumn+`
		FROM assignments a JOIN tasks t ON t.id = a.task_id JOIN items i ON i.id = t.item_id JOIN projects p ON p.id = t.project_id
		WHERE a.id = $2 AND a.task_id = $1 AND a.person_id = $3 AND `+stillMember+` FOR NO KEY UPDATE OF a`,
		task, assignment, actor.PersonID).Query(func(rows pgx.Rows) (err error) {
		h, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[held])
		return notFound(err)
	})
	return h, tx.SendBatch(ctx, batch).Close()
}

// answerable refuses what cannot be answered any more.
func (h held) answerable() error {
	switch {
	case h.TaskState == "discarded" || h.ItemState != "ready" || h.State == "cancelled":
		return ErrGone
	case h.State == "skipped":
		return invalid("", "You skipped this item. Go on with the next one.")
	case h.TaskState == "adjudicated" && !h.gold():
		return invalid("", "This item was decided in the meantime, so an answer cannot be counted any more. Your draft is kept; go on with the next one.")
	}
	return nil
}

// Submit records an answer, all of it or nothing. Whoever held a place, or finds one free, gives a
// wanted vote; any other answer is a surplus vote until the item is adjudicated, and from then on refused
// with an InvalidError that keeps the draft. The same answer again is the same success. It returns
// a DraftConflictError if another draft than this answer's is stored, and an InvalidError naming the
// box that cannot be taken.
func (s *Store) Submit(ctx context.Context, actor Actor, a NewAnnotation) (receipt Receipt, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		h, err := hold(ctx, tx, actor, a.Task, a.Assignment)
		if err != nil {
			return err
		}
		if a.Transcript, err = h.finished(a.Transcript); err != nil {
			return err
		}
		if h.State == "submitted" {
			receipt, err = repeated(ctx, tx, h, a)
			return err
		}
		if err := h.answerable(); err != nil {
			return err
		}
		if err := sameDraft(ctx, tx, h, a); err != nil {
			return err
		}
		var comparable bool
		if receipt, comparable, err = record(ctx, tx, actor, h, a); err != nil || !comparable {
			return err
		}
		return s.askForScore(ctx, tx, h.Item)
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("submit assignment %d: %w", a.Assignment, s.ErasedTask(ctx, actor, a.Task, err))
	}
	return receipt, nil
}

// repeated answers a submit that was answered before, if it says the same.
func repeated(ctx context.Context, tx pgx.Tx, h held, a NewAnnotation) (Receipt, error) {
	receipt := Receipt{Project: h.Slug}
	err := tx.QueryRow(ctx, `
		SELECT id, surplus FROM annotations WHERE assignment_id = $1 AND recalled_at IS NULL ORDER BY id DESC LIMIT 1`,
		a.Assignment).Scan(&receipt.Annotation, &receipt.Surplus)
	if err != nil {
		return Receipt{}, err
	}
	stored, err := boxesOf(ctx, tx, "annotation_boxes", "annotation_id", receipt.Annotation)
	if err != nil {
		return Receipt{}, err
	}
	written, err := transcriptOf(ctx, tx, h.Item, annotationTranscript, receipt.Annotation)
	if err != nil {
		return Receipt{}, err
	}
	if !slices.Equal(unnamed(begun(stored)), unnamed(a.Boxes)) || !slices.Equal(written, a.Transcript) {
		return Receipt{}, invalid("", "You submitted another answer to this item before. Recall it to change it.")
	}
	return receipt, nil
}

// unnamed drops the ids, which an answer does not keep.
func unnamed(boxes []DraftBox) []DraftBox {
	bare := slices.Clone(boxes)
	for i := range bare {
		bare[i].ID = ""
	}
	return bare
}

// sameDraft refuses an answer that was not made from the stored draft and differs from it.
func sameDraft(ctx context.Context, tx pgx.Tx, h held, a NewAnnotation) error {
	stored, _, err := draftOf(ctx, tx, h.Item, a.Assignment)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	same := slices.Equal(unnamed(stored.Boxes), unnamed(a.Boxes)) && slices.Equal(written(stored.Transcript), a.Transcript)
	if stored.Version != a.Version && !same {
		return stored
	}
	return nil
}

// record writes the answer and what follows from it for assignment, task and draft. It says whether there is anything
// that the answer can be compared with.
func record(ctx context.Context, tx pgx.Tx, actor Actor, h held, a NewAnnotation) (receipt Receipt, comparable bool, err error) {
	definitions, err := checkBoxes(ctx, tx, h, a.Boxes)
	if err != nil {
		return Receipt{}, false, err
	}
	if err := answersEdited(ctx, tx, actor, h); err != nil {
		return Receipt{}, false, err
	}
	receipt = Receipt{Surplus: !h.placed() && !h.free() && !h.gold(), Project: h.Slug}
	active := min(h.ActiveMS+max(a.ActiveMS, 0), h.WallMS)
	err = tx.QueryRow(ctx, `
		WITH former AS (
			UPDATE annotations SET superseded_at = now()
			WHERE task_id = $2 AND person_id = $4 AND superseded_at IS NULL AND recalled_at IS NULL)
		INSERT INTO annotations (assignment_id, task_id, item_id, person_id, surplus, active_ms, gold, superseded_at, prefilled, rules_version)
		SELECT $1, $2, $3, $4, $5, $6, $7, CASE WHEN $7 THEN now() END, `+prefilled+`,
			(SELECT max(version) FROM transcription_rules WHERE project_id = $8)
		RETURNING id, EXISTS (SELECT FROM annotations an WHERE an.task_id = $2 AND an.person_id <> $4 AND `+counts+`)
			OR EXISTS (SELECT FROM truths WHERE item_id = $3 AND current)`,
		a.Assignment, h.Task, h.Item, actor.PersonID, receipt.Surplus, active, h.gold(), h.Project).Scan(&receipt.Annotation, &comparable)
	if err != nil {
		return Receipt{}, false, err
	}
	boxes := make([]Box, len(a.Boxes))
	for i, b := range a.Boxes {
		boxes[i] = Box{ClassID: b.ClassID, X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation}
	}
	if err := insertBoxes(ctx, tx, "annotation_boxes", "annotation_id", receipt.Annotation, boxes, definitions); err != nil {
		return Receipt{}, false, err
	}
	if err := recordWords(ctx, tx, actor, h, receipt.Annotation, a.Transcript); err != nil {
		return Receipt{}, false, err
	}
	if err := finish(ctx, tx, h, "submitted", active); err != nil {
		return Receipt{}, false, err
	}
	if !receipt.Surplus && !h.gold() {
		_, err := tx.Exec(ctx, `
			UPDATE tasks SET votes = votes + 1, live = live - $2, changed_at = now(),
				state = CASE WHEN state = 'open' AND votes + 1 >= overlap THEN 'in_review' ELSE state END
			WHERE id = $1`, h.Task, placesOf(h))
		if err != nil {
			return Receipt{}, false, err
		}
	}
	return receipt, comparable, audit(ctx, tx, actor, auditEvent{
		Action: "annotation.submit", ObjectType: "annotation", ObjectID: receipt.Annotation, ProjectID: h.Project,
		Detail: map[string]any{"task": h.Task, "boxes": len(boxes), "surplus": receipt.Surplus},
	})
}

// placesOf is how many of the task's places the assignment holds: 0 or 1.
func placesOf(h held) int {
	if h.placed() {
		return 1
	}
	return 0
}

// finish ends an assignment and deletes its draft.
func finish(ctx context.Context, tx pgx.Tx, h held, state string, activeMS int64) error {
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE assignments SET state = $2, lease_until = NULL, finished_at = now(), active_ms = $3 WHERE id = $1`,
		h.Assignment, state, activeMS)
	batch.Queue(`DELETE FROM drafts WHERE assignment_id = $1`, h.Assignment)
	if h.audio() {
		batch.Queue(`DELETE FROM transcripts WHERE item_id = $1 AND kind = 'draft' AND of_id = $2`, h.Item, h.Assignment)
	}
	return tx.SendBatch(ctx, batch).Close()
}

// checkBoxes refuses boxes that cannot be an answer to h, and returns the definition version of each class.
func checkBoxes(ctx context.Context, tx pgx.Tx, h held, boxes []DraftBox) (map[int64]*int, error) {
	if len(boxes) > boxLimit {
		return nil, invalid("boxes", fmt.Sprintf("At most %d boxes fit on one item.", boxLimit))
	}
	retired, err := retiredClasses(ctx, tx, h.Project)
	if err != nil {
		return nil, err
	}
	definitions, err := definitionVersions(ctx, tx, h.Project)
	if err != nil {
		return nil, err
	}
	thing := "Box"
	if h.audio() {
		thing = "Moment"
	}
	for i, b := range boxes {
		if name, ok := retired[b.ClassID]; ok {
			return nil, invalid("boxes", fmt.Sprintf("%s %d: the class “%s” has been retired. Choose another class for it.", thing, i+1, name))
		}
		if _, ok := definitions[b.ClassID]; !ok {
			return nil, invalid("boxes", fmt.Sprintf("%s %d: its class is none of this project's. Choose another class for it.", thing, i+1))
		}
		if err := h.fits(b); err != "" {
			return nil, invalid("boxes", fmt.Sprintf("%s %d: %s", thing, i+1, err))
		}
	}
	return definitions, nil
}

// retiredClasses returns the names of the classes of a project that no new label can have.
func retiredClasses(ctx context.Context, q querier, project int64) (map[int64]string, error) {
	names := map[int64]string{}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := q.Query(ctx, `SELECT id, name FROM classes WHERE project_id = $1 AND retired_at IS NOT NULL`, project)
	if err != nil {
		return nil, fmt.Errorf("retired classes: %w", err)
	}
	var class int64
	var name string
	_, err = pgx.ForEachRow(rows, []any{&class, &name}, func() error {
		names[class] = name
		return nil
	})
	return names, err
}

// fits says what is wrong with the shape of a box, or "". Of a turned box the centre must be inside the
// image; any other must be inside as a whole, but for what rounding does to a sum.
func (h held) fits(b DraftBox) string {
	if h.audio() {
		return h.sounding.fits(b)
	}
	const rounding = 1e-6
	for _, v := range []float64{b.X, b.Y, b.W, b.H, b.Rotation} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "its place is not a number. Draw it again."
		}
	}
	if b.W <= 0 || b.H <= 0 {
		return "it has no size. Draw it again, or delete it."
	}
	left, top, right, bottom := b.X, b.Y, b.X+b.W, b.Y+b.H
	if b.Rotation != 0 {
		left, top = b.X+b.W/2, b.Y+b.H/2
		right, bottom = left, top
	}
	if left < -rounding || top < -rounding || right > float64(h.Width)+rounding || bottom > float64(h.Height)+rounding {
		return "it reaches out of the image. Move it inside."
	}
	return ""
}

// Skip passes a task over. For CannotDecide and BrokenImage the task goes to review; otherwise its
// place goes back to the queue, for others. The same skip again is the same success.
func (s *Store) Skip(ctx context.Context, actor Actor, task, assignment int64, reason SkipReason, note string) (receipt Receipt, err error) {
	note = strings.TrimSpace(note)
	switch {
	case !slices.Contains([]SkipReason{CannotDecide, BrokenImage, BrokenSound, NotMine, OtherReason}, reason):
		return Receipt{}, invalid("reason", "Choose a reason for skipping.")
	case reason == OtherReason && note == "":
		return Receipt{}, invalid("note", "Say in a word why you skip this item.")
	case len([]rune(note)) > noteLimit:
		return Receipt{}, invalid("note", fmt.Sprintf("Keep the note under %d characters.", noteLimit))
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		h, err := hold(ctx, tx, actor, task, assignment)
		if err != nil {
			return err
		}
		receipt.Project = h.Slug
		if h.State == "skipped" {
			return nil
		}
		if h.State == "submitted" {
			return invalid("", "You submitted an answer to this item before. Recall it first.")
		}
		if h.State == "cancelled" {
			return ErrGone
		}
		return skip(ctx, tx, actor, h, reason, note)
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("skip assignment %d: %w", assignment, s.ErasedTask(ctx, actor, task, err))
	}
	return receipt, nil
}

func skip(ctx context.Context, tx pgx.Tx, actor Actor, h held, reason SkipReason, note string) error {
	if err := finish(ctx, tx, h, "skipped", h.ActiveMS); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE assignments SET skip_reason = $2 WHERE id = $1`, h.Assignment, reason); err != nil {
		return err
	}
	if err := writeNote(ctx, tx, h.Item, skipNote, h.Assignment, note); err != nil {
		return err
	}
	err := audit(ctx, tx, actor, auditEvent{
		Action: "assignment.skip", ObjectType: "assignment", ObjectID: h.Assignment, ProjectID: h.Project,
		Detail: map[string]any{"task": h.Task, "reason": reason},
	})
	if err != nil {
		return err
	}
	if !h.gold() && (reason == CannotDecide || reason == BrokenImage) {
		_, err := tx.Exec(ctx, `
			UPDATE tasks SET state = CASE state WHEN 'open' THEN 'in_review' ELSE state END, agreement = 0,
				changed_at = CASE state WHEN 'open' THEN now() ELSE changed_at END WHERE id = $1`, h.Task)
		if err != nil {
			return err
		}
	}
	if !h.placed() {
		return nil
	}
	return vacate(ctx, tx, h.Project, []int64{h.Task})
}
