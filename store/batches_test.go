package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
	"fiducial/store/storetest"
)

// newPrivateBench is a bench whose schema the test may change.
func newPrivateBench(tb testing.TB, labelers, items, overlap int) *bench {
	tb.Helper()
	b := &bench{floor: newFloor(tb, storetest.Private(tb), labelers, items, overlap)}
	b.reviewer = b.engage(tb, access.Reviewer)
	return b
}

// mustBatch makes a batch of these items.
func (b *bench) mustBatch(tb testing.TB, items ...int64) Batch {
	tb.Helper()
	batch, err := b.AddBatch(tb.Context(), b.reviewer, NewBatch{Project: b.project.ID, OwnerID: b.reviewer.PersonID, Choice: BatchChoice{Items: items}})
	if err != nil {
		tb.Fatal(err)
	}
	return b.again(tb, batch)
}

// again reads a batch as it is now.
func (b *bench) again(tb testing.TB, batch Batch) Batch {
	tb.Helper()
	now, err := b.Batch(tb.Context(), b.reviewer, b.project.Slug, batch.Number)
	if err != nil {
		tb.Fatal(err)
	}
	return now
}

func (b *bench) wantBatch(tb testing.TB, batch Batch, state BatchState, answered, decided int) Batch {
	tb.Helper()
	now := b.again(tb, batch)
	if now.State != state || now.Answered != answered || now.Decided != decided {
		tb.Fatalf("batch %d is %s, %d answered and %d decided of %d; want %s, %d and %d", now.Number, now.State, now.Answered, now.Decided, now.Items, state, answered, decided)
	}
	return now
}

// answerAll has every labeler answer whatever they can claim, and says on how many items.
func (b *bench) answerAll(tb testing.TB, boxes func(labeler int) []DraftBox) {
	tb.Helper()
	for n, labeler := range b.labelers {
		for {
			c, err := b.Claim(tb.Context(), labeler, b.project.Slug, 0)
			if errors.Is(err, ErrQueueEmpty) {
				break
			}
			if err != nil {
				tb.Fatal(err)
			}
			a := b.answer(c)
			if boxes != nil {
				a.Boxes = boxes(n)
			}
			a.Version = b.draftVersion(tb, c.Assignment)
			if _, err := b.Submit(tb.Context(), labeler, a); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

func (b *bench) draftVersion(tb testing.TB, assignment int64) (version int) {
	tb.Helper()
	b.scan(tb, &version, `SELECT coalesce((SELECT version FROM drafts WHERE assignment_id = $1), 0)`, assignment)
	return version
}

// sampled draws a sample and decides on all of it as kind says.
func (b *bench) sampled(tb testing.TB, batch Batch, limit float64, accept int, kind func(look int) DecisionKind) Batch {
	tb.Helper()
	batch = b.again(tb, batch)
	if err := b.SampleBatch(tb.Context(), b.reviewer, batch.ID, batch.Version, limit, accept); err != nil {
		tb.Fatal(err)
	}
	batch = b.again(tb, batch)
	for look := 1; ; look++ {
		item, err := b.NextLook(tb.Context(), b.reviewer, batch, 0)
		if errors.Is(err, ErrQueueEmpty) {
			return b.again(tb, batch)
		}
		if err != nil {
			tb.Fatal(err)
		}
		b.mustDecide(tb, item, kind(look))
	}
}

func always(kind DecisionKind) func(int) DecisionKind { return func(int) DecisionKind { return kind } }

func (b *bench) mustApprove(tb testing.TB, batch Batch) {
	tb.Helper()
	if err := b.ApproveBatch(tb.Context(), b.reviewer, batch.ID, batch.Version, 0); err != nil {
		tb.Fatal(err)
	}
}

func (b *bench) mustSettle(tb testing.TB, batch Batch) {
	tb.Helper()
	if err := b.SettleBatch(tb.Context(), batch.ID); err != nil {
		tb.Fatal(err)
	}
}

func refused(err error) bool {
	_, ok := errors.AsType[*InvalidError](err)
	return ok
}

// noticed counts what a person was told of kind.
func (b *bench) noticed(tb testing.TB, who Actor, kind NoticeKind) (n int) {
	tb.Helper()
	b.scan(tb, &n, `SELECT count(*) FROM notices WHERE person_id = $1 AND kind = $2`, who.PersonID, kind)
	return n
}

func TestBatchIsHandedOutFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 6, 1)
	batch := b.mustBatch(t, b.items[3:]...)
	b.wantBatch(t, batch, BatchOpen, 0, 0)
	for i := range 3 {
		c := b.mustClaim(t, b.labelers[0])
		if c.Task != b.tasks[3+i] {
			t.Fatalf("claim %d got task %d, want one of the batch, %v", i, c.Task, b.tasks[3:])
		}
		b.mustSubmit(t, b.labelers[0], c)
		b.mustHold(t)
	}
	if c := b.mustClaim(t, b.labelers[0]); c.Task != b.tasks[0] {
		t.Errorf("after the batch came task %d", c.Task)
	}
}

func TestBatchFollowsTheFacts(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, 3, 1)
	other := b.engage(t, access.Admin)
	batch, err := b.AddBatch(t.Context(), other, NewBatch{
		Project: b.project.ID, OwnerID: b.reviewer.PersonID, Title: "First", Due: new(time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)), Choice: BatchChoice{Items: b.items},
	})
	if err != nil || batch.Number != 1 || batch.Title != "First" || !batch.Overdue {
		t.Fatalf("%+v, %v", batch, err)
	}
	if b.noticed(t, b.reviewer, BatchYours) != 1 {
		t.Error("its owner was not told")
	}
	b.wantBatch(t, batch, BatchOpen, 0, 0)
	first := b.mustClaim(t, b.labelers[0])
	b.wantBatch(t, batch, BatchLabeling, 0, 0)
	b.mustSubmit(t, b.labelers[0], first)
	b.wantBatch(t, batch, BatchLabeling, 1, 0)
	unsure := b.mustClaim(t, b.labelers[0])
	if _, err := b.Skip(t.Context(), b.labelers[0], unsure.Task, unsure.Assignment, CannotDecide, ""); err != nil {
		t.Fatal(err)
	}
	b.answerAll(t, nil)
	if n, err := b.RefreshBatches(t.Context()); err != nil || n != 1 {
		t.Errorf("the job refreshed %d batches, %v", n, err)
	}
	if n, err := b.RefreshBatches(t.Context()); err != nil || n != 0 {
		t.Errorf("the job refreshed %d batches again, %v", n, err)
	}
	batch = b.wantBatch(t, batch, BatchInReview, 3, 0)
	if b.noticed(t, b.reviewer, BatchAnswered) != 1 {
		t.Error("its owner was not told that it is in review")
	}
	if err := b.ApproveBatch(t.Context(), b.reviewer, batch.ID, batch.Version, 0); !refused(err) {
		t.Errorf("approved without a look: %v", err)
	}
	workers, err := b.BatchWorkers(t.Context(), b.reviewer, batch)
	if err != nil || len(workers) != 1 || workers[0].Answered != 2 {
		t.Errorf("workers %+v, %v", workers, err)
	}
	// Decided one by one, it needs no look at a sample.
	b.mustDecide(t, b.items[1], Discarded)
	b.mustDecide(t, b.items[0], Approved)
	b.wantBatch(t, batch, BatchInReview, 3, 2)
	last := b.mustDecide(t, b.items[2], Amended)
	b.wantBatch(t, batch, BatchApproved, 3, 3)
	if b.noticed(t, b.labelers[0], BatchDone) != 1 || b.noticed(t, b.reviewer, BatchDone) != 1 || b.noticed(t, b.labelers[1], BatchDone) != 0 {
		t.Error("not those who worked on it were told")
	}
	b.mustUndo(t, last)
	b.wantBatch(t, batch, BatchApproved, 3, 2)
	b.mustHold(t)
}

func TestOnlyOneUnfinishedBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 4, 1)
	first := b.mustBatch(t, b.items[:2]...)
	second := b.mustBatch(t, b.items...)
	if second = b.again(t, second); second.Items != 2 || second.Number != 2 || second.Priority >= first.Priority {
		t.Fatalf("the second has %d items at priority %d, the first has %d", second.Items, second.Priority, first.Priority)
	}
	_, err := b.AddBatch(t.Context(), b.reviewer, NewBatch{Project: b.project.ID, Choice: BatchChoice{Items: b.items}})
	if !refused(err) {
		t.Errorf("a batch of what is in others: %v", err)
	}
	if err := b.CloseBatch(t.Context(), b.reviewer, first.ID, first.Version+1); !errors.Is(err, ErrConflict) {
		t.Errorf("closed in another version: %v", err)
	}
	if err := b.CloseBatch(t.Context(), b.reviewer, first.ID, first.Version); err != nil {
		t.Fatal(err)
	}
	var priority int
	b.scan(t, &priority, `SELECT priority FROM tasks WHERE id = $1`, b.tasks[0])
	if priority != 0 {
		t.Errorf("an item of a closed batch has priority %d", priority)
	}
	if third := b.mustBatch(t, b.items[:2]...); third.Items != 2 || third.Number != 3 {
		t.Errorf("%+v", third)
	}
	b.mustHold(t)
}

// However many make batches of the same items at once, each item is in one.
func TestBatchesMadeAtOnceShareNoItem(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 8, 1)
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			_, err := b.AddBatch(t.Context(), b.reviewer, NewBatch{Project: b.project.ID, Choice: BatchChoice{State: NeverLabeled, Size: 4}})
			if err != nil && !refused(err) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	var batches, items, distinct int
	err := b.pool.QueryRow(t.Context(), `SELECT count(DISTINCT batch_id), count(*), count(DISTINCT item_id) FROM batch_items`).Scan(&batches, &items, &distinct)
	if err != nil || batches != 2 || items != 8 || distinct != 8 {
		t.Errorf("%d batches hold %d items, %d of them different, %v", batches, items, distinct, err)
	}
	b.mustHold(t)
}

func TestItemsComeAndGoWhileABatchIsOpen(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 5, 1)
	batch := b.mustBatch(t, b.items[:2]...)
	added, err := b.AddToBatch(t.Context(), b.reviewer, batch.ID, batch.Version, BatchChoice{Items: b.items[1:4]})
	if err != nil || added != 2 {
		t.Fatalf("added %d, %v", added, err)
	}
	batch = b.again(t, batch)
	if removed, err := b.RemoveFromBatch(t.Context(), b.reviewer, batch.ID, batch.Version, b.items[:1]); err != nil || removed != 1 {
		t.Fatalf("removed %d, %v", removed, err)
	}
	batch = b.again(t, batch)
	if _, err := b.RemoveFromBatch(t.Context(), b.reviewer, batch.ID, batch.Version, b.items); !refused(err) {
		t.Errorf("all were removed: %v", err)
	}
	if c := b.mustClaim(t, b.labelers[0]); c.Task != b.tasks[1] {
		t.Errorf("claimed %d of %v", c.Task, b.tasks)
	}
	batch = b.again(t, batch)
	if _, err := b.AddToBatch(t.Context(), b.reviewer, batch.ID, batch.Version, BatchChoice{Items: b.items}); !refused(err) || batch.Items != 3 {
		t.Errorf("%d items; more came after the first claim: %v", batch.Items, err)
	}
	b.mustHold(t)
}

func TestChoicesOfItems(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 6, 1)
	var dent, version, group int64
	b.scan(t, &dent, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'dent', 1) RETURNING id`, b.project.ID)
	b.scan(t, &version, `WITH m AS (INSERT INTO models (name, kind) VALUES ('net', 'detector') RETURNING id)
		INSERT INTO model_versions (model_id, version) SELECT id, '1' FROM m RETURNING id`)
	b.scan(t, &group, `INSERT INTO groups (source_id, name) SELECT id, 'coil-7' FROM sources RETURNING id`)
	for i, item := range b.items {
		b.exec(t, `INSERT INTO item_texts (item_id, external_key) VALUES ($1, $2)`, item, fmt.Sprintf("coil-%d/strip-%d.png", i/3, i))
		b.exec(t, `UPDATE items SET captured_at = '2026-01-01'::timestamptz + $2 * interval '1 day', key_hash = $3 WHERE id = $1`, item, i,
			keyHash(b.secret(t), fmt.Sprintf("coil-%d/strip-%d.png", i/3, i)))
	}
	b.exec(t, `UPDATE items SET group_id = $1 WHERE id = $2`, group, b.items[5])
	b.exec(t, `WITH p AS (INSERT INTO predictions (item_id, model_version_id, purpose) VALUES ($1, $2, 'prediction') RETURNING id)
		INSERT INTO prediction_boxes (prediction_id, position, class_id, x, y, w, h, score) SELECT id, 0, $3, 1, 1, 2, 2, 0.5 FROM p`, b.items[4], version, dent)
	c := b.mustClaim(t, b.labelers[0])
	b.mustSubmit(t, b.labelers[0], c) // the first item
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	tests := []struct {
		name   string
		choice BatchChoice
		want   []int // places in items
	}{
		{"all", BatchChoice{}, []int{0, 1, 2, 3, 4, 5}},
		{"class", BatchChoice{Class: dent}, []int{4}},
		{"folder", BatchChoice{Folder: "coil-1/"}, []int{3, 4, 5}},
		{"group", BatchChoice{Group: "coil-7"}, []int{5}},
		{"never labeled", BatchChoice{State: NeverLabeled}, []int{1, 2, 3, 4, 5}},
		{"in review", BatchChoice{State: InReview}, []int{0}},
		{"truth", BatchChoice{State: HasTruth}, nil},
		{"captured", BatchChoice{From: day(2), To: day(4)}, []int{1, 2}},
		{"some", BatchChoice{Folder: "coil-1/", Size: 2}, []int{3, 4}},
		{"keys", BatchChoice{Keys: []string{"coil-0/strip-2.png", " coil-1/strip-5.png", "coil-9/none.png"}}, []int{2, 5}},
		{"nowhere", BatchChoice{Folder: "coil-9/"}, nil},
	}
	for _, tt := range tests {
		preview, err := b.PreviewBatch(t.Context(), b.reviewer, b.project.ID, tt.choice)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var got []int
		for _, line := range preview.First {
			got = append(got, slices.Index(b.items, line.ID))
		}
		if !slices.Equal(got, tt.want) || preview.Taken != len(tt.want) {
			t.Errorf("%s: %v, %d taken of %d; want %v", tt.name, got, preview.Taken, preview.Matching, tt.want)
		}
		if want := len(tt.choice.Keys) - len(tt.want); len(tt.choice.Keys) > 0 && len(preview.Unknown) != want {
			t.Errorf("%s: unknown %v", tt.name, preview.Unknown)
		}
	}
	random := func(seed int64) []int64 {
		p, err := projectByID(t.Context(), b.pool, b.reviewer, b.project.ID)
		if err != nil {
			t.Fatal(err)
		}
		items, err := b.pick(t.Context(), b.pool, p, BatchChoice{Size: 3, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
	if one := random(1); !slices.Equal(one, random(1)) || slices.Equal(one, random(2)) && slices.Equal(one, random(3)) {
		t.Errorf("drew %v again and again", one)
	}
	for _, bad := range []BatchChoice{{State: "lost"}, {Size: -1}, {Size: BatchMost + 1}, {From: day(3), To: day(3)}} {
		if _, err := b.PreviewBatch(t.Context(), b.reviewer, b.project.ID, bad); !refused(err) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func (b *bench) secret(tb testing.TB) (secret []byte) {
	tb.Helper()
	b.scan(tb, &secret, `SELECT key_secret FROM projects WHERE id = $1`, b.project.ID)
	return secret
}

// A batch is approved as a whole after the look, each item by a decision of its own.
func TestApproveAfterTheLook(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 40, 1)
	batch := b.mustBatch(t, b.items...)
	if err := b.SampleBatch(t.Context(), b.reviewer, batch.ID, batch.Version, 0.2, 0); !refused(err) {
		t.Errorf("a sample of what is not answered: %v", err)
	}
	b.answerAll(t, nil)
	batch = b.sampled(t, batch, 0.2, 0, always(Approved))
	plan, _ := batch.Plan()
	if batch.Looked != plan.Size || batch.Faulty != 0 || plan.Lot != 40 || plan.Size >= 40 {
		t.Fatalf("%d looked at, %d faulty, plan %+v", batch.Looked, batch.Faulty, plan)
	}
	if err := b.SampleBatch(t.Context(), b.reviewer, batch.ID, batch.Version, 0.4, 0); !refused(err) {
		t.Errorf("another plan after the look: %v", err)
	}
	b.mustApprove(t, batch)
	if now := b.wantBatch(t, batch, BatchInReview, 40, plan.Size); now.Settling != "approve" || now.OfItems != 40-plan.Size {
		t.Errorf("%+v", now)
	}
	if err := b.ApproveBatch(t.Context(), b.reviewer, batch.ID, 0, 0); !refused(err) {
		t.Errorf("approved while it is being approved: %v", err)
	}
	b.mustSettle(t, batch)
	b.mustSettle(t, batch)
	batch = b.wantBatch(t, batch, BatchApproved, 40, 40)
	if batch.Settling != "" || batch.Done != batch.OfItems || batch.ApprovedAt == nil {
		t.Errorf("%+v", batch)
	}
	var decisions, byReviewer, ofBatch int
	err := b.pool.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE reviewer_id = $1 AND decision = 'approved'), count(batch_id) FROM reviews`,
		b.reviewer.PersonID).Scan(&decisions, &byReviewer, &ofBatch)
	if err != nil || decisions != 40 || byReviewer != 40 || ofBatch != 40-plan.Size {
		t.Errorf("%d decisions, %d approvals by the reviewer, %d of the batch, %v", decisions, byReviewer, ofBatch, err)
	}
	var undone int64
	b.scan(t, &undone, `SELECT max(id) FROM reviews WHERE batch_id IS NOT NULL`)
	b.mustUndo(t, undone)
	b.wantBatch(t, batch, BatchApproved, 40, 39)
	b.mustHold(t)
}

// A faulty item of the sample refuses the batch, unless the plan accepts it.
func TestFaultyItemsRefuseABatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 30, 1)
	batch := b.mustBatch(t, b.items...)
	b.answerAll(t, nil)
	batch = b.sampled(t, batch, 0.3, 1, func(look int) DecisionKind {
		return map[bool]DecisionKind{true: Amended, false: Approved}[look <= 2]
	})
	if batch.Faulty != 2 {
		t.Fatalf("%d faulty", batch.Faulty)
	}
	if err := b.ApproveBatch(t.Context(), b.reviewer, batch.ID, batch.Version, 0); !refused(err) {
		t.Errorf("approved with 2 faulty items of 1: %v", err)
	}
	// One of the two was right after all.
	var decision int64
	b.scan(t, &decision, `SELECT max(id) FROM reviews WHERE decision = 'amended'`)
	b.mustUndo(t, decision)
	if batch = b.again(t, batch); batch.Faulty != 1 {
		t.Fatalf("%d faulty after an undo", batch.Faulty)
	}
	if err := b.ApproveBatch(t.Context(), b.reviewer, batch.ID, batch.Version, 0); !refused(err) {
		t.Errorf("approved with a look missing: %v", err)
	}
	item, err := b.NextLook(t.Context(), b.reviewer, batch, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.mustDecide(t, item, Approved)
	b.mustApprove(t, b.again(t, batch))
	b.mustSettle(t, batch)
	b.wantBatch(t, batch, BatchApproved, 30, 30)
	b.mustHold(t)
}

// What a majority settles is merged; what none does, is disputed or undecided is left by name.
func TestApprovalLeavesWhatNoMajoritySettles(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3, 5, 3)
	b.project.Overlap = 3
	batch := b.mustBatch(t, b.items...)
	alike := []DraftBox{{ID: "a", ClassID: b.class, X: 1, Y: 2, W: 30, H: 40}}
	near := []DraftBox{{ID: "a", ClassID: b.class, X: 3, Y: 2, W: 30, H: 40}}
	for n, labeler := range b.labelers {
		for place := range b.items {
			c := b.mustClaim(t, labeler)
			a := NewAnnotation{Task: c.Task, Assignment: c.Assignment, Boxes: alike}
			switch {
			case place == 1 && n == 1:
				a.Boxes = near // the median of three
			case place == 2 && n == 2:
				a.Boxes = nil // missed by one
			case place == 3:
				a.Boxes = [][]DraftBox{alike, nil, {{ID: "x", ClassID: b.class, X: 1, Y: 2, W: 30, H: 12}, {ID: "y", ClassID: b.class, X: 1, Y: 22, W: 30, H: 18}}}[n]
			case place == 4 && n == 2:
				if _, err := b.Skip(t.Context(), labeler, c.Task, c.Assignment, CannotDecide, "Water."); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if _, err := b.Submit(t.Context(), labeler, a); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.exec(t, `UPDATE batches SET plan_limit = 0.5, plan_accept = 0, plan_lot = 5, plan_size = 0, plan_seed = 1, planned_at = now()`)
	batch = b.again(t, batch)
	b.mustApprove(t, batch)
	b.mustSettle(t, batch)
	batch = b.again(t, batch)
	items, err := b.BatchItems(t.Context(), b.reviewer, batch, BatchItemFilter{Left: true, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, item := range items {
		left = append(left, fmt.Sprint(item.Position, " ", item.Left))
	}
	if want := []string{"4 conflict", "5 undecided"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
	b.wantBatch(t, batch, BatchInReview, 5, 3)
	for place, want := range [][]Box{{b.first()}, {b.first()}, {b.first()}} {
		if got := b.truth(t, b.items[place]); !slices.Equal(got, want) {
			t.Errorf("item %d has truth %v, want %v", place+1, got, want)
		}
	}
	// What was left is decided by hand; the approval was given, so the batch is approved with the last of them.
	b.mustDecide(t, b.items[3], Approved)
	b.mustDecide(t, b.items[4], Discarded)
	b.wantBatch(t, batch, BatchApproved, 5, 5)
	b.mustHold(t)
}

func TestReturnSendsEveryAnswerBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, 6, 2)
	batch := b.mustBatch(t, b.items...)
	b.answerAll(t, nil)
	kept := b.items[2]
	b.mustDecide(t, kept, Approved)
	batch = b.again(t, batch)
	back := BatchReturn{Batch: batch.ID, Version: batch.Version, Fault: LooseBox}
	if err := b.ReturnBatch(t.Context(), b.labelers[0], back); !errors.Is(err, ErrDenied) {
		t.Errorf("a labeler returned it: %v", err)
	}
	if err := b.ReturnBatch(t.Context(), b.reviewer, BatchReturn{Batch: batch.ID, Version: batch.Version, Fault: OtherFault}); !refused(err) {
		t.Errorf("returned without a word: %v", err)
	}
	if err := b.ReturnBatch(t.Context(), b.reviewer, back); err != nil {
		t.Fatal(err)
	}
	b.mustSettle(t, batch)
	b.wantBatch(t, batch, BatchReturned, 1, 1)
	var marks, reworks int
	b.scan(t, &marks, `SELECT count(*) FROM review_marks WHERE reason = 'loose_box' AND position IS NULL AND x IS NULL`)
	b.scan(t, &reworks, `SELECT count(*) FROM assignments WHERE reason = 'rework' AND state = 'returned'`)
	if marks != 10 || reworks != 10 {
		t.Errorf("%d marks, %d reworks", marks, reworks)
	}
	for _, labeler := range b.labelers {
		if b.noticed(t, labeler, BatchBack) != 1 || b.noticed(t, labeler, AnswerRejected) != 0 {
			t.Error("a labeler is told of the batch once, and of no single answer")
		}
	}
	b.mustHold(t)
	b.mustClaim(t, b.labelers[0])
	b.wantBatch(t, batch, BatchLabeling, 1, 1)
	b.answerAll(t, nil)
	batch = b.wantBatch(t, batch, BatchInReview, 6, 1)
	if batch.PlannedAt != nil || batch.Fault != LooseBox {
		t.Errorf("%+v", batch)
	}
	b.mustHold(t)
}

// Cut off between any two items, the job goes on where it stopped, and decides on no item twice.
func TestSettlingCutOffGoesOn(t *testing.T) {
	t.Parallel()
	b := newPrivateBench(t, 1, 60, 1)
	batch := b.mustBatch(t, b.items...)
	b.answerAll(t, nil)
	b.exec(t, `UPDATE batches SET plan_limit = 0.5, plan_accept = 0, plan_lot = 60, plan_size = 0, plan_seed = 1, planned_at = now()`)
	b.mustApprove(t, b.again(t, batch))
	b.exec(t, `CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF (SELECT count(*) FROM reviews) >= 31 THEN RAISE EXCEPTION 'cut off'; END IF; RETURN NULL; END $$`)
	b.exec(t, `CREATE CONSTRAINT TRIGGER cut_off AFTER INSERT ON truths DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut_off()`)
	if err := b.SettleBatch(t.Context(), batch.ID); err == nil {
		t.Fatal("it was not cut off")
	}
	if now := b.wantBatch(t, batch, BatchInReview, 60, 30); now.Settling != "approve" || now.Done != 25 {
		t.Fatalf("cut off: %+v", now)
	}
	b.exec(t, `DROP FUNCTION cut_off CASCADE`)
	b.exec(t, `DELETE FROM river_job`)
	if _, err := b.ResumeWork(t.Context()); err != nil || b.queued(t, jobargs.SettleBatch{}.Kind()) != 1 {
		t.Errorf("after a restore %d jobs go on, %v", b.queued(t, jobargs.SettleBatch{}.Kind()), err)
	}
	b.mustSettle(t, batch)
	b.wantBatch(t, batch, BatchApproved, 60, 60)
	var decisions, items int
	err := b.pool.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT item_id) FROM reviews`).Scan(&decisions, &items)
	if err != nil || decisions != 60 || items != 60 {
		t.Errorf("%d decisions on %d items, %v", decisions, items, err)
	}
	b.mustHold(t)
}

// While a batch is approved as a whole, by two jobs at once, others decide on its items too: each item has one
// decision that stands, whoever was first.
func TestApprovalAndReviewersAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 40, 1)
	other := b.engage(t, access.Reviewer)
	batch := b.mustBatch(t, b.items...)
	b.answerAll(t, nil)
	b.exec(t, `UPDATE batches SET plan_limit = 0.5, plan_accept = 0, plan_lot = 40, plan_size = 0, plan_seed = 1, planned_at = now()`)
	b.mustApprove(t, b.again(t, batch))
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if err := b.SettleBatch(t.Context(), batch.ID); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Go(func() {
		for _, item := range slices.Backward(b.items) {
			r, err := b.ReviewItem(t.Context(), other, item)
			if err != nil {
				t.Error(err)
				return
			}
			if r.Decided() {
				continue
			}
			_, err = b.Adjudicate(t.Context(), other, Adjudication{Item: item, Version: r.Version, Kind: Amended, Annotation: r.Answers[0].ID, Boxes: []DraftBox{}})
			if err != nil && !errors.Is(err, ErrConflict) {
				t.Error(err)
			}
		}
	})
	wait.Wait()
	b.mustSettle(t, batch)
	batch = b.wantBatch(t, batch, BatchApproved, 40, 40)
	var decisions, truths, byHand, left int
	err := b.pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM reviews), (SELECT count(*) FROM truths WHERE current), (SELECT count(*) FROM reviews WHERE batch_id IS NULL),
			(SELECT count(*) FROM batch_items WHERE left_because = 'changed')`).Scan(&decisions, &truths, &byHand, &left)
	if err != nil || decisions != 40 || truths != 40 || byHand != left {
		t.Errorf("%d decisions, %d truths, %d by hand and %d left as changed, %v", decisions, truths, byHand, left, err)
	}
	b.mustHold(t)
}

// A token has no name to decide in; it says whose.
func TestTokensSettleInAPersonsName(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 2, 1)
	batch := b.mustBatch(t, b.items...)
	b.answerAll(t, nil)
	token := Actor{Role: access.Admin}
	b.scan(t, &token.TokenID, `INSERT INTO api_tokens (name, token_hash, role) VALUES ('ci', '\x01', 'admin') RETURNING id`)
	batch = b.again(t, batch)
	back := BatchReturn{Batch: batch.ID, Version: batch.Version, Fault: WrongClass}
	for _, by := range []int64{0, b.labelers[0].PersonID} {
		if back.By = by; !refused(b.ReturnBatch(t.Context(), token, back)) {
			t.Errorf("returned in the name of %d", by)
		}
	}
	back.By = b.reviewer.PersonID
	if err := b.ReturnBatch(t.Context(), token, back); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `DELETE FROM members WHERE person_id = $1`, b.reviewer.PersonID)
	b.mustSettle(t, batch)
	now, err := b.Batch(t.Context(), System(), b.project.Slug, 1)
	if err != nil || now.Error == "" || now.Settling != "" || now.State != BatchInReview {
		t.Errorf("settled in the name of one who left: %+v, %v", now, err)
	}
}

// What was frozen stays as it was when a decision that it rests on is undone.
func TestUndoAfterAFreezeLeavesTheVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 6, 1)
	for i, item := range b.items {
		b.exec(t, `INSERT INTO item_texts (item_id, external_key) VALUES ($1, $2)`, item, fmt.Sprintf("strip-%d.png", i))
		b.exec(t, `INSERT INTO item_salts (item_id, salt) VALUES ($1, sha256($2))`, item, fmt.Appendf(nil, "salt %d", i))
	}
	batch := b.mustBatch(t, b.items...)
	b.answerAll(t, nil)
	b.mustApprove(t, b.sampled(t, batch, 0.5, 0, always(Approved)))
	b.mustSettle(t, batch)
	version := b.frozen(t)
	before := b.lines(t, version)
	var decision int64
	b.scan(t, &decision, `SELECT max(id) FROM reviews WHERE batch_id IS NOT NULL`)
	b.mustUndo(t, decision)
	if after := b.lines(t, version); before != after {
		t.Errorf("the version was %s, and is %s", before, after)
	}
	check, err := b.Verify(t.Context(), System(), version, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.RunVerification(t.Context(), check.ID); err != nil {
		t.Fatal(err)
	}
	if check, _, err = b.Verification(t.Context(), System(), check.ID); err != nil || !check.Holds() || check.Matching != 6 {
		t.Errorf("%+v, %v", check, err)
	}
}

func (b *bench) lines(tb testing.TB, v DatasetVersion) (all string) {
	tb.Helper()
	b.scan(tb, &all, `SELECT jsonb_agg(to_jsonb(l) ORDER BY position)::text FROM dataset_lines l WHERE version_id = $1`, v.ID)
	return all
}

// queued returns what waits for the workers of a kind.
func (b *bench) queued(tb testing.TB, kind string) (n int) {
	tb.Helper()
	b.scan(tb, &n, `SELECT count(*) FROM river_job WHERE kind = $1 AND state = 'available'`, kind)
	return n
}

// An approval whose commit fails leaves neither a trace nor a job.
func TestApprovalIsAllOrNothing(t *testing.T) {
	t.Parallel()
	b := newPrivateBench(t, 1, 2, 1)
	batch := b.mustBatch(t, b.items...)
	b.answerAll(t, nil)
	batch = b.again(t, batch)
	b.exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$`)
	b.exec(t, `CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`)
	if err := b.ReturnBatch(t.Context(), b.reviewer, BatchReturn{Batch: batch.ID, Version: batch.Version, Fault: LooseBox}); err == nil {
		t.Fatal("returned although the commit fails")
	}
	b.exec(t, `DROP FUNCTION refuse CASCADE`)
	if now := b.again(t, batch); now.Version != batch.Version || now.Settling != "" || b.queued(t, jobargs.SettleBatch{}.Kind()) != 0 {
		t.Errorf("%+v", now)
	}
}

func TestBatchesAreTheProjects(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 2, 1)
	batch := b.mustBatch(t, b.items...)
	stranger := Actor{Role: access.Reviewer}
	b.scan(t, &stranger.PersonID, `INSERT INTO people (role, pseudonym) VALUES ('reviewer', gen_random_uuid()) RETURNING id`)
	ctx := t.Context()
	for name, err := range map[string]error{
		"batch":  errorOf(b.Batch(ctx, stranger, b.project.Slug, 1)),
		"add":    errorOf(b.AddBatch(ctx, stranger, NewBatch{Project: b.project.ID})),
		"close":  b.CloseBatch(ctx, stranger, batch.ID, 0),
		"update": b.UpdateBatch(ctx, stranger, BatchEdit{ID: batch.ID}),
		"sample": b.SampleBatch(ctx, stranger, batch.ID, 0, 0.1, 0),
		"round":  errorOf(b.OpenRound(ctx, stranger, NewRound{Project: b.project.ID})),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of a project that they do not see: %v", name, err)
		}
	}
	if list, err := b.Batches(ctx, stranger, b.project.ID, BatchFilter{Limit: 10}); err != nil || len(list) != 0 {
		t.Errorf("listed %v, %v", list, err)
	}
	if err := b.UpdateBatch(ctx, b.reviewer, BatchEdit{ID: batch.ID, OwnerID: b.labelers[0].PersonID}); !refused(err) {
		t.Errorf("a labeler owns it: %v", err)
	}
	if err := b.UpdateBatch(ctx, b.labelers[0], BatchEdit{ID: batch.ID}); !errors.Is(err, ErrDenied) {
		t.Errorf("a labeler changed it: %v", err)
	}
	admin := b.engage(t, access.Admin)
	if err := b.UpdateBatch(ctx, b.reviewer, BatchEdit{ID: batch.ID, Title: " Sunday ", OwnerID: admin.PersonID}); err != nil {
		t.Fatal(err)
	}
	if now := b.again(t, batch); now.Title != "Sunday" || now.OwnerID != admin.PersonID || b.noticed(t, admin, BatchYours) != 1 {
		t.Errorf("%+v", now)
	}
}

func errorOf[T any](_ T, err error) error { return err }

// frozen freezes the project.
func (b *bench) frozen(tb testing.TB) DatasetVersion {
	tb.Helper()
	recipe := manifest.Default()
	recipe.Projects = []string{b.project.Slug}
	version, err := b.Freeze(tb.Context(), System(), "strips", recipe)
	if err != nil {
		tb.Fatal(err)
	}
	if err := b.FillVersion(tb.Context(), version.ID); err != nil {
		tb.Fatal(err)
	}
	version, err = b.DatasetVersion(tb.Context(), System(), "strips", 1)
	if err != nil || version.State != VersionFrozen {
		tb.Fatalf("%+v, %v", version, err)
	}
	return version
}

// A gold item shows the batch that its labeler is at, and counts as any other item of it.
func TestGoldShowsTheBatchAtHand(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 5, 1)
	b.mustBatch(t, b.items[:3]...)
	place := func(assignment int64) WorkPlace {
		p, err := b.workPlace(t.Context(), assignment)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := b.mustClaim(t, b.labelers[0])
	if got := place(first.Assignment); got != (WorkPlace{1, 1}) {
		t.Errorf("the first is %+v", got)
	}
	b.mustSubmit(t, b.labelers[0], first)
	var gold int64
	b.scan(t, &gold, `INSERT INTO assignments (task_id, project_id, person_id, reason, state) VALUES ($1, $2, $3, 'gold', 'expired') RETURNING id`,
		b.tasks[4], b.project.ID, b.labelers[0].PersonID)
	if got := place(gold); got != (WorkPlace{1, 2}) {
		t.Errorf("gold is %+v", got)
	}
	b.exec(t, `UPDATE assignments SET state = 'submitted', finished_at = now() WHERE id = $1`, gold)
	if got := place(b.mustClaim(t, b.labelers[0]).Assignment); got != (WorkPlace{1, 3}) {
		t.Errorf("the one after gold is %+v", got)
	}
	if b.again(t, Batch{Number: 1}).Answered != 1 {
		t.Error("gold counts for the batch")
	}
}
