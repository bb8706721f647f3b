package handlers

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/agreement"
	"fiducial/store"
)

// estimateJSON is a measured share with its interval.
type estimateJSON struct {
	Value float64 `json:"value" example:"0.12"`
	Low   float64 `json:"low" example:"0.08" doc:"95 % of resamples over items lie between low and high."`
	High  float64 `json:"high" example:"0.17"`
	N     int     `json:"n" example:"412" doc:"From how many pairs."`
}

func estimateAsJSON(e agreement.Estimate) *estimateJSON {
	if !e.Defined {
		return nil
	}
	return &estimateJSON{Value: e.Value, Low: e.Low, High: e.High, N: e.N}
}

// pairJSON is a pair of confused classes as programs see it.
type pairJSON struct {
	A          string        `json:"a" example:"Scratch"`
	B          string        `json:"b" example:"Black line"`
	Count      int           `json:"count" example:"31" doc:"Pairs of votes of different labelers that say the one and the other about the same object."`
	Rate       *estimateJSON `json:"rate,omitempty" doc:"Their share; missing where nothing was compared."`
	TruthCount int           `json:"truth_count" example:"12" doc:"Votes that say the one where the truth says the other."`
	TruthRate  *estimateJSON `json:"truth_rate,omitempty"`
	Before     *estimateJSON `json:"before,omitempty" doc:"The rate when the definition of one of the two was last published."`
	Since      *time.Time    `json:"since,omitempty" doc:"When that was."`
}

// staleJSON is how many labels a class has under each older version of its definition.
type staleJSON struct {
	Class   string             `json:"class" example:"Scratch"`
	Version int                `json:"version" example:"3" doc:"The newest definition."`
	Answers int                `json:"answers" example:"1204" doc:"Labels of answers that were made before it."`
	Truth   int                `json:"truth" example:"310" doc:"Boxes of the truth that were."`
	Older   []staleVersionJSON `json:"older"`
}

type staleVersionJSON struct {
	Version int `json:"version" example:"2" doc:"0: before any definition."`
	Answers int `json:"answers" example:"1000"`
	Truth   int `json:"truth" example:"300"`
}

type relabelInput struct {
	Slug string `path:"slug" example:"steel"`
	Body struct {
		Class        string   `json:"class" example:"Scratch"`
		ConfusedWith []string `json:"confused_with,omitempty" example:"[\"Black line\"]" doc:"Only what was confused with one of these classes; every older label if missing."`
		Note         string   `json:"note,omitempty" example:"A broken line is several boxes." doc:"What has changed, for whoever labels again."`
		DryRun       bool     `json:"dry_run,omitempty" doc:"Say what would go back, and change nothing."`
	}
}

// relabelJSON is a sending back of labels as programs see it.
type relabelJSON struct {
	ID         int64      `json:"id,omitempty" example:"7" doc:"Missing for a dry run."`
	Class      string     `json:"class" example:"Scratch"`
	Version    int        `json:"version" example:"3"`
	State      string     `json:"state" enum:"dry run,queued,sending,done" example:"done"`
	Items      int        `json:"items" example:"210"`
	DoneItems  int        `json:"done_items" example:"210"`
	Answers    int        `json:"answers" example:"402" doc:"Sent back to their labelers."`
	Answered   int        `json:"answered" example:"17" doc:"Of these, given again by now."`
	Reviews    int        `json:"reviews" example:"3" doc:"Items whose truth alone is older, sent to review."`
	Labels     int        `json:"labels,omitempty" example:"512" doc:"Of a dry run: boxes of answers in question."`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

type relabelOutput struct{ Body relabelJSON }

func (s *Server) relabelOperations(a api) {
	tags := []string{"Defect book"}
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "list-pairs", Method: http.MethodGet, Path: "/projects/{slug}/pairs", Tags: tags,
		Summary: "The pairs of classes that are confused, the most confused first", Errors: []int{http.StatusNotFound},
	}, s.apiPairs)
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "list-stale", Method: http.MethodGet, Path: "/projects/{slug}/stale", Tags: tags,
		Summary: "How many labels were made under older definitions", Errors: []int{http.StatusNotFound},
	}, s.apiStale)
	operation(a, access.EditGuideline, huma.Operation{
		OperationID: "relabel", Method: http.MethodPost, Path: "/projects/{slug}/relabels", Tags: tags,
		Summary:     "Send labels back that were made under older definitions",
		Description: "Each answer goes back to who gave it, and waits in their queue. Truths stand until the items are decided again. A job does the work: ask for the relabel until it is done.",
		Errors:      []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiRelabel)
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "get-relabel", Method: http.MethodGet, Path: "/relabels/{id}", Tags: tags, Summary: "How far a sending back is", Errors: []int{http.StatusNotFound},
	}, s.apiRelabelByID)
}

// bookFor is a project's classes for a program.
func (s *Server) bookFor(ctx context.Context, actor store.Actor, slug string) (b bookOf, err error) {
	if b.project, err = s.Store.Project(ctx, actor, slug); err != nil {
		return b, err
	}
	b.classes, err = s.Store.Classes(ctx, actor, b.project.ID)
	return b, err
}

// named returns the class of this name, whatever its case.
func (b bookOf) named(field, name string) (store.Class, error) {
	for _, c := range b.classes {
		if strings.EqualFold(c.Name, name) {
			return c, nil
		}
	}
	return store.Class{}, &store.InvalidError{Field: field, Reason: fmt.Sprintf("There is no class %q in this project.", name)}
}

func (s *Server) apiPairs(ctx context.Context, actor store.Actor, in *slugInput) (*listing[pairJSON], error) {
	b, err := s.bookFor(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	pairs, _, err := s.Store.Pairs(ctx, actor, b.project.ID)
	if err != nil {
		return nil, err
	}
	names := b.names()
	out := &listing[pairJSON]{}
	out.Body.Data = []pairJSON{}
	for _, p := range pairs {
		row := pairJSON{
			A: names[p.A], B: names[p.B], Count: p.Count, Rate: estimateAsJSON(p.Votes), TruthCount: p.TruthCount, TruthRate: estimateAsJSON(p.Truth),
		}
		if p.Before != nil {
			row.Before, row.Since = estimateAsJSON(p.Before.Votes), &p.Since
		}
		out.Body.Data = append(out.Body.Data, row)
	}
	return out, nil
}

func (s *Server) apiStale(ctx context.Context, actor store.Actor, in *slugInput) (*listing[staleJSON], error) {
	b, err := s.bookFor(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	counts, err := s.Store.LabelCounts(ctx, actor, b.project.ID)
	if err != nil {
		return nil, err
	}
	out := &listing[staleJSON]{}
	out.Body.Data = []staleJSON{}
	for _, c := range b.classes {
		row := staleJSON{Class: c.Name, Version: newest(c), Older: []staleVersionJSON{}}
		for _, n := range counts {
			if n.Class == c.ID && n.Version < row.Version {
				row.Older = append(row.Older, staleVersionJSON{n.Version, n.Answers, n.Truth})
				row.Answers += n.Answers
				row.Truth += n.Truth
			}
		}
		if len(row.Older) > 0 {
			out.Body.Data = append(out.Body.Data, row)
		}
	}
	return out, nil
}

func (s *Server) apiRelabel(ctx context.Context, actor store.Actor, in *relabelInput) (*relabelOutput, error) {
	b, err := s.bookFor(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	class, err := b.named("class", in.Body.Class)
	if err != nil {
		return nil, err
	}
	back := store.SendBack{All: len(in.Body.ConfusedWith) == 0, Note: in.Body.Note}
	for _, name := range in.Body.ConfusedWith {
		other, err := b.named("confused_with", name)
		if err != nil {
			return nil, err
		}
		back.Others = append(back.Others, other.ID)
	}
	if in.Body.DryRun {
		p, err := s.Store.PreviewSendBack(ctx, actor, class.ID, back, false)
		return &relabelOutput{relabelJSON{Class: class.Name, Version: newest(class), State: "dry run", Items: p.Items, Answers: p.Answers, Labels: p.Labels}}, err
	}
	id, err := s.Store.Relabel(ctx, actor, class.ID, back)
	if err != nil {
		return nil, err
	}
	return s.apiRelabelByID(ctx, actor, &idInput{ID: id})
}

func (s *Server) apiRelabelByID(ctx context.Context, actor store.Actor, in *idInput) (*relabelOutput, error) {
	r, err := s.Store.RelabelByID(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &relabelOutput{relabelJSON{
		ID: r.ID, Class: r.ClassName, Version: r.Version, State: r.State, Items: r.Items, DoneItems: r.DoneItems, Answers: r.Answers, Answered: r.Answered,
		Reviews: r.Reviews, FinishedAt: r.FinishedAt,
	}}, nil
}
