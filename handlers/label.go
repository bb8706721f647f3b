package handlers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"

	"fiducial/internal/access"
	"fiducial/internal/keymap"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// sessionDraftSecret is what the key of drafts kept in the browser is derived from; it ends with the session.
const sessionDraftSecret = "draft_secret"

// What the workbench sends is at most an answer of very many boxes.
const (
	largestAnswer  = 4 << 20
	largestRequest = 64 << 10
	mostBeats      = 100
)

func (s *Server) labelRoutes(r router) {
	r.get("/label/next", access.Label, s.claimNext)
	r.post("/label/next", access.Label, s.fetchNext)
	r.post("/label/heartbeat", access.Label, s.heartbeat)
	r.on(http.MethodPut, "/label/keys", access.Label, s.remapKeys)
	r.get("/label/{task}", access.Label, s.showTask)
	r.get("/label/{task}/state", access.Label, s.taskState)
	r.post("/label/{task}/shown", access.Label, s.taskShown)
	r.on(http.MethodPut, "/label/{task}/draft", access.Label, s.saveTaskDraft)
	r.post("/label/{task}/submit", access.Label, s.submitTask)
	r.post("/label/{task}/skip", access.Label, s.skipTask)
	r.post("/label/{task}/recall", access.Label, s.recallTask)
	r.post("/label/{task}/dispute", access.Label, s.disputeMark)
	r.post("/label/{task}/reveal", access.Label, s.revealHypothesis)
}

func taskPath(task int64) string { return fmt.Sprintf("/label/%d", task) }

func nextPath(slug string) string { return "/label/next?project=" + url.QueryEscape(slug) }

// renderTask answers with the state of a task for the workbench.
func (s *Server) renderTask(w http.ResponseWriter, r *http.Request, task int64) error {
	work, err := s.Store.Work(r.Context(), actorOf(r), task)
	if err != nil {
		return err
	}
	return renderJSON(w, http.StatusOK, s.workbenchState(r, work))
}

func (s *Server) taskState(w http.ResponseWriter, r *http.Request) error {
	task, err := pathID(r, "task")
	if err != nil {
		return err
	}
	return s.renderTask(w, r, task)
}

func (s *Server) showTask(w http.ResponseWriter, r *http.Request) error {
	task, err := pathID(r, "task")
	if err != nil {
		return err
	}
	if err := s.Store.Resume(r.Context(), actorOf(r), task); err != nil {
		return err
	}
	work, err := s.Store.Work(r.Context(), actorOf(r), task)
	if err != nil {
		return err
	}
	if said := finished(work); said != "" {
		s.flash(r, said)
		return seeOther(w, r, queuePath)
	}
	if work.Seconds > 0 {
		return s.showUtterance(w, r, work)
	}
	v := web.LabelView{State: s.workbenchState(r, work)}
	v.Page = s.page(r, work.Name, ui.Crumb{Label: "My queue", Href: queuePath},
		ui.Crumb{Label: work.ProjectName, Href: "/projects/" + work.Slug}, ui.Crumb{Label: work.Name})
	if v.Book, v.Definition, err = s.openBook(r, work); err != nil {
		return err
	}
	if cameBack(work) {
		panel, err := s.discussionPanel(r, work.Item, taskPath(task))
		if err != nil {
			return err
		}
		v.Discussion = web.DiscussionPanel(panel)
	}
	return render(w, r, http.StatusOK, web.LabelPage(v))
}

// cameBack reports whether an answer is done again: of such an item alone what is said about it is shown, so that no other looks
// different from a gold one.
func cameBack(work store.Work) bool { return work.Reason == "rework" || work.Reason == "relabel" }

// finished says why there is nothing more to do on a task, or "".
func finished(work store.Work) string {
	switch {
	case work.State == "submitted":
		return "You have answered this item. Until it is reviewed you can take your last answer back in the workbench."
	case work.State == "skipped":
		return "You skipped this item."
	case work.TaskState == "adjudicated":
		return "This item was decided in the meantime; an answer cannot be counted any more."
	}
	return ""
}

// openBook names the defect book's version and shows the definition of its first class.
func (s *Server) openBook(r *http.Request, work store.Work) (title string, definition templ.Component, err error) {
	b := bookOf{}
	if b.project, err = s.Store.Project(r.Context(), actorOf(r), work.Slug); err != nil {
		return "", nil, err
	}
	if b.classes, err = s.Store.Classes(r.Context(), actorOf(r), b.project.ID); err != nil {
		return "", nil, err
	}
	title = "not published yet, "
	if b.project.GuidelineVersion > 0 {
		title = fmt.Sprintf("v%d, ", b.project.GuidelineVersion)
	}
	title += counted(len(work.Classes), "class", "classes")
	for _, c := range b.classes {
		if len(work.Classes) > 0 && c.ID == work.Classes[0].ID {
			view, err := s.definitionView(r, b, c)
			return title, web.DefinitionPanel(view), err
		}
	}
	return title, nil, nil
}

// workbenchState is what the workbench gets to know of a task. Gold items look like any other.
func (s *Server) workbenchState(r *http.Request, work store.Work) web.WorkbenchState {
	state := web.WorkbenchState{
		Assignment: work.Assignment, Task: work.Task, Item: work.Item, Mode: "label", Title: work.Name,
		Facts:  workFacts(work),
		Reason: work.Reason, Sound: workbenchSound(work),
		Classes: []web.WorkbenchClass{}, Boxes: draftBoxes(work.Boxes), Marks: []web.WorkbenchMark{}, Overlays: []web.WorkbenchOverlay{},
		DraftVersion: work.DraftVersion, LeaseUntil: work.LeaseUntil, Now: work.Now,
		Keys: personOf(r).Keys(), DraftKey: s.draftKey(r), URLs: workbenchURLs(work),
	}
	if state.Sound == nil {
		state.Image = workbenchImage(work.Item, work.Name, work.Width, work.Height, work.Assets)
	}
	if state.Reason == "gold" {
		state.Reason = "initial"
	}
	for _, c := range work.Classes {
		state.Classes = append(state.Classes, web.WorkbenchClass(c))
	}
	for _, m := range work.Marks {
		state.Marks = append(state.Marks, web.WorkbenchMark{Box: m.Box, Reason: m.Reason, Note: markNote(m), X: m.X, Y: m.Y})
	}
	if work.Recallable != nil {
		state.Recallable = &web.WorkbenchRecallable{Task: work.Recallable.Task, Title: work.Recallable.Name}
	}
	return state
}

// markNote is what a mark says beside its reason.
func markNote(m store.Mark) string {
	if m.Reason != store.Sharpened {
		return m.Note
	}
	said := fmt.Sprintf("%s is at version %d now.", m.Class, m.Version)
	if m.Note != "" {
		said += " " + m.Note
	}
	return said
}

// workFacts are what stands beside the item's name: its project, the place in its batch, its size.
func workFacts(work store.Work) []string {
	facts := []string{work.ProjectName}
	if work.Place.Batch > 0 {
		facts = append(facts, fmt.Sprintf("item %d of batch %d", work.Place.Nth, work.Place.Batch))
	}
	if work.Seconds > 0 {
		return append(facts, soundFacts(work))
	}
	return append(facts, fmt.Sprintf("%d × %d px", work.Width, work.Height))
}

func draftBoxes(boxes []store.DraftBox) []web.WorkbenchBox {
	shown := make([]web.WorkbenchBox, len(boxes))
	for i, b := range boxes {
		shown[i] = web.WorkbenchBox{ID: b.ID, Class: b.ClassID, X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation}
	}
	return shown
}

func workbenchURLs(work store.Work) web.WorkbenchURLs {
	task, project := taskPath(work.Task), "/projects/"+work.Slug
	urls := web.WorkbenchURLs{
		Draft: task + "/draft", Submit: task + "/submit", Heartbeat: "/label/heartbeat", Skip: task + "/skip", Recall: task + "/recall",
		Next: nextPath(work.Slug), State: task + "/state", Definition: project + "/classes/{class}/panel", Keys: "/label/keys",
		Queue: queuePath, Classes: project + "/classes.css",
	}
	if work.Mode == store.Reveal && len(work.Heard) == 0 {
		urls.Reveal = task + "/reveal"
	}
	if work.Seconds > 0 {
		urls.Context = task + "/context"
	}
	if len(work.Marks) > 0 && work.Reason == "rework" {
		urls.Dispute = task + "/dispute"
	}
	return urls
}

// draftKey is the key under which the browser may keep a draft while the server cannot be reached: the
// same for the life of the session, and lost with it.
func (s *Server) draftKey(r *http.Request) []byte {
	secret := s.Sessions.GetBytes(r.Context(), sessionDraftSecret)
	if len(secret) == 0 {
		secret = make([]byte, sha256.Size)
		_, _ = rand.Read(secret) // documented never to fail
		s.Sessions.Put(r.Context(), sessionDraftSecret, secret)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("drafts"))
	return mac.Sum(nil)
}

// answerRequest is what the workbench sends of an answer, finished or not.
type answerRequest struct {
	Assignment int64             `json:"assignment"`
	Version    int               `json:"version"`
	Boxes      []store.DraftBox  `json:"boxes"`
	Transcript speech.Transcript `json:"transcript"` // of an utterance
	ActiveMS   int64             `json:"activeMs"`
}

// savedDraft says how a draft was stored.
type savedDraft struct {
	Version int       `json:"version"`
	SavedAt time.Time `json:"savedAt"`
}

// storedDraft is the draft that stands in the way of another.
type storedDraft struct {
	problem

	Version    int                `json:"version"`
	Boxes      []web.WorkbenchBox `json:"boxes"`
	Transcript speech.Transcript  `json:"transcript,omitempty"`
}

// receipt says what became of an answer. Next is where to go on.
type receipt struct {
	Surplus bool   `json:"surplus"`
	Message string `json:"message"`
	Next    string `json:"next"`
}

func (s *Server) saveTaskDraft(w http.ResponseWriter, r *http.Request) error {
	task, ask, err := readAnswer(w, r)
	if err != nil {
		return err
	}
	saved, err := s.Store.SaveDraft(r.Context(), actorOf(r), task, ask.Assignment, ask.Version, ask.Boxes, ask.Transcript)
	if err != nil {
		return renderConflict(w, err)
	}
	return renderJSON(w, http.StatusOK, savedDraft{Version: saved.Version, SavedAt: saved.At})
}

func readAnswer(w http.ResponseWriter, r *http.Request) (task int64, ask answerRequest, err error) {
	if task, err = pathID(r, "task"); err != nil {
		return 0, ask, err
	}
	return task, ask, readJSON(w, r, largestAnswer, &ask)
}

// renderConflict shows the draft that stands in the way; any other error is passed on.
func renderConflict(w http.ResponseWriter, err error) error {
	stored, ok := errors.AsType[*store.DraftConflictError](err)
	if !ok {
		return err
	}
	return renderJSON(w, http.StatusConflict, storedDraft{
		problem: problem{Title: http.StatusText(http.StatusConflict), Status: http.StatusConflict, Detail: stored.Error()},
		Version: stored.Version, Boxes: draftBoxes(stored.Boxes), Transcript: stored.Transcript,
	})
}

func (s *Server) submitTask(w http.ResponseWriter, r *http.Request) error {
	task, ask, err := readAnswer(w, r)
	if err != nil {
		return err
	}
	done, err := s.Store.Submit(r.Context(), actorOf(r), store.NewAnnotation{
		Task: task, Assignment: ask.Assignment, Version: ask.Version, Boxes: ask.Boxes, Transcript: ask.Transcript, ActiveMS: ask.ActiveMS,
	})
	if err != nil {
		return renderConflict(w, err)
	}
	said := receipt{Surplus: done.Surplus, Next: nextPath(done.Project)}
	if done.Surplus {
		said.Message = "Your answer came after its lease had ended and others had taken the item. It is kept beside theirs."
	}
	return renderJSON(w, http.StatusOK, said)
}

func (s *Server) skipTask(w http.ResponseWriter, r *http.Request) error {
	task, err := pathID(r, "task")
	if err != nil {
		return err
	}
	var ask struct {
		Assignment int64            `json:"assignment"`
		Reason     store.SkipReason `json:"reason"`
		Note       string           `json:"note"`
	}
	if err := readJSON(w, r, largestRequest, &ask); err != nil {
		return err
	}
	done, err := s.Store.Skip(r.Context(), actorOf(r), task, ask.Assignment, ask.Reason, ask.Note)
	if err != nil {
		return err
	}
	return renderJSON(w, http.StatusOK, receipt{Next: nextPath(done.Project)})
}

// recallTask takes back the last answer: that of the task in the body, else of the one in the path.
func (s *Server) recallTask(w http.ResponseWriter, r *http.Request) error {
	task, err := pathID(r, "task")
	if err != nil {
		return err
	}
	var ask struct {
		Task int64 `json:"task"`
	}
	if err := readJSON(w, r, largestRequest, &ask); err != nil {
		return err
	}
	if ask.Task != 0 {
		task = ask.Task
	}
	if err := s.Store.Recall(r.Context(), actorOf(r), task); err != nil {
		return err
	}
	return s.renderTask(w, r, task)
}

func (s *Server) disputeMark(w http.ResponseWriter, r *http.Request) error {
	task, err := pathID(r, "task")
	if err != nil {
		return err
	}
	var ask struct {
		Assignment int64   `json:"assignment"`
		Box        *string `json:"box"`
		Text       string  `json:"text"`
	}
	if err := readJSON(w, r, largestRequest, &ask); err != nil {
		return err
	}
	if err := s.Store.Dispute(r.Context(), actorOf(r), task, ask.Assignment, ask.Box, ask.Text); err != nil {
		return err
	}
	return renderJSON(w, http.StatusOK, struct {
		Message string `json:"message"`
	}{"Disputed: " + ask.Text})
}

// beat is a lease that goes on.
type beat struct {
	Assignment int64     `json:"assignment"`
	Until      time.Time `json:"until"`
}

func (s *Server) heartbeat(w http.ResponseWriter, r *http.Request) error {
	var ask struct {
		Assignments []int64 `json:"assignments"`
		Idle        bool    `json:"idle"` // nobody works: no lease is renewed
	}
	if err := readJSON(w, r, largestRequest, &ask); err != nil {
		return err
	}
	if len(ask.Assignments) > mostBeats {
		return badRequest("Too many assignments at once.")
	}
	var (
		leases []store.Lease
		gone   []int64
	)
	if !ask.Idle {
		var err error
		if leases, gone, err = s.Store.Heartbeat(r.Context(), actorOf(r), ask.Assignments); err != nil {
			return err
		}
	}
	erased, err := s.Store.ErasedAssignments(r.Context(), actorOf(r), ask.Assignments)
	if err != nil {
		return err
	}
	if len(ask.Assignments) > 0 && len(erased) == len(ask.Assignments) {
		return store.ErrErased
	}
	said := struct {
		Leases []beat  `json:"leases"`
		Gone   []int64 `json:"gone"`
		Erased []int64 `json:"erased"` // of those that were asked for
	}{Leases: []beat{}, Gone: append([]int64{}, gone...), Erased: append([]int64{}, erased...)}
	for _, l := range leases {
		said.Leases = append(said.Leases, beat(l))
	}
	return renderJSON(w, http.StatusOK, said)
}

// remapKeys keeps the keys that a person chose in the workbench's own sheet.
func (s *Server) remapKeys(w http.ResponseWriter, r *http.Request) error {
	var ask struct {
		Keys map[string]string `json:"keys"`
	}
	if err := readJSON(w, r, largestRequest, &ask); err != nil {
		return err
	}
	own, problems := keymap.Choose(ask.Keys)
	for _, reason := range problems {
		return &store.InvalidError{Field: "keys", Reason: reason}
	}
	if err := s.Store.SetKeys(r.Context(), actorOf(r), own); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
