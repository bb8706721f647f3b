package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// ItemUse is a dataset version that holds an item, with who can have a copy of it from there.
type ItemUse struct {
	VersionID int64
	Dataset   string
	Number    int
	Split     string
	Position  int
	Current   bool // the truth that it holds is the one of today
	FrozenAt  time.Time
	Exports   []Export          `db:"-"` // the archives that hold it
	Consumers []VersionConsumer `db:"-"`
	Measured  []MeasuredOn      `db:"-"` // the evaluations that measured on it
}

// MeasuredOn is an evaluation that measured models on one side of a version.
type MeasuredOn struct {
	Evaluation int64
	VersionID  int64
	Split      string
	Chain      string
	Title      string
	State      string
	At         time.Time
}

// measuredOn returns the evaluations on versions, the newest first, that the actor sees: of all of their versions.
func (s *Store) measuredOn(ctx context.Context, actor Actor, versions []int64, limit int) ([]MeasuredOn, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT e.id AS evaluation, m.version_id, e.split, c.name AS chain, e.title, e.state, e.created_at AS at
		FROM evaluation_versions m JOIN evaluations e ON e.id = m.evaluation_id JOIN chains c ON c.id = e.chain_id
		WHERE m.version_id = ANY (@versions) AND `+seesEvaluation+` ORDER BY e.id DESC LIMIT @limit`,
		actor.args(pgx.NamedArgs{"versions": append([]int64{}, versions...), "limit": limit}))
	if err != nil {
		return nil, fmt.Errorf("evaluations on versions: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[MeasuredOn])
	if err != nil {
		return nil, fmt.Errorf("evaluations on versions: %w", err)
	}
	return list, nil
}

// MeasuredOn returns the newest evaluations on a version, at most limit.
func (s *Store) MeasuredOn(ctx context.Context, actor Actor, version DatasetVersion, limit int) ([]MeasuredOn, error) {
	if err := actor.may(access.ReadEvaluations); err != nil {
		return nil, err
	}
	return s.measuredOn(ctx, actor, []int64{version.ID}, limit)
}

// measuredMost bounds how many evaluations an item's lineage names.
const measuredMost = 200

// Lineage returns every version that holds an item, the newest first, with the archives made of each, its consumers and what was measured on
// it: everywhere the item has got to. Versions that the actor does not see are left out.
func (s *Store) Lineage(ctx context.Context, actor Actor, item int64) ([]ItemUse, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT l.version_id, d.name AS dataset, v.number, l.split, l.position, coalesce(t.current, false) AS current, v.frozen_at
		FROM dataset_lines l JOIN dataset_versions v ON v.id = l.version_id JOIN datasets d ON d.id = v.dataset_id
		LEFT JOIN truths t ON t.id = l.truth_id
		WHERE l.item_id = @item AND v.frozen_at IS NOT NULL AND `+seesVersion+` ORDER BY v.frozen_at DESC, v.id DESC`, actor.args(pgx.NamedArgs{"item": item}))
	if err != nil {
		return nil, fmt.Errorf("lineage of item %d: %w", item, err)
	}
	uses, err := pgx.CollectRows(rows, pgx.RowToStructByName[ItemUse])
	if err != nil {
		return nil, fmt.Errorf("lineage of item %d: %w", item, err)
	}
	var versions []int64
	for _, use := range uses {
		versions = append(versions, use.VersionID)
	}
	exports, err := exportsWhere(ctx, s.pool, `e.version_id = ANY ($1) AND e.state = 'done' ORDER BY e.id DESC`, versions)
	if err != nil {
		return nil, err
	}
	consumers, err := s.versionConsumers(ctx, actor, `vc.version_id = ANY (@versions) AND vc.ended_at IS NULL ORDER BY vc.since`,
		pgx.NamedArgs{"versions": versions})
	if err != nil {
		return nil, err
	}
	measured, err := s.measuredOn(ctx, actor, versions, measuredMost)
	if err != nil {
		return nil, err
	}
	for i := range uses {
		for _, m := range measured {
			if m.VersionID == uses[i].VersionID && m.Split == uses[i].Split {
				uses[i].Measured = append(uses[i].Measured, m)
			}
		}
		for _, e := range exports {
			if e.VersionID == uses[i].VersionID {
				uses[i].Exports = append(uses[i].Exports, e)
			}
		}
		for _, c := range consumers {
			if c.VersionID == uses[i].VersionID {
				uses[i].Consumers = append(uses[i].Consumers, c)
			}
		}
	}
	return uses, nil
}

// Relative is a version that another one was made after, or that was made after it.
type Relative struct {
	Dataset string
	Number  int
	Kind    string // "parent": the one before it in its dataset; "rebuilt": whose recipe it takes again; "child", "rebuild": the other way round
}

// Relatives returns the versions that a version was made after, and those that were made after it.
func (s *Store) Relatives(ctx context.Context, actor Actor, version DatasetVersion) ([]Relative, error) {
	if err := actor.may(access.ReadDatasets); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT d.name AS dataset, v.number, r.kind FROM (
			SELECT parent_id AS id, 'parent' AS kind, 1 AS place FROM dataset_versions WHERE id = @version
			UNION ALL SELECT rebuild_of, 'rebuilt', 2 FROM dataset_versions WHERE id = @version
			UNION ALL SELECT id, 'child', 3 FROM dataset_versions WHERE parent_id = @version
			UNION ALL SELECT id, 'rebuild', 4 FROM dataset_versions WHERE rebuild_of = @version) r
		JOIN dataset_versions v ON v.id = r.id JOIN datasets d ON d.id = v.dataset_id
		WHERE `+seesVersion+` ORDER BY r.place, v.id LIMIT 100`, actor.args(pgx.NamedArgs{"version": version.ID}))
	if err != nil {
		return nil, fmt.Errorf("relatives of version %d: %w", version.ID, err)
	}
	relatives, err := pgx.CollectRows(rows, pgx.RowToStructByName[Relative])
	if err != nil {
		return nil, fmt.Errorf("relatives of version %d: %w", version.ID, err)
	}
	return relatives, nil
}

// Verifications returns the newest checks of a version, at most limit. The version came from a method that checked who asks.
func (s *Store) Verifications(ctx context.Context, version DatasetVersion, limit int) ([]Verification, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+verificationColumns+` FROM dataset_verifications WHERE version_id = $1 ORDER BY id DESC LIMIT $2`,
		version.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("verifications of version %d: %w", version.ID, err)
	}
	checks, err := pgx.CollectRows(rows, pgx.RowToStructByName[Verification])
	if err != nil {
		return nil, fmt.Errorf("verifications of version %d: %w", version.ID, err)
	}
	return checks, nil
}

// Taken is how many lines of a version one erasure has emptied.
type Taken struct {
	Erasure  int64
	Kind     string // "request" or "expiry"
	Lines    int
	ErasedAt *time.Time
	Receipt  bool // it has one already
}

// TakenFrom returns the erasures that emptied lines of a version, the newest first. The version came from a method that checked who asks.
func (s *Store) TakenFrom(ctx context.Context, version DatasetVersion) ([]Taken, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT e.id AS erasure, e.kind, l.lines, e.erased_at, e.receipt IS NOT NULL AS receipt
		FROM (SELECT erasure_id, count(*)::int AS lines FROM dataset_lines WHERE version_id = $1 AND item_id IS NULL AND erasure_id IS NOT NULL GROUP BY 1) l
		JOIN erasures e ON e.id = l.erasure_id ORDER BY e.id DESC`, version.ID)
	if err != nil {
		return nil, fmt.Errorf("erasures of version %d: %w", version.ID, err)
	}
	taken, err := pgx.CollectRows(rows, pgx.RowToStructByName[Taken])
	if err != nil {
		return nil, fmt.Errorf("erasures of version %d: %w", version.ID, err)
	}
	return taken, nil
}
