package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fiducial/store/storetest"
)

// keepsID lists where the id of an erased item, or of its task, stays on purpose.
var keepsID = []string{"erasure_items.item_id", "erasure_items.task_id", "media_reads.item_id", "queue_cursors.task_id", "audit_events.object_id"}

// An erasure leaves nothing of an item in any column or object, and everything of another.
func TestErasureLeavesNothing(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	gone, kept := g.bury(t, "xcanaryx"), g.bury(t, "yfinchy")
	before := g.rowsOf(t, kept)
	for _, p := range placesOfItems() {
		for _, b := range []buried{gone, kept} {
			d := doomed{Items: []int64{b.item}}
			if err := d.find(t.Context(), g.pool, false); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := g.pool.QueryRow(t.Context(), p.count(), d.args(nil)).Scan(&n); err != nil || n == 0 {
				t.Errorf("%s: the fixture has nothing there for %s (%v): fill it", p.Table, b.canary, err)
			}
		}
	}
	e := g.erase(t, gone.source)
	if e.State != ErasureErased || e.Items != 1 || e.DoneItems != 1 || e.Proof == nil || e.Proof.Total() != 0 || e.Proof.Items != 1 {
		t.Fatalf("the erasure is %s (%s), %d of %d items, proof %+v", e.State, e.Error, e.DoneItems, e.Items, e.Proof)
	}
	g.wantNothingOf(t, gone)
	if after := g.rowsOf(t, kept); after != before {
		t.Errorf("what was to stay has changed:\n%s\n%s", before, after)
	}
	if keys := g.objects(t, gone); len(keys) != 0 {
		t.Errorf("objects are left: %v", keys)
	}
	if keys := g.objects(t, kept); len(keys) != 6 {
		t.Errorf("of another item there are %v", keys)
	}
}

// Nor do imports keep the name of an erased item that brought nothing in: a trial, and one that was refused as a whole.
func TestErasureTakesNamesFromEveryImport(t *testing.T) {
	t.Parallel()
	g := newGrave(t, storetest.Pool(t))
	gone, kept := g.bury(t, "xcanaryx"), g.bury(t, "yfinchy")
	tried := g.one(t, `INSERT INTO imports (project_id, format, purpose, options, state) VALUES ($1, 'images', 'media', '{"dry_run": true}', 'done') RETURNING id`, g.project.ID)
	refused := g.one(t, `INSERT INTO imports (project_id, format, purpose, source_id, state) VALUES ($1, 'coco', 'truth', $2, 'done') RETURNING id`, g.project.ID, kept.source)
	named := g.one(t, `INSERT INTO imports (project_id, format, purpose, options, state)
		SELECT $1, 'images', 'media', jsonb_build_object('dry_run', true, 'source', name), 'done' FROM sources WHERE id = $2 RETURNING id`, g.project.ID, gone.source)
	for _, b := range []buried{gone, kept} {
		g.exec(t, `INSERT INTO import_results (import_id, name, outcome) VALUES ($1, $2, 'added'), ($3, $4, 'refused')`,
			tried, "key "+b.canary, refused, "a.json: annotation 7 in key "+b.canary)
	}
	g.exec(t, `INSERT INTO import_results (import_id, name, outcome) VALUES ($1, 'never came', 'added')`, named)
	if e := g.erase(t, gone.source); e.State != ErasureErased {
		t.Fatalf("the erasure is %s: %s", e.State, e.Error)
	}
	g.wantNothingOf(t, gone)
	for id, want := range map[int64]int64{tried: 1, refused: 1, named: 0} {
		if n := g.one(t, `SELECT count(*) FROM import_results WHERE import_id = $1`, id); n != want {
			t.Errorf("import %d keeps %d results, want %d", id, n, want)
		}
	}
}

// wantNothingOf looks for the ids of an item and its task in every number, and for its canary in every text.
func (g *grave) wantNothingOf(t *testing.T, b buried) {
	t.Helper()
	for _, c := range g.columnsOf(t, "bigint", "ARRAY") {
		name := c[0] + "." + c[1]
		if slices.Contains(keepsID, name) {
			continue
		}
		of := map[string]int64{"item_id": b.item, "task_id": b.task}[c[1]]
		if name == "items.id" {
			of = b.item
		}
		if of == 0 {
			continue
		}
		if n := g.one(t, fmt.Sprintf(`SELECT count(*) FROM %s WHERE %s = $1`, c[0], c[1]), of); n != 0 {
			t.Errorf("%s: %d rows know the id", name, n)
		}
	}
	for _, c := range g.columnsOf(t, "text", "jsonb", "bytea", "ARRAY") {
		if n := g.one(t, fmt.Sprintf(`SELECT count(*) FROM %s x WHERE strpos(to_jsonb(x.%s)::text, $1) > 0`, c[0], c[1]), b.canary); n != 0 {
			t.Errorf("%s.%s: %d rows hold the canary", c[0], c[1], n)
		}
	}
}

// rowsOf is every row of every place that is of an item, as text.
func (g *grave) rowsOf(t *testing.T, b buried) string {
	t.Helper()
	d := doomed{Items: []int64{b.item}}
	if err := d.find(t.Context(), g.pool, false); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, p := range placesOfItems() {
		var rows string
		if err := g.pool.QueryRow(t.Context(), `SELECT coalesce(string_agg(to_jsonb(x)::text, E'\n' ORDER BY to_jsonb(x)::text), '') FROM `+p.Table+` x WHERE `+p.rows(), d.args(nil)).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, p.Table, rows)
	}
	return all.String()
}
