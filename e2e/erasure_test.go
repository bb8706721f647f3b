package e2e

import (
	"strings"
	"testing"
)

// What is erased while somebody has it open leaves the screen, whether they go on working or have left their place.
func TestErasureClearsTheWorkbench(t *testing.T) {
	t.Parallel()
	server := fresh(t)
	f := newFloor(t, server, strip(1), strip(2), strip(3), strip(4), strip(5), strip(6))
	colleague := addAccount(t, server, "labeler")
	signIn(t, server, addAccount(t, server, "admin")).addMember(f.slug, colleague)
	works, away := signIn(t, server, f.labeler), signIn(t, server, colleague)
	works.expect("status of 410")
	away.expect("status of 410")
	away.must(away.Clock().Install())
	works.label(f.slug)
	away.label(f.slug)
	works.draw(point{150, 120}, point{250, 180})
	works.saved()
	titles := []string{works.title(), away.title()}
	if _, err := server.Command(t.Context(), strings.Join(titles, "\n"), "erase", "--items", "-", "--project", f.slug, "--wait"); err != nil {
		t.Fatal(err)
	}

	works.draw(point{20, 20}, point{80, 60}) // the draft is refused
	away.must(away.Clock().FastForward("01:05"))
	for i, p := range []*page{works, away} {
		p.sees("This item was erased")
		p.cleared(titles[i])
	}
	works.accessible()
	works.shoot("workbench-erased")
	works.press("Next item")
	works.benchReady()
	if next := works.title(); next == titles[0] || next == titles[1] {
		t.Errorf("the next item is %s, which was erased", next)
	}
}

// cleared fails the test unless nothing of the item is on the screen.
func (p *page) cleared(title string) {
	p.t.Helper()
	var shown struct {
		Pictures, Boxes int
		Words           string
	}
	p.evaluate(`({Pictures: [...document.querySelectorAll("box-workbench :is(img, canvas)")].filter(i => i.checkVisibility({visibilityProperty: true}) && (i.tagName === "CANVAS" || i.src !== "")).length,
		Boxes: document.querySelectorAll("box-workbench .lines rect").length, Words: document.title + " " + document.body.innerText})`, &shown)
	if shown.Pictures+shown.Boxes > 0 || strings.Contains(shown.Words, title) {
		p.t.Errorf("of %s is still shown: %+v", title, shown)
	}
}
