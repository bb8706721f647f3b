package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"

	"fiducial/internal/access"
	"fiducial/internal/pii"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// personalOnPage is how many findings a page lists.
const personalOnPage = 50

func (s *Server) personalRoutes(r router) {
	r.get("/projects/{slug}/personal", access.DecidePersonal, s.listPersonal)
	r.post("/projects/{slug}/personal", access.DecidePersonal, s.decidePersonal)
	r.post("/projects/{slug}/personal/kinds", access.DecidePersonal, s.decidePersonalKind)
	r.post("/projects/{slug}/personal/add", access.DecidePersonal, s.addPersonal)
}

func personalPath(project store.Project) string { return projectPath(project) + "/personal" }

func (s *Server) listPersonal(w http.ResponseWriter, r *http.Request) error {
	return s.renderPersonal(w, r, http.StatusOK, web.Refusal{})
}

func (s *Server) renderPersonal(w http.ResponseWriter, r *http.Request, status int, refused web.Refusal) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	state := query.Get("state")
	if !query.Has("state") {
		state = store.PersonalFound
	}
	v := web.PersonalView{
		Tabs: projectTabs(r, project, "personal", -1), Href: personalPath(project), Kind: query.Get("kind"), State: state, Refused: refused,
	}
	for _, kind := range pii.Kinds() {
		v.Names = append(v.Names, ui.Option{Value: string(kind), Label: web.PersonalKind(string(kind))})
	}
	counts, waiting, err := s.Store.PersonalCounts(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	v.Waiting = waiting
	slices.SortFunc(counts, func(a, b store.PersonalCount) int {
		return slices.Index(pii.Kinds(), a.Kind) - slices.Index(pii.Kinds(), b.Kind)
	})
	fillPersonalKinds(&v, counts)
	after, _ := strconv.ParseInt(query.Get("after"), 10, 64) // what is no number is the start
	findings, err := s.Store.PersonalFindings(r.Context(), actorOf(r), project.ID, pii.Kind(v.Kind), state, after, personalOnPage+1)
	if err != nil {
		return err
	}
	if len(findings) > personalOnPage {
		findings = findings[:personalOnPage]
		v.Next = personalHref(v.Href, v.Kind, state, findings[personalOnPage-1].ID)
	}
	for _, f := range findings {
		v.Rows = append(v.Rows, personalRow(f))
	}
	if v.UpTo, err = s.lastPersonal(r, project); err != nil {
		return err
	}
	page := s.projectPage(r, project, project.Name+" personal data", ui.Crumb{Label: "Personal data"})
	page.Scripts = []string{"personal.ts"}
	return render(w, r, status, web.PersonalPage(page, v))
}

// lastPersonal is the newest finding that the page counts: what comes later is not decided with it.
func (s *Server) lastPersonal(r *http.Request, project store.Project) (string, error) {
	id, err := s.Store.NewestPersonal(r.Context(), actorOf(r), project.ID)
	return strconv.FormatInt(id, 10), err
}

func personalHref(base, kind, state string, after int64) string {
	query := url.Values{"state": {state}}
	if kind != "" {
		query.Set("kind", kind)
	}
	if after > 0 {
		query.Set("after", strconv.FormatInt(after, 10))
	}
	return base + "?" + query.Encode()
}

func fillPersonalKinds(v *web.PersonalView, counts []store.PersonalCount) {
	var all store.PersonalCount
	for _, c := range counts {
		v.Kinds = append(v.Kinds, web.PersonalKindRow{
			Kind: string(c.Kind), Label: web.PersonalKind(string(c.Kind)), Href: personalHref(v.Href, string(c.Kind), v.State, 0), Current: v.Kind == string(c.Kind),
			Found: c.Found, Confirmed: c.Confirmed, Dismissed: c.Dismissed,
		})
		if v.Kind == "" || v.Kind == string(c.Kind) {
			all.Found, all.Confirmed, all.Dismissed = all.Found+c.Found, all.Confirmed+c.Confirmed, all.Dismissed+c.Dismissed
		}
	}
	for _, tab := range []struct {
		state, label string
		count        int
	}{
		{store.PersonalFound, "To decide", all.Found},
		{store.PersonalConfirmed, "Confirmed", all.Confirmed},
		{store.PersonalDismissed, "Dismissed", all.Dismissed},
		{"", "All", all.Found + all.Confirmed + all.Dismissed},
	} {
		v.States = append(v.States, ui.Tab{Label: tab.label, Href: personalHref(v.Href, v.Kind, tab.state, 0) + "#findings", Count: tab.count, Current: v.State == tab.state})
	}
}

func personalRow(f store.PersonalFinding) web.PersonalRow {
	runes := []rune(f.Text)
	last := min(f.Last, len(runes))
	first := min(f.First, last)
	return web.PersonalRow{
		ID: f.ID, Item: f.Item, Href: fmt.Sprintf("/items/%d", f.Item), Name: path.Base(f.Key), Segment: f.Segment, Kind: string(f.Kind), Detector: f.Detector,
		Before: string(runes[:first]), Text: string(runes[first:last]), After: string(runes[last:]),
		Confidence: share(f.Confidence), State: f.State, By: f.DecidedBy, At: orZero(f.DecidedAt),
	}
}

func (s *Server) decidePersonal(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	state := r.PostFormValue("state") // which reads the form
	var ids []int64
	for _, text := range r.PostForm["finding"] {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	_, err = s.Store.DecidePersonal(r.Context(), actorOf(r), project.ID, ids, state)
	if refused, ok := refusalOf(err); ok {
		return s.renderPersonal(w, r, http.StatusUnprocessableEntity, refused)
	}
	if err != nil {
		return err
	}
	shown := store.PersonalFound
	if r.PostForm.Has("shown") {
		shown = r.PostFormValue("shown")
	}
	return seeOther(w, r, personalHref(personalPath(project), r.PostFormValue("kind"), shown, 0)+"#findings")
}

func (s *Server) decidePersonalKind(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	upTo, _ := strconv.ParseInt(r.PostFormValue("upto"), 10, 64) // what is no number decides nothing
	decided, err := s.Store.DecidePersonalKind(r.Context(), actorOf(r), project.ID, pii.Kind(r.PostFormValue("kind")), upTo, r.PostFormValue("state"))
	if refused, ok := refusalOf(err); ok {
		return s.renderPersonal(w, r, http.StatusUnprocessableEntity, refused)
	}
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("%d findings are decided.", decided))
	return seeOther(w, r, personalPath(project))
}

func (s *Server) addPersonal(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	number := func(field string) int {
		n, err := strconv.Atoi(r.PostFormValue(field))
		if err != nil {
			return -1
		}
		return n
	}
	item, err := strconv.ParseInt(r.PostFormValue("item"), 10, 64)
	if err != nil {
		item = 0
	}
	span := pii.Span{Segment: number("segment"), First: number("first"), Last: number("last"), Kind: pii.Kind(r.PostFormValue("kind"))}
	err = s.Store.AddPersonal(r.Context(), actorOf(r), project.ID, item, span)
	if refused, ok := refusalOf(err); ok {
		return s.renderPersonal(w, r, http.StatusUnprocessableEntity, refused)
	}
	if err != nil {
		return err
	}
	s.flash(r, "Added, and confirmed.")
	return seeOther(w, r, personalPath(project)+"#findings")
}
