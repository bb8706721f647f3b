package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/retention"
)

// Limits are what a dataset promises of each part of its versions.
type Limits struct {
	// Margin is the half-width of the 95 % interval that a figure measured on a part may have, at most.
	Margin float64
	// LeastShare is the share of what was frozen that a part is to keep, where its recipe asks for no size itself.
	LeastShare float64
}

// DefaultLimits are those of a dataset for which nobody chose any.
func DefaultLimits() Limits { return Limits{Margin: 0.05, LeastShare: 0.9} }

// calendarPart is a split of a version, or a stratum of one, while its forecast is made.
type calendarPart struct {
	Split   string
	Stratum *int // nil for the whole split
	Frozen  int
	Wanted  int // that the recipe asks for; 0 for none
}

// calendarWeek is how many items of a stratum go in a week; none with a date that lies open.
type calendarWeek struct {
	Split   string
	Stratum int
	Week    *time.Time
	Held    bool
	Items   int
}

// calendarsAtOnce is how many versions one call of RefreshCalendars works out.
const calendarsAtOnce = 20

// RefreshCalendars works out the calendars of versions whose items' dates have changed, and returns how many it did;
// it does some at a time.
func (s *Store) RefreshCalendars(ctx context.Context) (versions int, err error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT version_id FROM stale_calendars ORDER BY version_id DESC LIMIT $1`, calendarsAtOnce)
	if err != nil {
		return 0, fmt.Errorf("refresh calendars: %w", err)
	}
	stale, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, fmt.Errorf("refresh calendars: %w", err)
	}
	for _, version := range stale {
		if err := s.inTx(ctx, func(tx pgx.Tx) error { return refreshCalendar(ctx, tx, version) }); err != nil {
			return versions, fmt.Errorf("calendar of version %d: %w", version, err)
		}
		versions++
	}
	return versions, nil
}

// refreshCalendar works out the calendar of one version. Doing it again comes to the same.
func refreshCalendar(ctx context.Context, tx pgx.Tx, version int64) error {
	// One at a time for each version.
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('calendar of version ' || $1::bigint, 0))`, version); err != nil {
		return err
	}
	// What is changed from here on leaves a row of its own behind.
	if _, err := tx.Exec(ctx, `DELETE FROM stale_calendars WHERE version_id = $1`, version); err != nil {
		return err
	}
	weeks, err := countWeeks(ctx, tx, version)
	if err != nil {
		return err
	}
	parts, limits, err := calendarParts(ctx, tx, version)
	if err != nil {
		return err
	}
	return writeForecasts(ctx, tx, version, parts, weeks, limits)
}

// heldItem is the condition that a hold keeps item i from going.
const heldItem = `(i.source_id IN (SELECT source_id FROM legal_holds WHERE lifted_at IS NULL AND source_id IS NOT NULL)
	OR i.id IN (SELECT item_id FROM legal_holds WHERE lifted_at IS NULL AND item_id IS NOT NULL)
	OR i.group_id IN (SELECT group_id FROM legal_holds WHERE lifted_at IS NULL AND group_id IS NOT NULL))`

// countWeeks counts the items of a version anew.
func countWeeks(ctx context.Context, tx pgx.Tx, version int64) ([]calendarWeek, error) {
	if _, err := tx.Exec(ctx, `DELETE FROM version_weeks WHERE version_id = $1`, version); err != nil {
		return nil, err
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO version_weeks (version_id, split, stratum, source_id, week, held, items)
		SELECT @version, split, stratum, source_id, CASE WHEN NOT held THEN week END, held, count(*)
		FROM (SELECT l.split, coalesce(l.stratum, 0) AS stratum, i.source_id, week_of(i.retain_until) AS week, coalesce(`+heldItem+`, false) AS held
			FROM dataset_lines l JOIN items i ON i.id = l.item_id WHERE l.version_id = @version) lines
		GROUP BY 2, 3, 4, 5, 6`, pgx.NamedArgs{"version": version})
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `
		SELECT split, stratum, week, held, sum(items)::int AS items FROM version_weeks WHERE version_id = $1
		GROUP BY split, stratum, week, held ORDER BY split, stratum, week`, version)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[calendarWeek])
}

// calendarParts are the splits of a version and, where its recipe has any, their strata, and what its dataset promises.
func calendarParts(ctx context.Context, tx pgx.Tx, version int64) (parts []calendarPart, limits Limits, err error) {
	defaults := DefaultLimits()
	err = tx.QueryRow(ctx, `
		SELECT coalesce(l.margin, $2), coalesce(l.least_share, $3)
		FROM dataset_versions v LEFT JOIN dataset_limits l ON l.dataset_id = v.dataset_id WHERE v.id = $1`,
		version, defaults.Margin, defaults.LeastShare).Scan(&limits.Margin, &limits.LeastShare)
	if err != nil {
		return nil, limits, notFound(err)
	}
	rows, err := tx.Query(ctx, `
		SELECT split, NULL::int AS stratum, items AS frozen, 0 AS wanted FROM dataset_version_counts WHERE version_id = $1 AND class_id IS NULL
		UNION ALL SELECT split, stratum, items, coalesce(wanted, 0) FROM dataset_version_strata
		WHERE version_id = $1 AND num_nonnulls(class, source_id, project_id, wanted) > 0
		ORDER BY split, stratum NULLS FIRST`, version)
	if err != nil {
		return nil, limits, err
	}
	parts, err = pgx.CollectRows(rows, pgx.RowToStructByName[calendarPart])
	return parts, limits, err
}

// stock is what a part has, and when how much of it goes.
func (p calendarPart) stock(weeks []calendarWeek, limits Limits) (stock retention.Stock, losses []retention.Loss, held int) {
	stock = retention.Stock{Frozen: p.Frozen, Wanted: p.Wanted, Limit: limits.Margin}
	if p.Wanted == 0 || p.Wanted > p.Frozen {
		stock.Wanted = int(math.Ceil(float64(p.Frozen) * limits.LeastShare))
	}
	for _, w := range weeks {
		if w.Split != p.Split || p.Stratum != nil && w.Stratum != *p.Stratum {
			continue
		}
		stock.Items += w.Items
		switch {
		case w.Held:
			held += w.Items
		case w.Week != nil:
			losses = append(losses, retention.Loss{Week: *w.Week, Items: w.Items})
		}
	}
	return stock, losses, held
}

// wantedOf sums up what the recipe asks for in the strata of a split: 0 unless it asks in all of them.
func wantedOf(split string, parts []calendarPart) (sum int) {
	for _, p := range parts {
		if p.Split == split && p.Stratum != nil {
			if p.Wanted == 0 || p.Wanted > p.Frozen {
				return 0
			}
			sum += p.Wanted
		}
	}
	return sum
}

func writeForecasts(ctx context.Context, tx pgx.Tx, version int64, parts []calendarPart, weeks []calendarWeek, limits Limits) error {
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM version_forecasts WHERE version_id = $1`, version)
	for _, p := range parts {
		if p.Stratum == nil {
			p.Wanted = wantedOf(p.Split, parts)
		}
		stock, losses, held := p.stock(weeks, limits)
		f := retention.Foretell(stock, losses)
		batch.Queue(`
			INSERT INTO version_forecasts (version_id, split, stratum, frozen, items, held, expiring, wanted, margin, below, below_week, wide, wide_week, soonest)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::date)`,
			version, p.Split, p.Stratum, p.Frozen, stock.Items, held, retention.Total(losses), stock.Wanted, limits.Margin,
			string(f.Below.Stand), weekOf(f.Below), string(f.Wide.Stand), weekOf(f.Wide), soonest(f))
	}
	return tx.SendBatch(ctx, batch).Close()
}

// weekOf is the week of a fall as it is kept; none of what does not fall.
func weekOf(f retention.Fall) *time.Time {
	if f.Stand != retention.Falls {
		return nil
	}
	return &f.Week
}

// soonest is when a forecast first goes wrong, as Postgres sorts it.
func soonest(f retention.Forecast) string {
	switch first := f.Soonest(); first.Stand {
	case retention.Fallen:
		return "-infinity"
	case retention.Falls:
		return first.Week.Format(time.DateOnly)
	case retention.Holds, retention.NeverHeld:
	}
	return "infinity"
}
