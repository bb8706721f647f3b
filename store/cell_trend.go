package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/scoring"
)

// TrendPoint is a cell on the axis of time: At is when the combination was first measured on its version.
type TrendPoint struct {
	Cell    int64
	Path    []int64
	Models  []string // NAME@VERSION, or Reference
	Dataset string
	Number  int
	Value   *float64 // nil: it does not have the measure
	Low     *float64
	High    *float64
	Items   int // that it is of
	At      time.Time
}

// TrendMeasure is what a trend is of: a measure of all items, or of one class. Without a name it is the headline.
type TrendMeasure struct{ Name, Class string }

// The measures of calibration, beside those of scoring.
const (
	CalibrationError = "calibration_error"
	CalibrationWorst = "calibration_worst"
	CalibrationBrier = "calibration_brier"
)

// TrendMeasures are the measures that figures have of all items or, with one, of a class, in their order.
func TrendMeasures(f *scoring.Figures, class string) (names []string) {
	t := trendFigures{Measures: f.Measures}
	if class == "" {
		if f.Calibration != nil {
			t.Calibration = f.Calibration
		}
	} else {
		t.Measures = nil
		if i := slices.IndexFunc(f.Classes, func(c scoring.Class) bool { return c.Name == class }); i >= 0 {
			t.Class = &f.Classes[i]
		}
		if i := slices.IndexFunc(f.Slices, func(s scoring.Slice) bool { return s.By == scoring.ByClass && s.Name == class }); i >= 0 {
			t.Slice = &f.Slices[i]
		}
	}
	for _, m := range t.all() {
		if !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
	}
	return names
}

// TrendClasses are the classes that figures have measures of.
func TrendClasses(f *scoring.Figures) (names []string) {
	for _, c := range f.Classes {
		names = append(names, c.Name)
	}
	for _, s := range f.Slices {
		if s.By == scoring.ByClass && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

// trendFigures are what a trend reads of a cell's figures: those of all items, or of one class.
type trendFigures struct {
	Measures    []scoring.Measure
	Calibration *scoring.Calibration
	Class       *scoring.Class
	Slice       *scoring.Slice
}

// all are the measures that are there. Of two of the same name the first counts.
func (t *trendFigures) all() []scoring.Measure {
	list := slices.Clone(t.Measures)
	if c := t.Calibration; c != nil {
		list = append(list, scoring.Measure{Name: CalibrationError, Value: &c.Error, Items: c.Units}, scoring.Measure{Name: CalibrationWorst, Value: &c.Worst, Items: c.Units},
			scoring.Measure{Name: CalibrationBrier, Value: &c.Brier, Items: c.Units})
	}
	if c := t.Class; c != nil {
		f1, ap := scoring.Measure{Name: "f1", Value: c.F1}, scoring.Measure{Name: "ap", Value: c.AP}
		if c.AP != nil {
			ap.Low, ap.High = c.Low, c.High
		} else {
			f1.Low, f1.High = c.Low, c.High
		}
		for _, m := range []scoring.Measure{f1, {Name: "precision", Value: c.Precision}, {Name: "recall", Value: c.Recall}, ap, {Name: "ap50", Value: c.AP50}, {Name: "ar100", Value: c.AR100}} {
			if m.Value != nil {
				m.Items = c.Truth
				list = append(list, m)
			}
		}
	}
	if t.Slice != nil {
		list = append(list, t.Slice.Measures...)
	}
	return list
}

// OfTheClass reports whether a measure of a class is of how that is predicted; others are of all that is said on the items that have it.
func (m TrendMeasure) OfTheClass() bool {
	return m.Class != "" && slices.Contains([]string{"f1", "precision", "recall", "ap", "ap50", "ar100"}, m.Name)
}

// trendPoints is how many points a trend has at most, the latest.
const trendPoints = 400

// CellTrend returns what the same models measured on the versions of the same dataset, in the order of time: all
// combinations whose last one is a version of the same model.
func (s *Store) CellTrend(ctx context.Context, actor Actor, cell int64, of TrendMeasure) ([]TrendPoint, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT t.*, jsonb_build_object(
			'Measures', CASE WHEN @name <> '' AND @class = '' THEN o.figures -> 'measures' END, 'Calibration', CASE WHEN @name <> '' AND @class = '' THEN o.figures -> 'calibration' END,
			'Class', CASE WHEN @class <> '' THEN (SELECT x FROM jsonb_array_elements(coalesce(o.figures -> 'classes', '[]')) x WHERE x ->> 'name' = @class LIMIT 1) END,
			'Slice', CASE WHEN @class <> '' THEN (SELECT x FROM jsonb_array_elements(coalesce(o.figures -> 'slices', '[]')) x
				WHERE x ->> 'by' = 'class' AND x ->> 'name' = @class LIMIT 1) END) AS figures
		FROM (
			SELECT o.id AS cell, o.path, names_of_path(o.path) AS models, d.name AS dataset, v.number, o.value, o.low, o.high, o.items,
				coalesce((SELECT min(e.created_at) FROM evaluation_steps t JOIN evaluations e ON e.id = t.evaluation_id
					WHERE t.version_id = o.version_id AND t.path = o.path AND e.chain_id = r.chain_id), o.computed_at) AS at
			FROM cells c JOIN evaluations r ON r.id = c.evaluation_id JOIN dataset_versions w ON w.id = c.version_id
			JOIN model_versions cm ON cm.id = c.path[cardinality(c.path)]
			JOIN dataset_versions v ON v.dataset_id = w.dataset_id JOIN datasets d ON d.id = v.dataset_id
			JOIN cells o ON o.version_id = v.id AND o.split = c.split AND o.labels = c.labels AND o.normalizer = c.normalizer AND o.measure = c.measure
				AND cardinality(o.path) = cardinality(c.path)
			JOIN model_versions om ON om.id = o.path[cardinality(o.path)] AND om.model_id = cm.model_id
			WHERE c.id = @cell AND `+seesVersion+`
			ORDER BY at DESC, o.id DESC LIMIT @limit) t JOIN cells o ON o.id = t.cell ORDER BY t.at, t.cell`,
		actor.args(pgx.NamedArgs{"cell": cell, "limit": trendPoints, "name": of.Name, "class": of.Class}))
	if err != nil {
		return nil, fmt.Errorf("trend of cell %d: %w", cell, err)
	}
	points, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (TrendPoint, error) { return scanTrend(row, of) })
	if err != nil {
		return nil, fmt.Errorf("trend of cell %d: %w", cell, err)
	}
	return points, nil
}

func scanTrend(row pgx.CollectableRow, of TrendMeasure) (p TrendPoint, err error) {
	var figures trendFigures
	err = row.Scan(&p.Cell, &p.Path, &p.Models, &p.Dataset, &p.Number, &p.Value, &p.Low, &p.High, &p.Items, &p.At, &figures)
	if err != nil || of == (TrendMeasure{}) {
		return p, err
	}
	p.Value, p.Low, p.High, p.Items = nil, nil, nil, 0
	for _, m := range figures.all() {
		if m.Name == of.Name {
			p.Value, p.Low, p.High, p.Items = m.Value, m.Low, m.High, m.Items
			break
		}
	}
	return p, nil
}
