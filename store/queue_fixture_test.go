package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// floor is a project with people at work on it.
type floor struct {
	*Store

	project  Project
	labelers []Actor
	class    int64
	items    []int64
	tasks    []int64
}

// newFloor returns a project of ready items of 100 × 80 pixels, one class, and labelers.
func newFloor(tb testing.TB, pool *pgxpool.Pool, labelers, items, overlap int) *floor {
	tb.Helper()
	st, err := New(pool, storetest.Bucket(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return newFloorOf(tb, st, labelers, items, overlap)
}

// newFloorOf is newFloor over a store that is there already, and empty.
func newFloorOf(tb testing.TB, st *Store, labelers, items, overlap int) (f *floor) {
	tb.Helper()
	f = &floor{Store: st}
	var err error
	f.project, err = st.AddProject(tb.Context(), System(), NewProject{Slug: "strip", Kind: "image", Overlap: overlap})
	if err != nil {
		tb.Fatal(err)
	}
	f.scan(tb, &f.class, `INSERT INTO classes (project_id, name, slot) VALUES ($1, 'scratch', 0) RETURNING id`, f.project.ID)
	f.exec(tb, `INSERT INTO definitions (class_id, version, published_at) VALUES ($1, 1, now()), ($1, 2, now())`, f.class)
	f.exec(tb, `INSERT INTO sources (name) VALUES ('mill')`)
	for range labelers {
		f.hire(tb)
	}
	f.addItems(tb, items, 0)
	return f
}

// hire adds a labeler to the project.
func (f *floor) hire(tb testing.TB) {
	tb.Helper()
	var id int64
	f.scan(tb, &id, `INSERT INTO people (role, pseudonym) VALUES ('labeler', gen_random_uuid()) RETURNING id`)
	f.exec(tb, `INSERT INTO members (project_id, person_id) VALUES ($1, $2)`, f.project.ID, id)
	f.labelers = append(f.labelers, Actor{PersonID: id, Role: access.Labeler})
}

// addItems adds ready items and their tasks.
func (f *floor) addItems(tb testing.TB, n, priority int) {
	tb.Helper()
	if n == 0 {
		return
	}
	err := f.inTx(tb.Context(), func(tx pgx.Tx) error {
		rows, err := tx.Query(tb.Context(), `
			INSERT INTO items (project_id, source_id, key_hash, width, height)
			SELECT $1, s.id, uuid_send(gen_random_uuid()), 100, 80 FROM sources s, generate_series(1, $2) RETURNING id`, f.project.ID, n)
		if err != nil {
			return err
		}
		items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		f.items = append(f.items, items...)
		return addTasks(tb.Context(), tx, f.project.ID, items, priority)
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
}

func (f *floor) exec(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	if _, err := f.pool.Exec(tb.Context(), sql, args...); err != nil {
		tb.Fatal(err)
	}
}

func (f *floor) scan(tb testing.TB, into any, sql string, args ...any) {
	tb.Helper()
	if err := f.pool.QueryRow(tb.Context(), sql, args...).Scan(into); err != nil {
		tb.Fatal(err)
	}
}

// runOut lets the lease of an assignment be over.
func (f *floor) runOut(tb testing.TB, assignment int64) {
	tb.Helper()
	f.exec(tb, `UPDATE assignments SET lease_until = now() - interval '1 second' WHERE id = $1 AND state = 'leased'`, assignment)
}

func (f *floor) mustClaim(tb testing.TB, who Actor) Claimed {
	tb.Helper()
	c, err := f.Claim(tb.Context(), who, f.project.Slug, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// answer is a valid answer of one box to what was claimed.
func (f *floor) answer(c Claimed) NewAnnotation {
	return NewAnnotation{Task: c.Task, Assignment: c.Assignment, Boxes: []DraftBox{{ID: "a", ClassID: f.class, X: 1, Y: 2, W: 30, H: 40}}}
}

func (f *floor) mustSubmit(tb testing.TB, who Actor, c Claimed) Receipt {
	tb.Helper()
	r, err := f.Submit(tb.Context(), who, f.answer(c))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// taskState is what the queue knows of a task.
type taskState struct {
	State         string
	Live          int
	Votes         int
	Overlap       int
	AssignedState string // of the labeler's newest assignment
}

func (f *floor) state(tb testing.TB, task int64, who Actor) (s taskState) {
	tb.Helper()
	err := f.pool.QueryRow(tb.Context(), `
		SELECT t.state, live, votes, overlap, coalesce((SELECT a.state FROM assignments a WHERE a.task_id = t.id AND a.person_id = $2 ORDER BY pass DESC LIMIT 1), '')
		FROM tasks t WHERE id = $1`, task, who.PersonID).Scan(&s.State, &s.Live, &s.Votes, &s.Overlap, &s.AssignedState)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// broken are the sentences that must be false at any moment, each as a query for what breaks it.
var broken = map[string]string{
	"more leases and votes than places": `SELECT id FROM tasks WHERE live + votes > overlap`,
	"live is not what is held": `SELECT t.id FROM tasks t
		WHERE live <> (SELECT count(*) FROM assignments a WHERE a.task_id = t.id AND a.state IN ('leased', 'returned') AND a.reason <> 'gold')`,
	"votes is not what was answered": `SELECT t.id FROM tasks t
		WHERE votes <> (SELECT count(*) FROM annotations an WHERE an.task_id = t.id AND NOT an.surplus AND an.recalled_at IS NULL AND an.superseded_at IS NULL)`,
	"enough votes, but still open": `SELECT id FROM tasks WHERE state = 'open' AND votes >= overlap`,
	"a claimable task behind a cursor": `SELECT t.id FROM tasks t JOIN items i ON i.id = t.item_id JOIN queue_cursors c ON c.project_id = t.project_id
		WHERE t.state = 'open' AND t.live + t.votes < t.overlap AND i.state = 'ready' AND (-t.priority, t.id) < (-c.priority, c.task_id)
		  AND NOT EXISTS (SELECT FROM assignments a WHERE a.task_id = t.id AND a.person_id = c.person_id)`,
	"two gold items in a row": `SELECT id FROM (
		SELECT id, reason, lag(reason) OVER (PARTITION BY project_id, person_id ORDER BY id) AS before FROM assignments) a WHERE reason = 'gold' AND before = 'gold'`,
	"a labeler's first item is gold": `SELECT id FROM (
		SELECT id, reason, row_number() OVER (PARTITION BY project_id, person_id ORDER BY id) AS n FROM assignments) a WHERE reason = 'gold' AND n = 1`,
	"an answer to a gold item counts": `SELECT an.id FROM annotations an JOIN assignments a ON a.id = an.assignment_id
		WHERE an.gold <> (a.reason = 'gold') OR an.gold AND an.superseded_at IS NULL`,
	"a draft of what is finished": `SELECT a.id FROM drafts d JOIN assignments a ON a.id = d.assignment_id WHERE a.state IN ('submitted', 'skipped')`,
}

// breaches returns which of the sentences in broken are true in one snapshot.
func (f *floor) breaches(ctx context.Context) (found error) {
	err := pgx.BeginTxFunc(ctx, f.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for what, sql := range broken {
			rows, err := tx.Query(ctx, sql)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			if len(ids) > 0 {
				found = errors.Join(found, fmt.Errorf("%s: %v", what, ids))
			}
		}
		return nil
	})
	return errors.Join(found, err)
}

func (f *floor) mustHold(tb testing.TB) {
	tb.Helper()
	if err := f.breaches(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// addGold adds items that are decided, and gold; every third item that a labeler gets is one of them from now on.
func (f *floor) addGold(tb testing.TB, n int) []int64 {
	tb.Helper()
	before := len(f.items)
	f.addItems(tb, n, 0)
	items := f.items[before:]
	f.exec(tb, `UPDATE projects SET gold_share = 0.3, gold_least = 3 WHERE id = $1`, f.project.ID)
	f.exec(tb, `UPDATE tasks SET state = 'adjudicated' WHERE item_id = ANY($1)`, items)
	f.exec(tb, `WITH s AS (INSERT INTO imports (project_id, format, purpose, source_id) SELECT $1, 'coco', 'truth', min(id) FROM sources RETURNING id),
		u AS (INSERT INTO truths (item_id, import_id) SELECT i, s.id FROM s, unnest($2::bigint[]) i RETURNING id)
		INSERT INTO truth_boxes (truth_id, position, class_id, x, y, w, h) SELECT id, 0, $3, 1, 2, 30, 40 FROM u`, f.project.ID, items, f.class)
	f.exec(tb, `INSERT INTO gold_items (item_id, task_id, project_id) SELECT item_id, id, project_id FROM tasks WHERE item_id = ANY($1)`, items)
	return items
}
