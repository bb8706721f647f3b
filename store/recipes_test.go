package store_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/access"
	"fiducial/internal/manifest"
	"fiducial/store"
)

// The hash was taken before recipes could say more than projects, seed and shares.
func TestAnOldRecipeGivesTheHashItGave(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 200)
	exec(t, pool, `INSERT INTO groups (source_id, name) SELECT id, 'coil ' || g FROM sources, generate_series(0, 9) g`)
	exec(t, pool, `UPDATE items SET group_id = (SELECT id FROM groups WHERE name = 'coil ' || items.id % 10) WHERE id <= 60`)
	exec(t, pool, `UPDATE assets SET sha256 = sha256('twin') WHERE item_id > 190`)
	version := frozen(t, st, "strip-test", recipeOf("strip"))
	if got := hex.EncodeToString(version.Hash); got != "308e6ee6d9178dca1e8053619a7261dc9ab95ae53bae68edeb96bedaa5b7497f" {
		t.Errorf("hash %s", got)
	}
}

// parsed reads a recipe's file.
func parsed(t *testing.T, file string) manifest.Recipe {
	t.Helper()
	recipe, err := manifest.ParseYAML([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return recipe
}

// held are the items of a version by their side.
func held(t *testing.T, pool *pgxpool.Pool, version store.DatasetVersion) map[int64]string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT item_id, split FROM dataset_lines WHERE version_id = $1 AND item_id IS NOT NULL`, version.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	items := map[int64]string{}
	for rows.Next() {
		var item int64
		var split string
		if err := rows.Scan(&item, &split); err != nil {
			t.Fatal(err)
		}
		items[item] = split
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return items
}

// The stock has one box of class g%6 and one of (g+1)%6 on item g, a third of (g+2)%6 on every third.
func TestFiltersLetInWhatTheySay(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 60)
	exec(t, pool, `INSERT INTO sources (name) VALUES ('Mill 3')`)
	exec(t, pool, `UPDATE items SET source_id = 2 WHERE id <= 20`)
	exec(t, pool, `UPDATE items SET captured_at = '2026-01-01'::timestamptz + id * interval '1 day' WHERE id <= 30`)
	exec(t, pool, `UPDATE truth_boxes SET definition_version = 3 WHERE truth_id <= 10`)
	exec(t, pool, `UPDATE truth_boxes SET definition_version = NULL WHERE truth_id = 60`)
	for filter, want := range map[string]int{
		"sources: [Mill 3]":                                 20,
		"not_sources: [Mill 3]":                             40,
		"sources: [Mill 3, stock]":                          60,
		"captured_from: 2026-01-11":                         21,
		"captured_before: 2026-01-11":                       9,
		"captured_from: 2026-01-06T12:00:00Z":               25,
		"definition: 1":                                     59,
		"definition: 2":                                     10,
		"definitions: {class 0: 3}":                         42,
		"definition: 2, definitions: {class 1: 0}":          10,
		"classes: [class 0]":                                20,
		"classes: [class 0, class 3], not_sources: [stock]": 13,
	} {
		version := frozen(t, st, "filtered", parsed(t, "projects: [strip]\nfilter: {"+filter+"}"))
		if version.State != store.VersionFrozen || version.Lines != want {
			t.Errorf("%s: %d lines, want %d (%s)", filter, version.Lines, want, version.Error)
		}
		if preview, err := st.Preview(t.Context(), store.System(), version.Recipe); err != nil || preview.Items != want || preview.Filtered != 60-want || preview.Truths != 60 {
			t.Errorf("%s: the preview says %+v (%v)", filter, preview, err)
		}
	}
	version := frozen(t, st, "filtered", parsed(t, "projects: [strip]\nfilter: {captured_from: 2030-01-01}"))
	if version.State != store.VersionFailed || version.Error != "No item of these projects that has truth passes the recipe's filter. Widen it, and freeze again." {
		t.Errorf("%+v", version)
	}
}

func TestRecipesThatNameWhatThereIsNotAreRefused(t *testing.T) {
	t.Parallel()
	st, _ := stocked(t, 2)
	for file, field := range map[string]string{
		"filter: {sources: [Mill 9]}":      "sources",
		"filter: {not_sources: [Mill 9]}":  "sources",
		"filter: {classes: [Class 0]}":     "classes",
		"filter: {definitions: {dent: 2}}": "classes",
		"group: metadata:coil":             "group",
	} {
		recipe := parsed(t, "projects: [strip]\n"+file)
		if _, err := st.Freeze(t.Context(), store.System(), "good", recipe); !isInvalid(err, field) {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := st.Preview(t.Context(), store.System(), recipe); !isInvalid(err, field) {
			t.Errorf("preview of %s: %v", file, err)
		}
	}
	if _, err := st.Preview(t.Context(), newPerson(t, st, access.Viewer, 1), recipeOf("strip")); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a viewer previews: %v", err)
	}
}

const balanced = "projects: [strip]\nshares: {training: 0.5, validation: 0.2, test: 0.3}\nstrata: [class, source]\nsizes: {test: 8, validation: 30}"

func TestStrataAreFilledToTheirSizes(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 600)
	exec(t, pool, `INSERT INTO sources (name) VALUES ('Mill 3')`)
	exec(t, pool, `UPDATE items SET source_id = 2 WHERE id % 5 = 0`)
	recipe := parsed(t, balanced)
	preview, err := st.Preview(t.Context(), store.System(), recipe)
	if err != nil {
		t.Fatal(err)
	}
	version := frozen(t, st, "balanced", recipe)
	strata, err := st.VersionStrata(t.Context(), version)
	if err != nil || !slices.Equal(strata, preview.Strata) {
		t.Fatalf("frozen\n%+v, foretold\n%+v (%v)", strata, preview.Strata, err)
	}
	if len(strata) != 3*6*2 || preview.Every != 1 || preview.Items != version.Lines || preview.Items+preview.Reserve != 600 {
		t.Errorf("%d strata, %d lines, %+v", len(strata), version.Lines, preview)
	}
	short := 0
	for _, s := range strata {
		short += s.Short()
		var lines int
		err := pool.QueryRow(t.Context(), `
			SELECT count(*) FROM dataset_lines l JOIN items i ON i.id = l.item_id JOIN sources s ON s.id = i.source_id
			WHERE version_id = $1 AND split = $2 AND stratum = $3 AND s.name = $4`, version.ID, string(s.Split), s.Number, s.Source).Scan(&lines)
		if err != nil || lines != s.Items || s.Wanted > 0 && s.Items != min(s.Wanted, s.Pool) || s.Wanted == 0 && s.Items != s.Pool {
			t.Errorf("%d lines in %+v (%v)", lines, s, err)
		}
	}
	if short == 0 {
		t.Error("no stratum falls short, so nothing is shown of shortfalls")
	}
	summary, err := st.VersionSummary(t.Context(), version)
	if err != nil {
		t.Fatal(err)
	}
	var items int
	var boxes int64
	for _, c := range summary.Counts {
		if c.ClassID == 0 {
			items, boxes = items+c.Items, boxes+c.Boxes
		}
	}
	var stored int64
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM dataset_lines JOIN truth_boxes USING (truth_id) WHERE version_id = $1`, version.ID).Scan(&stored); err != nil ||
		items != version.Lines || boxes != version.Boxes || boxes != stored {
		t.Errorf("counted %d items and %d boxes, %d are there; %+v (%v)", items, boxes, stored, version, err)
	}
	if v := verified(t, st, version, false); !v.Holds() {
		t.Errorf("%+v", v)
	}
}

func TestTestSidesRefuseWhatIsKeptForATimeOnly(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 200)
	whole := held(t, pool, frozen(t, st, "whole", recipeOf("strip")))
	exec(t, pool, `UPDATE items SET retain_until = now() + interval '1 year' WHERE id % 2 = 0`)
	version := frozen(t, st, "kept", recipeOf("strip"))
	without := held(t, pool, version)
	refused := 0
	for item, side := range whole {
		got, in := without[item]
		if item%2 == 0 && side == "test" {
			refused++
			if in {
				t.Errorf("item %d is kept for a time only and lies on %s", item, got)
			}
		} else if got != side {
			t.Errorf("item %d went from %s to %q", item, side, got)
		}
	}
	strata, err := st.VersionStrata(t.Context(), version)
	if err != nil || len(strata) != 3 || strata[2].Split != manifest.Test || strata[2].Refused != refused || refused == 0 {
		t.Errorf("%d refused, %+v (%v)", refused, strata, err)
	}
	allowing := recipeOf("strip")
	allowing.Retention = &manifest.Retention{Test: manifest.Allow, Reason: "The set is for one month."}
	allowed := frozen(t, st, "kept", allowing)
	if len(held(t, pool, allowed)) != 200 || allowed.Recipe.Retention == nil || allowed.Recipe.Retention.Reason != "The set is for one month." {
		t.Errorf("%+v", allowed)
	}
}

func TestClassesOfOneNameAreOneAcrossProjects(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 60)
	stockUp(t, pool, "pipes", 60)
	version := frozen(t, st, "both", parsed(t, "projects: [strip, pipes]\nshares: {training: 0, validation: 0, test: 1}\nstrata: [class]"))
	strata, err := st.VersionStrata(t.Context(), version)
	if err != nil || len(strata) != 6 || version.Lines != 120 {
		t.Errorf("%d lines in %+v (%v)", version.Lines, strata, err)
	}
	version = frozen(t, st, "both", parsed(t, "projects: [strip, pipes]\nshares: {training: 0, validation: 0, test: 1}\nstrata: [project]\nsizes: {test: 10}"))
	strata, err = st.VersionStrata(t.Context(), version)
	if err != nil || len(strata) != 2 || strata[0].Project == strata[1].Project || version.Lines != 20 {
		t.Errorf("%d lines in %+v (%v)", version.Lines, strata, err)
	}
}

func TestMetadataMayTellTheGroups(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 200)
	exec(t, pool, `UPDATE projects SET metadata_keys = '{coil}'`)
	exec(t, pool, `UPDATE item_texts SET metadata = jsonb_build_object('coil', item_id % 20) WHERE item_id <= 150`)
	version := frozen(t, st, "coils", parsed(t, "projects: [strip]\ngroup: metadata:coil\nshares: {training: 0.5, test: 0.5}"))
	var torn, sides int
	err := pool.QueryRow(t.Context(), `
		WITH coils AS (SELECT count(DISTINCT split) AS sides FROM dataset_lines l JOIN item_texts x USING (item_id)
			WHERE version_id = $1 AND metadata ? 'coil' GROUP BY metadata->>'coil')
		SELECT count(*) FILTER (WHERE sides > 1), (SELECT count(DISTINCT split) FROM dataset_lines WHERE version_id = $1) FROM coils`, version.ID).Scan(&torn, &sides)
	if err != nil || torn != 0 || sides != 2 {
		t.Errorf("%d coils lie on two sides of %d (%v)", torn, sides, err)
	}
}

// foretell does the job's work itself.
func foretell(tb testing.TB, st *store.Store, version store.DatasetVersion) store.RebuildPreview {
	tb.Helper()
	asked, err := st.PreviewRebuild(tb.Context(), store.System(), version)
	if err != nil || asked.State != "queued" {
		tb.Fatalf("%+v, %v", asked, err)
	}
	if again, err := st.PreviewRebuild(tb.Context(), store.System(), version); err != nil || again.ID != asked.ID {
		tb.Fatalf("asked for a second time: %+v, %v", again, err)
	}
	for range 2 { // as a job that is run again
		if err := st.RunRebuildPreview(tb.Context(), asked.ID); err != nil {
			tb.Fatal(err)
		}
	}
	done, err := st.PreviewRebuild(tb.Context(), store.System(), version)
	if err != nil || done.State != "done" || done.ID != asked.ID || done.FinishedAt == nil {
		tb.Fatalf("%+v, %v", done, err)
	}
	return done
}

// What an erasure takes is replaced from the reserve of the same stratum; nothing else moves.
func TestRebuildingReplacesWhatWasLost(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 600)
	first := frozen(t, st, "balanced", parsed(t, balanced))
	before := held(t, pool, first)
	var gone []int64
	err := pool.QueryRow(t.Context(), `
		SELECT array_agg(item_id) FROM (SELECT item_id FROM dataset_lines WHERE version_id = $1 AND split = 'test' ORDER BY position LIMIT 5) x`, first.ID).Scan(&gone)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range gone {
		erase(t, pool, item)
		exec(t, pool, `UPDATE truths SET current = false WHERE item_id = $1`, item)
	}
	exec(t, pool, `UPDATE tasks SET state = 'discarded' WHERE item_id = (SELECT max(item_id) FROM dataset_lines WHERE split = 'training')`)
	foretold := foretell(t, st, first)
	again, err := st.Rebuild(t.Context(), store.System(), first)
	if err != nil {
		t.Fatal(err)
	}
	again = filled(t, st, again)
	if again.Number != 2 || again.Parent != 1 || again.RebuildOf != 1 || again.LabelsAt == nil || again.LastTruthID != 600 || again.Lines != first.Lines-1 {
		t.Fatalf("%+v", again)
	}
	after := held(t, pool, again)
	added, left := 0, 0
	for item, side := range after {
		if was, in := before[item]; !in {
			added++
			if side != "test" {
				t.Errorf("item %d came to %s", item, side)
			}
		} else if was != side {
			t.Errorf("item %d went from %s to %s", item, was, side)
		}
	}
	for item := range before {
		if _, in := after[item]; !in && !slices.Contains(gone, item) {
			left++
		}
	}
	var told store.RebuildChange
	for _, c := range foretold.Changes {
		told.Before, told.Gone, told.Left, told.Kept, told.Added = told.Before+c.Before, told.Gone+c.Gone, told.Left+c.Left, told.Kept+c.Kept, told.Added+c.Added
		if c.Split == manifest.Test && c.Gone != c.Added {
			t.Errorf("not made up for: %+v", c)
		}
	}
	if added != 5 || left != 1 || told.Before != first.Lines || told.Gone != 5 || told.Left != 1 || told.Added != 5 || told.Kept != first.Lines-6 ||
		foretold.Erased != 5 || foretold.Expired != 0 || foretold.Moved != 0 {
		t.Errorf("%d added, %d left; foretold %+v of %+v", added, left, told, foretold)
	}
}

func TestWhatAnErasureIsAboutToTakeIsNotFrozen(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 30)
	exec(t, pool, `INSERT INTO erasures (kind, scope, state, due_at) VALUES ('request', 'items', 'queued', now()), ('request', 'items', 'cancelled', now())`)
	exec(t, pool, `INSERT INTO erasure_lists (erasure_id, item_id) VALUES (1, 7), (2, 8)`)
	items := held(t, pool, frozen(t, st, "kept", recipeOf("strip")))
	if _, in := items[7]; in || len(items) != 29 {
		t.Errorf("%d items, item 7 among them: %v", len(items), in)
	}
}

// A freeze that ends after any of its steps leaves nothing, and the next try gives the very version.
func TestAFreezeThatEndsAfterAnyStepIsUndone(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 100)
	whole := frozen(t, st, "cut", parsed(t, balanced))
	version, err := st.Freeze(t.Context(), store.System(), "cut", parsed(t, balanced))
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	st.AfterFreezeStep(func(step string) { steps = append(steps, step) })
	probe := frozen(t, st, "probe", parsed(t, balanced))
	for _, last := range slices.Clone(steps) {
		st.AfterFreezeStep(func(step string) {
			if step == last {
				panic("killed after " + step)
			}
		})
		func() {
			defer func() { _ = recover() }()
			t.Error(st.FillVersion(t.Context(), version.ID))
		}()
		var left int
		err := pool.QueryRow(t.Context(), `
			SELECT (SELECT count(*) FROM dataset_lines WHERE version_id = $1) + (SELECT count(*) FROM dataset_version_strata WHERE version_id = $1)
				+ (SELECT count(*) FROM dataset_version_counts WHERE version_id = $1) + (SELECT count(*) FROM dataset_version_classes WHERE version_id = $1)
				+ (SELECT count(*) FROM dataset_version_guidelines WHERE version_id = $1) + (SELECT count(*) FROM dataset_versions WHERE id = $1 AND state <> 'freezing')`,
			version.ID).Scan(&left)
		if err != nil || left != 0 {
			t.Fatalf("killed after %s: %d rows are left (%v)", last, left, err)
		}
	}
	st.AfterFreezeStep(nil)
	version = filled(t, st, version)
	if len(steps) != 8 || !bytes.Equal(version.Hash, whole.Hash) || !bytes.Equal(probe.Hash, whole.Hash) {
		t.Errorf("%v: %x, want %x", steps, version.Hash, whole.Hash)
	}
}

// Whoever deletes an item waits for the freezes under way, and then sees that one holds it.
func TestNothingIsFrozenThatIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 30)
	version, err := st.Freeze(t.Context(), store.System(), "raced", recipeOf("strip"))
	if err != nil {
		t.Fatal(err)
	}
	deleted := make(chan error, 1)
	st.AfterFreezeStep(func(step string) {
		if step != "collect" {
			return
		}
		go func() {
			_, err := pool.Exec(t.Context(), `
				DELETE FROM truth_boxes WHERE truth_id = 7; DELETE FROM truths WHERE item_id = 7; DELETE FROM item_texts WHERE item_id = 7;
				DELETE FROM item_salts WHERE item_id = 7; DELETE FROM assets WHERE item_id = 7; DELETE FROM tasks WHERE item_id = 7; DELETE FROM items WHERE id = 7`)
			deleted <- err
		}()
		waitFor(t, pool, `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_database d ON d.oid = l.database
			WHERE c.relname = 'dataset_version_strata' AND d.datname = current_database() AND NOT l.granted)`)
	})
	version = filled(t, st, version)
	if err := <-deleted; err == nil {
		t.Error("an item was deleted that a version holds")
	}
	if v := verified(t, st, version, false); !v.Holds() || v.Matching != 30 {
		t.Errorf("%+v", v)
	}
}

// waitFor returns once the query gives true.
func waitFor(t *testing.T, pool *pgxpool.Pool, query string) {
	t.Helper()
	for {
		var so bool
		if err := pool.QueryRow(t.Context(), query).Scan(&so); err != nil {
			t.Error(err)
			return
		}
		if so {
			return
		}
	}
}

func TestAPreviewOfManyIsAnEstimate(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 300)
	exec(t, pool, fmt.Sprintf(`INSERT INTO project_counts SELECT id, 'items', 'ready', %d FROM projects`, 60_000-300))
	preview, err := st.Preview(t.Context(), store.System(), parsed(t, "projects: [strip]\nshares: {training: 0.5, test: 0.5}\nsizes: {test: 30}"))
	if err != nil || preview.Every != 3 || preview.Truths != 300 || preview.Items+preview.Reserve != 300 {
		t.Fatalf("%+v (%v)", preview, err)
	}
	for _, s := range preview.Strata {
		if s.Split == manifest.Test && (s.Wanted != 30 || s.Items != 30 || s.Pool < 100) {
			t.Errorf("%+v", s)
		}
	}
}
