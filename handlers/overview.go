package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	overviewPath   = "/overview"
	alertsShown    = 5
	runsOnOverview = 4
	amountsTold    = 3
)

func (s *Server) overviewRoutes(r router) {
	r.get(overviewPath, access.ReadEvaluations, s.showNewestOverview)
	r.get(overviewPath+"/{chain}", access.ReadEvaluations, s.showOverview)
	r.post(overviewPath+"/{chain}/links", access.EditChains, s.shareOverview)
	r.post(overviewPath+"/links/{id}/revoke", access.EditChains, s.revokeShare)
	r.get("/shared/{secret}", public, s.showShared)
}

func overviewHref(chain int64) string { return fmt.Sprintf("%s/%d", overviewPath, chain) }

// showNewestOverview shows the chain that is looked at first: one that got worse, or else the one that was evaluated last.
func (s *Server) showNewestOverview(w http.ResponseWriter, r *http.Request) error {
	chains, err := s.Store.OverviewChains(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	if len(chains) > 0 {
		return seeOther(w, r, overviewHref(chains[0].ID))
	}
	v := web.OverviewView{Name: "Overview", Empty: "No chain of models is there yet. An admin makes one and runs an evaluation of it; what it comes to stands here."}
	if actorOf(r).Allowed(access.RunEvaluations) {
		v.Start = evaluationsPath + "/new"
	}
	return render(w, r, http.StatusOK, web.OverviewPage(s.page(r, "Overview", evaluationsCrumb, ui.Crumb{Label: "Overview"}), v))
}

func (s *Server) showOverview(w http.ResponseWriter, r *http.Request) error {
	return s.renderOverview(w, r, http.StatusOK, web.SharingView{Days: "14"})
}

func (s *Server) renderOverview(w http.ResponseWriter, r *http.Request, status int, share web.SharingView) error {
	chain, err := pathID(r, "chain")
	if err != nil {
		return err
	}
	v, err := s.overview(r, actorOf(r), chain)
	if err != nil {
		return err
	}
	if err := s.overviewLinks(r, &v, chain); err != nil {
		return err
	}
	if actorOf(r).Allowed(access.EditChains) {
		if err := s.shareView(r, chain, &share); err != nil {
			return err
		}
		v.Share = &share
	}
	page := s.page(r, v.Name, evaluationsCrumb, ui.Crumb{Label: v.Name, Href: matrixHref(chain)}, ui.Crumb{Label: "Overview"})
	return render(w, r, status, web.OverviewPage(page, v))
}

// overview is what a chain comes to, with the addresses of pages that need a sign-in.
func (s *Server) overview(r *http.Request, actor store.Actor, chain int64) (v web.OverviewView, err error) {
	m, err := s.Store.MatrixPage(r.Context(), actor, store.MatrixPageQuery{Chain: chain, Unsaid: true, Versions: panelsAtMost})
	if err != nil {
		return v, err
	}
	v = web.OverviewView{
		Name: m.Chain.Name, About: m.Chain.Description, Matrix: matrixHref(chain),
		Empty: "An answer stands here when a run has compared a combination with the baseline.",
	}
	for _, run := range m.Runs[:min(len(m.Runs), runsOnOverview)] {
		v.Runs = append(v.Runs, overviewRun(run))
	}
	alerts, err := s.Store.OpenAlerts(r.Context(), actor, chain, alertsShown)
	if err != nil {
		return v, err
	}
	for _, a := range alerts {
		v.Alerts = append(v.Alerts, web.OverviewAlertView{Href: alertHref(a), Text: capitalized(a.Summary.Title()), At: a.RaisedAt})
	}
	judged := judge(m)
	if judged == nil {
		return v, nil
	}
	v.Answer = overviewAnswer(m, judged)
	v.Versus, v.On = judged.candidate.name()+" against the baseline", judged.version.Name()
	v.Compare = compareRows(judged, m)
	v.Trend, err = s.overviewTrend(r, actor, judged)
	return v, err
}

// runStates are the states of runs in words.
var runStates = map[string]struct {
	tone ui.Tone
	word string
}{
	"waiting": {ui.Neutral, "waiting"}, "running": {ui.Info, "running"}, "scoring": {ui.Info, "computing figures"}, "done": {ui.OK, "done"},
	"failed": {ui.Bad, "failed"}, "cancelled": {ui.Neutral, "stopped"},
}

func overviewRun(run store.MatrixRun) web.OverviewRunView {
	state := runStates[run.State]
	name := cmp.Or(run.Title, "Run "+strconv.FormatInt(run.ID, 10))
	return web.OverviewRunView{Href: fmt.Sprintf("%s/%d", evaluationsPath, run.ID), Name: name, Word: state.word, Tone: state.tone, At: run.CreatedAt}
}

// overviewAnswer is the answer to whether the newest combination is better.
func overviewAnswer(m store.MatrixPage, v *verdicts) web.AnswerView {
	a := matrixAnswer(m)
	a.Question = "Is the newest better?"
	lead := "No difference beyond chance."
	switch {
	case len(v.helped) > 0 && len(v.hurt) == 0:
		lead = "Yes."
	case len(v.helped) > len(v.hurt):
		lead = "Yes, with " + map[bool]string{true: "one exception.", false: "exceptions."}[len(v.hurt) == 1]
	case len(v.helped) > 0:
		lead = "Partly."
	case len(v.hurt) > 0:
		lead = "No."
	}
	a.Parts = append([]web.AnswerPartView{{Text: lead, Strong: true}}, a.Parts...)
	if len(a.Parts) > 1 {
		a.Parts[1].Strong = false
	}
	if len(v.helped) == 0 && len(v.hurt) == 0 {
		a.Parts = a.Parts[:1]
		a.After = v.candidate.name() + " stays within noise of the baseline everywhere."
	} else {
		a.After = amounts(v, m)
	}
	return a
}

// amounts say how far the figures moved that really did: what was hurt first.
func amounts(v *verdicts, m store.MatrixPage) string {
	values := valuesOf(m)
	var parts []string
	for _, c := range slices.Concat(v.hurt, v.helped) {
		parts = append(parts, fmt.Sprintf("%s of %s: %s → %s (%s %s)", measureWord(c.Measure), modelName(c.Models[len(c.Models)-1]),
			shown(values[c.Difference.Baseline]), shown(c.Value), signed(*c.Difference.Value), marginOf(c.Difference.Low, c.Difference.High)))
	}
	if more := len(parts) - amountsTold; more > 0 {
		parts = append(parts[:amountsTold], countedWords(more, "other", "others"))
	}
	return strings.Join(parts, "; ") + ", on " + v.version.Name() + "."
}

// valuesOf are the figures of cells by their ids.
func valuesOf(m store.MatrixPage) map[int64]*float64 {
	values := make(map[int64]*float64, len(m.Cells))
	for i := range m.Cells {
		values[m.Cells[i].ID] = m.Cells[i].Value
	}
	return values
}

// compareRows are the cells of a candidate beside their baselines, those for the better first.
func compareRows(v *verdicts, m store.MatrixPage) (rows []web.CompareRowView) {
	values := valuesOf(m)
	reach := 1e-9
	for _, c := range v.cells {
		for _, end := range []*float64{c.Difference.Value, c.Difference.Low, c.Difference.High} {
			if end != nil {
				reach = max(reach, math.Abs(*end))
			}
		}
	}
	cells := slices.Clone(v.cells)
	slices.SortStableFunc(cells, func(a, b *store.MatrixCell) int { return cmp.Compare(gain(b), gain(a)) })
	for _, c := range cells {
		d, turn := c.Difference, 1.0
		if !store.HigherIsBetter(c.Measure) {
			turn = -1
		}
		place := func(x *float64) int {
			if x == nil {
				x = d.Value
			}
			return int(math.Round(500 + 480*turn**x/reach))
		}
		row := web.CompareRowView{
			Name: modelName(c.Models[len(c.Models)-1]), Measure: measureWord(c.Measure), Href: cellHref(c.ID), Items: d.Items, Before: shown(values[d.Baseline]), Now: shown(c.Value),
			At: place(d.Value), Low: min(place(d.Low), place(d.High)), High: max(place(d.Low), place(d.High)), Diff: signed(*d.Value), Margin: marginOf(d.Low, d.High),
		}
		row.Tone, row.Word = verdictOf(d)
		rows = append(rows, row)
	}
	return rows
}

// gain is how much better a cell is than its baseline; what may be chance is nothing.
func gain(c *store.MatrixCell) float64 {
	size := math.Abs(*c.Difference.Value)
	switch {
	case !c.Difference.Real():
		return 0
	case c.Difference.Better:
		return size
	}
	return -size
}

// overviewTrend is how the cell that lost most got here, or else the one that won most.
func (s *Server) overviewTrend(r *http.Request, actor store.Actor, v *verdicts) (*web.CellTrendView, error) {
	worst := slices.MinFunc(v.cells, func(a, b *store.MatrixCell) int { return cmp.Compare(gain(a), gain(b)) })
	c, err := s.Store.CellPage(r.Context(), actor, worst.ID)
	if err != nil {
		return nil, err
	}
	points, err := s.Store.CellTrend(r.Context(), actor, c.ID, store.TrendMeasure{})
	if err != nil {
		return nil, err
	}
	drawn := trendLines(points, c, lineNewest)
	if len(drawn.points) < 2 {
		return nil, nil //nolint:nilnil // no trend is no error
	}
	return &web.CellTrendView{
		Title: "How " + cellTitle(c) + " got here", About: measureWord(c.Measure) + " on the versions of " + c.Dataset, Measure: measureWord(c.Measure),
		Series: drawn.names, Points: drawn.points, CSV: with(cellHref(c.ID)+"/trend.csv", url.Values{}, "line", lineNewest),
	}, nil
}

// overviewLinks fills in what only who is signed in gets: the other chains, and the changes of the time.
func (s *Server) overviewLinks(r *http.Request, v *web.OverviewView, chain int64) error {
	chains, err := s.Store.OverviewChains(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	for _, c := range chains {
		v.Chains = append(v.Chains, ui.Tab{Label: c.Name, Href: overviewHref(c.ID), Count: -1, Current: c.ID == chain})
	}
	if actorOf(r).Allowed(access.RunEvaluations) {
		v.Start = fmt.Sprintf("%s/new?chain=%d", evaluationsPath, chain)
	}
	if v.Trend == nil {
		return nil
	}
	points := v.Trend.Points
	v.Trend.Ticks, err = s.ticks(r, points[0].At.Add(-tickRoom), points[len(points)-1].At.Add(tickRoom))
	return err
}

// shareView fills in the links that were made.
func (s *Server) shareView(r *http.Request, chain int64, v *web.SharingView) error {
	v.Action = overviewHref(chain) + "/links#share"
	links, err := s.Store.ShareLinks(r.Context(), actorOf(r), chain)
	if err != nil {
		return err
	}
	for _, l := range links {
		view := web.ShareLinkView{By: l.CreatedBy, Until: l.ExpiresAt, Opened: l.Opened, Tone: ui.OK, Word: "holds"}
		switch {
		case l.RevokedAt != nil:
			view.Tone, view.Word = ui.Neutral, "revoked"
		case l.Expired:
			view.Tone, view.Word = ui.Neutral, "expired"
		default:
			view.Revoke = fmt.Sprintf("%s/links/%d/revoke", overviewPath, l.ID)
		}
		v.Links = append(v.Links, view)
	}
	return nil
}

func (s *Server) shareOverview(w http.ResponseWriter, r *http.Request) error {
	chain, err := pathID(r, "chain")
	if err != nil {
		return err
	}
	typed := strings.TrimSpace(r.PostFormValue("days"))
	days, err := strconv.Atoi(typed)
	if err != nil {
		days = 0 // refused below, with what to write
	}
	secret, err := s.Store.ShareChain(r.Context(), actorOf(r), chain, days)
	if refused, ok := refusalOf(err); ok {
		return s.renderOverview(w, r, http.StatusUnprocessableEntity, web.SharingView{Days: typed, Refused: refused})
	}
	if err != nil {
		return err
	}
	return s.renderOverview(w, r, http.StatusOK, web.SharingView{Days: typed, Made: s.publicURL(r) + "/shared/" + secret})
}

func (s *Server) revokeShare(w http.ResponseWriter, r *http.Request) error {
	chain, err := asked(r, "id", s.Store.RevokeShare)
	if err != nil {
		return err
	}
	s.flash(r, "The link opens nothing any more.")
	return seeOther(w, r, overviewHref(chain)+"#share")
}

// showShared shows the overview of a chain to whoever has a link to it: figures alone, and no way on from there.
func (s *Server) showShared(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Robots-Tag", "noindex")
	chain, reader, until, err := s.Store.Shared(r.Context(), chi.URLParam(r, "secret"))
	if errors.Is(err, store.ErrNotFound) {
		return &httpError{http.StatusNotFound, "This link opens nothing any more: its time is over, or it was taken back. Ask whoever gave it to you for a new one.", err}
	}
	if err != nil {
		return err
	}
	v, err := s.overview(r, reader, chain)
	if err != nil {
		return err
	}
	v.Matrix, v.Until = "", until
	for i := range v.Compare {
		v.Compare[i].Href = ""
	}
	for i := range v.Alerts {
		v.Alerts[i].Href = ""
	}
	for i := range v.Runs {
		v.Runs[i].Href = ""
	}
	if v.Trend != nil {
		v.Trend.CSV = ""
		for i := range v.Trend.Points {
			v.Trend.Points[i].Href = ""
		}
	}
	return render(w, r, http.StatusOK, web.OverviewPage(web.PageView{Title: v.Name, Theme: cookieValue(r, themeCookie)}, v))
}
