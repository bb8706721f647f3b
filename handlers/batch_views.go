package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/access"
	"fiducial/internal/sampling"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func batchName(number int) string { return fmt.Sprintf("Batch %d", number) }

func batchCard(b store.Batch) web.BatchCard {
	words := batchWords[b.State]
	card := web.BatchCard{
		Href: batchPath(b.Slug, b.Number), Name: batchName(b.Number), Title: b.Title, Round: b.Round, Tone: words.tone, Word: words.word,
		Returned: b.State == store.BatchReturned, Owner: b.Owner, Overdue: b.Overdue, Items: b.Items, Answered: b.Answered, Decided: b.Decided,
		Agreement: meanView(b.Agreement()), Settling: b.Settling != "",
	}
	if b.Due != nil {
		card.Due = *b.Due
	}
	return card
}

func meanView(m store.Mean) web.MeanView {
	v := web.MeanView{N: m.N}
	if m.N > 0 {
		v.Value = figure(m.Value)
	}
	if m.N > 1 {
		v.Margin = figure(m.Margin)
	}
	return v
}

// ownerOptions are those who can answer for a batch, with nobody first.
func (s *Server) ownerOptions(r *http.Request, project int64) ([]ui.Option, error) {
	options := []ui.Option{{Label: "Nobody"}}
	people, err := s.Store.BatchOwners(r.Context(), actorOf(r), project)
	for _, p := range people {
		options = append(options, ui.Option{Value: strconv.FormatInt(p.Person, 10), Label: p.Name})
	}
	return options, err
}

// ownerAndDue reads typed fields.
func ownerAndDue(v web.BatchFields) (owner int64, due *time.Time, err error) {
	if v.Owner != "" {
		if owner, err = strconv.ParseInt(v.Owner, 10, 64); err != nil {
			return 0, nil, &store.InvalidError{Field: "owner", Reason: "Choose somebody from the list."}
		}
	}
	if v.Due != "" {
		day, err := time.Parse(time.DateOnly, v.Due)
		if err != nil {
			return 0, nil, &store.InvalidError{Field: "due", Reason: "Write the date as 2026-12-31."}
		}
		due = &day
	}
	return owner, due, nil
}

// renderBatch shows a batch; finish puts in what a refused form said.
func (s *Server) renderBatch(w http.ResponseWriter, r *http.Request, status int, b store.Batch, finish func(*web.BatchView)) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	v := batchView(b)
	workers, err := s.Store.BatchWorkers(r.Context(), actorOf(r), b)
	if err != nil {
		return err
	}
	for _, worker := range workers {
		v.Workers = append(v.Workers, web.BatchWorkerRow{Name: worker.Name, Held: worker.Held, Answered: worker.Answered})
	}
	role := actorOf(r).Role
	if b.State == store.BatchInReview && b.Settling == "" {
		if v.Review, err = s.batchReview(r, b); err != nil {
			return err
		}
	}
	if access.Allows(role, access.EditBatches) && b.Settling == "" {
		fields := web.BatchFields{Title: b.Title, Owner: idText(b.OwnerID)}
		if b.Due != nil {
			fields.Due = b.Due.Format(time.DateOnly)
		}
		if fields.Owners, err = s.ownerOptions(r, project.ID); err != nil {
			return err
		}
		v.Fields = &fields
		if !b.State.Finished() {
			v.Close = v.Href + "/close"
		}
		if b.State == store.BatchOpen {
			v.Remove, v.Add = v.Href+"/remove", v.Href+"/add"
		}
	}
	if err := s.batchItems(r, b, &v); err != nil {
		return err
	}
	finish(&v)
	page := s.projectPage(r, project, v.Name, ui.Crumb{Label: "Batches", Href: batchesPath(project.Slug)}, ui.Crumb{Label: v.Name})
	return render(w, r, status, web.BatchPage(page, v))
}

func batchView(b store.Batch) web.BatchView {
	v := web.BatchView{
		BatchCard: batchCard(b), Slug: b.Slug, Version: strconv.Itoa(b.Version), CreatedBy: b.CreatedBy, CreatedAt: b.CreatedAt,
		Error: b.Error, OfItems: b.OfItems, Done: b.Done, SettleWord: "Approving",
	}
	if b.Settling == "return" {
		v.SettleWord = "Sending back"
	}
	if b.ApprovedAt != nil {
		v.ApprovedAt, v.ApprovedBy = *b.ApprovedAt, b.ApprovedBy
		if v.ApprovedBy == "" {
			v.ApprovedBy = "a decision about every item"
		}
	}
	if b.ReturnedAt != nil {
		v.ReturnedAt, v.ReturnedWhy = *b.ReturnedAt, faultWords[b.Fault]
		if b.Note != "" {
			v.ReturnedWhy += ": " + b.Note
		}
	}
	return v
}

// planLimits and planAccepts are the plans that a reviewer is offered.
var (
	planLimits  = []float64{0.01, 0.02, 0.05, 0.10, 0.20}
	planAccepts = []int{0, 1, 2}
)

func percent(share float64) string {
	return strconv.FormatFloat(share*100, 'f', -1, 64) + " %"
}

// planSentence says in one sentence what a plan promises.
func planSentence(p sampling.Plan) string {
	found := "none is faulty"
	if p.Accept > 0 {
		found = fmt.Sprintf("at most %d are faulty", p.Accept)
	}
	if p.Size == p.Lot {
		return fmt.Sprintf("Look at all %d: a smaller sample could not show with 95 %% confidence that at most %s are faulty.", p.Lot, percent(p.Limit))
	}
	return fmt.Sprintf("Look at %d of %d: if %s, at most %s are, with 95 %% confidence.", p.Size, p.Lot, found, percent(p.Limit))
}

func (s *Server) batchReview(r *http.Request, b store.Batch) (*web.BatchReviewView, error) {
	v := &web.BatchReviewView{Looked: b.Looked, Faulty: b.Faulty, Waiting: b.Answered - b.Decided}
	for _, fault := range store.Faults(b.Kind) {
		v.Faults = append(v.Faults, ui.Option{Value: string(fault), Label: faultWords[fault]})
	}
	href := batchPath(b.Slug, b.Number)
	plan, planned := b.Plan()
	if planned {
		v.Sentence, v.Size, v.Accept = planSentence(plan), plan.Size, plan.Accept
		v.Verdict = map[sampling.Verdict]string{sampling.Open: "open", sampling.Take: "take", sampling.Refuse: "refuse"}[plan.Verdict(b.Looked, b.Faulty)]
	}
	if !access.Allows(actorOf(r).Role, access.Review) {
		return v, nil
	}
	if b.Decided < b.Items {
		v.Return = href + "/return"
	}
	switch {
	case v.Verdict == "take" && v.Waiting > 0:
		v.Approve = href + "/approve"
	case v.Verdict == "open":
		v.Look = href + "/look"
	}
	if b.Looked > 0 {
		return v, nil
	}
	v.Sample = href + "/sample"
	plans, err := s.Store.BatchPlans(r.Context(), actorOf(r), b, planLimits, planAccepts)
	if err != nil {
		return nil, err
	}
	for _, accept := range planAccepts {
		v.Accepts = append(v.Accepts, map[int]string{0: "none accepted", 1: "1 accepted"}[accept])
		if accept > 1 {
			v.Accepts[accept] = fmt.Sprintf("%d accepted", accept)
		}
	}
	for _, row := range plans {
		view := web.PlanRow{Limit: percent(row[0].Limit)}
		for _, p := range row {
			view.Cells = append(view.Cells, web.PlanCell{Size: p.Size, Value: fmt.Sprintf("%g/%d", p.Limit, p.Accept), Says: planSentence(p)})
		}
		v.Plans = append(v.Plans, view)
	}
	return v, nil
}

// batchParts are the parts of a batch's items that its page can show.
var batchParts = []struct{ name, label, state string }{
	{"", "All", ""}, {"open", "Open", "open"}, {"in_review", "In review", "in_review"}, {"decided", "Decided", "adjudicated"}, {"sample", "Sample", ""}, {"left", "Left to you", ""},
}

// leftWords say why an item was left to a person.
var leftWords = map[store.LeftBecause]string{
	store.LeftUnanswered: "an answer is wanted", store.LeftUndecided: "a labeler could not decide", store.LeftDisputed: "a remark is contested",
	store.LeftConflict: "no majority settles it", store.LeftChanged: "decided on meanwhile",
}

func (s *Server) batchItems(r *http.Request, b store.Batch, v *web.BatchView) error {
	query := r.URL.Query()
	part := query.Get("part")
	filter := store.BatchItemFilter{Sample: part == "sample", Left: part == "left", Limit: batchItemsAPage + 1}
	for _, p := range batchParts {
		if p.name == "sample" && b.PlannedAt == nil || p.name == "left" && b.OfItems == 0 {
			continue
		}
		href := v.Href + "#items"
		if p.name != "" {
			href = v.Href + "?part=" + p.name + "#items"
		}
		v.Tabs = append(v.Tabs, ui.Tab{Label: p.label, Href: href, Count: -1, Current: p.name == part})
		if p.name == part {
			filter.State = p.state
		}
	}
	filter.After = store.BatchItemPlace{Score: -1}
	if after, ok := batchPlaceOf(query.Get("after")); ok { // what is no place is the beginning
		filter.After = after
	}
	items, err := s.Store.BatchItems(r.Context(), actorOf(r), b, filter)
	if err != nil {
		return err
	}
	if len(items) > batchItemsAPage {
		items = items[:batchItemsAPage]
		v.Next = with(v.Href, query, "after", placeText(items[batchItemsAPage-1].Place())) + "#items"
	}
	waves := wavesOf(s, r, items, func(i store.BatchItem) int64 { return soundIf(i.Sound, i.ID) })
	for _, item := range items {
		row := batchRow(item, v.Remove != "", access.Allows(actorOf(r).Role, access.Review))
		row.Wave = waves[item.ID]
		v.Rows = append(v.Rows, row)
	}
	return nil
}

// placeText is a place in the order of a batch's items as it stands in an address.
func placeText(p store.BatchItemPlace) string {
	return strconv.FormatFloat(p.Score, 'g', -1, 64) + "_" + strconv.Itoa(p.Position)
}

// batchPlaceOf reads what placeText wrote.
func batchPlaceOf(text string) (p store.BatchItemPlace, ok bool) {
	score, position, ok := strings.Cut(text, "_")
	if !ok {
		return p, false
	}
	var err error
	if p.Score, err = strconv.ParseFloat(score, 64); err != nil {
		return p, false
	}
	p.Position, err = strconv.Atoi(position)
	return p, err == nil
}

func batchRow(item store.BatchItem, removable, reviews bool) web.BatchRow {
	row := web.BatchRow{
		Position: item.Position, Href: fmt.Sprintf("/items/%d", item.ID), Name: item.ExternalKey, Votes: item.Votes, Overlap: item.Overlap,
		Look: item.Look, Looked: item.Looked, Faulty: item.Faulty, Left: leftWords[item.Left],
	}
	if reviews && item.TaskState != "open" {
		row.Href = reviewHref(item.ID)
	}
	if row.Name == "" {
		row.Name = fmt.Sprintf("item %d", item.ID)
	}
	if item.Thumb {
		row.Thumb = itemMediaHref(item.ID, "thumb")
	}
	row.Tone, row.Word = itemState(item.State, item.TaskState)
	if item.Score != nil {
		row.Score, row.Finding = figure(*item.Score), findingWords[item.Worst]
	}
	if removable {
		row.Remove = strconv.FormatInt(item.ID, 10)
	}
	return row
}

// defaultBatchSize is how many items a new batch has unless somebody says otherwise.
const defaultBatchSize = 50

func (s *Server) newBatch(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	v := typedChoice(project.Slug, query)
	if !query.Has("size") {
		v.Size = strconv.Itoa(defaultBatchSize)
	}
	if len(query) == 0 { // most batches are of what is still to be labeled
		v.State = string(store.NeverLabeled)
	}
	choice, err := choiceOf(&v)
	if err == nil {
		err = s.previewBatch(r, project, choice, &v)
	}
	if refused, ok := refusalOf(err); ok {
		v.Refused = refused
		return s.renderNewBatch(w, r, http.StatusUnprocessableEntity, project, v)
	}
	if err != nil {
		return err
	}
	return s.renderNewBatch(w, r, http.StatusOK, project, v)
}

func (s *Server) previewBatch(r *http.Request, project store.Project, choice store.BatchChoice, v *web.NewBatchView) error {
	preview, err := s.Store.PreviewBatch(r.Context(), actorOf(r), project.ID, choice)
	if err != nil {
		return err
	}
	v.Preview = &web.BatchPreviewView{Matching: preview.Matching, Taken: preview.Taken, More: preview.More, Unknown: preview.Unknown}
	v.Preview.First = s.itemThumbs(r, preview.First)
	return nil
}

// choiceQuery asks for a batch of what the grid of items was asked for.
func choiceQuery(grid url.Values) url.Values {
	states := map[string]store.ItemStand{"open": store.NeverLabeled, "in_review": store.InReview, "adjudicated": store.HasTruth}
	query := url.Values{}
	for name, value := range map[string]string{
		"state": string(states[grid.Get("state")]), "class": grid.Get("class"), "source": grid.Get("source"), "group": grid.Get("group"), "folder": grid.Get("key"),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// typedChoice is the form as it was typed.
func typedChoice(slug string, form url.Values) web.NewBatchView {
	v := web.NewBatchView{
		Slug: slug, Fields: typedBatch(form), Items: form["item"], Keys: form.Get("keys"),
		Class: form.Get("class"), Source: form.Get("source"), Group: strings.TrimSpace(form.Get("group")), Folder: form.Get("folder"),
		State: form.Get("state"), From: strings.TrimSpace(form.Get("from")), To: strings.TrimSpace(form.Get("to")),
		Size: strings.TrimSpace(form.Get("size")), Seed: strings.TrimSpace(form.Get("seed")), Random: form.Get("random") != "", Lasting: form.Get("lasting") != "",
	}
	return v
}

// choiceOf reads the form; a draw without a seed gets one, so that what is previewed is what is made.
func choiceOf(v *web.NewBatchView) (c store.BatchChoice, err error) {
	c = store.BatchChoice{
		Items: idsOf(v.Items), Keys: keysOf(v.Keys), Group: v.Group, Folder: v.Folder, State: store.ItemStand(v.State), Lasting: v.Lasting,
	}
	// What is no number asks for nothing.
	c.Class, _ = strconv.ParseInt(v.Class, 10, 64)
	c.Source, _ = strconv.ParseInt(v.Source, 10, 64)
	for _, day := range []struct {
		field, text string
		into        *time.Time
	}{{"from", v.From, &c.From}, {"to", v.To, &c.To}} {
		if day.text == "" {
			continue
		}
		if *day.into, err = time.Parse(time.DateOnly, day.text); err != nil {
			return c, &store.InvalidError{Field: day.field, Reason: "Write the date as 2026-12-31."}
		}
	}
	if v.Size != "" && len(c.Items)+len(c.Keys) == 0 {
		if c.Size, err = strconv.Atoi(v.Size); err != nil || c.Size < 1 {
			return c, &store.InvalidError{Field: "size", Reason: "Write a whole number of items, such as 50."}
		}
	}
	if v.Random {
		if v.Seed == "" {
			v.Seed = strconv.FormatInt(store.SmallSeed(), 10)
		}
		if c.Seed, err = strconv.ParseInt(v.Seed, 10, 64); err != nil || c.Seed == 0 {
			return c, &store.InvalidError{Field: "seed", Reason: "Write a whole number other than 0."}
		}
	}
	return c, nil
}

func (s *Server) renderNewBatch(w http.ResponseWriter, r *http.Request, status int, project store.Project, v web.NewBatchView) error {
	filter, err := s.itemsFilter(r, project.ID, url.Values{})
	if err != nil {
		return err
	}
	v.Classes, v.Sources = filter.Classes, filter.Sources
	v.States = []ui.Option{{Label: "Any"}}
	for _, stand := range store.ItemStands() {
		v.States = append(v.States, ui.Option{Value: string(stand), Label: strings.ReplaceAll(string(stand), "_", " ")})
	}
	if v.Fields.Owners, err = s.ownerOptions(r, project.ID); err != nil {
		return err
	}
	v.Fields.Refused = v.Refused
	page := s.projectPage(r, project, "New batch", ui.Crumb{Label: "Batches", Href: batchesPath(project.Slug)}, ui.Crumb{Label: "New batch"})
	return render(w, r, status, web.NewBatchPage(page, v))
}

func (s *Server) addBatch(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return badRequest("The form could not be read. Load the page again.")
	}
	v := typedChoice(project.Slug, r.PostForm)
	n := store.NewBatch{Project: project.ID, Title: v.Fields.Title}
	if n.Choice, err = choiceOf(&v); err == nil {
		n.OwnerID, n.Due, err = ownerAndDue(v.Fields)
	}
	var batch store.Batch
	if err == nil {
		batch, err = s.Store.AddBatch(r.Context(), actorOf(r), n)
	}
	if refused, ok := refusalOf(err); ok {
		v.Refused = refused
		return s.renderNewBatch(w, r, http.StatusUnprocessableEntity, project, v)
	}
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("%s is made: %d items are handed out before all others.", batchName(batch.Number), batch.Items))
	return seeOther(w, r, batchPath(batch.Slug, batch.Number))
}
