package store

import (
	"context"
	"fmt"
)

// SweepIdempotencyKeys forgets answers to requests of more than a day ago: nobody repeats those.
func (s *Store) SweepIdempotencyKeys(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM idempotency_keys WHERE created_at < now() - interval '1 day'`); err != nil {
		return fmt.Errorf("sweep idempotency keys: %w", err)
	}
	return nil
}
