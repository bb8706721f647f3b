package handlers

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/store"
	"fiducial/web"
)

// httpError carries a status and a message that is safe to show.
type httpError struct {
	status  int
	message string
	err     error
}

func (e *httpError) Error() string {
	if e.err == nil {
		return e.message
	}
	return e.message + ": " + e.err.Error()
}

func (e *httpError) Unwrap() error { return e.err }

// badRequest is a request that the person, or their program, can put right.
func badRequest(message string) error {
	return &httpError{status: http.StatusBadRequest, message: message}
}

// statuses is the one place where errors become HTTP statuses and words.
var statuses = []struct {
	err     error
	status  int
	message string
}{
	{errSignIn, http.StatusUnauthorized, "Sign in to see this."},
	{store.ErrNotFound, http.StatusNotFound, "This does not exist, or you may not see it."},
	{store.ErrDenied, http.StatusForbidden, "Your role does not allow this. Ask an admin of this installation."},
	{store.ErrConflict, http.StatusConflict, "Someone else changed this first. Load the page again and look at their change."},
	{store.ErrErased, http.StatusGone, "This item was erased, with everything that was made of it."},
	{store.ErrGone, http.StatusGone, "This has been erased or withdrawn."},
	{store.ErrLost, http.StatusInternalServerError, "This file is missing from the object storage, though nobody erased it. Ask an admin to bring it back from a backup."},
	{store.ErrPaused, http.StatusConflict, "Work on this project is paused. Try again when it goes on."},
	{store.ErrResting, http.StatusConflict, "You get nothing new in this project for now. What you have open can be finished."},
	{store.ErrQueueEmpty, http.StatusNotFound, "Nothing is left for you in this queue."},
}

func statusOf(err error) (int, string) {
	if he, ok := errors.AsType[*httpError](err); ok {
		return he.status, he.message
	}
	if inv, ok := errors.AsType[*store.InvalidError](err); ok {
		return http.StatusUnprocessableEntity, inv.Reason
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge, "This is too large."
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return s.status, s.message
		}
	}
	if store.Malformed(err) {
		return http.StatusBadRequest, "The request holds a text or a number that cannot be kept."
	}
	if store.Away(err) {
		return http.StatusServiceUnavailable, "The database or the object store does not answer. What you saved is safe; try again in a moment."
	}
	return http.StatusInternalServerError, "Something went wrong on our side. Nothing you saved is lost; try again."
}

// fail answers a request that could not be served: a problem document for programs and islands, a
// page for people, the sign-in page for whoever is not signed in.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	err = s.erasedOf(r, err)
	status, message := statusOf(err)
	if status >= http.StatusInternalServerError {
		s.Log.ErrorContext(r.Context(), "request failed", slog.String("route", chi.RouteContext(r.Context()).RoutePattern()),
			slog.String("request", requestIDOf(r)), slog.Any("error", err))
	}
	switch {
	case wantsJSON(r):
		writeProblem(w, status, message, errors.Is(err, store.ErrErased))
	case status == http.StatusUnauthorized && r.Method == http.MethodGet:
		http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	default:
		view := web.ErrorView{Status: status, Message: message, Reference: requestIDOf(r)}
		if errors.Is(err, store.ErrErased) {
			view.Kept = s.keptOf(r)
		}
		switch status {
		case http.StatusUnauthorized:
			view.Retry = "/sign-in"
		case http.StatusServiceUnavailable:
			w.Header().Set("Retry-After", "5")
			if r.Method == http.MethodGet {
				view.Retry = localPath(r.URL.RequestURI())
			}
		}
		if err := render(w, r, status, web.ErrorPage(s.page(r, sentenceCase(http.StatusText(status))), view)); err != nil {
			http.Error(w, message, status)
		}
	}
}

// wantsJSON tells a program or an island from a person's browser.
func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, apiBase+"/") || r.URL.Path == metricsPath ||
		strings.Contains(r.Header.Get("Accept"), "json") || strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
}

// sentenceCase is a phrase with no capitals but the first.
func sentenceCase(phrase string) string {
	return phrase[:min(1, len(phrase))] + strings.ToLower(phrase[min(1, len(phrase)):])
}

// problem is RFC 9457's problem document.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Erased bool   `json:"erased,omitempty"` // for the workbench, which clears itself
}

func writeProblem(w http.ResponseWriter, status int, detail string, erased bool) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// The client may have gone; there is no one left to tell.
	_ = json.NewEncoder(w).Encode(problem{http.StatusText(status), status, detail, erased})
}

func (s *Server) notFound(http.ResponseWriter, *http.Request) error { return store.ErrNotFound }
