package handlers_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"fiducial/internal/access"
	"fiducial/store"
)

// panelSite is a site with a project in which several labelers answered one item.
type panelSite struct {
	*site

	reviewer store.Actor
	labelers []store.Actor
	classes  []int64
	item     int64
	answers  []int64
}

// newPanelSite has one labeler give each of these answers, in this order. Boxes' classes are 0 for Scratch and 1 for Pit.
func newPanelSite(tb testing.TB, answers ...[]store.DraftBox) *panelSite {
	tb.Helper()
	s := &panelSite{site: newSite(tb)}
	project, err := s.AddProject(tb.Context(), store.System(), store.NewProject{Slug: "strips", Name: "Hot strip", Kind: "image", Overlap: len(answers)})
	if err != nil {
		tb.Fatal(err)
	}
	for i, name := range []string{"Scratch", "Pit"} {
		class, err := s.AddClass(tb.Context(), store.System(), project.ID, name, fmt.Sprint(i+1))
		if err != nil {
			tb.Fatal(err)
		}
		s.classes = append(s.classes, class)
	}
	join := func(role access.Role) store.Actor {
		id, _ := s.person(role)
		if err := s.AddMember(tb.Context(), store.System(), project.ID, id); err != nil {
			tb.Fatal(err)
		}
		return store.Actor{PersonID: id, Role: role}
	}
	s.reviewer = join(access.Reviewer)
	err = s.pool.QueryRow(tb.Context(), `
		WITH s AS (INSERT INTO sources (name) VALUES ('mill') ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id),
		i AS (INSERT INTO items (project_id, source_id, key_hash, width, height) SELECT $1, id, 'key', 4000, 3000 FROM s RETURNING id),
		x AS (INSERT INTO item_texts (item_id, external_key) SELECT id, 'strip-1' FROM i)
		INSERT INTO tasks (project_id, item_id, overlap) SELECT $1, id, $2 FROM i RETURNING item_id`, project.ID, len(answers)).Scan(&s.item)
	if err != nil {
		tb.Fatal(err)
	}
	for _, boxes := range answers {
		labeler := join(access.Labeler)
		claimed, err := s.Claim(tb.Context(), labeler, "strips", 0)
		if err != nil {
			tb.Fatal(err)
		}
		boxes = slices.Clone(boxes)
		for i := range boxes {
			boxes[i].ClassID = s.classes[boxes[i].ClassID]
		}
		receipt, err := s.Submit(tb.Context(), labeler, store.NewAnnotation{Task: claimed.Task, Assignment: claimed.Assignment, Boxes: boxes})
		if err != nil {
			tb.Fatal(err)
		}
		s.labelers, s.answers = append(s.labelers, labeler), append(s.answers, receipt.Annotation)
	}
	return s
}

func (s *panelSite) look() store.Reviewed {
	s.t.Helper()
	r, err := s.ReviewItem(s.t.Context(), s.reviewer, s.item)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func attributes(n *html.Node) map[string]string {
	values := map[string]string{}
	for _, a := range n.Attr {
		values[a.Key] = a.Val
	}
	return values
}

// threeAnswers are alike in one box, unlike in one's class, and one box is the first's alone.
func threeAnswers() [][]store.DraftBox {
	alike := func(off float64) store.DraftBox {
		return store.DraftBox{ClassID: 0, X: 100 + off, Y: 100, W: 300, H: 200}
	}
	return [][]store.DraftBox{
		{alike(0), {ClassID: 1, X: 1000, Y: 1000, W: 200, H: 200}, {ClassID: 0, X: 2000, Y: 500, W: 100, H: 100}},
		{alike(4), {ClassID: 0, X: 1002, Y: 1000, W: 200, H: 200, Rotation: 5}},
		{alike(2), {ClassID: 1, X: 1000, Y: 1001, W: 200, H: 200}},
	}
}

func TestReviewShowsObjects(t *testing.T) {
	t.Parallel()
	s := newPanelSite(t, threeAnswers()...)
	b := s.browserOf(s.reviewer.PersonID)
	page := b.get(reviewPage(s.item)).want(http.StatusOK)
	page.shows("2 of 3 need a judgment", "Only A", "Class differs", "Matched", "to judge", "Pit A, C Scratch B", "agreement", "what most answers have").lacks("Ada Strip,")
	if got := strings.Count(page.Body.String(), "data-object="); got != 3 {
		t.Errorf("%d rows", got)
	}

	form := []string{"decision", "rejected", "fault", "wrong_class", "version", fmt.Sprint(s.look().Version)}
	b.post(reviewPage(s.item), append(form, "annotation", "merged")...).want(http.StatusUnprocessableEntity).shows("Choose whose answer is to go back")
	b.post(reviewPage(s.item), "decision", "approved", "annotation", "merged", "version", fmt.Sprint(s.look().Version)).to(fmt.Sprintf("/review/next?after=%d&project=strips", s.item))
	if d := s.look().Decisions[0]; d.Kind != store.Merged {
		t.Errorf("decided %s", d.Kind)
	}
	decided := b.get(reviewPage(s.item))
	decided.shows("Merged by Ada Strip", "Boxes: 2 merged from A, B and C", "Ada Strip, 3 boxes", "Truth as it holds now")
	if len(s.look().Truth.Boxes) != 2 {
		t.Errorf("truth %+v", s.look().Truth.Boxes)
	}
}

func TestReviewSaysWhenAllAgree(t *testing.T) {
	t.Parallel()
	box := store.DraftBox{X: 10, Y: 10, W: 50, H: 50}
	s := newPanelSite(t, []store.DraftBox{box}, []store.DraftBox{box})
	page := s.browserOf(s.reviewer.PersonID).get(reviewPage(s.item)).shows("All 2 answers agree. Their merged boxes are taken", "Matched", "merged")
	for node := range page.nodes() {
		if value := attributes(node); value["name"] == "annotation" && value["value"] == "merged" {
			if _, chosen := value["checked"]; !chosen {
				t.Error("the merged boxes are not chosen")
			}
		}
	}
	empty := newPanelSite(t, nil, nil, nil)
	b := empty.browserOf(empty.reviewer.PersonID)
	b.get(reviewPage(empty.item)).shows("All 3 answers say that there is nothing here")
	answer := b.sendJSON(reviewPage(empty.item), map[string]any{"version": empty.look().Version, "decision": "amended", "boxes": []any{}}).want(http.StatusOK)
	if got := decoded[struct{ Word, Labelers string }](t, answer.ResponseRecorder); got.Word != "Merged" || got.Labelers != "A Ada Strip, B Ada Strip, C Ada Strip" {
		t.Errorf("decided %+v", got)
	}
}

func TestOwnKeysHoldInReview(t *testing.T) {
	t.Parallel()
	s := newPanelSite(t, threeAnswers()...)
	b := s.browserOf(s.reviewer.PersonID)
	b.post("/account/keys", "approve", "F2", "next-object", "n", "neutral", "y").to("/account")
	page := b.get(reviewPage(s.item)).Body.String()
	for _, want := range []string{`"approve":"F2"`, `"next-object":"n"`, `"keys":"/label/keys"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

func TestSeveralAnswersGoBackAtOnce(t *testing.T) {
	t.Parallel()
	s := newPanelSite(t, threeAnswers()...)
	b := s.browserOf(s.reviewer.PersonID)
	type object = map[string]any
	b.sendJSON(reviewPage(s.item), object{"version": s.look().Version, "decision": "rejected", "marks": []object{
		{"annotation": s.answers[1], "position": 1, "fault": "wrong_class", "note": "A pit."},
		{"annotation": s.answers[2], "x": 2050, "y": 550, "fault": "missed_defect"},
	}}).want(http.StatusOK)
	for i, want := range []string{"submitted", "returned", "returned"} {
		var state string
		err := s.pool.QueryRow(t.Context(), `SELECT state FROM assignments WHERE person_id = $1 ORDER BY id DESC LIMIT 1`, s.labelers[i].PersonID).Scan(&state)
		if err != nil || state != want {
			t.Errorf("answer %d is %s, %v; want %s", i, state, err, want)
		}
	}
	if marks := s.look().Decisions[0].Marks; len(marks) != 2 || marks[0].Annotation != s.answers[1] || marks[1].Annotation != s.answers[2] {
		t.Errorf("marks %+v", marks)
	}
}

// crowded are answers of n boxes each that are much alike: some are missed, some of another class, some off.
func crowded(labelers, n int) [][]store.DraftBox {
	random := rand.New(rand.NewPCG(1, 2)) // the same boxes each time
	answers := make([][]store.DraftBox, labelers)
	for i := range answers {
		for k := range n {
			box := store.DraftBox{ClassID: int64(k % 2), X: float64(40 + k%20*190), Y: float64(40 + k/20*280), W: 120, H: 90}
			box.X, box.Y = box.X+random.Float64()*12, box.Y+random.Float64()*9
			switch random.IntN(20) {
			case 0:
				box.ClassID = 1 - box.ClassID
			case 1:
				box.X += 60
			case 2:
				box.Rotation = 10
			}
			answers[i] = append(answers[i], box)
		}
	}
	return answers
}

// BenchmarkReviewPage takes the server's time for the page of an item that nine labelers gave 200 boxes each.
func BenchmarkReviewPage(b *testing.B) {
	s := newPanelSite(b, crowded(9, 200)...)
	reviewer := s.browserOf(s.reviewer.PersonID)
	var took []float64
	for range 30 {
		began := time.Now()
		page := reviewer.get(reviewPage(s.item)).want(http.StatusOK)
		took = append(took, float64(time.Since(began).Microseconds())/1000)
		if n := strings.Count(page.Body.String(), "data-object="); n < 200 {
			b.Fatalf("the page has %d objects", n)
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "median-ms")
	b.ReportMetric(took[len(took)-1], "worst-ms")
	b.ReportMetric(0, "ns/op")
}
