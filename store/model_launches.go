package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/store/blob"
)

// The states of a launch.
const (
	LaunchStarting = "starting"
	LaunchReady    = "ready"
	LaunchStopped  = "stopped"
	LaunchFailed   = "failed"
)

// ModelLaunch is a model server that was started for a run.
type ModelLaunch struct {
	ID        int64
	Model     string // NAME@VERSION
	State     string
	Error     string
	LogBytes  int64 // of what it wrote, 0 for nothing that is known of
	StartedAt time.Time
	ReadyAt   *time.Time
	StoppedAt *time.Time
}

// ModelLaunches lists the model servers that were started for a run, which came from a method that checked who asks.
func (s *Store) ModelLaunches(ctx context.Context, evaluation Evaluation) ([]ModelLaunch, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT l.id, m.name || '@' || v.version AS model, l.state, l.error, coalesce(l.log_bytes, 0) AS log_bytes, l.started_at, l.ready_at, l.stopped_at
		FROM model_launches l JOIN model_versions v ON v.id = l.model_version_id JOIN models m ON m.id = v.model_id WHERE l.evaluation_id = $1 ORDER BY l.id`, evaluation.ID)
	if err != nil {
		return nil, fmt.Errorf("launches of evaluation %d: %w", evaluation.ID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[ModelLaunch])
	if err != nil {
		return nil, fmt.Errorf("launches of evaluation %d: %w", evaluation.ID, err)
	}
	return list, nil
}

// LaunchLog returns what a launched server wrote, or ErrNotFound. It may hold words of items, so it is for those who may read these.
func (s *Store) LaunchLog(ctx context.Context, actor Actor, evaluation, launch int64) ([]byte, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	var there bool
	err := s.pool.QueryRow(ctx, `
		SELECT l.log_bytes IS NOT NULL FROM model_launches l JOIN evaluations e ON e.id = l.evaluation_id WHERE l.id = @launch AND e.id = @id AND `+seesEvaluation,
		actor.args(pgx.NamedArgs{"launch": launch, "id": evaluation})).Scan(&there)
	if err == nil && !there {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("log of launch %d: %w", launch, notFound(err))
	}
	object, err := s.blobs.Get(ctx, LaunchLogKey(launch))
	if errors.Is(err, blob.ErrNotFound) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("log of launch %d: %w", launch, err)
	}
	written, err := io.ReadAll(object)
	if err = errors.Join(err, object.Close()); err != nil {
		return nil, fmt.Errorf("log of launch %d: %w", launch, err)
	}
	return written, nil
}

// BeginLaunch notes that a worker starts a model server for a run; workflow is the name by which it will be in the cluster, "" of a program.
func (s *Store) BeginLaunch(ctx context.Context, model, evaluation int64, worker, workflow string) (id int64, err error) {
	err = s.pool.QueryRow(ctx, `INSERT INTO model_launches (model_version_id, evaluation_id, worker, workflow) VALUES ($1, $2, $3, $4) RETURNING id`,
		model, evaluation, worker, workflow).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("begin launch: %w", err)
	}
	return id, nil
}

// NoteLaunchReady notes that a server answers.
func (s *Store) NoteLaunchReady(ctx context.Context, id int64) error {
	if _, err := s.pool.Exec(ctx, `UPDATE model_launches SET state = 'ready', ready_at = now() WHERE id = $1`, id); err != nil {
		return fmt.Errorf("launch %d: %w", id, err)
	}
	return nil
}

// EndLaunch notes that a server was stopped, or could not be started, and whether what it wrote may be kept: not if something was erased
// while it ran, which it may have written of. An erasure that a hold stops looks through what was written before it ends.
func (s *Store) EndLaunch(ctx context.Context, id int64, state, said string, written int) (keep bool, err error) {
	err = s.pool.QueryRow(ctx, `
		UPDATE model_launches l SET state = $2, error = $3, stopped_at = now(), log_bytes = CASE
			WHEN $4::bigint > 0 AND NOT EXISTS (SELECT FROM erasures r WHERE r.state = 'erasing' OR r.erased_at >= l.started_at) THEN $4 END
		WHERE l.id = $1 RETURNING log_bytes IS NOT NULL`, id, state, said, written).Scan(&keep)
	if err != nil {
		return false, fmt.Errorf("launch %d: %w", id, err)
	}
	return keep, nil
}

// LostLaunch is a model server in the cluster whose worker is gone.
type LostLaunch struct {
	ID       int64
	Workflow string
}

// LostLaunches lists the model servers that may still run in the cluster although the process is gone that had started them.
func (s *Store) LostLaunches(ctx context.Context) ([]LostLaunch, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT l.id, l.workflow FROM model_launches l WHERE l.state IN ('starting', 'ready') AND l.workflow <> '' AND `+launchIsLost+` ORDER BY l.id`)
	if err != nil {
		return nil, fmt.Errorf("lost launches: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[LostLaunch])
	if err != nil {
		return nil, fmt.Errorf("lost launches: %w", err)
	}
	return list, nil
}

// launchIsLost tells that the process is gone that had started a launch l, as RescueJobs sees it.
const launchIsLost = `NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = l.worker)`

// EvaluationAsks tells whether a run still asks models.
func (s *Store) EvaluationAsks(ctx context.Context, id int64) (asks bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT state IN ('waiting', 'running') FROM evaluations WHERE id = $1`, id).Scan(&asks)
	if err != nil {
		return false, fmt.Errorf("evaluation %d: %w", id, notFound(err))
	}
	return asks, nil
}
