package handlers

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/pii"
	"fiducial/store"
)

type findingsInput struct {
	PageQuery

	Slug  string `path:"slug" example:"calls"`
	Kind  string `query:"kind" example:"name" doc:"Only findings of this kind."`
	State string `query:"state" enum:"found,confirmed,dismissed" doc:"Only findings of which this was decided; found are those that nobody has decided."`
}

// findingJSON is a finding as programs see it. What stands there is part of the answer, which nobody stores.
type findingJSON struct {
	ID         int64      `json:"id" example:"1"`
	Item       int64      `json:"item" example:"1"`
	Segment    int        `json:"segment" doc:"Of the truth's transcript, from 0."`
	First      int        `json:"first" doc:"Where it begins in the segment's text, in characters from 0."`
	Last       int        `json:"last" doc:"Where it ends: the first character after it."`
	Text       string     `json:"text" doc:"What stands there."`
	Kind       string     `json:"kind" example:"name"`
	Detector   string     `json:"detector" example:"rules@1" doc:"What found it; person for what somebody added."`
	Confidence float64    `json:"confidence" example:"0.9"`
	State      string     `json:"state" enum:"found,confirmed,dismissed"`
	DecidedBy  string     `json:"decided_by,omitempty" doc:"A name, or the pseudonym of somebody who left."`
	DecidedAt  *time.Time `json:"decided_at,omitempty"`
}

func findingAsJSON(f store.PersonalFinding) findingJSON {
	runes := []rune(f.Text)
	last := min(f.Last, len(runes))
	return findingJSON{
		ID: f.ID, Item: f.Item, Segment: f.Segment, First: f.First, Last: f.Last, Text: string(runes[min(f.First, last):last]), Kind: string(f.Kind),
		Detector: f.Detector, Confidence: f.Confidence, State: f.State, DecidedBy: f.DecidedBy, DecidedAt: f.DecidedAt,
	}
}

type findingCountsOutput struct {
	Body struct {
		Kinds     []findingCountJSON `json:"kinds"`
		Unscanned int                `json:"unscanned" doc:"Transcripts that the rules have not read yet."`
		Newest    int64              `json:"newest" doc:"The newest finding, for up_to of a decision about a whole kind; 0 if there is none."`
	}
}

type findingCountJSON struct {
	Kind      string `json:"kind" example:"name"`
	Found     int    `json:"found" doc:"That nobody has decided."`
	Confirmed int    `json:"confirmed"`
	Dismissed int    `json:"dismissed"`
}

type decideFindingsInput struct {
	Slug string `path:"slug" example:"calls"`
	Body struct {
		State    string  `json:"state" enum:"confirmed,dismissed,found" doc:"found leaves it open again."`
		Findings []int64 `json:"findings,omitempty" maxItems:"1000" example:"[1]" doc:"Their ids; those that are not there are passed over."`
		Kind     string  `json:"kind,omitempty" example:"phone" doc:"In place of ids: everything of this kind that nobody has decided."`
		UpTo     int64   `json:"up_to,omitempty" doc:"With kind: the newest finding that was looked at. What came later stays open."`
	}
}

type decideFindingsOutput struct {
	Body struct {
		Decided int `json:"decided"`
	}
}

type addFindingInput struct {
	Slug string `path:"slug" example:"calls"`
	Body struct {
		Item    int64  `json:"item" example:"1"`
		Segment int    `json:"segment" minimum:"0"`
		First   int    `json:"first" minimum:"0" doc:"In characters of the segment's text, from 0."`
		Last    int    `json:"last" minimum:"1" doc:"The first character after it."`
		Kind    string `json:"kind" example:"name"`
	}
}

func (s *Server) personalOperations(a api) {
	const personal = "/projects/{slug}/personal"
	tags, missing, refused := []string{"Personal data"}, []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusUnprocessableEntity}
	operation(a, access.DecidePersonal, huma.Operation{
		OperationID: "list-findings", Method: http.MethodGet, Path: personal, Tags: tags, Summary: "Personal data found in a project's transcripts", Errors: missing,
		Description: "In the transcripts that count now, in the order in which they were found.",
	}, s.apiFindings)
	operation(a, access.DecidePersonal, huma.Operation{
		OperationID: "count-findings", Method: http.MethodGet, Path: personal + "/counts", Tags: tags, Summary: "How much was found, and decided, of each kind", Errors: missing,
	}, s.apiCountFindings)
	operation(a, access.DecidePersonal, huma.Operation{
		OperationID: "decide-findings", Method: http.MethodPost, Path: personal + "/decide", Tags: tags, Summary: "Say whether findings are personal", Errors: refused,
		Description: "What is confirmed is masked in exports and in what outlives an expiry; what is dismissed is left as it stands.",
	}, s.apiDecideFindings)
	operation(a, access.DecidePersonal, huma.Operation{
		OperationID: "add-finding", Method: http.MethodPost, Path: personal, Tags: tags, Summary: "Add what no detector found, confirmed at once",
		DefaultStatus: http.StatusNoContent, Errors: refused,
	}, s.apiAddFinding)
}

func (s *Server) apiFindings(ctx context.Context, actor store.Actor, in *findingsInput) (*listing[findingJSON], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	after, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	findings, err := s.Store.PersonalFindings(ctx, actor, project.ID, pii.Kind(in.Kind), in.State, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows := make([]findingJSON, len(findings))
	for i, f := range findings {
		rows[i] = findingAsJSON(f)
	}
	filters := url.Values{}
	for name, value := range map[string]string{"kind": in.Kind, "state": in.State} {
		if value != "" {
			filters.Set(name, value)
		}
	}
	return pageOf("/projects/"+project.Slug+"/personal", filters, in.Limit, rows, func(f findingJSON) string { return idText(f.ID) }), nil
}

func (s *Server) apiCountFindings(ctx context.Context, actor store.Actor, in *slugInput) (*findingCountsOutput, error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	counts, waiting, err := s.Store.PersonalCounts(ctx, actor, project.ID)
	if err != nil {
		return nil, err
	}
	out := &findingCountsOutput{}
	out.Body.Unscanned, out.Body.Kinds = waiting, make([]findingCountJSON, len(counts))
	for i, c := range counts {
		out.Body.Kinds[i] = findingCountJSON{string(c.Kind), c.Found, c.Confirmed, c.Dismissed}
	}
	out.Body.Newest, err = s.Store.NewestPersonal(ctx, actor, project.ID)
	return out, err
}

func (s *Server) apiDecideFindings(ctx context.Context, actor store.Actor, in *decideFindingsInput) (*decideFindingsOutput, error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	out, b := &decideFindingsOutput{}, in.Body
	switch {
	case (len(b.Findings) == 0) == (b.Kind == ""):
		return nil, &store.InvalidError{Field: "findings", Reason: "Name the findings by their ids, or all open ones of a kind: one of the two."}
	case b.Kind != "" && b.UpTo == 0:
		return nil, &store.InvalidError{Field: "up_to", Reason: "Say up to which finding you have looked, so that what is found meanwhile stays open: newest of the counts."}
	case b.Kind != "":
		out.Body.Decided, err = s.Store.DecidePersonalKind(ctx, actor, project.ID, pii.Kind(b.Kind), b.UpTo, b.State)
	default:
		out.Body.Decided, err = s.Store.DecidePersonal(ctx, actor, project.ID, b.Findings, b.State)
	}
	return out, err
}

func (s *Server) apiAddFinding(ctx context.Context, actor store.Actor, in *addFindingInput) (*struct{}, error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	b := in.Body
	return nil, s.Store.AddPersonal(ctx, actor, project.ID, b.Item, pii.Span{Segment: b.Segment, First: b.First, Last: b.Last, Kind: pii.Kind(b.Kind)})
}
