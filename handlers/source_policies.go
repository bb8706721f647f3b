package handlers

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// What the two choices of a kind of destination are called in the form.
const (
	reachAll   = "all"
	reachNamed = "named"
)

func reachChoice(p store.Policy, kind store.DestinationKind) string {
	if slices.Contains(p.OpenTo, kind) {
		return reachAll
	}
	return reachNamed
}

// policyForm is the form as a source fills it.
func policyForm(source store.Source) web.PolicyForm {
	form := web.PolicyForm{
		ID: source.ID, Version: source.Version, Name: source.Name, Action: source.ExpiryAction, Exports: slices.Contains(source.OpenTo, store.ToExports),
		Consumers: reachChoice(source.Policy, store.ToConsumers), ConsumerNames: strings.Join(source.Consumers, "\n"),
		Models: reachChoice(source.Policy, store.ToModels), ModelNames: strings.Join(source.Models, "\n"),
	}
	if source.RetentionDays != nil {
		form.Days = strconv.Itoa(*source.RetentionDays)
	}
	return form
}

// typedPolicy reads the form. What it does not hold stays as it is; a form without the version edits the newest.
func typedPolicy(r *http.Request, source store.Source) (form web.PolicyForm, edit store.SourceEdit) {
	form = web.PolicyForm{
		ID: source.ID, Name: r.PostFormValue("name"), Days: strings.TrimSpace(r.PostFormValue("retention_days")),
		Action: cmp.Or(r.PostFormValue("expiry_action"), store.ExpireDelete), Exports: r.PostFormValue("exports") != "",
		Consumers: r.PostFormValue("consumers"), ConsumerNames: r.PostFormValue("consumer_names"),
		Models: r.PostFormValue("models"), ModelNames: r.PostFormValue("model_names"),
	}
	form.Version, _ = strconv.Atoi(r.PostFormValue("version")) // 0 is no source's version: it conflicts
	edit = store.SourceEdit{ID: source.ID, Name: form.Name, Version: form.Version, Confirmed: r.PostFormValue("confirmed") != ""}
	edit.Policy = store.Policy{
		RetentionDays: typedDays(form.Days), ExpiryAction: form.Action, Consumers: strings.Split(form.ConsumerNames, "\n"), Models: strings.Split(form.ModelNames, "\n"),
	}
	for kind, open := range map[store.DestinationKind]bool{
		store.ToExports: form.Exports, store.ToConsumers: form.Consumers == reachAll, store.ToModels: form.Models == reachAll,
	} {
		if open {
			edit.OpenTo = append(edit.OpenTo, kind)
		}
	}
	return form, edit
}

// renderConflict shows what somebody else saved, beside what was typed.
func (s *Server) renderConflict(w http.ResponseWriter, r *http.Request, form web.PolicyForm, edited int) error {
	source, err := s.source(r)
	if err != nil {
		return err
	}
	changes, err := s.Store.SourceChanges(r.Context(), source, source.Version+1, changesShown)
	if err != nil {
		return err
	}
	form.Version = source.Version
	for _, change := range changes {
		switch {
		case change.Version <= edited:
		case form.Conflict == nil:
			row := changeRow(change)
			form.Conflict = &row
		default: // several since: all that they changed, the newest first
			form.Conflict.Lines = append(form.Conflict.Lines, changeRow(change).Lines...)
		}
	}
	return s.renderSource(w, r, http.StatusConflict, source, form)
}

func (s *Server) renderShorten(w http.ResponseWriter, r *http.Request, source store.Source, form web.PolicyForm, edit store.SourceEdit) error {
	preview, err := s.Store.PreviewRetention(r.Context(), actorOf(r), source, edit.RetentionDays)
	if err != nil {
		return err
	}
	v := web.ShortenView{
		Form: form, From: daysInWords(source.RetentionDays), To: daysInWords(edit.RetentionDays), Items: int(preview.Items), AtOnce: int(preview.AtOnce),
		Week: int(preview.Week), Month: int(preview.Month), Quarter: int(preview.Quarter), Beyond: int(preview.Later),
		First: orZero(preview.First), Last: orZero(preview.Last), Redactions: int(preview.Redactable),
	}
	for _, loss := range preview.Splits {
		v.Splits = append(v.Splits, web.SplitLossRow{
			Dataset: loss.Dataset, Version: loss.Version, Split: loss.Split, Size: loss.Size, AtOnce: int(loss.AtOnce), Month: int(loss.Month), Done: int(loss.Dated),
		})
	}
	crumbs := []ui.Crumb{retentionCrumb, {Label: "Sources", Href: sourcesPath}, {Label: source.Name, Href: sourcePath(source.ID)}, {Label: "Shorter retention"}}
	return render(w, r, http.StatusOK, web.ShortenPage(s.page(r, "Shorter retention", crumbs...), v))
}

func daysInWords(days *int) string {
	switch {
	case days == nil:
		return "no limit"
	case *days == 1:
		return "1 day"
	}
	return ui.Number(*days) + " days"
}

// changeRow says what a change changed.
func changeRow(change store.SourceChange) web.SourceChangeRow {
	row := web.SourceChangeRow{Version: change.Version, By: cmp.Or(change.By, change.ByToken, "the server"), At: change.At, State: change.State, Moved: int(change.Moved)}
	if change.Before == nil {
		row.Lines = append([]web.PolicyLine{{Term: "Made"}}, policyLines(nil, change.After)...)
		row.Lines[0].After = change.After.Name
		row.Lines = slices.DeleteFunc(row.Lines, func(l web.PolicyLine) bool { return l.Term == "Name" })
		return row
	}
	row.Lines = policyLines(change.Before, change.After)
	return row
}

// policyLines lists the terms of a policy, or of two those that differ.
func policyLines(before *store.SourceTerms, after store.SourceTerms) (lines []web.PolicyLine) {
	terms := func(t store.SourceTerms) []web.PolicyLine {
		action := "everything is deleted"
		if t.ExpiryAction == store.ExpireRedaction {
			action = "an approved redaction stays"
		}
		return []web.PolicyLine{
			{Term: "Name", After: t.Name},
			{Term: "Retention", After: daysInWords(t.RetentionDays)},
			{Term: "When the time is up", After: action},
			{Term: "May reach", After: reachOf(t.Policy)},
		}
	}
	lines = terms(after)
	if before == nil {
		return lines
	}
	for i, line := range terms(*before) {
		lines[i].Before = line.After
	}
	return slices.DeleteFunc(lines, func(l web.PolicyLine) bool { return l.Before == l.After })
}
