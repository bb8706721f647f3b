package handlers_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

// agreementSite is a site with a project in which two labelers answered three items: alike, with another class, and
// with a box more.
type agreementSite struct {
	*reviewSite

	project  store.Project
	dent     int64
	labelers []store.Actor
}

func newAgreementSite(t *testing.T) *agreementSite {
	t.Helper()
	s := &agreementSite{reviewSite: newReviewSite(t, 3)}
	var err error
	if s.project, err = s.Project(t.Context(), store.System(), "strips"); err != nil {
		t.Fatal(err)
	}
	if s.dent, err = s.AddClass(t.Context(), store.System(), s.project.ID, "Dent", "2"); err != nil {
		t.Fatal(err)
	}
	s.setOverlap(2)
	id, _ := s.person(access.Labeler)
	other := store.Actor{PersonID: id, Role: access.Labeler}
	if err := s.AddMember(t.Context(), store.System(), s.project.ID, id); err != nil {
		t.Fatal(err)
	}
	s.labelers = []store.Actor{s.labeler, other}
	for _, boxes := range [][]store.DraftBox{
		{{ID: "0", ClassID: s.class, X: 1, Y: 2, W: 30, H: 40}},
		{{ID: "0", ClassID: s.dent, X: 1, Y: 2, W: 30, H: 40}},
		{{ID: "0", ClassID: s.class, X: 1, Y: 2, W: 30, H: 40}, {ID: "1", ClassID: s.dent, X: 60, Y: 2, W: 30, H: 40}},
	} {
		claimed, err := s.Claim(t.Context(), other, "strips", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Submit(t.Context(), other, store.NewAnnotation{Task: claimed.Task, Assignment: claimed.Assignment, Boxes: boxes}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *agreementSite) setOverlap(n int) {
	s.t.Helper()
	if err := s.SetOverlap(s.t.Context(), store.System(), s.project.ID, n); err != nil {
		s.t.Fatal(err)
	}
}

// work does what the jobs would.
func (s *agreementSite) work() {
	s.t.Helper()
	for _, item := range s.items {
		if err := s.ScoreItem(s.t.Context(), item); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := s.SummarizeAgreement(s.t.Context(), store.AgreementScope{Project: s.project.ID}); err != nil {
		s.t.Fatal(err)
	}
}

func TestAgreementPage(t *testing.T) {
	t.Parallel()
	s := newAgreementSite(t)
	const path = "/projects/strips/agreement"
	reviewer := s.browserOf(s.reviewer.PersonID)
	reviewer.get(path).want(http.StatusOK).shows("No item has two answers yet")
	s.work()
	page := reviewer.get(path).want(http.StatusOK).shows("3 items with several answers", "Krippendorff’s alpha", "Labelers with each other", "By labeler", "Reliability",
		"Most confused", "classes differ", "Compute again")
	page.lacks("No item has two answers yet", "Labelers with the truth")
	page.attribute("title", "Scratch, then Dent: ")
	page.attribute("href", path+"/items")
	reviewer.get("/projects/strips").attribute("href", path)
	reviewer.post(path + "/score").to(path)
	reviewer.get(path).shows("Every item is scored again", "is being computed")
	reviewer.get(path + "?round=7").want(http.StatusNotFound)
	reviewer.get(path + "?round=x").want(http.StatusNotFound)

	// A viewer sees the figures, and neither items nor labelers.
	viewer := s.member(access.Viewer, s.project.ID)
	viewer.get(path).want(http.StatusOK).shows("Krippendorff’s alpha", "Scratch").lacks("By labeler", "Ada Strip and", "the worst first", "Compute again")
	viewer.get(path + "/items").want(http.StatusForbidden)
	viewer.get(path + "/labelers.csv").want(http.StatusForbidden)
	viewer.get(path + "/votes.csv").want(http.StatusOK)
	viewer.post(path + "/score").want(http.StatusForbidden)
	s.browserOf(s.labeler.PersonID).get(path).want(http.StatusForbidden)
	s.browser(access.Reviewer).get(path).want(http.StatusNotFound)
}

func TestAgreementOfSingleAnswers(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 1)
	admin := s.browser(access.Admin)
	page := admin.get("/projects/strips/agreement").want(http.StatusOK).shows("Nothing to compare", "at least two labelers")
	page.attribute("href", "/projects/strips/settings")
	reviewer := s.browserOf(s.reviewer.PersonID)
	reviewer.get("/projects/strips/agreement").shows("Nothing to compare").lacks("Change the answers")
	// Once something is decided, the answers are compared with that.
	r := s.look(s.items[0])
	_, err := s.Adjudicate(t.Context(), s.reviewer, store.Adjudication{Item: r.Item, Version: r.Version, Kind: store.Approved, Annotation: r.Answers[0].ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ScoreItem(t.Context(), r.Item); err != nil {
		t.Fatal(err)
	}
	if err := s.SummarizeAgreement(t.Context(), store.AgreementScope{Project: r.Project}); err != nil {
		t.Fatal(err)
	}
	reviewer.get("/projects/strips/agreement").shows("Nothing to compare", "Labelers with the truth", "By labeler").lacks("Krippendorff", "Items by score", "Where the reliable")
}

func TestAgreementTables(t *testing.T) {
	t.Parallel()
	s := newAgreementSite(t)
	s.work()
	reviewer := s.browserOf(s.reviewer.PersonID)
	for table, want := range map[string]int{"measures": 5, "scores": 10, "classes": 2, "votes": 3, "truth": 0, "labelers": 2, "pairs": 1, "items": 3} {
		got := reviewer.get("/projects/strips/agreement/" + table + ".csv").want(http.StatusOK)
		records, err := csv.NewReader(got.Body).ReadAll()
		if err != nil || len(records) < 1+want {
			t.Errorf("%s: %d rows, want at least %d: %v", table, len(records), want, err)
		}
		if !strings.HasPrefix(got.Header().Get("Content-Type"), "text/csv") {
			t.Errorf("%s: %s", table, got.Header().Get("Content-Type"))
		}
	}
	reviewer.get("/projects/strips/agreement/nothing.csv").want(http.StatusNotFound)
}

func TestAgreementItems(t *testing.T) {
	t.Parallel()
	s := newAgreementSite(t)
	reviewer := s.browserOf(s.reviewer.PersonID)
	const path = "/projects/strips/agreement/items"
	reviewer.get(path).want(http.StatusOK).shows("No item to compare")
	s.work()
	page := reviewer.get(path).want(http.StatusOK).shows("classes differ", "missed by some", "all alike", "1 of 1", "1.000")
	text := page.text()
	if strings.Index(text, "classes differ") > strings.Index(text, "all alike") {
		t.Error("the worst is not the first")
	}
	page.attribute("href", reviewPage(s.items[1]))
	reviewer.get(path + "?after=0.5_1").want(http.StatusOK)
	for _, bad := range []string{"x", "0.5", "0.5_", "y_1", "0.5_-3"} {
		reviewer.get(path + "?after=" + bad).want(http.StatusBadRequest)
	}
	// What waits is shown with its score where a reviewer's day begins, and handed out from the worst on.
	reviewer.get("/review").shows("0.000 classes differ", "0.667 missed by some", "1.000 all alike")
	reviewer.get("/review/next?project=strips").to(reviewPage(s.items[1]))
}

func TestAgreementAPI(t *testing.T) {
	t.Parallel()
	s := newAgreementSite(t)
	api := apiSite{Store: s.Store, handler: s.handler}
	call := func(method, path string, role access.Role, want int, body string) *httptest.ResponseRecorder {
		t.Helper()
		got := api.call(t, api.token(t, role, 0), method, "/api/v1/projects/strips"+path, body)
		if got.Code != want {
			t.Fatalf("%s %s as %s: %d, want %d: %s", method, path, role, got.Code, want, got.Body)
		}
		return got
	}
	call("GET", "/agreement", access.Reviewer, http.StatusNotFound, "")
	s.work()
	type document struct {
		Labelers []struct{ Name string } `json:"labeler_names"`
		Classes  []struct{ Name string } `json:"class_names"`
		Summary  struct {
			Compared int
			Alpha    struct {
				Value   float64
				Defined bool
				N       int
			}
			Labelers []any
		}
	}
	got := decoded[document](t, call("GET", "/agreement", access.Reviewer, http.StatusOK, ""))
	if got.Summary.Compared != 3 || !got.Summary.Alpha.Defined || got.Summary.Alpha.N != 4 || len(got.Labelers) != 2 || len(got.Classes) != 2 {
		t.Errorf("%+v", got)
	}
	got = decoded[document](t, call("GET", "/agreement", access.Viewer, http.StatusOK, ""))
	if got.Summary.Compared != 3 || len(got.Labelers) != 0 || len(got.Summary.Labelers) != 0 {
		t.Errorf("a viewer gets %+v", got)
	}
	call("GET", "/agreement/items", access.Viewer, http.StatusForbidden, "")
	type page struct {
		Data []struct {
			ID    int64
			Score *float64
		}
		Next string
	}
	var order []string
	for next := "/agreement/items?limit=2"; next != ""; {
		p := decoded[page](t, call("GET", next, access.Reviewer, http.StatusOK, ""))
		for _, item := range p.Data {
			order = append(order, fmt.Sprintf("%.2f", *item.Score))
		}
		next = strings.TrimPrefix(p.Next, "/api/v1/projects/strips")
	}
	if fmt.Sprint(order) != "[0.00 0.67 1.00]" {
		t.Errorf("order %v", order)
	}
	call("POST", "/agreement/score", access.Viewer, http.StatusForbidden, "")
	call("POST", "/agreement/score", access.Reviewer, http.StatusAccepted, "")
	call("PUT", "/agreement/rules", access.Reviewer, http.StatusForbidden, `{"loose_limit":0.6,"look_share":0,"overlap_most":4}`)
	call("PUT", "/agreement/rules", access.Admin, http.StatusUnprocessableEntity, `{"loose_limit":0.6,"look_share":0,"overlap_most":2,"ask_below":0.5}`)
	changed := call("PUT", "/agreement/rules", access.Admin, http.StatusOK, `{"loose_limit":0.6,"look_share":0,"overlap_most":4,"accept_above":0.9}`)
	if !strings.Contains(changed.Body.String(), `"accept_above":0.9`) {
		t.Errorf("rules: %s", changed.Body)
	}
}

// What the rule accepted bears no reviewer's name, and can be undone as any decision.
func TestAcceptedByRule(t *testing.T) {
	t.Parallel()
	s := newAgreementSite(t)
	admin := s.browser(access.Admin)
	form := func(pairs ...string) []string {
		return append([]string{"name", "Hot strip", "overlap", "2", "lease_minutes", "30", "loose_limit", "0.7", "look_share", "0", "overlap_most", "5"}, pairs...)
	}
	version := func() string {
		p, err := s.Project(t.Context(), store.System(), "strips")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(p.Version)
	}
	settings := "/projects/strips/settings"
	admin.get(settings).want(http.StatusOK).shows("Where several answer the same item", "Accept from")
	admin.post(settings, form("version", version(), "accept_above", "high")...).want(http.StatusUnprocessableEntity).shows("such as 0.9")
	admin.post(settings, form("version", version(), "ask_below", "0.5", "accept_above", "0.4")...).want(http.StatusUnprocessableEntity).shows("below the one")
	admin.post(settings, form("version", version(), "accept_above", "0.9")...).to(settings)
	admin.get("/projects/strips").shows("accepted from a score of 0.9")
	s.work()
	reviewer := s.browserOf(s.reviewer.PersonID)
	reviewer.get("/review").shows("2 items wait for review").lacks("1.000 all alike")
	page := reviewer.get(reviewPage(s.items[0])).shows("Decided", "Accepted by rule").lacks("Accepted by rule by")
	stale := reviewer.post(reviewPage(s.items[0]), "decision", "discarded", "discard_note", "No.", "version", "1")
	stale.want(http.StatusConflict).shows("rule accepted the item in the meantime")
	reviewer.get(fmt.Sprintf("/items/%d", s.items[0])).shows("accepted by the project's rule")
	undo := page.attribute("action", "/review/decisions/")
	reviewer.post(undo).to(reviewPage(s.items[0]))
	s.work()
	reviewer.get(reviewPage(s.items[0])).shows("Waits for review", "taken back")
}
