package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

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
