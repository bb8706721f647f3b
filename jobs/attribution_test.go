package jobs

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/attribution"
	"fiducial/internal/jobargs"
	"fiducial/internal/models"
	"fiducial/internal/scoring"
	"fiducial/internal/speech"
	"fiducial/store"
)

// trace does the jobs that the end of a run causes for trends.
func (l *lab) trace(t *testing.T) {
	t.Helper()
	row := &rivertype.JobRow{Attempt: 1, MaxAttempts: 25}
	for _, kind := range []string{"trace_evaluation", "attribute_cells"} {
		for {
			var args []byte
			err := l.pool.QueryRow(t.Context(), `DELETE FROM river_job WHERE id = (SELECT min(id) FROM river_job WHERE kind = $1) RETURNING args`, kind).Scan(&args)
			if err != nil {
				break
			}
			if kind == "trace_evaluation" {
				job := &river.Job[jobargs.TraceEvaluation]{JobRow: row}
				decode(t, args, &job.Args)
				err = (&traceEvaluation{deps: l.deps}).Work(t.Context(), job)
			} else {
				job := &river.Job[jobargs.AttributeCells]{JobRow: row}
				decode(t, args, &job.Args)
				err = (&attributeCells{deps: l.deps}).Work(t.Context(), job)
			}
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
		}
	}
}

// measured runs one combination and returns the cell of its last model.
func (l *lab) measured(t *testing.T, version string, path ...string) store.Cell {
	t.Helper()
	request := store.EvaluationRequest{Versions: []string{version}}
	for _, model := range path {
		request.Models = append(request.Models, []string{model})
	}
	id := l.start(t, request)
	l.drain(t, nil)
	cells := l.cells(t, id)
	i := slices.IndexFunc(cells, func(c store.Cell) bool { return len(c.Path) == len(path) })
	if i < 0 {
		t.Fatalf("%+v: %d cells", l.evaluation(t, id), len(cells))
	}
	return cells[i]
}

// retruth gives an item another truth: felt as positive or not, under a version of that class's definition.
func (l *lab) retruth(t *testing.T, item int64, positive bool, definition int) {
	t.Helper()
	l.exec(t, `UPDATE truths SET current = false WHERE item_id = $1`, item)
	truth := l.say(t, item, speech.Transcript{{End: 1, Text: l.said[jsonNumber(item)]}})
	if positive {
		l.exec(t, `INSERT INTO truth_boxes (truth_id, position, class_id, definition_version, x, y, w, h, rotation, crowd)
			SELECT $1, 0, id, $2, 0, 0, 1, 1, 0, false FROM classes WHERE name = 'positive'`, truth, definition)
	}
}

func jsonNumber(n int64) string {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // a number always has a text
	}
	return string(text)
}

// sums checks that the parts of an attribution and its remainder are the difference of its cells, and returns the parts.
func sums(t *testing.T, a store.Attribution, from, to store.Cell) map[attribution.Factor]float64 {
	t.Helper()
	if a.State != store.AttributionDone {
		t.Fatalf("%+v", a)
	}
	sum, parts := a.Parts.Remainder, map[attribution.Factor]float64{}
	for _, p := range a.Parts.Parts {
		sum += p.Value
		parts[p.Factor] = p.Value
		if p.Low == nil || p.High == nil || *p.Low > *p.High {
			t.Errorf("%s has no interval: %+v", p.Factor, p)
		}
	}
	if remains := a.Parts.Remainder != 0; a.Parts.Groups < 2 || remains != (a.Parts.RemainderLow != nil) {
		t.Errorf("%d groups, a remainder of %v from %v", a.Parts.Groups, a.Parts.Remainder, a.Parts.RemainderLow)
	}
	if difference := *to.Value - *from.Value; math.Abs(sum-difference) > 1e-12 || a.Parts.From != *from.Value || a.Parts.To != *to.Value {
		t.Errorf("%+v sums to %v, not to %v", a.Parts, sum, difference)
	}
	return parts
}

func (l *lab) attributed(t *testing.T, from, to store.Cell) store.Attribution {
	t.Helper()
	if err := l.store.Attribute(t.Context(), store.System(), from.ID, to.ID); err != nil {
		t.Fatal(err)
	}
	l.trace(t)
	a, err := l.store.AttributionOf(t.Context(), from.ID, to.ID)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Everything changes between two runs, and each change gets its share of the difference; where outputs are gone, what they would have shown is left.
func TestAStepIsDividedAmongWhatChanged(t *testing.T) {
	t.Parallel()
	l := newLab(t, 5)
	good := newStandIn(t, l.hears(3))
	bad := newStandIn(t, l.hears(2))
	mind := newStandIn(t, feels)
	l.model(t, "asr", "ear", "1", good.URL, nil)
	l.model(t, "asr", "ear", "2", bad.URL, nil)
	l.model(t, "nlp", "mind", "1", mind.URL, nil)
	l.exec(t, `UPDATE truth_boxes SET definition_version = 1`)
	l.freezeAll(t, "calls")
	before := l.measured(t, "calls@1", "ear@1", "mind@1")

	l.exec(t, `UPDATE truths SET current = false WHERE item_id = ANY($1)`, []int64{l.Items[1], l.Items[2]}) // no more in the dataset
	l.retruth(t, l.Items[4], true, 1)                                                                       // a slip is mended
	l.retruth(t, l.Items[7], true, 2)                                                                       // the class is defined otherwise
	l.retruth(t, l.Items[3], false, 2)
	l.freezeAll(t, "calls")
	after := l.measured(t, "calls@2", "ear@2", "mind@1")

	l.trace(t)
	a, err := l.store.AttributionOf(t.Context(), before.ID, after.ID)
	if err != nil {
		t.Fatalf("the step of the trend is not divided by itself: %v", err)
	}
	sums(t, a, before, after)
	if a.Parts.Remainder == 0 || len(a.Parts.Missing) == 0 {
		t.Errorf("the second recognizer never heard two items of the first version: %+v", a.Parts)
	}
	for _, state := range a.Parts.Missing {
		if !slices.Equal(state.Models, []string{"ear@2", "mind@1"}) || state.Version != "calls@1" || !slices.Contains(state.Changed, attribution.Model) {
			t.Errorf("%+v", state)
		}
	}
	if page, err := l.store.CellBefore(t.Context(), after.ID); err != nil || page != before.ID {
		t.Errorf("%d, %v", page, err)
	}
	l.overlaps(t, before, after)

	l.measured(t, "calls@1", "ear@2", "mind@1")
	a = l.attributed(t, before, after)
	parts := sums(t, a, before, after)
	if a.Parts.Remainder != 0 || len(a.Parts.Missing) != 0 || a.Parts.Unknown != 0 {
		t.Errorf("all outputs are there: %+v", a.Parts)
	}
	for _, factor := range []attribution.Factor{attribution.Model, attribution.Data, attribution.Labels, attribution.Definition} {
		if parts[factor] == 0 {
			t.Errorf("%s has no part: %v", factor, parts)
		}
	}
	if _, there := parts[attribution.Normalizer]; there || len(parts) != 4 {
		t.Errorf("%v", parts)
	}

	l.exec(t, `DELETE FROM model_outputs`)
	gone := l.attributed(t, before, after)
	sums(t, gone, before, after)
	if gone.Parts.Remainder == 0 || len(gone.Parts.Missing) == 0 {
		t.Errorf("no output is there: %+v", gone.Parts)
	}
	// What is run again between the two is known again.
	l.measured(t, "calls@2", "ear@1", "mind@1")
	l.exec(t, `DELETE FROM model_outputs`)
	again := sums(t, l.attributed(t, before, after), before, after)
	for factor, part := range parts {
		if math.Abs(again[factor]-part) > 1e-12 {
			t.Errorf("%s: %v from kept scores, %v from outputs", factor, again[factor], part)
		}
	}
}

// overlaps checks that the cells are measured on the items that both versions have.
func (l *lab) overlaps(t *testing.T, before, after store.Cell) {
	t.Helper()
	for _, pair := range [][2]store.Cell{{before, after}, {after, before}} {
		var items int
		var figures scoring.Figures
		err := l.pool.QueryRow(t.Context(), `SELECT items, figures FROM cell_overlaps WHERE cell_id = $1 AND version_id = $2`, pair[0].ID, pair[1].Version).Scan(&items, &figures)
		if err != nil {
			t.Fatal(err)
		}
		if items != after.Items || figures.Items != items || figures.Headline().Value == nil {
			t.Errorf("%v: %d items, %+v", pair[0].Models, items, figures.Headline())
		}
	}
}

// Words are compared as two normalizers write them: nothing else changed.
func TestANormalizerHasAllOfADifference(t *testing.T) {
	t.Parallel()
	l := newLab(t, 4)
	ear := newStandIn(t, func(q asked) any { return map[string]any{"text": "Um, " + l.said[q.ID], "confidence": 0.5} })
	l.model(t, "asr", "ear", "1", ear.URL, func(s *models.Settings) {})
	cells := make([]store.Cell, 2)
	for i, normalizer := range []string{"basic-1", "lenient-1"} {
		id := l.start(t, store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{"ear@1"}}, Normalizer: normalizer})
		l.drain(t, nil)
		cells[i] = l.cells(t, id)[0]
	}
	l.exec(t, `DELETE FROM model_outputs`)
	parts := sums(t, l.attributed(t, cells[0], cells[1]), cells[0], cells[1])
	if len(parts) != 1 || parts[attribution.Normalizer] != *cells[1].Value-*cells[0].Value || parts[attribution.Normalizer] >= 0 {
		t.Errorf("%v", parts)
	}
}

// Given the truth's words, a model measures what it would do behind a perfect recognizer. No recognizer has followed on that: the cell before is one
// whose words were heard, too.
func TestTheTruthIsNoStepOfATrend(t *testing.T) {
	t.Parallel()
	l := newLab(t, 2)
	for i, every := range []int{3, 2} {
		l.model(t, "asr", "ear", jsonNumber(int64(i+1)), newStandIn(t, l.hears(every)).URL, nil)
	}
	l.model(t, "nlp", "mind", "1", newStandIn(t, feels).URL, nil)
	first := l.start(t, store.EvaluationRequest{Models: [][]string{{"ear@1", store.Reference}, {"mind@1"}}})
	l.drain(t, nil)
	before := map[string]int64{}
	for _, c := range l.cells(t, first) {
		if len(c.Path) == 2 {
			before[c.Models[0]] = c.ID
		}
	}
	l.freezeAll(t, "calls-test")
	for given, want := range map[string]int64{"ear@2": before["ear@1"], store.Reference: before[store.Reference]} {
		after := l.measured(t, "calls-test@2", given, "mind@1")
		l.trace(t)
		if from, err := l.store.CellBefore(t.Context(), after.ID); err != nil || from != want || want == 0 {
			t.Errorf("before that of %s is %d instead of %d, %v", given, from, want, err)
		}
		if _, err := l.store.AttributionOf(t.Context(), want, after.ID); err != nil {
			t.Errorf("the step to %s: %v", given, err)
		}
	}
}

func TestCellsThatCannotBeDivided(t *testing.T) {
	t.Parallel()
	l := newLab(t, 2)
	ear, mind := newStandIn(t, l.hears(2)), newStandIn(t, feels)
	l.model(t, "asr", "ear", "1", ear.URL, nil)
	l.model(t, "nlp", "mind", "1", mind.URL, nil)
	id := l.start(t, store.EvaluationRequest{Models: [][]string{{"ear@1"}, {"mind@1"}}})
	l.drain(t, nil)
	cells := l.cells(t, id)
	for _, pair := range [][2]int64{{cells[0].ID, cells[0].ID}, {cells[0].ID, cells[1].ID}, {cells[0].ID, 12345}} {
		if err := l.store.Attribute(t.Context(), store.System(), pair[0], pair[1]); err == nil {
			t.Errorf("%v are divided", pair)
		}
	}
}
