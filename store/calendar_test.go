package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/access"
	"fiducial/internal/retention"
	"fiducial/store"
)

// thisWeek is the week that it is by the database's clock.
func thisWeek(t *testing.T, st *store.Store) time.Time {
	t.Helper()
	day, err := st.CalendarDay(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return retention.WeekOf(day.Now)
}

// inWeek is a moment on the Wednesday of the week that is so many weeks after the present one.
func inWeek(n int) string {
	return fmt.Sprintf(`((date_trunc('week', now() AT TIME ZONE 'UTC') + interval '%d days') AT TIME ZONE 'UTC')`, 7*n+2)
}

// refreshed works out every calendar that is stale.
func refreshed(t *testing.T, st *store.Store) {
	t.Helper()
	for n := 1; n > 0; {
		var err error
		if n, err = st.RefreshCalendars(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func calendarOf(t *testing.T, st *store.Store, f store.CalendarFilter) []store.SourceCalendar {
	t.Helper()
	calendars, err := st.Calendar(t.Context(), store.System(), f)
	if err != nil {
		t.Fatal(err)
	}
	return calendars
}

// TestCalendarFollowsItems: whatever happens to items, the counts say what a count of the items would say.
func TestCalendarFollowsItems(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 60)
	week := thisWeek(t, st)
	exec(t, pool, `UPDATE items SET retain_until = `+inWeek(2)+` WHERE id <= 20`)
	exec(t, pool, `UPDATE items SET retain_until = `+inWeek(5)+` WHERE id BETWEEN 11 AND 15`)
	exec(t, pool, `UPDATE items SET state = 'processing' WHERE id = 30`)
	exec(t, pool, `UPDATE items SET retain_until = NULL WHERE id = 1`)
	want := []store.SourceCalendar{{
		SourceID: 1, Source: "stock", Items: 60, Undated: 41,
		Losses: []retention.Loss{{Week: week.AddDate(0, 0, 14), Items: 14}, {Week: week.AddDate(0, 0, 35), Items: 5}},
	}}
	if diff := cmp.Diff(want, calendarOf(t, st, store.CalendarFilter{})); diff != "" {
		t.Error(diff)
	}
	if err := st.SumCounts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, calendarOf(t, st, store.CalendarFilter{Project: "strip", Source: 1})); diff != "" {
		t.Error("summed up:", diff)
	}
	if got := calendarOf(t, st, store.CalendarFilter{Project: "other"}); got != nil {
		t.Errorf("of a project that is not there: %+v", got)
	}
	exec(t, pool, `DELETE FROM truth_boxes WHERE truth_id IN (SELECT id FROM truths WHERE item_id = 2)`)
	for _, table := range []string{"truths", "tasks", "assets", "item_salts", "item_texts"} {
		exec(t, pool, `DELETE FROM `+table+` WHERE item_id = 2`)
	}
	exec(t, pool, `DELETE FROM items WHERE id = 2`)
	want[0].Items, want[0].Losses[0].Items = 59, 13
	if diff := cmp.Diff(want, calendarOf(t, st, store.CalendarFilter{})); diff != "" {
		t.Error("without an item:", diff)
	}
}

// TestCalendarMarksHolds: what a hold keeps is counted apart.
func TestCalendarMarksHolds(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 40)
	week := thisWeek(t, st)
	exec(t, pool, `UPDATE items SET retain_until = `+inWeek(3)+` WHERE id <= 10`)
	exec(t, pool, `INSERT INTO groups (source_id, name) VALUES (1, 'coil 7')`)
	exec(t, pool, `UPDATE items SET group_id = 1 WHERE id BETWEEN 1 AND 4`)
	exec(t, pool, `INSERT INTO legal_holds (item_id, reason) VALUES (4, 'a complaint'), (5, 'a complaint'), (40, 'no date')`)
	exec(t, pool, `INSERT INTO legal_holds (group_id, reason) VALUES (1, 'a dispute')`)
	third := week.AddDate(0, 0, 21)
	want := []store.SourceCalendar{{
		SourceID: 1, Source: "stock", Items: 40, Undated: 30, Held: 5, Losses: []retention.Loss{{Week: third, Items: 5}}, Kept: []retention.Loss{{Week: third, Items: 5}},
	}}
	if diff := cmp.Diff(want, calendarOf(t, st, store.CalendarFilter{})); diff != "" {
		t.Error(diff)
	}
	exec(t, pool, `INSERT INTO legal_holds (source_id, reason) VALUES (1, 'a lawsuit')`)
	want[0].Held, want[0].AllHeld, want[0].Losses, want[0].Kept = 10, true, nil, []retention.Loss{{Week: third, Items: 10}}
	if diff := cmp.Diff(want, calendarOf(t, st, store.CalendarFilter{})); diff != "" {
		t.Error("the whole source:", diff)
	}
}

// forecastOf is that of one whole split of the newest version of each dataset.
func forecastOf(t *testing.T, st *store.Store, split string) store.Forecast {
	t.Helper()
	refreshed(t, st)
	forecasts, err := st.Forecasts(t.Context(), store.System(), store.ForecastFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(forecasts, func(f store.Forecast) bool { return f.Split == split && f.Stratum == nil })
	if at < 0 {
		t.Fatalf("no forecast of %s in %+v", split, forecasts)
	}
	return forecasts[at]
}

// due gives the first n items of a split of the version a date in a week.
func due(t *testing.T, pool *pgxpool.Pool, version int64, split string, n, week int) {
	t.Helper()
	exec(t, pool, `UPDATE items SET retain_until = `+inWeek(week)+` WHERE id IN (
		SELECT item_id FROM dataset_lines WHERE version_id = $1 AND split = $2 ORDER BY position LIMIT $3)`, version, split, n)
}

// TestForecastFollowsDatesHoldsAndErasures goes through what can move the week in which a test split gets too small.
func TestForecastFollowsDatesHoldsAndErasures(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 400)
	week := thisWeek(t, st)
	version := frozen(t, st, "strip-test", recipeOf("strip"))
	f := forecastOf(t, st, "test")
	if f.Items != f.Frozen || f.Below != retention.Holds || f.Wide != retention.NeverHeld || f.Soonest != "infinity" || len(f.Batches) != 1 || f.Batches[0].Slug != "strip" {
		t.Fatalf("nothing expires: %+v", f)
	}
	spare := f.Frozen - f.Wanted
	due(t, pool, version.ID, "test", spare, 4)
	if f = forecastOf(t, st, "test"); f.Below != retention.Holds || f.Expiring != spare {
		t.Fatalf("just enough stay: %+v", f)
	}
	due(t, pool, version.ID, "test", spare+1, 6)
	if f = forecastOf(t, st, "test"); f.Below != retention.Falls || !f.BelowWeek.Equal(week.AddDate(0, 0, 42)) || f.Soonest != f.BelowWeek.Format(time.DateOnly) {
		t.Fatalf("one too many goes: %+v", f)
	}
	if diff := cmp.Diff([]retention.Loss{{Week: week.AddDate(0, 0, 42), Items: spare + 1}}, f.Losses); diff != "" {
		t.Error(diff)
	}
	exec(t, pool, `INSERT INTO legal_holds (item_id, reason) SELECT item_id, 'a complaint' FROM dataset_lines WHERE version_id = $1 AND split = 'test' ORDER BY position LIMIT 1`, version.ID)
	if f = forecastOf(t, st, "test"); f.Below != retention.Holds || f.Held != 1 || f.Expiring != spare {
		t.Fatalf("one of them is held: %+v", f)
	}
	exec(t, pool, `UPDATE legal_holds SET lifted_at = now()`)
	if f = forecastOf(t, st, "test"); f.Below != retention.Falls || f.Held != 0 {
		t.Fatalf("it is held no more: %+v", f)
	}
	exec(t, pool, `UPDATE dataset_lines SET item_id = NULL, truth_id = NULL, split = NULL, media = NULL, width = NULL, height = NULL, stratum = NULL
		WHERE version_id = $1 AND item_id IN (SELECT item_id FROM dataset_lines WHERE version_id = $1 AND split = 'test' ORDER BY position LIMIT $2)`, version.ID, spare+1)
	if f = forecastOf(t, st, "test"); f.Below != retention.Fallen || f.Items != f.Wanted-1 || f.Soonest != "-infinity" {
		t.Fatalf("they were erased: %+v", f)
	}
}

// TestForecastKeepsToTheLimitsOfItsDataset: what a dataset promises can be changed.
func TestForecastKeepsToTheLimitsOfItsDataset(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 400)
	version := frozen(t, st, "strip-test", recipeOf("strip"))
	due(t, pool, version.ID, "test", 10, 4)
	frozenItems := forecastOf(t, st, "test").Frozen
	limits := store.Limits{Margin: retention.HalfWidth(frozenItems - 5), LeastShare: 0.5}
	if err := st.SetLimits(t.Context(), store.System(), "strip-test", limits); err != nil {
		t.Fatal(err)
	}
	if f := forecastOf(t, st, "test"); f.Below != retention.Holds || f.Wide != retention.Falls || f.WideWeek == nil {
		t.Errorf("%+v", f)
	}
	if got, err := st.Limits(t.Context(), store.System(), "strip-test"); err != nil || got != limits {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []store.Limits{{Margin: 0, LeastShare: 0.5}, {Margin: 0.6, LeastShare: 0.5}, {Margin: 0.1, LeastShare: 1.1}, {Margin: 0.1, LeastShare: -0.1}} {
		if err := st.SetLimits(t.Context(), store.System(), "strip-test", bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// TestForecastsAreOfWhatOneSees: of projects that somebody sees, and of each dataset the newest version unless it is named.
func TestForecastsAreOfWhatOneSees(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 60)
	first := frozen(t, st, "strip-test", recipeOf("strip"))
	frozen(t, st, "strip-test", recipeOf("strip"))
	refreshed(t, st)
	exec(t, pool, `INSERT INTO people (role, pseudonym) VALUES ('viewer', 'stranger')`)
	for _, tt := range []struct {
		name   string
		actor  store.Actor
		filter store.ForecastFilter
		want   int
	}{
		{"the newest", store.System(), store.ForecastFilter{}, 3},
		{"its test split", store.System(), store.ForecastFilter{Test: true}, 1},
		{"every version", store.System(), store.ForecastFilter{Dataset: first.Dataset}, 6},
		{"a stranger", store.Actor{PersonID: 1, Role: access.Viewer}, store.ForecastFilter{}, 0},
		{"of another project", store.System(), store.ForecastFilter{CalendarFilter: store.CalendarFilter{Project: "other"}}, 0},
		{"of a source of which nothing goes", store.System(), store.ForecastFilter{CalendarFilter: store.CalendarFilter{Source: 1}}, 0},
	} {
		tt.filter.Limit = 100
		if got, err := st.Forecasts(t.Context(), tt.actor, tt.filter); err != nil || len(got) != tt.want {
			t.Errorf("%s: %d forecasts, %v, want %d", tt.name, len(got), err, tt.want)
		}
	}
	page, err := st.Forecasts(t.Context(), store.System(), store.ForecastFilter{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	last := page[1]
	rest, err := st.Forecasts(t.Context(), store.System(), store.ForecastFilter{Limit: 2, AfterSoonest: last.Soonest, After: last.ID})
	if err != nil || len(rest) != 1 || rest[0].ID == last.ID || rest[0].ID == page[0].ID {
		t.Errorf("after the first page: %+v, %v", rest, err)
	}
}

// TestCalendarIsRightWhateverHappensAtOnce changes dates while calendars are worked out, and compares with a count of the lines.
func TestCalendarIsRightWhateverHappensAtOnce(t *testing.T) {
	t.Parallel()
	st, pool := stocked(t, 120)
	version := frozen(t, st, "strip-test", recipeOf("strip"))
	var workers sync.WaitGroup
	for worker := range 3 {
		workers.Go(func() {
			for n := range 10 {
				if _, err := pool.Exec(context.Background(), `UPDATE items SET retain_until = `+inWeek(n+worker)+` WHERE id % 3 = $1`, worker); err != nil {
					t.Error(err)
				}
				if _, err := st.RefreshCalendars(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	refreshed(t, st)
	var wrong int
	err := pool.QueryRow(t.Context(), `
		SELECT count(*) FROM (
			SELECT l.split, week_of(i.retain_until) AS week, count(*) AS n FROM dataset_lines l JOIN items i ON i.id = l.item_id WHERE l.version_id = $1 GROUP BY 1, 2) counted
		FULL JOIN (SELECT split, week, sum(items) AS n FROM version_weeks WHERE version_id = $1 GROUP BY 1, 2) kept USING (split, week)
		WHERE counted.n IS DISTINCT FROM kept.n`, version.ID).Scan(&wrong)
	if err != nil || wrong > 0 {
		t.Errorf("%d weeks of the version are wrong, %v", wrong, err)
	}
	err = pool.QueryRow(t.Context(), `
		SELECT count(*) FROM (SELECT week_of(retain_until) AS week, count(*) AS n FROM items GROUP BY 1) counted
		FULL JOIN (SELECT week, sum(change) AS n FROM retention_counts GROUP BY 1 HAVING sum(change) <> 0) kept USING (week)
		WHERE counted.n IS DISTINCT FROM kept.n`).Scan(&wrong)
	if err != nil || wrong > 0 {
		t.Errorf("%d weeks of the source are wrong, %v", wrong, err)
	}
}
