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
