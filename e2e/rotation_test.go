package e2e

import (
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// slantedStrip is a grey picture with a dark bar of 120 × 16 pixels about (200, 150), turned by degrees.
func slantedStrip(degrees float64) image.Image {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	m := image.NewGray(image.Rect(0, 0, 400, 300))
	for y := range 300 {
		for x := range 400 {
			grey := uint8(110 + (x*7+y*13)%40)
			dx, dy := float64(x)+0.5-200, float64(y)+0.5-150
			if math.Abs(dx*cos+dy*sin) < 60 && math.Abs(dy*cos-dx*sin) < 8 {
				grey = 30
			}
			m.SetGray(x, y, color.Gray{Y: grey})
		}
	}
	return m
}

// knob is where the knob of the chosen box sits in the window, once it is there and stays: the frame that shows it
// comes after the key that asked for it.
func (p *page) knob() (at point) {
	p.t.Helper()
	p.waits(`() => {
		const r = document.querySelector("box-workbench .active circle").getBoundingClientRect()
		const before = window.knobStood
		window.knobStood = r.left + " " + r.top
		return r.width > 0 && window.knobStood === before
	}`, nil)
	p.evaluate(`(r => ({X: r.left + r.width / 2, Y: r.top + r.height / 2}))(document.querySelector("box-workbench .active circle").getBoundingClientRect())`, &at)
	return at
}

// rotation is that of the last box.
func (p *page) rotation() (degrees float64) {
	p.t.Helper()
	p.evaluate(`+(/rotate\(([^ ]+)/.exec([...document.querySelectorAll("box-workbench .lines rect")].at(-1).getAttribute("transform") ?? "")?.[1] ?? 0)`, &degrees)
	return degrees
}

// TestTurnedBox turns a box by keys and by its knob, closes it round what it marks, and finds it again after a
// reload and in what was submitted.
func TestTurnedBox(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newFloor(t, server, slantedStrip(30), strip(9))
	p := signIn(t, server, f.labeler)
	p.label(f.slug)
	p.draw(point{130, 130}, point{270, 170})
	p.keys("e", "e", "q", "Shift+E")
	if got := p.rotation(); got != 16 {
		t.Fatalf("the keys turned the box by %v°", got)
	}
	p.keys("Control+z")
	if got := p.rotation(); got != 0 {
		t.Fatalf("after undo the box stands at %v°", got)
	}
	p.keys("v")
	from, s := p.knob(), p.sight()
	centre := s.at(point{200, 150})
	sin, cos := math.Sincos(31.2 * math.Pi / 180)
	to := point{centre.X + (from.X-centre.X)*cos - (from.Y-centre.Y)*sin, centre.Y + (from.X-centre.X)*sin + (from.Y-centre.Y)*cos}
	mouse := p.Mouse()
	p.must(mouse.Move(from.X, from.Y))
	p.must(mouse.Down())
	p.must(mouse.Move(to.X, to.Y, playwright.MouseMoveOptions{Steps: playwright.Int(8)}))
	p.must(mouse.Up())
	if got := p.rotation(); math.Abs(got-31.2) > 0.6 {
		t.Fatalf("the knob turned the box by %v°", got)
	}
	p.must(p.Keyboard().Down("Shift"))
	back := p.knob()
	p.must(mouse.Move(back.X, back.Y))
	p.must(mouse.Down())
	p.must(mouse.Move(back.X+3, back.Y+3, playwright.MouseMoveOptions{Steps: playwright.Int(4)}))
	p.must(mouse.Up())
	p.must(p.Keyboard().Up("Shift"))
	if got := p.rotation(); got != 30 {
		t.Fatalf("with Shift the knob turned the box to %v°", got)
	}
	p.keys("t")
	box := p.box(-1)
	if c := box.centre(); math.Hypot(c.X-200, c.Y-150) > 2 || math.Abs(box.W-122) > 4 || math.Abs(box.H-18) > 4 {
		t.Errorf("closed round the bar the box is %+v", box)
	}
	// Its lower right corner, on the image, is dragged; the upper left one stays.
	sin, cos = math.Sincos(30 * math.Pi / 180)
	corner := func(b drawn, dx, dy float64) point {
		c := b.centre()
		return point{c.X + dx*b.W/2*cos - dy*b.H/2*sin, c.Y + dx*b.W/2*sin + dy*b.H/2*cos}
	}
	grip := corner(box, 1, 1)
	p.drag(grip, point{grip.X + 10, grip.Y + 12})
	larger := p.box(-1)
	if a, b := corner(box, -1, -1), corner(larger, -1, -1); math.Hypot(a.X-b.X, a.Y-b.Y) > 0.01 || larger.W <= box.W || p.rotation() != 30 {
		t.Errorf("from %+v to %+v the other corner went from %v to %v", box, larger, a, b)
	}
	p.saved()
	p.open(p.path())
	p.benchReady()
	if sameBoxes(t, "after a reload", p.boxes(), []drawn{larger}); p.rotation() != 30 {
		t.Errorf("after a reload the box stands at %v°", p.rotation())
	}
	item := p.path()
	p.submit()
	p.keys("u")
	p.waits(`before => location.pathname === before`, item)
	p.benchReady()
	if sameBoxes(t, "taken back", p.boxes(), []drawn{larger}); p.rotation() != 30 {
		t.Errorf("the answer has %v°", p.rotation())
	}
}
