package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Expiry is what one run of ExpireDue came to.
type Expiry struct {
	Erasures []int64 // one for each source that had something due
	Items    int     // on their lists
}

// expiryReason stands in the erasures that a policy makes.
const expiryReason = "The time for which they may be kept has run out."

// ExpireDue has everything erased whose last moment has come, by the database's clock, but for what a legal hold keeps: one erasure
// for each source, which is done by the job of all erasures. A run that was stopped is made good by the next one, and a second
// run at the same moment finds nothing: what is on the list of an erasure that is under way is not listed again. An erasure that
// failed is not under way. A source whose dates a change of its policy is moving waits until all are moved: a longer
// retention must not come too late for the items that it has not reached.
func (s *Store) ExpireDue(ctx context.Context) (done Expiry, err error) {
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT i.source_id FROM items i WHERE i.retain_until <= now() AND NOT coalesce(`+heldItem+`, false) AND `+settledSource+` ORDER BY 1`)
	if err != nil {
		return done, fmt.Errorf("expire: %w", err)
	}
	sources, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return done, fmt.Errorf("expire: %w", err)
	}
	var failed []error // one source must not keep the others
	for _, source := range sources {
		id, items, err := s.expireSource(ctx, source)
		if err != nil {
			failed = append(failed, fmt.Errorf("expire source %d: %w", source, err))
			continue
		}
		if id != 0 {
			done.Erasures, done.Items = append(done.Erasures, id), done.Items+items
		}
	}
	return done, errors.Join(failed...)
}

// settledSource is true of an item whose source's dates are not being moved.
const settledSource = `NOT EXISTS (SELECT FROM source_changes c WHERE c.source_id = i.source_id AND c.state = 'moving')`

// expireSource makes the erasure of what is due of a source; id is 0 if nothing is.
func (s *Store) expireSource(ctx context.Context, source int64) (id int64, listed int, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// One at a time for each source: the second finds the list of the first.
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('expiry of source ' || $1::bigint, 0))`, source)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT i.id FROM items i WHERE i.source_id = $1 AND i.retain_until <= now() AND NOT coalesce(`+heldItem+`, false) AND `+settledSource+`
			  AND NOT EXISTS (SELECT FROM erasure_lists l JOIN erasures e ON e.id = l.erasure_id AND e.state IN ('queued', 'erasing', 'held') WHERE l.item_id = i.id)
			ORDER BY i.id`, source)
		if err != nil {
			return err
		}
		items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil || len(items) == 0 {
			return err
		}
		id, listed, err = s.expireItems(ctx, tx, source, items, expiryReason)
		return err
	})
	return id, listed, err
}

// noticeDays is how long before a test split gets too small the admins are told.
const noticeDays = 14

// AnnounceLosses tells every admin of the newest versions of datasets whose test split, or a stratum of it, gets too small within two
// weeks: once for each version and week, so that a date which moves is told of again.
func (s *Store) AnnounceLosses(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `
		WITH soon AS (
			SELECT f.version_id, min(f.below_week) AS week FROM version_forecasts f JOIN dataset_versions v ON v.id = f.version_id
			WHERE f.split = 'test' AND f.below = 'falls' AND f.below_week <= (now() AT TIME ZONE 'UTC')::date + $1::int AND `+newestFrozen+`
			GROUP BY f.version_id),
		told AS (INSERT INTO forecast_notices (version_id, week) SELECT version_id, week FROM soon ON CONFLICT DO NOTHING RETURNING version_id)
		INSERT INTO notices (person_id, kind, object_type, object_id)
		SELECT p.id, $2, 'dataset_version', told.version_id FROM told, people p WHERE p.role = 'admin' AND p.left_at IS NULL`, noticeDays, TestSetShrinks)
	if err != nil {
		return fmt.Errorf("announce losses: %w", err)
	}
	return nil
}

// Expiries returns the erasures that policies have made, the newest first, at most limit.
func (s *Store) Expiries(ctx context.Context, actor Actor, limit int) ([]Erasure, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	return s.erasuresWhere(ctx, s.pool, `e.kind = 'expiry' AND e.state <> 'cancelled' AND `+seesErasure+` ORDER BY e.id DESC LIMIT @limit`,
		actor.args(pgx.NamedArgs{"limit": limit}))
}

// HeldDue is how many items of a source would be gone already, but for a legal hold.
type HeldDue struct {
	SourceID int64
	Source   string
	Items    int
}

// HeldDue returns by source what is due and held, of the projects that the actor sees.
func (s *Store) HeldDue(ctx context.Context, actor Actor) ([]HeldDue, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT i.source_id, o.name AS source, count(*)::int AS items FROM items i JOIN sources o ON o.id = i.source_id JOIN projects p ON p.id = i.project_id
		WHERE i.retain_until <= now() AND coalesce(`+heldItem+`, false) AND `+sees+` GROUP BY i.source_id, o.name ORDER BY lower(o.name), i.source_id`, actor.args(nil))
	if err != nil {
		return nil, fmt.Errorf("held items that are due: %w", err)
	}
	held, err := pgx.CollectRows(rows, pgx.RowToStructByName[HeldDue])
	if err != nil {
		return nil, fmt.Errorf("held items that are due: %w", err)
	}
	return held, nil
}
