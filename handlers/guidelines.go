package handlers

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/internal/palette"
	"fiducial/store"
	"fiducial/store/blob"
	"fiducial/web"
	"fiducial/web/ui"
)

// exampleCandidates is how many crops a draft's page offers.
const exampleCandidates = 24

func (s *Server) guidelineRoutes(r router) {
	r.get("/projects/{slug}/guideline", access.ReadProjects, s.showGuideline)
	r.get("/projects/{slug}/classes.css", access.ReadProjects, s.classColours)
	r.post("/projects/{slug}/classes", access.EditGuideline, s.addClass)
	r.get("/projects/{slug}/classes/{class}", access.ReadProjects, s.showClass)
	r.get("/projects/{slug}/classes/{class}/panel", access.ReadProjects, s.showDefinitionPanel)
	r.get("/projects/{slug}/classes/{class}/draft", access.EditGuideline, s.showDraft)
	r.post("/projects/{slug}/classes/{class}", access.EditGuideline, s.editClass)
	r.post("/projects/{slug}/classes/{class}/draft", access.EditGuideline, s.saveDraft)
	r.post("/projects/{slug}/classes/{class}/discard", access.EditGuideline, s.discardDraft)
	r.post("/projects/{slug}/classes/{class}/examples", access.EditGuideline, s.addExample)
	r.post("/projects/{slug}/classes/{class}/examples/{example}/remove", access.EditGuideline, s.removeExample)
	s.rulesRoutes(r)
	r.get("/media/examples/{example}", access.ReadProjects, s.exampleCrop)
	r.get("/media/crops/{item}", access.ReadItems, s.candidateCrop)
}

func classHref(slug string, class int64) string {
	return fmt.Sprintf("/projects/%s/classes/%d", slug, class)
}

func classView(slug string, c store.Class) web.ClassView {
	v := web.ClassView{
		ID: c.ID, Name: c.Name, Key: c.Key, Slot: c.Slot, Draft: c.HasDraft, Retired: c.Retired, Href: classHref(slug, c.ID),
	}
	if c.Version != nil {
		v.Version = *c.Version
	}
	return v
}

// bookOf is a project with its classes, as every page of the defect book needs them.
type bookOf struct {
	project store.Project
	classes []store.Class
}

func (s *Server) book(r *http.Request) (b bookOf, err error) {
	if b.project, err = s.Store.Project(r.Context(), actorOf(r), chi.URLParam(r, "slug")); err != nil {
		return b, err
	}
	b.classes, err = s.Store.Classes(r.Context(), actorOf(r), b.project.ID)
	return b, err
}

// class returns the class named by the path, if it is one of the project's.
func (b bookOf) class(r *http.Request) (store.Class, error) {
	id, err := pathID(r, "class")
	if err != nil {
		return store.Class{}, err
	}
	for _, c := range b.classes {
		if c.ID == id {
			return c, nil
		}
	}
	return store.Class{}, fmt.Errorf("class %d: %w", id, store.ErrNotFound)
}

func (b bookOf) definition(c store.Class, d store.Definition) web.DefinitionView {
	v := web.DefinitionView{Class: classView(b.project.Slug, c), Body: d.Body, By: d.EditedBy, At: d.EditedAt}
	if d.Version != nil {
		v.Version, v.At = *d.Version, *d.PublishedAt
	}
	for _, e := range d.Examples {
		crop := web.ExampleView{Src: fmt.Sprintf("/media/examples/%d", e.ID), Caption: e.Caption}
		if e.Shows == "yes" {
			v.Yes = append(v.Yes, crop)
		} else {
			v.No = append(v.No, crop)
		}
	}
	for _, id := range d.Confusions {
		for _, other := range b.classes {
			if other.ID == id {
				v.Confused = append(v.Confused, classView(b.project.Slug, other))
			}
		}
	}
	return v
}

// bookName is what people call the guideline of a project of this kind.
func bookName(kind string) string {
	if kind == "image" {
		return "Defect book"
	}
	return "Guideline"
}

func (s *Server) bookPage(r *http.Request, b bookOf, title string, crumbs ...ui.Crumb) web.PageView {
	base := []ui.Crumb{{Label: "Projects", Href: "/projects"}, {Label: b.project.Name, Href: "/projects/" + b.project.Slug}}
	page := s.page(r, title, append(base, crumbs...)...)
	page.StyleURLs = []string{"/projects/" + b.project.Slug + "/classes.css"}
	return page
}

func (s *Server) showGuideline(w http.ResponseWriter, r *http.Request) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	return s.renderGuideline(w, r, http.StatusOK, b, web.GuidelineView{})
}

func (s *Server) renderGuideline(w http.ResponseWriter, r *http.Request, status int, b bookOf, v web.GuidelineView) error {
	published, err := s.Store.PublishedDefinitions(r.Context(), actorOf(r), b.project.ID)
	if err != nil {
		return err
	}
	v.Title, v.Version = bookName(b.project.Kind), b.project.GuidelineVersion
	v.Tabs = projectTabs(r, b.project, "guideline", -1)
	if b.project.Kind == "audio" {
		rules, err := s.Store.PublishedRules(r.Context(), actorOf(r), b.project.ID)
		if err != nil {
			return err
		}
		v.Rules, v.RulesHref = new(rulesView(rules)), rulesPath(b.project.Slug)
	}
	if access.Allows(actorOf(r).Role, access.EditGuideline) {
		v.Add = "/projects/" + b.project.Slug + "/classes"
	}
	if access.Allows(actorOf(r).Role, access.ReadItems) {
		v.Pairs, v.Stale = pairsPath(b.project.Slug), stalePath(b.project.Slug)
	}
	for _, c := range b.classes {
		v.Definitions = append(v.Definitions, b.definition(c, published[c.ID]))
	}
	return render(w, r, status, web.GuidelinePage(s.bookPage(r, b, v.Title, ui.Crumb{Label: v.Title}), v))
}

func (s *Server) addClass(w http.ResponseWriter, r *http.Request) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	name, key := r.PostFormValue("name"), r.PostFormValue("key")
	id, err := s.Store.AddClass(r.Context(), actorOf(r), b.project.ID, name, key)
	if inv, ok := errors.AsType[*store.InvalidError](err); ok {
		view := web.GuidelineView{AddName: name, AddKey: key, AddError: inv.Reason}
		return s.renderGuideline(w, r, http.StatusUnprocessableEntity, b, view)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, classHref(b.project.Slug, id)+"/draft")
}

func (s *Server) showClass(w http.ResponseWriter, r *http.Request) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	c, err := b.class(r)
	if err != nil {
		return err
	}
	list, err := s.Store.Definitions(r.Context(), actorOf(r), c.ID)
	if err != nil {
		return err
	}
	v := web.ClassPageView{Class: classView(b.project.Slug, c), Book: "/projects/" + b.project.Slug + "/guideline"}
	if access.Allows(actorOf(r).Role, access.EditGuideline) {
		v.Edit = v.Class.Href + "/draft"
	}
	for _, d := range list {
		if d.Version != nil {
			v.Published = append(v.Published, b.definition(c, d))
		}
	}
	crumbs := []ui.Crumb{{Label: bookName(b.project.Kind), Href: v.Book}, {Label: c.Name}}
	return render(w, r, http.StatusOK, web.ClassPage(s.bookPage(r, b, c.Name, crumbs...), v))
}

// showDefinitionPanel is the fragment that the workbench shows for the chosen class.
func (s *Server) showDefinitionPanel(w http.ResponseWriter, r *http.Request) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	c, err := b.class(r)
	if err != nil {
		return err
	}
	view, err := s.definitionView(r, b, c)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, web.DefinitionPanel(view))
}

// besideCrops is how many crops of a confusable class stand beside a definition.
const besideCrops = 2

// definitionView is the newest published definition of a class, with crops of those that it is easily confused with;
// one without any has an empty body. Whoever may change it gets a form, which leaves the page as it is.
func (s *Server) definitionView(r *http.Request, b bookOf, c store.Class) (web.DefinitionView, error) {
	published, err := s.Store.PublishedDefinitions(r.Context(), actorOf(r), b.project.ID)
	if err != nil {
		return web.DefinitionView{}, err
	}
	v := b.definition(c, published[c.ID])
	for _, other := range v.Confused {
		beside := web.BesideView{Class: other}
		if d, ok := published[other.ID]; ok {
			yes := b.definition(store.Class{ID: other.ID}, d).Yes
			beside.Crops = yes[:min(besideCrops, len(yes))]
		}
		if access.Allows(actorOf(r).Role, access.ReadItems) {
			beside.Pair = pairPath(b.project.Slug, c.ID, other.ID)
		}
		v.Beside = append(v.Beside, beside)
	}
	if !access.Allows(actorOf(r).Role, access.EditGuideline) {
		return v, nil
	}
	list, err := s.Store.Definitions(r.Context(), actorOf(r), c.ID)
	if err != nil {
		return v, err
	}
	v.Edit = &web.DefinitionFormView{Save: v.Class.Href + "/draft", Name: "definition-body", Label: "Text of the draft", NewTab: true}
	if len(list) > 0 {
		v.Edit.Body, v.Edit.Confused = list[0].Body, list[0].Confusions
		if list[0].Version == nil {
			v.Edit.EditVersion = list[0].EditVersion
		}
	}
	return v, nil
}

func (s *Server) showDraft(w http.ResponseWriter, r *http.Request) error {
	return s.renderDraft(w, r, http.StatusOK, nil, nil)
}

// renderDraft shows the draft; typed is a text that could not be saved, and fault says why.
func (s *Server) renderDraft(w http.ResponseWriter, r *http.Request, status int, typed *string, fault *store.InvalidError) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	c, err := b.class(r)
	if err != nil {
		return err
	}
	list, err := s.Store.Definitions(r.Context(), actorOf(r), c.ID)
	if err != nil {
		return err
	}
	v := draftView(b, c, list)
	if typed != nil {
		v.Draft.Body = *typed
	}
	if fault != nil {
		v.Error, v.ErrorField = fault.Reason, fault.Field
	}
	if v.Candidates, err = s.candidates(r, c, list); err != nil {
		return err
	}
	crumbs := []ui.Crumb{{Label: bookName(b.project.Kind), Href: "/projects/" + b.project.Slug + "/guideline"}, {Label: c.Name, Href: v.Back}, {Label: "Draft"}}
	return render(w, r, status, web.DraftPage(s.bookPage(r, b, c.Name, crumbs...), v))
}

func draftView(b bookOf, c store.Class, list []store.Definition) web.DraftView {
	href := classHref(b.project.Slug, c.ID)
	v := web.DraftView{
		Class: classView(b.project.Slug, c), Chosen: map[int64]bool{}, Back: href, Settings: href, Save: href + "/draft",
		Discard: href + "/discard", AddExample: href + "/examples",
	}
	var draft store.Definition
	if len(list) > 0 {
		draft = list[0] // the draft, or what it will begin with
	}
	if len(list) > 0 && draft.Version == nil {
		v.EditVersion = draft.EditVersion
	}
	v.Draft = b.definition(c, draft)
	yes, no := 0, 0
	for _, e := range draft.Examples {
		remove := fmt.Sprintf("%s/examples/%d/remove", href, e.ID)
		if e.Shows == "yes" {
			v.Draft.Yes[yes].Remove = remove
			yes++
		} else {
			v.Draft.No[no].Remove = remove
			no++
		}
	}
	for _, id := range draft.Confusions {
		v.Chosen[id] = true
	}
	for _, other := range b.classes {
		if other.ID != c.ID && !other.Retired {
			v.Others = append(v.Others, classView(b.project.Slug, other))
		}
	}
	return v
}

// candidates are crops of the class itself, then of the classes that it is confused with.
func (s *Server) candidates(r *http.Request, c store.Class, list []store.Definition) ([]web.CandidateView, error) {
	classes := []int64{c.ID}
	if len(list) > 0 {
		classes = append(classes, list[0].Confusions...)
	}
	var views []web.CandidateView
	for _, class := range classes {
		examples, err := s.Store.ExampleCandidates(r.Context(), actorOf(r), class, max(4, exampleCandidates/len(classes)))
		if err != nil {
			return nil, err
		}
		for _, e := range examples {
			views = append(views, candidateView(e))
		}
	}
	return views, nil
}

func candidateView(e store.Example) web.CandidateView {
	fields := map[string]string{"x": number(e.X), "y": number(e.Y), "w": number(e.W), "h": number(e.H)}
	query := url.Values{}
	for name, value := range fields {
		query.Set(name, value)
	}
	fields["item"] = strconv.FormatInt(e.ItemID, 10)
	return web.CandidateView{Src: fmt.Sprintf("/media/crops/%d?%s", e.ItemID, query.Encode()), Fields: fields}
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func (s *Server) saveDraft(w http.ResponseWriter, r *http.Request) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	c, err := b.class(r)
	if err != nil {
		return err
	}
	body := r.PostFormValue("body")
	version, err := strconv.Atoi(r.PostFormValue("edit_version"))
	if err != nil {
		return badRequest("The form is incomplete. Load the page again.")
	}
	var confused []int64
	for _, value := range r.PostForm["confused"] {
		if id, err := strconv.ParseInt(value, 10, 64); err == nil {
			confused = append(confused, id)
		}
	}
	err = s.Store.SaveDefinition(r.Context(), actorOf(r), c.ID, version, body, confused)
	if err == nil && r.PostFormValue("then") == "publish" {
		return s.publish(w, r, b, c, max(version, 1)+1) // a new draft begins at 1, and saving raised it
	}
	if errors.Is(err, store.ErrConflict) {
		fault := &store.InvalidError{Field: "body", Reason: "Somebody else saved this draft meanwhile. Your text is below, unsaved; saving it now replaces theirs."}
		return s.renderDraft(w, r, http.StatusConflict, &body, fault)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The draft is saved.")
	return seeOther(w, r, backTo(r, classHref(b.project.Slug, c.ID)+"/draft"))
}

// publish makes a draft that was just saved the next definition. Where labels were made before, it asks first what
// becomes of them.
func (s *Server) publish(w http.ResponseWriter, r *http.Request, b bookOf, c store.Class, editVersion int) error {
	counts, err := s.labelCounts(r, b)
	if err != nil {
		return err
	}
	if len(counts[c.ID]) > 0 {
		ask := classHref(b.project.Slug, c.ID) + "/publish"
		if pair := r.PostFormValue("pair"); pair != "" {
			ask = with(ask, url.Values{}, "pair", pair)
		}
		return seeOther(w, r, ask)
	}
	version, err := s.Store.PublishDefinition(r.Context(), actorOf(r), c.ID, editVersion)
	if inv, ok := errors.AsType[*store.InvalidError](err); ok {
		return s.renderDraft(w, r, http.StatusUnprocessableEntity, nil, inv)
	}
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("Version %d of %s is published. Labels from now on carry it.", version, c.Name))
	return seeOther(w, r, classHref(b.project.Slug, c.ID))
}

func (s *Server) discardDraft(w http.ResponseWriter, r *http.Request) error {
	return s.changeBook(w, r, "The draft is gone; what is published stays.", "", func(c store.Class) error {
		return s.Store.DiscardDefinition(r.Context(), actorOf(r), c.ID)
	})
}

func (s *Server) editClass(w http.ResponseWriter, r *http.Request) error {
	edit := store.ClassEdit{Name: r.PostFormValue("name"), Key: r.PostFormValue("key"), Retired: r.PostFormValue("retired") != ""}
	return s.changeBook(w, r, "The class is saved.", "/draft", func(c store.Class) error {
		return s.Store.EditClass(r.Context(), actorOf(r), c.ID, edit)
	})
}

func (s *Server) addExample(w http.ResponseWriter, r *http.Request) error {
	e := store.Example{Shows: r.PostFormValue("shows"), Caption: r.PostFormValue("caption")}
	var err error
	if e.ItemID, err = strconv.ParseInt(r.PostFormValue("item"), 10, 64); err != nil {
		return badRequest("Say which item the crop is from.")
	}
	if e.X, e.Y, e.W, e.H, err = boxOf(r.PostForm); err != nil {
		return err
	}
	said := ""
	if r.PostFormValue("back") != "" {
		said = "It is in the draft of the definition, and in the book once that is published."
	}
	return s.changeBook(w, r, said, "/draft#examples", func(c store.Class) error {
		return s.Store.AddExample(r.Context(), actorOf(r), c.ID, e)
	})
}

func boxOf(values url.Values) (x, y, w, h float64, err error) {
	for name, to := range map[string]*float64{"x": &x, "y": &y, "w": &w, "h": &h} {
		if *to, err = strconv.ParseFloat(values.Get(name), 64); err != nil {
			return 0, 0, 0, 0, badRequest("The crop needs x, y, w and h in pixels.")
		}
	}
	return x, y, w, h, nil
}

func (s *Server) removeExample(w http.ResponseWriter, r *http.Request) error {
	example, err := pathID(r, "example")
	if err != nil {
		return err
	}
	return s.changeBook(w, r, "", "/draft#examples", func(c store.Class) error {
		return s.Store.RemoveExample(r.Context(), actorOf(r), c.ID, example)
	})
}

// changeBook makes one change to the class of the path, says so, and goes to its page followed by
// after. What the person can mend is shown on the draft's page.
func (s *Server) changeBook(w http.ResponseWriter, r *http.Request, said, after string, change func(store.Class) error) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	c, err := b.class(r)
	if err != nil {
		return err
	}
	err = change(c)
	if inv, ok := errors.AsType[*store.InvalidError](err); ok {
		return s.renderDraft(w, r, http.StatusUnprocessableEntity, nil, inv)
	}
	if err != nil {
		return err
	}
	if said != "" {
		s.flash(r, said)
	}
	return seeOther(w, r, backTo(r, classHref(b.project.Slug, c.ID)+after))
}

// backTo is the page that a form names as the one it stands on, if it names any, else the other.
func backTo(r *http.Request, otherwise string) string {
	if back := r.PostFormValue("back"); back != "" {
		return localPath(back)
	}
	return otherwise
}

// classColours is the project's generated style sheet: the colour and the line of each class.
func (s *Server) classColours(w http.ResponseWriter, r *http.Request) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	slots := make([]int, len(b.classes))
	for i, c := range b.classes {
		slots[i] = c.Slot
	}
	sheet := palette.Stylesheet(slots)
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	// Asked for again with every page, so that a new class has its color at once.
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(sheet))))
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(sheet))
	return nil
}

func (s *Server) exampleCrop(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "example")
	if err != nil {
		return err
	}
	object, err := s.Store.ExampleCrop(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	return serveCrop(w, r, object)
}

func (s *Server) candidateCrop(w http.ResponseWriter, r *http.Request) error {
	item, err := pathID(r, "item")
	if err != nil {
		return err
	}
	x, y, bw, bh, err := boxOf(r.URL.Query())
	if err != nil {
		return err
	}
	object, err := s.Store.CandidateCrop(r.Context(), actorOf(r), item, x, y, bw, bh)
	if err != nil {
		return err
	}
	return serveCrop(w, r, object)
}

// serveCrop streams a crop. Like all media it is never kept by the browser.
func serveCrop(w http.ResponseWriter, r *http.Request, object *blob.Object) error {
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Cache-Control", "no-store")
	http.ServeContent(w, r, "", time.Time{}, object)
	return object.Close()
}
