package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/audio"
	"fiducial/internal/jobargs"
	"fiducial/jobs/media"
	"fiducial/store"
	"fiducial/store/blob"
)

// readingPatience is how long reading one recording may take.
const readingPatience = 2 * time.Hour

// readRecording reads a recording from its original, in ranges, and makes its outlines; what the product cannot read, ffmpeg decodes
// once. Doing it again comes to the same.
type readRecording struct {
	river.WorkerDefaults[jobargs.ReadRecording]
	deps

	converter func() media.Converter
}

// Timeout lets a recording of many hours be read.
func (w *readRecording) Timeout(*river.Job[jobargs.ReadRecording]) time.Duration {
	return readingPatience
}

func (w *readRecording) Work(ctx context.Context, job *river.Job[jobargs.ReadRecording]) error {
	id := job.Args.RecordingID
	unread, err := w.store.RecordingToRead(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil // erased meanwhile
	}
	if err != nil || unread.State == "ready" { // people may be hearing what another run has made
		return err
	}
	read, err := w.read(ctx, id, unread.ContentType)
	if refused, ok := errors.AsType[*audio.RefusedError](err); ok {
		err = w.store.SetRecordingBroken(ctx, id, refused.Sentence)
	} else if err == nil {
		read.Version = unread.Version
		err = w.store.SetRead(ctx, id, read)
	}
	if errors.Is(err, store.ErrNotFound) { // erased while it was read: leave nothing behind
		_, err = w.blobs.DeletePrefix(ctx, fmt.Sprintf("recordings/%d/", id))
	}
	return err
}

// read stores what is made of the recording and says what it is. An error that is the recording's own fault is an audio.RefusedError.
func (w *readRecording) read(ctx context.Context, id int64, contentType string) (read store.ReadRecording, err error) {
	original, err := w.blobs.Get(ctx, store.RecordingKey(id, "original"))
	if errors.Is(err, blob.ErrNotFound) {
		return read, &audio.RefusedError{Reason: audio.Empty, Sentence: "The recording's file is missing from the object storage: import it again."}
	}
	if err != nil {
		return read, err
	}
	defer func() { err = errors.Join(err, original.Close()) }()
	sound, err := audio.Open(original, original.Size)
	if err == nil {
		read.Encoding = fmt.Sprintf("%s, %d bit", sound.Encoding, sound.Bits)
		return read, w.outline(ctx, id, sound, &read)
	}
	refused, ok := errors.AsType[*audio.RefusedError](err)
	if !ok || refused.Reason != audio.Foreign {
		return read, err
	}
	read.Encoding = media.SoundName(contentType)
	return read, w.convert(ctx, id, contentType, original, &read)
}

// convert has a recording decoded, and reads what comes of it.
func (w *readRecording) convert(ctx context.Context, id int64, contentType string, original *blob.Object, read *store.ReadRecording) (err error) {
	from, err := scratchFile()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := scratchFile()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if _, err := original.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(from, original); err != nil {
		return fmt.Errorf("original of recording %d: %w", id, err)
	}
	if err := w.converter().Convert(ctx, contentType, from, to); err != nil {
		return err
	}
	size, err := to.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	sound, err := audio.Open(to, size)
	if err != nil {
		return err
	}
	asset, err := w.keep(ctx, id, "sound", media.WAV, io.NewSectionReader(to, 0, size))
	if err != nil {
		return err
	}
	read.Assets = append(read.Assets, asset)
	return w.outline(ctx, id, sound, read)
}

// outline stores the outlines of a sound, and notes what it is.
func (w *readRecording) outline(ctx context.Context, id int64, sound *audio.Sound, read *store.ReadRecording) error {
	read.Rate, read.Channels, read.Frames = sound.Rate, sound.Channels, sound.Frames
	outlines, err := sound.Outlines()
	if err != nil {
		return fmt.Errorf("recording %d: %w", id, err)
	}
	peaks, err := audio.AppendOutlines(nil, outlines)
	if err != nil {
		return fmt.Errorf("recording %d: %w", id, err)
	}
	asset, err := w.keep(ctx, id, "peaks", "application/octet-stream", io.NewSectionReader(bytes.NewReader(peaks), 0, int64(len(peaks))))
	read.Assets = append(read.Assets, asset)
	return err
}

// keep stores bytes that were made of a recording.
func (w *readRecording) keep(ctx context.Context, id int64, kind, contentType string, content *io.SectionReader) (asset store.RecordingAsset, err error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return asset, fmt.Errorf("%s of recording %d: %w", kind, id, err)
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return asset, err
	}
	if _, err := w.blobs.Put(ctx, store.RecordingKey(id, kind), content, content.Size(), contentType); err != nil {
		return asset, err
	}
	return store.RecordingAsset{Kind: kind, ContentType: contentType, Bytes: content.Size(), SHA256: sum.Sum(nil)}, nil
}
