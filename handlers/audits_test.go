package handlers_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

func TestAuditsOfTestLabels(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.withTruth("hot", 60)
	s.frozen("hot-test", "hot")
	const path = "/datasets/hot-test/1/audits"
	reviewer, viewer := s.memberOf(project, access.Reviewer), s.memberOf(project, access.Viewer)
	viewer.get(path).want(http.StatusOK).shows("Nobody has audited this version").lacks("Draw the lines")
	viewer.post(path, "items", "3").want(http.StatusForbidden)
	reviewer.get(path + "?items=37").want(http.StatusOK).shows("Draw the lines")
	for _, items := range []string{"", "0", "many", "2001"} {
		reviewer.post(path, "items", items).want(http.StatusUnprocessableEntity).shows("Choose between 1 and 2000 test lines.")
	}
	reviewer.post(path, "items", "3").to(path)
	reviewer.get(path).shows("Drawing lines")
	reviewer.post(path, "items", "3").want(http.StatusUnprocessableEntity).shows("An audit of this version is under way.")
	if err := s.FillAudit(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	reviewer.get(path).shows("batch 1 of hot", "Labeled again").lacks("Drawing lines")
	reviewer.post(path + "/1/report").to(path)
	reviewer.post(path + "/2/report").want(http.StatusNotFound)
	if err := s.ReportAudit(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	reviewer.get(path).shows("Nobody has labeled one of the lines again yet.", "Labeled differently")
	viewer.get(path).lacks("Report now", "/projects/hot/batches")
	s.browser(access.Viewer).get(path).want(http.StatusNotFound)
}

func TestProgramsAuditLabels(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withTruth("hot", 60)
	s.frozen("hot-test", "hot")
	call := s.programs(access.Admin, 0)
	const path = "/datasets/hot-test/versions/1/audits"
	call(http.MethodPost, path, `{"items":0}`).want(http.StatusUnprocessableEntity)
	call(http.MethodPost, path, `{"items":2,"seed":7}`).want(http.StatusCreated)
	if err := s.FillAudit(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var list struct{ Data []struct{ ID int64 } }
	if err := json.Unmarshal(call(http.MethodGet, path, "").want(http.StatusOK).Body.Bytes(), &list); err != nil || len(list.Data) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	call(http.MethodPost, "/audits/1/report", `{}`).want(http.StatusAccepted)
	if err := s.ReportAudit(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var one struct {
		State   string
		Batches []store.AuditBatch
		Items   int
		Report  *store.AuditReport
	}
	if err := json.Unmarshal(call(http.MethodGet, "/audits/1", "").want(http.StatusOK).Body.Bytes(), &one); err != nil {
		t.Fatal(err)
	}
	if one.State != store.AuditOpen || len(one.Batches) != 1 || one.Batches[0].Project != "hot" || one.Batches[0].Number != 1 || one.Items != 2 || one.Report == nil || one.Report.Differ.High != 1 {
		t.Errorf("%+v", one)
	}
	call(http.MethodGet, "/audits/9", "").want(http.StatusNotFound)
}
