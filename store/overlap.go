package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
)

// overlapBatch is how many tasks get a new overlap in one transaction, while nobody can claim them.
const overlapBatch = 2000

// SetOverlap changes how many answers are wanted for each item of a project, for what is undecided and
// what is still to come. Raised, it opens tasks again that were answered often enough; lowered,
// it sends tasks to review, and the youngest leases beyond it lose their place (they may still answer). It works in
// steps: after an error, calling it again does what is left.
func (s *Store) SetOverlap(ctx context.Context, actor Actor, project int64, overlap int) error {
	if err := actor.may(access.EditProjects); err != nil {
		return err
	}
	if overlap < 1 || overlap > 9 {
		return invalid("overlap", "Choose between 1 and 9 answers for each item.")
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := projectByID(ctx, tx, actor, project); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE projects SET overlap = $2, version = version + 1 WHERE id = $1 AND overlap <> $2`, project, overlap)
		if err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "project.overlap", ObjectType: "project", ObjectID: project, ProjectID: project, Detail: map[string]any{"overlap": overlap},
		})
	})
	for last := int64(0); err == nil; {
		var more bool
		if last, more, err = s.setOverlapOfSome(ctx, project, overlap, last); !more {
			break
		}
	}
	if err == nil {
		_, err = s.queue.Insert(ctx, jobargs.ScoreProject{ProjectID: project}, scoreLater())
	}
	if err != nil {
		return fmt.Errorf("overlap of project %d: %w", project, err)
	}
	return nil
}

// setOverlapOfSome does the next tasks after one of them, and says whether there are more.
func (s *Store) setOverlapOfSome(ctx context.Context, project int64, overlap int, after int64) (last int64, more bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// A task keeps at least as many places as it has votes: those count already.
		rows, err := tx.Query(ctx, `
			SELECT id FROM tasks
			WHERE project_id = $1 AND id > $2 AND state IN ('open', 'in_review') AND overlap <> greatest($3, votes)
			ORDER BY id LIMIT $4 FOR NO KEY UPDATE`, project, after, overlap, overlapBatch)
		if err != nil {
			return err
		}
		tasks, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil || len(tasks) == 0 {
			return err
		}
		last, more = tasks[len(tasks)-1], len(tasks) == overlapBatch
		batch := &pgx.Batch{}
		batch.Queue(`
			WITH held AS (
				SELECT a.id, row_number() OVER (PARTITION BY a.task_id ORDER BY a.id) > greatest($2 - t.votes, 0) AS beyond
				FROM assignments a JOIN tasks t ON t.id = a.task_id
				WHERE a.task_id = ANY($1) AND a.state IN ('leased', 'returned') AND a.reason <> 'gold')
			UPDATE assignments a SET state = 'expired', lease_until = NULL FROM held WHERE held.id = a.id AND held.beyond`, tasks, overlap)
		batch.Queue(`
			UPDATE tasks SET overlap = greatest($2, votes), live = least(live, greatest($2 - votes, 0)), changed_at = now(),
				state = CASE WHEN votes >= $2 THEN 'in_review' WHEN votes >= overlap THEN 'open' ELSE state END
			WHERE id = ANY($1)`, tasks, overlap)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		return rewind(ctx, tx, project, tasks)
	})
	return last, more, err
}
