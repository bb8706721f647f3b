package handlers

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/store"
)

// SourcePolicy is a source's policy as programs see it.
type SourcePolicy struct {
	RetentionDays *int                    `json:"retention_days" nullable:"true" doc:"How long its items are kept from their capture, or from their import where that is unknown; null for no limit."`
	ExpiryAction  string                  `json:"expiry_action" enum:"delete,redaction" doc:"What happens when the time is up. An approved redaction can outlive only a transcript; an erasure request always takes all."`
	OpenTo        []store.DestinationKind `json:"open_to" enum:"exports,consumers,models" example:"[\"exports\",\"models\"]" doc:"Kinds of destination of which every one may have its data."`
	Consumers     []string                `json:"consumers" example:"[\"training-team\"]" doc:"Of the consumers, the ones that may have its data when open_to has not all of them."`
	Models        []string                `json:"models" example:"[]" doc:"Likewise of the models' servers."`
}

func policyAsJSON(p store.Policy) SourcePolicy {
	return SourcePolicy{p.RetentionDays, p.ExpiryAction, p.OpenTo, emptyList(p.Consumers), emptyList(p.Models)}
}

func emptyList(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

type sourceJSON struct {
	ID   int64  `json:"id" example:"1"`
	Name string `json:"name" example:"Line 2"`
	SourcePolicy

	Version int `json:"version" example:"1" doc:"Of name and policy; a change says which one it is about."`
}

func sourceAsJSON(source store.Source) sourceJSON {
	return sourceJSON{source.ID, source.Name, policyAsJSON(source.Policy), source.Version}
}

type newSourceInput struct {
	Body struct {
		Name          string                   `json:"name" example:"Line 2"`
		RetentionDays *int                     `json:"retention_days,omitempty" minimum:"1" doc:"Missing for no limit."`
		ExpiryAction  string                   `json:"expiry_action,omitempty" enum:"delete,redaction" doc:"delete if missing."`
		OpenTo        *[]store.DestinationKind `json:"open_to,omitempty" enum:"exports,consumers,models" doc:"All kinds if missing."`
		Consumers     []string                 `json:"consumers,omitempty"`
		Models        []string                 `json:"models,omitempty"`
	}
}

type idMade struct {
	ID int64 `json:"id" example:"1"`
}

type sourceOutput struct{ Body sourceJSON }

type sourceNamed struct {
	Name string `query:"name" doc:"The one of this name alone."`
}

type editSourceInput struct {
	ID   int64 `path:"id" example:"1"`
	Body struct {
		Version int    `json:"version" example:"1" doc:"The version that is changed. Another one than the newest answers 409."`
		Name    string `json:"name" example:"Line 2"`
		SourcePolicy

		Confirm bool `json:"confirm,omitempty" doc:"You have seen the preview of a shorter retention, which makes items due."`
	}
}

type sourceChangedJSON struct {
	Source sourceJSON `json:"source"`
	Moving bool       `json:"moving" doc:"The dates of the items that are here follow; new imports have the new date at once."`
}

type sourceChangedOutput struct{ Body sourceChangedJSON }

type previewInput struct {
	ID            int64 `path:"id" example:"1"`
	RetentionDays int   `query:"retention_days" minimum:"0" maximum:"36500" example:"30" doc:"0 for no limit."`
}

type splitLossJSON struct {
	Dataset string `json:"dataset" example:"steel-test"`
	Version int    `json:"version" example:"3"`
	Split   string `json:"split" enum:"training,validation,test"`
	Size    int    `json:"size" doc:"Items of the side when it was frozen."`
	AtOnce  int64  `json:"due_at_once"`
	Month   int64  `json:"due_within_30_days" doc:"Those at once included."`
	Dated   int64  `json:"with_any_date"`
}

type previewJSON struct {
	Items         int64           `json:"items" doc:"Of the source."`
	AtOnce        int64           `json:"due_at_once" doc:"Not due today."`
	Week          int64           `json:"due_within_7_days" doc:"After today; each of these without the ones before."`
	Month         int64           `json:"due_within_30_days"`
	Quarter       int64           `json:"due_within_90_days"`
	Later         int64           `json:"due_later"`
	First         *time.Time      `json:"first_date,omitempty"`
	Last          *time.Time      `json:"last_date,omitempty"`
	VersionsSides []splitLossJSON `json:"versions" doc:"Sides of dataset versions that lose items, test sets first."`
}

type previewOutput struct{ Body previewJSON }

type sourceChangeJSON struct {
	Version int              `json:"version" example:"2"`
	Before  *sourceTermsJSON `json:"before" doc:"null: the source was made."`
	After   sourceTermsJSON  `json:"after"`
	By      string           `json:"by" example:"Ada Okafor" doc:"A name, a pseudonym, or a token's name."`
	At      time.Time        `json:"at"`
	State   string           `json:"state" enum:"moving,done,superseded" doc:"Of the dates of the items."`
	Moved   int64            `json:"moved" doc:"Items that have another date by it."`
}

type sourceTermsJSON struct {
	Name string `json:"name" example:"Line 2"`
	SourcePolicy
}

type sourceChangesInput struct {
	ID int64 `path:"id" example:"1"`
	PageQuery
}

func (s *Server) sourceOperations(a api) {
	operation(a, access.ReadRetention, huma.Operation{
		OperationID: "list-sources", Method: http.MethodGet, Path: "/sources", Tags: []string{"Sources"}, Summary: "Every source",
		Description: "Whoever may import is told of all of them, everybody else of those with items in their projects.",
	}, s.apiSources)
	operation(a, access.ManageSources, huma.Operation{
		OperationID: "add-source", Method: http.MethodPost, Path: "/sources", Tags: []string{"Sources"}, Summary: "Make a source",
		Description:   "A source is whose data it is: a customer, a production line. It bears the retention policy.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusUnprocessableEntity},
	}, s.apiAddSource)
	operation(a, access.ReadRetention, huma.Operation{
		OperationID: "read-source", Method: http.MethodGet, Path: "/sources/{id}", Tags: []string{"Sources"}, Summary: "One source with its policy",
		Errors: []int{http.StatusNotFound},
	}, s.apiSource)
	operation(a, access.ManageSources, huma.Operation{
		OperationID: "change-source", Method: http.MethodPut, Path: "/sources/{id}", Tags: []string{"Sources"}, Summary: "Change a source's name and policy",
		Description: "A shorter retention makes items due: look at its preview, then send it with confirm.",
		Errors:      []int{http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity},
	}, s.apiEditSource)
	operation(a, access.ManageSources, huma.Operation{
		OperationID: "preview-retention", Method: http.MethodGet, Path: "/sources/{id}/preview", Tags: []string{"Sources"},
		Summary: "What another retention would make due", Errors: []int{http.StatusNotFound},
	}, s.apiPreview)
	operation(a, access.ReadRetention, huma.Operation{
		OperationID: "list-source-changes", Method: http.MethodGet, Path: "/sources/{id}/changes", Tags: []string{"Sources"},
		Summary: "The history of a source's policy, the newest first", Errors: []int{http.StatusNotFound},
	}, s.apiSourceChanges)
}

func (s *Server) apiSources(ctx context.Context, actor store.Actor, in *sourceNamed) (*listing[sourceJSON], error) {
	sources, err := s.Store.Sources(ctx, actor)
	if err != nil {
		return nil, err
	}
	out := &listing[sourceJSON]{}
	out.Body.Data = make([]sourceJSON, 0, len(sources))
	for _, source := range sources {
		if in.Name == "" || in.Name == source.Name {
			out.Body.Data = append(out.Body.Data, sourceAsJSON(source))
		}
	}
	return out, nil
}

func (s *Server) apiAddSource(ctx context.Context, actor store.Actor, in *newSourceInput) (*made[idMade], error) {
	policy := store.DefaultPolicy(in.Body.RetentionDays)
	policy.ExpiryAction = cmp.Or(in.Body.ExpiryAction, policy.ExpiryAction)
	policy.Consumers, policy.Models = in.Body.Consumers, in.Body.Models
	if in.Body.OpenTo != nil {
		policy.OpenTo = *in.Body.OpenTo
	}
	source, err := s.Store.AddSourceUnder(ctx, actor, in.Body.Name, policy)
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: apiBase + "/sources/" + strconv.FormatInt(source.ID, 10), Body: idMade{source.ID}}, nil
}

func (s *Server) apiSource(ctx context.Context, actor store.Actor, in *idInput) (*sourceOutput, error) {
	source, err := s.Store.Source(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &sourceOutput{sourceAsJSON(source)}, nil
}

func (s *Server) apiEditSource(ctx context.Context, actor store.Actor, in *editSourceInput) (*sourceChangedOutput, error) {
	b := in.Body
	policy := store.Policy{RetentionDays: b.RetentionDays, ExpiryAction: b.ExpiryAction, OpenTo: b.OpenTo, Consumers: b.Consumers, Models: b.Models}
	change, err := s.Store.UpdateSource(ctx, actor, store.SourceEdit{ID: in.ID, Name: b.Name, Policy: policy, Version: b.Version, Confirmed: b.Confirm})
	if errors.Is(err, store.ErrUnconfirmed) {
		return nil, &store.InvalidError{Field: "confirm", Reason: "A shorter retention makes items due. Look at GET " + apiBase + "/sources/" +
			strconv.FormatInt(in.ID, 10) + "/preview, then send this again with confirm."}
	}
	if err != nil {
		return nil, err
	}
	source, err := s.Store.Source(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &sourceChangedOutput{sourceChangedJSON{sourceAsJSON(source), change.State == "moving"}}, nil
}

func (s *Server) apiPreview(ctx context.Context, actor store.Actor, in *previewInput) (*previewOutput, error) {
	source, err := s.Store.Source(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	var days *int
	if in.RetentionDays > 0 {
		days = &in.RetentionDays
	}
	p, err := s.Store.PreviewRetention(ctx, actor, source, days)
	if err != nil {
		return nil, err
	}
	out := &previewOutput{previewJSON{p.Items, p.AtOnce, p.Week, p.Month, p.Quarter, p.Later, p.First, p.Last, []splitLossJSON{}}}
	for _, loss := range p.Splits {
		out.Body.VersionsSides = append(out.Body.VersionsSides, splitLossJSON(loss))
	}
	return out, nil
}

func (s *Server) apiSourceChanges(ctx context.Context, actor store.Actor, in *sourceChangesInput) (*listing[sourceChangeJSON], error) {
	source, err := s.Store.Source(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	before := int64(source.Version) + 1
	if in.After != "" {
		if before, err = cursorID(in.After); err != nil {
			return nil, err
		}
	}
	changes, err := s.Store.SourceChanges(ctx, source, int(before), in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows := make([]sourceChangeJSON, 0, len(changes))
	for _, c := range changes {
		row := sourceChangeJSON{
			Version: c.Version, After: sourceTermsJSON{c.After.Name, policyAsJSON(c.After.Policy)}, By: cmp.Or(c.By, c.ByToken), At: c.At, State: c.State, Moved: c.Moved,
		}
		if c.Before != nil {
			row.Before = &sourceTermsJSON{c.Before.Name, policyAsJSON(c.Before.Policy)}
		}
		rows = append(rows, row)
	}
	path := "/sources/" + strconv.FormatInt(in.ID, 10) + "/changes"
	return pageOf(path, nil, in.Limit, rows, func(c sourceChangeJSON) string { return strconv.Itoa(c.Version) }), nil
}
