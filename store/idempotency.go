package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// ErrInProgress means that the first request under this idempotency key has not been answered yet.
var ErrInProgress = errors.New("store: request in progress")

// Answer is what a request under an idempotency key was answered with. Body holds ids, never content.
type Answer struct {
	Status int
	Body   json.RawMessage
}

// idempotencyActor is how the key's owner is written: nobody meets another's keys.
func (a Actor) idempotencyActor() string {
	if a.TokenID != 0 {
		return "token:" + strconv.FormatInt(a.TokenID, 10)
	}
	return "person:" + strconv.FormatInt(a.PersonID, 10)
}

// BeginRequest reserves key for a request whose content hashes to hash, and returns nil: do it, then
// call EndRequest or DropRequest. For a key that was used before it returns the answer given then,
// ErrInProgress while that is still being worked on, or an InvalidError if it was another request.
// A reservation that nobody ended, because its server died, lapses after ten minutes.
func (s *Store) BeginRequest(ctx context.Context, actor Actor, key string, hash []byte) (*Answer, error) {
	var reserved bool
	err := s.pool.QueryRow(ctx, `
		INSERT INTO idempotency_keys AS k (actor, key, request_hash) VALUES ($1, $2, $3)
		ON CONFLICT (actor, key) DO UPDATE SET created_at = now()
		WHERE k.status IS NULL AND k.request_hash = EXCLUDED.request_hash AND k.created_at < now() - interval '10 minutes'
		RETURNING true`, actor.idempotencyActor(), key, hash).Scan(&reserved)
	if err == nil {
		return nil, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("begin request: %w", err)
	}
	return s.earlierAnswer(ctx, actor, key, hash)
}

func (s *Store) earlierAnswer(ctx context.Context, actor Actor, key string, hash []byte) (*Answer, error) {
	var same bool
	var status *int
	var body []byte
	err := s.pool.QueryRow(ctx, `SELECT request_hash = $3, status, response FROM idempotency_keys WHERE actor = $1 AND key = $2`,
		actor.idempotencyActor(), key, hash).Scan(&same, &status, &body)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, ErrInProgress // dropped this instant: the caller tries again
	case err != nil:
		return nil, fmt.Errorf("earlier request: %w", err)
	case !same:
		return nil, invalid("Idempotency-Key", "This idempotency key was used for another request. Take a new key for each request.")
	case status == nil:
		return nil, ErrInProgress
	}
	return &Answer{Status: *status, Body: body}, nil
}

// EndRequest keeps the answer of a request that BeginRequest let pass.
func (s *Store) EndRequest(ctx context.Context, actor Actor, key string, answer Answer) error {
	var body []byte // NULL for an answer without one
	if len(answer.Body) > 0 {
		body = answer.Body
	}
	_, err := s.pool.Exec(ctx, `UPDATE idempotency_keys SET status = $3, response = $4 WHERE actor = $1 AND key = $2`,
		actor.idempotencyActor(), key, answer.Status, body)
	if err != nil {
		return fmt.Errorf("end request: %w", err)
	}
	return nil
}

// DropRequest frees the key of a request that changed nothing, so that it can be sent again.
func (s *Store) DropRequest(ctx context.Context, actor Actor, key string) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM idempotency_keys WHERE actor = $1 AND key = $2`, actor.idempotencyActor(), key)
	if err != nil {
		return fmt.Errorf("drop request: %w", err)
	}
	return nil
}
