package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/access"
	"fiducial/internal/audio"
	"fiducial/store/blob"
)

const (
	// WavePoints is how many amounts a wave has, fewer where the item is too short for so many.
	WavePoints = 64

	waveReaders  = 8 // recordings that are read at once
	wavePatience = time.Second
)

// waved is an item whose wave is known, or to be drawn.
type waved struct {
	Item, Recording, Frames, Peaks int64
	Version, Rate, All, Channel    int
	Begins, Ends                   float64
	Amounts                        []byte // nil: to be drawn
}

// Waves returns how loud items are from beginning to end: WavePoints amounts from 0 to 127 for each. What the actor may not hear, and what cannot be
// heard now, is left out. What is drawn is kept until its recording is changed, so that a list costs one query from its second look on. It is drawn
// from outlines alone, of buckets that lie inside the item as a whole: nothing beside it shows.
func (s *Store) Waves(ctx context.Context, actor Actor, items []int64) (map[int64][]byte, error) {
	if len(items) == 0 {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, `
		SELECT i.id AS item, r.id AS recording, r.frames, k.bytes AS peaks, r.version, r.rate, r.channels AS "all", i.channel,
			coalesce(i.begins, 0) AS begins, coalesce(i.ends, r.frames::float8 / r.rate) AS ends, w.amounts
		FROM items i JOIN projects p ON p.id = i.project_id AND p.archived_at IS NULL
		JOIN recordings r ON r.id = i.recording_id AND r.state = 'ready' JOIN recording_assets k ON k.recording_id = r.id AND k.kind = 'peaks'
		LEFT JOIN item_waves w ON w.item_id = i.id AND w.recording_version = r.version
		WHERE i.id = ANY(@items) AND i.state = 'ready' AND `+sees+` AND `+maySeeItem+` ORDER BY r.id, i.begins`,
		actor.args(pgx.NamedArgs{"items": items, "reads": access.Allows(actor.Role, access.ReadItems), "labels": access.Allows(actor.Role, access.Label)}))
	if err != nil {
		return nil, fmt.Errorf("waves: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[waved])
	if err != nil {
		return nil, fmt.Errorf("waves: %w", err)
	}
	if err := s.drawWaves(ctx, found); err != nil {
		return nil, fmt.Errorf("waves: %w", err)
	}
	waves := make(map[int64][]byte, len(found))
	for _, w := range found {
		if len(w.Amounts) > 0 {
			waves[w.Item] = w.Amounts
		}
	}
	return waves, nil
}

// drawWaves draws those of the items that have none, and keeps them. It is done while somebody waits for a list: what the object storage does not
// give in time, or does not have, is left to the next look.
func (s *Store) drawWaves(ctx context.Context, items []waved) error {
	missing := map[int64][]*waved{} // by recording
	for i := range items {
		if items[i].Amounts == nil {
			missing[items[i].Recording] = append(missing[items[i].Recording], &items[i])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	patient, done := context.WithTimeout(ctx, wavePatience)
	defer done()
	var readers errgroup.Group
	readers.SetLimit(waveReaders)
	for _, of := range missing {
		readers.Go(func() error {
			s.drawRecording(patient, of)
			return nil
		})
	}
	if err := readers.Wait(); err != nil {
		return err
	}
	return s.keepWaves(ctx, missing)
}

// drawRecording draws items of one recording, as far as its outlines can be read.
func (s *Store) drawRecording(ctx context.Context, items []*waved) {
	file, err := s.blobs.Ranges(ctx, RecordingKey(items[0].Recording, "peaks"), items[0].Peaks)
	if err != nil {
		return
	}
	for _, w := range items {
		if w.Amounts, err = w.draw(file); err != nil {
			return
		}
	}
}

func (w *waved) draw(file *blob.Ranged) ([]byte, error) {
	h := heard{Rate: w.Rate, Frames: w.Frames, Begins: w.Begins, Ends: w.Ends}.hearing()
	outline, err := audio.FindOutline(file, w.Peaks, (h.end-h.first)/WavePoints)
	if err != nil {
		return nil, err
	}
	whole := audio.NewWindow(w.Channel, w.All, h.first, h.end, WavePoints)
	from, to := whole.Inside(outline.Bucket, w.Frames)
	raw, err := outline.Read(file, from, to)
	if err != nil {
		return nil, err
	}
	bucket := int64(outline.Bucket)
	window := audio.NewWindow(w.Channel, w.All, from*bucket, min(to*bucket, w.Frames), int(min(WavePoints, to-from)))
	window.Draw(outline.Outline, from, raw)
	return window.Amounts(), nil
}

// keepWaves keeps what was drawn, of items that nobody is about to erase, and of recordings as they were drawn.
func (s *Store) keepWaves(ctx context.Context, drawn map[int64][]*waved) error {
	var items []int64
	var versions []int
	var amounts [][]byte
	for _, of := range drawn {
		for _, w := range of {
			if w.Amounts != nil {
				items, versions, amounts = append(items, w.Item), append(versions, w.Version), append(amounts, w.Amounts)
			}
		}
	}
	_, err := s.pool.Exec(ctx, `
		INSERT INTO item_waves (item_id, recording_version, amounts)
		SELECT i.id, d.version, d.amounts FROM unnest($1::bigint[], $2::integer[], $3::bytea[]) d (item, version, amounts)
		JOIN items i ON i.id = d.item JOIN recordings r ON r.id = i.recording_id AND r.version = d.version
		WHERE i.state = 'ready' ORDER BY i.id FOR KEY SHARE OF i SKIP LOCKED FOR SHARE OF r SKIP LOCKED
		ON CONFLICT (item_id) DO UPDATE SET recording_version = excluded.recording_version, amounts = excluded.amounts`, items, versions, amounts)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	return nil
}
