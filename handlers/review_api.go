package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/speech"
	"fiducial/store"
)

// waitingJSON is an item that waits for review as programs see it.
type waitingJSON struct {
	Item      int64     `json:"item" example:"1204"`
	Name      string    `json:"name" example:"coil-7/0012.jpg"`
	Since     time.Time `json:"since"`
	Answers   int       `json:"answers" example:"3"`
	Classes   []string  `json:"classes" example:"[\"Scratch\"]"`
	Agreement *float64  `json:"agreement,omitempty" example:"0.71" doc:"Of its answers, 0 to 1; missing where there is nothing to compare."`
	Finding   string    `json:"finding,omitempty" example:"class" doc:"The worst that was found."`
	Disputed  bool      `json:"disputed,omitempty" doc:"A labeler contests what a reviewer found."`
	Undecided bool      `json:"undecided,omitempty" doc:"A labeler could not decide."`
}

// reviewBoxJSON is a box of an answer, of a decision or of the truth.
type reviewBoxJSON struct {
	Class    string  `json:"class" example:"Scratch"`
	X        float64 `json:"x" example:"120.5" doc:"In pixels of the upright image, from its left edge."`
	Y        float64 `json:"y" example:"80"`
	W        float64 `json:"w" example:"64" exclusiveMinimum:"0"`
	H        float64 `json:"h" example:"12.25" exclusiveMinimum:"0"`
	Rotation float64 `json:"rotation,omitempty" doc:"In degrees clockwise about the centre."`
}

// reviewAnswerJSON is a labeler's answer. Who gave it stays hidden until the item is decided.
type reviewAnswerJSON struct {
	ID      int64           `json:"id" example:"881"`
	Labeler string          `json:"labeler,omitempty" doc:"Missing until the item is decided."`
	At      time.Time       `json:"at"`
	Boxes   []reviewBoxJSON `json:"boxes" doc:"Of sound, its moments: x and w in seconds of the item, y the channel or 0 for all, h 1."`
	// Transcript is that of sound.
	Transcript []segmentJSON `json:"transcript,omitempty" doc:"Of sound: what was written down."`
	Mode       string        `json:"mode,omitempty" enum:"blind,edit,reveal" doc:"Of sound: what the labeler saw of a hypothesis."`
}

// segmentJSON is a stretch of an utterance with what was said in it.
type segmentJSON struct {
	Begin   float64 `json:"begin" example:"0" doc:"In seconds from the beginning of the item."`
	End     float64 `json:"end" example:"2.4"`
	Channel int     `json:"channel,omitempty" minimum:"0" doc:"From 1; missing for all."`
	Speaker string  `json:"speaker,omitempty" example:"agent"`
	Text    string  `json:"text" example:"please hold the line"`
}

func segmentsAsJSON(t speech.Transcript) []segmentJSON {
	var out []segmentJSON
	for _, s := range t {
		out = append(out, segmentJSON(s))
	}
	return out
}

func transcriptOfJSON(list []segmentJSON) speech.Transcript {
	var out speech.Transcript
	for _, s := range list {
		out = append(out, speech.Segment(s))
	}
	return out
}

// decisionJSON is a decision that was made about an item.
type decisionJSON struct {
	ID       int64     `json:"id" example:"512"`
	Decision string    `json:"decision" enum:"approved,amended,merged,rejected,discarded,undone,accepted" example:"approved" doc:"Accepted: by the project's rule."`
	Reviewer string    `json:"reviewer,omitempty"`
	Note     string    `json:"note,omitempty"`
	At       time.Time `json:"at"`
	Undoes   int64     `json:"undoes,omitempty" doc:"The decision that an undoing takes back."`
	Standing bool      `json:"standing,omitempty" doc:"The last that stands: it can be undone."`
}

// reviewJSON is an item as a reviewer sees it.
type reviewJSON struct {
	Item      int64              `json:"item" example:"1204"`
	Name      string             `json:"name" example:"coil-7/0012.jpg"`
	Project   string             `json:"project" example:"steel"`
	State     string             `json:"state" enum:"open,in_review,adjudicated,discarded,none" example:"in_review" doc:"None: it was never in the queue."`
	Version   int                `json:"version" example:"4" doc:"To be sent with a decision: it is refused with 409 if somebody decided in between."`
	Width     int                `json:"width" example:"1600"`
	Height    int                `json:"height" example:"1100"`
	Answers   []reviewAnswerJSON `json:"answers"`
	Truth     []reviewBoxJSON    `json:"truth,omitempty" doc:"The boxes that hold at present; missing without a truth."`
	Said      []segmentJSON      `json:"truth_transcript,omitempty" doc:"Of sound: the words that hold at present."`
	Kind      string             `json:"kind" enum:"image,audio"`
	Seconds   float64            `json:"seconds,omitempty" doc:"Of sound."`
	Decisions []decisionJSON     `json:"decisions" doc:"The newest first."`
}

type reviewOutput struct{ Body reviewJSON }

type waitingInput struct {
	Slug  string `path:"slug" example:"steel"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most; the list begins anew as items are decided."`
}

// ReviewItemPath names an item to decide on.
type ReviewItemPath struct {
	Item int64 `path:"item" example:"1204"`
}

// reviewMarkJSON is a fault of an answer: of a box by its place in the answer, of a point, or, with neither, of the whole.
type reviewMarkJSON struct {
	Box   *int     `json:"box,omitempty" minimum:"0" example:"0" doc:"The box's place in the answer, from 0 on."`
	X     *float64 `json:"x,omitempty" doc:"A point, in pixels of the upright image; with y. Of sound, seconds from the beginning of the item, and 0."`
	Y     *float64 `json:"y,omitempty"`
	Fault string   `json:"fault" enum:"loose_box,missed_defect,wrong_class,split_needed,other,wrong_words,missed_words,against_rules,wrong_time,missed_moment" example:"loose_box"`
	Note  string   `json:"note,omitempty" example:"Closer to the dark edge." doc:"Needed with other."`
}

type decisionInput struct {
	ReviewItemPath

	Body struct {
		Version    int              `json:"version" example:"4" doc:"Of the item as it was read."`
		Decision   string           `json:"decision" enum:"approved,amended,merged,rejected,discarded" example:"approved" doc:"Approved: an answer, or the present truth, as it is. Amended: these boxes. Merged: what most answers have. Rejected: back to its labeler. Discarded: nobody can decide."`
		Answer     int64            `json:"answer,omitempty" example:"881" doc:"The answer that is taken, amended or sent back; missing for the present truth or for all answers."`
		Boxes      []reviewBoxJSON  `json:"boxes,omitempty" doc:"Of an amendment."`
		Transcript []segmentJSON    `json:"transcript,omitempty" doc:"Of an amendment of sound; missing leaves the words as they are."`
		Marks      []reviewMarkJSON `json:"marks,omitempty" doc:"Why an answer goes back; at least one."`
		Note       string           `json:"note,omitempty" example:"The lip counts as part of it." doc:"Needed to discard."`
		Reviewer   string           `json:"reviewer,omitempty" format:"email" example:"tomasz@demo.example" doc:"In whose name, needed for a token: each decision bears a person's."`
	}
}

type undoInput struct {
	Decision int64 `path:"decision" example:"512"`
	Body     struct {
		Reviewer string `json:"reviewer,omitempty" format:"email" example:"tomasz@demo.example" doc:"In whose name, needed for a token."`
	}
}

func (s *Server) reviewOperations(a api) {
	tags := []string{"Review"}
	const unknown, refused = http.StatusNotFound, http.StatusUnprocessableEntity
	operation(a, access.Review, huma.Operation{
		OperationID: "list-reviews", Method: http.MethodGet, Path: "/projects/{slug}/reviews", Tags: tags,
		Summary: "What waits for review, the least agreed first", Errors: []int{unknown},
	}, s.apiWaiting)
	operation(a, access.Review, huma.Operation{
		OperationID: "get-review", Method: http.MethodGet, Path: "/items/{item}/review", Tags: tags,
		Summary: "An item with its answers, its truth and what was decided", Errors: []int{unknown},
	}, s.apiReview)
	operation(a, access.Review, huma.Operation{
		OperationID: "decide", Method: http.MethodPost, Path: "/items/{item}/decisions", Tags: tags, Summary: "Decide on an item",
		Description:   "Every answer and every earlier truth is kept, and a decision can be undone for ever. Returns the item as it is then.",
		DefaultStatus: http.StatusCreated, Errors: []int{unknown, http.StatusConflict, refused},
	}, s.apiDecide)
	operation(a, access.Review, huma.Operation{
		OperationID: "undo-decision", Method: http.MethodPost, Path: "/decisions/{decision}/undo", Tags: tags,
		Summary: "Take back the last decision about an item that stands", Errors: []int{unknown, http.StatusConflict, refused},
	}, s.apiUndoDecision)
}

func (s *Server) apiWaiting(ctx context.Context, actor store.Actor, in *waitingInput) (*listing[waitingJSON], error) {
	if _, err := s.Store.Project(ctx, actor, in.Slug); err != nil {
		return nil, err
	}
	waiting, err := s.Store.WaitingForReview(ctx, actor, in.Slug, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &listing[waitingJSON]{}
	out.Body.Data = make([]waitingJSON, len(waiting))
	for i, w := range waiting {
		out.Body.Data[i] = waitingJSON{
			Item: w.Item, Name: w.Name, Since: w.Since, Answers: w.Answers, Classes: w.Classes, Agreement: w.Agreement, Finding: w.Worst,
			Disputed: w.Disputed, Undecided: w.Undecided,
		}
	}
	return out, nil
}

func (s *Server) apiReview(ctx context.Context, actor store.Actor, in *ReviewItemPath) (*reviewOutput, error) {
	r, err := s.Store.ReviewItem(ctx, actor, in.Item)
	if err != nil {
		return nil, err
	}
	b, err := s.bookFor(ctx, actor, r.Slug)
	if err != nil {
		return nil, err
	}
	return &reviewOutput{reviewAsJSON(r, b.names())}, nil
}

func reviewAsJSON(r store.Reviewed, names map[int64]string) reviewJSON {
	boxes := func(list []store.Box) []reviewBoxJSON {
		out := make([]reviewBoxJSON, len(list))
		for i, b := range list {
			out[i] = reviewBoxJSON{names[b.ClassID], b.X, b.Y, b.W, b.H, b.Rotation}
		}
		return out
	}
	out := reviewJSON{
		Item: r.Item, Name: r.Name, Project: r.Slug, State: r.State, Version: r.Version, Width: r.Width, Height: r.Height,
		Kind: r.Kind, Seconds: r.Seconds, Answers: []reviewAnswerJSON{}, Decisions: []decisionJSON{},
	}
	if out.State == "" {
		out.State = "none"
	}
	for _, a := range r.Answers {
		out.Answers = append(out.Answers, reviewAnswerJSON{a.ID, a.Labeler, a.SubmittedAt, boxes(a.Boxes), segmentsAsJSON(a.Transcript), a.Mode})
	}
	if r.Truth != nil {
		out.Truth, out.Said = boxes(r.Truth.Boxes), segmentsAsJSON(r.Truth.Transcript)
	}
	for _, d := range r.Decisions {
		out.Decisions = append(out.Decisions, decisionJSON{d.ID, string(d.Kind), d.Reviewer, d.Note, d.At, d.Undoes, d.Standing})
	}
	return out
}

func (s *Server) apiDecide(ctx context.Context, actor store.Actor, in *decisionInput) (*reviewOutput, error) {
	r, err := s.Store.ReviewItem(ctx, actor, in.Item)
	if err != nil {
		return nil, err
	}
	b, err := s.bookFor(ctx, actor, r.Slug)
	if err != nil {
		return nil, err
	}
	a := store.Adjudication{
		Item: in.Item, Version: in.Body.Version, Kind: store.DecisionKind(in.Body.Decision), Annotation: in.Body.Answer, Note: in.Body.Note,
		Transcript: transcriptOfJSON(in.Body.Transcript),
	}
	for _, box := range in.Body.Boxes {
		class, err := b.named("boxes", box.Class)
		if err != nil {
			return nil, err
		}
		a.Boxes = append(a.Boxes, store.DraftBox{ClassID: class.ID, X: box.X, Y: box.Y, W: box.W, H: box.H, Rotation: box.Rotation})
	}
	for _, m := range in.Body.Marks {
		a.Marks = append(a.Marks, store.NewMark{Annotation: in.Body.Answer, Position: m.Box, X: m.X, Y: m.Y, Fault: store.Fault(m.Fault), Note: m.Note})
	}
	if a.By, err = s.batchPerson(ctx, actor, r.Project, "reviewer", in.Body.Reviewer); err != nil {
		return nil, err
	}
	if _, err := s.Store.Adjudicate(ctx, actor, a); err != nil {
		return nil, err
	}
	return s.apiReview(ctx, actor, &in.ReviewItemPath)
}

func (s *Server) apiUndoDecision(ctx context.Context, actor store.Actor, in *undoInput) (*reviewOutput, error) {
	var by int64
	if in.Body.Reviewer != "" {
		item, err := s.Store.ItemOfDecision(ctx, actor, in.Decision)
		if err != nil {
			return nil, err
		}
		r, err := s.Store.ReviewItem(ctx, actor, item)
		if err != nil {
			return nil, err
		}
		if by, err = s.batchPerson(ctx, actor, r.Project, "reviewer", in.Body.Reviewer); err != nil {
			return nil, err
		}
	}
	item, err := s.Store.UndoBy(ctx, actor, in.Decision, by)
	if err != nil {
		return nil, err
	}
	return s.apiReview(ctx, actor, &ReviewItemPath{item})
}
