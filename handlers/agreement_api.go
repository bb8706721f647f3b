package handlers

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/agreement"
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
	operation(a, access.ReadAgreement, huma.Operation{
		OperationID: "get-agreement", Method: http.MethodGet, Path: "/projects/{slug}/agreement", Tags: []string{"Agreement"},
		Summary:     "How far a project's answers agree, with each other and with the truth",
		Description: "As it was last summed up, within seconds to minutes of the last change. A viewer gets it without labelers and items.",
		Errors:      []int{http.StatusNotFound},
	}, s.apiAgreement)
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "list-agreement-items", Method: http.MethodGet, Path: "/projects/{slug}/agreement/items", Tags: []string{"Agreement"},
		Summary: "The items whose answers were compared, the worst first", Errors: []int{http.StatusNotFound},
	}, s.apiAgreementItems)
	operation(a, access.Review, huma.Operation{
		OperationID: "score-agreement", Method: http.MethodPost, Path: "/projects/{slug}/agreement/score", Tags: []string{"Agreement"},
		Summary: "Score every item again, in the background", DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound},
	}, s.apiScoreAgain)
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

// nameJSON is what an id in a summary is called.
type nameJSON struct {
	ID   int64  `json:"id" example:"3"`
	Name string `json:"name" example:"scratch"`
}

// agreementJSON is a summary as programs see it.
type agreementJSON struct {
	Project    string                  `json:"project" example:"steel"`
	Round      int                     `json:"round,omitempty" doc:"The round that it is of; missing for all items."`
	ComputedAt time.Time               `json:"computed_at"`
	Classes    []nameJSON              `json:"class_names" doc:"Of the ids in the summary. There, −1 is no box."`
	Labelers   []nameJSON              `json:"labeler_names" doc:"Empty for a viewer."`
	Histogram  []int                   `json:"histogram" doc:"Compared items by score, in as many equal parts between 0 and 1."`
	Differ     []store.ClassDifference `json:"differ" doc:"Objects that Dawid and Skene's method gives another class than the majority, the surest first. Empty for a viewer."`
	Summary    agreement.Summary       `json:"summary"`
}

type agreementInput struct {
	Slug  string `path:"slug" example:"steel"`
	Round int    `query:"round" minimum:"0" doc:"Of this round alone."`
}

type agreementOutput struct{ Body agreementJSON }

func (s *Server) apiAgreement(ctx context.Context, actor store.Actor, in *agreementInput) (*agreementOutput, error) {
	a, err := s.readAgreement(ctx, actor, in.Slug, in.Round)
	if err != nil {
		return nil, err
	}
	if !a.found {
		return nil, store.ErrNotFound
	}
	out := &agreementOutput{agreementJSON{
		Project: a.project.Slug, Round: a.round, ComputedAt: a.ComputedAt, Classes: []nameJSON{}, Labelers: []nameJSON{},
		Histogram: a.Histogram, Differ: a.Differ, Summary: a.Summary,
	}}
	for _, c := range a.classes {
		out.Body.Classes = append(out.Body.Classes, nameJSON{c.ID, c.Name})
	}
	for _, l := range a.Labelers {
		out.Body.Labelers = append(out.Body.Labelers, nameJSON{l.Labeler, a.Names[l.Labeler]})
	}
	return out, nil
}

// itemAgreementJSON is one item of the list.
type itemAgreementJSON struct {
	Item       int64     `json:"id" example:"17"`
	Name       string    `json:"name" example:"coil-7/strip-0017.png"`
	State      string    `json:"task" enum:"open,in_review,adjudicated,discarded"`
	Answers    int       `json:"answers" example:"3"`
	Score      *float64  `json:"score,omitempty" example:"0.82" doc:"Of the answers with each other, 1 where all are alike; missing for a single one."`
	TruthScore *float64  `json:"truth_score,omitempty" example:"0.9" doc:"Their mean with the truth; missing without one."`
	IoU        *float64  `json:"iou,omitempty" example:"0.87" doc:"Mean over the objects that several have."`
	WER        *float64  `json:"wer,omitempty" example:"0.08" doc:"Word error rate between the answers, the mean of their pairs; missing for images."`
	TruthWER   *float64  `json:"truth_wer,omitempty" example:"0.05" doc:"Their mean word error rate beside the truth."`
	Worst      string    `json:"worst" enum:"agreed,words,loose,class,missed,split"`
	Objects    int       `json:"objects" example:"5"`
	Agreed     int       `json:"agreed" example:"3" doc:"Objects by their worst finding."`
	Missed     int       `json:"missed" example:"1"`
	Class      int       `json:"class" example:"1"`
	Loose      int       `json:"loose" example:"0"`
	Split      int       `json:"split" example:"0"`
	ComputedAt time.Time `json:"computed_at"`
}

type agreementItemsInput struct {
	PageQuery

	Slug string `path:"slug" example:"steel"`
}

func (s *Server) apiAgreementItems(ctx context.Context, actor store.Actor, in *agreementItemsInput) (*listing[itemAgreementJSON], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	filter, err := agreementCursor(in.After)
	if err != nil {
		return nil, err
	}
	filter.Project, filter.Limit = project.ID, in.Limit+1
	items, err := s.Store.ItemAgreements(ctx, actor, filter)
	if err != nil {
		return nil, err
	}
	rows := make([]itemAgreementJSON, len(items))
	for i, item := range items {
		rows[i] = itemAgreementJSON(item)
	}
	return pageOf("/projects/"+project.Slug+"/agreement/items", url.Values{}, in.Limit, rows, func(i itemAgreementJSON) string {
		return cursorOf(store.ItemAgreement(i))
	}), nil
}

func (s *Server) apiScoreAgain(ctx context.Context, actor store.Actor, in *slugInput) (*struct{}, error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.AskForScores(ctx, actor, project.ID)
}
