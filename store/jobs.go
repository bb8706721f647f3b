package store

import (
	"context"
	"fmt"
)

// RescueJobs gives back to the queue what processes were at work on that are gone, by a crash or
// kill -9, and returns how many jobs those were. A process is gone when none of the database's
// connections bears its name: River's client and every connection of a process bear the same one.
// A job that was cut off before waits a little, so that one which takes its process down with it does
// not do so all the time.
func (s *Store) RescueJobs(ctx context.Context) (int64, error) {
	tag, err := s.pool.Exec(ctx, `
		UPDATE river_job SET
			state = CASE WHEN attempt >= max_attempts THEN 'discarded' WHEN attempt > 1 THEN 'retryable' ELSE 'available' END::river_job_state,
			finalized_at = CASE WHEN attempt >= max_attempts THEN now() END,
			scheduled_at = CASE WHEN attempt > 1 THEN now() + attempt * interval '10 seconds' ELSE scheduled_at END
		WHERE state = 'running'
		  AND NOT EXISTS (
			SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = attempted_by[array_upper(attempted_by, 1)]
		  )`)
	if err != nil {
		return 0, fmt.Errorf("rescue jobs: %w", err)
	}
	// The calls of models that they had under way are over.
	_, err = s.pool.Exec(ctx, `
		DELETE FROM model_calls c WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = c.worker)`)
	if err != nil {
		return 0, fmt.Errorf("rescue calls: %w", err)
	}
	// Programs have ended with them. What runs in the cluster has to be ended: LostLaunches.
	_, err = s.pool.Exec(ctx, `
		UPDATE model_launches l SET state = 'stopped', error = 'It ended with the process that had started it.', stopped_at = now(),
			log_bytes = coalesce(l.log_bytes, 0) -- what it wrote may have been stored
		WHERE l.state IN ('starting', 'ready') AND l.workflow = '' AND `+launchIsLost)
	if err != nil {
		return 0, fmt.Errorf("rescue launches: %w", err)
	}
	return tag.RowsAffected(), nil
}
