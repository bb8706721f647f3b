package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/audio"
	"fiducial/store/blob"
)

// ModelInput is an item as it can be given to a model. Hash is what its outputs are kept by: the SHA-256 of its sound, or of its original
// image; nil where it is not there. Allowed is false where the item's source does not let this model have its data: nothing of it may be
// sent then.
type ModelInput struct {
	Item    int64
	Sound   bool // else an image
	Allowed bool
	Ready   bool // there is something to be sent
	Hash    []byte
	Width   int // pixels of the upright image
	Height  int
	Seconds float64 // of sound

	ContentType string // of what OpenModelInput returns

	recording    int64
	clip         audio.Clip
	image        string // the kind of the asset that is upright
	freshlyHeard bool
}

// ModelInputs returns the items as they can be given to a model version, in the order of their ids; one that was erased meanwhile is not among
// them. It is for jobs.
func (s *Store) ModelInputs(ctx context.Context, modelVersion int64, items []int64) ([]ModelInput, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT i.id, i.recording_id IS NOT NULL, `+reachesModel+`, i.state = 'ready' AND (i.recording_id IS NULL AND o.item_id IS NOT NULL OR rc.state = 'ready' AND i.ends IS NOT NULL),
			coalesce(so.sha256, o.sha256), coalesce(i.width, 0), coalesce(i.height, 0), coalesce(i.ends - coalesce(i.begins, 0), 0),
			coalesce(i.recording_id, 0), i.channel, coalesce(i.begins, 0), coalesce(i.ends, 0), so.item_id IS NOT NULL,
			CASE WHEN i.recording_id IS NOT NULL THEN 'audio/wav' WHEN turned.yes THEN coalesce(d.content_type, '') ELSE coalesce(o.content_type, '') END,
			CASE WHEN turned.yes THEN 'display' ELSE 'original' END
		FROM items i JOIN sources s ON s.id = i.source_id
		LEFT JOIN recordings rc ON rc.id = i.recording_id
		LEFT JOIN item_sounds so ON so.item_id = i.id AND so.recording_version = rc.version
		LEFT JOIN assets o ON o.item_id = i.id AND o.kind = 'original'
		LEFT JOIN assets d ON d.item_id = i.id AND d.kind = 'display'
		CROSS JOIN LATERAL (SELECT d.item_id IS NOT NULL AND coalesce((o.facts->>'orientation')::int, 1) > 1 AS yes) turned
		CROSS JOIN model_versions v JOIN models m ON m.id = v.model_id
		WHERE v.id = $1 AND i.id = ANY ($2) ORDER BY i.id`, modelVersion, items)
	if err != nil {
		return nil, fmt.Errorf("inputs of model version %d: %w", modelVersion, err)
	}
	inputs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (in ModelInput, err error) {
		err = row.Scan(&in.Item, &in.Sound, &in.Allowed, &in.Ready, &in.Hash, &in.Width, &in.Height, &in.Seconds, &in.recording, &in.clip.Channel,
			&in.clip.Begins, &in.clip.Ends, &in.freshlyHeard, &in.ContentType, &in.image)
		return in, err
	})
	if err != nil {
		return nil, fmt.Errorf("inputs of model version %d: %w", modelVersion, err)
	}
	for i := range inputs {
		if err := s.hashInput(ctx, &inputs[i]); err != nil {
			return nil, err
		}
	}
	return inputs, nil
}

// hashInput works out the hash of a sound that no freeze has read as it is now, of an item whose data may be sent.
func (s *Store) hashInput(ctx context.Context, in *ModelInput) error {
	if !in.Sound || !in.Ready || !in.Allowed || in.freshlyHeard {
		return nil
	}
	sound, err := s.OpenSound(ctx, in.recording)
	if errors.Is(err, ErrNotFound) {
		in.Ready = false
		return nil
	}
	if err != nil {
		return err
	}
	in.Hash, err = soundHash(sound, in.clip)
	if err = errors.Join(err, sound.Close()); err != nil {
		return fmt.Errorf("sound of item %d: %w", in.Item, err)
	}
	return nil
}

// OpenModelInput opens what a model is given of an item: its sound as a WAV file, or its image upright. ErrGone means that the bytes are not
// there; a source that does not let the model have them is ErrDenied.
func (s *Store) OpenModelInput(ctx context.Context, in ModelInput) (io.ReadCloser, error) {
	switch {
	case !in.Allowed:
		return nil, fmt.Errorf("item %d for a model: %w", in.Item, ErrDenied)
	case !in.Ready:
		return nil, fmt.Errorf("item %d for a model: %w", in.Item, ErrGone)
	case in.Sound:
		return s.openClip(ctx, in)
	}
	object, err := s.blobs.Get(ctx, AssetKey(in.Item, in.image))
	if errors.Is(err, blob.ErrNotFound) {
		return nil, fmt.Errorf("image of item %d: %w", in.Item, ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("image of item %d: %w", in.Item, err)
	}
	return object, nil
}

// openClip is the item's stretch of its recording, decoded while it is read.
func (s *Store) openClip(ctx context.Context, in ModelInput) (io.ReadCloser, error) {
	sound, err := s.OpenSound(ctx, in.recording)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("sound of item %d: %w", in.Item, ErrGone)
	}
	if err != nil {
		return nil, err
	}
	first, end := sound.Within(in.clip)
	played, err := sound.Play(in.clip.Channel, first, end)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sound of item %d: %w", in.Item, err), sound.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{played, sound}, nil
}

// reachesModel is the condition that the source s lets a model m have its data.
const reachesModel = `('models' = ANY (s.open_to) OR EXISTS (SELECT FROM source_destinations d WHERE d.source_id = s.id AND d.kind = 'models' AND d.name = m.name))`
