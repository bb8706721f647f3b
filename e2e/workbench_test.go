package e2e

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

func TestDraftOutlivesReload(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newFloor(t, server, strip(1))
	p := signIn(t, server, f.labeler)
	p.label(f.slug)
	p.draw(point{150, 120}, point{250, 180})
	p.saved()
	p.keys("2")
	p.draw(point{20, 20}, point{80.5, 60})
	p.saved()
	p.open(p.path())
	p.benchReady()
	if got := p.box(1).Class; len(p.boxes()) != 2 || got != "Pit" {
		t.Fatalf("after a reload: %+v", p.boxes())
	}
	p.keys("]", "ArrowRight") // and at once, before it is saved
	want := p.boxes()
	p.open(p.path())
	p.benchReady()
	p.saved() // once it is, the page has what its forerunner sent last
	sameBoxes(t, "a reload amid a change", p.boxes(), want)
}

func TestTwoTabs(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newFloor(t, server, strip(2))
	here := signIn(t, server, f.labeler)
	here.expect("status of 409")
	here.label(f.slug)
	there := here.tab()
	there.open(here.path())
	there.benchReady()

	here.draw(point{150, 120}, point{250, 180})
	here.saved()
	ours := here.boxes()
	there.draw(point{10, 10}, point{60, 60})
	there.sees("Two drafts of this task")
	there.press("Look first")
	third := here.tab()
	third.open(here.path())
	third.benchReady()
	sameBoxes(t, "the draft that was saved first", third.boxes(), ours)

	there.keys("Control+Enter") // asks again instead of submitting
	there.sees("Two drafts of this task")
	there.press("Keep mine")
	there.saved()
	third.open(here.path())
	third.benchReady()
	sameBoxes(t, "the draft that was chosen", third.boxes(), there.boxes())

	here.draw(point{300, 200}, point{340, 240})
	here.sees("Two drafts of this task")
	here.press("Take theirs")
	here.saved()
	sameBoxes(t, "theirs", here.boxes(), there.boxes())
	here.keys("Control+z")
	if got := len(here.boxes()); got != 2 {
		t.Fatalf("undo brings %d boxes of our own back", got)
	}
}

func TestKillAmidDrawing(t *testing.T) {
	t.Parallel()
	server := fresh(t)
	f := newFloor(t, server, strip(3))
	p := signIn(t, server, f.labeler)
	p.expect("ERR_CONNECTION_REFUSED")
	p.expect("ERR_CONNECTION_RESET")
	p.expect("ERR_EMPTY_RESPONSE")
	p.label(f.slug)
	for i := range 6 {
		x := float64(20 + 50*i)
		p.draw(point{x, 40}, point{x + 30, 90})
		if i == 2 {
			if err := server.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.shows("saved", "kept in this browser")
	want := p.boxes()
	if len(want) != 6 {
		t.Fatalf("%d boxes were drawn", len(want))
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	p.saved()
	p.open(p.path())
	p.benchReady()
	sameBoxes(t, "after kill -9", p.boxes(), want)
}

func TestOffline(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newFloor(t, server, strip(4))
	p := signIn(t, server, f.labeler)
	p.expect("ERR_INTERNET_DISCONNECTED")
	p.label(f.slug)
	address := p.path()
	p.must(p.Context().SetOffline(true))
	p.draw(point{150, 120}, point{250, 180})
	p.shows("saved", "kept in this browser")
	p.keys("Control+Enter")
	p.shows("notice", "What you did is kept; submit again when the connection is back.")
	p.must(p.Context().SetOffline(false))
	p.saved()

	p.must(p.Context().SetOffline(true))
	p.draw(point{10, 10}, point{40, 50})
	p.shows("saved", "kept in this browser")
	want := p.boxes()
	again := p.tab()
	p.must(p.Close())
	p.must(again.Context().SetOffline(false))
	again.open(address)
	again.sees("Brought back what could not be saved before.")
	again.saved()
	sameBoxes(t, "brought back", again.boxes(), want)
}

// A picture that does not come is told of, and is there once it is asked for again.
func TestPictureThatDoesNotCome(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newFloor(t, server, strip(2))
	p := signIn(t, server, f.labeler)
	p.expect("ERR_FAILED")
	const pictures = "**/media/items/**"
	p.must(p.Route(pictures, func(r playwright.Route) { _ = r.Abort() }))
	p.eventually("a task of "+f.slug, func() bool {
		p.open("/label/next?project=" + f.slug)
		return !strings.HasPrefix(p.path(), "/label/next")
	})
	p.shows("notice", "The picture could not be loaded.")
	p.must(p.Unroute(pictures))
	p.press("Try again")
	p.benchReady()
	p.waits(`() => document.querySelector('[data-part="notice"]').textContent === ""`)
}

// TestKeyboardAlone signs in, labels and submits without a mouse.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newFloor(t, server, strip(5))
	p := newPage(t, server)
	p.open("/sign-in")
	p.tabTo("E-mail")
	p.must(p.Keyboard().Type(f.labeler.Email))
	p.tabTo("Password")
	p.must(p.Keyboard().Type(f.labeler.Password))
	p.keys("Enter")
	p.must(p.WaitForURL("**/queue"))
	p.eventually("the picture", func() bool {
		p.open("/queue")
		n, err := p.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Start", Exact: playwright.Bool(true)}).Count()
		p.must(err)
		return n == 1
	})
	p.tabTo("Start")
	p.keys("Enter")
	p.must(p.WaitForURL(func(url string) bool { return strings.Contains(url, "/label/") }))
	p.benchReady()

	p.keys("i")
	was := p.box(0)
	p.keys("2", "]", "2", "ArrowRight", "Shift+ArrowDown", "Alt+ArrowRight", "Alt+ArrowUp")
	want := drawn{Class: "Pit", X: was.X + 1, Y: was.Y + 10, W: was.W + 1, H: was.H - 1}
	sameBoxes(t, "moved and resized", p.boxes(), []drawn{want})
	p.keys("d", "Delete", "Control+z", "Control+z")
	sameBoxes(t, "undone", p.boxes(), []drawn{want})
	p.keys("]", "c")
	p.must(p.Keyboard().Type("scr"))
	p.keys("Enter")
	if got := p.box(0).Class; got != "Scratch" {
		t.Fatalf("by its name the class is %s", got)
	}
	p.submit()
	p.sees("You finished one task today")
	p.accessible()
}

// tabTo presses Tab until the focus is on what bears this name.
func (p *page) tabTo(name string) {
	p.t.Helper()
	var focused string
	for range 60 {
		p.evaluate(`(e => (e.labels?.[0]?.textContent ?? e.getAttribute("aria-label") ?? e.textContent).trim())(document.activeElement)`, &focused)
		if strings.HasPrefix(focused, name) {
			return
		}
		p.keys("Tab")
	}
	p.t.Fatalf("Tab never came to %s; it is on %q", name, focused)
}

func TestOwnKey(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newFloor(t, server, strip(6))
	p := signIn(t, server, f.labeler)
	p.label(f.slug)
	p.keys("?")
	p.must(p.GetByRole("button", playwright.PageGetByRoleOptions{Name: "change the key of: Put a box in the middle"}).Click())
	p.keys("y")
	p.sees("Kept, for you, on every machine.")
	p.keys("Escape")
	for _, reload := range []bool{false, true} {
		if reload {
			p.saved()
			p.open(p.path())
			p.benchReady()
		}
		before := len(p.boxes())
		p.keys("i", "y")
		if got := len(p.boxes()); got != before+1 {
			t.Fatalf("i and y made %d boxes of %d, reloaded: %v", got, before, reload)
		}
	}
}

// TestWindow looks at a picture of 16 bits whose mark is a hundredth of the range brighter than the rest.
func TestWindow(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newFloor(t, server, deepStrip())
	p := signIn(t, server, f.labeler)
	p.label(f.slug)
	if apart := p.contrast(); apart < 150 {
		t.Fatalf("the mark is %d grey levels brighter than the strip", apart)
	}
	window := func() (title string) {
		p.evaluate(`document.querySelector('[data-part="contrast"]').title`, &title)
		return title
	}
	if !strings.HasPrefix(window(), "Window ") {
		t.Fatalf("the slider says %q", window())
	}
	p.must(p.GetByLabel("Window", playwright.PageGetByLabelOptions{Exact: playwright.Bool(true)}).Fill("-100"))
	if apart := p.contrast(); apart > 80 {
		t.Fatalf("in a wide window the mark is still %d grey levels brighter", apart)
	}
	wide := window()
	p.must(p.Locator(`[data-part="stage"]`).Focus())
	p.keys("n")
	if window() == wide || p.contrast() < 150 {
		t.Fatalf("n leaves %s and %d grey levels", window(), p.contrast())
	}
}

// contrast is how much brighter the picture's middle is shown than the rest of it.
func (p *page) contrast() int {
	p.t.Helper()
	p.must(p.Mouse().Move(2, 2)) // crosshair and loupe away
	var stage point
	p.evaluate(`(r => ({X: r.left, Y: r.top}))(document.querySelector('[data-part="stage"]').getBoundingClientRect())`, &stage)
	shot, s := p.stage(), p.sight()
	grey := func(at point) int {
		w := s.at(at)
		return int(greyAt(shot, int(w.X-stage.X), int(w.Y-stage.Y)))
	}
	return grey(point{200, 150}) - grey(point{60, 60})
}

func greyAt(m image.Image, x, y int) uint8 {
	grey, _ := color.GrayModel.Convert(m.At(x, y)).(color.Gray)
	return grey.Y
}

func TestEmptyQueue(t *testing.T) {
	t.Parallel()
	server := shared(t)
	stranger := signIn(t, server, addAccount(t, server, "labeler"))
	stranger.open("/queue")
	stranger.sees("You are in no project yet")
	stranger.accessible()

	f := newFloor(t, server)
	p := signIn(t, server, f.labeler)
	p.open("/queue")
	p.sees("Nothing waits for you")
	p.open("/label/next?project=" + f.slug)
	p.sees("Your queue is empty")
	p.accessible()
	p.shoot("label-empty")
}

// TestPutAside skips a task and takes a submit back.
func TestPutAside(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newFloor(t, server, strips(2)...)
	p := signIn(t, server, f.labeler)
	p.label(f.slug)
	first := p.title()
	p.draw(point{150, 120}, point{250, 180})
	want := p.boxes()
	p.submit()
	p.keys("u")
	p.shows("title", first)
	p.benchReady()
	sameBoxes(t, "taken back", p.boxes(), want)

	p.keys("x")
	p.fill("Note (optional)", "Two layers of scale.")
	p.press("Put aside, show the next")
	p.waits(`first => document.querySelector('[data-part="title"]').textContent.trim() !== first`, first)
}
