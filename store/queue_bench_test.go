package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"fiducial/migrations"
	"fiducial/store/embedded"
	"fiducial/store/storetest"
)

const (
	benchLabelers = 64
	benchTime     = 20 * time.Second
)

// benchPool is a database on a cluster that waits for the disk, as the product's does.
func benchPool(b *testing.B) *pgxpool.Pool {
	b.Helper()
	dir, err := os.MkdirTemp("", "fiducial-bench-") //nolint:usetesting // the user postgres cannot reach TempDir
	if err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		b.Fatal(err)
	}
	cluster, err := embedded.StartPostgres(b.Context(), dir+"/postgres", embedded.PostgresOptions{})
	if err != nil {
		b.Skip(err)
	}
	config, err := pgxpool.ParseConfig(cluster.DSN)
	if err != nil {
		b.Fatal(err)
	}
	config.MaxConns = 32
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		pool.Close()
		if err := errors.Join(cluster.Stop(), os.RemoveAll(dir)); err != nil {
			b.Error(err)
		}
	})
	if err := migrations.Up(b.Context(), pool); err != nil {
		b.Fatal(err)
	}
	return pool
}

// newBenchFloor returns a project with that many open tasks, wanted three times each. The first
// labeler has answered the first `answered` of them, as nobody else has.
func newBenchFloor(b *testing.B, pool *pgxpool.Pool, slug string, tasks, answered int) *floor {
	b.Helper()
	st, err := New(pool, storetest.Bucket(b))
	if err != nil {
		b.Fatal(err)
	}
	f := &floor{Store: st}
	if f.project, err = st.AddProject(b.Context(), System(), NewProject{Slug: slug, Kind: "image", Overlap: 3}); err != nil {
		b.Fatal(err)
	}
	f.scan(b, &f.class, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'scratch', 0) RETURNING id`, f.project.ID)
	f.exec(b, `INSERT INTO sources (name) VALUES ($1)`, slug)
	for range benchLabelers {
		f.hire(b)
	}
	conn, err := pool.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	for _, sql := range []string{
		`SET session_replication_role = replica`, // a million foreign keys need no checking here
		fmt.Sprintf(`INSERT INTO items (project_id, source_id, key_hash, width, height)
			SELECT %d, s.id, int8send(n), 2000, 1000 FROM sources s, generate_series(1, %d) n WHERE s.name = '%s'`, f.project.ID, tasks, slug),
		fmt.Sprintf(`INSERT INTO tasks (project_id, item_id, overlap, votes)
			SELECT project_id, id, 3, (row_number() OVER (ORDER BY id) <= %d)::int FROM items WHERE project_id = %d ORDER BY id`, answered, f.project.ID),
		fmt.Sprintf(`INSERT INTO assignments (task_id, project_id, person_id, state, finished_at)
			SELECT id, project_id, %d, 'submitted', now() FROM tasks WHERE project_id = %d ORDER BY id LIMIT %d`,
			f.labelers[0].PersonID, f.project.ID, answered),
		`RESET session_replication_role`, `VACUUM ANALYZE items, tasks, assignments`, `CHECKPOINT`,
	} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	return f
}

// openLoop calls do at a steady rate whatever becomes of the calls before. Do says how long it took from
// the time at which it was due.
func openLoop(b *testing.B, perSecond int, do func(n int, due time.Time) (time.Duration, error)) []time.Duration {
	b.Helper()
	took := make([]time.Duration, int(benchTime.Seconds())*perSecond)
	var calls sync.WaitGroup
	var failed atomic.Pointer[error]
	start := time.Now()
	for n := range took {
		due := start.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
		time.Sleep(time.Until(due))
		calls.Go(func() {
			var err error
			if took[n], err = do(n, due); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	calls.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	return took
}

// report gives the median and the 99th percentile of latencies, in milliseconds, and returns the median.
func report(b *testing.B, took []time.Duration) (median float64) {
	b.Helper()
	slices.Sort(took)
	at := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1000 }
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
	return at(0.5)
}

// BenchmarkClaim claims 200 times a second, by 64 labelers who answer what they got: on few tasks, on a
// million, and there by one who has answered the first 100,000 alone.
func BenchmarkClaim(b *testing.B) {
	pool := benchPool(b)
	var few float64
	for _, bb := range []struct {
		name            string
		tasks, answered int
	}{{"tasks=10000", 10_000, 0}, {"tasks=1000000", 1_000_000, 0}, {"tasks=1000000/answered=100000", 1_000_000, 100_000}} {
		b.Run(bb.name, func(b *testing.B) {
			f := newBenchFloor(b, pool, fmt.Sprintf("claim-%d-%d", bb.tasks, bb.answered), bb.tasks, bb.answered)
			began := time.Now()
			f.mustSubmit(b, f.labelers[0], f.mustClaim(b, f.labelers[0]))
			b.ReportMetric(time.Since(began).Seconds()*1000, "first-ms") // once passes over what was answered
			warm(b, f)
			var busy [benchLabelers]sync.Mutex
			took := openLoop(b, 200, func(n int, due time.Time) (time.Duration, error) {
				who := n % benchLabelers
				if bb.answered > 0 && n%8 == 0 {
					who = 0
				}
				busy[who].Lock()
				defer busy[who].Unlock()
				c, err := f.Claim(context.Background(), f.labelers[who], f.project.Slug, 0)
				claimed := time.Since(due)
				if err == nil {
					_, err = f.Submit(context.Background(), f.labelers[who], f.answer(c))
				}
				return claimed, err
			})
			if bb.answered > 0 {
				took = everyEighth(took)
			}
			median := report(b, took)
			if few == 0 {
				few = median
			}
			b.ReportMetric(median/few, "p50/p50-of-10000")
		})
	}
}

// warm has every labeler claim and answer a few times, all at once, before anything is measured. A server has done so long
// before its busiest minute; without it the slowest claims measured are those of the first second, in which every
// connection is opened and has each of its queries planned for the first time, and every labeler gets their cursor.
func warm(b *testing.B, f *floor) {
	b.Helper()
	const rounds = 8 // after five, Postgres keeps a plan
	var calls errgroup.Group
	for _, who := range f.labelers {
		calls.Go(func() error {
			for range rounds {
				c, err := f.Claim(b.Context(), who, f.project.Slug, 0)
				if err == nil {
					_, err = f.Submit(b.Context(), who, f.answer(c))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := calls.Wait(); err != nil {
		b.Fatal(err)
	}
}

func everyEighth(all []time.Duration) (some []time.Duration) {
	for n := 0; n < len(all); n += 8 {
		some = append(some, all[n])
	}
	return some
}

// BenchmarkSubmit submits answers of 50 boxes, 100 times a second.
func BenchmarkSubmit(b *testing.B) {
	f := newBenchFloor(b, benchPool(b), "submit", 10_000, 0)
	f.exec(b, `INSERT INTO assignments (task_id, project_id, person_id, state, lease_until)
		SELECT t.id, t.project_id, $2, 'leased', now() + interval '1 hour' FROM tasks t WHERE t.project_id = $1 ORDER BY t.id LIMIT $3`,
		f.project.ID, f.labelers[0].PersonID, int(benchTime.Seconds())*100)
	f.exec(b, `UPDATE tasks SET live = 1 FROM assignments a WHERE a.task_id = tasks.id AND a.project_id = $1`, f.project.ID)
	rows, err := f.pool.Query(b.Context(), `SELECT task_id AS task, id AS assignment FROM assignments WHERE project_id = $1 ORDER BY id`, f.project.ID)
	if err != nil {
		b.Fatal(err)
	}
	held, err := pgx.CollectRows(rows, pgx.RowToStructByName[Claimed])
	if err != nil {
		b.Fatal(err)
	}
	report(b, openLoop(b, 100, func(n int, due time.Time) (time.Duration, error) {
		a := f.answer(held[n])
		for i := range 49 {
			a.Boxes = append(a.Boxes, DraftBox{ClassID: f.class, X: float64(i), Y: 2, W: 30, H: 40})
		}
		_, err := f.Submit(context.Background(), f.labelers[0], a)
		return time.Since(due), err
	}))
}
