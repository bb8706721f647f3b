package handlers_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/net/html"

	"fiducial/handlers"
	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/store/blob"
	"fiducial/store/storetest"
)

// site is the whole site over an empty store, as a browser meets it.
type site struct {
	*store.Store

	t        testing.TB
	pool     *pgxpool.Pool
	bucket   *blob.Bucket
	server   *handlers.Server
	sessions *scs.SessionManager
	handler  http.Handler
}

// newSite starts a site; change may alter its configuration.
func newSite(tb testing.TB, change ...func(*handlers.Config)) *site {
	tb.Helper()
	pool, bucket := storetest.Pool(tb), storetest.Bucket(tb)
	st, err := store.New(pool, bucket)
	if err != nil {
		tb.Fatal(err)
	}
	sessions := handlers.NewSessions(pgxstore.NewWithCleanupInterval(pool, 0), false)
	river := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		}
		_, _ = io.WriteString(w, "<body>River's own pages</body>")
	})
	cfg := handlers.Config{Store: st, Log: slog.New(slog.DiscardHandler), Sessions: sessions, JobsUI: river}
	for _, c := range change {
		c(&cfg)
	}
	server := handlers.New(cfg)
	return &site{Store: st, t: tb, pool: pool, bucket: bucket, server: server, sessions: sessions, handler: server.Routes()}
}

const testPassword = "a long enough password"

var personNumber atomic.Int64

// person makes somebody with the password above, and returns id and address.
func (s *site) person(role access.Role) (id int64, email string) {
	s.t.Helper()
	email = fmt.Sprintf("person-%d@example.org", personNumber.Add(1))
	id, err := s.AddPerson(s.t.Context(), store.System(), store.NewPerson{Email: email, Name: "Ada Strip", Password: testPassword, Role: role})
	if err != nil {
		s.t.Fatal(err)
	}
	return id, email
}

// browser keeps cookies from one request to the next, and follows no redirect.
type browser struct {
	site    *site
	cookies map[string]*http.Cookie
}

func (s *site) stranger() *browser { return &browser{site: s, cookies: map[string]*http.Cookie{}} }

// browser returns one in which somebody new of this role is signed in.
func (s *site) browser(role access.Role) *browser {
	s.t.Helper()
	id, _ := s.person(role)
	return s.browserOf(id)
}

// browserOf signs a person in past the form, which costs a password.
func (s *site) browserOf(id int64) *browser {
	s.t.Helper()
	person, err := s.PersonByID(s.t.Context(), store.System(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, err := s.sessions.Load(s.t.Context(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.sessions.Put(ctx, "person", id)
	s.sessions.Put(ctx, "generation", person.SessionGeneration)
	token, _, err := s.sessions.Commit(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	b := s.stranger()
	b.cookies[s.sessions.Cookie.Name] = &http.Cookie{Name: s.sessions.Cookie.Name, Value: token}
	return b
}

// answer is what a browser got.
type answer struct {
	*httptest.ResponseRecorder

	t testing.TB
}

func (b *browser) get(path string) answer { return b.do(http.MethodGet, path, nil) }

// post sends a form; pairs are names and values in turn.
func (b *browser) post(path string, pairs ...string) answer {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

func (b *browser) do(method, path string, form url.Values, headers ...string) answer {
	b.site.t.Helper()
	r := httptest.NewRequestWithContext(b.site.t.Context(), method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.site.handler.ServeHTTP(w, r)
	res := w.Result()
	if err := res.Body.Close(); err != nil {
		b.site.t.Fatal(err)
	}
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c
		}
	}
	a := answer{w, b.site.t}
	b.wantLiveLinks(path, a)
	return a
}

// want fails unless the answer has this status, and returns it.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.Code != status {
		a.t.Fatalf("status %d, want %d: %s", a.Code, status, a.text())
	}
	return a
}

// to fails unless the answer sends the browser to path.
func (a answer) to(path string) {
	a.t.Helper()
	if got := a.want(http.StatusSeeOther).Header().Get("Location"); got != path {
		a.t.Fatalf("sent to %q, want %q", got, path)
	}
}

// shows fails unless the page's text holds each of these.
func (a answer) shows(texts ...string) answer {
	a.t.Helper()
	page := a.text()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			a.t.Errorf("the page lacks %q:\n%s", text, page)
		}
	}
	return a
}

// lacks fails if the page's text holds any of these.
func (a answer) lacks(texts ...string) answer {
	a.t.Helper()
	page := a.text()
	for _, text := range texts {
		if strings.Contains(page, text) {
			a.t.Errorf("the page holds %q:\n%s", text, page)
		}
	}
	return a
}

// text is what the page says, with single spaces.
func (a answer) text() string {
	if !strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") {
		return a.Body.String()
	}
	var words []string
	for n := range a.nodes() {
		if n.Type == html.TextNode {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words, " ")
}

// nodes walks the page.
func (a answer) nodes() func(func(*html.Node) bool) {
	a.t.Helper()
	root, err := html.Parse(bytes.NewReader(a.Body.Bytes()))
	if err != nil {
		a.t.Fatal(err)
	}
	return root.Descendants()
}

// attribute returns the named attribute of the first element that has it with match in its value.
func (a answer) attribute(name, match string) string {
	a.t.Helper()
	for n := range a.nodes() {
		for _, attr := range n.Attr {
			if attr.Key == name && strings.Contains(attr.Val, match) {
				return attr.Val
			}
		}
	}
	a.t.Fatalf("no %s with %q on the page", name, match)
	return ""
}

// body sends JSON as an island does.
func (b *browser) body(method, path, body string, headers ...string) answer {
	b.site.t.Helper()
	r := httptest.NewRequestWithContext(b.site.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.site.handler.ServeHTTP(w, r)
	return answer{w, b.site.t}
}
