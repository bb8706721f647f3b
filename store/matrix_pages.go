package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/alerts"
)

// MatrixPageQuery says which cells of a chain are asked for. What is zero is chosen as the newest run of the chain has it.
type MatrixPageQuery struct {
	Chain      int64
	Run        int64  // an evaluation of the chain, 0 for its newest one that has ended
	Every      bool   // the cells of every run
	Split      string // "" for the run's
	Labels     string // frozen or today, "" for frozen
	Normalizer string // that of the cells; Unsaid takes the run's
	Unsaid     bool   // no normalizer was named
	Versions   int    // how many dataset versions at most, the newest first; 0 for all
}

// MatrixPage is a chain's cells, ready to be laid out: dataset versions, and for each the combinations that were asked for.
type MatrixPage struct {
	Chain       Chain
	Baseline    []int64 // of the run, or else of the chain; nil for none
	Run         *MatrixRun
	Runs        []MatrixRun // the newest first
	Split       string
	Labels      string
	Normalizer  string
	Splits      []string // that runs of the chain were of
	Normalizers []string
	Versions    []MatrixVersion // the newest first
	Left        int             // versions that are not among them
	Cells       []MatrixCell
}

// MatrixRun is an evaluation that cells can be asked of.
type MatrixRun struct {
	ID         int64
	Title      string
	StartedBy  string
	State      string
	Split      string
	Normalizer string
	Baseline   []int64
	CreatedAt  time.Time
}

// MatrixVersion is a dataset version with cells.
type MatrixVersion struct {
	ID       int64
	Dataset  string
	Number   int
	FrozenAt *time.Time
}

// Name is DATASET@NUMBER.
func (v MatrixVersion) Name() string { return v.Dataset + "@" + strconv.Itoa(v.Number) }

// MatrixCell is a combination on a dataset version. One that was not measured has no ID, and State is that of the step that was to ask its
// last model.
type MatrixCell struct {
	Cell

	State   string
	Changed int // lines whose labels are others by now
}

// MatrixPage returns the cells of a chain with their marks. Of dataset versions that the actor does not see it has none.
func (s *Store) MatrixPage(ctx context.Context, actor Actor, q MatrixPageQuery) (m MatrixPage, err error) {
	if m.Chain, err = s.Chain(ctx, actor, q.Chain); err != nil {
		return m, err
	}
	m.Baseline = m.Chain.Path
	if err := s.matrixRuns(ctx, actor, q, &m); err != nil || m.Run == nil {
		return m, err
	}
	if err := s.matrixVersions(ctx, actor, q, &m); err != nil || len(m.Versions) == 0 {
		return m, err
	}
	return m, s.matrixCells(ctx, actor, q, &m)
}

// runsShown is how many runs of a chain can be chosen.
const runsShown = 50

// matrixRuns fills in the runs of the chain, and which of them is asked for.
func (s *Store) matrixRuns(ctx context.Context, actor Actor, q MatrixPageQuery, m *MatrixPage) error {
	rows, err := s.pool.Query(ctx, `
		SELECT e.id, e.title, e.started_by, e.state, e.split, e.normalizer, e.baseline, e.created_at FROM evaluations e
		WHERE e.chain_id = @chain AND `+seesEvaluation+` ORDER BY e.id DESC LIMIT @limit`, actor.args(pgx.NamedArgs{"chain": q.Chain, "limit": runsShown}))
	if err != nil {
		return fmt.Errorf("runs of chain %d: %w", q.Chain, err)
	}
	if m.Runs, err = pgx.CollectRows(rows, pgx.RowToStructByName[MatrixRun]); err != nil {
		return fmt.Errorf("runs of chain %d: %w", q.Chain, err)
	}
	for i := range m.Runs {
		run := &m.Runs[i]
		if !slices.Contains(m.Splits, run.Split) {
			m.Splits = append(m.Splits, run.Split)
		}
		if !slices.Contains(m.Normalizers, run.Normalizer) {
			m.Normalizers = append(m.Normalizers, run.Normalizer)
		}
		asked := q.Run == run.ID || q.Run == 0 && run.State == "done" && m.Run == nil
		if asked {
			m.Run = run
		}
	}
	if q.Run != 0 && m.Run == nil {
		return fmt.Errorf("run %d of chain %d: %w", q.Run, q.Chain, ErrNotFound)
	}
	if m.Run == nil && len(m.Runs) > 0 {
		m.Run = &m.Runs[0]
	}
	if m.Run != nil {
		m.choose(q)
	}
	return nil
}

// choose takes from the run what was not asked for.
func (m *MatrixPage) choose(q MatrixPageQuery) {
	m.Split, m.Labels, m.Normalizer = q.Split, q.Labels, q.Normalizer
	if m.Split == "" {
		m.Split = m.Run.Split
	}
	if m.Labels == "" {
		m.Labels = "frozen"
	}
	if q.Unsaid {
		m.Normalizer = m.Run.Normalizer
	}
	if m.Run.Baseline != nil {
		m.Baseline = m.Run.Baseline
	}
}

// run is the evaluation that cells are asked of, 0 for all.
func (m *MatrixPage) run(q MatrixPageQuery) int64 {
	if q.Every {
		return 0
	}
	return m.Run.ID
}

func (s *Store) matrixVersions(ctx context.Context, actor Actor, q MatrixPageQuery, m *MatrixPage) error {
	rows, err := s.pool.Query(ctx, `
		SELECT v.id, d.name AS dataset, v.number, v.frozen_at FROM dataset_versions v JOIN datasets d ON d.id = v.dataset_id
		WHERE v.id IN (SELECT ev.version_id FROM evaluations e JOIN evaluation_versions ev ON ev.evaluation_id = e.id
			WHERE e.chain_id = @chain AND (@run::bigint = 0 OR e.id = @run)) AND `+seesVersion+`
		ORDER BY v.frozen_at DESC NULLS LAST, v.id DESC`, actor.args(pgx.NamedArgs{"chain": q.Chain, "run": m.run(q)}))
	if err != nil {
		return fmt.Errorf("versions of the matrix: %w", err)
	}
	if m.Versions, err = pgx.CollectRows(rows, pgx.RowToStructByName[MatrixVersion]); err != nil {
		return fmt.Errorf("versions of the matrix: %w", err)
	}
	if q.Versions > 0 && len(m.Versions) > q.Versions {
		m.Left = len(m.Versions) - q.Versions
		m.Versions = m.Versions[:q.Versions]
	}
	return nil
}

func (m *MatrixPage) versionIDs() []int64 {
	ids := make([]int64, len(m.Versions))
	for i, v := range m.Versions {
		ids[i] = v.ID
	}
	return ids
}

// matrixCells fills in a cell for every combination that a step was made for: of several, which differ in how a model was asked, the newest.
func (s *Store) matrixCells(ctx context.Context, actor Actor, q MatrixPageQuery, m *MatrixPage) error {
	args := pgx.NamedArgs{
		"chain": q.Chain, "run": m.run(q), "versions": m.versionIDs(), "split": m.Split, "labels": m.Labels, "normalizer": m.Normalizer,
	}
	cells, err := s.cellsWhere(ctx, actor, `c.version_id = ANY(@versions) AND c.split = @split AND c.labels = @labels AND c.normalizer = @normalizer
		AND (c.version_id, c.path) IN (SELECT s.version_id, s.path FROM evaluations e JOIN evaluation_steps s ON s.evaluation_id = e.id
			WHERE e.chain_id = @chain AND (@run::bigint = 0 OR e.id = @run) AND s.version_id = ANY(@versions))`, args)
	if err != nil {
		return err
	}
	at := make(map[string]int, len(cells))
	for i, c := range cells {
		at[PlaceOf(c.Version, c.Path)] = i
		m.Cells = append(m.Cells, MatrixCell{Cell: c})
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT ON (s.version_id, s.path) s.version_id, s.path, s.state, coalesce(t.relabeled, 0)
		FROM evaluations e JOIN evaluation_steps s ON s.evaluation_id = e.id
		LEFT JOIN (SELECT version_id, path, max(relabeled) AS relabeled FROM cells
			WHERE version_id = ANY(@versions) AND split = @split AND labels = 'today' AND normalizer = @normalizer AND relabeled > 0 GROUP BY 1, 2) t
			ON t.version_id = s.version_id AND t.path = s.path
		WHERE e.chain_id = @chain AND (@run::bigint = 0 OR e.id = @run) AND s.version_id = ANY(@versions)
		ORDER BY s.version_id, s.path, s.evaluation_id DESC`, args)
	if err != nil {
		return fmt.Errorf("steps of the matrix: %w", err)
	}
	var c MatrixCell
	_, err = pgx.ForEachRow(rows, []any{&c.Version, &c.Path, &c.State, &c.Changed}, func() error {
		if i, measured := at[PlaceOf(c.Version, c.Path)]; measured {
			m.Cells[i].State = c.State
			if m.Labels == "frozen" {
				m.Cells[i].Changed = c.Changed
			}
		} else {
			c.Changed = 0
			m.Cells = append(m.Cells, c)
		}
		c = MatrixCell{}
		return nil
	})
	if err != nil {
		return fmt.Errorf("steps of the matrix: %w", err)
	}
	return s.nameVoids(ctx, m.Cells[len(cells):])
}

// PlaceOf tells the combinations on the versions of a matrix apart.
func PlaceOf(version int64, path []int64) string {
	place := binary.BigEndian.AppendUint64(make([]byte, 0, 64), uint64(version)) //nolint:gosec // the same bits
	for _, id := range path {
		place = binary.BigEndian.AppendUint64(place, uint64(id)) //nolint:gosec // the same bits
	}
	return string(place)
}

// nameVoids gives combinations that were not measured the names of their models.
func (s *Store) nameVoids(ctx context.Context, voids []MatrixCell) error {
	if len(voids) == 0 {
		return nil
	}
	paths := make([][]int64, len(voids))
	for i := range voids {
		paths[i] = voids[i].Path
	}
	names, err := namesOfModels(ctx, s.pool, paths...)
	if err != nil {
		return err
	}
	for i := range voids {
		for _, id := range voids[i].Path {
			voids[i].Models = append(voids[i].Models, names[id])
		}
	}
	return nil
}

// namesOfModels are what the model versions of paths are called, by their ids.
func namesOfModels(ctx context.Context, q querier, paths ...[]int64) (map[int64]string, error) {
	ids := slices.Concat(paths...)
	slices.Sort(ids)
	names, err := namesOf(ctx, q, `SELECT v.id, m.name || '@' || v.version FROM model_versions v JOIN models m ON m.id = v.model_id WHERE v.id = ANY($1)`, slices.Compact(ids))
	if err != nil {
		return nil, fmt.Errorf("models of paths: %w", err)
	}
	names[0] = Reference
	return names, nil
}

// OverviewChains lists the chains that stand on the overview: those of which a figure has fallen before all others, since that is what who looks
// must not miss; then those with the newest runs.
func (s *Store) OverviewChains(ctx context.Context, actor Actor) ([]OverviewChain, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT c.id, c.name, max(e.created_at) AS last FROM chains c LEFT JOIN evaluations e ON e.chain_id = c.id AND `+seesEvaluation+`
		WHERE c.archived_at IS NULL GROUP BY c.id
		ORDER BY EXISTS (SELECT FROM alerts a WHERE a.chain_id = c.id AND a.kind = 'drop' AND a.state <> 'closed') DESC, last DESC NULLS LAST, c.id LIMIT 100`, actor.args(nil))
	if err != nil {
		return nil, fmt.Errorf("chains of the overview: %w", err)
	}
	chains, err := pgx.CollectRows(rows, pgx.RowToStructByName[OverviewChain])
	if err != nil {
		return nil, fmt.Errorf("chains of the overview: %w", err)
	}
	return chains, nil
}

// OverviewChain is a chain with when it was evaluated last.
type OverviewChain struct {
	ID   int64
	Name string
	Last *time.Time
}

// OpenAlert is an alert that nobody has settled.
type OpenAlert struct {
	ID        int64
	Kind      string
	Chain     int64
	ChainName string
	Cell      int64 // 0 for none
	Summary   alerts.Alarm
	RaisedAt  time.Time
}

// OpenAlerts lists the open alerts of a chain or, for 0, of all that are not archived, the newest first. Those of dataset versions that the
// actor does not see are left out.
func (s *Store) OpenAlerts(ctx context.Context, actor Actor, chain int64, limit int) ([]OpenAlert, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT a.id, a.kind, h.id AS chain, h.name AS chain_name, coalesce(a.cell_id, 0) AS cell, a.summary, a.raised_at FROM alerts a JOIN chains h ON h.id = a.chain_id
		WHERE (a.chain_id = @chain OR @chain = 0 AND h.archived_at IS NULL) AND a.state = 'open' AND (a.snoozed_until IS NULL OR a.snoozed_until < now()) AND `+seesAlert+`
		ORDER BY a.id DESC LIMIT @limit`, actor.args(pgx.NamedArgs{"chain": chain, "limit": limit}))
	if err != nil {
		return nil, fmt.Errorf("open alerts: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[OpenAlert])
	if err != nil {
		return nil, fmt.Errorf("open alerts: %w", err)
	}
	return list, nil
}
