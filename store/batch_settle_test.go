package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
)

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
