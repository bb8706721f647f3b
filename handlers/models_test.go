package handlers_test

import (
	"net/http"
	"testing"

	"fiducial/internal/access"
)

func TestModelWithItsLineage(t *testing.T) {
	t.Parallel()
	s, u, reviewer := spokenSite(t, 3)
	s.exec(`INSERT INTO datasets (name) VALUES ('calls')`)
	s.exec(`INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, lines, frozen_at) SELECT id, 1, '{}', 'frozen', sha256('v'), 7, now() FROM datasets`)
	s.exec(`INSERT INTO dataset_version_projects (version_id, project_id) SELECT id, $1 FROM dataset_versions`, u.Project)
	admin, viewer := s.browser(access.Admin), s.browser(access.Viewer)
	admin.post("/models", "name", "a b", "kind", "asr").want(http.StatusUnprocessableEntity).shows("Give the model a name without spaces")
	admin.post("/models", "name", "recogniser", "kind", "asr", "description", "Telephone speech.").to("/models/recogniser")
	admin.post("/models/recogniser/versions", "version", "1").to("/models/recogniser")
	admin.post("/models/recogniser/versions", "version", "2", "trained_on", "calls@2").want(http.StatusUnprocessableEntity).shows("One of the dataset versions is not frozen")
	admin.post("/models/recogniser/versions", "version", "2", "successor_of", "9").want(http.StatusUnprocessableEntity).shows("Name a version of the same model")
	admin.post("/models/recogniser/versions", "version", "2", "successor_of", "1", "trained_on", "calls@1\r\ncalls@1", "description", "More dialects.").to("/models/recogniser")
	admin.get("/models/recogniser").want(http.StatusOK).shows("Telephone speech.", "More dialects.", "Successor of 1", "calls@1", "7 items", "Register a release")
	reviewer.get("/models").want(http.StatusOK).shows("recogniser", "asr").lacks("Register a model")
	reviewer.get("/models/asr").want(http.StatusOK).shows("3 hypotheses", "Calls")
	viewer.get("/models/asr").want(http.StatusOK).lacks("Register a release")
	s.browser(access.Reviewer).get("/models/asr").want(http.StatusOK).lacks("3 hypotheses") // of a project that is not theirs
	s.browser(access.Reviewer).get("/models/recogniser").want(http.StatusOK).lacks("calls@1")
	admin.body(http.MethodGet, "/api/v1/models/recogniser", "").want(http.StatusOK).shows(`"successor_of":"1"`, `"trained_on":["calls@1"]`)
	admin.body(http.MethodPost, "/api/v1/models/recogniser/versions", `{"version":"3","successor_of":"2"}`).want(http.StatusCreated)
	admin.body(http.MethodGet, "/api/v1/models/asr", "").want(http.StatusOK).shows(`"hypotheses":3`)
}
