package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/alerts"
	"fiducial/internal/scoring"
)

// watched is a cell of an evaluation that is looked at for a fall.
type watched struct {
	ID, VersionID      int64
	Dataset            string
	Number             int
	Split              string
	Path               []int64
	Models             []string
	Labels, Normalizer string
	Task               string
	Items              int
	Measure            string
	Value, Low, High   *float64
	Figures            scoring.Figures

	falls []alerts.Worsening
	over  bool // nothing of what fell before is down by much any more
	parts []alerts.WorsePart
}

const watchedColumns = `c.id, c.version_id, d.name AS dataset, v.number, c.split, c.path, names_of_path(c.path) AS models,
	c.labels, c.normalizer, c.task, c.items - c.failed AS items, c.measure, c.value, c.low, c.high, c.figures`

const watchedTables = `cells c JOIN dataset_versions v ON v.id = c.version_id JOIN datasets d ON d.id = v.dataset_id`

func (c *watched) version() string { return fmt.Sprintf("%s@%d", c.Dataset, c.Number) }

func (c *watched) higherIsBetter() bool { return c.Figures.Headline().HigherIsBetter }

func (c *watched) estimate() (alerts.Estimate, bool) {
	if c.Value == nil || c.Low == nil || c.High == nil {
		return alerts.Estimate{}, false
	}
	return alerts.Estimate{Value: *c.Value, Low: *c.Low, High: *c.High}, true
}

// series is what a cell is a point of: the same models, measured alike, on versions of one dataset.
func (c *watched) series(chain int64) string {
	return fmt.Sprintf("%d/%s/%s/%s/%s/%s", chain, c.Dataset, c.Split, c.Labels, c.Normalizer, strings.Trim(fmt.Sprint(c.Path), "[]"))
}

// watchedRun is an evaluation whose cells are looked at.
type watchedRun struct {
	ID, Chain int64
	Name      string
	Limit     float64
	Baseline  []int64
	cells     []*watched
}

// RaiseAlerts looks at what an evaluation found, and raises the alerts that follow from it: once, however often it is called. A fall that
// is over closes its alert. Nothing happens if the evaluation is not done.
func (s *Store) RaiseAlerts(ctx context.Context, evaluation int64) error {
	run := watchedRun{ID: evaluation}
	err := s.pool.QueryRow(ctx, `
		SELECT e.chain_id, c.name, c.alert_drop, e.baseline FROM evaluations e JOIN chains c ON c.id = e.chain_id WHERE e.id = $1 AND e.state = 'done'`,
		evaluation).Scan(&run.Chain, &run.Name, &run.Limit, &run.Baseline)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil {
		run.cells, err = s.watchedCells(ctx, evaluation)
	}
	if err == nil {
		err = s.againstBaseline(ctx, &run)
	}
	if err == nil {
		err = s.againstBefore(ctx, &run)
	}
	if err == nil {
		err = s.inTx(ctx, func(tx pgx.Tx) error { return s.raiseFalls(ctx, tx, &run) })
	}
	if err != nil {
		return fmt.Errorf("alerts of evaluation %d: %w", evaluation, err)
	}
	return nil
}

// watchedCells are the cells of an evaluation with which a series ends, those of shorter paths first. Whoever looks again at an older version
// learns nothing new of the series.
func (s *Store) watchedCells(ctx context.Context, evaluation int64) ([]*watched, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT ON (cardinality(c.path), d.id, c.split, c.path, c.labels, c.normalizer) `+watchedColumns+` FROM `+watchedTables+`
		WHERE c.evaluation_id = $1 AND NOT EXISTS (
			SELECT FROM cells o JOIN dataset_versions l ON l.id = o.version_id WHERE l.dataset_id = d.id AND l.number > v.number
			  AND o.path = c.path AND o.split = c.split AND o.labels = c.labels AND o.normalizer = c.normalizer)
		ORDER BY cardinality(c.path), d.id, c.split, c.path, c.labels, c.normalizer, v.number DESC, c.computed_at DESC`, evaluation)
	if err != nil {
		return nil, fmt.Errorf("cells: %w", err)
	}
	cells, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByNameLax[watched])
	if err != nil {
		return nil, fmt.Errorf("cells: %w", err)
	}
	for _, c := range cells {
		c.over = true
	}
	return cells, nil
}

// note keeps a fall of a cell, with the parts that fell most since another; looked is what the fall is called.
func (c *watched) note(m alerts.Move, limit float64, fall alerts.Worsening, before *watched) {
	if !m.Recovered(limit) {
		c.over = false
	}
	if !m.Falls(limit) {
		return
	}
	if !c.higherIsBetter() { // told in the direction of the measure: an error rate rises
		m.Value, m.Low, m.High = -m.Value, -m.High, -m.Low
	}
	fall.Value, fall.Low, fall.High, fall.P, fall.To, fall.Cell = m.Value, m.Low, m.High, m.P, *c.Value, before.ID
	if before.Value != nil {
		fall.From = *before.Value
	}
	c.falls = append(c.falls, fall)
	if c.parts == nil {
		c.parts = alerts.Worst(partsBetween(&c.Figures, &before.Figures), c.higherIsBetter())
	}
}

// againstBaseline notes which cells fell against the cell of their baseline, on the items that both have. Their p is corrected already.
func (s *Store) againstBaseline(ctx context.Context, run *watchedRun) error {
	for _, c := range run.cells {
		if len(run.Baseline) < len(c.Path) || c.Value == nil {
			continue
		}
		var baseline int64
		var m alerts.Move
		fall := alerts.Worsening{Against: alerts.AgainstBaseline}
		err := s.pool.QueryRow(ctx, `
			SELECT x.baseline_id, x.value, x.low, x.high, coalesce(x.adjusted, x.p, 1), x.items FROM cell_differences x JOIN cells b ON b.id = x.baseline_id
			WHERE x.cell_id = $1 AND x.measure = $2 AND b.path = $3 AND b.path <> $4 AND x.value IS NOT NULL AND x.low IS NOT NULL AND x.high IS NOT NULL
			ORDER BY x.computed_at DESC LIMIT 1`, c.ID, c.Measure, run.Baseline[:len(c.Path)], c.Path).
			Scan(&baseline, &m.Value, &m.Low, &m.High, &m.P, &fall.Items)
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err != nil {
			return fmt.Errorf("difference of cell %d: %w", c.ID, err)
		}
		if !c.higherIsBetter() {
			m.Value, m.Low, m.High = -m.Value, -m.High, -m.Low
		}
		before, err := s.watchedCell(ctx, baseline)
		if err != nil {
			return err
		}
		fall.Name = strings.Join(before.Models, " → ")
		c.note(m, run.Limit, fall, before)
	}
	return nil
}

func (s *Store) watchedCell(ctx context.Context, id int64) (*watched, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+watchedColumns+` FROM `+watchedTables+` WHERE c.id = $1`, id)
	if err != nil {
		return nil, fmt.Errorf("cell %d: %w", id, err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByNameLax[watched])
	if err != nil {
		return nil, fmt.Errorf("cell %d: %w", id, notFound(err))
	}
	return c, nil
}

// seriesMove is a cell beside what its series began with.
type seriesMove struct {
	cell   *watched
	before *watched
	move   alerts.Move
	looks  int
}

// againstBefore notes which cells fell against where their series began: the same models on an earlier version of the dataset. A month
// alone may fall by less than anybody looks at, so it is not the month before that counts. What a person has closed begins anew.
func (s *Store) againstBefore(ctx context.Context, run *watchedRun) error {
	var moves []seriesMove
	shared := sharedLines{}
	for _, c := range run.cells {
		now, ok := c.estimate()
		if !ok {
			continue
		}
		before, looks, err := s.seriesBegan(ctx, c, run.Chain)
		if err != nil {
			return err
		}
		if before == nil {
			continue
		}
		then, ok := before.estimate()
		if !ok {
			continue
		}
		common, err := s.inCommon(ctx, shared, c, before)
		if err != nil {
			return err
		}
		moves = append(moves, seriesMove{c, before, alerts.Between(now, then, c.higherIsBetter(), common), looks})
	}
	ps := make([]float64, len(moves))
	for i := range moves {
		ps[i] = moves[i].move.P
	}
	for i, p := range scoring.Adjust(ps) {
		e := &moves[i]
		e.move.P = alerts.AtLook(p, e.looks)
		e.cell.note(e.move, run.Limit, alerts.Worsening{Against: alerts.AgainstBefore, Name: e.before.version(), Items: e.cell.Items, Looks: e.looks}, e.before)
	}
	return nil
}

// seriesBegan returns the cell with which a cell's series began, nil if it is the first itself, and how often the series was looked at
// since: each version is a look.
func (s *Store) seriesBegan(ctx context.Context, c *watched, chain int64) (before *watched, looks int, err error) {
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT ON (v.number) c.id FROM `+watchedTables+`
		WHERE d.name = $1 AND v.number < $2 AND c.split = $3 AND c.path = $4 AND c.labels = $5 AND c.normalizer = $6 AND c.task = $7 AND c.measure = $8
		  AND c.value IS NOT NULL AND v.number >= coalesce((
			SELECT max(av.number) FROM alerts a JOIN cells ac ON ac.id = a.cell_id JOIN dataset_versions av ON av.id = ac.version_id
			WHERE a.key = $9 AND a.state = 'closed' AND a.settled_by IS NOT NULL), 0)
		ORDER BY v.number, c.computed_at DESC`,
		c.Dataset, c.Number, c.Split, c.Path, c.Labels, c.Normalizer, c.Task, c.Measure, dropKey(c, chain))
	if err != nil {
		return nil, 0, fmt.Errorf("series of cell %d: %w", c.ID, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, 0, fmt.Errorf("series of cell %d: %w", c.ID, err)
	}
	if len(ids) == 0 {
		return nil, 0, nil
	}
	before, err = s.watchedCell(ctx, ids[0])
	return before, len(ids), err
}

func dropKey(c *watched, chain int64) string { return "drop/" + c.series(chain) }

// sharedLines is how many lines two dataset versions share, on one side.
type sharedLines map[sharedSide]int

type sharedSide struct {
	version, before int64
	split           string
}

// inCommon is how much two cells of a series say the same: by the items that both their versions have, with the same truth. The lines are counted
// once for all the models that were asked about them.
func (s *Store) inCommon(ctx context.Context, known sharedLines, c, before *watched) (float64, error) {
	if c.Labels != "frozen" {
		return 0, nil
	}
	side := sharedSide{c.VersionID, before.VersionID, c.Split}
	shared, ok := known[side]
	if !ok {
		err := s.pool.QueryRow(ctx, `
			SELECT count(*) FROM dataset_lines a JOIN dataset_lines b ON b.item_id = a.item_id AND b.truth_id = a.truth_id
			WHERE a.version_id = $1 AND b.version_id = $2 AND a.split = $3 AND b.split = $3`, side.version, side.before, side.split).Scan(&shared)
		if err != nil {
			return 0, fmt.Errorf("items in common: %w", err)
		}
		known[side] = shared
	}
	return alerts.InCommon(shared, c.Items, before.Items), nil
}

// raiseFalls raises an alert for each cell that fell and goes on from none that did, and closes those that are over.
func (s *Store) raiseFalls(ctx context.Context, tx pgx.Tx, run *watchedRun) error {
	fell := slices.DeleteFunc(slices.Clone(run.cells), func(c *watched) bool { return len(c.falls) == 0 })
	for _, group := range folded(fell) {
		c := group[0]
		n := newAlert{Key: dropKey(c, run.Chain), Chain: run.Chain, Summary: alerts.Alarm{
			Kind: alerts.Drop, Chain: run.Name, Evaluation: run.ID, Cell: c.ID, Version: c.version(), Split: c.Split, Models: c.Models, Measure: c.Measure,
			Items: c.Items, Falls: c.falls, Parts: c.parts,
		}}
		for _, behind := range group[1:] {
			n.Summary.Downstream = append(n.Summary.Downstream, alerts.Hurt{
				Models: behind.Models, Measure: behind.Measure, From: behind.falls[0].From, To: *behind.Value, Cell: behind.ID,
			})
		}
		if err := s.raiseAlert(ctx, tx, n); err != nil {
			return err
		}
	}
	for _, c := range run.cells {
		if c.over && c.Value != nil {
			if err := closeByItself(ctx, tx, dropKey(c, run.Chain)); err != nil {
				return err
			}
		}
	}
	return nil
}

// folded puts cells that fell behind the one that they go on from, measured on the same side of the same version.
func folded(fell []*watched) (groups [][]*watched) {
	type side struct {
		version                   int64
		split, labels, normalizer string
	}
	bySide := map[side][]*watched{}
	var order []side
	for _, c := range fell {
		at := side{c.VersionID, c.Split, c.Labels, c.Normalizer}
		if bySide[at] == nil {
			order = append(order, at)
		}
		bySide[at] = append(bySide[at], c)
	}
	for _, at := range order {
		cells := bySide[at]
		paths := make([]alerts.Path, len(cells))
		for i, c := range cells {
			paths[i] = c.Path
		}
		under := alerts.Fold(paths)
		for i, c := range cells {
			if under[i] != i {
				continue
			}
			group := []*watched{c}
			for k := range cells {
				if k != i && under[k] == i {
					group = append(group, cells[k])
				}
			}
			groups = append(groups, group)
		}
	}
	return groups
}

// partsBetween are the classes and slices that two cells both have, but for sources: their names are nobody else's.
func partsBetween(now, before *scoring.Figures) (parts []alerts.WorsePart) {
	for _, a := range now.Classes {
		for _, b := range before.Classes {
			if a.Name == b.Name && a.F1 != nil && b.F1 != nil {
				parts = append(parts, alerts.WorsePart{By: "class", Name: a.Name, From: *b.F1, To: *a.F1, Items: min(a.Truth, b.Truth)})
			}
		}
	}
	for _, a := range now.Slices {
		if a.By != scoring.ByLength && a.By != scoring.ByConfidence {
			continue
		}
		for _, b := range before.Slices {
			if a.By == b.By && a.Name == b.Name && measured(a.Measures) && measured(b.Measures) {
				parts = append(parts, alerts.WorsePart{By: a.By, Name: a.Name, From: *b.Measures[0].Value, To: *a.Measures[0].Value, Items: min(a.Items, b.Items)})
			}
		}
	}
	return parts
}

func measured(list []scoring.Measure) bool {
	return len(list) > 0 && list[0].Value != nil && !math.IsNaN(*list[0].Value)
}

// WatchAlerts raises an alert for each chain of which no run has ended for too long, closes those of chains that have run again, and
// tells again of alerts that were put off for long enough.
func (s *Store) WatchAlerts(ctx context.Context) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.missingRuns(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id FROM alerts WHERE state = 'open' AND snoozed_until <= now() ORDER BY id FOR UPDATE SKIP LOCKED`)
		if err != nil {
			return err
		}
		due, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		for _, id := range due {
			if err := s.announceAlert(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("watch alerts: %w", err)
	}
	return nil
}

// quietChain is a chain of which no run has ended for long.
type quietChain struct {
	ID, Last int64 // the last run that ended
	Name     string
	Days     int
	Day      string
	Late     bool
}

func (s *Store) missingRuns(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT c.id, coalesce(e.id, 0) AS last, c.name, c.expect_days AS days, coalesce(to_char(e.finished_at AT TIME ZONE 'UTC', 'FMDD Mon YYYY'), '') AS day,
			coalesce(e.finished_at, c.created_at) < now() - make_interval(days => c.expect_days) AS late
		FROM chains c LEFT JOIN LATERAL (
			SELECT id, finished_at FROM evaluations WHERE chain_id = c.id AND state = 'done' ORDER BY finished_at DESC NULLS LAST LIMIT 1) e ON true
		WHERE c.archived_at IS NULL AND c.expect_days IS NOT NULL ORDER BY c.id`)
	if err != nil {
		return fmt.Errorf("missing runs: %w", err)
	}
	chains, err := pgx.CollectRows(rows, pgx.RowToStructByName[quietChain])
	if err != nil {
		return fmt.Errorf("missing runs: %w", err)
	}
	for _, c := range chains {
		if c.Late {
			err = s.raiseAlert(ctx, tx, newAlert{
				Key: missingKey(c.ID, c.Last), Chain: c.ID, Once: true,
				Summary: alerts.Alarm{Kind: alerts.Missing, Chain: c.Name, Days: c.Days, Last: c.Day},
			})
		} else {
			_, err = tx.Exec(ctx, `
				UPDATE alerts SET state = 'closed', snoozed_until = NULL, settled_by = NULL, settled_at = now()
				WHERE chain_id = $1 AND kind = 'missing' AND state <> 'closed'`, c.ID)
		}
		if err != nil {
			return fmt.Errorf("missing run of chain %d: %w", c.ID, err)
		}
	}
	return nil
}

// missingKey names the silence after a run, so that it is told once.
func missingKey(chain, last int64) string { return fmt.Sprintf("missing/%d/%d", chain, last) }
