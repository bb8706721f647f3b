package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"fiducial/internal/access"
)

// The matrix says of each combination how it stands to the baseline, in words too, and what it comes to in a sentence.
func TestMatrixPage(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 3, 2, 2)
	s.exec(`UPDATE cells SET failed = 5 WHERE version_id = 2 AND path = '{3,4}'`)
	s.exec(`INSERT INTO cell_flags (cell_id, kind, model_version_id, lines) SELECT id, 'prefill', 1, 128 FROM cells WHERE version_id = 2 AND path = '{1}'`)
	s.exec(`UPDATE cell_differences d SET value = -0.061, low = -0.085, high = -0.037, adjusted = 0.01 FROM cells c WHERE c.id = d.cell_id AND c.version_id = 2 AND c.path = '{3,4}'`)
	s.exec(`UPDATE cell_differences d SET value = 0.034, low = 0.017, high = 0.051, adjusted = 0.01 FROM cells c WHERE c.id = d.cell_id AND c.version_id = 2 AND c.path = '{3,5}'`)
	s.exec(`DELETE FROM cells WHERE version_id = 2 AND path = '{2,5}'`)
	admin := s.browser(access.Admin)
	page := admin.get("/matrix/1").want(http.StatusOK)
	page.shows("asr-en 5.2 helps", "task-02 1.0", "and hurts", "task-01 1.0", "care-test@2", "−0.061", "Being scored", "incomplete", "baseline, WER")
	for _, mark := range []string{"5 items without an output", "-0.061 to the baseline, worse", "leans towards its model"} {
		page.attribute("aria-label", strings.Replace(mark, "-", "−", 1))
	}
	admin.get("/matrix/1?versions=all&run=every").shows("care-test@1")
	admin.get("/matrix/1?run=1").shows("care-test@1").lacks("care-test@2")
	admin.get("/matrix/1?run=99").want(http.StatusNotFound)
	if got := admin.get("/matrix/1/cells.csv").want(http.StatusOK).Body.String(); !strings.Contains(got, "care-test@2,asr-en@5.2 task-01@1.0,task-01@1.0,test,frozen,,macro_f1,") {
		t.Errorf("the file lacks a cell:\n%s", got)
	}
}

// Who sees no project of a dataset version sees none of its cells.
func TestMatrixOfWhatOneSees(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 2, 1, 1)
	s.browser(access.Viewer).get("/matrix/1").want(http.StatusOK).shows("No combination has been measured").lacks("care-test")
	s.browser(access.Viewer).get("/cells/1").want(http.StatusNotFound)
	s.member(access.Viewer, 1).get("/matrix/1").shows("care-test@1")
	viewer := s.member(access.Viewer, 1)
	viewer.get("/cells/1").want(http.StatusOK).lacks("Look at its errors")
	viewer.get("/cells/1/items").want(http.StatusForbidden)
	s.browser(access.Labeler).get("/matrix/1").want(http.StatusForbidden)
}

// A cell shows its figures, its baseline, and its trend with the table that the chart draws.
func TestCellPage(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 3, 2, 4)
	var cell string
	s.scan(&cell, `SELECT id::text FROM cells WHERE version_id = 4 AND path = '{3,4}'`)
	admin := s.browser(access.Admin)
	page := admin.get("/cells/" + cell).want(http.StatusOK)
	page.shows("task-01 1.0", "behind asr-en 5.2", "Against", "asr-en 5.0 → task-01 1.0", "374 compared", "over time", "This combination", "care-test@1")
	if got := page.attribute("data-chart", "time"); got != "time" {
		t.Errorf("the trend is drawn as %q", got)
	}
	admin.get("/cells/"+cell+"?line=newest").want(http.StatusOK).shows("care-test@1").attribute("aria-current", "page")
	for _, file := range []string{"figures.csv", "figures.csv?table=classes", "trend.csv"} {
		if got := admin.get("/cells/" + cell + "/" + file).want(http.StatusOK).Body.String(); strings.Count(got, "\n") < 1 {
			t.Errorf("%s is empty", file)
		}
	}
}

// The overview answers in a sentence, and a link shows it to whoever has it, until it is revoked: figures alone, with no way on.
func TestOverviewIsShared(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 3, 2, 3)
	admin := s.browser(access.Admin)
	admin.get("/overview").to("/overview/1")
	admin.get("/overview/1").want(http.StatusOK).shows("Is the newest better?", "asr-en 5.2", "No alert is open", "Make a link")
	admin.post("/overview/1/links", "days", "400").want(http.StatusUnprocessableEntity).shows("1 to 90 days")
	made := admin.post("/overview/1/links", "days", "7").want(http.StatusOK)
	_, secret, found := strings.Cut(made.text(), "/shared/")
	if !found {
		t.Fatalf("no link is shown: %s", made.text())
	}
	secret, _, _ = strings.Cut(secret, " ")
	stranger := s.stranger()
	shared := stranger.get("/shared/" + url.PathEscape(secret)).want(http.StatusOK)
	shared.shows("Is the newest better?", "Figures alone").lacks("Make a link")
	for n := range shared.nodes() {
		for _, a := range n.Attr {
			if n.Data == "a" && a.Key == "href" && a.Val != "/" && !strings.HasPrefix(a.Val, "#") {
				t.Errorf("the shared page leads to %s", a.Val)
			}
		}
	}
	if got := shared.Header().Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("referrer policy %q", got)
	}
	admin.get("/overview/1").shows("opened 1 time")
	admin.post("/overview/links/1/revoke").to("/overview/1#share")
	stranger.get("/shared/" + url.PathEscape(secret)).want(http.StatusNotFound)
	stranger.get("/shared/fidshare_nothing").want(http.StatusNotFound)
	s.member(access.Viewer, 1).get("/overview/1").want(http.StatusOK).lacks("Make a link")
}

// A link stops working when whoever made it may not share any more.
func TestSharedLinkEndsWithItsMaker(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 2, 1, 1)
	id, _ := s.person(access.Admin)
	_, rest, _ := strings.Cut(s.browserOf(id).post("/overview/1/links", "days", "7").want(http.StatusOK).text(), "/shared/")
	secret, _, _ := strings.Cut(rest, " ")
	s.stranger().get("/shared/" + secret).want(http.StatusOK)
	s.exec(`UPDATE people SET role = 'reviewer' WHERE id = $1`, id)
	s.stranger().get("/shared/" + secret).want(http.StatusNotFound)
}
