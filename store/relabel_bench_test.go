package store

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// The labels that BenchmarkPublish makes stale: answers of five boxes each, and as many boxes of the truth.
const (
	benchOlder = 20_000
	benchBoxes = 5
)

// newOlderFloor is a bench floor whose first tasks were decided, all their labels of one class at version 1.
func newOlderFloor(b *testing.B) *floor {
	b.Helper()
	f := newBenchFloor(b, benchPool(b), "publish", benchOlder+10_000, 0)
	f.exec(b, `INSERT INTO definitions (class_id, version, published_at, body) VALUES ($1, 1, now(), 'A line.')`, f.class)
	f.exec(b, `INSERT INTO definitions (class_id, body) VALUES ($1, 'A line that is broken.')`, f.class)
	conn, err := f.pool.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	first := fmt.Sprintf(`(SELECT id, item_id, project_id, row_number() OVER (ORDER BY id) AS n FROM tasks WHERE project_id = %d ORDER BY id LIMIT %d) t`, f.project.ID, benchOlder)
	boxes := fmt.Sprintf(`CROSS JOIN generate_series(0, %d) g`, benchBoxes-1)
	for _, sql := range []string{
		`SET session_replication_role = replica`,
		`INSERT INTO assignments (task_id, project_id, person_id, state, finished_at) SELECT id, project_id, (SELECT min(id) FROM people) + n % 64, 'submitted', now() FROM ` + first,
		`INSERT INTO annotations (assignment_id, task_id, item_id, person_id) SELECT a.id, t.id, t.item_id, a.person_id FROM ` + first + ` JOIN assignments a ON a.task_id = t.id`,
		`INSERT INTO reviews (task_id, item_id, reviewer_id, decision) SELECT id, item_id, (SELECT min(id) FROM people), 'approved' FROM ` + first,
		`INSERT INTO truths (item_id, review_id) SELECT item_id, id FROM reviews`,
		`UPDATE tasks SET state = 'adjudicated', overlap = 1, votes = 1 WHERE id IN (SELECT task_id FROM assignments)`,
		`RESET session_replication_role`,
		fmt.Sprintf(`INSERT INTO annotation_boxes (annotation_id, position, class_id, definition_version, x, y, w, h) SELECT id, g, %d, 1, g * 10, 5, 8, 20 FROM annotations %s`, f.class, boxes),
		fmt.Sprintf(`INSERT INTO truth_boxes (truth_id, position, class_id, definition_version, x, y, w, h) SELECT id, g, %d, 1, g * 10, 5, 8, 20 FROM truths %s`, f.class, boxes),
		`VACUUM ANALYZE`, `CHECKPOINT`,
	} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatalf("%s: %v", sql, err)
		}
	}
	return f
}

// BenchmarkPublish publishes a definition over 100,000 labels and sends them all back, while 64 labelers claim 50 times
// a second. publish-ms is what the reviewer waits for; send-s is the job behind it; the claims are due in an open loop.
func BenchmarkPublish(b *testing.B) {
	f := newOlderFloor(b)
	counts, err := f.LabelCounts(b.Context(), System(), f.project.ID)
	if err != nil || len(counts) != 1 || counts[0].Answers != benchOlder*benchBoxes {
		b.Fatalf("%+v, %v", counts, err)
	}
	began := time.Now()
	_, id, err := f.PublishAndSendBack(b.Context(), System(), f.class, 1, SendBack{All: true})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds()*1000, "publish-ms")
	var job sync.WaitGroup
	done := make(chan struct{})
	var claims []time.Duration
	job.Go(func() { claims = claimUntil(b, f, done) })
	began = time.Now()
	if err := f.RunRelabel(b.Context(), id); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds(), "send-s")
	close(done)
	job.Wait()
	r, err := f.RelabelByID(b.Context(), System(), id)
	if err != nil || r.Answers != benchOlder || r.State != "done" {
		b.Fatalf("%+v, %v", r, err)
	}
	report(b, claims)
}

// claimUntil has labelers claim and answer at a steady rate until done, and says how long each claim took from the
// time at which it was due.
func claimUntil(b *testing.B, f *floor, done <-chan struct{}) (took []time.Duration) {
	b.Helper()
	const perSecond = 50
	var busy [benchLabelers]sync.Mutex
	var all sync.Mutex
	var calls sync.WaitGroup
	start := time.Now()
	for n := 0; ; n++ {
		due := start.Add(time.Duration(n) * time.Second / perSecond)
		select {
		case <-done:
			calls.Wait()
			return took
		case <-time.After(time.Until(due)):
		}
		calls.Go(func() {
			busy[n%benchLabelers].Lock()
			defer busy[n%benchLabelers].Unlock()
			c, err := f.Claim(context.Background(), f.labelers[n%benchLabelers], f.project.Slug, 0)
			claimed := time.Since(due)
			if err == nil {
				var work Work
				if work, err = f.Work(context.Background(), f.labelers[n%benchLabelers], c.Task); err == nil {
					a := f.answer(c)
					a.Version = work.DraftVersion
					_, err = f.Submit(context.Background(), f.labelers[n%benchLabelers], a)
				}
			}
			if err != nil {
				b.Error(err)
			}
			all.Lock()
			defer all.Unlock()
			took = append(took, claimed)
		})
	}
}
