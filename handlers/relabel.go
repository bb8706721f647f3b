package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// What the pages about older labels show at once.
const (
	staleAPage    = 48
	relabelsShown = 20
	pairsOffered  = 8
)

func (s *Server) relabelRoutes(r router) {
	r.get("/projects/{slug}/stale", access.ReadItems, s.listStale)
	r.get("/projects/{slug}/classes/{class}/stale", access.ReadItems, s.showStale)
	r.post("/projects/{slug}/classes/{class}/stale", access.EditGuideline, s.sendStaleBack)
	r.get("/projects/{slug}/classes/{class}/publish", access.EditGuideline, s.askPublish)
	r.post("/projects/{slug}/classes/{class}/publish", access.EditGuideline, s.publishDraft)
}

func stalePath(slug string) string { return "/projects/" + slug + "/stale" }

// labelCounts are the labels of each class of a project by version.
func (s *Server) labelCounts(r *http.Request, b bookOf) (map[int64][]store.LabelCount, error) {
	counts, err := s.Store.LabelCounts(r.Context(), actorOf(r), b.project.ID)
	byClass := map[int64][]store.LabelCount{}
	for _, c := range counts {
		byClass[c.Class] = append(byClass[c.Class], c)
	}
	return byClass, err
}

// staleView says how many labels of a class were made before version.
func staleView(slug string, c store.Class, counts []store.LabelCount, version int) web.StaleClassView {
	v := web.StaleClassView{Class: classView(slug, c), Href: classHref(slug, c.ID) + "/stale"}
	for _, n := range counts {
		if n.Version < version {
			v.Versions = append(v.Versions, web.VersionCountView{Version: n.Version, Answers: n.Answers, Truth: n.Truth})
			v.Answers += n.Answers
			v.Truth += n.Truth
		}
	}
	return v
}

func newest(c store.Class) int {
	if c.Version == nil {
		return 0
	}
	return *c.Version
}

func (s *Server) listStale(w http.ResponseWriter, r *http.Request) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	counts, err := s.labelCounts(r, b)
	if err != nil {
		return err
	}
	v := web.StaleView{Tabs: projectTabs(r, b.project, "guideline", -1), Href: stalePath(b.project.Slug)}
	for _, c := range b.classes {
		if view := staleView(b.project.Slug, c, counts[c.ID], newest(c)); view.Answers+view.Truth > 0 {
			v.Classes = append(v.Classes, view)
		}
	}
	if v.Relabels, err = s.relabelViews(r, b, 0); err != nil {
		return err
	}
	crumbs := []ui.Crumb{{Label: bookName(b.project.Kind), Href: "/projects/" + b.project.Slug + "/guideline"}, {Label: "Older labels"}}
	return render(w, r, http.StatusOK, web.StalePage(s.bookPage(r, b, "Older labels", crumbs...), v))
}

// relabelViews are the last sendings back of a class, or of all for 0.
func (s *Server) relabelViews(r *http.Request, b bookOf, class int64) ([]web.RelabelView, error) {
	list, err := s.Store.Relabels(r.Context(), actorOf(r), b.project.ID, class, relabelsShown)
	if err != nil {
		return nil, err
	}
	views := make([]web.RelabelView, len(list))
	for i, l := range list {
		views[i] = web.RelabelView{
			Class: l.ClassName, Rules: l.Class == 0, Version: l.Version, What: relabelWhat(b, l), Note: l.Note, UnderWay: l.State != "done", Done: l.DoneItems, Items: l.Items,
			Answers: l.Answers, Answered: l.Answered, Reviews: l.Reviews, By: l.By, At: l.CreatedAt,
		}
	}
	return views, nil
}

func relabelWhat(b bookOf, l store.Relabel) string {
	if l.Class == 0 {
		return "every older transcript"
	}
	if len(l.Others) == 0 {
		return "every older label"
	}
	var names []string
	for _, c := range b.classes {
		if slices.Contains(l.Others, c.ID) {
			names = append(names, c.Name)
		}
	}
	return "where it was confused with " + strings.Join(names, ", ")
}

func (s *Server) showStale(w http.ResponseWriter, r *http.Request) error {
	return s.renderStale(w, r, http.StatusOK, sendBackForm{}, nil)
}

func (s *Server) renderStale(w http.ResponseWriter, r *http.Request, status int, typed sendBackForm, fault *store.InvalidError) error {
	b, c, err := s.classInBook(r)
	if err != nil {
		return err
	}
	counts, err := s.labelCounts(r, b)
	if err != nil {
		return err
	}
	v := web.StaleLabelsView{StaleClassView: staleView(b.project.Slug, c, counts[c.ID], newest(c)), Overview: stalePath(b.project.Slug)}
	if v.Relabels, err = s.relabelViews(r, b, c.ID); err != nil {
		return err
	}
	if err := s.staleCrops(r, c, &v); err != nil {
		return err
	}
	if access.Allows(actorOf(r).Role, access.EditGuideline) {
		v.Send = &web.SendBackView{Action: v.Href, Scope: typed.scope, Note: typed.note, Labels: v.Answers, Truth: v.Truth}
		if v.Send.Pairs, err = s.sendBackPairs(r, b, c, typed.others, false); err != nil {
			return err
		}
		if fault != nil {
			v.Send.Error = fault.Reason
		}
	}
	crumbs := []ui.Crumb{
		{Label: bookName(b.project.Kind), Href: "/projects/" + b.project.Slug + "/guideline"}, {Label: "Older labels", Href: v.Overview}, {Label: c.Name},
	}
	return render(w, r, status, web.StaleLabelsPage(s.bookPage(r, b, c.Name+", older labels", crumbs...), v))
}

// staleCrops shows a page of the older labels: of the truth, or of answers.
func (s *Server) staleCrops(r *http.Request, c store.Class, v *web.StaleLabelsView) error {
	query := r.URL.Query()
	v.Of = query.Get("of")
	if v.Of == "" && v.Truth == 0 {
		v.Of = "answers"
	}
	v.TruthHref, v.AnswersHref = with(r.URL.Path, url.Values{}, "of", "truth"), with(r.URL.Path, url.Values{}, "of", "answers")
	filter := store.ClassBoxFilter{Class: c.ID, Answers: v.Of == "answers", Below: newest(c), Limit: staleAPage + 1}
	filter.Owner, filter.Position = boxCursor(query.Get("after"))
	if filter.Below == 0 {
		return nil
	}
	boxes, err := s.Store.ClassBoxes(r.Context(), actorOf(r), filter)
	if err != nil {
		return err
	}
	if len(boxes) > staleAPage {
		boxes = boxes[:staleAPage]
		v.Next = with(r.URL.Path, query, "after", boxCursorOf(boxes[staleAPage-1]))
	}
	for _, box := range boxes {
		crop := candidateView(store.Example{ItemID: box.Item, X: box.X, Y: box.Y, W: box.W, H: box.H})
		v.Crops = append(v.Crops, web.StaleCropView{Src: crop.Src, Href: reviewHref(box.Item), Version: box.Version})
	}
	return nil
}

// boxCursorOf is where a list of labels goes on behind one of them.
func boxCursorOf(b store.ClassBox) string { return fmt.Sprintf("%d-%d", b.Owner, b.Position) }

// boxCursor reads it; what is none is the start.
func boxCursor(text string) (owner int64, position int) {
	first, second, _ := strings.Cut(text, "-")
	owner, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, 0
	}
	if position, err = strconv.Atoi(second); err != nil {
		return 0, 0
	}
	return owner, position
}

// sendBackPairs are the classes that c was confused with, and how many labels that touches.
func (s *Server) sendBackPairs(r *http.Request, b bookOf, c store.Class, chosen []int64, next bool) ([]web.SendBackPairView, error) {
	confused, err := s.Store.ConfusedWith(r.Context(), actorOf(r), c.ID)
	if err != nil {
		return nil, err
	}
	var views []web.SendBackPairView
	for _, with := range confused[:min(pairsOffered, len(confused))] {
		preview, err := s.Store.PreviewSendBack(r.Context(), actorOf(r), c.ID, store.SendBack{Others: []int64{with.Class}}, next)
		if err != nil {
			return nil, err
		}
		for _, other := range b.classes {
			if other.ID == with.Class && preview.Labels > 0 {
				views = append(views, web.SendBackPairView{
					Class: classView(b.project.Slug, other), Labels: preview.Labels, Items: preview.Items, Chosen: slices.Contains(chosen, other.ID),
				})
			}
		}
	}
	return views, nil
}

// sendBackForm is what was asked to go back.
type sendBackForm struct {
	scope  string // all, pairs or none
	others []int64
	note   string
}

func readSendBack(r *http.Request) (f sendBackForm) {
	f.scope, f.note = r.PostFormValue("scope"), r.PostFormValue("note")
	for _, value := range r.PostForm["other"] {
		if id, err := strconv.ParseInt(value, 10, 64); err == nil {
			f.others = append(f.others, id)
		}
	}
	return f
}

func (f sendBackForm) sendBack() (store.SendBack, error) {
	back := store.SendBack{All: f.scope == "all", Note: f.note}
	switch {
	case f.scope == "pairs" && len(f.others) == 0:
		return back, &store.InvalidError{Field: "other", Reason: "Choose at least one class that it was confused with."}
	case f.scope == "pairs":
		back.Others = f.others
	case f.scope != "all" && f.scope != "none":
		return back, &store.InvalidError{Field: "scope", Reason: "Choose which labels go back."}
	}
	return back, nil
}

func (s *Server) sendStaleBack(w http.ResponseWriter, r *http.Request) error {
	b, c, err := s.classInBook(r)
	if err != nil {
		return err
	}
	form := readSendBack(r)
	back, err := form.sendBack()
	if err == nil {
		_, err = s.Store.Relabel(r.Context(), actorOf(r), c.ID, back)
	}
	if inv, ok := errors.AsType[*store.InvalidError](err); ok {
		return s.renderStale(w, r, http.StatusUnprocessableEntity, form, inv)
	}
	if err != nil {
		return err
	}
	s.flash(r, "Labels of "+c.Name+" are going back. Their labelers find them first in their queues.")
	return seeOther(w, r, stalePath(b.project.Slug))
}

func (s *Server) askPublish(w http.ResponseWriter, r *http.Request) error {
	form := sendBackForm{scope: "none"}
	if id, err := strconv.ParseInt(r.URL.Query().Get("pair"), 10, 64); err == nil {
		form.scope, form.others = "pairs", []int64{id}
	}
	return s.renderPublish(w, r, http.StatusOK, form, nil)
}

// renderPublish asks, before a draft is published, what becomes of the labels that were made before.
func (s *Server) renderPublish(w http.ResponseWriter, r *http.Request, status int, form sendBackForm, fault error) error {
	b, c, err := s.classInBook(r)
	if err != nil {
		return err
	}
	list, err := s.Store.Definitions(r.Context(), actorOf(r), c.ID)
	if err != nil {
		return err
	}
	href := classHref(b.project.Slug, c.ID)
	if len(list) == 0 || list[0].Version != nil {
		return seeOther(w, r, href+"/draft") // there is nothing to publish
	}
	counts, err := s.labelCounts(r, b)
	if err != nil {
		return err
	}
	v := web.PublishView{
		StaleClassView: staleView(b.project.Slug, c, counts[c.ID], newest(c)+1), Next: newest(c) + 1, EditVersion: list[0].EditVersion,
		Draft: b.definition(c, list[0]), Back: href + "/draft",
	}
	if len(list) > 1 {
		v.Former = new(b.definition(c, list[1]))
	}
	v.Send = web.SendBackView{Action: href + "/publish", Scope: form.scope, Note: form.note, Labels: v.Answers, Truth: v.Truth, Publish: v.Next, EditVersion: v.EditVersion}
	if v.Send.Pairs, err = s.sendBackPairs(r, b, c, form.others, true); err != nil {
		return err
	}
	if len(v.Send.Pairs) == 0 && v.Send.Scope == "pairs" {
		v.Send.Scope = "none"
	}
	if fault != nil {
		_, v.Send.Error = statusOf(fault)
	}
	crumbs := []ui.Crumb{{Label: bookName(b.project.Kind), Href: "/projects/" + b.project.Slug + "/guideline"}, {Label: c.Name, Href: href}, {Label: "Publish"}}
	return render(w, r, status, web.PublishPage(s.bookPage(r, b, "Publish "+c.Name, crumbs...), v))
}

func (s *Server) publishDraft(w http.ResponseWriter, r *http.Request) error {
	b, c, err := s.classInBook(r)
	if err != nil {
		return err
	}
	edit, err := strconv.Atoi(r.PostFormValue("edit_version"))
	if err != nil {
		return badRequest("The form is incomplete. Load the page again.")
	}
	form := readSendBack(r)
	back, err := form.sendBack()
	var version int
	var relabel int64
	if err == nil {
		version, relabel, err = s.Store.PublishAndSendBack(r.Context(), actorOf(r), c.ID, edit, back)
	}
	if _, refused := errors.AsType[*store.InvalidError](err); refused {
		return s.renderPublish(w, r, http.StatusUnprocessableEntity, form, err)
	}
	if errors.Is(err, store.ErrConflict) {
		return s.renderPublish(w, r, http.StatusConflict, form, &httpError{
			status: http.StatusConflict, message: "Somebody saved the draft meanwhile. Read it as it is now, and publish it then.",
		})
	}
	if err != nil {
		return err
	}
	said := fmt.Sprintf("Version %d of %s is published. Labels from now on carry it.", version, c.Name)
	if relabel == 0 {
		s.flash(r, said)
		return seeOther(w, r, classHref(b.project.Slug, c.ID))
	}
	s.flash(r, said+" What you chose is going back to its labelers.")
	return seeOther(w, r, stalePath(b.project.Slug))
}

// boxesForBook is how many boxes of one item are offered as examples.
const boxesForBook = 24

// itemBook is what an item has to do with the defect book: why it is here again, and which of its boxes may become
// examples. back is the page that it stands on.
func (s *Server) itemBook(r *http.Request, item int64, slug string, boxes []store.Box, classes []store.Class, back string) (v web.ItemBookView, err error) {
	relabels, err := s.Store.ItemRelabels(r.Context(), actorOf(r), item)
	if err != nil {
		return v, err
	}
	for _, l := range relabels {
		href := classHref(slug, l.Class)
		if l.Class == 0 {
			href = rulesPath(slug)
		}
		v.Relabels = append(v.Relabels, web.ItemRelabelView{Class: l.ClassName, Href: href, Version: l.Version, Note: l.Note, Review: l.Review})
	}
	if !access.Allows(actorOf(r).Role, access.EditGuideline) {
		return v, nil
	}
	for _, box := range boxes[:min(boxesForBook, len(boxes))] {
		at := slices.IndexFunc(classes, func(c store.Class) bool { return c.ID == box.ClassID && !c.Retired })
		if at < 0 {
			continue
		}
		crop := candidateView(store.Example{ItemID: item, X: box.X, Y: box.Y, W: box.W, H: box.H})
		crop.Fields["back"] = back
		v.Boxes = append(v.Boxes, web.ItemBoxView{
			Class: classView(slug, classes[at]), Src: crop.Src, Fields: crop.Fields, Add: classHref(slug, box.ClassID) + "/examples",
		})
	}
	return v, nil
}

// picturedBoxes are those of which there is a picture: of an utterance none.
func picturedBoxes(r store.Reviewed) []store.Box {
	if r.Kind == "audio" {
		return nil
	}
	return reviewedBoxes(r)
}

// reviewedBoxes are the boxes of an item as they stand: the truth's, or those of the only answer.
func reviewedBoxes(r store.Reviewed) []store.Box {
	switch {
	case r.Truth != nil:
		return r.Truth.Boxes
	case len(r.Answers) == 1:
		return r.Answers[0].Boxes
	}
	return nil
}
