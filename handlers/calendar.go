package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/internal/retention"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	partsOnPage    = 50
	expiriesOnPage = 10
	partsInFile    = 100_000
)

// horizons are how far the calendar can look ahead, in weeks; the first is what is shown unasked.
var horizons = []struct {
	value, label string
	weeks        int
}{{"1y", "1 year", 53}, {"180d", "180 days", 26}, {"90d", "90 days", 13}}

func (s *Server) calendarRoutes(r router) {
	r.get(retentionPath, access.ReadRetention, s.showCalendar)
	r.get(retentionPath+"/calendar.csv", access.ReadRetention, s.calendarCSV)
	r.get(retentionPath+"/parts.csv", access.ReadRetention, s.partsCSV)
	r.post(datasetsPath+"/{dataset}/limits", access.EditDatasets, s.setLimits)
}

// askedCalendar is what of the calendar is asked for.
type askedCalendar struct {
	filter  store.ForecastFilter
	horizon string
	now     time.Time // by the database's clock
	busy    bool
	first   time.Time // the week that it is
	weeks   int
}

// askedFor reads the query; what names nothing asks for nothing.
func (s *Server) askedFor(r *http.Request) (a askedCalendar, err error) {
	query := r.URL.Query()
	a.filter.Project, a.filter.Dataset, a.filter.Test = query.Get("project"), query.Get("dataset"), query.Get("split") == "test"
	a.filter.Source, _ = strconv.ParseInt(query.Get("source"), 10, 64)
	a.horizon, a.weeks = horizons[0].value, horizons[0].weeks
	for _, h := range horizons {
		if h.value == query.Get("within") {
			a.horizon, a.weeks = h.value, h.weeks
		}
	}
	day, err := s.Store.CalendarDay(r.Context())
	a.now, a.busy, a.first = day.Now, day.Busy, retention.WeekOf(day.Now)
	return a, err
}

func (a askedCalendar) week(n int) time.Time { return a.first.AddDate(0, 0, 7*n) }

// place is the column of a week: 0 for what is overdue too, a.weeks and more for what lies beyond.
func (a askedCalendar) place(week time.Time) int { return max(0, retention.WeeksAfter(a.first, week)) }

func (s *Server) showCalendar(w http.ResponseWriter, r *http.Request) error {
	return s.renderCalendar(w, r, http.StatusOK, r.URL.Query().Get("dataset"), nil)
}

// renderCalendar shows the calendar; typed are the limits of the dataset that were refused, nil for none.
func (s *Server) renderCalendar(w http.ResponseWriter, r *http.Request, status int, dataset string, typed *web.LimitsView) error {
	a, err := s.askedFor(r)
	if err != nil {
		return err
	}
	a.filter.Dataset = dataset
	v := web.CalendarView{Tabs: retentionTabs(r, retentionPath), Busy: a.busy}
	if err := s.calendarForm(r, a, &v); err != nil {
		return err
	}
	calendars, err := s.Store.Calendar(r.Context(), actorOf(r), a.filter.CalendarFilter)
	if err != nil {
		return err
	}
	fillCalendar(&v, a, calendars)
	if err := s.fillParts(r, a, &v); err != nil {
		return err
	}
	if err := s.fillExpiries(r, &v); err != nil {
		return err
	}
	if dataset != "" && actorOf(r).Allowed(access.EditDatasets) {
		if v.Limits, err = s.limitsView(r, dataset, typed); err != nil {
			return err
		}
	}
	return render(w, r, status, web.CalendarPage(s.page(r, "What expires when", retentionCrumb, ui.Crumb{Label: "Calendar"}), v))
}

// calendarForm fills in what can be asked for, and what was.
func (s *Server) calendarForm(r *http.Request, a askedCalendar, v *web.CalendarView) error {
	query := r.URL.Query()
	v.Source, v.Project, v.Dataset, v.Split = query.Get("source"), a.filter.Project, a.filter.Dataset, query.Get("split")
	v.Within = a.horizon
	v.CSV, v.PartsCSV = with(retentionPath+"/calendar.csv", query), with(retentionPath+"/parts.csv", query)
	for _, h := range horizons {
		v.Horizons = append(v.Horizons, ui.Option{Value: h.value, Label: h.label})
	}
	sources, err := s.Store.Sources(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	v.Sources = []ui.Option{{Label: "All"}}
	for _, source := range sources {
		v.Sources = append(v.Sources, ui.Option{Value: strconv.FormatInt(source.ID, 10), Label: source.Name})
	}
	projects, err := s.Store.Projects(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	v.Projects = []ui.Option{{Label: "All"}}
	for _, p := range projects {
		v.Projects = append(v.Projects, ui.Option{Value: p.Slug, Label: p.Name})
	}
	datasets, err := s.Store.Datasets(r.Context(), actorOf(r), "", 1000)
	if err != nil {
		return err
	}
	v.Datasets = []ui.Option{{Label: "The newest of each"}}
	for _, d := range datasets {
		v.Datasets = append(v.Datasets, ui.Option{Value: d.Dataset, Label: "Every version of " + d.Dataset})
	}
	return nil
}

func (s *Server) fillParts(r *http.Request, a askedCalendar, v *web.CalendarView) error {
	filter := a.filter
	filter.Limit = partsOnPage + 1
	query := r.URL.Query()
	filter.AfterSoonest, filter.After = placeOfPart(query.Get("after"))
	forecasts, err := s.Store.Forecasts(r.Context(), actorOf(r), filter)
	if err != nil {
		return err
	}
	if len(forecasts) > partsOnPage {
		forecasts = forecasts[:partsOnPage]
		v.More = with(retentionPath, query, "after", partPlace(forecasts[partsOnPage-1])) + "#parts"
	}
	edits := actorOf(r).Allowed(access.EditBatches)
	for _, f := range forecasts {
		v.Parts = append(v.Parts, a.partRow(f, edits))
	}
	return nil
}

// fillExpiries fills in what policies have had erased of late, and what holds keep from it.
func (s *Server) fillExpiries(r *http.Request, v *web.CalendarView) error {
	held, err := s.Store.HeldDue(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	for _, h := range held {
		v.HeldDue = append(v.HeldDue, web.CalendarWeek{Source: h.Source, Items: h.Items})
	}
	if actorOf(r).Scope != 0 { // who is bound to one project sees nothing of the others
		return nil
	}
	expiries, err := s.Store.Expiries(r.Context(), actorOf(r), expiriesOnPage)
	for _, e := range expiries {
		row := web.ExpiryRow{ID: strconv.FormatInt(e.ID, 10), Source: e.Source, At: e.RequestedAt, Gone: orZero(e.ErasedAt), Items: e.Items, Tone: ui.Info, Word: "on its way"}
		switch e.State {
		case store.ErasureErased, store.ErasureRewritten:
			row.Tone, row.Word = ui.OK, "gone"
		case store.ErasureHeld:
			row.Tone, row.Word = ui.Warn, "held"
		case store.ErasureFailed:
			row.Tone, row.Word = ui.Bad, "failed"
		}
		v.Expiries = append(v.Expiries, row)
	}
	return err
}

// partPlace is where a part stands in the order, as it stands in an address.
func partPlace(f store.Forecast) string { return f.Soonest + "_" + strconv.FormatInt(f.ID, 10) }

// placeOfPart reads what partPlace wrote; what is no place is the beginning.
func placeOfPart(text string) (soonest string, id int64) {
	soonest, number, _ := strings.Cut(text, "_")
	id, err := strconv.ParseInt(number, 10, 64)
	if _, noDay := time.Parse(time.DateOnly, soonest); err != nil || noDay != nil && soonest != "infinity" && soonest != "-infinity" {
		return "", 0
	}
	return soonest, id
}

// limitsView is what a dataset promises; typed is what was refused.
func (s *Server) limitsView(r *http.Request, dataset string, typed *web.LimitsView) (*web.LimitsView, error) {
	if typed != nil {
		return typed, nil
	}
	limits, err := s.Store.Limits(r.Context(), actorOf(r), dataset)
	if err != nil {
		return nil, err
	}
	return &web.LimitsView{Dataset: dataset, Margin: points(limits.Margin), Share: points(limits.LeastShare), Enough: retention.ItemsFor(limits.Margin)}, nil
}

// points is a share in percentage points, with as many decimals as it needs up to one.
func points(share float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(share*100, 'f', 1, 64), ".0")
}

func (s *Server) setLimits(w http.ResponseWriter, r *http.Request) error {
	dataset := chi.URLParam(r, "dataset")
	typed := web.LimitsView{Dataset: dataset, Margin: strings.TrimSpace(r.PostFormValue("margin")), Share: strings.TrimSpace(r.PostFormValue("least_share"))}
	// What is no number is out of range.
	limits := store.Limits{Margin: shareOfPoints(typed.Margin), LeastShare: shareOfPoints(typed.Share)}
	err := s.Store.SetLimits(r.Context(), actorOf(r), dataset, limits)
	if refused, ok := refusalOf(err); ok {
		typed.Refused = refused
		return s.renderCalendar(w, r, http.StatusUnprocessableEntity, dataset, &typed)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The limits are saved. The calendar follows within a minute.")
	return seeOther(w, r, retentionPath+"?dataset="+url.QueryEscape(dataset)+"#parts")
}

// shareOfPoints reads points; -1 is what is none.
func shareOfPoints(text string) float64 {
	points, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return -1
	}
	return points / 100
}

// calendarCSV gives the weeks of the sources as a file.
func (s *Server) calendarCSV(w http.ResponseWriter, r *http.Request) error {
	a, err := s.askedFor(r)
	if err != nil {
		return err
	}
	calendars, err := s.Store.Calendar(r.Context(), actorOf(r), a.filter.CalendarFilter)
	if err != nil {
		return err
	}
	rows := [][]string{{"week", "source", "items", "held"}}
	for _, week := range calendarTable(a, calendars) {
		rows = append(rows, []string{week.Week.Format(time.DateOnly), week.Source, strconv.Itoa(week.Items), strconv.Itoa(week.Held)})
	}
	writeCSV(w, "calendar", rows)
	return nil
}

// partsCSV gives what becomes of the parts of dataset versions as a file.
func (s *Server) partsCSV(w http.ResponseWriter, r *http.Request) error {
	a, err := s.askedFor(r)
	if err != nil {
		return err
	}
	a.filter.Limit = partsInFile
	forecasts, err := s.Store.Forecasts(r.Context(), actorOf(r), a.filter)
	if err != nil {
		return err
	}
	rows := [][]string{strings.Split("dataset,version,split,stratum,frozen,items,held,wanted,left_at_horizon,interval_now,interval_limit,below,below_week,interval,interval_week", ",")}
	for _, f := range forecasts {
		left := retention.Remaining(f.Items, f.Losses, a.first, a.weeks)
		rows = append(rows, []string{
			f.Dataset, strconv.Itoa(f.Number), f.Split, stratumWords(f), strconv.Itoa(f.Frozen), strconv.Itoa(f.Items), strconv.Itoa(f.Held), strconv.Itoa(f.Wanted),
			strconv.Itoa(left[a.weeks-1]), fmt.Sprintf("%.4f", retention.HalfWidth(f.Items)), fmt.Sprintf("%.4f", f.Margin),
			string(f.Below), dayText(f.BelowWeek), string(f.Wide), dayText(f.WideWeek),
		})
	}
	writeCSV(w, "parts", rows)
	return nil
}

func dayText(day *time.Time) string {
	if day == nil {
		return ""
	}
	return day.Format(time.DateOnly)
}
