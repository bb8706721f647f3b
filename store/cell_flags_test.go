package store

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/manifest"
	"fiducial/internal/scoring"
	"fiducial/store/storetest"
)

// flags are those of a cell, as kind:model:lines.
func (f *floor) flags(tb testing.TB, cell int64) (list []string) {
	tb.Helper()
	rows, err := f.pool.Query(tb.Context(), `SELECT kind || ':' || model_version_id || ':' || lines FROM cell_flags WHERE cell_id = $1 ORDER BY kind, model_version_id`, cell)
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var flag string
		if err := rows.Scan(&flag); err != nil {
			tb.Fatal(err)
		}
		list = append(list, flag)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return list
}

// measured adds a cell of a model version over all of a frozen version's test lines, and the run that it is of.
func (f *floor) measured(tb testing.TB, version, model int64, labels string) (evaluation, cell int64) {
	tb.Helper()
	return f.measuredAs(tb, version, scoring.Speech, labels, model)
}

// measuredAs adds one of a path, measured as a task.
func (f *floor) measuredAs(tb testing.TB, version int64, task scoring.Task, labels string, path ...int64) (evaluation, cell int64) {
	tb.Helper()
	measure, _ := scoring.HeadlineOf(task)
	f.scan(tb, &evaluation, `
		WITH c AS (INSERT INTO chains (name, slots) VALUES (gen_random_uuid()::text, '{asr}') RETURNING id)
		INSERT INTO evaluations (chain_id) SELECT id FROM c RETURNING id`)
	f.scan(tb, &cell, `
		INSERT INTO cells (version_id, split, path, configurations, labels, normalizer, task, evaluation_id, items, failed, measure, figures)
		VALUES ($1, 'test', $2, '', $4, '', $5, $3, 1, 0, $6, '{}') RETURNING id`, version, path, evaluation, labels, task, measure)
	return evaluation, cell
}

// frozenTest freezes the project with everything on its test side.
func (f *floor) frozenTest(tb testing.TB, name string) DatasetVersion {
	tb.Helper()
	for i, item := range f.items {
		f.exec(tb, `INSERT INTO item_texts (item_id, external_key) VALUES ($1, $2) ON CONFLICT DO NOTHING`, item, fmt.Sprintf("item-%d", i))
		f.exec(tb, `INSERT INTO item_salts (item_id, salt) VALUES ($1, sha256($2)) ON CONFLICT DO NOTHING`, item, fmt.Appendf(nil, "salt %d", i))
	}
	f.exec(tb, `INSERT INTO item_sounds (item_id, recording_version, sha256) SELECT i.id, r.version, sha256(i.id::text::bytea) FROM items i JOIN recordings r ON r.id = i.recording_id ON CONFLICT DO NOTHING`)
	recipe := manifest.Default()
	recipe.Projects, recipe.Shares = []string{f.project.Slug}, manifest.Shares{Test: 1000}
	version, err := f.Freeze(tb.Context(), System(), name, recipe)
	if err == nil {
		err = f.FillVersion(tb.Context(), version.ID)
	}
	if err == nil {
		version, err = f.DatasetVersion(tb.Context(), System(), name, 1)
	}
	if err != nil || version.State != VersionFrozen {
		tb.Fatalf("%+v, %v", version, err)
	}
	return version
}

func TestCellsLeanTowardsWhoWasSeen(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 1, 4, 1)
	reviewer := f.reviewerOf(t)
	old, stranger := f.modelVersion(t, "5.1"), f.modelVersion(t, "9.9")
	successor := f.modelVersion(t, "5.2")
	f.exec(t, `UPDATE model_versions SET successor_of = $1 WHERE id = $2`, old, successor)
	for _, item := range f.items {
		f.hear(t, item, old, "hello nine")
	}
	// The first two are begun from the old model's words, the others from silence; the reviewer looks at them in the third.
	f.exec(t, `UPDATE projects SET prefill_mode = 'edit'`)
	for i := range f.items {
		if i == 2 {
			f.exec(t, `UPDATE projects SET prefill_mode = 'blind'`)
		}
		f.mustWrite(t, f.labelers[0], f.mustClaim(t, f.labelers[0]), "hello my name")
	}
	if _, err := f.RevealHypotheses(t.Context(), reviewer, f.items[2]); err != nil {
		t.Fatal(err)
	}
	for _, item := range f.items {
		seen, err := f.ReviewItem(t.Context(), reviewer, item)
		if err != nil {
			t.Fatal(err)
		}
		a := Adjudication{Item: item, Version: seen.Version, Kind: Approved, Annotation: seen.Answers[0].ID}
		if _, err := f.Adjudicate(t.Context(), reviewer, a); err != nil {
			t.Fatal(err)
		}
	}
	version := f.frozenTest(t, "calls")
	for model, want := range map[int64][]string{
		old: {fmt.Sprintf("prefill:%d:3", old)}, successor: {fmt.Sprintf("prefill:%d:3", old)}, stranger: nil,
	} {
		evaluation, cell := f.measured(t, version.ID, model, "frozen")
		for range 2 {
			if err := f.FlagCells(t.Context(), evaluation); err != nil {
				t.Fatal(err)
			}
		}
		if got := f.flags(t, cell); !slices.Equal(got, want) {
			t.Errorf("model %d: %v, want %v", model, got, want)
		}
	}
	found, err := leansOf(t.Context(), f.pool, leaningCell{Version: version.ID, Split: "test", Labels: "frozen"})
	if blind := found.blind(); err != nil || len(blind) != 1 {
		t.Errorf("blind lines %v, %v", blind, err)
	}
}

func TestCellsLeanTowardsWhoseErrorsWereCorrected(t *testing.T) {
	t.Parallel()
	f := newSpeechFloor(t, storetest.Pool(t), 1, 2, 1)
	reviewer := f.reviewerOf(t)
	model := f.modelVersion(t, "5.1")
	for range f.items {
		f.mustWrite(t, f.labelers[0], f.mustClaim(t, f.labelers[0]), "hello my name")
	}
	decide := func(item int64, a Adjudication) {
		t.Helper()
		seen, err := f.ReviewItem(t.Context(), reviewer, item)
		if err != nil {
			t.Fatal(err)
		}
		a.Item, a.Version, a.Annotation = item, seen.Version, seen.Answers[0].ID
		if _, err := f.Adjudicate(t.Context(), reviewer, a); err != nil {
			t.Fatal(err)
		}
	}
	for _, item := range f.items {
		decide(item, Adjudication{Kind: Approved})
	}
	first := f.frozenTest(t, "calls")
	evaluation, cell := f.measured(t, first.ID, model, "frozen")
	f.exec(t, `INSERT INTO causes (name) VALUES ('The label is wrong')`)
	f.exec(t, `INSERT INTO item_causes (item_id, cell_id, kind, cause_id) SELECT unnest($1::bigint[]), $2, 'words', id FROM causes`, f.items, cell)
	// Of the two that were looked at, one is corrected.
	decide(f.items[0], Adjudication{Kind: Amended, Transcript: utter("hello nine")})
	if err := f.FlagCells(t.Context(), evaluation); err != nil {
		t.Fatal(err)
	}
	if got := f.flags(t, cell); len(got) != 0 {
		t.Errorf("the frozen labels were not corrected: %v", got)
	}
	second := f.frozenTest(t, "later")
	for labels, version := range map[string]int64{"frozen": second.ID, "today": first.ID} {
		evaluation, cell := f.measured(t, version, model, labels)
		if err := f.FlagCells(t.Context(), evaluation); err != nil {
			t.Fatal(err)
		}
		if got, want := f.flags(t, cell), []string{fmt.Sprintf("corrected:%d:1", model)}; !slices.Equal(got, want) {
			t.Errorf("%s labels: %v, want %v", labels, got, want)
		}
	}
}

// A model whose words the truth of half of the lines was begun from is ahead of another there by more than on the others: by as much as
// was put in. The model that nobody saw is not flagged.
func TestHowMuchACellLeans(t *testing.T) {
	t.Parallel()
	const lines = 120
	f := newSpeechFloor(t, storetest.Pool(t), 1, lines, 1)
	model, other := f.modelVersion(t, "5.1"), f.modelVersion(t, "9.9")
	version := f.halfSeen(t, model)
	evaluation, cell := f.measured(t, version.ID, model, "frozen")
	_, beside := f.measured(t, version.ID, other, "frozen")
	own, others := scoring.Sheet{Task: scoring.Speech}, scoring.Sheet{Task: scoring.Speech}
	at := f.positions(t, version)
	for position := range lines {
		score := scoring.Score{Position: position, Group: int64(-1 - position), Words: scoring.Words{Hits: 5}}
		theirs := score
		theirs.Words = scoring.Words{Hits: 3, Substitutions: 2}
		if score.Words = (scoring.Words{Hits: 4, Substitutions: 1}); at[position]%2 == 0 {
			score.Words = scoring.Words{Hits: 5}
		}
		own.Scores, others.Scores = append(own.Scores, score), append(others.Scores, theirs)
	}
	f.keep(t, cell, own)
	f.keep(t, beside, others)
	for range 2 {
		if err := f.FlagCells(t.Context(), evaluation); err != nil {
			t.Fatal(err)
		}
	}
	flags, err := f.CellLeanings(t.Context(), System(), cell)
	if err != nil || len(flags) != 1 || flags[0].Lines != lines/2 || !flags[0].Own || !slices.Equal(flags[0].Other, []string{"asr-en@9.9"}) {
		t.Fatalf("%+v, %v", flags, err)
	}
	if b := flags[0].Bias; b == nil || b.Value == nil || math.Abs(*b.Value-0.2) > 1e-9 || math.Abs(*b.OnFigure-0.1) > 1e-9 || !b.Real() || b.Needed != 0 {
		t.Errorf("%+v", b)
	}
	if none, err := f.CellLeanings(t.Context(), System(), beside); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

// halfSeen freezes a truth of every item, which was made by people who had seen what a model heard in every second of them.
func (f *floor) halfSeen(tb testing.TB, model int64) DatasetVersion {
	tb.Helper()
	f.exec(tb, `
		WITH r AS (INSERT INTO reviews (task_id, item_id, decision) SELECT id, item_id, 'accepted' FROM tasks RETURNING id, item_id)
		INSERT INTO truths (item_id, review_id) SELECT item_id, id FROM r`)
	f.exec(tb, `UPDATE tasks SET state = 'adjudicated'`)
	f.exec(tb, `INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT item_id, 'truth', id, '[{"begin":0,"end":2,"text":"one two three four five"}]' FROM truths`)
	f.exec(tb, `
		INSERT INTO hypothesis_views (item_id, person_id, model_version_id, how, review_id) SELECT item_id, $1, $2, 'review', review_id FROM truths WHERE item_id % 2 = 0`,
		f.labelers[0].PersonID, model)
	return f.frozenTest(tb, "calls")
}

// What reads labels from a recognizer's words is flattered by moments that were marked with these words in sight: by as much as was put in.
func TestHowMuchACellOfLabelsLeans(t *testing.T) {
	t.Parallel()
	const lines = 120
	f := newSpeechFloor(t, storetest.Pool(t), 1, lines, 1)
	heard, other := f.modelVersion(t, "5.1"), f.modelVersion(t, "9.9")
	var mood int64
	f.scan(t, &mood, `WITH m AS (INSERT INTO models (name, kind) VALUES ('mood', 'nlp') RETURNING id) INSERT INTO model_versions (model_id, version) SELECT id, '1' FROM m RETURNING id`)
	version := f.halfSeen(t, heard)
	evaluation, cell := f.measuredAs(t, version.ID, scoring.Label, "frozen", heard, mood)
	_, beside := f.measuredAs(t, version.ID, scoring.Label, "frozen", other, mood)
	_, given := f.measuredAs(t, version.ID, scoring.Label, "frozen", 0, mood) // the truth itself, which leans as its makers did
	sheets := map[int64]*scoring.Sheet{cell: {}, beside: {}, given: {}}
	at := f.positions(t, version)
	for id, sheet := range sheets {
		sheet.Task, sheet.Classes = scoring.Label, []string{"joy", "none"}
		for position := range lines {
			truth := int32(at[position] / 2 % 2)
			mark := scoring.Mark{Truth: truth, Said: truth, TruthAt: -1, SaidAt: -1}
			if wrong := at[position]/4%2 == 0; wrong && (id == beside || at[position]%2 != 0) {
				mark.Said = 1 - truth
			}
			sheet.Scores = append(sheet.Scores, scoring.Score{Position: position, Group: int64(-1 - position), Marks: []scoring.Mark{mark}})
		}
		f.keep(t, id, *sheet)
	}
	if err := f.FlagCells(t.Context(), evaluation); err != nil {
		t.Fatal(err)
	}
	flags, err := f.CellLeanings(t.Context(), System(), cell)
	if err != nil || len(flags) != 1 || flags[0].Lines != lines/2 || flags[0].Own || !flags[0].Given || !slices.Equal(flags[0].Other, []string{"asr-en@9.9", "mood@1"}) {
		t.Fatalf("%+v, %v", flags, err)
	}
	if b := flags[0].Bias; b == nil || b.Value == nil || b.Measure != "macro_f1" || math.Abs(*b.Value-0.5) > 0.02 || math.Abs(*b.OnFigure-*b.Value/2) > 1e-9 || !b.Real() {
		t.Errorf("%+v", b)
	}
	if none, err := f.CellLeanings(t.Context(), System(), beside); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

// positions are the items of a version's lines.
func (f *floor) positions(tb testing.TB, version DatasetVersion) map[int]int64 {
	tb.Helper()
	rows, err := f.pool.Query(tb.Context(), `SELECT position, item_id FROM dataset_lines WHERE version_id = $1`, version.ID) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		tb.Fatal(err)
	}
	at := map[int]int64{}
	var position int
	var item int64
	_, err = pgx.ForEachRow(rows, []any{&position, &item}, func() error {
		at[position] = item
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return at
}

func (f *floor) keep(tb testing.TB, cell int64, sheet scoring.Sheet) {
	tb.Helper()
	blocks, err := scoring.Encode(sheet)
	if err != nil {
		tb.Fatal(err)
	}
	for i, block := range blocks {
		f.exec(tb, `INSERT INTO cell_scores (cell_id, block, scores) VALUES ($1, $2, $3)`, cell, i, block)
	}
}
