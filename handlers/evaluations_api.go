package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/models"
	"fiducial/store"
)

// evaluationBody is what an evaluation is asked for.
type evaluationBody struct {
	Chain      string     `json:"chain,omitempty" example:"calls" doc:"Name of a chain; the only one of these slots if missing."`
	Slots      []string   `json:"slots,omitempty" example:"[\"asr\",\"nlp\"]" enum:"detector,asr,formatting,nlp" doc:"Kinds of models, in order; those of the chain if it is named."`
	Versions   []string   `json:"versions" minItems:"1" example:"[\"calls-test@3\"]" doc:"Dataset versions, each as DATASET@NUMBER or DATASET@latest."`
	Models     [][]string `json:"models" minItems:"1" example:"[[\"asr@4.1\",\"asr@4.2\"],[\"sentiment@1\"]]" doc:"Model versions of each slot, as NAME@VERSION or NAME@latest; reference is the truth in the place of a recognizer. Every combination is measured, and shares what it has in common with others."`
	Baseline   []string   `json:"baseline,omitempty" example:"[\"asr@4.1\",\"sentiment@1\"]" doc:"What the others are compared with: one for each slot. That of the chain if missing."`
	Split      string     `json:"split,omitempty" enum:"training,validation,test" doc:"test if missing."`
	Normalizer string     `json:"normalizer,omitempty" example:"basic-1" doc:"How words are written alike before they are compared."`
	Labels     string     `json:"labels,omitempty" enum:"frozen,today" doc:"frozen (the labels of the version) if missing; today: those of now."`
	Runner     string     `json:"runner,omitempty" enum:"workers,argo" doc:"workers if missing."`
	Title      string     `json:"title,omitempty" example:"Before the release"`
}

func (b *evaluationBody) request() store.EvaluationRequest {
	return store.EvaluationRequest{
		Chain: b.Chain, Slots: b.Slots, Versions: b.Versions, Models: b.Models, Baseline: b.Baseline, Split: b.Split, Normalizer: b.Normalizer,
		Labels: b.Labels, Title: b.Title, Runner: b.Runner, StartedBy: "api",
	}
}

type evaluationInput struct{ Body evaluationBody }

// EvaluationPath names an evaluation.
type EvaluationPath struct {
	ID int64 `path:"evaluation" example:"17"`
}

// evaluationJSON is an evaluation as programs see it.
type evaluationJSON struct {
	ID         int64      `json:"id" example:"17"`
	Chain      string     `json:"chain" example:"calls"`
	ChainID    int64      `json:"chain_id" example:"1"`
	Slots      []string   `json:"slots"`
	Title      string     `json:"title,omitempty"`
	State      string     `json:"state" enum:"waiting,running,scoring,done,failed,cancelled"`
	Error      string     `json:"error,omitempty" doc:"Why it failed."`
	Versions   []string   `json:"versions"`
	Split      string     `json:"split"`
	Normalizer string     `json:"normalizer"`
	Labels     string     `json:"labels" enum:"frozen,today"`
	Baseline   []string   `json:"baseline,omitempty"`
	StartedBy  string     `json:"started_by" enum:"page,api,release,schedule"`
	Runner     string     `json:"runner" enum:"workers,argo"`
	Steps      int        `json:"steps" doc:"Models asked about dataset versions."`
	StepsDone  int        `json:"steps_done"`
	Items      int        `json:"items" doc:"To be answered, by all steps together."`
	Done       int        `json:"done" doc:"Of those, answered."`
	Reused     int        `json:"reused" doc:"Of those, that were answered before the run: the models were not asked again."`
	Failed     int        `json:"failed" doc:"Of those, without an answer: in none of the figures."`
	CreatedAt  time.Time  `json:"created_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

func evaluationAsJSON(e store.Evaluation) evaluationJSON {
	return evaluationJSON{
		ID: e.ID, Chain: e.Chain, ChainID: e.ChainID, Slots: e.Slots, Title: e.Title, State: e.State, Error: e.Error, Versions: e.Versions, Split: e.Split,
		Normalizer: e.Normalizer, Labels: e.Labels, Baseline: e.Baseline, StartedBy: e.StartedBy, Runner: e.Runner, Steps: e.Steps, StepsDone: e.StepsDone,
		Items: e.Items, Done: e.Done, Reused: e.Reused, Failed: e.Failed, CreatedAt: e.CreatedAt, FinishedAt: e.FinishedAt,
	}
}

// cellDifferenceJSON is a cell beside its baseline.
type cellDifferenceJSON struct {
	Value  *float64 `json:"value" example:"0.012" doc:"Above 0: the measure is greater than the baseline's."`
	Low    *float64 `json:"low" doc:"The 95 % interval."`
	High   *float64 `json:"high"`
	P      *float64 `json:"p"`
	Real   bool     `json:"real" doc:"Not one of chance, also after looking at so many cells."`
	Better bool     `json:"better"`
	Items  int      `json:"items" doc:"That both have."`
	Gained int      `json:"gained" doc:"Items that became better."`
	Lost   int      `json:"lost"`
}

// cellJSON is a combination's figure as programs see it.
type cellJSON struct {
	ID         int64               `json:"id" example:"204"`
	Version    string              `json:"version" example:"calls-test@3"`
	Models     []string            `json:"models" example:"[\"asr@4.2\",\"sentiment@1\"]"`
	Task       string              `json:"task" enum:"speech,label,labels,spans,detection"`
	Measure    string              `json:"measure" example:"macro_f1"`
	Value      *float64            `json:"value" example:"0.873"`
	Low        *float64            `json:"low"`
	High       *float64            `json:"high"`
	Items      int                 `json:"items" example:"412"`
	Failed     int                 `json:"failed" doc:"Of those, in none of the figures."`
	Stale      bool                `json:"stale" doc:"Its models are asked otherwise by now, its dataset has a newer version, or lines of it were erased."`
	Flags      []string            `json:"flags" doc:"prefill, corrected: why the figure leans towards its model."`
	Difference *cellDifferenceJSON `json:"difference,omitempty" doc:"To the baseline; missing where there is none."`
	Dropped    bool                `json:"dropped" doc:"Really worse than the baseline, by more than the chain lets pass."`
}

func cellAsJSON(c *store.Cell, limit float64) cellJSON {
	out := cellJSON{
		ID: c.ID, Version: c.VersionName(), Models: c.Models, Task: string(c.Task), Measure: c.Measure, Value: c.Value, Low: c.Low, High: c.High,
		Items: c.Items, Failed: c.Failed, Stale: c.Stale.Any(), Flags: []string{}, Dropped: c.Dropped(limit),
	}
	for _, f := range c.Flags {
		out.Flags = append(out.Flags, f.Kind)
	}
	if d := c.Difference; d != nil {
		out.Difference = &cellDifferenceJSON{d.Value, d.Low, d.High, d.Adjusted, d.Real(), d.Better, d.Items, d.Gained, d.Lost}
	}
	return out
}

type evaluationDetailJSON struct {
	evaluationJSON

	Cells    []cellJSON       `json:"cells"`
	Failures []failureSumJSON `json:"failures" doc:"Why items have no answer, by model and reason."`
}

type failureSumJSON struct {
	Models []string `json:"models"`
	Reason string   `json:"reason" example:"timeout"`
	Status int      `json:"status,omitempty" example:"503" doc:"Of the model server's answer."`
	Items  int      `json:"items"`
	Says   string   `json:"sentence"`
}

type evaluationOutput struct{ Body evaluationDetailJSON }

type evaluationsInput struct {
	PageQuery

	Chain int64 `query:"chain" doc:"Of this chain only."`
}

// failureJSON is an item without an answer.
type failureJSON struct {
	Item     int64     `json:"item" example:"1204"`
	Version  string    `json:"version"`
	Models   []string  `json:"models"`
	Reason   string    `json:"reason"`
	Status   int       `json:"status,omitempty"`
	Attempts int       `json:"attempts"`
	Says     string    `json:"sentence"`
	At       time.Time `json:"at"`
}

type failuresInput struct {
	EvaluationPath
	PageQuery
}

func (s *Server) evaluationOperations(a api) {
	const list, one = "/evaluations", "/evaluations/{evaluation}"
	tags, refused := []string{"Evaluations"}, []int{http.StatusNotFound, http.StatusUnprocessableEntity}
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "list-evaluations", Method: http.MethodGet, Path: list, Tags: tags, Summary: "Evaluations, the newest first",
	}, s.apiEvaluations)
	operation(a, access.RunEvaluations, huma.Operation{
		OperationID: "start-evaluation", Method: http.MethodPost, Path: list, Tags: tags, Summary: "Measure combinations of models over dataset versions",
		Description:   "Models are asked in the background; combinations share the steps that they have in common, and what was answered before is not asked again.",
		DefaultStatus: http.StatusCreated, Errors: refused,
	}, s.apiStartEvaluation)
	operation(a, access.ReadEvaluations, huma.Operation{
		OperationID: "get-evaluation", Method: http.MethodGet, Path: one, Tags: tags, Summary: "One evaluation with its cells", Errors: []int{http.StatusNotFound},
	}, s.apiEvaluation)
	operation(a, access.RunEvaluations, huma.Operation{
		OperationID: "cancel-evaluation", Method: http.MethodPost, Path: one + "/cancel", Tags: tags, Summary: "Stop an evaluation",
		DefaultStatus: http.StatusNoContent, Errors: refused,
	}, s.apiCancelEvaluation)
	operation(a, access.RunEvaluations, huma.Operation{
		OperationID: "retry-evaluation", Method: http.MethodPost, Path: one + "/retry", Tags: tags, Summary: "Ask again about what has no answer",
		DefaultStatus: http.StatusAccepted, Errors: refused,
	}, s.apiRetryEvaluation)
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "list-evaluation-failures", Method: http.MethodGet, Path: one + "/failures", Tags: tags, Summary: "The items that have no answer",
		Errors: []int{http.StatusNotFound},
	}, s.apiEvaluationFailures)
}

func (s *Server) apiEvaluations(ctx context.Context, actor store.Actor, in *evaluationsInput) (*listing[evaluationJSON], error) {
	before, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	evaluations, err := s.Store.Evaluations(ctx, actor, store.EvaluationQuery{Chain: in.Chain, Before: before, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	rows := make([]evaluationJSON, 0, len(evaluations))
	for _, e := range evaluations {
		rows = append(rows, evaluationAsJSON(e))
	}
	query := url.Values{}
	if in.Chain != 0 {
		query.Set("chain", strconv.FormatInt(in.Chain, 10))
	}
	return pageOf("/evaluations", query, in.Limit, rows, func(e evaluationJSON) string { return strconv.FormatInt(e.ID, 10) }), nil
}

func (s *Server) apiStartEvaluation(ctx context.Context, actor store.Actor, in *evaluationInput) (*made[idMade], error) {
	id, err := s.Store.StartEvaluation(ctx, actor, in.Body.request())
	if err != nil {
		return nil, err
	}
	return &made[idMade]{Location: fmt.Sprintf("%s/evaluations/%d", apiBase, id), Body: idMade{id}}, nil
}

func (s *Server) apiEvaluation(ctx context.Context, actor store.Actor, in *EvaluationPath) (*evaluationOutput, error) {
	e, err := s.Store.Evaluation(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	chain, err := s.Store.Chain(ctx, actor, e.ChainID)
	if err != nil {
		return nil, err
	}
	cells, err := s.Store.Cells(ctx, actor, store.CellQuery{Evaluation: e.ID})
	if err != nil {
		return nil, err
	}
	out := &evaluationOutput{evaluationDetailJSON{evaluationJSON: evaluationAsJSON(e), Cells: make([]cellJSON, 0, len(cells)), Failures: []failureSumJSON{}}}
	for i := range cells {
		out.Body.Cells = append(out.Body.Cells, cellAsJSON(&cells[i], chain.AlertDrop))
	}
	steps, err := s.Store.EvaluationSteps(ctx, e)
	if err != nil {
		return nil, err
	}
	counts, err := s.Store.EvaluationFailureCounts(ctx, e)
	if err != nil {
		return nil, err
	}
	names := map[int64][]string{}
	for _, step := range steps {
		names[step.ID] = step.Models
	}
	for _, c := range counts {
		out.Body.Failures = append(out.Body.Failures, failureSumJSON{names[c.Step], c.Reason, c.Status, c.Items, models.Sentence(c.Reason)})
	}
	return out, nil
}

func (s *Server) apiCancelEvaluation(ctx context.Context, actor store.Actor, in *EvaluationPath) (*struct{}, error) {
	return nil, s.Store.CancelEvaluation(ctx, actor, in.ID)
}

func (s *Server) apiRetryEvaluation(ctx context.Context, actor store.Actor, in *EvaluationPath) (*struct{}, error) {
	return nil, s.Store.RetryEvaluation(ctx, actor, in.ID)
}

// failureCursor is the step and the item after which a list of failures goes on.
func failureCursor(after string) (step, item int64, err error) {
	if after == "" {
		return 0, 0, nil
	}
	if _, err := fmt.Sscanf(after, "%d-%d", &step, &item); err != nil {
		return 0, 0, badRequest("The cursor in 'after' is not one that this list gave out. Start without it.")
	}
	return step, item, nil
}

func (s *Server) apiEvaluationFailures(ctx context.Context, actor store.Actor, in *failuresInput) (*listing[failureJSON], error) {
	step, item, err := failureCursor(in.After)
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.Evaluation(ctx, actor, in.ID); err != nil {
		return nil, err
	}
	failures, err := s.Store.EvaluationFailures(ctx, actor, in.ID, store.FailureQuery{AfterStep: step, AfterItem: item, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	rows := make([]failureJSON, 0, len(failures))
	cursors := map[int64]string{}
	for _, f := range failures {
		rows = append(rows, failureJSON{f.Item, f.Version, f.Models, f.Reason, f.Status, f.Attempts, models.Sentence(f.Reason), f.At})
	}
	for i, f := range failures {
		if i == in.Limit-1 {
			cursors[f.Item] = fmt.Sprintf("%d-%d", f.Step, f.Item)
		}
	}
	return pageOf(fmt.Sprintf("/evaluations/%d/failures", in.ID), url.Values{}, in.Limit, rows, func(f failureJSON) string { return cursors[f.Item] }), nil
}
