package storetest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"math"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/audio"
	"fiducial/store/blob"
)

// What every recording of Speech is: one channel of a tone.
const (
	SpeechRate    = 8000 // frames a second
	SpeechSeconds = 4
)

// Utterances is a project of sound whose recordings were read, so that its items can be claimed.
type Utterances struct {
	Project, Source, Class      int64 // the class is called "question"
	Slug                        string
	Recordings, Items, Tasks    []int64
	Begins, Ends                []float64 // of each item in its recording, in seconds
	Overlap, ItemsEachRecording int
}

// Speech adds the project "calls" with recordings of SpeechSeconds, each cut into as many items of the same length; one item is the
// whole recording. The tasks are open and want overlap answers. The keys are calls/0001.wav, and of spans calls/0001.wav#0-1.
func Speech(tb testing.TB, pool *pgxpool.Pool, bucket *blob.Bucket, recordings, itemsEach, overlap int) *Utterances {
	tb.Helper()
	u := &Utterances{Slug: "calls", Overlap: overlap, ItemsEachRecording: itemsEach}
	u.Project = id(tb, pool, `INSERT INTO projects (slug, name, kind, overlap, accepts_truth, key_secret)
		VALUES ($1, 'Calls', 'audio', $2, true, sha256('calls')) RETURNING id`, u.Slug, overlap)
	u.Source = id(tb, pool, `INSERT INTO sources (name) VALUES ('Calls') RETURNING id`)
	u.Class = id(tb, pool, `INSERT INTO classes (project_id, name, key, slot) VALUES ($1, 'question', '1', 0) RETURNING id`, u.Project)
	for i := range recordings {
		u.record(tb, pool, bucket, fmt.Sprintf("calls/%04d.wav", i+1), 220+10*float64(i))
	}
	return u
}

// record adds a recording of a tone of so many hertz, with its items.
func (u *Utterances) record(tb testing.TB, pool *pgxpool.Pool, bucket *blob.Bucket, key string, hertz float64) {
	tb.Helper()
	recording := id(tb, pool, `INSERT INTO recordings (project_id, source_id, key_hash, state, encoding, rate, channels, frames)
		VALUES ($1, $2, $3, 'ready', 'PCM, 16 bit', $4, 1, $5) RETURNING id`,
		u.Project, u.Source, speechKey(key), SpeechRate, SpeechRate*SpeechSeconds)
	u.Recordings = append(u.Recordings, recording)
	wav := Tone(tb, SpeechRate, SpeechSeconds, hertz)
	sound, err := audio.Open(bytes.NewReader(wav), int64(len(wav)))
	if err != nil {
		tb.Fatal(err)
	}
	outlines, err := sound.Outlines()
	if err != nil {
		tb.Fatal(err)
	}
	peaks, err := audio.AppendOutlines(nil, outlines)
	if err != nil {
		tb.Fatal(err)
	}
	keep(tb, pool, bucket, recording, "original", "audio/wav", wav)
	keep(tb, pool, bucket, recording, "peaks", "application/octet-stream", peaks)
	for i := range u.ItemsEachRecording {
		length := float64(SpeechSeconds) / float64(u.ItemsEachRecording)
		begin, end, name := float64(i)*length, float64(i+1)*length, key
		if u.ItemsEachRecording > 1 {
			name = fmt.Sprintf("%s#%v-%v", key, begin, end)
		}
		u.Begins, u.Ends = append(u.Begins, begin), append(u.Ends, end)
		item := id(tb, pool, `
			WITH i AS (INSERT INTO items (project_id, source_id, key_hash, state, recording_id, begins, ends)
				VALUES ($1, $2, $3, 'ready', $4, $5, $6) RETURNING id),
			x AS (INSERT INTO item_texts (item_id, project_id, external_key, file_name) SELECT id, $1, $7, $8 FROM i),
			y AS (INSERT INTO item_salts (item_id, salt) SELECT id, sha256(id::text::bytea) FROM i)
			SELECT id FROM i`, u.Project, u.Source, speechKey(name), recording, begin, end, name, key)
		u.Items = append(u.Items, item)
		u.Tasks = append(u.Tasks, id(tb, pool, `INSERT INTO tasks (project_id, item_id, overlap) VALUES ($1, $2, $3) RETURNING id`, u.Project, item, u.Overlap))
	}
}

// Hear adds what the model version NAME@VERSION, registered as asr if it is not, heard in an item, as a prediction, and returns the
// prediction's id. words is the JSON of its words, "[]" for none.
func (u *Utterances) Hear(tb testing.TB, pool *pgxpool.Pool, item int64, name, version, text, words string, confidence float64) int64 {
	tb.Helper()
	return id(tb, pool, `
		WITH m AS (INSERT INTO models (name, kind) VALUES ($2, 'asr') ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id),
		v AS (INSERT INTO model_versions (model_id, version) SELECT id, $3 FROM m
			ON CONFLICT (model_id, version) DO UPDATE SET version = excluded.version RETURNING id),
		p AS (INSERT INTO predictions (item_id, model_version_id, purpose, confidence, words)
			SELECT $1, id, 'prediction', $6, cardinality(regexp_split_to_array(btrim($4), '\s+')) FROM v RETURNING id),
		h AS (INSERT INTO hypotheses (item_id, prediction_id, text, words) SELECT $1, id, $4, $5::jsonb FROM p)
		SELECT id FROM p`, item, name, version, text, words, confidence)
}

// Tone is a WAV file of 16 bit PCM, one channel of a tone of so many hertz.
func Tone(tb testing.TB, rate, seconds int, hertz float64) []byte {
	tb.Helper()
	var wav bytes.Buffer
	w, err := audio.NewWriter(&wav, rate, 1, int64(rate*seconds))
	if err != nil {
		tb.Fatal(err)
	}
	samples := make([]float32, rate*seconds)
	for i := range samples {
		samples[i] = float32(0.5 * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate)))
	}
	if err := w.Write(samples); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return wav.Bytes()
}

// speechKey is the hash of a key under the secret of the project of Speech.
func speechKey(key string) []byte {
	secret := sha256.Sum256([]byte("calls"))
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte(key))
	return mac.Sum(nil)
}

// keep stores bytes of a recording.
func keep(tb testing.TB, pool *pgxpool.Pool, bucket *blob.Bucket, recording int64, kind, contentType string, content []byte) {
	tb.Helper()
	if _, err := bucket.Put(tb.Context(), fmt.Sprintf("recordings/%d/%s", recording, kind), bytes.NewReader(content), int64(len(content)), contentType); err != nil {
		tb.Fatal(err)
	}
	sum := sha256.Sum256(content)
	_, err := pool.Exec(tb.Context(), `INSERT INTO recording_assets (recording_id, kind, content_type, bytes, sha256) VALUES ($1, $2, $3, $4, $5)`,
		recording, kind, contentType, len(content), sum[:])
	if err != nil {
		tb.Fatal(err)
	}
}

func id(tb testing.TB, pool *pgxpool.Pool, sql string, args ...any) (id int64) {
	tb.Helper()
	if err := pool.QueryRow(tb.Context(), sql, args...).Scan(&id); err != nil {
		tb.Fatal(err)
	}
	return id
}
