package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"fiducial/internal/audio"
	"fiducial/internal/formats"
	"fiducial/store"
)

// clipName is the path of an utterance's own sound: that of the recording where it is all of it, and else one of its own beside it.
func clipName(line *store.ExportLine) fileName {
	name, err := formats.CleanKey(line.Spoken.File)
	if err != nil {
		return fileName{fmt.Sprintf("item-%d.wav", line.Item), err.Error()}
	}
	extension := path.Ext(name)
	stem := strings.TrimSuffix(name, extension)
	switch {
	case !line.Spoken.Whole:
		return fileName{path: fmt.Sprintf("%s-item-%d.wav", stem, line.Item)}
	case !strings.EqualFold(extension, ".wav"):
		return fileName{fmt.Sprintf("%s-item-%d.wav", stem, line.Item), "its sound is written as WAV"}
	case name != line.Spoken.File:
		return fileName{fmt.Sprintf("%s-item-%d.wav", stem, line.Item), "not a plain relative path"}
	}
	return fileName{path: name}
}

// recordingName is the path of the recording itself.
func recordingName(line *store.ExportLine) fileName {
	name, err := formats.CleanKey(line.Spoken.File)
	switch {
	case err != nil:
		return fileName{fmt.Sprintf("recording-%d", line.Spoken.Recording), err.Error()}
	case name != line.Spoken.File:
		return fileName{name, "not a plain relative path"}
	}
	return fileName{path: name}
}

// writeClips writes the sound of every utterance into its place. Utterances of one recording follow each other, so each is opened once.
func (e *exporting) writeClips(ctx context.Context) (err error) {
	var sound *store.Sound
	var of int64
	defer func() {
		if sound != nil {
			err = errors.Join(err, sound.Close())
		}
	}()
	place := e.layout.places()
	return e.lines(ctx, "", func(line *store.ExportLine, name fileName) error {
		if e.mediaOf(line) == noMedia {
			return nil
		}
		if line.Spoken.Recording != of {
			if sound != nil {
				if err := sound.Close(); err != nil {
					return err
				}
			}
			if sound, err = e.store.OpenSound(ctx, line.Spoken.Recording); err != nil {
				sound, of = nil, 0
				if errors.Is(err, store.ErrNotFound) {
					return otherMediaError{line.Item, "sound"}
				}
				return err
			}
			of = line.Spoken.Recording
		}
		if err := e.writeClip(line, sound, place(line, name)); err != nil {
			return err
		}
		if e.written++; e.written%progressStep == 0 {
			return e.store.NoteExport(ctx, e.export.ID, e.written)
		}
		return nil
	})
}

// writeClip writes one, after it made sure that it is what was frozen.
func (e *exporting) writeClip(line *store.ExportLine, sound *store.Sound, name string) error {
	clip := audio.Clip{Begins: line.Sound.Begin, Ends: line.Sound.End, Channel: line.Sound.Channel}
	silent := e.tell(line).silent
	digest := sha256.New()
	if len(silent) > 0 {
		if err := sound.WriteClip(digest, clip, nil); err != nil {
			return err
		}
	}
	err := e.zip.add(name, func(w io.Writer) error {
		if len(silent) == 0 {
			w = io.MultiWriter(w, digest)
		}
		return sound.WriteClip(w, clip, silent)
	})
	if err == nil && !line.Spoken.Silenced && !bytes.Equal(digest.Sum(nil), line.Media) {
		return otherMediaError{line.Item, "sound"}
	}
	return err
}
