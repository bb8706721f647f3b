package handlers

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

// chainJSON is a chain as programs see it.
type chainJSON struct {
	ID          int64      `json:"id" example:"1"`
	Name        string     `json:"name" example:"calls"`
	Description string     `json:"description,omitempty"`
	Slots       []string   `json:"slots" example:"[\"asr\",\"nlp\"]"`
	Baseline    []string   `json:"baseline,omitempty" example:"[\"asr@4.1\",\"sentiment@1\"]"`
	AlertDrop   float64    `json:"alert_drop" example:"0.02" doc:"How far the headline measure may fall, in its own unit."`
	ExpectDays  int        `json:"expect_days,omitempty" example:"7" doc:"Within how many days a run is expected; 0: never."`
	Runs        int        `json:"runs"`
	LastRun     *time.Time `json:"last_run,omitempty"`
}

func chainAsJSON(c store.Chain) chainJSON {
	return chainJSON{c.ID, c.Name, c.Description, c.Slots, c.Baseline, c.AlertDrop, c.ExpectDays, c.Runs, c.LastRun}
}

type newChainInput struct {
	Body struct {
		Name        string   `json:"name" example:"calls"`
		Description string   `json:"description,omitempty"`
		Slots       []string `json:"slots" minItems:"1" maxItems:"5" enum:"detector,asr,formatting,nlp" example:"[\"asr\",\"nlp\"]"`
		Baseline    []string `json:"baseline,omitempty" doc:"A version for each slot, as NAME@VERSION or reference."`
		AlertDrop   *float64 `json:"alert_drop,omitempty" minimum:"0" doc:"0.02 if missing."`
		ExpectDays  int      `json:"expect_days,omitempty" minimum:"0" maximum:"3650"`
	}
}

// ChainPath names a chain.
type ChainPath struct {
	ID int64 `path:"chain" example:"1"`
}

type changeChainInput struct {
	ChainPath

	Body struct {
		Name        *string   `json:"name,omitempty"`
		Description *string   `json:"description,omitempty"`
		Baseline    *[]string `json:"baseline,omitempty" doc:"An empty list takes it away."`
		AlertDrop   *float64  `json:"alert_drop,omitempty" minimum:"0"`
		ExpectDays  *int      `json:"expect_days,omitempty" minimum:"0" maximum:"3650"`
	}
}

type chainOutput struct{ Body chainJSON }

func (s *Server) chainOperations(a api) {
	tags, refused := []string{"Evaluations"}, []int{http.StatusNotFound, http.StatusUnprocessableEntity}
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "list-chains", Method: http.MethodGet, Path: "/chains", Tags: tags, Summary: "The chains of models that are measured together",
	}, s.apiChains)
	operation(a, access.EditChains, huma.Operation{
		OperationID: "add-chain", Method: http.MethodPost, Path: "/chains", Tags: tags, Summary: "Make a chain", DefaultStatus: http.StatusCreated, Errors: refused,
	}, s.apiAddChain)
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "get-chain", Method: http.MethodGet, Path: "/chains/{chain}", Tags: tags, Summary: "One chain", Errors: []int{http.StatusNotFound},
	}, s.apiChain)
	operation(a, access.EditChains, huma.Operation{
		OperationID: "change-chain", Method: http.MethodPatch, Path: "/chains/{chain}", Tags: tags, Summary: "Change a chain's settings", Errors: refused,
	}, s.apiChangeChain)
}

func (s *Server) apiChains(ctx context.Context, actor store.Actor, _ *struct{}) (*listing[chainJSON], error) {
	chains, err := s.Store.Chains(ctx, actor)
	if err != nil {
		return nil, err
	}
	out := &listing[chainJSON]{}
	out.Body.Data = make([]chainJSON, 0, len(chains))
	for _, c := range chains {
		out.Body.Data = append(out.Body.Data, chainAsJSON(c))
	}
	return out, nil
}

func (s *Server) apiAddChain(ctx context.Context, actor store.Actor, in *newChainInput) (*made[idMade], error) {
	b := in.Body
	n := store.NewChain{Slots: b.Slots, ChainSettings: store.ChainSettings{
		Name: b.Name, Description: b.Description, Baseline: b.Baseline, AlertDrop: store.DefaultAlertDrop, ExpectDays: b.ExpectDays,
	}}
	if b.AlertDrop != nil {
		n.AlertDrop = *b.AlertDrop
	}
	id, err := s.Store.AddChain(ctx, actor, n)
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: fmt.Sprintf("%s/chains/%d", apiBase, id), Body: idMade{id}}, nil
}

func (s *Server) apiChain(ctx context.Context, actor store.Actor, in *ChainPath) (*chainOutput, error) {
	chain, err := s.Store.Chain(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &chainOutput{chainAsJSON(chain)}, nil
}

func (s *Server) apiChangeChain(ctx context.Context, actor store.Actor, in *changeChainInput) (*chainOutput, error) {
	chain, err := s.Store.Chain(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	n := store.ChainSettings{Name: chain.Name, Description: chain.Description, Baseline: chain.Baseline, AlertDrop: chain.AlertDrop, ExpectDays: chain.ExpectDays}
	b := in.Body
	if b.Name != nil {
		n.Name = *b.Name
	}
	if b.Description != nil {
		n.Description = *b.Description
	}
	if b.Baseline != nil {
		n.Baseline = *b.Baseline
	}
	if b.AlertDrop != nil {
		n.AlertDrop = *b.AlertDrop
	}
	if b.ExpectDays != nil {
		n.ExpectDays = *b.ExpectDays
	}
	if err := s.Store.ChangeChain(ctx, actor, in.ID, n); err != nil {
		return nil, err
	}
	return s.apiChain(ctx, actor, &in.ChainPath)
}
