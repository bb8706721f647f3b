package audio_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"fiducial/internal/audio"
)

// What is silenced is silent, and no other byte of the file has changed, in every encoding.
func TestSilence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.IntRange(1, 3).Draw(t, "channels")
		file, header, frame := soundOf(t, channels)
		sound, err := open(file)
		if err != nil {
			t.Fatal(err)
		}
		var stretches []audio.Stretch
		for range rapid.IntRange(1, 3).Draw(t, "stretches") {
			first := rapid.Int64Range(0, sound.Frames).Draw(t, "first")
			stretches = append(stretches, audio.Stretch{
				Channel: rapid.IntRange(0, channels).Draw(t, "channel"), First: first, End: rapid.Int64Range(first, sound.Frames+2).Draw(t, "end"),
			})
		}
		written, err := io.ReadAll(iotest.HalfReader(sound.Silence(bytes.NewReader(file), stretches)))
		if err != nil || len(written) != len(file) {
			t.Fatalf("%d bytes of %d: %v", len(written), len(file), err)
		}
		silenced, err := open(written)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range stretches {
			if quiet, err := silenced.Silent(s); err != nil || !quiet {
				t.Fatalf("%+v is not silent: %v", s, err)
			}
		}
		for i := range file {
			meant := false
			for _, s := range stretches {
				at := int64((i - header) / frame)
				channel := (i - header) % frame / (frame / channels)
				meant = meant || i >= header && at >= s.First && at < s.End && (s.Channel == 0 || channel == s.Channel-1)
			}
			if !meant && i < header+int(sound.Frames)*frame && written[i] != file[i] {
				t.Fatalf("byte %d has changed", i)
			}
		}
	})
}
