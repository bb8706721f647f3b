package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/access"
	"fiducial/internal/manifest"
	"fiducial/store"
)

func recipeOf(projects ...string) manifest.Recipe {
	r := manifest.Default()
	r.Projects = projects
	return r
}

// stocked is a store with a project of n items with truth.
func stocked(t *testing.T, n int) (*store.Store, *pgxpool.Pool) {
	t.Helper()
	st, pool := newStore(t)
	stockUp(t, pool, "strip", n)
	return st, pool
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	tag, err := pool.Exec(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	if tag.RowsAffected() == 0 {
		t.Fatalf("%s: no row", sql)
	}
}

func TestFreezeHoldsTheWholeTruth(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 300)
	exec(t, pool, `UPDATE tasks SET state = 'discarded' WHERE item_id <= 3`)
	exec(t, pool, `UPDATE items SET state = 'broken' WHERE id = 4`)
	exec(t, pool, `UPDATE truths SET current = false WHERE item_id = 5`)
	version := frozen(t, st, "strip-test", recipeOf("strip"))
	if version.State != store.VersionFrozen || version.Number != 1 || version.Lines != 295 || len(version.Hash) != 32 {
		t.Fatalf("%+v", version)
	}
	summary, err := st.VersionSummary(t.Context(), version)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := st.DatasetLines(t.Context(), version, "", -1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	boxes, sides := map[string]int64{}, map[string]int{}
	for _, line := range lines {
		boxes[line.Split] += int64(line.Boxes)
		sides[line.Split]++
	}
	for _, c := range summary.Counts {
		if c.ClassID == 0 && (c.Items != sides[string(c.Split)] || c.Boxes != boxes[string(c.Split)]) {
			t.Errorf("counted %+v, but the lines hold %d items and %d boxes", c, sides[string(c.Split)], boxes[string(c.Split)])
		}
	}
	if len(lines) != 295 || len(sides) != 3 || len(summary.Classes) != 6 || !slices.Equal(summary.Classes[0].Definitions, []int32{1}) {
		t.Errorf("%d lines on %v, classes %+v", len(lines), sides, summary.Classes)
	}
	if v := verified(t, st, version, false); !v.Holds() || v.Matching != 295 {
		t.Errorf("%+v", v)
	}
}

func TestSameTruthSameHash(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 120)
	first := frozen(t, st, "one", recipeOf("strip"))
	// A class that is renamed, media and answers that come later, reviews that end in the same boxes: none of it touches the version.
	again := frozen(t, st, "one", recipeOf("strip"))
	other := frozen(t, st, "another", recipeOf("strip"))
	if again.Number != 2 || other.Number != 1 || !bytes.Equal(first.Hash, again.Hash) || !bytes.Equal(first.Hash, other.Hash) {
		t.Errorf("%x, %x and %x as number %d and %d", first.Hash, again.Hash, other.Hash, again.Number, other.Number)
	}
	exec(t, pool, `UPDATE classes SET name = 'renamed' WHERE slot = 0`)
	if v := verified(t, st, first, false); !v.Holds() {
		t.Errorf("renaming a class broke the version: %+v", v)
	}
	seeded := recipeOf("strip")
	seeded.Seed = 2
	if v := frozen(t, st, "one", seeded); bytes.Equal(v.Hash, first.Hash) {
		t.Error("another seed gave the same version")
	}
	exec(t, pool, `UPDATE truth_boxes SET x = x + 1e-9 WHERE truth_id = 7 AND position = 0`)
	if v := frozen(t, st, "one", recipeOf("strip")); bytes.Equal(v.Hash, again.Hash) {
		t.Error("another box gave the same version")
	}
}

func TestGroupsFallOnOneSide(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 400)
	exec(t, pool, `INSERT INTO groups (source_id, name) SELECT id, 'coil ' || g FROM sources, generate_series(0, 39) g`)
	exec(t, pool, `UPDATE items SET group_id = (SELECT id FROM groups WHERE name = 'coil ' || items.id % 40) WHERE id <= 350`)
	exec(t, pool, `UPDATE assets SET sha256 = sha256('twin') WHERE item_id > 390`)
	version := frozen(t, st, "strip-test", recipeOf("strip"))
	var torn int
	err := pool.QueryRow(t.Context(), `
		SELECT count(*) FROM (
			SELECT FROM dataset_lines l JOIN items i ON i.id = l.item_id WHERE version_id = $1
			GROUP BY coalesce(i.group_id::text, l.media::text) HAVING count(DISTINCT split) > 1) x`, version.ID).Scan(&torn)
	if err != nil || torn != 0 {
		t.Fatalf("%d groups, or sets of the same bytes, lie on two sides (%v)", torn, err)
	}
}

func TestFreezesAtOnceAreNumberedWithoutGaps(t *testing.T) {
	t.Parallel()
	st, _ := stocked(t, 50)
	const freezes = 8
	var wg sync.WaitGroup
	for range freezes {
		wg.Go(func() {
			version, err := st.Freeze(t.Context(), store.System(), "busy", recipeOf("strip"))
			if err == nil {
				err = st.FillVersion(t.Context(), version.ID)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	versions, err := st.DatasetVersions(t.Context(), store.System(), "busy")
	if err != nil || len(versions) != freezes {
		t.Fatalf("%d versions, %v", len(versions), err)
	}
	for i, v := range versions {
		if v.Number != freezes-i || v.State != store.VersionFrozen || !bytes.Equal(v.Hash, versions[0].Hash) {
			t.Errorf("version %d at place %d: %s, %x", v.Number, i, v.State, v.Hash)
		}
	}
}

// A freeze that is cut off anywhere leaves nothing behind, and the next try makes it whole.
func TestFreezeCutOffStartsAnew(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 20_000)
	version, err := st.Freeze(t.Context(), store.System(), "cut", recipeOf("strip"))
	if err != nil {
		t.Fatal(err)
	}
	for after := 5 * time.Millisecond; ; after *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		err := st.FillVersion(ctx, version.ID)
		cancel()
		if err == nil {
			break
		}
		var lines int
		var state string
		err = pool.QueryRow(t.Context(), `SELECT count(l.*), v.state FROM dataset_versions v LEFT JOIN dataset_lines l ON l.version_id = v.id
			WHERE v.id = $1 GROUP BY v.id`, version.ID).Scan(&lines, &state)
		switch whole := lines == 20_000 && state == store.VersionFrozen; {
		case err != nil || !whole && (lines != 0 || state != store.VersionFreezing):
			t.Fatalf("cut off after %v: %d lines, %s (%v)", after, lines, state, err)
		case whole: // only the word that it is done was cut off
			after = time.Hour
		}
	}
	version = filled(t, st, version) // once more does nothing
	if v := verified(t, st, version, false); version.Lines != 20_000 || !v.Holds() {
		t.Errorf("%+v: %+v", version, v)
	}
}

func TestNothingToFreezeFails(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 2)
	exec(t, pool, `UPDATE truths SET current = false`)
	if version := frozen(t, st, "empty", recipeOf("strip")); version.State != store.VersionFailed || version.Error == "" {
		t.Errorf("%+v", version)
	}
}

func TestFreezeRefusesWhatCannotBeFrozen(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 2)
	exec(t, pool, `INSERT INTO projects (slug, name, kind, key_secret) VALUES ('calls', 'Calls', 'audio', sha256('calls'))`)
	unfair := recipeOf("strip")
	unfair.Shares.Test = 900
	for _, c := range []struct {
		name   string
		recipe manifest.Recipe
		field  string
	}{
		{"Bad Name", recipeOf("strip"), "name"},
		{"good", recipeOf("none"), "projects"},
		{"good", recipeOf("strip", "calls"), "projects"},
		{"good", recipeOf(), "recipe"},
		{"good", unfair, "recipe"},
	} {
		_, err := st.Freeze(t.Context(), store.System(), c.name, c.recipe)
		if inv, ok := errors.AsType[*store.InvalidError](err); !ok || inv.Field != c.field {
			t.Errorf("%s %+v: %v, want a refusal of %s", c.name, c.recipe, err, c.field)
		}
	}
}

func TestVersionsAreSeenWithAllTheirProjects(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 3)
	stockUp(t, pool, "pipes", 3)
	strip, err := st.Project(t.Context(), store.System(), "strip")
	if err != nil {
		t.Fatal(err)
	}
	one := frozen(t, st, "strip-only", recipeOf("strip"))
	both := frozen(t, st, "both", recipeOf("strip", "pipes"))
	token := store.Actor{TokenID: 1, Role: access.Admin, Scope: strip.ID}
	member := newPerson(t, st, access.Viewer, strip.ID)
	for name, actor := range map[string]store.Actor{"token": token, "member": member} {
		seen, err := st.Datasets(t.Context(), actor, "", 10)
		if err != nil || len(seen) != 1 || seen[0].ID != one.ID {
			t.Errorf("%s sees %+v, %v", name, seen, err)
		}
		if _, err := st.DatasetVersion(t.Context(), actor, "both", both.Number); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s reads the other: %v", name, err)
		}
	}
	if _, err := st.Freeze(t.Context(), token, "both", recipeOf("strip")); !isInvalid(err, "name") {
		t.Errorf("a token adds to a dataset that it does not see: %v", err)
	}
	if _, err := st.Freeze(t.Context(), member, "mine", recipeOf("strip")); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a viewer freezes: %v", err)
	}
	if _, err := st.Datasets(t.Context(), newPerson(t, st, access.Labeler, strip.ID), "", 10); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a labeler reads datasets: %v", err)
	}
}

func isInvalid(err error, field string) bool {
	inv, ok := errors.AsType[*store.InvalidError](err)
	return ok && inv.Field == field
}

func TestFrozenNeverChanges(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 10)
	version := frozen(t, st, "kept", recipeOf("strip"))
	for _, sql := range []string{
		`UPDATE dataset_versions SET hash = sha256('x')`, `UPDATE dataset_versions SET state = 'freezing', hash = NULL`,
		`UPDATE dataset_versions SET recipe = '{}'`, `DELETE FROM dataset_versions`,
		`DELETE FROM dataset_lines`, `UPDATE dataset_lines SET leaf = sha256('x')`, `UPDATE dataset_lines SET split = 'training'`,
		`UPDATE dataset_lines SET item_id = NULL, truth_id = NULL, split = NULL, leaf = sha256('x')`,
		`UPDATE dataset_version_classes SET name = 'x'`, `DELETE FROM dataset_version_counts`, `DELETE FROM dataset_version_projects`,
		`DELETE FROM truth_boxes; DELETE FROM truths`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s went through", sql)
		}
	}
	if v := verified(t, st, version, false); !v.Holds() {
		t.Errorf("%+v", v)
	}
}

// erase does to item what an erasure does to its lines and its salt.
func erase(t *testing.T, pool *pgxpool.Pool, item int64) {
	t.Helper()
	exec(t, pool, `INSERT INTO erasures (kind, scope, state, due_at, erased_at) VALUES ('request', 'items', 'erased', now(), now())`)
	exec(t, pool, `
		UPDATE dataset_lines SET item_id = NULL, truth_id = NULL, split = NULL, media = NULL, width = NULL, height = NULL, stratum = NULL,
			erasure_id = (SELECT max(id) FROM erasures) WHERE item_id = $1`, item)
	exec(t, pool, `DELETE FROM item_salts WHERE item_id = $1`, item)
}

func TestVerifyAfterAnErasure(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 30)
	version := frozen(t, st, "kept", recipeOf("strip"))
	erase(t, pool, 7)
	v := verified(t, st, version, false)
	if !v.Holds() || v.Erased != 1 || v.Matching != 29 || len(v.Erasures) != 1 || v.Erasures[0].Lines != 1 {
		t.Errorf("%+v", v)
	}
	summary, err := st.VersionSummary(t.Context(), version)
	if err != nil || summary.Erased != 1 {
		t.Errorf("%+v, %v", summary, err)
	}
}

func TestVerifyAsksForAnErasureOfWhatIsGone(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 30)
	version := frozen(t, st, "kept", recipeOf("strip"))
	erase(t, pool, 7)
	for _, sql := range []string{
		`ALTER TABLE dataset_lines DISABLE TRIGGER USER`, `UPDATE dataset_lines SET erasure_id = NULL WHERE item_id IS NULL`, `ALTER TABLE dataset_lines ENABLE TRIGGER USER`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	v := verified(t, st, version, false)
	if v.Holds() || !v.HashHolds || v.Erased != 0 || len(v.Findings) != 1 || v.Findings[0].Reason != store.FoundUnexplained {
		t.Errorf("%+v", v)
	}
}

func TestVerifyFindsWhatWasTamperedWith(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql    string
		reason string
		holds  bool // the hash over the leaves
	}{
		"box moved":       {`UPDATE truth_boxes SET x = x + 0.001 WHERE truth_id = 7 AND position = 0`, store.FoundChanged, true},
		"box removed":     {`DELETE FROM truth_boxes WHERE truth_id = 7 AND position = 1`, store.FoundChanged, true},
		"box added":       {`INSERT INTO truth_boxes SELECT truth_id, 9, class_id, 1, 0, 0, 1, 1 FROM truth_boxes WHERE truth_id = 7 AND position = 0`, store.FoundChanged, true},
		"class changed":   {`UPDATE truth_boxes SET class_id = class_id % 6 + 1 WHERE truth_id = 7 AND position = 0`, store.FoundChanged, true},
		"key changed":     {`UPDATE item_texts SET external_key = 'x' WHERE item_id = 7`, store.FoundChanged, true},
		"salt gone":       {`DELETE FROM item_salts WHERE item_id = 7`, store.FoundGone, true},
		"image replaced":  {`UPDATE assets SET sha256 = sha256('x') WHERE item_id = 7`, store.FoundOtherMedia, true},
		"image forgotten": {`DELETE FROM assets WHERE item_id = 7`, store.FoundOtherMedia, true},
		"line removed":    {`ALTER TABLE dataset_lines DISABLE TRIGGER USER; DELETE FROM dataset_lines WHERE item_id = 7; ALTER TABLE dataset_lines ENABLE TRIGGER USER`, "", false},
		"leaf replaced":   {`ALTER TABLE dataset_lines DISABLE TRIGGER USER; UPDATE dataset_lines SET leaf = sha256('x') WHERE item_id = 7; ALTER TABLE dataset_lines ENABLE TRIGGER USER`, store.FoundChanged, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, pool := stocked(t, 30)
			version := frozen(t, st, "kept", recipeOf("strip"))
			if _, err := pool.Exec(t.Context(), c.sql); err != nil {
				t.Fatal(err)
			}
			v := verified(t, st, version, false)
			if v.Holds() || v.HashHolds != c.holds {
				t.Fatalf("%+v", v)
			}
			if c.reason != "" && (v.Mismatched != 1 || v.Findings[0].Item != 7 || v.Findings[0].Reason != c.reason) {
				t.Errorf("%+v, want item 7 found %s", v, c.reason)
			}
		})
	}
}

func TestVerifyIsAskedForOnce(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 3)
	version := frozen(t, st, "kept", recipeOf("strip"))
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if _, err := st.Verify(t.Context(), store.System(), version, false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var asked, jobs int
	err := pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM dataset_verifications), (SELECT count(*) FROM river_job WHERE kind = 'verify_version')`).
		Scan(&asked, &jobs)
	if err != nil || asked != 1 || jobs != 1 {
		t.Errorf("%d verifications, %d jobs, %v", asked, jobs, err)
	}
}

func TestDatasetsComePageByPage(t *testing.T) {
	t.Parallel()
	st, _ := stocked(t, 3)
	for i := range 5 {
		for range 2 {
			if _, err := st.Freeze(t.Context(), store.System(), fmt.Sprintf("set-%d", i), recipeOf("strip")); err != nil {
				t.Fatal(err)
			}
		}
	}
	var names []string
	for after := ""; ; {
		page, err := st.Datasets(t.Context(), store.System(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page {
			if v.Number != 2 {
				t.Errorf("%s shows version %d", v.Dataset, v.Number)
			}
			names, after = append(names, v.Dataset), v.Dataset
		}
		if len(page) < 2 {
			break
		}
	}
	if !slices.Equal(names, []string{"set-0", "set-1", "set-2", "set-3", "set-4"}) {
		t.Error(names)
	}
}
