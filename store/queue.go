package store

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// The queue of a project is its open tasks with a free place, in the order of priority (highest
// first), then age. A place is taken by a lease, by a rework or relabel that waits for its labeler (both are
// counted in tasks.live), and by a submitted wanted vote (tasks.votes); live + votes never exceeds
// overlap. A gold item, whose truth is known, is handed out in the place of one of the queue and holds no place:
// it is in nobody's queue. A labeler's cursor says from where on the queue can hold something for them, so that a
// claim does not look again at everything they have done.
//
// A cursor must never come to lie behind a task that its labeler could claim. It moves forward in
// a claim alone, to the first task that the claim saw as claimable, locked by others or not. It
// moves back in reopen and rewind, which everyone calls who makes a task claimable. What a claim sees
// may lack what such a transaction has done and not yet committed, wherever the cursor stood when
// that transaction looked; so claims hold a lock of the project's queue in share mode, and reopen takes
// it alone, each until its end. Then of any claim and any reopening one is wholly before the other:
// either the reopening finds the cursor where the claim left it, or the claim finds the task.
//
// Nobody waits in a circle: everyone locks memberships, tasks, then assignments, and the queue's lock last (of
// several projects in the order of their ids), and a claim, which holds the queue's lock from its start, skips
// tasks and assignments that are locked (and gives way where Postgres makes it wait: claimPatience). A transaction that reopens must not have
// locked projects or people FOR UPDATE, which an assignment's foreign keys would wait for; a plain
// UPDATE of their settings is fine.

// queueLock is the space of the advisory locks on queues; the second number is the project's id.
const queueLock = 0x71756575

// freePlace is the condition that task t can take another answer; the partial index
// tasks_claimable_idx has the same words.
const freePlace = `t.state = 'open' AND t.live + t.votes < t.overlap`

// placeFor is the condition that assignment a, which ran out, can be taken up again: its task t still has a place for
// it, or it needs none.
const placeFor = `(a.reason = 'gold' OR ` + freePlace + `)`

// workable is the condition that assignment a of task t can be answered. A gold item is decided, and
// its labelers must not notice.
const workable = `(t.state IN ('open', 'in_review') OR a.reason = 'gold' AND t.state <> 'discarded')`

// forPerson is the condition that @person can claim task t: they never had it, and its item can be
// shown. Both are asked task by task, by index, in this order, in a form that leaves the planner no other way: it
// would read everything that was ever assigned, or every task, whenever it knows little of a person.
const forPerson = `CASE WHEN (SELECT count(*) = 0 FROM assignments a WHERE a.task_id = t.id AND a.person_id = @person)
	THEN (SELECT i.state = 'ready' FROM items i WHERE i.id = t.item_id) ELSE false END`

// queuePlace is a place in the queue's order.
type queuePlace struct {
	Priority int32
	Task     int64
}

// queueStart is before every task, queueEnd after.
var (
	queueStart = queuePlace{Priority: math.MaxInt32}
	queueEnd   = queuePlace{Priority: -math.MaxInt32, Task: math.MaxInt64}
)

// claimPatience ends a claim's wait for a row. SKIP LOCKED has one hole: a task that was changed since the
// claim's snapshot and is being changed again is waited for, while its changer may wait for the
// queue's lock. This is shorter than Postgres' deadlock_timeout, so that the claim gives way, which
// costs nobody anything, and never whoever submits.
const claimPatience = "200ms"

// releaseBatch is how many leases are released in one transaction, which keeps the queue's lock short.
const releaseBatch = 100

// Claimed is a task that was handed to a labeler.
type Claimed struct {
	Task       int64
	Assignment int64
}

// claimant is a labeler at the queue of a project. Gold is how often a gold item is handed out there in the place of
// another, where the one before was none.
type claimant struct {
	Person  int64
	Project int64
	Paused  bool
	Resting bool // they are paused in the project themselves, and get nothing new
	Overdue bool // some lease of the project ran out
	Gold    float64
}

// turn is where a labeler stands in the queue, and whether it is a gold item's turn.
type turn struct {
	Cursor  queuePlace
	GoldDue bool // an ordinary item was handed out since the last gold one
	Gold    bool // chance would have it now
}

// Claim hands the actor their next task of the project with this slug: what they hold already, then
// what came back to them, then what they let run out and nobody else took, then the first of the
// queue. After is an assignment that they are still busy with, which is passed over so that the next
// one can be fetched meanwhile; 0 for none. Now and then a gold item comes in the place of the one of
// the queue. It returns ErrQueueEmpty when nothing is left for them, ErrPaused while the project hands
// out nothing, ErrResting while it has nothing new for them, and ErrNotFound unless they are a member.
func (s *Store) Claim(ctx context.Context, actor Actor, slug string, after int64) (Claimed, error) {
	c, err := s.claimant(ctx, actor, slug)
	if err != nil {
		return Claimed{}, fmt.Errorf("claim in %s: %w", slug, err)
	}
	if c.Overdue {
		if _, err := s.releaseLeases(ctx, c.Project); err != nil {
			return Claimed{}, err
		}
	}
	for {
		claimed, busy, err := s.claim(ctx, c, after)
		switch {
		case timedOut(err):
			continue
		case err != nil:
			return Claimed{}, fmt.Errorf("claim in %s: %w", slug, err)
		case claimed.Task != 0:
			return claimed, nil
		case busy.Task == 0 && c.Resting:
			return Claimed{}, fmt.Errorf("claim in %s: %w", slug, ErrResting)
		case busy.Task == 0:
			return Claimed{}, fmt.Errorf("claim in %s: %w", slug, ErrQueueEmpty)
		}
		if err := s.waitFor(ctx, busy); err != nil {
			return Claimed{}, fmt.Errorf("claim in %s: wait: %w", slug, err)
		}
	}
}

// waitFor returns once nobody has the task and the assignment locked: whoever has may give them back. That
// happens outside of the claim, holding nothing of it.
func (s *Store) waitFor(ctx context.Context, busy Claimed) error {
	if _, err := s.pool.Exec(ctx, `SELECT FROM tasks WHERE id = $1 FOR SHARE`, busy.Task); err != nil {
		return err
	}
	_, err := s.pool.Exec(ctx, `SELECT FROM assignments WHERE id = $1 FOR SHARE`, busy.Assignment)
	return err
}

// claimant looks up the actor as a member of the project.
func (s *Store) claimant(ctx context.Context, actor Actor, slug string) (claimant, error) {
	if err := actor.may(access.Label); err != nil {
		return claimant{}, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT m.person_id AS person, p.id AS project, p.paused, m.paused_at IS NOT NULL AS resting, p.gold_share / (1 - p.gold_share) AS gold,
			EXISTS (SELECT FROM assignments a WHERE a.project_id = p.id AND a.state = 'leased' AND a.lease_until < now()) AS overdue
		FROM projects p JOIN members m ON m.project_id = p.id AND m.person_id = $2
		WHERE p.slug = $1 AND p.archived_at IS NULL`, slug, actor.PersonID)
	if err != nil {
		return claimant{}, err
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[claimant])
	if err != nil {
		return claimant{}, notFound(err)
	}
	if c.Paused {
		return claimant{}, ErrPaused
	}
	return c, nil
}

// claim is one attempt in one transaction. If it finds nothing, busy is what could be claimed were it not locked by
// someone else: the first task of the queue, or, with its assignment, what is the labeler's already.
func (s *Store) claim(ctx context.Context, c claimant, after int64) (claimed, busy Claimed, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		turn, err := lockCursor(ctx, tx, c)
		if err != nil {
			return err
		}
		if claimed, err = handBack(ctx, tx, c, after); err != nil || claimed.Task != 0 {
			return err
		}
		if !c.Resting {
			claimed, busy.Task, err = takeNext(ctx, tx, c, turn)
		}
		if err == nil && claimed.Task == 0 && busy.Task == 0 {
			busy, err = ownWork(ctx, tx, c, after)
		}
		return err
	})
	return claimed, busy, err
}

// lockCursor enters the queue and locks the labeler's cursor, so that their claims come one by one. Before that it
// locks their membership, so that nobody takes it away while they are given something; it returns ErrNotFound if it is gone.
func lockCursor(ctx context.Context, tx pgx.Tx, c claimant) (t turn, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`SELECT set_config('lock_timeout', $1, true)`, claimPatience)
	batch.Queue(`SELECT person_id FROM members WHERE project_id = $1 AND person_id = $2 FOR KEY SHARE`, c.Project, c.Person).
		QueryRow(func(row pgx.Row) error { return notFound(row.Scan(&c.Person)) })
	batch.Queue(`SELECT pg_advisory_xact_lock_shared($1, $2::bigint::int)`, queueLock, c.Project)
	batch.Queue(`INSERT INTO queue_cursors (project_id, person_id, priority, task_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		c.Project, c.Person, queueStart.Priority, queueStart.Task)
	batch.Queue(`
		SELECT priority, task_id, gold_due, gold_due AND random() < $3 FROM queue_cursors WHERE project_id = $1 AND person_id = $2 FOR NO KEY UPDATE`,
		c.Project, c.Person, c.Gold).QueryRow(func(row pgx.Row) error {
		return row.Scan(&t.Cursor.Priority, &t.Cursor.Task, &t.GoldDue, &t.Gold)
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return turn{}, fmt.Errorf("cursor: %w", err)
	}
	return t, nil
}

// handBack leases again what is the labeler's already, if there is any such thing.
func handBack(ctx context.Context, tx pgx.Tx, c claimant, after int64) (Claimed, error) {
	again, err := leaseAgain(ctx, tx, c.Person, theirs, c.Project, after)
	if err != nil || len(again) == 0 {
		return Claimed{}, err
	}
	return again[0], nil
}

// theirs selects what a labeler has in project $2 already, but for assignment $3: the first to be gone on with.
const theirs = `a.project_id = $2 AND a.id <> $3
	AND a.state IN ('leased', 'returned', 'expired') AND (a.state <> 'expired' OR ` + placeFor + `)
	ORDER BY array_position(ARRAY['leased', 'returned', 'expired'], a.state), a.id LIMIT 1`

// ownWork is what handBack would lease were it not locked, by scoring for example, if there is any such thing.
func ownWork(ctx context.Context, tx pgx.Tx, c claimant, after int64) (own Claimed, err error) {
	err = tx.QueryRow(ctx, `SELECT t.id, a.id `+leasable+theirs, c.Person, c.Project, after).Scan(&own.Task, &own.Assignment)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Claimed{}, fmt.Errorf("own work: %w", err)
	}
	return own, nil
}

// leasable begins a query for what person $1 can be leased again; the condition that says which follows.
const leasable = `FROM assignments a JOIN tasks t ON t.id = a.task_id JOIN items i ON i.id = t.item_id JOIN projects p ON p.id = a.project_id
	WHERE a.person_id = $1 AND ` + stillMember + ` AND i.state = 'ready' AND ` + workable + ` AND `

// leaseAgain leases to a person those of their own assignments that the condition selects, from now on. Of what
// ran out it may select only what still has a free place. Their memberships are locked first, so that nobody who is
// taken out of a project meanwhile ends with a lease.
func leaseAgain(ctx context.Context, q querier, person int64, which string, args ...any) ([]Claimed, error) {
	rows, err := q.Query(ctx, `
		WITH joined AS MATERIALIZED (
			SELECT project_id FROM members WHERE person_id = $1 ORDER BY project_id FOR KEY SHARE
		), mine AS MATERIALIZED (
			SELECT a.id, a.task_id, a.state, a.reason, p.lease_minutes
			`+leasable+`a.project_id IN (SELECT project_id FROM joined) AND `+which+`
			FOR NO KEY UPDATE OF a, t SKIP LOCKED
		), placed AS (
			UPDATE tasks t SET live = live + 1 FROM mine WHERE t.id = mine.task_id AND mine.state = 'expired' AND mine.reason <> 'gold'
		)
		UPDATE assignments a SET state = 'leased', lease_until = now() + make_interval(mins => mine.lease_minutes),
			claimed_at = CASE mine.state WHEN 'returned' THEN now() ELSE a.claimed_at END
		FROM mine WHERE a.id = mine.id RETURNING a.task_id AS task, a.id AS assignment`, append([]any{person}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("lease again: %w", err)
	}
	again, err := pgx.CollectRows(rows, pgx.RowToStructByName[Claimed])
	if err != nil {
		return nil, fmt.Errorf("lease again: %w", err)
	}
	return again, nil
}

// takeNext leases the first task of the queue that nobody has locked, and moves the cursor up to the
// first that could be claimed, locked or not. Where it is a gold item's turn, one is leased in the place of that
// task, which is left to others.
func takeNext(ctx context.Context, tx pgx.Tx, c claimant, turn turn) (claimed Claimed, busy int64, err error) {
	cursor := turn.Cursor
	var first queuePlace
	var picked int64
	err = tx.QueryRow(ctx, `
		WITH first AS MATERIALIZED (
			SELECT t.priority, t.id FROM tasks t
			WHERE t.project_id = @project AND `+freePlace+` AND (-t.priority, t.id) >= (-@priority::int, @task::bigint) AND `+forPerson+`
			ORDER BY -t.priority, t.id LIMIT 1
		), picked AS MATERIALIZED (
			SELECT t.id FROM tasks t
			WHERE t.project_id = @project AND `+freePlace+` AND `+forPerson+`
			  AND (-t.priority, t.id) >= ((SELECT -priority FROM first), (SELECT id FROM first))
			ORDER BY -t.priority, t.id LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED
		)
		SELECT coalesce(first.priority, @last_priority), coalesce(first.id, @last_task), coalesce(first.id, 0), coalesce(picked.id, 0)
		FROM (SELECT) one LEFT JOIN first ON true LEFT JOIN picked ON true`,
		pgx.NamedArgs{
			"project": c.Project, "person": c.Person, "priority": cursor.Priority, "task": cursor.Task,
			"last_priority": queueEnd.Priority, "last_task": queueEnd.Task,
		}).Scan(&first.Priority, &first.Task, &busy, &picked)
	if err != nil {
		return Claimed{}, 0, fmt.Errorf("next: %w", err)
	}
	due, reason := turn.GoldDue, "initial"
	if picked != 0 {
		due = true
		if turn.Gold {
			gold, err := pickGold(ctx, tx, c)
			if err != nil {
				return Claimed{}, 0, err
			}
			if gold != 0 {
				picked, reason, due = gold, "gold", false
			}
		}
	}
	batch := &pgx.Batch{}
	if first != cursor || due != turn.GoldDue {
		batch.Queue(`UPDATE queue_cursors SET priority = $3, task_id = $4, gold_due = $5 WHERE project_id = $1 AND person_id = $2`,
			c.Project, c.Person, first.Priority, first.Task, due)
	}
	if picked != 0 {
		claimed.Task = picked
		if reason != "gold" {
			batch.Queue(`UPDATE tasks SET live = live + 1 WHERE id = $1`, picked)
		}
		batch.Queue(`
			INSERT INTO assignments (task_id, project_id, person_id, reason, state, lease_until, mode)
			SELECT t.id, p.id, $3, $4, 'leased', now() + make_interval(mins => p.lease_minutes), `+modeFor+`
			FROM projects p JOIN tasks t ON t.id = $1 WHERE p.id = $2
			RETURNING id`, picked, c.Project, c.Person, reason).QueryRow(func(row pgx.Row) error { return row.Scan(&claimed.Assignment) })
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return Claimed{}, 0, fmt.Errorf("take task %d: %w", picked, err)
	}
	return claimed, busy, nil
}

// reopen moves cursors back so that each of these tasks of a project is found by whoever can claim it
// now. Call it, as the last step of a transaction, for every task that may have become claimable, and
// for all of them at once.
func reopen(ctx context.Context, tx pgx.Tx, project int64, tasks ...int64) error {
	return moveBack(ctx, tx, project, `
		SELECT t.priority, t.id FROM tasks t
		WHERE t.id = ANY($2) AND t.project_id = c.project_id AND `+freePlace+`
		  AND NOT EXISTS (SELECT FROM assignments a WHERE a.task_id = t.id AND a.person_id = c.person_id)
		ORDER BY -t.priority, t.id LIMIT 1`, tasks)
}

// rewind moves every cursor of a project back to the first of these tasks: reopen for very many.
func rewind(ctx context.Context, tx pgx.Tx, project int64, tasks []int64) error {
	return moveBack(ctx, tx, project, `
		SELECT first.priority, first.id FROM (
			SELECT t.priority, t.id FROM tasks t WHERE t.id = ANY($2) ORDER BY -t.priority, t.id LIMIT 1) first`, tasks)
}

// moveBack moves each cursor c of the project back to the place that the query says, if it lies behind.
func moveBack(ctx context.Context, tx pgx.Tx, project int64, to string, tasks []int64) error {
	batch := &pgx.Batch{}
	batch.Queue(`SELECT pg_advisory_xact_lock($1, $2::bigint::int)`, queueLock, project)
	batch.Queue(`
		UPDATE queue_cursors moved SET priority = first.priority, task_id = first.id
		FROM queue_cursors c CROSS JOIN LATERAL (`+to+`) first
		WHERE moved.project_id = c.project_id AND moved.person_id = c.person_id
		  AND c.project_id = $1 AND (-c.priority, c.task_id) > (-first.priority, first.id)`, project, tasks)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("reopen tasks of project %d: %w", project, err)
	}
	return nil
}

// vacate takes back the places that were held on tasks of one project, one for each time that a task
// is listed, and puts the tasks back in the queue. The caller has locked the tasks.
func vacate(ctx context.Context, tx pgx.Tx, project int64, tasks []int64) error {
	_, err := tx.Exec(ctx, `
		UPDATE tasks t SET live = t.live - freed.places
		FROM (SELECT id, count(*)::int AS places FROM unnest($1::bigint[]) id GROUP BY id) freed
		WHERE t.id = freed.id`, tasks)
	if err != nil {
		return fmt.Errorf("vacate places: %w", err)
	}
	return reopen(ctx, tx, project, tasks...)
}

// addTasks puts items into the project's queue, and those that are in it already back to their place.
// An item that is not ready waits: call it again once it is.
func addTasks(ctx context.Context, tx pgx.Tx, project int64, items []int64, priority int) error {
	if err := insertTasks(ctx, tx, project, items, priority); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT id FROM tasks WHERE item_id = ANY($1) AND state = 'open' ORDER BY -priority, id LIMIT 1`, items)
	if err != nil {
		return fmt.Errorf("add tasks: %w", err)
	}
	first, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("add tasks: %w", err)
	}
	return rewind(ctx, tx, project, first)
}

// insertTasks makes the tasks of items that have none. The caller has them seen by rewind.
func insertTasks(ctx context.Context, tx pgx.Tx, project int64, items []int64, priority int) error {
	// The lock lets no change of the overlap pass between reading it and these tasks being seen.
	_, err := tx.Exec(ctx, `
		INSERT INTO tasks (project_id, item_id, priority, overlap)
		SELECT p.id, item, $3, p.overlap
		FROM (SELECT id, overlap FROM projects WHERE id = $1 FOR SHARE) p, unnest($2::bigint[]) WITH ORDINALITY AS u (item, position)
		ORDER BY position
		ON CONFLICT (item_id) DO NOTHING`, project, items, priority)
	if err != nil {
		return fmt.Errorf("add tasks: %w", err)
	}
	return nil
}

// Resume leases again what came back to the actor or ran out, if it is this task and its place is still theirs.
func (s *Store) Resume(ctx context.Context, actor Actor, task int64) error {
	if err := actor.may(access.Label); err != nil {
		return err
	}
	_, err := leaseAgain(ctx, s.pool, actor.PersonID,
		`a.task_id = $2 AND NOT p.paused AND (a.state = 'returned' OR a.state = 'expired' AND `+placeFor+`)`, task)
	return err
}
