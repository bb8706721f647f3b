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

// roundJSON is a round as programs see it.
type roundJSON struct {
	Number    int       `json:"number" example:"2"`
	State     string    `json:"state" enum:"drawing,open,failed" example:"open"`
	Error     string    `json:"error,omitempty" doc:"Why it failed."`
	Share     float64   `json:"share" example:"0.3" doc:"Of each class."`
	Seed      int64     `json:"seed" example:"7"`
	Items     int       `json:"items" example:"312"`
	Batches   int       `json:"batches" example:"7"`
	Finished  int       `json:"finished" example:"2" doc:"Batches that are approved or closed."`
	Answered  int       `json:"answered" example:"118"`
	Decided   int       `json:"decided" example:"97"`
	Agreement *meanJSON `json:"agreement,omitempty" doc:"Missing until several labelers answered an item."`
	CreatedAt time.Time `json:"created_at"`
}

func roundAsJSON(r store.Round) roundJSON {
	return roundJSON{
		Number: r.Number, State: r.State, Error: r.Error, Share: r.Share, Seed: r.Seed, Items: r.Items, Batches: r.Batches, Finished: r.Finished,
		Answered: r.Answered, Decided: r.Decided, Agreement: meanAsJSON(r.Agreement()), CreatedAt: r.CreatedAt,
	}
}

type newRoundInput struct {
	Slug string `path:"slug" example:"steel"`
	Body struct {
		Share float64 `json:"share,omitempty" minimum:"0" maximum:"1" example:"0.3" doc:"Of each class, rounded up; 0.3 if missing."`
		Size  int     `json:"size,omitempty" minimum:"0" maximum:"2000" example:"50" doc:"Items a batch at most; 50 if missing."`
		Seed  int64   `json:"seed,omitempty" example:"7" doc:"The same seed draws the same of the same items; any if missing."`
		Owner string  `json:"owner,omitempty" format:"email" example:"tomasz@demo.example" doc:"Of its batches."`
		Due   string  `json:"due,omitempty" format:"date" example:"2026-12-31"`
	}
}

type roundMade struct {
	Number int `json:"number" example:"2"`
}

type roundInput struct {
	Slug   string `path:"slug" example:"steel"`
	Number int    `path:"number" example:"2"`
}

type roundOutput struct{ Body roundJSON }

func (s *Server) roundOperations(a api) {
	tags := []string{"Batches"}
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "list-rounds", Method: http.MethodGet, Path: "/projects/{slug}/rounds", Tags: tags, Summary: "A project's rounds, the first first", Errors: []int{http.StatusNotFound},
	}, s.apiRounds)
	operation(a, access.EditBatches, huma.Operation{
		OperationID: "open-round", Method: http.MethodPost, Path: "/projects/{slug}/rounds", Tags: tags, Summary: "Open the next round",
		Description: "Draws a share of every class from what no earlier round had, and makes batches of it in the background.", DefaultStatus: http.StatusCreated,
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiOpenRound)
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "get-round", Method: http.MethodGet, Path: "/projects/{slug}/rounds/{number}", Tags: tags, Summary: "One round", Errors: []int{http.StatusNotFound},
	}, s.apiRound)
}

func (s *Server) apiRounds(ctx context.Context, actor store.Actor, in *slugInput) (*listing[roundJSON], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	rounds, err := s.Store.Rounds(ctx, actor, project.ID)
	if err != nil {
		return nil, err
	}
	out := &listing[roundJSON]{}
	out.Body.Data = make([]roundJSON, 0, len(rounds))
	for _, r := range rounds {
		out.Body.Data = append(out.Body.Data, roundAsJSON(r))
	}
	return out, nil
}

func (s *Server) apiOpenRound(ctx context.Context, actor store.Actor, in *newRoundInput) (*made[roundMade], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	n := store.NewRound{Project: project.ID, Share: in.Body.Share, BatchSize: in.Body.Size, Seed: in.Body.Seed}
	if n.Due, err = dayOf("due", in.Body.Due); err != nil {
		return nil, err
	}
	if n.OwnerID, err = s.batchPerson(ctx, actor, project.ID, "owner", in.Body.Owner); err != nil {
		return nil, err
	}
	round, err := s.Store.OpenRound(ctx, actor, n)
	if err != nil {
		return nil, err
	}
	return &made[roundMade]{Location: fmt.Sprintf("%s/projects/%s/rounds/%d", apiBase, project.Slug, round.Number), Body: roundMade{round.Number}}, nil
}

func (s *Server) apiRound(ctx context.Context, actor store.Actor, in *roundInput) (*roundOutput, error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	rounds, err := s.Store.Rounds(ctx, actor, project.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range rounds {
		if r.Number == in.Number {
			return &roundOutput{roundAsJSON(r)}, nil
		}
	}
	return nil, store.ErrNotFound
}
