package jobs

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fiducial/internal/audio"
	"fiducial/jobs/media"
	"fiducial/store"
	"fiducial/store/storetest"
)

// converterOf is a converter that runs a script of the shell, in which $WAV is a file of two seconds of sound.
func converterOf(t *testing.T, script string) media.Converter {
	t.Helper()
	dir := t.TempDir()
	wav := filepath.Join(dir, "sound.wav")
	if err := os.WriteFile(wav, storetest.Tone(t, 16000, 2, 300), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "ffmpeg")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nWAV="+wav+"\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return media.ConverterAt(program)
}

func TestWhatIsNotWAVIsDecodedOnce(t *testing.T) {
	t.Parallel()
	song := []byte("fLaC and what is behind it")
	files := map[string][]byte{"song.flac": song, "raw.g722": []byte("nothing tells what this is but its name")}
	for _, c := range []struct{ name, script, state, fault string }{
		// It is told what the file is, may open nothing else, and gets it whole.
		{"good", `case "$*" in *"-protocol_whitelist file,pipe -f "*" -i /dev/fd/3 "*) ;; *) exit 9;; esac
			case "$*" in *" -f flac "*) grep -q "what is behind it" /dev/fd/3 || exit 8;; *" -f g722 "*) ;; *) exit 7;; esac
			cat $WAV > /dev/fd/4`, "ready", ""},
		{"damaged", "echo no >&2; exit 1", "broken", "could not decode the file"},
		{"silent", "exit 0", "broken", "empty"},
		{"missing", "", "", "needs ffmpeg on the server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			im := newHearing(t)
			if c.script != "" {
				im.converter = converterOf(t, c.script)
			}
			id := im.upload(store.NewImport{Format: store.FormatAudio, Purpose: store.PurposeMedia}, files)
			if err := im.work(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			im.hear()
			counts, results := im.results(id)
			if c.state == "ready" {
				if n := im.number(`SELECT count(*) FROM recordings r JOIN recording_assets a ON a.recording_id = r.id AND a.kind = 'sound'
					WHERE r.state = 'ready' AND r.rate = 16000 AND r.frames = 32000 AND r.encoding IN ('FLAC', 'G.722') AND a.content_type = 'audio/wav'`); n != 2 {
					t.Errorf("%d recordings were decoded: %+v", n, results)
				}
				return
			}
			if counts.Refused != 2 || im.number(`SELECT count(*) FROM items WHERE state = 'ready'`) != 0 {
				t.Errorf("%+v", results)
			}
			for _, r := range results {
				if !strings.Contains(r.Reason, c.fault) {
					t.Errorf("%s: %s", r.Name, r.Reason)
				}
			}
		})
	}
}

func TestTelephoneSoundIsDecodedByTheRealConverter(t *testing.T) {
	t.Parallel()
	converter := media.FindConverter()
	if !converter.There() {
		t.Skip("ffmpeg is not installed")
	}
	files := filesBelow(t, testData(t, "edge/audio"))
	im := newHearing(t)
	im.converter = converter
	id := im.upload(store.NewImport{Format: store.FormatAudio, Purpose: store.PurposeMedia}, map[string][]byte{
		"made_gsm610.wav": files["made_gsm610.wav"], "asterisk_raw.g722": files["asterisk_raw.g722"], "cut.flac": []byte("fLaC and nothing behind it"),
	})
	if err := im.work(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	im.hear()
	counts, results := im.results(id)
	if counts.Added != 2 || counts.Refused != 1 || im.number(`SELECT count(*) FROM recordings WHERE state = 'ready' AND frames > rate / 10`) != 2 {
		t.Errorf("%+v: %s", results, im.items())
	}
}

func TestOutlinesOfARecordingAreStored(t *testing.T) {
	t.Parallel()
	im := newHearing(t)
	im.run(store.NewImport{Format: store.FormatAudio, Purpose: store.PurposeMedia}, map[string][]byte{"a.wav": storetest.Tone(t, 8000, 60, 200)})
	im.hear()
	object, err := im.blobs.Get(t.Context(), im.text(`SELECT 'recordings/' || id || '/peaks' FROM recordings`))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, object.Size)
	if _, err := object.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := object.Close(); err != nil {
		t.Fatal(err)
	}
	outlines, err := audio.ParseOutlines(b)
	if err != nil || len(outlines) < 3 {
		t.Fatalf("%d outlines: %v", len(outlines), err)
	}
	for i, o := range outlines {
		if o.Rate != 8000 || o.Channels != 1 || i > 0 && o.Bucket >= outlines[i-1].Bucket {
			t.Errorf("outline %d has buckets of %d frames of %d channels at %d Hz", i, o.Bucket, o.Channels, o.Rate)
		}
		for _, v := range o.Peaks[2 : len(o.Peaks)-2] {
			if math.Abs(float64(v)) < 55 || math.Abs(float64(v)) > 65 {
				t.Fatalf("a tone of half the height has a peak of %d in outline %d", v, i)
			}
		}
	}
}
