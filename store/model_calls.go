package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// placeTime is how long a place lasts unless it is kept.
const placeTime = 30 * time.Second

// TakePlaces takes up to wanted of the places in which a model may be called at once, of which all workers together have limit. It
// returns those that it got, which may be none. They last for half a minute, unless KeepPlaces is called.
func (s *Store) TakePlaces(ctx context.Context, model int64, worker string, limit, wanted int) (places []int, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('model_calls', $1))`, model); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			WITH live AS MATERIALIZED (SELECT place FROM model_calls WHERE model_version_id = $1 AND until > clock_timestamp())
			INSERT INTO model_calls (model_version_id, place, worker, until)
			SELECT $1, g, $2, clock_timestamp() + $5::interval FROM generate_series(1, $3) g WHERE g NOT IN (SELECT place FROM live)
			ORDER BY g LIMIT greatest(least($4, $3 - (SELECT count(*) FROM live)), 0)
			ON CONFLICT (model_version_id, place) DO UPDATE SET worker = excluded.worker, until = excluded.until
			RETURNING place`, model, worker, limit, wanted, placeTime)
		if err != nil {
			return err
		}
		places, err = pgx.CollectRows(rows, pgx.RowTo[int])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("places of model version %d: %w", model, err)
	}
	return places, nil
}

// KeepPlaces makes places last on.
func (s *Store) KeepPlaces(ctx context.Context, model int64, worker string, places []int) error {
	_, err := s.pool.Exec(ctx, `UPDATE model_calls SET until = clock_timestamp() + $4::interval WHERE model_version_id = $1 AND worker = $2 AND place = ANY($3)`,
		model, worker, places, placeTime)
	if err != nil {
		return fmt.Errorf("keep places of model version %d: %w", model, err)
	}
	return nil
}

// LeavePlaces gives places back.
func (s *Store) LeavePlaces(ctx context.Context, model int64, worker string, places []int) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM model_calls WHERE model_version_id = $1 AND worker = $2 AND place = ANY($3)`, model, worker, places)
	if err != nil {
		return fmt.Errorf("leave places of model version %d: %w", model, err)
	}
	return nil
}

// NextCall says how long to wait before a model is called, so that all workers together call it rate times a second at most.
func (s *Store) NextCall(ctx context.Context, model int64, rate float64) (wait time.Duration, err error) {
	err = s.pool.QueryRow(ctx, `
		INSERT INTO model_rates AS r (model_version_id, next_at) VALUES ($1, clock_timestamp() + $2::interval)
		ON CONFLICT (model_version_id) DO UPDATE SET next_at = greatest(r.next_at, clock_timestamp()) + $2::interval
		RETURNING greatest(next_at - $2::interval - clock_timestamp(), '0')`, model, time.Duration(float64(time.Second)/rate)).Scan(&wait)
	if err != nil {
		return 0, fmt.Errorf("rate of model version %d: %w", model, err)
	}
	return wait, nil
}
