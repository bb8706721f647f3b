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

// Bounds of a crawl: pages of one shape, such as /items/7 and /items/8, and pages in all. One page of every shape is
// visited before a second of any, and the bound never hides a shape: the crawl fails if it does.
const (
	pagesOfShape = 2
	pagesOfRole  = 300
)

// notOurs are places whose pages others made.
var notOurs = []string{"/admin/jobs", "/api/docs"}

// TestPages follows every link from where each role starts. Each page must be there and report no error on the console; one of
// each shape, as admins see it and as somebody else does, must pass axe in light, one in dark, and be no wider than a phone.
func TestPages(t *testing.T) {
	t.Parallel()
	server, people := demo(t)
	for _, role := range []string{"admin", "reviewer", "labeler", "viewer"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			crawl(t, signIn(t, server, people[role]), role == "admin")
		})
	}
}

func crawl(t *testing.T, p *page, admin bool) {
	t.Helper()
	c := crawler{waiting: []string{"/", "/account"}, seen: map[string]bool{}, shapes: map[string]int{}}
	opened := 0
	for path := c.next(); path != ""; path = c.next() {
		if opened == pagesOfRole {
			if c.shapes[shapeOf(path)] == 1 {
				t.Errorf("%d pages opened, and %s is of a shape that none of them had", opened, path)
			}
			break
		}
		if p.isPage(path) {
			opened++
			if _, known := inspected.LoadOrStore(look{shapeOf(path), admin}, true); !known {
				p.inspect(path)
			}
			p.report()
			c.waiting = append(c.waiting, p.links()...)
		}
	}
	t.Logf("%d pages opened, of %d shapes", opened, len(c.shapes))
}

// crawler knows where a crawl was and where it could go.
type crawler struct {
	waiting []string
	seen    map[string]bool
	shapes  map[string]int // how many pages of each were visited
}

// next is where to go: to a page of a new shape first, "" when there is nothing left.
func (c *crawler) next() string {
	for most := range pagesOfShape {
		for _, path := range c.waiting {
			if shape := shapeOf(path); !c.seen[path] && c.shapes[shape] == most {
				c.seen[path] = true
				c.shapes[shape]++
				return path
			}
		}
	}
	return ""
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

// inspected holds the looks that were inspected; seenDark the shapes of pages that were seen in the dark scheme, once for all roles: colours
// do not depend on who looks.
var inspected, seenDark sync.Map

// look is a page of a shape as admins see it, with all that can be done there, or as others do.
type look struct {
	shape string
	admin bool
}

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

// named are the parts of a path that name a thing: numbers, and what stands behind these words.
var named = regexp.MustCompile(`\d+|(?:^/projects|^/datasets)/[^/]+`)

// shapeOf is what pages of one kind have in common: their path without what names a thing, and which parameters they take.
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
	kind := named.ReplaceAllStringFunc(u.Path, func(name string) string {
		if word, _, found := strings.Cut(name[1:], "/"); found && !strings.HasSuffix(name, "/new") {
			return "/" + word + "/N"
		}
		return strings.TrimLeft(name, "0123456789")
	})
	return kind + "?" + strings.Join(names, "&")
}
