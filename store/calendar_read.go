package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/retention"
)

// SourceCalendar is what of one source goes when.
type SourceCalendar struct {
	SourceID int64
	Source   string
	Days     *int // its retention; nil for none
	Items    int
	Undated  int  // of them, without a date
	Held     int  // of them, with a date, and kept by a hold
	AllHeld  bool // a hold keeps the whole source
	// Losses are those that nothing holds, by week from the first on; Kept those that a hold keeps, by the week in
	// which they would go.
	Losses, Kept []retention.Loss
}

// CalendarFilter restricts a calendar; what is 0 or empty does not.
type CalendarFilter struct {
	Source  int64
	Project string // its short name
}

// calendarRow is how many items of a source go in a week: of all, and of those that are held.
type calendarRow struct {
	SourceID int64
	Source   string
	Days     *int
	Week     *time.Time
	Items    int
	Held     int
	AllHeld  bool
}

// heldCounts counts the items with a date that a hold on a group or on themselves keeps. Holds are few; what is counted
// is what they hold, never all items.
const heldCounts = `
	SELECT i.project_id, i.source_id, week_of(i.retain_until) AS week, count(*) AS n
	FROM (SELECT g.id FROM legal_holds h JOIN items g ON g.group_id = h.group_id WHERE h.lifted_at IS NULL
		UNION SELECT h.item_id FROM legal_holds h WHERE h.lifted_at IS NULL AND h.item_id IS NOT NULL) held
	JOIN items i ON i.id = held.id WHERE i.retain_until IS NOT NULL GROUP BY 1, 2, 3`

// Calendar returns what expires when, by source in the order of their names, of the projects that the actor sees. It
// reads counts that are kept beside the items, so it takes as long for a million of them as for a hundred.
func (s *Store) Calendar(ctx context.Context, actor Actor, f CalendarFilter) ([]SourceCalendar, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT c.source_id, o.name AS source, o.retention_days AS days, c.week, sum(c.n)::int AS items, coalesce(sum(h.n), 0)::int AS held,
			EXISTS (SELECT FROM legal_holds l WHERE l.source_id = c.source_id AND l.lifted_at IS NULL) AS all_held
		FROM (SELECT project_id, source_id, week, sum(change) AS n FROM retention_counts
			WHERE @source::bigint = 0 OR source_id = @source GROUP BY 1, 2, 3 HAVING sum(change) <> 0) c
		JOIN projects p ON p.id = c.project_id JOIN sources o ON o.id = c.source_id
		LEFT JOIN (`+heldCounts+`) h ON h.project_id = c.project_id AND h.source_id = c.source_id AND h.week = c.week
		WHERE (@project = '' OR p.slug = @project) AND `+sees+`
		GROUP BY c.source_id, o.id, c.week ORDER BY lower(o.name), c.source_id, c.week`,
		actor.args(pgx.NamedArgs{"source": f.Source, "project": f.Project}))
	if err != nil {
		return nil, fmt.Errorf("calendar: %w", err)
	}
	weeks, err := pgx.CollectRows(rows, pgx.RowToStructByName[calendarRow])
	if err != nil {
		return nil, fmt.Errorf("calendar: %w", err)
	}
	return calendarsOf(weeks), nil
}

// calendarsOf gathers rows that are in the order of their sources and weeks.
func calendarsOf(rows []calendarRow) (calendars []SourceCalendar) {
	for _, r := range rows {
		if n := len(calendars); n == 0 || calendars[n-1].SourceID != r.SourceID {
			calendars = append(calendars, SourceCalendar{SourceID: r.SourceID, Source: r.Source, Days: r.Days, AllHeld: r.AllHeld})
		}
		calendars[len(calendars)-1].add(r)
	}
	return calendars
}

func (c *SourceCalendar) add(r calendarRow) {
	c.Items += r.Items
	if r.Week == nil {
		c.Undated += r.Items
		return
	}
	if r.AllHeld {
		r.Held = r.Items
	}
	c.Held += r.Held
	if r.Held > 0 {
		c.Kept = append(c.Kept, retention.Loss{Week: *r.Week, Items: r.Held})
	}
	if r.Items > r.Held {
		c.Losses = append(c.Losses, retention.Loss{Week: *r.Week, Items: r.Items - r.Held})
	}
}

// Forecast is what becomes of a split of a version, or of one of its strata.
type Forecast struct {
	ID        int64
	VersionID int64
	Dataset   string
	Number    int
	Split     string
	Stratum   *int // nil for the whole split
	// Class, Source and Project (its short name) make up the stratum; nil where it is not by them. The class "" is that
	// of items without any box.
	Class, Source, Project *string
	SourceID               *int64
	Frozen, Items          int
	Held, Expiring         int // of Items
	Wanted                 int
	Margin                 float64
	Below, Wide            retention.Stand
	BelowWeek, WideWeek    *time.Time // in whose course it falls; nil unless it does
	Soonest                string     // as the order goes: a day, -infinity or infinity

	Losses  []retention.Loss  `db:"-"` // by week
	Batches []ForecastProject `db:"-"` // where more of the kind can be labeled
}

// ForecastProject is a project of a forecast's version, with the class of the forecast's stratum in it.
type ForecastProject struct {
	Slug, Name string
	ClassID    int64 // 0 where the stratum is not by class, or no model has predicted any
}

// ForecastFilter selects forecasts; what is 0 or empty does not restrict. Of a dataset that is named, every version is
// meant, else the newest of each.
type ForecastFilter struct {
	CalendarFilter

	Dataset string
	Test    bool       // test splits alone
	By      *time.Time // that go wrong before then
	// AfterSoonest and After are those of the last one that was seen, "" and 0 for the start.
	AfterSoonest string
	After        int64
	Limit        int
}

// newestFrozen is the condition that v is the newest frozen version of its dataset.
const newestFrozen = `v.number = (SELECT max(n.number) FROM dataset_versions n WHERE n.dataset_id = v.dataset_id AND n.state = 'frozen')`

const forecastColumns = `f.id, f.version_id, d.name AS dataset, v.number, f.split, f.stratum, t.class, o.name AS source, t.source_id, q.slug AS project,
	f.frozen, f.items, f.held, f.expiring, f.wanted, f.margin, f.below, f.wide, f.below_week, f.wide_week, f.soonest::text AS soonest`

const forecastTables = `version_forecasts f JOIN dataset_versions v ON v.id = f.version_id JOIN datasets d ON d.id = v.dataset_id
	LEFT JOIN dataset_version_strata t ON t.version_id = f.version_id AND t.split = f.split AND t.stratum = f.stratum
	LEFT JOIN sources o ON o.id = t.source_id LEFT JOIN projects q ON q.id = t.project_id`

// where is the SQL of the filter's conditions, and their arguments.
func (f ForecastFilter) where() (string, pgx.NamedArgs) {
	args := pgx.NamedArgs{
		"dataset": f.Dataset, "source": f.Source, "project": f.Project, "by": f.By, "soonest": f.AfterSoonest, "after": f.After, "limit": f.Limit,
	}
	where := []string{seesVersion}
	add := func(asked bool, condition string) {
		if asked {
			where = append(where, condition)
		}
	}
	add(f.Dataset != "", `d.name = @dataset`)
	add(f.Dataset == "", newestFrozen)
	add(f.Test, `f.split = 'test'`)
	add(f.By != nil, `f.soonest < @by`)
	add(f.AfterSoonest != "", `(f.soonest, f.id) > (@soonest::date, @after)`)
	add(f.Project != "", `EXISTS (SELECT FROM dataset_version_projects vp JOIN projects p ON p.id = vp.project_id WHERE vp.version_id = v.id AND p.slug = @project)`)
	add(f.Source != 0, `EXISTS (SELECT FROM version_weeks w WHERE w.version_id = f.version_id AND w.split = f.split
		AND (f.stratum IS NULL OR w.stratum = f.stratum) AND w.source_id = @source AND (w.week IS NOT NULL OR w.held))`)
	return strings.Join(where, " AND "), args
}

// Forecasts returns what becomes of the parts of dataset versions, those that go wrong first before the others.
func (s *Store) Forecasts(ctx context.Context, actor Actor, f ForecastFilter) ([]Forecast, error) {
	if err := actor.may(access.ReadRetention); err != nil {
		return nil, err
	}
	where, args := f.where()
	rows, err := s.pool.Query(ctx, `SELECT `+forecastColumns+` FROM `+forecastTables+` WHERE `+where+` ORDER BY f.soonest, f.id LIMIT @limit`, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("forecasts: %w", err)
	}
	forecasts, err := pgx.CollectRows(rows, pgx.RowToStructByName[Forecast])
	if err != nil {
		return nil, fmt.Errorf("forecasts: %w", err)
	}
	if err := s.loadLosses(ctx, forecasts); err != nil {
		return nil, err
	}
	return forecasts, s.loadProjects(ctx, forecasts)
}

// loadLosses reads when what goes.
func (s *Store) loadLosses(ctx context.Context, forecasts []Forecast) error {
	ids := make([]int64, len(forecasts))
	byID := make(map[int64]*Forecast, len(forecasts))
	for i := range forecasts {
		ids[i] = forecasts[i].ID
		byID[ids[i]] = &forecasts[i]
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT f.id, w.week, sum(w.items)::int FROM version_forecasts f
		JOIN version_weeks w ON w.version_id = f.version_id AND w.split = f.split AND (f.stratum IS NULL OR w.stratum = f.stratum)
		WHERE f.id = ANY($1) AND w.week IS NOT NULL GROUP BY f.id, w.week ORDER BY f.id, w.week`, ids)
	if err != nil {
		return fmt.Errorf("weeks of forecasts: %w", err)
	}
	var id int64
	var loss retention.Loss
	_, err = pgx.ForEachRow(rows, []any{&id, &loss.Week, &loss.Items}, func() error {
		byID[id].Losses = append(byID[id].Losses, loss)
		return nil
	})
	if err != nil {
		return fmt.Errorf("weeks of forecasts: %w", err)
	}
	return nil
}

// loadProjects reads in which projects more of the kind could be labeled.
func (s *Store) loadProjects(ctx context.Context, forecasts []Forecast) error {
	ids := make([]int64, len(forecasts))
	byID := make(map[int64]*Forecast, len(forecasts))
	for i := range forecasts {
		ids[i] = forecasts[i].ID
		byID[ids[i]] = &forecasts[i]
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT f.id, p.slug, p.name, CASE WHEN EXISTS (SELECT FROM prediction_boxes b WHERE b.class_id = c.id) THEN c.id ELSE 0 END FROM version_forecasts f
		LEFT JOIN dataset_version_strata t ON t.version_id = f.version_id AND t.split = f.split AND t.stratum = f.stratum
		JOIN dataset_version_projects vp ON vp.version_id = f.version_id AND (t.project_id IS NULL OR vp.project_id = t.project_id)
		JOIN projects p ON p.id = vp.project_id AND p.archived_at IS NULL
		LEFT JOIN classes c ON c.project_id = p.id AND lower(c.name) = lower(t.class)
		WHERE f.id = ANY($1) ORDER BY f.id, lower(p.name), p.id`, ids)
	if err != nil {
		return fmt.Errorf("projects of forecasts: %w", err)
	}
	var id int64
	var p ForecastProject
	_, err = pgx.ForEachRow(rows, []any{&id, &p.Slug, &p.Name, &p.ClassID}, func() error {
		byID[id].Batches = append(byID[id].Batches, p)
		return nil
	})
	if err != nil {
		return fmt.Errorf("projects of forecasts: %w", err)
	}
	return nil
}

// CalendarDay is what the database's clock says: calendars and expiry go by it.
type CalendarDay struct {
	Now  time.Time
	Busy bool // calendars of versions are being worked out
}

// CalendarDay returns the moment by which calendars go, and whether something of them is still on its way.
func (s *Store) CalendarDay(ctx context.Context) (day CalendarDay, err error) {
	err = s.pool.QueryRow(ctx, `SELECT now(), EXISTS (SELECT FROM stale_calendars)`).Scan(&day.Now, &day.Busy)
	if err != nil {
		return CalendarDay{}, fmt.Errorf("calendar day: %w", err)
	}
	return day, nil
}
