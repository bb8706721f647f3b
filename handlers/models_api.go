package handlers

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

type modelJSON struct {
	ID       int64    `json:"id" example:"1"`
	Name     string   `json:"name" example:"strip-detector"`
	Kind     string   `json:"kind" enum:"detector,asr,nlp"`
	Versions []string `json:"versions" doc:"Oldest first."`
}

type newModelInput struct {
	Body struct {
		Name string `json:"name" example:"strip-detector"`
		Kind string `json:"kind" enum:"detector,asr,nlp"`
	}
}

type releaseInput struct {
	Model string `path:"model" example:"strip-detector"`
	Body  struct {
		Version string `json:"version" example:"2.1"`
	}
}

func (s *Server) modelOperations(a api) {
	operation(a, access.RegisterModels, huma.Operation{
		OperationID: "list-models", Method: http.MethodGet, Path: "/models", Tags: []string{"Models"}, Summary: "Every model with its versions",
	}, s.apiModels)
	operation(a, access.RegisterModels, huma.Operation{
		OperationID: "add-model", Method: http.MethodPost, Path: "/models", Tags: []string{"Models"}, Summary: "Register a model",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusUnprocessableEntity},
	}, s.apiAddModel)
	operation(a, access.RegisterModels, huma.Operation{
		OperationID: "release-model", Method: http.MethodPost, Path: "/models/{model}/versions", Tags: []string{"Models"},
		Summary: "Register a release of a model", DefaultStatus: http.StatusCreated,
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiReleaseModel)
}

func (s *Server) apiModels(ctx context.Context, actor store.Actor, _ *struct{}) (*listing[modelJSON], error) {
	models, err := s.Store.Models(ctx, actor)
	if err != nil {
		return nil, err
	}
	out := &listing[modelJSON]{}
	out.Body.Data = make([]modelJSON, 0, len(models))
	for _, m := range models {
		out.Body.Data = append(out.Body.Data, modelJSON{m.ID, m.Name, m.Kind, m.Versions})
	}
	return out, nil
}

func (s *Server) apiAddModel(ctx context.Context, actor store.Actor, in *newModelInput) (*made[idMade], error) {
	id, err := s.Store.AddModel(ctx, actor, in.Body.Name, in.Body.Kind)
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: apiBase + "/models", Body: idMade{id}}, nil
}

func (s *Server) apiReleaseModel(ctx context.Context, actor store.Actor, in *releaseInput) (*made[idMade], error) {
	id, err := s.Store.ReleaseModel(ctx, actor, in.Model, in.Body.Version)
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: apiBase + "/models", Body: idMade{id}}, nil
}
