package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"fiducial/internal/models"
	"fiducial/jobs/argo"
	"fiducial/jobs/launcher"
	"fiducial/store"
	"fiducial/store/blob"
	"fiducial/store/storetest"
)

// workerEnv makes this test binary a worker: what it needs, as JSON.
const workerEnv = "FIDUCIAL_TEST_WORKER"

type workerNeeds struct {
	Name, Server, Database string
	Bucket                 blob.Config
	Argo                   string // its address, if there is one
}

func (n workerNeeds) config(tb testing.TB, workers int) Config {
	tb.Helper()
	config := Config{Name: n.Name, Workers: workers, Models: loopback, Log: slog.New(slog.DiscardHandler), SoftStop: time.Second}
	if n.Argo == "" {
		return config
	}
	client, err := argo.New(argo.Config{URL: n.Argo, Namespace: "lab"})
	if err != nil {
		tb.Fatal(err)
	}
	config.Launcher = launcher.Launcher{Argo: client, Policy: loopback, FollowEvery: 5 * time.Millisecond}
	return config
}

// TestAsAWorker is no test: another one starts it as a process of its own, to be killed.
func TestAsAWorker(t *testing.T) {
	text := os.Getenv(workerEnv)
	if text == "" {
		t.Skip("it is started by other tests")
	}
	var needs workerNeeds
	if err := json.Unmarshal([]byte(text), &needs); err != nil {
		t.Fatal(err)
	}
	config, err := pgxpool.ParseConfig(needs.Server)
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.Database, config.ConnConfig.RuntimeParams["application_name"] = needs.Database, needs.Name
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := blob.Open(t.Context(), needs.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.New(pool, bucket)
	if err != nil {
		t.Fatal(err)
	}
	startWorkerAs(t, pool, st, bucket, needs.config(t, 2))
	<-t.Context().Done()
}

// startWorker works jobs in this process until the test ends.
func startWorker(tb testing.TB, pool *pgxpool.Pool, st *store.Store, bucket *blob.Bucket, name string, workers int) (stop func()) {
	tb.Helper()
	return startWorkerAs(tb, pool, st, bucket, workerNeeds{Name: name}.config(tb, workers))
}

func startWorkerAs(tb testing.TB, pool *pgxpool.Pool, st *store.Store, bucket *blob.Bucket, working Config) (stop func()) {
	tb.Helper()
	config := RiverConfig(st, bucket, working)
	config.PeriodicJobs, config.FetchCooldown, config.FetchPollInterval = nil, 5*time.Millisecond, 20*time.Millisecond
	client, err := river.NewClient(riverpgxv5.New(pool), config)
	if err != nil {
		tb.Fatal(err)
	}
	if err := client.Start(context.WithoutCancel(tb.Context())); err != nil {
		tb.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 10*time.Second)
		defer cancel()
		_ = client.Stop(ctx) // what it cuts off was given up on
	}
	tb.Cleanup(stop)
	return stop
}

// until waits until something holds that surely comes to hold: a machine that runs all tests at once is slow.
func until(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	const patience = 3 * time.Minute
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not within %s", what, patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A worker that is killed while it asks redoes nothing that was answered, and its death changes no figure.
func TestAKilledWorkerCostsNothingThatWasAnswered(t *testing.T) {
	t.Parallel()
	l := newLabOf(t, 60, storetest.BucketConfig(t))
	ear := newStandIn(t, func(q asked) any {
		time.Sleep(15 * time.Millisecond)
		return l.hears(3)(q)
	})
	request := store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{l.model(t, "asr", "ear", "1", ear.URL, nil)}}}
	id := l.start(t, request)
	for n := range 3 {
		name := fmt.Sprintf("killed-%d", n)
		worker := l.process(t, workerNeeds{Name: name})
		at := int64((n + 1) * l.version.Lines / 4)
		until(t, "the worker asks", func() bool { return ear.calls.Load() >= at })
		if err := worker.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = worker.Wait() // it was killed
		until(t, "its jobs are given back", func() bool {
			rescued, err := l.store.RescueJobs(t.Context())
			return err == nil && rescued >= 0 && l.count(t, `SELECT count(*) FROM river_job WHERE state = 'running'`) == 0
		})
		l.exec(t, `UPDATE river_job SET state = 'available', scheduled_at = now() WHERE state = 'retryable'`)
	}
	startWorker(t, l.pool, l.store, l.blobs, "survivor", 4)
	until(t, "the run is done", func() bool { return l.evaluation(t, id).State == store.EvaluationDone })
	// Each kill may lose the answers that were on their way: so many calls are made at once.
	most := int64(l.version.Lines + 3*4)
	if n := ear.calls.Load(); n > most || ear.twice() > 3*4 {
		t.Errorf("asked %d times about %d utterances, %d of them again", n, l.version.Lines, ear.twice())
	}
	killed := l.cells(t, id)[0]
	l.exec(t, `DELETE FROM model_outputs`)
	l.exec(t, `DELETE FROM cell_scores`)
	l.exec(t, `UPDATE cells SET normalizer = 'as-is-1', value = NULL`) // another cell is computed below
	again := l.start(t, request)
	until(t, "the undisturbed run is done", func() bool { return l.evaluation(t, again).State == store.EvaluationDone })
	whole := l.cells(t, again)[0]
	if whole.ID == killed.ID || *whole.Value != *killed.Value || *whole.Low != *killed.Low || *whole.High != *killed.High || whole.Items != killed.Items {
		t.Errorf("with kills %+v, without %+v", killed, whole)
	}
}

// Workers of several processes share the chunks of a run.
func TestWorkersShareTheChunks(t *testing.T) {
	t.Parallel()
	l := newLab(t, 48)
	together := make(chan struct{}) // closed once several workers ask
	ear := newStandIn(t, func(q asked) any {
		<-together
		return l.hears(3)(q)
	})
	slow := newStandIn(t, func(q asked) any {
		time.Sleep(5 * time.Millisecond) // so that calls meet
		return feels(q)
	})
	id := l.start(t, store.EvaluationRequest{Models: [][]string{
		{l.model(t, "asr", "ear", "1", ear.URL, func(s *models.Settings) { s.Concurrency, s.Timeout = 16, time.Hour })},
		{l.model(t, "nlp", "mind", "1", slow.URL, func(s *models.Settings) { s.Concurrency = 3 })},
	}})
	for n := range 3 {
		startWorker(t, l.pool, l.store, l.blobs, fmt.Sprintf("worker-%d", n), 1)
	}
	open := sync.OnceFunc(func() { close(together) })
	t.Cleanup(open) // whatever fails below, nobody waits for an answer
	until(t, "each worker has a chunk", func() bool {
		return l.count(t, `SELECT count(DISTINCT attempted_by[1]) FROM river_job WHERE kind = 'run_chunk' AND state = 'running'`) == 3
	})
	open()
	until(t, "the run is done", func() bool { return l.evaluation(t, id).State == store.EvaluationDone })
	if e := l.evaluation(t, id); e.Failed != 0 || e.Done != e.Items || ear.calls.Load() != int64(l.version.Lines) || ear.twice() != 0 {
		t.Errorf("%+v, asked %d times", e, ear.calls.Load())
	}
	if slow.most.Load() > 3 {
		t.Errorf("%d calls at once of a model that may have 3", slow.most.Load())
	}
}

func (l *lab) count(tb testing.TB, sql string) (n int) {
	tb.Helper()
	if err := l.pool.QueryRow(context.WithoutCancel(tb.Context()), sql).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// process starts a worker as a process of its own.
func (l *lab) process(t *testing.T, n workerNeeds) *exec.Cmd {
	t.Helper()
	n.Server, n.Database, n.Bucket = l.pool.Config().ConnString(), l.pool.Config().ConnConfig.Database, l.bucket
	needs, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	worker := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAsAWorker$", "-test.timeout=10m")
	worker.Env = append(os.Environ(), workerEnv+"="+string(needs))
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Process.Kill() }) // if it was not before
	until(t, "the worker is there", func() bool {
		return l.count(t, fmt.Sprintf(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = '%s'`, n.Name)) > 0
	})
	return worker
}

// BenchmarkEvaluation asks a model that takes 50 ms about utterances, with one worker and with four; the figure is how much faster the four are.
func BenchmarkEvaluation(b *testing.B) {
	l := newTextLab(b, 1024)
	mind := newStandIn(b, func(q asked) any {
		time.Sleep(50 * time.Millisecond)
		return feels(q)
	})
	took := map[int]time.Duration{}
	for b.Loop() {
		for _, workers := range []int{1, 4} {
			name := l.model(b, "nlp", "mind", fmt.Sprintf("%d-%d", workers, b.N), mind.URL, func(s *models.Settings) { s.Concurrency = 64 })
			var stops []func()
			for n := range workers {
				stops = append(stops, startWorker(b, l.pool, l.store, l.blobs, fmt.Sprintf("worker-%d", n), 1))
			}
			began := time.Now()
			id := l.start(b, store.EvaluationRequest{Slots: []string{"nlp"}, Models: [][]string{{name}}})
			until(b, "the run is answered", func() bool {
				return l.count(b, fmt.Sprintf(`SELECT count(*) FROM evaluation_chunks h JOIN evaluation_steps s ON s.id = h.step_id WHERE s.evaluation_id = %d AND h.state = 'waiting'`, id)) == 0
			})
			took[workers] = time.Since(began)
			until(b, "the run is done", func() bool { return l.evaluation(b, id).State == store.EvaluationDone })
			for _, stop := range stops {
				stop()
			}
		}
	}
	b.ReportMetric(took[1].Seconds()/took[4].Seconds(), "times-as-fast")
	b.ReportMetric(took[4].Seconds(), "s-with-four")
	b.ReportMetric(0, "ns/op")
}

// newTextLab has so many utterances without sound: enough for a language model, which is given their words.
func newTextLab(b *testing.B, items int) *lab {
	b.Helper()
	s := &shelf{pool: storetest.Pool(b), classes: map[string]int64{}}
	s.blobs, s.log = storetest.Bucket(b), slog.New(slog.DiscardHandler)
	var err error
	if s.store, err = store.New(s.pool, s.blobs); err != nil {
		b.Fatal(err)
	}
	u := storetest.Speech(b, s.pool, s.blobs, 0, 1, 1)
	l := &lab{shelf: s, Utterances: u, said: map[string]string{}}
	err = pgx.BeginFunc(b.Context(), s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(b.Context(), `
			WITH r AS (INSERT INTO imports (project_id, format, purpose, source_id) VALUES ($1, 'nemo', 'truth', $2) RETURNING id),
			c AS (INSERT INTO recordings (project_id, source_id, key_hash, state, encoding, rate, channels, frames) VALUES ($1, $2, '\x01', 'ready', 'PCM, 16 bit', 8000, 1, 8000 * $3::bigint) RETURNING id),
			i AS (INSERT INTO items (project_id, source_id, key_hash, state, recording_id, begins, ends)
				SELECT $1, $2, sha256(n::text::bytea), 'ready', c.id, n - 1, n FROM c, generate_series(1, $3) n RETURNING id),
			salts AS (INSERT INTO item_salts (item_id, salt) SELECT id, sha256(id::text::bytea) FROM i),
			t AS (INSERT INTO truths (item_id, import_id) SELECT i.id, r.id FROM i, r RETURNING id, item_id),
			w AS (INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT item_id, 'truth', id, jsonb_build_array(jsonb_build_object('begin', 0, 'end', 1, 'text', 'call ' || item_id || ' was good')) FROM t),
			d AS (INSERT INTO datasets (name) VALUES ('calls-test') RETURNING id),
			v AS (INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, lines, frozen_at) SELECT id, 1, '{"projects":["calls"]}', 'frozen', sha256('x'), $3, now() FROM d RETURNING id),
			p AS (INSERT INTO dataset_version_projects (version_id, project_id) SELECT id, $1 FROM v),
			o AS (UPDATE sources SET open_to = '{models}' WHERE id = $2)
			INSERT INTO dataset_lines (version_id, position, leaf, split, item_id, truth_id)
			SELECT v.id, row_number() OVER (ORDER BY t.item_id) - 1, sha256(t.id::text::bytea), 'test', t.item_id, t.id FROM v, t`, u.Project, u.Source, items)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return l
}
