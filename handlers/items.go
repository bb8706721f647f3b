package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// itemsAPage is how many pictures a page of the grid shows.
const itemsAPage = 60

func (s *Server) itemRoutes(r router) {
	r.get("/projects/{slug}/items", access.ReadItems, s.listItems)
	r.get("/items/{id}", access.ReadItems, s.showItem)
	r.post("/items/{id}/priority", access.EditProjects, s.setPriority)
	r.post("/items/{id}/retention", access.ManageSources, s.setRetention)
}

// itemStates are the states that the grid can be asked for, in words.
var itemStates = []struct {
	state, word string
	tone        ui.Tone
}{
	{"open", "open", ui.Neutral},
	{"in_review", "in review", ui.Info},
	{"adjudicated", "decided", ui.OK},
	{"discarded", "discarded", ui.Warn},
	{"awaiting_media", "no picture yet", ui.Warn},
	{"processing", "being looked at", ui.Info},
	{"broken", "broken", ui.Bad},
	{"redacted", "redaction", ui.Neutral},
}

// itemState says in what state an item is: what is wrong with its picture comes before its task.
func itemState(item, task string) (tone ui.Tone, word string) {
	state := item
	if item == "ready" {
		state = task
	}
	for _, s := range itemStates {
		if s.state == state {
			return s.tone, s.word
		}
	}
	return ui.Neutral, "not in the queue"
}

func (s *Server) listItems(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	filter := itemFilter(project.ID, query)
	items, err := s.Store.Items(r.Context(), actorOf(r), filter)
	if err != nil {
		return err
	}
	progress, err := s.progress(r, project)
	if err != nil {
		return err
	}
	v := web.ItemsView{Tabs: projectTabs(r, project, "items", progress.Items), Name: project.Name, Paused: project.Paused}
	if v.Filter, err = s.itemsFilter(r, project.ID, query); err != nil {
		return err
	}
	v.Filter.States = statesOf(project.Kind, v.Filter.States)
	if filter.Before != 0 && len(items) <= itemsAPage { // this is where the list begins: show its whole first page
		return seeOther(w, r, with(r.URL.Path, query, "before", ""))
	}
	items = itemNeighbors(&v, r, filter, items)
	v.Items = s.itemThumbs(r, items)
	if access.Allows(actorOf(r).Role, access.EditBatches) {
		v.Batch = batchesPath(project.Slug) + "/new"
		v.BatchOfAll = v.Batch + "?" + choiceQuery(query).Encode()
	}
	if access.Allows(actorOf(r).Role, access.Import) {
		v.Import = importsPath(project.Slug)
	}
	return render(w, r, http.StatusOK, web.ItemsPage(s.projectPage(r, project, project.Name+" items", ui.Crumb{Label: "Items"}), v))
}

// itemNeighbors gives v the addresses of the pages beside that of items, and cuts off the item that was read to see
// whether there is another page.
func itemNeighbors(v *web.ItemsView, r *http.Request, filter store.ItemFilter, items []store.ItemLine) []store.ItemLine {
	query := r.URL.Query()
	at := func(name string, item store.ItemLine) string {
		query.Del("after")
		query.Del("before")
		return with(r.URL.Path, query, name, strconv.FormatInt(item.ID, 10))
	}
	further := len(items) > itemsAPage
	switch {
	case further && filter.Before != 0:
		items = items[1:]
	case further:
		items = items[:itemsAPage]
	}
	if len(items) == 0 {
		return items
	}
	if filter.After != 0 || filter.Before != 0 {
		v.Previous = at("before", items[0])
	}
	if further || filter.Before != 0 {
		v.Next = at("after", items[len(items)-1])
	}
	return items
}

// itemFilter asks for one item more than a page, to see whether any follow.
func itemFilter(project int64, query url.Values) store.ItemFilter {
	f := store.ItemFilter{
		Project: project, State: query.Get("state"), Group: strings.TrimSpace(query.Get("group")), KeyPrefix: query.Get("key"), Limit: itemsAPage + 1,
	}
	// What is no number asks for nothing.
	f.Class, _ = strconv.ParseInt(query.Get("class"), 10, 64)
	f.Source, _ = strconv.ParseInt(query.Get("source"), 10, 64)
	f.After, _ = strconv.ParseInt(query.Get("after"), 10, 64)
	f.Before, _ = strconv.ParseInt(query.Get("before"), 10, 64)
	return f
}

// itemsFilter offers what the grid can be asked for.
func (s *Server) itemsFilter(r *http.Request, project int64, query url.Values) (web.ItemsFilter, error) {
	v := web.ItemsFilter{
		State: query.Get("state"), Class: query.Get("class"), Source: query.Get("source"), Group: query.Get("group"), Key: query.Get("key"),
		States: []ui.Option{{Label: "Any"}}, Classes: []ui.Option{{Label: "Anything"}}, Sources: []ui.Option{{Label: "Any"}},
	}
	for _, state := range itemStates {
		v.States = append(v.States, ui.Option{Value: state.state, Label: state.word})
	}
	classes, err := s.Store.Classes(r.Context(), actorOf(r), project)
	if err != nil {
		return v, err
	}
	for _, c := range classes {
		v.Classes = append(v.Classes, ui.Option{Value: strconv.FormatInt(c.ID, 10), Label: c.Name})
	}
	sources, err := s.Store.SourcesOf(r.Context(), actorOf(r), project)
	if err != nil {
		return v, err
	}
	for _, source := range sources {
		v.Sources = append(v.Sources, ui.Option{Value: strconv.FormatInt(source.ID, 10), Label: source.Name})
	}
	return v, nil
}

// itemThumbs are items in a grid.
func (s *Server) itemThumbs(r *http.Request, items []store.ItemLine) []web.ItemThumb {
	waves := wavesOf(s, r, items, func(i store.ItemLine) int64 { return soundIf(i.Sound, i.ID) })
	thumbs := make([]web.ItemThumb, len(items))
	for i, item := range items {
		thumbs[i] = itemThumb(item)
		thumbs[i].Wave = waves[item.ID]
	}
	return thumbs
}

func itemThumb(item store.ItemLine) web.ItemThumb {
	v := web.ItemThumb{ID: item.ID, Name: item.ExternalKey, Width: item.Width, Height: item.Height}
	v.Tone, v.Word = itemState(item.State, item.TaskState)
	v.Sound, v.Text = item.Sound, item.Text
	if item.Sound && item.State == awaitingMedia {
		v.Word = noRecording
	}
	if item.Seconds > 0 {
		v.Length = secondsText(item.Seconds)
	}
	if item.Thumb {
		v.Src = itemMediaHref(item.ID, "thumb")
	}
	return v
}

func (s *Server) showItem(w http.ResponseWriter, r *http.Request) error {
	return s.renderItem(w, r, http.StatusOK, web.Refusal{})
}

func (s *Server) renderItem(w http.ResponseWriter, r *http.Request, status int, refused web.Refusal) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	item, err := s.Store.Item(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	classes, err := s.Store.Classes(r.Context(), actorOf(r), item.ProjectID)
	if err != nil {
		return err
	}
	v := itemView(item, classes, actorOf(r).Role)
	v.Refused = refused
	if err := s.playItem(r, &v); err != nil {
		return err
	}
	pictured := item.Truth
	if item.Sound != nil {
		pictured = nil // there is nothing to crop
	}
	if v.Book, err = s.itemBook(r, id, item.Slug, pictured, classes, fmt.Sprintf("/items/%d", id)); err != nil {
		return err
	}
	if v.Gold, err = s.goldForm(r, id, item.HasTruth && item.State != "redacted" && (item.TaskID == 0 || item.TaskState == "adjudicated")); err != nil {
		return err
	}
	if v.Places, err = s.itemPlaces(r, id); err != nil {
		return err
	}
	panel, err := s.discussionPanel(r, id, fmt.Sprintf("/items/%d", id))
	if err != nil {
		return err
	}
	v.Discussion = &panel
	page := s.page(r, v.Name, projectsCrumb, ui.Crumb{Label: item.ProjectName, Href: "/projects/" + item.Slug},
		ui.Crumb{Label: "Items", Href: "/projects/" + item.Slug + "/items"}, ui.Crumb{Label: v.Name})
	return render(w, r, status, web.ItemPage(page, v))
}

func (s *Server) setPriority(w http.ResponseWriter, r *http.Request) error {
	priority, err := strconv.Atoi(strings.TrimSpace(r.PostFormValue("priority")))
	if err != nil {
		return s.renderItem(w, r, http.StatusUnprocessableEntity, web.Refusal{Field: "priority", Reason: "Write a whole number."})
	}
	version, err := strconv.Atoi(r.PostFormValue("version"))
	if err != nil {
		return badRequest("The form is incomplete. Load the page again.")
	}
	return s.changeItem(w, r, "The priority is set.", func(id int64) error {
		return s.Store.SetPriority(r.Context(), actorOf(r), id, priority, version)
	})
}

func (s *Server) setRetention(w http.ResponseWriter, r *http.Request) error {
	var until *time.Time
	if text := strings.TrimSpace(r.PostFormValue("until")); text != "" {
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return s.renderItem(w, r, http.StatusUnprocessableEntity, web.Refusal{Field: "until", Reason: "Write the date as 2026-12-31."})
		}
		until = &day
	}
	return s.changeItem(w, r, "The date is set.", func(id int64) error {
		return s.Store.SetOwnRetention(r.Context(), actorOf(r), id, until)
	})
}

// changeItem makes one change to the item of the path, says so, and shows it.
func (s *Server) changeItem(w http.ResponseWriter, r *http.Request, said string, change func(id int64) error) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	err = change(id)
	if refused, ok := refusalOf(err); ok {
		return s.renderItem(w, r, http.StatusUnprocessableEntity, refused)
	}
	if errors.Is(err, store.ErrConflict) {
		return s.renderItem(w, r, http.StatusConflict, web.Refusal{Field: "priority", Reason: "The item was decided on meanwhile. Look again, and set it once more."})
	}
	if err != nil {
		return err
	}
	s.flash(r, said)
	return seeOther(w, r, fmt.Sprintf("/items/%d", id))
}
