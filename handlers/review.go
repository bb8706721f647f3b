package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/access"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// reviewPath is where a reviewer's day begins.
const reviewPath = "/review"

// waitingShown is how many waiting items the start page lists.
const waitingShown = 10

// adjudicationBytes bounds a decision with as many boxes as an item takes.
const adjudicationBytes = 4 << 20

func (s *Server) reviewRoutes(r router) {
	r.get(reviewPath, access.Review, s.startReview)
	r.get("/review/next", access.Review, s.nextReview)
	r.get("/review/{item}", access.Review, s.showReview)
	r.post("/review/{item}", access.Review, s.adjudicate)
	r.post("/review/{item}/models", access.Review, s.showModels)
	r.post("/review/decisions/{decision}/undo", access.Review, s.undoDecision)
}

func reviewHref(item int64) string { return fmt.Sprintf("/review/%d", item) }

func nextReviewHref(slug string, after int64) string {
	query := url.Values{}
	if slug != "" {
		query.Set("project", slug)
	}
	if after != 0 {
		query.Set("after", strconv.FormatInt(after, 10))
	}
	if len(query) == 0 {
		return "/review/next"
	}
	return "/review/next?" + query.Encode()
}

// decisionWords are what decisions are called on pages.
var decisionWords = map[store.DecisionKind]struct {
	word string
	tone ui.Tone
}{
	store.Approved:  {"Approved", ui.OK},
	store.Amended:   {"Amended", ui.OK},
	store.Merged:    {"Merged", ui.OK},
	store.Rejected:  {"Sent back", ui.Warn},
	store.Discarded: {"Discarded", ui.Bad},
	store.Undone:    {"Undone", ui.Neutral},
	store.Accepted:  {"Accepted by rule", ui.OK},
}

// faultWords are what faults are called on pages.
var faultWords = map[store.Fault]string{
	store.LooseBox: "Loose box", store.MissedDefect: "Missed defect", store.WrongClass: "Wrong class",
	store.SplitNeeded: "Split needed", store.OtherFault: "Other",
	store.WrongWords: "Wrong words", store.MissedWords: "Missed words", store.AgainstRules: "Against the rules",
	store.WrongTime: "Wrong time", store.MissedMoment: "Missed moment",
}

// nextReview leads to the first item that waits, or back to the start when none does.
func (s *Server) nextReview(w http.ResponseWriter, r *http.Request) error {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		after = 0
	}
	item, err := s.Store.NextReview(r.Context(), actorOf(r), r.URL.Query().Get("project"), after)
	if errors.Is(err, store.ErrQueueEmpty) {
		return seeOther(w, r, reviewPath)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, reviewHref(item))
}

func (s *Server) showReview(w http.ResponseWriter, r *http.Request) error {
	item, err := pathID(r, "item")
	if err != nil {
		return err
	}
	return s.renderReview(w, r, http.StatusOK, item, nil)
}

// renderReview shows an item for decision; refused is why the last decision about it was not stored.
func (s *Server) renderReview(w http.ResponseWriter, r *http.Request, status int, item int64, refused error) error {
	reviewed, err := s.Store.ReviewItem(r.Context(), actorOf(r), item)
	if err != nil {
		return err
	}
	classes, err := s.Store.Classes(r.Context(), actorOf(r), reviewed.Project)
	if err != nil {
		return err
	}
	page := s.page(r, reviewed.Name,
		ui.Crumb{Label: "Review", Href: reviewPath}, ui.Crumb{Label: reviewed.ProjectName, Href: reviewPath + "?project=" + reviewed.Slug}, ui.Crumb{Label: reviewed.Name})
	v := reviewView(reviewed, classes)
	v.Page, v.State.Keys = page, personOf(r).Keys()
	look, err := s.lookOf(r, item)
	if err != nil {
		return err
	}
	if v.Next = afterReview(reviewed, look); look != nil {
		v.State.Facts = append(v.State.Facts, fmt.Sprintf("look %d of %d at batch %d", look.Look, look.Size, look.Number))
	}
	panel, err := s.discussionPanel(r, item, reviewHref(item))
	if err != nil {
		return err
	}
	v.Discussion = web.DiscussionPanel(panel)
	book, err := s.itemBook(r, item, reviewed.Slug, picturedBoxes(reviewed), classes, reviewHref(item))
	if err != nil {
		return err
	}
	if len(book.Relabels)+len(book.Boxes) > 0 {
		v.Book = web.ItemBook(book)
	}
	if v.Gold, err = s.goldForm(r, item, reviewed.State == "adjudicated" || reviewed.State == "" && reviewed.Truth != nil); err != nil {
		return err
	}
	if errors.Is(refused, store.ErrConflict) {
		v.Conflict = conflictText(reviewed, personOf(r).Name)
	} else if refused != nil {
		_, v.Error = statusOf(refused)
	}
	if reviewed.Kind == "audio" {
		hearing, err := s.hearingPage(r, v, reviewed, classes)
		if err != nil {
			return err
		}
		return render(w, r, status, web.HearingPage(hearing))
	}
	return render(w, r, status, web.ReviewPage(v))
}

// conflictText says what was decided about an item in between.
func conflictText(r store.Reviewed, self string) string {
	if len(r.Decisions) == 0 {
		return "The answer was taken back by its labeler. Look at the item as it is now."
	}
	d := r.Decisions[0]
	if d.Kind == store.Accepted {
		return fmt.Sprintf("The project's rule accepted the item in the meantime, at %s, because its answers agree. You can undo that below.",
			d.At.UTC().Format("15:04 UTC"))
	}
	who := d.Reviewer
	if who == self {
		who = "You"
	}
	return fmt.Sprintf("%s decided first: %s, %s. Look at the item as it is now, and decide again if you must.",
		who, strings.ToLower(decisionWords[d.Kind].word), d.At.UTC().Format("15:04 UTC"))
}

// adjudicationBody is a decision as the workbench sends it. A mark is about the answer that it names, else about the
// one that the boxes were begun from.
type adjudicationBody struct {
	Version    int              `json:"version"`
	Decision   string           `json:"decision"`
	Annotation int64            `json:"annotation"`
	Boxes      []store.DraftBox `json:"boxes"`
	// Transcript is that of an amendment, where the item is sound.
	Transcript speech.Transcript `json:"transcript"`
	Marks      []struct {
		Annotation int64    `json:"annotation"`
		Position   *int     `json:"position"`
		X          *float64 `json:"x"`
		Y          *float64 `json:"y"`
		Fault      string   `json:"fault"`
		Note       string   `json:"note"`
	} `json:"marks"`
	Note     string `json:"note"`
	ActiveMS int64  `json:"activeMs"`
}

func (b adjudicationBody) adjudication(item int64) store.Adjudication {
	a := store.Adjudication{
		Item: item, Version: b.Version, Kind: store.DecisionKind(b.Decision), Annotation: b.Annotation, Boxes: b.Boxes, Transcript: b.Transcript, Note: b.Note, ActiveMS: b.ActiveMS,
	}
	for _, m := range b.Marks {
		a.Marks = append(a.Marks, store.NewMark{Annotation: cmp.Or(m.Annotation, b.Annotation), Position: m.Position, X: m.X, Y: m.Y, Fault: store.Fault(m.Fault), Note: m.Note})
	}
	return a
}

// decided is what the workbench is told of a decision.
type decided struct {
	Word string `json:"word"`
	Name string `json:"name"`
	// Labelers are named now that it is decided.
	Labelers string `json:"labelers"`
	Undo     string `json:"undo"`
	Next     string `json:"next"`
}

// adjudicate takes a decision, from the workbench as JSON, or from the form.
func (s *Server) adjudicate(w http.ResponseWriter, r *http.Request) error {
	item, err := pathID(r, "item")
	if err != nil {
		return err
	}
	if !wantsJSON(r) {
		return s.adjudicateForm(w, r, item)
	}
	var body adjudicationBody
	if err := readJSON(w, r, adjudicationBytes, &body); err != nil {
		return err
	}
	decision, err := s.Store.Adjudicate(r.Context(), actorOf(r), body.adjudication(item))
	if errors.Is(err, store.ErrConflict) {
		reviewed, err := s.Store.ReviewItem(r.Context(), actorOf(r), item)
		if err != nil {
			return err
		}
		return &httpError{status: http.StatusConflict, message: conflictText(reviewed, personOf(r).Name)}
	}
	if err != nil {
		return err
	}
	reviewed, err := s.Store.ReviewItem(r.Context(), actorOf(r), item)
	if err != nil {
		return err
	}
	look, err := s.lookOf(r, item)
	if err != nil {
		return err
	}
	return renderJSON(w, http.StatusOK, decided{
		Word: decisionWords[kindOf(reviewed, decision)].word, Name: reviewed.Name, Labelers: labelersText(reviewed), Undo: undoHref(decision),
		Next: afterReview(reviewed, look),
	})
}

// labelersText says whose the answers were: "A Ada, B Ben", or "" while that is hidden.
func labelersText(r store.Reviewed) string {
	var names []string
	for i, a := range r.Answers {
		if a.Labeler == "" {
			return ""
		}
		names = append(names, letter(i)+" "+a.Labeler)
	}
	return strings.Join(names, ", ")
}

// kindOf is what a decision came to: boxes that were as they had been are an approval.
func kindOf(r store.Reviewed, decision int64) store.DecisionKind {
	for _, d := range r.Decisions {
		if d.ID == decision {
			return d.Kind
		}
	}
	return ""
}

func undoHref(decision int64) string { return fmt.Sprintf("/review/decisions/%d/undo", decision) }

func (s *Server) adjudicateForm(w http.ResponseWriter, r *http.Request, item int64) error {
	a, err := formAdjudication(r, item)
	if err == nil {
		_, err = s.Store.Adjudicate(r.Context(), actorOf(r), a)
	}
	if _, refused := errors.AsType[*store.InvalidError](err); refused || errors.Is(err, store.ErrConflict) {
		status, _ := statusOf(err)
		return s.renderReview(w, r, status, item, err)
	}
	if err != nil {
		return err
	}
	reviewed, err := s.Store.ReviewItem(r.Context(), actorOf(r), item)
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("%s: %s. It can be undone from your decisions of today.", reviewed.Name, strings.ToLower(decisionWords[a.Kind].word)))
	look, err := s.lookOf(r, item)
	if err != nil {
		return err
	}
	return seeOther(w, r, afterReview(reviewed, look))
}

// formAdjudication reads a decision from the page's form, which knows one fault.
func formAdjudication(r *http.Request, item int64) (a store.Adjudication, err error) {
	a = store.Adjudication{Item: item, Kind: store.DecisionKind(r.PostFormValue("decision"))}
	if a.Version, err = strconv.Atoi(r.PostFormValue("version")); err != nil {
		return a, badRequest("The form is incomplete. Load the page again.")
	}
	switch value := r.PostFormValue("annotation"); {
	case value == "":
	case value == string(store.Merged) && a.Kind == store.Approved:
		a.Kind = store.Merged
	case value == string(store.Merged):
	default:
		if a.Annotation, err = strconv.ParseInt(value, 10, 64); err != nil {
			return a, badRequest("The form is incomplete. Load the page again.")
		}
	}
	switch a.Kind {
	case store.Discarded:
		a.Note = r.PostFormValue("discard_note")
	case store.Rejected:
		if r.PostFormValue("fault") == "" {
			return a, nil // the store asks for it
		}
		if a.Annotation == 0 {
			return a, &store.InvalidError{Field: "annotation", Reason: "Choose whose answer is to go back."}
		}
		mark := store.NewMark{Annotation: a.Annotation, Fault: store.Fault(r.PostFormValue("fault")), Note: r.PostFormValue("note")}
		if at, err := strconv.Atoi(r.PostFormValue("position")); err == nil {
			mark.Position = &at
		}
		a.Marks = []store.NewMark{mark}
	default:
	}
	return a, nil
}

// undoDecision takes a decision back and shows the item as it was.
func (s *Server) undoDecision(w http.ResponseWriter, r *http.Request) error {
	decision, err := pathID(r, "decision")
	if err != nil {
		return err
	}
	item, err := s.Store.Undo(r.Context(), actorOf(r), decision)
	if errors.Is(err, store.ErrConflict) {
		return &httpError{
			status: http.StatusConflict, err: err,
			message: "This decision was taken back already, or a later one stands. Open the item and look at its history.",
		}
	}
	if err != nil {
		return err
	}
	if wantsJSON(r) {
		return renderJSON(w, http.StatusOK, map[string]string{"item": reviewHref(item)})
	}
	s.flash(r, "The decision was taken back. The item is as it was before.")
	return seeOther(w, r, reviewHref(item))
}

func (s *Server) startReview(w http.ResponseWriter, r *http.Request) error {
	actor, slug := actorOf(r), r.URL.Query().Get("project")
	queues, err := s.Store.ReviewQueues(r.Context(), actor)
	if err != nil {
		return err
	}
	items, err := s.Store.WaitingForReview(r.Context(), actor, slug, waitingShown)
	if err != nil {
		return err
	}
	day, err := s.Store.MyReviewDay(r.Context(), actor)
	if err != nil {
		return err
	}
	v := web.ReviewStartView{Page: s.page(r, "Review"), Active: hoursMinutes(day.ActiveMS), Start: nextReviewHref(slug, 0)}
	names := map[string]string{}
	for _, q := range queues {
		names[q.Slug] = q.Name
		if slug == "" || slug == q.Slug {
			v.Waiting += q.Waiting
		}
		v.Queues = append(v.Queues, reviewQueueView(q))
	}
	waves := wavesOf(s, r, items, func(i store.WaitingItem) int64 { return soundIf(i.Kind == "audio", i.Item) })
	for _, item := range items {
		view := waitingView(item, names[item.Project])
		view.Wave = waves[item.Item]
		v.Items = append(v.Items, view)
	}
	for _, kind := range []store.DecisionKind{store.Approved, store.Amended, store.Merged, store.Rejected, store.Discarded, store.Undone} {
		v.Figures = append(v.Figures, web.FigureView{Name: decisionWords[kind].word, Count: day.Counts[kind]})
	}
	for _, d := range day.Decisions {
		view := web.DecisionView{Word: decisionWords[d.Kind].word, Tone: decisionWords[d.Kind].tone, Item: d.Name, Href: reviewHref(d.Item), At: d.At, Undone: d.Undone}
		if d.Standing {
			view.Undo = undoHref(d.ID)
		}
		v.Today = append(v.Today, view)
	}
	if names[slug] != "" {
		v.Page.Crumbs = []ui.Crumb{{Label: "Review", Href: reviewPath}, {Label: names[slug]}}
	}
	return render(w, r, http.StatusOK, web.ReviewStartPage(v))
}

// hoursMinutes writes a duration of work as "1 h 05 min", and "" for none.
func hoursMinutes(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d < time.Second:
		return ""
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}
