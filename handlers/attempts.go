package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/httprate"

	"fiducial/store"
)

// attemptPatience is how long a request waits to hear how many came before it.
const attemptPatience = 5 * time.Second

// limit lets n requests a minute pass under each key, at all servers that share the database together. Limits of one name
// count together. The others are told when to try again.
func (s *Server) limit(name string, n int, key httprate.KeyFunc) func(http.Handler) http.Handler {
	return httprate.LimitBy(n, time.Minute, key,
		httprate.WithLimitCounter(attemptCounter{s.Store, name}),
		httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errTooMany) }),
		httprate.WithErrorHandler(s.fail),
		httprate.WithResponseHeaders(httprate.ResponseHeaders{RetryAfter: "Retry-After"}))
}

var errTooMany = &httpError{
	status: http.StatusTooManyRequests, message: "There were too many tries. Nothing is lost: wait a minute, then try again.",
}

// attemptCounter counts attempts in the store, under a limit's name.
type attemptCounter struct {
	store *store.Store
	name  string
}

// Config does nothing: every window is named by when it began.
func (attemptCounter) Config(int, time.Duration) {}

// Increment notes an attempt.
func (c attemptCounter) Increment(key string, window time.Time) error {
	return c.IncrementBy(key, window, 1)
}

// IncrementBy notes several.
func (c attemptCounter) IncrementBy(key string, window time.Time, amount int) error {
	ctx, cancel := context.WithTimeout(context.Background(), attemptPatience)
	defer cancel()
	return c.store.NoteAttempts(ctx, c.name+" "+key, window, amount)
}

// Get returns how many were noted in two windows.
func (c attemptCounter) Get(key string, current, previous time.Time) (now, before int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), attemptPatience)
	defer cancel()
	return c.store.Attempts(ctx, c.name+" "+key, current, previous)
}
