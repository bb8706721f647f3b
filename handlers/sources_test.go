package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

func TestSourcesAreAddedAndChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.browser(access.Admin)
	admin.get("/retention/sources").shows("No source yet")
	admin.post("/retention/sources", "name", "Mill 2", "retention_days", "soon").want(http.StatusUnprocessableEntity).shows("between 1 day and 36500")
	added := admin.post("/retention/sources", "name", "Mill 2", "retention_days", "90").want(http.StatusSeeOther).Header().Get("Location")
	admin.post("/retention/sources", "name", "Mill 2").want(http.StatusUnprocessableEntity).shows("already")
	admin.get(added).shows("Mill 2", "Kept: 90 days", "May reach: everything", "Nothing is held of it", "no project here holds any", "Made")
	admin.post(added, "name", "", "version", "1").want(http.StatusUnprocessableEntity).shows("Give the source a name")
	admin.post(added, "name", "Mill 3", "version", "1", "consumers", "named", "consumer_names", "team a\r\nteam b", "models", "all").to(added)
	admin.get(added).shows("Mill 3", "Kept: no limit", "May reach: of consumers team a, team b; all model servers", "90 days", "Ada Strip")
	admin.get("/retention/sources").shows("Mill 3", "of consumers team a, team b")
	reviewer := s.browser(access.Reviewer)
	reviewer.get("/retention/sources").want(http.StatusOK).shows("No source has data in your projects").lacks("Mill 3", "Add a source")
	reviewer.get(added).want(http.StatusNotFound)
	reviewer.post(added, "name", "Mine").want(http.StatusForbidden)
}

// steelSource gives the project of steel a source with items, of which a reviewer is told.
func (s *site) steelSource(items int) (source store.Source, reviewer *browser) {
	s.t.Helper()
	project := s.steel().ID
	source, err := s.AddSource(s.t.Context(), store.System(), "Aurum", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.pool.Exec(s.t.Context(), `INSERT INTO items (project_id, source_id, key_hash, captured_at)
		SELECT $1, $2, n::text::bytea, now() - n * interval '1 day' FROM generate_series(1, $3) n`, project, source.ID, items)
	if err != nil {
		s.t.Fatal(err)
	}
	return source, s.member(access.Reviewer, project)
}

func TestAShorterRetentionIsSeenBeforeItIsSaved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	source, reviewer := s.steelSource(40)
	admin := s.browser(access.Admin)
	path := fmt.Sprintf("/retention/sources/%d", source.ID)
	form := []string{"name", "Aurum", "retention_days", "30", "version", "1", "exports", "yes", "consumers", "all", "models", "all"}
	page := admin.post(path, form...).want(http.StatusOK).shows("for 30 days instead of no limit", "of 40 items become due as soon as you save", "At once 11", "Nothing is saved yet")
	page.attribute("value", "yes")
	admin.get(path).shows("Kept: no limit")
	admin.post(path, append(form, "confirmed", "yes")...).to(path)
	admin.get(path).shows("Kept: 30 days", "Moving the dates of its items", "The dates of the items follow")
	reviewer.get(path).shows("Kept: 30 days", "Hot strip", "Items").lacks("Save the policy")
	reviewer.get("/retention/sources").shows("Aurum", "30 days", "dates are moving")
	if err := s.MoveDates(t.Context(), lastChange(t, s)); err != nil {
		t.Fatal(err)
	}
	admin.get(path).shows("Due now 11", "no limit", "40").lacks("Moving the dates")
	admin.get("/retention/sources").shows("11 due")
}

func lastChange(t *testing.T, s *site) (id int64) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), `SELECT max(id) FROM source_changes`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestWhoSavesSecondSeesTheFirstChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	source, _ := s.steelSource(0)
	first, second := s.browser(access.Admin), s.browser(access.Admin)
	path := fmt.Sprintf("/retention/sources/%d", source.ID)
	form := func(days, version string) []string {
		return []string{"name", "Aurum", "retention_days", days, "version", version, "exports", "yes", "consumers", "all", "models", "all"}
	}
	first.post(path, form("60", "1")...).to(path)
	page := second.post(path, form("45", "1")...).want(http.StatusConflict).shows("Somebody else changed this source", "Ada Strip", "no limit", "60 days")
	page.attribute("value", "45")
	second.post(path, form("45", "2")...).to(path)
	second.get(path).shows("Kept: 45 days")
	second.post(path, "name", "Aurum").want(http.StatusConflict) // a form that says no version
}

func TestSourcesByAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	api := apiSite{Store: s.Store, handler: s.handler}
	token := api.token(t, access.Admin, 0)
	call := func(method, path, body string) answer { return answer{api.call(t, token, method, path, body), t} }
	made := call("POST", "/api/v1/sources", `{"name":"Line 2","retention_days":90,"open_to":["exports"],"models":["steelnet"]}`).want(http.StatusCreated)
	path := made.Header().Get("Location")
	call("GET", path, "").shows(`"retention_days":90`, `"open_to":["exports"]`, `"models":["steelnet"]`, `"version":1`)
	edit := `{"version":%d,"name":"Line 2","retention_days":%s,"expiry_action":"delete","open_to":["exports"],"consumers":[],"models":[]}`
	call("PUT", path, fmt.Sprintf(edit, 1, "null")).want(http.StatusOK).shows(`"retention_days":null`, `"version":2`, `"moving":false`)
	call("PUT", path, fmt.Sprintf(edit, 1, "30")).want(http.StatusConflict)
	project := s.steel().ID
	if _, err := s.pool.Exec(t.Context(), `INSERT INTO items (project_id, source_id, key_hash, captured_at)
		SELECT $1, id, '\x01', now() - interval '40 days' FROM sources`, project); err != nil {
		t.Fatal(err)
	}
	call("GET", path+"/preview?retention_days=30", "").shows(`"due_at_once":1`, `"versions":[]`)
	call("PUT", path, fmt.Sprintf(edit, 2, "30")).want(http.StatusUnprocessableEntity).shows("preview")
	call("PUT", path, strings.Replace(fmt.Sprintf(edit, 2, "30"), "{", `{"confirm":true,`, 1)).want(http.StatusOK).shows(`"moving":true`)
	call("GET", path+"/changes?limit=2", "").shows(`"before":{"name":"Line 2","retention_days":null`, `"state":"moving"`, `"next":`)
	call("GET", path+"/changes?after=2&limit=2", "").shows(`"before":null`).lacks(`"next":`)
}
