package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// said is a site with an utterance that two labelers answered in these words, and what a model heard in it.
func said(t *testing.T, texts ...string) (s *site, calls *storetest.Utterances, reviewer *browser) {
	t.Helper()
	s = newSite(t)
	calls = storetest.Speech(t, s.pool, s.bucket, 1, 1, len(texts))
	reviewer = s.member(access.Reviewer, calls.Project)
	for i, text := range texts {
		labeler, _ := s.person(access.Labeler)
		answer := s.one(`
			WITH a AS (INSERT INTO assignments (task_id, project_id, person_id, state, finished_at) VALUES ($1, $2, $3, 'submitted', now()) RETURNING id)
			INSERT INTO annotations (assignment_id, task_id, item_id, person_id) SELECT a.id, $1, $4, $3 FROM a RETURNING id`,
			calls.Tasks[0], calls.Project, labeler, calls.Items[0])
		s.exec(`INSERT INTO transcripts (item_id, kind, of_id, segments) VALUES ($1, 'annotation', $2, jsonb_build_array(jsonb_build_object('begin', 0, 'end', 4, 'text', $3::text)))`,
			calls.Items[0], answer, text)
		s.exec(`INSERT INTO annotation_boxes (annotation_id, position, class_id, x, y, w, h, rotation) VALUES ($1, 0, $2, $3, 0, 1, 1, 0)`, answer, calls.Class, float64(i)/10)
	}
	s.exec(`UPDATE tasks SET state = 'in_review', votes = $2 WHERE id = $1`, calls.Tasks[0], len(texts))
	s.exec(`INSERT INTO models (name, kind) VALUES ('ear', 'asr')`)
	s.exec(`INSERT INTO model_versions (model_id, version) SELECT id, '1' FROM models WHERE name = 'ear'`)
	s.exec(`INSERT INTO predictions (item_id, model_version_id, purpose) SELECT $1, id, 'prediction' FROM model_versions`, calls.Items[0])
	s.exec(`INSERT INTO hypotheses (item_id, prediction_id, text) SELECT item_id, id, 'the ostrich sat' FROM predictions`)
	return s, calls, reviewer
}

func TestReviewOfAnUtterance(t *testing.T) {
	t.Parallel()
	s, calls, reviewer := said(t, "the cat sat", "the hat sat")
	path := fmt.Sprintf("/review/%d", calls.Items[0])
	page := reviewer.get(path).want(http.StatusOK).shows("The answers differ in 1 place.", "cat", "hat", "3 words, 1 moment", "What models heard", "word error rate 33 %")
	if strings.Contains(page.Body.String(), "ostrich") || strings.Contains(page.Body.String(), "ear 1") {
		t.Error("what a model heard is shown unasked")
	}
	s.exec(`UPDATE item_texts SET external_key = external_key || '#0-2' WHERE item_id = $1`, calls.Items[0])
	reviewer.get("/review").want(http.StatusOK).shows("calls/0001.wav#0-2") // not only the recording, which has others

	labeler := s.member(access.Labeler, calls.Project)
	labeler.post(path + "/models").want(http.StatusForbidden)
	reviewer.post(path+"/models").want(http.StatusOK).shows("the ostrich sat", "ear 1")
	if n := s.one(`SELECT count(*) FROM hypothesis_views WHERE how = 'review'`); n != 1 {
		t.Errorf("%d looks are kept", n)
	}

	form := func(more ...string) []string {
		return append([]string{"version", fmt.Sprint(s.one(`SELECT version FROM tasks WHERE id = $1`, calls.Tasks[0]))}, more...)
	}
	reviewer.post(path, form("decision", "approved", "annotation", "merged")...).want(http.StatusSeeOther)
	reviewer.get(path).want(http.StatusOK).shows("Merged", "Words: 3 merged from A and B", "the cat sat")
	decision := s.one(`SELECT max(id) FROM reviews`)
	reviewer.post(fmt.Sprintf("/review/decisions/%d/undo", decision)).want(http.StatusSeeOther)
	answer := s.one(`SELECT min(id) FROM annotations`)
	reviewer.post(path, form("decision", "rejected", "annotation", fmt.Sprint(answer), "fault", "loose_box")...).want(http.StatusUnprocessableEntity)
	reviewer.post(path, form("decision", "rejected", "annotation", fmt.Sprint(answer), "fault", "wrong_words", "note", "Cat or hat?")...).want(http.StatusSeeOther)
	reviewer.get(path).want(http.StatusOK).shows("Sent back", "Wrong words", "Cat or hat?")
}

func TestProgramsDecideOnWords(t *testing.T) {
	t.Parallel()
	s, calls, reviewer := said(t, "the cat sat")
	var who string
	if err := s.pool.QueryRow(t.Context(), `SELECT email FROM person_identities ORDER BY person_id LIMIT 1`).Scan(&who); err != nil {
		t.Fatal(err)
	}
	_ = reviewer
	call := s.programs(access.Reviewer, 0)
	item := fmt.Sprintf("/items/%d", calls.Items[0])
	call("GET", item+"/review", "").want(http.StatusOK).shows(`"kind":"audio"`, `"text":"the cat sat"`, `"seconds":4`)
	decide := func(end float64) answer {
		return call("POST", item+"/decisions", fmt.Sprintf(
			`{"version":%d,"decision":"amended","reviewer":%q,"transcript":[{"begin":0,"end":%v,"text":"the cat sat down"}],"boxes":[{"class":"question","x":1,"y":0,"w":2,"h":1}]}`,
			s.one(`SELECT version FROM tasks WHERE id = $1`, calls.Tasks[0]), who, end))
	}
	decide(5).want(http.StatusUnprocessableEntity).shows("reaches out of the utterance")
	decide(4).want(http.StatusCreated).shows(`"truth_transcript":[{"begin":0,"end":4,"text":"the cat sat down"}]`, `"state":"adjudicated"`)
}

func TestSoundSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	storetest.Speech(t, s.pool, s.bucket, 1, 1, 1)
	admin := s.browser(access.Admin)
	admin.get("/projects/calls/settings").want(http.StatusOK).shows("Seconds heard around an utterance", "basic-1")
	form := func(seconds, normalizer string) []string {
		return []string{
			"name", "Calls", "overlap", "1", "lease_minutes", "30", "context_seconds", seconds, "normalizer", normalizer, "prefill_mode", "reveal",
			"version", fmt.Sprint(s.one(`SELECT version FROM projects WHERE slug = 'calls'`)),
		}
	}
	admin.post("/projects/calls/settings", form("90", "basic-1")...).want(http.StatusUnprocessableEntity).shows("Choose between 0 and 60 seconds")
	admin.post("/projects/calls/settings", form("2", "loud-1")...).want(http.StatusUnprocessableEntity).shows("Choose one of the normalizers")
	admin.post("/projects/calls/settings", form("1,5", "lenient-1")...).want(http.StatusSeeOther)
	if n := s.one(`SELECT count(*) FROM projects WHERE context_seconds = 1.5 AND normalizer = 'lenient-1' AND prefill_mode = 'reveal'`); n != 1 {
		t.Error("the settings are not stored")
	}
	call := s.programs(access.Admin, 0)
	call("PUT", "/projects/calls/sound", `{"normalizer":"as-is-1","context_seconds":0,"prefill_mode":"edit"}`).want(http.StatusOK).shows(`"prefill_mode":"edit"`)
	if n := s.one(`SELECT count(*) FROM audit_events WHERE action = 'project.sound'`); n != 1 {
		t.Errorf("%d audit events", n)
	}
}
