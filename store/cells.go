package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/models"
	"fiducial/internal/scoring"
)

// Cell is what the last model of a path says of one side of a dataset version, measured. Value, Low and High are the headline.
type Cell struct {
	ID         int64
	Version    int64
	Dataset    string
	Number     int // of the version
	Split      string
	Path       []int64  // 0: the truth in the place of a model
	Models     []string // NAME@VERSION, or Reference
	Labels     string   // frozen or today
	Normalizer string
	Task       scoring.Task
	Evaluation int64 // that computed it last
	Items      int
	Failed     int // of those, without an output: in none of the figures
	Relabeled  int // of today's labels: lines whose truth is another by now
	Measure    string
	Value      *float64 // nil: not defined
	Low        *float64
	High       *float64
	ComputedAt time.Time

	Stale      Staleness        `db:"-"`
	Flags      []CellFlag       `db:"-"`
	Difference *CellDifference  `db:"-"` // to its baseline, of the headline; nil: not compared
	Figures    *scoring.Figures `db:"-"` // of Cell alone

	configurations []byte
}

// VersionName is how commands call the cell's dataset version.
func (c *Cell) VersionName() string { return fmt.Sprintf("%s@%d", c.Dataset, c.Number) }

// Incomplete tells that some items are in none of the figures, since there is no output of them.
func (c *Cell) Incomplete() bool { return c.Failed > 0 }

// Staleness says what has changed since a cell was computed.
type Staleness struct {
	Models []string // those of its path that are asked otherwise by now
	Newer  int      // number of a newer frozen version of its dataset, 0 for none
	Erased int      // lines of its side that were erased since
}

// Any tells that something has changed.
func (s Staleness) Any() bool { return len(s.Models) > 0 || s.Newer > 0 || s.Erased > 0 }

// CellFlag says why a cell's figure leans towards its model.
type CellFlag struct {
	Cell  int64
	Kind  string // prefill or corrected
	Model string // that the makers of the truth saw
	Lines int
}

// CellDifference is a cell beside its baseline on the lines that both have.
type CellDifference struct {
	Cell     int64
	Baseline int64 // a cell
	Measure  string
	Value    *float64 // above 0: the measure is greater
	Low      *float64
	High     *float64
	P        *float64
	Adjusted *float64 // for all cells of the evaluation
	Items    int
	Gained   int // lines that became better
	Lost     int
	Better   bool `db:"-"` // in the direction of the measure
}

// surely is how unlikely a difference must be by chance to be called real.
const surely = 0.05

// Real tells that the difference is not one of chance: its interval is clear of zero, also after looking at so many cells.
func (d *CellDifference) Real() bool {
	if d.Value == nil || d.Low == nil || d.High == nil || *d.Low <= 0 && *d.High >= 0 {
		return false
	}
	return d.Adjusted == nil || *d.Adjusted < surely
}

const cellColumns = `c.id, c.version_id AS version, d.name AS dataset, v.number, c.split, c.path, NULL::text[] AS models, c.labels, c.normalizer, c.task,
	c.evaluation_id AS evaluation, c.items, c.failed, c.relabeled, c.measure, c.value, c.low, c.high, c.computed_at`

const cellTables = `cells c JOIN dataset_versions v ON v.id = c.version_id JOIN datasets d ON d.id = v.dataset_id`

// CellQuery selects cells.
type CellQuery struct {
	Chain      int64 // those of its runs
	Evaluation int64 // those of one run
	Versions   []int64
	Slots      int    // length of the path; 0: any
	Split      string // "": any
	Normalizer string
	Labels     string
}

// Cells returns the cells that the actor sees, of each combination the newest, by dataset version and path.
func (s *Store) Cells(ctx context.Context, actor Actor, q CellQuery) ([]Cell, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	return s.cellsWhere(ctx, actor, `c.id IN (
			SELECT s.cell_id FROM evaluations e JOIN evaluation_steps s ON s.evaluation_id = e.id
			WHERE (@chain::bigint = 0 OR e.chain_id = @chain) AND (@evaluation::bigint = 0 OR e.id = @evaluation))
		AND (cardinality(@versions::bigint[]) = 0 OR c.version_id = ANY (@versions)) AND (@slots::int = 0 OR cardinality(c.path) = @slots)
		AND (@split = '' OR c.split = @split) AND (@normalizer = '' OR c.normalizer = @normalizer) AND (@labels = '' OR c.labels = @labels)`,
		pgx.NamedArgs{
			"chain": q.Chain, "evaluation": q.Evaluation, "versions": append([]int64{}, q.Versions...), "slots": q.Slots, "split": q.Split,
			"normalizer": q.Normalizer, "labels": q.Labels,
		})
}

// Cell returns one cell with its figures, or ErrNotFound if the actor does not see its version.
func (s *Store) Cell(ctx context.Context, actor Actor, id int64) (Cell, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return Cell{}, err
	}
	cells, err := s.cellsWhere(ctx, actor, `c.id = @id`, pgx.NamedArgs{"id": id})
	if err == nil && len(cells) == 0 {
		err = fmt.Errorf("cell %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Cell{}, err
	}
	cell := cells[0]
	cell.Figures = &scoring.Figures{}
	if err := s.pool.QueryRow(ctx, `SELECT figures FROM cells WHERE id = $1`, id).Scan(cell.Figures); err != nil {
		return Cell{}, fmt.Errorf("figures of cell %d: %w", id, notFound(err))
	}
	return cell, nil
}

func (s *Store) cellsWhere(ctx context.Context, actor Actor, where string, args pgx.NamedArgs) ([]Cell, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT ON (d.name, v.number, c.split, c.path, c.labels, c.normalizer) `+cellColumns+`, c.configurations FROM `+cellTables+`
		WHERE `+seesVersion+` AND `+where+` ORDER BY d.name, v.number, c.split, c.path, c.labels, c.normalizer, c.computed_at DESC`, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("cells: %w", err)
	}
	cells, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (c Cell, err error) {
		err = r.Scan(&c.ID, &c.Version, &c.Dataset, &c.Number, &c.Split, &c.Path, &c.Models, &c.Labels, &c.Normalizer, &c.Task, &c.Evaluation, &c.Items, &c.Failed,
			&c.Relabeled, &c.Measure, &c.Value, &c.Low, &c.High, &c.ComputedAt, &c.configurations)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("cells: %w", err)
	}
	for _, add := range []func(context.Context, []Cell) error{s.nameModels, s.noteStale, s.addFlags, s.addDifferences} {
		if err := add(ctx, cells); err != nil {
			return nil, err
		}
	}
	return cells, nil
}

// nameModels gives the cells the names of their models, and says which of those are asked otherwise by now.
func (s *Store) nameModels(ctx context.Context, cells []Cell) error {
	var ids []int64
	for _, c := range cells {
		ids = append(ids, c.Path...)
	}
	slices.Sort(ids)
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT v.id, m.name || '@' || v.version, s.configuration FROM model_versions v JOIN models m ON m.id = v.model_id
		LEFT JOIN model_servers s ON s.model_version_id = v.id WHERE v.id = ANY($1)`, slices.Compact(ids))
	if err != nil {
		return fmt.Errorf("models of cells: %w", err)
	}
	unsaid, err := models.Configuration(models.Offline, models.Options{})
	if err != nil {
		return err
	}
	names, configurations := map[int64]string{0: Reference}, map[int64][]byte{}
	var id int64
	var name string
	var configuration []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &name, &configuration}, func() error {
		names[id], configurations[id] = name, bytes.Clone(configuration)
		if configuration == nil {
			configurations[id] = unsaid
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("models of cells: %w", err)
	}
	for i := range cells {
		c := &cells[i]
		had := configurationsOf(c.Path, c.configurations)
		for k, id := range c.Path {
			c.Models = append(c.Models, names[id])
			if !bytes.Equal(configurations[id], had[k]) { // both are nil of the truth
				c.Stale.Models = append(c.Stale.Models, names[id])
			}
		}
	}
	return nil
}

// versionNow is what became of one side of a dataset version.
type versionNow struct {
	Version int64
	Split   string
	Newest  int
	Left    int // lines
}

// noteStale says of cells what has become of their dataset versions.
func (s *Store) noteStale(ctx context.Context, cells []Cell) error {
	var ids []int64
	for _, c := range cells {
		ids = append(ids, c.Version)
	}
	slices.Sort(ids)
	rows, err := s.pool.Query(ctx, `
		SELECT v.id AS version, s.split, (SELECT max(o.number) FROM dataset_versions o WHERE o.dataset_id = v.dataset_id AND o.state = 'frozen') AS newest,
			sum(s.items - s.erased)::int AS left
		FROM dataset_versions v JOIN dataset_version_sources s ON s.version_id = v.id WHERE v.id = ANY($1) GROUP BY v.id, s.split`, slices.Compact(ids))
	if err != nil {
		return fmt.Errorf("versions of cells: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[versionNow])
	if err != nil {
		return fmt.Errorf("versions of cells: %w", err)
	}
	type side struct {
		version int64
		split   string
	}
	now := make(map[side]versionNow, len(list))
	for _, v := range list {
		now[side{v.Version, v.Split}] = v
	}
	for i := range cells {
		c := &cells[i]
		v, ok := now[side{c.Version, c.Split}]
		if !ok {
			continue
		}
		if v.Newest > c.Number {
			c.Stale.Newer = v.Newest
		}
		c.Stale.Erased = max(c.Items-v.Left, 0)
	}
	return nil
}

// cellPlaces says where each cell lies in the list.
func cellPlaces(cells []Cell) (ids []int64, at map[int64]int) {
	at = make(map[int64]int, len(cells))
	for i, c := range cells {
		ids, at[c.ID] = append(ids, c.ID), i
	}
	return ids, at
}

func (s *Store) addFlags(ctx context.Context, cells []Cell) error {
	ids, at := cellPlaces(cells)
	rows, err := s.pool.Query(ctx, `
		SELECT f.cell_id AS cell, f.kind, m.name || '@' || v.version AS model, f.lines FROM cell_flags f
		JOIN model_versions v ON v.id = f.model_version_id JOIN models m ON m.id = v.model_id WHERE f.cell_id = ANY($1) ORDER BY f.cell_id, f.kind, v.id`, ids)
	if err != nil {
		return fmt.Errorf("flags of cells: %w", err)
	}
	flags, err := pgx.CollectRows(rows, pgx.RowToStructByName[CellFlag])
	if err != nil {
		return fmt.Errorf("flags of cells: %w", err)
	}
	for _, f := range flags {
		c := &cells[at[f.Cell]]
		c.Flags = append(c.Flags, f)
	}
	return nil
}

// addDifferences gives each cell its newest difference of its headline measure.
func (s *Store) addDifferences(ctx context.Context, cells []Cell) error {
	ids, at := cellPlaces(cells)
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT ON (x.cell_id) x.cell_id AS cell, x.baseline_id AS baseline, x.measure, x.value, x.low, x.high, x.p, x.adjusted, x.items, x.gained, x.lost
		FROM cell_differences x JOIN cells c ON c.id = x.cell_id AND c.measure = x.measure WHERE x.cell_id = ANY($1) ORDER BY x.cell_id, x.computed_at DESC`, ids)
	if err != nil {
		return fmt.Errorf("differences of cells: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[CellDifference])
	if err != nil {
		return fmt.Errorf("differences of cells: %w", err)
	}
	for _, d := range list {
		c := &cells[at[d.Cell]]
		if d.Value != nil {
			d.Better = (*d.Value > 0) == HigherIsBetter(c.Measure)
		}
		c.Difference = new(d)
	}
	return nil
}

// HigherIsBetter tells which way a measure is better: all but error rates upwards.
func HigherIsBetter(measure string) bool { return !slices.Contains(lowerIsBetter, measure) }

var lowerIsBetter = []string{"wer", "cer", "mer", "wil", "substitutions", "deletions", "insertions", "utterances_wrong", "log_loss", "brier"}

// MatrixQuery selects the cells of a chain that stand side by side.
type MatrixQuery struct {
	Chain      int64
	Versions   []int64 // of datasets; none: all
	Slots      int     // how many models a path has; 0: as many as the chain has slots
	Split      string  // test if it is not said
	Normalizer string
	Labels     string // frozen if it is not said
}

// Matrix is the cells of a chain.
type Matrix struct {
	Chain Chain
	Cells []Cell
}

// Matrix returns the cells of a chain's paths of one length.
func (s *Store) Matrix(ctx context.Context, actor Actor, q MatrixQuery) (m Matrix, err error) {
	if m.Chain, err = s.Chain(ctx, actor, q.Chain); err != nil {
		return m, err
	}
	query := CellQuery{Chain: q.Chain, Versions: q.Versions, Slots: q.Slots, Split: q.Split, Normalizer: q.Normalizer, Labels: q.Labels}
	if query.Slots == 0 {
		query.Slots = len(m.Chain.Slots)
	}
	if query.Split == "" {
		query.Split = "test"
	}
	if query.Labels == "" {
		query.Labels = "frozen"
	}
	m.Cells, err = s.Cells(ctx, actor, query)
	return m, err
}
