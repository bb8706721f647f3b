package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/store"
)

// apiBase is where the JSON API for programs begins.
const apiBase = "/api/v1"

const apiDescription = `What programs, scripts and the command line use. Send a token as "Authorization: Bearer fid_…"; a page of this
site may use its session instead. Errors are problem documents (RFC 9457). Lists are read page by page: follow "next" until it is
missing. A POST with an "Idempotency-Key" header is done once, however often it is sent.`

// api registers the operations of the JSON API.
type api struct {
	huma.API

	server *Server
}

// apiRoutes mounts the JSON API. Every capability that has operations adds its line here.
func (s *Server) apiRoutes(r router) {
	r.Route(apiBase, func(v1 chi.Router) {
		v1.Use(s.idempotent)
		a := api{humachi.New(v1, apiConfig()), s}
		s.projectOperations(a)
		s.sourceOperations(a)
		s.accessOperations(a)
		s.erasureOperations(a)
		s.modelOperations(a)
		s.modelServerOperations(a)
		s.importOperations(a)
		s.datasetOperations(a)
		s.diffOperations(a)
		s.auditOperations(a)
		s.consumerOperations(a)
		s.changeOperations(a)
		s.alertOperations(a)
		s.scheduleOperations(a)
		s.chainOperations(a)
		s.evaluationOperations(a)
		s.attributionOperations(a)
		s.relabelOperations(a)
		s.reviewOperations(a)
		s.batchOperations(a)
		s.planOperations(a)
		s.personalOperations(a)
		s.agreementOperations(a)
		s.qualityOperations(a)
		s.calendarOperations(a)
		r.documentation(a.OpenAPI())
	})
}

func apiConfig() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Fiducial", Version: "1", Description: apiDescription},
			Servers: []*huma.Server{{URL: apiBase}},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}},
			},
			Security: []map[string][]string{{"token": {}}},
		},
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
	}
}

// operation registers h under op's method and path, below apiBase. Only roles that may do action
// reach it; that is checked before anything of the request is read.
func operation[I, O any](a api, action access.Action, op huma.Operation, h func(context.Context, store.Actor, *I) (*O, error)) {
	s := a.server
	s.routes = append(s.routes, route{op.Method, apiBase + op.Path, action})
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden)
	op.Middlewares = append(huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		if err := authorize(r, action); err != nil {
			s.fail(w, r, err)
			return
		}
		next(ctx)
	}}, op.Middlewares...)
	huma.Register(a.API, op, func(ctx context.Context, in *I) (*O, error) {
		actor, _ := ctx.Value(actorKey).(store.Actor)
		out, err := h(ctx, actor, in)
		if err != nil {
			return nil, s.apiError(ctx, op, err)
		}
		return out, nil
	})
}

// apiError maps err through the one table of statuses, and names the field of what can be mended.
func (s *Server) apiError(ctx context.Context, op huma.Operation, err error) error {
	status, message := statusOf(err)
	if status >= http.StatusInternalServerError {
		id, _ := ctx.Value(requestIDKey).(string)
		s.Log.ErrorContext(ctx, "request failed", slog.String("operation", op.OperationID), slog.String("request", id), slog.Any("error", err))
	}
	if inv, ok := errors.AsType[*store.InvalidError](err); ok && inv.Field != "" {
		return huma.NewError(status, message, &huma.ErrorDetail{Location: "body." + inv.Field, Message: message})
	}
	return huma.NewError(status, message)
}

// PageQuery is what every list takes.
type PageQuery struct {
	After string `query:"after" doc:"Where to go on; part of the link in next."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most."`
}

// listing is one page of a list.
type listing[T any] struct {
	Body struct {
		Data []T    `json:"data"`
		Next string `json:"next,omitempty" example:"/api/v1/projects/steel/items?after=100&limit=100" doc:"The next page; missing on the last one."`
	}
}

// pageOf makes one page of rows, of which the store was asked for one more than query.Limit to see
// whether any follow. query carries the list's other filters to the next page.
func pageOf[T any](path string, query url.Values, limit int, rows []T, cursor func(T) string) *listing[T] {
	page := &listing[T]{}
	if len(rows) > limit {
		rows = rows[:limit]
		next := url.Values{}
		for name, values := range query {
			next[name] = slices.Clone(values)
		}
		next.Set("after", cursor(rows[limit-1]))
		next.Set("limit", strconv.Itoa(limit))
		page.Body.Next = apiBase + path + "?" + next.Encode()
	}
	if page.Body.Data = rows; rows == nil {
		page.Body.Data = []T{}
	}
	return page
}

// cursorID reads a cursor that is an id; the empty one is 0.
func cursorID(after string) (int64, error) {
	if after == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(after, 10, 64)
	if err != nil || id < 0 {
		return 0, badRequest("The cursor in 'after' is not one that this list gave out. Start without it.")
	}
	return id, nil
}

// made answers a POST that made something: ids and short names only, since the answer is kept under
// the request's idempotency key.
type made[T any] struct {
	Location string `header:"Location"`
	Body     T
}
