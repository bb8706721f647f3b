package store_test

import (
	"fmt"
	"testing"

	"fiducial/internal/manifest"
	"fiducial/store"
	"fiducial/store/storetest"
)

// BenchmarkDiff compares versions of which one item in twenty has another truth or was discarded, and versions that two seeds
// divided, so that one item in three lies elsewhere.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("items=%d", n), func(b *testing.B) {
			if n > 100_000 && testing.Short() {
				b.Skip("leave out -short for a million items")
			}
			pool := storetest.Private(b)
			stockUp(b, pool, "stock", n)
			st, err := store.New(pool, storetest.Bucket(b))
			if err != nil {
				b.Fatal(err)
			}
			recipe := manifest.Recipe{Projects: []string{"stock"}, Seed: 1, Shares: manifest.Default().Shares}
			first := frozen(b, st, "stock", recipe)
			for _, sql := range []string{
				`UPDATE tasks SET state = 'discarded' WHERE item_id % 50 = 1`,
				`UPDATE truths SET current = false WHERE item_id % 50 IN (2, 3)`,
				`INSERT INTO truths (item_id, import_id) SELECT item_id, import_id FROM truths WHERE item_id % 50 = 2`,
				`INSERT INTO truth_boxes (truth_id, position, class_id, definition_version, x, y, w, h)
					SELECT n.id, b.position, b.class_id, 2, b.x + 1, b.y, b.w, b.h FROM truths n
					JOIN truths o ON o.item_id = n.item_id AND NOT o.current JOIN truth_boxes b ON b.truth_id = o.id WHERE n.current AND n.item_id % 50 = 2`,
			} {
				if _, err := pool.Exec(b.Context(), sql); err != nil {
					b.Fatal(err)
				}
			}
			second := frozen(b, st, "stock", recipe)
			recipe.Seed = 2
			third := frozen(b, st, "stock", recipe)
			for _, c := range []struct {
				name string
				with store.DatasetVersion
				want manifest.Reason
			}{{"some", first, manifest.Relabelled}, {"seed", third, manifest.Moved}} {
				b.Run(c.name, func(b *testing.B) {
					peak := watchHeap()
					defer func() { b.ReportMetric(peak(), "MB-heap") }()
					for b.Loop() {
						diff, err := st.Compare(b.Context(), store.System(), second, c.with)
						if err != nil {
							b.Fatal(err)
						}
						if err := st.RunDiff(b.Context(), diff.ID); err != nil {
							b.Fatal(err)
						}
						if diff, err = st.Diff(b.Context(), store.System(), diff.ID); err != nil || diff.Same == 0 {
							b.Fatal(diff, err)
						}
						if _, err := pool.Exec(b.Context(), `UPDATE dataset_diffs SET from_erased = -1`); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}
