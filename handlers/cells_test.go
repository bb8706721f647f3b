package handlers_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/store"
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
	page.shows("5 items without an output", "−0.061 ±0.024 to the baseline, worse", "leans towards its model")
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

// Of two groups nobody can say how sure a figure is, nor what a difference is worth.
func TestCellOfTwoGroups(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 2, 1, 1)
	var cell string
	s.scan(&cell, `UPDATE cells SET low = NULL, high = NULL, figures = jsonb_set(figures, '{groups}', '2') WHERE path = '{2}' RETURNING id::text`)
	s.exec(`UPDATE cell_differences SET low = NULL, high = NULL, p = NULL, adjusted = NULL`)
	s.browser(access.Admin).get("/cells/"+cell).want(http.StatusOK).
		shows("n 412 in 2 groups", "too few groups to tell", "items of 3 groups at the least").lacks("– to –", "within noise", " , ")
}

// The overview answers in a sentence, and a link shows it to whoever has it, until it is revoked: figures alone, with no way on.
func TestOverviewIsShared(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 3, 2, 3)
	admin := s.browser(access.Admin)
	admin.get("/overview").to("/overview/1")
	admin.get("/overview/1").want(http.StatusOK).shows("Is the newest better?", "asr-en 5.2", "No alert is open", "Make a link")
	admin.post("/overview/1/links", "days", "400").want(http.StatusUnprocessableEntity).shows("1 to 90 days")
	admin.post("/overview/1/links", "days", "9223372036854775807").want(http.StatusUnprocessableEntity).shows("1 to 90 days")
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
	stranger.get("/shared/"+url.PathEscape(secret)).want(http.StatusNotFound).shows("This link opens nothing any more", "Ask whoever gave it to you")
	stranger.get("/shared/fidshare_nothing").want(http.StatusNotFound)
	s.member(access.Viewer, 1).get("/overview/1").want(http.StatusOK).lacks("Make a link")
}

// Where only what stands last is another than the baseline has, that is what the overview judges; it says how much, and the matrix marks the
// baseline alone as such.
func TestOverviewJudgesWhatStandsLast(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 1, 2, 1)
	if _, err := s.pool.Exec(t.Context(), `
		INSERT INTO cell_differences (cell_id, baseline_id, measure, value, low, high, p, adjusted, items, gained, lost)
		SELECT c.id, b.id, 'macro_f1', 0.1, 0.05, 0.15, 0.01, 0.02, 374, 14, 41 FROM cells c, cells b WHERE c.path = '{1,3}' AND b.path = '{1,2}'`); err != nil {
		t.Fatal(err)
	}
	admin := s.browser(access.Admin)
	admin.get("/overview/1").want(http.StatusOK).shows("Yes.", "task-02 1.0", "better than the baseline.", "F1 of task-02 1.0", "(+0.100 ±0.050), on care-test@1.")
	admin.get("/matrix/1").shows("+0.100 ±0.050 to the baseline, better", ", the baseline")
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

// newDetectorSite is a site with pictures, a dataset version of them, and two releases of a detector that were measured on it: cell 2 is the
// newer one's, with a move and a mistake on each line.
func newDetectorSite(t *testing.T) (s *matrixSite, positions []int) {
	t.Helper()
	s = &matrixSite{newSite(t)}
	s.withTruth("hot", 6)
	s.frozen("hot-test", "hot")
	for _, sql := range []string{
		`INSERT INTO models (name, kind) VALUES ('strip', 'detector')`,
		`INSERT INTO model_versions (model_id, version) VALUES (1, '7'), (1, '8')`,
		`INSERT INTO chains (name, slots, baseline) VALUES ('Strip detector', '{detector}', '{1}')`,
		`INSERT INTO evaluations (chain_id, state, baseline, split) SELECT 1, 'done', '{1}', min(split) FROM dataset_lines`,
		`INSERT INTO evaluation_versions (evaluation_id, version_id) VALUES (1, 1)`,
		`INSERT INTO cells (version_id, split, path, configurations, labels, normalizer, task, evaluation_id, items, failed, measure, value, low, high, figures)
			SELECT 1, e.split, ARRAY[g], sha256('one'), 'frozen', '', 'detection', 1, 6, 0, 'map', 0.6, 0.5, 0.7, '{"task":"detection","measures":[]}' FROM evaluations e, generate_series(1, 2) g ORDER BY g`,
		`INSERT INTO evaluation_steps (evaluation_id, version_id, path, configuration, state, cell_id) SELECT 1, 1, path, '\x00', 'done', id FROM cells`,
		`INSERT INTO cell_differences (cell_id, baseline_id, measure, value, low, high, adjusted, items, gained, lost) VALUES (2, 1, 'map', 0.05, 0.01, 0.09, 0.02, 6, 3, 3)`,
		`INSERT INTO cell_moves (cell_id, baseline_id, position, change) SELECT 2, 1, position, CASE WHEN position % 2 = 0 THEN 1 ELSE -2 END FROM dataset_lines`,
		`INSERT INTO cell_errors (cell_id, position, kind, size, detail) SELECT 2, position, 'false_negative', 1, '{"truth":"scratch","truth_at":0,"said_at":-1}' FROM dataset_lines`,
	} {
		s.exec(sql)
	}
	rows, err := s.pool.Query(t.Context(), `SELECT l.position FROM dataset_lines l JOIN cells c ON c.id = 2 AND c.split = l.split ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	if positions, err = pgx.CollectRows(rows, pgx.RowTo[int]); err != nil {
		t.Fatal(err)
	}
	return s, positions
}

// Errors stand on a wall, and whoever reviews says what lies behind them: a new cause or a known one, which can be taken off.
func TestErrorsAreTaggedWithTheirCause(t *testing.T) {
	t.Parallel()
	s, positions := newDetectorSite(t)
	admin := s.browser(access.Admin)
	admin.get("/cells/2/items").want(http.StatusOK).shows("Lost 3", "Gained 3", "scratch", "missed").attribute("src", "/media/windows/")
	admin.get("/cells/2/items?show=lost").want(http.StatusOK).shows("2 more errors").lacks("fewer")
	admin.get("/cells/2/items?show=gained").want(http.StatusOK).shows("1 fewer error")
	box := fmt.Sprintf("%d:false_negative:0", positions[0])
	admin.post("/cells/2/causes", "new", "Scale on the strip").want(http.StatusUnprocessableEntity).shows("Tick the errors")
	admin.post("/cells/2/causes", "error", box).want(http.StatusUnprocessableEntity).shows("Choose a cause")
	admin.post("/cells/2/causes", "error", box, "new", "Scale on the strip").to("/cells/2/items")
	admin.post("/cells/2/causes", "error", box, "new", "scale ON the strip").to("/cells/2/items") // the same one
	var causes, tags int
	s.scan(&causes, `SELECT count(*) FROM causes`)
	s.scan(&tags, `SELECT count(*) FROM item_causes`)
	if causes != 1 || tags != 1 {
		t.Errorf("%d causes and %d tags, want one of each", causes, tags)
	}
	admin.get("/cells/2/items?cause=1").shows("Scale on the strip 1", "All errors")
	admin.get(fmt.Sprintf("/cells/2/items/%d", positions[0])).want(http.StatusOK).shows("Scale on the strip", "What the models said has been deleted")
	line, _, _ := strings.Cut(box, ":")
	item := "/cells/2/items/" + line
	admin.get(item).want(http.StatusOK).shows("Cause of what is ticked", "Scale on the strip").attribute("value", box)
	admin.post("/cells/2/causes", "line", line, "back", item, "error", box).want(http.StatusUnprocessableEntity).shows("Choose a cause", "The items")
	admin.post("/cells/2/causes", "line", line, "back", item, "error", box, "new", "Glare").to(item)
	admin.get(item).shows("Scale on the strip", "Glare")
	glare := fmt.Sprint(s.one(`SELECT id FROM causes WHERE name = 'Glare'`))
	admin.post("/cells/2/causes", "line", line, "back", item, "error", box, "cause", glare, "remove", "yes").to(item)
	if s.scan(&tags, `SELECT count(*) FROM item_causes`); tags != 1 {
		t.Errorf("%d tags after one was taken off", tags)
	}
	s.member(access.Labeler, 1).get(item).want(http.StatusForbidden)
	admin.post("/cells/2/causes", "error", box, "cause", "1", "remove", "yes").to("/cells/2/items")
	admin.get("/cells/2/items?cause=1").shows("Nothing here")
	admin.get("/cells/2/items/999999").want(http.StatusNotFound)
	s.browser(access.Viewer).post("/cells/2/causes", "error", box, "cause", "1").want(http.StatusForbidden)
}

// Each role's day begins on a page of its own.
func TestWhereEachRoleBegins(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 2, 1, 1)
	s.browser(access.Labeler).get("/").to("/queue")
	s.browser(access.Reviewer).get("/").to("/review")
	s.member(access.Viewer, 1).get("/").to("/overview")
	admin := s.browser(access.Admin)
	admin.get("/").to("/start")
	s.exec(`INSERT INTO alerts (kind, chain_id, cell_id, key, summary) SELECT 'drop', 1, min(id), 'one',
		'{"kind": "drop", "models": ["asr-en@5.1"], "version": "care-test@1", "measure": "wer"}' FROM cells`)
	admin.get("/start").want(http.StatusOK).shows("One thing wants you today", "Word error rate of asr-en@5.1 on care-test@1 became worse", "Care line", "Nothing expires in this time")
	fresh := newSite(t)
	fresh.browser(access.Viewer).get("/").to("/projects")
	fresh.browser(access.Admin).get("/start").want(http.StatusOK).shows("One thing wants you today", "Make a project")
}

// The chain that got worse is looked at before one that was only evaluated later.
func TestTheOverviewBeginsWithWhatFell(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 2, 1, 1)
	later, err := s.AddChain(t.Context(), store.System(), store.NewChain{ChainSettings: store.ChainSettings{Name: "later"}, Slots: []string{"asr"}})
	if err != nil {
		t.Fatal(err)
	}
	s.exec(`INSERT INTO evaluations (chain_id, state, created_at) VALUES ($1, 'done', now() + interval '1 day')`, later)
	admin := s.browser(access.Admin)
	admin.get("/overview").to(fmt.Sprintf("/overview/%d", later))
	s.exec(`INSERT INTO alerts (kind, chain_id, key, summary) VALUES ('drop', 1, 'one', '{"kind": "drop"}')`)
	admin.get("/overview").to("/overview/1")
	s.exec(`UPDATE alerts SET state = 'closed'`)
	admin.get("/overview").to(fmt.Sprintf("/overview/%d", later))
}
