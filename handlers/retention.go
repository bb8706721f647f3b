package handlers

import (
	"net/http"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web/ui"
)

const (
	retentionPath = "/retention"
	sourcesPath   = retentionPath + "/sources"
)

var retentionCrumb = ui.Crumb{Label: "Retention", Href: retentionPath}

// retentionViews lists the pages under Retention in the order of their tabs, with the action that opens each.
var retentionViews = []struct {
	label, href string
	action      access.Action
}{
	{"Sources", sourcesPath, access.ReadRetention},
}

func (s *Server) retentionRoutes(r router) {
	r.get(retentionPath, access.ReadRetention, s.showRetention)
}

// retentionTabs are the tabs that the actor may open; current is the address of the one that is shown.
func retentionTabs(r *http.Request, current string) (tabs []ui.Tab) {
	for _, view := range retentionViews {
		if actorOf(r).Allowed(view.action) {
			tabs = append(tabs, ui.Tab{Label: view.label, Href: view.href, Count: -1, Current: view.href == current})
		}
	}
	return tabs
}

// showRetention leads to the first view that is open to the actor.
func (s *Server) showRetention(w http.ResponseWriter, r *http.Request) error {
	for _, tab := range retentionTabs(r, "") {
		return seeOther(w, r, tab.Href)
	}
	return store.ErrNotFound
}
