package store

import (
	"errors"
	"math"
	"slices"
	"testing"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// gold lets the labeler claim until they have a gold item, answering what else they get.
func (f *floor) gold(tb testing.TB, who Actor) Claimed {
	tb.Helper()
	for {
		c := f.mustClaim(tb, who)
		var reason string
		f.scan(tb, &reason, `SELECT reason FROM assignments WHERE id = $1`, c.Assignment)
		if reason == "gold" {
			return c
		}
		f.mustSubmit(tb, who, c)
	}
}

// reviewerOf adds a reviewer to the project.
func (f *floor) reviewerOf(tb testing.TB) Actor {
	tb.Helper()
	who := Actor{Role: access.Reviewer}
	f.scan(tb, &who.PersonID, `INSERT INTO people (role, pseudonym) VALUES ('reviewer', gen_random_uuid()) RETURNING id`)
	f.exec(tb, `INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, f.project.ID, who.PersonID)
	return who
}

// A labeler gets the share of gold items that the project asks for, never two in a row, never the first, none twice.
func TestGoldComesInItsShare(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 800, 1)
	f.addGold(t, 400)
	f.exec(t, `UPDATE projects SET gold_share = 0.2`)
	got := 0
	const all = 500
	for range all {
		c := f.mustClaim(t, f.labelers[0])
		f.mustSubmit(t, f.labelers[0], c)
		var gold bool
		f.scan(t, &gold, `SELECT reason = 'gold' FROM assignments WHERE id = $1`, c.Assignment)
		if gold {
			got++
		}
	}
	// Six standard deviations: of a chain in which a gold item is followed by none they are smaller than of a coin.
	if want := 0.2 * all; math.Abs(float64(got)-want) > 6*math.Sqrt(all*0.2*0.8) {
		t.Errorf("%d of %d items were gold, want about %.0f", got, all, want)
	}
	f.mustHold(t)
}

// Where nothing else is left for a labeler, no gold item gives away that it is one.
func TestGoldComesInThePlaceOfAnother(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 1, 1)
	f.addGold(t, 20)
	f.mustSubmit(t, f.labelers[0], f.mustClaim(t, f.labelers[0]))
	for range 30 {
		if c, err := f.Claim(t.Context(), f.labelers[0], f.project.Slug, 0); !errors.Is(err, ErrQueueEmpty) {
			t.Fatalf("claimed %v, %v from an empty queue", c, err)
		}
	}
}

// Nobody gets a gold item that they decided about, that was opened again, or that was taken out.
func TestGoldIsForThoseWhoDoNotKnowIt(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 60, 1)
	items := f.addGold(t, 4)
	f.exec(t, `INSERT INTO reviews (task_id, item_id, reviewer_id, decision) SELECT id, item_id, $2, 'approved' FROM tasks WHERE item_id = $1`, items[0], f.labelers[0].PersonID)
	f.exec(t, `UPDATE tasks SET state = 'in_review' WHERE item_id = $1`, items[1])
	reviewer := f.reviewerOf(t)
	if slug, err := f.RemoveGold(t.Context(), reviewer, items[2]); err != nil || slug != f.project.Slug {
		t.Fatal(slug, err)
	}
	for range 60 {
		c, err := f.Claim(t.Context(), f.labelers[0], f.project.Slug, 0)
		if errors.Is(err, ErrQueueEmpty) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var item int64
		f.scan(t, &item, `SELECT item_id FROM tasks WHERE id = $1`, c.Task)
		if slices.Contains(items[:3], item) {
			t.Errorf("gold item %d was handed out", slices.Index(items, item))
		}
		f.mustSubmit(t, f.labelers[0], c)
	}
}

// An answer to a gold item can be given, taken back and given again like any other, and is never a vote.
func TestGoldAnswersNeverCount(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 60, 1)
	f.addGold(t, 30)
	reviewer, who := f.reviewerOf(t), f.labelers[0]
	c := f.gold(t, who)
	before := f.state(t, c.Task, who)
	f.runOut(t, c.Assignment)
	if released, err := f.ReleaseLeases(t.Context()); err != nil || released != 1 {
		t.Fatal(released, err)
	}
	if again := f.mustClaim(t, who); again != c {
		t.Fatalf("got %v, want back %v", again, c)
	}
	for range 2 {
		if r := f.mustSubmit(t, who, c); r.Surplus {
			t.Fatal("the answer is called late")
		}
		work, err := f.Work(t.Context(), who, f.mustClaim(t, who).Task)
		if err != nil || work.Recallable == nil || work.Recallable.Task != c.Task {
			t.Fatalf("%+v, %v", work.Recallable, err)
		}
		if err := f.Recall(t.Context(), who, c.Task); err != nil {
			t.Fatal(err)
		}
		work, err = f.Work(t.Context(), who, c.Task)
		if err != nil || work.TaskState != "open" || work.State != "leased" || len(work.Boxes) != 1 {
			t.Fatalf("%+v, %v", work, err)
		}
		a := f.answer(c)
		a.Version = work.DraftVersion
		if _, err := f.Submit(t.Context(), who, a); err != nil {
			t.Fatal(err)
		}
		if err := f.Recall(t.Context(), who, c.Task); err != nil {
			t.Fatal(err)
		}
		f.exec(t, `DELETE FROM drafts`)
	}
	f.mustSubmit(t, who, c)
	after := f.state(t, c.Task, who)
	before.AssignedState = "submitted"
	if after != before {
		t.Errorf("the task was %+v, and is %+v", before, after)
	}
	var item int64
	f.scan(t, &item, `SELECT item_id FROM tasks WHERE id = $1`, c.Task)
	seen, err := f.ReviewItem(t.Context(), reviewer, item)
	if err != nil || len(seen.Answers) != 0 {
		t.Errorf("the review shows %+v, %v", seen.Answers, err)
	}
	whole, err := f.Item(t.Context(), reviewer, item)
	if err != nil || len(whole.Answers) != 0 {
		t.Errorf("the item shows %+v, %v", whole.Answers, err)
	}
	f.mustHold(t)
}

func TestGoldCanBeSkippedUnnoticed(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 30, 1)
	f.addGold(t, 10)
	c := f.gold(t, f.labelers[0])
	if _, err := f.Skip(t.Context(), f.labelers[0], c.Task, c.Assignment, CannotDecide, ""); err != nil {
		t.Fatal(err)
	}
	if s := f.state(t, c.Task, f.labelers[0]); s.State != "adjudicated" || s.Live != 0 || s.AssignedState != "skipped" {
		t.Errorf("%+v", s)
	}
	f.mustHold(t)
}

// Gold items are made of what is decided, also of what came with its truth and never was in the queue.
func TestGoldIsMadeOfTruth(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 3, 1)
	items := f.addGold(t, 5)
	f.exec(t, `DELETE FROM gold_items`)
	f.exec(t, `DELETE FROM tasks WHERE item_id = $1`, items[0])
	reviewer := f.reviewerOf(t)
	for _, who := range []Actor{f.labelers[0], {PersonID: reviewer.PersonID, Role: access.Viewer}} {
		if _, err := f.AddGold(t.Context(), who, items[0]); !errors.Is(err, ErrDenied) {
			t.Errorf("%s added a gold item: %v", who.Role, err)
		}
	}
	var refused *InvalidError
	if _, err := f.AddGold(t.Context(), reviewer, f.items[0]); !errors.As(err, &refused) {
		t.Errorf("an undecided item became gold: %v", err)
	}
	for range 2 {
		if _, err := f.AddGold(t.Context(), reviewer, items[0]); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := f.AddGoldFromTruth(t.Context(), reviewer, f.project.ID, 3); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	if n, err := f.AddGoldFromTruth(t.Context(), reviewer, f.project.ID, 3); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	list, err := f.GoldItems(t.Context(), reviewer, f.project.ID, 0, 10)
	if err != nil || len(list) != 5 || !list[0].Ready || list[0].Boxes != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if all, ready, err := f.CountGold(t.Context(), reviewer, f.project.ID); err != nil || all != 5 || ready != 5 {
		t.Error(all, ready, err)
	}
}

// answerGold answers the labeler's next gold item, rightly or with nothing, and has it scored.
func (f *floor) answerGold(tb testing.TB, who Actor, rightly bool) {
	tb.Helper()
	c := f.gold(tb, who)
	a := f.answer(c)
	if !rightly {
		a.Boxes = nil
	}
	if _, err := f.Submit(tb.Context(), who, a); err != nil {
		tb.Fatal(err)
	}
	var item int64
	f.scan(tb, &item, `SELECT item_id FROM tasks WHERE id = $1`, c.Task)
	for range 2 { // doing it again comes to the same
		if err := f.ScoreGold(tb.Context(), item); err != nil {
			tb.Fatal(err)
		}
	}
}

// A labeler under the limit is brought before the reviewers, once; nothing is done to them until one says so.
func TestUnderTheLimitAReviewerIsAsked(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 200, 2)
	f.addGold(t, 60)
	reviewer, who := f.reviewerOf(t), f.labelers[0]
	f.answerGold(t, who, true)
	f.answerGold(t, who, false)
	if list, err := f.Concerns(t.Context(), reviewer, f.project.ID); err != nil || len(list) != 0 {
		t.Fatalf("after two of three: %+v, %v", list, err)
	}
	f.answerGold(t, who, false)
	f.answerGold(t, who, false)
	list, err := f.Concerns(t.Context(), reviewer, f.project.ID)
	if err != nil || len(list) != 1 || list[0].Person != who.PersonID || list[0].Results != 3 || math.Abs(list[0].Score-1.0/3) > 1e-9 {
		t.Fatalf("%+v, %v", list, err)
	}
	notices, err := f.Notices(t.Context(), reviewer, 0, 10)
	if err != nil || len(notices) != 1 || notices[0].Kind != ConcernRaised || notices[0].ObjectID != list[0].ID {
		t.Fatalf("%+v, %v", notices, err)
	}
	f.mustSubmit(t, who, f.mustClaim(t, who)) // the machine does nothing
	if err := f.SettleConcern(t.Context(), reviewer, f.project.ID, list[0].ID, ToDismiss, ""); err != nil {
		t.Fatal(err)
	}
	if err := f.SettleConcern(t.Context(), reviewer, f.project.ID, list[0].ID, ToPause, "Now."); !errors.Is(err, ErrConflict) {
		t.Fatalf("settled twice: %v", err)
	}
	f.answerGold(t, who, false)
	f.answerGold(t, who, false)
	if list, _ := f.Concerns(t.Context(), reviewer, f.project.ID); len(list) != 0 {
		t.Fatal("asked again before there were enough new ones")
	}
	f.answerGold(t, who, false)
	if list, _ = f.Concerns(t.Context(), reviewer, f.project.ID); len(list) != 1 {
		t.Fatal("not asked again")
	}
	var refused *InvalidError
	if err := f.SettleConcern(t.Context(), reviewer, f.project.ID, list[0].ID, ToPause, " "); !errors.As(err, &refused) {
		t.Fatalf("paused without a reason: %v", err)
	}
	if err := f.SettleConcern(t.Context(), reviewer, f.project.ID, list[0].ID, ToPause, "Let us talk first."); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Claim(t.Context(), who, f.project.Slug, 0); !errors.Is(err, ErrResting) {
		t.Fatalf("claimed while paused: %v", err)
	}
}

// A paused labeler gets nothing new in the project, and finishes what they have open.
func TestAPausedLabelerFinishesWhatIsOpen(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 2, 10, 1)
	reviewer, who := f.reviewerOf(t), f.labelers[0]
	open := f.mustClaim(t, who)
	late, err := f.Claim(t.Context(), who, f.project.Slug, open.Assignment)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.PauseMember(t.Context(), f.labelers[1], f.project.ID, who.PersonID, "No."); !errors.Is(err, ErrDenied) {
		t.Fatalf("a labeler paused another: %v", err)
	}
	if err := f.PauseMember(t.Context(), reviewer, f.project.ID, who.PersonID, "Let us talk first."); err != nil {
		t.Fatal(err)
	}
	desk, err := f.Desk(t.Context(), who)
	if err != nil || len(desk.Held) != 2 || desk.Projects[0].PausedAt == nil || desk.Projects[0].PauseReason != "Let us talk first." || desk.Projects[0].Left != 0 {
		t.Fatalf("%+v, %v", desk, err)
	}
	f.mustSubmit(t, who, f.mustClaim(t, who)) // theirs already
	f.runOut(t, late.Assignment)
	if leases, _, err := f.Heartbeat(t.Context(), who, []int64{late.Assignment}); err != nil || len(leases) != 1 {
		t.Fatal(leases, err)
	}
	if _, err := f.SaveDraft(t.Context(), who, late.Task, late.Assignment, 0, nil, nil); err != nil {
		t.Fatal(err)
	}
	f.exec(t, `DELETE FROM drafts`)
	f.mustSubmit(t, who, late)
	if c, err := f.Claim(t.Context(), who, f.project.Slug, 0); !errors.Is(err, ErrResting) {
		t.Fatalf("claimed %v, %v", c, err)
	}
	f.mustClaim(t, f.labelers[1])
	for range 2 {
		if err := f.ResumeMember(t.Context(), reviewer, f.project.ID, who.PersonID); err != nil {
			t.Fatal(err)
		}
	}
	f.mustClaim(t, who)
	notices, err := f.Notices(t.Context(), who, 0, 10)
	if err != nil || len(notices) != 2 || notices[0].Kind != MemberResumed || notices[1].Kind != MemberPaused {
		t.Errorf("%+v, %v", notices, err)
	}
	f.mustHold(t)
}
