package main

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/store"
)

// demoTime is how long the customer of the demo lets its data be kept.
const demoTime = 120

// limitTime gives the pictures last days, once they are frozen: a customer has just shortened its retention, and some coils of the
// mill itself go by an agreement of their own. So the calendar foretells when a test split gets too small.
func (f *demoFill) limitTime(ctx context.Context) error {
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE items SET captured_at = imported_at - (10 + id * 7919 % 50) * interval '1 day'`)
	batch.Queue(`
		UPDATE items i SET own_retain_until = now() + (9 + i.id * 7919 % 200) * interval '1 day'
		FROM groups g WHERE g.id = i.group_id AND g.name IN ('C-48211', 'C-48212', 'C-47990')`)
	batch.Queue(`
		UPDATE items i SET retain_until = item_retain_until(i.own_retain_until, i.captured_at, i.imported_at, s.retention_days)
		FROM sources s WHERE s.id = i.source_id`)
	if err := f.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	if err := f.shorten(ctx, "Aurum Cars", demoTime); err != nil {
		return err
	}
	// A dozen items do not show a recall within ±5 points, and nobody expects them to.
	if err := f.Store.SetLimits(ctx, f.admin(), "hot-strip-train", store.Limits{Margin: 0.3, LeastShare: 0.9}); err != nil {
		return err
	}
	return f.untilForetold(ctx)
}

// dateArrival puts what was imported before all that was done with it, by a day for each project as a whole. What it is kept for counts from
// the day that limitTime gave it, or from today.
func (f *demoFill) dateArrival(ctx context.Context) error {
	_, err := f.Pool.Exec(ctx, `
		WITH late AS (
			SELECT p.id, max(i.imported_at) - least(
				(SELECT min(a.claimed_at) FROM assignments a WHERE a.project_id = p.id), (SELECT min(b.created_at) FROM batches b WHERE b.project_id = p.id),
				(SELECT min(l.created_at) FROM plans l WHERE l.project_id = p.id), (SELECT min(r.created_at) FROM rounds r WHERE r.project_id = p.id)) AS by
			FROM projects p JOIN items i ON i.project_id = p.id GROUP BY p.id
		), moved AS (SELECT id, by + interval '1 day' AS by FROM late WHERE by > interval '0'),
		came AS (UPDATE items i SET imported_at = i.imported_at - w.by FROM moved w WHERE i.project_id = w.id),
		told AS (UPDATE imports m SET created_at = m.created_at - w.by, finished_at = m.finished_at - w.by FROM moved w WHERE m.project_id = w.id)
		UPDATE truths u SET created_at = u.created_at - w.by FROM imports m JOIN moved w ON w.id = m.project_id WHERE m.id = u.import_id`)
	return err
}

// shorten sets the retention of a source in the way everybody does, so that its history tells of it.
func (f *demoFill) shorten(ctx context.Context, name string, days int) error {
	sources, err := f.Store.Sources(ctx, f.admin())
	if err != nil {
		return err
	}
	for _, source := range sources {
		if source.Name == name {
			edit := store.SourceEdit{ID: source.ID, Name: source.Name, Policy: source.Policy, Version: source.Version, Confirmed: true}
			edit.RetentionDays = &days
			_, err := f.Store.UpdateSource(ctx, f.admin(), edit)
			return err
		}
	}
	return errors.New("there is no source " + name)
}

// untilForetold waits until the dates are moved and the jobs have worked the calendars out.
func (f *demoFill) untilForetold(ctx context.Context) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var moving bool
		if err := f.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM source_changes WHERE state = 'moving')`).Scan(&moving); err != nil {
			return err
		}
		if !moving {
			_, err := f.Store.RefreshCalendars(ctx)
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
