package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// TestPairs goes the way from a disagreement to a sharper definition: three labelers call a mark by two names, a reviewer
// compares the two classes, says in the definition what tells them apart and sends back what was confused; each labeler
// sees why, one changes their mind, and the figures follow.
func TestPairs(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newPanel(t, server, 2)
	f.answer(t, server, 2)
	p := signIn(t, server, f.reviewers[0])
	pairs := "/projects/" + f.slug + "/pairs"
	// Of the three pairs of votes on each of two objects, two differ.
	p.eventually("four confused pairs of votes", func() bool {
		p.open(pairs)
		return strings.Contains(p.text("main"), "Pit") && p.text("tbody tr td.num") == "4"
	})
	p.shoot("pairs")
	p.must(p.Locator("tbody th a").Click())
	p.sees("Confused")
	if n, err := p.Locator(".confusions li").Count(); err != nil || n != 2 {
		t.Errorf("%d confused objects, %v", n, err)
	}
	p.waits(`() => { const crops = [...document.querySelectorAll(".pair-columns img")]; return crops.length > 6 && crops.slice(0, 6).every(i => i.complete && i.naturalWidth === 240) }`)
	p.accessible()
	p.shoot("pair")
	p.sharpen("Pit", "A pit is dark and has an edge all round.", "Dark with an edge is a pit.")
	p.eventually("the answers to be back", func() bool {
		p.open("/projects/" + f.slug + "/stale")
		return strings.Contains(p.text("main"), "with the labelers")
	})
	p.accessible()
	p.shoot("stale")

	for i, who := range f.labelers {
		l := signIn(t, server, who)
		l.open("/queue")
		l.sees("Definition changed")
		l.label(f.slug)
		for range 2 {
			l.shows("reason", "Again, under a new definition")
			l.shows("marks", "Pit is at version 1 now. Dark with an edge is a pit.")
			if i == 1 {
				for box := l.nextBox(); box.Y < 100 || box.Y > 140; {
					box = l.nextBox()
				}
				l.keys("2")
			}
			l.submit()
		}
	}
	p.eventually("the pair to be told apart", func() bool { p.open(pairs); return strings.Contains(p.text("main"), "No two classes are confused") })
	p.open("/projects/" + f.slug + "/stale")
	p.sees("done")
	p.open("/review/next?project=" + f.slug)
	p.sees("Here again: Pit is defined anew")
}

// text is what the first such element says.
func (p *page) text(selector string) string {
	p.t.Helper()
	text, err := p.Locator(selector).First().InnerText()
	p.must(err)
	return strings.TrimSpace(text)
}

// nextBox goes to the next box and returns it once the list of boxes says that it is chosen.
func (p *page) nextBox() drawn {
	p.t.Helper()
	before := p.chosen().ID
	p.keys("]")
	p.eventually("the next box", func() bool { return p.chosen().ID != before })
	return p.chosen()
}

// chosen is the box that is picked in the workbench.
func (p *page) chosen() (box drawn) {
	p.t.Helper()
	var id string
	p.evaluate(`document.querySelector('[data-part="boxes"] [aria-current], [data-part="boxes"] [aria-pressed="true"]')?.dataset.box ?? ""`, &id)
	boxes := p.boxes()
	if at := slices.IndexFunc(boxes, func(b drawn) bool { return b.ID == id }); at >= 0 {
		return boxes[at]
	}
	return drawn{}
}

// sharpen writes a class's definition on the page of a pair, and publishes it with what was confused sent back.
func (p *page) sharpen(class, body, note string) {
	p.t.Helper()
	form := p.Locator("form.form", playwright.PageLocatorOptions{HasText: "Definition of " + class})
	p.must(p.Locator("summary", playwright.PageLocatorOptions{HasText: "Sharpen the definition of " + class}).Click())
	p.must(form.Locator("textarea").Fill(body))
	p.must(form.GetByRole("button", playwright.LocatorGetByRoleOptions{Name: "Save and publish"}).Click())
	p.sees("What becomes of older labels")
	if !strings.Contains(p.path(), "pair=") {
		p.t.Errorf("the pair is forgotten: %s", p.path())
	}
	p.accessible()
	p.shoot("publish")
	p.fill("What has changed (optional)", note)
	p.press("Publish version 1")
	p.sees("going back to its labelers")
}

// The candidates of BenchmarkPairPage: pictures with so many boxes each, every second of the one class.
const (
	pairPictures = 50
	pairBoxes    = 400
	pairOpenings = 5
)

// cocoOfPairs is a data set of truth over the strips of stripFolder.
func cocoOfPairs(b *testing.B) []byte {
	b.Helper()
	var images, annotations []map[string]any
	for i := range pairPictures {
		images = append(images, map[string]any{"id": i + 1, "file_name": fmt.Sprintf("strip-%03d.png", i), "width": 400, "height": 300})
		for n := range pairBoxes {
			annotations = append(annotations, map[string]any{
				"id": len(annotations) + 1, "image_id": i + 1, "category_id": n%2 + 1, "bbox": [4]float64{float64(5 + n%20*19), float64(5 + n/20*14), 12, 9}, "area": 108,
			})
		}
	}
	document, err := json.Marshal(map[string]any{
		"images": images, "categories": []map[string]any{{"id": 1, "name": "Scratch"}, {"id": 2, "name": "Pit"}}, "annotations": annotations,
	})
	if err != nil {
		b.Fatal(err)
	}
	return document
}

// BenchmarkPairPage opens the page of two classes with 10,000 labels each: until its first contents are painted, and
// until the crops in sight are there, the first time (when they are cut) and afterwards; the median of a few openings.
func BenchmarkPairPage(b *testing.B) {
	server := shared(b)
	f := newFloor(b, server)
	reviewer := addAccount(b, server, "reviewer")
	admin := signIn(b, server, addAccount(b, server, "admin"))
	admin.addMember(f.slug, reviewer)
	admin.open("/projects/" + f.slug + "/settings")
	admin.must(admin.GetByLabel("Take imported labels as truth").Check())
	admin.press("Save the settings")
	dir := stripFolder(b, strips(pairPictures))
	writeFile(b, dir, "labels.json", cocoOfPairs(b))
	f.command(b, server, "import", f.slug, dir, "--format", "coco", "--as", "truth")
	p := signIn(b, server, reviewer)
	p.open("/projects/" + f.slug + "/guideline")
	var classes []string
	p.evaluate(`[...document.querySelectorAll(".book-entry h2 a")].map(a => a.getAttribute("href").split("/").at(-1))`, &classes)
	path := fmt.Sprintf("/projects/%s/pairs/%s/%s", f.slug, classes[0], classes[1])
	const inSight = `() => { const seen = [...document.querySelectorAll(".pair-columns img")].filter(i => i.getBoundingClientRect().top < innerHeight);
		return seen.length > 0 && seen.every(i => i.complete && i.naturalWidth > 0) }`
	var painted, cut []float64
	for b.Loop() {
		for range pairOpenings {
			p.open(path)
			p.waits(inSight)
			var at, now float64
			p.evaluate(`performance.getEntriesByName("first-contentful-paint")[0].startTime`, &at)
			p.evaluate(`performance.now()`, &now)
			painted, cut = append(painted, at), append(cut, now)
		}
	}
	b.ReportMetric(cut[0], "first-crops-ms")
	slices.Sort(painted)
	slices.Sort(cut)
	b.ReportMetric(painted[len(painted)/2], "first-paint-ms")
	b.ReportMetric(cut[len(cut)/2], "crops-ms")
	b.ReportMetric(0, "ns/op")
}
