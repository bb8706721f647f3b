package handlers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/internal/github"
	"fiducial/internal/receipt"
	"fiducial/store"
)

func TestTheTimelineTakesChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	reviewer, viewer := s.browser(access.Reviewer), s.browser(access.Viewer)
	viewer.get("/changes").want(http.StatusOK).shows("Nothing is recorded yet").lacks("Record a change")
	reviewer.post("/changes", "kind", "change", "title", "").want(http.StatusUnprocessableEntity).shows("Say in one line")
	reviewer.post("/changes", "kind", "change", "title", "a", "at", "yesterday").want(http.StatusUnprocessableEntity).shows("Write the time like")
	reviewer.post("/changes", "kind", "intervention", "title", "Went back to 1.4", "at", "2026-03-01T10:30", "system", "asr", "body", "It *hurt*.",
		"url", "https://example.org/4711").to("/changes")
	reviewer.post("/changes", "kind", "change", "title", "New microphones").to("/changes")
	viewer.get("/changes").shows("Went back to 1.4", "March 2026", "1 Mar 2026, 10:30", "New microphones")
	viewer.get("/changes?kind=intervention").shows("Went back to 1.4").lacks("New microphones")
	changes, err := s.Changes(t.Context(), store.System(), store.ChangeFilter{System: "asr"}, 2)
	if err != nil || len(changes) != 1 {
		t.Fatal(changes, err)
	}
	path := fmt.Sprintf("/changes/%d", changes[0].ID)
	viewer.get(path).shows("Intervention", "hurt", "https://example.org/4711").lacks("Take it off")
	other := s.browser(access.Reviewer)
	other.get(path).lacks("Edit it")
	other.get(path + "/edit").want(http.StatusForbidden)
	other.post(path+"/edit", "kind", "change", "title", "Mine now").want(http.StatusForbidden)
	other.post(path + "/remove").want(http.StatusForbidden)
	reviewer.get(path+"/edit").shows("Edit the change", "Went back to 1.4").attribute("value", "2026-03-01T10:30")
	reviewer.post(path+"/edit", "kind", "change", "title", "").want(http.StatusUnprocessableEntity).shows("Say in one line", "Edit the change")
	reviewer.post(path+"/edit", "kind", "intervention", "title", "Went back to 1.3", "at", "2026-03-01T10:30", "system", "asr").to(path)
	viewer.get(path).shows("Went back to 1.3", "1 Mar 2026, 10:30", "Edited").lacks("hurt")
	s.browser(access.Admin).post(path+"/edit", "kind", "intervention", "title", "Went back to 1.2", "at", "", "system", "asr").to(path)
	viewer.get(path).shows("Went back to 1.2", "1 Mar 2026, 10:30")
	viewer.get("/changes?from=2026-03-01&to=2026-03-01").shows("Went back to 1.2").lacks("New microphones")
	viewer.get("/changes?from=2026-03-02&to=2026-03-03").shows("Nothing like that is recorded")
	if edits := s.one(`SELECT count(*) FROM audit_events WHERE action = 'change.edit' AND object_id = $1`, changes[0].ID); edits != 2 {
		t.Errorf("%d edits are in the audit log", edits)
	}
	reviewer.post(path + "/remove").to("/changes")
	viewer.get(path).want(http.StatusNotFound)
}

func TestProgramsRecordChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	call := s.programs(access.Reviewer, 0)
	for range 2 { // under one key, once
		call("POST", "/changes", `{"title":"Deployed 2.1","key":"deploy-1","at":"2026-03-01T10:00:00Z"}`).want(http.StatusCreated)
	}
	call("POST", "/changes", `{"title":"Rolled back","kind":"intervention"}`).want(http.StatusCreated)
	if list := call("GET", "/changes", "").want(http.StatusOK).text(); strings.Count(list, "Deployed 2.1") != 1 {
		t.Error(list)
	}
	call("GET", "/changes?kind=change", "").shows("Deployed 2.1").lacks("Rolled back")
	call("GET", "/changes?limit=1", "").shows("Rolled back", `"next":"/api/v1/changes?`)
	call("POST", "/changes", `{"title":""}`).want(http.StatusUnprocessableEntity)
	call("PATCH", "/changes/1", `{"title":"Deployed 2.1.1","system":"asr"}`).want(http.StatusOK).
		shows(`"title":"Deployed 2.1.1"`, `"system":"asr"`, `"at":"2026-03-01T10:00:00Z"`, `"edited_at"`)
	call("PATCH", "/changes/1", `{"title":""}`).want(http.StatusUnprocessableEntity)
	call("PATCH", "/changes/99", `{"title":"a"}`).want(http.StatusNotFound)
	s.programs(access.Reviewer, 0)("PATCH", "/changes/1", `{"title":"Mine now"}`).want(http.StatusForbidden)
}

func TestAHookTakesSignedCallsAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key, err := receipt.NewKey(strings.NewReader(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s.SignWith(key)
	admin := s.browser(access.Admin)
	page := admin.post("/changes/hooks", "name", "acme/asr", "system", "recognizer").want(http.StatusOK).shows("Shown once", "/hooks/1")
	secret := page.attribute("data-copy", "fidhook_")
	const body = `{"action":"published","release":{"id":9,"tag_name":"v2","html_url":"https://github.com/acme/asr/releases/tag/v2","published_at":"2026-03-02T10:00:00Z"},` +
		`"repository":{"full_name":"acme/asr"}}`
	call := func(event, signature, body string) answer {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/1", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(github.HeaderEvent, event)
		r.Header.Set(github.HeaderSignature, signature)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		return answer{w, t}
	}
	call("release", "", body).want(http.StatusUnauthorized).shows("The signature does not fit")
	call("release", github.Sign("another", []byte(body)), body).want(http.StatusUnauthorized)
	call("release", github.Sign(secret, []byte(`{}`)), `{}`).want(http.StatusBadRequest)
	call("ping", github.Sign(secret, []byte(`{}`)), `{}`).want(http.StatusAccepted)
	for range 2 {
		call("release", github.Sign(secret, []byte(body)), body).want(http.StatusOK).shows(`"change":1`)
	}
	admin.get("/changes").shows("acme/asr v2 was released", "recognizer", "told by GitHub")
	admin.post("/changes/hooks/1/revoke").to("/changes/hooks")
	call("release", github.Sign(secret, []byte(body)), body).want(http.StatusNotFound)
}
