package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/formats"
	"fiducial/internal/jobargs"
)

// importRunLock and importMergeLock are the spaces of two advisory locks: of an import, held by the
// process that runs it, and of a project, held while one batch is merged into it.
const (
	importRunLock   = 0x696d7275
	importMergeLock = 0x696d6d65
)

// ImportRun is an import at work in this process. It is not safe for concurrent use.
type ImportRun struct {
	Import

	store   *Store
	groupOf func(key string) string
	secret  []byte
	kept    []string      // the keys of metadata that the project keeps
	conn    *pgxpool.Conn // holds the lock of the run

	done     map[string]bool  // names of records that have a result, of an earlier attempt too
	taken    map[int64]string // which record of this import an item was merged with
	files    *itemNames
	labels   *itemNames
	reserved []int64

	// Of sound: the names of recordings and of their items, and the ids that new recordings get.
	soundPaths, soundKeys *soundNames
	reservedRecordings    []int64

	// What a dry run would have made: the record of each item by the hash of its key, and pictures by their hash.
	pretendedItems map[string]string
	pretendedMedia map[string]bool
}

var (
	// ErrImportEnded means that the import was cancelled or has ended already.
	ErrImportEnded = errors.New("store: import has ended")
	// ErrImportBusy means that another run of the import is at work.
	ErrImportBusy = errors.New("store: import is at work")
)

// BeginImport takes up a started import. A process that was killed leaves a run that any other takes
// up where it stopped: every batch that was merged stays, with its results. It returns ErrImportEnded
// when there is nothing to do, ErrImportBusy while another run is at work. The caller must Close the run.
func (s *Store) BeginImport(ctx context.Context, id int64) (run *ImportRun, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin import %d: %w", id, err)
	}
	run = &ImportRun{
		store: s, conn: conn, done: map[string]bool{}, taken: map[int64]string{}, pretendedItems: map[string]string{}, pretendedMedia: map[string]bool{},
	}
	defer func() {
		if err != nil {
			run.Close()
			err = fmt.Errorf("begin import %d: %w", id, err)
		}
	}()
	var alone bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2::bigint::int)`, importRunLock, id).Scan(&alone); err != nil {
		return run, err
	}
	if !alone {
		return run, ErrImportBusy
	}
	tag, err := conn.Exec(ctx, `UPDATE imports SET state = 'running' WHERE id = $1 AND state IN ('queued', 'running')`, id)
	if err != nil {
		return run, err
	}
	if tag.RowsAffected() == 0 {
		return run, ErrImportEnded
	}
	return run, run.load(ctx, id)
}

// load reads what the run needs to know, and clears away what a killed one left half done.
func (r *ImportRun) load(ctx context.Context, id int64) (err error) {
	if r.Import, err = visibleImport(ctx, r.conn, System(), id); err != nil {
		return err
	}
	if r.groupOf, err = r.Options.grouping(); err != nil {
		return err
	}
	if err := r.conn.QueryRow(ctx, `SELECT key_secret, metadata_keys FROM projects WHERE id = $1`, r.ProjectID).Scan(&r.secret, &r.kept); err != nil {
		return err
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := r.conn.Query(ctx, `SELECT name, coalesce(item_id, 0) FROM import_results WHERE import_id = $1`, id)
	if err != nil {
		return err
	}
	var name string
	var item int64
	_, err = pgx.ForEachRow(rows, []any{&name, &item}, func() error {
		r.done[name] = true
		if item != 0 {
			r.taken[item] = name
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.store.dropReservations(ctx, id)
}

// Close lets go of the run. It may be called again.
func (r *ImportRun) Close() {
	if r.conn == nil {
		return
	}
	// The run's own context may have ended. A connection that cannot unlock is closed, which unlocks too.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := r.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`); err != nil {
		_ = r.conn.Conn().Close(ctx)
	}
	r.conn.Release()
	r.conn = nil
}

// Done tells whether the record of this name has its result already, from an attempt before.
func (r *ImportRun) Done(name string) bool { return r.done[name] }

// Keeps tells whether the project keeps metadata under this key.
func (r *ImportRun) Keeps(key string) bool { return slices.Contains(r.kept, key) }

// Files returns the uploaded files by name.
func (r *ImportRun) Files(ctx context.Context) ([]ImportFile, error) {
	rows, err := r.conn.Query(ctx, `SELECT id, name, size, received, complete FROM import_files WHERE import_id = $1 ORDER BY name`, r.ID)
	if err != nil {
		return nil, fmt.Errorf("files of import %d: %w", r.ID, err)
	}
	files, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ImportFile])
	if err != nil {
		return nil, fmt.Errorf("files of import %d: %w", r.ID, err)
	}
	return files, nil
}

// Open reads an uploaded file from its start.
func (r *ImportRun) Open(ctx context.Context, f ImportFile) io.ReadCloser {
	return &uploadReader{ctx: ctx, blobs: r.store.blobs, id: r.ID, file: f}
}

// Expect tells pages how many records there are.
func (r *ImportRun) Expect(ctx context.Context, records int) error {
	if _, err := r.conn.Exec(ctx, `UPDATE imports SET expected = $2 WHERE id = $1`, r.ID, records); err != nil {
		return fmt.Errorf("import %d: %w", r.ID, err)
	}
	return nil
}

// Finish ends the run with what was refused beside the records that were merged, and removes what was
// uploaded.
func (r *ImportRun) Finish(ctx context.Context, refused []ImportResult) error {
	err := r.store.inTx(ctx, func(tx pgx.Tx) error {
		if err := r.stillRunning(ctx, tx); err != nil {
			return err
		}
		if err := insertResults(ctx, tx, r.ID, refused); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE imports SET state = 'done', finished_at = now() WHERE id = $1`, r.ID); err != nil {
			return err
		}
		if err := r.askForScores(ctx, tx); err != nil {
			return err
		}
		return audit(ctx, tx, System(), auditEvent{Action: "import.finish", ObjectType: "import", ObjectID: r.ID, ProjectID: r.ProjectID})
	})
	if err != nil {
		return fmt.Errorf("finish import %d: %w", r.ID, err)
	}
	return r.store.ClearImport(ctx, r.ID)
}

// askForScores has the project's answers compared with the truth that came in, if any were to the same items.
func (r *ImportRun) askForScores(ctx context.Context, tx pgx.Tx) error {
	if r.Purpose != PurposeTruth {
		return nil
	}
	var answered bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM import_results r JOIN annotations an ON an.item_id = r.item_id WHERE r.import_id = $1 AND `+counts+`)`, r.ID).Scan(&answered)
	if err != nil || !answered {
		return err
	}
	_, err = r.store.queue.InsertTx(ctx, tx, jobargs.ScoreProject{ProjectID: r.ProjectID}, scoreLater())
	return err
}

// stillRunning holds the import's state until the end of tx, so that a cancelling waits for the batch
// and the next batch sees it.
func (r *ImportRun) stillRunning(ctx context.Context, tx pgx.Tx) error {
	var state string
	if err := tx.QueryRow(ctx, `SELECT state FROM imports WHERE id = $1 FOR SHARE`, r.ID).Scan(&state); err != nil {
		return err
	}
	if state != ImportRunning {
		return ErrImportEnded
	}
	return nil
}

// FailImport ends an import that cannot go on; reason is for people.
func (s *Store) FailImport(ctx context.Context, id int64, reason string) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE imports SET state = 'failed', error = $2, finished_at = now() WHERE id = $1 AND state IN ('queued', 'running')`, id, reason)
	if err != nil {
		return fmt.Errorf("fail import %d: %w", id, err)
	}
	return s.ClearImport(ctx, id)
}

// ClearImport removes what was uploaded for an import that has ended, and does nothing to another.
func (s *Store) ClearImport(ctx context.Context, id int64) error {
	var ended bool
	err := s.pool.QueryRow(ctx, `SELECT state IN ('done', 'failed', 'cancelled') FROM imports WHERE id = $1`, id).Scan(&ended)
	if err != nil || !ended {
		return notFound(err)
	}
	if err := s.dropReservations(ctx, id); err != nil {
		return err
	}
	if _, err := s.blobs.DeletePrefix(ctx, importPrefix(id)); err != nil {
		return fmt.Errorf("clear import %d: %w", id, err)
	}
	if _, err := s.pool.Exec(ctx, `DELETE FROM import_files WHERE import_id = $1`, id); err != nil {
		return fmt.Errorf("clear import %d: %w", id, err)
	}
	return nil
}

// dropReservations deletes originals whose items were never made. It waits for a batch that makes some of them at this
// moment, and leaves those alone.
func (s *Store) dropReservations(ctx context.Context, id int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `DELETE FROM import_reservations WHERE import_id = $1 RETURNING item_id`, id)
		if err != nil {
			return err
		}
		items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		for _, item := range items {
			if _, err := s.blobs.DeletePrefix(ctx, "items/"+strconv.FormatInt(item, 10)+"/"); err != nil {
				return err
			}
		}
		return s.dropRecordings(ctx, tx, id)
	})
	if err != nil {
		return fmt.Errorf("reservations of import %d: %w", id, err)
	}
	return nil
}

// dropRecordings deletes sounds whose recordings were never made.
func (s *Store) dropRecordings(ctx context.Context, tx pgx.Tx, id int64) error {
	rows, err := tx.Query(ctx, `DELETE FROM recording_reservations WHERE import_id = $1 RETURNING recording_id`, id)
	if err != nil {
		return err
	}
	recordings, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for _, recording := range recordings {
		if _, err := s.blobs.DeletePrefix(ctx, recordingPrefix(recording)); err != nil {
			return err
		}
	}
	return nil
}

// SweepImports cancels uploads that have stood still since before, and removes what ended imports
// have left behind.
func (s *Store) SweepImports(ctx context.Context, before time.Time) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE imports SET state = 'cancelled', finished_at = now(), error = 'Nothing arrived for a day.'
		WHERE state = 'uploading' AND active_at < $1`, before)
	if err != nil {
		return fmt.Errorf("sweep imports: %w", err)
	}
	rows, err := s.pool.Query(ctx, `
		SELECT i.id FROM imports i WHERE i.state IN ('done', 'failed', 'cancelled')
		  AND (EXISTS (SELECT FROM import_files f WHERE f.import_id = i.id) OR EXISTS (SELECT FROM import_reservations r WHERE r.import_id = i.id)
			OR EXISTS (SELECT FROM recording_reservations r WHERE r.import_id = i.id))`)
	if err != nil {
		return fmt.Errorf("sweep imports: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("sweep imports: %w", err)
	}
	var failed error
	for _, id := range ids {
		failed = errors.Join(failed, s.ClearImport(ctx, id))
	}
	return failed
}

// itemNames finds the items of a project by names that are not quite their keys.
type itemNames struct {
	media *formats.Media
	ids   map[string]int64
	files map[string]int64 // by the name that the item's picture came under, where that is another
}

// loadNames indexes items by their keys: all of them, or those alone that a picture without labels may
// belong to although its name is not their key. What this import has added is left out, so that an
// import that is taken up again finds what it found at first.
func (r *ImportRun) loadNames(ctx context.Context, tx pgx.Tx, all bool) (*itemNames, error) {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := tx.Query(ctx, `
		SELECT t.item_id, t.external_key, CASE WHEN t.file_name <> t.external_key THEN t.file_name ELSE '' END
		FROM items i JOIN item_texts t ON t.item_id = i.id
		WHERE i.project_id = $1 AND ($3 OR i.state = 'awaiting_media' OR t.file_name <> t.external_key)
		  AND NOT EXISTS (SELECT FROM import_results r WHERE r.item_id = i.id AND r.import_id = $2 AND r.outcome = 'added')`,
		r.ProjectID, r.ID, all)
	if err != nil {
		return nil, fmt.Errorf("names of items: %w", err)
	}
	names := &itemNames{ids: map[string]int64{}, files: map[string]int64{}}
	var keys []string
	var id int64
	var key, file string
	_, err = pgx.ForEachRow(rows, []any{&id, &key, &file}, func() error {
		keys, names.ids[key] = append(keys, key), id
		if file != "" {
			names.files[file] = id
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("names of items: %w", err)
	}
	names.media = formats.NewMedia(keys)
	return names, nil
}
