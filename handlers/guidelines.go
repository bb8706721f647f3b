package handlers

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/internal/palette"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

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

// classInBook returns the class that the path names, with the book that it is of.
func (s *Server) classInBook(r *http.Request) (b bookOf, c store.Class, err error) {
	id, err := pathID(r, "class")
	if err != nil {
		return b, c, err
	}
	if b, err = s.book(r); err != nil {
		return b, c, err
	}
	at := slices.IndexFunc(b.classes, func(c store.Class) bool { return c.ID == id })
	if at < 0 {
		return b, c, fmt.Errorf("class %d: %w", id, store.ErrNotFound)
	}
	return b, b.classes[at], nil
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
	b, c, err := s.classInBook(r)
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
	b, c, err := s.classInBook(r)
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

func (s *Server) editClass(w http.ResponseWriter, r *http.Request) error {
	edit := store.ClassEdit{Name: r.PostFormValue("name"), Key: r.PostFormValue("key"), Retired: r.PostFormValue("retired") != ""}
	return s.changeBook(w, r, "The class is saved.", "/draft", func(c store.Class) error {
		return s.Store.EditClass(r.Context(), actorOf(r), c.ID, edit)
	})
}

// changeBook makes one change to the class of the path, says so, and goes to its page followed by
// after. What the person can mend is shown on the draft's page.
func (s *Server) changeBook(w http.ResponseWriter, r *http.Request, said, after string, change func(store.Class) error) error {
	b, c, err := s.classInBook(r)
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
