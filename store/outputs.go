package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"fiducial/internal/models"
)

// ModelAnswer is what a model said of an item of a chunk.
type ModelAnswer struct {
	Item   *ChunkItem
	Output models.Output
	Took   time.Duration
}

// KeepAnswers keeps what a model said, so that it is not asked again. gone are the items that were erased meanwhile.
func (s *Store) KeepAnswers(ctx context.Context, c *Chunk, answers []ModelAnswer) (gone []int64, err error) {
	err = s.keepAnswers(ctx, c, answers)
	if !hasCode(err, foreignKeyViolation) {
		return nil, err
	}
	// One of them is gone, and with it the whole batch: each by itself.
	for i := range answers {
		switch err := s.keepAnswers(ctx, c, answers[i:i+1]); {
		case hasCode(err, foreignKeyViolation):
			gone = append(gone, answers[i].Item.Item)
		case err != nil:
			return nil, err
		}
	}
	return gone, nil
}

const foreignKeyViolation = "23503"

func (s *Store) keepAnswers(ctx context.Context, c *Chunk, answers []ModelAnswer) error {
	batch := &pgx.Batch{}
	for _, a := range answers {
		words, boxes, labels, err := contentOf(a.Output)
		if err != nil {
			return err
		}
		batch.Queue(`
			INSERT INTO model_outputs (item_id, model_version_id, configuration, input, text, words, boxes, labels, confidence, took_ms)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
			a.Item.Item, c.Server.VersionID, c.configuration, a.Item.input, a.Output.Text, words, boxes, labels, within(a.Output.Confidence), a.Took.Milliseconds())
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return outputError(c, err)
		}
		return nil
	})
}

// outputError wraps an error of writing outputs. What Postgres says of a row names what is in it, so only its code goes on.
func outputError(c *Chunk, err error) error {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Errorf("outputs of chunk %d of step %d: %w", c.Number, c.Step, &pgconn.PgError{Code: pgErr.Code, Severity: pgErr.Severity, ConstraintName: pgErr.ConstraintName})
	}
	return fmt.Errorf("outputs of chunk %d of step %d: %w", c.Number, c.Step, err)
}

// contentOf is an output as it is kept.
func contentOf(o models.Output) (words, boxes, labels json.RawMessage, err error) {
	list := func(v any, n int) json.RawMessage {
		if n == 0 || err != nil {
			return json.RawMessage(`[]`)
		}
		var text []byte
		text, err = json.Marshal(v)
		return text
	}
	words, boxes, labels = list(o.Words, len(o.Words)), list(o.Boxes, len(o.Boxes)), list(o.Labels, len(o.Labels))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("output: %w", err)
	}
	return words, boxes, labels, nil
}

// within is a confidence as it is kept: from 0 to 1.
func within(confidence *float64) *float64 {
	if confidence == nil || *confidence != *confidence {
		return nil
	}
	return new(min(max(*confidence, 0), 1))
}

// CopyPredictions makes outputs of what was imported as predictions of an offline model version, and returns the items that have one. What
// was imported anew takes the place of what there was.
func (s *Store) CopyPredictions(ctx context.Context, c *Chunk) (there map[int64]bool, err error) {
	var items []int64
	var inputs [][]byte
	for _, i := range c.Items {
		if !i.Missing {
			items, inputs = append(items, i.Item), append(inputs, i.input)
		}
	}
	rows, err := s.pool.Query(ctx, copyPredictions[c.Server.Kind], pgx.NamedArgs{
		"items": items, "inputs": inputs, "model": c.Server.VersionID, "configuration": c.configuration,
	})
	if err != nil {
		return nil, outputError(c, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, outputError(c, err)
	}
	there = make(map[int64]bool, len(ids))
	for _, id := range ids {
		there[id] = true
	}
	return there, nil
}

// copyPredictions are the queries by the kind of the model. Of a model that says what words mean, boxes are labels on stretches of time.
var copyPredictions = map[string]string{
	"asr": copyWords, "formatting": copyWords,
	"detector": copyBoxes + `
		SELECT u.item, @model, @configuration, u.input, '', '[]', coalesce((SELECT jsonb_agg(jsonb_build_object('class', k.name, 'x', b.x, 'y', b.y, 'w', b.w, 'h', b.h,
			'rotation', b.rotation, 'score', coalesce(b.score, 1)) ORDER BY b.position) FROM prediction_boxes b JOIN classes k ON k.id = b.class_id WHERE b.prediction_id = p.id), '[]'),
			'[]', p.confidence` + fromPredictions + copyEnd,
	"nlp": copyBoxes + `
		SELECT u.item, @model, @configuration, u.input, '', '[]', '[]', coalesce((SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('label', k.name, 'begin', b.x,
			'end', b.x + b.w, 'confidence', b.score)) ORDER BY b.position) FROM prediction_boxes b JOIN classes k ON k.id = b.class_id WHERE b.prediction_id = p.id), '[]'),
			p.confidence` + fromPredictions + copyEnd,
}

const (
	copyBoxes = `INSERT INTO model_outputs (item_id, model_version_id, configuration, input, text, words, boxes, labels, confidence)`
	copyWords = copyBoxes + `
		SELECT u.item, @model, @configuration, u.input, h.text, h.words, '[]', '[]', p.confidence` + fromPredictions + `
		CROSS JOIN LATERAL (SELECT text, words FROM hypotheses WHERE item_id = u.item AND prediction_id = p.id OFFSET 0) h` + copyEnd
	fromPredictions = `
		FROM unnest(@items::bigint[], @inputs::bytea[]) u (item, input)
		JOIN LATERAL (SELECT q.id, q.confidence FROM predictions q WHERE q.item_id = u.item AND q.model_version_id = @model
			ORDER BY q.purpose = 'prediction' DESC, q.id DESC LIMIT 1) p ON true`
	copyEnd = `
		ON CONFLICT (item_id, model_version_id, configuration, input) DO UPDATE SET text = excluded.text, words = excluded.words, boxes = excluded.boxes,
			labels = excluded.labels, confidence = excluded.confidence
		RETURNING item_id`
)

// ItemFault is why a model has no output of an item.
type ItemFault struct {
	Item   int64
	Reason string // one of models.Faults
	Status int    // of the server's answer, 0 for none
	Asked  int    // how often
}

// NoteFaults keeps why items of a chunk have no output, and forgets it of the others.
func (s *Store) NoteFaults(ctx context.Context, c *Chunk, faults []ItemFault) error {
	failed := make([]int64, 0, len(faults))
	batch := &pgx.Batch{}
	for _, f := range faults {
		failed = append(failed, f.Item)
		batch.Queue(`
			INSERT INTO evaluation_failures AS f (step_id, item_id, reason, status, attempts) SELECT $1, i.id, $3, nullif($4::int, 0), greatest($5::int, 1) FROM items i WHERE i.id = $2
			ON CONFLICT (step_id, item_id) DO UPDATE SET reason = excluded.reason, status = excluded.status, attempts = f.attempts + excluded.attempts, at = now()`,
			c.Step, f.Item, f.Reason, f.Status, f.Asked)
	}
	rest := make([]int64, 0, len(c.Items))
	for _, i := range c.Items {
		rest = append(rest, i.Item)
	}
	batch.Queue(`DELETE FROM evaluation_failures WHERE step_id = $1 AND item_id = ANY($2) AND NOT (item_id = ANY($3))`, c.Step, rest, failed)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("faults of chunk %d of step %d: %w", c.Number, c.Step, err)
	}
	return nil
}

// OutputDays is for how many days outputs are kept where nobody says otherwise.
const OutputDays = 30

// outputsAtOnce is how many outputs are deleted in one go.
const outputsAtOnce = 10_000

// SweepOutputs deletes what models said, and what their servers wrote, more than so many days ago. What a run needs that goes on stays until it has
// ended. The scores stay.
func (s *Store) SweepOutputs(ctx context.Context, days int) (deleted int64, err error) {
	for more := true; more; {
		err := s.inTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('model_outputs'))`); err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, sweepOutputs, days, outputsAtOnce)
			deleted += tag.RowsAffected()
			more = tag.RowsAffected() == outputsAtOnce
			return err
		})
		if err != nil {
			return deleted, fmt.Errorf("sweep outputs: %w", err)
		}
	}
	return deleted, s.sweepLaunchLogs(ctx, `l.started_at < now() - make_interval(days => $1) AND l.stopped_at IS NOT NULL`, days)
}

// sweepOutputs deletes the oldest outputs. Runs that go on are few, and so are the steps of any one model in them.
const sweepOutputs = `
	WITH needed AS MATERIALIZED (
		SELECT s.version_id, s.path[cardinality(s.path)] AS model, s.configuration
		FROM evaluations e JOIN evaluation_steps s ON s.evaluation_id = e.id WHERE e.state IN ('waiting', 'running', 'scoring')
	), old AS (
		SELECT o.item_id, o.model_version_id, o.configuration, o.input FROM model_outputs o
		WHERE o.made_at < now() - make_interval(days => $1) AND NOT EXISTS (
			SELECT FROM needed n JOIN dataset_lines l ON l.version_id = n.version_id AND l.item_id = o.item_id
			WHERE n.model = o.model_version_id AND n.configuration = o.configuration)
		ORDER BY o.made_at LIMIT $2)
	DELETE FROM model_outputs o USING old d
	WHERE o.item_id = d.item_id AND o.model_version_id = d.model_version_id AND o.configuration = d.configuration AND o.input = d.input`

// keepOutputs holds back the sweep of outputs until tx has ended, so that it sees the run that tx starts or resumes: what a chunk of that finds is
// there when it is scored.
func keepOutputs(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared(hashtext('model_outputs'))`)
	return err
}

// LaunchLogKey is the object that holds what a launched server wrote.
func LaunchLogKey(launch int64) string { return fmt.Sprintf("launches/%d", launch) }

// sweepLaunchLogs deletes what launched servers wrote, also what was stored and not noted when a worker was killed.
func (s *Store) sweepLaunchLogs(ctx context.Context, where string, args ...any) error {
	ids, err := collectIDs(ctx, s.pool, `SELECT l.id FROM model_launches l WHERE (l.log_bytes IS NOT NULL OR l.stopped_at IS NULL) AND `+where+` ORDER BY l.id`, args...)
	if err != nil {
		return fmt.Errorf("logs of launches: %w", err)
	}
	for _, id := range ids {
		if err := s.blobs.Delete(ctx, LaunchLogKey(id)); err != nil {
			return fmt.Errorf("log of launch %d: %w", id, err)
		}
		if _, err := s.pool.Exec(ctx, `UPDATE model_launches SET log_bytes = NULL WHERE id = $1`, id); err != nil {
			return fmt.Errorf("log of launch %d: %w", id, err)
		}
	}
	return nil
}
