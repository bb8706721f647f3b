package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/erasure"
	"fiducial/store"
)

type newErasureInput struct {
	Body struct {
		Scope     string  `json:"scope" enum:"source,group,items" example:"source"`
		Source    string  `json:"source,omitempty" example:"Line 2" doc:"Name of the source; of a group the one that it belongs to, where several sources have one of its name."`
		Group     string  `json:"group,omitempty" doc:"Name of the group, as it was imported."`
		Project   string  `json:"project,omitempty" doc:"Short name of the project whose keys are meant; every project if missing."`
		Items     []int64 `json:"items,omitempty" example:"[17]" doc:"Ids of items."`
		List      string  `json:"list,omitempty" doc:"Text or CSV that names items: an external key, or #17 for an id, in the first column of each line."`
		Reason    string  `json:"reason" example:"Ticket 17" doc:"Stays for ever: nothing of what is erased."`
		DueWithin int     `json:"due_within_days,omitempty" minimum:"1" maximum:"365" doc:"30 if missing."`
	}
}

type erasureJSON struct {
	ID        int64                       `json:"id" example:"1"`
	Kind      string                      `json:"kind" enum:"request,expiry"`
	Scope     string                      `json:"scope" enum:"source,group,items,expired"`
	Source    string                      `json:"source,omitempty" example:"Line 2"`
	State     string                      `json:"state" enum:"collecting,previewed,queued,erasing,held,erased,rewritten,failed,cancelled" example:"previewed"`
	Reason    string                      `json:"reason" example:"Ticket 17"`
	Due       time.Time                   `json:"due_at"`
	Overdue   bool                        `json:"overdue"`
	Requested time.Time                   `json:"requested_at"`
	Erased    *time.Time                  `json:"erased_at,omitempty" doc:"Since when nothing of it can be reached."`
	Rewritten *time.Time                  `json:"rewritten_at,omitempty" doc:"Since when the files of the database do not know it."`
	Items     int                         `json:"items" doc:"That are meant."`
	Done      int                         `json:"done_items"`
	Late      int                         `json:"late_items" doc:"Came in after the preview, and go too."`
	Kept      int                         `json:"redactions,omitempty" doc:"Masked transcripts without sound that an expiry left, as the source's policy says."`
	Unmatched []int32                     `json:"unmatched_lines,omitempty" doc:"Lines of the list that name no item."`
	Counts    map[string]int64            `json:"counts" doc:"What goes, or went, by kind."`
	Versions  map[string]map[string]int64 `json:"versions,omitempty" doc:"Lines by version's id and split."`
	Exports   []int64                     `json:"exports,omitempty" doc:"Exports whose archives are deleted."`
	Hold      int64                       `json:"hold,omitempty" doc:"The legal hold that stops it."`
	Error     string                      `json:"error,omitempty"`
}

func erasureAsJSON(e store.Erasure) erasureJSON {
	out := erasureJSON{
		ID: e.ID, Kind: e.Kind, Scope: e.Scope, Source: e.Source, State: e.State, Reason: e.Reason, Due: e.DueAt, Overdue: e.Overdue, Requested: e.RequestedAt,
		Erased: e.ErasedAt, Rewritten: e.RewrittenAt, Items: e.Items, Done: e.DoneItems, Late: e.Late, Kept: e.Kept, Unmatched: e.Unmatched, Counts: e.Counts,
		Exports: e.Touched.Exports, Error: e.Error,
	}
	if e.DoneItems > 0 {
		out.Counts = e.Erased
	}
	if e.State == store.ErasureHeld {
		out.Hold = e.HoldID
	}
	for version, splits := range e.Touched.Versions {
		if out.Versions == nil {
			out.Versions = map[string]map[string]int64{}
		}
		out.Versions[strconv.FormatInt(version, 10)] = splits
	}
	return out
}

type erasureOutput struct{ Body erasureJSON }

type receiptOutput struct{ Body json.RawMessage }

type newHoldInput struct {
	Body struct {
		Source string `json:"source,omitempty" example:"Line 2" doc:"Name of the source that is held, or of the group's."`
		Group  string `json:"group,omitempty" doc:"Name of the group that is held."`
		Item   int64  `json:"item,omitempty" doc:"Id of the item that is held."`
		Reason string `json:"reason" example:"Case 4"`
	}
}

type liftHoldInput struct {
	ID   int64 `path:"id" example:"1"`
	Body struct {
		Reason string `json:"reason" example:"Settled"`
	}
}

type holdJSON struct {
	ID       int64      `json:"id" example:"1"`
	Source   string     `json:"source,omitempty" example:"Line 2"`
	Group    string     `json:"group,omitempty"`
	Item     int64      `json:"item,omitempty"`
	Reason   string     `json:"reason" example:"Case 4"`
	Placed   time.Time  `json:"placed_at"`
	Lifted   *time.Time `json:"lifted_at,omitempty"`
	Erasures []int64    `json:"erasures" doc:"That wait for it."`
}

type holdsInput struct {
	Lifted bool `query:"lifted" doc:"Those that were lifted, instead of those in force."`
}

func (s *Server) erasureOperations(a api) {
	tags := []string{"Erasures"}
	operation(a, access.ReadRetention, huma.Operation{
		OperationID: "list-erasures", Method: http.MethodGet, Path: "/erasures", Tags: tags, Summary: "Every erasure, the newest first",
	}, s.apiErasures)
	operation(a, access.Erase, huma.Operation{
		OperationID: "request-erasure", Method: http.MethodPost, Path: "/erasures", Tags: tags, Summary: "Ask for an erasure, and see what it would take",
		Description:   "Nothing is erased yet. Up to a few thousand items are listed at once; else the state is collecting until they are. Then confirm it.",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: largestList, Errors: []int{http.StatusUnprocessableEntity},
	}, s.apiRequestErasure)
	operation(a, access.ReadRetention, huma.Operation{
		OperationID: "read-erasure", Method: http.MethodGet, Path: "/erasures/{id}", Tags: tags, Summary: "One erasure, and how far it is", Errors: []int{http.StatusNotFound},
	}, s.apiErasure)
	operation(a, access.Erase, huma.Operation{
		OperationID: "confirm-erasure", Method: http.MethodPost, Path: "/erasures/{id}/confirm", Tags: tags, Summary: "Have it done. Nobody can bring it back",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiConfirmErasure)
	operation(a, access.Erase, huma.Operation{
		OperationID: "cancel-erasure", Method: http.MethodPost, Path: "/erasures/{id}/cancel", Tags: tags, Summary: "Withdraw a request of which nothing was erased",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiCancelErasure)
	operation(a, access.ReadRetention, huma.Operation{
		OperationID: "read-receipt", Method: http.MethodGet, Path: "/erasures/{id}/receipt", Tags: tags, Summary: "The receipt with its signature",
		Description: "It holds nothing of what was erased. The signature is there once the files of the database were rewritten.", Errors: []int{http.StatusNotFound},
	}, s.apiReceipt)
	operation(a, access.Erase, huma.Operation{
		OperationID: "list-holds", Method: http.MethodGet, Path: "/holds", Tags: tags, Summary: "Legal holds in force, or lifted ones",
	}, s.apiHolds)
	operation(a, access.Erase, huma.Operation{
		OperationID: "place-hold", Method: http.MethodPost, Path: "/holds", Tags: tags, Summary: "Keep a source, a group or an item from being erased",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusUnprocessableEntity},
	}, s.apiPlaceHold)
	operation(a, access.Erase, huma.Operation{
		OperationID: "lift-hold", Method: http.MethodPost, Path: "/holds/{id}/lift", Tags: tags, Summary: "Lift a hold; what waited for it goes on",
		DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiLiftHold)
}

func (s *Server) apiErasures(ctx context.Context, actor store.Actor, in *PageQuery) (*listing[erasureJSON], error) {
	var before int64
	var err error
	if in.After != "" {
		if before, err = cursorID(in.After); err != nil {
			return nil, err
		}
	}
	all, err := s.Store.Erasures(ctx, actor, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows := make([]erasureJSON, len(all))
	for i, e := range all {
		rows[i] = erasureAsJSON(e)
	}
	return pageOf("/erasures", nil, in.Limit, rows, func(e erasureJSON) string { return strconv.FormatInt(e.ID, 10) }), nil
}

func (s *Server) apiRequestErasure(ctx context.Context, actor store.Actor, in *newErasureInput) (*made[erasureJSON], error) {
	ask := store.ErasureRequest{Scope: in.Body.Scope, Project: in.Body.Project, Reason: in.Body.Reason, DueDays: in.Body.DueWithin}
	source, err := s.sourceID(ctx, actor, in.Body.Source)
	if err != nil {
		return nil, err
	}
	switch ask.Scope {
	case store.ScopeSource:
		ask.Source = source
	case store.ScopeGroup:
		if ask.Group, err = s.Store.GroupNamed(ctx, actor, source, in.Body.Group); err != nil {
			return nil, err
		}
	case store.ScopeItems:
		if ask.Items, err = erasure.ParseList(in.Body.List); err != nil {
			return nil, &store.InvalidError{Field: "list", Reason: "This list cannot be read: " + err.Error() + "."}
		}
		for i, id := range in.Body.Items {
			ask.Items = append(ask.Items, erasure.Named{Line: i + 1, ID: id})
		}
	}
	e, err := s.Store.PreviewErasure(ctx, actor, ask)
	if err != nil {
		return nil, err
	}
	return &made[erasureJSON]{Location: apiBase + "/erasures/" + strconv.FormatInt(e.ID, 10), Body: erasureAsJSON(e)}, nil
}

// sourceID finds a source by its name; 0 for the empty name.
func (s *Server) sourceID(ctx context.Context, actor store.Actor, name string) (int64, error) {
	if name == "" {
		return 0, nil
	}
	sources, err := s.Store.Sources(ctx, actor)
	if err != nil {
		return 0, err
	}
	for _, source := range sources {
		if source.Name == name {
			return source.ID, nil
		}
	}
	return 0, &store.InvalidError{Field: "source", Reason: "There is no source of that name."}
}

func (s *Server) apiErasure(ctx context.Context, actor store.Actor, in *idInput) (*erasureOutput, error) {
	e, err := s.Store.Erasure(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &erasureOutput{erasureAsJSON(e)}, nil
}

func (s *Server) apiConfirmErasure(ctx context.Context, actor store.Actor, in *idInput) (*erasureOutput, error) {
	if err := s.Store.ConfirmErasure(ctx, actor, in.ID); err != nil {
		return nil, err
	}
	return s.apiErasure(ctx, actor, in)
}

func (s *Server) apiCancelErasure(ctx context.Context, actor store.Actor, in *idInput) (*erasureOutput, error) {
	if err := s.Store.CancelErasure(ctx, actor, in.ID); err != nil {
		return nil, err
	}
	return s.apiErasure(ctx, actor, in)
}

func (s *Server) apiReceipt(ctx context.Context, actor store.Actor, in *idInput) (*receiptOutput, error) {
	e, err := s.Store.Erasure(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	document, err := receiptDocument(e, s.Store.PublicKey())
	if err != nil {
		return nil, err
	}
	return &receiptOutput{document}, nil
}

func (s *Server) apiHolds(ctx context.Context, actor store.Actor, in *holdsInput) (*listing[holdJSON], error) {
	holds, err := s.Store.LegalHolds(ctx, actor, in.Lifted, holdsShown)
	if err != nil {
		return nil, err
	}
	out := &listing[holdJSON]{}
	out.Body.Data = make([]holdJSON, len(holds))
	for i, h := range holds {
		out.Body.Data[i] = holdJSON{h.ID, h.Source, h.Group, h.ItemID, h.Reason, h.PlacedAt, h.LiftedAt, h.Erasures}
	}
	return out, nil
}

func (s *Server) apiPlaceHold(ctx context.Context, actor store.Actor, in *newHoldInput) (*made[idMade], error) {
	source, err := s.sourceID(ctx, actor, in.Body.Source)
	if err != nil {
		return nil, err
	}
	hold := store.NewHold{Item: in.Body.Item, Reason: in.Body.Reason}
	if in.Body.Group != "" {
		if hold.Group, err = s.Store.GroupNamed(ctx, actor, source, in.Body.Group); err != nil {
			return nil, err
		}
	} else {
		hold.Source = source
	}
	id, err := s.Store.PlaceHold(ctx, actor, hold)
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: apiBase + "/holds", Body: idMade{id}}, nil
}

func (s *Server) apiLiftHold(ctx context.Context, actor store.Actor, in *liftHoldInput) (*struct{}, error) {
	return nil, s.Store.LiftHold(ctx, actor, in.ID, in.Body.Reason)
}
