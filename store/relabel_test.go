package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"fiducial/internal/manifest"
)

// book is a bench with a second class, confused with the first; both are at version 2.
type book struct {
	*bench

	other int64
}

func newBook(tb testing.TB, labelers, items, overlap int) *book {
	tb.Helper()
	b := &book{bench: newBench(tb, labelers, items, overlap)}
	b.scan(tb, &b.other, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'line', 1) RETURNING id`, b.project.ID)
	b.exec(tb, `INSERT INTO definitions (class_id, version, published_at) VALUES ($1, 1, now()), ($1, 2, now())`, b.other)
	return b
}

// says has a labeler answer their next item with a box of each of these classes.
func (b *book) says(tb testing.TB, who int, classes ...int64) Receipt {
	tb.Helper()
	c := b.mustClaim(tb, b.labelers[who])
	return b.saysTo(tb, who, c, classes...)
}

func (b *book) saysTo(tb testing.TB, who int, c Claimed, classes ...int64) Receipt {
	tb.Helper()
	work, err := b.Work(tb.Context(), b.labelers[who], c.Task)
	if err != nil {
		tb.Fatal(err)
	}
	a := NewAnnotation{Task: c.Task, Assignment: c.Assignment, Version: work.DraftVersion}
	for i, class := range classes {
		a.Boxes = append(a.Boxes, DraftBox{ClassID: class, X: float64(1 + 20*i), Y: 2, W: 15, H: 40})
	}
	r, err := b.Submit(tb.Context(), b.labelers[who], a)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// confuse notes that two answers differ in class at their first boxes.
func (b *book) confuse(tb testing.TB, item, first, second int64) {
	tb.Helper()
	b.exec(tb, `
		INSERT INTO confusions (project_id, item_id, class_a, class_b, annotations_a, positions_a, annotations_b, positions_b, decided, x, y, w, h)
		VALUES ($1, $2, $3, $4, ARRAY[$5::bigint], '{0}', ARRAY[$6::bigint], '{0}', false, 1, 2, 15, 40)`,
		b.project.ID, item, b.class, b.other, first, second)
}

// sharpen publishes the next definition of the first class, and sends labels back.
func (b *book) sharpen(tb testing.TB, back SendBack) (relabel int64) {
	tb.Helper()
	return b.sharpenClass(tb, b.class, back)
}

func (b *book) sharpenClass(tb testing.TB, class int64, back SendBack) (relabel int64) {
	tb.Helper()
	if err := b.SaveDefinition(tb.Context(), b.reviewer, class, 0, "Sharper.", nil); err != nil {
		tb.Fatal(err)
	}
	_, relabel, err := b.PublishAndSendBack(tb.Context(), b.reviewer, class, 2, back)
	if err != nil {
		tb.Fatal(err)
	}
	return relabel
}

func (b *book) run(tb testing.TB, relabel int64) Relabel {
	tb.Helper()
	if err := b.RunRelabel(tb.Context(), relabel); err != nil {
		tb.Fatal(err)
	}
	r, err := b.RelabelByID(tb.Context(), b.reviewer, relabel)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestRelabelOfAllOlderLabels(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2, 3, 1)
	b.says(t, 0, b.class, b.other, b.class)
	b.mustDecide(t, b.items[0], Approved)
	b.says(t, 0, b.other)
	b.says(t, 0, b.class)
	b.wantCounts(t, "v2 3+2")
	old := b.truth(t, b.items[0])

	preview, err := b.PreviewSendBack(t.Context(), b.reviewer, b.class, SendBack{All: true}, true)
	if want := (SendBackPreview{Labels: 3, Answers: 2, Truths: 2, Items: 2}); err != nil || preview != want {
		t.Errorf("preview %+v, %v, want %+v", preview, err, want)
	}
	r := b.run(t, b.sharpen(t, SendBack{All: true, Note: " Broken ones are several. "}))
	if r.State != "done" || r.Items != 2 || r.DoneItems != 2 || r.Answers != 2 || r.Reviews != 0 || r.Answered != 0 || r.Version != 3 || r.Note != "Broken ones are several." {
		t.Errorf("relabel %+v", r)
	}
	b.wantCounts(t, "v2 0+2")
	b.mustHold(t)
	if got, want := b.state(t, b.tasks[0], b.labelers[0]), (taskState{"open", 1, 0, 1, "returned"}); got != want {
		t.Errorf("decided task %+v, want %+v", got, want)
	}
	if got, want := b.state(t, b.tasks[1], b.labelers[0]), (taskState{"in_review", 0, 1, 1, "submitted"}); got != want {
		t.Errorf("untouched task %+v, want %+v", got, want)
	}
	if !slices.Equal(b.truth(t, b.items[0]), old) {
		t.Error("the truth that stood does not stand any more")
	}

	desk, err := b.Desk(t.Context(), b.labelers[0])
	if err != nil || len(desk.Returned) != 2 || desk.Returned[0].Reason != Sharpened || desk.Returned[0].Note != "scratch v3: Broken ones are several." {
		t.Errorf("desk %+v, %v", desk.Returned, err)
	}
	c := b.mustClaim(t, b.labelers[0])
	work, err := b.Work(t.Context(), b.labelers[0], c.Task)
	if err != nil {
		t.Fatal(err)
	}
	if c.Task != b.tasks[0] || work.Reason != "relabel" || len(work.Boxes) != 3 || len(work.Marks) != 2 {
		t.Fatalf("claimed %+v: %+v", c, work)
	}
	if m := work.Marks[1]; *m.Box != work.Boxes[2].ID || m.Reason != Sharpened || m.Class != "scratch" || m.Version != 3 || m.Note != r.Note {
		t.Errorf("mark %+v", m)
	}
	// Confirmed as it was, it was made under the new definition.
	if _, err := b.Submit(t.Context(), b.labelers[0], NewAnnotation{Task: c.Task, Assignment: c.Assignment, Version: work.DraftVersion, Boxes: work.Boxes}); err != nil {
		t.Fatal(err)
	}
	b.wantCounts(t, "v3 2+0", "v2 0+2")
	looked := b.look(t, b.items[0])
	if looked.State != "in_review" || looked.Truth == nil || looked.Answers[0].Reason != "relabel" {
		t.Errorf("after the relabel: %+v", looked)
	}
	b.mustDecide(t, b.items[0], Approved)
	b.wantCounts(t, "v3 2+2")
	b.mustHold(t)
	if r, err = b.RelabelByID(t.Context(), b.reviewer, r.ID); err != nil || r.Answered != 1 {
		t.Errorf("relabel %+v, %v", r, err)
	}
	notices, err := b.Notices(t.Context(), b.labelers[0], 0, 10)
	if err != nil || len(notices) != 1 || notices[0].Kind != LabelsReturned || notices[0].ObjectID != r.ID {
		t.Errorf("notices %+v, %v", notices, err)
	}
}

func TestRelabelOfNone(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 1, 1)
	b.says(t, 0, b.class)
	if id := b.sharpen(t, SendBack{}); id != 0 {
		t.Errorf("relabel %d", id)
	}
	b.wantCounts(t, "v2 1+0")
	for _, back := range []SendBack{{}, {Others: []int64{b.class}}, {Others: []int64{987654}}} {
		if _, refused := errors.AsType[*InvalidError](relabelError(b, back)); !refused {
			t.Errorf("%+v is taken", back)
		}
	}
	if _, err := b.Relabel(t.Context(), b.labelers[0], b.class, SendBack{All: true}); !errors.Is(err, ErrDenied) {
		t.Errorf("a labeler sends back: %v", err)
	}
}

func relabelError(b *book, back SendBack) error {
	_, err := b.Relabel(context.Background(), b.reviewer, b.class, back)
	return err
}

func TestRelabelOfWhatWasConfused(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2, 3, 2)
	var answers [2][3]int64
	for item := range 3 {
		answers[0][item] = b.says(t, 0, b.class, b.class).Annotation
		answers[1][item] = b.says(t, 1, b.other).Annotation
	}
	b.confuse(t, b.items[1], answers[0][1], answers[1][1])
	preview, err := b.PreviewSendBack(t.Context(), b.reviewer, b.class, SendBack{Others: []int64{b.other}}, true)
	if want := (SendBackPreview{Labels: 2, Answers: 2, Items: 1}); err != nil || preview != want {
		t.Errorf("preview %+v, %v, want %+v", preview, err, want)
	}
	r := b.run(t, b.sharpen(t, SendBack{Others: []int64{b.other}}))
	if r.Items != 1 || r.Answers != 2 {
		t.Errorf("relabel %+v", r)
	}
	b.mustHold(t)
	for who := range 2 {
		c := b.mustClaim(t, b.labelers[who])
		work, err := b.Work(t.Context(), b.labelers[who], c.Task)
		if err != nil || c.Task != b.tasks[1] || len(work.Marks) != 1 || *work.Marks[0].Box != "0" {
			t.Fatalf("claimed %+v: %+v, %v", c, work, err)
		}
		b.saysTo(t, who, c, b.class)
	}
	b.wantCounts(t, "v3 2+0", "v2 4+0")
	// What was answered since the definition came does not go back again.
	answers[0][1], answers[1][1] = b.look(t, b.items[1]).Answers[0].ID, b.look(t, b.items[1]).Answers[1].ID
	b.confuse(t, b.items[1], answers[0][1], answers[1][1])
	id, err := b.Relabel(t.Context(), b.reviewer, b.class, SendBack{Others: []int64{b.other}})
	if err != nil {
		t.Fatal(err)
	}
	if r := b.run(t, id); r.Items != 0 || r.Answers != 0 || r.State != "done" {
		t.Errorf("again: %+v", r)
	}
}

func TestOlderTruthAloneGoesToReview(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 2, 1)
	b.says(t, 0, b.other)
	a := b.adjudication(t, b.items[0], Amended)
	a.Boxes = []DraftBox{{ID: "0", ClassID: b.other, X: 1, Y: 2, W: 15, H: 40}, {ID: "new", ClassID: b.class, X: 5, Y: 6, W: 7, H: 8}}
	first, err := b.Adjudicate(t.Context(), b.reviewer, a)
	if err != nil {
		t.Fatal(err)
	}
	r := b.run(t, b.sharpen(t, SendBack{All: true}))
	if r.Reviews != 1 || r.Answers != 0 {
		t.Errorf("relabel %+v", r)
	}
	looked := b.look(t, b.items[0])
	if looked.State != "in_review" || looked.Truth == nil {
		t.Fatalf("item %+v", looked)
	}
	b.wantCounts(t, "v2 0+1")
	confirmed, err := b.Adjudicate(t.Context(), b.reviewer, Adjudication{Item: looked.Item, Version: looked.Version, Kind: Approved})
	if err != nil {
		t.Fatal(err)
	}
	b.wantCounts(t, "v3 0+1")
	// Undone, the item waits again to be looked at, its former truth standing.
	b.mustUndo(t, confirmed)
	b.wantCounts(t, "v2 0+1")
	if looked = b.look(t, b.items[0]); looked.State != "in_review" || looked.Truth == nil {
		t.Errorf("after the undo: %+v", looked)
	}
	b.mustUndo(t, first)
	if looked = b.look(t, b.items[0]); looked.State != "in_review" || looked.Truth != nil {
		t.Errorf("after the second undo: %+v", looked)
	}
	b.mustHold(t)
}

func TestRejectedRelabelLeavesTheTruth(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 1, 1)
	b.says(t, 0, b.class)
	approved := b.mustDecide(t, b.items[0], Approved)
	b.run(t, b.sharpen(t, SendBack{All: true}))
	b.says(t, 0, b.class)
	rejected := b.mustDecide(t, b.items[0], Rejected)
	if r := b.look(t, b.items[0]); r.State != "open" || r.Truth == nil {
		t.Errorf("after the rejection: %+v", r)
	}
	b.mustUndo(t, rejected)
	if r := b.look(t, b.items[0]); r.State != "in_review" || r.Truth == nil {
		t.Errorf("after the undo: %+v", r)
	}
	b.mustUndo(t, approved)
	if r := b.look(t, b.items[0]); r.State != "in_review" || r.Truth != nil || len(r.Answers) != 1 {
		t.Errorf("after the second undo: %+v", r)
	}
	b.mustHold(t)
}

func TestUndoWhileLabelersAreAtIt(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 1, 1)
	b.says(t, 0, b.class)
	approved := b.mustDecide(t, b.items[0], Approved)
	b.run(t, b.sharpen(t, SendBack{All: true}))
	b.mustUndo(t, approved)
	if r := b.look(t, b.items[0]); r.State != "open" || r.Truth != nil {
		t.Errorf("after the undo: %+v", r)
	}
	b.mustHold(t)
	b.says(t, 0, b.class)
	if r := b.look(t, b.items[0]); r.State != "in_review" {
		t.Errorf("after the answer: %+v", r)
	}
}

func TestRelabelOfWhoLeftGoesToOthers(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2, 1, 1)
	b.says(t, 0, b.class)
	b.mustDecide(t, b.items[0], Approved)
	if _, err := b.Claim(t.Context(), b.labelers[1], b.project.Slug, 0); !errors.Is(err, ErrQueueEmpty) {
		t.Fatal(err)
	}
	if err := b.Leave(t.Context(), System(), b.labelers[0].PersonID); err != nil {
		t.Fatal(err)
	}
	b.run(t, b.sharpen(t, SendBack{All: true}))
	b.mustHold(t)
	if c := b.mustClaim(t, b.labelers[1]); c.Task != b.tasks[0] {
		t.Errorf("claimed %+v", c)
	}
}

func TestRelabelAsksNoMoreThanHadAnswered(t *testing.T) {
	t.Parallel()
	b := newBook(t, 3, 1, 3)
	b.says(t, 0, b.class)
	b.mustDecide(t, b.items[0], Approved)
	b.run(t, b.sharpen(t, SendBack{All: true}))
	if got, want := b.state(t, b.tasks[0], b.labelers[0]), (taskState{"open", 1, 0, 1, "returned"}); got != want {
		t.Errorf("task %+v, want %+v", got, want)
	}
	if _, err := b.Claim(t.Context(), b.labelers[1], b.project.Slug, 0); !errors.Is(err, ErrQueueEmpty) {
		t.Errorf("others are asked too: %v", err)
	}
}

func TestRelabelKeepsItsPlaceWhenItsLeaseRunsOut(t *testing.T) {
	t.Parallel()
	b := newBook(t, 2, 1, 1)
	b.says(t, 0, b.class)
	b.run(t, b.sharpen(t, SendBack{All: true}))
	c := b.mustClaim(t, b.labelers[0])
	b.runOut(t, c.Assignment)
	if n, err := b.ReleaseLeases(t.Context()); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if got := b.state(t, b.tasks[0], b.labelers[0]); got.AssignedState != "returned" || got.Live != 1 {
		t.Errorf("task %+v", got)
	}
	b.mustHold(t)
}

// A process that dies in the middle leaves steps that are done and steps that are not; the next one does the rest.
func TestRelabelGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 2*relabelBatch+5, 1)
	for range b.items {
		b.says(t, 0, b.class)
	}
	id := b.sharpen(t, SendBack{All: true})
	for range 2 { // found, and one step
		if _, err := b.relabelSome(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	half, err := b.RelabelByID(t.Context(), b.reviewer, id)
	if err != nil || half.State != "sending" || half.DoneItems != relabelBatch || half.Answers != relabelBatch || half.Items != len(b.items) {
		t.Errorf("half way %+v, %v", half, err)
	}
	// A step whose transaction fails leaves nothing.
	b.exec(t, `ALTER TABLE relabel_answers ADD CONSTRAINT never CHECK (relabel_id < 0) NOT VALID`)
	if err := b.RunRelabel(t.Context(), id); err == nil {
		t.Error("no error")
	}
	b.exec(t, `ALTER TABLE relabel_answers DROP CONSTRAINT never`)
	b.mustHold(t)
	for range 2 { // the second finds nothing to do
		if r := b.run(t, id); r.State != "done" || r.DoneItems != len(b.items) || r.Answers != len(b.items) {
			t.Errorf("relabel %+v", r)
		}
	}
	b.mustHold(t)
	var passes int
	b.scan(t, &passes, `SELECT count(*) FROM assignments WHERE reason = 'relabel'`)
	if notices, err := b.Notices(t.Context(), b.labelers[0], 0, 10); err != nil || len(notices) != 1 || passes != len(b.items) {
		t.Errorf("%d passes, notices %+v, %v", passes, notices, err)
	}
}

func TestTwoRelabelsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 120, 1)
	for range b.items {
		b.says(t, 0, b.class, b.other)
	}
	first, second := b.sharpen(t, SendBack{All: true, Note: "one"}), b.sharpenClass(t, b.other, SendBack{All: true, Note: "two"})
	var both sync.WaitGroup
	for _, id := range []int64{first, second, first, second} { // and each by two workers
		both.Go(func() {
			if err := b.RunRelabel(context.Background(), id); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	b.mustHold(t)
	r, s := b.run(t, first), b.run(t, second)
	if r.State != "done" || s.State != "done" || r.Answers+s.Answers != len(b.items) {
		t.Errorf("relabels %+v and %+v", r, s)
	}
	work, err := b.Work(t.Context(), b.labelers[0], b.mustClaim(t, b.labelers[0]).Task)
	if err != nil || len(work.Marks) == 0 || len(work.Boxes) != 2 {
		t.Errorf("work %+v, %v", work, err)
	}
}

// What is frozen keeps the truth that it was frozen with, whatever becomes of the labels.
func TestRelabelLeavesFrozenVersionsAsTheyWere(t *testing.T) {
	t.Parallel()
	b := newBook(t, 1, 1, 1)
	b.exec(t, `INSERT INTO item_salts (item_id, salt) SELECT id, sha256(id::text::bytea) FROM items`)
	b.exec(t, `INSERT INTO item_texts (item_id, external_key) SELECT id, 'strip-' || id FROM items`)
	b.says(t, 0, b.class)
	approved := b.mustDecide(t, b.items[0], Approved)
	recipe := manifest.Default()
	recipe.Projects = []string{b.project.Slug}
	version, err := b.Freeze(t.Context(), System(), "train", recipe)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.FillVersion(t.Context(), version.ID); err != nil {
		t.Fatal(err)
	}
	holds := func(when string) {
		t.Helper()
		frozen, err := b.DatasetVersion(t.Context(), System(), "train", 1)
		if err != nil || frozen.State != VersionFrozen || frozen.Lines != 1 {
			t.Fatalf("%s: %+v, %v", when, frozen, err)
		}
		v, err := b.Verify(t.Context(), System(), frozen, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.RunVerification(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
		if v, _, err = b.Verification(t.Context(), System(), v.ID); err != nil || !v.Holds() || v.Matching != 1 {
			t.Errorf("%s: %+v, %v", when, v, err)
		}
	}
	holds("frozen")
	b.run(t, b.sharpen(t, SendBack{All: true}))
	holds("sent back")
	b.says(t, 0, b.other)
	again := b.mustDecide(t, b.items[0], Approved)
	holds("decided again")
	b.mustUndo(t, again)
	b.mustUndo(t, approved)
	holds("undone")
	b.mustHold(t)
}
