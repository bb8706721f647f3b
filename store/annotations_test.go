package store

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/store/storetest"
)

func TestSubmitStoresTheAnswer(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 2, 1)
	anna := f.labelers[0]
	c := f.mustClaim(t, anna)
	saved, err := f.SaveDraft(t.Context(), anna, c.Task, c.Assignment, 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := f.answer(c)
	a.Version, a.ActiveMS = saved.Version, 3_600_000
	a.Boxes = append(a.Boxes, DraftBox{ID: "b", ClassID: f.class, X: 90.5, Y: 70.25, W: 9.5, H: 9.75, Rotation: 0})
	r, err := f.Submit(t.Context(), anna, a)
	if err != nil {
		t.Fatal(err)
	}
	boxes, err := boxesOf(t.Context(), f.pool, "annotation_boxes", "annotation_id", r.Annotation)
	if err != nil || len(boxes) != 2 {
		t.Fatalf("%v, %v", boxes, err)
	}
	if b := boxes[1]; b.X != 90.5 || b.H != 9.75 || b.DefinitionVersion == nil || *b.DefinitionVersion != 2 {
		t.Fatalf("stored %+v", b)
	}
	var active int64
	f.scan(t, &active, `SELECT active_ms FROM annotations WHERE id = $1`, r.Annotation)
	if active >= 60_000 {
		t.Fatalf("an hour at work on what was claimed just now: %d ms", active)
	}
	if s := f.state(t, c.Task, anna); s != (taskState{"in_review", 0, 1, 1, "submitted"}) {
		t.Fatalf("%+v", s)
	}
	f.mustHold(t)

	again, err := f.Submit(t.Context(), anna, a)
	if err != nil || again != r {
		t.Fatalf("the same again: %+v, %v", again, err)
	}
	a.Boxes = a.Boxes[:1]
	if _, err := f.Submit(t.Context(), anna, a); err == nil || !strings.Contains(err.Error(), "another answer") {
		t.Fatalf("another answer: %v", err)
	}
	var answers int
	f.scan(t, &answers, `SELECT count(*) FROM annotations`)
	if answers != 1 {
		t.Fatalf("%d answers", answers)
	}
}

func TestSubmitRefusesBoxes(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 1, 1)
	anna := f.labelers[0]
	c := f.mustClaim(t, anna)
	var retired, foreign int64
	f.scan(t, &retired, `INSERT INTO classes (project_id, name, slot, retired_at) VALUES ($1, 'scab', 1, now()) RETURNING id`, f.project.ID)
	other, err := f.AddProject(t.Context(), System(), NewProject{Slug: "other", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	f.scan(t, &foreign, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'pit', 0) RETURNING id`, other.ID)
	good := DraftBox{ClassID: f.class, X: 0, Y: 0, W: 100, H: 80}
	with := func(change func(*DraftBox)) []DraftBox {
		bad := good
		change(&bad)
		return []DraftBox{good, bad}
	}
	tests := []struct {
		name  string
		boxes []DraftBox
		says  string
	}{
		{"retired class", with(func(b *DraftBox) { b.ClassID = retired }), "“scab” has been retired"},
		{"another project's class", with(func(b *DraftBox) { b.ClassID = foreign }), "none of this project's"},
		{"no class", with(func(b *DraftBox) { b.ClassID = 0 }), "none of this project's"},
		{"no width", with(func(b *DraftBox) { b.W = 0 }), "no size"},
		{"negative height", with(func(b *DraftBox) { b.H = -1 }), "no size"},
		{"out to the left", with(func(b *DraftBox) { b.X, b.W = -0.1, 5 }), "out of the image"},
		{"out to the right", with(func(b *DraftBox) { b.X = 0.1 }), "out of the image"},
		{"out below", with(func(b *DraftBox) { b.Y = 0.1 }), "out of the image"},
		{"turned, centre outside", with(func(b *DraftBox) { b.X, b.Rotation = 60, 45 }), "out of the image"},
		{"not a number", with(func(b *DraftBox) { b.X = math.NaN() }), "not a number"},
		{"endless", with(func(b *DraftBox) { b.W = math.Inf(1) }), "not a number"},
		{"too many", make([]DraftBox, boxLimit+1), "At most"},
	}
	for _, tt := range tests {
		a := f.answer(c)
		a.Boxes = tt.boxes
		_, err := f.Submit(t.Context(), anna, a)
		inv, ok := errors.AsType[*InvalidError](err)
		if !ok || !strings.Contains(inv.Reason, tt.says) || len(tt.boxes) == 2 && !strings.HasPrefix(inv.Reason, "Box 2:") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	a := f.answer(c)
	a.Boxes = []DraftBox{good, {ClassID: f.class, X: 0.1, Y: 0.2, W: 99.9, H: 79.8}, {ClassID: f.class, X: -10, Y: 0, W: 40, H: 4, Rotation: 30}}
	if _, err := f.Submit(t.Context(), anna, a); err != nil {
		t.Errorf("boxes at every edge: %v", err)
	}
}

func TestRecall(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 3, 1)
	anna, ben := f.labelers[0], f.labelers[1]
	older := f.mustClaim(t, anna)
	f.mustSubmit(t, anna, older)
	last := f.mustClaim(t, anna)
	f.mustSubmit(t, anna, last)
	next := f.mustClaim(t, anna)
	w, err := f.Work(t.Context(), anna, next.Task)
	if err != nil || w.Recallable == nil || w.Recallable.Task != last.Task {
		t.Fatalf("recallable %+v, %v", w.Recallable, err)
	}
	for name, try := range map[string]struct {
		who  Actor
		task int64
	}{"an older answer": {anna, older.Task}, "somebody else's": {ben, last.Task}, "none": {anna, next.Task + 100}} {
		if err := f.Recall(t.Context(), try.who, try.task); err == nil {
			t.Errorf("recalled %s", name)
		}
	}
	for range 2 {
		if err := f.Recall(t.Context(), anna, last.Task); err != nil {
			t.Fatal(err)
		}
	}
	if s := f.state(t, last.Task, anna); s != (taskState{"open", 1, 0, 1, "leased"}) {
		t.Fatalf("recalled: %+v", s)
	}
	f.mustHold(t)
	w, err = f.Work(t.Context(), anna, last.Task)
	if err != nil || len(w.Boxes) != 1 || w.DraftVersion != 1 {
		t.Fatalf("%+v, %v", w, err)
	}
	a := f.answer(last)
	a.Version, a.Boxes = 1, w.Boxes
	if _, err := f.Submit(t.Context(), anna, a); err != nil {
		t.Fatal(err)
	}
	f.exec(t, `UPDATE tasks SET state = 'discarded' WHERE id = $1`, last.Task)
	if err := f.Recall(t.Context(), anna, last.Task); err == nil {
		t.Error("recalled what was reviewed")
	}
	f.mustHold(t)
}

// The last answer is the one that was stored last, whatever the clock said.
func TestRecallAfterTheClockWentBack(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 3, 1)
	anna := f.labelers[0]
	older := f.mustClaim(t, anna)
	f.mustSubmit(t, anna, older)
	last := f.mustClaim(t, anna)
	f.mustSubmit(t, anna, last)
	f.exec(t, `UPDATE assignments SET finished_at = finished_at - interval '1 hour' WHERE id = $1`, last.Assignment)
	f.exec(t, `UPDATE annotations SET submitted_at = submitted_at - interval '1 hour' WHERE assignment_id = $1`, last.Assignment)
	w, err := f.Work(t.Context(), anna, f.mustClaim(t, anna).Task)
	if err != nil || w.Recallable == nil || w.Recallable.Task != last.Task {
		t.Fatalf("recallable %+v, %v", w.Recallable, err)
	}
	if err := f.Recall(t.Context(), anna, older.Task); err == nil {
		t.Error("recalled the older answer")
	}
	if err := f.Recall(t.Context(), anna, last.Task); err != nil {
		t.Fatal(err)
	}
}

func TestRecallOfASurplusVoteTakesNoPlace(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 1, 1)
	anna, ben := f.labelers[0], f.labelers[1]
	late := f.mustClaim(t, anna)
	f.runOut(t, late.Assignment)
	f.mustSubmit(t, ben, f.mustClaim(t, ben))
	if r := f.mustSubmit(t, anna, late); !r.Surplus {
		t.Fatal("not surplus")
	}
	if err := f.Recall(t.Context(), anna, late.Task); err != nil {
		t.Fatal(err)
	}
	if s := f.state(t, late.Task, anna); s != (taskState{"in_review", 0, 1, 1, "expired"}) {
		t.Fatalf("%+v", s)
	}
	f.mustHold(t)
}

func TestDrafts(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 1, 1)
	anna, ben := f.labelers[0], f.labelers[1]
	c := f.mustClaim(t, anna)
	one, two := f.answer(c).Boxes, []DraftBox{}
	save := func(version int, boxes []DraftBox) (int, error) {
		s, err := f.SaveDraft(t.Context(), anna, c.Task, c.Assignment, version, boxes, nil)
		return s.Version, err
	}
	if v, err := save(0, one); v != 1 || err != nil {
		t.Fatalf("first: %d, %v", v, err)
	}
	if v, err := save(0, one); v != 1 || err != nil {
		t.Fatalf("the same again: %d, %v", v, err)
	}
	_, err := save(0, two)
	stored, ok := errors.AsType[*DraftConflictError](err)
	if !ok || !errors.Is(err, ErrConflict) || stored.Version != 1 || len(stored.Boxes) != 1 || stored.Boxes[0].ID != "a" {
		t.Fatalf("another window's: %v", err)
	}
	if v, err := save(1, two); v != 2 || err != nil {
		t.Fatalf("second: %d, %v", v, err)
	}
	a := f.answer(c)
	a.Version = 1
	if _, err := f.Submit(t.Context(), anna, a); !errors.Is(err, ErrConflict) {
		t.Fatalf("submit over another draft: %v", err)
	}
	if _, err := f.SaveDraft(t.Context(), ben, c.Task, c.Assignment, 2, one, nil); !errors.Is(err, ErrNotFound) {
		t.Fatalf("somebody else's draft: %v", err)
	}
	a.Version = 2
	if _, err := f.Submit(t.Context(), anna, a); err != nil {
		t.Fatal(err)
	}
	if _, err := save(2, one); !errors.Is(err, ErrGone) {
		t.Fatalf("draft of what was submitted: %v", err)
	}
}

func TestWorkIsOnlyForWhomItWasGivenTo(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 1, 2)
	anna, ben := f.labelers[0], f.labelers[1]
	c := f.mustClaim(t, anna)
	f.mustSubmit(t, anna, c)
	if _, err := f.Work(t.Context(), ben, c.Task); !errors.Is(err, ErrNotFound) {
		t.Fatalf("before it was given to him: %v", err)
	}
	f.exec(t, `WITH p AS (INSERT INTO predictions (item_id, purpose) VALUES ($1, 'prefill') RETURNING id)
		INSERT INTO prediction_boxes (prediction_id, position, class_id, x, y, w, h) SELECT id, 0, $2, 5, 6, 7, 8 FROM p`, f.items[0], f.class)
	his := f.mustClaim(t, ben)
	w, err := f.Work(t.Context(), ben, his.Task)
	if err != nil || len(w.Boxes) != 1 || w.Boxes[0].X != 5 || len(w.Classes) != 1 || w.Classes[0].Definition != 2 || w.Width != 100 {
		t.Fatalf("%+v, %v", w, err)
	}
	if r := f.mustSubmit(t, ben, his); r.Surplus {
		t.Fatal("surplus")
	}
	var prefilled int
	f.scan(t, &prefilled, `SELECT count(*) FROM annotations WHERE prefilled`)
	if prefilled != 1 {
		t.Fatalf("%d prefilled", prefilled)
	}
	f.exec(t, `DELETE FROM members WHERE person_id = $1`, ben.PersonID)
	if _, err := f.Work(t.Context(), ben, his.Task); !errors.Is(err, ErrNotFound) {
		t.Fatalf("after he left the project: %v", err)
	}
	f.exec(t, `UPDATE items SET state = 'broken'`)
	if _, err := f.Work(t.Context(), anna, c.Task); !errors.Is(err, ErrGone) {
		t.Fatalf("withdrawn: %v", err)
	}
}

func TestMarksAndDispute(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 1, 1)
	anna := f.labelers[0]
	c := f.mustClaim(t, anna)
	r := f.mustSubmit(t, anna, c)
	var review, again int64
	f.scan(t, &review, `INSERT INTO reviews (task_id, item_id, reviewer_id, decision) VALUES ($1, $2, $3, 'rejected') RETURNING id`, c.Task, f.items[0], anna.PersonID)
	f.exec(t, `
		WITH mark AS (INSERT INTO review_marks (review_id, annotation_id, position, reason) VALUES ($1, $2, 0, 'loose_box') RETURNING id)
		INSERT INTO item_notes (item_id, kind, of_id, body) SELECT $3, 'mark', id, '14 px past the end' FROM mark`, review, r.Annotation, f.items[0])
	f.exec(t, `INSERT INTO review_marks (review_id, annotation_id, x, y, reason) VALUES ($1, $2, 50, 60, 'missed_defect')`, review, r.Annotation)
	f.exec(t, `UPDATE annotations SET superseded_at = now()`)
	f.exec(t, `UPDATE tasks SET state = 'open', votes = 0, live = 1`)
	f.scan(t, &again, `INSERT INTO assignments (task_id, project_id, person_id, pass, reason, state) VALUES ($1, $2, $3, 2, 'rework', 'returned') RETURNING id`,
		c.Task, f.project.ID, anna.PersonID)
	if err := f.Recall(t.Context(), anna, c.Task); err == nil {
		t.Error("recalled what was reviewed")
	}
	if err := f.Resume(t.Context(), anna, c.Task); err != nil {
		t.Fatal(err)
	}
	box := "0"
	if err := f.Dispute(t.Context(), anna, c.Task, again, &box, "The scale goes on there."); err != nil {
		t.Fatal(err)
	}
	missing := "7"
	if err := f.Dispute(t.Context(), anna, c.Task, again, &missing, "No."); !errors.Is(err, ErrNotFound) {
		t.Errorf("dispute of no mark: %v", err)
	}
	w, err := f.Work(t.Context(), anna, c.Task)
	if err != nil || len(w.Marks) != 2 || w.State != "leased" {
		t.Fatalf("%+v, %v", w, err)
	}
	if m := w.Marks[0]; m.Box == nil || *m.Box != "0" || m.Note == "" || m.Dispute == "" {
		t.Errorf("mark on the box: %+v", m)
	}
	if m := w.Marks[1]; m.Box != nil || m.X == nil || *m.X != 50 || m.Dispute != "" {
		t.Errorf("mark on a place: %+v", m)
	}
	f.mustHold(t)
}

// Whatever COMMIT refuses must be as if it had never been asked for.
func TestSubmitIsAllOrNothing(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Private(t), 2, 2, 1)
	anna := f.labelers[0]
	c := f.mustClaim(t, anna)
	if _, err := f.SaveDraft(t.Context(), anna, c.Task, c.Assignment, 0, f.answer(c).Boxes, nil); err != nil {
		t.Fatal(err)
	}
	f.exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$`)
	f.exec(t, `CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON assignments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`)
	before := f.everything(t)
	a := f.answer(c)
	a.Version = 1
	if _, err := f.Submit(t.Context(), anna, a); err == nil {
		t.Fatal("submit was not refused")
	}
	if _, err := f.Skip(t.Context(), anna, c.Task, c.Assignment, NotMine, ""); err == nil {
		t.Fatal("skip was not refused")
	}
	if _, err := f.Claim(t.Context(), f.labelers[1], "strip", 0); err == nil {
		t.Fatal("claim was not refused")
	}
	if after := f.everything(t); after != before {
		t.Fatalf("something was left behind:\n%s\nwas\n%s", after, before)
	}
	f.exec(t, `DROP TRIGGER refuse ON assignments`)
	if _, err := f.Submit(t.Context(), anna, a); err != nil {
		t.Fatal(err)
	}
	f.mustHold(t)
}

// everything is all rows that a submit, a skip or a claim writes.
func (f *floor) everything(t *testing.T) (rows string) {
	t.Helper()
	f.scan(t, &rows, `SELECT concat_ws(E'\n',
		(SELECT json_agg(t ORDER BY id) FROM tasks t), (SELECT json_agg(a ORDER BY id) FROM assignments a),
		(SELECT json_agg(d) FROM drafts d), (SELECT json_agg(an) FROM annotations an), (SELECT json_agg(b) FROM annotation_boxes b),
		(SELECT json_agg(c) FROM queue_cursors c), (SELECT count(*) FROM audit_events))`)
	return rows
}

// Connections keep the plans that they made while a table was empty and unknown to the planner.
func TestStandingAnswersAreFoundByIndex(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	var plan []string
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		// Whether a vacuum has seen the empty table is chance; here it has not, and any index would do once it has.
		_, err := tx.Exec(t.Context(), `UPDATE pg_class SET relpages = 0, reltuples = -1 WHERE oid = 'annotations'::regclass`)
		if err != nil {
			return err
		}
		rows, err := tx.Query(t.Context(), `EXPLAIN SELECT FROM annotations an WHERE an.task_id = 1 AND an.person_id = 2 AND `+counts)
		if err != nil {
			return err
		}
		plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil || !strings.Contains(plan[0], "annotations_standing_idx") {
		t.Fatalf("%v, %v", plan, err)
	}
}
