package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/scoring"
)

// keepCell keeps a sheet as the cell of its combination, with its figures and the worst of its mistakes.
func (s *Store) keepCell(ctx context.Context, m *measuring, sheet scoring.Sheet, relabeled int) (id int64, err error) {
	if m.labels == "frozen" {
		before, err := s.cellBefore(ctx, m)
		if err != nil {
			return 0, err
		}
		sheet = withKept(sheet, before)
	}
	figures := scoring.Compute(sheet, cellOptions())
	blocks, err := scoring.Encode(sheet)
	if err != nil {
		return 0, fmt.Errorf("scores: %w", err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if id, err = m.write(ctx, tx, figures, relabeled); err != nil {
			return err
		}
		if err := writeScores(ctx, tx, id, blocks); err != nil {
			return err
		}
		return writeMistakes(ctx, tx, id, scoring.Mistakes(sheet, mistakesKept))
	})
	if err != nil {
		return 0, fmt.Errorf("keep cell: %w", err)
	}
	return id, nil
}

// configurationsKept are the configurations of the path's models, one after the other.
func (m *measuring) configurationsKept() []byte { return bytes.Join(m.configurations, nil) }

// cellBefore is what was kept of the same combination, empty if nothing was.
func (s *Store) cellBefore(ctx context.Context, m *measuring) (scoring.Sheet, error) {
	var id int64
	err := s.pool.QueryRow(ctx, `
		SELECT id FROM cells WHERE version_id = $1 AND split = $2 AND path = $3 AND configurations = $4 AND labels = $5 AND normalizer = $6`,
		m.version, m.split, m.path, m.configurationsKept(), m.labels, m.normalizer).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return scoring.Sheet{}, nil
	}
	if err != nil {
		return scoring.Sheet{}, fmt.Errorf("cell before: %w", err)
	}
	return s.Sheet(ctx, id)
}

// withKept is a sheet with what was kept of lines that it has no output for: those erased since, and those whose model does not answer now. So
// a combination that is run again has the same figures, and loses nothing.
func withKept(sheet, kept scoring.Sheet) scoring.Sheet {
	if kept.Task != sheet.Task {
		return sheet
	}
	if sheet.Task == scoring.Speech { // the classes of its moments change nothing of what is kept
		both := scoring.Aligned(sheet, kept)
		sheet, kept = both[0], both[1]
	}
	if !slices.Equal(kept.Classes, sheet.Classes) {
		return sheet
	}
	merged := make([]scoring.Score, 0, max(len(sheet.Scores), len(kept.Scores)))
	i := 0
	for _, before := range kept.Scores {
		for i < len(sheet.Scores) && sheet.Scores[i].Position < before.Position {
			merged = append(merged, sheet.Scores[i])
			i++
		}
		if i == len(sheet.Scores) || sheet.Scores[i].Position > before.Position {
			if !before.Failed {
				merged = append(merged, before)
			}
			continue
		}
		if sheet.Scores[i].Failed {
			merged = append(merged, before)
		} else {
			merged = append(merged, sheet.Scores[i])
		}
		i++
	}
	sheet.Scores = append(merged, sheet.Scores[i:]...)
	return sheet
}

func (m *measuring) write(ctx context.Context, tx pgx.Tx, figures scoring.Figures, relabeled int) (id int64, err error) {
	document, err := json.Marshal(figures)
	if err != nil {
		return 0, fmt.Errorf("figures: %w", err)
	}
	head := figures.Headline()
	err = tx.QueryRow(ctx, `
		INSERT INTO cells (version_id, split, path, configurations, labels, normalizer, task, evaluation_id, items, failed, relabeled, measure, value, low, high, figures)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (version_id, split, path, configurations, labels, normalizer) DO UPDATE SET task = excluded.task, evaluation_id = excluded.evaluation_id,
			items = excluded.items, failed = excluded.failed, relabeled = excluded.relabeled, measure = excluded.measure, value = excluded.value,
			low = excluded.low, high = excluded.high, figures = excluded.figures, computed_at = now()
		RETURNING id`, m.version, m.split, m.path, m.configurationsKept(), m.labels, m.normalizer, m.task, m.evaluation, figures.Items+figures.Failed, figures.Failed,
		relabeled, head.Name, head.Value, head.Low, head.High, document).Scan(&id)
	return id, err
}

func writeScores(ctx context.Context, tx pgx.Tx, cell int64, blocks [][]byte) error {
	if _, err := tx.Exec(ctx, `DELETE FROM cell_scores WHERE cell_id = $1`, cell); err != nil {
		return err
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"cell_scores"}, []string{"cell_id", "block", "scores"}, pgx.CopyFromSlice(len(blocks), func(i int) ([]any, error) {
		return []any{cell, i, blocks[i]}, nil
	}))
	return err
}

// mistakeDetail is what is kept of a mistake beside its size: names of classes, and which of the boxes or moments it is about.
type mistakeDetail struct {
	Truth   string `json:"truth,omitempty"`
	Said    string `json:"said,omitempty"`
	TruthAt int    `json:"truth_at"` // -1: none
	SaidAt  int    `json:"said_at"`
}

func writeMistakes(ctx context.Context, tx pgx.Tx, cell int64, mistakes []scoring.Mistake) error {
	if _, err := tx.Exec(ctx, `DELETE FROM cell_errors WHERE cell_id = $1`, cell); err != nil {
		return err
	}
	type place struct {
		position int
		kind     scoring.MistakeKind
	}
	ordinals := map[place]int{}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"cell_errors"}, []string{"cell_id", "position", "kind", "size", "detail", "ordinal"},
		pgx.CopyFromSlice(len(mistakes), func(i int) ([]any, error) {
			m := mistakes[i]
			at := place{m.Position, m.Kind}
			ordinal := ordinals[at]
			ordinals[at]++
			return []any{cell, m.Position, string(m.Kind), m.Size, mistakeDetail{m.TruthClass, m.SaidClass, m.TruthAt, m.SaidAt}, ordinal}, nil
		}))
	return err
}

// Sheet returns the scores that are kept of a cell, whose id came from a method that checked who asks.
func (s *Store) Sheet(ctx context.Context, cell int64) (scoring.Sheet, error) {
	rows, err := s.pool.Query(ctx, `SELECT scores FROM cell_scores WHERE cell_id = $1 ORDER BY block`, cell)
	if err != nil {
		return scoring.Sheet{}, fmt.Errorf("scores of cell %d: %w", cell, err)
	}
	blocks, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return scoring.Sheet{}, fmt.Errorf("scores of cell %d: %w", cell, err)
	}
	sheet, err := scoring.Decode(blocks)
	if err != nil {
		return scoring.Sheet{}, fmt.Errorf("scores of cell %d: %w", cell, err)
	}
	return sheet, nil
}

// RecomputeCell computes the figures of a cell again from the scores that are kept of it. same tells that they are those that are shown, to the
// last digit.
func (s *Store) RecomputeCell(ctx context.Context, actor Actor, id int64) (figures scoring.Figures, same bool, err error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return figures, false, err
	}
	cell, err := s.Cell(ctx, actor, id)
	if err != nil {
		return figures, false, err
	}
	sheet, err := s.Sheet(ctx, id)
	if err != nil {
		return figures, false, err
	}
	figures = scoring.Compute(sheet, cellOptions())
	now, err := json.Marshal(figures)
	if err != nil {
		return figures, false, fmt.Errorf("figures of cell %d: %w", id, err)
	}
	shown, err := json.Marshal(cell.Figures)
	if err != nil {
		return figures, false, fmt.Errorf("figures of cell %d: %w", id, err)
	}
	return figures, bytes.Equal(now, shown), nil
}
