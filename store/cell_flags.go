package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/attribution"
)

// Why a cell's figure leans towards its model.
const (
	FlagPrefill   = "prefill"   // makers of the truth saw what the model said
	FlagCorrected = "corrected" // errors of the model prompted corrections of the truth
)

// leaningCell is a cell as the search for what it leans towards sees it.
type leaningCell struct {
	ID, Version      int64
	Path             []int64
	Split, Labels    string
	Normalizer, Task string
	Target           float64 // of the half of an estimate's interval: what of a drop is worth an alert
}

// leaningLines are the lines of a cell with their truth.
type leaningLines struct {
	version       int64
	split, labels string
}

func (c leaningCell) lines() leaningLines { return leaningLines{c.Version, c.Split, c.Labels} }

// FlagCells looks for what the cells of an evaluation lean towards, and estimates how much; so it does for the cells of the same lines that
// were there before, which have others beside them now. Doing it again comes to the same.
func (s *Store) FlagCells(ctx context.Context, evaluation int64) error {
	rows, err := s.pool.Query(ctx, `
		SELECT c.id, c.version_id AS version, c.path, c.split, c.labels, c.normalizer, c.task, coalesce(nullif(h.alert_drop, 0), 0.02) AS target
		FROM cells c JOIN evaluations e ON e.id = c.evaluation_id JOIN chains h ON h.id = e.chain_id
		WHERE EXISTS (
			SELECT FROM cells o WHERE o.version_id = c.version_id AND o.split = c.split AND o.labels = c.labels AND o.normalizer = c.normalizer
			  AND (o.evaluation_id = $1 OR o.id IN (SELECT t.cell_id FROM evaluation_steps t WHERE t.evaluation_id = $1)))
		ORDER BY c.version_id, c.split, c.labels, c.id`, evaluation)
	if err != nil {
		return fmt.Errorf("flags of evaluation %d: %w", evaluation, err)
	}
	cells, err := pgx.CollectRows(rows, pgx.RowToStructByName[leaningCell])
	if err != nil {
		return fmt.Errorf("flags of evaluation %d: %w", evaluation, err)
	}
	var of leaningLines
	var found leans // the same of all cells of the same lines
	for _, cell := range cells {
		if found == nil || cell.lines() != of {
			if found, err = leansOf(ctx, s.pool, cell); err != nil {
				return fmt.Errorf("flags of cell %d: %w", cell.ID, err)
			}
			of = cell.lines()
		}
		if err := s.flagCell(ctx, cell, found); err != nil {
			return fmt.Errorf("flags of cell %d: %w", cell.ID, err)
		}
	}
	return nil
}

// cellLean is a flag as it is found.
type cellLean struct {
	kind  string
	model int64
	lines int
	bias  *attribution.Bias
}

// flagCell replaces the flags of a cell by what is so now.
func (s *Store) flagCell(ctx context.Context, cell leaningCell, found leans) error {
	lineage, err := lineagesOf(ctx, s.pool, cell.Path)
	if err != nil {
		return err
	}
	var flags []cellLean
	for _, kind := range []string{FlagPrefill, FlagCorrected} {
		for _, model := range lineage {
			lines := found.positions(kind, model)
			if len(lines) == 0 {
				continue
			}
			flag := cellLean{kind: kind, model: model, lines: len(lines)}
			if kind == FlagPrefill {
				if flag.bias, err = s.biasOf(ctx, cell, found, lines); err != nil {
					return err
				}
			}
			flags = append(flags, flag)
		}
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		// Whoever else flags it waits, and then puts the same in place of this.
		if _, err := tx.Exec(ctx, `SELECT FROM cells WHERE id = $1 FOR NO KEY UPDATE`, cell.ID); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue(`DELETE FROM cell_flags WHERE cell_id = $1`, cell.ID)
		for _, f := range flags {
			batch.Queue(`INSERT INTO cell_flags (cell_id, kind, model_version_id, lines, bias) VALUES ($1, $2, $3, $4, $5)`, cell.ID, f.kind, f.model, f.lines, f.bias)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

// lineagesOf are the models of a path and all that they come from, the last one's first.
func lineagesOf(ctx context.Context, q querier, path []int64) (all []int64, err error) {
	for _, model := range slices.Backward(path) {
		lineage, err := lineageOf(ctx, q, model) // none of a 0, which is the truth in the place of a model
		if err != nil {
			return nil, err
		}
		for _, one := range lineage {
			if !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// lineageOf is a model version and all that it comes from, itself first.
func lineageOf(ctx context.Context, q querier, model int64) ([]int64, error) {
	rows, err := q.Query(ctx, `
		WITH RECURSIVE line AS (
			SELECT id, successor_of, 1 AS place FROM model_versions WHERE id = $1
			UNION ALL SELECT v.id, v.successor_of, l.place + 1 FROM model_versions v JOIN line l ON v.id = l.successor_of WHERE l.place < 1000)
		SELECT id FROM line ORDER BY place`, model)
	if err != nil {
		return nil, fmt.Errorf("lineage of model version %d: %w", model, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("lineage of model version %d: %w", model, err)
	}
	return ids, nil
}

// lean is a line whose truth a model version had a part in; of Model 0 nothing is known but that it was begun from something.
type lean struct {
	Position int
	Kind     string // empty of a line that leans towards nothing
	Model    int64
}

// leans are those of one side of a dataset version, with the lines that were made here and lean towards nothing.
type leans []lean

// positions are the lines that lean towards a model version.
func (l leans) positions(kind string, model int64) (at []int) {
	for _, one := range l {
		if one.Kind == kind && one.Model == model {
			at = append(at, one.Position)
		}
	}
	return at
}

// blind are the lines whose truth was made here by people who saw nothing of any model.
func (l leans) blind() map[int]bool {
	at := map[int]bool{}
	for _, one := range l {
		if one.Kind == "" {
			at[one.Position] = true
		}
	}
	for _, one := range l {
		if one.Kind == FlagPrefill {
			delete(at, one.Position)
		}
	}
	return at
}

// lineTruths is the truth that a line is measured against: its own, or that of today.
var lineTruths = map[string]string{
	"frozen": `l.truth_id`,
	"today":  `(SELECT c.id FROM truths c WHERE c.item_id = l.item_id AND c.current)`,
}

// leansOf finds the lines of a cell whose truth models had a part in. Whose answer a truth was made of is said by the truth itself, by
// where the words of the decision came from, and where that is not known by all the answers that the reviewer had. What a reviewer looked at
// counts as what a labeler did.
func leansOf(ctx context.Context, q querier, cell leaningCell) (leans, error) {
	rows, err := q.Query(ctx, `
		WITH made AS MATERIALIZED (
			SELECT l.position, l.item_id, u.id AS truth, u.created_at, u.review_id, u.annotation_id, r.origins
			FROM dataset_lines l JOIN truths u ON u.id = `+lineTruths[cell.Labels]+` LEFT JOIN reviews r ON r.id = u.review_id
			WHERE l.version_id = $1 AND l.split = $2)
		SELECT m.position, 'prefill' AS kind, coalesce(v.model_version_id, 0) AS model FROM made m JOIN hypothesis_views v ON v.item_id = m.item_id
		WHERE v.review_id = m.review_id OR v.annotation_id = m.annotation_id OR m.origins -> 'words' -> 'taken' ? v.annotation_id::text
		   OR m.annotation_id IS NULL AND m.origins -> 'answers' @> to_jsonb(v.annotation_id)
		UNION
		SELECT m.position, 'prefill', coalesce(p.model_version_id, 0)
		FROM made m JOIN annotations an ON an.item_id = m.item_id AND an.prefilled AND (an.id = m.annotation_id OR m.annotation_id IS NULL AND m.origins -> 'answers' @> to_jsonb(an.id))
		JOIN items i ON i.id = m.item_id AND i.recording_id IS NULL JOIN predictions p ON p.item_id = m.item_id AND p.purpose = 'prefill'
		UNION
		SELECT m.position, 'corrected', o.path[cardinality(o.path)]
		FROM made m JOIN item_causes k ON k.item_id = m.item_id AND k.at < m.created_at JOIN cells o ON o.id = k.cell_id
		WHERE EXISTS (SELECT FROM truths e WHERE e.item_id = m.item_id AND e.id < m.truth)
		UNION
		SELECT m.position, '', 0::bigint FROM made m WHERE m.review_id IS NOT NULL
		ORDER BY 1, 2, 3`, cell.Version, cell.Split)
	if err != nil {
		return nil, fmt.Errorf("what the truth leans towards: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[lean])
	if err != nil {
		return nil, fmt.Errorf("what the truth leans towards: %w", err)
	}
	return found, nil
}
