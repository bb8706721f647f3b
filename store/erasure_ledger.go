package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/store/ledger"
)

// Ledger is the record of erasures outside the database and its backups: a file, or objects.
type Ledger interface {
	Append(ctx context.Context, entries []ledger.Entry) (ledger.Head, error)
	Head(ctx context.Context) (ledger.Head, error)
	Read(ctx context.Context, each func(ledger.Entry) error) (ledger.Head, error)
}

// ledgerLock is of the database: one at a time adds to the ledger.
const ledgerLock = 0x6c656467

// KeepLedger gives the store the installation's ledger, before the store is used. Without one nothing is recorded outside.
func (s *Store) KeepLedger(l Ledger) { s.ledger = l }

// record writes into the ledger that items are erased, before anything of them is. What is cut off after it is seen through by the
// erasure itself, which writes the same again: a ledger may say something twice.
func (s *Store) record(ctx context.Context, erasure int64, items []int64) error {
	if s.ledger == nil || len(items) == 0 {
		return nil
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, ledgerLock); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT $1::bigint AS erasure, project_id AS project, id AS item, key_hash, now() AS at FROM items WHERE id = ANY($2) ORDER BY id`, erasure, items)
		if err != nil {
			return err
		}
		entries, err := pgx.CollectRows(rows, pgx.RowToStructByName[ledger.Entry])
		if err != nil {
			return err
		}
		return s.append(ctx, tx, entries)
	})
	if err != nil {
		return fmt.Errorf("ledger of erasure %d: %w", erasure, err)
	}
	return nil
}

// append adds to the ledger. If the database was at its end before, it is again.
func (s *Store) append(ctx context.Context, tx pgx.Tx, entries []ledger.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	before, err := s.ledger.Head(ctx)
	if err != nil {
		return err
	}
	known, err := knownHead(ctx, tx)
	if err != nil {
		return err
	}
	after, err := s.ledger.Append(ctx, entries)
	if err != nil || !known.Same(before) {
		return err
	}
	return knowHead(ctx, tx, after)
}

// knownHead is how far the database knows the ledger.
func knownHead(ctx context.Context, q querier) (head ledger.Head, err error) {
	err = q.QueryRow(ctx, `SELECT line, sum FROM ledger_heads`).Scan(&head.Line, &head.Sum)
	if errors.Is(err, pgx.ErrNoRows) {
		return ledger.Head{}, nil
	}
	return head, err
}

func knowHead(ctx context.Context, tx pgx.Tx, head ledger.Head) error {
	if head.Line == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO ledger_heads (line, sum) VALUES ($1, $2) ON CONFLICT (one) DO UPDATE SET line = excluded.line, sum = excluded.sum`, head.Line, head.Sum)
	return err
}

// MergeLedger adds to the installation's ledger what another one says, such as one that was kept apart for a restore, and returns
// how many lines it had. The error is ledger.ErrDamaged if its chain is broken; then nothing is added.
func (s *Store) MergeLedger(ctx context.Context, other Ledger) (lines int64, err error) {
	own := map[string]bool{}
	key := func(e ledger.Entry) string {
		return fmt.Sprintf("%d/%d/%d/%x", e.Erasure, e.Project, e.Item, e.KeyHash)
	}
	if _, err := s.ledger.Read(ctx, func(e ledger.Entry) error {
		own[key(e)] = true
		return nil
	}); err != nil {
		return 0, fmt.Errorf("own ledger: %w", err)
	}
	var missing []ledger.Entry
	head, err := other.Read(ctx, func(e ledger.Entry) error {
		if !own[key(e)] {
			own[key(e)] = true
			missing = append(missing, e)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("ledger to be merged: %w", err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, ledgerLock); err != nil {
			return err
		}
		// The database is not told: it does not know yet what was added.
		if len(missing) > 0 {
			_, err := s.ledger.Append(ctx, missing)
			return err
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("merge ledgers: %w", err)
	}
	return head.Line, nil
}

// ledgerAtOnce is how many entries are looked for at once.
const ledgerAtOnce = 1000

// ApplyLedger erases again what the ledger says was erased and the database still, or again, has: it was restored from a backup
// that is older. It returns how many items those were, once all of them are gone. It costs next to nothing where the
// database knows the ledger to its end. Legal holds do not stop it, since all of it was erased before.
func (s *Store) ApplyLedger(ctx context.Context) (items int, err error) {
	if s.ledger == nil {
		return 0, nil
	}
	head, err := s.ledger.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("apply the ledger: %w", err)
	}
	known, err := knownHead(ctx, s.pool)
	if err != nil || known.Same(head) {
		return 0, err
	}
	r := reapplication{Store: s}
	if head, err = r.find(ctx); err != nil {
		return 0, fmt.Errorf("apply the ledger: %w", err)
	}
	if err := r.erase(ctx); err != nil {
		return 0, fmt.Errorf("apply the ledger: %w", err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, ledgerLock); err != nil {
			return err
		}
		// What was erased again was written into it again.
		if head, err = s.ledger.Head(ctx); err != nil {
			return err
		}
		return knowHead(ctx, tx, head)
	})
	if err != nil {
		return 0, fmt.Errorf("apply the ledger: %w", err)
	}
	return len(r.items), nil
}

// reapplication is a ledger that is applied again.
type reapplication struct {
	*Store

	items   []int64
	newest  int64 // erasure that the ledger speaks of
	pending []ledger.Entry
}

// find reads the ledger and finds the items that are there. One whose tombstone is there is known to be gone: its key may have come in
// anew since, which is another item. One that an erasure of the database has on its list is left to that.
func (r *reapplication) find(ctx context.Context) (ledger.Head, error) {
	head, err := r.ledger.Read(ctx, func(e ledger.Entry) error {
		r.newest = max(r.newest, e.Erasure)
		r.pending = append(r.pending, e)
		if len(r.pending) < ledgerAtOnce {
			return nil
		}
		return r.look(ctx)
	})
	if err != nil {
		return head, err
	}
	return head, r.look(ctx)
}

func (r *reapplication) look(ctx context.Context) error {
	projects, ids, hashes := make([]int64, len(r.pending)), make([]int64, len(r.pending)), make([][]byte, len(r.pending))
	for i, e := range r.pending {
		projects[i], ids[i], hashes[i] = e.Project, e.Item, e.KeyHash
	}
	r.pending = r.pending[:0]
	rows, err := r.pool.Query(ctx, `
		SELECT DISTINCT i.id FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS gone (project_id, item_id, key_hash)
		JOIN items i ON i.project_id = gone.project_id AND i.key_hash = gone.key_hash
		WHERE NOT EXISTS (SELECT FROM erasure_items e WHERE e.item_id = gone.item_id)
		  AND NOT EXISTS (SELECT FROM erasure_lists l JOIN erasures e ON e.id = l.erasure_id AND e.state IN ('queued', 'erasing') WHERE l.item_id = i.id)`,
		projects, ids, hashes)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("look for what was erased: %w", err)
	}
	r.items = append(r.items, found...)
	return nil
}

// erase has the items erased by an erasure of their own, whose number is above all that receipts were given out for.
func (r *reapplication) erase(ctx context.Context) error {
	var id int64
	err := r.inTx(ctx, func(tx pgx.Tx) (err error) {
		_, err = tx.Exec(ctx, `
			SELECT setval(pg_get_serial_sequence('erasures', 'id'), $1) WHERE $1 > coalesce((SELECT last_value FROM pg_sequences
				WHERE schemaname = 'public' AND sequencename = 'erasures_id_seq'), 0)`, r.newest)
		if err != nil || len(r.items) == 0 {
			return err
		}
		id, err = insertErasure(ctx, tx, System(), newErasure{
			Kind: ErasureRequested, Scope: ScopeItems, Reason: "Erased before; a database that was restored had it again", DueDays: 1,
		})
		if err != nil {
			return err
		}
		// What is taken already is stopped by no hold.
		tag, err := tx.Exec(ctx, `
			INSERT INTO erasure_lists (erasure_id, item_id, state) SELECT $1, i, 'taken' FROM unnest($2::bigint[]) i ON CONFLICT DO NOTHING`, id, r.items)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE erasures SET state = 'queued', items = $2, confirmed_at = now() WHERE id = $1`, id, tag.RowsAffected())
		return err
	})
	if err != nil || id == 0 {
		return err
	}
	if err := r.RunErasure(ctx, id); err != nil {
		return err
	}
	done, err := r.erasureByID(ctx, r.pool, id)
	if err != nil {
		return err
	}
	if done.Open() {
		return fmt.Errorf("erasure %d is %s, not done: %s", id, done.State, done.Error)
	}
	return nil
}
