package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"fiducial/internal/access"
	"fiducial/internal/agreement"
)

// panel is a floor on which several labelers answer each item.
type panel struct {
	*bench

	other int64 // a second class
}

func newPanel(tb testing.TB, labelers, items, overlap int, change func(*AgreementRules)) *panel {
	tb.Helper()
	p := &panel{bench: newBench(tb, labelers, items, overlap)}
	p.scan(tb, &p.other, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'dent', 1) RETURNING id`, p.project.ID)
	p.exec(tb, `INSERT INTO definitions (class_id, version, published_at) VALUES ($1, 1, now())`, p.other)
	rules := DefaultAgreementRules()
	rules.LookShare = 0
	if change != nil {
		change(&rules)
	}
	if err := p.SetAgreementRules(tb.Context(), System(), p.project.ID, rules); err != nil {
		tb.Fatal(err)
	}
	p.exec(tb, `DELETE FROM river_job`)
	return p
}

// box is one of the first class.
func (p *panel) box(x float64) DraftBox {
	return DraftBox{ID: "a", ClassID: p.class, X: x, Y: 2, W: 20, H: 40}
}

// dent is the same of the second class.
func (p *panel) dent(x float64) DraftBox {
	b := p.box(x)
	b.ClassID = p.other
	return b
}

// vote has a labeler answer their next item.
func (p *panel) vote(tb testing.TB, who int, boxes ...DraftBox) Claimed {
	tb.Helper()
	c := p.mustClaim(tb, p.labelers[who])
	work, err := p.Work(tb.Context(), p.labelers[who], c.Task)
	if err != nil {
		tb.Fatal(err)
	}
	answer := NewAnnotation{Task: c.Task, Assignment: c.Assignment, Version: work.DraftVersion, Boxes: boxes}
	if _, err := p.Submit(tb.Context(), p.labelers[who], answer); err != nil {
		tb.Fatal(err)
	}
	return c
}

// work does what the jobs would: it scores whatever asks for it, in their order, and says how many that were.
func (p *panel) work(tb testing.TB) (n int) {
	tb.Helper()
	rows, err := p.pool.Query(tb.Context(), `DELETE FROM river_job WHERE kind = 'score_item' RETURNING (args->>'item_id')::bigint`)
	if err != nil {
		tb.Fatal(err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		tb.Fatal(err)
	}
	for _, item := range items {
		for range 2 { // run twice, it comes to the same
			if err := p.ScoreItem(tb.Context(), item); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return len(items)
}

// kept is everything that is kept of agreement, ids included.
func (p *panel) kept(tb testing.TB) (rows []string) {
	tb.Helper()
	for _, table := range []string{"item_agreements", "confusions"} {
		found, err := p.pool.Query(tb.Context(), `SELECT to_jsonb(t)::text FROM `+table+` t ORDER BY item_id, 1`)
		if err != nil {
			tb.Fatal(err)
		}
		list, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			tb.Fatal(err)
		}
		rows = append(rows, list...)
	}
	return rows
}

type itemScore struct {
	Answers int
	Score   *float64
	Worst   string
	Objects int
	Truth   bool
}

func (p *panel) score(tb testing.TB, item int64) (s itemScore) {
	tb.Helper()
	err := p.pool.QueryRow(tb.Context(), `SELECT answers, score, worst, objects, truth_id IS NOT NULL FROM item_agreements WHERE item_id = $1`, item).
		Scan(&s.Answers, &s.Score, &s.Worst, &s.Objects, &s.Truth)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		tb.Fatal(err)
	}
	return s
}

func TestScoreFollowsTheAnswers(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 3, 1, 3, nil)
	item, task := p.items[0], p.tasks[0]
	p.vote(t, 0, p.box(1))
	if n := p.work(t); n != 0 || p.score(t, item).Answers != 0 {
		t.Fatalf("%d jobs for a single answer, %+v", n, p.score(t, item))
	}
	p.vote(t, 1, p.box(1))
	p.work(t)
	if s := p.score(t, item); s.Answers != 2 || *s.Score != 1 || s.Worst != "agreed" {
		t.Fatalf("two alike: %+v", s)
	}
	p.vote(t, 2, p.dent(1), p.box(60))
	if n := p.work(t); n != 1 {
		t.Fatalf("%d jobs", n)
	}
	s := p.score(t, item)
	if s.Answers != 3 || *s.Score > 0.5 || s.Objects != 2 || s.Worst != string(agreement.Missed) {
		t.Fatalf("three that differ: %+v", s)
	}
	var order *float64
	p.scan(t, &order, `SELECT agreement FROM tasks WHERE id = $1`, task)
	if *order != *s.Score {
		t.Fatalf("ordered by %v", *order)
	}
	before := p.kept(t)
	if err := p.ScoreItem(t.Context(), item); err != nil || !slices.Equal(before, p.kept(t)) {
		t.Fatalf("scored again: %v\n%v\n%v", err, before, p.kept(t))
	}
	if err := p.Recall(t.Context(), p.labelers[2], task); err != nil {
		t.Fatal(err)
	}
	p.work(t)
	if s := p.score(t, item); s.Answers != 2 || *s.Score != 1 {
		t.Fatalf("after the recall: %+v", s)
	}
	if err := p.Recall(t.Context(), p.labelers[1], task); err != nil {
		t.Fatal(err)
	}
	p.work(t)
	if rows := p.kept(t); len(rows) != 0 {
		t.Fatalf("nothing to compare, and kept: %v", rows)
	}
}

func TestConfusionsNameTheBoxes(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 3, 1, 3, nil)
	item := p.items[0]
	p.vote(t, 0, p.box(60), p.box(1))
	p.vote(t, 1, p.dent(1), p.box(60))
	p.vote(t, 2, p.box(2), p.dent(60))
	p.work(t)
	type row struct {
		A, B    []int64 // who
		At      []int   // where A has it
		Truth   *int64
		Decided bool
	}
	read := func() []row {
		rows, err := p.pool.Query(t.Context(), `
			SELECT people_a, people_b, positions_a, truth_class, decided FROM confusions WHERE item_id = $1 AND class_a = $2 AND class_b = $3 ORDER BY x`,
			item, p.class, p.other)
		if err != nil {
			t.Fatal(err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	id := func(who int) int64 { return p.labelers[who].PersonID }
	rows := read()
	if len(rows) != 2 || !slices.Equal(rows[0].A, []int64{id(0), id(2)}) || !slices.Equal(rows[0].At, []int{1, 0}) || !slices.Equal(rows[0].B, []int64{id(1)}) ||
		rows[0].Truth != nil || rows[0].Decided || !slices.Equal(rows[1].B, []int64{id(2)}) {
		t.Fatalf("%+v", rows)
	}
	// The decision is one more voice, and no answer's.
	decision := p.mustDecide(t, item, Approved) // the first answer
	p.work(t)
	rows = read()
	if len(rows) != 2 || rows[0].Truth == nil || *rows[0].Truth != p.class || !rows[0].Decided || len(rows[0].A) != 2 {
		t.Fatalf("decided: %+v", rows)
	}
	if s := p.score(t, item); !s.Truth {
		t.Fatalf("%+v", s)
	}
	p.mustUndo(t, decision)
	p.work(t)
	if rows = read(); len(rows) != 2 || rows[0].Truth != nil || rows[0].Decided {
		t.Fatalf("undone: %+v", rows)
	}
}

// A single answer is compared with the truth, which is what a project of single answers learns from.
func TestSingleAnswerBesideTheTruth(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 1, 1, 1, nil)
	item := p.items[0]
	p.vote(t, 0, p.dent(1))
	if n := p.work(t); n != 0 {
		t.Fatalf("%d jobs", n)
	}
	a := p.adjudication(t, item, Amended)
	a.Boxes = []DraftBox{p.box(1)}
	if _, err := p.Adjudicate(t.Context(), p.reviewer, a); err != nil {
		t.Fatal(err)
	}
	p.work(t)
	var truthScore float64
	p.scan(t, &truthScore, `SELECT truth_score FROM item_agreements WHERE item_id = $1`, item)
	if s := p.score(t, item); s.Score != nil || s.Answers != 1 || s.Worst != string(agreement.Class) || truthScore != 0 {
		t.Fatalf("%+v, %v with the truth", s, truthScore)
	}
	if rows := p.kept(t); len(rows) != 2 {
		t.Fatalf("%v", rows)
	}
}

func TestAnswersThatMeasureTheirLabelerAreNoVotes(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 3, 1, 3, nil)
	p.vote(t, 0, p.box(1))
	p.vote(t, 1, p.dent(1))
	p.exec(t, `UPDATE assignments SET reason = 'gold' WHERE person_id = $1`, p.labelers[1].PersonID)
	p.work(t)
	if rows := p.kept(t); len(rows) != 0 {
		t.Fatalf("%v", rows)
	}
}

func TestReviewGoesFromTheWorstOn(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 3, 5, 2, nil)
	for _, x := range []float64{1, 3, 9, 50} { // the second answers, farther and farther from the first
		p.vote(t, 0, p.box(1))
		p.vote(t, 1, p.box(x))
	}
	c := p.mustClaim(t, p.labelers[0])
	if _, err := p.Skip(t.Context(), p.labelers[0], c.Task, c.Assignment, BrokenImage, ""); err != nil {
		t.Fatal(err)
	}
	p.work(t)
	p.exec(t, `UPDATE tasks SET changed_at = now() WHERE id = $1`, p.tasks[4]) // of two at 0, the older first
	waiting, err := p.WaitingForReview(t.Context(), p.reviewer, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, w := range waiting {
		got = append(got, w.Item)
	}
	if want := []int64{p.items[3], p.items[4], p.items[2], p.items[1], p.items[0]}; !slices.Equal(got, want) {
		t.Fatalf("order %v, want %v", got, want)
	}
	if w := waiting[2]; *w.Agreement >= 0.7 || w.Worst != "loose" || waiting[1].Agreement != nil {
		t.Errorf("%+v", w)
	}
	next, err := p.NextReview(t.Context(), p.reviewer, p.project.Slug, 0)
	if err != nil || next != p.items[3] {
		t.Errorf("next %d, %v", next, err)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 3, 4, 2, nil)
	for _, second := range []DraftBox{p.box(1), p.dent(1), p.box(3)} {
		p.vote(t, 0, p.box(1))
		p.vote(t, 1, second)
	}
	p.work(t)
	p.mustDecide(t, p.items[0], Approved)
	p.work(t)
	scope := AgreementScope{Project: p.project.ID}
	if _, err := p.Agreement(t.Context(), p.reviewer, scope); !errors.Is(err, ErrNotFound) {
		t.Fatalf("before it is summed up: %v", err)
	}
	for range 2 {
		if err := p.SummarizeAgreement(t.Context(), scope); err != nil {
			t.Fatal(err)
		}
	}
	a, err := p.Agreement(t.Context(), p.reviewer, scope)
	if err != nil {
		t.Fatal(err)
	}
	if a.Items != 3 || a.Compared != 3 || a.Decided != 1 || a.Objects != 3 || a.Score.N != 3 || a.Histogram[9] != 1 || a.Histogram[0] != 1 || len(a.Pairs) != 1 {
		t.Fatalf("%+v", a)
	}
	var jobs int
	p.scan(t, &jobs, `SELECT count(*) FROM river_job WHERE kind = 'summarize_project'`)
	if jobs < 1 || jobs > 2 { // two where a period ended meanwhile
		t.Errorf("%d jobs sum up one change after another", jobs)
	}
	p.mustDecide(t, p.items[1], Discarded)
	if err := p.SummarizeAgreement(t.Context(), scope); err != nil {
		t.Fatal(err)
	}
	if a, err = p.Agreement(t.Context(), p.reviewer, scope); err != nil || a.Items != 2 {
		t.Fatalf("what was thrown out counts: %+v, %v", a, err)
	}
	for _, actor := range []Actor{p.labelers[0], p.engage(t, access.Labeler)} {
		if _, err := p.Agreement(t.Context(), actor, scope); !errors.Is(err, ErrDenied) {
			t.Errorf("%s reads it: %v", actor.Role, err)
		}
	}
	stranger := newStranger(t, p.floor)
	stranger.Role = access.Viewer
	if _, err := p.Agreement(t.Context(), stranger, scope); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger reads it: %v", err)
	}
}

func TestScoreSomeGoesThroughTheProject(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 2, scoreSome+5, 2, nil)
	p.exec(t, `
		WITH a AS (INSERT INTO assignments (task_id, project_id, person_id, state, finished_at)
			SELECT t.id, t.project_id, m.person_id, 'submitted', now() FROM tasks t JOIN members m ON m.project_id = t.project_id AND m.person_id = ANY($1) RETURNING *)
		INSERT INTO annotations (assignment_id, task_id, item_id, person_id) SELECT a.id, t.id, t.item_id, a.person_id FROM a JOIN tasks t ON t.id = a.task_id`,
		[]int64{p.labelers[0].PersonID, p.labelers[1].PersonID})
	p.exec(t, `UPDATE tasks SET votes = 2, state = 'in_review'`)
	last, err := p.ScoreSome(t.Context(), p.project.ID, 0)
	if err != nil || last != p.items[scoreSome-1] {
		t.Fatalf("last %d, %v", last, err)
	}
	if last, err = p.ScoreSome(t.Context(), p.project.ID, last); err != nil || last != 0 {
		t.Fatalf("last %d, %v", last, err)
	}
	var scores int
	p.scan(t, &scores, `SELECT count(*) FROM item_agreements WHERE score = 1`)
	if scores != len(p.items) {
		t.Errorf("%d scores", scores)
	}
}

// Whatever is said of an item in whatever order, its rows are those that its answers give.
func TestRowsAreWhatTheAnswersGive(t *testing.T) {
	t.Parallel()
	p := newPanel(t, 4, 0, 4, nil)
	rapid.Check(t, func(rt *rapid.T) {
		p.addItems(t, 1, 0)
		item := p.items[len(p.items)-1]
		for who := range rapid.IntRange(1, 4).Draw(rt, "answers") {
			var boxes []DraftBox
			for range rapid.IntRange(0, 3).Draw(rt, "boxes") {
				b := p.box(rapid.Float64Range(0, 70).Draw(rt, "x"))
				if rapid.Bool().Draw(rt, "dent") {
					b.ClassID = p.other
				}
				boxes = append(boxes, b)
			}
			p.vote(t, who, boxes...)
			if rapid.Bool().Draw(rt, "score") {
				p.work(t)
			}
		}
		p.work(t)
		before := p.kept(t)
		p.exec(t, `DELETE FROM confusions WHERE item_id = $1`, item)
		p.exec(t, `DELETE FROM item_agreements WHERE item_id = $1`, item)
		if err := p.ScoreItem(t.Context(), item); err != nil {
			rt.Fatal(err)
		}
		if n, m := len(before), len(p.kept(t)); n != m {
			rt.Fatal(fmt.Sprintf("%d rows, then %d", n, m))
		}
		for who := range p.labelers { // nobody is left with a place on it
			p.exec(t, `UPDATE assignments SET state = 'submitted', lease_until = NULL WHERE person_id = $1 AND state = 'leased'`, p.labelers[who].PersonID)
		}
		p.exec(t, `UPDATE tasks SET state = 'discarded', live = 0 WHERE state = 'open'`)
	})
}
