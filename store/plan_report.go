package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/sampling"
	"fiducial/internal/speech"
)

// termsListed is how many new words, and as many new rows of two and of three, a report lists.
const termsListed = 60

// PlanReport is what a plan has brought so far: how far what models heard differs from the truth of its utterances, and what is new in
// that. It holds no word of it: terms say where they stand.
type PlanReport struct {
	Items      int     `json:"items"`   // with a transcript
	Of         int     `json:"of"`      // in the plan
	Seconds    float64 `json:"seconds"` // of those with a transcript
	Normalizer string  `json:"normalizer"`
	Sentence   string  `json:"sentence"`

	// Of the plan's model version.
	All      sampling.Rate   `json:"all"`
	Chosen   sampling.Rate   `json:"chosen"`
	Control  sampling.Rate   `json:"control"`
	Quarters []sampling.Rate `json:"quarters,omitempty"` // of utterances of four words and more
	Deciles  []sampling.Rate `json:"deciles"`
	Strata   []sampling.Rate `json:"strata"`
	Sources  []sampling.Rate `json:"sources"`

	Models []ModelRate `json:"models"` // the plan's and every other that heard these utterances

	New   [sampling.LongestTerm]int `json:"new"`   // different words, rows of two and of three that no transcript before held
	Times [sampling.LongestTerm]int `json:"times"` // how often those came
	Terms []sampling.Term           `json:"terms"`
}

// ModelRate is how well a model version heard a plan's utterances.
type ModelRate struct {
	Version int64         `json:"version"`
	Model   string        `json:"model"` // NAME@VERSION
	All     sampling.Rate `json:"all"`
	Chosen  sampling.Rate `json:"chosen"`
	Control sampling.Rate `json:"control"`
}

// reportedPlan is a plan as its report needs it.
type reportedPlan struct {
	ID, Project, Version int64
	Normalizer           string
	Items                int
	CreatedAt, Now       time.Time
}

// ReportPlan measures what a plan has brought so far. Doing it again comes to the same; of two that run at once the one that looked
// later stays.
func (s *Store) ReportPlan(ctx context.Context, id int64) error {
	var plan reportedPlan
	var report PlanReport
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		rows, err := tx.Query(ctx, `
			SELECT l.id, l.project_id AS project, l.model_version_id AS version, p.normalizer, l.items, l.created_at, now() AS now
			FROM plans l JOIN projects p ON p.id = l.project_id WHERE l.id = $1 AND l.state = 'open'`, id)
		if err != nil {
			return err
		}
		if plan, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[reportedPlan]); err != nil {
			return err
		}
		report, err = plan.report(ctx, tx)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = s.pool.Exec(ctx, `UPDATE plans SET report = $2, reported_at = $3 WHERE id = $1 AND (reported_at IS NULL OR reported_at <= $3)`, id, report, plan.Now)
	}
	if err != nil {
		return fmt.Errorf("report of plan %d: %w", id, err)
	}
	return nil
}

// transcribed is an utterance of a plan with its truth.
type transcribed struct {
	sampling.Scored

	Truth int64
	Text  string // normalised
}

func (p reportedPlan) report(ctx context.Context, tx pgx.Tx) (report PlanReport, err error) {
	normalizer := speech.ProjectNormalizer(p.Normalizer)
	list, err := p.transcribed(ctx, tx, normalizer)
	if err != nil {
		return report, err
	}
	report = PlanReport{Items: len(list), Of: p.Items, Normalizer: normalizer.Name, Terms: []sampling.Term{}, Models: []ModelRate{}}
	for i := range list {
		report.Seconds += list[i].Seconds
	}
	if err := p.score(ctx, tx, normalizer, list, &report); err != nil {
		return report, err
	}
	var terms sampling.Terms
	if err := p.learn(ctx, tx, normalizer, &terms); err != nil {
		return report, err
	}
	for _, t := range list {
		terms.Look(t.Item, t.Truth, strings.Fields(t.Text))
	}
	report.New, report.Times = terms.New, terms.Times
	for size := 1; size <= sampling.LongestTerm; size++ {
		report.Terms = append(report.Terms, terms.Most(size, termsListed)...)
	}
	return report, nil
}

// transcribed reads the plan's utterances that have a transcript as truth.
func (p reportedPlan) transcribed(ctx context.Context, tx pgx.Tx, normalizer speech.Normalizer) ([]transcribed, error) {
	rows, err := tx.Query(ctx, `
		SELECT l.item_id, coalesce(i.group_id, 0), i.source_id, l.arm = 'control', l.stratum, l.decile, l.confidence, coalesce(i.ends - i.begins, 0), u.id, t.segments
		FROM plan_items l JOIN items i ON i.id = l.item_id JOIN truths u ON u.item_id = l.item_id AND u.current
		JOIN transcripts t ON t.item_id = l.item_id AND t.kind = 'truth' AND t.of_id = u.id
		WHERE l.plan_id = $1 AND i.state = 'ready' ORDER BY l.item_id`, p.ID)
	if err != nil {
		return nil, fmt.Errorf("transcripts: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t transcribed, err error) {
		var said speech.Transcript
		err = row.Scan(&t.Item, &t.Group, &t.Source, &t.Control, &t.Stratum, &t.Decile, &t.Confidence, &t.Seconds, &t.Truth, &said)
		t.Text = normalizer.Normalize(said.Text())
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("transcripts: %w", err)
	}
	return list, nil
}

// score compares what every model version heard with the transcripts.
func (p reportedPlan) score(ctx context.Context, tx pgx.Tx, normalizer speech.Normalizer, list []transcribed, report *PlanReport) error {
	at := make(map[int64]int, len(list))
	for i := range list {
		at[list[i].Item] = i
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := tx.Query(ctx, `
		SELECT l.item_id, q.model_version_id, m.name || '@' || v.version, h.text
		FROM plan_items l JOIN predictions q ON q.item_id = l.item_id JOIN hypotheses h ON h.item_id = q.item_id AND h.prediction_id = q.id
		JOIN model_versions v ON v.id = q.model_version_id JOIN models m ON m.id = v.model_id
		WHERE l.plan_id = $1 ORDER BY q.model_version_id, l.item_id`, p.ID)
	if err != nil {
		return fmt.Errorf("hypotheses: %w", err)
	}
	scored := map[int64][]sampling.Scored{}
	names := map[int64]string{}
	var scorer speech.Scorer
	var item, version int64
	var name, text string
	_, err = pgx.ForEachRow(rows, []any{&item, &version, &name, &text}, func() error {
		i, known := at[item]
		if !known {
			return nil
		}
		one := list[i].Scored
		one.Counts = scorer.Score(list[i].Text, normalizer.Normalize(text))
		scored[version], names[version] = append(scored[version], one), name
		return nil
	})
	if err != nil {
		return fmt.Errorf("hypotheses: %w", err)
	}
	for version, own := range scored {
		chosen, control := arms(own)
		report.Models = append(report.Models, ModelRate{Version: version, Model: names[version], All: sampling.RateOf(own), Chosen: sampling.RateOf(chosen), Control: sampling.RateOf(control)})
	}
	slices.SortFunc(report.Models, func(a, b ModelRate) int { return strings.Compare(a.Model, b.Model) })
	report.measure(scored[p.Version])
	return nil
}

func arms(list []sampling.Scored) (chosen, control []sampling.Scored) {
	for _, one := range list {
		if one.Control {
			control = append(control, one)
		} else {
			chosen = append(chosen, one)
		}
	}
	return chosen, control
}

// measure fills in the rates of the plan's own model version.
func (r *PlanReport) measure(own []sampling.Scored) {
	chosen, control := arms(own)
	r.All, r.Chosen, r.Control = sampling.RateOf(own), sampling.RateOf(chosen), sampling.RateOf(control)
	r.Quarters = sampling.Quarters(own)
	r.Sentence = sampling.QuarterSentence(r.Quarters)
	r.Deciles = sampling.RatesBy(own, func(s *sampling.Scored) int64 { return int64(s.Decile) })
	r.Strata = sampling.RatesBy(own, func(s *sampling.Scored) int64 { return int64(s.Stratum) })
	r.Sources = sampling.RatesBy(own, func(s *sampling.Scored) int64 { return s.Source })
}

// learn reads every transcript that was truth in the project before the plan.
func (p reportedPlan) learn(ctx context.Context, tx pgx.Tx, normalizer speech.Normalizer, terms *sampling.Terms) error {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := tx.Query(ctx, `
		SELECT t.segments FROM items i JOIN truths u ON u.item_id = i.id AND u.created_at < $2
		JOIN transcripts t ON t.item_id = i.id AND t.kind = 'truth' AND t.of_id = u.id WHERE i.project_id = $1`, p.Project, p.CreatedAt)
	if err != nil {
		return fmt.Errorf("former transcripts: %w", err)
	}
	var said speech.Transcript
	_, err = pgx.ForEachRow(rows, []any{&said}, func() error {
		terms.Learn(strings.Fields(normalizer.Normalize(said.Text())))
		said = nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("former transcripts: %w", err)
	}
	return nil
}

// AskForReport has a plan's report made anew.
func (s *Store) AskForReport(ctx context.Context, actor Actor, slug string, number int) error {
	if err := actor.may(access.EditBatches); err != nil {
		return err
	}
	plan, err := s.Plan(ctx, actor, slug, number)
	if err != nil {
		return err
	}
	if plan.State != PlanOpen {
		return invalid("", "There is nothing to report on before the plan has its batch.")
	}
	if _, err := s.queue.Insert(ctx, jobargs.ReportPlan{PlanID: plan.ID}, nil); err != nil {
		return fmt.Errorf("ask for the report of plan %d: %w", plan.ID, err)
	}
	return nil
}

// askForReports has reported on every plan whose batch was approved since it was last.
func (s *Store) askForReports(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `
		SELECT l.id FROM plans l JOIN batches b ON b.id = l.batch_id AND b.state = 'approved'
		WHERE l.state = 'open' AND (l.reported_at IS NULL OR l.reported_at < b.approved_at)`)
	if err != nil {
		return fmt.Errorf("plans to report on: %w", err)
	}
	plans, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("plans to report on: %w", err)
	}
	for _, id := range plans {
		if _, err := s.queue.Insert(ctx, jobargs.ReportPlan{PlanID: id}, nil); err != nil {
			return fmt.Errorf("ask for the report of plan %d: %w", id, err)
		}
	}
	return nil
}

// reportAgain has the reports of projects, of which something was erased, made without it. Until then there are none.
func (s *Store) reportAgain(ctx context.Context, tx pgx.Tx, projects []int64) error {
	rows, err := tx.Query(ctx, `
		UPDATE plans l SET report = NULL, reported_at = NULL, items = w.items, seconds = w.seconds
		FROM (SELECT o.id, o.report IS NOT NULL AS reported, count(i.id) AS items, coalesce(sum(i.ends - i.begins), 0) AS seconds
			FROM plans o LEFT JOIN plan_items c ON c.plan_id = o.id LEFT JOIN items i ON i.id = c.item_id
			WHERE o.project_id = ANY($1) AND o.state = 'open' GROUP BY o.id) w
		WHERE l.id = w.id AND (w.reported OR l.items <> w.items) RETURNING l.id, w.reported`, projects)
	if err != nil {
		return fmt.Errorf("reports of what was erased: %w", err)
	}
	type touched struct {
		ID       int64
		Reported bool
	}
	plans, err := pgx.CollectRows(rows, pgx.RowToStructByPos[touched])
	if err != nil {
		return fmt.Errorf("reports of what was erased: %w", err)
	}
	for _, plan := range plans {
		if !plan.Reported {
			continue
		}
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.ReportPlan{PlanID: plan.ID}, nil); err != nil {
			return fmt.Errorf("ask for the report of plan %d: %w", plan.ID, err)
		}
	}
	return nil
}

// PlanTerm is a new word, or a row of two or three, with the words themselves.
type PlanTerm struct {
	sampling.Term

	Text string
}

// PlanTerms reads the new words of a plan's report where they stand. What was erased or changed since the report is left out.
// The plan came from a method that checked who asks.
func (s *Store) PlanTerms(ctx context.Context, actor Actor, plan SamplingPlan) ([]PlanTerm, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	if plan.Report == nil || len(plan.Report.Terms) == 0 {
		return nil, nil
	}
	normalizer, known := speech.NormalizerOf(plan.Report.Normalizer)
	if !known {
		return nil, nil
	}
	var items, truths []int64
	for _, t := range plan.Report.Terms {
		items, truths = append(items, t.Item), append(truths, t.Truth)
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT t.of_id, t.segments FROM unnest($1::bigint[], $2::bigint[]) w (item, truth)
		JOIN transcripts t ON t.item_id = w.item AND t.kind = 'truth' AND t.of_id = w.truth`, items, truths)
	if err != nil {
		return nil, fmt.Errorf("words of plan %d: %w", plan.ID, err)
	}
	words := map[int64][]string{}
	var truth int64
	var said speech.Transcript
	_, err = pgx.ForEachRow(rows, []any{&truth, &said}, func() error {
		words[truth] = strings.Fields(normalizer.Normalize(said.Text()))
		said = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("words of plan %d: %w", plan.ID, err)
	}
	var terms []PlanTerm
	for _, t := range plan.Report.Terms {
		if w := words[t.Truth]; t.At+t.Size <= len(w) {
			terms = append(terms, PlanTerm{Term: t, Text: strings.Join(w[t.At:t.At+t.Size], " ")})
		}
	}
	return terms, nil
}

// SourceNames are the names of sources, which figures of a project bear, by id.
func (s *Store) SourceNames(ctx context.Context, actor Actor, ids []int64) (map[int64]string, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	return namesOf(ctx, s.pool, `SELECT id, name FROM sources WHERE id = ANY($1)`, ids)
}
