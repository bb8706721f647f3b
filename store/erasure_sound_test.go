package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"fiducial/internal/access"
	"fiducial/internal/audio"
	"fiducial/internal/erasure"
	"fiducial/store/storetest"
)

// admin is somebody who may erase.
func (b *booth) admin(tb testing.TB) Actor {
	tb.Helper()
	return b.hire(tb, access.Admin)
}

// erase erases items.
func (b *booth) erase(tb testing.TB, who Actor, items ...int64) Erasure {
	tb.Helper()
	return b.erased(tb, who, b.ask(tb, who, items...))
}

// ask previews the erasure of items.
func (b *booth) ask(tb testing.TB, who Actor, items ...int64) Erasure {
	tb.Helper()
	r := ErasureRequest{Scope: ScopeItems, Reason: "Ticket 17"}
	for i, item := range items {
		r.Items = append(r.Items, erasure.Named{Line: i + 1, ID: item})
	}
	e, err := b.PreviewErasure(tb.Context(), who, r)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// erased runs an erasure to its end.
func (b *booth) erased(tb testing.TB, who Actor, e Erasure) Erasure {
	tb.Helper()
	if err := b.ConfirmErasure(tb.Context(), who, e.ID); err != nil {
		tb.Fatal(err)
	}
	if err := b.RunErasure(tb.Context(), e.ID); err != nil {
		tb.Fatal(err)
	}
	e, err := b.Erasure(tb.Context(), who, e.ID)
	if err != nil {
		tb.Fatal(err)
	}
	if e.State != ErasureErased || e.Proof.Total() != 0 {
		tb.Fatalf("it is %s: %s", e.State, e.Error)
	}
	return e
}

// object returns the bytes of an object, nil if there is none.
func (b *booth) object(tb testing.TB, recording int64, kind string) []byte {
	tb.Helper()
	object, err := b.blobs.Get(tb.Context(), RecordingKey(recording, kind))
	if err != nil {
		return nil
	}
	content, err := io.ReadAll(object)
	if err := errors.Join(err, object.Close()); err != nil {
		tb.Fatal(err)
	}
	return content
}

func opened(tb testing.TB, file []byte) *audio.Sound {
	tb.Helper()
	sound, err := audio.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		tb.Fatal(err)
	}
	return sound
}

// wantChecksums compares every object of a recording with its row.
func (b *booth) wantChecksums(tb testing.TB, recording int64, kinds ...string) {
	tb.Helper()
	var known []string
	b.scan(tb, &known, `SELECT coalesce(array_agg(kind ORDER BY kind), '{}') FROM recording_assets WHERE recording_id = $1`, recording)
	if !slices.Equal(known, kinds) {
		tb.Errorf("recording %d has %v, want %v", recording, known, kinds)
	}
	for _, kind := range recordingKinds {
		content := b.object(tb, recording, kind)
		if slices.Contains(kinds, kind) != (content != nil) {
			tb.Errorf("%s of recording %d is there: %t", kind, recording, content != nil)
			continue
		}
		if content == nil {
			continue
		}
		var same bool
		b.scan(tb, &same, `SELECT bytes = $3 AND sha256 = sha256($4::bytea) FROM recording_assets WHERE recording_id = $1 AND kind = $2`, recording, kind, len(content), content)
		if !same {
			tb.Errorf("%s of recording %d is another than its row says", kind, recording)
		}
	}
}

// An utterance is silenced in its recording, and in nothing else; the others stay, and are heard as before.
func TestErasureSilencesAnUtterance(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	who := b.admin(t)
	before := b.object(t, b.calls.Recordings[0], "original")
	asked := b.ask(t, who, b.calls.Items[1])
	if asked.Counts["recordings"] != 1 || asked.Counts["sound_seconds"] != 1 {
		t.Errorf("the preview counts %v", asked.Counts)
	}
	e := b.erased(t, who, asked)
	if e.Erased["items"] != 1 || e.Erased["recordings_silenced"] != 1 || e.Erased["sound_seconds"] != 1 || e.Erased["recordings"] != 0 {
		t.Errorf("erased %v", e.Erased)
	}
	after := b.object(t, b.calls.Recordings[0], "original")
	first, end := 44+2*storetest.SpeechRate, 44+2*2*storetest.SpeechRate
	if !bytes.Equal(after[:first], before[:first]) || !bytes.Equal(after[end:], before[end:]) || len(bytes.Trim(after[first:end], "\x00")) != 0 {
		t.Error("something else was overwritten than its second")
	}
	b.wantChecksums(t, b.calls.Recordings[0], "original", "peaks")
	outlines, err := audio.ParseOutlines(b.object(t, b.calls.Recordings[0], "peaks"))
	if err != nil {
		t.Fatal(err)
	}
	finest := outlines[len(outlines)-1]
	if loud := bytes.Trim(asUnsigned(finest.Peaks[2*storetest.SpeechRate/finest.Bucket:2*2*storetest.SpeechRate/finest.Bucket]), "\x00"); len(loud) > 0 {
		t.Error("the outline still shows it")
	}
	var version int
	var span [2]float64
	b.scan(t, &version, `SELECT version FROM recordings WHERE id = $1`, b.calls.Recordings[0])
	if err := b.pool.QueryRow(t.Context(), `SELECT begins, ends FROM recording_silences WHERE recording_id = $1`, b.calls.Recordings[0]).Scan(&span[0], &span[1]); err != nil {
		t.Fatal(err)
	}
	if version != 2 || span != [2]float64{1, 2} {
		t.Errorf("version %d, silent from %v to %v", version, span[0], span[1])
	}
	if sound := b.play(t, b.reviewer, b.calls.Items[2]); sound.Seconds() != 2 {
		t.Errorf("the next is heard for %v seconds", sound.Seconds())
	}
}

func asUnsigned(peaks []int8) []byte {
	raw := make([]byte, len(peaks))
	for i, p := range peaks {
		raw[i] = byte(p)
	}
	return raw
}

// With its last item, whenever that goes, a recording goes as a whole.
func TestErasureOfTheLastUtterance(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	who := b.admin(t)
	b.erase(t, who, b.calls.Items[0], b.calls.Items[1])
	b.wantChecksums(t, b.calls.Recordings[0], "original", "peaks")
	e := b.erase(t, who, b.calls.Items[2], b.calls.Items[3])
	if e.Erased["recordings"] != 1 || e.Erased["recording_original"] != 1 || e.Erased["recording_peaks"] != 1 || e.Erased["recording_silences"] != 2 {
		t.Errorf("erased %v", e.Erased)
	}
	b.wantChecksums(t, b.calls.Recordings[0])
	var left int
	b.scan(t, &left, `SELECT count(*) FROM recordings`)
	if left != 1 {
		t.Errorf("%d recordings are left", left)
	}
}

// Of two people on a line, the channel of the item is silenced and the other is not.
func TestErasureOfOneChannel(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	frames := 4 * storetest.SpeechRate
	file := encoded(7, 1, 2, bytes.Repeat([]byte{0x10, 0x20}, frames))
	b.replace(t, b.calls.Recordings[0], file)
	b.exec(t, `UPDATE recordings SET channels = 2 WHERE id = $1`, b.calls.Recordings[0])
	b.exec(t, `UPDATE items SET channel = 2 WHERE id = $1`, b.calls.Items[1])
	b.erase(t, b.admin(t), b.calls.Items[1])
	want := slices.Clone(file)
	for i := storetest.SpeechRate; i < 2*storetest.SpeechRate; i++ {
		want[44+2*i+1] = 0xff // silence in µ-law
	}
	if !bytes.Equal(b.object(t, b.calls.Recordings[0], "original"), want) {
		t.Error("something else was overwritten")
	}
}

// encoded is a WAV file of samples that are written already.
func encoded(tag, bytes, channels int, data []byte) []byte {
	little := binary.LittleEndian
	head := append([]byte("RIFF"), 0, 0, 0, 0)
	head = append(head, "WAVEfmt \x10\x00\x00\x00"...)
	head = little.AppendUint16(little.AppendUint16(head, uint16(tag)), uint16(channels))
	head = little.AppendUint32(head, storetest.SpeechRate)
	head = little.AppendUint32(head, uint32(storetest.SpeechRate*bytes*channels))
	head = little.AppendUint16(little.AppendUint16(head, uint16(bytes*channels)), uint16(8*bytes))
	head = little.AppendUint32(append(head, "data"...), uint32(len(data)))
	little.PutUint32(head[4:], uint32(len(head)+len(data)-8))
	return append(head, data...)
}

// What cannot be overwritten in its own encoding is replaced by the sound that was made of it.
func TestErasureOfACompressedRecording(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	recording := b.calls.Recordings[0]
	made := b.object(t, recording, "original")
	for kind, content := range map[string][]byte{"original": []byte("fLaC and so on"), "sound": made} {
		if _, err := b.blobs.Put(t.Context(), RecordingKey(recording, kind), bytes.NewReader(content), int64(len(content)), "audio/flac"); err != nil {
			t.Fatal(err)
		}
		b.exec(t, `INSERT INTO recording_assets (recording_id, kind, content_type, bytes, sha256) VALUES ($1, $2, 'audio/flac', $3, sha256($4))
			ON CONFLICT (recording_id, kind) DO UPDATE SET content_type = excluded.content_type, bytes = excluded.bytes, sha256 = excluded.sha256`,
			recording, kind, len(content), content)
	}
	b.erase(t, b.admin(t), b.calls.Items[1])
	b.wantChecksums(t, recording, "original", "peaks")
	silent, err := opened(t, b.object(t, recording, "original")).Silent(audio.Stretch{First: storetest.SpeechRate, End: 2 * storetest.SpeechRate})
	if err != nil || !silent {
		t.Errorf("it is not silent there: %v", err)
	}
	if sound := b.play(t, b.reviewer, b.calls.Items[2]); sound == nil || sound.Seconds() != 2 {
		t.Error("the next is not heard any more")
	}
	var mime string
	b.scan(t, &mime, `SELECT content_type FROM recording_assets WHERE recording_id = $1 AND kind = 'original'`, recording)
	if mime != "audio/wav" {
		t.Errorf("the original is %s", mime)
	}
}

// A file that nobody can read cannot be overwritten in part.
func TestErasureInAnUnreadableRecording(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	recording := b.calls.Recordings[0]
	b.replace(t, recording, []byte("ID3 and so on"))
	b.exec(t, `UPDATE recordings SET state = 'broken' WHERE id = $1`, recording)
	b.erase(t, b.admin(t), b.calls.Items[1])
	b.wantChecksums(t, recording)
	var fault string
	b.scan(t, &fault, `SELECT fault FROM recordings WHERE id = $1`, recording)
	if fault == "" {
		t.Error("nobody is told why it is gone")
	}
}

// Whatever step it is stopped before, running it again does the rest: in the recording that stays and in the one that goes.
func TestErasureOfSoundStoppedAtEachStep(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		b := newBooth(t)
		who := b.admin(t)
		e := b.ask(t, who, slices.Concat(b.calls.Items[1:2], b.calls.Items[4:])...)
		if err := b.ConfirmErasure(t.Context(), who, e.ID); err != nil {
			t.Fatal(err)
		}
		g := &grave{Store: b.Store}
		stopped := g.runUntil(t, e.ID, n)
		if stopped == "" {
			if n < 9 {
				t.Errorf("there were only %d steps", n)
			}
			return
		}
		e = b.erased(t, who, e)
		if e.Erased["recordings"] != 1 || e.Erased["recordings_silenced"] != 1 || e.Erased["sound_seconds"] != 5 {
			t.Errorf("after a stop before %q: %v", stopped, e.Erased)
		}
		b.wantChecksums(t, b.calls.Recordings[0], "original", "peaks")
		b.wantChecksums(t, b.calls.Recordings[1])
		silent, err := opened(t, b.object(t, b.calls.Recordings[0], "original")).Silent(audio.Stretch{First: storetest.SpeechRate, End: 2 * storetest.SpeechRate})
		if err != nil || !silent {
			t.Errorf("after a stop before %q it is heard: %v", stopped, err)
		}
	}
}

// Two erasures that take two utterances of one recording at once both silence it.
func TestErasuresOfOneRecordingAtOnce(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	who := b.admin(t)
	var ids []int64
	for _, item := range b.calls.Items[:3] {
		e := b.ask(t, who, item)
		if err := b.ConfirmErasure(t.Context(), who, e.ID); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	done := make(chan error)
	for _, id := range ids {
		go func() { done <- b.RunErasure(t.Context(), id) }()
	}
	for range ids {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	silent, err := opened(t, b.object(t, b.calls.Recordings[0], "original")).Silent(audio.Stretch{End: 3 * storetest.SpeechRate})
	if err != nil || !silent {
		t.Errorf("something is still heard: %v", err)
	}
	b.wantChecksums(t, b.calls.Recordings[0], "original", "peaks")
}

// The proof listens: what is not silent, or came back, fails the erasure.
func TestProofListens(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(b *booth){
		"a stretch that is not silent": func(b *booth) {
			tone := storetest.Tone(t, storetest.SpeechRate, storetest.SpeechSeconds, 300)
			b.replace(t, b.calls.Recordings[0], tone)
		},
		"sound that nothing says is there": func(b *booth) {
			if _, err := b.blobs.Put(t.Context(), RecordingKey(b.calls.Recordings[0], "sound"), bytes.NewReader([]byte("x")), 1, "audio/wav"); err != nil {
				t.Fatal(err)
			}
		},
		"an object of a recording that went": func(b *booth) {
			if _, err := b.blobs.Put(t.Context(), RecordingKey(b.calls.Recordings[1], "original"), bytes.NewReader([]byte("x")), 1, "audio/wav"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		b := newBooth(t)
		who := b.admin(t)
		e := b.ask(t, who, slices.Concat(b.calls.Items[1:2], b.calls.Items[4:])...)
		if err := b.ConfirmErasure(t.Context(), who, e.ID); err != nil {
			t.Fatal(err)
		}
		b.erasureStep = func(step string) {
			if step == "proof" {
				spoil(b)
			}
		}
		if err := b.RunErasure(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
		e, err := b.Erasure(t.Context(), who, e.ID)
		if err != nil || e.State != ErasureFailed || e.Proof.Found[recordingsPlace] != 1 {
			t.Errorf("%s: it is %s: %s, %v", name, e.State, e.Error, err)
		}
	}
}

// A recording of the source that no item ever was of goes with the source.
func TestErasureOfASourceTakesItsRecordings(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	who := b.admin(t)
	var bare int64
	b.scan(t, &bare, `INSERT INTO recordings (project_id, source_id, key_hash) VALUES ($1, $2, '\x01') RETURNING id`, b.calls.Project, b.calls.Source)
	if _, err := b.blobs.Put(t.Context(), RecordingKey(bare, "original"), bytes.NewReader([]byte("x")), 1, "audio/wav"); err != nil {
		t.Fatal(err)
	}
	e, err := b.PreviewErasure(t.Context(), who, ErasureRequest{Scope: ScopeSource, Source: b.calls.Source, Reason: "Ticket 17"})
	if err != nil {
		t.Fatal(err)
	}
	if e.Counts["recordings"] != 2 || e.Counts["sound_seconds"] != 8 {
		t.Errorf("the preview counts %v", e.Counts)
	}
	e = b.erased(t, who, e)
	if e.Erased["recordings"] != 3 {
		t.Errorf("erased %v", e.Erased)
	}
	for _, recording := range append(b.calls.Recordings, bare) {
		b.wantChecksums(t, recording)
	}
	for object, err := range b.blobs.List(t.Context(), "recordings/") {
		t.Errorf("%s is left (%v)", object.Key, err)
	}
}
