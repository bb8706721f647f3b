package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/speech"
)

// ItemSound is what an item of sound has that one of an image has not.
type ItemSound struct {
	Recording int64  // 0 of a redaction, which has none
	Encoding  string // for people; empty until the recording was read
	Rate      int    // frames a second
	Channels  int    // of the recording
	Seconds   float64
	Channel   int // which one the item is, from 1; 0: all
	Begins    float64
	Ends      float64 // 0 until the recording was read
	Parts     int     // how many items are of this recording

	Assets     []RecordingAsset            `db:"-"`
	Truth      speech.Transcript           `db:"-"`
	Answers    map[int64]speech.Transcript `db:"-"` // by annotation
	Hypotheses []ItemHypothesis            `db:"-"` // once the item is decided
}

// ItemHypothesis is what a model version heard in an item.
type ItemHypothesis struct {
	Model      string // NAME@VERSION, "" for a prefill of unnamed origin
	Purpose    string
	Confidence *float64
	Words      int
	Text       string
}

// undecided tells whether what is said of the item may still depend on what people see.
func (i *Item) undecided() bool { return i.TaskState == "open" || i.TaskState == "in_review" }

// itemSound adds what belongs to an item of sound. What models heard stays out until the item is decided: whoever decides about it
// asks for that at the review, where it is noted.
func (s *Store) itemSound(ctx context.Context, item *Item) error {
	rows, err := s.pool.Query(ctx, `
		SELECT coalesce(r.id, 0) AS recording, coalesce(r.encoding, '') AS encoding, coalesce(r.rate, 0) AS rate, coalesce(r.channels, 0) AS channels,
			coalesce(r.frames::float8 / r.rate, 0) AS seconds, i.channel, coalesce(i.begins, 0) AS begins, coalesce(i.ends, 0) AS ends,
			(SELECT count(*) FROM items o WHERE o.recording_id = r.id) AS parts
		FROM items i LEFT JOIN recordings r ON r.id = i.recording_id
		WHERE i.id = $1 AND (i.recording_id IS NOT NULL OR i.state = 'redacted')`, item.ID)
	if err != nil {
		return fmt.Errorf("sound: %w", err)
	}
	sounds, err := pgx.CollectRows(rows, pgx.RowToStructByName[ItemSound])
	if err != nil || len(sounds) == 0 {
		return err
	}
	sound := &sounds[0]
	item.Sound = sound
	if rows, err = s.pool.Query(ctx, `
		SELECT kind, content_type, bytes, sha256 FROM recording_assets WHERE recording_id = $1 ORDER BY kind`, sound.Recording); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	if sound.Assets, err = pgx.CollectRows(rows, pgx.RowToStructByName[RecordingAsset]); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	if err := s.itemTranscripts(ctx, item); err != nil || item.undecided() {
		return err
	}
	return s.itemHypotheses(ctx, item)
}

// itemTranscripts adds what was written down: the truth, and what each answer has.
func (s *Store) itemTranscripts(ctx context.Context, item *Item) error {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := s.pool.Query(ctx, `
		SELECT x.kind, x.of_id, x.segments FROM transcripts x
		WHERE x.item_id = $1 AND (x.kind = $2 OR x.kind = $3 AND x.of_id = (SELECT id FROM truths WHERE item_id = $1 AND current))`,
		item.ID, annotationTranscript, truthTranscript)
	if err != nil {
		return fmt.Errorf("transcripts: %w", err)
	}
	item.Sound.Answers = map[int64]speech.Transcript{}
	var kind string
	var of int64
	var t speech.Transcript
	_, err = pgx.ForEachRow(rows, []any{&kind, &of, &t}, func() error {
		if kind == truthTranscript {
			item.Sound.Truth = t
		} else {
			item.Sound.Answers[of] = t
		}
		t = nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("transcripts: %w", err)
	}
	return nil
}

func (s *Store) itemHypotheses(ctx context.Context, item *Item) error {
	rows, err := s.pool.Query(ctx, `
		SELECT coalesce(m.name || '@' || v.version, '') AS model, p.purpose, p.confidence::float8 AS confidence, coalesce(p.words, 0) AS words, h.text
		FROM predictions p JOIN hypotheses h ON h.item_id = p.item_id AND h.prediction_id = p.id
		LEFT JOIN model_versions v ON v.id = p.model_version_id LEFT JOIN models m ON m.id = v.model_id
		WHERE p.item_id = $1 ORDER BY m.name, v.id, p.id`, item.ID)
	if err != nil {
		return fmt.Errorf("hypotheses: %w", err)
	}
	if item.Sound.Hypotheses, err = pgx.CollectRows(rows, pgx.RowToStructByName[ItemHypothesis]); err != nil {
		return fmt.Errorf("hypotheses: %w", err)
	}
	return nil
}
