package store_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/manifest"
	"fiducial/store"
	"fiducial/store/storetest"
)

// stockUp gives a new project n items of labels alone, each with truth of two or three boxes of six classes.
func stockUp(tb testing.TB, pool *pgxpool.Pool, slug string, n int) {
	tb.Helper()
	for _, statement := range []string{
		`INSERT INTO sources (name) VALUES ('stock') ON CONFLICT DO NOTHING`,
		`INSERT INTO projects (slug, name, kind, key_secret) VALUES ('` + slug + `', 'Stock', 'image', sha256('stock'))`,
		`INSERT INTO imports (project_id, format, purpose, source_id) SELECT p.id, 'coco', 'truth', s.id FROM projects p, sources s WHERE p.slug = '` + slug + `'`,
		`INSERT INTO classes (project_id, name, slot) SELECT id, 'class ' || g, g FROM projects, generate_series(0, 5) g WHERE slug = '` + slug + `'`,
		fmt.Sprintf(`INSERT INTO items (project_id, source_id, key_hash, state, width, height)
			SELECT p.id, s.id, sha256(g::text::bytea), 'ready', 200, 200 FROM projects p, sources s, generate_series(1, %d) g WHERE p.slug = '%s' ORDER BY g`, n, slug),
		`INSERT INTO item_texts (item_id, external_key) SELECT i.id, 'line 1/' || i.id || '.jpg' FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = '` + slug + `'`,
		`INSERT INTO item_salts (item_id, salt) SELECT i.id, sha256(i.id::text::bytea) FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = '` + slug + `'`,
		`INSERT INTO assets (item_id, kind, content_type, bytes, sha256) SELECT i.id, 'original', 'image/jpeg', 1, sha256(i.id::text::bytea) FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = '` + slug + `'`,
		`INSERT INTO tasks (project_id, item_id, state, overlap) SELECT p.id, i.id, 'adjudicated', 1 FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = '` + slug + `'`,
		`INSERT INTO truths (item_id, import_id) SELECT i.id, m.id FROM items i JOIN projects p ON p.id = i.project_id JOIN imports m ON m.project_id = p.id WHERE p.slug = '` + slug + `' ORDER BY i.id`,
		`INSERT INTO truth_boxes (truth_id, position, class_id, definition_version, x, y, w, h)
			SELECT t.id, b, c.id, 1, 3.25 + b, (t.id % 100) / 7.0, 44.5, 60 FROM truths t JOIN items i ON i.id = t.item_id JOIN projects p ON p.id = i.project_id
			CROSS JOIN generate_series(0, 2) b JOIN classes c ON c.project_id = p.id AND c.slot = (t.id + b) % 6
			WHERE p.slug = '` + slug + `' AND (b < 2 OR t.id % 3 = 0)`,
		`ANALYZE`,
	} {
		if _, err := pool.Exec(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// watchHeap returns a function that says how high the heap rose meanwhile, in megabytes.
func watchHeap() func() float64 {
	var peak atomic.Uint64
	done := make(chan struct{})
	go func() {
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse+m.StackInuse))
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() float64 {
		close(done)
		return float64(peak.Load()) / 1e6
	}
}

// BenchmarkVersion freezes and verifies a million items: by shares alone, and balanced by class with a size for each stratum.
func BenchmarkVersion(b *testing.B) {
	const n = 1_000_000
	pool := storetest.Private(b)
	stockUp(b, pool, "stock", n)
	st, err := store.New(pool, storetest.Bucket(b))
	if err != nil {
		b.Fatal(err)
	}
	simple := manifest.Recipe{Projects: []string{"stock"}, Seed: 1, Shares: manifest.Default().Shares}
	balanced := simple
	balanced.Strata, balanced.Sizes = []manifest.StratumKey{manifest.PerClass}, &manifest.Sizes{Test: 10_000}
	var version store.DatasetVersion
	for _, c := range []struct {
		name   string
		recipe manifest.Recipe
	}{{"freeze-balanced", balanced}, {"freeze", simple}} {
		b.Run(c.name, func(b *testing.B) {
			peak := watchHeap()
			defer func() { b.ReportMetric(peak(), "MB-heap") }()
			for b.Loop() {
				version = frozen(b, st, "stock", c.recipe)
			}
		})
	}
	b.Run("preview", func(b *testing.B) {
		for b.Loop() {
			if p, err := st.Preview(b.Context(), store.System(), balanced); err != nil || p.Every < 2 {
				b.Fatal(p, err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		peak := watchHeap()
		defer func() { b.ReportMetric(peak(), "MB-heap") }()
		for b.Loop() {
			if v := verified(b, st, version, false); !v.Holds() || v.Matching != n {
				b.Fatalf("%+v", v)
			}
		}
	})
}

// frozen freezes and does the job's work itself.
func frozen(tb testing.TB, st *store.Store, dataset string, recipe manifest.Recipe) store.DatasetVersion {
	tb.Helper()
	version, err := st.Freeze(tb.Context(), store.System(), dataset, recipe)
	if err != nil {
		tb.Fatal(err)
	}
	return filled(tb, st, version)
}

func filled(tb testing.TB, st *store.Store, version store.DatasetVersion) store.DatasetVersion {
	tb.Helper()
	if err := st.FillVersion(tb.Context(), version.ID); err != nil {
		tb.Fatal(err)
	}
	version, err := st.DatasetVersion(tb.Context(), store.System(), version.Dataset, version.Number)
	if err != nil {
		tb.Fatal(err)
	}
	return version
}

func verified(tb testing.TB, st *store.Store, version store.DatasetVersion, media bool) store.Verification {
	tb.Helper()
	v, err := st.Verify(tb.Context(), store.System(), version, media)
	if err != nil {
		tb.Fatal(err)
	}
	if err := st.RunVerification(tb.Context(), v.ID); err != nil {
		tb.Fatal(err)
	}
	if v, _, err = st.Verification(tb.Context(), store.System(), v.ID); err != nil {
		tb.Fatal(err)
	}
	return v
}
