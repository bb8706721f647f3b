package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// How many batches a column of the board shows, a list and a page of items.
const (
	cardsAColumn    = 12
	batchesOnPage   = 50
	batchItemsAPage = 50
)

func (s *Server) batchRoutes(r router) {
	const batches, batch = "/projects/{slug}/batches", "/projects/{slug}/batches/{number}"
	r.get(batches, access.ReadItems, s.listBatches)
	r.post(batches, access.EditBatches, s.addBatch)
	r.get(batches+"/new", access.EditBatches, s.newBatch)
	r.get(batch, access.ReadItems, s.showBatch)
	r.post(batch+"/edit", access.EditBatches, s.editBatch)
	r.post(batch+"/add", access.EditBatches, s.addToBatch)
	r.post(batch+"/remove", access.EditBatches, s.removeFromBatch)
	r.post(batch+"/close", access.EditBatches, s.closeBatch)
	r.post(batch+"/sample", access.Review, s.sampleBatch)
	r.get(batch+"/look", access.Review, s.nextLook)
	r.post(batch+"/approve", access.Review, s.approveBatch)
	r.post(batch+"/return", access.Review, s.returnBatch)
	r.get("/batches/{id}", access.ReadItems, s.findBatch)
	s.roundRoutes(r)
	s.planRoutes(r)
}

func batchesPath(slug string) string { return "/projects/" + slug + "/batches" }

func batchPath(slug string, number int) string {
	return fmt.Sprintf("%s/%d", batchesPath(slug), number)
}

// batchWords are what the states of a batch are called on pages.
var batchWords = map[store.BatchState]struct {
	word string
	tone ui.Tone
}{
	store.BatchOpen:     {"open", ui.Neutral},
	store.BatchLabeling: {"labeling", ui.Info},
	store.BatchInReview: {"in review", ui.Info},
	store.BatchReturned: {"returned", ui.Warn},
	store.BatchApproved: {"approved", ui.OK},
	store.BatchClosed:   {"closed", ui.Neutral},
}

// batchColumns are the columns of the board. What was returned goes back to labeling, and stands there.
var batchColumns = []struct {
	name, empty string
	states      []store.BatchState
}{
	{"Open", "No batch waits to be begun.", []store.BatchState{store.BatchOpen}},
	{"Labeling", "No batch is being labeled.", []store.BatchState{store.BatchReturned, store.BatchLabeling}},
	{"In review", "No batch waits for review.", []store.BatchState{store.BatchInReview}},
	{"Approved", "No batch is approved yet.", []store.BatchState{store.BatchApproved}},
}

func (s *Server) listBatches(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	if r.URL.Query().Has("state") || r.URL.Query().Has("round") {
		return s.listSomeBatches(w, r, project)
	}
	v := web.BatchesView{Tabs: projectTabs(r, project, "batches", -1), Name: project.Name, Paused: project.Paused, Rounds: projectPath(project) + "/rounds"}
	if access.Allows(actorOf(r).Role, access.EditBatches) {
		v.New = batchesPath(project.Slug) + "/new"
	}
	for _, c := range batchColumns {
		column := web.BatchColumn{Name: c.name, Empty: c.empty}
		for _, state := range c.states {
			cards, err := s.batchCards(r, project, state)
			if err != nil {
				return err
			}
			column.Cards = append(column.Cards, cards...)
			column.All = batchesPath(project.Slug) + "?state=" + string(state)
		}
		v.Columns = append(v.Columns, column)
		v.Any = v.Any || len(column.Cards) > 0
	}
	if v.Closed, err = s.batchCards(r, project, store.BatchClosed); err != nil {
		return err
	}
	v.Any = v.Any || len(v.Closed) > 0
	counts, err := s.Store.BatchCounts(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	for i, c := range batchColumns {
		for _, state := range c.states {
			v.Columns[i].More += max(0, counts[state]-cardsAColumn)
		}
	}
	return render(w, r, http.StatusOK, web.BatchesPage(s.projectPage(r, project, project.Name+" batches", ui.Crumb{Label: "Batches"}), v))
}

func (s *Server) batchCards(r *http.Request, project store.Project, state store.BatchState) (cards []web.BatchCard, err error) {
	batches, err := s.Store.Batches(r.Context(), actorOf(r), project.ID, store.BatchFilter{State: state, Limit: cardsAColumn})
	for _, b := range batches {
		cards = append(cards, batchCard(b))
	}
	return cards, err
}

// listSomeBatches lists the batches in one state, or of one round.
func (s *Server) listSomeBatches(w http.ResponseWriter, r *http.Request, project store.Project) error {
	query := r.URL.Query()
	filter := store.BatchFilter{State: store.BatchState(query.Get("state")), Limit: batchesOnPage + 1}
	// What is no number asks for nothing.
	filter.Round, _ = strconv.Atoi(query.Get("round"))
	filter.Before, _ = strconv.Atoi(query.Get("before"))
	batches, err := s.Store.Batches(r.Context(), actorOf(r), project.ID, filter)
	if err != nil {
		return err
	}
	v := web.BatchListView{Tabs: projectTabs(r, project, "batches", -1), Name: project.Name, Paused: project.Paused, Title: "Batches"}
	if words, ok := batchWords[filter.State]; ok {
		v.Title = "Batches: " + words.word
	}
	if filter.Round > 0 {
		v.Title = fmt.Sprintf("Batches of round %d", filter.Round)
	}
	if len(batches) > batchesOnPage {
		batches = batches[:batchesOnPage]
		v.Next = with(r.URL.Path, query, "before", strconv.Itoa(batches[batchesOnPage-1].Number))
	}
	for _, b := range batches {
		v.Cards = append(v.Cards, batchCard(b))
	}
	page := s.projectPage(r, project, v.Title, ui.Crumb{Label: "Batches", Href: batchesPath(project.Slug)}, ui.Crumb{Label: v.Title})
	return render(w, r, http.StatusOK, web.BatchListPage(page, v))
}

// findBatch leads from a batch's id, which a notice holds, to its page.
func (s *Server) findBatch(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	slug, number, err := s.Store.BatchPlace(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	return seeOther(w, r, batchPath(slug, number))
}

// batch is the one that the path names.
func (s *Server) batch(r *http.Request) (store.Batch, error) {
	number, err := pathID(r, "number")
	if err != nil {
		return store.Batch{}, err
	}
	return s.Store.Batch(r.Context(), actorOf(r), chi.URLParam(r, "slug"), int(number))
}

func (s *Server) showBatch(w http.ResponseWriter, r *http.Request) error {
	batch, err := s.batch(r)
	if err != nil {
		return err
	}
	return s.renderBatch(w, r, http.StatusOK, batch, func(*web.BatchView) {})
}

// changeBatch makes one change to the batch of the path as the form's version has it, says so, and shows it; a refusal
// is shown on the page, where place puts it.
func (s *Server) changeBatch(w http.ResponseWriter, r *http.Request, said string, place func(*web.BatchView, web.Refusal), change func(b store.Batch, version int) error) error {
	batch, err := s.batch(r)
	if err != nil {
		return err
	}
	version, err := strconv.Atoi(r.PostFormValue("version"))
	if err != nil || version == 0 {
		return badRequest("The form is incomplete. Load the page again.")
	}
	err = change(batch, version)
	if place == nil {
		place = func(v *web.BatchView, refused web.Refusal) { v.Refused = web.Refusal{Reason: refused.Reason} }
	}
	if refused, ok := refusalOf(err); ok {
		return s.renderBatch(w, r, http.StatusUnprocessableEntity, batch, func(v *web.BatchView) { place(v, refused) })
	}
	if errors.Is(err, store.ErrConflict) {
		if batch, err = s.batch(r); err != nil {
			return err
		}
		return s.renderBatch(w, r, http.StatusConflict, batch, func(v *web.BatchView) {
			v.Refused = web.Refusal{Reason: "Somebody else changed this batch first. Look at it as it is now, and try again if you must."}
		})
	}
	if err != nil {
		return err
	}
	s.flash(r, said)
	return seeOther(w, r, batchPath(batch.Slug, batch.Number))
}

func (s *Server) editBatch(w http.ResponseWriter, r *http.Request) error {
	var fields web.BatchFields
	place := func(v *web.BatchView, refused web.Refusal) {
		if v.Fields != nil {
			fields.Owners, fields.Refused = v.Fields.Owners, refused
			v.Fields = &fields
		}
	}
	return s.changeBatch(w, r, "The batch is saved.", place, func(b store.Batch, version int) error {
		fields = typedBatch(r.PostForm)
		edit := store.BatchEdit{ID: b.ID, Version: version, Title: fields.Title}
		var err error
		if edit.OwnerID, edit.Due, err = ownerAndDue(fields); err != nil {
			return err
		}
		return s.Store.UpdateBatch(r.Context(), actorOf(r), edit)
	})
}

func (s *Server) addToBatch(w http.ResponseWriter, r *http.Request) error {
	place := func(v *web.BatchView, refused web.Refusal) {
		v.Added = web.BatchMore{Keys: r.PostFormValue("keys"), Size: r.PostFormValue("size"), Refused: refused}
	}
	return s.changeBatch(w, r, "The items are added.", place, func(b store.Batch, version int) error {
		choice := store.BatchChoice{Items: idsOf(r.PostForm["item"]), Keys: keysOf(r.PostFormValue("keys"))}
		if len(choice.Items)+len(choice.Keys) == 0 {
			size, err := strconv.Atoi(strings.TrimSpace(r.PostFormValue("size")))
			if err != nil || size < 1 {
				return &store.InvalidError{Field: "size", Reason: "Name items by their keys, or say how many of the free ones are wanted."}
			}
			choice.Size = size
		}
		_, err := s.Store.AddToBatch(r.Context(), actorOf(r), b.ID, version, choice)
		return err
	})
}

func (s *Server) removeFromBatch(w http.ResponseWriter, r *http.Request) error {
	return s.changeBatch(w, r, "The items are out of the batch.", nil, func(b store.Batch, version int) error {
		items := idsOf(r.PostForm["item"])
		if len(items) == 0 {
			return &store.InvalidError{Reason: "Choose the items that are to leave the batch."}
		}
		_, err := s.Store.RemoveFromBatch(r.Context(), actorOf(r), b.ID, version, items)
		return err
	})
}

func (s *Server) closeBatch(w http.ResponseWriter, r *http.Request) error {
	return s.changeBatch(w, r, "The batch is closed.", nil, func(b store.Batch, version int) error {
		return s.Store.CloseBatch(r.Context(), actorOf(r), b.ID, version)
	})
}

func (s *Server) sampleBatch(w http.ResponseWriter, r *http.Request) error {
	return s.changeBatch(w, r, "The sample is drawn. Begin with the first item.", nil, func(b store.Batch, version int) error {
		limitText, acceptText, _ := strings.Cut(r.PostFormValue("plan"), "/")
		limit, err := strconv.ParseFloat(limitText, 64)
		if err != nil {
			return &store.InvalidError{Field: "plan", Reason: "Choose one of the numbers."}
		}
		accept, err := strconv.Atoi(acceptText)
		if err != nil {
			return &store.InvalidError{Field: "plan", Reason: "Choose one of the numbers."}
		}
		return s.Store.SampleBatch(r.Context(), actorOf(r), b.ID, version, limit, accept)
	})
}

// nextLook leads to the next item of the sample, or back to the batch when all were looked at.
func (s *Server) nextLook(w http.ResponseWriter, r *http.Request) error {
	batch, err := s.batch(r)
	if err != nil {
		return err
	}
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		after = 0
	}
	item, err := s.Store.NextLook(r.Context(), actorOf(r), batch, after)
	if errors.Is(err, store.ErrQueueEmpty) {
		return seeOther(w, r, batchPath(batch.Slug, batch.Number)+"#review")
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, reviewHref(item))
}

// lookOf is the sampled look that an item on its review page belongs to, nil for none.
func (s *Server) lookOf(r *http.Request, item int64) (*store.SampledLook, error) {
	look, err := s.Store.LookOf(r.Context(), actorOf(r), item)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &look, nil
}

// afterReview is where a reviewer goes on from an item: with the sample that it was drawn into, else with what waits.
func afterReview(reviewed store.Reviewed, look *store.SampledLook) string {
	if look == nil {
		return nextReviewHref(reviewed.Slug, reviewed.Item)
	}
	return fmt.Sprintf("%s/look?after=%d", batchPath(look.Slug, look.Number), reviewed.Item)
}

func (s *Server) approveBatch(w http.ResponseWriter, r *http.Request) error {
	return s.changeBatch(w, r, "The batch is being approved.", nil, func(b store.Batch, version int) error {
		return s.Store.ApproveBatch(r.Context(), actorOf(r), b.ID, version, 0)
	})
}

func (s *Server) returnBatch(w http.ResponseWriter, r *http.Request) error {
	place := func(v *web.BatchView, refused web.Refusal) {
		if v.Review != nil {
			v.Review.Fault, v.Review.Note, v.Review.Refused = r.PostFormValue("fault"), r.PostFormValue("note"), refused
		}
	}
	return s.changeBatch(w, r, "The batch goes back to its labelers.", place, func(b store.Batch, version int) error {
		return s.Store.ReturnBatch(r.Context(), actorOf(r), store.BatchReturn{
			Batch: b.ID, Version: version, Fault: store.Fault(r.PostFormValue("fault")), Note: r.PostFormValue("note"),
		})
	})
}

// idsOf reads ids; what is none is left out.
func idsOf(texts []string) (ids []int64) {
	for _, text := range texts {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// keysOf reads external keys, one a line.
func keysOf(text string) (keys []string) {
	for line := range strings.Lines(text) {
		if key := strings.TrimSpace(line); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// typedBatch are a batch's fields as they were typed.
func typedBatch(form url.Values) web.BatchFields {
	return web.BatchFields{Title: form.Get("title"), Owner: form.Get("owner"), Due: strings.TrimSpace(form.Get("due"))}
}
