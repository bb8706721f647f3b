package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
)

// RebuildPreview is what rebuilding a version would change.
type RebuildPreview struct {
	ID      int64
	State   string          // "queued", "done" or "failed"
	Changes []RebuildChange // by split and stratum
	Erased  int             // lines of the version that were emptied by an erasure
	Expired int             // lines of the version that were emptied since their time ran out
	Moved   int             // items that would be on another side: they joined a group, or left one
	Problem string          // why it failed, for people

	CreatedAt  time.Time
	FinishedAt *time.Time
}

// previewStands is how long a preview of a rebuild is shown before it is worked out again for whoever comes.
const previewStands = time.Minute

// PreviewRebuild returns what rebuilding a version would change. A job works it out, since that reads every item: one that is on its way
// or was done a moment ago is given back, and one is asked for otherwise.
func (s *Store) PreviewRebuild(ctx context.Context, actor Actor, version DatasetVersion) (preview RebuildPreview, err error) {
	if err := actor.may(access.EditDatasets); err != nil {
		return RebuildPreview{}, err
	}
	if version.State != VersionFrozen {
		return RebuildPreview{}, invalid("", "Only a frozen version can be rebuilt. Wait until it is frozen.")
	}
	if _, err := recipeProjects(ctx, s.pool, actor, version.Recipe); err != nil {
		return RebuildPreview{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// The lock lets only one of two requests at once find none.
		if _, err := tx.Exec(ctx, `SELECT FROM dataset_versions WHERE id = $1 FOR NO KEY UPDATE`, version.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM rebuild_previews WHERE version_id = $1 AND finished_at < now() - $2::interval`, version.ID, previewStands)
		if err != nil {
			return err
		}
		preview, err = rebuildPreview(ctx, tx, `version_id = $1`, version.ID)
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		preview = RebuildPreview{State: "queued"}
		err = tx.QueryRow(ctx, `INSERT INTO rebuild_previews (version_id) VALUES ($1) RETURNING id, created_at`, version.ID).Scan(&preview.ID, &preview.CreatedAt)
		if err != nil {
			return err
		}
		_, err = s.queue.InsertTx(ctx, tx, jobargs.PreviewRebuild{PreviewID: preview.ID}, nil)
		return err
	})
	if err != nil {
		return RebuildPreview{}, fmt.Errorf("preview of rebuilding version %d: %w", version.ID, err)
	}
	return preview, nil
}

func rebuildPreview(ctx context.Context, q querier, which string, id int64) (RebuildPreview, error) {
	rows, err := q.Query(ctx, `SELECT id, state, changes, erased, expired, moved, problem, created_at, finished_at FROM rebuild_previews WHERE `+which, id)
	if err != nil {
		return RebuildPreview{}, err
	}
	preview, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[RebuildPreview])
	if err != nil {
		return RebuildPreview{}, notFound(err)
	}
	strata := make([]manifest.Stratum, len(preview.Changes))
	for i, change := range preview.Changes {
		strata[i] = change.Stratum
	}
	named, err := namedStrata(ctx, q, strata) // names are not kept: what bears them may be erased meanwhile
	if err != nil {
		return RebuildPreview{}, err
	}
	for i := range preview.Changes {
		preview.Changes[i].StratumFigure = named[i]
	}
	return preview, nil
}

// RunRebuildPreview does the work of a preview and keeps what it found. Nothing happens if it is done.
func (s *Store) RunRebuildPreview(ctx context.Context, id int64) error {
	var state string
	var of int64
	err := s.pool.QueryRow(ctx, `SELECT state, version_id FROM rebuild_previews WHERE id = $1`, id).Scan(&state, &of)
	if err != nil || state != "queued" {
		return notFound(err)
	}
	version, err := s.versionByID(ctx, System(), of)
	if err != nil {
		return err
	}
	preview, err := s.rebuildChanges(ctx, version)
	if refused, ok := errors.AsType[*InvalidError](err); ok {
		return s.FailRebuildPreview(ctx, id, refused.Reason)
	}
	if err != nil {
		return fmt.Errorf("preview %d of a rebuild: %w", id, err)
	}
	_, err = s.pool.Exec(ctx, `
		UPDATE rebuild_previews SET state = 'done', changes = $2, erased = $3, expired = $4, moved = $5, finished_at = now() WHERE id = $1 AND state = 'queued'`,
		id, preview.Changes, preview.Erased, preview.Expired, preview.Moved)
	if err != nil {
		return fmt.Errorf("preview %d of a rebuild: %w", id, err)
	}
	return nil
}

// FailRebuildPreview gives up on a preview; problem is for people.
func (s *Store) FailRebuildPreview(ctx context.Context, id int64, problem string) error {
	_, err := s.pool.Exec(ctx, `UPDATE rebuild_previews SET state = 'failed', problem = $2, finished_at = now() WHERE id = $1 AND state = 'queued'`, id, problem)
	if err != nil {
		return fmt.Errorf("fail preview %d of a rebuild: %w", id, err)
	}
	return nil
}

// rebuildChanges works out what rebuilding a version would change now.
func (s *Store) rebuildChanges(ctx context.Context, version DatasetVersion) (preview RebuildPreview, err error) {
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, s.pool, opts, func(tx pgx.Tx) error {
		projects, err := recipeProjects(ctx, tx, System(), version.Recipe)
		if err != nil {
			return err
		}
		r := rebuilding{version: version, changes: map[stratumKey]*RebuildChange{}}
		if err := r.before(ctx, tx, &preview); err != nil {
			return err
		}
		if err := r.compare(ctx, tx, s, projects); err != nil {
			return err
		}
		preview.Moved, preview.Changes = r.moved, r.sorted()
		return nil
	})
	return preview, err
}
