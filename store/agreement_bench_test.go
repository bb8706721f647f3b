package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// newBenchAnswers gives every task of a floor answers of its first labelers, of that many boxes each, and returns it
// as a bench. The boxes of one labeler lie a little beside those of another, and now and then bear another class.
func newBenchAnswers(b *testing.B, slug string, tasks, labelers, boxes int) *bench {
	b.Helper()
	f := &bench{floor: newBenchFloor(b, benchPool(b), slug, tasks, 0)}
	f.reviewer = f.engage(b, access.Reviewer)
	var other int64
	f.scan(b, &other, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'dent', 1) RETURNING id`, f.project.ID)
	conn, err := f.pool.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	first := f.labelers[0].PersonID
	for _, sql := range []string{
		`SET session_replication_role = replica`,
		fmt.Sprintf(`INSERT INTO assignments (task_id, project_id, person_id, state, finished_at)
			SELECT t.id, t.project_id, %d + who, 'submitted', now() FROM tasks t, generate_series(0, %d) who WHERE t.project_id = %d ORDER BY t.id`,
			first, labelers-1, f.project.ID),
		fmt.Sprintf(`INSERT INTO annotations (assignment_id, task_id, item_id, person_id)
			SELECT a.id, t.id, t.item_id, a.person_id FROM assignments a JOIN tasks t ON t.id = a.task_id WHERE a.project_id = %d ORDER BY a.id`, f.project.ID),
		fmt.Sprintf(`INSERT INTO annotation_boxes (annotation_id, position, class_id, x, y, w, h)
			SELECT an.id, n, CASE WHEN (an.id + n) %% 17 = 0 THEN %d ELSE %d END, n %% 10 * 120 + an.person_id - %d, n / 10 * 120, 100, 80
			FROM annotations an, generate_series(0, %d) n ORDER BY an.id`, other, f.class, first, boxes-1),
		fmt.Sprintf(`UPDATE tasks SET votes = %d, overlap = 3, state = CASE WHEN %[1]d >= 3 THEN 'in_review' ELSE 'open' END WHERE project_id = %[2]d`,
			labelers, f.project.ID),
		`RESET session_replication_role`, `VACUUM ANALYZE`, `CHECKPOINT`,
	} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	rows, err := f.pool.Query(b.Context(), `SELECT item_id FROM tasks WHERE project_id = $1 ORDER BY item_id`, f.project.ID)
	if err != nil {
		b.Fatal(err)
	}
	if f.items, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkSubmitCompared submits third answers of 50 boxes, 100 times a second: each asks for a score.
func BenchmarkSubmitCompared(b *testing.B) {
	f := newBenchAnswers(b, "compared", 10_000, 2, 5)
	who := f.labelers[10]
	f.exec(b, `INSERT INTO assignments (task_id, project_id, person_id, state, lease_until)
		SELECT t.id, t.project_id, $2, 'leased', now() + interval '1 hour' FROM tasks t WHERE t.project_id = $1 ORDER BY t.id LIMIT $3`,
		f.project.ID, who.PersonID, int(benchTime.Seconds())*100)
	f.exec(b, `UPDATE tasks SET live = 1 FROM assignments a WHERE a.task_id = tasks.id AND a.person_id = $1`, who.PersonID)
	rows, err := f.pool.Query(b.Context(), `SELECT task_id AS task, id AS assignment FROM assignments WHERE person_id = $1 ORDER BY id`, who.PersonID)
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
		_, err := f.Submit(context.Background(), who, a)
		return time.Since(due), err
	}))
}

// BenchmarkScoreItem scores items with three answers of 50 boxes.
func BenchmarkScoreItem(b *testing.B) {
	f := newBenchAnswers(b, "score", 2_000, 3, 50)
	n := 0
	for b.Loop() {
		if err := f.ScoreItem(b.Context(), f.items[n%len(f.items)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkSummarizeProject sums up 18,000 items with three answers of five boxes, reading included.
func BenchmarkSummarizeProject(b *testing.B) {
	f := newBenchAnswers(b, "summary", 18_000, 3, 5)
	f.exec(b, `INSERT INTO item_agreements (item_id, project_id, task_id, answers, objects, score, worst)
		SELECT item_id, project_id, id, 3, 5, 0.5, 'class' FROM tasks WHERE project_id = $1`, f.project.ID)
	f.exec(b, `VACUUM ANALYZE item_agreements`)
	for b.Loop() {
		if err := f.SummarizeAgreement(b.Context(), AgreementScope{Project: f.project.ID}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNextReview hands out the worst of a million items that wait for review, and shows the first ten.
func BenchmarkNextReview(b *testing.B) {
	f := &bench{floor: newBenchFloor(b, benchPool(b), "review", 1_000_000, 0)}
	f.reviewer = f.engage(b, access.Reviewer)
	f.exec(b, `UPDATE tasks SET state = 'in_review', votes = 3, agreement = CASE WHEN id % 3 = 0 THEN NULL ELSE id * 7919 % 1000 / 1000.0 END`)
	f.exec(b, `VACUUM ANALYZE tasks`)
	b.Run("next", func(b *testing.B) {
		for b.Loop() {
			if _, err := f.NextReview(b.Context(), f.reviewer, "", 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first ten", func(b *testing.B) {
		for b.Loop() {
			if _, err := f.WaitingForReview(b.Context(), f.reviewer, "", 10); err != nil {
				b.Fatal(err)
			}
		}
	})
}
