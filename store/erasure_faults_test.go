package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/speech"
	"fiducial/store/storetest"
)

// Whatever step an erasure is stopped before, running it again does the rest, and the outcome is the same.
func TestErasureStoppedAtEachStep(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		g := newGrave(t, storetest.Pool(t))
		gone, kept := g.bury(t, "xcanaryx"), g.bury(t, "yfinchy")
		e := g.previewed(t, gone.source)
		if err := g.ConfirmErasure(t.Context(), g.admin, e.ID); err != nil {
			t.Fatal(err)
		}
		stopped := g.runUntil(t, e.ID, n)
		if stopped == "" {
			if n < 9 {
				t.Errorf("there were only %d steps", n)
			}
			return
		}
		if state := g.erasure(t, e.ID).State; state != ErasureErasing {
			t.Fatalf("stopped before %q it is %s", stopped, state)
		}
		if err := g.RunErasure(t.Context(), e.ID); err != nil {
			t.Fatalf("after a stop before %q: %v", stopped, err)
		}
		if e := g.erasure(t, e.ID); e.State != ErasureErased || e.DoneItems != 1 || e.Items != 1 || e.Proof.Total() != 0 || e.Erased["items"] != 1 || e.Erased["exports"] != 1 {
			t.Fatalf("after a stop before %q it is %s: %s, %+v", stopped, e.State, e.Error, e.Erased)
		}
		g.wantNothingOf(t, gone)
		if keys := g.objects(t, gone); len(keys) != 0 {
			t.Errorf("after a stop before %q objects are left: %v", stopped, keys)
		}
		if keys := g.objects(t, kept); len(keys) != 6 {
			t.Errorf("after a stop before %q another item has %v", stopped, keys)
		}
		if n := g.one(t, `SELECT count(*) FROM erasure_lists`); n != 0 {
			t.Errorf("after a stop before %q the list has %d rows", stopped, n)
		}
	}
}

// runUntil runs an erasure up to its step n, and says which that is; "" if it was done before.
func (g *grave) runUntil(t *testing.T, id int64, n int) (stopped string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	g.erasureStep = func(step string) {
		if n == 0 {
			stopped = step
			stop()
		}
		n--
	}
	err := g.RunErasure(ctx, id)
	g.erasureStep = nil
	if (err == nil) == (stopped != "") || err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped before %q: %v", stopped, err)
	}
	return stopped
}

// A transaction that cannot be committed leaves the step undone, and is done again.
func TestErasureWhoseCommitFails(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Private(t))
	gone := g.bury(t, "xcanaryx")
	g.exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'`)
	g.exec(t, `CREATE CONSTRAINT TRIGGER refusing AFTER DELETE ON items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`)
	before := g.rowsOf(t, gone)
	e := g.previewed(t, gone.source)
	if err := g.ConfirmErasure(t.Context(), g.admin, e.ID); err != nil {
		t.Fatal(err)
	}
	if err := g.RunErasure(t.Context(), e.ID); err == nil {
		t.Fatal("it was done although it could not be committed")
	}
	if after := g.rowsOf(t, gone); after != before {
		t.Error("a step was done by half")
	}
	g.exec(t, `DROP TRIGGER refusing ON items`)
	if err := g.RunErasure(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	g.wantNothingOf(t, gone)
}

// What is left anywhere fails the erasure, which says where it is and can be run again.
func TestProofFindsWhatIsLeft(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	gone := g.bury(t, "xcanaryx")
	e := g.previewed(t, gone.source)
	if err := g.ConfirmErasure(t.Context(), g.admin, e.ID); err != nil {
		t.Fatal(err)
	}
	g.erasureStep = func(step string) {
		if step == "proof" {
			g.exec(t, `INSERT INTO notices (person_id, kind, object_type, object_id) VALUES ($1, 'answer.rejected', 'task', $2)`, g.labeler.PersonID, gone.task)
		}
	}
	if err := g.RunErasure(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	g.erasureStep = nil
	e = g.erasure(t, e.ID)
	if e.State != ErasureFailed || e.Proof.Found["notices"] != 1 || e.ErasedAt != nil {
		t.Fatalf("it is %s: %s", e.State, e.Error)
	}
	g.exec(t, `DELETE FROM notices WHERE kind = 'answer.rejected'`)
	if err := g.ConfirmErasure(t.Context(), g.admin, e.ID); err != nil {
		t.Fatal(err)
	}
	if err := g.RunErasure(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if e = g.erasure(t, e.ID); e.State != ErasureErased {
		t.Errorf("run again it is %s: %s", e.State, e.Error)
	}
}

// A part of a picture that was being cut while its item was erased is not kept.
func TestErasureLeavesNothingThatWasBeingCut(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	gone := g.bury(t, "xcanaryx")
	e := g.previewed(t, gone.source)
	if err := g.ConfirmErasure(t.Context(), g.admin, e.ID); err != nil {
		t.Fatal(err)
	}
	_, err := g.cut(t.Context(), gone.item, "crop-1-1-2-2", func(picture io.Reader) ([]byte, error) {
		part, err := io.ReadAll(picture)
		return part, errors.Join(err, g.RunErasure(t.Context(), e.ID))
	})
	if !errors.Is(err, ErrErased) {
		t.Errorf("cut after its item was erased: %v", err)
	}
	if e := g.erasure(t, e.ID); e.State != ErasureErased {
		t.Fatalf("it is %s: %s", e.State, e.Error)
	}
	if keys := g.objects(t, gone); len(keys) != 0 {
		t.Errorf("objects are left: %v", keys)
	}
}

// What came in between preview and erasure goes too, and is told.
func TestErasureOfASourceTakesWhatCameLater(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	first := g.bury(t, "xcanaryx")
	e := g.previewed(t, first.source)
	late := buried{canary: "xcanaryx2", source: first.source}
	g.fillItem(t, &late)
	if err := g.ConfirmErasure(t.Context(), g.admin, e.ID); err != nil {
		t.Fatal(err)
	}
	if err := g.RunErasure(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if e = g.erasure(t, e.ID); e.State != ErasureErased || e.Late != 1 || e.DoneItems != 2 {
		t.Errorf("it is %s, %d items, %d of them late", e.State, e.DoneItems, e.Late)
	}
	g.wantNothingOf(t, first)
	g.wantNothingOf(t, late)
}

// Erasures that run at once with claims, drafts, freezes and each other end with nothing left and every figure right.
func TestErasuresAtOnceWithEverything(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	var all []buried
	first := g.bury(t, "item-0")
	all = append(all, first)
	for i := 1; i < 8; i++ {
		b := buried{canary: fmt.Sprintf("item-%d", i), source: first.source, group: first.group}
		g.fillItem(t, &b)
		all = append(all, b)
	}
	kept := g.bury(t, "kept")
	dataset := g.one(t, `INSERT INTO datasets (name) VALUES ('at-once') RETURNING id`)
	version := g.one(t, `INSERT INTO dataset_versions (dataset_id, number, recipe) VALUES ($1, 1, '{"projects":["strip"],"seed":1,"shares":{"training":0.5,"validation":0.2,"test":0.3}}') RETURNING id`, dataset)
	g.exec(t, `INSERT INTO dataset_version_projects (version_id, project_id) VALUES ($1, $2)`, version, g.project.ID)
	e := g.previewed(t, first.source)
	twin := g.previewed(t, first.source)
	var group sync.WaitGroup
	for _, id := range []int64{e.ID, twin.ID} {
		if err := g.ConfirmErasure(t.Context(), g.admin, id); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a job that was taken for dead
			group.Go(func() {
				if err := g.RunErasure(t.Context(), id); err != nil {
					t.Errorf("erasure: %v", err)
				}
			})
		}
	}
	group.Go(func() {
		if err := g.FillVersion(t.Context(), version); err != nil {
			t.Errorf("freeze: %v", err)
		}
	})
	for _, b := range all {
		group.Go(func() { g.keepSaving(t, b) })
	}
	group.Wait()
	for _, id := range []int64{e.ID, twin.ID} {
		if e := g.erasure(t, id); e.State != ErasureErased {
			t.Errorf("an erasure is %s: %s", e.State, e.Error)
		}
	}
	for _, b := range all {
		g.wantNothingOf(t, b)
	}
	if n := g.one(t, `SELECT count(*) FROM dataset_lines WHERE version_id = $1 AND item_id IS NOT NULL`, version); n > 1 {
		t.Errorf("%d lines of the version that was frozen meanwhile name items, of which one is left", n)
	}
	g.wantCountsRight(t)
	if n := g.one(t, `SELECT count(*) FROM items`); n != 1 {
		t.Errorf("%d items are left, one was to be: %d", n, kept.item)
	}
}

// keepSaving saves drafts of an item until it is gone.
func (g *grave) keepSaving(t *testing.T, b buried) {
	t.Helper()
	var assignment int64
	var version int
	const patience = 3 * time.Minute // of a machine that runs all tests at once
	for until := time.Now().Add(patience); time.Now().Before(until); {
		err := g.pool.QueryRow(t.Context(), `SELECT a.id, d.version FROM assignments a JOIN drafts d ON d.assignment_id = a.id WHERE a.task_id = $1`, b.task).Scan(&assignment, &version)
		if errors.Is(err, pgx.ErrNoRows) {
			return
		}
		if err != nil {
			t.Errorf("draft: %v", err)
			return
		}
		_, err = g.SaveDraft(t.Context(), g.labeler, b.task, assignment, version, []DraftBox{}, []speech.Segment{{End: 1, Text: "So it is."}})
		if errors.Is(err, ErrErased) {
			return
		}
		if err != nil {
			t.Errorf("a draft of what is erased: %v, want nil or ErrErased", err)
			return
		}
	}
	t.Errorf("the draft of item %d could be saved for %s", b.item, patience)
}

// wantCountsRight compares what is counted with what there is.
func (g *grave) wantCountsRight(t *testing.T) {
	t.Helper()
	for name, sql := range map[string]string{
		"items":         `SELECT (SELECT coalesce(sum(change), 0) FROM project_counts WHERE counted = 'items') - (SELECT count(*) FROM items)`,
		"tasks":         `SELECT (SELECT coalesce(sum(change), 0) FROM project_counts WHERE counted = 'tasks') - (SELECT count(*) FROM tasks)`,
		"labels":        `SELECT (SELECT coalesce(sum(change), 0) FROM label_counts WHERE counted = 'answers') - (SELECT count(*) FROM annotation_boxes)`,
		"truth":         `SELECT (SELECT coalesce(sum(change), 0) FROM label_counts WHERE counted = 'truth') - (SELECT count(*) FROM truth_boxes)`,
		"rounds":        `SELECT (SELECT sum(items) FROM rounds) - (SELECT count(*) FROM round_items)`,
		"relabels":      `SELECT (SELECT sum(items) FROM relabels) - (SELECT count(*) FROM relabel_items)`,
		"open batches":  `SELECT count(*) FROM batches b WHERE state <> 'closed' AND NOT EXISTS (SELECT FROM batch_items i WHERE i.batch_id = b.id)`,
		"drawn samples": `SELECT count(*) FROM batches b WHERE plan_size > (SELECT count(look) FROM batch_items i WHERE i.batch_id = b.id)`,
	} {
		if off := g.one(t, sql); off != 0 {
			t.Errorf("%s are counted wrong by %d", name, off)
		}
	}
	if _, err := g.RefreshBatches(t.Context()); err != nil {
		t.Fatal(err)
	}
	if off := g.one(t, `SELECT (SELECT sum(items) FROM batches) - (SELECT count(*) FROM batch_items)`); off != 0 {
		t.Errorf("batches count %d items too many", off)
	}
}

// A batch that was never planned has no plan after all of its items are gone, either.
func TestErasureEmptiesABatchWithoutAPlan(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	b := g.bury(t, "unplanned")
	g.exec(t, `UPDATE batches SET plan_size = NULL, plan_lot = NULL, plan_limit = NULL, plan_accept = NULL, planned_at = NULL WHERE id = $1`, b.batch)
	if e := g.erase(t, b.source); e.State != ErasureErased {
		t.Errorf("%s: %s", e.State, e.Error)
	}
	if state := g.one(t, `SELECT count(*) FROM batches WHERE id = $1 AND state = 'closed' AND plan_size IS NULL`, b.batch); state != 1 {
		t.Error("the batch is not closed without a plan")
	}
}
