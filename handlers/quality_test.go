package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

// refresh works out every figure that is stale.
func (s *site) refresh() {
	s.t.Helper()
	if _, err := s.RefreshFigures(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func TestQualityPages(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 3)
	s.rename(s.labeler.PersonID, "Lena Label")
	r := s.look(s.items[0])
	position := 0
	_, err := s.Adjudicate(t.Context(), s.reviewer, store.Adjudication{
		Item: r.Item, Version: r.Version, Kind: store.Rejected, Marks: []store.NewMark{{Annotation: r.Answers[0].ID, Position: &position, Fault: store.LooseBox, Note: "Closer."}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r = s.look(s.items[1])
	if _, err := s.Adjudicate(t.Context(), s.reviewer, store.Adjudication{Item: r.Item, Version: r.Version, Kind: store.Approved, Annotation: r.Answers[0].ID}); err != nil {
		t.Fatal(err)
	}
	s.refresh()
	reviewer, labeler, admin := s.browserOf(s.reviewer.PersonID), s.browserOf(s.labeler.PersonID), s.browser(access.Admin)
	reviewer.get("/projects/strips/quality").want(http.StatusOK).shows("Lena Label", "loose box 1", "1.00", "±0.40", "(n 1)", "Gold items", "off", "An admin changes that")
	reviewer.get(fmt.Sprintf("/projects/strips/quality?labeler=%d&sort=-truth", s.labeler.PersonID)).shows("Lena Label, class by class", "Scratch", "All labelers")
	csv := reviewer.get("/projects/strips/quality.csv").want(http.StatusOK).Body.String()
	if lines := strings.Split(strings.TrimSpace(csv), "\n"); len(lines) != 3 || !strings.Contains(lines[1], "Lena Label,,,3,1,0,1,1,0,0,0,0,1,1,") {
		t.Errorf("figures:\n%s", csv)
	}
	labeler.get("/projects/strips/quality").want(http.StatusForbidden)
	labeler.get("/projects/strips/gold").want(http.StatusForbidden)
	labeler.get("/quality/me").want(http.StatusOK).shows("Loose box", "Closer.", "Mend").lacks("Ada Strip 3")

	s.browser(access.Viewer).get("/quality/me").want(http.StatusForbidden)
	s.browser(access.Reviewer).get("/projects/strips/quality").want(http.StatusNotFound)
	admin.post("/projects/strips/gold/settings", "gold_share", "40", "gold_limit", "0.7", "gold_least", "10").want(http.StatusUnprocessableEntity).shows("between 0 and 30 %")
	admin.post("/projects/strips/gold/settings", "gold_share", "5", "gold_limit", "0.7", "gold_least", "10").to("/projects/strips/quality")
	reviewer.post("/projects/strips/gold/settings", "gold_share", "5").want(http.StatusForbidden)
	reviewer.post("/projects/strips/gold", "n", "many").want(http.StatusUnprocessableEntity)
	reviewer.post("/projects/strips/gold", "n", "5").to("/projects/strips/gold")
	reviewer.get("/projects/strips/gold").shows("strip-2", "handed out")
	reviewer.get(fmt.Sprintf("/items/%d", s.items[1])).shows("Take out of the gold items")
	reviewer.get(reviewPage(s.items[1])).shows("Take out of the gold items")
	reviewer.post(fmt.Sprintf("/items/%d/gold/remove", s.items[1]), "back", "list").to("/projects/strips/gold")
	reviewer.get("/projects/strips/gold").shows("No gold item yet")
	reviewer.post(fmt.Sprintf("/items/%d/gold", s.items[2])).want(http.StatusUnprocessableEntity)
	reviewer.post(fmt.Sprintf("/items/%d/gold", s.items[1])).to(fmt.Sprintf("/items/%d", s.items[1]))

	act := fmt.Sprintf("/projects/strips/quality/labelers/%d", s.labeler.PersonID)
	labeler.post(act+"/pause", "reason", "No.").want(http.StatusForbidden)
	reviewer.post(act+"/pause", "reason", " ").want(http.StatusUnprocessableEntity).shows("Say why")
	reviewer.post(act+"/pause", "reason", "Let us talk first.").to("/projects/strips/quality")
	reviewer.get("/projects/strips/quality").shows("paused", "Let us talk first.", "Go on")
	labeler.get("/queue").shows("Nothing new for you in Hot strip for now", "Let us talk first.", "paused for you")
	reviewer.post(act + "/resume").to("/projects/strips/quality")
	labeler.get("/notices").shows("You get work in Hot strip again", "Nothing new for you")
}

func TestQualityAPI(t *testing.T) {
	t.Parallel()
	s := newReviewSite(t, 2)
	r := s.look(s.items[0])
	if _, err := s.Adjudicate(t.Context(), s.reviewer, store.Adjudication{Item: r.Item, Version: r.Version, Kind: store.Approved, Annotation: r.Answers[0].ID}); err != nil {
		t.Fatal(err)
	}
	s.refresh()
	b := s.browserOf(s.reviewer.PersonID)
	type rows[T any] struct{ Data []T }
	type figures struct {
		Answers, Approved int
		Truth             struct{ Objects, Agreed int }
	}
	if got := read[rows[figures]](b.get("/api/v1/projects/strips/quality"), http.StatusOK).Data; len(got) != 1 || got[0].Answers != 2 || got[0].Truth.Agreed != 1 {
		t.Errorf("%+v", got)
	}
	if got := read[rows[figures]](b.get("/api/v1/projects/strips/quality?classes=true"), http.StatusOK).Data; len(got) != 2 {
		t.Errorf("%+v", got)
	}
	gold := "/api/v1/projects/strips/gold"
	b.send(http.MethodPost, gold, map[string]any{"items": []int64{s.items[0], s.items[1]}}).want(http.StatusUnprocessableEntity)
	b.send(http.MethodPost, gold, map[string]any{}).want(http.StatusUnprocessableEntity)
	if got := read[struct{ Added int }](b.send(http.MethodPost, gold, map[string]any{"items": []int64{s.items[0]}}), http.StatusCreated); got.Added != 1 {
		t.Errorf("%+v", got)
	}
	type goldItem struct {
		Item  int64
		Ready bool
	}
	if got := read[rows[goldItem]](b.get(gold), http.StatusOK).Data; len(got) != 1 || got[0].Item != s.items[0] || !got[0].Ready {
		t.Errorf("%+v", got)
	}
	b.send(http.MethodPut, gold+"/settings", map[string]any{"share": 0.05, "limit": 0.7, "least": 10}).want(http.StatusForbidden)
	s.browser(access.Admin).send(http.MethodPut, gold+"/settings", map[string]any{"share": 0.05, "limit": 0.7, "least": 10}).want(http.StatusOK)
	b.send(http.MethodDelete, fmt.Sprintf("%s/%d", gold, s.items[0]), nil).want(http.StatusNoContent)
	s.browserOf(s.labeler.PersonID).get(gold).want(http.StatusForbidden)
}
