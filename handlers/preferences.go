package handlers

import (
	"net/http"
	"slices"

	"fiducial/internal/access"
)

// How a page looks is the browser's matter, not the person's: it stays in cookies of this browser.
const (
	themeCookie = "theme"
	railCookie  = "rail"
)

// preferences lists the cookies that /preferences sets, with what each may hold.
var preferences = map[string][]string{
	themeCookie: {"", "light", "dark"},
	railCookie:  {"open", "folded"},
}

func (s *Server) preferenceRoutes(r router) {
	r.post("/preferences", access.Account, s.setPreference)
}

func (s *Server) setPreference(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badRequest("The form could not be read.")
	}
	for name, choices := range preferences {
		if !r.PostForm.Has(name) {
			continue
		}
		value := r.PostForm.Get(name)
		if !slices.Contains(choices, value) {
			return badRequest("There is no such choice.")
		}
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure follows the installation: plain HTTP on a laptop is a supported set-up
			Name: name, Value: value, Path: "/", MaxAge: 365 * 24 * 60 * 60, HttpOnly: true,
			Secure: s.Sessions.Cookie.Secure, SameSite: http.SameSiteLaxMode,
		})
	}
	return seeOther(w, r, localPath(refererPath(r)))
}

// refererPath is where the form stood, as far as it was on this site.
func refererPath(r *http.Request) string {
	from, err := r.URL.Parse(r.Referer())
	if err != nil || from.Host != r.Host {
		return "/"
	}
	return from.RequestURI()
}

// cookieValue is what a preference's cookie holds, if it is one of its choices.
func cookieValue(r *http.Request, name string) string {
	cookie, err := r.Cookie(name)
	if err != nil || !slices.Contains(preferences[name], cookie.Value) {
		return ""
	}
	return cookie.Value
}
