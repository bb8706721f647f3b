package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// questionOf names the question that a chunk's model is asked about an item: the same one has the same answer.
func (c *Chunk) questionOf(i *ChunkItem) []byte {
	h := sha256.New()
	var ids [16]byte
	binary.BigEndian.PutUint64(ids[:8], uint64(i.Item))             //nolint:gosec // an id, as bytes
	binary.BigEndian.PutUint64(ids[8:], uint64(c.Server.VersionID)) //nolint:gosec // as above
	for _, part := range [][]byte{ids[:], c.configuration, i.input} {
		_, _ = h.Write(part) // a hash never fails
	}
	return h.Sum(nil)
}

// ClaimQuestions takes for a chunk those questions about its items, by their index, that no other chunk asks now, so that runs that begin
// together do not ask the same twice. Of these, answered are those that another one has had answered since this chunk was read. What was taken is
// the chunk's for half a minute, unless KeepQuestions is called: a process that was killed holds nothing up, and the chunk itself takes its own again.
func (s *Store) ClaimQuestions(ctx context.Context, c *Chunk, wanted []int) (mine, answered []int, err error) {
	asked, at := make([][]byte, len(wanted)), make(map[string]int, len(wanted))
	for n, i := range wanted {
		asked[n] = c.questionOf(&c.Items[i])
		at[string(asked[n])] = i
	}
	rows, err := s.pool.Query(ctx, `
		INSERT INTO model_questions AS q (question, step_id, chunk, until)
		SELECT u.question, @step, @chunk, clock_timestamp() + @time::interval FROM unnest(@questions::bytea[]) u (question) ORDER BY u.question
		ON CONFLICT (question) DO UPDATE SET step_id = excluded.step_id, chunk = excluded.chunk, until = excluded.until
		WHERE q.until < clock_timestamp() OR (q.step_id = excluded.step_id AND q.chunk = excluded.chunk)
		RETURNING question`, pgx.NamedArgs{"questions": asked, "step": c.Step, "chunk": c.Number, "time": placeTime})
	if err != nil {
		return nil, nil, fmt.Errorf("claim questions of step %d: %w", c.Step, err)
	}
	taken, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, nil, fmt.Errorf("claim questions of step %d: %w", c.Step, err)
	}
	lines := make([]walkLine, 0, len(taken))
	for _, question := range taken {
		item := &c.Items[at[string(question)]]
		lines = append(lines, walkLine{item: item.Item, input: item.input})
	}
	// An answer is kept before its question is given back, so that whoever takes it now sees it.
	there, err := outputsThere(ctx, s.pool, lines, c.Server.VersionID, c.configuration)
	if err != nil {
		return nil, nil, fmt.Errorf("claim questions of step %d: %w", c.Step, err)
	}
	for _, question := range taken {
		i := at[string(question)]
		if _, ok := there[c.Items[i].Item]; ok {
			answered = append(answered, i)
		} else {
			mine = append(mine, i)
		}
	}
	return mine, answered, nil
}

// KeepQuestions makes what a chunk has claimed last on.
func (s *Store) KeepQuestions(ctx context.Context, c *Chunk) error {
	_, err := s.pool.Exec(ctx, `UPDATE model_questions SET until = clock_timestamp() + $3::interval WHERE step_id = $1 AND chunk = $2`, c.Step, c.Number, placeTime)
	if err != nil {
		return fmt.Errorf("keep questions of step %d: %w", c.Step, err)
	}
	return nil
}

// LeaveQuestions gives back what a chunk has claimed: it is answered, or another chunk may ask.
func (s *Store) LeaveQuestions(ctx context.Context, c *Chunk) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM model_questions WHERE step_id = $1 AND chunk = $2`, c.Step, c.Number); err != nil {
		return fmt.Errorf("leave questions of step %d: %w", c.Step, err)
	}
	return nil
}
