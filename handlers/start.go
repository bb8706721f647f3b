package handlers

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"fiducial/internal/access"
	"fiducial/internal/retention"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	startPath     = "/start"
	startWeeks    = 12
	startErasures = 5
	startParts    = 5
	startAlerts   = 15
	startChains   = 3
)

func (s *Server) startRoutes(r router) {
	r.get("/", access.Account, s.start)
	r.get(startPath, access.EditDatasets, s.showStart)
}

// start sends each role to the page that its day begins on.
func (s *Server) start(w http.ResponseWriter, r *http.Request) error {
	switch actorOf(r).Role {
	case access.Labeler:
		return seeOther(w, r, "/queue")
	case access.Reviewer:
		return seeOther(w, r, reviewPath)
	case access.Admin:
		return seeOther(w, r, startPath)
	case access.Viewer:
	}
	chains, err := s.Store.OverviewChains(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	if len(chains) == 0 {
		return seeOther(w, r, "/projects")
	}
	return seeOther(w, r, overviewPath)
}

// showStart shows what wants an admin today.
func (s *Server) showStart(w http.ResponseWriter, r *http.Request) error {
	day, err := s.Store.CalendarDay(r.Context())
	if err != nil {
		return err
	}
	v := web.StartView{Today: day.Now}
	chains, err := s.Store.OverviewChains(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	if err := s.startEvaluations(r, chains, &v); err != nil { // what is wrong already stands before what runs out
		return err
	}
	for _, fill := range []func(*http.Request, *web.StartView) error{s.startErasures, s.startParts, s.startCalendar, s.startProject} {
		if err := fill(r, &v); err != nil {
			return err
		}
	}
	return render(w, r, http.StatusOK, web.StartPage(s.page(r, "Today"), v))
}

// startProject leads whoever has just installed the product to the first project.
func (s *Server) startProject(r *http.Request, v *web.StartView) error {
	projects, err := s.Store.Projects(r.Context(), actorOf(r))
	if err == nil && len(projects) == 0 {
		v.Todo = append(v.Todo, web.TodoView{
			When: "at first", Icon: "layers", Tone: ui.Info, Title: "Make a project", Act: "New project", Href: "/projects/new",
			Text: "Images or recordings of one kind, with the classes that people find in them.",
		})
	}
	return err
}

// startErasures lists the erasures that are still to be done.
func (s *Server) startErasures(r *http.Request, v *web.StartView) error {
	open, err := s.Store.OpenErasures(r.Context(), actorOf(r), startErasures)
	if err != nil {
		return err
	}
	for _, e := range open {
		t := web.TodoView{
			When: untilWords(e.DueAt.Sub(v.Today)), Icon: "timer", Tone: ui.Warn, Title: "Erasure " + fmt.Sprint(e.ID), Act: "Open", Href: fmt.Sprintf("%s/%d", erasuresPath, e.ID),
			Text: fmt.Sprintf("%s, %s.", strings.ReplaceAll(e.State, "_", " "), countedWords(e.Items, "item", "items")),
		}
		if name := cmp.Or(e.Source, e.Group); name != "" {
			t.Title += " of " + name
		}
		if e.Overdue {
			t.Tone, t.When = ui.Bad, "overdue"
		}
		v.Todo = append(v.Todo, t)
	}
	return nil
}

// startParts lists the parts of test sets that will fall below the size that is promised.
func (s *Server) startParts(r *http.Request, v *web.StartView) error {
	forecasts, err := s.Store.Forecasts(r.Context(), actorOf(r), store.ForecastFilter{Test: true, Limit: 100})
	if err != nil {
		return err
	}
	n := 0
	for _, f := range forecasts {
		if f.BelowWeek == nil || n == startParts {
			continue
		}
		n++
		part := stratumWords(f)
		if part != "" {
			part += ": "
		}
		v.Todo = append(v.Todo, web.TodoView{
			When: untilWords(f.BelowWeek.Sub(v.Today)), Icon: "calendar-clock", Tone: ui.Warn, Title: fmt.Sprintf("%s v%d falls below its size", f.Dataset, f.Number),
			Text: fmt.Sprintf("%s%d of %d frozen items are left, %d expire.", part, f.Items, f.Frozen, f.Expiring), Act: "Look", Href: with(retentionPath, nil, "dataset", f.Dataset) + "#parts",
		})
	}
	return nil
}

// startEvaluations lists the alerts that are open, and what the chains that were evaluated last come to.
func (s *Server) startEvaluations(r *http.Request, chains []store.OverviewChain, v *web.StartView) error {
	alerts, err := s.Store.OpenAlerts(r.Context(), actorOf(r), 0, startAlerts)
	if err != nil {
		return err
	}
	for _, a := range alerts {
		v.Todo = append(v.Todo, web.TodoView{
			When: "since " + a.RaisedAt.UTC().Format("2 Jan"), Icon: "octagon-x", Tone: ui.Bad, Title: capitalized(a.Summary.Title()), Text: a.ChainName, Act: "Look", Href: alertHref(a),
		})
	}
	for _, c := range chains[:min(len(chains), startChains)] {
		if c.Last == nil {
			continue
		}
		m, err := s.Store.MatrixPage(r.Context(), actorOf(r), store.MatrixPageQuery{Chain: c.ID, Unsaid: true, Versions: 1})
		if err != nil {
			return err
		}
		v.Chains = append(v.Chains, web.StartChainView{Href: overviewHref(c.ID), Name: c.Name, At: *c.Last, Answer: matrixAnswer(m)})
	}
	return nil
}

// startCalendar fills in how many items expire in each of the next weeks.
func (s *Server) startCalendar(r *http.Request, v *web.StartView) error {
	calendars, err := s.Store.Calendar(r.Context(), actorOf(r), store.CalendarFilter{})
	if err != nil {
		return err
	}
	first := retention.WeekOf(v.Today)
	items, most := make([]int, startWeeks), 1
	for _, c := range calendars {
		for _, loss := range c.Losses {
			if n := retention.WeeksAfter(first, loss.Week); n < startWeeks {
				items[max(0, n)] += loss.Items
			}
		}
	}
	most = max(most, slices.Max(items))
	for n, count := range items {
		height := count * 170 / most
		v.Weeks = append(v.Weeks, web.StartWeekView{Week: first.AddDate(0, 0, 7*n), Items: count, X: 16 + 79*n, Y: 210 - height, Height: height, Most: count == most})
		v.Items += count
	}
	return nil
}

// untilWords say how long there is.
func untilWords(left time.Duration) string {
	switch {
	case left < time.Hour:
		return fmt.Sprintf("%d min left", max(0, int(left/time.Minute)))
	case left < 48*time.Hour:
		return fmt.Sprintf("%d h left", int(left/time.Hour))
	}
	return fmt.Sprintf("%d days left", int(left/(24*time.Hour)))
}

// countedWords is a number with its noun.
func countedWords(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return ui.Number(n) + " " + many
}

// alertHref is where an alert is looked at: the cell that it is of, or else the chain.
func alertHref(a store.OpenAlert) string {
	if a.Cell != 0 {
		return cellHref(a.Cell)
	}
	return overviewHref(a.Chain)
}
