package handlers

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/retention"
	"fiducial/store"
)

// ExpiringQuery is what both lists of what expires take.
type ExpiringQuery struct {
	PageQuery

	Within  string `query:"within" default:"90d" pattern:"^[0-9]{1,5}d$" example:"90d" doc:"How far to look ahead, in days."`
	Source  string `query:"source" example:"Mill 2" doc:"Name of a source; missing for all."`
	Project string `query:"project" example:"steel" doc:"Short name of a project; missing for all."`
}

type expiringWeekJSON struct {
	Week   string `json:"week" format:"date" example:"2027-01-04" doc:"The Monday, in UTC. What is overdue stands under the present week."`
	Source string `json:"source" example:"Mill 2"`
	Items  int    `json:"items" example:"212" doc:"That expire in the week."`
	Held   int    `json:"held" example:"12" doc:"That would, but for a legal hold."`
}

type partsQuery struct {
	ExpiringQuery

	Dataset string `query:"dataset" example:"strip-test" doc:"Every version of this dataset; missing for the newest of each."`
	Split   string `query:"split" enum:"test" doc:"Test splits alone."`
}

type fallJSON struct {
	State string `json:"state" enum:"fallen,falls,holds,never_held" doc:"fallen: it held when the version was frozen. falls: not any more from the week on. never_held: not even then."`
	Week  string `json:"week,omitempty" format:"date" example:"2027-01-04" doc:"Of falls: in whose course it happens."`
}

type partJSON struct {
	Dataset  string   `json:"dataset" example:"strip-test"`
	Version  int      `json:"version" example:"14"`
	Split    string   `json:"split" enum:"training,validation,test"`
	Stratum  string   `json:"stratum,omitempty" example:"Scratch" doc:"Missing for the whole split."`
	Frozen   int      `json:"frozen" example:"412" doc:"Items when the version was frozen."`
	Items    int      `json:"items" example:"409" doc:"And now."`
	Held     int      `json:"held" example:"0" doc:"Of them, kept by a legal hold."`
	Wanted   int      `json:"wanted" example:"400" doc:"It is to have at least so many."`
	Then     int      `json:"then" example:"361" doc:"That will be left at the horizon."`
	Interval float64  `json:"interval" example:"0.0482" doc:"Half-width of the 95 % Wilson interval of a share of one half on the items there are now."`
	Limit    float64  `json:"interval_limit" example:"0.05"`
	Size     fallJSON `json:"size" doc:"Whether, and when, it gets smaller than wanted."`
	Width    fallJSON `json:"width" doc:"Whether, and when, the interval passes its limit."`
}

type limitsJSON struct {
	Margin     float64 `json:"interval_limit" minimum:"0.001" maximum:"0.5" example:"0.05" doc:"Half-width of the interval that a figure of a part may have, at most."`
	LeastShare float64 `json:"least_share" minimum:"0" maximum:"1" example:"0.9" doc:"Share of what was frozen that a part is to keep, where its recipe asks for no size."`
}

type limitsInput struct {
	Dataset string `path:"dataset" example:"strip-test"`
	Body    limitsJSON
}

type limitsOutput struct{ Body limitsJSON }

func (s *Server) calendarOperations(a api) {
	tags := []string{"Retention"}
	operation(a, access.ReadRetention, huma.Operation{
		OperationID: "list-expiring", Method: http.MethodGet, Path: "/expiring", Tags: tags, Summary: "What expires when, by week and source",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiExpiring)
	operation(a, access.ReadRetention, huma.Operation{
		OperationID: "list-expiring-parts", Method: http.MethodGet, Path: "/expiring/parts", Tags: tags,
		Summary: "Which splits and strata of dataset versions get too small, what goes wrong first before the others",
		Errors:  []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiExpiringParts)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "get-dataset-limits", Method: http.MethodGet, Path: "/datasets/{dataset}/limits", Tags: tags, Summary: "What the parts of a dataset are to keep",
		Errors: []int{http.StatusNotFound},
	}, s.apiLimits)
	operation(a, access.EditDatasets, huma.Operation{
		OperationID: "set-dataset-limits", Method: http.MethodPut, Path: "/datasets/{dataset}/limits", Tags: tags, Summary: "Say what the parts of a dataset are to keep",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiSetLimits)
}

// askedByAPI reads the query of a list of what expires.
func (s *Server) askedByAPI(ctx context.Context, actor store.Actor, q ExpiringQuery) (a askedCalendar, err error) {
	days, err := strconv.Atoi(strings.TrimSuffix(q.Within, "d"))
	if err != nil || days < 1 || days > 36_500 {
		return a, &store.InvalidError{Reason: "Look ahead between 1d and 36500d."}
	}
	day, err := s.Store.CalendarDay(ctx)
	if err != nil {
		return a, err
	}
	a.now, a.first = day.Now, retention.WeekOf(day.Now)
	a.weeks = retention.WeeksAfter(a.first, retention.WeekOf(day.Now.AddDate(0, 0, days))) + 1
	a.filter.Project = q.Project
	if q.Source == "" {
		return a, nil
	}
	sources, err := s.Store.Sources(ctx, actor)
	if err != nil {
		return a, err
	}
	at := slices.IndexFunc(sources, func(source store.Source) bool { return source.Name == q.Source })
	if at < 0 {
		return a, fmt.Errorf("source %s: %w", q.Source, store.ErrNotFound)
	}
	a.filter.Source = sources[at].ID
	return a, nil
}

// query is what leads to the next page.
func (q ExpiringQuery) query() url.Values {
	next := url.Values{"within": {q.Within}}
	for name, value := range map[string]string{"source": q.Source, "project": q.Project} {
		if value != "" {
			next.Set(name, value)
		}
	}
	return next
}

func (s *Server) apiExpiring(ctx context.Context, actor store.Actor, in *ExpiringQuery) (*listing[expiringWeekJSON], error) {
	a, err := s.askedByAPI(ctx, actor, *in)
	if err != nil {
		return nil, err
	}
	calendars, err := s.Store.Calendar(ctx, actor, a.filter.CalendarFilter)
	if err != nil {
		return nil, err
	}
	var rows []expiringWeekJSON
	for _, week := range calendarTable(a, calendars) {
		rows = append(rows, expiringWeekJSON{week.Week.Format(time.DateOnly), week.Source, week.Items, week.Held})
	}
	place := func(row expiringWeekJSON) string { return row.Week + "_" + row.Source }
	slices.SortFunc(rows, func(x, y expiringWeekJSON) int { return cmp.Compare(place(x), place(y)) })
	from := slices.IndexFunc(rows, func(row expiringWeekJSON) bool { return place(row) > in.After })
	if from < 0 {
		from = len(rows)
	}
	return pageOf("/expiring", in.query(), in.Limit, rows[from:], place), nil
}

func (s *Server) apiExpiringParts(ctx context.Context, actor store.Actor, in *partsQuery) (*listing[partJSON], error) {
	a, err := s.askedByAPI(ctx, actor, in.ExpiringQuery)
	if err != nil {
		return nil, err
	}
	a.filter.Dataset, a.filter.Test, a.filter.Limit = in.Dataset, in.Split == "test", in.Limit+1
	a.filter.AfterSoonest, a.filter.After = placeOfPart(in.After)
	forecasts, err := s.Store.Forecasts(ctx, actor, a.filter)
	if err != nil {
		return nil, err
	}
	query := in.query()
	for name, value := range map[string]string{"dataset": in.Dataset, "split": in.Split} {
		if value != "" {
			query.Set(name, value)
		}
	}
	page := pageOf("/expiring/parts", query, in.Limit, forecasts, partPlace)
	out := &listing[partJSON]{}
	out.Body.Next, out.Body.Data = page.Body.Next, make([]partJSON, 0, len(page.Body.Data))
	for _, f := range page.Body.Data {
		out.Body.Data = append(out.Body.Data, a.partAsJSON(f))
	}
	return out, nil
}

func (a askedCalendar) partAsJSON(f store.Forecast) partJSON {
	left := retention.Remaining(f.Items, f.Losses, a.first, a.weeks)
	return partJSON{
		Dataset: f.Dataset, Version: f.Number, Split: f.Split, Stratum: stratumWords(f), Frozen: f.Frozen, Items: f.Items, Held: f.Held, Wanted: f.Wanted,
		Then: left[len(left)-1], Interval: retention.HalfWidth(f.Items), Limit: f.Margin,
		Size: fallJSON{string(f.Below), dayText(f.BelowWeek)}, Width: fallJSON{string(f.Wide), dayText(f.WideWeek)},
	}
}

func (s *Server) apiLimits(ctx context.Context, actor store.Actor, in *datasetInput) (*limitsOutput, error) {
	limits, err := s.Store.Limits(ctx, actor, in.Dataset)
	if err != nil {
		return nil, err
	}
	return &limitsOutput{limitsJSON{limits.Margin, limits.LeastShare}}, nil
}

func (s *Server) apiSetLimits(ctx context.Context, actor store.Actor, in *limitsInput) (*limitsOutput, error) {
	if err := s.Store.SetLimits(ctx, actor, in.Dataset, store.Limits{Margin: in.Body.Margin, LeastShare: in.Body.LeastShare}); err != nil {
		return nil, err
	}
	return &limitsOutput{in.Body}, nil
}
