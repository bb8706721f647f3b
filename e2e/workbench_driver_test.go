package e2e

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/playwright-community/playwright-go"
)

// point is a place in pixels: of the window, or of the upright image.
type point struct{ X, Y float64 }

// drawn is a box as the workbench shows it, in pixels of the upright image.
type drawn struct {
	ID         string
	Class      string
	X, Y, W, H float64
}

func (d drawn) centre() point { return point{d.X + d.W/2, d.Y + d.H/2} }

// label opens the next task of a project once there is one: pictures are made ready by a job after the import.
func (p *page) label(slug string) {
	p.t.Helper()
	p.eventually("a task of "+slug, func() bool {
		p.open("/label/next?project=" + slug)
		return strings.HasPrefix(p.path(), "/label/") && !strings.HasPrefix(p.path(), "/label/next")
	})
	p.benchReady()
}

// benchReady waits until the workbench draws on its image.
func (p *page) benchReady() {
	p.t.Helper()
	p.waits(`() => { const i = document.querySelector("box-workbench .world img"); return i?.complete && i.naturalWidth > 0 }`)
}

// eventually asks again and again until it is so.
func (p *page) eventually(what string, so func() bool) {
	p.t.Helper()
	again, over := time.NewTicker(100*time.Millisecond), time.After(patience)
	defer again.Stop()
	for !so() {
		select {
		case <-again.C:
		case <-over:
			p.t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// waits until a function of the page says yes.
func (p *page) waits(function string, args ...any) {
	p.t.Helper()
	var arg any
	if len(args) > 0 {
		arg = args[0]
	}
	if _, err := p.WaitForFunction(function, arg); err != nil {
		p.t.Fatalf("%s: %v", function, err)
	}
}

// boxes are the boxes on the image, in their order.
func (p *page) boxes() (boxes []drawn) {
	p.t.Helper()
	p.evaluate(`[...document.querySelectorAll("box-workbench .lines rect")].map(r => ({ID: r.dataset.box, Class: r.getAttribute("aria-label").split(",")[0],
		X: +r.getAttribute("x"), Y: +r.getAttribute("y"), W: +r.getAttribute("width"), H: +r.getAttribute("height")}))`, &boxes)
	return boxes
}

// box is the one box with this place in the order; -1 is the last.
func (p *page) box(at int) drawn {
	p.t.Helper()
	boxes := p.boxes()
	if at < 0 {
		at += len(boxes)
	}
	if at < 0 || at >= len(boxes) {
		p.t.Fatalf("there is no box %d of %d", at, len(boxes))
	}
	return boxes[at]
}

// sight is how the image lies in the window: window = image × scale + shift.
type sight struct{ X, Y, Scale float64 }

func (s sight) at(image point) point {
	return point{image.X*s.Scale + s.X, image.Y*s.Scale + s.Y}
}

// sight measures it by the picture's own place.
func (p *page) sight() (s sight) {
	p.t.Helper()
	p.evaluate(`(() => {
		const r = document.querySelector("box-workbench .world .sheet").getBoundingClientRect();
		const [, , w] = document.querySelector("box-workbench .world .sheet").getAttribute("viewBox").split(" ");
		return {X: r.left, Y: r.top, Scale: r.width / +w};
	})()`, &s)
	return s
}

// drag moves the mouse with its button down from one place of the image to another, in steps as a hand does.
func (p *page) drag(from, to point) {
	p.t.Helper()
	s := p.sight()
	a, b := s.at(from), s.at(to)
	mouse := p.Mouse()
	p.must(mouse.Move(a.X, a.Y))
	p.must(mouse.Down())
	p.must(mouse.Move(b.X, b.Y, playwright.MouseMoveOptions{Steps: playwright.Int(8)}))
	p.must(mouse.Up())
}

// draw draws a box with the mouse and returns it; it must be where the mouse was, to a pixel of the window.
func (p *page) draw(from, to point) drawn {
	p.t.Helper()
	before, s := len(p.boxes()), p.sight()
	p.drag(from, to)
	if after := len(p.boxes()); after != before+1 {
		p.t.Fatalf("drawing made %d boxes of %d", after, before)
	}
	box := p.box(-1)
	for _, d := range []float64{box.X - from.X, box.Y - from.Y, box.X + box.W - to.X, box.Y + box.H - to.Y} {
		if math.Abs(d)*s.Scale > 1 {
			p.t.Fatalf("drawn from %v to %v, the box is %+v", from, to, box)
		}
	}
	return box
}

// keys presses keys one after another, such as "]", "Alt+ArrowRight" or "Control+Enter".
func (p *page) keys(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.must(p.Keyboard().Press(key))
	}
}

// saved waits until the workbench says that the draft is on the server.
func (p *page) saved() {
	p.t.Helper()
	p.waits(`() => { const s = document.querySelector('[data-part="saved"]'); return s.classList.contains("ok") && s.textContent.startsWith("Saved") }`)
}

// shows waits until a part of the workbench holds this text.
func (p *page) shows(part, text string) {
	p.t.Helper()
	p.waits(`([part, text]) => document.querySelector('[data-part="' + part + '"]').textContent.includes(text)`, []string{part, text})
}

// title is the name of the item on the bench.
func (p *page) title() string {
	p.t.Helper()
	text, err := p.Locator(`[data-part="title"]`).TextContent()
	p.must(err)
	return strings.TrimSpace(text)
}

// submit submits and waits for what comes next, be it another task or the end of the queue. The page
// stays loaded between tasks.
func (p *page) submit() {
	p.t.Helper()
	before := p.path()
	p.evaluate(`window.stays = "the same page"`, new(string))
	p.keys("Control+Enter")
	p.waits(`before => location.pathname + location.search !== before`, before)
	if strings.HasPrefix(p.path(), "/label/next") {
		p.must(p.WaitForLoadState())
		return
	}
	p.benchReady()
	var stays *string
	p.evaluate(`window.stays ?? null`, &stays)
	if stays == nil {
		p.t.Fatalf("%s was loaded as a new page after %s", p.path(), before)
	}
}

// sameBoxes fails the test unless both hold the same boxes, to a hundredth of a pixel, in any order.
func sameBoxes(tb testing.TB, what string, got, want []drawn) {
	tb.Helper()
	left := append([]drawn(nil), got...)
	for _, w := range want {
		at := -1
		for i, g := range left {
			far := max(math.Abs(g.X-w.X), math.Abs(g.Y-w.Y), math.Abs(g.W-w.W), math.Abs(g.H-w.H))
			if g.Class == w.Class && far <= 0.01 {
				at = i
				break
			}
		}
		if at < 0 {
			tb.Errorf("%s: %+v is missing among %+v", what, w, left)
			continue
		}
		left = append(left[:at], left[at+1:]...)
	}
	if len(left) > 0 {
		tb.Errorf("%s: nobody drew %+v", what, left)
	}
}
