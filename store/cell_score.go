package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/formats"
	"fiducial/internal/jobargs"
	"fiducial/internal/models"
	"fiducial/internal/scoring"
	"fiducial/internal/speech"
)

// cellOptions are how the intervals of every cell are drawn: always alike, so that a cell that is computed again from its scores has the same
// figures to the last digit.
func cellOptions() scoring.Options { return scoring.Options{Draws: scoring.DefaultDraws, Seed: 1} }

// mistakesKept is how many mistakes of a kind are kept of a cell, and how many of the lines that moved.
const mistakesKept = 500

// measuring is what a cell is measured with.
type measuring struct {
	pathWalk

	evaluation int64
	normalizer string
	server     ModelServer // of the path's last model
	task       scoring.Task
	classes    []string         // of the scores
	names      map[int64]string // of the product's classes

	words   *speech.Scorer
	matcher *scoring.Matcher
}

// stepRow is what is read of a step to be measured.
type stepRow struct {
	Evaluation, Version       int64
	Path                      []int64
	Split, Labels, Normalizer string
	Slots                     []string
}

// ScoreStep measures what a step came to, and keeps it as a cell. With the last step of its run, the cells are compared. Nothing happens if the
// step is not done, or its run has ended.
func (s *Store) ScoreStep(ctx context.Context, step int64) error {
	rows, err := s.pool.Query(ctx, `
		SELECT s.evaluation_id AS evaluation, s.version_id AS version, s.path, e.split, e.labels, e.normalizer, c.slots
		FROM evaluation_steps s JOIN evaluations e ON e.id = s.evaluation_id JOIN chains c ON c.id = e.chain_id
		WHERE s.id = $1 AND s.state = 'done' AND s.scored_at IS NULL AND e.state IN ('running', 'scoring')`, step)
	if err != nil {
		return fmt.Errorf("score step %d: %w", step, err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[stepRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("score step %d: %w", step, err)
	}
	m, err := s.newMeasuring(ctx, row)
	if err != nil {
		return fmt.Errorf("score step %d: %w", step, err)
	}
	sheet, relabeled, err := m.sheet(ctx, s.pool)
	if err != nil {
		return fmt.Errorf("score step %d: %w", step, err)
	}
	cell, err := s.keepCell(ctx, m, sheet, relabeled)
	if err != nil {
		return fmt.Errorf("score step %d: %w", step, err)
	}
	return s.noteScored(ctx, row.Evaluation, step, cell)
}

func (s *Store) newMeasuring(ctx context.Context, row stepRow) (*measuring, error) {
	m := &measuring{
		pathWalk:   pathWalk{version: row.Version, split: row.Split, labels: row.Labels, slots: row.Slots, path: row.Path},
		evaluation: row.Evaluation, normalizer: row.Normalizer,
	}
	if err := m.configure(ctx, s.pool, row.Evaluation); err != nil {
		return nil, err
	}
	var err error
	if m.server, err = s.ModelServerFor(ctx, row.Path[len(row.Path)-1]); err != nil {
		return nil, err
	}
	return m, m.prepare(ctx, s.pool)
}

// prepare reads the classes that are looked at.
func (m *measuring) prepare(ctx context.Context, q querier) error {
	m.task = scoring.Task(m.server.Task())
	frozen, err := versionClasses(ctx, q, m.version)
	if err != nil {
		return err
	}
	m.names = map[int64]string{}
	for _, class := range frozen {
		m.names[class.ID] = class.Name
	}
	if m.task == scoring.Speech {
		m.words = scoring.WordScorer(m.normalizer)
		for _, class := range frozen {
			if !slices.Contains(m.classes, class.Name) {
				m.classes = append(m.classes, class.Name)
			}
		}
		return nil
	}
	wanted := map[string]bool{}
	for _, class := range m.server.Options.Labels {
		wanted[class] = true
	}
	none := m.server.Options.NoneName()
	for _, class := range frozen {
		if class.Name != none && (len(wanted) == 0 || wanted[class.Name]) && !slices.Contains(m.classes, class.Name) {
			m.classes = append(m.classes, class.Name)
		}
	}
	var others []string // that the version has none of
	for class := range wanted {
		if class != none && !slices.Contains(m.classes, class) {
			others = append(others, class)
		}
	}
	slices.Sort(others)
	m.classes = append(m.classes, others...)
	if m.task == scoring.Label {
		m.classes = append(m.classes, none)
	}
	if m.task == scoring.Detection {
		m.matcher = scoring.NewMatcher(m.classes)
	}
	return nil
}

// sheet scores the lines, some thousand at a time; relabeled are those whose truth is another by now.
func (m *measuring) sheet(ctx context.Context, q querier) (sheet scoring.Sheet, relabeled int, err error) {
	sheet = scoring.Sheet{Task: m.task, Classes: m.classes}
	var last int
	err = q.QueryRow(ctx, `SELECT coalesce(max(position), -1) FROM dataset_lines WHERE version_id = $1 AND split = $2`, m.version, m.split).Scan(&last)
	if err != nil {
		return sheet, 0, fmt.Errorf("lines: %w", err)
	}
	for m.first = 0; m.first <= last; m.first += scoring.BlockLines {
		m.last = m.first + scoring.BlockLines - 1
		n, err := m.block(ctx, q, &sheet)
		if err != nil {
			return sheet, 0, err
		}
		relabeled += n
	}
	return sheet, relabeled, nil
}

// block scores the lines from first to last.
func (m *measuring) block(ctx context.Context, q querier, sheet *scoring.Sheet) (relabeled int, err error) {
	if err := m.begin(ctx, q); err != nil {
		return 0, err
	}
	at := len(m.path) - 1
	if err := m.to(ctx, q, at); err != nil {
		return 0, err
	}
	said, err := outputsOf(ctx, q, m.lines, m.path[at], m.configurations[at])
	if err != nil {
		return 0, err
	}
	facts, err := m.facts(ctx, q)
	if err != nil {
		return 0, err
	}
	boxes, err := m.truthBoxes(ctx, q)
	if err != nil {
		return 0, err
	}
	for _, l := range m.lines {
		f := facts[l.item]
		if f.Relabeled {
			relabeled++
		}
		output, ok := said[l.item]
		score, err := m.score(l, boxes[l.truth], output, ok)
		if err != nil {
			return 0, fmt.Errorf("output of item %d: %w", l.item, err)
		}
		score.Position, score.Group, score.Source, score.Length = l.position, f.group(), f.Source, f.length()
		sheet.Scores = append(sheet.Scores, score)
	}
	return relabeled, nil
}

// lineFacts are what a score has beside what was said.
type lineFacts struct {
	Item, Group, Source, Recording int64
	Alone                          int64 // a number that only the item's salt gives, so that nothing leads back from it once that is erased
	Seconds                        *float64
	Relabeled                      bool
}

// group is what is drawn as a whole: a group, or utterances of one recording, or the item alone.
func (f *lineFacts) group() int64 {
	switch {
	case f.Group != 0:
		return f.Group
	case f.Recording != 0:
		return -f.Recording
	}
	return f.Alone
}

func (f *lineFacts) length() float32 {
	if f.Seconds == nil {
		return float32(math.NaN())
	}
	return float32(*f.Seconds)
}

func (m *measuring) facts(ctx context.Context, q querier) (map[int64]lineFacts, error) {
	rows, err := q.Query(ctx, `
		SELECT l.item_id AS item, coalesce(i.group_id, 0) AS group, i.source_id AS source, coalesce(i.recording_id, 0) AS recording,
			(SELECT ('x' || encode(substr(sha256(z.salt || 'group'), 1, 8), 'hex'))::bit(64)::bigint FROM item_salts z WHERE z.item_id = i.id) AS alone,
			CASE WHEN i.recording_id IS NOT NULL THEN i.ends - i.begins END AS seconds, t.id <> l.truth_id AS relabeled
		FROM dataset_lines l JOIN items i ON i.id = l.item_id `+lineTruth+`
		WHERE l.version_id = @version AND l.split = @split AND l.position BETWEEN @first AND @last`,
		pgx.NamedArgs{"version": m.version, "split": m.split, "first": m.first, "last": m.last, "today": m.labels == "today"})
	if err != nil {
		return nil, fmt.Errorf("facts of lines: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[lineFacts])
	if err != nil {
		return nil, fmt.Errorf("facts of lines: %w", err)
	}
	facts := make(map[int64]lineFacts, len(list))
	for _, f := range list {
		facts[f.Item] = f
	}
	return facts, nil
}

// truthBoxes are the boxes, or moments, of the lines' truths.
func (m *measuring) truthBoxes(ctx context.Context, q querier) (map[int64][]truthBox, error) {
	ids := make([]int64, len(m.lines))
	for i, l := range m.lines {
		ids[i] = l.truth
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := q.Query(ctx, `
		SELECT b.truth_id, b.class_id, k.name, b.x, b.y, b.w, b.h, b.rotation, b.crowd FROM truth_boxes b JOIN classes k ON k.id = b.class_id
		WHERE b.truth_id = ANY($1) ORDER BY b.truth_id, b.position`, ids)
	if err != nil {
		return nil, fmt.Errorf("truth of lines: %w", err)
	}
	boxes := map[int64][]truthBox{}
	var b truthBox
	var name string
	_, err = pgx.ForEachRow(rows, []any{&b.order, &b.class, &name, &b.X, &b.Y, &b.W, &b.H, &b.Rotation, &b.Crowd}, func() error {
		b.Class = name // of today, unless the version knows it by another
		if frozen, ok := m.names[b.class]; ok {
			b.Class = frozen
		}
		boxes[b.order] = append(boxes[b.order], b)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("truth of lines: %w", err)
	}
	return boxes, nil
}

// score measures one line; there is false where the model has no output of it.
func (m *measuring) score(l walkLine, truth []truthBox, said keptOutput, there bool) (scoring.Score, error) {
	if !there {
		return scoring.Failure(), nil
	}
	switch m.task {
	case scoring.Speech:
		score := scoring.ScoreSpeech(m.words, l.reference, said.Text)
		score.Confidence, score.Marks = confidenceOf(said), scoring.TruthMarks(m.classes, momentsOf(truth))
		return score, nil
	case scoring.Detection:
		var found []models.Box
		if err := json.Unmarshal(said.Boxes, &found); err != nil {
			return scoring.Score{}, err
		}
		return scoring.ScoreDetection(m.matcher, boxesOfTruth(truth), boxesFound(found)), nil
	case scoring.Label, scoring.Labels, scoring.Spans:
	}
	var labels []models.Label
	if err := json.Unmarshal(said.Labels, &labels); err != nil {
		return scoring.Score{}, err
	}
	measure := scoring.ScoreLabel
	switch m.task {
	case scoring.Labels:
		measure = scoring.ScoreLabels
	case scoring.Spans:
		measure = scoring.ScoreSpans
	case scoring.Label, scoring.Speech, scoring.Detection:
	}
	score := measure(m.classes, momentsOf(truth), momentsSaid(labels))
	if math.IsNaN(float64(score.Confidence)) {
		score.Confidence = confidenceOf(said)
	}
	return score, nil
}

func confidenceOf(o keptOutput) float32 {
	if o.Confidence == nil {
		return float32(math.NaN())
	}
	return float32(*o.Confidence)
}

func momentsOf(truth []truthBox) []scoring.Moment {
	moments := make([]scoring.Moment, len(truth))
	for i, b := range truth {
		moments[i] = scoring.Moment{Class: b.Class, Begin: b.X, End: b.X + b.W, Confidence: math.NaN()}
	}
	return moments
}

func momentsSaid(labels []models.Label) []scoring.Moment {
	moments := make([]scoring.Moment, len(labels))
	for i, l := range labels {
		moments[i] = scoring.Moment{Class: l.Label, Confidence: math.NaN()}
		if l.Confidence != nil {
			moments[i].Confidence = *l.Confidence
		}
		if l.Begin != nil && l.End != nil {
			moments[i].Begin, moments[i].End = *l.Begin, *l.End
		}
	}
	return moments
}

// hull is the upright box round one that may be turned.
func hull(x, y, w, h, rotation float64) (hx, hy, hw, hh float64) {
	return formats.Box{X: x, Y: y, W: w, H: h, Rotation: rotation}.Hull()
}

func boxesOfTruth(truth []truthBox) []scoring.Box {
	boxes := make([]scoring.Box, len(truth))
	for i, b := range truth {
		boxes[i] = scoring.Box{Class: b.Class, Crowd: b.Crowd}
		boxes[i].X, boxes[i].Y, boxes[i].W, boxes[i].H = hull(b.X, b.Y, b.W, b.H, b.Rotation)
	}
	return boxes
}

func boxesFound(found []models.Box) []scoring.Box {
	boxes := make([]scoring.Box, len(found))
	for i, b := range found {
		boxes[i] = scoring.Box{Class: b.Class, Score: b.Score}
		boxes[i].X, boxes[i].Y, boxes[i].W, boxes[i].H = hull(b.X, b.Y, b.W, b.H, b.Rotation)
	}
	return boxes
}

// noteScored notes the cell of a step, and has the cells of the run compared once all of them are there.
func (s *Store) noteScored(ctx context.Context, evaluation, step, cell int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var state string
		if err := tx.QueryRow(ctx, `SELECT state FROM evaluations WHERE id = $1 FOR NO KEY UPDATE`, evaluation).Scan(&state); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE evaluation_steps SET scored_at = now(), cell_id = $2 WHERE id = $1 AND state = 'done'`, step, cell)
		if err != nil || state != EvaluationScoring {
			return err
		}
		return s.compareOnceScored(ctx, tx, evaluation)
	})
	if err != nil {
		return fmt.Errorf("score step %d: %w", step, err)
	}
	return nil
}

// compareOnceScored has the cells of a run compared, if there is nothing left to score.
func (s *Store) compareOnceScored(ctx context.Context, tx pgx.Tx, evaluation int64) error {
	var left bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM evaluation_steps WHERE evaluation_id = $1 AND scored_at IS NULL)`, evaluation).Scan(&left)
	if err != nil || left {
		return err
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.CompareEvaluation{EvaluationID: evaluation}, evaluationOpts()); err != nil {
		return fmt.Errorf("enqueue comparison: %w", err)
	}
	return nil
}

// scoreAgain has the steps of a run measured anew that are done and which a condition holds for.
func (s *Store) scoreAgain(ctx context.Context, tx pgx.Tx, evaluation int64, where string) error {
	ids, err := collectIDs(ctx, tx, `UPDATE evaluation_steps SET scored_at = NULL WHERE evaluation_id = $1 AND state = 'done' AND `+where+` RETURNING id`, evaluation)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.ScoreStep{StepID: id}, evaluationOpts()); err != nil {
			return fmt.Errorf("enqueue scoring: %w", err)
		}
	}
	return nil
}
