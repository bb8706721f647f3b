package handlers_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2/memstore"
	"github.com/jackc/pgx/v5/pgconn"

	"fiducial/handlers"
	"fiducial/internal/access"
	"fiducial/store"
)

const sessionCookie = "fiducial_session"

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, email := s.person(access.Labeler)
	b := s.stranger()
	b.get("/account").to("/sign-in?next=%2Faccount")
	b.post("/sign-in", "email", email, "password", testPassword, "next", "/account").to("/account")
	b.get("/account").want(http.StatusOK).shows("Ada Strip", email)
	b.get("/sign-in?next=%2Fadmin").to("/admin")
	b.post("/sign-out").to("/sign-in")
	b.get("/account").to("/sign-in?next=%2Faccount")
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, next := range []string{"https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/\t/elsewhere.example", "/\n/elsewhere.example", "javascript:alert(1)", ""} {
		_, email := s.person(access.Labeler)
		s.stranger().post("/sign-in", "email", email, "password", testPassword, "next", next).to("/")
	}
}

// An unknown address and a wrong password get the same page, but for the address that was written.
func TestSignInTellsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, email := s.person(access.Labeler)
	b := s.stranger()
	wrong := b.post("/sign-in", "email", email, "password", "not the password").want(http.StatusUnauthorized)
	unknown := b.post("/sign-in", "email", "nobody@example.org", "password", "not the password").want(http.StatusUnauthorized)
	if a, b := wrong.Body.String(), unknown.Body.String(); strings.ReplaceAll(a, email, "") != strings.ReplaceAll(b, "nobody@example.org", "") {
		t.Errorf("the pages differ:\n%s\n%s", a, b)
	}
	wrong.shows("The address or the password is wrong.")
}

// A token that somebody planted before is worth nothing once the person has signed in.
func TestSessionFixation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, email := s.person(access.Admin)
	attacker := s.browser(access.Labeler) // holds a session that the server knows
	planted := attacker.cookies[sessionCookie]
	victim := s.stranger()
	victim.cookies[sessionCookie] = planted
	victim.post("/sign-in", "email", email, "password", testPassword).to("/")
	if victim.cookies[sessionCookie].Value == planted.Value {
		t.Fatal("the session goes on under the token of before")
	}
	if got := attacker.get("/admin/people"); !asksToSignIn(got) {
		t.Errorf("the planted token: %d", got.Code)
	}
	victim.get("/admin/people").want(http.StatusOK)
}

// brokenSessions is a store of sessions whose database does not answer.
type brokenSessions struct{ *memstore.MemStore }

func (brokenSessions) Find(string) ([]byte, bool, error) {
	return nil, false, &pgconn.PgError{Code: "57P03", Message: "the database system is starting up"}
}

// While the database is away, people get a page that says so, and nothing of why.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.Sessions = handlers.NewSessions(brokenSessions{memstore.New()}, false) })
	b := s.stranger()
	b.cookies[sessionCookie] = &http.Cookie{Name: sessionCookie, Value: "some session"}
	away := b.get("/projects").want(http.StatusServiceUnavailable).shows("does not answer", "Try again").lacks("starting up")
	if away.Header().Get("Retry-After") == "" || away.attribute("href", "/projects") != "/projects" {
		t.Error("it does not say when and where to try again")
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		s := newSite(t, func(c *handlers.Config) { c.Sessions = handlers.NewSessions(memstore.New(), secure) })
		_, email := s.person(access.Labeler)
		b := s.stranger()
		b.post("/sign-in", "email", email, "password", testPassword).to("/")
		c := b.cookies[sessionCookie]
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || c.Path != "/" || c.Domain != "" {
			t.Errorf("secure %t: %+v", secure, c)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(t *testing.T, s *site, id int64, here *browser)
		here bool // this browser stays signed in
	}{
		{"signed out everywhere", func(_ *testing.T, _ *site, _ int64, here *browser) {
			here.post("/account/sign-out-everywhere").to("/sign-in")
		}, false},
		{"password changed", func(_ *testing.T, _ *site, _ int64, here *browser) {
			here.post("/account/password", "present", testPassword, "password", "quite another password").to("/account")
		}, true},
		{"role changed", func(t *testing.T, s *site, id int64, _ *browser) {
			t.Helper()
			if err := s.SetRole(t.Context(), store.System(), id, access.Viewer); err != nil {
				t.Error(err)
			}
		}, false},
		{"left", func(t *testing.T, s *site, id int64, _ *browser) {
			t.Helper()
			if err := s.Leave(t.Context(), store.System(), id); err != nil {
				t.Error(err)
			}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			id, _ := s.person(access.Labeler)
			here, there := s.browserOf(id), s.browserOf(id)
			here.get("/account").want(http.StatusOK)
			there.get("/account").want(http.StatusOK)
			tt.end(t, s, id, here)
			if got := there.get("/account"); !asksToSignIn(got) {
				t.Errorf("the other browser: %d", got.Code)
			}
			if got := here.get("/account"); asksToSignIn(got) == tt.here {
				t.Errorf("this browser: %d", got.Code)
			}
		})
	}
}

func TestSignInsAreLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, email := s.person(access.Labeler)
	for i := range 10 { // each from another address, and written in another way
		from(s.stranger(), fmt.Sprintf("198.51.100.%d:9", i), strings.Repeat(" ", i)+strings.ToUpper(email)).want(http.StatusUnauthorized)
	}
	got := refused(func() answer { return from(s.stranger(), "198.51.100.200:9", email) }).shows("wait a minute")
	if got.Header().Get("Retry-After") == "" {
		t.Error("nothing says when to try again")
	}
	from(s.stranger(), "198.51.100.200:9", "other@example.org").want(http.StatusUnauthorized)

	for i := range 20 {
		from(s.stranger(), "203.0.113.7:9", fmt.Sprintf("guess-%d@example.org", i)).want(http.StatusUnauthorized)
	}
	refused(func() answer {
		return from(s.stranger(), "203.0.113.7:9", "one-more@example.org", "X-Forwarded-For", "192.0.2.1")
	})
	from(s.stranger(), "203.0.113.8:9", "one-more@example.org").want(http.StatusUnauthorized)
}

// Servers that share the database count together.
func TestServersLimitSignInsTogether(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := *s
	other.handler = handlers.New(handlers.Config{Store: s.Store, Log: slog.New(slog.DiscardHandler), Sessions: s.sessions}).Routes()
	for i := range 10 {
		site := []*site{s, &other}[i%2]
		from(site.stranger(), fmt.Sprintf("198.51.100.%d:9", i), "guessed@example.org").want(http.StatusUnauthorized)
	}
	refused(func() answer { return from(s.stranger(), "198.51.100.100:9", "guessed@example.org") })
	refused(func() answer { return from(other.stranger(), "198.51.100.101:9", "guessed@example.org") })
}

// refused tries once more after a limit was reached until that is refused: where a minute has begun meanwhile, a few of those
// before it do not count in full any more.
func refused(try func() answer) answer {
	got := try()
	for more := 0; more < 5 && got.Code != http.StatusTooManyRequests; more++ {
		got = try()
	}
	return got.want(http.StatusTooManyRequests)
}

// Behind a proxy that is trusted, each of those for whom it speaks has their own limit.
func TestSignInsAreLimitedBehindAProxy(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.TrustedProxies = []string{"10.0.0.0/8"} })
	for i := range 20 {
		from(s.stranger(), "10.0.0.1:9", fmt.Sprintf("guess-%d@example.org", i), "X-Forwarded-For", "192.0.2.1").want(http.StatusUnauthorized)
	}
	refused(func() answer {
		return from(s.stranger(), "10.0.0.1:9", "one-more@example.org", "X-Forwarded-For", "198.51.100.1, 192.0.2.1")
	})
	from(s.stranger(), "10.0.0.1:9", "one-more@example.org", "X-Forwarded-For", "192.0.2.2").want(http.StatusUnauthorized)
}

// from tries to sign in from an address with a wrong password.
func from(b *browser, remote, email string, headers ...string) answer {
	form := url.Values{"email": {email}, "password": {"not the password"}}
	r := httptest.NewRequestWithContext(b.site.t.Context(), http.MethodPost, "/sign-in", strings.NewReader(form.Encode()))
	r.RemoteAddr = remote
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.site.handler.ServeHTTP(w, r)
	return answer{w, b.site.t}
}

func TestSignInReadsLittle(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, email := s.person(access.Labeler)
	s.stranger().post("/sign-in", "email", email, "password", strings.Repeat("x", 20<<10)).want(http.StatusRequestEntityTooLarge)

	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range map[string]string{"email": email, "password": testPassword} {
		if err := form.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sign-in", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	answer{w, t}.want(http.StatusUnauthorized) // no way round the limit of the address that it names
}
