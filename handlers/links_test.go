package handlers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"golang.org/x/net/html"

	"fiducial/handlers"
)

// inWords are the parameters of addresses that are no numbers, which all others are.
var inWords = []string{"slug", "dataset", "model", "version", "kind", "table", "secret", "mark", "*"}

var digits = regexp.MustCompile(`^\d+$`)

// wantLiveLinks fails for every address of ours on a page, be it a link, a form or a fragment, at which nothing answers. A crawl of one
// installation sees a page in few of its states; here each test brings its own. What is timed is left alone.
func (b *browser) wantLiveLinks(page string, a answer) {
	b.site.t.Helper()
	if _, timed := b.site.t.(*testing.B); timed {
		return
	}
	ours := a.Code < http.StatusBadRequest || a.Code == http.StatusUnprocessableEntity // what an error offers to try again may not be there
	if !ours || !strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") || strings.HasPrefix(page, handlers.JobsPath) {
		return
	}
	for n := range a.nodes() {
		for method, address := range addressesOf(n) {
			if why := b.site.dead(page, method, address); why != "" {
				b.site.t.Errorf("%s has a dead <%s> to %s %s: %s", page, n.Data, method, address, why)
			}
		}
	}
}

// addressesOf are what an element leads to, with the method that it asks by.
func addressesOf(n *html.Node) func(func(method, address string) bool) {
	attributes := map[string]string{}
	for _, attr := range n.Attr {
		attributes[attr.Key] = attr.Val
	}
	return func(yield func(method, address string) bool) {
		for name, method := range map[string]string{
			"href": http.MethodGet, "src": http.MethodGet, "hx-get": http.MethodGet, "hx-post": http.MethodPost, "action": methodOf(attributes["method"]),
			"formaction": methodOf(attributes["formmethod"]),
		} {
			if address := attributes[name]; address != "" && address[0] != '#' && !yield(method, address) {
				return
			}
		}
	}
}

func methodOf(name string) string {
	if strings.EqualFold(name, http.MethodPost) {
		return http.MethodPost
	}
	return http.MethodGet
}

// dead says why nothing answers at an address, "" if something does or it is not ours.
func (s *site) dead(page, method, address string) string {
	base, err := url.Parse(page)
	if err != nil {
		return err.Error()
	}
	u, err := base.Parse(address)
	if err != nil {
		return err.Error()
	}
	tree, ok := s.handler.(chi.Routes)
	if u.Host != "" || u.Scheme != "" || !ok {
		return ""
	}
	found := chi.NewRouteContext()
	if !tree.Match(found, method, u.Path) {
		return "no route"
	}
	for i, name := range found.URLParams.Keys {
		if value := found.URLParams.Values[i]; !slices.Contains(inWords, name) && !digits.MatchString(value) {
			return name + " is " + value + ", which is no number"
		}
	}
	return ""
}
