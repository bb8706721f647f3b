package store

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/erasure"
	"fiducial/internal/sampling"
	"fiducial/internal/speech"
	"fiducial/store/storetest"
)

// planned is a project of sound in which a model version heard something.
type planned struct {
	*Store

	calls    *storetest.Utterances
	reviewer Actor
	imported int64
}

// newPlanned makes utterances of a tenth of a second; the n-th was heard as n%9 words with a confidence of n hundredths.
func newPlanned(tb testing.TB, n int) *planned {
	tb.Helper()
	pool, bucket := storetest.Pool(tb), storetest.Bucket(tb)
	st, err := New(pool, bucket)
	if err != nil {
		tb.Fatal(err)
	}
	p := &planned{Store: st, calls: storetest.Speech(tb, pool, bucket, 1, n, 1)}
	for i, item := range p.calls.Items {
		p.calls.Hear(tb, pool, item, "asr", "1", strings.TrimSpace(strings.Repeat("word ", 1+i%9)), "[]", float64(i)/100)
	}
	p.staff(tb)
	return p
}

// staff gives the project a reviewer, and an import that truths come from.
func (p *planned) staff(tb testing.TB) {
	tb.Helper()
	p.reviewer = Actor{PersonID: p.one(tb, `INSERT INTO people (role, pseudonym) VALUES ('reviewer', gen_random_uuid()) RETURNING id`), Role: access.Reviewer}
	p.do(tb, `INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, p.calls.Project, p.reviewer.PersonID)
	p.imported = p.one(tb, `INSERT INTO imports (project_id, format, purpose, source_id) VALUES ($1, 'nemo', 'truth', $2) RETURNING id`, p.calls.Project, p.calls.Source)
}

func (p *planned) one(tb testing.TB, sql string, args ...any) (n int64) {
	tb.Helper()
	if err := p.pool.QueryRow(tb.Context(), sql, args...).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

func (p *planned) do(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	if _, err := p.pool.Exec(tb.Context(), sql, args...); err != nil {
		tb.Fatal(err)
	}
}

// say makes a text the truth of an item.
func (p *planned) say(tb testing.TB, item int64, text string) {
	tb.Helper()
	truth := p.one(tb, `INSERT INTO truths (item_id, import_id) VALUES ($1, $2) RETURNING id`, item, p.imported)
	segments, err := json.Marshal(speech.Transcript{{Begin: 0, End: 0.1, Text: text}})
	if err != nil {
		tb.Fatal(err)
	}
	p.do(tb, `INSERT INTO transcripts (item_id, kind, of_id, segments) VALUES ($1, 'truth', $2, $3)`, item, truth, segments)
}

func lowest(share float64) sampling.Choice {
	return sampling.Choice{By: "words", Edges: sampling.DefaultEdges(), Method: sampling.Lowest, Share: share, Seed: 7}
}

// draw draws a plan and lets its job work twice.
func (p *planned) draw(tb testing.TB, n NewPlan) SamplingPlan {
	tb.Helper()
	n.Project, n.Model = p.calls.Project, cmp.Or(n.Model, "asr@1")
	plan, err := p.DrawPlan(tb.Context(), p.reviewer, n)
	if err != nil {
		tb.Fatal(err)
	}
	for range 2 {
		if err := p.FillPlan(tb.Context(), plan.ID); err != nil {
			tb.Fatal(err)
		}
	}
	return p.plan(tb, plan.Number)
}

func (p *planned) plan(tb testing.TB, number int) SamplingPlan {
	tb.Helper()
	plan, err := p.Plan(tb.Context(), p.reviewer, p.calls.Slug, number)
	if err != nil {
		tb.Fatal(err)
	}
	return plan
}

func (p *planned) itemsOf(tb testing.TB, plan SamplingPlan) []int64 {
	tb.Helper()
	rows, err := p.pool.Query(tb.Context(), `SELECT item_id FROM plan_items WHERE plan_id = $1 ORDER BY item_id`, plan.ID)
	if err != nil {
		tb.Fatal(err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		tb.Fatal(err)
	}
	return items
}

func TestPlanBecomesABatch(t *testing.T) {
	t.Parallel()
	p := newPlanned(t, 40)
	preview, err := p.PreviewPlan(t.Context(), p.reviewer, NewPlan{Project: p.calls.Project, Model: "asr@1", Choice: lowest(0.25)})
	if err != nil {
		t.Fatal(err)
	}
	plan := p.draw(t, NewPlan{Title: "The least sure", Choice: lowest(0.25), Modes: []string{"blind", "edit"}})
	if plan.State != PlanOpen || plan.Batch != 1 || plan.Model != "asr@1" || plan.Items != preview.Chosen || plan.Items == 0 {
		t.Fatalf("%+v, previewed %+v", plan, preview)
	}
	// Of each stratum the first quarter was heard least surely, since confidence grows with the item.
	sizes := map[int]int{}
	choice := lowest(0.25)
	for i := range p.calls.Items {
		sizes[choice.StratumOf(float64(1+i%9))]++
	}
	want := 0
	for _, size := range sizes {
		want += (size + 3) / 4
	}
	if plan.Items != want {
		t.Errorf("%d utterances, want %d", plan.Items, want)
	}
	if n := p.one(t, `SELECT count(*) FROM tasks t JOIN plan_items i ON i.item_id = t.item_id JOIN batches b ON b.id = t.batch_id
		WHERE t.plan_id = $1 AND t.overlap = 2 AND b.title = 'The least sure'`, plan.ID); n != int64(want) {
		t.Errorf("%d tasks are of the plan, want %d", n, want)
	}
	// The next one takes none of them, and nothing that is decided.
	p.say(t, p.calls.Items[39], "known")
	next := p.draw(t, NewPlan{Choice: sampling.Choice{By: "words", Method: sampling.Below, Below: 1, Seed: 1}})
	if next.Items != 40-want-1 {
		t.Errorf("%d utterances are left, want %d", next.Items, 40-want-1)
	}
	first := p.itemsOf(t, plan)
	for _, item := range p.itemsOf(t, next) {
		if slices.Contains(first, item) || item == p.calls.Items[39] {
			t.Errorf("item %d is chosen again", item)
		}
	}
	empty := p.draw(t, NewPlan{Choice: lowest(1)})
	if empty.State != PlanFailed || !strings.HasPrefix(empty.Error, "Nothing is left to choose from") {
		t.Errorf("a plan of nothing is %s: %q", empty.State, empty.Error)
	}
}

// Whatever is known of who speaks, a choice comes to the same.
func TestNoFactAboutASpeakerCounts(t *testing.T) {
	t.Parallel()
	p := newPlanned(t, 30)
	choose := func() []sampling.Pick {
		version := p.one(t, `SELECT id FROM model_versions`)
		pool, err := p.planPool(t.Context(), p.calls.Project, version)
		if err != nil {
			t.Fatal(err)
		}
		choice := lowest(0.3)
		choice.Control = 0.5
		return sampling.Select(pool, choice).Picks
	}
	before := choose()
	p.do(t, `UPDATE item_texts SET metadata = jsonb_build_object('speaker', 's' || item_id % 3, 'gender', item_id % 2, 'age', item_id % 70, 'dialect', 'd' || item_id % 5)`)
	p.do(t, `INSERT INTO groups (source_id, name) SELECT $1, 'speaker ' || n FROM generate_series(1, 3) n`, p.calls.Source)
	p.do(t, `UPDATE items SET group_id = (SELECT min(id) FROM groups) + id % 3, captured_at = now() - id * interval '1 day'`)
	p.do(t, `INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT id, 'draft', id, jsonb_build_array(jsonb_build_object('begin', 0, 'end', 1, 'text', 'x', 'speaker', 's' || id % 3)) FROM items`)
	if after := choose(); len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("before and after differ:\n%v\n%v", before, after)
	}
}

func TestPlanLeavesOutWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	p := newPlanned(t, 20)
	stranger := Actor{PersonID: p.one(t, `INSERT INTO people (role, pseudonym) VALUES ('reviewer', gen_random_uuid()) RETURNING id`), Role: access.Reviewer}
	for name, tt := range map[string]struct {
		who  Actor
		n    NewPlan
		want string
	}{
		"somebody else's project": {stranger, NewPlan{Project: p.calls.Project, Model: "asr@1", Choice: lowest(0.1)}, ErrNotFound.Error()},
		"no such model":           {p.reviewer, NewPlan{Project: p.calls.Project, Model: "asr@2", Choice: lowest(0.1)}, "Name a model version"},
		"no such mode":            {p.reviewer, NewPlan{Project: p.calls.Project, Model: "asr@1", Choice: lowest(0.1), Modes: []string{"deaf"}}, "how each begins"},
		"no share":                {p.reviewer, NewPlan{Project: p.calls.Project, Model: "asr@1", Choice: lowest(0)}, "Choose a share"},
		"a labeler":               {Actor{PersonID: stranger.PersonID, Role: access.Labeler}, NewPlan{Project: p.calls.Project}, ErrDenied.Error()},
	} {
		if _, err := p.DrawPlan(t.Context(), tt.who, tt.n); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := p.Plan(t.Context(), stranger, p.calls.Slug, 1); err == nil {
		t.Error("a stranger reads a plan")
	}
}

// What an erasure takes leaves the plan, its report goes at once, and it is made anew without it.
func TestErasureClearsAReport(t *testing.T) {
	t.Parallel()
	p := newPlanned(t, 20)
	p.say(t, p.calls.Items[19], "word word")
	plan := p.draw(t, NewPlan{Choice: sampling.Choice{By: "words", Method: sampling.Below, Below: 1, Seed: 1}})
	for _, item := range p.calls.Items[:19] {
		p.say(t, item, fmt.Sprintf("secret%d word", item))
	}
	for range 2 {
		if err := p.ReportPlan(t.Context(), plan.ID); err != nil {
			t.Fatal(err)
		}
	}
	plan = p.plan(t, plan.Number)
	if plan.Report == nil || plan.Report.Items != 19 || plan.Report.New[0] != 19 || plan.Report.All.Words != 38 {
		t.Fatalf("%+v", plan.Report)
	}
	if n := p.one(t, `SELECT count(*) FROM plans WHERE report::text LIKE '%secret%'`); n != 0 {
		t.Error("the report holds words")
	}
	terms, err := p.PlanTerms(t.Context(), p.reviewer, plan)
	if err != nil || !slices.ContainsFunc(terms, func(term PlanTerm) bool {
		return term.Text == fmt.Sprintf("secret%d", p.calls.Items[0]) && term.Times == 1
	}) {
		t.Errorf("new words %+v: %v", terms, err)
	}
	e, err := p.PreviewErasure(t.Context(), System(), ErasureRequest{Scope: ScopeItems, Items: []erasure.Named{{ID: p.calls.Items[0]}}, Reason: "Ticket 17"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.ConfirmErasure(t.Context(), System(), e.ID); err != nil {
		t.Fatal(err)
	}
	if err := p.RunErasure(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if plan = p.plan(t, plan.Number); plan.Report != nil || plan.Items != 18 {
		t.Errorf("%d items, report %+v, want 18 and none", plan.Items, plan.Report)
	}
	if n := p.one(t, `SELECT count(*) FROM river_job WHERE kind = 'report_plan'`); n != 1 {
		t.Errorf("%d reports are asked for, want 1", n)
	}
	if err := p.ReportPlan(t.Context(), plan.ID); err != nil {
		t.Fatal(err)
	}
	if plan = p.plan(t, plan.Number); plan.Report == nil || plan.Report.Items != 18 || plan.Report.New[0] != 18 {
		t.Errorf("%+v", plan.Report)
	}
}

// realSpeech adds utterances and what three recognisers heard in them, and returns what was said in each.
func (p *planned) realSpeech(t *testing.T) map[int64]string {
	t.Helper()
	data := cmp.Or(os.Getenv("FIDUCIAL_TEST_DATA"), filepath.Join("..", "..", "shared", "data"))
	// The files have a line for each utterance, in the same order.
	lines := func(name string, each func(n int, line []byte)) {
		file, err := os.Open(filepath.Join(data, "speech", name))
		if err != nil {
			t.Skipf("no real data: set FIDUCIAL_TEST_DATA: %v", err)
		}
		defer func() {
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		}()
		for scan, n := bufio.NewScanner(file), 0; scan.Scan(); n++ {
			each(n, scan.Bytes())
		}
	}
	var items []int64
	texts := map[int64]string{}
	lines("manifest.jsonl", func(_ int, line []byte) {
		var u struct {
			Duration float64 `json:"duration"`
			Text     string  `json:"text"`
		}
		if err := json.Unmarshal(line, &u); err != nil {
			t.Fatal(err)
		}
		item := p.one(t, `INSERT INTO items (project_id, source_id, key_hash, state, recording_id, begins, ends)
			VALUES ($1, $2, int8send($3), 'ready', $4, 0, $5) RETURNING id`, p.calls.Project, p.calls.Source, len(items), p.calls.Recordings[0], u.Duration)
		items, texts[item] = append(items, item), u.Text
	})
	for _, version := range []string{"ps-default", "ps-fast", "ps-lw9"} {
		lines("hypotheses/"+version+".jsonl", func(n int, line []byte) {
			var h struct {
				Text       string  `json:"text"`
				Confidence float64 `json:"confidence"`
			}
			if err := json.Unmarshal(line, &h); err != nil {
				t.Fatal(err)
			}
			p.calls.Hear(t, p.pool, items[n], "pocketsphinx", version, h.Text, "[]", min(max(h.Confidence, 0), 1))
		})
	}
	return texts
}

// On real speech the least sure quarter of utterances of four words and more has more errors than the surest, beyond chance.
func TestLeastSureQuarterIsWorstOnRealSpeech(t *testing.T) {
	t.Parallel()
	pool, bucket := storetest.Pool(t), storetest.Bucket(t)
	st, err := New(pool, bucket)
	if err != nil {
		t.Fatal(err)
	}
	p := &planned{Store: st, calls: storetest.Speech(t, pool, bucket, 1, 1, 1)}
	p.staff(t)
	texts := p.realSpeech(t)
	plan := p.draw(t, NewPlan{Model: "pocketsphinx@ps-default", Choice: lowest(1)})
	if plan.Items != 400 {
		t.Fatalf("%d of 400 utterances are chosen: %s", plan.Items, plan.Error)
	}
	for item, text := range texts {
		p.say(t, item, text)
	}
	if err := p.ReportPlan(t.Context(), plan.ID); err != nil {
		t.Fatal(err)
	}
	report := p.plan(t, plan.Number).Report
	t.Log(report.Sentence)
	if least, most := report.Quarters[0], report.Quarters[3]; !least.Sure() || !most.Sure() || *least.Low <= *most.High || !strings.HasSuffix(report.Sentence, "what the model gets wrong.") {
		t.Errorf("the least sure quarter: %+v, the surest: %+v", least, most)
	}
	// As a plain edit distance over the files counts them.
	for model, want := range map[string]string{"pocketsphinx@ps-default": "0.352", "pocketsphinx@ps-lw9": "0.417", "pocketsphinx@ps-fast": "0.485"} {
		at := slices.IndexFunc(report.Models, func(m ModelRate) bool { return m.Model == model })
		if at < 0 {
			t.Errorf("%s is not in the report", model)
		} else if got := fmt.Sprintf("%.3f", report.Models[at].All.WER); got != want {
			t.Errorf("%s has a WER of %s, want %s", model, got, want)
		}
	}
	if report.New[0] == 0 || report.Times[0] < report.New[0] || len(report.Deciles) != 10 || len(report.Strata) != 4 {
		t.Errorf("%+v", report)
	}
}
