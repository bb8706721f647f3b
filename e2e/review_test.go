package e2e

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// panel is a project whose items three labelers answer, and its two reviewers.
type panel struct {
	floor

	labelers, reviewers []account
}

func newPanel(t *testing.T, s *Server, pictures int) panel {
	t.Helper()
	f := panel{floor: floor{slug: "panel-" + strings.ToLower(rand.Text()[:8])}}
	f.command(t, s, "project", "add", f.slug, "--kind", "image", "--overlap", "3")
	admin := signIn(t, s, addAccount(t, s, "admin"))
	admin.addClass(f.slug, "Scratch", "1")
	admin.addClass(f.slug, "Pit", "2")
	for range 3 {
		f.labelers = append(f.labelers, addAccount(t, s, "labeler"))
	}
	for range 2 {
		f.reviewers = append(f.reviewers, addAccount(t, s, "reviewer"))
	}
	for _, who := range append(f.labelers, f.reviewers...) {
		admin.addMember(f.slug, who)
	}
	f.bringIn(t, s, strips(pictures))
	return f
}

// answer has every labeler answer every picture: one mark is alike for all, one the second calls by another name, and
// one only the first has.
func (f panel) answer(t *testing.T, s *Server, pictures int) {
	t.Helper()
	for i, who := range f.labelers {
		p := signIn(t, s, who)
		p.label(f.slug)
		off := float64(i)
		for range pictures {
			p.keys("1")
			p.draw(point{20 + off, 20}, point{80 + off, 60})
			if i != 1 {
				p.keys("2")
			}
			p.draw(point{150, 120 + off}, point{250, 180 + off})
			if i == 0 {
				p.keys("1")
				p.draw(point{300, 220}, point{360, 260})
			}
			p.submit()
		}
	}
}

// objects are the findings with what is taken, as the table says it: "Only A: to judge".
func (p *page) objects() (rows []string) {
	p.t.Helper()
	p.evaluate(`[...document.querySelectorAll("[data-object]")].map(r => r.querySelector("th .st").textContent.trim() + ": " + r.querySelector("[data-taken]").textContent)`, &rows)
	return rows
}

func (p *page) wantObjects(want ...string) {
	p.t.Helper()
	if got := p.objects(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		p.t.Fatalf("the objects are %q, want %q", got, want)
	}
}

// decide presses a key that decides, and waits for what comes next.
func (p *page) decide(keys ...string) {
	p.t.Helper()
	before := p.path()
	p.keys(keys...)
	p.waits(`before => location.pathname !== before`, before)
}

// TestReviewOfThree judges three answers by keys alone: object by object, with every step taken back and done again, whole,
// and sent back.
func TestReviewOfThree(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newPanel(t, server, 3)
	f.answer(t, server, 3)
	p := signIn(t, server, f.reviewers[0])
	p.eventually("three answers", func() bool { p.open("/review/next?project=" + f.slug); return p.path() != "/review" })
	p.reviewReady()
	first := p.path()
	p.wantObjects("Only A: to judge", "Class differs: to judge", "Matched: merged")
	sameBoxes(t, "what all agree on", p.boxes(), []drawn{{Class: "Scratch", X: p.box(0).X, Y: p.box(0).Y, W: p.box(0).W, H: p.box(0).H}})
	p.keys("a")
	p.sees("2 objects need a judgment still")
	p.keys("0")
	p.wantObjects("Only A: left out", "Class differs: to judge", "Matched: merged")
	p.keys("j", "2")
	p.wantObjects("Only A: left out", "Class differs: B", "Matched: merged")
	p.keys("m")
	p.wantObjects("Only A: left out", "Class differs: merged", "Matched: merged")
	p.keys("Control+z", "Control+z", "Control+z")
	p.wantObjects("Only A: to judge", "Class differs: to judge", "Matched: merged")
	p.keys("Control+Shift+z", "Control+Shift+z")
	p.wantObjects("Only A: left out", "Class differs: B", "Matched: merged")
	p.keys("3")
	box := p.box(-1)
	if box.Class != "Pit" {
		t.Errorf("C's box is %+v", box)
	}
	p.wantObjects("Only A: left out", "Class differs: C", "Matched: merged")
	p.shoot("review-objects")
	p.keys("Alt+ArrowRight", "Alt+ArrowRight")
	p.wantObjects("Only A: left out", "Class differs: amended", "Matched: merged")
	p.drag(point{box.X, box.Y}, point{box.X - 6, box.Y - 5})
	want := p.boxes()
	if got := p.box(-1); got.X >= box.X || got.W <= box.W+2 {
		t.Fatalf("dragging and growing %+v left %+v", box, got)
	}
	p.decide("a")
	p.reviewReady()
	p.sees("Amended: strip-000.png")
	if whose, err := p.Locator("[data-review-last] .whose").TextContent(); err != nil || !strings.Contains(whose, "A labeler-") {
		t.Errorf("after the decision the labelers are %q, %v", whose, err)
	}
	p.keys("u")
	p.waits(`first => location.pathname === first`, first)
	p.reviewReady()
	p.wantObjects("Only A: to judge", "Class differs: to judge", "Matched: merged")
	p.keys("m")
	p.wantObjects("Only A: left out", "Class differs: merged", "Matched: merged")
	p.keys("1")
	p.wantObjects("Only A: A", "Class differs: A", "Matched: A")
	// From the table too, whose rows the arrows go through.
	p.must(p.Locator(`[data-object="o1"] .pick`).Focus())
	p.keys("ArrowDown", "2")
	p.wantObjects("Only A: A", "Class differs: B", "Matched: A")
	p.keys("ArrowUp", "Delete", "Escape", "m")
	p.wantObjects("Only A: left out", "Class differs: merged", "Matched: merged")
	p.decide("a")
	p.reviewReady()
	p.sees("Merged: strip-000.png")
	if len(want) != 2 {
		t.Errorf("the amended boxes were %+v", want)
	}

	// Sent back: the object says whose answer, and why.
	second := p.title()
	p.keys("j", "j", "r")
	p.must(p.Keyboard().Type("Dark and round: a pit."))
	p.keys("Enter")
	if said, err := p.Locator("[data-review-marks]").TextContent(); err != nil || !strings.Contains(said, "B: Wrong class box 2") {
		t.Errorf("pinned %q, %v", said, err)
	}
	p.decide("Control+Enter")
	labeler := signIn(t, server, f.labelers[1])
	labeler.open("/queue")
	labeler.sees("Dark and round: a pit.")
	labeler.sees(second)
	other := signIn(t, server, f.labelers[0])
	other.open("/queue")
	if text, err := other.Locator("main").TextContent(); err != nil || strings.Contains(text, "Dark and round") {
		t.Errorf("an answer that nobody complained about went back: %v", err)
	}

	// What was decided says where it came from, and whose the answers were.
	p.open(first)
	p.reviewReady()
	p.sees("Boxes: 2 merged from A, B and C")
	p.sees("labeler-")
}

// TestTwoReviewersOfThree has two reviewers decide about one item: the second sees the first's decision, and has what they
// drew still.
func TestTwoReviewersOfThree(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newPanel(t, server, 1)
	f.answer(t, server, 1)
	one, two := signIn(t, server, f.reviewers[0]), signIn(t, server, f.reviewers[1])
	two.expect("status of 409")
	one.eventually("three answers", func() bool { one.open("/review/next?project=" + f.slug); return one.path() != "/review" })
	one.reviewReady()
	two.open(one.path())
	two.reviewReady()
	item := one.path()
	two.keys("1", "j", "j", "2")
	two.keys("Alt+ArrowRight")
	mine := two.boxes()
	one.keys("m")
	one.decide("a")
	two.keys("a")
	two.sees("decided first: merged")
	two.reviewReady()
	if len(two.boxes()) != 2 {
		t.Errorf("the truth of the other is shown as %+v", two.boxes())
	}
	two.shoot("review-conflict")
	two.must(two.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Take mine up again"}).Click())
	sameBoxes(t, "taken up again", two.boxes(), mine)
	two.keys("Control+z")
	if len(two.boxes()) != 2 {
		t.Error("taking up again is not one step of undo")
	}
	two.keys("Control+Shift+z")
	two.decide("a")
	one.open(item)
	one.reviewReady()
	sameBoxes(t, "what was decided last", one.boxes(), mine)
}
