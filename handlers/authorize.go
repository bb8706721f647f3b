package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"fiducial/internal/access"
	"fiducial/store"
)

// errSignIn: nobody is signed in, and the page needs somebody.
var errSignIn = errors.New("handlers: sign in first")

type contextKey int

const (
	actorKey contextKey = iota
	personKey
	requestIDKey
)

// public marks a route that needs no sign-in.
const public access.Action = ""

// authorize lets the request pass if the actor may do action.
func authorize(r *http.Request, action access.Action) error {
	if action == public {
		return nil
	}
	actor := actorOf(r)
	if actor.Role == "" {
		return errSignIn
	}
	if !actor.Allowed(action) {
		return store.ErrDenied
	}
	return nil
}

// actorOf returns who makes the request; its role is empty when nobody is signed in.
func actorOf(r *http.Request) store.Actor {
	actor, _ := r.Context().Value(actorKey).(store.Actor)
	return actor
}

// personOf returns the person who is signed in, if one is.
func personOf(r *http.Request) store.Person {
	person, _ := r.Context().Value(personKey).(store.Person)
	return person
}

// identify finds out who makes the request: a bearer token, else the session's person. A session of
// an older generation (signed out everywhere, role changed, left) counts for nothing.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := s.identified(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (s *Server) identified(r *http.Request) (context.Context, error) {
	ctx := r.Context()
	if scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		actor, err := s.Store.TokenActor(ctx, strings.TrimSpace(secret))
		if errors.Is(err, store.ErrNotFound) {
			return ctx, errSignIn
		}
		actor.RequestID = requestIDOf(r)
		return context.WithValue(ctx, actorKey, actor), err
	}
	id := s.Sessions.GetInt64(ctx, sessionPerson)
	if id == 0 {
		return ctx, nil
	}
	person, err := s.Store.SessionPerson(ctx, id, s.Sessions.GetInt(ctx, sessionGeneration))
	if errors.Is(err, store.ErrNotFound) {
		return ctx, s.Sessions.Destroy(ctx)
	}
	if err != nil {
		return ctx, err
	}
	actor := store.Actor{PersonID: person.ID, Role: person.Role, RequestID: requestIDOf(r)}
	return context.WithValue(context.WithValue(ctx, actorKey, actor), personKey, person), nil
}
