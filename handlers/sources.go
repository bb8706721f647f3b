package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) sourceRoutes(r router) {
	r.get(sourcesPath, access.ReadRetention, s.listSources)
	r.post(sourcesPath, access.ManageSources, s.addSource)
	r.get(sourcesPath+"/{source}", access.ReadRetention, s.showSource)
	r.post(sourcesPath+"/{source}", access.ManageSources, s.updateSource)
}

// sourcePath is the page of a source.
func sourcePath(id int64) string { return sourcesPath + "/" + strconv.FormatInt(id, 10) }

func (s *Server) listSources(w http.ResponseWriter, r *http.Request) error {
	return s.renderSources(w, r, http.StatusOK, web.PolicyForm{})
}

// renderSources shows every source; typed is a form of a new one that was refused.
func (s *Server) renderSources(w http.ResponseWriter, r *http.Request, status int, typed web.PolicyForm) error {
	lines, err := s.Store.SourceLines(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	v := web.SourcesView{Tabs: retentionTabs(r, sourcesPath), CanEdit: actorOf(r).Allowed(access.ManageSources), New: typed}
	for _, line := range lines {
		row := sourceRow(line.Source)
		row.Items, row.Due, row.Next, row.Moving = int(line.Items), int(line.Due), orZero(line.Next), line.Moving
		v.Sources = append(v.Sources, row)
	}
	return render(w, r, status, web.SourcesPage(s.page(r, "Sources", retentionCrumb, ui.Crumb{Label: "Sources"}), v))
}

func sourceRow(source store.Source) web.SourceRow {
	row := web.SourceRow{ID: source.ID, Name: source.Name, Keeps: source.ExpiryAction == store.ExpireRedaction}
	if source.RetentionDays != nil {
		row.Days = *source.RetentionDays
	}
	row.Reach = reachOf(source.Policy)
	row.NoReach = len(source.OpenTo) < len(store.DestinationKinds())
	return row
}

// reachOf says in words what data under a policy may reach.
func reachOf(p store.Policy) string {
	if len(p.OpenTo) == len(store.DestinationKinds()) {
		return "everything"
	}
	var reach []string
	if slices.Contains(p.OpenTo, store.ToExports) {
		reach = append(reach, "exports")
	}
	reach = append(reach, reachOfKind(p, store.ToConsumers, "consumers", p.Consumers), reachOfKind(p, store.ToModels, "model servers", p.Models))
	reach = slices.DeleteFunc(reach, func(s string) bool { return s == "" })
	if len(reach) == 0 {
		return "nothing outside"
	}
	return strings.Join(reach, "; ")
}

func reachOfKind(p store.Policy, kind store.DestinationKind, word string, names []string) string {
	switch {
	case slices.Contains(p.OpenTo, kind):
		return "all " + word
	case len(names) > 0:
		return "of " + word + " " + strings.Join(names, ", ")
	}
	return ""
}

func (s *Server) addSource(w http.ResponseWriter, r *http.Request) error {
	form := web.PolicyForm{Name: r.PostFormValue("name"), Days: strings.TrimSpace(r.PostFormValue("retention_days"))}
	source, err := s.Store.AddSource(r.Context(), actorOf(r), form.Name, typedDays(form.Days))
	if refused, ok := refusalOf(err); ok {
		form.Refused = refused
		return s.renderSources(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The source is there.")
	return seeOther(w, r, sourcePath(source.ID))
}

// typedDays reads a retention; days that are no number are out of range.
func typedDays(typed string) *int {
	if typed == "" {
		return nil
	}
	days, err := strconv.Atoi(typed)
	if err != nil {
		days = -1
	}
	return &days
}

func (s *Server) source(r *http.Request) (store.Source, error) {
	return asked(r, "source", s.Store.Source)
}

func (s *Server) showSource(w http.ResponseWriter, r *http.Request) error {
	source, err := s.source(r)
	if err != nil {
		return err
	}
	return s.renderSource(w, r, http.StatusOK, source, policyForm(source))
}

// changesShown is how many changes of a source a page of its history lists.
const changesShown = 20

func (s *Server) renderSource(w http.ResponseWriter, r *http.Request, status int, source store.Source, form web.PolicyForm) error {
	holding, err := s.Store.SourceHolding(r.Context(), actorOf(r), source)
	if err != nil {
		return err
	}
	v := web.SourceView{
		SourceRow: sourceRow(source), Tabs: retentionTabs(r, sourcesPath), Since: source.CreatedAt,
		CanEdit: actorOf(r).Allowed(access.ManageSources), Form: form, Terms: policyLines(nil, store.SourceTerms{Name: source.Name, Policy: source.Policy}),
	}
	fillHolding(&v, holding)
	if err := s.fillHistory(r, source, &v); err != nil {
		return err
	}
	if v.CanEdit {
		if err := s.fillChoices(r.Context(), actorOf(r), &v.Form); err != nil {
			return err
		}
	}
	v.Links = sourceLinks(r, source.ID)
	crumbs := []ui.Crumb{retentionCrumb, {Label: "Sources", Href: sourcesPath}, {Label: source.Name}}
	return render(w, r, status, web.SourcePage(s.page(r, source.Name, crumbs...), v))
}

// sourceLinks lead to what can be asked for a source.
func sourceLinks(r *http.Request, source int64) (links []web.LinkView) {
	of := "?source=" + strconv.FormatInt(source, 10)
	if actorOf(r).Allowed(access.ManageSources) {
		links = append(links, web.LinkView{Label: "What is held", Href: sourcePath(source) + "/access"})
	}
	if actorOf(r).Allowed(access.Erase) {
		links = append(links, web.LinkView{Label: "Place a hold", Href: holdsPath + of}, web.LinkView{Label: "Request erasure", Href: erasuresPath + "/new" + of})
	}
	return links
}

func fillHolding(v *web.SourceView, h store.SourceHolding) {
	v.Due = int(h.Due)
	for _, p := range h.Projects {
		v.Items += int(p.Items)
		v.Projects = append(v.Projects, web.SourceProjectRow{Slug: p.Slug, Name: p.Name, Items: int(p.Items)})
	}
	for _, week := range h.Weeks {
		v.Weeks = append(v.Weeks, web.WeekRow{Monday: week.Monday, Items: int(week.Items)})
	}
	for _, held := range h.Versions {
		v.Versions = append(v.Versions, web.SourceVersionRow(held))
	}
	for _, e := range h.Exports {
		v.Exports = append(v.Exports, web.SourceExportRow(e))
	}
}

func (s *Server) fillHistory(r *http.Request, source store.Source, v *web.SourceView) error {
	before := source.Version + 1
	if typed, err := strconv.Atoi(r.URL.Query().Get("before")); err == nil && typed > 0 && typed < before {
		before = typed
	}
	changes, err := s.Store.SourceChanges(r.Context(), source, before, changesShown+1)
	if err != nil {
		return err
	}
	if len(changes) > changesShown {
		changes = changes[:changesShown]
		v.More = sourcePath(source.ID) + "?before=" + strconv.Itoa(changes[changesShown-1].Version) + "#history"
	}
	for _, change := range changes {
		v.History = append(v.History, changeRow(change))
	}
	for _, change := range changes {
		if change.State == "moving" {
			v.Move = &web.MoveView{Done: int(change.DoneItems)}
			if change.Items != nil {
				v.Move.Total = int(*change.Items)
			}
		}
	}
	return nil
}

// fillChoices says what is registered here, for whoever writes a policy.
func (s *Server) fillChoices(ctx context.Context, actor store.Actor, form *web.PolicyForm) error {
	redactable, err := s.Store.Redactable(ctx)
	if err != nil {
		return err
	}
	form.Redactable = redactable || form.Action == store.ExpireRedaction
	models, err := s.Store.Models(ctx, actor)
	for _, model := range models {
		form.KnownModels = append(form.KnownModels, model.Name)
	}
	return err
}

func (s *Server) updateSource(w http.ResponseWriter, r *http.Request) error {
	source, err := s.source(r)
	if err != nil {
		return err
	}
	form, edit := typedPolicy(r, source)
	change, err := s.Store.UpdateSource(r.Context(), actorOf(r), edit)
	switch refused, ok := refusalOf(err); {
	case ok:
		form.Refused = refused
		return s.renderSource(w, r, http.StatusUnprocessableEntity, source, form)
	case errors.Is(err, store.ErrUnconfirmed):
		return s.renderShorten(w, r, source, form, edit)
	case errors.Is(err, store.ErrConflict):
		return s.renderConflict(w, r, form, edit.Version)
	case err != nil:
		return err
	}
	said := "The policy is saved."
	if change.State == "moving" {
		said += " The dates of the items follow."
	}
	s.flash(r, said)
	return seeOther(w, r, sourcePath(source.ID))
}
