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

type scheduleJSON struct {
	ID         int64                   `json:"id" example:"1"`
	Name       string                  `json:"name" example:"Weekly"`
	Chain      string                  `json:"chain" example:"calls"`
	Request    store.EvaluationRequest `json:"request" doc:"What its runs are asked for."`
	Every      string                  `json:"every,omitempty" enum:"day,week,month" doc:"Missing: not by the clock."`
	Hour       int                     `json:"hour" example:"3" doc:"UTC."`
	OnRelease  bool                    `json:"on_release" doc:"After each release of a model that is named @latest."`
	NextAt     *time.Time              `json:"next_at,omitempty"`
	PausedAt   *time.Time              `json:"paused_at,omitempty" doc:"Since when it rests; missing: it goes on."`
	Fault      string                  `json:"fault,omitempty" doc:"Why the last run could not be started."`
	Evaluation int64                   `json:"evaluation,omitempty" example:"7" doc:"The newest run that it started."`
}

type newScheduleInput struct {
	Body struct {
		Name      string     `json:"name" example:"Weekly"`
		Chain     string     `json:"chain" example:"calls"`
		Versions  []string   `json:"versions" minItems:"1" example:"[\"calls-test@latest\"]" doc:"DATASET@NUMBER, or DATASET@latest for the newest."`
		Models    [][]string `json:"models" minItems:"1" example:"[[\"asr@latest\"],[\"sentiment@latest\"]]" doc:"For each slot of the chain: NAME@VERSION, or NAME@latest for the newest."`
		Baseline  []string   `json:"baseline,omitempty" example:"[\"asr@1.4\",\"sentiment@2\"]" doc:"For each slot; that of the chain if missing."`
		Split     string     `json:"split,omitempty" enum:"training,validation,test" default:"test"`
		Every     string     `json:"every,omitempty" enum:"day,week,month" doc:"Each day, each Monday, or on the first of each month; missing: not by the clock."`
		Hour      int        `json:"hour,omitempty" minimum:"0" maximum:"23" default:"3" doc:"UTC."`
		OnRelease bool       `json:"on_release,omitempty" doc:"After each release of a model that is named @latest."`
	}
}

func (s *Server) scheduleOperations(a api) {
	tags := []string{"Evaluations"}
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "list-schedules", Method: http.MethodGet, Path: "/schedules", Tags: tags, Summary: "What starts evaluations by itself",
	}, s.apiSchedules)
	operation(a, access.EditChains, huma.Operation{
		OperationID: "add-schedule", Method: http.MethodPost, Path: "/schedules", Tags: tags, Summary: "Have evaluations started by the clock, or after releases",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusUnprocessableEntity},
	}, s.apiAddSchedule)
	operation(a, access.EditChains, huma.Operation{
		OperationID: "pause-schedule", Method: http.MethodPost, Path: "/schedules/{id}/pause", Tags: tags, Summary: "Let a schedule rest",
		Description: "It starts nothing until it is resumed.", DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, func(ctx context.Context, actor store.Actor, in *idInput) (*struct{}, error) {
		return nil, s.Store.PauseSchedule(ctx, actor, in.ID)
	})
	operation(a, access.EditChains, huma.Operation{
		OperationID: "resume-schedule", Method: http.MethodPost, Path: "/schedules/{id}/resume", Tags: tags, Summary: "Have a schedule go on that rests",
		Description: "What was due meanwhile is not made up for.", DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, func(ctx context.Context, actor store.Actor, in *idInput) (*struct{}, error) {
		return nil, s.Store.ResumeSchedule(ctx, actor, in.ID)
	})
	operation(a, access.EditChains, huma.Operation{
		OperationID: "stop-schedule", Method: http.MethodDelete, Path: "/schedules/{id}", Tags: tags, Summary: "Remove a schedule",
		Description: "What it started stays.", DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, actor store.Actor, in *idInput) (*struct{}, error) {
		return nil, s.Store.StopSchedule(ctx, actor, in.ID)
	})
}

func (s *Server) apiSchedules(ctx context.Context, actor store.Actor, _ *struct{}) (*listing[scheduleJSON], error) {
	list, err := s.Store.Schedules(ctx, actor, 0)
	if err != nil {
		return nil, err
	}
	out := &listing[scheduleJSON]{}
	out.Body.Data = make([]scheduleJSON, 0, len(list))
	for _, x := range list {
		out.Body.Data = append(out.Body.Data, scheduleJSON{
			ID: x.ID, Name: x.Name, Chain: x.Chain, Request: x.Request, Every: x.Every, Hour: x.Hour, OnRelease: x.OnRelease, NextAt: x.NextAt, Fault: x.Fault,
			Evaluation: x.LastRun, PausedAt: x.PausedAt,
		})
	}
	return out, nil
}

func (s *Server) apiAddSchedule(ctx context.Context, actor store.Actor, in *newScheduleInput) (*made[idMade], error) {
	b := in.Body
	id, err := s.Store.AddSchedule(ctx, actor, store.NewSchedule{
		Name: b.Name, Every: b.Every, Hour: b.Hour, OnRelease: b.OnRelease,
		Request: store.EvaluationRequest{Chain: b.Chain, Versions: b.Versions, Models: b.Models, Baseline: b.Baseline, Split: b.Split},
	})
	return &made[idMade]{Location: fmt.Sprintf("%s/schedules/%d", apiBase, id), Body: idMade{id}}, err
}
