package store

import (
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

func TestClaimGoesByPriorityThenAge(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 2, 1)
	anna := f.labelers[0]
	first := f.mustClaim(t, anna)
	f.mustSubmit(t, anna, first)
	f.addItems(t, 1, 5)
	f.addItems(t, 1, -1)
	f.addItems(t, 1, 5)
	got := []int64{first.Task}
	for range 4 {
		c := f.mustClaim(t, anna)
		f.mustSubmit(t, anna, c)
		got = append(got, c.Task)
	}
	want := []int64{f.tasks[0], f.tasks[2], f.tasks[4], f.tasks[1], f.tasks[3]}
	if !slices.Equal(got, want) {
		t.Fatalf("claimed %v, want %v", got, want)
	}
	if _, err := f.Claim(t.Context(), anna, "strip", 0); !errors.Is(err, ErrQueueEmpty) {
		t.Fatalf("empty queue: %v", err)
	}
	f.mustHold(t)
}

func TestClaimHandsBackWhatIsHeld(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 4, 1)
	anna, ben := f.labelers[0], f.labelers[1]
	first := f.mustClaim(t, anna)
	if again := f.mustClaim(t, anna); again != first {
		t.Fatalf("claimed %v while holding %v", again, first)
	}
	next, err := f.Claim(t.Context(), anna, "strip", first.Assignment)
	if err != nil || next.Task != f.tasks[1] {
		t.Fatalf("prefetched %v: %v", next, err)
	}
	if again, err := f.Claim(t.Context(), anna, "strip", first.Assignment); err != nil || again != next {
		t.Fatalf("prefetched again %v: %v", again, err)
	}
	if c := f.mustClaim(t, ben); c.Task != f.tasks[2] {
		t.Fatalf("another labeler got %v", c)
	}
	// What ran out and nobody took is hers again, after what she still holds.
	f.runOut(t, first.Assignment)
	if n, err := f.ReleaseLeases(t.Context()); n != 1 || err != nil {
		t.Fatalf("released %d: %v", n, err)
	}
	f.mustSubmit(t, anna, next)
	if again := f.mustClaim(t, anna); again != first {
		t.Fatalf("claimed %v, want back %v", again, first)
	}
	f.mustHold(t)
}

func TestReleasedTaskIsFoundBehindTheCursor(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 3, 1)
	anna, ben := f.labelers[0], f.labelers[1]
	lost := f.mustClaim(t, anna)
	for range 2 {
		f.mustSubmit(t, ben, f.mustClaim(t, ben))
	}
	if _, err := f.Claim(t.Context(), ben, "strip", 0); !errors.Is(err, ErrQueueEmpty) {
		t.Fatal(err)
	}
	f.runOut(t, lost.Assignment)
	// Nobody but the claim itself has to notice that the lease ran out.
	c := f.mustClaim(t, ben)
	if c.Task != lost.Task {
		t.Fatalf("claimed %v, want task %d", c, lost.Task)
	}
	// The late answer finds no place, and is kept beside the wanted one.
	if r := f.mustSubmit(t, anna, lost); !r.Surplus {
		t.Fatal("a late answer took a place that was gone")
	}
	if r := f.mustSubmit(t, ben, c); r.Surplus {
		t.Fatal("the wanted answer was counted as surplus")
	}
	if s := f.state(t, lost.Task, anna); s.Votes != 1 || s.State != "in_review" {
		t.Fatalf("task: %+v", s)
	}
	f.mustHold(t)
}

func TestLateAnswer(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 2, 1)
	anna := f.labelers[0]
	c := f.mustClaim(t, anna)
	f.runOut(t, c.Assignment)
	if _, err := f.ReleaseLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := f.mustSubmit(t, anna, c); r.Surplus {
		t.Fatal("a late answer with a free place is a wanted one")
	}
	second := f.mustClaim(t, anna)
	saved, err := f.SaveDraft(t.Context(), anna, second.Task, second.Assignment, 0, f.answer(second).Boxes, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.exec(t, `UPDATE tasks SET state = 'adjudicated' WHERE id = $1`, second.Task)
	late := f.answer(second)
	late.Version = saved.Version
	_, err = f.Submit(t.Context(), anna, late)
	if _, ok := errors.AsType[*InvalidError](err); !ok {
		t.Fatalf("answer to a decided item: %v", err)
	}
	w, err := f.Work(t.Context(), anna, second.Task)
	if err != nil || len(w.Boxes) != 1 || w.DraftVersion != saved.Version {
		t.Fatalf("the draft was not kept: %+v, %v", w, err)
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 2, 1)
	anna, ben := f.labelers[0], f.labelers[1]
	mine, his := f.mustClaim(t, anna), f.mustClaim(t, ben)
	f.exec(t, `UPDATE assignments SET lease_until = now() + interval '1 minute'`)
	leases, gone, err := f.Heartbeat(t.Context(), anna, []int64{mine.Assignment, his.Assignment, 999})
	if err != nil || len(leases) != 1 || !slices.Equal(gone, []int64{his.Assignment, 999}) {
		t.Fatalf("%v, gone %v, %v", leases, gone, err)
	}
	var minutes float64
	f.scan(t, &minutes, `SELECT extract(epoch FROM $1::timestamptz - now()) / 60`, leases[0].Until)
	if minutes < 29 || minutes > 30 {
		t.Fatalf("renewed for %f minutes", minutes)
	}
	f.exec(t, `UPDATE assignments SET lease_until = now() - interval '1 minute'`)
	if n, err := f.ReleaseLeases(t.Context()); n != 2 || err != nil {
		t.Fatalf("released %d, %v", n, err)
	}
	// Her own place is still free, so that a heartbeat takes it again; his was taken by her.
	if taken := f.mustClaim(t, ben); taken != his {
		t.Fatalf("claimed %v, want back %v", taken, his)
	}
	if leases, _, err := f.Heartbeat(t.Context(), anna, []int64{mine.Assignment}); err != nil || len(leases) != 1 {
		t.Fatalf("%v, %v", leases, err)
	}
	f.mustHold(t)
}

func TestWhoMayClaim(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 1, 1)
	anna := f.labelers[0]
	stranger := newStranger(t, f)
	tests := []struct {
		name  string
		actor Actor
		setup string
		want  error
	}{
		{"a viewer", Actor{PersonID: anna.PersonID, Role: access.Viewer}, ``, ErrDenied},
		{"nobody", Actor{}, ``, ErrDenied},
		{"not a member", stranger, ``, ErrNotFound},
		{"an admin who is no member", Actor{PersonID: stranger.PersonID, Role: access.Admin}, ``, ErrNotFound},
		{"paused", anna, `UPDATE projects SET paused = true`, ErrPaused},
		{"unpaused, item not ready", anna, `UPDATE projects SET paused = false; UPDATE items SET state = 'processing'`, ErrQueueEmpty},
		{"archived", anna, `UPDATE projects SET archived_at = now()`, ErrNotFound},
	}
	for _, tt := range tests {
		if tt.setup != "" {
			f.exec(t, tt.setup)
		}
		if _, err := f.Claim(t.Context(), tt.actor, "strip", 0); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func newStranger(t *testing.T, f *floor) Actor {
	t.Helper()
	var id int64
	f.scan(t, &id, `INSERT INTO people (role, pseudonym) VALUES ('labeler', 'stranger') RETURNING id`)
	return Actor{PersonID: id, Role: access.Labeler}
}

func TestItemThatBecomesReadyIsFound(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 2, 1)
	anna := f.labelers[0]
	f.exec(t, `UPDATE items SET state = 'processing' WHERE id = $1`, f.items[0])
	c := f.mustClaim(t, anna)
	if c.Task != f.tasks[1] {
		t.Fatalf("claimed %v", c)
	}
	f.mustSubmit(t, anna, c)
	err := f.inTx(t.Context(), func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `UPDATE items SET state = 'ready' WHERE id = $1`, f.items[0]); err != nil {
			return err
		}
		return addTasks(t.Context(), tx, f.project.ID, f.items[:1], 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	f.mustHold(t)
	if c := f.mustClaim(t, anna); c.Task != f.tasks[0] {
		t.Fatalf("claimed %v", c)
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	tests := []struct {
		reason SkipReason
		note   string
		want   taskState
		next   bool // another labeler gets it
	}{
		{CannotDecide, "", taskState{"in_review", 0, 0, 1, "skipped"}, false},
		{BrokenImage, "half of it is grey", taskState{"in_review", 0, 0, 1, "skipped"}, false},
		{NotMine, "", taskState{"open", 0, 0, 1, "skipped"}, true},
		{OtherReason, "my cousin made it", taskState{"open", 0, 0, 1, "skipped"}, true},
	}
	for _, tt := range tests {
		t.Run(string(tt.reason), func(t *testing.T) {
			t.Parallel()
			f := newFloor(t, storetest.Pool(t), 2, 1, 1)
			anna, ben := f.labelers[0], f.labelers[1]
			c := f.mustClaim(t, anna)
			if _, err := f.Claim(t.Context(), ben, "strip", 0); !errors.Is(err, ErrQueueEmpty) {
				t.Fatal(err)
			}
			for range 2 { // repeated, it is the same success
				if _, err := f.Skip(t.Context(), anna, c.Task, c.Assignment, tt.reason, tt.note); err != nil {
					t.Fatal(err)
				}
			}
			if got := f.state(t, c.Task, anna); got != tt.want {
				t.Fatalf("%+v, want %+v", got, tt.want)
			}
			f.mustHold(t)
			if _, err := f.Claim(t.Context(), anna, "strip", 0); !errors.Is(err, ErrQueueEmpty) {
				t.Fatalf("got back what she skipped: %v", err)
			}
			if _, err := f.Claim(t.Context(), ben, "strip", 0); (err == nil) != tt.next {
				t.Fatalf("another labeler: %v", err)
			}
		})
	}
}

func TestSkipRefusals(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 1, 1)
	c := f.mustClaim(t, f.labelers[0])
	for _, tt := range []struct {
		reason SkipReason
		note   string
	}{{"", ""}, {"lunch", ""}, {OtherReason, "  "}} {
		_, err := f.Skip(t.Context(), f.labelers[0], c.Task, c.Assignment, tt.reason, tt.note)
		if _, ok := errors.AsType[*InvalidError](err); !ok {
			t.Errorf("%q: %v", tt.reason, err)
		}
	}
	if _, err := f.Skip(t.Context(), f.labelers[1], c.Task, c.Assignment, NotMine, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody else's assignment: %v", err)
	}
}

func TestSetOverlap(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 3, 3, 1)
	anna, ben, cleo := f.labelers[0], f.labelers[1], f.labelers[2]
	f.mustSubmit(t, anna, f.mustClaim(t, anna)) // task 0: answered, in review
	undecided := f.mustClaim(t, anna)           // task 1: sent to review
	_, err := f.Skip(t.Context(), anna, undecided.Task, undecided.Assignment, CannotDecide, "")
	if err != nil {
		t.Fatal(err)
	}
	set := func(n int) {
		t.Helper()
		if err := f.SetOverlap(t.Context(), System(), f.project.ID, n); err != nil {
			t.Fatal(err)
		}
		f.mustHold(t)
	}
	set(3)
	if s := f.state(t, f.tasks[0], anna); s.State != "open" || s.Overlap != 3 {
		t.Fatalf("raised: %+v", s)
	}
	if s := f.state(t, f.tasks[1], anna); s.State != "in_review" {
		t.Fatalf("what a labeler sent to review: %+v", s)
	}
	bens, cleos := f.mustClaim(t, ben), f.mustClaim(t, cleo)
	if bens.Task != f.tasks[0] || cleos.Task != f.tasks[0] {
		t.Fatalf("claimed %v and %v, want task %d", bens, cleos, f.tasks[0])
	}
	set(2) // one vote and two leases: the younger lease loses its place
	if s := f.state(t, f.tasks[0], cleo); s != (taskState{"open", 1, 1, 2, "expired"}) {
		t.Fatalf("lowered: %+v", s)
	}
	set(1)
	if s := f.state(t, f.tasks[0], ben); s != (taskState{"in_review", 0, 1, 1, "expired"}) {
		t.Fatalf("lowered to what is there: %+v", s)
	}
	if r := f.mustSubmit(t, ben, bens); !r.Surplus {
		t.Fatal("an answer beyond the overlap was counted")
	}
	f.mustHold(t)
}

func TestReworkComesFirstAndKeepsItsPlace(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 3, 1)
	anna, ben := f.labelers[0], f.labelers[1]
	done := f.mustClaim(t, anna)
	r := f.mustSubmit(t, anna, done)
	// What a rejection does.
	f.exec(t, `UPDATE annotations SET superseded_at = now() WHERE id = $1`, r.Annotation)
	f.exec(t, `UPDATE tasks SET state = 'open', votes = 0, live = 1 WHERE id = $1`, done.Task)
	f.exec(t, `INSERT INTO assignments (task_id, project_id, person_id, pass, reason, state) VALUES ($1, $2, $3, 2, 'rework', 'returned')`,
		done.Task, f.project.ID, anna.PersonID)
	f.mustHold(t)
	if c := f.mustClaim(t, ben); c.Task == done.Task {
		t.Fatal("another labeler got the rework")
	}
	rework := f.mustClaim(t, anna)
	if rework.Task != done.Task || rework.Assignment == done.Assignment {
		t.Fatalf("claimed %v, want the rework of %v", rework, done)
	}
	f.runOut(t, rework.Assignment)
	if _, err := f.ReleaseLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := f.state(t, done.Task, anna); s.AssignedState != "returned" || s.Live != 1 {
		t.Fatalf("a rework that ran out: %+v", s)
	}
	w, err := f.Work(t.Context(), anna, done.Task)
	if err != nil || len(w.Boxes) != 1 || w.Boxes[0].ID != "0" {
		t.Fatalf("a rework goes on from the answer: %+v, %v", w, err)
	}
	if r := f.mustSubmit(t, anna, rework); r.Surplus {
		t.Fatal("a rework is wanted")
	}
	if s := f.state(t, done.Task, anna); s != (taskState{"in_review", 0, 1, 1, "submitted"}) {
		t.Fatalf("after the rework: %+v", s)
	}
	f.mustHold(t)
}
