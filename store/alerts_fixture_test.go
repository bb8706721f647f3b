package store_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/alerts"
	"fiducial/internal/scoring"
	"fiducial/store"
)

// observatory is a chain of a recognizer and a language model, whose cells a test writes as runs would.
type observatory struct {
	*store.Store

	t     *testing.T
	pool  *pgxpool.Pool
	chain int64
	path  []int64 // asr@1, sentiment@1
	other int64   // asr@2
}

func newObservatory(t *testing.T) *observatory {
	t.Helper()
	st, pool := newStore(t)
	keyed(t, st, "k")
	o := &observatory{Store: st, t: t, pool: pool}
	release := func(model, kind, version string) int64 {
		if version == "1" {
			if _, err := st.AddModel(t.Context(), store.System(), model, kind); err != nil {
				t.Fatal(err)
			}
		}
		id, err := st.ReleaseModel(t.Context(), store.System(), model, version)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	o.path = []int64{release("asr", "asr", "1"), release("sentiment", "nlp", "1")}
	o.other = release("asr", "asr", "2")
	o.chain = o.one(`INSERT INTO chains (name, slots, baseline, expect_days) VALUES ('calls', '{asr,nlp}', $1, 40) RETURNING id`, o.path)
	o.one(`INSERT INTO datasets (name) VALUES ('calls-test') RETURNING id`)
	return o
}

// one runs a statement that returns a number.
func (o *observatory) one(sql string, args ...any) (n int64) {
	o.t.Helper()
	if err := o.pool.QueryRow(o.t.Context(), sql, args...).Scan(&n); err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// version freezes the next version of the dataset.
func (o *observatory) version() int64 {
	o.t.Helper()
	return o.one(`INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash) SELECT d.id, count(v.id) + 1, '{}', 'frozen', sha256('v')
		FROM datasets d LEFT JOIN dataset_versions v ON v.dataset_id = d.id GROUP BY d.id RETURNING id`)
}

// run writes an evaluation that is done.
func (o *observatory) run(version int64) int64 {
	o.t.Helper()
	id := o.one(`INSERT INTO evaluations (chain_id, baseline, state, finished_at) VALUES ($1, $2, 'done', now()) RETURNING id`, o.chain, o.path)
	o.one(`INSERT INTO evaluation_versions (evaluation_id, version_id) VALUES ($1, $2) RETURNING 1`, id, version)
	return id
}

// cell writes what a sheet comes to as the cell of a path.
func (o *observatory) cell(run, version int64, path []int64, sheet scoring.Sheet) int64 {
	o.t.Helper()
	figures := scoring.Compute(sheet, scoring.Options{Draws: 400, Seed: 1})
	document, err := json.Marshal(figures)
	if err != nil {
		o.t.Fatal(err)
	}
	head := figures.Headline()
	return o.one(`
		INSERT INTO cells (version_id, split, path, configurations, labels, normalizer, task, evaluation_id, items, failed, measure, value, low, high, figures)
		VALUES ($1, 'test', $2, '', 'frozen', '', $3, $4, $5, 0, $6, $7, $8, $9, $10) RETURNING id`,
		version, path, sheet.Task, run, len(sheet.Scores), head.Name, head.Value, head.Low, head.High, document)
}

// compare writes the difference of a cell to that of its baseline.
func (o *observatory) compare(cell int64, sheet scoring.Sheet, baseline int64, of scoring.Sheet) {
	o.t.Helper()
	d := scoring.Compare(sheet, of, scoring.Options{Draws: 400, Seed: 1})
	head := d.Headline()
	o.one(`INSERT INTO cell_differences (cell_id, baseline_id, measure, value, low, high, p, adjusted, items) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8) RETURNING 1`,
		cell, baseline, head.Name, head.Value, head.Low, head.High, head.P, d.Items)
}

// raise looks at a run, twice as after a restart, and returns the alerts that are not closed.
func (o *observatory) raise(run int64) []store.Alert {
	o.t.Helper()
	for range 2 {
		if err := o.RaiseAlerts(o.t.Context(), run); err != nil {
			o.t.Fatal(err)
		}
	}
	return o.open()
}

func (o *observatory) open() []store.Alert {
	o.t.Helper()
	list, err := o.Alerts(o.t.Context(), store.System(), store.AlertFilter{Open: true}, 100)
	if err != nil {
		o.t.Fatal(err)
	}
	return list
}

// notices are how many notices of alerts were left, and sendings how many letters wait.
func (o *observatory) told() (notices, sendings int64) {
	o.t.Helper()
	return o.one(`SELECT count(*) FROM notices WHERE kind = 'alert.raised'`), o.one(`SELECT count(*) FROM river_job WHERE kind = 'send_alert'`)
}

var sentiments = []string{"positive", "negative", "none"}

// month is what a sentiment model says of the calls of one month, four utterances each. strange is the share of calls that do not sound
// like those that it was made for: of these it misses much of what is negative.
func month(random *rand.Rand, calls int, strange float64) scoring.Sheet {
	sheet := scoring.Sheet{Task: scoring.Label, Classes: sentiments}
	for call := range calls {
		right := []float64{0.84, 0.82, 0.80}
		if random.Float64() < strange {
			right = []float64{0.60, 0.30, 0.62}
		}
		for k := range 4 {
			truth := random.IntN(3)
			said := truth
			if random.Float64() >= right[truth] {
				said = (truth + 1 + random.IntN(2)) % 3
			}
			s := scoring.ScoreLabel(sentiments, momentOf(truth), momentOf(said))
			s.Position, s.Group, s.Length = 4*call+k, int64(call+1), float32(math.NaN())
			sheet.Scores = append(sheet.Scores, s)
		}
	}
	return sheet
}

func momentOf(class int) []scoring.Moment {
	if sentiments[class] == "none" {
		return nil
	}
	return []scoring.Moment{{Class: sentiments[class], Begin: 0, End: 1, Confidence: math.NaN()}}
}

// heard is what a recognizer hears: that many errors of a hundred words an utterance.
func heard(random *rand.Rand, calls int, errors float64) scoring.Sheet {
	sheet := scoring.Sheet{Task: scoring.Speech}
	for i := range 4 * calls {
		s := scoring.Score{Position: i, Group: int64(i/4 + 1), Length: float32(math.NaN()), Confidence: float32(math.NaN())}
		for range 20 {
			if random.Float64() < errors {
				s.Words.Substitutions++
			} else {
				s.Words.Hits++
			}
		}
		s.Words.Characters = 100
		sheet.Scores = append(sheet.Scores, s)
	}
	return sheet
}

// fallen is the alert of the list that tells of a fall, failing if there is not exactly one.
func fallen(t *testing.T, list []store.Alert) store.Alert {
	t.Helper()
	if len(list) != 1 || list[0].Kind != alerts.Drop {
		t.Fatalf("%+v", list)
	}
	return list[0]
}
