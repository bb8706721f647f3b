package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"fiducial/internal/receipt"
)

// lacksRight reports whether err is that the account at the database may not do something.
func lacksRight(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == "42501" // insufficient_privilege
}

// logCuts is how often the log is cut off until no old segment is left: what is written meanwhile may keep one for a moment.
const logCuts = 5

// cutLog begins a new segment of the write-ahead log and has those before it removed, as far as this account may. What
// remains to the operator of an external server is noted for the receipts.
func (r *rewriter) cutLog(ctx context.Context) error {
	if err := r.at(ctx, "log"); err != nil {
		return err
	}
	var last string // segment of the log that may know
	err := r.conn.QueryRow(ctx, `SELECT pg_walfile_name(pg_switch_wal())`).Scan(&last)
	if lacksRight(err) {
		r.log = receipt.LogUntouched
		return nil
	}
	if err != nil {
		return fmt.Errorf("switch the log: %w", err)
	}
	for range logCuts {
		if err := r.at(ctx, "checkpoint"); err != nil {
			return err
		}
		if _, err := r.conn.Exec(ctx, `CHECKPOINT`); err != nil && !lacksRight(err) {
			return fmt.Errorf("checkpoint: %w", err)
		}
		if r.log, err = r.logState(ctx, last); err != nil || r.log != receipt.LogSwitched {
			return err
		}
	}
	return nil
}

// logState tells what became of the segments up to last.
func (r *rewriter) logState(ctx context.Context, last string) (receipt.LogState, error) {
	var archived, replicated, recycled bool
	err := r.conn.QueryRow(ctx, `
		SELECT current_setting('archive_mode') <> 'off', current_setting('wal_recycle') = 'on',
			EXISTS (SELECT FROM pg_replication_slots WHERE restart_lsn IS NOT NULL) OR EXISTS (SELECT FROM pg_stat_replication)`).Scan(&archived, &recycled, &replicated)
	switch {
	case err != nil:
		return "", fmt.Errorf("state of the log: %w", err)
	case archived:
		return receipt.LogArchived, nil
	case replicated:
		return receipt.LogReplicated, nil
	case recycled:
		return receipt.LogSwitched, nil
	}
	var left int64
	err = r.conn.QueryRow(ctx, `SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}' AND substr(name, 1, 24) <= $1`, last).Scan(&left)
	switch {
	case lacksRight(err):
		return receipt.LogSwitched, nil
	case err != nil:
		return "", fmt.Errorf("state of the log: %w", err)
	case left > 0:
		return receipt.LogSwitched, nil
	}
	return receipt.LogRemoved, nil
}

// complete writes the second part of an erasure's receipt and signs it.
func (r *rewriter) complete(ctx context.Context, id int64) error {
	err := r.inTx(ctx, func(tx pgx.Tx) error {
		var first string
		err := tx.QueryRow(ctx, `SELECT coalesce(receipt, '') FROM erasures WHERE id = $1 AND state = 'erased' FOR NO KEY UPDATE`, id).Scan(&first)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		paper, err := receipt.Parse([]byte(first))
		if err != nil {
			return err
		}
		if err := r.fill(ctx, tx, paper); err != nil {
			return err
		}
		canonical, err := paper.Canonical()
		if err != nil {
			return err
		}
		return r.file(ctx, tx, id, paper, canonical)
	})
	if err != nil {
		return fmt.Errorf("receipt of erasure %d: %w", id, err)
	}
	return nil
}

// fill notes what was done, and until when backups know.
func (r *rewriter) fill(ctx context.Context, tx pgx.Tx, paper *receipt.Receipt) error {
	rewritten := receipt.Rewritten{Tables: r.tables, Log: r.log, Objects: r.objects}
	paper.Rewritten, paper.Backups = &rewritten, &receipt.Backups{}
	var until *receipt.Day
	err := tx.QueryRow(ctx, `SELECT now()`).Scan(&rewritten.At.Time)
	if err != nil {
		return err
	}
	rewritten.At = receipt.At(rewritten.At.Time)
	known, err := knownBackups(ctx, tx, paper.Erased.Time)
	if err != nil {
		return err
	}
	if known.Until != nil {
		until = receipt.OnDay(*known.Until)
	}
	paper.Backups.Known, paper.Backups.Until = known.Count, until
	return nil
}

func (r *rewriter) file(ctx context.Context, tx pgx.Tx, id int64, paper *receipt.Receipt, canonical []byte) error {
	var signature []byte
	if !r.signer.IsZero() {
		signature = r.signer.Sign(canonical)
	}
	var until any
	if paper.Backups.Until != nil {
		until = paper.Backups.Until.Time
	}
	_, err := tx.Exec(ctx, `
		UPDATE erasures SET state = 'rewritten', rewritten_at = $2, backups_until = $3, receipt = $4, signature = $5 WHERE id = $1`,
		id, paper.Rewritten.At.Time, until, string(canonical), signature)
	if err != nil {
		return err
	}
	return audit(ctx, tx, System(), auditEvent{
		Action: "erasure.rewritten", ObjectType: "erasure", ObjectID: id, Detail: map[string]any{"tables": paper.Rewritten.Tables, "log": paper.Rewritten.Log},
	})
}

// SignReceipts signs what was written by a process that has no key, and returns how many that were.
func (s *Store) SignReceipts(ctx context.Context) (signed int, err error) {
	if s.signer.IsZero() {
		return 0, nil
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		//nolint:rowserrcheck // ForEachRow checks it
		rows, err := tx.Query(ctx, `SELECT id, receipt FROM erasures WHERE state = 'rewritten' AND signature IS NULL AND receipt IS NOT NULL FOR NO KEY UPDATE`)
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		var id int64
		var canonical string
		_, err = pgx.ForEachRow(rows, []any{&id, &canonical}, func() error {
			batch.Queue(`UPDATE erasures SET signature = $2 WHERE id = $1`, id, s.signer.Sign([]byte(canonical)))
			return nil
		})
		if err != nil {
			return err
		}
		signed = batch.Len()
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return 0, fmt.Errorf("sign receipts: %w", err)
	}
	return signed, nil
}
