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
	"fiducial/store"
)

// meanJSON is a mean as programs see it.
type meanJSON struct {
	Mean   float64  `json:"mean" example:"0.873"`
	Margin *float64 `json:"margin,omitempty" example:"0.021" doc:"Half of the 95 % confidence interval; missing for a single item."`
	Items  int      `json:"items" example:"41" doc:"That several labelers answered."`
}

func meanAsJSON(m store.Mean) *meanJSON {
	if m.N == 0 {
		return nil
	}
	out := &meanJSON{Mean: m.Value, Items: m.N}
	if m.N > 1 {
		out.Margin = &m.Margin
	}
	return out
}

// planJSON is the plan of a sampled look as programs see it.
type planJSON struct {
	Limit    float64 `json:"limit" example:"0.1" doc:"The share of faulty items that is still good enough."`
	Accept   int     `json:"accept" example:"0" doc:"How many faulty items the sample may hold."`
	Lot      int     `json:"lot" example:"50" doc:"What the sample was drawn from."`
	Size     int     `json:"size" example:"20" doc:"How many are to be looked at."`
	Looked   int     `json:"looked" example:"12"`
	Faulty   int     `json:"faulty" example:"0" doc:"Amended, sent back or thrown out."`
	Sentence string  `json:"sentence" example:"Look at 20 of 50: if none is faulty, at most 10 % are, with 95 % confidence."`
}

// batchJSON is a batch as programs see it.
type batchJSON struct {
	Number    int        `json:"number" example:"3" doc:"Within the project."`
	Title     string     `json:"title,omitempty" example:"Scratches at the edge"`
	State     string     `json:"state" enum:"open,labeling,in_review,returned,approved,closed" example:"labeling"`
	Round     int        `json:"round,omitempty" example:"2" doc:"The round it was dealt from."`
	Owner     string     `json:"owner,omitempty" example:"Tomasz Król"`
	Due       string     `json:"due,omitempty" format:"date" example:"2026-12-31"`
	Overdue   bool       `json:"overdue"`
	Items     int        `json:"items" example:"50"`
	Answered  int        `json:"answered" example:"31" doc:"On which no answer is wanted any more."`
	Decided   int        `json:"decided" example:"4"`
	Agreement *meanJSON  `json:"agreement,omitempty" doc:"Missing until several labelers answered an item."`
	Plan      *planJSON  `json:"plan,omitempty" doc:"Of the sampled look; missing until there is one."`
	Settling  string     `json:"settling,omitempty" enum:"approve,return" doc:"What is being done to all that is left."`
	Settled   int        `json:"settled,omitempty" example:"25" doc:"How much of it is done."`
	ToSettle  int        `json:"to_settle,omitempty" example:"38"`
	Error     string     `json:"error,omitempty" doc:"Why the last settling gave up."`
	Version   int        `json:"version" example:"4" doc:"To be sent with a change."`
	CreatedAt time.Time  `json:"created_at"`
	Approved  *time.Time `json:"approved_at,omitempty"`
}

func batchAsJSON(b store.Batch) batchJSON {
	out := batchJSON{
		Number: b.Number, Title: b.Title, State: string(b.State), Round: b.Round, Owner: b.Owner, Overdue: b.Overdue, Items: b.Items, Answered: b.Answered,
		Decided: b.Decided, Agreement: meanAsJSON(b.Agreement()), Settling: b.Settling, Error: b.Error, Version: b.Version, CreatedAt: b.CreatedAt, Approved: b.ApprovedAt,
	}
	if b.Due != nil {
		out.Due = b.Due.Format(time.DateOnly)
	}
	if b.Settling != "" {
		out.Settled, out.ToSettle = b.Done, b.OfItems
	}
	if plan, ok := b.Plan(); ok {
		out.Plan = &planJSON{plan.Limit, plan.Accept, plan.Lot, plan.Size, b.Looked, b.Faulty, planSentence(plan)}
	}
	return out
}

type batchesInput struct {
	PageQuery

	Slug  string `path:"slug" example:"steel"`
	State string `query:"state" enum:"open,labeling,in_review,returned,approved,closed"`
	Round int    `query:"round" doc:"Number of the round."`
}

// BatchPath names a batch.
type BatchPath struct {
	Slug   string `path:"slug" example:"steel"`
	Number int    `path:"number" example:"3"`
}

type batchOutput struct{ Body batchJSON }

// BatchChoiceBody says which items a batch is made of.
type BatchChoiceBody struct {
	Items   []int64  `json:"items,omitempty" example:"[17,18]" doc:"By id; then, and with keys, nothing below counts."`
	Keys    []string `json:"keys,omitempty" doc:"By external key."`
	State   string   `json:"state,omitempty" enum:"never_labeled,in_review,has_truth"`
	Class   string   `json:"class,omitempty" example:"Scratch" doc:"Name of a class that the truth, a prediction or a prefill has a box of."`
	Source  string   `json:"source,omitempty" example:"Mill 2" doc:"Name of the source."`
	Group   string   `json:"group,omitempty" example:"coil-7" doc:"Name of the group."`
	Folder  string   `json:"folder,omitempty" example:"coil-7/" doc:"How the key begins."`
	From    string   `json:"captured_from,omitempty" format:"date" example:"2026-11-01"`
	To      string   `json:"captured_before,omitempty" format:"date" example:"2026-12-01"`
	Size    int      `json:"size,omitempty" minimum:"0" maximum:"2000" example:"50" doc:"How many at most; all if missing."`
	Lasting bool     `json:"lasting,omitempty" doc:"Only items without a date on which they expire."`
	Seed    int64    `json:"seed,omitempty" example:"7" doc:"Draw them at random, the same for the same seed; the first that came in if missing."`
}

type newBatchInput struct {
	Slug string `path:"slug" example:"steel"`
	Body struct {
		BatchChoiceBody

		Title  string `json:"title,omitempty" example:"Scratches at the edge"`
		Owner  string `json:"owner,omitempty" format:"email" example:"tomasz@demo.example" doc:"Address of a reviewer of the project, or of an admin."`
		Due    string `json:"due,omitempty" format:"date" example:"2026-12-31"`
		DryRun bool   `json:"dry_run,omitempty" doc:"Say what it would hold, and make nothing."`
	}
}

type batchMade struct {
	Number int `json:"number,omitempty" example:"3" doc:"Missing after a dry run."`
	Items  int `json:"items" example:"50"`
}

type editBatchInput struct {
	BatchPath

	Body struct {
		Version int     `json:"version" example:"4" doc:"As it was read."`
		Title   *string `json:"title,omitempty"`
		Owner   *string `json:"owner,omitempty" doc:"Address; empty for nobody."`
		Due     *string `json:"due,omitempty" doc:"Date; empty for none."`
	}
}

type sampleInput struct {
	BatchPath

	Body struct {
		Limit  float64 `json:"limit" exclusiveMinimum:"0" exclusiveMaximum:"1" example:"0.1" doc:"The share of faulty items that is still good enough."`
		Accept int     `json:"accept,omitempty" minimum:"0" maximum:"20" example:"0" doc:"How many faulty items the sample may hold."`
	}
}

type extendInput struct {
	BatchPath

	Body BatchChoiceBody
}

type approveInput struct {
	BatchPath

	Body struct {
		Reviewer string `json:"reviewer,omitempty" format:"email" example:"tomasz@demo.example" doc:"In whose name, needed for a token: each decision bears a person's."`
	}
}

type returnInput struct {
	BatchPath

	Body struct {
		Fault    string `json:"fault" enum:"loose_box,missed_defect,wrong_class,split_needed,other" example:"loose_box"`
		Note     string `json:"note,omitempty" example:"Closer to the dark edge." doc:"Needed with other."`
		Reviewer string `json:"reviewer,omitempty" format:"email" example:"tomasz@demo.example" doc:"In whose name, needed for a token."`
	}
}

func (s *Server) batchOperations(a api) {
	tags, unknown, refused, changed := []string{"Batches"}, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusConflict
	const batches, batch = "/projects/{slug}/batches", "/projects/{slug}/batches/{number}"
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "list-batches", Method: http.MethodGet, Path: batches, Tags: tags, Summary: "A project's batches, the newest first", Errors: []int{unknown},
	}, s.apiBatches)
	operation(a, access.EditBatches, huma.Operation{
		OperationID: "add-batch", Method: http.MethodPost, Path: batches, Tags: tags, Summary: "Make a batch of items that are free",
		Description: "Its items are handed out before all others. What is in another unfinished batch is left out.", DefaultStatus: http.StatusCreated, Errors: []int{unknown, refused},
	}, s.apiAddBatch)
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "get-batch", Method: http.MethodGet, Path: batch, Tags: tags, Summary: "One batch", Errors: []int{unknown},
	}, s.apiBatch)
	operation(a, access.EditBatches, huma.Operation{
		OperationID: "edit-batch", Method: http.MethodPatch, Path: batch, Tags: tags, Summary: "Change a batch's title, owner or date", Errors: []int{unknown, refused, changed},
	}, s.apiEditBatch)
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "list-batch-items", Method: http.MethodGet, Path: batch + "/items", Tags: tags, Summary: "A batch's items, least agreement first", Errors: []int{unknown},
	}, s.apiBatchItems)
	operation(a, access.EditBatches, huma.Operation{
		OperationID: "extend-batch", Method: http.MethodPost, Path: batch + "/items", Tags: tags, Summary: "Put more items into a batch that nobody has begun on",
		Errors: []int{unknown, refused, changed},
	}, s.apiExtendBatch)
	operation(a, access.Review, huma.Operation{
		OperationID: "sample-batch", Method: http.MethodPost, Path: batch + "/sample", Tags: tags, Summary: "Draw the sample that is looked at before a batch is approved",
		Description: "The smallest one for which, if more than the share limit of the batch were faulty, the chance to find at most accept faulty items in it is 5 % at most.",
		Errors:      []int{unknown, refused},
	}, s.apiSampleBatch)
	operation(a, access.Review, huma.Operation{
		OperationID: "approve-batch", Method: http.MethodPost, Path: batch + "/approve", Tags: tags, Summary: "Approve whatever of a batch waits for review, once its plan is fulfilled",
		DefaultStatus: http.StatusAccepted, Errors: []int{unknown, refused},
	}, s.apiApproveBatch)
	operation(a, access.Review, huma.Operation{
		OperationID: "return-batch", Method: http.MethodPost, Path: batch + "/return", Tags: tags, Summary: "Send every answer that is not approved yet back to its labeler",
		DefaultStatus: http.StatusAccepted, Errors: []int{unknown, refused},
	}, s.apiReturnBatch)
	operation(a, access.EditBatches, huma.Operation{
		OperationID: "close-batch", Method: http.MethodPost, Path: batch + "/close", Tags: tags, Summary: "Give a batch up", Errors: []int{unknown, refused},
	}, s.apiCloseBatch)
	s.roundOperations(a)
}

func (s *Server) apiBatches(ctx context.Context, actor store.Actor, in *batchesInput) (*listing[batchJSON], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	before, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	batches, err := s.Store.Batches(ctx, actor, project.ID, store.BatchFilter{State: store.BatchState(in.State), Round: in.Round, Before: int(before), Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	rows := make([]batchJSON, len(batches))
	for i, b := range batches {
		rows[i] = batchAsJSON(b)
	}
	filters := url.Values{}
	if in.State != "" {
		filters.Set("state", in.State)
	}
	if in.Round != 0 {
		filters.Set("round", strconv.Itoa(in.Round))
	}
	return pageOf("/projects/"+project.Slug+"/batches", filters, in.Limit, rows, func(b batchJSON) string { return strconv.Itoa(b.Number) }), nil
}

// dayOf reads a date; the empty one is none.
func dayOf(field, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil, &store.InvalidError{Field: field, Reason: "Write the date as 2026-12-31."}
	}
	return &day, nil
}

// batchPerson is the person with this address who can answer for a batch of the project; 0 for an empty one.
func (s *Server) batchPerson(ctx context.Context, actor store.Actor, project int64, field, address string) (int64, error) {
	if address == "" {
		return 0, nil
	}
	people, err := s.Store.BatchOwners(ctx, actor, project)
	if err != nil {
		return 0, err
	}
	for _, p := range people {
		if strings.EqualFold(p.Email, address) {
			return p.Person, nil
		}
	}
	return 0, &store.InvalidError{Field: field, Reason: "No reviewer of the project, nor any admin, has this address."}
}

// choice finds what a choice names.
func (s *Server) choice(ctx context.Context, actor store.Actor, project int64, in BatchChoiceBody) (c store.BatchChoice, err error) {
	c = store.BatchChoice{Items: in.Items, Keys: in.Keys, Group: in.Group, Folder: in.Folder, State: store.ItemStand(in.State), Size: in.Size, Seed: in.Seed, Lasting: in.Lasting}
	for field, day := range map[string]struct {
		text string
		into *time.Time
	}{"captured_from": {in.From, &c.From}, "captured_before": {in.To, &c.To}} {
		at, err := dayOf(field, day.text)
		if err != nil {
			return c, err
		}
		if at != nil {
			*day.into = *at
		}
	}
	if in.Class != "" {
		classes, err := s.Store.Classes(ctx, actor, project)
		if err != nil {
			return c, err
		}
		for _, class := range classes {
			if strings.EqualFold(class.Name, in.Class) {
				c.Class = class.ID
			}
		}
		if c.Class == 0 {
			return c, &store.InvalidError{Field: "class", Reason: "The project has no such class."}
		}
	}
	if in.Source != "" {
		sources, err := s.Store.SourcesOf(ctx, actor, project)
		if err != nil {
			return c, err
		}
		for _, source := range sources {
			if source.Name == in.Source {
				c.Source = source.ID
			}
		}
		if c.Source == 0 {
			return c, &store.InvalidError{Field: "source", Reason: "The project has no item of such a source."}
		}
	}
	return c, nil
}

func (s *Server) apiAddBatch(ctx context.Context, actor store.Actor, in *newBatchInput) (*made[batchMade], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	n := store.NewBatch{Project: project.ID, Title: in.Body.Title}
	if n.Choice, err = s.choice(ctx, actor, project.ID, in.Body.BatchChoiceBody); err != nil {
		return nil, err
	}
	if n.Due, err = dayOf("due", in.Body.Due); err != nil {
		return nil, err
	}
	if n.OwnerID, err = s.batchPerson(ctx, actor, project.ID, "owner", in.Body.Owner); err != nil {
		return nil, err
	}
	if in.Body.DryRun {
		preview, err := s.Store.PreviewBatch(ctx, actor, project.ID, n.Choice)
		return &made[batchMade]{Location: apiBase + "/projects/" + project.Slug + "/batches", Body: batchMade{Items: preview.Taken}}, err
	}
	b, err := s.Store.AddBatch(ctx, actor, n)
	if err != nil {
		return nil, err
	}
	return &made[batchMade]{Location: fmt.Sprintf("%s/projects/%s/batches/%d", apiBase, b.Slug, b.Number), Body: batchMade{b.Number, b.Items}}, nil
}

func (s *Server) apiBatch(ctx context.Context, actor store.Actor, in *BatchPath) (*batchOutput, error) {
	b, err := s.Store.Batch(ctx, actor, in.Slug, in.Number)
	return &batchOutput{batchAsJSON(b)}, err
}

func (s *Server) apiEditBatch(ctx context.Context, actor store.Actor, in *editBatchInput) (*batchOutput, error) {
	b, err := s.Store.Batch(ctx, actor, in.Slug, in.Number)
	if err != nil {
		return nil, err
	}
	edit := store.BatchEdit{ID: b.ID, Version: in.Body.Version, Title: b.Title, OwnerID: b.OwnerID, Due: b.Due}
	if in.Body.Title != nil {
		edit.Title = *in.Body.Title
	}
	if in.Body.Owner != nil {
		if edit.OwnerID, err = s.batchPerson(ctx, actor, b.ProjectID, "owner", *in.Body.Owner); err != nil {
			return nil, err
		}
	}
	if in.Body.Due != nil {
		if edit.Due, err = dayOf("due", *in.Body.Due); err != nil {
			return nil, err
		}
	}
	if err := s.Store.UpdateBatch(ctx, actor, edit); err != nil {
		return nil, err
	}
	return s.apiBatch(ctx, actor, &in.BatchPath)
}

func (s *Server) apiSampleBatch(ctx context.Context, actor store.Actor, in *sampleInput) (*batchOutput, error) {
	b, err := s.Store.Batch(ctx, actor, in.Slug, in.Number)
	if err != nil {
		return nil, err
	}
	if err := s.Store.SampleBatch(ctx, actor, b.ID, b.Version, in.Body.Limit, in.Body.Accept); err != nil {
		return nil, err
	}
	return s.apiBatch(ctx, actor, &in.BatchPath)
}

func (s *Server) apiExtendBatch(ctx context.Context, actor store.Actor, in *extendInput) (*batchOutput, error) {
	b, err := s.Store.Batch(ctx, actor, in.Slug, in.Number)
	if err != nil {
		return nil, err
	}
	choice, err := s.choice(ctx, actor, b.ProjectID, in.Body)
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.AddToBatch(ctx, actor, b.ID, b.Version, choice); err != nil {
		return nil, err
	}
	return s.apiBatch(ctx, actor, &in.BatchPath)
}

func (s *Server) apiApproveBatch(ctx context.Context, actor store.Actor, in *approveInput) (*batchOutput, error) {
	b, err := s.Store.Batch(ctx, actor, in.Slug, in.Number)
	if err != nil {
		return nil, err
	}
	by, err := s.batchPerson(ctx, actor, b.ProjectID, "reviewer", in.Body.Reviewer)
	if err != nil {
		return nil, err
	}
	if err := s.Store.ApproveBatch(ctx, actor, b.ID, b.Version, by); err != nil {
		return nil, err
	}
	return s.apiBatch(ctx, actor, &in.BatchPath)
}

func (s *Server) apiReturnBatch(ctx context.Context, actor store.Actor, in *returnInput) (*batchOutput, error) {
	b, err := s.Store.Batch(ctx, actor, in.Slug, in.Number)
	if err != nil {
		return nil, err
	}
	by, err := s.batchPerson(ctx, actor, b.ProjectID, "reviewer", in.Body.Reviewer)
	if err != nil {
		return nil, err
	}
	err = s.Store.ReturnBatch(ctx, actor, store.BatchReturn{Batch: b.ID, Version: b.Version, Fault: store.Fault(in.Body.Fault), Note: in.Body.Note, By: by})
	if err != nil {
		return nil, err
	}
	return s.apiBatch(ctx, actor, &in.BatchPath)
}

func (s *Server) apiCloseBatch(ctx context.Context, actor store.Actor, in *BatchPath) (*batchOutput, error) {
	b, err := s.Store.Batch(ctx, actor, in.Slug, in.Number)
	if err != nil {
		return nil, err
	}
	if err := s.Store.CloseBatch(ctx, actor, b.ID, b.Version); err != nil {
		return nil, err
	}
	return s.apiBatch(ctx, actor, in)
}
