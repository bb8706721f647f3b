package handlers

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

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

func (s *Server) sessionRoutes(r router) {
	r.get("/sign-in", public, s.showSignIn)
	limited := router{r.With(
		httprate.LimitBy(20, time.Minute, keyByPeer),
		httprate.LimitBy(10, time.Minute, keyByEmail),
	), s}
	limited.post("/sign-in", public, s.signIn)
	r.post("/sign-out", access.Account, s.signOut)
}

// keyByPeer limits one address. Behind a proxy all people share the proxy's: the limit is wide enough
// for a team that signs in together in the morning.
func keyByPeer(r *http.Request) (string, error) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return host, err
}

// keyByEmail limits the guesses at one account from everywhere together.
func keyByEmail(r *http.Request) (string, error) {
	return strings.ToLower(strings.TrimSpace(r.PostFormValue("email"))), nil
}

func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.URL.Query().Get("next"))
	if actorOf(r).Role != "" {
		return seeOther(w, r, next)
	}
	return render(w, r, http.StatusOK, web.SignInPage(s.page(r, "Sign in"), web.SignInView{Next: next}))
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	email, next := r.PostFormValue("email"), localPath(r.PostFormValue("next"))
	person, err := s.Store.SignIn(r.Context(), email, r.PostFormValue("password"))
	if errors.Is(err, store.ErrSignIn) {
		view := web.SignInView{Email: email, Next: next, Error: "The address or the password is wrong."}
		return render(w, r, http.StatusUnauthorized, web.SignInPage(s.page(r, "Sign in"), view))
	}
	if err != nil {
		return err
	}
	return s.beginSession(w, r, person, next)
}

// beginSession signs person in under a new token, so that one planted before is worth nothing.
func (s *Server) beginSession(w http.ResponseWriter, r *http.Request, person store.Person, next string) error {
	if err := s.Sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	s.Sessions.Put(r.Context(), sessionPerson, person.ID)
	s.Sessions.Put(r.Context(), sessionGeneration, person.SessionGeneration)
	return seeOther(w, r, next)
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
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.HasPrefix(path, "/\\") {
		return "/"
	}
	return path
}

// flash keeps a message for the next page that the person sees.
func (s *Server) flash(r *http.Request, message string) {
	s.Sessions.Put(r.Context(), sessionFlash, message)
}
