package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/manifest"
)

// RebuildChange is what rebuilding a version now would change in one stratum.
type RebuildChange struct {
	StratumFigure // as it would be

	Before int // items that were frozen
	Gone   int // of these, erased or expired since
	Left   int // of these, that the recipe does not take any more: filtered, discarded, kept for a time by now, or in the reserve
	Kept   int // of these, that stay where they are
	Added  int // that take their place, or came since
}

// stratumKey tells a stratum of one version and that of another for the same.
type stratumKey struct {
	split manifest.Split
	cell  manifest.Cell
}

type rebuilding struct {
	version DatasetVersion
	changes map[stratumKey]*RebuildChange
	cells   map[int]manifest.Cell // of the version, by number
	moved   int
}

func (r *rebuilding) of(split manifest.Split, cell manifest.Cell) *RebuildChange {
	key := stratumKey{split, cell}
	if r.changes[key] == nil {
		r.changes[key] = &RebuildChange{}
		r.changes[key].Stratum = manifest.Stratum{Split: split, Cell: cell, Wanted: r.version.Recipe.Sizes.Of(split)}
	}
	return r.changes[key]
}

// before reads what was frozen, and what of it has gone.
func (r *rebuilding) before(ctx context.Context, tx pgx.Tx, preview *RebuildPreview) error {
	strata, err := versionStrata(ctx, tx, r.version.ID)
	if err != nil {
		return err
	}
	r.cells = map[int]manifest.Cell{0: {}}
	for _, s := range strata {
		r.cells[s.Number] = s.Cell
		change := r.of(s.Split, s.Cell)
		change.Before, change.Gone = s.Items, s.Items
	}
	if len(strata) == 0 { // frozen before strata were recorded: one for each side
		if err := r.beforeStrata(ctx, tx); err != nil {
			return err
		}
	}
	rows, err := tx.Query(ctx, `SELECT split, coalesce(stratum, 0), count(*) FROM dataset_lines WHERE version_id = $1 AND item_id IS NOT NULL GROUP BY 1, 2`, r.version.ID) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return fmt.Errorf("lines that are left: %w", err)
	}
	var split manifest.Split
	var stratum, lines int
	_, err = pgx.ForEachRow(rows, []any{&split, &stratum, &lines}, func() error {
		change := r.of(split, r.cells[stratum])
		change.Gone -= lines
		change.Left = lines // as long as none is kept
		return nil
	})
	if err != nil {
		return fmt.Errorf("lines that are left: %w", err)
	}
	err = tx.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE e.kind IS DISTINCT FROM 'expiry'), count(*) FILTER (WHERE e.kind = 'expiry')
		FROM dataset_lines l LEFT JOIN erasures e ON e.id = l.erasure_id WHERE l.version_id = $1 AND l.item_id IS NULL`, r.version.ID).
		Scan(&preview.Erased, &preview.Expired)
	if err != nil {
		return fmt.Errorf("lines that are gone: %w", err)
	}
	return nil
}

func (r *rebuilding) beforeStrata(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT split, items FROM dataset_version_counts WHERE version_id = $1 AND class_id IS NULL`, r.version.ID) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return fmt.Errorf("counts: %w", err)
	}
	var split manifest.Split
	var items int
	_, err = pgx.ForEachRow(rows, []any{&split, &items}, func() error {
		change := r.of(split, manifest.Cell{})
		change.Before, change.Gone = items, items
		return nil
	})
	if err != nil {
		return fmt.Errorf("counts: %w", err)
	}
	return nil
}

// compare selects anew and looks each chosen item up in the version.
func (r *rebuilding) compare(ctx context.Context, tx pgx.Tx, s *Store, projects []int64) error {
	walk, err := s.newWalk(ctx, tx, &r.version.Recipe, projects, 1)
	if err != nil {
		return err
	}
	err = walk.each(ctx, func(c *candidate, boxes []manifest.Box, passes bool) {
		if passes {
			walk.place(c, boxes)
		}
	})
	if err != nil {
		return err
	}
	dropped := map[int]bool{}
	walk.selection.Cut(len(walk.placed), func(i int) (int64, manifest.Place) { return walk.placed[i].item, walk.placed[i].place }, func(i int) { dropped[i] = true })
	chosen := make(map[int64]manifest.Place, len(walk.placed)-len(dropped))
	for i, p := range walk.placed {
		if !dropped[i] {
			chosen[p.item] = p.place
		}
	}
	cells := map[int]manifest.Cell{}
	for _, stratum := range walk.selection.Strata() {
		cells[stratum.Number] = stratum.Cell
		change := r.of(stratum.Split, stratum.Cell)
		change.Stratum = stratum
		change.Added = stratum.Items // as long as none was there before
	}
	return r.match(ctx, tx, chosen, cells)
}

func (r *rebuilding) match(ctx context.Context, tx pgx.Tx, chosen map[int64]manifest.Place, cells map[int]manifest.Cell) error {
	rows, err := tx.Query(ctx, `SELECT item_id, split, coalesce(stratum, 0) FROM dataset_lines WHERE version_id = $1 AND item_id IS NOT NULL`, r.version.ID) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return fmt.Errorf("lines: %w", err)
	}
	var item int64
	var was manifest.Place
	_, err = pgx.ForEachRow(rows, []any{&item, &was.Split, &was.Stratum}, func() error {
		is, ok := chosen[item]
		if !ok {
			return nil
		}
		if is.Split != was.Split {
			r.moved++
			return nil
		}
		// An item that bears other boxes now may lie in another stratum of its side: it is kept all the same.
		before, after := r.of(was.Split, r.cells[was.Stratum]), r.of(is.Split, cells[is.Stratum])
		before.Left--
		after.Kept++
		after.Added--
		return nil
	})
	if err != nil {
		return fmt.Errorf("lines: %w", err)
	}
	return nil
}

func (r *rebuilding) sorted() []RebuildChange {
	changes := make([]RebuildChange, 0, len(r.changes))
	for _, change := range r.changes {
		changes = append(changes, *change)
	}
	slices.SortFunc(changes, func(a, b RebuildChange) int {
		return cmp.Or(
			cmp.Compare(slices.Index(manifest.Splits(), a.Split), slices.Index(manifest.Splits(), b.Split)), cmp.Compare(a.Cell.Class, b.Cell.Class),
			cmp.Compare(a.Cell.Source, b.Cell.Source), cmp.Compare(a.Cell.Project, b.Cell.Project),
		)
	})
	return changes
}
