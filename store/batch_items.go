package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// The priorities of batches' tasks. A new batch comes after the unfinished ones that the project has, so that labelers
// go through one batch after the other, and all of them before what is in none.
const (
	batchPriority    = 500
	batchPriorityMin = 101
)

// NewBatch is what making a batch needs.
type NewBatch struct {
	Project int64
	Title   string
	OwnerID int64 // 0 for nobody
	Due     *time.Time
	Choice  BatchChoice
}

// AddBatch makes a batch of what a choice comes to, and puts its items at the head of the queue. It returns an
// InvalidError where that is nothing.
func (s *Store) AddBatch(ctx context.Context, actor Actor, n NewBatch) (batch Batch, err error) {
	if err := actor.may(access.EditBatches); err != nil {
		return Batch{}, err
	}
	title, err := checkTitle(n.Title)
	if err != nil {
		return Batch{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		project, err := lockProject(ctx, tx, actor, n.Project)
		if err != nil {
			return err
		}
		items, err := s.pick(ctx, tx, project, n.Choice)
		if err != nil {
			return err
		}
		id, err := makeBatch(ctx, tx, actor, madeBatch{Project: project.ID, Title: title, Owner: n.OwnerID, Due: n.Due}, items)
		if err != nil {
			return err
		}
		batches, err := batchesWhere(ctx, tx, actor, `b.id = @id`, pgx.NamedArgs{"id": id})
		if err == nil {
			batch = batches[0]
		}
		return err
	})
	if err != nil {
		return Batch{}, fmt.Errorf("add batch: %w", err)
	}
	return batch, nil
}

// lockProject returns the project while nobody else makes batches of it: their numbers come one after the other,
// and no two take the same item.
func lockProject(ctx context.Context, tx pgx.Tx, actor Actor, id int64) (Project, error) {
	if _, err := tx.Exec(ctx, `SELECT FROM projects WHERE id = $1 FOR NO KEY UPDATE`, id); err != nil {
		return Project{}, err
	}
	return projectByID(ctx, tx, actor, id)
}

// madeBatch is a batch as its row is written.
type madeBatch struct {
	Project     int64
	Round, Part int64 // 0 for none
	Title       string
	Owner       int64
	Due         *time.Time
	Plan        int64 // 0 for none
	Overlap     int   // how often the plan wants each item answered
}

// makeBatch writes a batch of these items, in this order. It comes last in its transaction.
func makeBatch(ctx context.Context, tx pgx.Tx, actor Actor, m madeBatch, items []int64) (id int64, err error) {
	if err := checkOwner(ctx, tx, m.Project, m.Owner); err != nil {
		return 0, err
	}
	var priority int
	err = tx.QueryRow(ctx, `
		INSERT INTO batches (project_id, number, round_id, part, title, owner_id, due_on, priority, created_by, token_id)
		SELECT $1, coalesce(max(b.number), 0) + 1, $2, $3, $4, $5, $6,
			greatest(coalesce(min(b.priority) FILTER (WHERE NOT `+finishedBatch+`) - 1, $7), $8), $9, $10
		FROM batches b WHERE b.project_id = $1 RETURNING id, priority`,
		m.Project, orNull(m.Round), orNull(m.Part), m.Title, orNull(m.Owner), m.Due, batchPriority, batchPriorityMin,
		orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id, &priority)
	if err != nil {
		return 0, fmt.Errorf("make batch: %w", err)
	}
	b := Batch{ID: id, ProjectID: m.Project, Priority: priority}
	tasks, err := takeIn(ctx, tx, b, items)
	if err != nil {
		return 0, err
	}
	if len(tasks) == 0 {
		return 0, invalid("", "Somebody put these items into another batch meanwhile.")
	}
	if m.Plan != 0 {
		// A task keeps at least the places that it has.
		_, err := tx.Exec(ctx, `
			UPDATE tasks SET plan_id = $2, overlap = CASE WHEN state = 'open' THEN greatest($3, live + votes) ELSE overlap END WHERE id = ANY($1)`,
			tasks, m.Plan, m.Overlap)
		if err != nil {
			return 0, fmt.Errorf("tasks of a plan: %w", err)
		}
	}
	if err := notifyOthers(ctx, tx, actor, []int64{m.Owner}, BatchYours, id, m.Project); err != nil {
		return 0, err
	}
	err = audit(ctx, tx, actor, auditEvent{
		Action: "batch.add", ObjectType: "batch", ObjectID: id, ProjectID: m.Project, Detail: map[string]any{"items": len(tasks), "round": m.Round},
	})
	if err != nil {
		return 0, err
	}
	if err := refreshBatch(ctx, tx, id); err != nil {
		return 0, err
	}
	return id, rewind(ctx, tx, m.Project, tasks)
}

// takeIn puts items into a batch, raises their tasks and returns those. Items that are in another unfinished batch
// by now, or were discarded, are left out. The caller rewinds the queue.
func takeIn(ctx context.Context, tx pgx.Tx, b Batch, items []int64) ([]int64, error) {
	// What came with its truth is decided: nobody is asked to label it again.
	_, err := tx.Exec(ctx, `
		INSERT INTO tasks (project_id, item_id, overlap, state)
		SELECT p.id, i.id, p.overlap, 'adjudicated' FROM items i JOIN projects p ON p.id = i.project_id
		WHERE i.id = ANY($1) AND EXISTS (SELECT FROM truths u WHERE u.item_id = i.id AND u.current)
		ON CONFLICT (item_id) DO NOTHING`, items)
	if err != nil {
		return nil, fmt.Errorf("tasks of a batch: %w", err)
	}
	if err := insertTasks(ctx, tx, b.ProjectID, items, 0); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT t.id FROM tasks t WHERE t.item_id = ANY($1) ORDER BY t.id FOR NO KEY UPDATE`, items)
	if err != nil {
		return nil, fmt.Errorf("tasks of a batch: %w", err)
	}
	if _, err := pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		return nil, fmt.Errorf("tasks of a batch: %w", err)
	}
	rows, err = tx.Query(ctx, `
		WITH taken AS (
			INSERT INTO batch_items (batch_id, item_id, task_id, position, former_priority)
			SELECT $1, t.item_id, t.id, (SELECT coalesce(max(position), 0) FROM batch_items WHERE batch_id = $1) + row_number() OVER (ORDER BY u.place), t.priority
			FROM unnest($2::bigint[]) WITH ORDINALITY u (item, place) JOIN tasks t ON t.item_id = u.item LEFT JOIN batches b ON b.id = t.batch_id
			WHERE t.state <> 'discarded' AND (b.id IS NULL OR `+finishedBatch+`)
			ON CONFLICT DO NOTHING RETURNING task_id)
		UPDATE tasks t SET batch_id = $1, priority = greatest(t.priority, $3) FROM taken WHERE t.id = taken.task_id RETURNING t.id`, b.ID, items, b.Priority)
	if err != nil {
		return nil, fmt.Errorf("items of a batch: %w", err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("items of a batch: %w", err)
	}
	return tasks, nil
}

// AddToBatch puts more items into a batch that nobody has begun, and says how many those were.
func (s *Store) AddToBatch(ctx context.Context, actor Actor, batch int64, version int, c BatchChoice) (added int, err error) {
	err = s.changeBatch(ctx, actor, batch, version, func(tx pgx.Tx, b Batch) error {
		if err := b.stillOpen(); err != nil {
			return err
		}
		project, err := lockProject(ctx, tx, actor, b.ProjectID)
		if err != nil {
			return err
		}
		items, err := s.pick(ctx, tx, project, c)
		if err != nil {
			return err
		}
		if b.Items+len(items) > BatchMost {
			return invalid("size", fmt.Sprintf("At most %d items fit into one batch.", BatchMost))
		}
		tasks, err := takeIn(ctx, tx, b, items)
		if err != nil {
			return err
		}
		added = len(tasks)
		if err := batchChanged(ctx, tx, actor, b, "batch.items", map[string]any{"added": added}); err != nil {
			return err
		}
		return rewind(ctx, tx, b.ProjectID, tasks)
	})
	return added, err
}

func (b *Batch) stillOpen() error {
	if b.State != BatchOpen {
		return invalid("", "Somebody has begun on this batch, so its items stay as they are. Close it, or make another one.")
	}
	return nil
}

// batchChanged raises a batch's version, brings its figures up to date and notes who did what.
func batchChanged(ctx context.Context, tx pgx.Tx, actor Actor, b Batch, action string, detail map[string]any) error {
	if _, err := tx.Exec(ctx, `UPDATE batches SET version = version + 1, changed_at = now() WHERE id = $1`, b.ID); err != nil {
		return err
	}
	if err := refreshBatch(ctx, tx, b.ID); err != nil {
		return err
	}
	return audit(ctx, tx, actor, auditEvent{Action: action, ObjectType: "batch", ObjectID: b.ID, ProjectID: b.ProjectID, Detail: detail})
}

// RemoveFromBatch takes items out of a batch that nobody has begun, and says how many those were. They go back to where
// they were in the queue.
func (s *Store) RemoveFromBatch(ctx context.Context, actor Actor, batch int64, version int, items []int64) (removed int, err error) {
	err = s.changeBatch(ctx, actor, batch, version, func(tx pgx.Tx, b Batch) error {
		if err := b.stillOpen(); err != nil {
			return err
		}
		tasks, err := letOut(ctx, tx, b, items)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM batch_items WHERE batch_id = $1 AND item_id = ANY($2)`, b.ID, items); err != nil {
			return err
		}
		if removed = len(tasks); removed == b.Items {
			return invalid("", "A batch without items is none. Close it instead.")
		}
		if err := batchChanged(ctx, tx, actor, b, "batch.items", map[string]any{"removed": removed}); err != nil {
			return err
		}
		return rewind(ctx, tx, b.ProjectID, tasks)
	})
	return removed, err
}

// letOut gives tasks the priority that they had before the batch, unless somebody gave them another one since. items
// nil means all. The caller rewinds the queue.
func letOut(ctx context.Context, tx pgx.Tx, b Batch, items []int64) ([]int64, error) {
	rows, err := tx.Query(ctx, `
		SELECT t.id FROM tasks t WHERE t.batch_id = $1 AND t.id IN (
			SELECT task_id FROM batch_items WHERE batch_id = $1 AND ($2::bigint[] IS NULL OR item_id = ANY($2)))
		ORDER BY t.id FOR NO KEY UPDATE`, b.ID, items)
	if err != nil {
		return nil, fmt.Errorf("tasks of batch %d: %w", b.ID, err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("tasks of batch %d: %w", b.ID, err)
	}
	_, err = tx.Exec(ctx, `
		UPDATE tasks t SET batch_id = NULL, priority = CASE WHEN t.priority = $3 THEN i.former_priority ELSE t.priority END
		FROM batch_items i WHERE i.batch_id = $1 AND i.task_id = t.id AND t.id = ANY($2)`, b.ID, tasks, b.Priority)
	if err != nil {
		return nil, fmt.Errorf("tasks of batch %d: %w", b.ID, err)
	}
	return tasks, nil
}

// CloseBatch gives a batch up: its items go back to where they were in the queue, and are free for another batch. What
// was answered and decided stays.
func (s *Store) CloseBatch(ctx context.Context, actor Actor, batch int64, version int) error {
	return s.changeBatch(ctx, actor, batch, version, func(tx pgx.Tx, b Batch) error {
		if b.State.Finished() {
			return invalid("", "This batch has come to its end already.")
		}
		tasks, err := letOut(ctx, tx, b, nil)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE batches SET state = 'closed' WHERE id = $1`, b.ID); err != nil {
			return err
		}
		if err := batchChanged(ctx, tx, actor, b, "batch.close", map[string]any{"answered": b.Answered, "decided": b.Decided}); err != nil {
			return err
		}
		return rewind(ctx, tx, b.ProjectID, tasks)
	})
}

// BatchItem is an item of a batch.
type BatchItem struct {
	ItemLine

	Position int
	Votes    int
	Overlap  int
	Score    *float64 // how far its answers agree; nil where there is nothing to compare
	Worst    string   // the worst finding, or ""
	Look     int      // its place in the sample, 0 where it was not drawn
	Looked   bool
	Faulty   bool
	Left     LeftBecause
}

// LeftBecause is why an item was left to a person when its batch was approved or returned as a whole.
type LeftBecause string

// The reasons.
const (
	LeftUnanswered LeftBecause = "unanswered" // there is no answer, or one is wanted again
	LeftUndecided  LeftBecause = "undecided"  // a labeler could not decide
	LeftDisputed   LeftBecause = "disputed"   // a labeler contests a remark
	LeftConflict   LeftBecause = "conflict"   // no majority of the answers settles it
	LeftChanged    LeftBecause = "changed"    // somebody decided on it meanwhile
)

// BatchItemFilter selects a page of a batch's items, those whose answers agree least first.
type BatchItemFilter struct {
	State  string // of the task, "" for any
	Sample bool   // drawn for the look alone
	Left   bool   // left to a person alone
	After  BatchItemPlace
	Limit  int
}

// BatchItemPlace is a place in the order of BatchItems: after the item with this score (2 for none) and position.
type BatchItemPlace struct {
	Score    float64
	Position int
}

// Place is where this item stands in the order of BatchItems.
func (i *BatchItem) Place() BatchItemPlace {
	if i.Score == nil {
		return BatchItemPlace{2, i.Position}
	}
	return BatchItemPlace{*i.Score, i.Position}
}

// BatchItems lists a batch's items. The batch came from a method that checked who asks.
func (s *Store) BatchItems(ctx context.Context, actor Actor, batch Batch, f BatchItemFilter) ([]BatchItem, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+itemLineColumns+`, c.position, coalesce(t.votes, 0) AS votes, coalesce(t.overlap, 0) AS overlap, g.score, coalesce(g.worst, '') AS worst,
			coalesce(c.look, 0) AS look, d.looked, d.faulty, c.left_because AS left
		FROM batch_items c JOIN items i ON i.id = c.item_id JOIN tasks t ON t.id = c.task_id LEFT JOIN item_texts x ON x.item_id = c.item_id
		LEFT JOIN item_agreements g ON g.item_id = c.item_id
		CROSS JOIN LATERAL (
			SELECT c.look IS NOT NULL AND count(*) > 0 AS looked, c.look IS NOT NULL AND coalesce(bool_or(r.decision NOT IN ('approved', 'merged')), false) AS faulty
			FROM reviews r WHERE r.task_id = c.task_id AND r.decided_at >= @planned AND `+personal+`) d
		WHERE c.batch_id = @batch AND (@state = '' OR t.state = @state) AND (NOT @sample OR c.look IS NOT NULL) AND (NOT @left OR c.left_because <> '')
		  AND (coalesce(g.score, 2), c.position) > (@score, @position)
		ORDER BY coalesce(g.score, 2), c.position LIMIT @limit`, pgx.NamedArgs{
		"batch": batch.ID, "planned": batch.PlannedAt, "state": f.State, "sample": f.Sample, "left": f.Left,
		"score": f.After.Score, "position": f.After.Position, "limit": f.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("items of batch %d: %w", batch.ID, err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowToStructByName[BatchItem])
	if err != nil {
		return nil, fmt.Errorf("items of batch %d: %w", batch.ID, err)
	}
	return items, nil
}
