package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5/middleware"

	"fiducial/internal/access"
	"fiducial/store"
)

const (
	idempotencyHeader = "Idempotency-Key"
	longestKey        = 128
	largestAPIBody    = 1 << 20
)

// idempotent does a POST with an idempotency key once: sent again, it gets the first answer. What
// failed frees its key, since it changed nothing.
func (s *Server) idempotent(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get(idempotencyHeader)
		if key == "" || r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		if err := s.serveOnce(w, r, key, next); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *Server) serveOnce(w http.ResponseWriter, r *http.Request, key string, next http.Handler) error {
	if err := authorize(r, access.SignedIn); err != nil {
		return err
	}
	if len(key) > longestKey {
		return badRequest("The idempotency key is longer than 128 bytes.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestAPIBody))
	if err != nil {
		return err
	}
	actor := actorOf(r)
	answer, err := s.Store.BeginRequest(r.Context(), actor, key, requestHash(r, body))
	if errors.Is(err, store.ErrInProgress) {
		return &httpError{status: http.StatusConflict, message: "The first request with this idempotency key is still being worked on. Try again in a moment.", err: err}
	}
	if err != nil {
		return err
	}
	if answer != nil {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Idempotency-Replayed", "true")
		w.WriteHeader(answer.Status)
		_, _ = w.Write(answer.Body) //nolint:gosec // JSON that this site wrote; the client may have gone, and no one is left to tell
		return nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.serveAndKeep(w, r, key, next)
	return nil
}

// serveAndKeep answers and keeps the answer. A panic frees the key too.
func (s *Server) serveAndKeep(w http.ResponseWriter, r *http.Request, key string, next http.Handler) {
	var answer bytes.Buffer
	ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
	ww.Tee(&answer)
	done := false
	defer func() {
		// What was done stays done even if the client has gone meanwhile.
		ctx := context.WithoutCancel(r.Context())
		var err error
		if done && ww.Status() < http.StatusMultipleChoices {
			err = s.Store.EndRequest(ctx, actorOf(r), key, store.Answer{Status: ww.Status(), Body: answer.Bytes()})
		} else {
			err = s.Store.DropRequest(ctx, actorOf(r), key)
		}
		if err != nil {
			s.Log.ErrorContext(ctx, "idempotency key not settled", slog.String("request", requestIDOf(r)), slog.Any("error", err))
		}
	}()
	next.ServeHTTP(ww, r)
	done = true
}

// requestHash tells one request from another.
func requestHash(r *http.Request, body []byte) []byte {
	h := sha256.New()
	_, _ = io.WriteString(h, r.Method+" "+r.URL.RequestURI()+"\n") // a hash never fails
	_, _ = h.Write(body)
	return h.Sum(nil)
}
