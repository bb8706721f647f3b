package handlers

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/quality"
	"fiducial/store"
)

// agreedJSON is how many of some objects are agreed, with the 95 % interval of the share.
type agreedJSON struct {
	Objects int     `json:"objects" example:"412" doc:"That either of the two has."`
	Agreed  int     `json:"agreed" example:"371" doc:"That both have, in one class, and not loosely."`
	Low     float64 `json:"low" example:"0.868" doc:"Lower end of Wilson's interval of the share."`
	High    float64 `json:"high" example:"0.927"`
}

func agreedAsJSON(agreed, objects int) agreedJSON {
	i := quality.Wilson(agreed, objects)
	return agreedJSON{Objects: objects, Agreed: agreed, Low: i.Low, High: i.High}
}

// figuresJSON are a labeler's figures as programs see them.
type figuresJSON struct {
	Person     int64          `json:"person" example:"7"`
	Name       string         `json:"name" example:"Mara Lindqvist"`
	Class      int64          `json:"class,omitempty" example:"3" doc:"Missing for all classes together."`
	ClassName  string         `json:"class_name,omitempty" example:"Scratch"`
	Answers    int            `json:"answers" example:"240" doc:"Of at most the last 1000 in the project; of a class, those with a box of it."`
	Approved   int            `json:"approved" example:"201" doc:"Became the truth as they were."`
	Amended    int            `json:"amended" example:"20"`
	Rejected   int            `json:"rejected" example:"9" doc:"Sent back."`
	Reasons    map[string]int `json:"reasons" doc:"Answers that were sent back, by fault."`
	Truth      agreedJSON     `json:"truth" doc:"Beside the truth."`
	Others     agreedJSON     `json:"others" doc:"Beside others' answers to the same items."`
	Gold       agreedJSON     `json:"gold" doc:"Beside the truth of gold items."`
	Words      *wordsJSON     `json:"words,omitempty" doc:"Of sound, all classes together: errors in the words."`
	GoldItems  int            `json:"gold_items" example:"24"`
	GoldScore  *float64       `json:"gold_score,omitempty" example:"0.91" doc:"Mean over the gold items; of all classes only."`
	GoldLow    *float64       `json:"gold_low,omitempty" example:"0.86" doc:"Lower end of its bootstrap interval."`
	GoldHigh   *float64       `json:"gold_high,omitempty" example:"0.95"`
	MedianMS   *float64       `json:"median_ms,omitempty" example:"18500" doc:"Time at an answer; of all classes only."`
	Paused     bool           `json:"paused" doc:"They get nothing new in the project."`
	ComputedAt time.Time      `json:"computed_at"`
}

// wordsJSON are word errors and the words that they are of. The rate beside others is twice the errors over the words, which are those
// of both sides.
type wordsJSON struct {
	TruthErrors int `json:"truth_errors" example:"14" doc:"Beside the truth."`
	TruthWords  int `json:"truth_words" example:"310"`
	OtherErrors int `json:"other_errors" example:"40" doc:"Beside others' answers to the same items."`
	OtherWords  int `json:"other_words" example:"900" doc:"Of both sides together."`
	GoldErrors  int `json:"gold_errors" example:"2" doc:"Beside the truth of gold items."`
	GoldWords   int `json:"gold_words" example:"60"`
}

func wordsAsJSON(f store.LabelerFigures) *wordsJSON {
	if f.Kind != "audio" || f.ClassID != quality.Whole {
		return nil
	}
	w := f.Words
	return &wordsJSON{w.TruthErrors, w.TruthWords, w.PeerErrors, w.PeerWords, w.GoldErrors, w.GoldWords}
}

type qualityInput struct {
	Slug    string `path:"slug" example:"steel"`
	Classes bool   `query:"classes" doc:"Each labeler class by class too."`
}

type goldListInput struct {
	PageQuery

	Slug string `path:"slug" example:"steel"`
}

type goldJSON struct {
	Item     int64     `json:"item" example:"17"`
	Key      string    `json:"name" example:"coil-7/strip-0017.png"`
	Ready    bool      `json:"ready" doc:"It can be handed out: decided, and its picture is there."`
	Boxes    int       `json:"boxes" example:"3" doc:"Of its truth."`
	Answered int       `json:"answered" example:"5" doc:"By so many labelers."`
	Score    *float64  `json:"score,omitempty" example:"0.88" doc:"Their mean."`
	AddedAt  time.Time `json:"added_at"`
}

type goldInput struct {
	Slug string `path:"slug" example:"steel"`
	Body struct {
		Items  []int64 `json:"items,omitempty" maxItems:"500" example:"[17,18]" doc:"Ids of decided items."`
		Random int     `json:"random,omitempty" minimum:"0" maximum:"500" example:"20" doc:"Instead: so many decided items, chosen at random."`
	}
}

type goldMade struct {
	Added int `json:"added" example:"20" doc:"How many are gold items now that were none."`
}

type goldItemInput struct {
	Slug string `path:"slug" example:"steel"`
	Item int64  `path:"item" example:"17"`
}

type goldSettingsJSON struct {
	Share float64 `json:"share" minimum:"0" maximum:"0.3" example:"0.05" doc:"Of what a labeler gets; 0 is off."`
	Limit float64 `json:"limit" minimum:"0" maximum:"1" example:"0.7" doc:"Mean score under which a reviewer is asked; 0 asks nobody."`
	Least int     `json:"least" minimum:"3" maximum:"200" example:"10" doc:"Over so many gold items."`
}

type goldSettingsInput struct {
	Slug string `path:"slug" example:"steel"`
	Body goldSettingsJSON
}

type goldSettingsOutput struct{ Body goldSettingsJSON }

func (s *Server) qualityOperations(a api) {
	tags, notFound := []string{"Quality"}, []int{http.StatusNotFound}
	operation(a, access.ReadQuality, huma.Operation{
		OperationID: "list-quality", Method: http.MethodGet, Path: "/projects/{slug}/quality", Tags: tags, Errors: notFound,
		Summary: "How each labeler of a project does", Description: "As it was last worked out, within a minute of the last change.",
	}, s.apiQuality)
	operation(a, access.ReadQuality, huma.Operation{
		OperationID: "list-gold", Method: http.MethodGet, Path: "/projects/{slug}/gold", Tags: tags, Errors: notFound,
		Summary: "The gold items of a project",
	}, s.apiGold)
	operation(a, access.ManageQuality, huma.Operation{
		OperationID: "add-gold", Method: http.MethodPost, Path: "/projects/{slug}/gold", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make decided items gold items", Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiAddGold)
	operation(a, access.ManageQuality, huma.Operation{
		OperationID: "remove-gold", Method: http.MethodDelete, Path: "/projects/{slug}/gold/{item}", Tags: tags, Errors: notFound,
		Summary: "Make a gold item an ordinary one again", DefaultStatus: http.StatusNoContent,
	}, s.apiRemoveGold)
	operation(a, access.ReadQuality, huma.Operation{
		OperationID: "get-gold-settings", Method: http.MethodGet, Path: "/projects/{slug}/gold/settings", Tags: tags, Errors: notFound,
		Summary: "How a project uses its gold items",
	}, s.apiGoldSettings)
	operation(a, access.EditProjects, huma.Operation{
		OperationID: "set-gold-settings", Method: http.MethodPut, Path: "/projects/{slug}/gold/settings", Tags: tags,
		Summary: "Say how a project uses its gold items", Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiSetGold)
}

func (s *Server) apiQuality(ctx context.Context, actor store.Actor, in *qualityInput) (*listing[figuresJSON], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	figures, err := s.Store.Figures(ctx, actor, project.ID)
	if err != nil {
		return nil, err
	}
	out := &listing[figuresJSON]{}
	out.Body.Data = []figuresJSON{}
	for _, f := range figures {
		if f.ClassID == quality.Whole || in.Classes {
			out.Body.Data = append(out.Body.Data, figuresAsJSON(f))
		}
	}
	return out, nil
}

func figuresAsJSON(f store.LabelerFigures) figuresJSON {
	j := figuresJSON{
		Person: f.Person, Name: f.Name, Class: f.ClassID, ClassName: f.ClassName, Answers: f.Answers, Approved: f.Approved, Amended: f.Amended, Rejected: f.Rejected,
		Reasons: f.Reasons, Truth: agreedAsJSON(f.TruthAgreed, f.TruthObjects), Others: agreedAsJSON(f.PeerAgreed, f.PeerObjects),
		Gold: agreedAsJSON(f.GoldAgreed, f.GoldObjects), GoldItems: f.GoldItems, GoldScore: f.GoldScore, MedianMS: f.MedianMS,
		Paused: f.PausedAt != nil, ComputedAt: f.ComputedAt, Words: wordsAsJSON(f),
	}
	if f.GoldScore != nil {
		j.GoldLow, j.GoldHigh = &f.GoldInterval.Low, &f.GoldInterval.High
	}
	return j
}

func (s *Server) apiGold(ctx context.Context, actor store.Actor, in *goldListInput) (*listing[goldJSON], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	after, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	items, err := s.Store.GoldItems(ctx, actor, project.ID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows := make([]goldJSON, len(items))
	for i, g := range items {
		rows[i] = goldJSON{g.Item, g.Name, g.Ready, g.Boxes, g.Answered, g.Score, g.AddedAt}
	}
	return pageOf("/projects/"+project.Slug+"/gold", nil, in.Limit, rows, func(g goldJSON) string { return idText(g.Item) }), nil
}

func (s *Server) apiAddGold(ctx context.Context, actor store.Actor, in *goldInput) (*made[goldMade], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	out := &made[goldMade]{Location: fmt.Sprintf("%s/projects/%s/gold", apiBase, project.Slug)}
	if in.Body.Random > 0 {
		out.Body.Added, err = s.Store.AddGoldFromTruth(ctx, actor, project.ID, in.Body.Random)
		return out, err
	}
	out.Body.Added, err = s.Store.AddGoldItems(ctx, actor, project.ID, in.Body.Items)
	return out, err
}

func (s *Server) apiRemoveGold(ctx context.Context, actor store.Actor, in *goldItemInput) (*struct{}, error) {
	if _, err := s.Store.Project(ctx, actor, in.Slug); err != nil {
		return nil, err
	}
	_, err := s.Store.RemoveGold(ctx, actor, in.Item)
	return nil, err
}

func (s *Server) apiGoldSettings(ctx context.Context, actor store.Actor, in *slugInput) (*goldSettingsOutput, error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	settings, err := s.Store.GoldSettings(ctx, actor, project.ID)
	return &goldSettingsOutput{goldSettingsJSON(settings)}, err
}

func (s *Server) apiSetGold(ctx context.Context, actor store.Actor, in *goldSettingsInput) (*goldSettingsOutput, error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	return &goldSettingsOutput{in.Body}, s.Store.SetGold(ctx, actor, project.ID, store.GoldSettings(in.Body))
}
