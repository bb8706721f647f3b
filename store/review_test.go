package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// bench is a floor with a reviewer.
type bench struct {
	*floor

	reviewer Actor
}

func newBench(tb testing.TB, labelers, items, overlap int) *bench {
	tb.Helper()
	b := &bench{floor: newFloor(tb, storetest.Pool(tb), labelers, items, overlap)}
	b.reviewer = b.engage(tb, access.Reviewer)
	return b
}

// engage adds a person of a role to the project.
func (b *bench) engage(tb testing.TB, role access.Role) Actor {
	tb.Helper()
	var id int64
	b.scan(tb, &id, `INSERT INTO people (role, pseudonym) VALUES ($1, gen_random_uuid()) RETURNING id`, role)
	b.exec(tb, `INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, b.project.ID, id)
	return Actor{PersonID: id, Role: role}
}

// labeled has the first labeler answer the first item, with two boxes, and returns the answer.
func (b *bench) labeled(tb testing.TB) (annotation int64) {
	tb.Helper()
	c := b.mustClaim(tb, b.labelers[0])
	receipt, err := b.Submit(tb.Context(), b.labelers[0], NewAnnotation{Task: c.Task, Assignment: c.Assignment, Boxes: []DraftBox{
		{ID: "a", ClassID: b.class, X: 1, Y: 2, W: 30, H: 40}, {ID: "b", ClassID: b.class, X: 50, Y: 5, W: 10.5, H: 10},
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return receipt.Annotation
}

// look is what the reviewer sees of the item now.
func (b *bench) look(tb testing.TB, item int64) Reviewed {
	tb.Helper()
	r, err := b.ReviewItem(tb.Context(), b.reviewer, item)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// adjudication is a decision of a kind about the item as it is now, on its first answer.
func (b *bench) adjudication(tb testing.TB, item int64, kind DecisionKind) Adjudication {
	tb.Helper()
	r := b.look(tb, item)
	a := Adjudication{Item: item, Version: r.Version, Kind: kind}
	if len(r.Answers) > 0 {
		a.Annotation = r.Answers[0].ID
	}
	switch kind {
	case Amended:
		a.Boxes = []DraftBox{{ID: "0", ClassID: b.class, X: 1, Y: 2, W: 30, H: 40}, {ID: "new", ClassID: b.class, X: 7, Y: 8, W: 9, H: 10}}
	case Rejected:
		a.Marks = []NewMark{{Annotation: a.Annotation, Position: new(0), Fault: LooseBox}}
		a.Annotation = 0
	case Discarded:
		a.Note = "Nobody can tell."
	default:
	}
	return a
}

func (b *bench) mustDecide(tb testing.TB, item int64, kind DecisionKind) int64 {
	tb.Helper()
	decision, err := b.Adjudicate(tb.Context(), b.reviewer, b.adjudication(tb, item, kind))
	if err != nil {
		tb.Fatal(err)
	}
	return decision
}

func (b *bench) mustUndo(tb testing.TB, decision int64) {
	tb.Helper()
	if _, err := b.Undo(tb.Context(), b.reviewer, decision); err != nil {
		tb.Fatal(err)
	}
}

// truth is the current one's boxes, without what says under which definition they were made; nil for none.
func (b *bench) truth(tb testing.TB, item int64) []Box {
	tb.Helper()
	truth, err := b.CurrentTruth(tb.Context(), b.reviewer, item)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		tb.Fatal(err)
	}
	for i := range truth.Boxes {
		truth.Boxes[i].DefinitionVersion = nil
	}
	return truth.Boxes
}

func (b *bench) first() Box  { return Box{ClassID: b.class, X: 1, Y: 2, W: 30, H: 40} }
func (b *bench) second() Box { return Box{ClassID: b.class, X: 50, Y: 5, W: 10.5, H: 10} }
func (b *bench) drawn() Box  { return Box{ClassID: b.class, X: 7, Y: 8, W: 9, H: 10} }

func TestDecisions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind  DecisionKind
		state taskState
		truth func(*bench) []Box
	}{
		{Approved, taskState{"adjudicated", 0, 1, 1, "submitted"}, func(b *bench) []Box { return []Box{b.first(), b.second()} }},
		{Amended, taskState{"adjudicated", 0, 1, 1, "submitted"}, func(b *bench) []Box { return []Box{b.first(), b.drawn()} }},
		{Rejected, taskState{"open", 1, 0, 1, "returned"}, func(*bench) []Box { return nil }},
		{Discarded, taskState{"discarded", 0, 1, 1, "submitted"}, func(*bench) []Box { return nil }},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 2, 1, 1)
			b.labeled(t)
			item, task := b.items[0], b.tasks[0]
			// Decided, undone, and decided again: each as if for the first time.
			for range 2 {
				decision := b.mustDecide(t, item, tt.kind)
				if got := b.state(t, task, b.labelers[0]); got != tt.state {
					t.Errorf("task %+v, want %+v", got, tt.state)
				}
				if got := b.truth(t, item); !slices.Equal(got, tt.truth(b)) {
					t.Errorf("truth %+v, want %+v", got, tt.truth(b))
				}
				b.mustHold(t)
				b.mustUndo(t, decision)
				got := b.state(t, task, b.labelers[0])
				if got.State != "in_review" || got.Live != 0 || got.Votes != 1 || b.truth(t, item) != nil {
					t.Errorf("after undo: %+v, truth %v", got, b.truth(t, item))
				}
				b.mustHold(t)
				if _, err := b.Undo(t.Context(), b.reviewer, decision); !errors.Is(err, ErrConflict) {
					t.Errorf("undone twice: %v", err)
				}
			}
			r := b.look(t, item)
			if len(r.Decisions) != 4 || r.Decisions[0].Kind != Undone || !r.Decisions[1].Undone || r.Decisions[1].Standing || len(r.Answers) != 1 {
				t.Errorf("history %+v, answers %+v", r.Decisions, r.Answers)
			}
		})
	}
}

// Whatever was decided can be decided otherwise, and taken back step by step.
func TestEveryDecisionAfterEveryOther(t *testing.T) {
	t.Parallel()
	kinds := []DecisionKind{Approved, Amended, Rejected, Discarded}
	for _, former := range []DecisionKind{Approved, Amended, Discarded} {
		for _, kind := range kinds {
			t.Run(string(former)+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, 2, 1, 1)
				b.labeled(t)
				item, task := b.items[0], b.tasks[0]
				earlier := b.mustDecide(t, item, former)
				before, truth := b.state(t, task, b.labelers[0]), b.truth(t, item)
				later := b.mustDecide(t, item, kind)
				b.mustHold(t)
				if _, err := b.Undo(t.Context(), b.reviewer, earlier); !errors.Is(err, ErrConflict) {
					t.Errorf("undone below a later decision: %v", err)
				}
				b.mustUndo(t, later)
				after := b.state(t, task, b.labelers[0])
				after.AssignedState = before.AssignedState // a withdrawn rework stays as cancelled
				if after != before || !slices.Equal(b.truth(t, item), truth) {
					t.Errorf("after undo %+v with truth %v, before %+v with %v", after, b.truth(t, item), before, truth)
				}
				b.mustUndo(t, earlier)
				if got := b.state(t, task, b.labelers[0]); got.State != "in_review" || b.truth(t, item) != nil {
					t.Errorf("after both: %+v, truth %v", got, b.truth(t, item))
				}
				b.mustHold(t)
			})
		}
	}
}

func TestOnlyReviewersOfTheProjectDecide(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 1, 1)
	b.labeled(t)
	a := b.adjudication(t, b.items[0], Approved)
	stranger := b.engage(t, access.Reviewer)
	b.exec(t, `DELETE FROM members WHERE person_id = $1`, stranger.PersonID)
	tests := []struct {
		name string
		who  Actor
		want error
	}{
		{"labeler", b.labelers[0], ErrDenied},
		{"viewer", b.engage(t, access.Viewer), ErrDenied},
		{"reviewer of another project", stranger, ErrNotFound},
		{"reviewer", b.reviewer, nil},
	}
	for _, tt := range tests {
		_, err := b.Adjudicate(t.Context(), tt.who, a)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s decides: %v, want %v", tt.name, err, tt.want)
		}
		_, err = b.ReviewItem(t.Context(), tt.who, b.items[0])
		if !errors.Is(err, tt.want) {
			t.Errorf("%s looks: %v, want %v", tt.name, err, tt.want)
		}
	}
	decision := b.look(t, b.items[0]).Decisions[0].ID
	if _, err := b.Undo(t.Context(), System(), decision); !isInvalid(err) {
		t.Errorf("nobody undoes: %v", err)
	}
	for _, tt := range tests[:3] {
		if _, err := b.Undo(t.Context(), tt.who, decision); !errors.Is(err, tt.want) {
			t.Errorf("%s undoes: %v, want %v", tt.name, err, tt.want)
		}
	}
	admin := Actor{PersonID: b.engage(t, access.Admin).PersonID, Role: access.Admin}
	if _, err := b.Undo(t.Context(), admin, decision); err != nil {
		t.Error(err)
	}
}

func isInvalid(err error) bool {
	_, ok := errors.AsType[*InvalidError](err)
	return ok
}

func TestAdjudicateRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 2, 1)
	answer := b.labeled(t)
	tests := []struct {
		name   string
		kind   DecisionKind
		change func(*Adjudication)
		want   error // nil for an InvalidError
	}{
		{"unknown kind", Approved, func(a *Adjudication) { a.Kind = Undone }, nil},
		{"rejected without a mark", Rejected, func(a *Adjudication) { a.Marks = nil }, nil},
		{"unknown fault", Rejected, func(a *Adjudication) { a.Marks[0].Fault = "ugly" }, nil},
		{"other without a word", Rejected, func(a *Adjudication) { a.Marks[0].Fault = OtherFault }, nil},
		{"box that is not there", Rejected, func(a *Adjudication) { a.Marks[0].Position = new(2) }, nil},
		{"place outside", Rejected, func(a *Adjudication) {
			a.Marks[0] = NewMark{Annotation: answer, X: new(101.0), Y: new(1.0), Fault: MissedDefect}
		}, nil},
		{"half a place", Rejected, func(a *Adjudication) { a.Marks[0] = NewMark{Annotation: answer, X: new(1.0), Fault: MissedDefect} }, nil},
		{"discarded without a word", Discarded, func(a *Adjudication) { a.Note = " " }, nil},
		{"box outside", Amended, func(a *Adjudication) { a.Boxes[0].X = 99 }, nil},
		{"class of nothing", Amended, func(a *Adjudication) { a.Boxes[0].ClassID = 999 }, nil},
		{"nothing to approve", Approved, func(a *Adjudication) { a.Annotation = 0 }, nil},
		{"answer of nothing", Approved, func(a *Adjudication) { a.Annotation = 999 }, ErrConflict},
		{"mark on the answer of nothing", Rejected, func(a *Adjudication) { a.Marks[0].Annotation = 999 }, ErrConflict},
		{"old version", Approved, func(a *Adjudication) { a.Version-- }, ErrConflict},
		{"no version", Approved, func(a *Adjudication) { a.Version = -1 }, ErrConflict},
		{"nobody", Approved, nil, nil},
		{"unknown item", Approved, func(a *Adjudication) { a.Item = 999 }, ErrNotFound},
	}
	before := b.records(t)
	for _, tt := range tests {
		a := b.adjudication(t, b.items[0], tt.kind)
		who := b.reviewer
		if tt.change == nil {
			who = System()
		} else {
			tt.change(&a)
		}
		_, err := b.Adjudicate(t.Context(), who, a)
		if (tt.want == nil) != isInvalid(err) || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if b.records(t) != before {
		t.Error("a refusal changed something")
	}
	c := b.mustClaim(t, b.labelers[0])
	b.mustSubmit(t, b.labelers[0], c)
	a := b.adjudication(t, b.items[1], Approved)
	if err := b.Recall(t.Context(), b.labelers[0], c.Task); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Adjudicate(t.Context(), b.reviewer, a); !errors.Is(err, ErrConflict) {
		t.Errorf("an answer that was taken back is approved: %v", err)
	}
}

// Boxes keep the version of the definition that they were made under, but for those that the reviewer changed.
func TestAmendingKeepsDefinitionVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 1, 1)
	b.labeled(t)
	b.exec(t, `INSERT INTO definitions (class_id, version, published_at) VALUES ($1, 3, now())`, b.class)
	b.exec(t, `UPDATE annotation_boxes SET crowd = true WHERE position = 1`)
	item := b.items[0]
	a := b.adjudication(t, item, Amended)
	a.Boxes = begun(b.look(t, item).Answers[0].Boxes)
	if _, err := b.Adjudicate(t.Context(), b.reviewer, a); err != nil {
		t.Fatal(err)
	}
	if r := b.look(t, item); r.Decisions[0].Kind != Approved {
		t.Errorf("boxes as they were: %s", r.Decisions[0].Kind)
	}
	a.Version++
	a.Boxes[1].X += 0.5
	a.Boxes = append(a.Boxes, DraftBox{ID: "9", ClassID: b.class, X: 1, Y: 1, W: 2, H: 2})
	if _, err := b.Adjudicate(t.Context(), b.reviewer, a); err != nil {
		t.Fatal(err)
	}
	truth := b.look(t, item).Truth
	var versions []string
	for _, box := range truth.Boxes {
		versions = append(versions, strconv.Itoa(*box.DefinitionVersion))
	}
	if !slices.Equal(versions, []string{"2", "3", "3"}) || !truth.Boxes[1].Crowd || truth.Annotation != a.Annotation {
		t.Errorf("versions %v of %+v", versions, truth)
	}
}

func TestTwoReviewersAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 1, 1)
	b.labeled(t)
	kinds := []DecisionKind{Approved, Amended, Rejected, Discarded}
	var decisions [8]Adjudication
	for i := range decisions {
		decisions[i] = b.adjudication(t, b.items[0], kinds[i%len(kinds)])
	}
	var errs [8]error
	var wg sync.WaitGroup
	for i, a := range decisions {
		wg.Go(func() { _, errs[i] = b.Adjudicate(t.Context(), b.reviewer, a) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrConflict) {
			t.Error(err)
		}
	}
	if r := b.look(t, b.items[0]); won != 1 || len(r.Decisions) != 1 || r.Version != 2 {
		t.Errorf("%d won, %+v", won, r)
	}
	b.mustHold(t)
}

// A decision, or its undo, is kept with all that follows from it, or not at all.
func TestDecisionsAreAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []DecisionKind{Approved, Amended, Rejected, Discarded, Undone} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := &bench{floor: newFloor(t, storetest.Private(t), 1, 1, 1)}
			b.reviewer = b.engage(t, access.Reviewer)
			b.labeled(t)
			var act func(ctx context.Context) error
			if kind == Undone {
				decision := b.mustDecide(t, b.items[0], Rejected)
				act = func(ctx context.Context) error { _, err := b.Undo(ctx, b.reviewer, decision); return err }
			} else {
				a := b.adjudication(t, b.items[0], kind)
				act = func(ctx context.Context) error { _, err := b.Adjudicate(ctx, b.reviewer, a); return err }
			}
			before := b.records(t)
			b.exec(t, `CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''boom''; END'`)
			b.exec(t, `CREATE CONSTRAINT TRIGGER boom AFTER UPDATE ON tasks DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION boom()`)
			if err := act(t.Context()); err == nil {
				t.Fatal("COMMIT failed, and nobody was told")
			}
			if b.records(t) != before {
				t.Error("something stayed")
			}
			b.exec(t, `DROP TRIGGER boom ON tasks`)
			if err := act(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// records are all rows that a decision may touch.
func (b *bench) records(tb testing.TB) (rows string) {
	tb.Helper()
	b.scan(tb, &rows, `SELECT concat_ws(E'\n',
		(SELECT json_agg(t ORDER BY id) FROM tasks t), (SELECT json_agg(a ORDER BY id) FROM assignments a), (SELECT json_agg(d) FROM drafts d),
		(SELECT json_agg(an ORDER BY id) FROM annotations an), (SELECT json_agg(r ORDER BY id) FROM reviews r), (SELECT json_agg(m) FROM review_marks m),
		(SELECT json_agg(u ORDER BY id) FROM truths u), (SELECT json_agg(x) FROM truth_boxes x), (SELECT json_agg(n) FROM notices n),
		(SELECT json_agg(c) FROM queue_cursors c), (SELECT count(*) FROM audit_events))`)
	return rows
}
