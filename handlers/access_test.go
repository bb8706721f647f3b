package handlers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/store"
)

// write does what the job of a request does.
func (s *site) write(id int64, content string) {
	s.t.Helper()
	request, ok, err := s.BeginAccess(s.t.Context(), id)
	if err != nil || !ok {
		s.t.Fatal(ok, err)
	}
	if _, err := s.bucket.Put(s.t.Context(), request.Blob(), strings.NewReader(content), int64(len(content)), "application/zip"); err != nil {
		s.t.Fatal(err)
	}
	if err := s.FinishAccess(s.t.Context(), id, store.Archive{Bytes: int64(len(content)), SHA256: []byte{1}}, 3); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) one(sql string, args ...any) (n int64) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), sql, args...).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func TestPeopleAskWhatIsHeldOnThem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mara, _ := s.person(access.Labeler)
	labeler, admin, other := s.browserOf(mara), s.browser(access.Admin), s.browser(access.Admin)
	labeler.get("/account").shows("What is held", "for you alone")
	path := labeler.post("/account/access").want(http.StatusSeeOther).Header().Get("Location")
	labeler.get(path).shows("Writing what is held", "Your account").lacks("Download")
	s.write(1, "all of it")
	labeler.get(path).shows("Download", "Kept until", "9 bytes")
	labeler.get("/account").shows("ready to be taken away")
	if got := labeler.get(path + "/download").want(http.StatusOK).Body.String(); got != "all of it" {
		t.Errorf("%q", got)
	}
	labeler.get(path).shows("taken away")
	admin.get(path).shows("not yours to take").lacks("Download")
	admin.get(path + "/download").want(http.StatusForbidden)
	asked := admin.post(fmt.Sprintf("/admin/people/%d/access", mara)).want(http.StatusSeeOther).Header().Get("Location")
	s.write(2, "for the admin")
	admin.get(asked + "/download").want(http.StatusOK)
	other.get(asked + "/download").want(http.StatusForbidden)
	s.browser(access.Labeler).get(asked).want(http.StatusNotFound)
	admin.get("/retention/access").shows("Access requests", "Ada Strip", "a person", "taken away")
	labeler.get("/retention/access").want(http.StatusForbidden)
	if _, err := s.pool.Exec(t.Context(), `UPDATE access_requests SET finished_at = now() - interval '8 days'`); err != nil {
		t.Fatal(err)
	}
	if err := s.SweepAccess(t.Context()); err != nil {
		t.Fatal(err)
	}
	labeler.get(path).shows("This archive is deleted")
	labeler.get(path + "/download").want(http.StatusGone)
	if n := s.one(`SELECT count(*) FROM audit_events WHERE action = 'access.download'`); n != 2 {
		t.Errorf("%d downloads in the audit log", n)
	}
}

func TestAdminsAskWhatIsHeldOnASource(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	source, reviewer := s.steelSource(2)
	admin := s.browser(access.Admin)
	path := fmt.Sprintf("/retention/sources/%d/access", source.ID)
	admin.get(path).shows("What is held on Aurum", "Nobody has asked for this source yet")
	admin.post(path, "due_on", "soon").want(http.StatusUnprocessableEntity).shows("like 2026-12-24")
	asked := admin.post(path, "due_on", "2026-01-02", "media", "yes").want(http.StatusSeeOther).Header().Get("Location")
	s.write(1, "theirs")
	admin.get(asked).shows("A source, with its images", "overdue since 2 Jan 2026")
	admin.get(path).shows("Aurum", "ready to be taken away", "overdue")
	admin.get(asked + "/download").want(http.StatusOK)
	s.browser(access.Admin).get(asked).shows("taken away").lacks("overdue")
	reviewer.get(asked).want(http.StatusNotFound)
	reviewer.get(path).want(http.StatusForbidden)
}

func TestAccessRequestsByAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	source, _ := s.steelSource(1)
	_, email := s.person(access.Labeler)
	api := apiSite{Store: s.Store, handler: s.handler}
	token, another := api.token(t, access.Admin, 0), api.token(t, access.Admin, 0)
	call := func(token, method, path, body string) answer {
		return answer{api.call(t, token, method, path, body), t}
	}
	call(token, "POST", "/api/v1/access", `{}`).want(http.StatusUnprocessableEntity).shows("one of the two")
	call(token, "POST", "/api/v1/access", `{"person":"nobody@example.org"}`).want(http.StatusNotFound)
	call(token, "POST", "/api/v1/access", fmt.Sprintf(`{"source_id":%d,"due_on":"2027-01-31"}`, source.ID)).want(http.StatusCreated).shows(`"id":1`)
	call(token, "POST", "/api/v1/access", fmt.Sprintf(`{"person":%q}`, strings.ToUpper(email))).want(http.StatusCreated).shows(`"id":2`)
	call(token, "GET", "/api/v1/access/1/archive", "").want(http.StatusNotFound)
	s.write(1, "a")
	s.write(2, "bc")
	call(token, "GET", "/api/v1/access/1", "").shows(`"state":"done"`, `"due_on":"2027-01-31"`, `"kept_until"`, `"bytes":1`)
	call(token, "GET", "/api/v1/access?limit=1", "").shows(`"id":2`, `"next"`).lacks(`"id":1,`)
	call(token, "GET", fmt.Sprintf("/api/v1/access?source_id=%d", source.ID), "").shows(`"id":1`).lacks(`"id":2`)
	call(another, "GET", "/api/v1/access/1/archive", "").want(http.StatusOK)
	call(another, "GET", "/api/v1/access/2/archive", "").want(http.StatusForbidden)
	if got := call(token, "GET", "/api/v1/access/2/archive", "").want(http.StatusOK).Body.String(); got != "bc" {
		t.Errorf("%q", got)
	}
}

// Once somebody has left, neither their name nor their address is in any column of the database, River's among them.
func TestNothingOfWhoLeftIsLeft(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.steel()
	admin := s.browser(access.Admin)
	id, _ := s.person(access.Admin)
	theirs := s.browserOf(id)
	theirs.post("/account/name", "name", "Canaria Nachname").want(http.StatusSeeOther)
	for _, sql := range []string{ // every place of the inventory that holds something of a person, whoever wrote it there
		`UPDATE person_identities SET email = 'canaria@example.org' WHERE person_id = $1`,
		`UPDATE people SET preferences = '{"keys":{"draw":"canaria"}}' WHERE id = $1`,
		`INSERT INTO members (project_id, person_id, paused_at, paused_by, pause_reason) SELECT id, $1, now(), $1, 'canaria is away' FROM projects`,
		`INSERT INTO concerns (project_id, person_id, score, results, gold_limit) SELECT id, $1, 0.1, 9, 0.8 FROM projects`,
		`INSERT INTO labeler_figures (project_id, person_id, audience, answers, approved, amended, rejected, truth_objects, truth_agreed, peer_objects, peer_agreed, gold_items, gold_objects, gold_agreed) SELECT id, $1, 'reviewers', 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM projects`,
		`INSERT INTO notices (person_id, kind, object_type, object_id) VALUES ($1, 'mentioned', 'item', 1)`,
	} {
		if _, err := s.pool.Exec(t.Context(), sql, id); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	asked := theirs.post("/account/access").want(http.StatusSeeOther).Header().Get("Location")
	s.write(1, "canaria")
	s.canariaWorks(theirs, project)
	admin.get(asked).shows("Canaria Nachname")
	holding := s.columnsWith("canaria")
	want := "members.pause_reason people.preferences person_identities.email person_identities.name"
	if got := strings.Join(holding, " "); got != want {
		t.Errorf("before: %s, want %s", got, want)
	}
	admin.post(fmt.Sprintf("/admin/people/%d/leave", id), "sure", "yes").want(http.StatusSeeOther)
	admin.get(fmt.Sprintf("/admin/people/%d", id)).shows("Left").lacks("Canaria")
	if err := s.SweepAccess(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := s.columnsWith("canaria"); len(left) > 0 {
		t.Errorf("left in %v", left)
	}
	for _, place := range store.Inventory() { // and no row where the inventory says that rows go
		if place.Of != store.OfPerson || !strings.HasPrefix(string(place.Erasure), "row deleted when the person leaves") {
			continue
		}
		if n := s.one(fmt.Sprintf(`SELECT count(*) FROM %s WHERE person_id = $1`, place.Table), id); n != 0 {
			t.Errorf("%s: %d rows", place.Table, n)
		}
	}
	for _, err := range s.bucket.List(t.Context(), "access/") {
		t.Errorf("an archive is left: %v", err)
	}
}

// canariaWorks does with a person's browser what leaves traces: makes things, asks for things twice, is refused.
func (s *site) canariaWorks(b *browser, project store.Project) {
	s.t.Helper()
	b.post("/retention/sources", "name", "Mill 9").want(http.StatusSeeOther)
	b.post("/projects/" + project.Slug + "/pause").want(http.StatusSeeOther)
	b.post("/projects/" + project.Slug + "/resume").want(http.StatusSeeOther)
	b.post("/admin/tokens", "name", "nightly", "role", "viewer", "days", "30")
	b.post("/admin/invitations", "role", "viewer")
	for range 2 { // the answer is kept under the key
		for path, body := range map[string]string{
			"/api/v1/sources": `{"name":"Line 7"}`, "/api/v1/access": `{"source_id":1}`, "/api/v1/projects": `{"slug":"another","kind":"image"}`,
			"/api/v1/datasets/steel-test/versions": `{"projects":["steel"]}`, "/api/v1/projects/steel/batches": `{"title":"first"}`,
		} {
			s.sendJSON(b, path, body)
		}
	}
}

// sendJSON posts a body under an idempotency key; that it is taken or refused is not what is looked at.
func (s *site) sendJSON(b *browser, path, body string) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Idempotency-Key", "key-"+path)
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	if s.handler.ServeHTTP(w, r); w.Code >= http.StatusInternalServerError {
		s.t.Errorf("%s answers %d", path, w.Code)
	}
}

// columnsWith lists the columns of all tables, River's too, that hold a text in whatever case, as text or as bytes.
func (s *site) columnsWith(text string) []string {
	s.t.Helper()
	rows, err := s.pool.Query(s.t.Context(), `
		SELECT c.table_name || '.' || c.column_name, format('SELECT EXISTS (SELECT FROM %I WHERE %s)', c.table_name, CASE c.data_type
			WHEN 'bytea' THEN format('position(convert_to($1, ''UTF8'') IN lower(encode(%I, ''escape''))::bytea) > 0', c.column_name)
			ELSE format('strpos(lower(%I::text), $1) > 0', c.column_name) END)
		FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
		WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' ORDER BY 1`)
	if err != nil {
		s.t.Fatal(err)
	}
	type column struct{ Name, Query string }
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	if err != nil {
		s.t.Fatal(err)
	}
	var found []string
	for _, c := range columns {
		var holds bool
		if err := s.pool.QueryRow(s.t.Context(), c.Query, text).Scan(&holds); err != nil {
			s.t.Fatalf("%s: %v", c.Query, err)
		}
		if holds {
			found = append(found, c.Name)
		}
	}
	return found
}
