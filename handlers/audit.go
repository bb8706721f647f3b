package handlers

import (
	"encoding/csv"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) auditRoutes(r router) {
	r.get("/admin/audit", access.ReadAudit, s.showAudit)
	r.get("/admin/audit.csv", access.ReadAudit, s.downloadAudit)
}

func (s *Server) showAudit(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	v := web.AuditView{CSV: with("/admin/audit.csv", query)}
	if err := s.auditForm(r, query, &v.Filter); err != nil {
		return err
	}
	status := http.StatusOK
	filter, err := auditFilter(query)
	if refused, ok := refusalOf(err); ok {
		status, v.Refused = http.StatusUnprocessableEntity, refused
	} else if v.Events, v.More, err = s.auditRows(r, query, filter); err != nil {
		return err
	}
	return render(w, r, status, web.AuditPage(s.page(r, "Audit log", adminCrumb, ui.Crumb{Label: "Audit log"}), v))
}

func (s *Server) auditRows(r *http.Request, query url.Values, filter store.AuditFilter) (rows []web.AuditRow, more string, err error) {
	filter.Limit = rowsAPage + 1
	events, err := s.Store.AuditEvents(r.Context(), actorOf(r), filter)
	if err != nil {
		return nil, "", err
	}
	if len(events) > rowsAPage {
		events = events[:rowsAPage]
		more = with(r.URL.Path, query, "before", strconv.FormatInt(events[rowsAPage-1].ID, 10))
	}
	for _, ev := range events {
		rows = append(rows, auditRow(ev))
	}
	return rows, more, nil
}

// auditForm fills the form with what was asked for and what there is to choose.
func (s *Server) auditForm(r *http.Request, query url.Values, v *web.AuditFilterView) (err error) {
	*v = web.AuditFilterView{
		Person: query.Get("person"), Action: query.Get("action"), ObjectType: query.Get("type"), ObjectID: query.Get("object"),
		Project: query.Get("project"), From: query.Get("from"), To: query.Get("to"),
	}
	for _, values := range query {
		v.Any = v.Any || strings.Join(values, "") != ""
	}
	actions, err := s.Store.AuditActions(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	v.Actions = []ui.Option{{Label: "Any"}}
	for _, action := range actions {
		v.Actions = append(v.Actions, ui.Option{Value: action, Label: action})
	}
	v.Projects, err = s.projectOptions(r, "Any")
	return err
}

// auditFilter reads what the form asks for. Days are in UTC, and both count whole.
func auditFilter(query url.Values) (store.AuditFilter, error) {
	f := store.AuditFilter{Person: query.Get("person"), Action: query.Get("action"), ObjectType: strings.TrimSpace(query.Get("type"))}
	for field, id := range map[string]*int64{"object": &f.ObjectID, "project": &f.ProjectID, "token": &f.TokenID, "before": &f.Before} {
		text := strings.TrimSpace(query.Get(field))
		if text == "" {
			continue
		}
		var err error
		if *id, err = strconv.ParseInt(text, 10, 64); err != nil {
			return f, &store.InvalidError{Field: field, Reason: "An id is a number."}
		}
	}
	for field, day := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		text := query.Get(field)
		if text == "" {
			continue
		}
		var err error
		if *day, err = time.Parse(time.DateOnly, text); err != nil {
			return f, &store.InvalidError{Field: field, Reason: "Write the day like 2027-01-31."}
		}
	}
	if !f.To.IsZero() {
		f.To = f.To.AddDate(0, 0, 1)
	}
	return f, nil
}

func auditRow(ev store.AuditEvent) web.AuditRow {
	row := web.AuditRow{
		At: ev.At, Who: "Fiducial itself", Action: ev.Action, Object: ev.ObjectType, Project: ev.Project, Request: ev.RequestID,
	}
	if detail := string(ev.Detail); detail != "{}" {
		row.Detail = detail
	}
	switch {
	case ev.PersonID != 0:
		row.Who, row.WhoHref = ev.Person, "/admin/people/"+strconv.FormatInt(ev.PersonID, 10)
	case ev.TokenID != 0:
		row.Who, row.WhoHref = "token "+ev.Token, "/admin/audit?token="+strconv.FormatInt(ev.TokenID, 10)
	}
	if ev.ObjectID != 0 {
		id := strconv.FormatInt(ev.ObjectID, 10)
		row.Object += " " + id
		row.ObjectHref = "/admin/audit?" + url.Values{"type": {ev.ObjectType}, "object": {id}}.Encode()
	}
	return row
}

// auditBatch is how many events a download holds in memory at once.
const auditBatch = 1000

// downloadAudit streams everything that the filter selects, newest first.
func (s *Server) downloadAudit(w http.ResponseWriter, r *http.Request) error {
	filter, err := auditFilter(r.URL.Query())
	if err != nil {
		return err
	}
	filter.Limit = auditBatch
	events, err := s.Store.AuditEvents(r.Context(), actorOf(r), filter)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="audit.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	if err := s.streamAudit(w, r, filter, events); err != nil {
		s.Log.ErrorContext(r.Context(), "download broke off", slog.String("request", requestIDOf(r)), slog.Any("error", err))
		panic(http.ErrAbortHandler) // else the client would take the part for the whole
	}
	return nil
}

// streamAudit writes events, and batch by batch those that follow.
func (s *Server) streamAudit(w http.ResponseWriter, r *http.Request, filter store.AuditFilter, events []store.AuditEvent) (err error) {
	out := csv.NewWriter(w)
	head := []string{
		"id", "at", "person_id", "person", "token_id", "token", "action", "object_type", "object_id", "project_id", "project", "request_id", "detail",
	}
	if err := out.Write(head); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	for len(events) > 0 {
		for _, ev := range events {
			if err := out.Write(auditRecord(ev)); err != nil {
				return fmt.Errorf("audit log: %w", err)
			}
		}
		filter.Before = events[len(events)-1].ID
		if events, err = s.Store.AuditEvents(r.Context(), actorOf(r), filter); err != nil {
			return err
		}
	}
	if out.Flush(); out.Error() != nil {
		return fmt.Errorf("audit log: %w", out.Error())
	}
	return nil
}

func auditRecord(ev store.AuditEvent) []string {
	id := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	return []string{
		id(ev.ID), ev.At.UTC().Format(time.RFC3339Nano), id(ev.PersonID), harmless(ev.Person), id(ev.TokenID), harmless(ev.Token), ev.Action,
		ev.ObjectType, id(ev.ObjectID), id(ev.ProjectID), harmless(ev.Project), ev.RequestID, string(ev.Detail),
	}
}
