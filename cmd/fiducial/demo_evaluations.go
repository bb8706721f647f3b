package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/manifest"
	"fiducial/internal/models"
	"fiducial/store"
)

const (
	demoCheck   = "care-line-check" // the project, and the dataset, that the chain is measured by
	demoMood    = "careline-mood"
	demoChain   = "Care line"
	demoHearing = "Recognizer alone"
)

// demoRun is a run of the chain, so many days ago.
type demoRun struct {
	days     int
	title    string
	versions []int // of the dataset
	ears     []string
	moods    []string
	baseline []string
}

var demoRuns = []demoRun{
	{340, "The first measurement", []int{1}, []string{"1.0"}, []string{"1"}, nil},
	{250, "1.1 of the recognizer", []int{1, 2}, []string{"1.0", "1.1"}, []string{"1"}, []string{"1.0", "1"}},
	{160, "2 of the mood", []int{2}, []string{"1.0", "1.1"}, []string{"1", "2"}, []string{"1.0", "1"}},
	{70, "After the audit", []int{3}, []string{"reference", "1.1"}, []string{"1", "2"}, []string{"1.1", "1"}},
	{3, "Before 2.0 goes out", []int{3, 4}, []string{"1.1", "2.0"}, []string{"1", "2"}, []string{"1.1", "2"}},
}

// addEvaluations fills a project of calls whose truth is known, and measures a chain by it over a year: a recognizer, and what reads how people
// feel from its words. The newest recognizer is smaller, and worse.
func (f *demoFill) addEvaluations(ctx context.Context) error {
	turns, err := demoTurns("call-03.wav", "call-04.wav", "call-05.wav", "call-06.wav")
	if err != nil {
		return err
	}
	c, err := f.addLine(ctx, store.NewProject{
		Slug: demoCheck, Name: "Care line checks", Kind: "audio", AcceptsTruth: true,
		Description: "Calls whose every word and moment is known, by which what listens to the care line is measured.",
	})
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, []*demoTurn) error{
		c.writeRules, c.bringTruth, c.releaseEars, c.releaseMoods, c.dateReleases, c.freezeChecks, c.runChain, c.leaningRun, c.auditLabels,
	} {
		if err := step(ctx, turns); err != nil {
			return err
		}
	}
	return nil
}

// bringTruth imports the calls with what is said in them, and the moments in it.
func (c *demoLine) bringTruth(ctx context.Context, turns []*demoTurn) error {
	if err := c.importCalls(ctx, turns, store.PurposeTruth, "Care line studio"); err != nil {
		return err
	}
	err := c.until(ctx, len(turns), `SELECT count(*) FROM truths u JOIN items i ON i.id = u.item_id WHERE i.project_id = $1 AND u.current`)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	for item, turn := range c.turns {
		for at, name := range turn.Moments {
			batch.Queue(`INSERT INTO truth_boxes (truth_id, position, class_id, definition_version, x, y, w, h) SELECT id, $2, $3, 1, 0, 0, $4, 1 FROM truths WHERE item_id = $1 AND current`,
				item, at, c.classes[name], length(turn))
		}
	}
	return c.Pool.SendBatch(ctx, batch).Close()
}

// releaseEars imports what three versions of the recognizer heard.
func (c *demoLine) releaseEars(ctx context.Context, turns []*demoTurn) error {
	_, err := c.Store.Release(ctx, c.admin(), store.NewRelease{Model: demoRecognizer, Version: "2.0", Successor: "1.1", Description: "A third of the size, for the telephones themselves."})
	if err != nil {
		return err
	}
	for n, ear := range []struct {
		version string
		skill   float64
	}{{"1.0", 0.80}, {"1.1", 0.88}, {"2.0", 0.60}} {
		if err := c.hear(ctx, turns, ear.version, newDemoEar(ear.skill, uint64(n)+41)); err != nil {
			return err
		}
	}
	return nil
}

// moodWords are what the versions of the demo's model go by.
var moodWords = map[string]map[string][]string{
	"1": {
		"positive": {"thank", "thanks", "good", "kind", "lovely", "perfect", "enjoy", "pleasure", "glad", "please"},
		"negative": {"not", "wrong", "nobody", "no", "sorry", "worried"},
	},
	"2": {
		"positive": {"kind", "perfect", "enjoy", "pleasure", "relief", "helpful", "safe", "quick", "dear", "sorting", "trouble"},
		"negative": {"wrong", "ridiculous", "worried", "nobody", "still", "twice", "work", "supposed"},
	},
}

// mood is the label that a version gives a text: of the feeling that more of its words are of.
func mood(version, text string) models.Label {
	count := map[string]int{}
	for _, word := range strings.Fields(text) {
		for feeling, words := range moodWords[version] {
			if slices.Contains(words, plain(word)) {
				count[feeling]++
			}
		}
	}
	label := models.Label{Label: "none", Confidence: new(0.62)}
	for _, feeling := range []string{"positive", "negative"} {
		if n := count[feeling]; n > count[label.Label] {
			label = models.Label{Label: feeling, Confidence: new(min(0.55+0.15*float64(n), 0.97))}
		}
	}
	return label
}

// releaseMoods registers the versions of what reads how people feel. Their servers are not there: all that they will be asked is answered here.
func (c *demoLine) releaseMoods(ctx context.Context, _ []*demoTurn) error {
	if _, err := c.Store.AddModel(ctx, c.admin(), demoMood, "nlp"); err != nil {
		return err
	}
	for version := range moodWords {
		id, err := c.Store.ReleaseModel(ctx, c.admin(), demoMood, version)
		if err != nil {
			return err
		}
		settings := models.Defaults()
		settings.URL = "https://mood.demo.example/v" + version
		settings.Options = models.Options{Task: models.TaskLabel, Labels: map[string]string{"positive": "positive", "negative": "negative"}}
		if err := c.Store.SetModelServer(ctx, c.admin(), demoMood, version, store.ModelServerEdit{Settings: settings}); err != nil {
			return err
		}
		server, err := c.Store.ModelServer(ctx, c.admin(), demoMood, version)
		if err != nil {
			return err
		}
		if err := c.answerAll(ctx, id, version, server.Configuration); err != nil {
			return err
		}
	}
	return nil
}

// releasedAgo is how many days ago the versions were released: each before the first run that measures it.
var releasedAgo = map[string]int{
	demoRecognizer + "@1.0": 352, demoMood + "@1": 344, demoRecognizer + "@1.1": 255, demoMood + "@2": 166, demoRecognizer + "@2.0": 6,
}

// dateReleases puts the releases where they lie in the year, on the timeline, too.
func (c *demoLine) dateReleases(ctx context.Context, _ []*demoTurn) error {
	batch := &pgx.Batch{}
	for name, days := range releasedAgo {
		model, version, _ := strings.Cut(name, "@")
		batch.Queue(`
			WITH v AS (UPDATE model_versions v SET created_at = $3 FROM models m WHERE m.id = v.model_id AND m.name = $1 AND v.version = $2 RETURNING v.id)
			UPDATE changes SET at = $3 WHERE model_version_id IN (SELECT id FROM v)`, model, version, c.day(-days).Add(9*time.Hour))
	}
	return c.Pool.SendBatch(ctx, batch).Close()
}

// answerAll writes what a version answers about everything that can be said in an utterance: what the recognizers heard, and the truth.
func (c *demoLine) answerAll(ctx context.Context, id int64, version string, configuration []byte) error {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := c.Pool.Query(ctx, `
		SELECT h.item_id, h.text FROM hypotheses h JOIN items i ON i.id = h.item_id WHERE i.project_id = $1
		UNION SELECT i.id, coalesce((SELECT string_agg(g ->> 'text', ' ') FROM jsonb_array_elements(t.segments) g), '')
		FROM items i JOIN truths u ON u.item_id = i.id AND u.current JOIN transcripts t ON t.item_id = i.id AND t.kind = 'truth' AND t.of_id = u.id WHERE i.project_id = $1`, c.project)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	var item int64
	var text string
	_, err = pgx.ForEachRow(rows, []any{&item, &text}, func() error {
		label := mood(version, text)
		labels, err := json.Marshal([]models.Label{label})
		if label.Label == "none" {
			labels, err = []byte("[]"), nil
		}
		input := sha256.Sum256([]byte(text))
		batch.Queue(`
			INSERT INTO model_outputs (item_id, model_version_id, configuration, input, labels, confidence, took_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT DO NOTHING`, item, id, configuration, input[:], labels, label.Confidence, 8+len(text)%20)
		return err
	})
	if err != nil {
		return err
	}
	return c.Pool.SendBatch(ctx, batch).Close()
}

// freezeChecks freezes the test sets of the year: each has other calls in it, the later ones more.
func (c *demoLine) freezeChecks(ctx context.Context, _ []*demoTurn) error {
	for n, share := range []int{550, 700, 850, 1000} {
		recipe := manifest.Default()
		recipe.Projects, recipe.Group = []string{demoCheck}, "item"
		recipe.Shares = manifest.Shares{Training: manifest.Share(1000 - share), Test: manifest.Share(share)}
		version, err := c.Store.Freeze(ctx, c.admin(), demoCheck, recipe)
		if err != nil {
			return err
		}
		if _, err := c.untilFrozen(ctx, version); err != nil {
			return fmt.Errorf("version %d: %w", n+1, err)
		}
	}
	return nil
}

// runChain runs the chain as over a year.
func (c *demoLine) runChain(ctx context.Context, _ []*demoTurn) error {
	_, err := c.Store.AddChain(ctx, c.admin(), store.NewChain{Slots: []string{"asr", "nlp"}, ChainSettings: store.ChainSettings{
		Name: demoChain, Description: "What is said on the care line, and how people feel who say it.", AlertDrop: store.DefaultAlertDrop, ExpectDays: 120,
	}})
	if err != nil {
		return err
	}
	for _, run := range demoRuns {
		if err := c.run(ctx, run); err != nil {
			return fmt.Errorf("%s: %w", run.title, err)
		}
	}
	for _, change := range []store.NewChange{
		{Title: "1.1 of the recognizer goes out", System: "care line", Release: demoRecognizer + "@1.1"},
		{Title: "The telephones answer with another codec", System: "telephony", Body: "G.722 instead of G.711, on every line of the north."},
		{Title: "Calls wait in one queue for all towns", System: "telephony"},
		{Title: "Rolled back to the old codec in two towns", System: "telephony", Kind: "intervention"},
	} {
		change.At = c.day(-map[string]int{"care line": 240, "telephony": 60}[change.System])
		if change.Kind != "" {
			change.At = c.day(-41)
		}
		if _, err := c.Store.AddChange(ctx, c.reviewer(), change); err != nil {
			return err
		}
	}
	return nil
}

// run runs the chain once, waits until that has ended, and puts it where it lies in the year.
func (c *demoLine) run(ctx context.Context, run demoRun) error {
	named := func(model string, versions []string) (list []string) {
		for _, v := range versions {
			if v != store.Reference {
				v = model + "@" + v
			}
			list = append(list, v)
		}
		return list
	}
	request := store.EvaluationRequest{
		Chain: demoChain, Title: run.title, Models: [][]string{named(demoRecognizer, run.ears), named(demoMood, run.moods)}, StartedBy: "release",
	}
	for _, version := range run.versions {
		request.Versions = append(request.Versions, fmt.Sprintf("%s@%d", demoCheck, version))
	}
	if run.baseline != nil {
		request.Baseline = append(named(demoRecognizer, run.baseline[:1]), named(demoMood, run.baseline[1:])...)
	}
	return c.evaluate(ctx, request, run.days)
}

// evaluate runs an evaluation, waits until that has ended, and puts it so many days back.
func (f *demoFill) evaluate(ctx context.Context, request store.EvaluationRequest, days int) error {
	id, err := f.Store.StartEvaluation(ctx, f.admin(), request)
	if err != nil {
		return err
	}
	err = f.until(ctx, func() (bool, error) {
		e, err := f.Store.Evaluation(ctx, f.admin(), id)
		if err == nil && e.State == store.EvaluationFailed {
			err = fmt.Errorf("run %d: %s", id, e.Error)
		}
		return !e.Open(), err
	})
	if err != nil {
		return err
	}
	ago := time.Duration(days) * 24 * time.Hour
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE evaluations SET created_at = created_at - $2::interval, began_at = began_at - $2::interval, finished_at = finished_at - $2::interval WHERE id = $1`, id, ago)
	batch.Queue(`UPDATE evaluation_steps SET began_at = began_at - $2::interval, finished_at = finished_at - $2::interval WHERE evaluation_id = $1`, id, ago)
	batch.Queue(`UPDATE cells SET computed_at = computed_at - $2::interval WHERE evaluation_id = $1`, id, ago)
	return f.Pool.SendBatch(ctx, batch).Close()
}

// leaningRun measures the recognizer by transcripts of which some were begun from what it heard itself.
func (c *demoLine) leaningRun(ctx context.Context, _ []*demoTurn) error {
	recipe := manifest.Default()
	recipe.Projects, recipe.Shares = []string{demoCalls}, manifest.Shares{Test: 1000}
	version, err := c.Store.Freeze(ctx, c.admin(), "care-line-heard", recipe)
	if err != nil {
		return err
	}
	if _, err := c.untilFrozen(ctx, version); err != nil {
		return err
	}
	_, err = c.Store.AddChain(ctx, c.admin(), store.NewChain{Slots: []string{"asr"}, ChainSettings: store.ChainSettings{
		Name: demoHearing, Description: "What the recognizer hears, before anything reads it.", AlertDrop: store.DefaultAlertDrop,
	}})
	if err != nil {
		return err
	}
	return c.evaluate(ctx, store.EvaluationRequest{
		Chain: demoHearing, Title: "By what we wrote down ourselves", Versions: []string{"care-line-heard@1"},
		Models: [][]string{{demoRecognizer + "@1.0", demoRecognizer + "@1.1"}}, Baseline: []string{demoRecognizer + "@1.0"},
	}, 1)
}

// auditLabels has some of the test labels looked at again, blind, by one labeler.
func (c *demoLine) auditLabels(ctx context.Context, _ []*demoTurn) error {
	version, err := c.Store.DatasetVersion(ctx, c.admin(), demoCheck, 3)
	if err != nil {
		return err
	}
	id, err := c.Store.StartAudit(ctx, c.reviewer(), version, 16, 7)
	if err != nil {
		return err
	}
	err = c.demoFill.until(ctx, func() (bool, error) {
		a, err := c.Store.Audit(ctx, c.reviewer(), id)
		if err == nil && a.State == store.AuditFailed {
			err = fmt.Errorf("audit: %s", a.Error)
		}
		return a.State == store.AuditOpen, err
	})
	if err != nil {
		return err
	}
	second := demoPeople[1]
	pen := newDemoPen(second.habit, 77)
	for range 12 {
		if err := c.write(ctx, second, pen); err != nil {
			return err
		}
	}
	return c.Store.AskForAuditReport(ctx, c.reviewer(), id)
}
