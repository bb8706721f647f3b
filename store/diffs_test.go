package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/manifest"
	"fiducial/store"
)

// compared has two versions compared and does the job's work itself.
func compared(tb testing.TB, st *store.Store, a, b store.DatasetVersion) store.Diff {
	tb.Helper()
	diff, err := st.Compare(tb.Context(), store.System(), a, b)
	if err != nil {
		tb.Fatal(err)
	}
	if err := st.RunDiff(tb.Context(), diff.ID); err != nil {
		tb.Fatal(err)
	}
	if diff, err = st.Diff(tb.Context(), store.System(), diff.ID); err != nil {
		tb.Fatal(err)
	}
	if diff.State != "done" {
		tb.Fatalf("%+v", diff)
	}
	return diff
}

// reasonsOf tells how many lines differ for which reason, as "reason:detail".
func reasonsOf(diff store.Diff) map[string]int {
	got := map[string]int{}
	for _, c := range diff.Counts {
		got[string(c.Reason)+":"+c.Detail] += c.Lines()
	}
	return got
}

// addsUp fails unless what is alike, came, went and changed makes up each of the two versions, and the lists are as long as counted.
func addsUp(t *testing.T, st *store.Store, diff store.Diff) {
	t.Helper()
	var came, gone, changed int
	want := map[manifest.Reason]int{}
	for _, c := range diff.Counts {
		came, gone, changed = came+c.Came, gone+c.Gone, changed+c.Changed
		want[c.Reason] += c.Lines()
	}
	if diff.Same+gone+changed != diff.From.Lines || diff.Same+came+changed != diff.To.Lines {
		t.Errorf("%d alike, %d came, %d went, %d changed: do not add up to %d and %d lines", diff.Same, came, gone, changed, diff.From.Lines, diff.To.Lines)
	}
	for reason, lines := range want {
		if !slices.Contains(manifest.Reasons(), reason) {
			t.Errorf("the reason %q is none of the list", reason)
		}
		listed, place := 0, store.DiffPlace{}
		for {
			page, err := st.DiffLines(t.Context(), diff, reason, "", place, 7, true)
			if err != nil {
				t.Fatal(err)
			}
			if listed += len(page); len(page) < 7 {
				break
			}
			last := page[len(page)-1]
			place = store.DiffPlace{Split: last.Split, Ordinal: last.Ordinal}
		}
		if listed != lines {
			t.Errorf("%s: %d lines listed, %d counted", reason, listed, lines)
		}
	}
}

// retruth gives items another truth with the boxes of the one before, changed by set.
func retruth(t *testing.T, pool *pgxpool.Pool, where, set string) {
	t.Helper()
	for _, sql := range []string{
		`UPDATE truths SET current = false WHERE current AND ` + where,
		`INSERT INTO truths (item_id, import_id) SELECT item_id, min(import_id) FROM truths WHERE ` + where + ` GROUP BY item_id`,
		`INSERT INTO truth_boxes (truth_id, position, class_id, definition_version, x, y, w, h, rotation, crowd)
			SELECT n.id, b.position, b.class_id, ` + set + `, b.y, b.w, b.h, b.rotation, b.crowd
			FROM truths n JOIN truth_boxes b ON b.truth_id = (SELECT max(id) FROM truths o WHERE o.item_id = n.item_id AND NOT o.current)
			WHERE n.current AND n.` + where,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// takenAway empties what an erasure empties of the items' lines, and deletes the rows that a diff asks for.
func takenAway(t *testing.T, pool *pgxpool.Pool, kind, items string) {
	t.Helper()
	exec(t, pool, `INSERT INTO erasures (kind, scope, state, due_at, erased_at) VALUES ($1, 'items', 'erased', now(), now())`, kind)
	exec(t, pool, `
		UPDATE dataset_lines SET item_id = NULL, truth_id = NULL, split = NULL, media = NULL, width = NULL, height = NULL,
			erasure_id = (SELECT max(id) FROM erasures) WHERE item_id IN (`+items+`)`)
	for _, sql := range []string{
		`DELETE FROM truth_boxes USING truths t WHERE t.id = truth_id AND item_id IN (` + items + `)`,
		`DELETE FROM truths WHERE item_id IN (` + items + `)`,
		`DELETE FROM tasks WHERE item_id IN (` + items + `)`,
		`DELETE FROM item_texts WHERE item_id IN (` + items + `)`,
		`DELETE FROM item_salts WHERE item_id IN (` + items + `)`,
		`DELETE FROM assets WHERE item_id IN (` + items + `)`,
		`DELETE FROM items WHERE id IN (` + items + `)`,
	} {
		exec(t, pool, sql)
	}
}

func TestDiffTellsWhy(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 100)
	exec(t, pool, `UPDATE truths SET current = false WHERE item_id IN (90, 91)`) // come back later
	exec(t, pool, `DELETE FROM truth_boxes USING truths t WHERE t.id = truth_id AND item_id IN (92, 93, 94)`)
	exec(t, pool, `DELETE FROM truths WHERE item_id IN (92, 93, 94)`) // not looked at yet
	first := frozen(t, st, "strip-test", recipeOf("strip"))

	retruth(t, pool, `item_id IN (1, 2, 3)`, `definition_version, x + 1`)
	retruth(t, pool, `item_id IN (4, 5)`, `2, x`)
	retruth(t, pool, `item_id IN (6)`, `2, x + 5`)
	exec(t, pool, `INSERT INTO relabels (project_id, class_id, version, others) SELECT p.id, min(c.id), 2, '{}' FROM projects p JOIN classes c ON c.project_id = p.id GROUP BY p.id`)
	exec(t, pool, `INSERT INTO relabel_items (relabel_id, item_id, state) SELECT id, 6, 'sent' FROM relabels`)
	exec(t, pool, `UPDATE assets SET sha256 = sha256('another') WHERE item_id = 7`)
	exec(t, pool, `UPDATE tasks SET state = 'discarded' WHERE item_id IN (8, 9)`)
	exec(t, pool, `UPDATE truths SET current = false WHERE item_id = 10`)
	exec(t, pool, `UPDATE items SET state = 'broken' WHERE id = 11`)
	exec(t, pool, `UPDATE truths SET current = true WHERE item_id IN (90, 91)`)
	exec(t, pool, `INSERT INTO truths (item_id, import_id) SELECT g, m.id FROM imports m, generate_series(92, 94) g`)
	exec(t, pool, `INSERT INTO items (project_id, source_id, key_hash, state) SELECT project_id, source_id, sha256('new'), 'ready' FROM items WHERE id = 1`)
	exec(t, pool, `INSERT INTO item_texts (item_id, external_key) SELECT max(id), 'new.jpg' FROM items`)
	exec(t, pool, `INSERT INTO item_salts (item_id, salt) SELECT max(id), sha256('salt') FROM items`)
	exec(t, pool, `INSERT INTO truths (item_id, import_id) SELECT max(i.id), min(m.id) FROM items i, imports m`)
	takenAway(t, pool, "request", `20, 21, 22, 23`)
	takenAway(t, pool, "expiry", `30, 31`)
	second := frozen(t, st, "strip-test", recipeOf("strip"))

	diff := compared(t, st, second, first) // the older one comes first, whichever is named first
	if diff.From.ID != first.ID {
		t.Errorf("from %d to %d", diff.From.Number, diff.To.Number)
	}
	addsUp(t, st, diff)
	want := map[string]int{
		"relabelled:": 3, "redefined:definition": 2, "redefined:relabel": 1, "discarded:": 2, "withdrawn:": 1, "filtered:broken": 1,
		"added:returned": 2, "added:truth": 3, "added:item": 1, "erased:": 4, "expired:": 2,
	}
	got := reasonsOf(diff)
	if got["replaced:"]+got["moved:"] != 1 { // other bytes may fall on the other side with it, but another picture weighs more
		t.Errorf("the other picture: %v", got)
	}
	delete(got, "replaced:")
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	lines, err := st.DiffLines(t.Context(), diff, manifest.Expired, "", store.DiffPlace{}, 10, true)
	if err != nil || len(lines) != 2 || lines[0].ErasureID == 0 || lines[0].ErasedAt == nil || lines[0].Key != "" || lines[0].ItemID != 0 || len(lines[0].Leaf) != 32 {
		t.Errorf("%+v, %v", lines, err)
	}
	lines, err = st.DiffLines(t.Context(), diff, manifest.Relabelled, "", store.DiffPlace{}, 10, true)
	if err != nil || len(lines) != 3 || lines[0].Key == "" || len(lines[0].FromBoxes) == 0 || lines[0].ToBoxes[0].X != lines[0].FromBoxes[0].X+1 {
		t.Errorf("%+v, %v", lines, err)
	}
}

func TestDiffTellsTheRecipe(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 60)
	stockUp(t, pool, "coils", 40)
	both := frozen(t, st, "mixed", recipeOf("strip", "coils"))
	alone := frozen(t, st, "mixed", recipeOf("strip"))
	again := frozen(t, st, "mixed", recipeOf("coils", "strip"))
	seeded := recipeOf("coils", "strip")
	seeded.Seed = 9
	moved := frozen(t, st, "mixed", seeded)
	for _, c := range []struct {
		a, b store.DatasetVersion
		want map[string]int
	}{
		{both, alone, map[string]int{"filtered:project": 40}},
		{alone, again, map[string]int{"added:recipe": 40}},
		{both, again, map[string]int{}},
	} {
		diff := compared(t, st, c.a, c.b)
		addsUp(t, st, diff)
		if got := reasonsOf(diff); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%d to %d: %v, want %v", c.a.Number, c.b.Number, got, c.want)
		}
	}
	diff := compared(t, st, again, moved)
	addsUp(t, st, diff)
	if got := reasonsOf(diff); got["moved:"] == 0 || len(got) != 1 {
		t.Errorf("another seed: %v", got)
	}
	for _, c := range diff.Counts {
		if c.FromSplit == c.ToSplit || c.FromSplit == "" || c.ToSplit == "" {
			t.Errorf("moved from %q to %q", c.FromSplit, c.ToSplit)
		}
	}
	exec(t, pool, `UPDATE classes SET name = 'renamed' WHERE slot = 0`)
	diff = compared(t, st, again, frozen(t, st, "mixed", recipeOf("coils", "strip")))
	addsUp(t, st, diff)
	if got := reasonsOf(diff); got["redefined:name"] == 0 || len(got) != 1 {
		t.Errorf("a class that was renamed: %v", got)
	}
}

// Whatever happens between two versions, every difference has one reason and the counts add up.
func TestDiffAddsUpWhateverHappens(t *testing.T) {
	t.Parallel()
	const items = 120
	for seed := range uint64(4) {
		st, pool := stocked(t, items)
		random := rand.New(rand.NewPCG(seed, 5))
		left := make([]int, items)
		for i := range left {
			left[i] = i + 1
		}
		versions := []store.DatasetVersion{frozen(t, st, "any", recipeOf("strip"))}
		for range 3 {
			for range 8 {
				at := random.IntN(len(left))
				happens(t, pool, random, left[at], func() { left = slices.Delete(left, at, at+1) })
			}
			recipe := recipeOf("strip")
			recipe.Seed = int64(random.IntN(3))
			versions = append(versions, frozen(t, st, "any", recipe))
		}
		for i, a := range versions {
			for _, b := range versions[i+1:] {
				addsUp(t, st, compared(t, st, a, b))
			}
		}
	}
}

// happens does something to an item.
func happens(t *testing.T, pool *pgxpool.Pool, random *rand.Rand, item int, gone func()) {
	t.Helper()
	var sql string
	switch random.IntN(7) {
	case 0:
		retruth(t, pool, fmt.Sprintf(`item_id = %d`, item), fmt.Sprintf(`definition_version, x + %d`, random.IntN(2)))
		return
	case 1:
		takenAway(t, pool, []string{"request", "expiry"}[random.IntN(2)], fmt.Sprint(item))
		gone()
		return
	case 2:
		sql = `UPDATE truths SET current = NOT current WHERE id = (SELECT max(id) FROM truths WHERE item_id = $1)`
	case 3:
		sql = `UPDATE assets SET sha256 = sha256(item_id::text::bytea) WHERE item_id = $1`
	case 4:
		sql = `UPDATE tasks SET state = CASE state WHEN 'discarded' THEN 'adjudicated' ELSE 'discarded' END WHERE item_id = $1`
	case 5:
		sql = `UPDATE items SET width = width + 1 WHERE id = $1`
	default:
		sql = `UPDATE items SET state = CASE state WHEN 'broken' THEN 'ready' ELSE 'broken' END WHERE id = $1`
	}
	exec(t, pool, sql, item)
}

func TestDiffIsKeptUntilSomethingIsErased(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 30)
	first := frozen(t, st, "kept", recipeOf("strip"))
	exec(t, pool, `UPDATE tasks SET state = 'discarded' WHERE item_id <= 4`)
	second := frozen(t, st, "kept", recipeOf("strip"))
	before := compared(t, st, first, second)
	if again, err := st.Compare(t.Context(), store.System(), first, second); err != nil || again.ID != before.ID || again.State != "done" {
		t.Fatalf("%+v, %v", again, err)
	}
	takenAway(t, pool, "request", `2`)
	after := compared(t, st, first, second)
	if after.ID == before.ID {
		t.Fatal("the diff of before the erasure is shown still")
	}
	addsUp(t, st, after)
	if got := reasonsOf(after); got["erased:"] != 1 || got["discarded:"] != 3 {
		t.Errorf("%v", got)
	}
	if _, err := st.Diff(t.Context(), store.System(), before.ID); err == nil {
		t.Error("the former diff is kept")
	}
	var left int
	err := pool.QueryRow(t.Context(), `SELECT count(*) FROM dataset_diff_lines WHERE diff_id = $1`, before.ID).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d lines of the former diff are kept, %v", left, err)
	}
	if err := st.CompareAgain(t.Context(), store.System(), after); err != nil {
		t.Fatal(err)
	}
	if anew, err := st.Compare(t.Context(), store.System(), first, second); err != nil || anew.ID == after.ID || anew.State != "queued" {
		t.Errorf("%+v, %v", anew, err)
	}
}

func TestDiffRefusesWhatCannotBeCompared(t *testing.T) {
	t.Parallel()
	st, _ := stocked(t, 5)
	first := frozen(t, st, "one", recipeOf("strip"))
	waiting, err := st.Freeze(t.Context(), store.System(), "one", recipeOf("strip"))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []store.DatasetVersion{first, waiting} {
		if _, err := st.Compare(t.Context(), store.System(), first, other); err == nil {
			t.Errorf("compared with version %d", other.Number)
		}
	}
}
