package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

// attemptsKept is how long attempts are remembered: longer than any two windows of a limit.
const attemptsKept = "5 minutes"

// Attempts returns how many attempts under a key were noted, by any server, in the windows that began at these times.
// What a key is made of, such as an address, is stored as a hash.
func (s *Store) Attempts(ctx context.Context, key string, current, previous time.Time) (now, before int, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT coalesce(sum(attempts) FILTER (WHERE began_at = $2), 0), coalesce(sum(attempts) FILTER (WHERE began_at = $3), 0)
		FROM attempts WHERE key_hash = $1 AND began_at IN ($2, $3)`, attemptKey(key), current, previous).Scan(&now, &before)
	if err != nil {
		return 0, 0, fmt.Errorf("attempts: %w", err)
	}
	return now, before, nil
}

// NoteAttempts notes n more in the window that began at this time, and forgets those of long ago.
func (s *Store) NoteAttempts(ctx context.Context, key string, window time.Time, n int) error {
	_, err := s.pool.Exec(ctx, `
		WITH old AS (DELETE FROM attempts WHERE began_at < $2::timestamptz - interval '`+attemptsKept+`')
		INSERT INTO attempts (key_hash, began_at, attempts) VALUES ($1, $2, $3)
		ON CONFLICT (key_hash, began_at) DO UPDATE SET attempts = attempts.attempts + excluded.attempts`, attemptKey(key), window, n)
	if err != nil {
		return fmt.Errorf("note an attempt: %w", err)
	}
	return nil
}

func attemptKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}
