package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

func TestMakeAndChangeAProject(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.browser(access.Admin)
	admin.get("/projects").shows("No project yet")
	admin.post("/projects", "slug", "Hot Strip", "name", "Hot strip", "overlap", "2", "lease_minutes", "20").want(http.StatusUnprocessableEntity).
		shows("lower-case letters")
	admin.post("/projects", "slug", "steel", "name", "Hot strip", "overlap", "two", "lease_minutes", "20").want(http.StatusUnprocessableEntity).
		shows("between 1 and 9")
	admin.post("/projects", "slug", "steel", "name", "Hot strip", "overlap", "2", "lease_minutes", "20", "metadata_keys", "coil\r\n\r\nside").to("/projects/steel")
	admin.get("/projects/steel").shows("Hot strip", "No items yet", "coil, side", "20 min", "has no class yet").lacks("Nobody labels here yet")
	admin.post("/projects", "name", "Cold strip, mill 3", "overlap", "1", "lease_minutes", "20").to("/projects/cold-strip-mill-3")
	settings := []string{"name", "Hot strip top", "overlap", "3", "lease_minutes", "15", "accepts_truth", "yes", "version", "1"}
	admin.post("/projects/steel/settings", settings...).to("/projects/steel/settings")
	admin.post("/projects/steel/settings", settings...).want(http.StatusConflict).shows("Somebody else changed the settings")
	project, err := s.Project(t.Context(), store.System(), "steel")
	if err != nil || project.Name != "Hot strip top" || project.Overlap != 3 || !project.AcceptsTruth {
		t.Errorf("%+v, %v", project, err)
	}
	admin.post("/projects/steel/pause").to("/projects/steel/settings")
	admin.get("/projects").shows("paused")
	admin.post("/projects/steel/resume").to("/projects/steel/settings")
	admin.post("/projects/steel/archive").to("/projects")
	admin.get("/projects/steel").want(http.StatusNotFound)
	admin.get("/projects").shows("Archived", "Hot strip top")
	admin.post("/projects/steel/restore").to("/projects/steel")
}

func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.steel()
	admin := s.browser(access.Admin)
	id, email := s.person(access.Labeler)
	labeler := s.browserOf(id)
	labeler.get("/projects").shows("No project for you yet")
	labeler.get("/projects/steel").want(http.StatusNotFound)
	admin.post("/projects/steel/members", "email", "nobody@example.org").want(http.StatusUnprocessableEntity).shows("Nobody here has this address")
	admin.post("/projects/steel/members", "email", strings.ToUpper(email)).to("/projects/steel/members")
	admin.get("/projects/steel/members").shows(email)
	labeler.get("/projects/steel").want(http.StatusOK).lacks("Members", "Imports", "Items 0")
	admin.post(fmt.Sprintf("/projects/steel/members/%d/remove", id)).to("/projects/steel/members")
	labeler.get("/projects/steel").want(http.StatusNotFound)
}

func TestItemPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.steel()
	item, _ := s.picture(project.ID, "coil-7/strip-1.png")
	s.picture(project.ID, "coil-8/strip-2.png")
	path := fmt.Sprintf("/items/%d", item)
	reviewer := s.member(access.Reviewer, project.ID)
	reviewer.get("/projects/steel/items").shows("coil-7/strip-1.png", "coil-8/strip-2.png", "open")
	reviewer.get("/projects/steel/items?key=coil-8").shows("coil-8/strip-2.png").lacks("coil-7/strip-1.png")
	reviewer.get("/projects/steel/items?state=broken").shows("No such item")
	reviewer.get("/projects/steel/items?state=nonsense").want(http.StatusUnprocessableEntity)
	page := reviewer.get(path).shows("coil-7/strip-1.png", "100 × 80 px", "mill", "imported")
	page.lacks("Own date")
	page.attribute("src", fmt.Sprintf("/media/items/%d/display", item))
	s.browser(access.Reviewer).get(path).want(http.StatusNotFound)
	s.member(access.Labeler, project.ID).get(path).want(http.StatusForbidden)

	admin := s.browser(access.Admin)
	admin.post(path+"/priority", "priority", "high", "version", "1").want(http.StatusUnprocessableEntity).shows("whole number")
	admin.post(path+"/priority", "priority", "7", "version", "9").want(http.StatusConflict).shows("decided on meanwhile")
	admin.post(path+"/priority", "priority", "7", "version", "1").to(path)
	admin.post(path+"/retention", "until", "tomorrow").want(http.StatusUnprocessableEntity)
	admin.post(path+"/retention", "until", "2030-06-01").to(path)
	admin.get(path).shows("1 Jun 2030")
	admin.post(path+"/retention", "until", "").to(path)
	admin.get(path).shows("no limit").lacks("1 Jun 2030")
}

// Labelers' names stay hidden from reviewers until the item is decided.
func TestNamesAreHiddenUntilTheDecision(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.steel()
	item, _ := s.picture(project.ID, "strip-1.png")
	id, err := s.AddPerson(t.Context(), store.System(), store.NewPerson{Email: "jo@example.org", Name: "Jo Weber", Role: access.Labeler})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddMember(t.Context(), store.System(), project.ID, id); err != nil {
		t.Fatal(err)
	}
	labeler := store.Actor{PersonID: id, Role: access.Labeler}
	claimed, err := s.Claim(t.Context(), labeler, project.Slug, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(t.Context(), labeler, store.NewAnnotation{Task: claimed.Task, Assignment: claimed.Assignment}); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/items/%d", item)
	reviewer := s.member(access.Reviewer, project.ID)
	reviewer.get(path).shows("Labeler A", "answered").lacks("Jo Weber")
	s.browser(access.Admin).get(path).shows("Jo Weber")
	if _, err := s.pool.Exec(t.Context(), `UPDATE tasks SET state = 'adjudicated'`); err != nil {
		t.Fatal(err)
	}
	reviewer.get(path).shows("Jo Weber")
}

func TestSearchAnswersPageAndPalette(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.steel()
	s.picture(project.ID, "coil-7/strip-1.png")
	reviewer := s.member(access.Reviewer, project.ID)
	page := reviewer.get("/search?q=coil").shows("Items", "coil-7/strip-1.png")
	page.attribute("action", "/search")
	reviewer.get("/search?q=nothing+like+it").shows("Nothing found")
	palette := reviewer.do(http.MethodGet, "/search?q=hot", nil, "HX-Request", "true")
	if strings.Contains(palette.Body.String(), "<html") || palette.attribute("href", "/projects/") != "/projects/steel" || palette.attribute("data-icon", "") == "" {
		t.Errorf("the palette got %s", palette.Body)
	}
	s.browser(access.Reviewer).get("/search?q=coil").shows("Nothing found")
}

func TestAPIListsItemsPageByPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.steel()
	for i := range 5 {
		s.picture(project.ID, fmt.Sprintf("coil-7/strip-%d.png", i))
	}
	site := apiSite{Store: s.Store, handler: s.handler}
	token := site.token(t, access.Admin, 0)
	var keys []string
	for path := "/api/v1/projects/steel/items?limit=2&state=open"; path != ""; {
		page := decoded[struct {
			Data []struct{ Key, State, Task string }
			Next string
		}](t, site.call(t, token, "GET", path, ""))
		for _, item := range page.Data {
			keys = append(keys, item.Key+" "+item.State+" "+item.Task)
		}
		path = page.Next
		if len(keys) > 5 {
			break
		}
	}
	if len(keys) != 5 || keys[4] != "coil-7/strip-4.png ready open" {
		t.Errorf("listed %q", keys)
	}
	for _, path := range []string{"/projects/steel/items?limit=0", "/projects/steel/items?after=x", "/projects/steel/items?state=x"} {
		if rec := site.call(t, token, "GET", "/api/v1"+path, ""); rec.Code/100 != 4 {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	if rec := site.call(t, site.token(t, access.Labeler, project.ID), "GET", "/api/v1/projects/steel/items", ""); rec.Code != http.StatusForbidden {
		t.Errorf("a labeler's token: %d", rec.Code)
	}
}

// From page to page and back, the same items are shown.
func TestItemsBackAndForth(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.steel()
	_, err := s.pool.Exec(t.Context(), `
		WITH source AS (INSERT INTO sources (name) VALUES ('mill') RETURNING id)
		INSERT INTO items (project_id, source_id, key_hash) SELECT $1, source.id, decode(lpad(n::text, 8, '0'), 'hex') FROM source, generate_series(1, 130) n`, project.ID)
	if err != nil {
		t.Fatal(err)
	}
	admin := s.browser(access.Admin)
	var pages []string
	for path := "/projects/steel/items"; ; path = admin.get(path).attribute("href", "?after=") {
		if pages = append(pages, admin.get(path).text()); len(pages) == 3 {
			break
		}
	}
	last := admin.get(admin.get(admin.get("/projects/steel/items").attribute("href", "?after=")).attribute("href", "?after="))
	if last.text() != pages[2] || !strings.Contains(last.text(), "10 shown") {
		t.Errorf("the last page:\n%s", last.text())
	}
	middle := admin.get(last.attribute("href", "before="))
	if middle.text() != pages[1] {
		t.Errorf("back from the last page:\n%s\nwant:\n%s", middle.text(), pages[1])
	}
	if first := admin.get(middle.attribute("href", "before=")); first.Code == http.StatusSeeOther {
		if got := admin.get(first.Header().Get("Location")).text(); got != pages[0] {
			t.Errorf("back at the first page:\n%s", got)
		}
	} else {
		t.Errorf("the first page answers %d", first.Code)
	}
}
