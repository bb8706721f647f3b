package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/webhook"
	"fiducial/store"
)

type consumerJSON struct {
	ID        int64      `json:"id" example:"1"`
	Name      string     `json:"name" example:"Nightly training" doc:"Of who took an export away: the person's or the token's."`
	Kind      string     `json:"kind" enum:"named,person,token"`
	URL       string     `json:"url,omitempty" example:"https://train.example.org/fiducial" doc:"Where it is called."`
	Versions  int        `json:"versions" example:"2" doc:"That it uses."`
	Open      int        `json:"open" example:"0" doc:"Notices that it has not confirmed."`
	OpenSince *time.Time `json:"open_since,omitempty"`
	Dead      int        `json:"dead" example:"0" doc:"Of these, calls that were given up."`
}

type newConsumerInput struct {
	Body struct {
		Name  string `json:"name" example:"Nightly training" doc:"A team, a training job, a system."`
		Owner string `json:"owner,omitempty" example:"ada@example.org" doc:"Address of the account of who answers for it."`
	}
}

type consumerAddressInput struct {
	ID   int64 `path:"id" example:"1"`
	Body struct {
		URL string `json:"url" example:"https://train.example.org/fiducial" doc:"Empty: it is not called any more."`
	}
}

type consumerSecretOutput struct {
	Body struct {
		Secret string `json:"secret,omitempty" example:"fidhook_…" doc:"Signs the calls; shown this once."`
	}
}

type consumerVersionInput struct {
	ID   int64 `path:"id" example:"1"`
	Body struct {
		Version string `json:"version" example:"steel-test@3"`
	}
}

type consumerNoticeJSON struct {
	ID          int64      `json:"id" example:"1"`
	Consumer    int64      `json:"consumer" example:"1"`
	Name        string     `json:"consumer_name" example:"Nightly training"`
	Version     string     `json:"version" example:"steel-test@3"`
	Erasure     int64      `json:"erasure" example:"7"`
	Kind        string     `json:"kind" enum:"request,expiry"`
	Lines       int        `json:"lines" example:"12" doc:"Of the version that were erased."`
	State       string     `json:"state" enum:"noted,waiting,told,dead" doc:"noted: it has no address to call."`
	Attempts    int        `json:"attempts" example:"1"`
	Fault       string     `json:"fault,omitempty" example:"status" doc:"Why the last call was not taken."`
	At          time.Time  `json:"at"`
	ToldAt      *time.Time `json:"told_at,omitempty"`
	ConfirmedAt *time.Time `json:"confirmed_at,omitempty" doc:"When it said that its copy is deleted."`
}

type noticesInput struct {
	PageQuery

	Consumer int64 `query:"consumer" example:"1"`
	Erasure  int64 `query:"erasure" example:"7"`
	Open     bool  `query:"open" doc:"Those that are not confirmed alone."`
}

type noticeOutput struct{ Body consumerNoticeJSON }

type noticeLinesInput struct {
	PageQuery

	ID int64 `path:"id" example:"1"`
}

func (s *Server) consumerOperations(a api) {
	const unknown, refused = http.StatusNotFound, http.StatusUnprocessableEntity
	tags := []string{"Consumers"}
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "list-consumers", Method: http.MethodGet, Path: "/consumers", Tags: tags, Summary: "Who uses dataset versions, the newest first",
	}, s.apiConsumers)
	operation(a, access.KeepConsumers, huma.Operation{
		OperationID: "add-consumer", Method: http.MethodPost, Path: "/consumers", Tags: tags, Summary: "Record a consumer by name",
		DefaultStatus: http.StatusCreated, Errors: []int{refused},
	}, s.apiAddConsumer)
	operation(a, access.KeepConsumers, huma.Operation{
		OperationID: "set-consumer-address", Method: http.MethodPut, Path: "/consumers/{id}/address", Tags: tags, Summary: "Say where a consumer is called, and get a new secret",
		Description: "A call is a POST of JSON, signed: the header " + webhook.HeaderSignature + " is v1= and, in hexadecimal, HMAC-SHA-256 over the header " +
			webhook.HeaderTimestamp + ", a full stop and the body, keyed with the secret. Refuse a timestamp that is older than five minutes. " +
			webhook.HeaderEvent + " is " + webhook.Erased + "; " + webhook.HeaderDelivery + " is the notice's number, the same in every try.",
		Errors: []int{unknown, refused},
	}, s.apiConsumerAddress)
	operation(a, access.KeepConsumers, huma.Operation{
		OperationID: "record-consumer", Method: http.MethodPost, Path: "/consumers/{id}/versions", Tags: tags, Summary: "Record that a consumer uses a version",
		DefaultStatus: http.StatusNoContent, Errors: []int{unknown, refused},
	}, s.apiRecordConsumer)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "list-consumer-notices", Method: http.MethodGet, Path: "/consumer-notices", Tags: tags, Summary: "What consumers were told, the newest first",
	}, s.apiNotices)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "list-notice-lines", Method: http.MethodGet, Path: "/consumer-notices/{id}/lines", Tags: tags, Summary: "The lines that a notice is about", Errors: []int{unknown},
	}, s.apiNoticeLines)
	operation(a, access.ReadDatasets, huma.Operation{
		OperationID: "confirm-notice", Method: http.MethodPost, Path: "/consumer-notices/{id}/confirm", Tags: tags, Summary: "Confirm that the consumer's copy is deleted",
		Description: "By who answers for the consumer, by the token that took the export away, or by an admin.", Errors: []int{unknown},
	}, s.apiConfirmNotice)
}

func (s *Server) apiConsumers(ctx context.Context, actor store.Actor, in *PageQuery) (*listing[consumerJSON], error) {
	before, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	consumers, err := s.Store.Consumers(ctx, actor, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	var rows []consumerJSON
	for _, c := range consumers {
		row := consumerJSON{ID: c.ID, Name: c.Name, Kind: c.Kind, Versions: c.Versions, Open: c.Open, OpenSince: c.OpenSince, Dead: c.Dead}
		if actor.Allowed(access.KeepConsumers) {
			row.URL = c.URL
		}
		rows = append(rows, row)
	}
	return pageOf("/consumers", url.Values{}, in.Limit, rows, func(c consumerJSON) string { return strconv.FormatInt(c.ID, 10) }), nil
}

func (s *Server) apiAddConsumer(ctx context.Context, actor store.Actor, in *newConsumerInput) (*made[idMade], error) {
	id, err := s.Store.AddConsumer(ctx, actor, in.Body.Name, in.Body.Owner)
	return &made[idMade]{Location: fmt.Sprintf("%s/consumers/%d", apiBase, id), Body: idMade{id}}, err
}

func (s *Server) apiConsumerAddress(ctx context.Context, actor store.Actor, in *consumerAddressInput) (*consumerSecretOutput, error) {
	if err := s.checkHook(in.Body.URL); err != nil {
		return nil, err
	}
	out := &consumerSecretOutput{}
	var err error
	out.Body.Secret, err = s.Store.SetConsumerURL(ctx, actor, in.ID, strings.TrimSpace(in.Body.URL))
	return out, err
}

func (s *Server) apiRecordConsumer(ctx context.Context, actor store.Actor, in *consumerVersionInput) (*struct{}, error) {
	version, err := s.versionNamed(ctx, actor, "version", in.Body.Version)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.RecordConsumer(ctx, actor, version, in.ID)
}

func noticeAsJSON(n store.ConsumerNotice) consumerNoticeJSON {
	return consumerNoticeJSON{
		ID: n.ID, Consumer: n.ConsumerID, Name: n.Consumer, Version: fmt.Sprintf("%s@%d", n.Dataset, n.Number), Erasure: n.ErasureID, Kind: n.Kind, Lines: n.Lines,
		State: n.State, Attempts: n.Attempts, Fault: n.Fault, At: n.At, ToldAt: n.ToldAt, ConfirmedAt: n.ConfirmedAt,
	}
}

func (s *Server) apiNotices(ctx context.Context, actor store.Actor, in *noticesInput) (*listing[consumerNoticeJSON], error) {
	before, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	filter := store.NoticeFilter{Consumer: in.Consumer, Erasure: in.Erasure, Open: in.Open, Before: before}
	notices, err := s.Store.ConsumerNotices(ctx, actor, filter, in.Limit+1)
	if err != nil {
		return nil, err
	}
	var rows []consumerNoticeJSON
	for _, n := range notices {
		rows = append(rows, noticeAsJSON(n))
	}
	query := url.Values{}
	for name, value := range map[string]int64{"consumer": in.Consumer, "erasure": in.Erasure} {
		if value != 0 {
			query.Set(name, strconv.FormatInt(value, 10))
		}
	}
	if in.Open {
		query.Set("open", "true")
	}
	return pageOf("/consumer-notices", query, in.Limit, rows, func(n consumerNoticeJSON) string { return strconv.FormatInt(n.ID, 10) }), nil
}

func (s *Server) apiNoticeLines(ctx context.Context, actor store.Actor, in *noticeLinesInput) (*listing[webhook.Line], error) {
	notice, err := s.Store.ConsumerNotice(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	after := -1
	if in.After != "" {
		if after, err = strconv.Atoi(in.After); err != nil {
			return nil, badRequest("The cursor in 'after' is not one that this list gave out. Start without it.")
		}
	}
	lines, err := s.Store.NoticeLines(ctx, notice, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(fmt.Sprintf("/consumer-notices/%d/lines", in.ID), url.Values{}, in.Limit, lines, func(l webhook.Line) string { return strconv.Itoa(l.Position) }), nil
}

func (s *Server) apiConfirmNotice(ctx context.Context, actor store.Actor, in *idInput) (*noticeOutput, error) {
	notice, err := s.Store.ConfirmNotice(ctx, actor, in.ID)
	return &noticeOutput{noticeAsJSON(notice)}, err
}
