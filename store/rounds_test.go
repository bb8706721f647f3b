package store

import (
	"errors"
	"testing"

	"fiducial/internal/access"
)

// classed gives the project three classes, and each item a prediction of one of them, or none to the last few.
func (b *bench) classed(tb testing.TB, items ...int) (classes []int64) {
	tb.Helper()
	var version int64
	b.scan(tb, &version, `WITH m AS (INSERT INTO models (name, kind) VALUES ('net', 'detector') RETURNING id)
		INSERT INTO model_versions (model_id, version) SELECT id, '1' FROM m RETURNING id`)
	next := 0
	for slot, n := range items {
		var class int64
		b.scan(tb, &class, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'class ' || $2::int, $2) RETURNING id`, b.project.ID, slot+1)
		classes = append(classes, class)
		for range n {
			// A faint box of another class beside it, and many of them, do not matter: the surest class counts.
			b.exec(tb, `WITH p AS (INSERT INTO predictions (item_id, model_version_id, purpose) VALUES ($1, $2, 'prediction') RETURNING id)
				INSERT INTO prediction_boxes (prediction_id, position, class_id, x, y, w, h, score)
				SELECT id, n, CASE n WHEN 0 THEN $3::bigint ELSE $4::bigint END, 1, 1, 2, 2, CASE n WHEN 0 THEN 0.9 ELSE 0.1 END FROM p, generate_series(0, 4) n`,
				b.items[next], version, class, b.class)
			next++
		}
	}
	return classes
}

func (b *bench) mustRound(tb testing.TB, n NewRound) Round {
	tb.Helper()
	n.Project = b.project.ID
	round, err := b.OpenRound(tb.Context(), b.reviewer, n)
	if err != nil {
		tb.Fatal(err)
	}
	if err := b.DrawRound(tb.Context(), round.ID); err != nil {
		tb.Fatal(err)
	}
	rounds, err := b.Rounds(tb.Context(), b.reviewer, b.project.ID)
	if err != nil {
		tb.Fatal(err)
	}
	return rounds[len(rounds)-1]
}

// Each round takes its share of every class, and four of 30 % take everything once.
func TestRoundsTakeAShareOfEachClass(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 70, 1)
	classes := b.classed(t, 40, 20, 3) // 7 are of no class
	want := [][]int{{12, 6, 1, 3}, {12, 6, 1, 3}, {12, 6, 1, 1}, {4, 2, 0, 0}}
	for n, drawn := range want {
		round := b.mustRound(t, NewRound{BatchSize: 8, Seed: int64(n + 1), OwnerID: b.reviewer.PersonID})
		total := 0
		strata, err := b.RoundStrata(t.Context(), b.reviewer, round)
		if err != nil || len(strata) != 4 {
			t.Fatalf("%+v, %v", strata, err)
		}
		for i, s := range strata {
			if s.Drawn != drawn[i] || i < 3 && s.Class != classes[i] {
				t.Errorf("round %d drew %+v, want %d", round.Number, s, drawn[i])
			}
			total += s.Drawn
		}
		if round.State != RoundOpen || round.Items != total || round.Batches != (total+7)/8 || round.Share != DefaultShare {
			t.Errorf("%+v, want %d items", round, total)
		}
	}
	if round := b.mustRound(t, NewRound{}); round.State != RoundFailed || round.Error == "" || round.Items != 0 {
		t.Errorf("of nothing: %+v", round)
	}
	var items, distinct int
	if err := b.pool.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT item_id) FROM batch_items`).Scan(&items, &distinct); err != nil || items != 70 || distinct != 70 {
		t.Errorf("%d items, %d different, %v", items, distinct, err)
	}
	b.mustHold(t)
}

// The same seed draws the same, another one something else.
func TestRoundsAreDrawnBySeed(t *testing.T) {
	t.Parallel()
	draw := func(seed int64) (first string) {
		b := newBench(t, 1, 40, 1)
		b.classed(t, 30)
		b.mustRound(t, NewRound{Seed: seed, Share: 0.25, BatchSize: 6})
		b.scan(t, &first, `SELECT string_agg((item_id - $1)::text || ':' || part, ' ' ORDER BY item_id) FROM round_items`, b.items[0])
		return first
	}
	one := draw(7)
	if one != draw(7) {
		t.Error("the same seed drew something else")
	}
	if one == draw(8) {
		t.Error("another seed drew the same")
	}
}

// Cut off after some of its batches, a round goes on where it stopped.
func TestRoundCutOffGoesOn(t *testing.T) {
	t.Parallel()
	b := newPrivateBench(t, 1, 40, 1)
	b.classed(t, 40)
	round, err := b.OpenRound(t.Context(), b.reviewer, NewRound{Project: b.project.ID, Share: 1, BatchSize: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.OpenRound(t.Context(), b.reviewer, NewRound{Project: b.project.ID}); !refused(err) {
		t.Errorf("a second round beside it: %v", err)
	}
	b.exec(t, `CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF (SELECT count(*) FROM batches) >= 3 THEN RAISE EXCEPTION 'cut off'; END IF; RETURN NULL; END $$`)
	b.exec(t, `CREATE CONSTRAINT TRIGGER cut_off AFTER INSERT ON batches DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut_off()`)
	if err := b.DrawRound(t.Context(), round.ID); err == nil {
		t.Fatal("it was not cut off")
	}
	b.exec(t, `DROP FUNCTION cut_off CASCADE`)
	for range 2 {
		if err := b.DrawRound(t.Context(), round.ID); err != nil {
			t.Fatal(err)
		}
	}
	var batches, items int
	if err := b.pool.QueryRow(t.Context(), `SELECT count(*), sum(items) FROM batches`).Scan(&batches, &items); err != nil || batches != 4 || items != 40 {
		t.Errorf("%d batches of %d items, %v", batches, items, err)
	}
	b.mustHold(t)
}

// What somebody put into a batch by hand is left alone, as is what is decided.
func TestRoundsDrawWhatIsFree(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 10, 1)
	b.mustBatch(t, b.items[:2]...)
	b.answerAll(t, nil)
	b.mustDecide(t, b.items[9], Approved)
	b.exec(t, `UPDATE tasks SET state = 'open', votes = 0 WHERE id = $1`, b.tasks[8])
	b.exec(t, `UPDATE annotations SET superseded_at = now() WHERE task_id = $1`, b.tasks[8])
	if round := b.mustRound(t, NewRound{Share: 1}); round.Items != 1 {
		t.Errorf("drew %d items; one is free", round.Items)
	}
	b.mustHold(t)
}

// The agreement of a round is the mean over the items of its batches.
func TestAgreementOfARound(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 4, 1)
	round := b.mustRound(t, NewRound{Share: 1, BatchSize: 2})
	if round.Agreement() != (Mean{}) {
		t.Errorf("of nothing: %+v", round.Agreement())
	}
	for i, score := range []any{0.5, 0.7, 0.9, nil} {
		b.exec(t, `INSERT INTO item_agreements (item_id, project_id, task_id, answers, objects, score, worst) VALUES ($1, $2, $3, 2, 1, $4, 'agreed')`,
			b.items[i], b.project.ID, b.tasks[i], score)
	}
	rounds, err := b.Rounds(t.Context(), b.reviewer, b.project.ID)
	if err != nil {
		t.Fatal(err)
	}
	// 1.96 · 0.2 / √3
	if got := rounds[0].Agreement(); got.N != 3 || got.Value < 0.6999 || got.Value > 0.7001 || got.Margin < 0.2263 || got.Margin > 0.2264 {
		t.Errorf("%+v", got)
	}
}

func TestRoundsRefuseWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 1, 1)
	for _, n := range []NewRound{{Share: -0.1}, {Share: 1.5}, {BatchSize: -1}, {BatchSize: BatchMost + 1}, {OwnerID: b.labelers[0].PersonID}} {
		n.Project = b.project.ID
		if _, err := b.OpenRound(t.Context(), b.reviewer, n); !refused(err) {
			t.Errorf("%+v: %v", n, err)
		}
	}
	if _, err := b.OpenRound(t.Context(), b.labelers[0], NewRound{Project: b.project.ID}); !errors.Is(err, ErrDenied) {
		t.Errorf("a labeler: %v", err)
	}
	if _, err := b.OpenRound(t.Context(), Actor{Role: access.Admin}, NewRound{Project: b.project.ID}); err != nil {
		t.Errorf("the system: %v", err)
	}
}
