package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// spokenSite is a site with a project of sound, and somebody who reviews it.
func spokenSite(t *testing.T, items int) (*site, *storetest.Utterances, *browser) {
	t.Helper()
	s := newSite(t)
	u := storetest.Speech(t, s.pool, s.bucket, 1, items, 1)
	for i, item := range u.Items {
		u.Hear(t, s.pool, item, "asr", "1", strings.TrimSpace(strings.Repeat("word ", 1+i%9)), "[]", float64(i)/float64(items))
	}
	id, _ := s.person(access.Reviewer)
	s.exec(`INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, u.Project, id)
	return s, u, s.browserOf(id)
}

func TestPlanFromPreviewToReport(t *testing.T) {
	t.Parallel()
	s, u, reviewer := spokenSite(t, 40)
	reviewer.get("/projects/calls/plans").want(http.StatusOK).shows("No plan yet", "Draw the first plan")
	reviewer.get("/projects/calls/plans/new").want(http.StatusOK).shows("least sure of 40", "up to 1 word", "known once 10 answers here were timed", "asr@1")
	reviewer.get("/projects/calls/plans/new?method=below&below=nine&by=words&edges=2").want(http.StatusOK).shows("Choose a confidence above 0 and up to 1.")
	reviewer.post("/projects/calls/plans", "method", "hours", "by", "words", "model", "asr@1").want(http.StatusUnprocessableEntity).shows("Choose how many hours of sound to take")
	reviewer.post("/projects/calls/plans", "method", "below", "below", "0.5", "by", "words", "edges", "2, 4, 8", "model", "asr@1", "modes", "blind", "modes", "edit",
		"modes", "", "title", "Unsure ones", "seed", "7").to("/projects/calls/plans/1")
	reviewer.get("/projects/calls/plans/1").want(http.StatusOK).shows("Plan 1: Unsure ones", "being drawn")
	if err := s.FillPlan(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	reviewer.get("/projects/calls/plans/1").want(http.StatusOK).shows("The 20 of 40 that were heard with a confidence below 0.5.", "No report yet", "from silence; from the hypothesis", "Batch 1, open")
	reviewer.get("/projects/calls/plans/1/histogram.csv").want(http.StatusOK).shows("stratum,from,to,all,chosen,control", "up to 1 word,0.00,0.05,1,1,0")
	reviewer.get("/projects/calls/plans/1/rates.csv").want(http.StatusNotFound)
	s.exec(`INSERT INTO imports (project_id, format, purpose, source_id) VALUES ($1, 'nemo', 'truth', $2)`, u.Project, u.Source)
	s.exec(`INSERT INTO truths (item_id, import_id) SELECT item_id, (SELECT max(id) FROM imports) FROM plan_items`)
	s.exec(`INSERT INTO transcripts (item_id, kind, of_id, segments)
		SELECT item_id, 'truth', id, '[{"begin":0,"end":0.1,"text":"word word word novelty"}]' FROM truths`)
	reviewer.post("/projects/calls/plans/1/report").to("/projects/calls/plans/1#report")
	if err := s.ReportPlan(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	reviewer.get("/projects/calls/plans/1").want(http.StatusOK).shows("20 of 20 transcribed", "The least sure quarter has a WER of", "novelty", "2 new words", "Calls",
		"What it took", "confidence 0.00", "All 20")
	reviewer.get("/projects/calls/plans/1/rates.csv").want(http.StatusOK).shows("by,of,wer,low,high,utterances,words,errors", "source,Calls,")
	reviewer.get("/projects/calls/plans/1/words.csv").want(http.StatusOK).shows("word novelty,2,20")
	reviewer.get("/projects/calls/plans/1/report.json").want(http.StatusOK).shows(`"items":20`)
	reviewer.get("/projects/calls/plans").want(http.StatusOK).shows("of 20 answered", "Unsure ones")
	s.browser(access.Reviewer).get("/projects/calls/plans/1").want(http.StatusNotFound)
}

// Before a model has heard anything the form leads to where hypotheses come in, if that is theirs to do.
func TestPlanWithoutHypotheses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	u := storetest.Speech(t, s.pool, s.bucket, 1, 2, 1)
	admin := s.browser(access.Admin)
	page := admin.get("/projects/calls/plans/new").want(http.StatusOK).shows("No model has heard anything here", "Import hypotheses")
	admin.get(page.attribute("href", "/projects/calls/imports")).want(http.StatusOK)
	id, _ := s.person(access.Reviewer)
	s.exec(`INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, u.Project, id)
	s.browserOf(id).get("/projects/calls/plans/new").want(http.StatusOK).lacks("Import hypotheses")
}

func TestPlansOverTheAPI(t *testing.T) {
	t.Parallel()
	s, _, _ := spokenSite(t, 20)
	admin := s.browser(access.Admin)
	call := func(method, path, body string) answer {
		t.Helper()
		return admin.body(method, "/api/v1/projects/calls/plans"+path, body)
	}
	call(http.MethodPost, "/preview", `{"model":"asr@1","share":0.5,"control":0.2}`).want(http.StatusOK).shows(`"items":20`, `"sentence":"The `, `"up_to":`)
	call(http.MethodPost, "/preview", `{"model":"asr@9"}`).want(http.StatusUnprocessableEntity).shows("Name a model version that is registered")
	call(http.MethodPost, "", `{"model":"asr@1","share":0.5,"modes":["reveal"],"seed":3}`).want(http.StatusCreated).shows(`"number":1`)
	if err := s.FillPlan(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	call(http.MethodGet, "/1", "").want(http.StatusOK).shows(`"state":"open"`, `"modes":["reveal"]`, `"seed":3`)
	call(http.MethodGet, "", "").want(http.StatusOK).shows(fmt.Sprintf(`"number":%d`, 1))
	call(http.MethodGet, "/1/report", "").want(http.StatusNotFound)
	call(http.MethodPost, "/1/report", "").want(http.StatusAccepted)
	if err := s.ReportPlan(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	call(http.MethodGet, "/1/report", "").want(http.StatusOK).shows(`"items":0`, `"words":[]`)
}
