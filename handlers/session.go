package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
)

// What a session holds.
const (
	sessionPerson     = "person"
	sessionGeneration = "generation"
	sessionFlash      = "flash"
)

// NewSessions keeps sessions in st, so that they outlive a restart and any web process serves them;
// what st gets of a token is its hash. With secure, cookies are sent over HTTPS only.
func NewSessions(st scs.Store, secure bool) *scs.SessionManager {
	m := scs.New()
	m.Store = st
	m.HashTokenInStore = true
	m.Lifetime = 14 * 24 * time.Hour
	m.IdleTimeout = 3 * 24 * time.Hour
	m.Cookie.Name = "fiducial_session"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Secure = secure
	return m
}

func (s *Server) sessionRoutes(r router) {
	r.get("/sign-in", public, s.showSignIn)
	limited := router{r.With(small, s.clientIP(), s.limit("sign-in from", 20, keyByIP), s.limit("sign-in as", 10, keyByEmail)), s}
	limited.post("/sign-in", public, s.signIn)
	r.post("/sign-out", access.Account, s.signOut)
}

// smallBody is more than any form of an account needs, in bytes.
const smallBody = 16 << 10

// small bounds what is read of a body before anybody has signed in.
func small(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, smallBody)
		next.ServeHTTP(w, r)
	})
}

// clientIP finds the address that a request comes from: the peer's, unless the peer is a proxy that
// the operator trusts to say whom it speaks for.
func (s *Server) clientIP() func(http.Handler) http.Handler {
	if len(s.TrustedProxies) == 0 {
		return middleware.ClientIPFromRemoteAddr
	}
	return middleware.ClientIPFromXFF(s.TrustedProxies...)
}

// keyByIP limits what comes from one address; of IPv6, from one network of 64 bits.
func keyByIP(r *http.Request) (string, error) {
	return httprate.CanonicalizeIP(middleware.GetClientIP(r.Context())), nil
}

// keyByEmail limits the guesses at one account from everywhere together. A form that it does not
// read, such as multipart, names nobody, and signIn reads no more of it than this.
func keyByEmail(r *http.Request) (string, error) {
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return "", err
		}
		return "", badRequest("The form could not be read.")
	}
	return strings.ToLower(strings.TrimSpace(r.PostForm.Get("email"))), nil
}

// keyByPerson limits the guesses at a password that somebody makes who is signed in.
func keyByPerson(r *http.Request) (string, error) {
	return strconv.FormatInt(actorOf(r).PersonID, 10), nil
}

func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.URL.Query().Get("next"))
	if actorOf(r).Role != "" {
		return seeOther(w, r, next)
	}
	return render(w, r, http.StatusOK, web.SignInPage(s.page(r, "Sign in"), web.SignInView{Next: next}))
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	email, next := r.PostForm.Get("email"), localPath(r.PostForm.Get("next"))
	person, err := s.Store.SignIn(r.Context(), email, r.PostForm.Get("password"))
	if errors.Is(err, store.ErrSignIn) {
		view := web.SignInView{Email: email, Next: next, Error: "The address or the password is wrong."}
		return render(w, r, http.StatusUnauthorized, web.SignInPage(s.page(r, "Sign in"), view))
	}
	if err != nil {
		return err
	}
	return s.beginSession(w, r, person, next)
}

// beginSession signs person in.
func (s *Server) beginSession(w http.ResponseWriter, r *http.Request, person store.Person, next string) error {
	if err := s.renewSession(r, person); err != nil {
		return err
	}
	return seeOther(w, r, next)
}

// renewSession makes this session the person's, under a new token, so that one planted before is
// worth nothing.
func (s *Server) renewSession(r *http.Request, person store.Person) error {
	if err := s.Sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	s.Sessions.Put(r.Context(), sessionPerson, person.ID)
	s.Sessions.Put(r.Context(), sessionGeneration, person.SessionGeneration)
	return nil
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.Sessions.Destroy(r.Context()); err != nil {
		return err
	}
	return seeOther(w, r, "/sign-in")
}

// localPath returns path if it stays on this site, else the start page: a link to the sign-in page
// must not be a way to send people elsewhere.
func localPath(path string) string {
	// Browsers drop tabs and newlines of an address, and take \ for /.
	unsafe := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, unsafe) {
		return "/"
	}
	return path
}

// flash keeps a message for the next page that the person sees.
func (s *Server) flash(r *http.Request, message string) {
	s.Sessions.Put(r.Context(), sessionFlash, message)
}
