package store

import (
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/speech"
)

// newSpeechFloor returns a project of ready utterances of two seconds, each a span of one stereo recording, with one class of
// moments, and labelers.
func newSpeechFloor(tb testing.TB, pool *pgxpool.Pool, labelers, items, overlap int) *floor {
	tb.Helper()
	f := newFloor(tb, pool, labelers, 0, overlap)
	var recording int64
	f.exec(tb, `UPDATE projects SET kind = 'audio' WHERE id = $1`, f.project.ID)
	f.scan(tb, &recording, `INSERT INTO recordings (project_id, source_id, key_hash, state, encoding, rate, channels, frames)
		SELECT $1, id, '\x01', 'ready', 'pcm16', 8000, 2, 8000 * (4 + 2 * $2::bigint) FROM sources RETURNING id`, f.project.ID, items)
	err := f.inTx(tb.Context(), func(tx pgx.Tx) error {
		rows, err := tx.Query(tb.Context(), `
			INSERT INTO items (project_id, source_id, key_hash, recording_id, begins, ends)
			SELECT $1, s.id, uuid_send(gen_random_uuid()), $2, 2 * n, 2 * n + 2 FROM sources s, generate_series(1, $3) n ORDER BY n RETURNING id`,
			f.project.ID, recording, items)
		if err != nil {
			return err
		}
		if f.items, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
			return err
		}
		return addTasks(tb.Context(), tx, f.project.ID, f.items, 0)
	})
	if err != nil {
		tb.Fatal(err)
	}
	rows, err := f.pool.Query(tb.Context(), `SELECT id FROM tasks ORDER BY item_id`)
	if err != nil {
		tb.Fatal(err)
	}
	if f.tasks, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		tb.Fatal(err)
	}
	return f
}

// modelVersion adds a version of the recognizer.
func (f *floor) modelVersion(tb testing.TB, version string) (id int64) {
	tb.Helper()
	f.scan(tb, &id, `
		WITH m AS (INSERT INTO models (name, kind) VALUES ('asr-en', 'asr') ON CONFLICT (name) DO UPDATE SET kind = 'asr' RETURNING id)
		INSERT INTO model_versions (model_id, version) SELECT id, $1 FROM m RETURNING id`, version)
	return id
}

// hear adds what a model version heard in an item; 0 is an unnamed origin.
func (f *floor) hear(tb testing.TB, item, version int64, text string, words ...HeardWord) {
	tb.Helper()
	purpose := "prediction"
	if version == 0 {
		purpose = "prefill"
	}
	heard, err := json.Marshal(append([]HeardWord{}, words...))
	if err != nil {
		tb.Fatal(err)
	}
	f.exec(tb, `
		WITH p AS (INSERT INTO predictions (item_id, model_version_id, purpose, confidence, words) VALUES ($1, nullif($2, 0), $3, 0.5, $6) RETURNING id)
		INSERT INTO hypotheses (item_id, prediction_id, text, words) SELECT $1, id, $4, $5 FROM p`, item, version, purpose, text, heard, len(words))
}

// utter is the transcript of an utterance of two seconds in which this is said.
func utter(text string) speech.Transcript { return speech.Transcript{{End: 2, Text: text}} }

// write is a valid answer to what was claimed: these words, and a moment over all of it.
func (f *floor) write(c Claimed, text string) NewAnnotation {
	return NewAnnotation{
		Task: c.Task, Assignment: c.Assignment, Transcript: utter(text),
		Boxes: []DraftBox{{ID: "m", ClassID: f.class, W: 2, H: 1}},
	}
}

func (f *floor) mustWrite(tb testing.TB, who Actor, c Claimed, text string) Receipt {
	tb.Helper()
	a := f.write(c, text)
	work, err := f.Work(tb.Context(), who, c.Task)
	if err != nil {
		tb.Fatal(err)
	}
	a.Version = work.DraftVersion
	r, err := f.Submit(tb.Context(), who, a)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}
