package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/attribution"
	"fiducial/internal/scoring"
)

// tooAlike is the share of the leaning lines from which on another model leans on them, too, so that it shows nothing.
const tooAlike = 0.1

// biasOf estimates how much the lines at these positions flatter a cell's model.
func (s *Store) biasOf(ctx context.Context, cell leaningCell, found leans, at []int) (*attribution.Bias, error) {
	seen := make(map[int]bool, len(at))
	for _, position := range at {
		seen[position] = true
	}
	blind := found.blind()
	other, err := s.otherCell(ctx, cell, found, seen)
	if err != nil {
		return nil, err
	}
	if other == 0 {
		measure, _ := scoring.HeadlineOf(scoring.Task(cell.Task))
		return &attribution.Bias{Measure: measure, Target: cell.Target, Seen: len(seen), Blind: len(blind), Lacks: attribution.NoOther}, nil
	}
	own, err := s.Sheet(ctx, cell.ID)
	if err != nil {
		return nil, err
	}
	others, err := s.Sheet(ctx, other)
	if err != nil {
		return nil, err
	}
	bias := attribution.ReferenceBias(biasSides(own, others, seen, blind), cell.Target, cellOptions())
	bias.Other = other
	return &bias, nil
}

// biasSides are the lines of two cells that lean towards the first one's model, or towards nothing, where both have an output.
func biasSides(own, others scoring.Sheet, seen, blind map[int]bool) attribution.Sides {
	answered := func(sheet scoring.Sheet) map[int]bool {
		at := make(map[int]bool, len(sheet.Scores))
		for i := range sheet.Scores {
			at[sheet.Scores[i].Position] = !sheet.Scores[i].Failed
		}
		return at
	}
	mine, theirs := answered(own), answered(others)
	both := func(position int) bool {
		return mine[position] && theirs[position] && (seen[position] || blind[position])
	}
	return attribution.Sides{Own: scoring.On(own, both), Others: scoring.On(others, both), Seen: func(position int) bool { return seen[position] }}
}

// otherCell is a cell of the same lines by models that had the least part in their truth; 0: there is none that shows anything. One that was given
// the truth in the place of a model is as near to it as can be.
func (s *Store) otherCell(ctx context.Context, cell leaningCell, found leans, seen map[int]bool) (id int64, err error) {
	rows, err := s.pool.Query(ctx, `
		SELECT c.id, c.path FROM cells c
		WHERE c.version_id = $1 AND c.split = $2 AND c.labels = $3 AND c.normalizer = $4 AND c.task = $5 AND c.path <> $6 AND NOT 0 = ANY(c.path) ORDER BY c.id DESC`,
		cell.Version, cell.Split, cell.Labels, cell.Normalizer, cell.Task, cell.Path)
	if err != nil {
		return 0, fmt.Errorf("other cells: %w", err)
	}
	type candidate struct {
		ID   int64
		Path []int64
	}
	candidates, err := pgx.CollectRows(rows, pgx.RowToStructByName[candidate])
	if err != nil {
		return 0, fmt.Errorf("other cells: %w", err)
	}
	least := int(tooAlike*float64(len(seen))) + 1
	for _, c := range candidates {
		lineage, err := lineagesOf(ctx, s.pool, c.Path)
		if err != nil {
			return 0, err
		}
		alike := map[int]bool{}
		for _, one := range found {
			if one.Kind == FlagPrefill && seen[one.Position] && slices.Contains(lineage, one.Model) {
				alike[one.Position] = true
			}
		}
		if len(alike) < least {
			id, least = c.ID, len(alike)
		}
	}
	return id, nil
}

// CellLeaning is a flag of a cell with the estimate of what it does to the figure.
type CellLeaning struct {
	Kind  string // prefill or corrected
	Model string // NAME@VERSION that the makers of the truth saw, or whose errors prompted corrections
	Own   bool   // it is the cell's own model, and none that this one comes from
	Given bool   // it is one whose words the cell's model is given, or that such a one comes from
	Lines int
	Bias  *attribution.Bias // nil where nothing is estimated
	Other []string          // NAME@VERSION of each of the models that it is compared with, none for none
}

// CellLeanings returns what the figure of a cell leans towards, or ErrNotFound if the actor does not see the cell.
func (s *Store) CellLeanings(ctx context.Context, actor Actor, cell int64) ([]CellLeaning, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	var seen bool
	err := s.pool.QueryRow(ctx, `SELECT true FROM cells c JOIN dataset_versions v ON v.id = c.version_id WHERE c.id = @cell AND `+seesVersion,
		actor.args(pgx.NamedArgs{"cell": cell})).Scan(&seen)
	if err != nil {
		return nil, fmt.Errorf("flags of cell %d: %w", cell, notFound(err))
	}
	rows, err := s.pool.Query(ctx, `
		SELECT f.kind, m.name || '@' || v.version AS model, f.model_version_id = c.path[cardinality(c.path)] AS own,
			m.kind <> lm.kind AS given, f.lines, f.bias,
			coalesce((SELECT names_of_path(o.path) FROM cells o WHERE o.id = (f.bias ->> 'other')::bigint), '{}') AS other
		FROM cell_flags f JOIN cells c ON c.id = f.cell_id JOIN model_versions v ON v.id = f.model_version_id JOIN models m ON m.id = v.model_id
		JOIN model_versions lv ON lv.id = c.path[cardinality(c.path)] JOIN models lm ON lm.id = lv.model_id
		WHERE f.cell_id = $1 ORDER BY f.kind DESC, own DESC, f.lines DESC, v.id`, cell)
	if err != nil {
		return nil, fmt.Errorf("flags of cell %d: %w", cell, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[CellLeaning])
	if err != nil {
		return nil, fmt.Errorf("flags of cell %d: %w", cell, err)
	}
	return list, nil
}
