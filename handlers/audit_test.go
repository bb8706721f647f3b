package handlers_test

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"fiducial/handlers"
	"fiducial/internal/access"
)

func TestAuditPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _ := s.person(access.Admin)
	admin := s.browserOf(id)
	admin.post("/account/name", "name", "=HYPERLINK(1)").to("/account")
	admin.get("/admin/audit").want(http.StatusOK).shows("person.add", "person.rename", "Fiducial itself")
	admin.get("/admin/audit?action=person.rename&person=HYPER").want(http.StatusOK).shows("=HYPERLINK(1)").lacks("Fiducial itself")
	admin.get("/admin/audit?type=person&object=424242").want(http.StatusOK).shows("Nothing like that happened")
	admin.get("/admin/audit?object=four").want(http.StatusUnprocessableEntity).shows("An id is a number.")
	admin.get("/admin/audit?from=yesterday").want(http.StatusUnprocessableEntity).shows("Write the day like")
	admin.get("/admin/audit?to=2001-01-01").want(http.StatusOK).shows("Nothing like that happened")
}

// A download holds every event that the filter selects, however many batches that takes, and no cell
// that a spreadsheet would run.
func TestAuditDownload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _ := s.person(access.Admin)
	admin := s.browserOf(id)
	admin.post("/account/name", "name", "=HYPERLINK(1)").to("/account")
	if _, err := s.pool.Exec(t.Context(), `
		INSERT INTO audit_events (person_id, action, object_type, object_id) SELECT $1, 'item.add', 'item', n FROM generate_series(1, 2500) n`, id); err != nil {
		t.Fatal(err)
	}
	got := admin.get("/admin/audit.csv?action=item.add").want(http.StatusOK)
	if disposition := got.Header().Get("Content-Disposition"); !strings.Contains(disposition, "attachment") {
		t.Errorf("disposition %q", disposition)
	}
	records, err := csv.NewReader(got.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 2501 {
		t.Fatalf("%d lines, want 2501", len(records))
	}
	if head, first := records[0], records[1]; head[3] != "person" || first[3] != "'=HYPERLINK(1)" || first[8] != "2500" {
		t.Errorf("%v\n%v", head, first)
	}
}

// River's pages have their own, looser policy, and what is done there is on record.
func TestJobsPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.browser(access.Admin)
	got := admin.get(handlers.JobsPath+"/").want(http.StatusOK).shows("River's own pages", "Back to Fiducial")
	if policy := got.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "style-src 'self' 'unsafe-inline'") || strings.Contains(policy, "script-src 'self' ") {
		t.Errorf("policy %q", policy)
	}
	admin.post(handlers.JobsPath + "/api/jobs/retry").want(http.StatusOK)
	admin.get("/admin/audit?action=jobs.change").want(http.StatusOK).shows("/api/jobs/retry")
	s.browser(access.Reviewer).get(handlers.JobsPath + "/").want(http.StatusForbidden)
}
