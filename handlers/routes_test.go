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
	"fiducial/internal/access"
	"fiducial/store"
)

// openToEverybody lists what needs no sign-in. Adding to it is a decision.
var openToEverybody = []string{
	"GET /sign-in", "POST /sign-in", "GET /invitation/{secret}", "POST /invitation/{secret}", "GET /confirm/{id}/{mark}", "POST /confirm/{id}/{mark}", "GET /shared/{secret}",
	"POST /hooks/{id}",
}

// unregistered lists what is served without an action: for orchestrators, and our own built files.
var unregistered = []string{"/healthz", "/readyz", "/favicon.ico", "/assets/*"}

var parameter = regexp.MustCompile(`\{[^}]+\}`)

// address is a path that the pattern matches; nothing in the store has such an id.
func address(pattern string) string {
	return strings.TrimSuffix(parameter.ReplaceAllString(pattern, "999999"), "*")
}

// Whatever answers was registered under an action, or is on the short lists above.
func TestEveryRouteHasAnAction(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	known := map[string]bool{}
	for _, r := range s.server.RegisteredRoutes() {
		name := r.Method + " " + r.Pattern
		known[name] = true
		if r.Action == "" && !slices.Contains(openToEverybody, name) {
			t.Errorf("%s is open to everybody", name)
		}
		if r.Action != "" && !slices.Contains(access.Actions(), r.Action) {
			t.Errorf("%s needs the unknown action %q", name, r.Action)
		}
	}
	tree, ok := s.handler.(chi.Routes)
	if !ok {
		t.Fatal("the site is no chi router")
	}
	err := chi.Walk(tree, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !known[method+" "+pattern] && !slices.Contains(unregistered, pattern) {
			t.Errorf("%s %s has no action: register it with on, get or post", method, pattern)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// client is one who asks: nobody, a person of a role, or a token.
type client struct {
	name    string
	actor   store.Actor
	browser func() *browser // anew each time: some routes end the session
	headers []string
}

func clients(t *testing.T, s *site) []client {
	t.Helper()
	all := []client{{name: "nobody", browser: s.stranger}}
	project, err := s.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strips", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range access.Roles() {
		id, _ := s.person(role)
		all = append(all, client{
			name: string(role), actor: store.Actor{PersonID: id, Role: role}, browser: func() *browser { return s.browserOf(id) },
		})
		for _, bound := range []int64{0, project.ID} {
			n := store.NewToken{Name: "walk", Role: role, Project: bound}
			id, secret, err := s.AddToken(t.Context(), store.System(), n)
			if err != nil {
				t.Fatal(err)
			}
			name := string(role) + "'s token"
			if bound != 0 {
				name += " of one project"
			}
			all = append(all, client{
				name: name, actor: store.Actor{TokenID: id, Role: role, Scope: bound}, browser: s.stranger,
				headers: []string{"Authorization", "Bearer " + secret},
			})
		}
	}
	return all
}

// Each route lets in exactly those whom the table of actions lets in.
func TestEveryRouteForEveryRole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	who := clients(t, s)
	for _, r := range s.server.RegisteredRoutes() {
		for _, c := range who {
			got := c.browser().do(r.Method, address(r.Pattern), url.Values{}, c.headers...)
			name := c.name + ": " + r.Method + " " + r.Pattern
			switch {
			case r.Action == "":
				if got.Code == http.StatusUnauthorized && r.Pattern != "/sign-in" || got.Code == http.StatusForbidden {
					t.Errorf("%s is open to everybody, and answers %d", name, got.Code)
				}
			case c.actor.Role == "":
				if !asksToSignIn(got) {
					t.Errorf("%s answers %d, want to be asked to sign in", name, got.Code)
				}
			case !c.actor.Allowed(r.Action) || c.actor.Scope != 0 && r.Method == http.MethodPost && r.Pattern == "/projects": // another one
				if got.Code != http.StatusForbidden {
					t.Errorf("%s answers %d, want 403: %q is not theirs", name, got.Code, r.Action)
				}
			case got.Code == http.StatusForbidden || asksToSignIn(got) || got.Code >= http.StatusInternalServerError:
				t.Errorf("%s answers %d although %q is theirs: %s", name, got.Code, r.Action, got.text())
			}
		}
	}
}

func asksToSignIn(a answer) bool {
	return a.Code == http.StatusUnauthorized || a.Code == http.StatusSeeOther && strings.HasPrefix(a.Header().Get("Location"), "/sign-in?next=")
}

// Nothing that changes anything listens to another site's pages.
func TestNoRouteTakesOtherSitesForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _ := s.person(access.Admin)
	admin := s.browserOf(id)
	for _, r := range s.server.RegisteredRoutes() {
		if r.Method == http.MethodGet {
			continue
		}
		for name, headers := range map[string][]string{
			"cross-site":     {"Sec-Fetch-Site", "cross-site"},
			"same-site":      {"Sec-Fetch-Site", "same-site"},
			"another origin": {"Sec-Fetch-Site", "", "Origin", "https://elsewhere.example"},
		} {
			if got := admin.do(r.Method, address(r.Pattern), url.Values{}, headers...); got.Code != http.StatusForbidden {
				t.Errorf("%s %s, %s: %d, want 403", r.Method, r.Pattern, name, got.Code)
			}
		}
	}
	admin.get("/account").want(http.StatusOK) // none of them had an effect, such as signing out
}

// Each answer has the content security policy, and no page needs what it forbids.
func TestEveryAnswerKeepsTheContentPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _ := s.person(access.Admin)
	paths := []string{"/healthz", "/favicon.ico", "/nothing-here", "/assets/nothing-here"}
	for _, r := range s.server.RegisteredRoutes() {
		if r.Method == http.MethodGet {
			paths = append(paths, address(r.Pattern))
		}
	}
	for _, path := range paths {
		for _, b := range []*browser{s.browserOf(id), s.stranger()} {
			got := b.get(path)
			policy := got.Header().Get("Content-Security-Policy")
			if !strings.Contains(policy, "script-src 'self'") || !strings.Contains(policy, "default-src 'none'") {
				t.Errorf("%s: policy %q", path, policy)
			}
			if strings.Contains(policy, "unsafe") && !strings.HasPrefix(path, handlers.JobsPath) {
				t.Errorf("%s: the policy is loose: %q", path, policy)
			}
			if strings.HasPrefix(got.Header().Get("Content-Type"), "text/html") && path != handlers.JobsPath && path != handlers.JobsPath+"/" {
				wantNothingInline(t, path, got)
			}
		}
	}
}

func wantNothingInline(t *testing.T, path string, got answer) {
	t.Helper()
	for n := range got.nodes() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "style" || n.Data == "script" && n.FirstChild != nil && !isData(n) {
			t.Errorf("%s: an inline <%s>", path, n.Data)
		}
		for _, attr := range n.Attr {
			if attr.Key == "style" || strings.HasPrefix(attr.Key, "on") || strings.HasPrefix(strings.TrimSpace(attr.Val), "javascript:") {
				t.Errorf("%s: <%s %s=%q>", path, n.Data, attr.Key, attr.Val)
			}
		}
	}
}

// isData tells a block of data, which no browser runs, from a script.
func isData(n *html.Node) bool {
	for _, attr := range n.Attr {
		if attr.Key == "type" && attr.Val == "application/json" {
			return true
		}
	}
	return false
}

// No address and no form, however odd, is our own fault.
func TestOddRequestsAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.steel()
	admin := s.browser(access.Admin)
	for _, r := range s.server.RegisteredRoutes() {
		if strings.HasPrefix(r.Pattern, handlers.JobsPath) || r.Pattern == "/sign-out" || r.Pattern == "/account/sign-out-everywhere" {
			continue
		}
		for _, odd := range []string{"%00", "%ff", "-1", "9223372036854775807", "99999999999999999999", "%27"} {
			path := strings.TrimSuffix(parameter.ReplaceAllString(strings.Replace(r.Pattern, "{slug}", "steel", 1), odd), "*")
			query, form := url.Values{}, url.Values{}
			for _, name := range []string{
				"q", "after", "before", "state", "class", "source", "group", "key", "project", "person", "from", "type", "object", "outcome", "after_name", "role", "split",
				"days", "round", "batch", "name", "slug", "email", "description", "body", "caption", "priority", "until", "note", "version",
			} {
				query.Set(name, "\x01odd")
				form.Set(name, "a\x00b\xff")
			}
			raw := strings.ReplaceAll(query.Encode(), "%01odd", odd)
			if got := admin.do(r.Method, path+"?"+raw, form); got.Code >= http.StatusInternalServerError {
				t.Errorf("%s %s?…=%s answers %d", r.Method, path, odd, got.Code)
			}
		}
	}
}
