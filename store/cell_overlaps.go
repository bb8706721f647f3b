package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/scoring"
)

// keepOverlaps keeps what each of two cells measures on the lines whose items the other's version has too, so that old and new are beside each
// other on what they share.
func (a *attributing) keepOverlaps(ctx context.Context, tx pgx.Tx) error {
	if a.ends[endBefore].version == a.ends[endAfter].version {
		return nil
	}
	for end := range a.ends {
		one, other := &a.ends[end], &a.ends[1-end]
		sheet, err := a.store.Sheet(ctx, one.cell)
		if err != nil {
			return err
		}
		shared := scoring.On(sheet, func(position int) bool {
			_, both := other.at[one.lines[position].item]
			return both && one.lines[position].item != 0
		})
		figures := scoring.Compute(shared, cellOptions())
		_, err = tx.Exec(ctx, `
			INSERT INTO cell_overlaps (cell_id, version_id, items, figures) VALUES ($1, $2, $3, $4)
			ON CONFLICT (cell_id, version_id) DO UPDATE SET items = excluded.items, figures = excluded.figures`, one.cell, other.version, figures.Items, figures)
		if err != nil {
			return fmt.Errorf("overlap of cell %d: %w", one.cell, err)
		}
	}
	return nil
}
