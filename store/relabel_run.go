package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// relabelBatch is how many items are sent back in one transaction, which keeps their locks, and the queue's, short.
const relabelBatch = 500

// endOfTime is when a definition that is still a draft is taken to be published.
var endOfTime = time.Date(9999, time.January, 1, 0, 0, 0, 0, time.UTC)

// relabel is a sending back at work.
type relabel struct {
	ID, Project, Class int64 // a Class of 0 stands for the rules for transcripts
	Version            int
	Others             []int64
	State              string
	Published          time.Time // when the definition was
}

func (r relabel) args(own pgx.NamedArgs) pgx.NamedArgs {
	all := pgx.NamedArgs{"relabel": r.ID, "project": r.Project, "class": r.Class, "version": r.Version, "others": r.Others, "published": r.Published}
	for k, v := range own {
		all[k] = v
	}
	return all
}

// countsForItem is the condition that answer an of item i counts as a label that could be made again.
const countsForItem = counts + ` AND i.state = 'ready'
	AND (SELECT t.state <> 'discarded' FROM tasks t WHERE t.id = an.task_id) AND (SELECT a.reason <> 'gold' FROM assignments a WHERE a.id = an.assignment_id)`

// wholeAnswer is the position that stands for an answer as a whole, and for none of its boxes.
const wholeAnswer = `-1`

// boxes selects the boxes of answers that are meant, as (item, task, annotation, position).
func (r relabel) boxes() string {
	if r.Class == 0 {
		return `
			SELECT an.item_id AS item, an.task_id AS task, an.id AS annotation, ` + wholeAnswer + ` AS position
			FROM tasks k JOIN annotations an ON an.task_id = k.id JOIN items i ON i.id = an.item_id
			WHERE k.project_id = @project AND coalesce(an.rules_version, 0) < @version AND ` + countsForItem
	}
	if len(r.Others) == 0 {
		return `
			SELECT an.item_id AS item, an.task_id AS task, an.id AS annotation, b.position
			FROM annotation_boxes b JOIN annotations an ON an.id = b.annotation_id JOIN items i ON i.id = an.item_id
			WHERE b.class_id = @class AND coalesce(b.definition_version, 0) < @version AND i.project_id = @project AND ` + countsForItem
	}
	return r.confused("true")
}

// boxesOfItems selects the same of @items alone. It goes from the items to their boxes in a form that leaves the
// planner no other way: it would read all of the class each time.
func (r relabel) boxesOfItems() string {
	if r.Class == 0 {
		return `
			SELECT an.item_id AS item, an.task_id AS task, an.id AS annotation, ` + wholeAnswer + ` AS position
			FROM items i CROSS JOIN LATERAL (SELECT * FROM annotations WHERE item_id = i.id OFFSET 0) an
			WHERE i.id = ANY(@items) AND coalesce(an.rules_version, 0) < @version AND ` + countsForItem
	}
	if len(r.Others) == 0 {
		return `
			SELECT an.item_id AS item, an.task_id AS task, an.id AS annotation, b.position
			FROM items i CROSS JOIN LATERAL (SELECT * FROM annotations WHERE item_id = i.id OFFSET 0) an
			CROSS JOIN LATERAL (
				SELECT position FROM annotation_boxes
				WHERE annotation_id = an.id AND class_id = @class AND coalesce(definition_version, 0) < @version OFFSET 0) b
			WHERE i.id = ANY(@items) AND ` + countsForItem
	}
	return r.confused("f.item_id = ANY(@items)")
}

// confused selects what was confused, of the rows f of confusions for which where holds.
func (r relabel) confused(where string) string {
	return `
		SELECT DISTINCT an.item_id AS item, an.task_id AS task, an.id AS annotation, b.position
		FROM confusions f CROSS JOIN LATERAL unnest(f.annotations_a || f.annotations_b, f.positions_a || f.positions_b) AS b (annotation, position)
		JOIN annotations an ON an.id = b.annotation JOIN items i ON i.id = an.item_id
		WHERE ` + where + ` AND f.project_id = @project AND (f.class_a = @class AND f.class_b = ANY(@others) OR f.class_a = ANY(@others) AND f.class_b = @class)
		  AND an.submitted_at < @published AND ` + countsForItem
}

// truths selects the boxes of the truth that are meant, as (item, position). Where classes were confused it is the
// answers that come back; the truth follows from them.
func (r relabel) truths() string {
	if r.Class == 0 {
		return `
			SELECT u.item_id AS item, 0 AS position FROM items i JOIN truths u ON u.item_id = i.id AND u.current
			WHERE i.project_id = @project AND i.state = 'ready' AND coalesce(u.rules_version, 0) < @version`
	}
	if len(r.Others) > 0 {
		return `SELECT 0::bigint AS item, 0 AS position WHERE false`
	}
	return `
		SELECT u.item_id AS item, b.position
		FROM truth_boxes b JOIN truths u ON u.id = b.truth_id AND u.current JOIN items i ON i.id = u.item_id
		WHERE b.class_id = @class AND coalesce(b.definition_version, 0) < @version AND i.project_id = @project AND i.state = 'ready'`
}

// truthsOfItems selects the same of @items alone, like boxesOfItems.
func (r relabel) truthsOfItems() string {
	if r.Class == 0 {
		return `
			SELECT i.id AS item, 0 AS position FROM items i CROSS JOIN LATERAL (SELECT id, rules_version FROM truths WHERE item_id = i.id AND current OFFSET 0) u
			WHERE i.id = ANY(@items) AND i.state = 'ready' AND coalesce(u.rules_version, 0) < @version`
	}
	if len(r.Others) > 0 {
		return r.truths()
	}
	return `
		SELECT i.id AS item, b.position
		FROM items i CROSS JOIN LATERAL (SELECT id FROM truths WHERE item_id = i.id AND current OFFSET 0) u
		CROSS JOIN LATERAL (
			SELECT position FROM truth_boxes
			WHERE truth_id = u.id AND class_id = @class AND coalesce(definition_version, 0) < @version OFFSET 0) b
		WHERE i.id = ANY(@items) AND i.state = 'ready'`
}

// RunRelabel sends back what a relabel is about, in steps. Whatever stopped it, running it again does the rest, and
// nothing twice.
func (s *Store) RunRelabel(ctx context.Context, id int64) error {
	for {
		more, err := s.relabelSome(ctx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("relabel %d: %w", id, err)
		}
		if !more {
			return nil
		}
	}
}

// relabelSome does one step of a relabel, and says whether there may be more.
func (s *Store) relabelSome(ctx context.Context, id int64) (more bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// Whoever else runs it waits, and then finds the next step.
		rows, err := tx.Query(ctx, `
			SELECT r.id, r.project_id AS project, coalesce(r.class_id, 0) AS class, r.version, r.others, r.state, CASE WHEN r.class_id IS NULL
				THEN (SELECT t.published_at FROM transcription_rules t WHERE t.project_id = r.project_id AND t.version = r.version)
				ELSE (SELECT d.published_at FROM definitions d WHERE d.class_id = r.class_id AND d.version = r.version) END AS published
			FROM relabels r WHERE r.id = $1 FOR NO KEY UPDATE`, id)
		if err != nil {
			return err
		}
		r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[relabel])
		if err != nil {
			return err
		}
		switch r.State {
		case "queued":
			more = true
			return r.find(ctx, tx)
		case "sending":
			more, err = s.sendSome(ctx, tx, r)
		}
		return err
	})
	return more, err
}

// find notes the items that are to be sent back.
func (r relabel) find(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		WITH found AS (
			INSERT INTO relabel_items (relabel_id, item_id)
			SELECT @relabel, item FROM (SELECT item FROM (`+r.boxes()+`) b UNION SELECT item FROM (`+r.truths()+`) u) i
			RETURNING item_id)
		UPDATE relabels SET state = 'sending', items = (SELECT count(*) FROM found) WHERE id = @relabel`, r.args(nil))
	if err != nil {
		return fmt.Errorf("find items: %w", err)
	}
	return nil
}

// sendSome sends the next items back; when none is left it ends the relabel and tells the labelers.
func (s *Store) sendSome(ctx context.Context, tx pgx.Tx, r relabel) (more bool, err error) {
	rows, err := tx.Query(ctx, `
		SELECT item_id FROM relabel_items WHERE relabel_id = $1 AND state = 'waiting' ORDER BY item_id LIMIT $2`, r.ID, relabelBatch)
	if err != nil {
		return false, err
	}
	items, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return false, err
	}
	if len(items) == 0 {
		return false, r.finish(ctx, tx)
	}
	step := relabelStep{relabel: r, tx: tx, items: items}
	for _, do := range []func(context.Context) error{step.lock, step.collect, step.decide, step.write} {
		if err := do(ctx); err != nil {
			return false, err
		}
	}
	if err := s.askForScores(ctx, tx, step.sent()); err != nil {
		return false, err
	}
	return true, step.release(ctx)
}

// finish ends the relabel, and tells each labeler once.
func (r relabel) finish(ctx context.Context, tx pgx.Tx) error {
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE relabels SET state = 'done', finished_at = now() WHERE id = $1`, r.ID)
	batch.Queue(`
		INSERT INTO notices (person_id, kind, object_type, object_id, project_id)
		SELECT DISTINCT a.person_id, $2, 'relabel', $1::bigint, $3::bigint FROM relabel_answers x JOIN assignments a ON a.id = x.assignment_id
		WHERE x.relabel_id = $1`, r.ID, LabelsReturned, r.Project)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	return nil
}

// relabelStep is one transaction of a relabel.
type relabelStep struct {
	relabel

	tx       pgx.Tx
	items    []int64
	tasks    map[int64]*relabelTask // by item
	answers  []relabelAnswer
	labelers map[int64]bool // who can still label here
}

// relabelTask is the task of an item that is sent back, locked.
type relabelTask struct {
	ID, Item    int64
	State       string
	Overlap     int
	Live, Votes int

	older   bool   // its truth is
	outcome string // of its relabel_items
}

func (t *relabelTask) free() bool { return t.Live+t.Votes < t.Overlap }

// relabelAnswer is an answer that has labels to be made again.
type relabelAnswer struct {
	Task, Item, Annotation, Person int64
	Surplus                        bool
	Positions                      []int32
	Waiting                        int64 // the assignment under which it came back already, 0 for none
	returned                       bool
}

// lock locks the tasks, which it makes for items that came with their truth.
func (s *relabelStep) lock(ctx context.Context) error {
	_, err := s.tx.Exec(ctx, `
		INSERT INTO tasks (project_id, item_id, overlap, state)
		SELECT p.id, u.item_id, p.overlap, 'adjudicated' FROM projects p, truths u
		WHERE p.id = $1 AND u.item_id = ANY($2) AND u.current ON CONFLICT (item_id) DO NOTHING`, s.Project, s.items)
	if err != nil {
		return fmt.Errorf("make tasks: %w", err)
	}
	rows, err := s.tx.Query(ctx, `
		SELECT id, item_id AS item, state, overlap, live, votes FROM tasks WHERE item_id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, s.items)
	if err != nil {
		return err
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByNameLax[relabelTask])
	if err != nil {
		return fmt.Errorf("lock tasks: %w", err)
	}
	s.tasks = make(map[int64]*relabelTask, len(tasks))
	for _, t := range tasks {
		t.outcome = "passed"
		s.tasks[t.Item] = t
	}
	return nil
}

// collect reads what is to be made again: as it is now, under the tasks' locks.
func (s *relabelStep) collect(ctx context.Context) error {
	// An answer that came back already, for another definition or a fault, gets this reason beside the other.
	rows, err := s.tx.Query(ctx, `
		SELECT b.task, b.item, b.annotation, an.person_id AS person, an.surplus, array_remove(array_agg(b.position::int ORDER BY b.position), `+wholeAnswer+`) AS positions,
			0::bigint AS waiting
		FROM (`+s.boxesOfItems()+`) b JOIN annotations an ON an.id = b.annotation
		GROUP BY b.task, b.item, b.annotation, an.person_id, an.surplus
		UNION ALL
		SELECT an.task_id, an.item_id, an.id, an.person_id, an.surplus, array_agg(b.position::int ORDER BY b.position), a.id
		FROM assignments a CROSS JOIN LATERAL (
			SELECT max(l.id) AS id FROM annotations l WHERE l.task_id = a.task_id AND l.person_id = a.person_id AND l.recalled_at IS NULL) last
		JOIN annotations an ON an.id = last.id AND an.superseded_at IS NOT NULL
		JOIN annotation_boxes b ON b.annotation_id = an.id AND b.class_id = @class AND coalesce(b.definition_version, 0) < @version
		WHERE a.task_id = ANY(@tasks) AND a.reason = 'relabel' AND a.state IN ('leased', 'returned', 'expired')
		GROUP BY an.id, a.id
		ORDER BY annotation`, s.args(pgx.NamedArgs{"items": s.items, "tasks": s.taskIDs()}))
	if err != nil {
		return err
	}
	if s.answers, err = pgx.CollectRows(rows, pgx.RowToStructByNameLax[relabelAnswer]); err != nil {
		return fmt.Errorf("older answers: %w", err)
	}
	people := make([]int64, len(s.answers))
	for i, a := range s.answers {
		people[i] = a.Person
	}
	if s.labelers, err = labelersAmong(ctx, s.tx, s.Project, people); err != nil {
		return err
	}
	if rows, err = s.tx.Query(ctx, `SELECT DISTINCT item FROM (`+s.truthsOfItems()+`) u`, s.args(pgx.NamedArgs{"items": s.items})); err != nil {
		return err
	}
	older, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("older truths: %w", err)
	}
	for _, item := range older {
		s.tasks[item].older = true
	}
	return nil
}

func (s *relabelStep) taskIDs() []int64 {
	ids := make([]int64, 0, len(s.tasks))
	for _, t := range s.tasks {
		ids = append(ids, t.ID)
	}
	return ids
}

// labelersAmong returns which of these people are still in the project, in a role that labels.
func labelersAmong(ctx context.Context, tx pgx.Tx, project int64, people []int64) (map[int64]bool, error) {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := tx.Query(ctx, `
		SELECT p.id, p.role FROM people p JOIN members m ON m.person_id = p.id AND m.project_id = $1
		WHERE p.id = ANY($2) AND p.left_at IS NULL ORDER BY p.id FOR SHARE OF m`, project, people)
	if err != nil {
		return nil, err
	}
	can := map[int64]bool{}
	var person int64
	var role access.Role
	_, err = pgx.ForEachRow(rows, []any{&person, &role}, func() error {
		can[person] = access.Allows(role, access.Label)
		return nil
	})
	return can, err
}

// decide says what becomes of each task and of its answers; nothing is written yet.
func (s *relabelStep) decide(context.Context) error {
	byItem := map[int64][]*relabelAnswer{}
	for i := range s.answers {
		a := &s.answers[i]
		byItem[a.Item] = append(byItem[a.Item], a)
	}
	for item, t := range s.tasks {
		answers := byItem[item]
		switch {
		case t.State == "discarded":
		case len(answers) > 0:
			t.outcome = "sent"
			t.reopen(answers, s.labelers)
		case t.older && t.State == "adjudicated":
			t.outcome, t.State = "review", "in_review"
		case t.older && t.State == "in_review":
			t.outcome = "review"
		}
	}
	return nil
}

// reopen takes the answers from the task and gives each labeler who can still label the place that their answer had.
func (t *relabelTask) reopen(answers []*relabelAnswer, labelers map[int64]bool) {
	// In review without enough votes it was because somebody could not decide: there it stays.
	undecided := t.State == "in_review" && t.Votes < t.Overlap
	if t.State == "adjudicated" {
		// It asks for as many answers as it had; places that were never filled stay closed.
		t.Overlap = min(t.Overlap, max(1, t.Live+t.Votes))
		t.State = "in_review"
	}
	for _, a := range answers {
		if a.Waiting != 0 {
			continue
		}
		if !a.Surplus {
			t.Votes--
		}
		if a.returned = labelers[a.Person] && t.free(); a.returned {
			t.Live++
		}
	}
	if t.Votes < t.Overlap && !undecided {
		t.State = "open"
	}
}

// write stores what was decided.
func (s *relabelStep) write(ctx context.Context) error {
	if err := s.returnAnswers(ctx); err != nil {
		return err
	}
	var ids, items []int64
	var states, outcomes []string
	var overlaps, live, votes []int
	for _, t := range s.tasks {
		items, outcomes = append(items, t.Item), append(outcomes, t.outcome)
		if t.outcome != "passed" {
			ids, states, overlaps = append(ids, t.ID), append(states, t.State), append(overlaps, t.Overlap)
			live, votes = append(live, t.Live), append(votes, t.Votes)
		}
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		UPDATE tasks t SET state = u.state, overlap = u.overlap, live = u.live, votes = u.votes, version = t.version + 1, changed_at = now()
		FROM unnest($1::bigint[], $2::text[], $3::int[], $4::int[], $5::int[]) AS u (id, state, overlap, live, votes) WHERE t.id = u.id`,
		ids, states, overlaps, live, votes)
	batch.Queue(`
		UPDATE relabel_items r SET state = coalesce(u.state, 'passed') FROM unnest($2::bigint[]) AS s (item)
		LEFT JOIN unnest($3::bigint[], $4::text[]) AS u (item, state) ON u.item = s.item
		WHERE r.relabel_id = $1 AND r.item_id = s.item`, s.ID, s.items, items, outcomes)
	batch.Queue(`
		UPDATE relabels SET done_items = done_items + $2, answers = answers + $3, reviews = reviews + $4 WHERE id = $1`,
		s.ID, len(s.items), s.returned(), s.outcomes("review"))
	if err := s.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write tasks: %w", err)
	}
	return nil
}

// release puts what has a free place now back into the queue. It comes last.
func (s *relabelStep) release(ctx context.Context) error {
	var freed []int64
	for _, t := range s.tasks {
		if t.outcome == "sent" && t.State == "open" && t.free() {
			freed = append(freed, t.ID)
		}
	}
	if len(freed) == 0 {
		return nil
	}
	return reopen(ctx, s.tx, s.Project, freed...)
}

// sent are the items whose answers go back in this step.
func (s *relabelStep) sent() (items []int64) {
	for _, t := range s.tasks {
		if t.outcome == "sent" {
			items = append(items, t.Item)
		}
	}
	return items
}

// returned is how many answers go back to their labelers in this step.
func (s *relabelStep) returned() (n int) {
	for _, a := range s.answers {
		if a.returned {
			n++
		}
	}
	return n
}

func (s *relabelStep) outcomes(outcome string) (n int) {
	for _, t := range s.tasks {
		if t.outcome == outcome {
			n++
		}
	}
	return n
}
