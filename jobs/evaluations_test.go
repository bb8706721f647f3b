package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/models"
	"fiducial/internal/scoring"
	"fiducial/store"
)

// Combinations share what they have in common: two recognizers with three language models are two passes of recognition.
func TestCombinationsShareTheirSteps(t *testing.T) {
	t.Parallel()
	l := newLab(t, 5)
	var ears, minds []*standIn
	request := store.EvaluationRequest{Models: make([][]string, 2)}
	for i := range 2 {
		s := newStandIn(t, l.hears(2+i))
		ears = append(ears, s)
		request.Models[0] = append(request.Models[0], l.model(t, "asr", "ear", fmt.Sprint(i+1), s.URL, nil))
	}
	for i := range 3 {
		s := newStandIn(t, feels)
		minds = append(minds, s)
		request.Models[1] = append(request.Models[1], l.model(t, "nlp", "mind", fmt.Sprint(i+1), s.URL, nil))
	}
	request.Models[0] = append(request.Models[0], store.Reference)
	request.Baseline = []string{"ear@1", "mind@1"}
	id := l.start(t, request)
	l.drain(t, nil)
	e := l.evaluation(t, id)
	lines := l.version.Lines
	if e.State != store.EvaluationDone || e.Steps != 2+2*3+3 || e.Failed != 0 || e.Done != lines*e.Steps || e.StepsDone != e.Steps {
		t.Errorf("%+v", e)
	}
	for i, s := range ears {
		if n := s.calls.Load(); n != int64(lines) {
			t.Errorf("recognizer %d was asked %d times about %d utterances", i+1, n, lines)
		}
	}
	for i, s := range minds {
		if n := s.twice(); n != 0 {
			t.Errorf("language model %d was asked %d questions again", i+1, n)
		}
	}
	cells := l.cells(t, id)
	if len(cells) != e.Steps {
		t.Fatalf("%d cells", len(cells))
	}
	for _, c := range cells {
		if c.Value == nil || c.Failed != 0 || c.Items != lines || c.Stale.Any() {
			t.Errorf("%v: %+v", c.Models, c)
		}
		if _, same, err := l.store.RecomputeCell(t.Context(), store.System(), c.ID); err != nil || !same {
			t.Errorf("%v, computed again from its scores, is the same: %v, %v", c.Models, same, err)
		}
		if c.Models[0] == store.Reference && *c.Value != 1 {
			t.Errorf("given the words that were said, %s has %v", c.Models[1], *c.Value)
		}
		if baseline := c.Models[0] == "ear@1" && (len(c.Models) == 1 || c.Models[1] == "mind@1"); (c.Difference == nil) != baseline {
			t.Errorf("%v: compared with its baseline: %+v", c.Models, c.Difference)
		}
	}
	asked := ears[0].calls.Load()
	again := l.start(t, request)
	l.drain(t, nil)
	if e := l.evaluation(t, again); e.Reused != e.Items || ears[0].calls.Load() != asked {
		t.Errorf("run again: %+v", e)
	}
}

// What fails is counted, listed, in no figure, and asked again when somebody says so.
func TestFailuresAreListedAndRetried(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	broken := true
	ear := newStandIn(t, func(q asked) any {
		if broken && strings.Contains(l.said[q.ID], "number 5 ") {
			return nil
		}
		return l.hears(100)(q)
	})
	mind := newStandIn(t, feels)
	id := l.start(t, store.EvaluationRequest{Models: [][]string{
		{l.model(t, "asr", "ear", "1", ear.URL, nil)}, {l.model(t, "nlp", "mind", "1", mind.URL, nil)},
	}})
	l.drain(t, nil)
	e := l.evaluation(t, id)
	if e.State != store.EvaluationDone || e.Failed != 2 || e.Done != 2*l.version.Lines-2 {
		t.Errorf("%+v", e)
	}
	failures, err := l.store.EvaluationFailures(t.Context(), store.System(), id, store.FailureQuery{Limit: 10})
	if err != nil || len(failures) != 2 || failures[0].Reason != models.FaultStatus || failures[0].Status != http.StatusServiceUnavailable ||
		failures[1].Reason != models.FaultInput || failures[0].Item != l.Items[5] {
		t.Errorf("%+v, %v", failures, err)
	}
	for _, c := range l.cells(t, id) {
		if c.Failed != 1 || c.Items != l.version.Lines || !c.Incomplete() {
			t.Errorf("%+v", c)
		}
	}
	asked := ear.calls.Load()
	broken = false
	if err := l.store.RetryEvaluation(t.Context(), store.System(), id); err != nil {
		t.Fatal(err)
	}
	l.drain(t, nil)
	if e = l.evaluation(t, id); e.State != store.EvaluationDone || e.Failed != 0 || ear.calls.Load() != asked+1 {
		t.Errorf("%+v, asked %d more", e, ear.calls.Load()-asked)
	}
	for _, c := range l.cells(t, id) {
		if c.Failed != 0 || c.Value == nil {
			t.Errorf("%+v", c)
		}
	}
	if err := l.store.RetryEvaluation(t.Context(), store.System(), id); err == nil || !strings.Contains(err.Error(), "Nothing failed") {
		t.Error(err)
	}
}

// A run that was given up in its midst goes on where it stood: with what was not asked about, and what was not measured.
func TestARunThatWasGivenUpGoesOn(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]bool{"with nothing that failed": false, "with an utterance that failed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, 3)
			l.freezeAll(t, "calls-test")
			refuses := broken
			ear, mind := newStandIn(t, l.hears(3)), newStandIn(t, func(q asked) any {
				if refuses {
					return nil
				}
				return feels(q)
			})
			id := l.start(t, store.EvaluationRequest{
				Versions: []string{"calls-test@1", "calls-test@2"},
				Models:   [][]string{{l.model(t, "asr", "ear", "1", ear.URL, nil)}, {l.model(t, "nlp", "mind", "1", mind.URL, nil)}},
			})
			l.drain(t, func() bool { return mind.calls.Load() > 0 }) // the words are there, and not measured yet
			if err := l.store.FailEvaluation(t.Context(), id, "Scoring failed again and again."); err != nil {
				t.Fatal(err)
			}
			l.drain(t, nil)
			if e := l.evaluation(t, id); e.State != store.EvaluationFailed || len(l.cells(t, id)) != 0 {
				t.Fatalf("%+v", e)
			}
			refuses = false
			if err := l.store.RetryEvaluation(t.Context(), store.System(), id); err != nil {
				t.Fatal(err)
			}
			l.drain(t, nil)
			e := l.evaluation(t, id)
			if cells := l.cells(t, id); e.State != store.EvaluationDone || e.Failed != 0 || e.StepsDone != 4 || len(cells) != 4 {
				t.Errorf("%+v, %d cells", e, len(cells))
			}
			if n := l.count(t, `SELECT count(*) FROM river_job WHERE kind IN ('flag_cells', 'trace_evaluation') AND queue = 'default'`); n != 0 {
				t.Errorf("what follows the run takes %d workers from everything else", n)
			}
		})
	}
}

// A run that is stopped asks nothing more, and one that is started after it does not ask again.
func TestAStoppedRunLeavesItsOutputs(t *testing.T) {
	t.Parallel()
	l := newLab(t, 20)
	ear := newStandIn(t, l.hears(3))
	request := store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{l.model(t, "asr", "ear", "1", ear.URL, nil)}}}
	id := l.start(t, request)
	l.drain(t, func() bool { return ear.calls.Load() > 0 })
	if err := l.store.CancelEvaluation(t.Context(), store.System(), id); err != nil {
		t.Fatal(err)
	}
	asked := ear.calls.Load()
	l.drain(t, nil)
	if e := l.evaluation(t, id); e.State != store.EvaluationCancelled || ear.calls.Load() != asked || e.Done == 0 || asked == int64(l.version.Lines) {
		t.Errorf("%+v, asked %d then %d", e, asked, ear.calls.Load())
	}
	l.start(t, request)
	l.drain(t, nil)
	if ear.calls.Load() != int64(l.version.Lines) {
		t.Errorf("asked %d times about %d utterances", ear.calls.Load(), l.version.Lines)
	}
}

// Versions that have items in common are asked about those once.
func TestVersionsShareTheirItems(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.freezeAll(t, "calls-test")
	ear := newStandIn(t, l.hears(3))
	id := l.start(t, store.EvaluationRequest{
		Slots: []string{"asr"}, Versions: []string{"calls-test@1", "calls-test@latest"}, Models: [][]string{{l.model(t, "asr", "ear", "1", ear.URL, nil)}},
	})
	l.drain(t, nil)
	cells := l.cells(t, id)
	if ear.calls.Load() != int64(l.version.Lines) || len(cells) != 2 || *cells[0].Value != *cells[1].Value {
		t.Errorf("asked %d times about %d utterances: %+v", ear.calls.Load(), l.version.Lines, cells)
	}
	if cells[0].Stale.Newer != 2 || cells[1].Stale.Any() {
		t.Errorf("stale: %+v, %+v", cells[0].Stale, cells[1].Stale)
	}
	l.reconfigure(t, "ear", "1", func(s *models.Settings) { s.Options.Prompt = "calls" })
	if cells = l.cells(t, id); len(cells[1].Stale.Models) != 1 || cells[1].Stale.Models[0] != "ear@1" {
		t.Errorf("once its model is asked otherwise: %+v", cells[1].Stale)
	}
}

func (l *lab) reconfigure(t *testing.T, model, version string, change func(*models.Settings)) {
	t.Helper()
	server, err := l.store.ModelServer(t.Context(), store.System(), model, version)
	if err != nil {
		t.Fatal(err)
	}
	change(&server.Settings)
	if err := l.store.SetModelServer(t.Context(), store.System(), model, version, store.ModelServerEdit{Settings: server.Settings}); err != nil {
		t.Fatal(err)
	}
}

// An offline model answers with what was imported; what was not is named.
func TestOfflineModelsAnswerWithWhatWasImported(t *testing.T) {
	t.Parallel()
	l := newLab(t, 2)
	for i, item := range l.Items[1:] {
		l.Hear(t, l.pool, item, "ear", "9", fmt.Sprintf("call number %d is bad today", i+1), "[]", 0.8)
	}
	id := l.start(t, store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{"ear@9"}}})
	l.drain(t, nil)
	failures, err := l.store.EvaluationFailures(t.Context(), store.System(), id, store.FailureQuery{Limit: 10})
	if err != nil || len(failures) != 1 || failures[0].Item != l.Items[0] || failures[0].Reason != models.FaultPrediction {
		t.Errorf("%+v, %v", failures, err)
	}
	if e := l.evaluation(t, id); e.Done != l.version.Lines-1 || e.Failed != 1 {
		t.Errorf("%+v", e)
	}
}

// Nothing of a source that lets no model have its data is sent.
func TestNothingIsSentOfClosedSources(t *testing.T) {
	t.Parallel()
	l := newLab(t, 2)
	l.exec(t, `UPDATE sources SET open_to = array_remove(open_to, 'models')`)
	ear := newStandIn(t, l.hears(3))
	name := l.model(t, "asr", "ear", "1", ear.URL, nil)
	id := l.start(t, store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{name}}})
	l.drain(t, nil)
	if e := l.evaluation(t, id); ear.calls.Load() != 0 || e.Failed != l.version.Lines {
		t.Errorf("asked %d times, %+v", ear.calls.Load(), e)
	}
	l.exec(t, `INSERT INTO source_destinations (source_id, kind, name) SELECT id, 'models', 'ear' FROM sources`)
	if err := l.store.RetryEvaluation(t.Context(), store.System(), id); err != nil {
		t.Fatal(err)
	}
	l.drain(t, nil)
	if e := l.evaluation(t, id); ear.calls.Load() != int64(l.version.Lines) || e.Failed != 0 {
		t.Errorf("asked %d times, %+v", ear.calls.Load(), e)
	}
}

// Outputs are deleted when their time is up; figures stay, and a run after it has the same.
func TestOutputsGoAndFiguresStay(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	ear := newStandIn(t, l.hears(2))
	request := store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{l.model(t, "asr", "ear", "1", ear.URL, nil)}}}
	id := l.start(t, request)
	l.drain(t, nil)
	before := l.cells(t, id)[0]
	l.exec(t, `UPDATE model_outputs SET made_at = now() - interval '31 days' WHERE item_id <> $1`, l.Items[0])
	if n, err := l.store.SweepOutputs(t.Context(), store.OutputDays); err != nil || n != int64(l.version.Lines-1) {
		t.Errorf("%d deleted, %v", n, err)
	}
	if _, same, err := l.store.RecomputeCell(t.Context(), store.System(), before.ID); err != nil || !same {
		t.Errorf("the same: %v, %v", same, err)
	}
	ear.Close() // nobody answers any more: what was measured stays
	again := l.start(t, request)
	l.drain(t, nil)
	after := l.cells(t, again)[0]
	if e := l.evaluation(t, again); e.Failed != l.version.Lines-1 {
		t.Errorf("%+v", e)
	}
	if after.ID != before.ID || after.Failed != 0 || *after.Value != *before.Value || *after.Low != *before.Low {
		t.Errorf("%+v became %+v", before, after)
	}
}

// Outputs whose time is up stay until a run that has found them has measured them.
func TestOutputsStayThatARunNeeds(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	ear := newStandIn(t, l.hears(2))
	request := store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{l.model(t, "asr", "ear", "1", ear.URL, nil)}}}
	l.start(t, request)
	l.drain(t, nil)
	ear.Close()
	l.exec(t, `UPDATE model_outputs SET made_at = now() - interval '31 days'`)
	request.Versions = []string{fmt.Sprintf("calls-later@%d", l.freezeAll(t, "calls-later").Number)}
	id := l.start(t, request)
	sweep := func(want int) {
		t.Helper()
		if n, err := l.store.SweepOutputs(t.Context(), store.OutputDays); err != nil || n != int64(want) {
			t.Errorf("%d deleted instead of %d, %v", n, want, err)
		}
	}
	l.drain(t, func() bool {
		if e := l.evaluation(t, id); !e.Open() {
			return true
		}
		sweep(0) // before each job: of the chunks, of the scoring
		return false
	})
	if e := l.evaluation(t, id); e.State != store.EvaluationDone || e.Reused != l.version.Lines || e.Failed != 0 {
		t.Errorf("%+v", e)
	}
	if c := l.cells(t, id)[0]; c.Failed != 0 || c.Value == nil {
		t.Errorf("%+v", c)
	}
	sweep(l.version.Lines)
}

// An erasure takes what models said of an item, and leaves numbers that are nobody's.
func TestErasureReachesOutputsAndFailures(t *testing.T) {
	t.Parallel()
	l := newLab(t, 2)
	ear := newStandIn(t, func(q asked) any {
		if q.ID == fmt.Sprint(l.Items[1]) {
			return nil
		}
		return l.hears(2)(q)
	})
	id := l.start(t, store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{l.model(t, "asr", "ear", "1", ear.URL, nil)}}})
	l.drain(t, nil)
	before := l.cells(t, id)[0]
	launch := l.id(t, `INSERT INTO model_launches (model_version_id, evaluation_id, worker, state, log_bytes, stopped_at)
		SELECT model_version_id, evaluation_id, 'gone', 'stopped', 5, now() FROM evaluation_models RETURNING id`)
	killed := l.id(t, `INSERT INTO model_launches (model_version_id, evaluation_id, worker, state)
		SELECT model_version_id, evaluation_id, 'gone', 'ready' FROM evaluation_models RETURNING id`) // after its log was stored
	for _, id := range []int64{launch, killed} {
		if _, err := l.blobs.Put(t.Context(), store.LaunchLogKey(id), strings.NewReader("words"), 5, "text/plain"); err != nil {
			t.Fatal(err)
		}
	}
	for _, item := range l.Items[:2] {
		l.erase(t, item)
	}
	var left, failures int
	err := l.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM model_outputs WHERE item_id = ANY($1)), (SELECT count(*) FROM evaluation_failures)`, l.Items[:2]).
		Scan(&left, &failures)
	if err != nil || left != 0 || failures != 0 {
		t.Errorf("%d outputs and %d failures of erased items, %v", left, failures, err)
	}
	for _, id := range []int64{launch, killed} {
		if _, err := l.blobs.Stat(t.Context(), store.LaunchLogKey(id)); err == nil {
			t.Errorf("what the launched server %d wrote is still there", id)
		}
	}
	after := l.cells(t, id)[0]
	if *after.Value != *before.Value || after.Stale.Erased != 2 {
		t.Errorf("%+v", after)
	}
	if _, same, err := l.store.RecomputeCell(t.Context(), store.System(), before.ID); err != nil || !same {
		t.Errorf("the same: %v, %v", same, err)
	}
}

// What a launched server wrote is kept, also while a hold stops an erasure, which takes it away in the end; not while one is at work.
func TestTheLogOfALaunchIsKept(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	ear := l.model(t, "asr", "ear", "1", "", func(s *models.Settings) {
		s.Launcher, s.Launch = models.ByCommand, models.Launch{Command: []string{"ear"}}
	})
	run := l.start(t, store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{ear}}})
	model := l.id(t, `SELECT model_version_id FROM evaluation_models`)
	erasure := l.id(t, `INSERT INTO erasures (kind, scope, due_at, started_at) VALUES ('request', 'items', now(), now()) RETURNING id`)
	for _, c := range []struct {
		state string
		kept  bool
	}{{"held", true}, {"failed", true}, {"erasing", false}} {
		l.exec(t, `UPDATE erasures SET state = $2 WHERE id = $1`, erasure, c.state)
		launch, err := l.store.BeginLaunch(t.Context(), model, run, "worker", "")
		if err != nil {
			t.Fatal(err)
		}
		l.asking.servers.end(t.Context(), launch, store.LaunchFailed, "it ended before it was ready", []byte("no weights"))
		written, err := l.store.LaunchLog(t.Context(), store.System(), run, launch)
		if c.kept && string(written) != "no weights" || !c.kept && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("beside an erasure that is %s: %q, %v", c.state, written, err)
		}
	}
}

// An item without sound is told from one that the model before could not hear.
func TestAnItemWithoutSoundFailsByName(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	ear, mind := newStandIn(t, l.hears(100)), newStandIn(t, feels)
	l.exec(t, `DELETE FROM item_sounds WHERE item_id = $1`, l.Items[0])
	l.exec(t, fmt.Sprintf(`SET session_replication_role = replica; UPDATE dataset_lines SET media = NULL WHERE item_id = %d; RESET session_replication_role`, l.Items[0]))
	id := l.start(t, store.EvaluationRequest{Models: [][]string{
		{l.model(t, "asr", "ear", "1", ear.URL, nil)}, {l.model(t, "nlp", "mind", "1", mind.URL, nil)},
	}})
	l.drain(t, nil)
	failures, err := l.store.EvaluationFailures(t.Context(), store.System(), id, store.FailureQuery{Limit: 10})
	if err != nil || len(failures) != 2 || failures[0].Reason != models.FaultItem || failures[1].Reason != models.FaultInput {
		t.Errorf("%+v, %v", failures, err)
	}
}

// The limits of calls at once and of calls a second hold for all workers together.
func TestTheModelIsCalledAsOftenAsItMay(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	var places []int
	for range 3 {
		got, err := l.store.TakePlaces(t.Context(), 7, "worker", 5, 2)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, got...)
	}
	if len(places) != 5 {
		t.Errorf("%v of 5 places", places)
	}
	if err := l.store.LeavePlaces(t.Context(), 7, "worker", places[:1]); err != nil {
		t.Fatal(err)
	}
	if got, err := l.store.TakePlaces(t.Context(), 7, "another", 5, 4); err != nil || len(got) != 1 || got[0] != places[0] {
		t.Errorf("%v, %v", got, err)
	}
	l.exec(t, `UPDATE model_calls SET until = now() - interval '1 second' WHERE worker = 'worker'`)
	if got, err := l.store.TakePlaces(t.Context(), 7, "another", 5, 9); err != nil || len(got) != 4 {
		t.Errorf("of those whose time ran out %v, %v", got, err)
	}
	for want := range 4 {
		wait, err := l.store.NextCall(t.Context(), 7, 0.1)
		if err != nil || wait.Seconds() > 10*float64(want) || wait.Seconds() < 10*float64(want)-9 {
			t.Errorf("call %d waits %v, %v", want+1, wait, err)
		}
	}
}

func TestARequestIsRefusedClearly(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	ear := l.model(t, "asr", "ear", "1", "http://127.0.0.1:9", nil)
	for want, r := range map[string]store.EvaluationRequest{
		"Choose at least one dataset version":   {Slots: []string{"asr"}, Models: [][]string{{ear}}},
		"no dataset version calls-test@9":       {Slots: []string{"asr"}, Models: [][]string{{ear}}, Versions: []string{"calls-test@9"}},
		"is no dataset version":                 {Slots: []string{"asr"}, Models: [][]string{{ear}}, Versions: []string{"calls-test"}},
		"There is no ear@7":                     {Slots: []string{"asr"}, Models: [][]string{{"ear@7"}}, Versions: []string{"calls-test@1"}},
		"this slot is for nlp":                  {Slots: []string{"asr", "nlp"}, Models: [][]string{{ear}, {ear}}, Versions: []string{"calls-test@1"}},
		"The reference alone":                   {Slots: []string{"asr"}, Models: [][]string{{store.Reference}}, Versions: []string{"calls-test@1"}},
		"The reference can stand":               {Slots: []string{"asr", "nlp"}, Models: [][]string{{ear}, {store.Reference}}, Versions: []string{"calls-test@1"}},
		"Name at least one version for each":    {Slots: []string{"asr", "nlp"}, Models: [][]string{{ear}}, Versions: []string{"calls-test@1"}},
		"nothing on its training side":          {Slots: []string{"asr"}, Models: [][]string{{ear}}, Versions: []string{"calls-test@1"}, Split: "training"},
		"A recognizer hears sound":              {Slots: []string{"nlp", "asr"}, Models: [][]string{{ear}, {ear}}, Versions: []string{"calls-test@1"}},
		"Choose one of the normalizers":         {Slots: []string{"asr"}, Models: [][]string{{ear}}, Versions: []string{"calls-test@1"}, Normalizer: "odd"},
		"A baseline names one version for each": {Slots: []string{"asr"}, Models: [][]string{{ear}}, Versions: []string{"calls-test@1"}, Baseline: []string{ear, ear}},
	} {
		if _, err := l.store.StartEvaluation(t.Context(), store.System(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// What a figure came from is kept as numbers alone.
func TestScoresHoldNoContent(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	ear := newStandIn(t, l.hears(1))
	id := l.start(t, store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{l.model(t, "asr", "ear", "1", ear.URL, nil)}}})
	l.drain(t, nil)
	sheet, err := l.store.Sheet(t.Context(), l.cells(t, id)[0].ID)
	if err != nil || sheet.Task != scoring.Speech || len(sheet.Scores) != l.version.Lines {
		t.Fatalf("%+v, %v", sheet, err)
	}
	var figures json.RawMessage
	if err := l.pool.QueryRow(t.Context(), `SELECT figures FROM cells`).Scan(&figures); err != nil || strings.Contains(string(figures), "today") {
		t.Errorf("%s, %v", figures, err)
	}
}
