package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"fiducial/internal/access"
	"fiducial/store"
)

// pairSite is a site with two classes that two labelers confuse on one item, and a third item that all call a scratch.
type pairSite struct {
	*site

	project  store.Project
	reviewer store.Actor
	labelers []store.Actor
	scratch  int64
	line     int64
	items    []int64
}

func newPairSite(t *testing.T) *pairSite {
	t.Helper()
	s := &pairSite{site: newSite(t)}
	var err error
	if s.project, err = s.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strips", Name: "Hot strip", Kind: "image", Overlap: 2}); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]*int64{"Scratch": &s.scratch, "Line": &s.line} {
		if *id, err = s.AddClass(t.Context(), store.System(), s.project.ID, name, ""); err != nil {
			t.Fatal(err)
		}
	}
	s.reviewer = s.engage(access.Reviewer)
	s.labelers = []store.Actor{s.engage(access.Labeler), s.engage(access.Labeler)}
	if err := s.SaveDefinition(t.Context(), s.reviewer, s.scratch, 0, "A bright line.", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublishDefinition(t.Context(), s.reviewer, s.scratch, 2); err != nil {
		t.Fatal(err)
	}
	s.addItem(s.scratch, s.line)
	s.addItem(s.scratch, s.scratch)
	return s
}

func (s *pairSite) engage(role access.Role) store.Actor {
	s.t.Helper()
	id, _ := s.person(role)
	if err := s.AddMember(s.t.Context(), store.System(), s.project.ID, id); err != nil {
		s.t.Fatal(err)
	}
	return store.Actor{PersonID: id, Role: role}
}

// addItem adds an item that each labeler gives one box of a class, and scores it.
func (s *pairSite) addItem(classes ...int64) {
	s.t.Helper()
	var item int64
	err := s.pool.QueryRow(s.t.Context(), `
		WITH s AS (INSERT INTO sources (name) VALUES ('mill') ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id),
		i AS (INSERT INTO items (project_id, source_id, key_hash, width, height) SELECT $1, id, $2::text::bytea, 100, 80 FROM s RETURNING id),
		x AS (INSERT INTO item_texts (item_id, external_key) SELECT id, 'strip-' || $2 FROM i)
		INSERT INTO tasks (project_id, item_id, overlap) SELECT $1, id, 2 FROM i RETURNING item_id`, s.project.ID, fmt.Sprint(len(s.items)+1)).Scan(&item)
	if err != nil {
		s.t.Fatal(err)
	}
	s.items = append(s.items, item)
	for who, class := range classes {
		s.answer(who, class)
	}
	if err := s.ScoreItem(s.t.Context(), item); err != nil {
		s.t.Fatal(err)
	}
}

// answer has a labeler answer their next item with one box.
func (s *pairSite) answer(who int, class int64) {
	s.t.Helper()
	claimed, err := s.Claim(s.t.Context(), s.labelers[who], "strips", 0)
	if err != nil {
		s.t.Fatal(err)
	}
	work, err := s.Work(s.t.Context(), s.labelers[who], claimed.Task)
	if err != nil {
		s.t.Fatal(err)
	}
	a := store.NewAnnotation{Task: claimed.Task, Assignment: claimed.Assignment, Version: work.DraftVersion}
	a.Boxes = []store.DraftBox{{ID: "0", ClassID: class, X: 10, Y: 20, W: 30, H: 40}}
	if _, err := s.Submit(s.t.Context(), s.labelers[who], a); err != nil {
		s.t.Fatal(err)
	}
}

func (s *pairSite) pair() string {
	return fmt.Sprintf("/projects/strips/pairs/%d/%d", min(s.scratch, s.line), max(s.scratch, s.line))
}

func (s *pairSite) class() string { return fmt.Sprintf("/projects/strips/classes/%d", s.scratch) }

// all returns the values of an attribute on every element of a name.
func (a answer) all(element, attribute string) (values []string) {
	for n := range a.nodes() {
		if n.Type != html.ElementNode || n.Data != element {
			continue
		}
		for _, attr := range n.Attr {
			if attr.Key == attribute {
				values = append(values, attr.Val)
			}
		}
	}
	return values
}

func (s *pairSite) relabelNow() {
	s.t.Helper()
	var ids []int64
	if err := s.pool.QueryRow(s.t.Context(), `SELECT array_agg(id) FROM relabels WHERE state <> 'done'`).Scan(&ids); err != nil {
		s.t.Fatal(err)
	}
	for _, id := range ids {
		if err := s.RunRelabel(s.t.Context(), id); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestPairPageShowsBothClassesAndWhatWasConfused(t *testing.T) {
	t.Parallel()
	s := newPairSite(t)
	b := s.browserOf(s.reviewer.PersonID)
	page := b.get(s.pair()).want(http.StatusOK).shows("Scratch", "Line", "A bright line.", "strip-1", "not decided", "Sharpen the definition of Line")
	page.shows("Scratch A", "Line B")
	// Nothing is decided yet, so the crops are of answers: three scratches and a line, and the confused object.
	spans := map[string]int{}
	for _, src := range page.all("img", "src") {
		if _, span, ok := strings.Cut(src, "span="); ok {
			spans[span]++
		}
	}
	if len(spans) != 1 || spans["72"] != 5 {
		t.Errorf("scales %v", spans)
	}
	b.get(s.pair() + "?span=256").want(http.StatusOK).shows("Each square is")
	b.get(fmt.Sprintf("/projects/strips/pairs/%d/%d", s.line, s.line)).want(http.StatusNotFound)
	b.get(fmt.Sprintf("/projects/strips/pairs/%d/999", s.line)).want(http.StatusNotFound)
	b.get("/projects/strips/pairs").want(http.StatusOK).shows("Nothing was compared yet")
	s.browserOf(s.labelers[0].PersonID).get(s.pair()).want(http.StatusForbidden)
	s.browserOf(s.labelers[0].PersonID).get(fmt.Sprintf("/media/windows/%d?x=1&y=1&span=96", s.items[0])).want(http.StatusForbidden)
	b.get(fmt.Sprintf("/media/windows/%d?x=1&y=1&span=97", s.items[0])).want(http.StatusUnprocessableEntity)
	b.get(fmt.Sprintf("/media/windows/%d?x=-1&y=1&span=96", s.items[0])).want(http.StatusBadRequest)
	b.get(fmt.Sprintf("/media/windows/%d?x=1&y=1&span=96", s.items[0])).want(http.StatusNotFound) // there is no picture

	b.post(s.pair()+"/confusable", "class", fmt.Sprint(s.scratch), "confusable", "yes", "back", s.pair()).to(s.pair())
	b.get(s.pair()).shows("Not easily confused with Line")
	b.post(s.pair()+"/confusable", "class", fmt.Sprint(s.scratch), "confusable", "no").to(s.pair())
	b.get(s.pair()).lacks("Not easily confused with Line")
	b.post(s.pair()+"/confusable", "class", "999").want(http.StatusBadRequest)
}

func TestPublishingAsksWhatGoesBack(t *testing.T) {
	t.Parallel()
	s := newPairSite(t)
	b := s.browserOf(s.reviewer.PersonID)
	save := []string{"edit_version", "0", "body", "A bright line that is broken.", "pair", fmt.Sprint(s.line)}
	b.post(s.class()+"/draft", append(save, "then", "stay", "back", s.pair())...).to(s.pair())
	save[1] = "2"
	ask := fmt.Sprintf("%s/publish?pair=%d", s.class(), s.line)
	b.post(s.class()+"/draft", append(save, "then", "publish")...).to(ask)
	page := b.get(ask).want(http.StatusOK).shows("Publish version 2 of Scratch", "3 labels of answers", "All of them: 3 labels", "2 labels on 1 item", "A bright line that is broken.")
	if got := page.all("input", "checked"); len(got) != 2 {
		t.Error("the pair that it was opened from is not chosen")
	}
	b.post(s.class()+"/publish", "edit_version", "3", "scope", "pairs").want(http.StatusUnprocessableEntity).shows("Choose at least one class")
	b.post(s.class()+"/publish", "edit_version", "3").want(http.StatusUnprocessableEntity).shows("Choose which labels go back")
	b.post(s.class()+"/publish", "edit_version", "2", "scope", "none").want(http.StatusConflict).shows("Somebody saved the draft meanwhile")
	b.post(s.class()+"/publish", "edit_version", "x", "scope", "none").want(http.StatusBadRequest)
	b.post(s.class()+"/publish", "edit_version", "3", "scope", "pairs", "other", fmt.Sprint(s.line), "note", "Look for gaps.").to("/projects/strips/stale")
	b.get("/projects/strips/stale").want(http.StatusOK).shows("Scratch", "where it was confused with Line", "Look for gaps.", "Sending back")
	s.relabelNow()
	b.get("/projects/strips/stale").shows("with the labelers").lacks("Sending back")
	if page := b.get(ask); page.Code != http.StatusSeeOther { // there is no draft any more
		t.Errorf("publish page answers %d", page.Code)
	}

	labeler := s.browserOf(s.labelers[0].PersonID)
	labeler.get("/queue").want(http.StatusOK).shows("Definition changed", "Look for gaps.")
	labeler.get("/notices").shows("Answers came back in Hot strip")
	claimed, err := s.Claim(t.Context(), s.labelers[0], "strips", 0)
	if err != nil {
		t.Fatal(err)
	}
	state := labeler.get(fmt.Sprintf("/label/%d/state", claimed.Task)).want(http.StatusOK).Body.String()
	for _, want := range []string{`"reason":"relabel"`, `"reason":"definition"`, "Scratch is at version 2 now. Look for gaps."} {
		if !strings.Contains(state, want) {
			t.Errorf("state %s lacks %s", state, want)
		}
	}
	if strings.Contains(state, `"dispute":"`) {
		t.Error("a definition can be disputed")
	}
}

func TestOlderLabelsAreListedAndSentBack(t *testing.T) {
	t.Parallel()
	s := newPairSite(t)
	b := s.browserOf(s.reviewer.PersonID)
	b.get("/projects/strips/stale").want(http.StatusOK).shows("No label is older than its definition")
	if err := s.SaveDefinition(t.Context(), s.reviewer, s.scratch, 0, "Broken.", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublishDefinition(t.Context(), s.reviewer, s.scratch, 2); err != nil {
		t.Fatal(err)
	}
	b.get("/projects/strips/guideline").shows("Older labels", "Confused pairs")
	b.get("/projects/strips/stale").shows("Scratch")
	page := b.get(s.class() + "/stale").want(http.StatusOK).shows("3 labels of answers and 0 boxes of the truth were made under v1 (3).")
	if got := page.all("img", "src"); len(got) != 3 {
		t.Errorf("crops %v", got)
	}
	b.post(s.class()+"/stale", "scope", "none").want(http.StatusUnprocessableEntity)
	b.post(s.class()+"/stale", "scope", "all", "note", "Gaps.").to("/projects/strips/stale")
	s.relabelNow()
	b.get(s.class()+"/stale").want(http.StatusOK).shows("No older labels", "every older label", "Gaps.")
	labeler := s.browserOf(s.labelers[0].PersonID)
	labeler.get(s.class() + "/stale").want(http.StatusForbidden)
	labeler.post(s.class()+"/stale", "scope", "all").want(http.StatusForbidden)
	labeler.get("/projects/strips/guideline").lacks("Older labels")
}

func TestReviewSaysWhyAnItemIsHereAgainAndFillsTheBook(t *testing.T) {
	t.Parallel()
	s := newPairSite(t)
	b := s.browserOf(s.reviewer.PersonID)
	item := s.items[1]
	page := fmt.Sprintf("/review/%d", item)
	looked, err := s.ReviewItem(t.Context(), s.reviewer, item)
	if err != nil {
		t.Fatal(err)
	}
	b.post(page, "decision", "approved", "version", fmt.Sprint(looked.Version), "annotation", fmt.Sprint(looked.Answers[0].ID)).want(http.StatusSeeOther)
	b.get(page).want(http.StatusOK).shows("Into the defect book", "Counter-example").lacks("Here again")
	b.post(s.class()+"/examples", "shows", "no", "item", fmt.Sprint(item), "x", "10", "y", "20", "w", "30", "h", "40", "back", page).to(page)
	b.get(page).shows("It is in the draft of the definition")
	b.post(s.class()+"/examples", "shows", "yes", "item", fmt.Sprint(item), "x", "10", "y", "20", "w", "30", "h", "40", "back", "//elsewhere.example").to("/")
	b.get(fmt.Sprintf("/items/%d", item)).want(http.StatusOK).shows("Into the defect book")
	list, err := s.Definitions(t.Context(), s.reviewer, s.scratch)
	if err != nil || len(list[0].Examples) != 2 || list[0].Version != nil {
		t.Fatalf("definitions %+v, %v", list, err)
	}
	panel := b.get(s.class()+"/panel").want(http.StatusOK).shows("Change this definition", "A bright line.")
	if got := panel.attribute("target", "_blank"); got == "" {
		t.Error("saving leaves the item")
	}
	s.browserOf(s.labelers[0].PersonID).get(s.class() + "/panel").want(http.StatusOK).lacks("Change this definition")
	if _, _, err := s.PublishAndSendBack(t.Context(), s.reviewer, s.scratch, list[0].EditVersion, store.SendBack{All: true, Note: "Gaps."}); err != nil {
		t.Fatal(err)
	}
	s.relabelNow()
	b.get(page).want(http.StatusOK).shows("Here again: Scratch is defined anew", "Gaps.")
	b.get(fmt.Sprintf("/items/%d", item)).shows("labels sent back, definition changed", "Scratch v2")
}

func TestProgramsSendLabelsBack(t *testing.T) {
	t.Parallel()
	s := newPairSite(t)
	b := s.browserOf(s.reviewer.PersonID)
	b.get("/api/v1/projects/strips/pairs").want(http.StatusOK).shows(`"data":[]`)
	b.get("/api/v1/projects/strips/stale").want(http.StatusOK).shows(`"data":[]`)
	if err := s.SaveDefinition(t.Context(), s.reviewer, s.scratch, 0, "Broken.", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublishDefinition(t.Context(), s.reviewer, s.scratch, 2); err != nil {
		t.Fatal(err)
	}
	b.get("/api/v1/projects/strips/stale").want(http.StatusOK).shows(`"class":"Scratch","version":2,"answers":3,"truth":0`)
	send := func(body string) answer { return b.body(http.MethodPost, "/api/v1/projects/strips/relabels", body) }
	send(`{"class":"scratch","confused_with":["Line"],"dry_run":true}`).want(http.StatusOK).shows(`"state":"dry run","items":1`, `"answers":2`, `"labels":2`)
	send(`{"class":"scratch","dry_run":true}`).want(http.StatusOK).shows(`"items":2`, `"answers":3`)
	send(`{"class":"pit"}`).want(http.StatusUnprocessableEntity).shows("There is no class")
	send(`{"class":"scratch","confused_with":["scratch"]}`).want(http.StatusUnprocessableEntity)
	send(`{"class":"scratch","confused_with":["Line"]}`).want(http.StatusOK).shows(`"id":1`, `"state":"queued"`)
	s.relabelNow()
	b.get("/api/v1/relabels/1").want(http.StatusOK).shows(`"state":"done"`, `"answers":2`)
	b.get("/api/v1/relabels/99").want(http.StatusNotFound)
}
