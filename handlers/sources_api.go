package handlers

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

type sourceJSON struct {
	ID            int64  `json:"id" example:"1"`
	Name          string `json:"name" example:"Line 2"`
	RetentionDays *int   `json:"retention_days" doc:"How long its items are kept from their capture, or from their import where that is unknown; null for no limit."`
}

type newSourceInput struct {
	Body struct {
		Name          string `json:"name" example:"Line 2"`
		RetentionDays *int   `json:"retention_days,omitempty" minimum:"1" doc:"Missing for no limit."`
	}
}

type idMade struct {
	ID int64 `json:"id" example:"1"`
}

func (s *Server) sourceOperations(a api) {
	operation(a, access.Import, huma.Operation{
		OperationID: "list-sources", Method: http.MethodGet, Path: "/sources", Tags: []string{"Sources"}, Summary: "Every source",
	}, s.apiSources)
	operation(a, access.ManageSources, huma.Operation{
		OperationID: "add-source", Method: http.MethodPost, Path: "/sources", Tags: []string{"Sources"}, Summary: "Make a source",
		Description:   "A source is whose data it is: a customer, a production line. It bears the retention policy.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusUnprocessableEntity},
	}, s.apiAddSource)
}

func (s *Server) apiSources(ctx context.Context, actor store.Actor, _ *struct{}) (*listing[sourceJSON], error) {
	sources, err := s.Store.Sources(ctx, actor)
	if err != nil {
		return nil, err
	}
	out := &listing[sourceJSON]{}
	out.Body.Data = make([]sourceJSON, 0, len(sources))
	for _, source := range sources {
		out.Body.Data = append(out.Body.Data, sourceJSON{source.ID, source.Name, source.RetentionDays})
	}
	return out, nil
}

func (s *Server) apiAddSource(ctx context.Context, actor store.Actor, in *newSourceInput) (*made[idMade], error) {
	source, err := s.Store.AddSource(ctx, actor, in.Body.Name, in.Body.RetentionDays)
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: apiBase + "/sources", Body: idMade{source.ID}}, nil
}
