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
	"fiducial/internal/speech"
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

	WrongWords   Fault = "wrong_words"
	MissedWords  Fault = "missed_words"
	AgainstRules Fault = "against_rules"
	WrongTime    Fault = "wrong_time"
	MissedMoment Fault = "missed_moment"
)

// Faults lists the faults that answers of a project of this kind can have, in the order in which pages show them.
func Faults(kind string) []Fault {
	if kind == "audio" {
		return []Fault{WrongWords, MissedWords, AgainstRules, WrongTime, MissedMoment, WrongClass, OtherFault}
	}
	return []Fault{LooseBox, MissedDefect, WrongClass, SplitNeeded, OtherFault}
}

// AllFaults lists the faults of every kind of project.
func AllFaults() []Fault {
	return []Fault{LooseBox, MissedDefect, SplitNeeded, WrongWords, MissedWords, AgainstRules, WrongTime, MissedMoment, WrongClass, OtherFault}
}

// NewMark pins a fault to an answer: to a box by its position, to a place, or, with neither, to the whole.
type NewMark struct {
	Annotation int64
	Position   *int
	X, Y       *float64 // pixels of the upright image; of sound, seconds from the item's beginning, and a channel or 0
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
	// Transcript is the text of Amended, where the item is sound; nil leaves it as it is in what the decision goes out from.
	Transcript speech.Transcript
	Marks      []NewMark // of Rejected
	Note       string    // why; Discarded needs one
	ActiveMS   int64     // how long the reviewer was at it
	By         int64     // the reviewer in whose name a token decides; 0 for a person

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
	case !slices.Contains(AllFaults(), m.Fault):
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

	sounding
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
			coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height, `+soundingColumns+`
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
	var truth content
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
	if err := noteReviewViews(ctx, tx, u, reviewer, decision, truth.words); err != nil {
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

// truthOf returns what a decides on, and notes in a where it comes from. What turns out to be an answer as it stands makes it
// an approval, what the answers make together a merging.
func truthOf(ctx context.Context, tx pgx.Tx, u *undecided, a *Adjudication) (truth content, err error) {
	v, err := votesFor(ctx, tx, u)
	if err != nil {
		return content{}, err
	}
	if a.Kind == Merged {
		if len(v.ids) < 2 {
			return content{}, invalid("decision", "There are no answers to merge. Load the page again.")
		}
		a.Annotation = 0
		truth = v.merged()
		a.origins = v.origins(truth, nil, 0)
		return truth, nil
	}
	base, err := baseOf(ctx, tx, u, a)
	if err != nil {
		return content{}, err
	}
	if a.Annotation == 0 && !u.settledBefore() {
		if err := renew(ctx, tx, u.Project, base); err != nil {
			return content{}, err
		}
	}
	truth = content{slices.Clone(base.boxes), base.words}
	if a.Kind == Amended {
		var changed bool
		if truth, changed, err = amend(ctx, tx, u, a, base); err != nil {
			return content{}, err
		}
		switch {
		case !changed && a.Annotation != 0:
			a.Kind = Approved
		case a.Annotation == 0 && len(v.ids) > 1:
			base = v.settle(a, truth, base)
		}
	}
	a.origins = v.origins(truth, base.boxes, a.Annotation)
	return truth, nil
}

// amend returns what the reviewer made of base. Words that they changed were written under the present rules.
func amend(ctx context.Context, tx pgx.Tx, u *undecided, a *Adjudication, base content) (truth content, changed bool, err error) {
	definitions, err := checkBoxes(ctx, tx, held{Project: u.Project, Width: u.Width, Height: u.Height, sounding: u.sounding}, a.Boxes)
	if err != nil {
		return content{}, false, err
	}
	truth.boxes, changed = amended(base.boxes, a.Boxes, definitions)
	truth.words = base.words
	if a.Transcript == nil {
		return truth, changed, nil
	}
	text, err := u.checkWords(a.Transcript)
	if err != nil || slices.Equal(text, base.words.Transcript.Clean()) {
		return truth, changed, err
	}
	truth.words = &wording{Transcript: text}
	truth.words.Rules, err = rulesNow(ctx, tx, u.Project)
	return truth, true, err
}

// settledBefore reports whether the item was decided when the decision came.
func (u *undecided) settledBefore() bool { return u.State == "adjudicated" || u.State == "discarded" }

// renew gives what a decision goes out from the present versions of definitions and rules: a truth that is confirmed while it
// waits to be looked at again is confirmed under these.
func renew(ctx context.Context, tx pgx.Tx, project int64, base content) error {
	versions, err := definitionVersions(ctx, tx, project)
	if err != nil {
		return err
	}
	for i := range base.boxes {
		base.boxes[i].DefinitionVersion = versions[base.boxes[i].ClassID]
	}
	if base.words != nil {
		base.words.Rules, err = rulesNow(ctx, tx, project)
	}
	return err
}

// baseOf returns the answer, or the truth, that a decision goes out from.
func baseOf(ctx context.Context, tx pgx.Tx, u *undecided, a *Adjudication) (base content, err error) {
	if u.audio() {
		base.words = &wording{}
	}
	switch {
	case a.Annotation != 0:
		if _, err := answerOf(ctx, tx, u, a.Annotation); err != nil {
			return content{}, err
		}
		if u.audio() {
			words, err := wordingsOf(ctx, tx, u.Item, []int64{a.Annotation})
			if err != nil {
				return content{}, err
			}
			base.words = &words[0]
		}
		base.boxes, err = boxesOf(ctx, tx, "annotation_boxes", "annotation_id", a.Annotation)
	case u.Truth != 0:
		truth, err := currentTruth(ctx, tx, u.Item)
		if err != nil {
			return content{}, err
		}
		base.boxes = truth.Boxes
		if u.audio() {
			base.words = &wording{truth.Transcript, truth.Rules}
		}
	case a.Kind == Approved && u.audio():
		return content{}, invalid("", "There is no answer to approve yet. Write the words down yourself, or discard the item.")
	case a.Kind == Approved:
		return content{}, invalid("", "There is no answer to approve yet. Draw the boxes yourself, or discard the item.")
	}
	return base, err
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
