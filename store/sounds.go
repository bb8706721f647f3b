package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/audio"
	"fiducial/store/blob"
)

// Sound is the sound of a recording, open to be decoded by one reader at a time. It must be closed.
type Sound struct {
	*audio.Sound

	object *blob.Object
}

// Close ends the reading.
func (s *Sound) Close() error { return s.object.Close() }

// OpenSound opens the sound of a recording: what was made of it where the server cannot read the original, else that. It is for jobs,
// and asks nobody whether they may hear it. Without any it returns ErrNotFound.
func (s *Store) OpenSound(ctx context.Context, recording int64) (*Sound, error) {
	var kind string
	err := s.pool.QueryRow(ctx, `
		SELECT kind FROM recording_assets WHERE recording_id = $1 AND kind IN ('sound', 'original') ORDER BY kind = 'sound' DESC LIMIT 1`, recording).Scan(&kind)
	if err != nil {
		return nil, fmt.Errorf("sound of recording %d: %w", recording, notFound(err))
	}
	object, err := s.blobs.Get(ctx, fmt.Sprintf("recordings/%d/%s", recording, kind))
	if errors.Is(err, blob.ErrNotFound) {
		return nil, fmt.Errorf("sound of recording %d: %w", recording, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("sound of recording %d: %w", recording, err)
	}
	sound, err := audio.Open(object, object.Size)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sound of recording %d: %w", recording, err), object.Close())
	}
	return &Sound{sound, object}, nil
}

// soundReaders is how many recordings are read at once.
const soundReaders = 4

// itemSound is an item whose sound is to be hashed.
type itemSound struct {
	item, recording int64
	version         int // of the recording
	audio.Clip
}

// hashSounds works out the hash of the sound of every item with truth of the projects that has none of its recording as it is now.
// It is done outside of a freeze's transaction, since it may read hours of sound.
func (s *Store) hashSounds(ctx context.Context, version int64) error {
	rows, err := s.pool.Query(ctx, `
		SELECT i.id, i.recording_id, rc.version, i.channel, i.begins, i.ends
		FROM dataset_version_projects vp JOIN items i ON i.project_id = vp.project_id JOIN truths t ON t.item_id = i.id AND t.current
		JOIN recordings rc ON rc.id = i.recording_id LEFT JOIN item_sounds so ON so.item_id = i.id
		WHERE vp.version_id = $1 AND rc.state = 'ready' AND i.state <> 'broken' AND i.ends IS NOT NULL AND so.recording_version IS DISTINCT FROM rc.version
		ORDER BY i.recording_id, i.begins`, version)
	if err != nil {
		return fmt.Errorf("sounds to read: %w", err)
	}
	sounds, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (i itemSound, err error) {
		err = row.Scan(&i.item, &i.recording, &i.version, &i.Channel, &i.Begins, &i.Ends)
		return i, err
	})
	if err != nil {
		return fmt.Errorf("sounds to read: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(soundReaders)
	for len(sounds) > 0 {
		n := 1
		for n < len(sounds) && sounds[n].recording == sounds[0].recording {
			n++
		}
		of := sounds[:n]
		sounds = sounds[n:]
		group.Go(func() error { return s.hashRecording(ctx, of) })
	}
	return group.Wait()
}

// hashRecording keeps the hashes of items of one recording.
func (s *Store) hashRecording(ctx context.Context, items []itemSound) error {
	sound, err := s.OpenSound(ctx, items[0].recording)
	if errors.Is(err, ErrNotFound) { // erased meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	for _, i := range items {
		sum, err := soundHash(sound, i.Clip)
		if err != nil {
			return errors.Join(fmt.Errorf("sound of item %d: %w", i.item, err), sound.Close())
		}
		batch.Queue(`
			INSERT INTO item_sounds (item_id, recording_version, sha256)
			SELECT i.id, rc.version, $3 FROM items i JOIN recordings rc ON rc.id = i.recording_id WHERE i.id = $1 AND rc.version = $2
			ON CONFLICT (item_id) DO UPDATE SET recording_version = excluded.recording_version, sha256 = excluded.sha256`, i.item, i.version, sum)
	}
	if err := sound.Close(); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		// Whoever deletes items waits, as for a freeze.
		if _, err := tx.Exec(ctx, `LOCK TABLE dataset_version_strata IN ROW EXCLUSIVE MODE`); err != nil {
			return fmt.Errorf("keep items from being deleted: %w", err)
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("hashes of recording %d: %w", items[0].recording, err)
		}
		return nil
	})
}

// soundHash is the SHA-256 of a clip as a WAV file.
func soundHash(sound *Sound, clip audio.Clip) ([]byte, error) {
	digest := sha256.New()
	if err := sound.WriteClip(digest, clip, nil); err != nil {
		return nil, err
	}
	return digest.Sum(nil), nil
}
