package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"fiducial/internal/access"
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
