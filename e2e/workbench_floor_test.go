package e2e

import (
	"crypto/rand"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// floor is a project with two classes, Scratch on 1 and Pit on 2, and a labeler in it.
type floor struct {
	slug    string
	labeler account
}

// newFloor makes a project over these pictures, the way an admin does.
func newFloor(tb testing.TB, s *Server, pictures ...image.Image) floor {
	tb.Helper()
	f := floor{slug: "floor-" + strings.ToLower(rand.Text()[:8]), labeler: addAccount(tb, s, "labeler")}
	f.command(tb, s, "project", "add", f.slug, "--kind", "image")
	admin := signIn(tb, s, addAccount(tb, s, "admin"))
	admin.addClass(f.slug, "Scratch", "1")
	admin.addClass(f.slug, "Pit", "2")
	admin.addMember(f.slug, f.labeler)
	if len(pictures) > 0 {
		f.bringIn(tb, s, pictures)
	}
	return f
}

// bringIn imports pictures and waits until each can be handed out: else the queue's order is that of their renditions.
func (f floor) bringIn(tb testing.TB, s *Server, pictures []image.Image) {
	tb.Helper()
	f.command(tb, s, "import", f.slug, stripFolder(tb, pictures), "--format", "images")
	eventually(tb, s, len(pictures), `SELECT count(*)::int FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND i.state = 'ready'`, f.slug)
}

func (f floor) command(tb testing.TB, s *Server, args ...string) string {
	tb.Helper()
	out, err := s.Command(tb.Context(), "", args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// addClass adds a class to a project's defect book.
func (p *page) addClass(slug, name, key string) {
	p.t.Helper()
	p.open("/projects/" + slug + "/guideline")
	p.press("Add a class")
	p.fill("Name", name)
	p.fill("Key (optional)", key)
	p.press("Add the class")
	p.sees(name)
}

// addMember lets somebody into a project.
func (p *page) addMember(slug string, who account) {
	p.t.Helper()
	p.open("/projects/" + slug + "/members")
	p.fill("Address", who.Email)
	p.press("Add to the project")
	p.must(p.GetByRole("table").GetByText(who.Email).WaitFor())
}

// tab opens another tab in the same browser, signed in as the same person.
func (p *page) tab() *page {
	p.t.Helper()
	other, err := p.Context().NewPage()
	p.must(err)
	return &page{Page: other, t: p.t, server: p.server}
}

// strip is a grey picture with a dark mark on it, each another.
func strip(seed int) image.Image {
	m := image.NewGray(image.Rect(0, 0, 400, 300))
	for y := range 300 {
		for x := range 400 {
			m.SetGray(x, y, color.Gray{Y: uint8(110 + (x*7+y*13+seed*31)%40)})
		}
	}
	for y := 120; y < 180; y++ {
		for x := 150; x < 250; x++ {
			m.SetGray(x, y, color.Gray{Y: 30})
		}
	}
	return m
}

// strips are so many of them.
func strips(n int) (pictures []image.Image) {
	for seed := range n {
		pictures = append(pictures, strip(seed))
	}
	return pictures
}

// deepStrip has 16 bits, of which it uses few: its mark is seen only through a window.
func deepStrip() image.Image {
	m := image.NewGray16(image.Rect(0, 0, 400, 300))
	for y := range 300 {
		for x := range 400 {
			grey := uint16(20_000)
			if x >= 150 && x < 250 && y >= 120 && y < 180 {
				grey = 20_400
			}
			m.SetGray16(x, y, color.Gray16{Y: grey})
		}
	}
	return m
}

func stripFolder(tb testing.TB, pictures []image.Image) string {
	tb.Helper()
	dir := tb.TempDir()
	for i, m := range pictures {
		file, err := os.Create(filepath.Join(dir, fmt.Sprintf("strip-%03d.png", i)))
		if err != nil {
			tb.Fatal(err)
		}
		if err := png.Encode(file, m); err != nil {
			tb.Fatal(err)
		}
		if err := file.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// stage is a picture of the workbench's canvas.
func (p *page) stage() image.Image {
	p.t.Helper()
	shot, err := p.Locator(`[data-part="stage"]`).Screenshot(playwright.LocatorScreenshotOptions{Caret: playwright.ScreenshotCaretInitial})
	p.must(err)
	m, err := png.Decode(strings.NewReader(string(shot)))
	p.must(err)
	return m
}
