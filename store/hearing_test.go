package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"fiducial/internal/access"
	"fiducial/internal/audio"
	"fiducial/store/storetest"
)

// booth is a project of two calls of four seconds, each cut into four utterances, and people.
type booth struct {
	*Store
	calls *storetest.Utterances

	reviewer, labeler Actor
}

func newBooth(tb testing.TB) *booth {
	tb.Helper()
	pool, bucket := storetest.Pool(tb), storetest.Bucket(tb)
	st, err := New(pool, bucket)
	if err != nil {
		tb.Fatal(err)
	}
	b := &booth{Store: st, calls: storetest.Speech(tb, pool, bucket, 2, 4, 3)}
	b.reviewer, b.labeler = b.hire(tb, access.Reviewer), b.hire(tb, access.Labeler)
	b.exec(tb, `UPDATE projects SET context_seconds = 0.5`)
	return b
}

func (b *booth) hire(tb testing.TB, role access.Role) Actor {
	tb.Helper()
	var id int64
	b.scan(tb, &id, `INSERT INTO people (role, pseudonym) VALUES ($1, gen_random_uuid()) RETURNING id`, role)
	b.exec(tb, `INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, b.calls.Project, id)
	return Actor{PersonID: id, Role: role}
}

func (b *booth) exec(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	if _, err := b.pool.Exec(tb.Context(), sql, args...); err != nil {
		tb.Fatal(err)
	}
}

func (b *booth) scan(tb testing.TB, into any, sql string, args ...any) {
	tb.Helper()
	if err := b.pool.QueryRow(tb.Context(), sql, args...).Scan(into); err != nil {
		tb.Fatal(err)
	}
}

// hand gives the labeler the task of an item.
func (b *booth) hand(tb testing.TB, who Actor, nth int) {
	tb.Helper()
	b.exec(tb, `INSERT INTO assignments (task_id, project_id, person_id, state, lease_until) VALUES ($1, $2, $3, 'leased', now() + interval '1 hour')`,
		b.calls.Tasks[nth], b.calls.Project, who.PersonID)
}

// play returns what the actor hears, nil for nothing.
func (b *booth) play(tb testing.TB, actor Actor, item int64) *audio.Sound {
	tb.Helper()
	playback, err := b.PlayItem(tb.Context(), actor, item)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		tb.Fatal(err)
	}
	file, err := io.ReadAll(playback.Content)
	if err != nil {
		tb.Fatal(err)
	}
	sound, err := audio.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		tb.Fatal(err)
	}
	return sound
}

// Who hears an item: role × membership × what they have to do with its task.
func TestWhoHearsAnItem(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	handed := map[string]bool{"leased": true, "expired": true, "returned": true, "submitted": true}
	for _, role := range access.Roles() {
		for _, member := range []bool{false, true} {
			for _, state := range []string{"", "leased", "expired", "returned", "submitted", "skipped", "cancelled"} {
				var person int64
				b.scan(t, &person, `INSERT INTO people (role, pseudonym) VALUES ($1, gen_random_uuid()) RETURNING id`, role)
				if member {
					b.exec(t, `INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, b.calls.Project, person)
				}
				if state != "" {
					b.exec(t, `INSERT INTO assignments (task_id, project_id, person_id, state, lease_until)
						VALUES ($1, $2, $3, $4::text, CASE $4::text WHEN 'leased' THEN now() + interval '1 hour' END)`, b.calls.Tasks[1], b.calls.Project, person, state)
				}
				actor := Actor{PersonID: person, Role: role}
				want := role == access.Admin || role == access.Reviewer && member || role != access.Viewer && member && handed[state]
				name := fmt.Sprintf("%s, member %t, assignment %q", role, member, state)
				if got := b.play(t, actor, b.calls.Items[1]) != nil; got != want {
					t.Errorf("%s: hears the item: %t", name, got)
				}
				if _, err := b.PeaksOf(t.Context(), actor, b.calls.Items[1], 0, 0, 100); (err == nil) != want || err != nil && !errors.Is(err, ErrNotFound) {
					t.Errorf("%s: sees its outline: %v", name, err)
				}
				if b.play(t, actor, b.calls.Items[2]) != nil != (role == access.Admin || role == access.Reviewer && member) {
					t.Errorf("%s: hears another item, or does not", name)
				}
			}
		}
	}
}

// An item is heard with what the project lets everybody hear around it, as far as there is as much, and not a frame more.
func TestHearingIsClipped(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	for nth, want := range []Hearing{
		{Begins: 0, Ends: 1, LeftContext: 0, RightContext: 0.5},
		{Begins: 1, Ends: 2, LeftContext: 0.5, RightContext: 0.5},
		{Begins: 3, Ends: 4, LeftContext: 0.5, RightContext: 0},
	} {
		item := b.calls.Items[[]int{0, 1, 3}[nth]]
		h, err := b.SoundOf(t.Context(), b.reviewer, item)
		if err != nil {
			t.Fatal(err)
		}
		if h.Begins != want.Begins || h.Ends != want.Ends || h.LeftContext != want.LeftContext || h.RightContext != want.RightContext || h.Seconds != 1 {
			t.Errorf("item %d is heard so: %+v", nth, h)
		}
		sound := b.play(t, b.reviewer, item)
		if seconds := want.LeftContext + 1 + want.RightContext; sound.Seconds() != seconds || sound.Rate != storetest.SpeechRate {
			t.Errorf("item %d is heard for %v seconds at %d", nth, sound.Seconds(), sound.Rate)
		}
	}
}

// The outline shows what is heard, whichever part of it is asked for, and nothing that lies beside.
func TestPeaksEndWhereTheHearingEnds(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	// The call is silent but for a click right after what may be heard of its second utterance.
	file := clicking(t, 4*storetest.SpeechRate, 2*storetest.SpeechRate+storetest.SpeechRate/2)
	b.replace(t, b.calls.Recordings[0], file)
	for _, span := range [][2]float64{{0, 0}, {1, 2}, {1.9, 0}, {0, 99}} {
		peaks, err := b.PeaksOf(t.Context(), b.reviewer, b.calls.Items[1], span[0], span[1], 37)
		if err != nil {
			t.Fatal(err)
		}
		for _, point := range peaks.Points[0] {
			if point != 0 {
				t.Fatalf("the click shows in %v: %v", span, peaks.Points)
			}
		}
		if peaks.To > 2 || len(peaks.Points[0]) != 74 {
			t.Errorf("%v gives %d points up to %v", span, len(peaks.Points[0])/2, peaks.To)
		}
	}
	next, err := b.PeaksOf(t.Context(), b.reviewer, b.calls.Items[2], 0, 0, 4)
	if err != nil || next.Points[0][5] != 127 {
		t.Errorf("the click of the next utterance does not show: %v, %v", next.Points, err)
	}
	for _, width := range []int{0, -1, MostPoints + 1} {
		var refused *InvalidError
		if _, err := b.PeaksOf(t.Context(), b.reviewer, b.calls.Items[2], 0, 0, width); !errors.As(err, &refused) {
			t.Errorf("%d points: %v", width, err)
		}
	}
}

// clicking is a call of so many frames, silent but for one of them.
func clicking(tb testing.TB, frames, click int) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := audio.NewWriter(&b, storetest.SpeechRate, 1, int64(frames))
	if err != nil {
		tb.Fatal(err)
	}
	samples := make([]float32, frames)
	samples[click] = 1
	if err := errors.Join(w.Write(samples), w.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// replace gives a recording another original.
func (b *booth) replace(tb testing.TB, recording int64, file []byte) {
	tb.Helper()
	if _, err := b.blobs.Put(tb.Context(), RecordingKey(recording, "original"), bytes.NewReader(file), int64(len(file)), "audio/wav"); err != nil {
		tb.Fatal(err)
	}
	b.exec(tb, `UPDATE recording_assets SET bytes = $2 WHERE recording_id = $1 AND kind = 'original'`, recording, len(file))
}

// Of two people on a line, the channel of the item is heard and no other.
func TestHearingOfOneChannel(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	var file bytes.Buffer
	w, err := audio.NewWriter(&file, storetest.SpeechRate, 2, 4*storetest.SpeechRate)
	if err != nil {
		t.Fatal(err)
	}
	samples := make([]float32, 2*4*storetest.SpeechRate)
	for i := 1; i < len(samples); i += 2 {
		samples[i] = 0.5
	}
	if err := errors.Join(w.Write(samples), w.Close()); err != nil {
		t.Fatal(err)
	}
	b.replace(t, b.calls.Recordings[0], file.Bytes())
	b.exec(t, `UPDATE recordings SET channels = 2 WHERE id = $1`, b.calls.Recordings[0])
	for channel, want := range []struct{ channels, low, high int }{{2, 0, 64}, {1, 0, 0}, {1, 64, 64}} {
		b.exec(t, `UPDATE items SET channel = $2 WHERE id = $1`, b.calls.Items[1], channel)
		sound := b.play(t, b.reviewer, b.calls.Items[1])
		peaks, err := b.PeaksOf(t.Context(), b.reviewer, b.calls.Items[1], 0, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		last := len(peaks.Points) - 1
		if sound.Channels != want.channels || last+1 != want.channels || int(peaks.Points[0][0]) != want.low || int(peaks.Points[last][1]) != want.high {
			t.Errorf("channel %d: %d channels, %v", channel, sound.Channels, peaks.Points)
		}
	}
}

// Every encoding that is read natively is heard as 16 bit PCM.
func TestHearingOfEveryEncoding(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	for name, e := range map[string]struct{ tag, bits int }{
		"8 bit": {1, 8}, "24 bit": {1, 24}, "32 bit": {1, 32}, "float": {3, 32}, "A-law": {6, 8}, "µ-law": {7, 8},
	} {
		frames := 4 * storetest.SpeechRate
		little := binary.LittleEndian
		head := append([]byte("RIFF\xff\xff\xff\x7fWAVEfmt \x10\x00\x00\x00"), byte(e.tag), 0, 1, 0)
		head = little.AppendUint32(head, storetest.SpeechRate)
		head = little.AppendUint32(head, uint32(storetest.SpeechRate*e.bits/8))
		head = little.AppendUint16(little.AppendUint16(head, uint16(e.bits/8)), uint16(e.bits))
		head = little.AppendUint32(append(head, "data"...), uint32(frames*e.bits/8))
		b.replace(t, b.calls.Recordings[0], append(head, make([]byte, frames*e.bits/8)...))
		if sound := b.play(t, b.reviewer, b.calls.Items[1]); sound.Seconds() != 2 || sound.Encoding != audio.Signed || sound.Bits != 16 {
			t.Errorf("%s is heard as %v for %v seconds", name, sound.Format, sound.Seconds())
		}
	}
}

func TestHearingIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	b.hand(t, b.labeler, 1)
	for range 3 {
		b.play(t, b.labeler, b.calls.Items[1])
	}
	b.play(t, b.labeler, b.calls.Items[2]) // refused: not heard
	b.play(t, b.reviewer, b.calls.Items[1])
	var minutes, reads int
	b.scan(t, &reads, `SELECT count(*) FROM media_reads WHERE kind = 'sound'`)
	b.scan(t, &minutes, `SELECT count(DISTINCT date_trunc('minute', at)) FROM media_reads`)
	if reads < 2 || reads > 1+minutes { // the labeler's may have been at the turn of a minute
		t.Errorf("%d hearings were noted in %d minutes", reads, minutes)
	}
}

// Who needs to hear more says why; those who read items see it, and nobody else hears more.
func TestWiderContext(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	b.hand(t, b.labeler, 1)
	for _, ask := range []struct {
		seconds int
		reason  string
	}{{10, "  "}, {7, "noise"}, {0, "noise"}, {3600, "noise"}} {
		var refused *InvalidError
		if _, err := b.WidenContext(t.Context(), b.labeler, b.calls.Tasks[1], ask.seconds, ask.reason); !errors.As(err, &refused) {
			t.Errorf("%+v: %v", ask, err)
		}
	}
	if _, err := b.WidenContext(t.Context(), b.labeler, b.calls.Tasks[2], 10, "noise"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a task that is not theirs: %v", err)
	}
	h, err := b.WidenContext(t.Context(), b.labeler, b.calls.Tasks[1], 10, "The name is said before.")
	if err != nil || h.LeftContext != 1 || h.RightContext != 2 || !h.Wider {
		t.Fatalf("heard so: %+v, %v", h, err)
	}
	if sound := b.play(t, b.labeler, b.calls.Items[1]); sound.Seconds() != 4 {
		t.Errorf("heard for %v seconds", sound.Seconds())
	}
	if sound := b.play(t, b.reviewer, b.calls.Items[1]); sound.Seconds() != 2 {
		t.Errorf("another hears %v seconds", sound.Seconds())
	}
	wider, err := b.WiderContexts(t.Context(), b.reviewer, b.calls.Items[1])
	if err != nil || len(wider) != 1 || wider[0].PersonID != b.labeler.PersonID || wider[0].Reason != "The name is said before." || wider[0].Seconds != 10 {
		t.Errorf("shown so: %+v, %v", wider, err)
	}
	if _, err := b.WiderContexts(t.Context(), b.labeler, b.calls.Items[1]); !errors.Is(err, ErrDenied) {
		t.Errorf("a labeler sees who heard more: %v", err)
	}
	item, err := b.Item(t.Context(), b.reviewer, b.calls.Items[1])
	if err != nil || item.History[0].What != "widened" || item.History[0].Note != "10 s: The name is said before." {
		t.Errorf("its history: %+v, %v", item.History, err)
	}
	var detail string
	b.scan(t, &detail, `SELECT detail::text FROM audit_events WHERE action = 'item.widen'`)
	if detail != `{"seconds": 10}` {
		t.Errorf("the audit says %s", detail)
	}
}

// Only whoever was handed an item fetches its sound ahead without having heard it.
func TestSoundFetchedAheadIsNotHeard(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	b.hand(t, b.labeler, 0)
	for who, want := range map[*Actor]int{&b.labeler: 0, &b.reviewer: 1} {
		playback, err := b.FetchItem(t.Context(), *who, b.calls.Items[0])
		if err != nil || playback.Seconds != 1 {
			t.Fatalf("%+v, %v", playback, err)
		}
		var reads int
		b.scan(t, &reads, `SELECT count(*) FROM media_reads WHERE person_id = $1`, who.PersonID)
		if reads != want {
			t.Errorf("a %s: %d hearings, want %d", who.Role, reads, want)
		}
	}
	if _, err := b.FetchItem(t.Context(), b.labeler, b.calls.Items[1]); !errors.Is(err, ErrNotFound) {
		t.Errorf("an item of somebody else's: %v", err)
	}
}
