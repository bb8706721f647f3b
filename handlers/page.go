package handlers

import (
	"log/slog"
	"net/http"

	"fiducial/internal/access"
	"fiducial/web"
	"fiducial/web/ui"
)

// places lists the pages of the rail with the action that opens each.
var places = []struct {
	href   string
	action access.Action
}{
	{reviewPath, access.Review},
	{queuePath, access.Label},
	{datasetsPath, access.ReadDatasets},
	{retentionPath, access.ReadRetention},
	{modelsPath, access.ReadModels},
	{evaluationsPath, access.ReadEvaluations},
	{changesPath, access.ReadEvaluations},
	{"/projects", access.ReadProjects},
	{adminPath, access.ManagePeople},
}

// placeOf is where a page lies in the rail: where its first crumb leads, whatever its own address, else there.
func placeOf(r *http.Request, crumbs []ui.Crumb) string {
	if len(crumbs) > 0 && crumbs[0].Href != "" {
		return crumbs[0].Href
	}
	return r.URL.Path
}

// page returns what stands round a page: navigation by role, the person, their theme, and what the
// last request left to say.
func (s *Server) page(r *http.Request, title string, crumbs ...ui.Crumb) web.PageView {
	v := web.PageView{
		Title: title, Crumbs: crumbs, Search: searchPath, Theme: cookieValue(r, themeCookie), RailFolded: cookieValue(r, railCookie) == "folded",
	}
	actor, person := actorOf(r), personOf(r)
	if person.ID == 0 {
		return v
	}
	v.User = &web.UserView{Name: person.Name, Role: string(person.Role), Settings: "/account"}
	var open []string
	for _, p := range places {
		if access.Allows(actor.Role, p.action) {
			open = append(open, p.href)
		}
	}
	v.Nav = web.Nav(placeOf(r, crumbs), open...)
	s.countNav(r, v.Nav)
	v.Bell = s.bell(r)
	if text := s.Sessions.PopString(r.Context(), sessionFlash); text != "" {
		v.Flash = []web.FlashView{{Tone: ui.OK, Text: text}}
	}
	return v
}

// countNav says in the rail how much waits. A page is not refused because that could not be counted.
func (s *Server) countNav(r *http.Request, nav []web.NavEntry) {
	waiting, err := s.Store.Waiting(r.Context(), actorOf(r))
	if err != nil {
		s.Log.WarnContext(r.Context(), "what waits was not counted", slog.String("request", requestIDOf(r)), slog.Any("error", err))
	}
	for i := range nav {
		switch nav[i].Href {
		case reviewPath:
			nav[i].Count, nav[i].Counted = waiting.Review, "to review"
		case queuePath:
			nav[i].Count, nav[i].Counted = waiting.Returned, "came back"
		case evaluationsPath:
			nav[i].Count, nav[i].Counted = s.alertsWaiting(r), "open alerts"
		}
	}
}
