package handlers

import (
	"net/http"

	"fiducial/internal/access"
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
	{"Calendar", retentionPath, access.ReadRetention},
	{"Sources", sourcesPath, access.ReadRetention},
	{"Erasures", erasuresPath, access.ReadRetention},
	{"Holds", holdsPath, access.Erase},
	{"Access requests", accessPath, access.ManageSources},
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
