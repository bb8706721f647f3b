package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/scoring"
)

// comparedCell is a cell of a run with that of its baseline.
type comparedCell struct {
	Cell, Baseline int64
	difference     scoring.Difference
}

// CompareEvaluation compares the cells of a run with those of its baseline, and ends the run. Nothing happens if it is not being scored.
func (s *Store) CompareEvaluation(ctx context.Context, id int64) error {
	cells, err := s.toCompare(ctx, id)
	if err != nil {
		return fmt.Errorf("compare evaluation %d: %w", id, err)
	}
	var of int64 // that the baseline's sheet is of
	var baseline scoring.Sheet
	for i := range cells {
		c := &cells[i]
		if c.Baseline != of {
			if baseline, err = s.Sheet(ctx, c.Baseline); err != nil {
				return fmt.Errorf("compare evaluation %d: %w", id, err)
			}
			of = c.Baseline
		}
		sheet, err := s.Sheet(ctx, c.Cell)
		if err != nil {
			return fmt.Errorf("compare evaluation %d: %w", id, err)
		}
		c.difference = scoring.Compare(sheet, baseline, cellOptions())
		c.difference.Moves = c.difference.Moves[:min(len(c.difference.Moves), mistakesKept)]
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE evaluations SET state = 'done', finished_at = now() WHERE id = $1 AND state = 'scoring'`, id)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if err := writeDifferences(ctx, tx, cells); err != nil {
			return err
		}
		return s.evaluationDone(ctx, tx, id)
	})
	if err != nil {
		return fmt.Errorf("compare evaluation %d: %w", id, err)
	}
	return nil
}

// evaluationDone causes what follows the end of a run, in the transaction that ends it.
func (s *Store) evaluationDone(ctx context.Context, tx pgx.Tx, id int64) error {
	_, err := tx.Exec(ctx, `DELETE FROM model_rates r WHERE r.next_at < now() - interval '1 hour'`)
	if err == nil {
		_, err = tx.Exec(ctx, `DELETE FROM model_questions WHERE until < now() - interval '1 hour'`) // of chunks that never came back
	}
	if err != nil {
		return fmt.Errorf("after evaluation %d: %w", id, err)
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.FlagCells{EvaluationID: id}, followingOpts()); err != nil {
		return fmt.Errorf("enqueue flags of evaluation %d: %w", id, err)
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.RaiseAlerts{EvaluationID: id}, nil); err != nil {
		return fmt.Errorf("enqueue alerts of evaluation %d: %w", id, err)
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.TraceEvaluation{EvaluationID: id}, followingOpts()); err != nil {
		return fmt.Errorf("enqueue attributions of evaluation %d: %w", id, err)
	}
	return s.queueOutcome(ctx, tx, id)
}

// toCompare finds the newest cell of the baseline for each cell of a run: of the same lines, measured alike.
func (s *Store) toCompare(ctx context.Context, id int64) ([]comparedCell, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT c.id, b.id FROM evaluations e JOIN evaluation_steps s ON s.evaluation_id = e.id JOIN cells c ON c.id = s.cell_id
		JOIN LATERAL (
			SELECT o.id FROM cells o WHERE o.version_id = c.version_id AND o.split = c.split AND o.labels = c.labels AND o.normalizer = c.normalizer
			  AND o.path = e.baseline[1:cardinality(c.path)] AND o.task = c.task ORDER BY o.computed_at DESC LIMIT 1) b ON b.id <> c.id
		WHERE e.id = $1 AND e.state = 'scoring' AND e.baseline IS NOT NULL ORDER BY b.id, c.id`, id)
	if err != nil {
		return nil, fmt.Errorf("baselines: %w", err)
	}
	cells, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (c comparedCell, err error) {
		err = r.Scan(&c.Cell, &c.Baseline)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("baselines: %w", err)
	}
	return cells, nil
}

// adjusted corrects the p values of each measure for the cells that are looked at together.
func adjusted(cells []comparedCell) map[string][]float64 {
	ps := map[string][]float64{}
	for i := range cells {
		for _, m := range cells[i].difference.Measures {
			list, ok := ps[m.Name]
			if !ok {
				list = slices.Repeat([]float64{math.NaN()}, len(cells))
				ps[m.Name] = list
			}
			if m.P != nil {
				list[i] = *m.P
			}
		}
	}
	for name, list := range ps {
		ps[name] = scoring.Adjust(list)
	}
	return ps
}

func writeDifferences(ctx context.Context, tx pgx.Tx, cells []comparedCell) error {
	ps := adjusted(cells)
	for i := range cells {
		c := &cells[i]
		batch := &pgx.Batch{}
		batch.Queue(`DELETE FROM cell_differences WHERE cell_id = $1 AND baseline_id = $2`, c.Cell, c.Baseline)
		batch.Queue(`DELETE FROM cell_moves WHERE cell_id = $1 AND baseline_id = $2`, c.Cell, c.Baseline)
		for _, m := range c.difference.Measures {
			var adjusted *float64
			if p := ps[m.Name][i]; !math.IsNaN(p) {
				adjusted = &p
			}
			batch.Queue(`
				INSERT INTO cell_differences (cell_id, baseline_id, measure, value, low, high, p, adjusted, items, gained, lost)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
				c.Cell, c.Baseline, m.Name, m.Value, m.Low, m.High, m.P, adjusted, c.difference.Items, c.difference.Gained, c.difference.Lost)
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("differences of cell %d: %w", c.Cell, err)
		}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"cell_moves"}, []string{"cell_id", "baseline_id", "position", "change"},
			pgx.CopyFromSlice(len(c.difference.Moves), func(k int) ([]any, error) {
				m := c.difference.Moves[k]
				return []any{c.Cell, c.Baseline, m.Position, m.Change}, nil
			}))
		if err != nil {
			return fmt.Errorf("moves of cell %d: %w", c.Cell, err)
		}
	}
	return nil
}

// Drops are the cells of a run that are really worse than their baseline, by more than its chain lets pass.
func (s *Store) Drops(ctx context.Context, actor Actor, evaluation int64) ([]Cell, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	var limit float64
	err := s.pool.QueryRow(ctx, `SELECT c.alert_drop FROM evaluations e JOIN chains c ON c.id = e.chain_id WHERE e.id = $1`, evaluation).Scan(&limit)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("evaluation %d: %w", evaluation, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("drops of evaluation %d: %w", evaluation, err)
	}
	cells, err := s.Cells(ctx, actor, CellQuery{Evaluation: evaluation})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(cells, func(c Cell) bool { return !c.Dropped(limit) }), nil
}

// Dropped tells that a cell is really worse than its baseline, by more than a limit.
func (c *Cell) Dropped(limit float64) bool {
	d := c.Difference
	return d != nil && d.Real() && !d.Better && math.Abs(*d.Value) > limit
}
