package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// exampleCandidates is how many crops a draft's page offers.
const exampleCandidates = 24

func (s *Server) showDraft(w http.ResponseWriter, r *http.Request) error {
	return s.renderDraft(w, r, http.StatusOK, nil, nil)
}

// renderDraft shows the draft; typed is a text that could not be saved, and fault says why.
func (s *Server) renderDraft(w http.ResponseWriter, r *http.Request, status int, typed *string, fault *store.InvalidError) error {
	b, c, err := s.classInBook(r)
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
		Class: classView(b.project.Slug, c), Chosen: map[int64]bool{}, Sound: b.project.Kind == "audio", Back: href, Settings: href, Save: href + "/draft",
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
	b, c, err := s.classInBook(r)
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
