package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
)

// clearing is the transaction of one step of an erasure.
type clearing struct {
	doomed

	tx      pgx.Tx
	erasure int64
	listed  []int64 // what the step took off the list; some of it may be gone already
	touched TouchedVersions
	cleared map[string]int64 // rows by table
	// redacted are the items that stay as redactions.
	redacted []int64

	projects, groups, batches, rounds, relabels []int64 // that the items are of
	sources, recordings                         []int64
	seconds                                     int64   // of sound
	people                                      []int64 // who answered them, with their projects
	peopleOf                                    []int64
}

// remember reads what the items are of, as long as that can be told.
func (c *clearing) remember(ctx context.Context) (err error) {
	if c.touched, err = c.doomed.touched(ctx, c.tx); err != nil {
		return err
	}
	for _, of := range []struct {
		ids   *[]int64
		query string
	}{
		{&c.projects, `SELECT DISTINCT project_id FROM items WHERE id = ANY(@items) ORDER BY 1`},
		{&c.sources, `SELECT DISTINCT source_id FROM items WHERE id = ANY(@items) ORDER BY 1`},
		{&c.recordings, `SELECT DISTINCT recording_id FROM items WHERE id = ANY(@items) AND recording_id IS NOT NULL ORDER BY 1`},
		{&c.groups, `SELECT DISTINCT group_id FROM items WHERE id = ANY(@items) AND group_id IS NOT NULL ORDER BY 1`},
		{&c.batches, `SELECT DISTINCT batch_id FROM batch_items WHERE item_id = ANY(@items) ORDER BY 1`},
		{&c.rounds, `SELECT DISTINCT round_id FROM round_items WHERE item_id = ANY(@items) ORDER BY 1`},
		{&c.relabels, `SELECT DISTINCT relabel_id FROM relabel_items WHERE item_id = ANY(@items) AND state = 'waiting' ORDER BY 1`},
	} {
		rows, err := c.tx.Query(ctx, of.query, c.args(nil))
		if err != nil {
			return err
		}
		if *of.ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
			return fmt.Errorf("what items are of: %w", err)
		}
	}
	if len(c.recordings) > 0 {
		err := c.tx.QueryRow(ctx, `SELECT `+secondsOfItems+` FROM items i LEFT JOIN recordings r ON r.id = i.recording_id
			WHERE i.id = ANY(@items) AND i.recording_id IS NOT NULL`, c.args(nil)).Scan(&c.seconds)
		if err != nil {
			return fmt.Errorf("seconds of items: %w", err)
		}
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := c.tx.Query(ctx, `
		SELECT DISTINCT t.project_id, an.person_id FROM annotations an JOIN tasks t ON t.id = an.task_id WHERE an.item_id = ANY(@items)`, c.args(nil))
	if err != nil {
		return err
	}
	var project, person int64
	_, err = pgx.ForEachRow(rows, []any{&project, &person}, func() error {
		c.peopleOf, c.people = append(c.peopleOf, project), append(c.people, person)
		return nil
	})
	return err
}

// entomb leaves the tombstones.
func (c *clearing) entomb(ctx context.Context) error {
	_, err := c.tx.Exec(ctx, `
		INSERT INTO erasure_items (item_id, erasure_id, project_id, source_id, task_id, key_hash, recording_id)
		SELECT i.id, @erasure, i.project_id, i.source_id, t.id, i.key_hash, i.recording_id FROM items i LEFT JOIN tasks t ON t.item_id = i.id WHERE i.id = ANY(@items)`,
		c.args(pgx.NamedArgs{"erasure": c.erasure}))
	if err != nil {
		return fmt.Errorf("tombstones: %w", err)
	}
	return nil
}

// clearNames deletes what imports into the items' projects say of them by name alone: what was only tried, and what was refused or
// lost, whichever import it was of.
func (c *clearing) clearNames(ctx context.Context) error {
	for _, named := range []string{
		`r.outcome NOT IN ('refused', 'lost') AND r.name IN (SELECT external_key FROM named UNION ALL SELECT file_name FROM named)`,
		`r.outcome IN ('refused', 'lost')
		  AND EXISTS (SELECT FROM named n WHERE strpos(r.name, n.external_key) > 0 OR n.file_name <> '' AND strpos(r.name, n.file_name) > 0)`,
	} {
		_, err := c.tx.Exec(ctx, `
			WITH named AS MATERIALIZED (SELECT external_key, file_name FROM item_texts WHERE item_id = ANY(@items))
			DELETE FROM import_results r WHERE r.item_id IS NULL AND r.import_id IN (SELECT id FROM imports WHERE project_id = ANY(@projects))
			  AND `+named, c.args(pgx.NamedArgs{"projects": c.projects}))
		if err != nil {
			return fmt.Errorf("names in imports: %w", err)
		}
	}
	return nil
}

// clearPlaces goes through the inventory.
func (c *clearing) clearPlaces(ctx context.Context) error {
	c.cleared = map[string]int64{}
	for _, p := range placesOfItems() {
		tag, err := c.tx.Exec(ctx, p.clear(), c.args(pgx.NamedArgs{"erasure": c.erasure}))
		if err != nil {
			return fmt.Errorf("clear %s: %w", p.Table, err)
		}
		if n := tag.RowsAffected(); n > 0 {
			c.cleared[p.Table] += n
		}
	}
	return nil
}

// follow has what is counted from the items' rows go with them, where no trigger does. Batches are counted again by
// whoever looks next.
func (c *clearing) follow(ctx context.Context) error {
	args := c.args(pgx.NamedArgs{
		"groups": c.groups, "batches": c.batches, "rounds": c.rounds, "relabels": c.relabels, "people": c.people, "people_of": c.peopleOf,
		"exports": c.touched.Exports,
	})
	for kind, query := range map[string]string{
		"groups":  `DELETE FROM groups g WHERE g.id = ANY(@groups) AND NOT EXISTS (SELECT FROM items i WHERE i.group_id = g.id)`,
		"exports": `UPDATE exports SET state = 'deleted', report = NULL, error = '', finished_at = coalesce(finished_at, now()) WHERE id = ANY(@exports)`,
		"figures": `INSERT INTO stale_figures (project_id, person_id) SELECT * FROM unnest(@people_of::bigint[], @people::bigint[])`,
		"changes": `INSERT INTO batch_changes SELECT unnest(@batches::bigint[])`,
		"batches": `
			UPDATE batches b SET plan_size = CASE WHEN b.plan_size > l.drawn THEN l.drawn ELSE b.plan_size END,
				plan_lot = CASE WHEN b.plan_lot > l.items THEN l.items ELSE b.plan_lot END,
				state = CASE WHEN l.items = 0 AND b.settling IS NULL AND b.state NOT IN ('approved', 'closed') THEN 'closed' ELSE b.state END
			FROM (SELECT w.id, count(i.item_id)::int AS items, count(i.look)::int AS drawn FROM unnest(@batches::bigint[]) w (id)
				LEFT JOIN batch_items i ON i.batch_id = w.id GROUP BY w.id) l
			WHERE b.id = l.id AND (b.plan_size > l.drawn OR b.plan_lot > l.items OR l.items = 0)`,
		"rounds":   `UPDATE rounds r SET items = (SELECT count(*) FROM round_items i WHERE i.round_id = r.id) WHERE r.id = ANY(@rounds) AND r.state = 'open'`,
		"relabels": `UPDATE relabels r SET items = (SELECT count(*) FROM relabel_items i WHERE i.relabel_id = r.id) WHERE r.id = ANY(@relabels) AND r.state = 'sending'`,
	} {
		tag, err := c.tx.Exec(ctx, query, args)
		if err != nil {
			return fmt.Errorf("%s of what was erased: %w", kind, err)
		}
		if n := tag.RowsAffected(); n > 0 && (kind == "groups" || kind == "exports") {
			c.cleared[kind] += n
		}
	}
	return nil
}

// askAgain has the agreement of what the items were of summed up without them.
func (c *clearing) askAgain(ctx context.Context, s *Store) error {
	rows, err := c.tx.Query(ctx, `
		SELECT project_id, coalesce(round_id, 0) AS round_id, coalesce(batch_id, 0) AS batch_id FROM project_agreements
		WHERE project_id = ANY($1) AND (round_id IS NULL AND batch_id IS NULL OR round_id = ANY($2) OR batch_id = ANY($3)) ORDER BY 1, 2, 3`,
		c.projects, c.rounds, c.batches)
	if err != nil {
		return err
	}
	again, err := pgx.CollectRows(rows, pgx.RowToStructByPos[jobargs.SummarizeProject])
	if err != nil {
		return fmt.Errorf("summaries of what was erased: %w", err)
	}
	if err := s.reportAgain(ctx, c.tx, c.projects); err != nil {
		return err
	}
	if len(again) == 0 {
		return nil
	}
	period := summaryPeriod(0)
	insert := make([]river.InsertManyParams, len(again))
	for i, args := range again {
		insert[i] = river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{
			ScheduledAt: time.Now().Truncate(period).Add(period + summaryMargin), UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: period},
		}}
	}
	if _, err := s.queue.InsertManyTx(ctx, c.tx, insert); err != nil {
		return fmt.Errorf("ask for summaries: %w", err)
	}
	return nil
}

// tellTakers tells whoever made or downloaded an archive that is deleted now, and whoever made the token that did.
func (s *Store) tellTakers(ctx context.Context, tx pgx.Tx, exports []int64) error {
	if len(exports) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO notices (person_id, kind, object_type, object_id)
		SELECT DISTINCT taker.person_id, $2, 'export', taker.export_id
		FROM (
			SELECT e.id AS export_id, coalesce(e.created_by, k.created_by) AS person_id FROM exports e LEFT JOIN api_tokens k ON k.id = e.token_id WHERE e.id = ANY($1)
			UNION
			SELECT a.object_id, coalesce(a.person_id, k.created_by) FROM audit_events a LEFT JOIN api_tokens k ON k.id = a.token_id
			WHERE a.object_type = 'export' AND a.object_id = ANY($1) AND a.action = 'export.download') taker
		JOIN people p ON p.id = taker.person_id AND p.left_at IS NULL`, exports, ExportErased)
	if err != nil {
		return fmt.Errorf("tell takers: %w", err)
	}
	return nil
}

// clearBeside clears what is no item's alone: uploads and names of a source that goes as a whole, and the archives.
func (r *erasureRun) clearBeside(ctx context.Context) error {
	if err := r.at(ctx, "exports"); err != nil {
		return err
	}
	if err := r.deleteExports(ctx); err != nil {
		return err
	}
	if err := r.at(ctx, "launches"); err != nil {
		return err
	}
	if err := r.sweepLaunchLogs(ctx, launchesOfErasure, r.id); err != nil {
		return err
	}
	if err := r.at(ctx, "access"); err != nil {
		return err
	}
	if err := r.SweepAccess(ctx); err != nil {
		return err
	}
	if r.Scope != ScopeSource {
		return nil
	}
	if err := r.at(ctx, "recordings"); err != nil {
		return err
	}
	if err := r.clearBareRecordings(ctx); err != nil {
		return err
	}
	if err := r.at(ctx, "imports"); err != nil {
		return err
	}
	rows, err := r.pool.Query(ctx, `
		UPDATE imports SET state = 'cancelled', finished_at = now(), error = 'Its source was erased meanwhile.'
		WHERE source_id = $1 AND state IN ('uploading', 'queued', 'running')
		  AND created_at < (SELECT confirmed_at FROM erasures WHERE id = $2) RETURNING id`, r.SourceID, r.id)
	if err != nil {
		return err
	}
	if _, err := pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		return fmt.Errorf("imports of the source: %w", err)
	}
	return r.clearUploads(ctx)
}

// clearUploads deletes what was uploaded of a source that goes as a whole, and the names in what became of it.
func (r *erasureRun) clearUploads(ctx context.Context) error {
	rows, err := r.pool.Query(ctx, `
		SELECT i.id FROM imports i WHERE i.source_id = $1 AND i.state IN ('done', 'failed', 'cancelled')
		  AND (EXISTS (SELECT FROM import_files f WHERE f.import_id = i.id) OR EXISTS (SELECT FROM import_reservations v WHERE v.import_id = i.id)
			OR EXISTS (SELECT FROM recording_reservations v WHERE v.import_id = i.id))`, r.SourceID)
	if err != nil {
		return err
	}
	ended, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("uploads of the source: %w", err)
	}
	for _, id := range ended {
		if err := r.ClearImport(ctx, id); err != nil {
			return err
		}
	}
	// A trial for a source that was not there yet knows it by name.
	_, err = r.pool.Exec(ctx, `
		DELETE FROM import_results r USING imports i WHERE i.id = r.import_id AND r.item_id IS NULL
		  AND (i.source_id = $1 OR i.source_id IS NULL AND i.options->>'source' = (SELECT name FROM sources WHERE id = $1))
		  AND i.state IN ('done', 'failed', 'cancelled') AND i.created_at < (SELECT confirmed_at FROM erasures WHERE id = $2)`, r.SourceID, r.id)
	if err != nil {
		return fmt.Errorf("names in imports of the source: %w", err)
	}
	return nil
}

// launchesOfErasure are the model servers that were started for runs over versions which had an item of an erasure, before that was
// done: what they wrote may hold something of it.
const launchesOfErasure = `l.started_at <= coalesce((SELECT x.erased_at FROM erasures x WHERE x.id = $1), now()) AND l.evaluation_id IN (
	SELECT ev.evaluation_id FROM evaluation_versions ev WHERE ev.version_id IN (
		SELECT k::bigint FROM erasures x, jsonb_object_keys(CASE jsonb_typeof(x.touched->'versions') WHEN 'object' THEN x.touched->'versions' ELSE '{}' END) k WHERE x.id = $1))`

// deleteExports deletes the archives that held something of the erasure's items.
func (r *erasureRun) deleteExports(ctx context.Context) error {
	e, err := r.erasureByID(ctx, r.pool, r.id)
	if err != nil {
		return err
	}
	for _, id := range e.Touched.Exports {
		if err := r.DropArchive(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// DropArchive deletes the archive of an export whose state says that it is deleted, and does nothing to another.
func (s *Store) DropArchive(ctx context.Context, export int64) error {
	var deleted bool
	err := s.pool.QueryRow(ctx, `SELECT state = 'deleted' FROM exports WHERE id = $1`, export).Scan(&deleted)
	if err != nil || !deleted {
		return notFound(err)
	}
	if err := s.blobs.Delete(ctx, (&Export{ID: export}).Blob()); err != nil {
		return fmt.Errorf("archive of export %d: %w", export, err)
	}
	return nil
}
