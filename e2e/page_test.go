package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// The two windows that every page must be good in.
var (
	desktop = playwright.Size{Width: 1440, Height: 900}
	phone   = playwright.Size{Width: 390, Height: 844}
)

// page is one tab of somebody's browser. Whatever its console reports as an error, be it a script's,
// a violation of the content security policy or a file that is missing, fails the test.
type page struct {
	playwright.Page

	t      testing.TB
	server *Server
	name   string // of the context, in files

	mu       sync.Mutex
	errors   []string
	expected []string
}

// visitors counts contexts; each is a different address to the server, which limits sign-ins by it.
var visitors atomic.Int64

// newPage opens a tab in a fresh context, signed in as nobody.
func newPage(tb testing.TB, s *Server) *page {
	tb.Helper()
	browser, err := theBrowser()
	if err != nil {
		tb.Fatal(err)
	}
	n := visitors.Add(1)
	context, err := browser.NewContext(playwright.BrowserNewContextOptions{
		BaseURL: &s.URL, Viewport: &desktop, ColorScheme: playwright.ColorSchemeLight, ReducedMotion: playwright.ReducedMotionReduce,
		ExtraHttpHeaders: map[string]string{"X-Forwarded-For": fmt.Sprintf("10.0.%d.%d", n/250, n%250+1)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	context.SetDefaultTimeout(float64(patience.Milliseconds()))
	context.SetDefaultNavigationTimeout(float64(patience.Milliseconds()))
	p := &page{t: tb, server: s, name: strconv.FormatInt(n, 10)}
	context.OnConsole(func(m playwright.ConsoleMessage) {
		if m.Type() == "error" && !strings.Contains(m.Text(), leftBehind) {
			p.note(m.Text() + " (" + m.Location().URL + ")")
		}
	})
	context.OnWebError(func(e playwright.WebError) { p.note(e.Error().Error()) })
	tb.Cleanup(func() {
		p.shootFailure()
		if err := context.Close(); err != nil {
			tb.Error(err)
		}
		p.report()
	})
	if p.Page, err = context.NewPage(); err != nil {
		tb.Fatal(err)
	}
	return p
}

// leftBehind is what htmx says of a request that was under way when its page was left: of one that looks whether a job is done,
// say. A request that the server refused, or that it was not there for, the browser itself tells of besides.
const leftBehind = "htmx:error: Failed to fetch TypeError: Failed to fetch"

// shootFailure writes pictures of what the tabs showed when the test failed into e2e/shots.
func (p *page) shootFailure() {
	if !p.t.Failed() || p.Page == nil {
		return
	}
	for i, tab := range p.Context().Pages() {
		path := filepath.Join("shots", fmt.Sprintf("failed-%s-%s-%d.png", strings.ReplaceAll(p.t.Name(), "/", "-"), p.name, i))
		if _, err := tab.Screenshot(playwright.PageScreenshotOptions{Path: &path, Caret: playwright.ScreenshotCaretInitial}); err != nil {
			p.t.Logf("%s: %v", path, err)
		}
	}
}

func (p *page) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors = append(p.errors, text)
}

// expect lets errors of the console pass that contain text, such as "status of 401".
func (p *page) expect(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, text)
}

// report fails the test for every error of the console that nobody expected, once.
func (p *page) report() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.errors {
		if !slices.ContainsFunc(p.expected, func(e string) bool { return strings.Contains(text, e) }) {
			p.t.Errorf("console: %s", text)
		}
	}
	p.errors = nil
}

// signIn opens a tab signed in as a.
func signIn(tb testing.TB, s *Server, a account) *page {
	tb.Helper()
	p := newPage(tb, s)
	p.open("/sign-in")
	p.fill("E-mail", a.Email)
	p.fill("Password", a.Password)
	p.press("Sign in")
	p.must(p.WaitForURL(func(url string) bool { return !strings.Contains(url, "/sign-in") }))
	return p
}

// must ends the test if err is not nil.
func (p *page) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// open goes to path and fails unless a page is there.
func (p *page) open(path string) {
	p.t.Helper()
	response, err := p.Goto(path)
	p.must(err)
	if response != nil && response.Status() >= 400 {
		p.t.Fatalf("%s answers %d", path, response.Status())
	}
}

// fill types text into the field with this label.
func (p *page) fill(label, text string) {
	p.t.Helper()
	p.must(p.GetByLabel(label, playwright.PageGetByLabelOptions{Exact: playwright.Bool(true)}).Fill(text))
}

// press clicks the button with this name.
func (p *page) press(name string) {
	p.t.Helper()
	p.must(p.GetByRole("button", playwright.PageGetByRoleOptions{Name: name, Exact: playwright.Bool(true)}).Click())
}

// path is where the tab is, without the server.
func (p *page) path() string { return strings.TrimPrefix(p.URL(), p.server.URL) }

// sees waits until text is shown.
func (p *page) sees(text string) {
	p.t.Helper()
	p.must(p.GetByText(text).First().WaitFor())
}

// evaluate runs a script in the page and reads its answer into out.
func (p *page) evaluate(script string, out any) {
	p.t.Helper()
	answer, err := p.Evaluate("JSON.stringify(" + script + ")")
	p.must(err)
	text, ok := answer.(string)
	if !ok {
		p.t.Fatalf("%s answers %v", script, answer)
	}
	p.must(json.Unmarshal([]byte(text), out))
}

// axeSource is axe-core, which AddScriptTag could not bring in under our content security policy.
var axeSource = sync.OnceValues(func() (string, error) {
	root, err := projectRoot()
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(filepath.Join(root, "node_modules", "axe-core", "axe.min.js"))
	return string(source) + ";undefined", err
})

// accessible fails the test for whatever axe finds serious or critical in the page as it is shown.
// Without rules it tries all of them.
func (p *page) accessible(rules ...string) {
	p.t.Helper()
	source, err := axeSource()
	p.must(err)
	_, err = p.Evaluate("typeof axe === 'undefined' && (() => {" + source + "})()")
	p.must(err)
	// Without preload: axe copies the style of a shadow tree into a document of its own, which the policy refuses.
	options := map[string]any{"resultTypes": []string{"violations"}, "preload": false}
	if len(rules) > 0 {
		options["runOnly"] = rules
	}
	answer, err := p.Evaluate(`async options => JSON.stringify((await axe.run(document, options)).violations
		.filter(v => v.impact === "serious" || v.impact === "critical")
		.map(v => ({rule: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " " + n.failureSummary)})))`, options)
	p.must(err)
	var found []struct {
		Rule, Help string
		Nodes      []string
	}
	text, _ := answer.(string)
	p.must(json.Unmarshal([]byte(text), &found))
	for _, f := range found {
		p.t.Errorf("%s: axe: %s: %s\n%s", p.path(), f.Rule, f.Help, strings.Join(f.Nodes, "\n"))
	}
}

// window sets the size of the window and the colour scheme.
func (p *page) window(size playwright.Size, scheme *playwright.ColorScheme) {
	p.t.Helper()
	p.must(p.SetViewportSize(size.Width, size.Height))
	p.must(p.EmulateMedia(playwright.PageEmulateMediaOptions{ColorScheme: scheme}))
}

// shoot writes pictures of the whole page into e2e/shots, light and dark, on a desktop and a phone.
func (p *page) shoot(name string) {
	p.t.Helper()
	for _, size := range []playwright.Size{desktop, phone} {
		for _, scheme := range []*playwright.ColorScheme{playwright.ColorSchemeLight, playwright.ColorSchemeDark} {
			p.window(size, scheme)
			path := filepath.Join("shots", fmt.Sprintf("%s-%s-%d.png", name, *scheme, size.Width))
			// Playwright hides the caret by a style element, which our policy refuses.
			_, err := p.Screenshot(playwright.PageScreenshotOptions{Path: &path, FullPage: playwright.Bool(true), Caret: playwright.ScreenshotCaretInitial})
			p.must(err)
		}
	}
	p.window(desktop, playwright.ColorSchemeLight)
}
