package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/jobargs"
)

// An erasure goes through its list in steps. A step
//
//  1. takes items off those that wait, unless a hold keeps them: what is taken goes, since from then on its objects may be gone;
//  2. writes into the ledger that they go, deletes their objects, and overwrites their part of recordings that others are part of;
//  3. in one transaction clears every place of the inventory, leaves the tombstones and notes what went;
//  4. deletes their objects again, for whoever was just writing one (and then finds no item and cleans up);
//  5. takes them off the list.
//
// Wherever it is stopped, the list says what is left of which step. When the list is empty it looks for what came in meanwhile, then
// for what is left anywhere, and only then says that all is gone.
//
// Freezes: a step waits for those under way, whose lines it then empties, and those that begin later wait for it, and do
// not find the items (dataset_version_strata's lock, which the triggers on items and truths need as well). Holds: a
// step shares a lock with other steps, which the placing of a hold takes alone.

const (
	// eraseStep is how many items one step takes. Its transaction is over in well under a second.
	eraseStep = 500
	// erasePatience is how long a step waits for a lock while it holds others. It is shorter than Postgres' deadlock_timeout, so that
	// the erasure gives way, which costs nobody anything, and never somebody who works.
	erasePatience = "500ms"
	// eraseTries is how often a step that gave way begins again before the job does.
	eraseTries = 60
	// eraseDeletes is how many prefixes are deleted at once.
	eraseDeletes = 16

	holdLock = 0x686f6c64
)

// errHeld: a legal hold stops the erasure.
var errHeld = errors.New("store: a legal hold stops the erasure")

// RunErasure does what a confirmed erasure is about, or the rest of it; nothing happens to one that is not confirmed, held or done.
func (s *Store) RunErasure(ctx context.Context, id int64) error {
	run := erasureRun{Store: s, id: id}
	err := run.all(ctx)
	if errors.Is(err, errHeld) || errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("erasure %d: %w", id, err)
	}
	return nil
}

// FailErasure notes that an erasure is stuck; reason is for people. It goes on when it is confirmed again.
func (s *Store) FailErasure(ctx context.Context, id int64, reason string) error {
	_, err := s.pool.Exec(ctx, `UPDATE erasures SET state = 'failed', error = $2 WHERE id = $1 AND state IN ('queued', 'erasing')`, id, reason)
	if err != nil {
		return fmt.Errorf("fail erasure %d: %w", id, err)
	}
	return nil
}

// erasureRun is an erasure at work.
type erasureRun struct {
	*Store

	id int64
	Erasure

	silenced map[int64]bool // recordings of the present step that stay, without its items
}

// at is called before each step with the step's name; tests stop an erasure there.
func (r *erasureRun) at(ctx context.Context, step string) error {
	if r.erasureStep != nil {
		r.erasureStep(step)
	}
	return ctx.Err()
}

func (r *erasureRun) all(ctx context.Context) (err error) {
	if err := r.begin(ctx); err != nil {
		return err
	}
	for {
		if err := r.steps(ctx); err != nil {
			return err
		}
		if err := r.at(ctx, "late"); err != nil {
			return err
		}
		late, err := r.listLate(ctx)
		if err != nil {
			return err
		}
		if late > 0 {
			continue
		}
		if err := r.clearBeside(ctx); err != nil {
			return err
		}
		done, err := r.prove(ctx)
		if err != nil || done {
			return err
		}
	}
}

// begin sets an erasure to work, unless a hold stops it.
func (r *erasureRun) begin(ctx context.Context) error {
	return r.inTx(ctx, func(tx pgx.Tx) error {
		if err := r.lock(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE erasures SET state = 'erasing', started_at = coalesce(started_at, now()) WHERE id = $1 AND state <> 'erasing'`, r.id)
		return err
	})
}

// lock locks the erasure's row and reads it. It returns pgx.ErrNoRows for one that is not to be worked on.
func (r *erasureRun) lock(ctx context.Context, tx pgx.Tx) (err error) {
	var id int64
	err = tx.QueryRow(ctx, `SELECT id FROM erasures WHERE id = $1 AND state IN ('queued', 'erasing', 'held') FOR NO KEY UPDATE`, r.id).Scan(&id)
	if err != nil {
		return err
	}
	r.Erasure, err = r.erasureByID(ctx, tx, r.id)
	return err
}

// steps takes and erases until nothing is left on the list.
func (r *erasureRun) steps(ctx context.Context) error {
	for {
		if err := r.at(ctx, "take"); err != nil {
			return err
		}
		taken, cleared, err := r.take(ctx)
		if err != nil {
			return err
		}
		if len(taken)+len(cleared) == 0 {
			return nil
		}
		if err := r.step(ctx, taken, cleared); err != nil {
			return err
		}
	}
}

func (r *erasureRun) step(ctx context.Context, taken, cleared []int64) error {
	if err := r.at(ctx, "ledger"); err != nil {
		return err
	}
	if err := r.record(ctx, r.id, taken); err != nil {
		return err
	}
	if err := r.at(ctx, "objects"); err != nil {
		return err
	}
	if err := r.deleteFolders(ctx, taken); err != nil {
		return err
	}
	if err := r.at(ctx, "sounds"); err != nil {
		return err
	}
	if err := r.silenceSounds(ctx, taken); err != nil {
		return err
	}
	if err := r.at(ctx, "rows"); err != nil {
		return err
	}
	if err := r.clear(ctx, taken); err != nil {
		return err
	}
	both := append(taken, cleared...) //nolint:gocritic // neither is used again
	if err := r.at(ctx, "objects again"); err != nil {
		return err
	}
	if err := r.deleteKeys(ctx, both); err != nil {
		return err
	}
	if err := r.deleteSounds(ctx, both); err != nil {
		return err
	}
	if err := r.at(ctx, "off the list"); err != nil {
		return err
	}
	_, err := r.pool.Exec(ctx, `DELETE FROM erasure_lists WHERE erasure_id = $1 AND item_id = ANY($2)`, r.id, both)
	return err
}

// take returns what a step that was stopped had begun, or else takes the next items. A request is held as a whole while a hold keeps any of its items; an
// expiry goes on past those, and is held once nothing else is left.
func (r *erasureRun) take(ctx context.Context) (taken, cleared []int64, err error) {
	held := false
	err = r.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared($1, 0)`, holdLock); err != nil {
			return err
		}
		if err := r.lock(ctx, tx); err != nil {
			return err
		}
		if taken, cleared, err = r.begun(ctx, tx); err != nil || len(taken)+len(cleared) > 0 {
			return err
		}
		hold, err := holdOn(ctx, tx, r.Erasure)
		if err != nil {
			return err
		}
		if hold == 0 || r.Kind == ErasureExpiry {
			if taken, err = r.takeNext(ctx, tx, hold != 0); err != nil || len(taken) > 0 {
				return err
			}
		}
		if hold != 0 {
			held = true
			return r.stop(ctx, tx, hold)
		}
		return nil
	})
	if err == nil && held {
		err = errHeld
	}
	return taken, cleared, err
}

// begun returns what a step before has taken and not seen through.
func (r *erasureRun) begun(ctx context.Context, tx pgx.Tx) (taken, cleared []int64, err error) {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := tx.Query(ctx, `SELECT item_id, state = 'taken' FROM erasure_lists WHERE erasure_id = $1 AND state <> 'waiting' ORDER BY item_id LIMIT $2`, r.id, eraseStep)
	if err != nil {
		return nil, nil, err
	}
	var item int64
	var isTaken bool
	_, err = pgx.ForEachRow(rows, []any{&item, &isTaken}, func() error {
		if isTaken {
			taken = append(taken, item)
		} else {
			cleared = append(cleared, item)
		}
		return nil
	})
	return taken, cleared, err
}

func (r *erasureRun) takeNext(ctx context.Context, tx pgx.Tx, holds bool) ([]int64, error) {
	unheld := `true`
	if holds {
		unheld = `NOT EXISTS (SELECT FROM items i WHERE i.id = w.item_id AND ` + itemHeld + `)`
	}
	rows, err := tx.Query(ctx, `
		UPDATE erasure_lists l SET state = 'taken'
		FROM (SELECT w.item_id FROM erasure_lists w WHERE w.erasure_id = $1 AND w.state = 'waiting' AND `+unheld+` ORDER BY w.item_id LIMIT $2) next
		WHERE l.erasure_id = $1 AND l.item_id = next.item_id RETURNING l.item_id`, r.id, eraseStep)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// stop notes that the erasure waits for a hold to be lifted.
func (r *erasureRun) stop(ctx context.Context, tx pgx.Tx, hold int64) error {
	if _, err := tx.Exec(ctx, `UPDATE erasures SET state = 'held', hold_id = $2 WHERE id = $1`, r.id, hold); err != nil {
		return err
	}
	if r.State == ErasureHeld && r.HoldID == hold {
		return nil
	}
	return audit(ctx, tx, System(), auditEvent{Action: "erasure.held", ObjectType: "erasure", ObjectID: r.id, Detail: map[string]any{"hold": hold}})
}

// deleteFolders deletes whatever lies under the items that have a file.
func (r *erasureRun) deleteFolders(ctx context.Context, items []int64) error {
	rows, err := r.pool.Query(ctx, `SELECT DISTINCT item_id FROM assets WHERE item_id = ANY($1)`, items)
	if err != nil {
		return err
	}
	full, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(eraseDeletes)
	for _, item := range full {
		group.Go(func() error {
			_, err := r.blobs.DeletePrefix(ctx, itemPrefix(item))
			return err
		})
	}
	return group.Wait()
}

// deleteKeys deletes every object that an item can have, by its key: whoever was just writing one may have come after deleteFolders.
func (r *erasureRun) deleteKeys(ctx context.Context, items []int64) error {
	return r.blobs.DeleteKeys(ctx, objectsOf(items))
}

// objectsOf are the keys of all objects that items can have.
func objectsOf(items []int64) []string {
	keys := make([]string, 0, len(items)*len(mediaKinds))
	for _, item := range items {
		for _, kind := range mediaKinds {
			keys = append(keys, AssetKey(item, kind))
		}
	}
	return keys
}

// itemPrefix is the folder of an item's objects.
func itemPrefix(item int64) string { return fmt.Sprintf("items/%d/", item) }

// clear clears every place of items. What others have locked is waited for a moment, holding nothing.
func (r *erasureRun) clear(ctx context.Context, items []int64) error {
	if len(items) == 0 {
		return nil
	}
	for try := 1; ; try++ {
		err := r.inTx(ctx, func(tx pgx.Tx) error { return r.clearIn(ctx, tx, items) })
		if errors.Is(err, errMoreItems) {
			if err := r.silenceSounds(ctx, items); err != nil {
				return err
			}
			continue
		}
		if err == nil || !givesWay(err) || try == eraseTries {
			return err
		}
		select {
		case <-time.After(time.Duration(try) * 20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// givesWay reports whether err is that somebody else was at the same rows.
func givesWay(err error) bool {
	return timedOut(err) || hasCode(err, "40P01") || hasCode(err, "40001") || hasCode(err, "23503")
}

func (r *erasureRun) clearIn(ctx context.Context, tx pgx.Tx, items []int64) error {
	// Whoever freezes is waited for as long as it takes, before anything else is locked.
	if _, err := tx.Exec(ctx, `LOCK TABLE dataset_version_strata IN SHARE MODE`); err != nil {
		return err
	}
	for _, setting := range []string{byIndex, `SELECT set_config('lock_timeout', '` + erasePatience + `', true)`} {
		if _, err := tx.Exec(ctx, setting); err != nil {
			return err
		}
	}
	d := doomed{Items: items}
	if err := d.find(ctx, tx, true); err != nil {
		return err
	}
	step := clearing{doomed: d, tx: tx, erasure: r.id, listed: items}
	steps := []func(context.Context) error{step.remember, step.entomb, step.clearNames, step.clearPlaces, step.follow}
	if r.Kind == ErasureExpiry {
		steps = []func(context.Context) error{step.remember, step.entomb, step.redact, step.clearNames, step.clearPlaces, step.settleRedactions, step.follow}
	}
	for _, do := range steps {
		if err := do(ctx); err != nil {
			return err
		}
	}
	if err := step.clearSounds(ctx, r.silenced); err != nil {
		return err
	}
	if err := r.tellTakers(ctx, tx, step.touched.Exports); err != nil {
		return err
	}
	if err := r.dropAccess(ctx, tx, step.sources, 0); err != nil {
		return err
	}
	if err := step.askAgain(ctx, r.Store); err != nil {
		return err
	}
	return r.note(ctx, tx, &step)
}

// note adds what a step has done to what the erasure has done, in the step's own transaction. The erasure's row is locked last.
func (r *erasureRun) note(ctx context.Context, tx pgx.Tx, step *clearing) error {
	if err := r.lock(ctx, tx); err != nil {
		return err
	}
	touched := r.Touched
	if r.DoneItems == 0 {
		touched = TouchedVersions{} // so far it is what the preview found
	}
	touched.add(step.touched)
	for kind, n := range step.cleared {
		r.Erased[kind] += n
	}
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE erasures SET done_items = done_items + $2, erased = $3, touched = $4, kept = kept + $5 WHERE id = $1`,
		r.id, len(step.Items), r.Erased, jsonOf(touched), len(step.redacted))
	batch.Queue(`UPDATE erasure_lists SET state = 'cleared' WHERE erasure_id = $1 AND item_id = ANY($2)`, r.id, step.listed)
	return tx.SendBatch(ctx, batch).Close()
}

// listLate puts on the list what has come in since it was made, of a source or a group that goes as a whole.
func (r *erasureRun) listLate(ctx context.Context) (late int64, err error) {
	where, of := "", int64(0)
	switch r.Scope {
	case ScopeSource:
		where, of = `i.source_id = $2`, r.SourceID
	case ScopeGroup:
		where, of = `i.group_id = $2`, r.GroupID
	default:
		return 0, nil
	}
	err = r.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO erasure_lists (erasure_id, item_id) SELECT $1, i.id FROM items i WHERE `+where+` ORDER BY i.id LIMIT $3 ON CONFLICT DO NOTHING`,
			r.id, of, collectAtOnce)
		if err != nil {
			return err
		}
		late = tag.RowsAffected()
		_, err = tx.Exec(ctx, `UPDATE erasures SET late = late + $2, items = items + $2 WHERE id = $1`, r.id, late)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("late items: %w", err)
	}
	return late, nil
}

// ResumeErasures queues the erasures that nobody is at: a process was killed, and its job with it.
func (s *Store) ResumeErasures(ctx context.Context) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT e.id FROM erasures e WHERE e.state IN ('queued', 'erasing')
			  AND NOT EXISTS (SELECT FROM river_job j WHERE j.kind = $1 AND j.state IN ('available', 'running', 'retryable', 'scheduled', 'pending')
				AND (j.args->>'erasure_id')::bigint = e.id)`, jobargs.Erase{}.Kind())
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return fmt.Errorf("erasures that nobody is at: %w", err)
		}
		for _, id := range ids {
			if err := s.queueErasure(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
}
