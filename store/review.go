package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// DecisionKind is what a reviewer decided.
type DecisionKind string

// The decisions. Undone takes another one back, and is written by Undo alone; Accepted is nobody's, but what
// the project's rules make of answers that agree.
const (
	Approved  DecisionKind = "approved"  // an answer, or the present truth, as it is
	Amended   DecisionKind = "amended"   // the reviewer's own boxes
	Merged    DecisionKind = "merged"    // what several answers make together
	Rejected  DecisionKind = "rejected"  // back to its labeler, with marks
	Discarded DecisionKind = "discarded" // thrown out of the training data
	Undone    DecisionKind = "undone"
	Accepted  DecisionKind = "accepted"
)

// Fault is why an answer is sent back.
type Fault string

// The faults that a mark can name.
const (
	LooseBox     Fault = "loose_box"
	MissedDefect Fault = "missed_defect"
	WrongClass   Fault = "wrong_class"
	SplitNeeded  Fault = "split_needed"
	OtherFault   Fault = "other"
)

// Faults lists every fault in the order in which pages show them.
func Faults() []Fault { return []Fault{LooseBox, MissedDefect, WrongClass, SplitNeeded, OtherFault} }

// NewMark pins a fault to an answer: to a box by its position, to a place, or, with neither, to the whole.
type NewMark struct {
	Annotation int64
	Position   *int
	X, Y       *float64 // pixels of the upright image
	Fault      Fault
	Note       string
}

// Adjudication is a decision about an item as the reviewer saw it.
type Adjudication struct {
	Item    int64
	Version int // of the task as it was read; 0 where there was none
	Kind    DecisionKind
	// Annotation is the answer that is taken, or that the boxes were begun from; 0 for the present truth, or for
	// several answers.
	Annotation int64
	Boxes      []DraftBox // of Amended; a box that was begun from another has its position as ID
	Marks      []NewMark  // of Rejected
	Note       string     // why; Discarded needs one
	ActiveMS   int64      // how long the reviewer was at it
	By         int64      // the reviewer in whose name a token decides; 0 for a person

	origins *Origins // of the boxes that were decided on
	batch   int64    // the batch that is decided on as a whole, 0 for none
}

const marksLimit = 500

func (a *Adjudication) check() error {
	a.Note = strings.TrimSpace(a.Note)
	switch {
	case !slices.Contains([]DecisionKind{Approved, Amended, Merged, Rejected, Discarded}, a.Kind):
		return invalid("decision", "Choose approve, amend, merge, reject or discard.")
	case a.Kind == Rejected && len(a.Marks) == 0:
		return invalid("marks", "Choose a reason for sending the answer back.")
	case a.Kind == Discarded && a.Note == "":
		return invalid("note", "Say why the item is thrown out.")
	case len([]rune(a.Note)) > noteLimit:
		return invalid("note", fmt.Sprintf("Keep the note under %d characters.", noteLimit))
	case len(a.Marks) > marksLimit:
		return invalid("marks", fmt.Sprintf("At most %d marks fit on one decision.", marksLimit))
	}
	for i := range a.Marks {
		if err := a.Marks[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (m *NewMark) check() error {
	m.Note = strings.TrimSpace(m.Note)
	switch {
	case !slices.Contains(Faults(), m.Fault):
		return invalid("marks", "Choose one of the reasons for each mark.")
	case m.Fault == OtherFault && m.Note == "":
		return invalid("marks", "Say in a word what is wrong, where the reason is “other”.")
	case len([]rune(m.Note)) > noteLimit:
		return invalid("marks", fmt.Sprintf("Keep each note under %d characters.", noteLimit))
	case (m.X == nil) != (m.Y == nil) || m.X != nil && m.Position != nil:
		return invalid("marks", "A mark is about a box, about a place, or about the whole.")
	case m.X != nil && (math.IsNaN(*m.X+*m.Y) || math.IsInf(*m.X+*m.Y, 0)):
		return invalid("marks", "The place of a mark is not a number.")
	}
	return nil
}

// undecided is an item at the moment of a decision, its task locked. Places and votes are kept here
// while they change, and written once.
type undecided struct {
	Task, Item, Project int64
	State               string
	Version             int
	Overlap             int
	Live, Votes         int
	Truth               int64 // the current one, 0 for none
	Width, Height       int
	Quiet               bool `db:"-"` // nobody is told of an answer that goes back
}

func (u *undecided) free() bool { return u.Live+u.Votes < u.Overlap }

// Adjudicate records a decision with all that follows from it, or nothing: the truth that it makes, the
// rework that it asks for, what its labelers are told. Whatever held before stays, and can be brought
// back by Undo. A token says in whose name it decides. It returns ErrConflict if the item was decided, or the answer taken back, since it was read.
func (s *Store) Adjudicate(ctx context.Context, reviewer Actor, a Adjudication) (decision int64, err error) {
	if err := reviewer.may(access.Review); err != nil {
		return 0, err
	}
	if err := a.check(); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		u, err := lockUndecided(ctx, tx, reviewer, a.Item, a.Version)
		if err != nil {
			return err
		}
		if reviewer.PersonID, err = answering(ctx, tx, reviewer, u.Project, a.By); err != nil {
			return err
		}
		if err := s.askForScore(ctx, tx, a.Item); err != nil {
			return err
		}
		decision, err = decide(ctx, tx, reviewer, u, a)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("adjudicate item %d: %w", a.Item, s.ErasedItem(ctx, reviewer, a.Item, err))
	}
	return decision, nil
}

// lockUndecided locks the item's task, which it makes for an item that came with its truth. It
// returns ErrConflict if version is not the task's.
func lockUndecided(ctx context.Context, tx pgx.Tx, actor Actor, item int64, version int) (*undecided, error) {
	args := actor.args(pgx.NamedArgs{"item": item})
	made := false
	if version == 0 {
		tag, err := tx.Exec(ctx, `
			INSERT INTO tasks (project_id, item_id, overlap, state)
			SELECT p.id, i.id, p.overlap, CASE WHEN EXISTS (SELECT FROM truths WHERE item_id = i.id AND current) THEN 'adjudicated' ELSE 'in_review' END
			FROM items i JOIN projects p ON p.id = i.project_id WHERE i.id = @item AND `+sees+`
			ON CONFLICT (item_id) DO NOTHING`, args)
		if err != nil {
			return nil, err
		}
		made = tag.RowsAffected() == 1
	}
	rows, err := tx.Query(ctx, `
		SELECT t.id AS task, t.item_id AS item, t.project_id AS project, t.state, t.version, t.overlap, t.live, t.votes,
			coalesce((SELECT id FROM truths WHERE item_id = t.item_id AND current), 0) AS truth,
			coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height
		FROM tasks t JOIN items i ON i.id = t.item_id JOIN projects p ON p.id = t.project_id
		WHERE t.item_id = @item AND `+sees+` FOR NO KEY UPDATE OF t`, args)
	if err != nil {
		return nil, err
	}
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[undecided])
	if err != nil {
		return nil, notFound(err)
	}
	if !made && u.Version != version {
		return nil, ErrConflict
	}
	return u, nil
}

func decide(ctx context.Context, tx pgx.Tx, reviewer Actor, u *undecided, a Adjudication) (decision int64, err error) {
	var truth []Box
	if a.Kind == Approved || a.Kind == Amended || a.Kind == Merged {
		if truth, err = truthOf(ctx, tx, u, &a); err != nil {
			return 0, err
		}
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO reviews (task_id, item_id, reviewer_id, decision, active_ms, former_state, former_truth_id, origins, batch_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
		u.Task, u.Item, reviewer.PersonID, a.Kind, max(a.ActiveMS, 0), u.State, orNull(u.Truth), a.origins, orNull(a.batch)).Scan(&decision)
	if err != nil {
		return 0, err
	}
	if err := writeNote(ctx, tx, u.Item, reviewNote, decision, a.Note); err != nil {
		return 0, err
	}
	switch a.Kind {
	case Rejected:
		err = reject(ctx, tx, u, decision, a.Marks)
	case Discarded:
		u.State = "discarded"
		err = retireTruth(ctx, tx, u.Item)
	default:
		u.State = "adjudicated"
		err = replaceTruth(ctx, tx, u.Item, decision, a.Annotation, truth)
	}
	if err != nil {
		return 0, err
	}
	err = audit(ctx, tx, reviewer, auditEvent{
		Action: "review." + string(a.Kind), ObjectType: "review", ObjectID: decision, ProjectID: u.Project,
		Detail: map[string]any{"item": u.Item, "annotation": a.Annotation, "marks": len(a.Marks), "batch": a.batch},
	})
	if err != nil {
		return 0, err
	}
	return decision, u.write(ctx, tx)
}

// write stores what a decision made of the task. It comes last: what is open again goes back into the queue.
func (u *undecided) write(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		UPDATE tasks SET state = $2, live = $3, votes = $4, version = version + 1, changed_at = now() WHERE id = $1`,
		u.Task, u.State, u.Live, u.Votes)
	if err != nil {
		return err
	}
	if u.State == "open" && u.free() {
		return reopen(ctx, tx, u.Project, u.Task)
	}
	return nil
}

// truthOf returns the boxes that a decides on, and notes in a where they come from. Boxes that turn out to be
// an answer's own make it an approval, those that the answers make together a merging.
func truthOf(ctx context.Context, tx pgx.Tx, u *undecided, a *Adjudication) ([]Box, error) {
	v, err := votesFor(ctx, tx, u.Task)
	if err != nil {
		return nil, err
	}
	if a.Kind == Merged {
		if len(v.ids) < 2 {
			return nil, invalid("decision", "There are no answers to merge. Load the page again.")
		}
		a.Annotation = 0
		boxes := v.merged()
		a.origins = v.origins(boxes, nil, 0)
		return boxes, nil
	}
	base, err := baseOf(ctx, tx, u, a)
	if err != nil {
		return nil, err
	}
	if a.Annotation == 0 && !u.settledBefore() {
		if err := renew(ctx, tx, u.Project, base); err != nil {
			return nil, err
		}
	}
	boxes := slices.Clone(base)
	if a.Kind == Amended {
		definitions, err := checkBoxes(ctx, tx, held{Project: u.Project, Width: u.Width, Height: u.Height}, a.Boxes)
		if err != nil {
			return nil, err
		}
		var changed bool
		boxes, changed = amended(base, a.Boxes, definitions)
		switch {
		case !changed && a.Annotation != 0:
			a.Kind = Approved
		case a.Annotation == 0 && len(v.ids) > 1:
			base = v.settle(a, boxes, base)
		}
	}
	a.origins = v.origins(boxes, base, a.Annotation)
	return boxes, nil
}

// settledBefore reports whether the item was decided when the decision came.
func (u *undecided) settledBefore() bool { return u.State == "adjudicated" || u.State == "discarded" }

// renew gives boxes the present versions of their definitions: a truth that is confirmed while it waits to be looked
// at again is confirmed under these.
func renew(ctx context.Context, tx pgx.Tx, project int64, boxes []Box) error {
	versions, err := definitionVersions(ctx, tx, project)
	for i := range boxes {
		boxes[i].DefinitionVersion = versions[boxes[i].ClassID]
	}
	return err
}

// baseOf returns the boxes of the answer, or of the truth, that a decision goes out from.
func baseOf(ctx context.Context, tx pgx.Tx, u *undecided, a *Adjudication) ([]Box, error) {
	switch {
	case a.Annotation != 0:
		if _, err := answerOf(ctx, tx, u, a.Annotation); err != nil {
			return nil, err
		}
		return boxesOf(ctx, tx, "annotation_boxes", "annotation_id", a.Annotation)
	case u.Truth != 0:
		return boxesOf(ctx, tx, "truth_boxes", "truth_id", u.Truth)
	case a.Kind == Approved:
		return nil, invalid("", "There is no answer to approve yet. Draw the boxes yourself, or discard the item.")
	}
	return nil, nil
}

// amended turns the reviewer's boxes into the truth's. A box that is as it was keeps the definition
// version that it was made under; any other was made under the present one.
func amended(base []Box, boxes []DraftBox, definitions map[int64]*int) (truth []Box, changed bool) {
	truth = make([]Box, len(boxes))
	changed = len(base) != len(boxes)
	for i, b := range boxes {
		box := Box{ClassID: b.ClassID, X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation}
		if at, err := strconv.Atoi(b.ID); err == nil && at >= 0 && at < len(base) && base[at].ClassID == b.ClassID {
			former := base[at]
			box.Crowd = former.Crowd
			box.DefinitionVersion = former.DefinitionVersion
			if box == former {
				truth[i] = box
				changed = changed || at != i
				continue
			}
		}
		box.DefinitionVersion = definitions[b.ClassID]
		truth[i], changed = box, true
	}
	return truth, changed
}

// answer is a submitted answer that counts at present.
type answer struct {
	ID, Assignment, Person int64
	Surplus                bool
}

// answerOf returns an answer of the task, or ErrConflict if it was taken back or superseded.
func answerOf(ctx context.Context, tx pgx.Tx, u *undecided, annotation int64) (answer, error) {
	rows, err := tx.Query(ctx, `
		SELECT id, assignment_id AS assignment, person_id AS person, surplus FROM annotations
		WHERE id = $1 AND task_id = $2 AND superseded_at IS NULL AND recalled_at IS NULL FOR NO KEY UPDATE`, annotation, u.Task)
	if err != nil {
		return answer{}, err
	}
	a, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[answer])
	if errors.Is(err, pgx.ErrNoRows) {
		return answer{}, ErrConflict
	}
	return a, err
}
