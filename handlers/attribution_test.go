package handlers_test

import (
	"fmt"
	"net/http"
	"testing"

	"fiducial/internal/access"
)

// A cell's page says what its difference to an earlier one comes from, and what could not be measured.
func TestAttributionOnACell(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 3, 2, 4)
	var before, cell int64
	s.scan(&before, `SELECT id FROM cells WHERE version_id = 3 AND path = '{2,4}'`)
	s.scan(&cell, `SELECT id FROM cells WHERE version_id = 4 AND path = '{3,4}'`)
	s.exec(`UPDATE cells SET value = 0.763 WHERE id = $1`, before)
	s.exec(`UPDATE cells SET value = 0.702 WHERE id = $1`, cell)
	page, ask := fmt.Sprintf("/cells/%d?since=%d", cell, before), fmt.Sprintf("/cells/%d/since/%d", cell, before)
	admin := s.browser(access.Admin)
	admin.get(page).want(http.StatusOK).shows("Where the −0.061 comes from", "Divide the difference among what changed").lacks("being computed").attribute("action", ask)

	admin.post(ask).want(http.StatusSeeOther)
	admin.get(page).want(http.StatusOK).shows("It is being computed.").lacks("Divide the difference")
	var jobs int
	if s.scan(&jobs, `SELECT count(*) FROM river_job WHERE kind = 'attribute_cells'`); jobs != 1 {
		t.Errorf("%d jobs", jobs)
	}
	s.exec(`UPDATE attributions SET state = 'done', computed_at = now(), parts = $1`, `{"from": 0.763, "to": 0.702, "lines": 824, "lost": 212, "added": 243, "relabeled": 38, "redefined": 1,
		"groups": 412, "parts": [{"factor": "model", "value": -0.047, "low": -0.061, "high": -0.032}, {"factor": "data", "value": -0.008}, {"factor": "labels", "value": 0.003}, {"factor": "definition", "value": 0}], "remainder": -0.009,
		"missing": [{"changed": ["model"], "models": ["asr-en@6.0-rc1", "task-01@1.0"], "version": "care-test@3"}]}`)
	admin.get(page).want(http.StatusOK).shows("Models", "−0.047", "−0.061 to −0.032", "drawn from 412 groups of items", "Data", "care-test@3 to care-test@4, 212 gone, 243 new", "38 items with another truth", "+0.003",
		"1 item with another truth under another definition", "Not computed", "−0.009", "There are no outputs of asr-en 6.0-rc1 → task-01 1.0 on all of care-test@3.", "Compute it again").lacks("computed again since")
	s.exec(`UPDATE cells SET value = 0.71 WHERE id = $1`, cell)
	admin.get(page).shows("The figures were computed again since")
	s.member(access.Viewer, 1).get(page).want(http.StatusOK).shows("−0.047").lacks("Compute it again")

	s.exec(`UPDATE attributions SET state = 'failed', error = 'Dividing failed.', parts = '{}'`)
	admin.get(page).want(http.StatusOK).shows("Dividing failed.").attribute("action", ask)
	admin.post(fmt.Sprintf("/cells/%d/since/%d", cell, cell)).want(http.StatusUnprocessableEntity)
	admin.post(fmt.Sprintf("/cells/%d/since/99999", cell)).want(http.StatusNotFound)
}

// Programs ask what a difference comes from, and see what could not be computed.
func TestProgramsAttributeDifferences(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 3, 2, 4)
	var before, cell int64
	s.scan(&before, `SELECT id FROM cells WHERE version_id = 3 AND path = '{2,4}'`)
	s.scan(&cell, `SELECT id FROM cells WHERE version_id = 4 AND path = '{2,4}'`)
	call := s.programs(access.Reviewer, 0)
	ask, one := fmt.Sprintf("/cells/%d/attributions", cell), fmt.Sprintf("/cells/%d/attributions/%d", cell, before)
	call("GET", one, "").want(http.StatusNotFound)
	call("POST", ask, fmt.Sprintf(`{"from":%d}`, before)).want(http.StatusAccepted).shows(`"state":"waiting"`, `"factors":[]`)
	call("GET", one, "").want(http.StatusOK).shows(`"state":"waiting"`)
	s.exec(`UPDATE cells SET value = 0.763 WHERE id = $1`, before)
	s.exec(`UPDATE cells SET value = 0.702 WHERE id = $1`, cell)
	s.exec(`UPDATE attributions SET state = 'done', computed_at = now(), parts = $1`, `{"from": 0.763, "to": 0.702, "lines": 824, "lost": 212, "added": 243, "relabeled": 38,
		"parts": [{"factor": "model", "value": -0.047}, {"factor": "data", "value": -0.005}], "remainder": -0.009,
		"missing": [{"changed": ["model"], "models": ["asr-en@6.0-rc1", "task-01@1.0"], "version": "care-test@3"}, {"changed": ["labels"], "models": ["asr-en@6.0-rc1", "task-01@1.0"], "version": "care-test@3"}]}`)
	call("GET", one, "").want(http.StatusOK).shows(`"state":"done"`, `"factor":"model","value":-0.047`, `"remainder":-0.009`, `"lost":212`,
		`"missing":[{"models":["asr-en@6.0-rc1","task-01@1.0"],"version":"care-test@3","sentence":"There are no outputs of asr-en 6.0-rc1`).lacks("outdated")
	s.exec(`UPDATE cells SET value = 0.71 WHERE id = $1`, cell)
	call("GET", one, "").shows(`"outdated":true`)
	call("POST", ask, fmt.Sprintf(`{"from":%d}`, cell)).want(http.StatusUnprocessableEntity).shows("a cell does not differ from itself")
	call("POST", ask, `{"from":99999}`).want(http.StatusNotFound)
	call("POST", "/cells/99999/attributions", `{}`).want(http.StatusNotFound)
	s.programs(access.Viewer, 0)("POST", ask, `{}`).want(http.StatusForbidden)
}
