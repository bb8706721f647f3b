package web_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"fiducial/web"
	"fiducial/web/ui"
)

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var html strings.Builder
	if err := c.Render(t.Context(), &html); err != nil {
		t.Fatal(err)
	}
	return html.String()
}

func TestNav(t *testing.T) {
	t.Parallel()
	nav := web.Nav("/projects/7/items", "/admin", "/projects", "/unknown")
	if len(nav) != 2 || nav[0].Href != "/projects" || nav[1].Href != "/admin" {
		t.Fatalf("Nav = %+v, want projects before admin and nothing else", nav)
	}
	if !nav[0].Current || nav[1].Current {
		t.Errorf("current is wrong: %+v", nav)
	}
	for path, want := range map[string]bool{"/cells/7": true, "/matrix/1": true, "/cellsy": false, "/models": false} {
		if got := web.Nav(path, "/evaluations")[0].Current; got != want {
			t.Errorf("on %s the place of evaluations is current: %v", path, got)
		}
	}
}

// inline finds what the content security policy would refuse.
var inline = regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script[^>]*>[^<]`)

func TestPagesKeepTheContentSecurityPolicy(t *testing.T) {
	t.Parallel()
	page := web.PageView{
		Title: "Items", Theme: "dark", Search: "/search", Nav: web.Nav("/queue", "/queue"),
		User: &web.UserView{Name: "Aylin van den Demir", Role: "admin", Settings: "/settings"}, Flash: []web.FlashView{{Tone: ui.OK, Text: "Saved."}},
	}
	for name, html := range map[string]string{
		"sign in":    render(t, web.SignInPage(web.PageView{Title: "Sign in"}, web.SignInView{Error: "Wrong."})),
		"invitation": render(t, web.InvitationPage(web.PageView{}, web.InvitationView{Email: "a@example.com", MinLength: 12})),
		"error":      render(t, web.ErrorPage(page, web.ErrorView{Status: 500, Reference: "r"})),
		"search":     render(t, web.SearchPage(page, web.SearchView{Query: "x"})),
	} {
		if found := inline.FindString(html); found != "" {
			t.Errorf("%s holds %q", name, found)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	signedIn := render(t, web.Page(web.PageView{Title: "Items", Theme: "dark", User: &web.UserView{Name: "Aylin van den Demir", Role: "admin"}}))
	for _, want := range []string{`data-theme="dark"`, "<title>Items · Fiducial</title>", ">AD</span>", `aria-current="page">Items`} {
		if !strings.Contains(signedIn, want) {
			t.Errorf("page lacks %s", want)
		}
	}
	if strings.Contains(signedIn, "data-search") {
		t.Error("a search is offered although there is none")
	}
	stranger := render(t, web.Page(web.PageView{Title: "Sign in"}))
	if strings.Contains(stranger, "user-menu") || strings.Contains(stranger, `id="rail"`) {
		t.Error("a stranger sees rail or menu")
	}
}
