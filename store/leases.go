package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Lease is until when an assignment is held.
type Lease struct {
	Assignment int64
	Until      time.Time
}

// Heartbeat renews the actor's leases, and takes up again those that ran out and whose place nobody
// took. Gone lists the assignments that are not held for them any more; they may still be answered.
func (s *Store) Heartbeat(ctx context.Context, actor Actor, assignments []int64) (leases []Lease, gone []int64, err error) {
	if err := actor.may(access.Label); err != nil {
		return nil, nil, err
	}
	// What someone else has locked this moment keeps the lease that it has.
	_, err = s.pool.Exec(ctx, `
		UPDATE assignments a SET lease_until = now() + make_interval(mins => mine.lease_minutes)
		FROM (SELECT a.id, p.lease_minutes FROM assignments a JOIN projects p ON p.id = a.project_id
		      WHERE a.id = ANY($1) AND a.person_id = $2 AND a.state = 'leased' FOR NO KEY UPDATE OF a SKIP LOCKED) mine
		WHERE a.id = mine.id`, assignments, actor.PersonID)
	if err != nil {
		return nil, nil, fmt.Errorf("heartbeat: %w", err)
	}
	if _, err := leaseAgain(ctx, s.pool, actor.PersonID, `a.id = ANY($2) AND a.state = 'expired' AND `+placeFor, assignments); err != nil {
		return nil, nil, fmt.Errorf("heartbeat: %w", err)
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT wanted.id, a.lease_until
		FROM unnest($1::bigint[]) wanted (id)
		LEFT JOIN assignments a ON a.id = wanted.id AND a.person_id = $2 AND a.state = 'leased'`, assignments, actor.PersonID)
	if err != nil {
		return nil, nil, fmt.Errorf("heartbeat: %w", err)
	}
	var id int64
	var until *time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &until}, func() error {
		if until == nil {
			gone = append(gone, id)
		} else {
			leases = append(leases, Lease{Assignment: id, Until: *until})
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("heartbeat: %w", err)
	}
	return leases, gone, nil
}

// ReleaseLeases returns to the queue whatever ran out, in every project, and says how many leases that were.
func (s *Store) ReleaseLeases(ctx context.Context) (released int, err error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT project_id FROM assignments WHERE state = 'leased' AND lease_until < now()`)
	if err != nil {
		return 0, fmt.Errorf("release leases: %w", err)
	}
	projects, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, fmt.Errorf("release leases: %w", err)
	}
	for _, project := range projects {
		for {
			n, err := s.releaseLeases(ctx, project)
			released += n
			if err != nil {
				return released, err
			}
			if n < releaseBatch {
				break
			}
		}
	}
	return released, nil
}

// releaseLeases releases up to releaseBatch leases of a project that ran out. Their labelers may still
// answer. A rework or relabel keeps its place and waits for its labeler again: nobody else can mend their answer.
func (s *Store) releaseLeases(ctx context.Context, project int64) (released int, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		//nolint:rowserrcheck // ForEachRow checks it
		rows, err := tx.Query(ctx, `
			WITH due AS MATERIALIZED (
				SELECT a.id FROM assignments a JOIN tasks t ON t.id = a.task_id
				WHERE a.project_id = $1 AND a.state = 'leased' AND a.lease_until < now()
				ORDER BY a.lease_until LIMIT $2 FOR NO KEY UPDATE OF a, t SKIP LOCKED)
			UPDATE assignments a SET lease_until = NULL, state = CASE WHEN a.reason IN ('rework', 'relabel') THEN 'returned' ELSE 'expired' END
			FROM due WHERE a.id = due.id RETURNING a.task_id, a.state = 'expired' AND a.reason <> 'gold'`, project, releaseBatch)
		if err != nil {
			return err
		}
		var task int64
		var freed bool
		var tasks []int64
		_, err = pgx.ForEachRow(rows, []any{&task, &freed}, func() error {
			released++
			if freed {
				tasks = append(tasks, task)
			}
			return nil
		})
		if err != nil || len(tasks) == 0 {
			return err
		}
		return vacate(ctx, tx, project, tasks)
	})
	if err != nil {
		return 0, fmt.Errorf("release leases of project %d: %w", project, err)
	}
	return released, nil
}
