package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/store/storetest"
)

// erasedItems is how many items the benchmark erases.
const erasedItems = 10_000

// crowd gives every item of the stock an answer, a prediction, a result of an import, and a line of a version, and gives
// a customer every so many of them.
func crowd(tb testing.TB, pool *pgxpool.Pool, n int) (source int64, items []int64) {
	tb.Helper()
	for _, statement := range []string{
		`INSERT INTO people (role, pseudonym) VALUES ('labeler', 'ines'), ('admin', 'ada')`,
		`INSERT INTO members (project_id, person_id) SELECT p.id, q.id FROM projects p, people q`,
		`INSERT INTO assignments (task_id, project_id, person_id, state, finished_at) SELECT t.id, t.project_id, q.id, 'submitted', now() FROM tasks t, people q WHERE q.role = 'labeler'`,
		`INSERT INTO annotations (assignment_id, task_id, item_id, person_id) SELECT a.id, t.id, t.item_id, a.person_id FROM assignments a JOIN tasks t ON t.id = a.task_id`,
		`INSERT INTO annotation_boxes (annotation_id, position, class_id, x, y, w, h) SELECT a.id, b, c.id, 1, 1, 2, 2 FROM annotations a, generate_series(0, 1) b, (SELECT min(id) AS id FROM classes) c`,
		`INSERT INTO predictions (item_id, purpose) SELECT id, 'prefill' FROM items`,
		`INSERT INTO prediction_boxes (prediction_id, position, class_id, x, y, w, h) SELECT p.id, 0, c.id, 1, 1, 2, 2 FROM predictions p, (SELECT min(id) AS id FROM classes) c`,
		`INSERT INTO import_results (import_id, name, outcome, item_id) SELECT m.id, 'line 1/' || i.id, 'added', i.id FROM items i, imports m`,
		`INSERT INTO datasets (name) VALUES ('stock')`,
		fmt.Sprintf(`INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, lines) SELECT id, 1, '{}', 'frozen', sha256('v'), %d FROM datasets`, n),
		`INSERT INTO dataset_lines (version_id, position, leaf, split, item_id, truth_id) SELECT v.id, row_number() OVER () - 1, sha256(t.id::text::bytea), 'training', t.item_id, t.id FROM truths t, dataset_versions v`,
		`INSERT INTO sources (name) VALUES ('customer')`,
		fmt.Sprintf(`UPDATE items SET source_id = (SELECT id FROM sources WHERE name = 'customer') WHERE id %% %d = 0`, n/erasedItems),
		`ANALYZE`,
	} {
		if _, err := pool.Exec(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
	rows, err := pool.Query(tb.Context(), `SELECT i.id FROM items i JOIN sources s ON s.id = i.source_id AND s.name = 'customer'`)
	if err != nil {
		tb.Fatal(err)
	}
	if items, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		tb.Fatal(err)
	}
	if err := pool.QueryRow(tb.Context(), `SELECT id FROM sources WHERE name = 'customer'`).Scan(&source); err != nil {
		tb.Fatal(err)
	}
	return source, items
}

// BenchmarkErase erases one customer's 10,000 items, with their objects, out of more and more of others.
func BenchmarkErase(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("items=%d", n), func(b *testing.B) {
			pool, bucket := storetest.Private(b), storetest.Bucket(b)
			stockUp(b, pool, "stock", n)
			source, items := crowd(b, pool, n)
			var group errgroup.Group
			group.SetLimit(16)
			for _, item := range items {
				group.Go(func() error {
					_, err := bucket.Put(b.Context(), store.AssetKey(item, "original"), strings.NewReader("pixels"), 6, "image/png")
					return err
				})
			}
			if err := group.Wait(); err != nil {
				b.Fatal(err)
			}
			st, err := store.New(pool, bucket)
			if err != nil {
				b.Fatal(err)
			}
			admin := store.Actor{Role: access.Admin, PersonID: 2}
			for b.Loop() {
				e, err := st.PreviewErasure(b.Context(), admin, store.ErasureRequest{Scope: store.ScopeSource, Source: source, Reason: "Ticket"})
				if err != nil {
					b.Fatal(err)
				}
				if err := st.CollectErasure(b.Context(), e.ID); err != nil {
					b.Fatal(err)
				}
				if err := st.ConfirmErasure(b.Context(), admin, e.ID); err != nil {
					b.Fatal(err)
				}
				if err := st.RunErasure(b.Context(), e.ID); err != nil {
					b.Fatal(err)
				}
				if e, err = st.Erasure(b.Context(), admin, e.ID); err != nil || e.State != store.ErasureErased || e.DoneItems != len(items) {
					b.Fatalf("it is %s: %d items, %s, %v", e.State, e.DoneItems, e.Error, err)
				}
			}
		})
	}
}
