package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

// bookSite is a site with one project, and a reviewer who is in it.
func bookSite(t *testing.T) (s *site, reviewer *browser, project store.Project) {
	t.Helper()
	s = newSite(t)
	project, err := s.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strip", Name: "Hot strip", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	return s, s.memberOf(project, access.Reviewer), project
}

func (s *site) memberOf(project store.Project, role access.Role) *browser {
	s.t.Helper()
	id, _ := s.person(role)
	if err := s.AddMember(s.t.Context(), store.System(), project.ID, id); err != nil {
		s.t.Fatal(err)
	}
	return s.browserOf(id)
}

func TestDefectBookFromClassToPublishedDefinition(t *testing.T) {
	t.Parallel()
	s, reviewer, project := bookSite(t)
	reviewer.get("/projects/strip/guideline").want(http.StatusOK).shows("No class yet")
	class := reviewer.post("/projects/strip/classes", "name", "Scratch", "key", "1").want(http.StatusSeeOther).Header().Get("Location")
	href := strings.TrimSuffix(class, "/draft")
	reviewer.post(class, "edit_version", "0", "body", "A *bright* line. <script>alert(1)</script>").to(class)
	labeler := s.memberOf(project, access.Labeler)
	labeler.get(href).want(http.StatusOK).shows("Not defined yet").lacks("bright")
	reviewer.post(class, "edit_version", "2", "body", "A *bright* line. <script>alert(1)</script>", "then", "publish").to(href)

	page := labeler.get(href).want(http.StatusOK).shows("Version 1", "A bright line.")
	if strings.Contains(page.Body.String(), "alert(1)</script>") {
		t.Error("a definition brought a script into the page")
	}
	labeler.get(href+"/panel").want(http.StatusOK).shows("Scratch", "definition v1", "A bright line.")
	css := labeler.get("/projects/strip/classes.css").want(http.StatusOK)
	if !strings.Contains(css.Body.String(), ".c0") || !strings.HasPrefix(css.Header().Get("Content-Type"), "text/css") {
		t.Errorf("the style sheet lacks the class: %s", css.Body)
	}
}

func TestDraftKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	_, reviewer, _ := bookSite(t)
	class := reviewer.post("/projects/strip/classes", "name", "Scratch").want(http.StatusSeeOther).Header().Get("Location")
	reviewer.post(class, "edit_version", "0", "body", "The other reviewer's text").to(class)
	stale := reviewer.post(class, "edit_version", "0", "body", "My long text").want(http.StatusConflict)
	stale.shows("My long text", "Somebody else saved this draft meanwhile")
	reviewer.post(class, "edit_version", "2", "body", "  ", "then", "publish").want(http.StatusUnprocessableEntity).
		shows("Write down what belongs to the class")
	reviewer.post("/projects/strip/classes", "name", "scratch").want(http.StatusUnprocessableEntity).shows("There is a class of this name already")
	reviewer.post(class, "edit_version", "x", "body", "text").want(http.StatusBadRequest)
}

func TestDefectBookIsClosedToOthers(t *testing.T) {
	t.Parallel()
	s, reviewer, project := bookSite(t)
	class := reviewer.post("/projects/strip/classes", "name", "Scratch").want(http.StatusSeeOther).Header().Get("Location")
	stranger, labeler := s.browser(access.Reviewer), s.memberOf(project, access.Labeler)
	for _, path := range []string{"/projects/strip/guideline", "/projects/strip/classes.css", class, strings.TrimSuffix(class, "/draft")} {
		stranger.get(path).want(http.StatusNotFound)
	}
	stranger.post("/projects/strip/classes", "name", "Pit").want(http.StatusNotFound)
	labeler.post("/projects/strip/classes", "name", "Pit").want(http.StatusForbidden)
	labeler.get(class).want(http.StatusForbidden)
	labeler.get("/media/crops/1?x=0&y=0&w=9&h=9").want(http.StatusForbidden)
	reviewer.get("/projects/strip/classes/999").want(http.StatusNotFound)
	other, err := s.AddProject(t.Context(), store.System(), store.NewProject{Slug: "other", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := s.AddClass(t.Context(), store.System(), other.ID, "Elsewhere", "")
	if err != nil {
		t.Fatal(err)
	}
	reviewer.get(fmt.Sprintf("/projects/strip/classes/%d", foreign)).want(http.StatusNotFound)
}
