package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// shownBatch is the id of the batch that a labeler is told assignment a, of task t, belongs to. A gold item is in none of
// theirs; it shows the one that they are at, since it must look like any other.
const shownBatch = `CASE a.reason WHEN 'gold' THEN coalesce(
		(SELECT lt.batch_id FROM assignments l JOIN tasks lt ON lt.id = l.task_id
		 WHERE l.person_id = a.person_id AND l.project_id = a.project_id AND l.reason <> 'gold' AND l.state IN ('submitted', 'skipped')
		 ORDER BY l.finished_at DESC LIMIT 1),
		(SELECT b.id FROM batches b WHERE b.project_id = a.project_id AND NOT ` + finishedBatch + ` ORDER BY b.priority DESC, b.number LIMIT 1))
	ELSE t.batch_id END`

// WorkPlace says where in a batch a labeler is: at their Nth item of it, gold items counted as any other. 0 of both where
// the item is in none.
type WorkPlace struct {
	Batch int // its number
	Nth   int
}

// workPlace returns where in a batch an assignment of a labeler is.
func (s *Store) workPlace(ctx context.Context, assignment int64) (p WorkPlace, err error) {
	err = s.pool.QueryRow(ctx, `
		WITH mine AS MATERIALIZED (
			SELECT a.id, a.person_id, a.project_id, `+shownBatch+` AS batch_id FROM assignments a JOIN tasks t ON t.id = a.task_id WHERE a.id = $1
		), own AS MATERIALIZED (
			SELECT min(a.id) AS first, count(*) FILTER (WHERE a.id <= mine.id) AS n
			FROM mine JOIN batch_items i ON i.batch_id = mine.batch_id JOIN assignments a ON a.task_id = i.task_id AND a.person_id = mine.person_id
			WHERE a.reason <> 'gold')
		SELECT b.number, own.n + (
			SELECT count(*) FROM assignments g WHERE g.person_id = mine.person_id AND g.project_id = mine.project_id AND g.reason = 'gold'
			  AND g.id >= coalesce(own.first, mine.id) AND g.id <= mine.id)
		FROM mine JOIN batches b ON b.id = mine.batch_id CROSS JOIN own`, assignment).Scan(&p.Batch, &p.Nth)
	if errors.Is(err, pgx.ErrNoRows) {
		return WorkPlace{}, nil
	}
	if err != nil {
		return WorkPlace{}, fmt.Errorf("place of assignment %d: %w", assignment, err)
	}
	return p, nil
}
