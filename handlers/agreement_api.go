package handlers

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

// rulesJSON are a project's rules of agreement as programs see and set them.
type rulesJSON struct {
	LooseLimit  float64  `json:"loose_limit" exclusiveMinimum:"0" maximum:"1" example:"0.7" doc:"IoU with the middle of what was drawn below which a box is loose."`
	AcceptAbove *float64 `json:"accept_above,omitempty" exclusiveMinimum:"0" maximum:"1" example:"0.9" doc:"Score from which an item is accepted without a reviewer; missing: none is."`
	LookShare   float64  `json:"look_share" minimum:"0" maximum:"1" example:"0.1" doc:"Share of those that goes to review all the same."`
	AskBelow    *float64 `json:"ask_below,omitempty" exclusiveMinimum:"0" maximum:"1" example:"0.5" doc:"Score under which another labeler is asked; missing: none is."`
	OverlapMost int      `json:"overlap_most" minimum:"1" maximum:"9" example:"5" doc:"Up to how many answers others are asked."`
}

func (r *rulesJSON) rules() *store.AgreementRules {
	if r == nil {
		return nil
	}
	return new(store.AgreementRules(*r))
}

type rulesInput struct {
	Slug string `path:"slug" example:"steel"`
	Body rulesJSON
}

func (s *Server) agreementOperations(a api) {
	operation(a, access.EditProjects, huma.Operation{
		OperationID: "set-agreement-rules", Method: http.MethodPut, Path: "/projects/{slug}/agreement/rules", Tags: []string{"Agreement"},
		Summary:     "Say what becomes of answers that agree, or do not",
		Description: "What waits for review is judged by the new rules too, in the background.",
		Errors:      []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiSetRules)
}

func (s *Server) apiSetRules(ctx context.Context, actor store.Actor, in *rulesInput) (*projectOutput, error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	if err := s.Store.SetAgreementRules(ctx, actor, project.ID, *in.Body.rules()); err != nil {
		return nil, err
	}
	project, err = s.Store.Project(ctx, actor, in.Slug)
	return &projectOutput{projectAsJSON(project)}, err
}
