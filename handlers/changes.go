package handlers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/access"
	"fiducial/internal/github"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	changesPath     = "/changes"
	hooksPath       = changesPath + "/hooks"
	changesOnPage   = 50
	longestHookCall = 1 << 20
	hookCallsAtMost = 120 // a minute, from one address
)

func (s *Server) changeRoutes(r router) {
	r.get(changesPath, access.ReadEvaluations, s.listChanges)
	r.post(changesPath, access.WriteChanges, s.addChange)
	r.get(changesPath+"/{id}", access.ReadEvaluations, s.showChange)
	r.get(changesPath+"/{id}/edit", access.WriteChanges, s.showChangeForm)
	r.post(changesPath+"/{id}/edit", access.WriteChanges, s.editChange)
	r.post(changesPath+"/{id}/remove", access.WriteChanges, s.acted("id", s.Store.RemoveChange, "It is off the timeline.", changesPath))
	r.get(hooksPath, access.EditChains, s.listHooks)
	r.post(hooksPath, access.EditChains, s.addHook)
	r.post(hooksPath+"/{id}/revoke", access.EditChains, s.acted("id", s.Store.RevokeHook, "The hook is closed. What it told stays.", hooksPath))
	calls := router{r.With(s.clientIP(), s.limit("hook", hookCallsAtMost, keyByIP)), s}
	calls.post("/hooks/{id}", public, s.hookCalled)
}

func changePath(id int64) string { return fmt.Sprintf("%s/%d", changesPath, id) }

// ticks are the changes between two times, for the time axis of a chart.
func (s *Server) ticks(r *http.Request, from, to time.Time) ([]ui.Tick, error) {
	changes, err := s.Store.Ticks(r.Context(), actorOf(r), from, to)
	if err != nil {
		return nil, err
	}
	ticks := make([]ui.Tick, 0, len(changes))
	for _, c := range changes {
		ticks = append(ticks, ui.Tick{At: c.At, Title: c.Title, System: c.System, Intervention: c.Kind == store.Intervention, Href: changePath(c.ID)})
	}
	return ticks, nil
}

func timelineRow(r *http.Request, c store.Change) web.ChangeRow {
	row := web.ChangeRow{
		ID: c.ID, At: c.At, Intervention: c.Kind == store.Intervention, Title: c.Title, Body: c.Body, System: c.System, URL: c.URL, Release: c.Release,
		Origin: c.Origin, By: c.By, Written: c.CreatedAt, Edited: orZero(c.EditedAt),
	}
	if name, version, ok := strings.Cut(c.Release, "@"); ok {
		row.ReleaseHref = modelPath(name) + "#v-" + url.PathEscape(version)
	}
	if c.MayEdit(actorOf(r)) {
		row.Edit, row.Remove = changePath(c.ID)+"/edit", changePath(c.ID)+"/remove"
	}
	return row
}

func (s *Server) listChanges(w http.ResponseWriter, r *http.Request) error {
	return s.renderChanges(w, r, http.StatusOK, web.ChangeForm{Kind: store.PlainChange})
}

func (s *Server) renderChanges(w http.ResponseWriter, r *http.Request, status int, form web.ChangeForm) error {
	query := r.URL.Query()
	before, err := strconv.ParseInt(query.Get("before"), 10, 64)
	if err != nil {
		before = 0
	}
	actor := actorOf(r)
	v := web.ChangesView{
		Kind: query.Get("kind"), System: query.Get("system"), From: query.Get("from"), To: query.Get("to"), CanHook: actor.Allowed(access.EditChains),
	}
	filter := store.ChangeFilter{Kind: v.Kind, System: v.System, Before: before, From: timelineDay(&v.From), To: timelineDay(&v.To)}
	if !filter.To.IsZero() {
		filter.To = filter.To.AddDate(0, 0, 1) // the day is included
	}
	changes, err := s.Store.Changes(r.Context(), actor, filter, changesOnPage+1)
	if err != nil {
		return err
	}
	if len(changes) > changesOnPage {
		changes = changes[:changesOnPage]
		v.More = with(changesPath, query, "before", strconv.FormatInt(changes[changesOnPage-1].ID, 10))
	}
	for _, c := range changes {
		v.Rows = append(v.Rows, timelineRow(r, c))
	}
	systems, err := s.Store.ChangeSystems(r.Context(), actor)
	if err != nil {
		return err
	}
	v.Systems = []ui.Option{{Label: "Any"}}
	for _, system := range systems {
		v.Systems = append(v.Systems, ui.Option{Value: system, Label: system})
	}
	if actor.Allowed(access.WriteChanges) {
		v.New = &form
	}
	return render(w, r, status, web.ChangesPage(s.page(r, "Changes"), v))
}

// timelineDay reads a day of an address; what is none is emptied.
func timelineDay(text *string) time.Time {
	day, err := time.Parse(time.DateOnly, *text)
	if err != nil {
		*text = ""
	}
	return day
}

// formTime reads a time of a form, in UTC; the zero time for "".
func formTime(field, text string) (time.Time, error) {
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, &store.InvalidError{Field: field, Reason: "Write the time like 2027-01-31T14:30, in UTC."}
}

// changeForm is a change as it was typed.
func changeForm(r *http.Request) (form web.ChangeForm, n store.NewChange, err error) {
	form = web.ChangeForm{
		Kind: r.PostFormValue("kind"), At: r.PostFormValue("at"), Title: r.PostFormValue("title"), Body: r.PostFormValue("body"),
		System: r.PostFormValue("system"), URL: r.PostFormValue("url"), Release: r.PostFormValue("release"),
	}
	at, err := formTime("at", form.At)
	return form, store.NewChange{At: at, Kind: form.Kind, Title: form.Title, Body: form.Body, System: form.System, URL: form.URL, Release: form.Release}, err
}

func (s *Server) addChange(w http.ResponseWriter, r *http.Request) error {
	form, n, err := changeForm(r)
	if err == nil {
		_, err = s.Store.AddChange(r.Context(), actorOf(r), n)
	}
	if refused, ok := refusalOf(err); ok {
		form.Refused = refused
		return s.renderChanges(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	s.flash(r, "It is on the timeline.")
	return seeOther(w, r, changesPath)
}

// changeToEdit is the change of the address, if who asks may edit it.
func (s *Server) changeToEdit(r *http.Request) (store.Change, error) {
	change, err := asked(r, "id", s.Store.Change)
	if err == nil && !change.MayEdit(actorOf(r)) {
		err = store.ErrDenied
	}
	return change, err
}

func (s *Server) showChangeForm(w http.ResponseWriter, r *http.Request) error {
	c, err := s.changeToEdit(r)
	if err != nil {
		return err
	}
	return s.renderChangeForm(w, r, http.StatusOK, c, web.ChangeForm{
		Kind: c.Kind, At: c.At.UTC().Format("2006-01-02T15:04"), Title: c.Title, Body: c.Body, System: c.System, URL: c.URL, Release: c.Release,
	})
}

func (s *Server) renderChangeForm(w http.ResponseWriter, r *http.Request, status int, c store.Change, form web.ChangeForm) error {
	form.Action = changePath(c.ID) + "/edit"
	page := s.page(r, "Edit "+c.Title, ui.Crumb{Label: "Changes", Href: changesPath}, ui.Crumb{Label: c.Title, Href: changePath(c.ID)}, ui.Crumb{Label: "Edit"})
	return render(w, r, status, web.ChangeEditPage(page, changePath(c.ID), form))
}

func (s *Server) editChange(w http.ResponseWriter, r *http.Request) error {
	c, err := s.changeToEdit(r)
	if err != nil {
		return err
	}
	form, n, err := changeForm(r)
	if at := c.At.UTC().Truncate(time.Minute); n.At.Equal(at) {
		n.At = c.At // the form shows minutes alone
	}
	if err == nil {
		err = s.Store.EditChange(r.Context(), actorOf(r), c.ID, n)
	}
	if refused, ok := refusalOf(err); ok {
		form.Refused = refused
		return s.renderChangeForm(w, r, http.StatusUnprocessableEntity, c, form)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The change is put right.")
	return seeOther(w, r, changePath(c.ID))
}

func (s *Server) showChange(w http.ResponseWriter, r *http.Request) error {
	change, err := asked(r, "id", s.Store.Change)
	if err != nil {
		return err
	}
	page := s.page(r, change.Title, ui.Crumb{Label: "Changes", Href: changesPath}, ui.Crumb{Label: change.Title})
	return render(w, r, http.StatusOK, web.ChangePage(page, timelineRow(r, change)))
}

func (s *Server) hookAddress(r *http.Request, id int64) string {
	return fmt.Sprintf("%s/hooks/%d", s.publicURL(r), id)
}

func (s *Server) listHooks(w http.ResponseWriter, r *http.Request) error {
	return s.renderHooks(w, r, http.StatusOK, web.HooksView{})
}

func (s *Server) renderHooks(w http.ResponseWriter, r *http.Request, status int, v web.HooksView) error {
	hooks, err := s.Store.Hooks(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	for _, h := range hooks {
		v.Rows = append(v.Rows, web.HookRow{
			ID: h.ID, Name: h.Name, System: h.System, By: h.By, Address: s.hookAddress(r, h.ID), At: h.CreatedAt, Last: orZero(h.LastAt),
		})
	}
	page := s.page(r, "Hooks", ui.Crumb{Label: "Changes", Href: changesPath}, ui.Crumb{Label: "Hooks"})
	return render(w, r, status, web.HooksPage(page, v))
}

func (s *Server) addHook(w http.ResponseWriter, r *http.Request) error {
	v := web.HooksView{Name: r.PostFormValue("name"), System: r.PostFormValue("system")}
	id, secret, err := s.Store.AddHook(r.Context(), actorOf(r), v.Name, v.System)
	if refused, ok := refusalOf(err); ok {
		v.Refused = refused
		return s.renderHooks(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	return s.renderHooks(w, r, http.StatusOK, web.HooksView{Secret: secret, Address: s.hookAddress(r, id)})
}

// hookCalled takes what another system posts. Nobody is signed in: the signature is all that counts.
func (s *Server) hookCalled(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestHookCall))
	if err != nil {
		return err
	}
	change, err := s.Store.HookCalled(r.Context(), id, r.Header.Get(github.HeaderEvent), r.Header.Get(github.HeaderSignature), body)
	switch {
	case errors.Is(err, store.ErrSignature):
		return &httpError{status: http.StatusUnauthorized, message: "The signature does not fit: give GitHub the secret that this hook was opened with, and choose application/json."}
	case errors.Is(err, github.ErrPayload):
		return badRequest("The body is not the JSON of this event. Choose application/json as the content type.")
	case err != nil:
		return err
	case change == 0:
		return renderJSON(w, http.StatusAccepted, map[string]string{"detail": "Nothing of this event belongs on the timeline."})
	}
	return renderJSON(w, http.StatusOK, map[string]int64{"change": change})
}
