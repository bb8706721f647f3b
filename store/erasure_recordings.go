package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/audio"
	"fiducial/store/blob"
)

// errMoreItems: a recording got another item since it was found to go as a whole.
var errMoreItems = errors.New("store: another item of a recording came in")

// objectsOfRecordings are the keys of all objects that recordings can have.
func objectsOfRecordings(recordings []int64) []string {
	keys := make([]string, 0, len(recordings)*len(recordingKinds))
	for _, recording := range recordings {
		for _, kind := range recordingKinds {
			keys = append(keys, RecordingKey(recording, kind))
		}
	}
	return keys
}

// clearSounds deletes the recordings whose last items have gone, and notes how much sound went. It returns errMoreItems if one stays whose
// part was not silenced, since nobody had expected it to.
func (c *clearing) clearSounds(ctx context.Context, silenced map[int64]bool) error {
	if len(c.recordings) == 0 {
		return nil
	}
	rows, err := c.tx.Query(ctx, `SELECT id FROM recordings WHERE id = ANY($1) ORDER BY id FOR UPDATE`, c.recordings)
	if err != nil {
		return err
	}
	if _, err := pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		return fmt.Errorf("recordings of what was erased: %w", err)
	}
	if err := clearRecordings(ctx, c.tx, c.recordings, c.cleared); err != nil {
		return err
	}
	rows, err = c.tx.Query(ctx, `SELECT id FROM recordings WHERE id = ANY($1)`, c.recordings)
	if err != nil {
		return err
	}
	left, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("recordings that stay: %w", err)
	}
	for _, id := range left {
		if !silenced[id] {
			return errMoreItems
		}
	}
	if len(left) > 0 {
		c.cleared["recordings_silenced"] += int64(len(left))
	}
	c.cleared["sound_seconds"] += c.seconds
	return nil
}

// clearRecordings deletes those of the recordings that no item is of any more, and counts their rows; files are counted by what they were.
func clearRecordings(ctx context.Context, tx pgx.Tx, recordings []int64, cleared map[string]int64) error {
	const none = ` = ANY($1) AND NOT EXISTS (SELECT FROM items i WHERE i.recording_id = `
	for _, p := range placesOfRecordings() {
		column := "recording_id"
		if p.Table == "recordings" {
			column = "id"
		}
		kind := `''`
		if p.Table == "recording_assets" {
			kind = `kind`
		}
		//nolint:rowserrcheck // ForEachRow checks it
		rows, err := tx.Query(ctx, `
			WITH gone AS (DELETE FROM `+p.Table+` x WHERE x.`+column+none+`x.`+column+`) RETURNING `+kind+` AS kind)
			SELECT kind, count(*) FROM gone GROUP BY 1`, recordings)
		if err != nil {
			return fmt.Errorf("clear %s: %w", p.Table, err)
		}
		var what string
		var n int64
		_, err = pgx.ForEachRow(rows, []any{&what, &n}, func() error {
			if what == "" {
				what = p.Table
			} else {
				what = "recording_" + what
			}
			cleared[what] += n
			return nil
		})
		if err != nil {
			return fmt.Errorf("clear %s: %w", p.Table, err)
		}
	}
	return nil
}

// placesOfRecordings are the places that go with a recording, what refers to others first.
func placesOfRecordings() (places []Place) {
	for _, p := range slices.Backward(Inventory()) {
		if p.Erasure == WithRecording {
			places = append(places, p)
		}
	}
	return places
}

// deleteSounds deletes the objects of recordings that went with the items.
func (r *erasureRun) deleteSounds(ctx context.Context, items []int64) error {
	gone, err := collectIDs(ctx, r.pool, `
		SELECT DISTINCT e.recording_id FROM erasure_items e WHERE e.item_id = ANY($1) AND e.recording_id IS NOT NULL
		  AND NOT EXISTS (SELECT FROM recordings r WHERE r.id = e.recording_id)`, items)
	if err != nil || len(gone) == 0 {
		return err
	}
	return r.blobs.DeleteKeys(ctx, objectsOfRecordings(gone))
}

// bareRecordings selects the recordings of a source that no item is of.
const bareRecordings = `SELECT r.id FROM recordings r WHERE r.source_id = $1 AND NOT EXISTS (SELECT FROM items i WHERE i.recording_id = r.id) ORDER BY r.id`

// clearBareRecordings deletes what is left of a source that goes as a whole: recordings that never came to have an item.
func (r *erasureRun) clearBareRecordings(ctx context.Context) error {
	bare, err := collectIDs(ctx, r.pool, bareRecordings, r.SourceID)
	if err != nil || len(bare) == 0 {
		return err
	}
	if err := r.blobs.DeleteKeys(ctx, objectsOfRecordings(bare)); err != nil {
		return err
	}
	return r.inTx(ctx, func(tx pgx.Tx) error {
		if err := r.lock(ctx, tx); err != nil {
			return err
		}
		if err := clearRecordings(ctx, tx, bare, r.Erased); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE erasures SET erased = $2 WHERE id = $1`, r.id, r.Erased)
		return err
	})
}

// collectIDs returns the ids that a query selects.
func collectIDs(ctx context.Context, q querier, sql string, args ...any) ([]int64, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("ids: %w", err)
	}
	return ids, nil
}

// recordingsPlace is how the proof and pages name what lies under recordings.
const recordingsPlace = "recordings/{recording}/"

// lookForSounds looks for the objects of recordings that should be gone, and listens to what should be silent in those that stay.
func (r *erasureRun) lookForSounds(ctx context.Context, items []int64, proof *Proof) error {
	recordings, err := collectIDs(ctx, r.pool, `
		SELECT DISTINCT recording_id FROM erasure_items WHERE item_id = ANY($1) AND recording_id IS NOT NULL ORDER BY 1`, items)
	if err != nil {
		return err
	}
	proof.Prefixes += len(recordings)
	left, err := collectIDs(ctx, r.pool, `SELECT id FROM recordings WHERE id = ANY($1)`, recordings)
	if err != nil {
		return err
	}
	var bare int64
	if err := r.pool.QueryRow(ctx, `SELECT count(*) FROM recordings r WHERE r.id = ANY($1) AND NOT EXISTS (SELECT FROM items i WHERE i.recording_id = r.id)`, left).Scan(&bare); err != nil {
		return err
	}
	if bare > 0 {
		proof.Found["recordings"] += bare
	}
	for _, id := range recordings {
		loud, err := r.soundLeft(ctx, id, slices.Contains(left, id))
		if err != nil {
			return err
		}
		proof.Found[recordingsPlace] += loud
	}
	if proof.Found[recordingsPlace] == 0 {
		delete(proof.Found, recordingsPlace)
	}
	return nil
}

// soundLeft counts what is left of a recording that should not be: objects, or for one that stays, stretches that are not silent.
func (r *erasureRun) soundLeft(ctx context.Context, recording int64, stays bool) (n int64, err error) {
	if stays {
		return r.loudStretches(ctx, recording)
	}
	for _, key := range objectsOfRecordings([]int64{recording}) {
		_, err := r.blobs.Stat(ctx, key)
		if err == nil {
			n++
		} else if !errors.Is(err, blob.ErrNotFound) {
			return 0, err
		}
	}
	return n, nil
}

// loudStretches counts the stretches of a recording that were silenced and are not silent, and sound that nothing says is there.
func (r *erasureRun) loudStretches(ctx context.Context, recording int64) (n int64, err error) {
	var bytes int64
	var sound bool
	err = r.pool.QueryRow(ctx, `
		SELECT a.bytes, EXISTS (SELECT FROM recording_assets s WHERE s.recording_id = a.recording_id AND s.kind = 'sound')
		FROM recording_assets a WHERE a.recording_id = $1 AND a.kind = 'original'`, recording).Scan(&bytes, &sound)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if _, err := r.blobs.Stat(ctx, RecordingKey(recording, "sound")); err == nil && !sound {
		n++
	} else if err != nil && !errors.Is(err, blob.ErrNotFound) {
		return 0, err
	}
	object, err := r.blobs.Ranges(ctx, RecordingKey(recording, "original"), bytes)
	if errors.Is(err, blob.ErrNotFound) {
		return n, nil
	}
	if err != nil {
		return 0, err
	}
	original, err := audio.Open(object, bytes)
	if err != nil {
		return 0, fmt.Errorf("listen to recording %d: %w", recording, err)
	}
	rows, err := r.pool.Query(ctx, `SELECT recording_id AS recording, channel, begins, ends FROM recording_silences WHERE recording_id = $1`, recording)
	if err != nil {
		return 0, err
	}
	spans, err := pgx.CollectRows(rows, pgx.RowToStructByName[erasedSpan])
	if err != nil {
		return 0, fmt.Errorf("silences of recording %d: %w", recording, err)
	}
	for _, span := range spans {
		silent, err := original.Silent(stretchOf(original, span.Channel, span.Begins, span.Ends))
		if err != nil {
			return 0, err
		}
		if !silent {
			n++
		}
	}
	return n, nil
}

// countSounds adds how many recordings, and how much of them, the items of a preview are. A recording is counted with the first of its items.
func (e *Erasure) countSounds(ctx context.Context, tx pgx.Tx, items []int64) error {
	var recordings, seconds int64
	err := tx.QueryRow(ctx, `
		SELECT count(DISTINCT i.recording_id) FILTER (WHERE NOT EXISTS (
				SELECT FROM items o JOIN erasure_lists l ON l.item_id = o.id AND l.erasure_id = $2 WHERE o.recording_id = i.recording_id AND o.id < $3)),
			`+secondsOfItems+`
		FROM items i LEFT JOIN recordings r ON r.id = i.recording_id WHERE i.id = ANY($1) AND i.recording_id IS NOT NULL`, items, e.ID, items[0]).
		Scan(&recordings, &seconds)
	if err != nil {
		return fmt.Errorf("count sounds: %w", err)
	}
	if recordings > 0 {
		e.Counts["recordings"] += recordings
	}
	if seconds > 0 {
		e.Counts["sound_seconds"] += seconds
	}
	return nil
}

// secondsOfItems is an expression: how long items i of recordings r are together.
const secondsOfItems = `coalesce(ceil(sum(coalesce(i.ends, r.frames::float8 / r.rate) - coalesce(i.begins, 0))), 0)::bigint`
