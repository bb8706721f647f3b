package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// TouchedSplit is how much of one side of a version an erasure takes, or took.
type TouchedSplit struct {
	Version int64
	Dataset string
	Number  int
	Split   string
	Frozen  int // items when it was frozen
	Before  int // that were there still before this erasure
	Lost    int // by this erasure
}

// TouchedSplitsOf says which sides of which versions lose items by an erasure, test sets first, then what loses the largest part. It holds
// figures and names of datasets alone.
func (s *Store) TouchedSplitsOf(ctx context.Context, actor Actor, e Erasure) ([]TouchedSplit, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	if len(e.Touched.Versions) == 0 {
		return nil, nil
	}
	var splits []TouchedSplit
	for version, lost := range e.Touched.Versions {
		for split, n := range lost {
			splits = append(splits, TouchedSplit{Version: version, Split: split, Lost: int(n)})
		}
	}
	// The others that have taken something before it: few, however large the tables are.
	for i := range splits {
		t := &splits[i]
		err := s.pool.QueryRow(ctx, `
			SELECT d.name, v.number, coalesce((SELECT c.items FROM dataset_version_counts c WHERE c.version_id = v.id AND c.split = $2 AND c.class_id IS NULL), 0),
				(SELECT coalesce(sum((o.touched->'versions'->$1::text->>$2)::int), 0) FROM erasures o
				 WHERE o.id <> $3 AND o.done_items > 0 AND ($4::timestamptz IS NULL OR o.started_at < $4))
			FROM dataset_versions v JOIN datasets d ON d.id = v.dataset_id WHERE v.id = $1::bigint`, fmt.Sprint(t.Version), t.Split, e.ID, e.StartedAt).
			Scan(&t.Dataset, &t.Number, &t.Frozen, &t.Before)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", t.Version, err)
		}
		t.Before = t.Frozen - t.Before
	}
	slices.SortFunc(splits, func(a, b TouchedSplit) int {
		if (a.Split == "test") != (b.Split == "test") {
			if a.Split == "test" {
				return -1
			}
			return 1
		}
		if c := b.Lost*max(a.Before, 1) - a.Lost*max(b.Before, 1); c != 0 {
			return c
		}
		return int(b.Version - a.Version)
	})
	return splits, nil
}

// ErasureExports returns the exports that hold, or held, something of an erasure's items.
func (s *Store) ErasureExports(ctx context.Context, actor Actor, e Erasure) ([]Export, error) {
	if err := actor.may(access.Erase); err != nil {
		return nil, err
	}
	return exportsWhere(ctx, s.pool, `e.id = ANY($1) ORDER BY e.id DESC`, e.Touched.Exports)
}

// GroupNamed returns a group of a source by its name.
func (s *Store) GroupNamed(ctx context.Context, actor Actor, source int64, name string) (id int64, err error) {
	if err := actor.may(access.Erase); err != nil {
		return 0, err
	}
	rows, err := s.pool.Query(ctx, `SELECT id FROM groups WHERE name = $1 AND ($2::bigint = 0 OR source_id = $2) ORDER BY id LIMIT 2`, name, source)
	if err != nil {
		return 0, fmt.Errorf("group: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	switch {
	case err != nil:
		return 0, fmt.Errorf("group: %w", err)
	case len(ids) == 0:
		return 0, invalid("group", "There is no group of that name. Write it as it was imported, and name its source.")
	case len(ids) > 1:
		return 0, invalid("group", "Several sources have a group of that name. Name the source as well.")
	}
	return ids[0], nil
}
