package handlers

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"fiducial/internal/access"
	"fiducial/store"
)

// accessJSON is an access request as programs see it.
type accessJSON struct {
	ID         int64      `json:"id" example:"1"`
	SourceID   int64      `json:"source_id,omitempty" example:"1"`
	PersonID   int64      `json:"person_id,omitempty"`
	Media      bool       `json:"media" doc:"With the original images."`
	DueOn      string     `json:"due_on" example:"2026-12-24"`
	Overdue    bool       `json:"overdue" doc:"The day has passed, and nobody took the archive away."`
	State      string     `json:"state" enum:"queued,running,done,failed,deleted"`
	Error      string     `json:"error,omitempty" doc:"Why it failed."`
	Records    int64      `json:"records" doc:"Written so far."`
	Bytes      int64      `json:"bytes"`
	SHA256     string     `json:"sha256,omitempty" doc:"Of the archive; missing until it is done."`
	CreatedAt  time.Time  `json:"created_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	FetchedAt  *time.Time `json:"fetched_at,omitempty" doc:"When it was first taken away."`
	KeptUntil  *time.Time `json:"kept_until,omitempty" doc:"When the archive is deleted."`
}

func accessAsJSON(a store.AccessRequest) accessJSON {
	j := accessJSON{
		ID: a.ID, SourceID: a.SourceID, PersonID: a.PersonID, Media: a.Media, DueOn: a.DueOn.Format(time.DateOnly), Overdue: a.Overdue, State: a.State,
		Error: a.Error, Records: a.Records, Bytes: a.Bytes, SHA256: hex.EncodeToString(a.SHA256), CreatedAt: a.CreatedAt, FinishedAt: a.FinishedAt, FetchedAt: a.FetchedAt,
	}
	if until := a.KeptUntil(); !until.IsZero() {
		j.KeptUntil = &until
	}
	return j
}

type newAccessInput struct {
	Body struct {
		Source int64  `json:"source_id,omitempty" example:"1" doc:"Of a source: what is held on a customer, on a line."`
		Person string `json:"person,omitempty" example:"mara@example.org" doc:"Of a person, by address, instead of a source."`
		Media  bool   `json:"media,omitempty" doc:"With the original images of the source."`
		DueOn  string `json:"due_on,omitempty" example:"2026-12-24" doc:"When it is to be answered; 30 days from today if missing."`
	}
}

type accessOutput struct{ Body accessJSON }

type accessListInput struct {
	Source int64 `query:"source_id" doc:"Of this source alone."`
	PageQuery
}

func (s *Server) accessOperations(a api) {
	tags := []string{"Access requests"}
	operation(a, access.ManageSources, huma.Operation{
		OperationID: "add-access-request", Method: http.MethodPost, Path: "/access", Tags: tags, Summary: "Ask what is held on a source, or on a person",
		Description:   "A job writes an archive, which is deleted a week later. One of a person goes to that person and to whoever asked for it.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiAddAccess)
	operation(a, access.ManageSources, huma.Operation{
		OperationID: "list-access-requests", Method: http.MethodGet, Path: "/access", Tags: tags, Summary: "Every access request, the newest first",
	}, s.apiListAccess)
	operation(a, access.SignedIn, huma.Operation{
		OperationID: "read-access-request", Method: http.MethodGet, Path: "/access/{id}", Tags: tags, Summary: "One access request", Errors: []int{http.StatusNotFound},
	}, s.apiAccess)
	operation(a, access.SignedIn, huma.Operation{
		OperationID: "download-access-archive", Method: http.MethodGet, Path: "/access/{id}/archive", Tags: tags, Summary: "The archive itself, or a range of it",
		Errors: []int{http.StatusNotFound, http.StatusGone},
	}, s.apiAccessArchive)
}

func (s *Server) apiAddAccess(ctx context.Context, actor store.Actor, in *newAccessInput) (*made[idMade], error) {
	n := store.NewAccess{SourceID: in.Body.Source, Media: in.Body.Media}
	var err error
	if n.DueOn, err = typedDay(in.Body.DueOn); err != nil {
		return nil, err
	}
	if (n.SourceID == 0) == (in.Body.Person == "") {
		return nil, &store.InvalidError{Field: "source_id", Reason: "Say of which source, or of which person: one of the two."}
	}
	if in.Body.Person != "" {
		if n.PersonID, err = s.Store.PersonByEmail(ctx, actor, in.Body.Person); err != nil {
			return nil, err
		}
	}
	request, err := s.Store.AddAccess(ctx, actor, n)
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: apiBase + "/access/" + strconv.FormatInt(request.ID, 10), Body: idMade{request.ID}}, nil
}

func (s *Server) apiListAccess(ctx context.Context, actor store.Actor, in *accessListInput) (*listing[accessJSON], error) {
	before, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = newestFirst
	}
	requests, err := s.Store.AccessRequests(ctx, actor, in.Source, 0, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows := make([]accessJSON, 0, len(requests))
	for _, request := range requests {
		rows = append(rows, accessAsJSON(request))
	}
	query := url.Values{}
	if in.Source != 0 {
		query.Set("source_id", strconv.FormatInt(in.Source, 10))
	}
	return pageOf("/access", query, in.Limit, rows, func(a accessJSON) string { return strconv.FormatInt(a.ID, 10) }), nil
}

func (s *Server) apiAccess(ctx context.Context, actor store.Actor, in *idInput) (*accessOutput, error) {
	request, err := s.Store.AccessRequest(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &accessOutput{accessAsJSON(request)}, nil
}

// apiAccessArchive leaves the answering to the handler of the pages, which knows ranges.
func (s *Server) apiAccessArchive(_ context.Context, _ store.Actor, in *idInput) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humachi.Unwrap(ctx)
		if err := s.serveAccess(w, r, in.ID); err != nil {
			s.fail(w, r, err)
		}
	}}, nil
}
