package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"fiducial/store"
)

// render writes c, or nothing at all: it buffers, so that a failing component cannot leave half
// a page behind a 200.
func render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var buf bytes.Buffer
	if err := c.Render(r.Context(), &buf); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = buf.WriteTo(w) // the client has gone; there is no one left to tell
	return nil
}

// renderJSON writes v, or nothing at all.
func renderJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("render: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // as above
	return nil
}

// readJSON decodes a request body of at most limit bytes into v.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	if err := dec.Decode(v); err != nil {
		return &httpError{status: http.StatusBadRequest, message: "The request is not the JSON that was expected.", err: err}
	}
	return nil
}

// pathID returns the number in the path under name; what is no number does not exist.
func pathID(r *http.Request, name string) (int64, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, name), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s in the path: %w", name, store.ErrNotFound)
	}
	return id, nil
}

// asked is the thing whose number the path names.
func asked[T any](r *http.Request, name string, find func(ctx context.Context, actor store.Actor, id int64) (T, error)) (thing T, err error) {
	id, err := pathID(r, name)
	if err != nil {
		return thing, err
	}
	return find(r.Context(), actorOf(r), id)
}

// acted returns a handler that does something about the thing whose number the path names, says so, and goes to page, which may name it too.
func (s *Server) acted(name string, do func(ctx context.Context, actor store.Actor, id int64) error, said, page string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := pathID(r, name)
		if err != nil {
			return err
		}
		if err := do(r.Context(), actorOf(r), id); err != nil {
			return err
		}
		s.flash(r, said)
		return seeOther(w, r, strings.ReplaceAll(page, "{"+name+"}", strconv.FormatInt(id, 10)))
	}
}

// seeOther sends the browser to path after a change.
func seeOther(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, path, http.StatusSeeOther) //nolint:gosec,nolintlint // the linter finds this only at times; callers pass paths of this site; what comes from a request went through localPath
	return nil
}
