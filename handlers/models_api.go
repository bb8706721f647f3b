package handlers

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

type modelJSON struct {
	ID          int64    `json:"id" example:"1"`
	Name        string   `json:"name" example:"strip-detector"`
	Kind        string   `json:"kind" enum:"detector,asr,formatting,nlp"`
	Description string   `json:"description,omitempty"`
	Versions    []string `json:"versions" doc:"Oldest first."`
}

func modelAsJSON(m store.Model) modelJSON {
	return modelJSON{m.ID, m.Name, m.Kind, m.Description, m.Versions}
}

// modelUseJSON is what a release has predicted in a project.
type modelUseJSON struct {
	Project    string `json:"project" example:"calls"`
	Items      int    `json:"items" example:"2060" doc:"That it predicted something of."`
	Hypotheses int    `json:"hypotheses" example:"2060" doc:"Of those, transcripts."`
}

// releaseJSON is a release with its lineage.
type releaseJSON struct {
	Version     string         `json:"version" example:"2.1"`
	Description string         `json:"description,omitempty"`
	SuccessorOf string         `json:"successor_of,omitempty" example:"2.0"`
	TrainedOn   []string       `json:"trained_on" example:"[\"calls@3\"]"`
	Predicted   []modelUseJSON `json:"predicted"`
	CreatedAt   time.Time      `json:"created_at"`
}

type modelDetailJSON struct {
	modelJSON

	Releases []releaseJSON `json:"releases" doc:"Newest first."`
}

type modelInput struct {
	Model string `path:"model" example:"strip-detector"`
}

type modelOutput struct{ Body modelDetailJSON }

type newModelInput struct {
	Body struct {
		Name        string `json:"name" example:"strip-detector"`
		Kind        string `json:"kind" enum:"detector,asr,formatting,nlp"`
		Description string `json:"description,omitempty" doc:"Markdown."`
	}
}

type releaseInput struct {
	Model string `path:"model" example:"strip-detector"`
	Body  struct {
		Version     string   `json:"version" example:"2.1"`
		Description string   `json:"description,omitempty" doc:"Markdown."`
		SuccessorOf string   `json:"successor_of,omitempty" example:"2.0" doc:"The version of the same model that it came after."`
		TrainedOn   []string `json:"trained_on,omitempty" example:"[\"calls@3\"]" doc:"Dataset versions, each as DATASET@NUMBER."`

		Server *serverGivenJSON `json:"server,omitempty" doc:"How it is asked; it can be said later too."`
	}
}

func (s *Server) modelOperations(a api) {
	tags := []string{"Models"}
	operation(a, access.ReadModels, huma.Operation{
		OperationID: "list-models", Method: http.MethodGet, Path: "/models", Tags: tags, Summary: "Every model with its versions",
	}, s.apiModels)
	operation(a, access.RegisterModels, huma.Operation{
		OperationID: "add-model", Method: http.MethodPost, Path: "/models", Tags: tags, Summary: "Register a model",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusUnprocessableEntity},
	}, s.apiAddModel)
	operation(a, access.ReadModels, huma.Operation{
		OperationID: "get-model", Method: http.MethodGet, Path: "/models/{model}", Tags: tags, Summary: "A model with the lineage of its releases",
		Errors: []int{http.StatusNotFound},
	}, s.apiModel)
	operation(a, access.RegisterModels, huma.Operation{
		OperationID: "release-model", Method: http.MethodPost, Path: "/models/{model}/versions", Tags: tags,
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
		out.Body.Data = append(out.Body.Data, modelAsJSON(m))
	}
	return out, nil
}

func (s *Server) apiModel(ctx context.Context, actor store.Actor, in *modelInput) (*modelOutput, error) {
	model, err := s.Store.Model(ctx, actor, in.Model)
	if err != nil {
		return nil, err
	}
	versions, err := s.Store.ModelVersions(ctx, actor, model.ID)
	if err != nil {
		return nil, err
	}
	out := &modelOutput{modelDetailJSON{modelJSON: modelAsJSON(model), Releases: make([]releaseJSON, 0, len(versions))}}
	for _, v := range versions {
		view := releaseView(v, false)
		release := releaseJSON{
			Version: v.Version, Description: v.Description, SuccessorOf: v.Successor, TrainedOn: []string{}, Predicted: []modelUseJSON{}, CreatedAt: v.CreatedAt,
		}
		for _, t := range view.Training {
			release.TrainedOn = append(release.TrainedOn, t.Name)
		}
		for _, u := range v.Uses {
			release.Predicted = append(release.Predicted, modelUseJSON{u.Slug, u.Items, u.Heard})
		}
		out.Body.Releases = append(out.Body.Releases, release)
	}
	return out, nil
}

func (s *Server) apiAddModel(ctx context.Context, actor store.Actor, in *newModelInput) (*made[idMade], error) {
	id, err := s.Store.RegisterModel(ctx, actor, store.NewModel{Name: in.Body.Name, Kind: in.Body.Kind, Description: in.Body.Description})
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: apiBase + "/models/" + url.PathEscape(in.Body.Name), Body: idMade{id}}, nil
}

func (s *Server) apiReleaseModel(ctx context.Context, actor store.Actor, in *releaseInput) (*made[idMade], error) {
	release := store.NewRelease{
		Model: in.Model, Version: in.Body.Version, Description: in.Body.Description, Successor: in.Body.SuccessorOf, Training: in.Body.TrainedOn,
	}
	if in.Body.Server != nil {
		edit := in.Body.Server.edit()
		if err := s.hostAllowed(edit); err != nil {
			return nil, err
		}
		release.Server = &edit
	}
	id, err := s.Store.Release(ctx, actor, release)
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: apiBase + "/models/" + url.PathEscape(in.Model), Body: idMade{id}}, nil
}
