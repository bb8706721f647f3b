package handlers_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

// compare does the work of the jobs that compare.
func (s *site) compare() {
	s.t.Helper()
	var ids []int64
	if err := s.pool.QueryRow(s.t.Context(), `SELECT array_agg(id) FROM dataset_diffs WHERE state = 'queued'`).Scan(&ids); err != nil {
		s.t.Fatal(err)
	}
	for _, id := range ids {
		if err := s.RunDiff(s.t.Context(), id); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestWhatChangedIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project := s.withTruth("hot", 40)
	s.frozen("hot-test", "hot")
	admin := s.browser(access.Admin)
	admin.get("/datasets/hot-test/diff").want(http.StatusOK).shows("nothing to compare yet")
	s.exec(`UPDATE truths SET current = false WHERE item_id IN (1, 2, 3)`)
	s.exec(`INSERT INTO truths (item_id, import_id) SELECT item_id, import_id FROM truths WHERE item_id IN (1, 2)`)
	s.frozen("hot-test", "hot")

	admin.get("/datasets/hot-test/diff").want(http.StatusOK).shows("Comparing v1 with v2")
	s.compare()
	page := admin.get("/datasets/hot-test/diff?from=1&to=2").shows("Relabelled", "Withdrawn", "the truth has other boxes", "Alike, byte for byte", "scratch", "−3")
	page.lacks("Comparing", "Erased")
	admin.get("/datasets/hot-test/diff?from=2&to=1&reason=withdrawn").shows("its truth was taken back", "3.jpg")
	admin.get("/datasets/hot-test/diff?from=1&to=2&reason=withdrawn&split=nowhere").shows("Nothing here")
	admin.get("/datasets/hot-test/diff?from=1&to=1").want(http.StatusUnprocessableEntity).shows("Name two different versions")
	admin.get("/datasets/hot-test/diff?from=1&to=7").want(http.StatusNotFound)
	admin.get("/datasets/hot-test").shows("What changed")

	id, _ := s.person(access.Viewer)
	if err := s.AddMember(t.Context(), store.System(), project.ID, id); err != nil {
		t.Fatal(err)
	}
	s.browserOf(id).get("/datasets/hot-test/diff?from=1&to=2&reason=withdrawn").shows("3.jpg").lacks("/items/3")
	s.browser(access.Viewer).get("/datasets/hot-test/diff?from=1&to=2").want(http.StatusNotFound)

	admin.post("/datasets/hot-test/diff", "from", "1", "to", "2").to("/datasets/hot-test/diff?from=1&to=2")
	admin.get("/datasets/hot-test/diff?from=1&to=2").shows("Comparing")
}

func TestProgramsCompareVersions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withTruth("hot", 30)
	s.frozen("one", "hot")
	s.exec(`UPDATE truths SET current = false WHERE item_id <= 5`)
	s.frozen("other", "hot")
	call := s.programs(access.Admin, 0)
	call(http.MethodPost, "/diffs", `{"from":"one","to":"other@1"}`).want(http.StatusUnprocessableEntity)
	call(http.MethodPost, "/diffs", `{"from":"one@1","to":"other@9"}`).want(http.StatusNotFound)
	call(http.MethodPost, "/diffs", `{"from":"other@1","to":"one@1"}`).want(http.StatusCreated)
	s.compare()
	var diff struct {
		From, To, State string
		Same            int
		Counts          []struct {
			Reason string
			Gone   int
		}
	}
	if err := json.Unmarshal(call(http.MethodGet, "/diffs/1", "").want(http.StatusOK).Body.Bytes(), &diff); err != nil {
		t.Fatal(err)
	}
	if diff.From != "one@1" || diff.State != "done" || diff.Same != 25 || len(diff.Counts) == 0 || diff.Counts[0].Reason != "withdrawn" {
		t.Errorf("%+v", diff)
	}
	var page struct {
		Data []struct{ Item int64 }
		Next string
	}
	if err := json.Unmarshal(call(http.MethodGet, "/diffs/1/lines?reason=withdrawn&limit=3", "").want(http.StatusOK).Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Data) != 3 || page.Data[0].Item == 0 || page.Next == "" {
		t.Errorf("%+v", page)
	}
	if err := json.Unmarshal(call(http.MethodGet, page.Next[len("/api/v1"):], "").want(http.StatusOK).Body.Bytes(), &page); err != nil || len(page.Data) != 2 {
		t.Errorf("%+v, %v", page, err)
	}
	bound := s.withTruth("cold", 1)
	s.programs(access.Admin, bound.ID)(http.MethodGet, "/diffs/1", "").want(http.StatusNotFound)
}
