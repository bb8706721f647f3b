package e2e

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// Bounds of a crawl: pages of one shape, such as /items/7 and /items/8, and pages in all.
const (
	pagesOfShape = 2
	pagesOfRole  = 60
)

// notOurs are places whose pages others made.
var notOurs = []string{"/admin/jobs", "/api/docs"}

// TestPages follows every link from where each role starts. Each page must be there, report no error
// on the console, pass axe in light and dark, and be no wider than a phone.
func TestPages(t *testing.T) {
	t.Parallel()
	server, people := demo(t)
	for _, role := range []string{"admin", "reviewer", "labeler", "viewer"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			crawl(t, signIn(t, server, people[role]))
		})
	}
}

func crawl(t *testing.T, p *page) {
	t.Helper()
	waiting, seen, shapes, opened := []string{"/", "/account"}, map[string]bool{}, map[string]int{}, 0
	for len(waiting) > 0 && opened < pagesOfRole {
		path := waiting[0]
		waiting = waiting[1:]
		if seen[path] || shapes[shapeOf(path)] >= pagesOfShape {
			continue
		}
		seen[path] = true
		shapes[shapeOf(path)]++
		if p.isPage(path) {
			opened++
			p.inspect(path)
			waiting = append(waiting, p.links()...)
		}
	}
	t.Logf("%d pages opened", opened)
}

// isPage opens path and reports whether it is a page of ours; a download is none.
func (p *page) isPage(path string) bool {
	p.t.Helper()
	response, err := p.Goto(path)
	if err != nil && strings.Contains(err.Error(), "Download is starting") {
		return false
	}
	p.must(err)
	if response.Status() >= 400 {
		p.t.Errorf("%s answers %d, and a page has a link to it", path, response.Status())
		return false
	}
	return strings.HasPrefix(response.Headers()["content-type"], "text/html")
}

// seenDark holds the shapes of pages that were seen in the dark scheme, once for all roles: colours
// do not depend on who looks.
var seenDark sync.Map

func (p *page) inspect(path string) {
	p.t.Helper()
	p.accessible()
	if _, known := seenDark.LoadOrStore(shapeOf(path), true); !known {
		p.window(desktop, playwright.ColorSchemeDark)
		p.accessible("color-contrast")
	}
	p.window(phone, playwright.ColorSchemeLight)
	var width int
	p.evaluate("document.documentElement.scrollWidth", &width)
	if width > phone.Width {
		p.t.Errorf("%s is %d px wide on a phone of %d", path, width, phone.Width)
	}
	p.window(desktop, playwright.ColorSchemeLight)
	p.report()
}

// links are the addresses of our own pages that the page leads to.
func (p *page) links() []string {
	p.t.Helper()
	var found, ours []string
	p.evaluate(`[...document.querySelectorAll("a[href]:not([download])")].map(a => a.href)`, &found)
	for _, href := range found {
		path, ok := strings.CutPrefix(href, p.server.URL)
		path, _, _ = strings.Cut(path, "#")
		if ok && path != "" && !slices.ContainsFunc(notOurs, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
			ours = append(ours, path)
		}
	}
	return ours
}

var digits = regexp.MustCompile(`\d+`)

// shapeOf is what pages of one kind have in common: their path without numbers, and which
// parameters they take.
func shapeOf(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	var names []string
	for name := range u.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	return digits.ReplaceAllString(u.Path, "N") + "?" + strings.Join(names, "&")
}
