package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/alerts"
	"fiducial/store"
)

type alertJSON struct {
	ID           int64        `json:"id" example:"1"`
	Kind         string       `json:"kind" enum:"drop,missing,bias"`
	Chain        string       `json:"chain" example:"calls"`
	Evaluation   int64        `json:"evaluation,omitempty" example:"7" doc:"That raised it last."`
	Cell         int64        `json:"cell,omitempty" example:"12" doc:"That it is about."`
	State        string       `json:"state" enum:"open,acknowledged,closed"`
	Times        int          `json:"times" example:"1" doc:"How many runs have raised it."`
	Title        string       `json:"title"`
	Sentences    []string     `json:"sentences"`
	Summary      alerts.Alarm `json:"summary"`
	RaisedAt     time.Time    `json:"raised_at"`
	LastAt       time.Time    `json:"last_at"`
	SnoozedUntil *time.Time   `json:"snoozed_until,omitempty"`
	SettledAt    *time.Time   `json:"settled_at,omitempty"`
}

type alertsInput struct {
	PageQuery

	Evaluation int64 `query:"evaluation" example:"7"`
	All        bool  `query:"all" doc:"Those that are closed too."`
}

type alertOutput struct{ Body alertJSON }

type snoozeInput struct {
	ID   int64 `path:"id" example:"1"`
	Body struct {
		Days int `json:"days" minimum:"1" maximum:"90" example:"7"`
	}
}

type channelJSON struct {
	ID    int64  `json:"id" example:"1"`
	Name  string `json:"name" example:"Speech team"`
	Kind  string `json:"kind" enum:"webhook,email"`
	Host  string `json:"host" example:"hooks.slack.com" doc:"Of its address, which is kept sealed."`
	Chain string `json:"chain,omitempty" example:"calls" doc:"Whose alerts it takes; those of every chain if missing."`
	Runs  bool   `json:"runs" doc:"It takes what finished runs came to, too."`
	Sent  int    `json:"sent" example:"3"`
	Dead  int    `json:"dead" example:"0" doc:"That could not be sent."`
}

type newChannelInput struct {
	Body struct {
		Name   string `json:"name" example:"Speech team"`
		Kind   string `json:"kind" enum:"webhook,email"`
		Target string `json:"target" example:"https://hooks.slack.com/services/…" doc:"Of an incoming webhook as Slack, Mattermost and Rocket.Chat take it, or of a mailbox."`
		Chain  string `json:"chain,omitempty" example:"calls" doc:"Whose alerts it takes; those of every chain if missing."`
		Runs   bool   `json:"runs,omitempty" doc:"Tell it what each finished run came to, too; alerts alone if missing."`
	}
}

type editChannelInput struct {
	ID   int64 `path:"id" example:"1"`
	Body struct {
		Runs bool `json:"runs" doc:"Tell it what each finished run came to, too."`
	}
}

func (s *Server) alertOperations(a api) {
	const unknown, conflict, refused = http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity
	tags := []string{"Alerts"}
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "list-alerts", Method: http.MethodGet, Path: "/alerts", Tags: tags, Summary: "Alerts, the newest first",
	}, s.apiAlerts)
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "get-alert", Method: http.MethodGet, Path: "/alerts/{id}", Tags: tags, Summary: "One alert", Errors: []int{unknown},
	}, s.apiAlert)
	operation(a, access.SettleAlerts, huma.Operation{
		OperationID: "acknowledge-alert", Method: http.MethodPost, Path: "/alerts/{id}/acknowledge", Tags: tags, Summary: "Say that somebody is at it",
		Description: "It is quiet until it is closed.", DefaultStatus: http.StatusNoContent, Errors: []int{unknown, conflict},
	}, func(ctx context.Context, actor store.Actor, in *idInput) (*struct{}, error) {
		return nil, s.Store.AcknowledgeAlert(ctx, actor, in.ID)
	})
	operation(a, access.SettleAlerts, huma.Operation{
		OperationID: "close-alert", Method: http.MethodPost, Path: "/alerts/{id}/close", Tags: tags, Summary: "Close an alert",
		Description: "Where the figure is now is what it is compared with from then on.", DefaultStatus: http.StatusNoContent, Errors: []int{unknown, conflict},
	}, func(ctx context.Context, actor store.Actor, in *idInput) (*struct{}, error) {
		return nil, s.Store.CloseAlert(ctx, actor, in.ID)
	})
	operation(a, access.SettleAlerts, huma.Operation{
		OperationID: "snooze-alert", Method: http.MethodPost, Path: "/alerts/{id}/snooze", Tags: tags, Summary: "Put an alert off for some days",
		DefaultStatus: http.StatusNoContent, Errors: []int{unknown, conflict, refused},
	}, func(ctx context.Context, actor store.Actor, in *snoozeInput) (*struct{}, error) {
		return nil, s.Store.SnoozeAlert(ctx, actor, in.ID, in.Body.Days)
	})
	operation(a, access.EditChains, huma.Operation{
		OperationID: "list-alert-channels", Method: http.MethodGet, Path: "/alert-channels", Tags: tags, Summary: "Where alerts go beside the product's own notices",
	}, s.apiChannels)
	operation(a, access.EditChains, huma.Operation{
		OperationID: "add-alert-channel", Method: http.MethodPost, Path: "/alert-channels", Tags: tags, Summary: "Open a channel",
		DefaultStatus: http.StatusCreated, Errors: []int{refused},
	}, s.apiAddChannel)
	operation(a, access.EditChains, huma.Operation{
		OperationID: "change-alert-channel", Method: http.MethodPatch, Path: "/alert-channels/{id}", Tags: tags, Summary: "Say what a channel takes",
		DefaultStatus: http.StatusNoContent, Errors: []int{unknown},
	}, func(ctx context.Context, actor store.Actor, in *editChannelInput) (*struct{}, error) {
		return nil, s.Store.SetChannelRuns(ctx, actor, in.ID, in.Body.Runs)
	})
	operation(a, access.EditChains, huma.Operation{
		OperationID: "remove-alert-channel", Method: http.MethodDelete, Path: "/alert-channels/{id}", Tags: tags, Summary: "Close a channel",
		DefaultStatus: http.StatusNoContent, Errors: []int{unknown},
	}, func(ctx context.Context, actor store.Actor, in *idInput) (*struct{}, error) {
		return nil, s.Store.RemoveAlertChannel(ctx, actor, in.ID)
	})
}

func alertAsJSON(a store.Alert) alertJSON {
	return alertJSON{
		ID: a.ID, Kind: a.Kind, Chain: a.Chain, Evaluation: a.EvaluationID, Cell: a.CellID, State: a.State, Times: a.Times, Title: a.Summary.Title(),
		Sentences: a.Summary.Sentences(), Summary: a.Summary, RaisedAt: a.RaisedAt, LastAt: a.LastAt, SnoozedUntil: a.SnoozedUntil, SettledAt: a.SettledAt,
	}
}

func (s *Server) apiAlerts(ctx context.Context, actor store.Actor, in *alertsInput) (*listing[alertJSON], error) {
	before, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Alerts(ctx, actor, store.AlertFilter{Evaluation: in.Evaluation, Open: !in.All, Before: before}, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows := make([]alertJSON, 0, len(list))
	for _, a := range list {
		rows = append(rows, alertAsJSON(a))
	}
	query := url.Values{}
	if in.Evaluation != 0 {
		query.Set("evaluation", strconv.FormatInt(in.Evaluation, 10))
	}
	if in.All {
		query.Set("all", "true")
	}
	return pageOf("/alerts", query, in.Limit, rows, func(a alertJSON) string { return strconv.FormatInt(a.ID, 10) }), nil
}

func (s *Server) apiAlert(ctx context.Context, actor store.Actor, in *idInput) (*alertOutput, error) {
	alert, err := s.Store.Alert(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &alertOutput{alertAsJSON(alert)}, nil
}

func (s *Server) apiChannels(ctx context.Context, actor store.Actor, _ *struct{}) (*listing[channelJSON], error) {
	channels, err := s.Store.AlertChannels(ctx, actor)
	if err != nil {
		return nil, err
	}
	out := &listing[channelJSON]{}
	out.Body.Data = make([]channelJSON, 0, len(channels))
	for _, c := range channels {
		out.Body.Data = append(out.Body.Data, channelJSON{ID: c.ID, Name: c.Name, Kind: c.Kind, Host: c.Host, Chain: c.Chain, Runs: c.Runs, Sent: c.Sent, Dead: c.Dead})
	}
	return out, nil
}

func (s *Server) apiAddChannel(ctx context.Context, actor store.Actor, in *newChannelInput) (*made[idMade], error) {
	n := store.NewChannel{Name: in.Body.Name, Kind: in.Body.Kind, Target: in.Body.Target, Runs: in.Body.Runs}
	if in.Body.Chain != "" {
		chain, err := s.Store.ChainNamed(ctx, actor, in.Body.Chain)
		if errors.Is(err, store.ErrNotFound) {
			return nil, &store.InvalidError{Field: "chain", Reason: "There is no chain of this name. List them with 'fiducial chain list'."}
		}
		if err != nil {
			return nil, err
		}
		n.Chain = chain.ID
	}
	id, err := s.openChannel(ctx, actor, n)
	return &made[idMade]{Location: fmt.Sprintf("%s/alert-channels/%d", apiBase, id), Body: idMade{id}}, err
}
