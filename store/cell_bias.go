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

// biasOf estimates how much the lines at these positions flatter a cell's model; nil for what is not measured in words.
func (s *Store) biasOf(ctx context.Context, cell leaningCell, found leans, at []int) (*attribution.Bias, error) {
	if cell.Task != string(scoring.Speech) {
		return nil, nil
	}
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
		return &attribution.Bias{Measure: "wer", Target: cell.Target, Seen: len(seen), Blind: len(blind), Lacks: attribution.NoOther}, nil
	}
	own, err := s.Sheet(ctx, cell.ID)
	if err != nil {
		return nil, err
	}
	others, err := s.Sheet(ctx, other)
	if err != nil {
		return nil, err
	}
	bias := attribution.ReferenceBias(biasLines(own, others, seen, blind), cell.Target)
	bias.Other = other
	return &bias, nil
}

// biasLines are the lines of two cells that lean towards the first one's model, or towards nothing, where both have an output.
func biasLines(own, others scoring.Sheet, seen, blind map[int]bool) (lines []attribution.Line) {
	at := make(map[int]*scoring.Score, len(others.Scores))
	for i := range others.Scores {
		if !others.Scores[i].Failed {
			at[others.Scores[i].Position] = &others.Scores[i]
		}
	}
	for i := range own.Scores {
		mine := &own.Scores[i]
		theirs := at[mine.Position]
		if mine.Failed || theirs == nil || !seen[mine.Position] && !blind[mine.Position] {
			continue
		}
		lines = append(lines, attribution.Line{
			Group: mine.Group, Seen: seen[mine.Position], Words: float64(mine.Words.Reference()), Errors: float64(mine.Words.Errors()), OthersErrors: float64(theirs.Words.Errors()),
		})
	}
	return lines
}

// otherCell is a cell of the same lines by a model that had the least part in their truth; 0: there is none that shows anything.
func (s *Store) otherCell(ctx context.Context, cell leaningCell, found leans, seen map[int]bool) (id int64, err error) {
	rows, err := s.pool.Query(ctx, `
		SELECT c.id, c.path[cardinality(c.path)] AS model FROM cells c
		WHERE c.version_id = $1 AND c.split = $2 AND c.labels = $3 AND c.normalizer = $4 AND c.task = $5 AND c.path[cardinality(c.path)] <> $6 ORDER BY c.id DESC`,
		cell.Version, cell.Split, cell.Labels, cell.Normalizer, cell.Task, cell.Model)
	if err != nil {
		return 0, fmt.Errorf("other cells: %w", err)
	}
	type candidate struct{ ID, Model int64 }
	candidates, err := pgx.CollectRows(rows, pgx.RowToStructByName[candidate])
	if err != nil {
		return 0, fmt.Errorf("other cells: %w", err)
	}
	least := int(tooAlike*float64(len(seen))) + 1
	for _, c := range candidates {
		lineage, err := lineageOf(ctx, s.pool, c.Model)
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
	Lines int
	Bias  *attribution.Bias // nil where nothing is estimated
	Other string            // NAME@VERSION of the model that it is compared with, "" for none
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
		SELECT f.kind, m.name || '@' || v.version AS model, f.model_version_id = c.path[cardinality(c.path)] AS own, f.lines, f.bias,
			coalesce((SELECT om.name || '@' || ov.version FROM cells o JOIN model_versions ov ON ov.id = o.path[cardinality(o.path)] JOIN models om ON om.id = ov.model_id
				WHERE o.id = (f.bias ->> 'other')::bigint), '') AS other
		FROM cell_flags f JOIN cells c ON c.id = f.cell_id JOIN model_versions v ON v.id = f.model_version_id JOIN models m ON m.id = v.model_id
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
