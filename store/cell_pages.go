package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/scoring"
)

// CellPage is a cell with all that its page shows.
type CellPage struct {
	Cell

	Chain       int64
	ChainName   string
	Slots       []string
	Baseline    *Cell            // what it is compared with, with its figures; nil for nothing that the actor sees
	Differences []CellDifference // to the baseline, of every measure
	Leanings    []CellLeaning
	Overlaps    []CellOverlap
	Errors      int    // lines and boxes that are kept as most wrong
	Kind        string // of the project of its items: image or audio
	Siblings    []CellSibling
}

// CellOverlap is a cell on the lines that another version of the dataset has too.
type CellOverlap struct {
	Version int64
	Dataset string
	Number  int
	Items   int
	Figures scoring.Figures
}

// CellSibling is a cell of the same combination with other labels.
type CellSibling struct {
	ID        int64
	Labels    string
	Value     *float64
	Relabeled int
}

// CellPage returns a cell with what its page shows, or ErrNotFound if the actor does not see its dataset version.
func (s *Store) CellPage(ctx context.Context, actor Actor, id int64) (c CellPage, err error) {
	if c.Cell, err = s.Cell(ctx, actor, id); err != nil {
		return c, err
	}
	err = s.pool.QueryRow(ctx, `
		SELECT h.id, h.name, h.slots, (SELECT count(*)::int FROM cell_errors x WHERE x.cell_id = c.id),
			coalesce((SELECT p.kind FROM dataset_version_projects vp JOIN projects p ON p.id = vp.project_id WHERE vp.version_id = c.version_id LIMIT 1), '')
		FROM cells c JOIN evaluations e ON e.id = c.evaluation_id JOIN chains h ON h.id = e.chain_id WHERE c.id = $1`, id).Scan(&c.Chain, &c.ChainName, &c.Slots, &c.Errors, &c.Kind)
	if err != nil {
		return c, fmt.Errorf("cell %d: %w", id, notFound(err))
	}
	if err := s.cellBaseline(ctx, actor, &c); err != nil {
		return c, err
	}
	return c, s.cellBeside(ctx, actor, &c)
}

// cellBaseline fills in what the cell is compared with, if the actor sees that.
func (s *Store) cellBaseline(ctx context.Context, actor Actor, c *CellPage) error {
	if c.Difference == nil {
		return nil
	}
	baseline, err := s.Cell(ctx, actor, c.Difference.Baseline)
	if errors.Is(err, ErrNotFound) {
		c.Difference = nil
		return nil
	}
	if err != nil {
		return err
	}
	c.Baseline = &baseline
	rows, err := s.pool.Query(ctx, `
		SELECT cell_id AS cell, baseline_id AS baseline, measure, value, low, high, p, adjusted, items, gained, lost FROM cell_differences
		WHERE cell_id = $1 AND baseline_id = $2 ORDER BY measure`, c.ID, baseline.ID)
	if err != nil {
		return fmt.Errorf("differences of cell %d: %w", c.ID, err)
	}
	if c.Differences, err = pgx.CollectRows(rows, pgx.RowToStructByName[CellDifference]); err != nil {
		return fmt.Errorf("differences of cell %d: %w", c.ID, err)
	}
	return nil
}

// cellBeside fills in what lies beside a cell.
func (s *Store) cellBeside(ctx context.Context, actor Actor, c *CellPage) error {
	args := actor.args(pgx.NamedArgs{"cell": c.ID})
	var err error
	if c.Leanings, err = s.CellLeanings(ctx, actor, c.ID); err != nil {
		return err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT o.version_id AS version, d.name AS dataset, v.number, o.items, o.figures FROM cell_overlaps o
		JOIN dataset_versions v ON v.id = o.version_id JOIN datasets d ON d.id = v.dataset_id WHERE o.cell_id = @cell AND `+seesVersion+`
		ORDER BY v.id DESC LIMIT 50`, args)
	if err != nil {
		return fmt.Errorf("overlaps of cell %d: %w", c.ID, err)
	}
	if c.Overlaps, err = pgx.CollectRows(rows, pgx.RowToStructByName[CellOverlap]); err != nil {
		return fmt.Errorf("overlaps of cell %d: %w", c.ID, err)
	}
	rows, err = s.pool.Query(ctx, `
		SELECT o.id, o.labels, o.value, o.relabeled FROM cells c JOIN cells o ON o.version_id = c.version_id AND o.split = c.split AND o.path = c.path
			AND o.configurations = c.configurations AND o.normalizer = c.normalizer AND o.labels <> c.labels WHERE c.id = @cell`, args)
	if err != nil {
		return fmt.Errorf("siblings of cell %d: %w", c.ID, err)
	}
	if c.Siblings, err = pgx.CollectRows(rows, pgx.RowToStructByName[CellSibling]); err != nil {
		return fmt.Errorf("siblings of cell %d: %w", c.ID, err)
	}
	return nil
}

// TrendPoint is a cell on the axis of time: At is when the combination was first measured on its version.
type TrendPoint struct {
	Cell    int64
	Path    []int64
	Models  []string // NAME@VERSION, or Reference
	Dataset string
	Number  int
	Value   *float64
	Low     *float64
	High    *float64
	Items   int
	At      time.Time
}

// trendPoints is how many points a trend has at most, the latest.
const trendPoints = 400

// CellTrend returns what the same models measured on the versions of the same dataset, in the order of time: all
// combinations whose last one is a version of the same model.
func (s *Store) CellTrend(ctx context.Context, actor Actor, cell int64) ([]TrendPoint, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT * FROM (
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
			ORDER BY at DESC, o.id DESC LIMIT @limit) t ORDER BY at, cell`, actor.args(pgx.NamedArgs{"cell": cell, "limit": trendPoints}))
	if err != nil {
		return nil, fmt.Errorf("trend of cell %d: %w", cell, err)
	}
	points, err := pgx.CollectRows(rows, pgx.RowToStructByName[TrendPoint])
	if err != nil {
		return nil, fmt.Errorf("trend of cell %d: %w", cell, err)
	}
	return points, nil
}
