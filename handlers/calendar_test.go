package handlers_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"fiducial/internal/access"
	"fiducial/internal/retention"
	"fiducial/store"
)

// expiring gives a project of 100 items with a frozen version, of whose test split so many items go in the week after next.
func (s *site) expiring(goes int) (week time.Time) {
	s.t.Helper()
	s.withTruth("hot", 100)
	s.frozen("hot-test", "hot")
	s.exec(`UPDATE items SET retain_until = now() + interval '14 days' WHERE id IN (SELECT item_id FROM dataset_lines WHERE split = 'test' ORDER BY position LIMIT $1)`, goes)
	if _, err := s.RefreshCalendars(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	day, err := s.CalendarDay(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return retention.WeekOf(day.Now.AddDate(0, 0, 14))
}

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.pool.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

func TestCalendarPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.browser(access.Admin)
	admin.get("/retention").want(http.StatusOK).shows("What expires when", "No item is here", "No dataset version is like that")
	week := s.expiring(5)
	monday := week.Format("2 Jan 2006")
	page := admin.get("/retention").want(http.StatusOK)
	if says := page.attribute("title", "5 items"); !strings.Contains(says, "week of "+monday+": 5 items expire") {
		t.Errorf("the week says %q", says)
	}
	page.shows("mill of 1", "no time limit", "hot-test v1", "falls below", monday, "in 2 weeks", "Open a batch", "keeps its size")
	for _, within := range []string{"90d", "180d", "1y", "odd"} {
		admin.get("/retention?within="+within).want(http.StatusOK).shows("mill of 1", monday)
	}
	admin.get("/retention?split=test").shows("hot-test v1").lacks("training")
	admin.get("/retention?project=other").shows("No item is here")
	admin.get("/retention?source=999").shows("No item is here")

	s.exec(`INSERT INTO legal_holds (source_id, reason) SELECT id, 'a dispute' FROM sources`)
	admin.get("/retention").shows("held: does not expire", "0 and 5 held", "Dates have just changed")

	s.exec(`UPDATE items SET retain_until = now() - interval '1 day' WHERE id = 1`)
	admin.get("/retention").shows("Nothing has expired yet", "1 item of mill of 1 would be gone, but for a legal hold")
	s.exec(`UPDATE legal_holds SET lifted_at = now()`)
	if _, err := s.ExpireDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	admin.get("/retention").shows("Erasure 1", "on its way").lacks("would be gone")

	viewer := s.browser(access.Viewer)
	viewer.get("/retention").want(http.StatusOK).lacks("hot-test", "Open a batch") // no member of the project
	s.browser(access.Labeler).get("/retention").want(http.StatusForbidden)
}

// TestBatchFromTheCalendar follows the link of a part to the form, and makes the batch.
func TestBatchFromTheCalendar(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	week := s.expiring(5)
	s.exec(`INSERT INTO items (project_id, source_id, key_hash, width, height) SELECT 1, 1, sha256(g::text::bytea), 200, 100 FROM generate_series(101, 130) g`)
	s.exec(`INSERT INTO item_texts (item_id, external_key) SELECT id, 'new/' || id FROM items WHERE id > 100`)
	s.exec(`UPDATE items SET retain_until = now() + interval '300 days' WHERE id BETWEEN 101 AND 127`)
	admin := s.browser(access.Admin)
	href := admin.get("/retention").attribute("href", "/projects/hot/batches/new")
	asked, err := url.Parse(href)
	if err != nil {
		t.Fatal(err)
	}
	query := asked.Query()
	due := week.AddDate(0, 0, -3).Format(time.DateOnly)
	if query.Get("state") != "never_labeled" || query.Get("lasting") != "yes" || query.Get("due") != due || query.Get("size") == "" || query.Get("title") != "Refill test of hot-test" {
		t.Errorf("the form is asked for with %v", query)
	}
	admin.get(href).want(http.StatusOK).shows("3 free items are like that", "Only items that do not expire")
	admin.post("/projects/hot/batches", "state", query.Get("state"), "lasting", "yes", "size", query.Get("size"), "due", due, "title", query.Get("title")).to("/projects/hot/batches/1")
	admin.get("/projects/hot/batches/1").shows("Refill test of hot-test")
}

func TestDatasetLimitsFromThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.expiring(1)
	admin := s.browser(access.Admin)
	admin.get("/retention").lacks("is to keep")
	admin.get("/retention?dataset=hot-test").shows("What hot-test is to keep", "That takes 381 items")
	admin.post("/datasets/hot-test/limits", "margin", "12.5", "least_share", "80").to("/retention?dataset=hot-test#parts")
	admin.get("/retention?dataset=hot-test").shows("That takes 58 items")
	limits, err := s.Limits(t.Context(), store.System(), "hot-test")
	if err != nil || limits != (store.Limits{Margin: 0.125, LeastShare: 0.8}) {
		t.Errorf("%+v, %v", limits, err)
	}
	for want, form := range map[string][2]string{
		"Choose an interval between": {"wide", "80"}, "Choose a share between": {"5", "101"},
	} {
		admin.post("/datasets/hot-test/limits", "margin", form[0], "least_share", form[1]).want(http.StatusUnprocessableEntity).shows(want)
	}
	admin.post("/datasets/nothing/limits", "margin", "5", "least_share", "80").want(http.StatusNotFound)
	s.browser(access.Reviewer).post("/datasets/hot-test/limits", "margin", "5", "least_share", "80").want(http.StatusForbidden)
}

func TestCalendarFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	week := s.expiring(5)
	admin := s.browser(access.Admin)
	for path, want := range map[string]string{
		"/retention/calendar.csv": week.Format(time.DateOnly) + ",mill of 1,5,0",
		"/retention/parts.csv":    "hot-test,1,test,,",
	} {
		got := admin.get(path).want(http.StatusOK)
		if body := got.Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s lacks %q: %s", path, want, body)
		}
		if _, err := csv.NewReader(strings.NewReader(got.Body.String())).ReadAll(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestExpiringAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	week := s.expiring(5).Format(time.DateOnly)
	s.exec(`UPDATE items SET retain_until = now() + interval '21 days' WHERE id = (SELECT item_id FROM dataset_lines WHERE split = 'training' LIMIT 1)`)
	admin := s.browser(access.Admin)
	var page struct {
		Data []struct {
			Week, Source, Dataset, Split string
			Items, Held, Wanted, Then    int
			Size                         struct{ State, Week string }
		}
		Next string
	}
	read := func(path string) {
		t.Helper()
		page.Data, page.Next = nil, ""
		if err := json.Unmarshal(admin.get(path).want(http.StatusOK).Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
	}
	read("/api/v1/expiring?limit=1")
	if len(page.Data) != 1 || page.Data[0].Week != week || page.Data[0].Items != 5 || page.Next == "" {
		t.Fatalf("%+v", page)
	}
	read(page.Next)
	if len(page.Data) != 1 || page.Data[0].Items != 1 || page.Next != "" {
		t.Errorf("the next page: %+v", page)
	}
	read("/api/v1/expiring?within=3d&source=mill%20of%201")
	if len(page.Data) != 0 {
		t.Errorf("within three days: %+v", page)
	}
	read("/api/v1/expiring/parts?limit=1")
	if len(page.Data) != 1 || page.Data[0].Split != "test" || page.Data[0].Size.State != "falls" || page.Data[0].Size.Week != week || page.Data[0].Then != page.Data[0].Items-5 {
		t.Fatalf("%+v", page)
	}
	seen := 1
	for page.Next != "" {
		read(page.Next)
		seen += len(page.Data)
	}
	if seen != 3 {
		t.Errorf("%d parts, want the three splits", seen)
	}
	admin.get("/api/v1/expiring?source=nobody").want(http.StatusNotFound)
	for _, within := range []string{"0d", "90", "99999d"} {
		admin.get(fmt.Sprintf("/api/v1/expiring?within=%s", within)).want(http.StatusUnprocessableEntity)
	}
}
