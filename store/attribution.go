package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/access"
	"fiducial/internal/attribution"
	"fiducial/internal/jobargs"
)

// The states of an attribution.
const (
	AttributionWaiting = "waiting"
	AttributionDone    = "done"
	AttributionFailed  = "failed"
)

// Attribution divides the difference of two cells among what changed between them.
type Attribution struct {
	ID         int64
	From, To   int64 // cells
	Measure    string
	State      string
	Error      string
	Parts      attribution.Division
	ComputedAt *time.Time
}

const attributionColumns = `a.id, a.from_cell, a.to_cell, a.measure, a.state, a.error, a.parts, a.computed_at`

func scanAttribution(row pgx.CollectableRow) (a Attribution, err error) {
	err = row.Scan(&a.ID, &a.From, &a.To, &a.Measure, &a.State, &a.Error, &a.Parts, &a.ComputedAt)
	return a, err
}

// Attribute has the difference of two cells divided. Both must measure the same, and be seen by the actor.
func (s *Store) Attribute(ctx context.Context, actor Actor, from, to int64) error {
	if err := actor.may(access.RunEvaluations); err != nil {
		return err
	}
	earlier, err := s.Cell(ctx, actor, from)
	if err != nil {
		return err
	}
	later, err := s.Cell(ctx, actor, to)
	if err != nil {
		return err
	}
	switch {
	case from == to:
		return invalid("from", "Choose two different cells: a cell does not differ from itself.")
	case earlier.Task != later.Task || earlier.Measure != later.Measure || len(earlier.Path) != len(later.Path):
		return invalid("from", "These cells do not measure the same. Choose one whose last model has the same task.")
	case earlier.Value == nil || later.Value == nil:
		return invalid("from", "One of the cells has no figure. Choose another, or run its evaluation again.")
	}
	return s.inTx(ctx, func(tx pgx.Tx) error { return s.attribute(ctx, tx, from, to, later.Measure, evaluationOpts()) })
}

// attribute notes that an attribution is wanted, and has it computed.
func (s *Store) attribute(ctx context.Context, tx pgx.Tx, from, to int64, measure string, opts *river.InsertOpts) error {
	var id int64
	err := tx.QueryRow(ctx, `
		INSERT INTO attributions (from_cell, to_cell, measure) VALUES ($1, $2, $3)
		ON CONFLICT (from_cell, to_cell, measure) DO UPDATE SET state = 'waiting', error = '' RETURNING id`, from, to, measure).Scan(&id)
	if err != nil {
		return fmt.Errorf("attribute cell %d: %w", to, err)
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.AttributeCells{AttributionID: id}, opts); err != nil {
		return fmt.Errorf("enqueue attribution: %w", err)
	}
	return nil
}

// AttributionOf returns the attribution of a cell's difference to an earlier one, or ErrNotFound if none was asked for. Both cells came from
// methods that checked who asks.
func (s *Store) AttributionOf(ctx context.Context, from, to int64) (Attribution, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+attributionColumns+` FROM attributions a JOIN cells c ON c.id = a.to_cell AND c.measure = a.measure
		WHERE a.from_cell = $1 AND a.to_cell = $2`, from, to)
	if err != nil {
		return Attribution{}, fmt.Errorf("attribution of cell %d: %w", to, err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, scanAttribution)
	if err != nil {
		return Attribution{}, fmt.Errorf("attribution of cell %d: %w", to, notFound(err))
	}
	return a, nil
}

// cellsBefore finds, for a cell c, the one before it in its trend: of the same models on versions of the same dataset, measured alike by an earlier
// run; of the same combination if there is one. Where one was given the truth in the place of a model, so was the other: a model is no change of the truth.
const cellsBefore = `SELECT o.id FROM cells o JOIN dataset_versions ov ON ov.id = o.version_id JOIN model_versions om ON om.id = o.path[cardinality(o.path)]
	WHERE ov.dataset_id = (SELECT dataset_id FROM dataset_versions WHERE id = c.version_id)
	  AND om.model_id = (SELECT model_id FROM model_versions WHERE id = c.path[cardinality(c.path)])
	  AND o.split = c.split AND o.labels = c.labels AND o.normalizer = c.normalizer AND o.measure = c.measure AND o.task = c.task
	  AND cardinality(o.path) = cardinality(c.path) AND array_positions(o.path, 0) = array_positions(c.path, 0) AND o.id < c.id AND o.evaluation_id < c.evaluation_id AND o.value IS NOT NULL
	ORDER BY o.evaluation_id DESC, o.path = c.path DESC, ov.number DESC, o.id DESC LIMIT 1`

// CellBefore is the cell before one in its trend, 0 if it is the first. The cell came from a method that checked who asks; the one before may be
// of a version that the actor does not see.
func (s *Store) CellBefore(ctx context.Context, cell int64) (id int64, err error) {
	err = s.pool.QueryRow(ctx, `SELECT b.id FROM cells c CROSS JOIN LATERAL (`+cellsBefore+`) b WHERE c.id = $1`, cell).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cell before %d: %w", cell, err)
	}
	return id, nil
}

// TraceEvaluation has the steps of trends divided that an evaluation has made, and its cells measured on the lines that they share with those
// before. Doing it again comes to the same.
func (s *Store) TraceEvaluation(ctx context.Context, evaluation int64) error {
	rows, err := s.pool.Query(ctx, `
		SELECT b.id, c.id, c.measure FROM (SELECT DISTINCT cell_id FROM evaluation_steps WHERE evaluation_id = $1 AND cell_id IS NOT NULL) s
		JOIN cells c ON c.id = s.cell_id AND c.value IS NOT NULL CROSS JOIN LATERAL (`+cellsBefore+`) b ORDER BY c.id`, evaluation)
	if err != nil {
		return fmt.Errorf("trace evaluation %d: %w", evaluation, err)
	}
	steps, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Attribution, err error) {
		err = row.Scan(&a.From, &a.To, &a.Measure)
		return a, err
	})
	if err != nil {
		return fmt.Errorf("trace evaluation %d: %w", evaluation, err)
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		for _, step := range steps {
			if err := s.attribute(ctx, tx, step.From, step.To, step.Measure, followingOpts()); err != nil {
				return err
			}
		}
		return nil
	})
}

// AttributeCells computes an attribution, and what its cells measure on the lines that both versions have. Nothing happens if it is done.
func (s *Store) AttributeCells(ctx context.Context, id int64) error {
	rows, err := s.pool.Query(ctx, `SELECT `+attributionColumns+` FROM attributions a WHERE a.id = $1 AND a.state = 'waiting'`, id)
	if err != nil {
		return fmt.Errorf("attribution %d: %w", id, err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, scanAttribution)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("attribution %d: %w", id, err)
	}
	work := attributing{store: s, ends: [2]attributed{{cell: a.From}, {cell: a.To}}}
	division, err := work.divide(ctx)
	if err != nil {
		return fmt.Errorf("attribution %d: %w", id, err)
	}
	document, err := json.Marshal(division)
	if err != nil {
		return fmt.Errorf("attribution %d: %w", id, err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := work.keepOverlaps(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE attributions SET state = 'done', error = '', parts = $2, computed_at = now() WHERE id = $1`, id, document)
		return err
	})
	if err != nil {
		return fmt.Errorf("attribution %d: %w", id, err)
	}
	return nil
}

// FailAttribution notes why an attribution could not be computed.
func (s *Store) FailAttribution(ctx context.Context, id int64, reason string) error {
	if _, err := s.pool.Exec(ctx, `UPDATE attributions SET state = 'failed', error = $2 WHERE id = $1 AND state = 'waiting'`, id, reason); err != nil {
		return fmt.Errorf("attribution %d: %w", id, err)
	}
	return nil
}
