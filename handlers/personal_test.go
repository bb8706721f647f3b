package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/store/storetest"
)

func TestReviewersDecidePersonalData(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	u := storetest.Speech(t, s.pool, storetest.Bucket(t), 2, 1, 1)
	run := func(sql string, args ...any) (id int64) {
		t.Helper()
		if err := s.pool.QueryRow(t.Context(), sql, args...).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	imports := run(`INSERT INTO imports (project_id, format, purpose, source_id) VALUES ($1, 'nemo', 'truth', $2) RETURNING id`, u.Project, u.Source)
	var findings []int64
	for i, item := range u.Items {
		truth := run(`WITH t AS (INSERT INTO truths (item_id, import_id) VALUES ($1, $2) RETURNING id)
			INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT $1, 'truth', id, '[{"begin":0,"end":4,"text":"grüß dich maria lopez <b>now</b>"}]' FROM t RETURNING of_id`,
			item, imports)
		findings = append(findings, run(`INSERT INTO personal_findings (item_id, truth_id, segment, first, last, begins, ends, kind, detector, confidence)
			VALUES ($1, $2, 0, 10, 21, 1, 2, $3, 'rules@1', 0.85) RETURNING id`, item, truth, []string{"name", "phone"}[i]))
	}
	admin := s.browser(access.Admin)
	page := admin.get("/projects/calls/personal").want(http.StatusOK)
	page.shows("Personal data", "Names", "Phone numbers", "grüß dich maria lopez <b>now</b>", "To decide")
	if !strings.Contains(page.Body.String(), ">maria lopez</mark>") {
		t.Error("what was found is not marked")
	}
	state := func(finding int64) (state string) {
		t.Helper()
		if err := s.pool.QueryRow(t.Context(), `SELECT state FROM personal_findings WHERE id = $1`, finding).Scan(&state); err != nil {
			t.Fatal(err)
		}
		return state
	}
	admin.post("/projects/calls/personal", "finding", fmt.Sprint(findings[0]), "state", store.PersonalDismissed).want(http.StatusSeeOther)
	if got := state(findings[0]); got != store.PersonalDismissed {
		t.Errorf("the finding is %s", got)
	}
	admin.post("/projects/calls/personal/kinds", "kind", "phone", "upto", fmt.Sprint(findings[1]), "state", store.PersonalConfirmed).want(http.StatusSeeOther)
	if got := state(findings[1]); got != store.PersonalConfirmed {
		t.Errorf("the finding is %s", got)
	}
	span := []string{"item", fmt.Sprint(u.Items[0]), "segment", "0", "first", "0", "kind", "name", "last"}
	admin.post("/projects/calls/personal/add", append(span, "4")...).want(http.StatusSeeOther)
	admin.post("/projects/calls/personal/add", append(span, "400")...).want(http.StatusUnprocessableEntity).shows("Select the words")
	admin.post("/projects/calls/personal", "state", "eaten").want(http.StatusUnprocessableEntity).shows("Confirm the finding")
	s.browser(access.Viewer).get("/projects/calls/personal").want(http.StatusForbidden)
}

// Programs do the same.
func TestProgramsDecidePersonalData(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	u := storetest.Speech(t, s.pool, storetest.Bucket(t), 2, 1, 1)
	s.exec(`INSERT INTO imports (project_id, format, purpose, source_id) VALUES ($1, 'nemo', 'truth', $2)`, u.Project, u.Source)
	for i, item := range u.Items {
		s.exec(`WITH t AS (INSERT INTO truths (item_id, import_id) SELECT $1, max(id) FROM imports RETURNING id), x AS (
				INSERT INTO personal_findings (item_id, truth_id, segment, first, last, begins, ends, kind, detector, confidence)
				SELECT $1, id, 0, 10, 21, 1, 2, $2, 'rules@1', 0.85 FROM t)
			INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT $1, 'truth', id, '[{"begin":0,"end":4,"text":"grüß dich maria lopez now"}]' FROM t`,
			item, []string{"name", "phone"}[i])
	}
	admin := s.browser(access.Admin)
	const personal = "/api/v1/projects/calls/personal"
	admin.body(http.MethodGet, personal+"?kind=name", "").want(http.StatusOK).shows(`"text":"maria lopez"`, `"state":"found"`).lacks("phone")
	admin.body(http.MethodGet, personal+"?limit=1", "").want(http.StatusOK).shows(`"next":"` + personal + `?after=1`)
	admin.body(http.MethodGet, personal+"/counts", "").want(http.StatusOK).shows(`{"kind":"name","found":1,"confirmed":0,"dismissed":0}`, `"unscanned":2`, `"newest":2`)
	decide := func(body string) answer { return admin.body(http.MethodPost, personal+"/decide", body) }
	decide(`{"state":"dismissed","findings":[1,99]}`).want(http.StatusOK).shows(`"decided":1`)
	decide(`{"state":"confirmed","kind":"phone","up_to":1}`).want(http.StatusOK).shows(`"decided":0`)
	decide(`{"state":"confirmed","kind":"phone","up_to":2}`).want(http.StatusOK).shows(`"decided":1`)
	decide(`{"state":"confirmed","kind":"phone"}`).want(http.StatusUnprocessableEntity).shows("up to which finding")
	decide(`{"state":"confirmed"}`).want(http.StatusUnprocessableEntity).shows("one of the two")
	decide(`{"state":"confirmed","kind":"shoe size","up_to":2}`).want(http.StatusUnprocessableEntity).shows("no such kind")
	add := fmt.Sprintf(`{"item":%d,"segment":0,"first":0,"last":4,"kind":"name"}`, u.Items[0])
	admin.body(http.MethodPost, personal, add).want(http.StatusNoContent)
	admin.body(http.MethodPost, personal, strings.Replace(add, `"last":4`, `"last":400`, 1)).want(http.StatusUnprocessableEntity).shows("Select the words")
	admin.body(http.MethodGet, personal+"?state=confirmed", "").want(http.StatusOK).shows(`"detector":"person"`, `"kind":"phone"`)
	s.browser(access.Labeler).body(http.MethodGet, personal, "").want(http.StatusForbidden)
}

// What an expiry leaves of an utterance is found from the address that it had, by whoever reads items.
func TestRedactionIsFound(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	u := storetest.Speech(t, s.pool, s.bucket, 1, 1, 1)
	s.exec(`INSERT INTO imports (project_id, format, purpose, source_id) VALUES ($1, 'nemo', 'truth', $2)`, u.Project, u.Source)
	s.exec(`WITH t AS (INSERT INTO truths (item_id, import_id) SELECT $1, max(id) FROM imports RETURNING id), x AS (
			INSERT INTO personal_findings (item_id, truth_id, segment, first, last, kind, detector, confidence, state)
			SELECT $1, id, 0, 10, 21, 'name', 'rules@1', 0.85, 'confirmed' FROM t), y AS (
			INSERT INTO personal_scans (item_id, truth_id, detector, findings) SELECT $1, id, 'rules@1', 1 FROM t)
		INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT $1, 'truth', id, '[{"begin":0,"end":4,"text":"grüß dich maria lopez now"}]' FROM t`, u.Items[0])
	admin := s.browser(access.Admin)
	admin.post("/retention/sources/"+fmt.Sprint(u.Source), "version", "1", "name", "Calls", "retention_days", "30", "expiry_action", "redaction", "exports", "yes",
		"consumers", "all", "models", "all").want(http.StatusOK).shows("Of 1 item, 1 has an approved redaction today")
	s.exec(`UPDATE sources SET expiry_action = 'redaction'`)
	s.exec(`UPDATE items SET retain_until = now() - interval '1 hour'`)
	done, err := s.ExpireDue(t.Context())
	if err != nil || len(done.Erasures) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if err := s.RunErasure(t.Context(), done.Erasures[0]); err != nil {
		t.Fatal(err)
	}
	gone, kept := fmt.Sprintf("/items/%d", u.Items[0]), fmt.Sprintf("/items/%d", u.Items[0]+1)
	page := admin.get(gone).want(http.StatusGone)
	page.shows("a redaction of its words")
	if href := page.attribute("href", "/items/"); href != kept {
		t.Errorf("the redaction is said to be %q", href)
	}
	admin.get(kept).want(http.StatusOK).shows("A redaction", "grüß dich [name] now", "kept, masked", "Kept since").lacks("maria", "Nobody has answered yet", "It was played", "No sound to play", "What models heard", "gold item")
	admin.get("/projects/calls/items?state=redacted").want(http.StatusOK).shows("grüß dich [name] now", "redaction")
	admin.get(fmt.Sprintf("/retention/erasures/%d", done.Erasures[0])).want(http.StatusOK).shows("One transcript stays masked")
	s.browser(access.Labeler).get(gone).lacks("a redaction of its words")
}
