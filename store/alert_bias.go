package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/alerts"
	"fiducial/internal/attribution"
)

// leaningAlert is a cell with what it leans towards.
type leaningAlert struct {
	watched

	Kind  string
	Seen  string // the model
	Lines int
	Bias  *attribution.Bias
	Given bool // the model is one whose words the cell's own is given

	Chain      int64
	ChainName  string
	Evaluation int64
}

// leastLeaning is the share of a cell's lines, in per cent, from which a lean of unknown size is told.
const leastLeaning = 20

// RaiseBias raises an alert for each cell of an evaluation whose figure leans towards its model: by an estimate that is clear of zero, or,
// where none could be made, by a fifth of its lines, if its own model was seen and not one that it is given words by. It is called after FlagCells.
func (s *Store) RaiseBias(ctx context.Context, evaluation int64) error {
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT ON (d.id, c.split, c.path, c.labels, c.normalizer, f.kind, f.model_version_id) `+watchedColumns+`, f.kind,
			sm.name || '@' || sv.version AS seen, f.lines, f.bias,
			sm.kind <> (SELECT k.kind FROM model_versions l JOIN models k ON k.id = l.model_id WHERE l.id = c.path[cardinality(c.path)]) AS given, e.chain_id AS chain, h.name AS chain_name, e.id AS evaluation
		FROM `+watchedTables+` JOIN cell_flags f ON f.cell_id = c.id JOIN evaluations e ON e.id = c.evaluation_id JOIN chains h ON h.id = e.chain_id
		JOIN model_versions sv ON sv.id = f.model_version_id JOIN models sm ON sm.id = sv.model_id
		WHERE c.evaluation_id = $1 AND e.state = 'done'
		ORDER BY d.id, c.split, c.path, c.labels, c.normalizer, f.kind, f.model_version_id, v.number DESC, c.computed_at DESC`, evaluation)
	if err != nil {
		return fmt.Errorf("bias of evaluation %d: %w", evaluation, err)
	}
	cells, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByNameLax[leaningAlert])
	if err != nil {
		return fmt.Errorf("bias of evaluation %d: %w", evaluation, err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		for _, c := range cells {
			if !c.told() {
				continue
			}
			n := newAlert{Key: "bias/" + c.series(c.Chain) + "/" + c.Kind + "/" + c.Seen, Chain: c.Chain, Summary: c.summary()}
			if err := s.raiseAlert(ctx, tx, n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("bias of evaluation %d: %w", evaluation, err)
	}
	return nil
}

func (c *leaningAlert) told() bool {
	if c.Bias != nil && c.Bias.Value != nil {
		return c.Bias.Real()
	}
	return !c.Given && c.Lines*100 >= c.Items*leastLeaning
}

func (c *leaningAlert) summary() alerts.Alarm {
	summary := alerts.Alarm{
		Kind: alerts.Bias, Chain: c.ChainName, Evaluation: c.Evaluation, Cell: c.ID, Version: c.version(), Split: c.Split, Models: c.Models, Measure: c.Measure,
		Items: c.Items, Lines: c.Lines, Seen: c.Seen, Corrected: c.Kind == FlagCorrected,
	}
	if b := c.Bias; b != nil && b.Value != nil && b.Low != nil && b.High != nil {
		summary.Lean = &alerts.Worsening{Value: *b.Value, Low: *b.Low, High: *b.High, Items: b.Seen + b.Blind}
	}
	return summary
}
