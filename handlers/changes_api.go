package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

type changeJSON struct {
	ID        int64     `json:"id" example:"1"`
	At        time.Time `json:"at" doc:"When it took effect."`
	Kind      string    `json:"kind" enum:"change,intervention" doc:"An intervention was done to repair."`
	Title     string    `json:"title" example:"New echo canceller on all phones"`
	Body      string    `json:"body,omitempty" doc:"Markdown."`
	System    string    `json:"system,omitempty" example:"recognizer"`
	URL       string    `json:"url,omitempty" example:"https://example.org/changes/4711"`
	Release   string    `json:"release,omitempty" example:"calls-asr@2.1" doc:"The model version that it brought."`
	Origin    string    `json:"origin" enum:"page,api,github"`
	CreatedAt time.Time `json:"created_at"`

	EditedAt *time.Time `json:"edited_at,omitempty" doc:"When it was put right last."`
}

type newChangeInput struct {
	Body struct {
		Title   string     `json:"title" example:"New echo canceller on all phones" doc:"One line, 200 letters at most."`
		Kind    string     `json:"kind,omitempty" enum:"change,intervention" default:"change" doc:"An intervention was done to repair."`
		At      *time.Time `json:"at,omitempty" example:"2026-03-01T10:00:00Z" doc:"When it took effect; now if missing."`
		Body    string     `json:"body,omitempty" doc:"Markdown. Nothing of single items or people."`
		System  string     `json:"system,omitempty" example:"recognizer"`
		URL     string     `json:"url,omitempty" example:"https://example.org/changes/4711"`
		Key     string     `json:"key,omitempty" example:"deploy-4711" doc:"What names it where it comes from: told twice under one key, it is one change."`
		Release string     `json:"release,omitempty" example:"calls-asr@2.1" doc:"The model version that it brought."`
	}
}

type editChangeInput struct {
	ID   int64 `path:"id" example:"1"`
	Body struct {
		Title   *string    `json:"title,omitempty" example:"New echo canceller on all phones" doc:"One line, 200 letters at most."`
		Kind    *string    `json:"kind,omitempty" enum:"change,intervention"`
		At      *time.Time `json:"at,omitempty" example:"2026-03-01T10:00:00Z" doc:"When it took effect."`
		Body    *string    `json:"body,omitempty" doc:"Markdown. Nothing of single items or people."`
		System  *string    `json:"system,omitempty" example:"recognizer"`
		URL     *string    `json:"url,omitempty" example:"https://example.org/changes/4711"`
		Release *string    `json:"release,omitempty" example:"calls-asr@2.1" doc:"The model version that it brought; empty for none."`
	}
}

type changesInput struct {
	PageQuery

	Kind   string    `query:"kind" enum:"change,intervention"`
	System string    `query:"system" example:"recognizer"`
	From   time.Time `query:"from" example:"2026-01-01T00:00:00Z"`
	To     time.Time `query:"to" example:"2027-01-01T00:00:00Z" doc:"Not included."`
}

type changeOutput struct{ Body changeJSON }

func (s *Server) changeOperations(a api) {
	tags := []string{"Changes"}
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "list-changes", Method: http.MethodGet, Path: "/changes", Tags: tags, Summary: "What teams did, the latest first",
	}, s.apiChanges)
	operation(a, access.WriteChanges, huma.Operation{
		OperationID: "add-change", Method: http.MethodPost, Path: "/changes", Tags: tags, Summary: "Record something that a team did",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusUnprocessableEntity},
	}, s.apiAddChange)
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "get-change", Method: http.MethodGet, Path: "/changes/{id}", Tags: tags, Summary: "One change", Errors: []int{http.StatusNotFound},
	}, s.apiChange)
	operation(a, access.WriteChanges, huma.Operation{
		OperationID: "edit-change", Method: http.MethodPatch, Path: "/changes/{id}", Tags: tags, Summary: "Put a change right",
		Description: "By whoever recorded it, or by an admin. What is missing stays as it is.", Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiEditChange)
	operation(a, access.WriteChanges, huma.Operation{
		OperationID: "remove-change", Method: http.MethodDelete, Path: "/changes/{id}", Tags: tags, Summary: "Take a change off the timeline",
		Description: "By whoever recorded it, or by an admin.", DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusNotFound},
	}, s.apiRemoveChange)
}

func changeAsJSON(c store.Change) changeJSON {
	return changeJSON{
		ID: c.ID, At: c.At, Kind: c.Kind, Title: c.Title, Body: c.Body, System: c.System, URL: c.URL, Release: c.Release, Origin: c.Origin, CreatedAt: c.CreatedAt,
		EditedAt: c.EditedAt,
	}
}

func (s *Server) apiChanges(ctx context.Context, actor store.Actor, in *changesInput) (*listing[changeJSON], error) {
	before, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	filter := store.ChangeFilter{Kind: in.Kind, System: in.System, From: in.From, To: in.To, Before: before}
	changes, err := s.Store.Changes(ctx, actor, filter, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows := make([]changeJSON, 0, len(changes))
	for _, c := range changes {
		rows = append(rows, changeAsJSON(c))
	}
	query := url.Values{}
	for name, value := range map[string]string{"kind": in.Kind, "system": in.System} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"from": in.From, "to": in.To} {
		if !at.IsZero() {
			query.Set(name, at.Format(time.RFC3339))
		}
	}
	return pageOf("/changes", query, in.Limit, rows, func(c changeJSON) string { return strconv.FormatInt(c.ID, 10) }), nil
}

func (s *Server) apiAddChange(ctx context.Context, actor store.Actor, in *newChangeInput) (*made[idMade], error) {
	n := store.NewChange{
		Kind: in.Body.Kind, Title: in.Body.Title, Body: in.Body.Body, System: in.Body.System, URL: in.Body.URL, Key: in.Body.Key, Release: in.Body.Release,
	}
	if in.Body.At != nil {
		n.At = *in.Body.At
	}
	id, err := s.Store.AddChange(ctx, actor, n)
	return &made[idMade]{Location: apiBase + changePath(id), Body: idMade{id}}, err
}

func (s *Server) apiChange(ctx context.Context, actor store.Actor, in *idInput) (*changeOutput, error) {
	change, err := s.Store.Change(ctx, actor, in.ID)
	return &changeOutput{changeAsJSON(change)}, err
}

func (s *Server) apiRemoveChange(ctx context.Context, actor store.Actor, in *idInput) (*struct{}, error) {
	return nil, s.Store.RemoveChange(ctx, actor, in.ID)
}

func (s *Server) apiEditChange(ctx context.Context, actor store.Actor, in *editChangeInput) (*changeOutput, error) {
	c, err := s.Store.Change(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	n := store.NewChange{At: c.At, Kind: c.Kind, Title: c.Title, Body: c.Body, System: c.System, URL: c.URL, Release: c.Release}
	if in.Body.At != nil {
		n.At = *in.Body.At
	}
	for _, field := range []struct{ given, into *string }{
		{in.Body.Title, &n.Title}, {in.Body.Kind, &n.Kind}, {in.Body.Body, &n.Body}, {in.Body.System, &n.System}, {in.Body.URL, &n.URL}, {in.Body.Release, &n.Release},
	} {
		if field.given != nil {
			*field.into = *field.given
		}
	}
	if err := s.Store.EditChange(ctx, actor, in.ID, n); err != nil {
		return nil, err
	}
	return s.apiChange(ctx, actor, &idInput{in.ID})
}
