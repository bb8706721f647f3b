package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

// reviewSite is a site with a project in which a labeler answered items with one box each.
type reviewSite struct {
	*site

	labeler, reviewer store.Actor
	class             int64
	items             []int64
}

func newReviewSite(t *testing.T, items int) *reviewSite {
	t.Helper()
	s := &reviewSite{site: newSite(t)}
	project, err := s.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strips", Name: "Hot strip", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	if s.class, err = s.AddClass(t.Context(), store.System(), project.ID, "Scratch", "1"); err != nil {
		t.Fatal(err)
	}
	for role, actor := range map[access.Role]*store.Actor{access.Labeler: &s.labeler, access.Reviewer: &s.reviewer} {
		id, _ := s.person(role)
		*actor = store.Actor{PersonID: id, Role: role}
		if err := s.AddMember(t.Context(), store.System(), project.ID, id); err != nil {
			t.Fatal(err)
		}
	}
	for n := range items {
		var item int64
		err := s.pool.QueryRow(t.Context(), `
			WITH s AS (INSERT INTO sources (name) VALUES ('mill') ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id),
			i AS (INSERT INTO items (project_id, source_id, key_hash, width, height) SELECT $1, id, $2::text::bytea, 100, 80 FROM s RETURNING id),
			x AS (INSERT INTO item_texts (item_id, external_key) SELECT id, 'strip-' || $2 FROM i)
			INSERT INTO tasks (project_id, item_id, overlap) SELECT $1, id, 1 FROM i RETURNING item_id`, project.ID, fmt.Sprint(n+1)).Scan(&item)
		if err != nil {
			t.Fatal(err)
		}
		s.items = append(s.items, item)
		claimed, err := s.Claim(t.Context(), s.labeler, "strips", 0)
		if err != nil {
			t.Fatal(err)
		}
		boxes := []store.DraftBox{{ID: "0", ClassID: s.class, X: 1, Y: 2, W: 30, H: 40}}
		if _, err := s.Submit(t.Context(), s.labeler, store.NewAnnotation{Task: claimed.Task, Assignment: claimed.Assignment, Boxes: boxes}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *reviewSite) look(item int64) store.Reviewed {
	s.t.Helper()
	r, err := s.ReviewItem(s.t.Context(), s.reviewer, item)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// sendJSON posts body as the workbench does.
func (b *browser) sendJSON(path string, body any) answer {
	b.site.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.site.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(b.site.t.Context(), http.MethodPost, path, strings.NewReader(string(text)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.site.handler.ServeHTTP(w, r)
	return answer{w, b.site.t}
}

func TestReviewByForm(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 4)
	b := s.browserOf(s.reviewer.PersonID)
	b.get("/review").want(http.StatusOK).shows("4 items wait for review", "Hot strip", "strip-1")
	b.get("/review?project=strips").want(http.StatusOK).attribute("href", "/review/next?project=strips")
	b.get("/review/next?project=strips").to(reviewPage(s.items[0]))
	page := b.get(reviewPage(s.items[0])).want(http.StatusOK).shows("strip-1", "Waits for review", "named after the decision", "Loose box").lacks("Ada Strip ,")
	answer := page.attribute("value", fmt.Sprint(s.look(s.items[0]).Answers[0].ID))
	for i, form := range [][]string{
		{"decision", "approved"},
		{"decision", "rejected", "fault", "loose_box", "position", "0", "note", "Left edge."},
		{"decision", "discarded", "discard_note", "Glare."},
	} {
		r := s.look(s.items[i])
		form = append(form, "version", fmt.Sprint(r.Version), "annotation", fmt.Sprint(r.Answers[0].ID))
		b.post(reviewPage(s.items[i]), form...).to(fmt.Sprintf("/review/next?after=%d&project=strips", s.items[i]))
	}
	b.get("/review").shows("1 item waits for review", "Approved 1", "Sent back 1", "Discarded 1", "can be undone")
	b.get(reviewPage(s.items[0])).shows("Decided", "Ada Strip", "History", "Approved by Ada Strip")
	b.get(reviewPage(s.items[1])).shows("Still being labeled", "Loose box box 1, Scratch", "Left edge.")
	stale := b.post(reviewPage(s.items[0]), "decision", "discarded", "discard_note", "No.", "version", "1", "annotation", answer)
	stale.want(http.StatusConflict).shows("not stored", "decided first: approved")
	b.post(reviewPage(s.items[3]), "decision", "rejected", "version", "1").want(http.StatusUnprocessableEntity).shows("Choose a reason")
	b.post(reviewPage(s.items[3]), "decision", "rejected").want(http.StatusBadRequest)
	decision := s.look(s.items[2]).Decisions[0].ID
	b.post(fmt.Sprintf("/review/decisions/%d/undo", decision)).to(reviewPage(s.items[2]))
	b.post(fmt.Sprintf("/review/decisions/%d/undo", decision)).want(http.StatusConflict).shows("taken back already")
	b.get(reviewPage(s.items[2])).shows("Waits for review", "Undone by", "taken back")
	b.get("/review/next?project=strips&after=" + fmt.Sprint(s.items[2])).to(reviewPage(s.items[3]))
}

// The rail says how much waits for whom.
func TestRailCounts(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 2)
	reviewer := s.browserOf(s.reviewer.PersonID)
	reviewer.get("/account").shows("Review 2 to review")
	r := s.look(s.items[0])
	reviewer.post(reviewPage(s.items[0]), "decision", "rejected", "fault", "loose_box", "position", "0", "version", fmt.Sprint(r.Version),
		"annotation", fmt.Sprint(r.Answers[0].ID)).want(http.StatusSeeOther)
	reviewer.get("/account").shows("Review 1 to review").lacks("came back")
	labeler := s.browserOf(s.labeler.PersonID)
	labeler.get("/account").shows("My queue 1 came back").lacks("to review")
	if err := s.RemoveMember(t.Context(), store.System(), r.Project, s.labeler.PersonID); err != nil {
		t.Fatal(err)
	}
	labeler.get("/account").lacks("came back")
	s.browser(access.Reviewer).get("/account").lacks("to review")
}

func reviewPage(item int64) string { return fmt.Sprintf("/review/%d", item) }

func TestReviewByWorkbench(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 2)
	b := s.browserOf(s.reviewer.PersonID)
	type object = map[string]any
	item := s.items[0]
	r := s.look(item)
	amended := object{
		"version": r.Version, "decision": "amended", "annotation": r.Answers[0].ID, "activeMs": 1200,
		"boxes": []object{{"id": "0", "class": s.class, "x": 1, "y": 2, "w": 31, "h": 40}},
	}
	got := decoded[struct{ Word, Undo, Next string }](t, b.sendJSON(reviewPage(item), amended).want(http.StatusOK).ResponseRecorder)
	if got.Word != "Amended" || got.Next != fmt.Sprintf("/review/next?after=%d&project=strips", item) {
		t.Errorf("%+v", got)
	}
	truth, err := s.CurrentTruth(t.Context(), s.reviewer, item)
	if err != nil || len(truth.Boxes) != 1 || truth.Boxes[0].W != 31 {
		t.Errorf("truth %+v, %v", truth, err)
	}
	problem := decoded[struct{ Detail string }](t, b.sendJSON(reviewPage(item), amended).want(http.StatusConflict).ResponseRecorder)
	if !strings.Contains(problem.Detail, "You decided first: amended") {
		t.Errorf("conflict: %q", problem.Detail)
	}
	b.sendJSON(got.Undo, object{}).want(http.StatusOK)
	rejected := object{
		"version": 3, "decision": "rejected", "annotation": r.Answers[0].ID,
		"marks": []object{{"position": 0, "fault": "loose_box"}, {"x": 70, "y": 60, "fault": "missed_defect", "note": "Here."}},
	}
	b.sendJSON(reviewPage(item), rejected).want(http.StatusOK)
	if marks := s.look(item).Decisions[0].Marks; len(marks) != 2 || *marks[1].X != 70 {
		t.Errorf("marks %+v", marks)
	}
	b.sendJSON(reviewPage(item), object{"version": 4, "decision": "discarded"}).want(http.StatusUnprocessableEntity)
	b.sendJSON(reviewPage(999), object{"version": 1, "decision": "discarded", "note": "x"}).want(http.StatusNotFound)
}

func TestReviewIsForReviewersOfTheProject(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 1)
	for _, role := range []access.Role{access.Labeler, access.Viewer} {
		b := s.browser(role)
		b.get("/review").want(http.StatusForbidden)
		b.get(reviewPage(s.items[0])).want(http.StatusForbidden)
		b.post(reviewPage(s.items[0]), "decision", "approved", "version", "1").want(http.StatusForbidden)
	}
	elsewhere := s.browser(access.Reviewer)
	elsewhere.get("/review").want(http.StatusOK).shows("Nothing waits", "You are in no project yet").lacks("strip-1")
	elsewhere.get("/review/next").to("/review")
	elsewhere.get(reviewPage(s.items[0])).want(http.StatusNotFound)
	elsewhere.post(reviewPage(s.items[0]), "decision", "discarded", "discard_note", "x", "version", "1").want(http.StatusNotFound)
}

func TestNotices(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 1)
	labeler := s.browserOf(s.labeler.PersonID)
	labeler.get("/notices").want(http.StatusOK).shows("No notices")
	r := s.look(s.items[0])
	_, err := s.Adjudicate(t.Context(), s.reviewer, store.Adjudication{
		Item: r.Item, Version: r.Version, Kind: store.Rejected, Marks: []store.NewMark{{Annotation: r.Answers[0].ID, Fault: store.WrongClass}},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := labeler.get("/notices").shows("An answer came back in Hot strip", "new", "Mark all as read")
	if page.attribute("aria-label", "Notices, 1 new") == "" {
		t.Error("the bell says nothing")
	}
	labeler.post("/notices/read", "up_to", page.attribute("value", "")).want(http.StatusBadRequest)
	labeler.post("/notices/read", "up_to", "999").to("/notices")
	labeler.get("/notices").shows("An answer came back").lacks("Mark all")
	s.browserOf(s.reviewer.PersonID).get("/notices").shows("No notices")
}
