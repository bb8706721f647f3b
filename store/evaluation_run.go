package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/models"
	"fiducial/internal/sealed"
)

// Chunk is lines of a step that one worker asks a model about.
type Chunk struct {
	Step       int64
	Number     int
	Evaluation int64
	Server     ModelServer
	Fault      string // why none of it can be asked, one of models.Faults; "" for nothing
	Unfed      string // why an item has nothing that the model could be given, one of models.Faults
	Items      []ChunkItem

	configuration []byte
	created       time.Time // when the run was asked for
}

// ChunkItem is an item of a chunk, with what its model is given.
type ChunkItem struct {
	Item     int64
	Position int
	Answered bool   // there is an output
	Reused   bool   // of those, one that was there before the run
	Missing  bool   // there is nothing that the model could be given: see Unfed
	Closed   bool   // its source does not let the model have its data
	Text     string // that is given, of a model of words

	Recording int64 // 0 for an image
	Channel   int   // of the recording; 0: all
	Begins    float64
	Ends      float64
	Upright   bool   // the image is turned: its rendition is the one whose pixels boxes are in
	Type      string // content type of the image
	Width     int
	Height    int

	input []byte
}

// chunkRow is what is read of a chunk first.
type chunkRow struct {
	Evaluation, Version int64
	Path                []int64
	Configuration       []byte
	First, Last         int
	Split, Labels       string
	Slots               []string
	Created             time.Time
}

// BeginChunk reads a chunk that waits. ok is false if it does not: it is done, or its run has ended.
func (s *Store) BeginChunk(ctx context.Context, step int64, number int) (c Chunk, ok bool, err error) {
	rows, err := s.pool.Query(ctx, `
		SELECT s.evaluation_id AS evaluation, s.version_id AS version, s.path, s.configuration, h.first, h.last, e.split, e.labels, c.slots, e.created_at AS created
		FROM evaluation_chunks h JOIN evaluation_steps s ON s.id = h.step_id JOIN evaluations e ON e.id = s.evaluation_id JOIN chains c ON c.id = e.chain_id
		WHERE h.step_id = $1 AND h.number = $2 AND h.state = 'waiting' AND e.state IN ('waiting', 'running')`, step, number)
	if err != nil {
		return c, false, fmt.Errorf("chunk %d of step %d: %w", number, step, err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[chunkRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return c, false, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("chunk %d of step %d: %w", number, step, err)
	}
	if err := s.noteBegun(ctx, row.Evaluation, step); err != nil {
		return c, false, err
	}
	c = Chunk{Step: step, Number: number, Evaluation: row.Evaluation, configuration: row.Configuration, created: row.Created, Unfed: models.FaultInput}
	if len(row.Path) == 1 {
		c.Unfed = models.FaultItem
	}
	c.Server, err = s.ModelServerFor(ctx, row.Path[len(row.Path)-1])
	switch {
	case errors.Is(err, sealed.ErrSealed):
		c.Fault = models.FaultCredential
	case err != nil:
		return c, false, fmt.Errorf("chunk %d of step %d: %w", number, step, err)
	case !slices.Equal(c.Server.Configuration, row.Configuration):
		c.Fault = models.FaultChanged
	}
	if c.Items, err = s.chunkItems(ctx, row, c); err != nil {
		return c, false, fmt.Errorf("chunk %d of step %d: %w", number, step, err)
	}
	return c, true, nil
}

func (s *Store) noteBegun(ctx context.Context, evaluation, step int64) error {
	_, err := s.pool.Exec(ctx, `UPDATE evaluations SET state = 'running', began_at = coalesce(began_at, now()) WHERE id = $1 AND state = 'waiting'`, evaluation)
	if err == nil {
		_, err = s.pool.Exec(ctx, `UPDATE evaluation_steps SET state = 'running', began_at = coalesce(began_at, now()) WHERE id = $1 AND state = 'waiting'`, step)
	}
	if err != nil {
		return fmt.Errorf("begin step %d: %w", step, err)
	}
	return nil
}

// chunkItems reads the items of a chunk and walks the path to what the step's model is given of each.
func (s *Store) chunkItems(ctx context.Context, row chunkRow, c Chunk) ([]ChunkItem, error) {
	w := pathWalk{version: row.Version, split: row.Split, labels: row.Labels, first: row.First, last: row.Last, slots: row.Slots, path: row.Path}
	if err := w.configure(ctx, s.pool, row.Evaluation); err != nil {
		return nil, err
	}
	if err := w.begin(ctx, s.pool); err != nil {
		return nil, err
	}
	if err := w.to(ctx, s.pool, len(row.Path)-1); err != nil {
		return nil, err
	}
	items, err := s.openLines(ctx, row, c.Server)
	if err != nil {
		return nil, err
	}
	there, err := outputsThere(ctx, s.pool, w.lines, row.Path[len(row.Path)-1], row.Configuration)
	if err != nil {
		return nil, err
	}
	lines := make(map[int64]walkLine, len(w.lines))
	for _, l := range w.lines {
		lines[l.item] = l
	}
	items = slices.DeleteFunc(items, func(i ChunkItem) bool { _, ok := lines[i.Item]; return !ok })
	for i := range items {
		item := &items[i]
		line := lines[item.Item]
		item.input, item.Text, item.Missing = line.input, line.text, line.input == nil
		if made, ok := there[item.Item]; ok {
			item.Answered, item.Reused = true, made.Before(row.Created)
		}
	}
	return items, nil
}

// openLines reads what a model is given of each line of a chunk, and whether its source lets the model have it.
func (s *Store) openLines(ctx context.Context, row chunkRow, server ModelServer) ([]ChunkItem, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT l.item_id, l.position, NOT ($5 OR 'models' = ANY (o.open_to)
				OR EXISTS (SELECT FROM source_destinations d WHERE d.source_id = i.source_id AND d.kind = 'models' AND d.name = $6)),
			coalesce(i.recording_id, 0), coalesce(i.channel, 0), coalesce(i.begins, 0), coalesce(i.ends, 0),
			coalesce((a.facts->>'orientation')::int, 1) > 1, coalesce(CASE WHEN (a.facts->>'orientation')::int > 1 THEN d.content_type ELSE a.content_type END, ''),
			coalesce(i.width, 0), coalesce(i.height, 0)
		FROM dataset_lines l JOIN items i ON i.id = l.item_id JOIN sources o ON o.id = i.source_id
		`+assetOfLine("original", "a")+` `+assetOfLine("display", "d")+`
		WHERE l.version_id = $1 AND l.split = $2 AND l.position BETWEEN $3 AND $4 ORDER BY l.position`,
		row.Version, row.Split, row.First, row.Last, server.Adapter == models.Offline, server.Model)
	if err != nil {
		return nil, fmt.Errorf("lines: %w", err)
	}
	items, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (i ChunkItem, err error) {
		err = r.Scan(&i.Item, &i.Position, &i.Closed, &i.Recording, &i.Channel, &i.Begins, &i.Ends, &i.Upright, &i.Type, &i.Width, &i.Height)
		return i, err
	})
	if err != nil {
		return nil, fmt.Errorf("lines: %w", err)
	}
	return items, nil
}

// ChunkCounts are what became of a chunk's items.
type ChunkCounts struct{ Done, Reused, Failed int }

// NoteChunk says how far a chunk is, for the page of its run.
func (s *Store) NoteChunk(ctx context.Context, c *Chunk, n ChunkCounts) error {
	_, err := s.pool.Exec(ctx, `UPDATE evaluation_chunks SET done = $3, reused = $4, failed = $5 WHERE step_id = $1 AND number = $2 AND state = 'waiting'`,
		c.Step, c.Number, n.Done, n.Reused, n.Failed)
	if err != nil {
		return fmt.Errorf("note chunk %d of step %d: %w", c.Number, c.Step, err)
	}
	return nil
}

// FinishChunk ends a chunk, whose outputs and failures are written, and has begun what waits for it: the same lines of the steps after
// it; with the last chunk of a step its scoring; with the last of a version the next version.
func (s *Store) FinishChunk(ctx context.Context, c *Chunk, n ChunkCounts) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var runner, state string
		var version int64
		err := tx.QueryRow(ctx, `
			SELECT e.runner, e.state, s.version_id FROM evaluation_steps s JOIN evaluations e ON e.id = s.evaluation_id WHERE s.id = $1 FOR NO KEY UPDATE OF e`, c.Step).
			Scan(&runner, &state, &version)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE evaluation_chunks SET state = 'done', done = $3, reused = $4, failed = $5 WHERE step_id = $1 AND number = $2 AND state = 'waiting'`,
			c.Step, c.Number, n.Done, n.Reused, n.Failed)
		if err != nil || tag.RowsAffected() == 0 || state == EvaluationCancelled {
			return err
		}
		if runner == "workers" {
			if err := s.enqueueChunks(ctx, tx, `
				SELECT h.step_id, h.number FROM evaluation_steps s JOIN evaluation_chunks h ON h.step_id = s.id
				WHERE s.after_step = $1 AND h.number = $2 AND h.state = 'waiting' ORDER BY h.step_id`, c.Step, c.Number); err != nil {
				return err
			}
		}
		return s.finishStep(ctx, tx, c.Evaluation, c.Step, version, runner)
	})
	if err != nil {
		return fmt.Errorf("finish chunk %d of step %d: %w", c.Number, c.Step, err)
	}
	return nil
}

// finishStep ends a step if it has no chunk left. The row of its run is locked, so that steps of a run end one after the other.
func (s *Store) finishStep(ctx context.Context, tx pgx.Tx, evaluation, step, version int64, runner string) error {
	tag, err := tx.Exec(ctx, `
		UPDATE evaluation_steps s SET state = 'done', done = t.done, reused = t.reused, failed = t.failed, items = t.done + t.failed, finished_at = now()
		FROM (SELECT sum(h.done)::int AS done, sum(h.reused)::int AS reused, sum(h.failed)::int AS failed FROM evaluation_chunks h WHERE h.step_id = $1) t
		WHERE s.id = $1 AND s.state = 'running' AND NOT EXISTS (SELECT FROM evaluation_chunks h WHERE h.step_id = $1 AND h.state = 'waiting')`, step)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.ScoreStep{StepID: step}, evaluationOpts()); err != nil {
		return fmt.Errorf("enqueue scoring: %w", err)
	}
	tag, err = tx.Exec(ctx, `
		UPDATE evaluations SET state = 'scoring' WHERE id = $1 AND state = 'running'
		  AND NOT EXISTS (SELECT FROM evaluation_steps s WHERE s.evaluation_id = $1 AND s.state <> 'done')`, evaluation)
	if err != nil || tag.RowsAffected() > 0 || runner != "workers" {
		return err
	}
	var more bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM evaluation_steps WHERE evaluation_id = $1 AND version_id = $2 AND state <> 'done')`, evaluation, version).Scan(&more)
	if err != nil || more {
		return err
	}
	return s.enqueueRoots(ctx, tx, evaluation)
}

func evaluationOpts() *river.InsertOpts { return &river.InsertOpts{Queue: jobargs.EvaluationsQueue} }

// followingOpts are those of what follows a run for each of its cells: it takes long, and comes after what a run waits for.
func followingOpts() *river.InsertOpts {
	return &river.InsertOpts{Queue: jobargs.EvaluationsQueue, Priority: 3}
}

// enqueueRoots has begun what nothing stands before, of the first version that is not done. Versions come one after the other: items that
// several have are asked about once.
func (s *Store) enqueueRoots(ctx context.Context, tx pgx.Tx, evaluation int64) error {
	return s.enqueueChunks(ctx, tx, `
		SELECT h.step_id, h.number FROM evaluation_steps s JOIN evaluation_chunks h ON h.step_id = s.id
		LEFT JOIN evaluation_chunks b ON b.step_id = s.after_step AND b.number = h.number
		WHERE s.evaluation_id = $1 AND h.state = 'waiting' AND (s.after_step IS NULL OR b.state = 'done')
		  AND s.version_id = (SELECT min(o.version_id) FROM evaluation_steps o WHERE o.evaluation_id = $1 AND o.state <> 'done')
		ORDER BY h.number, h.step_id`, evaluation)
}

func (s *Store) enqueueChunks(ctx context.Context, tx pgx.Tx, query string, args ...any) error {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("chunks to run: %w", err)
	}
	chunks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[jobargs.RunChunk])
	if err != nil {
		return fmt.Errorf("chunks to run: %w", err)
	}
	for batch := range slices.Chunk(chunks, 1000) {
		insert := make([]river.InsertManyParams, len(batch))
		for i, args := range batch {
			insert[i] = river.InsertManyParams{Args: args, InsertOpts: evaluationOpts()}
		}
		if _, err := s.queue.InsertManyFastTx(ctx, tx, insert); err != nil {
			return fmt.Errorf("enqueue chunks: %w", err)
		}
	}
	return nil
}

// CancelEvaluation stops a run. What was answered stays, and is not asked for again by another run.
func (s *Store) CancelEvaluation(ctx context.Context, actor Actor, id int64) error {
	return s.changeEvaluation(ctx, actor, id, "evaluation.cancel", func(tx pgx.Tx, state string) error {
		if !slices.Contains([]string{EvaluationWaiting, EvaluationRunning, EvaluationScoring}, state) {
			return invalid("", "This evaluation has ended, so there is nothing to stop.")
		}
		_, err := tx.Exec(ctx, `UPDATE evaluations SET state = 'cancelled', finished_at = now() WHERE id = $1`, id)
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE evaluation_steps SET state = 'cancelled', finished_at = now() WHERE evaluation_id = $1 AND state IN ('waiting', 'running')`, id)
		}
		return err
	})
}

// RetryEvaluation asks again about the items without an output, of a run that has ended, and about those that it gave up before; then it
// measures what has no figures, or anew.
func (s *Store) RetryEvaluation(ctx context.Context, actor Actor, id int64) error {
	return s.changeEvaluation(ctx, actor, id, "evaluation.retry", func(tx pgx.Tx, state string) error {
		switch state {
		case EvaluationCancelled:
			return invalid("", "This evaluation was stopped. Start another: what was answered is there, and is not asked for again.")
		case EvaluationDone, EvaluationFailed:
		default:
			return invalid("", "This evaluation goes on. Try again what fails once it has ended.")
		}
		tag, err := tx.Exec(ctx, `
			UPDATE evaluation_chunks h SET state = 'waiting', done = 0, reused = 0, failed = 0 FROM evaluation_steps s
			WHERE s.evaluation_id = $1 AND h.step_id = s.id AND h.failed > 0`, id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 && state == EvaluationDone {
			return invalid("", "Nothing failed, so there is nothing to try again.")
		}
		return s.resume(ctx, tx, id)
	})
}

// resume has a run go on: with the chunks that wait, or if none do, with the scoring of all of it.
func (s *Store) resume(ctx context.Context, tx pgx.Tx, id int64) error {
	const waits = `EXISTS (SELECT FROM evaluation_steps s JOIN evaluation_chunks h ON h.step_id = s.id WHERE s.evaluation_id = $1 AND h.state = 'waiting')`
	if err := keepOutputs(ctx, tx); err != nil {
		return err
	}
	var asks bool
	var runner string
	err := tx.QueryRow(ctx, `
		UPDATE evaluations SET state = CASE WHEN `+waits+` THEN 'running' ELSE 'scoring' END, error = '', finished_at = NULL WHERE id = $1
		RETURNING state = 'running', runner`, id).Scan(&asks, &runner)
	if err != nil {
		return err
	}
	if !asks {
		return s.scoreAgain(ctx, tx, id, `true`)
	}
	_, err = tx.Exec(ctx, `
		UPDATE evaluation_steps s SET state = 'running', scored_at = NULL, finished_at = NULL
		WHERE s.evaluation_id = $1 AND s.state = 'done' AND EXISTS (SELECT FROM evaluation_chunks h WHERE h.step_id = s.id AND h.state = 'waiting')`, id)
	if err != nil {
		return err
	}
	// A scoring that failed the run, or that came to nothing since the run had failed, is not asked for by anybody else.
	if err := s.scoreAgain(ctx, tx, id, `scored_at IS NULL`); err != nil {
		return err
	}
	return s.beginEvaluation(ctx, tx, id, runner)
}

// changeEvaluation lets the actor change the state of a run that they see, whose row is locked.
func (s *Store) changeEvaluation(ctx context.Context, actor Actor, id int64, action string, change func(tx pgx.Tx, state string) error) error {
	if err := actor.may(access.RunEvaluations); err != nil {
		return err
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var state string
		err := tx.QueryRow(ctx, `SELECT e.state FROM evaluations e WHERE e.id = @id AND `+seesEvaluation+` FOR UPDATE OF e`, actor.args(pgx.NamedArgs{"id": id})).Scan(&state)
		if err != nil {
			return notFound(err)
		}
		if err := change(tx, state); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: action, ObjectType: "evaluation", ObjectID: id})
	})
	if _, refused := errors.AsType[*InvalidError](err); err == nil || refused {
		return err
	}
	return fmt.Errorf("evaluation %d: %w", id, err)
}

// FailEvaluation gives up on a run; reason is a sentence for people.
func (s *Store) FailEvaluation(ctx context.Context, id int64, reason string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE evaluations SET state = 'failed', error = $2, finished_at = now() WHERE id = $1 AND state IN ('waiting', 'running', 'scoring')`, id, reason)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return s.queueOutcome(ctx, tx, id)
	})
	if err != nil {
		return fmt.Errorf("fail evaluation %d: %w", id, err)
	}
	return nil
}

// NextChunk returns a chunk of a step that waits and can be begun: the step before it has the same lines done. ok is false if there is none
// any more.
func (s *Store) NextChunk(ctx context.Context, step int64) (number int, ok bool, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT h.number FROM evaluation_steps s JOIN evaluations e ON e.id = s.evaluation_id JOIN evaluation_chunks h ON h.step_id = s.id
		LEFT JOIN evaluation_chunks b ON b.step_id = s.after_step AND b.number = h.number
		WHERE s.id = $1 AND h.state = 'waiting' AND e.state IN ('waiting', 'running') AND (s.after_step IS NULL OR b.state = 'done') ORDER BY h.number LIMIT 1`, step).
		Scan(&number)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("chunks of step %d: %w", step, err)
	}
	return number, true, nil
}

// FailEvaluationOf gives up on the run of a step; reason is a sentence for people.
func (s *Store) FailEvaluationOf(ctx context.Context, step int64, reason string) error {
	var id int64
	if err := s.pool.QueryRow(ctx, `SELECT evaluation_id FROM evaluation_steps WHERE id = $1`, step).Scan(&id); err != nil {
		return fmt.Errorf("run of step %d: %w", step, notFound(err))
	}
	return s.FailEvaluation(ctx, id, reason)
}
