package store

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"fiducial/internal/access"
	"fiducial/internal/audio"
	"fiducial/store/storetest"
)

// waves are those that the actor gets of all items of the calls.
func (b *booth) waves(tb testing.TB, actor Actor) map[int64][]byte {
	tb.Helper()
	waves, err := b.Waves(tb.Context(), actor, b.calls.Items)
	if err != nil {
		tb.Fatal(err)
	}
	return waves
}

// outline gives a recording the outlines of another sound.
func (b *booth) outline(tb testing.TB, recording int64, file []byte) {
	tb.Helper()
	outlines, err := opened(tb, file).Outlines()
	if err != nil {
		tb.Fatal(err)
	}
	peaks, err := audio.AppendOutlines(nil, outlines)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := b.blobs.Put(tb.Context(), RecordingKey(recording, "peaks"), bytes.NewReader(peaks), int64(len(peaks)), "application/octet-stream"); err != nil {
		tb.Fatal(err)
	}
	b.exec(tb, `UPDATE recording_assets SET bytes = $2 WHERE recording_id = $1 AND kind = 'peaks'`, recording, len(peaks))
}

// Whoever hears an item sees its wave, and nobody else.
func TestWhoSeesAWave(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	for _, role := range access.Roles() {
		for _, member := range []bool{false, true} {
			for _, state := range []string{"", "leased", "skipped", "cancelled"} {
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
				waves := b.waves(t, actor)
				for _, item := range b.calls.Items {
					_, err := b.SoundOf(t.Context(), actor, item)
					if hears := err == nil; hears != (waves[item] != nil) {
						t.Errorf("%s, member %t, assignment %q: hears item %d: %t; sees its wave: %t", role, member, state, item, hears, waves[item] != nil)
					}
				}
			}
		}
	}
}

// A wave is drawn once, and anew when its recording is another.
func TestWaveIsDrawnOnce(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	drawn := b.waves(t, b.reviewer)
	first := drawn[b.calls.Items[0]]
	if len(drawn) != len(b.calls.Items) || len(first) != WavePoints || slices.Min(first) < 60 || slices.Max(first) > 64 {
		t.Fatalf("of a tone of half the volume it draws %v", drawn)
	}
	recording := b.calls.Recordings[0]
	b.outline(t, recording, clicking(t, 4*storetest.SpeechRate, 10))
	if again := b.waves(t, b.reviewer); !slices.Equal(again[b.calls.Items[0]], first) {
		t.Error("it was read again")
	}
	b.exec(t, `UPDATE recordings SET version = version + 1 WHERE id = $1`, recording)
	if anew := b.waves(t, b.reviewer)[b.calls.Items[0]]; slices.Equal(anew, first) || anew[0] != 127 || slices.Max(anew[1:]) != 0 {
		t.Errorf("of another sound it shows %v", anew)
	}
	b.exec(t, `UPDATE recordings SET version = version + 1 WHERE id = $1`, recording)
	if err := b.blobs.DeleteKeys(t.Context(), []string{RecordingKey(recording, "peaks")}); err != nil {
		t.Fatal(err)
	}
	if without := b.waves(t, b.reviewer); without[b.calls.Items[0]] != nil || len(without) != 4 {
		t.Errorf("without outlines it shows %v", without)
	}
}

// What is beside an item does not show in its wave, not even where it begins in the middle of a bucket.
func TestWaveEndsWhereTheItemEnds(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	item := b.calls.Items[1]
	for _, span := range [][2]float64{{1.0031, 1.9969}, {1.001, 1.004}, {1.5, 1.5001}} {
		b.exec(t, `UPDATE items SET begins = $2, ends = $3 WHERE id = $1`, item, span[0], span[1])
		first, end := int(span[0]*storetest.SpeechRate+0.5), int(span[1]*storetest.SpeechRate+0.5)
		for _, beside := range []int{first - 1, end} {
			b.outline(t, b.calls.Recordings[0], clicking(t, 4*storetest.SpeechRate, beside))
			b.exec(t, `UPDATE recordings SET version = version + 1 WHERE id = $1`, b.calls.Recordings[0])
			if wave := b.waves(t, b.reviewer)[item]; len(bytes.Trim(wave, "\x00")) > 0 {
				t.Errorf("frame %d shows in frames %d to %d: %v", beside, first, end, wave)
			}
		}
	}
}

// Of what is erased no wave stays, and those of the same recording are drawn anew.
func TestErasureTakesWaves(t *testing.T) {
	t.Parallel()
	b := newBooth(t)
	b.waves(t, b.reviewer)
	whole := b.calls.Items[0]
	b.exec(t, `UPDATE items SET begins = 0, ends = 4 WHERE id = $1`, whole) // hears what is erased too
	b.exec(t, `DELETE FROM item_waves WHERE item_id = $1`, whole)
	if wave := b.waves(t, b.reviewer)[whole]; slices.Min(wave) == 0 {
		t.Fatalf("before: %v", wave)
	}
	b.erase(t, b.admin(t), b.calls.Items[1])
	var kept int
	b.scan(t, &kept, `SELECT count(*) FROM item_waves`)
	if kept != 4 { // of the other recording
		t.Errorf("%d waves are kept", kept)
	}
	waves := b.waves(t, b.reviewer)
	quarter := WavePoints / 4
	if wave := waves[whole]; waves[b.calls.Items[1]] != nil || slices.Max(wave[quarter+1:2*quarter-1]) != 0 || slices.Min(wave[:quarter-1]) == 0 {
		t.Errorf("after: %v", waves)
	}
}

// A list of sixty utterances, each in a recording of its own: at its first look, and at every other.
func BenchmarkWaves(b *testing.B) {
	for _, first := range []bool{true, false} {
		b.Run(fmt.Sprintf("first look %t", first), func(b *testing.B) {
			pool, bucket := storetest.Pool(b), storetest.Bucket(b)
			st, err := New(pool, bucket)
			if err != nil {
				b.Fatal(err)
			}
			calls := storetest.Speech(b, pool, bucket, 60, 1, 1)
			for b.Loop() {
				if first {
					if _, err := pool.Exec(b.Context(), `DELETE FROM item_waves`); err != nil {
						b.Fatal(err)
					}
				}
				waves, err := st.Waves(b.Context(), System(), calls.Items)
				if err != nil || len(waves) != 60 {
					b.Fatalf("%d waves: %v", len(waves), err)
				}
			}
		})
	}
}
