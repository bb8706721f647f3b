package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

// evaluatedSite is a site with a frozen version of utterances and an offline recognizer.
func evaluatedSite(t *testing.T) *site {
	t.Helper()
	s, u, _ := spokenSite(t, 3)
	s.exec(`INSERT INTO datasets (name) VALUES ('calls')`)
	s.exec(`INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, lines, frozen_at) SELECT id, 1, '{}', 'frozen', sha256('v'), 3, now() FROM datasets`)
	s.exec(`INSERT INTO dataset_version_projects (version_id, project_id) SELECT id, $1 FROM dataset_versions`, u.Project)
	s.exec(`INSERT INTO imports (project_id, format, purpose, source_id) VALUES ($1, 'nemo', 'truth', $2)`, u.Project, u.Source)
	s.exec(`WITH t AS (INSERT INTO truths (item_id, import_id) SELECT i.id, (SELECT max(id) FROM imports) FROM items i RETURNING id, item_id)
		INSERT INTO dataset_lines (version_id, position, leaf, split, item_id, truth_id)
		SELECT 1, row_number() OVER (ORDER BY item_id) - 1, sha256(id::text::bytea), 'test', item_id, id FROM t`)
	return s
}

func TestARunIsStartedFollowedAndStopped(t *testing.T) {
	t.Parallel()
	s := evaluatedSite(t)
	admin, reviewer, viewer := s.browser(access.Admin), s.browser(access.Admin), s.browser(access.Viewer)
	admin.get("/evaluations").want(http.StatusOK).shows("No chain yet", "Nothing was measured yet", "New chain")
	admin.get("/evaluations/new").want(http.StatusOK).shows("There is no chain yet")
	admin.post("/chains", "name", "", "slots", "asr", "alert_drop", "0.02", "expect_days", "7").want(http.StatusUnprocessableEntity).shows("Give the chain a name")
	admin.post("/chains", "name", "Calls", "slots", "nlp,asr", "alert_drop", "0.02").want(http.StatusUnprocessableEntity).shows("A recognizer hears sound")
	admin.post("/chains", "name", "Calls", "slots", "asr", "alert_drop", "x").want(http.StatusUnprocessableEntity).shows("Say how far the measure may fall")
	admin.post("/chains", "name", "Calls", "slots", "asr", "alert_drop", "0.02", "expect_days", "7").to("/evaluations/new?chain=1")
	admin.get("/evaluations/new?chain=1").want(http.StatusOK).shows("asr@", "calls@1", "speech recognition")
	var model string
	if err := s.pool.QueryRow(t.Context(), `SELECT m.name || '@' || v.version FROM model_versions v JOIN models m ON m.id = v.model_id`).Scan(&model); err != nil {
		t.Fatal(err)
	}
	reviewer.post("/evaluations", "chain", "1", "models-0", model).want(http.StatusUnprocessableEntity).shows("Choose at least one dataset version")
	reviewer.post("/evaluations", "chain", "1", "versions", "calls@1").want(http.StatusUnprocessableEntity).shows("Choose a version for the slot asr")
	reviewer.post("/evaluations", "chain", "1", "models-0", model, "versions", "calls@1", "split", "training").want(http.StatusUnprocessableEntity).shows("nothing on its training side")
	reviewer.post("/evaluations", "chain", "1", "models-0", model, "versions", "calls@1", "title", "Before the release").to("/evaluations/1")
	reviewer.get("/evaluations/1").want(http.StatusOK).shows("Before the release", "waiting", "0 of 3", "Stop it", strings.ReplaceAll(model, "@", " "))
	viewer.get("/evaluations").want(http.StatusOK).lacks("Start an evaluation", "New chain")
	reviewer.post("/evaluations/1/cancel").to("/evaluations/1")
	reviewer.post("/evaluations/1/cancel").want(http.StatusBadRequest).shows("has ended")
	reviewer.get("/evaluations/1").want(http.StatusOK).shows("stopped").lacks("Stop it")
	reviewer.get("/evaluations/1/failures").want(http.StatusOK).shows("Everything was answered")
	reviewer.get("/evaluations").want(http.StatusOK).shows("Run 1", "Calls")
	admin.get("/chains/1").want(http.StatusOK).shows("Alert from a drop of")
	admin.post("/chains/1", "name", "Calls", "alert_drop", "0.05", "expect_days", "0", "baseline", model).to("/chains/1")
	if chain, err := s.Chain(t.Context(), store.System(), 1); err != nil || chain.AlertDrop != 0.05 || len(chain.Baseline) != 1 || chain.Baseline[0] != model {
		t.Errorf("%+v, %v", chain, err)
	}
	admin.body(http.MethodPost, "/api/v1/evaluations", `{"slots":["asr"],"models":[["`+model+`"]],"versions":["calls@latest"]}`).want(http.StatusCreated)
	admin.body(http.MethodGet, "/api/v1/evaluations/2", "").want(http.StatusOK).shows(`"state":"waiting"`, `"items":3`, `"baseline":["`+model+`"]`)
	admin.body(http.MethodPost, "/api/v1/evaluations/2/cancel", "{}").want(http.StatusNoContent)
	admin.body(http.MethodPost, "/api/v1/evaluations/2/retry", "{}").want(http.StatusUnprocessableEntity).shows("was stopped")
	admin.body(http.MethodPost, "/api/v1/evaluations", `{"slots":["asr"],"models":[["x@1"]],"versions":["calls@1"]}`).want(http.StatusUnprocessableEntity).shows("body.models", "There is no x@1")
	admin.body(http.MethodPatch, "/api/v1/chains/1", `{"alert_drop":0.1,"baseline":[]}`).want(http.StatusOK).shows(`"alert_drop":0.1`).lacks(`"baseline"`)
	s.browser(access.Labeler).get("/evaluations").want(http.StatusForbidden)
}
