package handlers

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

// stratumJSON is a stratum on one side as programs see it.
type stratumJSON struct {
	Split   string `json:"split" enum:"training,validation,test"`
	Class   string `json:"class,omitempty" doc:"What is balanced by class: the one that most of an item's boxes bear; missing for items without boxes."`
	Source  string `json:"source,omitempty"`
	Project string `json:"project,omitempty"`
	Wanted  int    `json:"wanted,omitempty" doc:"Missing for all that there are."`
	Items   int    `json:"items" doc:"Frozen."`
	Short   int    `json:"short" doc:"How many are missing of those wanted."`
	Reserve int    `json:"reserve" doc:"How many more there are on this side, to replace what is lost."`
	Refused int    `json:"refused" doc:"How many more there would be, were they not kept for a time only."`
}

func strataAsJSON(strata []store.StratumFigure) []stratumJSON {
	rows := make([]stratumJSON, len(strata))
	for i, s := range strata {
		rows[i] = stratumJSON{
			Split: string(s.Split), Class: s.Cell.Class, Source: s.Source, Project: s.Project, Wanted: s.Wanted, Items: s.Items, Short: s.Short(),
			Reserve: s.Pool - s.Items, Refused: s.Refused,
		}
	}
	return rows
}

type recipePreviewJSON struct {
	Estimated bool          `json:"estimated" doc:"From a sample, since the projects are large."`
	Truths    int           `json:"truths" doc:"Items with truth."`
	Filtered  int           `json:"filtered" doc:"Of these, kept out by the filter."`
	Refused   int           `json:"refused" doc:"Kept out of the test side, since they are kept for a time only."`
	Reserve   int           `json:"reserve" doc:"Left over where a side takes only so many."`
	Items     int           `json:"items" doc:"Frozen."`
	Strata    []stratumJSON `json:"strata"`
}

type recipeInput struct{ Body recipeJSON }

type recipePreviewOutput struct{ Body recipePreviewJSON }

func (s *Server) recipeOperations(a api) {
	tags, unknown, refused := []string{"Datasets"}, http.StatusNotFound, http.StatusUnprocessableEntity
	operation(a, access.EditDatasets, huma.Operation{
		OperationID: "preview-recipe", Method: http.MethodPost, Path: "/recipes/preview", Tags: tags, Summary: "What a freeze by a recipe would find",
		Errors: []int{refused},
	}, s.apiRecipePreview)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "list-strata", Method: http.MethodGet, Path: "/datasets/{dataset}/versions/{number}/strata", Tags: tags,
		Summary: "The strata of a version, as they were frozen", Errors: []int{unknown},
	}, s.apiStrata)
	operation(a, access.EditDatasets, huma.Operation{
		OperationID: "rebuild-version", Method: http.MethodPost, Path: "/datasets/{dataset}/versions/{number}/rebuild", Tags: tags,
		Summary: "Freeze the next version by the recipe of this one", DefaultStatus: http.StatusCreated, Errors: []int{unknown, refused},
	}, s.apiRebuild)
}

func (s *Server) apiRecipePreview(ctx context.Context, actor store.Actor, in *recipeInput) (*recipePreviewOutput, error) {
	recipe, err := in.Body.recipe()
	if err != nil {
		return nil, err
	}
	p, err := s.Store.Preview(ctx, actor, recipe)
	return &recipePreviewOutput{recipePreviewJSON{
		Estimated: p.Every > 1, Truths: p.Truths, Filtered: p.Filtered, Refused: p.Refused, Reserve: p.Reserve, Items: p.Items, Strata: strataAsJSON(p.Strata),
	}}, err
}

func (s *Server) apiStrata(ctx context.Context, actor store.Actor, in *versionInput) (*listing[stratumJSON], error) {
	version, err := s.Store.DatasetVersion(ctx, actor, in.Dataset, in.Number)
	if err != nil {
		return nil, err
	}
	strata, err := s.Store.VersionStrata(ctx, version)
	out := &listing[stratumJSON]{}
	out.Body.Data = strataAsJSON(strata)
	return out, err
}

func (s *Server) apiRebuild(ctx context.Context, actor store.Actor, in *versionInput) (*made[versionMade], error) {
	version, err := s.Store.DatasetVersion(ctx, actor, in.Dataset, in.Number)
	if err != nil {
		return nil, err
	}
	v, err := s.Store.Rebuild(ctx, actor, version)
	return &made[versionMade]{
		Location: fmt.Sprintf("%s/datasets/%s/versions/%d", apiBase, v.Dataset, v.Number), Body: versionMade{v.Dataset, v.Number},
	}, err
}
