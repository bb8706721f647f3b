package handlers_test

import (
	"net/http"
	"testing"

	"fiducial/internal/access"
)

func TestRulesFromDraftToSendingBack(t *testing.T) {
	t.Parallel()
	s, u, reviewer := spokenSite(t, 2)
	labeler, _ := s.person(access.Labeler)
	s.exec(`INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, u.Project, labeler)
	const rules = "/projects/calls/rules"
	reviewer.get(rules).want(http.StatusOK).shows("No rules yet", "Change the rules")
	reviewer.get(rules + "/publish").to(rules + "/draft")
	reviewer.post(rules+"/draft", "edit_version", "0", "body", "As spoken.", "punctuation", "these").want(http.StatusUnprocessableEntity).shows("Say which marks may be written.", "As spoken.")
	reviewer.post(rules+"/draft", "edit_version", "0", "body", "As spoken.", "numbers", "words", "tags", "[noise] n No speech", "spellings", "ok -> okay", "then", "stay").to(rules + "/draft")
	reviewer.get(rules+"/draft").want(http.StatusOK).shows("Numbers in words.", "[noise] (key n): No speech", "“okay”, not “ok”", "ok -> okay")
	reviewer.post(rules+"/draft", "edit_version", "0", "body", "Mine.").want(http.StatusConflict).shows("Somebody else saved this draft meanwhile", "Mine.")
	reviewer.post(rules+"/draft", "edit_version", "1", "body", "As spoken.", "numbers", "words", "then", "publish").to(rules + "/publish")
	reviewer.get(rules+"/publish").want(http.StatusOK).shows("Publish version 1", "As spoken.", "no transcript is older").lacks("stays as it is")
	reviewer.post(rules+"/publish", "edit_version", "2", "scope", "").want(http.StatusUnprocessableEntity).shows("Choose what becomes")
	reviewer.post(rules+"/publish", "edit_version", "1", "scope", "none").want(http.StatusConflict).shows("Somebody saved the draft meanwhile")
	reviewer.post(rules+"/publish", "edit_version", "2", "scope", "none").to(rules)
	s.browserOf(labeler).get("/projects/calls/guideline").want(http.StatusOK).shows("As spoken.", "Numbers in words.", "version 1")
	// An answer and a truth under version 1, and a truth that came before any.
	s.exec(`INSERT INTO assignments (task_id, project_id, person_id, state, finished_at, mode) VALUES ($1, $2, $3, 'submitted', now(), 'blind')`, u.Tasks[0], u.Project, labeler)
	s.exec(`INSERT INTO annotations (assignment_id, task_id, item_id, person_id, rules_version) SELECT id, task_id, $1, person_id, 1 FROM assignments`, u.Items[0])
	s.exec(`INSERT INTO transcripts (item_id, kind, of_id, segments) SELECT item_id, 'annotation', id, '[{"begin":0,"end":1,"text":"five"}]' FROM annotations`)
	s.exec(`UPDATE tasks SET votes = 1, state = 'in_review' WHERE id = $1`, u.Tasks[0])
	s.exec(`INSERT INTO imports (project_id, format, purpose, source_id) VALUES ($1, 'nemo', 'truth', $2)`, u.Project, u.Source)
	s.exec(`INSERT INTO truths (item_id, import_id) SELECT $1, id FROM imports`, u.Items[1])
	s.exec(`UPDATE tasks SET state = 'adjudicated' WHERE id = $1`, u.Tasks[1])
	reviewer.post(rules+"/draft", "edit_version", "0", "body", "As meant.", "numbers", "digits").to(rules + "/draft")
	reviewer.get(rules+"/publish").want(http.StatusOK).shows("Publish version 2", "− As spoken.", "+ As meant.", "v1", "no rules")
	reviewer.post(rules+"/publish", "edit_version", "1", "scope", "all", "note", "Digits now").to(rules + "/older")
	reviewer.get(rules+"/older").want(http.StatusOK).shows("written before version 2", "no rules", "every older transcript", "Digits now", "Send all back")
	if err := s.RunRelabel(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	reviewer.get(rules + "/older").want(http.StatusOK).shows("with the labelers")
	var drafts, reviews int
	err := s.pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM transcripts d JOIN assignments a ON a.id = d.of_id AND a.reason = 'relabel' AND a.state = 'returned' WHERE d.kind = 'draft' AND d.segments->0->>'text' = 'five'),
			(SELECT count(*) FROM tasks WHERE id = $1 AND state = 'in_review')`, u.Tasks[1]).Scan(&drafts, &reviews)
	if err != nil || drafts != 1 || reviews != 1 {
		t.Errorf("%d answers came back with their words, %d truths to review, want 1 and 1: %v", drafts, reviews, err)
	}
	reviewer.get(rules).want(http.StatusOK).shows("History", "version 2", "Numbers in digits.")
	s.browserOf(labeler).get("/queue").want(http.StatusOK).shows("Transcription rules v2: Digits now")
	s.steel()
	s.browser(access.Admin).get("/projects/steel/rules").want(http.StatusNotFound)
}
