package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// datesBatch is how many items get another date in one transaction.
const datesBatch = 5_000

// MoveDates gives the items of a source the dates that its policy now asks for, in steps: whatever stopped it, running it again
// does the rest. A change that a later one superseded has nothing left to do.
func (s *Store) MoveDates(ctx context.Context, change int64) error {
	for {
		more, err := s.moveSome(ctx, change)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("dates of source change %d: %w", change, err)
		}
		if !more {
			return nil
		}
	}
}

// moveSome does one step, and says whether there is more.
func (s *Store) moveSome(ctx context.Context, change int64) (more bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// The source is locked before its change, as everybody does who changes both.
		var days *int
		var source, last int64
		err := tx.QueryRow(ctx, `
			SELECT s.id, s.retention_days FROM sources s
			WHERE s.id = (SELECT c.source_id FROM source_changes c WHERE c.id = $1) FOR SHARE`, change).Scan(&source, &days)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `SELECT last_item FROM source_changes WHERE id = $1 AND state = 'moving' FOR NO KEY UPDATE`, change).Scan(&last)
		if err != nil {
			return err
		}
		if last == 0 {
			if err := countForMoving(ctx, tx, change, source); err != nil {
				return err
			}
		}
		more, err = movePage(ctx, tx, change, source, last, days)
		return err
	})
	return more, err
}

func countForMoving(ctx context.Context, tx pgx.Tx, change, source int64) error {
	_, err := tx.Exec(ctx, `UPDATE source_changes SET items = (SELECT count(*) FROM items WHERE source_id = $2) WHERE id = $1 AND items IS NULL`, change, source)
	return err
}

func movePage(ctx context.Context, tx pgx.Tx, change, source, last int64, days *int) (more bool, err error) {
	var seen, moved int64
	err = tx.QueryRow(ctx, `
		WITH page AS MATERIALIZED (
			SELECT id FROM items WHERE source_id = $1 AND id > $2 ORDER BY id LIMIT $3
		), dated AS (
			UPDATE items i SET retain_until = item_retain_until(i.own_retain_until, i.captured_at, i.imported_at, CASE WHEN i.state <> 'redacted' THEN $4::int END)
			FROM page WHERE i.id = page.id
			  AND i.retain_until IS DISTINCT FROM item_retain_until(i.own_retain_until, i.captured_at, i.imported_at, CASE WHEN i.state <> 'redacted' THEN $4::int END)
			RETURNING i.id)
		SELECT (SELECT count(*) FROM page), coalesce((SELECT max(id) FROM page), $2), (SELECT count(*) FROM dated)`,
		source, last, datesBatch, days).Scan(&seen, &last, &moved)
	if err != nil {
		return false, err
	}
	more = seen == datesBatch
	_, err = tx.Exec(ctx, `
		UPDATE source_changes SET last_item = $2, done_items = done_items + $3, moved = moved + $4,
			state = CASE WHEN $5 THEN state ELSE 'done' END, finished_at = CASE WHEN $5 THEN NULL ELSE now() END
		WHERE id = $1`, change, last, seen, moved, more)
	return more, err
}

// DuePreview is what another retention would make due, and by when.
type DuePreview struct {
	Items   int64 // of the source
	AtOnce  int64 // due as soon as it is saved, and not due today
	Week    int64 // within a week after that, and so on; each without the ones before
	Month   int64
	Quarter int64
	Later   int64      // with a date beyond that
	First   *time.Time // the first date after today
	Last    *time.Time
	// Redactable is how many of Items have an approved redaction today, which a policy can let outlive the recording.
	Redactable int64
	Splits     []SplitLoss // the sides of dataset versions that lose items, test sets first
}

// SplitLoss is what one side of a dataset version loses.
type SplitLoss struct {
	Dataset string
	Version int
	Split   string
	Size    int   // when it was frozen
	AtOnce  int64 // of its items, due at once
	Month   int64 // due within 30 days, those included
	Dated   int64 // with any date
}

// PreviewRetention says what a retention of days, nil for none, would make due of a source. It reads all items of the source.
func (s *Store) PreviewRetention(ctx context.Context, actor Actor, source Source, days *int) (p DuePreview, err error) {
	if err := actor.may(access.ManageSources); err != nil {
		return p, err
	}
	err = s.pool.QueryRow(ctx, `
		SELECT count(*), count(*) FILTER (WHERE new <= now()), count(*) FILTER (WHERE new > now() AND new <= now() + interval '7 days'),
			count(*) FILTER (WHERE new > now() + interval '7 days' AND new <= now() + interval '30 days'),
			count(*) FILTER (WHERE new > now() + interval '30 days' AND new <= now() + interval '90 days'),
			count(*) FILTER (WHERE new > now() + interval '90 days'), min(new) FILTER (WHERE new > now()), max(new) FILTER (WHERE new > now())
		FROM (
			SELECT CASE WHEN i.retain_until <= now() THEN NULL ELSE item_retain_until(i.own_retain_until, i.captured_at, i.imported_at, CASE WHEN i.state <> 'redacted' THEN $2::int END) END AS new
			FROM items i WHERE i.source_id = $1) i`, source.ID, days).
		Scan(&p.Items, &p.AtOnce, &p.Week, &p.Month, &p.Quarter, &p.Later, &p.First, &p.Last)
	if err != nil {
		return p, fmt.Errorf("preview of source %d: %w", source.ID, err)
	}
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM items i WHERE i.source_id = $1 AND `+approvedRedaction, source.ID).Scan(&p.Redactable)
	if err != nil {
		return p, fmt.Errorf("redactions of source %d: %w", source.ID, err)
	}
	p.Splits, err = s.splitLosses(ctx, source.ID, days)
	return p, err
}

func (s *Store) splitLosses(ctx context.Context, source int64, days *int) ([]SplitLoss, error) {
	rows, err := s.pool.Query(ctx, `
		WITH lost AS MATERIALIZED (
			SELECT l.version_id, l.split, count(*) FILTER (WHERE i.new <= now()) AS at_once,
				count(*) FILTER (WHERE i.new <= now() + interval '30 days') AS month, count(i.new) AS dated
			FROM (
				SELECT i.id, item_retain_until(i.own_retain_until, i.captured_at, i.imported_at, CASE WHEN i.state <> 'redacted' THEN $2::int END) AS new
				FROM items i WHERE i.source_id = $1 AND (i.retain_until IS NULL OR i.retain_until > now())
			) i
			JOIN dataset_lines l ON l.item_id = i.id
			WHERE l.version_id = ANY (ARRAY(SELECT DISTINCT version_id FROM dataset_version_sources WHERE source_id = $1 AND erased < items))
			GROUP BY l.version_id, l.split)
		SELECT d.name AS dataset, v.number AS version, lost.split, coalesce(c.items, 0) AS size, lost.at_once, lost.month, lost.dated
		FROM lost JOIN dataset_versions v ON v.id = lost.version_id JOIN datasets d ON d.id = v.dataset_id
		LEFT JOIN dataset_version_counts c ON c.version_id = v.id AND c.split = lost.split AND c.class_id IS NULL
		WHERE lost.dated > 0
		ORDER BY lost.split <> 'test', lost.at_once DESC, d.name, v.number DESC, lost.split`, source, days)
	if err != nil {
		return nil, fmt.Errorf("test sets of source %d: %w", source, err)
	}
	losses, err := pgx.CollectRows(rows, pgx.RowToStructByName[SplitLoss])
	if err != nil {
		return nil, fmt.Errorf("test sets of source %d: %w", source, err)
	}
	return losses, nil
}
