package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/audio"
	"fiducial/store/blob"
)

// A recording that other items are spans of stays, with what an erasure takes of it overwritten by silence, in its own encoding. One that
// cannot be overwritten since its encoding is another's is replaced by the sound that was made of it. Whoever is stopped in between
// does it again: silence that is silenced is the same.

const (
	// eraseSounds is how many recordings are written anew at once.
	eraseSounds = 2

	soundLock = 0x736f756e // with a recording's id: one at a time writes it anew
)

// erasedSpan is what of a recording goes.
type erasedSpan struct {
	Recording    int64
	Channel      int
	Begins, Ends *float64 // nil: from its beginning, to its end
}

// silenceSounds overwrites what items are in the recordings that stay.
func (r *erasureRun) silenceSounds(ctx context.Context, items []int64) error {
	if len(items) == 0 {
		return nil
	}
	rows, err := r.pool.Query(ctx, `
		SELECT i.recording_id AS recording, i.channel, i.begins, i.ends FROM items i WHERE i.id = ANY($1) AND i.recording_id IS NOT NULL
		  AND EXISTS (SELECT FROM items o WHERE o.recording_id = i.recording_id AND o.id <> ALL($1)) ORDER BY i.recording_id, i.begins`, items)
	if err != nil {
		return fmt.Errorf("sounds: %w", err)
	}
	spans, err := pgx.CollectRows(rows, pgx.RowToStructByName[erasedSpan])
	if err != nil {
		return fmt.Errorf("sounds: %w", err)
	}
	r.silenced = map[int64]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(eraseSounds)
	for len(spans) > 0 {
		n := 1
		for n < len(spans) && spans[n].Recording == spans[0].Recording {
			n++
		}
		of := spans[:n]
		spans = spans[n:]
		r.silenced[of[0].Recording] = true
		group.Go(func() error {
			if err := r.silenceIn(ctx, of[0].Recording, of); err != nil {
				return fmt.Errorf("silence in recording %d: %w", of[0].Recording, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// silenceIn overwrites spans of a recording. Nobody else writes it meanwhile.
func (r *erasureRun) silenceIn(ctx context.Context, recording int64, spans []erasedSpan) (err error) {
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	key := int32(recording % math.MaxInt32)
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1, $2)`, soundLock, key); err != nil {
		return err
	}
	defer func() {
		_, unlocked := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1, $2)`, soundLock, key)
		err = errors.Join(err, unlocked)
	}()
	w := rewrittenSound{Store: r.Store, conn: conn, recording: recording, spans: spans}
	if err := w.read(ctx); err != nil || w.gone {
		return err
	}
	return w.write(ctx)
}

// rewrittenSound is a recording that is written anew.
type rewrittenSound struct {
	*Store

	conn      *pgxpool.Conn
	recording int64
	spans     []erasedSpan

	gone      bool   // there is nothing to be overwritten
	state     string // of the recording
	kind      string // of the object that is read: original, or sound where that needs a converter
	bytes     int64
	mime      string
	sound     *audio.Sound
	stretches []audio.Stretch
	assets    []soundAsset
}

// read finds what is to be overwritten.
func (w *rewrittenSound) read(ctx context.Context) error {
	err := w.conn.QueryRow(ctx, `
		SELECT r.state, a.kind, a.bytes, a.content_type FROM recordings r JOIN recording_assets a ON a.recording_id = r.id AND a.kind IN ('original', 'sound')
		WHERE r.id = $1 ORDER BY a.kind = 'sound' DESC LIMIT 1`, w.recording).Scan(&w.state, &w.kind, &w.bytes, &w.mime)
	if errors.Is(err, pgx.ErrNoRows) {
		w.gone = true
		return nil
	}
	if err != nil {
		return err
	}
	object, err := w.blobs.Ranges(ctx, RecordingKey(w.recording, w.kind), w.bytes)
	if errors.Is(err, blob.ErrNotFound) {
		w.gone = true
		return nil
	}
	if err != nil {
		return err
	}
	w.sound, err = audio.Open(object, w.bytes)
	if _, refused := errors.AsType[*audio.RefusedError](err); refused {
		return w.unreadable(ctx)
	}
	if err != nil {
		return err
	}
	for _, span := range w.spans {
		w.stretches = append(w.stretches, stretchOf(w.sound, span.Channel, span.Begins, span.Ends))
	}
	return nil
}

// stretchOf are the frames that are nearest to a span: those that are heard as the item, so that items that meet lose nothing of each other.
func stretchOf(sound *audio.Sound, channel int, begins, ends *float64) audio.Stretch {
	frame := func(seconds float64) int64 {
		return int64(math.Round(min(max(seconds*float64(sound.Rate), 0), float64(sound.Frames))))
	}
	s := audio.Stretch{Channel: channel, End: sound.Frames}
	if begins != nil {
		s.First = frame(*begins)
	}
	if ends != nil {
		s.End = frame(*ends)
	}
	return s
}

// unreadable deletes a file that nobody can hear, so that nothing in it can be overwritten either. One that is being read will be readable.
func (w *rewrittenSound) unreadable(ctx context.Context) error {
	if w.state == "processing" {
		return errors.New("it is still being read")
	}
	w.gone = true
	if err := w.blobs.DeleteKeys(ctx, objectsOfRecordings([]int64{w.recording})); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`DELETE FROM recording_assets WHERE recording_id = $1`, w.recording)
		batch.Queue(`UPDATE recordings SET state = 'broken', version = version + 1,
			fault = 'A part of it was erased, and the file could not be read to overwrite that alone: it was deleted.' WHERE id = $1`, w.recording)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// write stores the original with the silence in it, and what is made of it, then says so.
func (w *rewrittenSound) write(ctx context.Context) error {
	mime := w.mime
	if w.kind == "sound" {
		mime = "audio/wav"
	}
	if err := w.keepSilenced(ctx, mime); err != nil {
		return err
	}
	if err := w.outline(ctx); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error { return w.note(ctx, tx) })
	if errors.Is(err, ErrNotFound) { // erased meanwhile: leave nothing behind
		return w.blobs.DeleteKeys(ctx, objectsOfRecordings([]int64{w.recording}))
	}
	if err != nil {
		return err
	}
	// The original can be read by itself now.
	return w.blobs.DeleteKeys(ctx, []string{RecordingKey(w.recording, "sound")})
}

// keepSilenced stores the original.
func (w *rewrittenSound) keepSilenced(ctx context.Context, mime string) (err error) {
	source, err := w.blobs.Get(ctx, RecordingKey(w.recording, w.kind))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if source.Size != w.bytes {
		return fmt.Errorf("the object has %d bytes, and %d are known", source.Size, w.bytes)
	}
	return w.keep(ctx, "original", mime, w.sound.Silence(source, w.stretches), w.bytes)
}

// keep stores bytes of the recording and remembers what they are.
func (w *rewrittenSound) keep(ctx context.Context, kind, mime string, content io.Reader, size int64) error {
	sum := sha256.New()
	if _, err := w.blobs.Put(ctx, RecordingKey(w.recording, kind), io.TeeReader(content, sum), size, mime); err != nil {
		return err
	}
	w.assets = append(w.assets, soundAsset{Kind: kind, ContentType: mime, Bytes: size, SHA256: sum.Sum(nil)})
	return nil
}

// outline makes the outlines anew.
func (w *rewrittenSound) outline(ctx context.Context) error {
	object, err := w.blobs.Ranges(ctx, RecordingKey(w.recording, "original"), w.bytes)
	if err != nil {
		return err
	}
	sound, err := audio.Open(object, w.bytes)
	if err != nil {
		return err
	}
	outlines, err := sound.Outlines()
	if err != nil {
		return err
	}
	peaks, err := audio.AppendOutlines(nil, outlines)
	if err != nil {
		return err
	}
	return w.keep(ctx, "peaks", "application/octet-stream", bytes.NewReader(peaks), int64(len(peaks)))
}

// note writes what the recording is now, and what was silenced in it.
func (w *rewrittenSound) note(ctx context.Context, tx pgx.Tx) error {
	tag, err := tx.Exec(ctx, `UPDATE recordings SET version = version + 1, encoding = CASE WHEN $2 THEN $3 ELSE encoding END WHERE id = $1`,
		w.recording, w.kind == "sound", fmt.Sprintf("%s, %d bit", w.sound.Encoding, w.sound.Bits))
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	batch := &pgx.Batch{}
	for _, a := range w.assets {
		batch.Queue(`
			INSERT INTO recording_assets (recording_id, kind, content_type, bytes, sha256) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (recording_id, kind) DO UPDATE SET content_type = excluded.content_type, bytes = excluded.bytes, sha256 = excluded.sha256, created_at = now()`,
			w.recording, a.Kind, a.ContentType, a.Bytes, a.SHA256)
	}
	batch.Queue(`DELETE FROM recording_assets WHERE recording_id = $1 AND kind = 'sound'`, w.recording)
	batch.Queue(`DELETE FROM item_waves WHERE item_id IN (SELECT id FROM items WHERE recording_id = $1)`, w.recording) // drawn before
	rate := float64(w.sound.Rate)
	for i, span := range w.spans {
		begins, ends := float64(w.stretches[i].First)/rate, float64(w.stretches[i].End)/rate
		if span.Begins != nil {
			begins = *span.Begins
		}
		if span.Ends != nil {
			ends = *span.Ends
		}
		if ends <= begins {
			continue
		}
		batch.Queue(`
			INSERT INTO recording_silences (recording_id, channel, begins, ends) VALUES ($1, $2, $3, $4)
			ON CONFLICT (recording_id, channel, begins) DO UPDATE SET ends = greatest(recording_silences.ends, excluded.ends)`, w.recording, span.Channel, begins, ends)
	}
	return tx.SendBatch(ctx, batch).Close()
}

// soundAsset is bytes of a recording that were stored.
type soundAsset struct {
	Kind, ContentType string
	Bytes             int64
	SHA256            []byte
}
