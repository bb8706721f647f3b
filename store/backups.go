package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Backup is one that was made of this installation, and until when its file is to be kept.
type Backup struct {
	ID        int64
	MadeAt    time.Time
	KeepUntil time.Time // a day
	State     string    // writing, made, failed or deleted
	Bytes     int64     // of its objects
	Due       bool      // the file is to be deleted
}

// BeginBackup notes that a backup is being made, before its snapshot is taken: whatever is erased later is in it.
func (s *Store) BeginBackup(ctx context.Context, keepDays int) (id int64, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `INSERT INTO backups (keep_until) VALUES ((now() AT TIME ZONE 'UTC')::date + $1::int) RETURNING id`, keepDays).Scan(&id)
		if err != nil {
			return err
		}
		return audit(ctx, tx, System(), auditEvent{Action: "backup.make", ObjectType: "backup", ObjectID: id, Detail: map[string]any{"keep_days": keepDays}})
	})
	if err != nil {
		return 0, fmt.Errorf("note a backup: %w", err)
	}
	return id, nil
}

// EndBackup notes what became of it.
func (s *Store) EndBackup(ctx context.Context, id, bytes int64, made bool) error {
	_, err := s.pool.Exec(ctx, `UPDATE backups SET state = CASE WHEN $3 THEN 'made' ELSE 'failed' END, bytes = $2 WHERE id = $1`, id, bytes, made)
	if err != nil {
		return fmt.Errorf("note backup %d: %w", id, err)
	}
	return nil
}

// DropBackup notes that the file of a backup was deleted, before its day or on it. It returns ErrNotFound if there is no such backup.
func (s *Store) DropBackup(ctx context.Context, id int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE backups SET state = 'deleted' WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotFound
		}
		return audit(ctx, tx, System(), auditEvent{Action: "backup.delete", ObjectType: "backup", ObjectID: id})
	})
	if err != nil {
		return fmt.Errorf("backup %d: %w", id, err)
	}
	return nil
}

// KeptBackups returns the backups whose files are said to be there, oldest first.
func (s *Store) KeptBackups(ctx context.Context) ([]Backup, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT id, made_at, keep_until, state, bytes, keep_until < (now() AT TIME ZONE 'UTC')::date AS due
		FROM backups WHERE state IN ('writing', 'made') ORDER BY made_at, id`)
	if err != nil {
		return nil, fmt.Errorf("backups: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Backup])
	if err != nil {
		return nil, fmt.Errorf("backups: %w", err)
	}
	return all, nil
}

// backupsThatKnow is how many backups may hold what was erased at a time, and the day on which the last of them goes.
type backupsThatKnow struct {
	Count int64
	Until *time.Time
}

// knownBackups finds the backups that were begun before a time and are not known to be deleted. One that is past its day
// counts: nobody has said that its file is gone.
func knownBackups(ctx context.Context, q querier, before time.Time) (known backupsThatKnow, err error) {
	err = q.QueryRow(ctx, `
		SELECT count(*), max(greatest(keep_until, (now() AT TIME ZONE 'UTC')::date)) FROM backups WHERE state IN ('writing', 'made') AND made_at <= $1`,
		before.Add(time.Second)).Scan(&known.Count, &known.Until)
	if err != nil {
		return known, fmt.Errorf("backups that know: %w", err)
	}
	return known, nil
}
