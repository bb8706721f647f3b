package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/speech"
)

// UnreadRecording is a recording whose original is to be read.
type UnreadRecording struct {
	State       string
	ContentType string // of the original, as it was found to be
	Version     int    // what is read of it holds for
}

// RecordingToRead returns what is known of a recording before it is read, or ErrNotFound when it or its original is not there
// (any more).
func (s *Store) RecordingToRead(ctx context.Context, recording int64) (u UnreadRecording, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT r.state, a.content_type, r.version FROM recordings r JOIN recording_assets a ON a.recording_id = r.id AND a.kind = 'original'
		WHERE r.id = $1`, recording).Scan(&u.State, &u.ContentType, &u.Version)
	if err != nil {
		return u, fmt.Errorf("recording %d to read: %w", recording, notFound(err))
	}
	return u, nil
}

// RecordingAsset is stored bytes of a recording.
type RecordingAsset struct {
	Kind        string // original, sound or peaks
	ContentType string
	Bytes       int64
	SHA256      []byte
}

// ReadRecording is what reading a recording came to. Assets were made of the original; their bytes are stored already.
type ReadRecording struct {
	Version        int    // of the recording that was read
	Encoding       string // for people
	Rate, Channels int
	Frames         int64
	Assets         []RecordingAsset
}

func (r ReadRecording) seconds() float64 { return float64(r.Frames) / float64(r.Rate) }

// SetRead records what a recording is and makes it ready, and with it the items that are spans of it: their spans are fitted
// into it, and so is what was written down of them; an item that does not fit is broken. It returns ErrNotFound if the recording has been erased
// meanwhile. Doing it again changes nothing.
func (s *Store) SetRead(ctx context.Context, recording int64, read ReadRecording) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		// The recording first, as whoever adds items to it does: then none is missed.
		var project int64
		err := tx.QueryRow(ctx, `
			UPDATE recordings SET state = 'ready', fault = '', encoding = $2, rate = $3, channels = $4, frames = $5 WHERE id = $1 AND version = $6
			RETURNING project_id`,
			recording, read.Encoding, read.Rate, read.Channels, read.Frames, max(read.Version, 1)).Scan(&project)
		if errors.Is(err, pgx.ErrNoRows) {
			return s.writtenAnew(ctx, tx, recording)
		}
		if err != nil {
			return err
		}
		for _, a := range read.Assets {
			_, err := tx.Exec(ctx, `
				INSERT INTO recording_assets (recording_id, kind, content_type, bytes, sha256) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (recording_id, kind) DO UPDATE SET content_type = excluded.content_type, bytes = excluded.bytes, sha256 = excluded.sha256`,
				recording, a.Kind, a.ContentType, a.Bytes, a.SHA256)
			if err != nil {
				return err
			}
		}
		tasks, err := lockTasksOfRecording(ctx, tx, recording)
		if err != nil {
			return err
		}
		if err := fitItems(ctx, tx, recording, read); err != nil {
			return err
		}
		return reopen(ctx, tx, project, tasks...) // whoever went past them in the queue finds them now
	})
	if err != nil {
		return fmt.Errorf("read recording %d: %w", recording, err)
	}
	return nil
}

// writtenAnew tells a recording that an erasure has changed since it was read, which is read again, from one that is gone.
func (s *Store) writtenAnew(ctx context.Context, tx pgx.Tx, recording int64) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM recordings WHERE id = $1)`, recording).Scan(&there); err != nil {
		return err
	}
	if there {
		return errors.New("an erasure has written it anew since it was read")
	}
	return ErrNotFound
}

// lockTasksOfRecording locks the tasks of a recording's items, as everybody does before they change an item.
func lockTasksOfRecording(ctx context.Context, tx pgx.Tx, recording int64) ([]int64, error) {
	rows, err := tx.Query(ctx, `
		SELECT t.id FROM tasks t JOIN items i ON i.id = t.item_id WHERE i.recording_id = $1 ORDER BY t.id FOR NO KEY UPDATE OF t`, recording)
	if err != nil {
		return nil, fmt.Errorf("tasks: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// span is which part of its recording an item is; nil is the beginning, and the end.
type span struct {
	Item    int64
	Channel int
	Begins  *float64
	Ends    *float64
}

// fitItems fits the items of a recording into it.
func fitItems(ctx context.Context, tx pgx.Tx, recording int64, read ReadRecording) error {
	rows, err := tx.Query(ctx, `
		SELECT id AS item, channel, begins, ends FROM items WHERE recording_id = $1 AND state <> 'ready' ORDER BY id`, recording)
	if err != nil {
		return err
	}
	spans, err := pgx.CollectRows(rows, pgx.RowToStructByName[span])
	if err != nil {
		return err
	}
	for _, sp := range spans {
		fault := sp.fit(read.seconds(), read.Channels)
		if fault == "" {
			if fault, err = fitTruth(ctx, tx, sp, read.Channels); err != nil {
				return err
			}
		}
		if fault != "" {
			if err := breakItems(ctx, tx, `id = $1`, sp.Item, fault); err != nil {
				return err
			}
			continue
		}
		_, err := tx.Exec(ctx, `UPDATE items SET state = 'ready', fault = '', channel = $2, begins = $3, ends = $4 WHERE id = $1`,
			sp.Item, sp.Channel, sp.Begins, sp.Ends)
		if err != nil {
			return fmt.Errorf("item %d: %w", sp.Item, err)
		}
	}
	return nil
}

// spanSlack is how far times may be off the end of a recording, in seconds: whoever writes them down rounds.
const spanSlack = 0.25

// fit makes the span exact for a recording of so many seconds and channels; it returns why it cannot be one of it.
func (s *span) fit(length float64, channels int) (fault string) {
	begins, ends := 0.0, length
	if s.Begins != nil {
		begins = *s.Begins
	}
	if s.Ends != nil {
		ends = *s.Ends
	}
	switch {
	case begins >= length || ends > length+spanSlack:
		return fmt.Sprintf("The utterance is from %s to %s s of a recording that is %s s long. Correct its times, or import the right recording.",
			secondsText(begins), secondsText(ends), secondsText(length))
	case channels == 1:
		s.Channel = 0
	case s.Channel > channels:
		return fmt.Sprintf("The utterance is on channel %d of a recording that has %d. Correct it, or import the right recording.", s.Channel, channels)
	}
	if ends > length || begins == 0 && length-ends <= spanSlack {
		ends = length
	}
	s.Begins, s.Ends = &begins, &ends
	return ""
}

// secondsText is a time for people.
func secondsText(v float64) string { return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64) }

// fitTruth fits what an import wrote down of an item whose span is known now.
func fitTruth(ctx context.Context, tx pgx.Tx, sp span, channels int) (fault string, err error) {
	rows, err := tx.Query(ctx, `SELECT id FROM truths WHERE item_id = $1 AND current`, sp.Item)
	if err != nil {
		return "", fmt.Errorf("truth of item %d: %w", sp.Item, err)
	}
	truths, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(truths) == 0 {
		return "", err
	}
	t, err := transcriptOf(ctx, tx, sp.Item, truthTranscript, truths[0])
	if err != nil {
		return "", err
	}
	fitted, fault := fitTranscript(t, *sp.Ends-*sp.Begins, channels)
	if fault != "" {
		return fault, nil
	}
	if err := fitMoments(ctx, tx, truths[0], *sp.Ends-*sp.Begins, channels); err != nil {
		return "", err
	}
	return "", writeTranscript(ctx, tx, sp.Item, truthTranscript, truths[0], fitted)
}

// endUnknown is up to where a segment goes that is alone and whose end its file did not know, in seconds.
const endUnknown = 0.001

// fitTranscript fits a transcript into an utterance of so many seconds and channels; it returns why it cannot be one of it.
func fitTranscript(t speech.Transcript, length float64, channels int) (fitted speech.Transcript, fault string) {
	fitted = make(speech.Transcript, len(t))
	for i, s := range t {
		if s.End > length+spanSlack || s.Begin >= length {
			return nil, fmt.Sprintf("What was written down goes on to %s s, and the utterance is %s s long. Correct its times, or import the right recording.",
				secondsText(s.End), secondsText(length))
		}
		if s.End > length || len(t) == 1 && s.Begin == 0 && (length-s.End <= spanSlack || s.End <= endUnknown) {
			s.End = length
		}
		if channels == 1 || s.Channel > channels {
			s.Channel = 0
		}
		fitted[i] = s
	}
	return fitted, ""
}

// SetRecordingBroken records that a recording cannot be used, and why, in a sentence for people. Its items and the import that
// brought it say so too.
func (s *Store) SetRecordingBroken(ctx context.Context, recording int64, fault string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE recordings SET state = 'broken', fault = $2 WHERE id = $1`, recording, fault)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotFound
		}
		return breakItems(ctx, tx, `recording_id = $1`, recording, fault)
	})
	if err != nil {
		return fmt.Errorf("broken recording %d: %w", recording, err)
	}
	return nil
}

// breakItems marks the items that meet a condition on $1 as broken, and their results in the last import that was about them as
// refused.
func breakItems(ctx context.Context, tx pgx.Tx, where string, argument int64, fault string) error {
	_, err := tx.Exec(ctx, `
		WITH broken AS (UPDATE items SET state = 'broken', fault = $2 WHERE `+where+` RETURNING id),
		last AS (
			SELECT r.item_id, max(r.id) AS id, r.import_id FROM import_results r JOIN broken b ON b.id = r.item_id
			WHERE r.outcome NOT IN ('refused', 'lost') GROUP BY r.item_id, r.import_id)
		UPDATE import_results SET outcome = 'refused', reason = $2
		WHERE id IN (SELECT id FROM last WHERE import_id = (SELECT max(import_id) FROM last))`, argument, fault)
	if err != nil {
		return fmt.Errorf("broken items: %w", err)
	}
	return nil
}
