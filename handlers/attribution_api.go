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

// attributionJSON is how the difference of a cell to an earlier one is divided, as programs see it.
type attributionJSON struct {
	Cell       int64             `json:"cell" example:"204"`
	From       int64             `json:"from" example:"187" doc:"The cell that it is compared with."`
	Measure    string            `json:"measure" example:"macro_f1"`
	State      string            `json:"state" enum:"waiting,done,failed"`
	Error      string            `json:"error,omitempty" doc:"Why it failed."`
	FromValue  float64           `json:"from_value" example:"0.763"`
	Value      float64           `json:"value" example:"0.702"`
	Difference float64           `json:"difference" example:"-0.061" doc:"The factors and the remainder sum to it."`
	Factors    []factorJSON      `json:"factors"`
	Remainder  float64           `json:"remainder" doc:"Of what could not be computed: the combinations in missing, and erased items."`
	Missing    []missingPartJSON `json:"missing" doc:"Combinations that have no outputs any more, or never had."`
	Erased     int               `json:"erased,omitempty" doc:"Items that are not known in every state, as they were erased."`
	Lost       int               `json:"lost,omitempty" doc:"Items that the earlier cell alone has."`
	Added      int               `json:"added,omitempty" doc:"Items that the later cell alone has."`
	Relabeled  int               `json:"relabeled,omitempty" doc:"Items of both with another truth."`
	Redefined  int               `json:"redefined,omitempty" doc:"Items of both with another truth, since a definition is another."`
	Outdated   bool              `json:"outdated,omitempty" doc:"The figures were computed again since: ask again."`
	ComputedAt *time.Time        `json:"computed_at,omitempty"`
}

type factorJSON struct {
	Factor string  `json:"factor" enum:"model,data,labels,definition,normalizer"`
	Value  float64 `json:"value" example:"-0.047" doc:"What it contributes to the difference, averaged over the orders in which factors may change (Shapley)."`

	Low  *float64 `json:"low,omitempty" doc:"With high, its interval of 95 %; missing where there is nothing to draw."`
	High *float64 `json:"high,omitempty"`
}

type missingPartJSON struct {
	Models  []string `json:"models" example:"[\"asr@4.2\",\"sentiment@1\"]"`
	Version string   `json:"version" example:"calls-test@3"`
	Says    string   `json:"sentence"`
}

type newAttributionInput struct {
	Cell int64 `path:"cell" example:"204"`
	Body struct {
		From int64 `json:"from,omitempty" minimum:"0" example:"187" doc:"The cell to compare with; the one before it in its trend if missing."`
	}
}

// AttributionPath names the cell, and that which it is compared with.
type AttributionPath struct {
	Cell int64 `path:"cell" example:"204"`
	From int64 `path:"from" example:"187"`
}

type attributionOutput struct{ Body attributionJSON }

type attributionMade struct {
	Location string `header:"Location"`
	Body     attributionJSON
}

func (s *Server) attributionOperations(a api) {
	tags := []string{"Evaluations"}
	operation(a, access.RunEvaluations, huma.Operation{
		OperationID: "attribute-difference", Method: http.MethodPost, Path: "/cells/{cell}/attributions", Tags: tags,
		Summary:       "Have the difference of two cells divided among what changed between them",
		Description:   "Models, data, labels, definitions and the normalizer. It is computed in the background; asked for again, it is computed again.",
		DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiAttribute)
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "get-attribution", Method: http.MethodGet, Path: "/cells/{cell}/attributions/{from}", Tags: tags,
		Summary: "What the difference of two cells comes from", Errors: []int{http.StatusNotFound},
	}, s.apiAttribution)
}

func (s *Server) apiAttribute(ctx context.Context, actor store.Actor, in *newAttributionInput) (*attributionMade, error) {
	if _, err := s.Store.Cell(ctx, actor, in.Cell); err != nil {
		return nil, err
	}
	from := in.Body.From
	if from == 0 {
		var err error
		if from, err = s.Store.CellBefore(ctx, in.Cell); err != nil {
			return nil, err
		}
		if from == 0 {
			return nil, &store.InvalidError{Field: "from", Reason: "This cell is the first of its trend. Name the one to compare it with in 'from'."}
		}
	}
	if err := s.Store.Attribute(ctx, actor, from, in.Cell); err != nil {
		return nil, err
	}
	body, err := s.attributionBetween(ctx, actor, from, in.Cell)
	return &attributionMade{Location: fmt.Sprintf("%s/cells/%d/attributions/%d", apiBase, in.Cell, from), Body: body}, err
}

func (s *Server) apiAttribution(ctx context.Context, actor store.Actor, in *AttributionPath) (*attributionOutput, error) {
	body, err := s.attributionBetween(ctx, actor, in.From, in.Cell)
	return &attributionOutput{body}, err
}

// attributionBetween is the attribution between two cells that the actor sees.
func (s *Server) attributionBetween(ctx context.Context, actor store.Actor, from, cell int64) (attributionJSON, error) {
	before, err := s.Store.Cell(ctx, actor, from)
	if err != nil {
		return attributionJSON{}, err
	}
	after, err := s.Store.Cell(ctx, actor, cell)
	if err != nil {
		return attributionJSON{}, err
	}
	a, err := s.Store.AttributionOf(ctx, from, cell)
	if err != nil {
		return attributionJSON{}, err
	}
	d := &a.Parts
	out := attributionJSON{
		Cell: cell, From: from, Measure: a.Measure, State: a.State, Error: a.Error, Factors: make([]factorJSON, 0, len(d.Parts)), Missing: []missingPartJSON{},
		ComputedAt: a.ComputedAt,
	}
	if a.State != store.AttributionDone {
		return out, nil
	}
	out.FromValue, out.Value, out.Difference, out.Remainder = d.From, d.To, d.Difference(), d.Remainder
	out.Erased, out.Lost, out.Added, out.Relabeled, out.Redefined = d.Unknown, d.Lost, d.Added, d.Relabeled, d.Redefined
	out.Outdated = before.Value == nil || after.Value == nil || d.From != *before.Value || d.To != *after.Value
	for _, p := range d.Parts {
		out.Factors = append(out.Factors, factorJSON{string(p.Factor), p.Value, p.Low, p.High})
	}
	for _, state := range missingStates(d) {
		out.Missing = append(out.Missing, missingPartJSON{state.Models, state.Version, missingWord(state)})
	}
	return out, nil
}
