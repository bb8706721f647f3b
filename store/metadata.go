package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/jobargs"
)

// metadataBatch is how many items are looked at in one transaction of DropMetadata.
const metadataBatch = 5_000

// dropMetadata has a job remove what is kept under keys that are on the list no more, if there are any.
func (s *Store) dropMetadata(ctx context.Context, tx pgx.Tx, project int64, before, after []string) error {
	if !slices.ContainsFunc(before, func(key string) bool { return !slices.Contains(after, key) }) {
		return nil
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.DropMetadata{ProjectID: project}, nil); err != nil {
		return fmt.Errorf("drop metadata of project %d: %w", project, err)
	}
	return nil
}

// keptKeys are the metadata keys of a project, which nobody changes until the transaction ends: what it writes under
// them is there for whoever drops a key next.
func keptKeys(ctx context.Context, tx pgx.Tx, project int64) (keys []string, err error) {
	err = tx.QueryRow(ctx, `SELECT metadata_keys FROM projects WHERE id = $1 FOR SHARE`, project).Scan(&keys)
	if err != nil {
		return nil, fmt.Errorf("metadata keys of project %d: %w", project, notFound(err))
	}
	return keys, nil
}

// DropMetadata removes from the items of a project what is kept under keys that are not on its list, and returns from
// how many items. Doing it again changes nothing.
func (s *Store) DropMetadata(ctx context.Context, project int64) (changed int, err error) {
	for last := int64(0); ; {
		var seen, dropped int
		err := s.pool.QueryRow(ctx, `
			WITH page AS MATERIALIZED (
				SELECT id FROM items WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3
			), dropped AS (
				UPDATE item_texts x SET metadata = x.metadata - ARRAY(SELECT k FROM jsonb_object_keys(x.metadata) k WHERE k <> ALL (p.metadata_keys))
				FROM page, projects p
				WHERE x.item_id = page.id AND p.id = $1 AND x.metadata - p.metadata_keys <> '{}' RETURNING x.item_id)
			SELECT (SELECT count(*) FROM page), coalesce((SELECT max(id) FROM page), 0), (SELECT count(*) FROM dropped)`,
			project, last, metadataBatch).Scan(&seen, &last, &dropped)
		if err != nil {
			return changed, fmt.Errorf("drop metadata of project %d: %w", project, err)
		}
		changed += dropped
		if seen < metadataBatch {
			return changed, nil
		}
	}
}
