package handlers

import (
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
	v.Bell = s.bell(r)
	if text := s.Sessions.PopString(r.Context(), sessionFlash); text != "" {
		v.Flash = []web.FlashView{{Tone: ui.OK, Text: text}}
	}
	return v
}
