package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/receipt"
)

// Postgres keeps the bytes of deleted rows in its files until something else is written over them, and in its log. So after an
// erasure what held texts is written anew, one small piece at a time, and the log is cut off.

// rewriting is a table that is written anew, and by which column it is partitioned where that says in which partitions an
// erased item lay.
type rewriting struct{ table, by string }

// rewritings lists what holds words, names and salts. The large tables beside these hold ids, numbers, times and checksums.
func rewritings() []rewriting {
	return []rewriting{
		{"item_texts", "item_id"},
		{"item_salts", "item_id"},
		{"item_notes", "item_id"},
		{"comment_texts", "item_id"},
		{"transcripts", "item_id"},
		{"hypotheses", "item_id"},
		{"model_outputs", "item_id"},
		{"import_results", ""},
		{"import_files", ""},
		{"groups", ""},
		{"definition_examples", ""},
		{"drafts", ""},
		{"exports", ""},
		// Of people who have left.
		{"people", ""},
		{"person_identities", ""},
		{"members", ""},
		{"sessions", ""},
		// Answers to requests of the last day.
		{"idempotency_keys", ""},
	}
}

const (
	// rewriteWait is how long others can be kept waiting before a piece is even begun: they queue behind whoever waits for it.
	rewriteWait  = "300ms"
	rewritePause = 200 * time.Millisecond // in which they get their turn
	rewriteTries = 600

	rewriteLock = 0x72657772 // one process at a time

	snapshotPause = 50 * time.Millisecond
	snapshotTries = 40
)

// HeldBackError says that something still sees what was erased. Postgres would carry it over into the new files.
type HeldBackError struct{ By int64 }

func (e *HeldBackError) Error() string {
	return fmt.Sprintf("%d sessions or replicas still see what was erased, such as a backup that is being written", e.By)
}

// ErrRewriting means that another process is rewriting files.
var ErrRewriting = errors.New("store: another process is rewriting files")

// RewriteErased writes anew the files in which something of what was erased may remain, and completes and signs the receipts of
// those erasures. It returns how many. Cut off anywhere, it begins again the next time: written twice is as good. The error is a
// HeldBackError if it must wait, and ErrRewriting if another process is at it.
func (s *Store) RewriteErased(ctx context.Context) (receipts int, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return 0, fmt.Errorf("rewrite: %w", err)
	}
	defer conn.Release()
	r := rewriter{Store: s, conn: conn}
	if receipts, err = r.run(ctx); err != nil {
		return receipts, fmt.Errorf("rewrite: %w", err)
	}
	return receipts, nil
}

// rewriter is the maintenance at work, on a connection of its own.
type rewriter struct {
	*Store

	conn     *pgxpool.Conn
	erasures []int64
	tables   int64
	log      receipt.LogState
}

// at is called before each step with the step's name; tests stop the maintenance there.
func (r *rewriter) at(ctx context.Context, step string) error {
	if r.rewriteStep != nil {
		r.rewriteStep(step)
	}
	return ctx.Err()
}

func (r *rewriter) run(ctx context.Context) (receipts int, err error) {
	var mine bool
	if err := r.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, rewriteLock).Scan(&mine); err != nil {
		return 0, err
	}
	if !mine {
		return 0, ErrRewriting
	}
	defer func() {
		// On a broken connection the lock is gone anyway.
		_, failed := r.conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, rewriteLock)
		err = errors.Join(err, failed)
	}()
	rows, err := r.conn.Query(ctx, `SELECT id FROM erasures WHERE state = 'erased' ORDER BY id`)
	if err != nil {
		return 0, err
	}
	if r.erasures, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil || len(r.erasures) == 0 {
		return 0, err
	}
	for _, step := range []func(context.Context) error{r.awaitSnapshots, r.rewriteTables, r.rewriteStatistics, r.cutLog} {
		if err := step(ctx); err != nil {
			return 0, err
		}
	}
	for _, id := range r.erasures {
		if err := r.at(ctx, "receipt"); err != nil {
			return receipts, err
		}
		failed := r.complete(ctx, id)
		if failed == nil {
			receipts++
		}
		err = errors.Join(err, failed) // the others are not to wait for it
	}
	return receipts, err
}

// awaitSnapshots waits until nobody sees the database as it was before now.
func (r *rewriter) awaitSnapshots(ctx context.Context) error {
	if err := r.at(ctx, "snapshots"); err != nil {
		return err
	}
	var now string
	if err := r.conn.QueryRow(ctx, `SELECT pg_current_xact_id()::xid::text`).Scan(&now); err != nil {
		return err
	}
	for try := 1; ; try++ {
		var older int64
		err := r.conn.QueryRow(ctx, `
			SELECT count(*) FROM (
				SELECT backend_xmin FROM pg_stat_activity
				WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL) AND backend_type <> 'autovacuum worker'
				UNION ALL SELECT xmin FROM pg_replication_slots
				UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()) held (since)
			WHERE age(since) > age($1::text::xid)`, now).Scan(&older)
		if err != nil || older == 0 {
			return err
		}
		if try == snapshotTries {
			return &HeldBackError{By: older}
		}
		if err := pause(ctx, snapshotPause); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *rewriter) rewriteTables(ctx context.Context) (err error) {
	if _, err := r.conn.Exec(ctx, `SELECT set_config('lock_timeout', '`+rewriteWait+`', false)`); err != nil {
		return err
	}
	defer func() {
		_, failed := r.conn.Exec(context.WithoutCancel(ctx), `RESET lock_timeout`)
		err = errors.Join(err, failed)
	}()
	for _, table := range rewritings() {
		pieces, err := r.pieces(ctx, table)
		if err != nil {
			return err
		}
		for _, piece := range pieces {
			if err := r.at(ctx, piece); err != nil {
				return err
			}
			if err := r.rewrite(ctx, piece); err != nil {
				return fmt.Errorf("%s: %w", piece, err)
			}
		}
	}
	return nil
}

// pieces are what of a table is to be written anew: it itself, or the partitions in which erased items lay.
func (r *rewriter) pieces(ctx context.Context, t rewriting) ([]string, error) {
	where := `true`
	if t.by != "" {
		where = `EXISTS (SELECT FROM erasure_items e WHERE e.erasure_id = ANY($2) AND satisfies_hash_partition(p.parent, p.modulus, p.remainder, e.item_id))`
	}
	rows, err := r.conn.Query(ctx, `
		WITH p AS (
			SELECT c.oid::regclass::text AS name, i.inhparent AS parent,
				(regexp_match(pg_get_expr(c.relpartbound, c.oid), 'modulus (\d+)'))[1]::int AS modulus,
				(regexp_match(pg_get_expr(c.relpartbound, c.oid), 'remainder (\d+)'))[1]::int AS remainder
			FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass)
		SELECT name FROM p WHERE $2::bigint[] IS NOT NULL AND `+where+`
		UNION ALL SELECT $1::regclass::text WHERE NOT EXISTS (SELECT FROM p) ORDER BY 1`, t.table, r.erasures)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.table, err)
	}
	pieces, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.table, err)
	}
	return pieces, nil
}

// rewrite writes a table anew with its indexes and what is kept out of line, and gives way to others until it gets the lock.
func (r *rewriter) rewrite(ctx context.Context, piece string) error {
	for try := 1; ; try++ {
		_, err := r.conn.Exec(ctx, `VACUUM (FULL) `+piece)
		switch {
		case err == nil:
			r.tables++
			return nil
		case !timedOut(err) || try == rewriteTries:
			return err
		}
		if err := pause(ctx, rewritePause); err != nil {
			return err
		}
	}
}

// rewriteStatistics writes the planner's statistics anew. No texts are gathered any more; what was before this was so may still lie there.
func (r *rewriter) rewriteStatistics(ctx context.Context) error {
	if err := r.at(ctx, "statistics"); err != nil {
		return err
	}
	_, err := r.conn.Exec(ctx, `VACUUM (FULL) pg_statistic`)
	if lacksRight(err) {
		return nil
	}
	return err
}
