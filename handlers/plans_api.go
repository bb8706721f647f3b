package handlers

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/sampling"
	"fiducial/store"
)

// PlanBody says what a plan is to take.
type PlanBody struct {
	Title    string    `json:"title,omitempty" example:"The least sure of November"`
	Model    string    `json:"model" example:"asr@4.2" doc:"Whose confidence counts, as NAME@VERSION."`
	Method   string    `json:"method,omitempty" enum:"lowest,below,hours,spread" doc:"lowest: the share of each length that is least sure (default); below: all below a confidence; hours: the least sure until so much sound is taken; spread: the share of every tenth of confidence."`
	Share    float64   `json:"share,omitempty" minimum:"0" maximum:"1" example:"0.2" doc:"For lowest and spread; 0.2 if missing."`
	Below    float64   `json:"below,omitempty" minimum:"0" maximum:"1" example:"0.6"`
	Hours    float64   `json:"hours,omitempty" minimum:"0" example:"10"`
	Control  float64   `json:"control,omitempty" minimum:"0" maximum:"1" example:"0.1" doc:"As many as this share of the chosen ones besides, at random from all."`
	By       string    `json:"by,omitempty" enum:"words,seconds" doc:"What length is counted in; words if missing."`
	Edges    []float64 `json:"edges,omitempty" example:"[2,4,8]" doc:"Where the second, third … stratum of length begins; 2, 4 and 8 if missing."`
	Shortest float64   `json:"shortest,omitempty" minimum:"0" doc:"What is shorter is left alone."`
	Most     int       `json:"most,omitempty" minimum:"0" doc:"Of one source at most."`
	Days     int       `json:"days,omitempty" minimum:"0" maximum:"3650" doc:"Within how many days the work is done."`
	Expiring string    `json:"expiring,omitempty" enum:"leave,first" doc:"What becomes of utterances that go before: left out, or first in line; as all others if missing."`
	Seed     int64     `json:"seed,omitempty" example:"7" doc:"The same seed draws the same of the same utterances; any if missing."`
	Modes    []string  `json:"modes,omitempty" example:"[\"blind\",\"edit\"]" doc:"How the first, second … labeler of an utterance begins: blind, edit or reveal."`
	Owner    string    `json:"owner,omitempty" format:"email" doc:"Of the plan's batch."`
	Due      string    `json:"due,omitempty" format:"date" example:"2026-12-31"`
}

type planInput struct {
	Slug string `path:"slug" example:"calls"`
	Body PlanBody
}

// PlanPath names a plan.
type PlanPath struct {
	Slug   string `path:"slug" example:"calls"`
	Number int    `path:"number" example:"3"`
}

// workJSON is how much work a plan means.
type workJSON struct {
	Hours float64 `json:"hours" example:"9.1" doc:"Of all labelers together."`
	Low   float64 `json:"low" example:"7.9"`
	High  float64 `json:"high" example:"10.3"`
	N     int     `json:"n" example:"120" doc:"Timed answers of this project that it is estimated from."`
}

// PlanCounts is what a plan takes of what there is.
type PlanCounts struct {
	Items   int                   `json:"items" example:"2060" doc:"To choose from."`
	Chosen  int                   `json:"chosen" example:"412"`
	Control int                   `json:"control" example:"41"`
	Seconds float64               `json:"seconds" example:"5040.5" doc:"Of sound."`
	Capped  int                   `json:"capped" doc:"Left out since their source has its number."`
	Expired int                   `json:"expired" doc:"Left out since they go before the work is done."`
	Short   int                   `json:"short" doc:"Left out since they are shorter than was asked."`
	Strata  []sampling.StratumSum `json:"strata" doc:"By length; all, chosen and control are histograms of confidence in twentieths."`
	Says    string                `json:"sentence" example:"The 412 least sure of 2 060, and 41 more at random."`
}

func countsOf(c sampling.Choice, h store.PlanHistogram, seconds float64) PlanCounts {
	counts := PlanCounts{
		Items: h.Items, Chosen: h.Chosen, Control: h.Control, Seconds: seconds, Capped: h.Capped, Expired: h.Expired, Short: h.Short, Strata: h.Strata, Says: choiceSays(c, h),
	}
	if counts.Strata == nil {
		counts.Strata = []sampling.StratumSum{}
	}
	return counts
}

type planPreviewJSON struct {
	PlanCounts

	Seed    int64     `json:"seed" doc:"Send it with the plan to draw what is previewed."`
	Work    *workJSON `json:"work,omitempty" doc:"Missing until enough answers of the project were timed."`
	Unready int       `json:"unready" doc:"Items that cannot be chosen yet: their recordings have not come, or are still being read."`
}

type planPreviewOutput struct{ Body planPreviewJSON }

// samplingPlanJSON is a plan as programs see it.
type samplingPlanJSON struct {
	PlanCounts

	Number    int             `json:"number" example:"3" doc:"Within the project."`
	Title     string          `json:"title,omitempty"`
	Model     string          `json:"model" example:"asr@4.2"`
	State     string          `json:"state" enum:"drawing,open,failed"`
	Error     string          `json:"error,omitempty" doc:"Why it failed."`
	Choice    sampling.Choice `json:"choice"`
	Modes     []string        `json:"modes"`
	Batch     int             `json:"batch,omitempty" example:"12" doc:"The number of its batch."`
	InPlan    int             `json:"in_plan" example:"453" doc:"Utterances that are in it now."`
	Answered  int             `json:"answered"`
	Decided   int             `json:"decided"`
	Reported  *time.Time      `json:"reported_at,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
}

func samplingPlanAsJSON(p store.SamplingPlan) samplingPlanJSON {
	return samplingPlanJSON{
		PlanCounts: countsOf(p.Settings.Choice, p.Histogram, p.Seconds), Number: p.Number, Title: p.Title, Model: p.Model, State: p.State, Error: p.Error,
		Choice: p.Settings.Choice, Modes: p.Modes, Batch: p.Batch, InPlan: p.Items, Answered: p.Answered, Decided: p.Decided, Reported: p.Reported, CreatedAt: p.CreatedAt,
	}
}

type samplingPlanOutput struct{ Body samplingPlanJSON }

type planMade struct {
	Number int `json:"number" example:"3"`
}

// planReportJSON is a plan's report with the new words.
type planReportJSON struct {
	store.PlanReport

	Words []planWordJSON `json:"words" doc:"New words, and rows of two and three, the most frequent of each."`
}

type planWordJSON struct {
	Words string `json:"words" example:"bank transfer"`
	Size  int    `json:"size" example:"2"`
	Times int    `json:"times" example:"4"`
}

type planReportOutput struct{ Body planReportJSON }

func (s *Server) planOperations(a api) {
	const plans, plan = "/projects/{slug}/plans", "/projects/{slug}/plans/{number}"
	tags, refused := []string{"Plans"}, []int{http.StatusNotFound, http.StatusUnprocessableEntity}
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "list-plans", Method: http.MethodGet, Path: plans, Tags: tags, Summary: "A project's sampling plans, the newest first", Errors: []int{http.StatusNotFound},
	}, s.apiPlans)
	operation(a, access.EditBatches, huma.Operation{
		OperationID: "preview-plan", Method: http.MethodPost, Path: plans + "/preview", Tags: tags, Summary: "What a plan would come to", Errors: refused,
	}, s.apiPreviewPlan)
	operation(a, access.EditBatches, huma.Operation{
		OperationID: "draw-plan", Method: http.MethodPost, Path: plans, Tags: tags, Summary: "Choose utterances by confidence and open a batch of them",
		Description: "The choice and its batch are made in the background.", DefaultStatus: http.StatusCreated, Errors: refused,
	}, s.apiDrawPlan)
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "get-plan", Method: http.MethodGet, Path: plan, Tags: tags, Summary: "One plan", Errors: []int{http.StatusNotFound},
	}, s.apiPlan)
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "get-plan-report", Method: http.MethodGet, Path: plan + "/report", Tags: tags, Summary: "What a plan has brought",
		Description: "Word error rates of what models heard against the transcripts, with 95 % intervals, and what is new in those.", Errors: []int{http.StatusNotFound},
	}, s.apiPlanReport)
	operation(a, access.EditBatches, huma.Operation{
		OperationID: "report-plan", Method: http.MethodPost, Path: plan + "/report", Tags: tags, Summary: "Have a plan's report made anew",
		DefaultStatus: http.StatusAccepted, Errors: refused,
	}, s.apiAskForReport)
}

// newPlan reads what was asked for.
func (s *Server) planAsked(ctx context.Context, actor store.Actor, in *planInput) (n store.NewPlan, err error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return n, err
	}
	b := in.Body
	n = store.NewPlan{Project: project.ID, Title: b.Title, Model: b.Model, Modes: b.Modes, Choice: sampling.Choice{
		By: b.By, Edges: b.Edges, Method: sampling.Method(b.Method), Below: b.Below, Share: b.Share, Hours: b.Hours, Control: b.Control, Most: b.Most,
		Shortest: b.Shortest, Days: b.Days, Expiring: sampling.Expiring(b.Expiring), Seed: b.Seed,
	}}
	if n.Choice.By == "" {
		n.Choice.By = "words"
	}
	if n.Choice.Edges == nil && n.Choice.By == "words" {
		n.Choice.Edges = sampling.DefaultEdges()
	}
	if n.Choice.Method == "" {
		n.Choice.Method = sampling.Lowest
	}
	if n.Choice.Share == 0 {
		n.Choice.Share = 0.2
	}
	if n.Due, err = dayOf("due", b.Due); err != nil {
		return n, err
	}
	n.OwnerID, err = s.batchPerson(ctx, actor, project.ID, "owner", b.Owner)
	return n, err
}

func (s *Server) apiPlans(ctx context.Context, actor store.Actor, in *slugInput) (*listing[samplingPlanJSON], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	plans, err := s.Store.Plans(ctx, actor, project.ID)
	if err != nil {
		return nil, err
	}
	out := &listing[samplingPlanJSON]{}
	out.Body.Data = make([]samplingPlanJSON, 0, len(plans))
	for _, p := range plans {
		out.Body.Data = append(out.Body.Data, samplingPlanAsJSON(p))
	}
	return out, nil
}

func (s *Server) apiPreviewPlan(ctx context.Context, actor store.Actor, in *planInput) (*planPreviewOutput, error) {
	n, err := s.planAsked(ctx, actor, in)
	if err != nil {
		return nil, err
	}
	p, err := s.Store.PreviewPlan(ctx, actor, n)
	if err != nil {
		return nil, err
	}
	out := planPreviewJSON{PlanCounts: countsOf(p.Choice, p.PlanHistogram, p.Seconds), Seed: p.Choice.Seed, Unready: p.Unready}
	if p.Pace.Known() {
		hours, low, high := p.Work()
		out.Work = &workJSON{hours, low, high, p.Pace.N}
	}
	return &planPreviewOutput{out}, nil
}

func (s *Server) apiDrawPlan(ctx context.Context, actor store.Actor, in *planInput) (*made[planMade], error) {
	n, err := s.planAsked(ctx, actor, in)
	if err != nil {
		return nil, err
	}
	plan, err := s.Store.DrawPlan(ctx, actor, n)
	if err != nil {
		return nil, err
	}
	return &made[planMade]{Location: fmt.Sprintf("%s/projects/%s/plans/%d", apiBase, plan.Slug, plan.Number), Body: planMade{plan.Number}}, nil
}

func (s *Server) apiPlan(ctx context.Context, actor store.Actor, in *PlanPath) (*samplingPlanOutput, error) {
	plan, err := s.Store.Plan(ctx, actor, in.Slug, in.Number)
	if err != nil {
		return nil, err
	}
	return &samplingPlanOutput{samplingPlanAsJSON(plan)}, nil
}

func (s *Server) apiPlanReport(ctx context.Context, actor store.Actor, in *PlanPath) (*planReportOutput, error) {
	plan, err := s.Store.Plan(ctx, actor, in.Slug, in.Number)
	if err != nil {
		return nil, err
	}
	if plan.Report == nil {
		return nil, fmt.Errorf("report of plan %d: %w", in.Number, store.ErrNotFound)
	}
	terms, err := s.Store.PlanTerms(ctx, actor, plan)
	if err != nil {
		return nil, err
	}
	out := &planReportOutput{planReportJSON{PlanReport: *plan.Report, Words: make([]planWordJSON, 0, len(terms))}}
	for _, t := range terms {
		out.Body.Words = append(out.Body.Words, planWordJSON{t.Text, t.Size, t.Times})
	}
	return out, nil
}

func (s *Server) apiAskForReport(ctx context.Context, actor store.Actor, in *PlanPath) (*struct{}, error) {
	return nil, s.Store.AskForReport(ctx, actor, in.Slug, in.Number)
}
