package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"fiducial/internal/access"
	"fiducial/store/storetest"
)

// modelTask is a task as the glossary has it: who holds a place, who answered, who may still.
type modelTask struct {
	id        int64
	priority  int
	overlap   int
	state     string
	gold      bool           // decided, and handed out to measure: it has no places
	assigned  map[int]string // by labeler: leased, late (lease over, not noticed), returned, expired, submitted, surplus, aside, skipped
	submitted map[int]int    // by labeler: when
	again     map[int]bool   // by labeler: it came back to them
	earlier   map[int]int    // by labeler: when they gave the answer that came back
}

func (m *modelTask) count(states ...string) (n int) {
	if m.gold {
		return 0
	}
	for _, s := range m.assigned {
		if slices.Contains(states, s) {
			n++
		}
	}
	return n
}

func (m *modelTask) live() int  { return m.count("leased", "late", "returned") }
func (m *modelTask) votes() int { return m.count("submitted") }
func (m *modelTask) free() bool { return m.state == "open" && m.live()+m.votes() < m.overlap }

// queueModel is the whole queue in memory, in the simplest form that is right, beside the real one.
type queueModel struct {
	*floor

	t       *testing.T
	tasks   []*modelTask
	overlap int
	clock   int
	checks  int
	ids     map[string]int64 // assignments by task and labeler, as Claim named them
	batchOf map[int64]int64  // by task: its unfinished batch
	former  map[int64]int    // and its priority before that
	due     map[int]bool     // labelers who got an ordinary item since their last gold one
}

func (q *queueModel) key(task int64, who int) string { return fmt.Sprintf("%d/%d", task, who) }

// release is what a claim does first when some lease is over.
func (q *queueModel) release() {
	for _, m := range q.tasks {
		for who, s := range m.assigned {
			if s == "late" {
				m.assigned[who] = "expired"
				if m.again[who] {
					m.assigned[who] = "returned"
				}
			}
		}
	}
}

// expected is the task that a labeler must get next, or nil; in hand says that it is theirs already.
func (q *queueModel) expected(who int) (task *modelTask, inHand bool) {
	for _, state := range []string{"leased", "returned", "expired"} {
		var oldest *modelTask
		for _, m := range q.tasks {
			decided := m.state != "open" && m.state != "in_review" && !m.gold
			if m.assigned[who] != state || decided || state == "expired" && !m.free() && !m.gold {
				continue
			}
			if oldest == nil || q.ids[q.key(m.id, who)] < q.ids[q.key(oldest.id, who)] {
				oldest = m
			}
		}
		if oldest != nil {
			return oldest, true
		}
	}
	var first *modelTask
	for _, m := range q.tasks {
		if _, had := m.assigned[who]; had || !m.free() {
			continue
		}
		if first == nil || m.priority > first.priority || m.priority == first.priority && m.id < first.id {
			first = m
		}
	}
	return first, false
}

// goldFor is the gold item of this id if a labeler may get it now, or nil.
func (q *queueModel) goldFor(who int, task int64) *modelTask {
	for _, m := range q.tasks {
		if _, had := m.assigned[who]; m.id == task && m.gold && !had && q.due[who] {
			return m
		}
	}
	return nil
}

func (q *queueModel) labeler(rt *rapid.T) int {
	return rapid.IntRange(0, len(q.labelers)-1).Draw(rt, "labeler")
}

// assigned draws an assignment that is in one of these states.
func (q *queueModel) drawAssigned(rt *rapid.T, states ...string) (*modelTask, int) {
	type pick struct {
		m   *modelTask
		who int
	}
	var all []pick
	for _, m := range q.tasks {
		for who := range q.labelers {
			if slices.Contains(states, m.assigned[who]) {
				all = append(all, pick{m, who})
			}
		}
	}
	if len(all) == 0 {
		rt.Skip("nobody has such an assignment")
	}
	p := all[rapid.IntRange(0, len(all)-1).Draw(rt, "assignment")]
	return p.m, p.who
}

func (q *queueModel) claim(rt *rapid.T) {
	who := q.labeler(rt)
	q.release()
	want, inHand := q.expected(who)
	got, err := q.Claim(q.t.Context(), q.labelers[who], q.project.Slug, 0)
	if want == nil {
		if !errors.Is(err, ErrQueueEmpty) {
			rt.Fatalf("claimed %v, %v; want an empty queue", got, err)
		}
		return
	}
	if gold := q.goldFor(who, got.Task); gold != nil && !inHand {
		want = gold // chance would have it
	}
	if !inHand {
		q.due[who] = !want.gold
	}
	if err != nil || got.Task != want.id {
		rt.Fatalf("labeler %d claimed %v, %v; want task %d", who, got, err, want.id)
	}
	want.assigned[who] = "leased"
	q.ids[q.key(want.id, who)] = got.Assignment
}

func (q *queueModel) submit(rt *rapid.T) {
	m, who := q.drawAssigned(rt, "leased", "late", "expired")
	a := q.answer(Claimed{Task: m.id, Assignment: q.ids[q.key(m.id, who)]})
	a.Version = 1
	r, err := q.Submit(q.t.Context(), q.labelers[who], a)
	if m.state == "discarded" {
		if !errors.Is(err, ErrGone) {
			rt.Fatalf("answer to a discarded item: %v", err)
		}
		return
	}
	if m.state == "adjudicated" && !m.gold {
		if _, refused := errors.AsType[*InvalidError](err); !refused {
			rt.Fatalf("answer to a decided item: %v", err)
		}
		return
	}
	surplus := m.assigned[who] == "expired" && !m.free() && !m.gold
	if err != nil || r.Surplus != surplus {
		rt.Fatalf("submit of task %d: %+v, %v; want surplus %v", m.id, r, err, surplus)
	}
	q.clock++
	m.assigned[who] = map[bool]string{false: "submitted", true: "surplus"}[surplus]
	m.submitted[who] = q.clock
	if m.state == "open" && m.votes() >= m.overlap {
		m.state = "in_review"
	}
}

func (q *queueModel) skip(rt *rapid.T) {
	m, who := q.drawAssigned(rt, "leased", "late", "expired")
	reason := rapid.SampledFrom([]SkipReason{CannotDecide, BrokenImage, NotMine}).Draw(rt, "reason")
	if _, err := q.Skip(q.t.Context(), q.labelers[who], m.id, q.ids[q.key(m.id, who)], reason, ""); err != nil {
		rt.Fatal(err)
	}
	m.assigned[who] = "skipped"
	if reason != NotMine && m.state == "open" && !m.gold {
		m.state = "in_review"
	}
}

func (q *queueModel) recall(rt *rapid.T) {
	m, who := q.drawAssigned(rt, "submitted", "surplus")
	last := true
	for _, other := range q.tasks {
		last = last && max(other.submitted[who], other.earlier[who]) <= m.submitted[who]
	}
	err := q.Recall(q.t.Context(), q.labelers[who], m.id)
	if !last || m.state != "open" && m.state != "in_review" && !m.gold {
		if _, refused := errors.AsType[*InvalidError](err); !refused {
			rt.Fatalf("recall of task %d: %v; want a refusal", m.id, err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	delete(m.submitted, who)
	if m.assigned[who] == "surplus" {
		m.assigned[who] = "expired"
		return
	}
	if m.votes() >= m.overlap && !m.gold {
		m.state = "open"
	}
	m.assigned[who] = "leased"
}

func (q *queueModel) fallAsleep(rt *rapid.T) {
	m, who := q.drawAssigned(rt, "leased")
	q.runOut(q.t, q.ids[q.key(m.id, who)])
	m.assigned[who] = "late"
}

func (q *queueModel) beat(rt *rapid.T) {
	m, who := q.drawAssigned(rt, "leased", "late", "expired")
	leases, _, err := q.Heartbeat(q.t.Context(), q.labelers[who], []int64{q.ids[q.key(m.id, who)]})
	again := m.assigned[who] != "expired" || m.free() || m.gold
	if err != nil || (len(leases) == 1) != again {
		rt.Fatalf("heartbeat on task %d: %v, %v; want held %v", m.id, leases, err, again)
	}
	if again {
		m.assigned[who] = "leased"
	}
}

func (q *queueModel) add(rt *rapid.T) {
	priority := rapid.IntRange(-1, 1).Draw(rt, "priority")
	before := len(q.floor.tasks)
	q.addItems(q.t, 1, priority)
	for _, id := range q.floor.tasks[before:] {
		q.tasks = append(q.tasks, &modelTask{id: id, priority: priority, overlap: q.overlap, state: "open", assigned: map[int]string{}, submitted: map[int]int{}, again: map[int]bool{}, earlier: map[int]int{}})
	}
}

func (q *queueModel) addGoldItem(*rapid.T) {
	before := len(q.floor.tasks)
	q.addGold(q.t, 1)
	q.exec(q.t, `DELETE FROM truth_boxes`) // so that no relabel makes it an ordinary item again
	for _, id := range q.floor.tasks[before:] {
		q.tasks = append(q.tasks, &modelTask{id: id, overlap: q.overlap, state: "adjudicated", gold: true, assigned: map[int]string{}, submitted: map[int]int{}})
	}
}

func (q *queueModel) setOverlap(rt *rapid.T) {
	q.overlap = rapid.IntRange(1, 3).Draw(rt, "overlap")
	if err := q.SetOverlap(q.t.Context(), System(), q.project.ID, q.overlap); err != nil {
		rt.Fatal(err)
	}
	for _, m := range q.tasks {
		if m.state != "open" && m.state != "in_review" {
			continue
		}
		overlap := max(q.overlap, m.votes())
		if overlap == m.overlap {
			continue
		}
		switch {
		case m.votes() >= q.overlap:
			m.state = "in_review"
		case m.votes() >= m.overlap:
			m.state = "open"
		}
		m.overlap = overlap
		for m.live()+m.votes() > overlap {
			m.assigned[q.youngest(m)] = "expired"
		}
	}
}

// putInBatch makes a batch of a few items, which come before the rest from then on.
func (q *queueModel) putInBatch(rt *rapid.T) {
	if len(q.tasks) == 0 {
		rt.Skip("nothing to make a batch of")
	}
	var chosen []int64
	var free []*modelTask
	for _, at := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(q.tasks)-1), 1, min(3, len(q.tasks)), rapid.ID).Draw(rt, "items") {
		chosen = append(chosen, q.items[at])
		if m := q.tasks[at]; q.batchOf[m.id] == 0 && m.state != "discarded" {
			free = append(free, m)
		}
	}
	batch, err := q.AddBatch(q.t.Context(), System(), NewBatch{Project: q.project.ID, Choice: BatchChoice{Items: chosen}})
	if len(free) == 0 {
		if _, refused := errors.AsType[*InvalidError](err); !refused {
			rt.Fatalf("a batch of nothing that is free: %v", err)
		}
		return
	}
	if err != nil || batch.Items != len(free) {
		rt.Fatalf("batch of %d items, %v; want %d", batch.Items, err, len(free))
	}
	for _, m := range free {
		q.batchOf[m.id], q.former[m.id] = batch.ID, m.priority
		m.priority = max(m.priority, batch.Priority)
	}
}

// closeBatch gives a batch up: its items go back to where they were.
func (q *queueModel) closeBatch(rt *rapid.T) {
	var open []int64
	for _, m := range q.tasks {
		if id := q.batchOf[m.id]; id != 0 && !slices.Contains(open, id) {
			open = append(open, id)
		}
	}
	if len(open) == 0 {
		rt.Skip("no batch")
	}
	id := open[rapid.IntRange(0, len(open)-1).Draw(rt, "batch")]
	if err := q.CloseBatch(q.t.Context(), System(), id, 0); err != nil {
		rt.Fatal(err)
	}
	for _, m := range q.tasks {
		if q.batchOf[m.id] == id {
			m.priority = q.former[m.id]
			delete(q.batchOf, m.id)
		}
	}
}

// youngest is the labeler whose lease on the task was handed out last.
func (q *queueModel) youngest(m *modelTask) (who int) {
	var newest int64
	for w, s := range m.assigned {
		if id := q.ids[q.key(m.id, w)]; (s == "leased" || s == "late" || s == "returned") && id > newest {
			who, newest = w, id
		}
	}
	return who
}

// discard is what a reviewer does to a task in review, as far as the queue goes.
func (q *queueModel) discard(rt *rapid.T) {
	var inReview []*modelTask
	for _, m := range q.tasks {
		if m.state == "in_review" {
			inReview = append(inReview, m)
		}
	}
	if len(inReview) == 0 {
		rt.Skip("nothing in review")
	}
	m := inReview[rapid.IntRange(0, len(inReview)-1).Draw(rt, "task")]
	q.exec(q.t, `WITH t AS (UPDATE tasks SET state = 'discarded' WHERE id = $1 RETURNING item_id)
		UPDATE truths SET current = false FROM t WHERE truths.item_id = t.item_id`, m.id)
	m.state = "discarded"
}

// relabel publishes the class's next definition and sends every label back that is older.
func (q *queueModel) relabel(rt *rapid.T) {
	q.exec(q.t, `INSERT INTO definitions (class_id, version, published_at) SELECT $1, max(version) + 1, now() FROM definitions WHERE class_id = $1`, q.class)
	id, err := q.Relabel(q.t.Context(), Actor{Role: access.Admin}, q.class, SendBack{All: true})
	if err != nil {
		rt.Fatal(err)
	}
	if err := q.RunRelabel(q.t.Context(), id); err != nil {
		rt.Fatal(err)
	}
	for _, m := range q.tasks {
		if m.state != "discarded" && m.count("submitted", "surplus") > 0 {
			q.sendBack(m)
		}
	}
}

// sendBack takes every answer to a task back to its labeler, the first given first.
func (q *queueModel) sendBack(m *modelTask) {
	undecided := m.state == "in_review" && m.votes() < m.overlap
	m.state = "in_review"
	var answered []int
	for who, s := range m.assigned {
		if s == "submitted" || s == "surplus" {
			answered = append(answered, who)
		}
	}
	slices.SortFunc(answered, func(a, b int) int { return m.submitted[a] - m.submitted[b] })
	for _, who := range answered {
		held := m.assigned[who] == "submitted"
		m.assigned[who] = "aside"
		m.earlier[who] = m.submitted[who]
		delete(m.submitted, who)
		if held || m.live()+m.votes() < m.overlap {
			m.assigned[who], m.again[who] = "returned", true
			var id int64
			q.scan(q.t, &id, `SELECT id FROM assignments WHERE task_id = $1 AND person_id = $2 ORDER BY pass DESC LIMIT 1`, m.id, q.labelers[who].PersonID)
			q.ids[q.key(m.id, who)] = id
		}
	}
	if m.votes() < m.overlap && !undecided {
		m.state = "open"
	}
}

// breachEvery is after how many steps the books are gone through: it takes longer than a step.
const breachEvery = 8

// check compares every task with the model, and now and then looks for what must never be.
func (q *queueModel) check(rt *rapid.T) {
	rows, err := q.pool.Query(q.t.Context(), `SELECT id, state, live, votes, overlap FROM tasks WHERE project_id = $1 ORDER BY id`, q.project.ID)
	if err != nil {
		rt.Fatal(err)
	}
	type row struct {
		ID                   int64
		State                string
		Live, Votes, Overlap int
	}
	got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		rt.Fatal(err)
	}
	for i, m := range q.tasks {
		if want := (row{m.id, m.state, m.live(), m.votes(), m.overlap}); got[i] != want {
			rt.Fatalf("task %+v, want %+v; assigned %v", got[i], want, m.assigned)
		}
	}
	q.checks++
	if q.checks%breachEvery != 0 {
		return
	}
	if err := q.breaches(q.t.Context()); err != nil {
		rt.Fatal(err)
	}
}

// Whatever a few labelers do in whatever order, the queue hands out and counts what the model says.
func TestQueueIsItsModel(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	st, err := New(pool, storetest.Bucket(t))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		storetest.Empty(t, pool)
		q := &queueModel{
			floor: newFloorOf(t, st, 3, 0, 2), t: t, overlap: 2, ids: map[string]int64{}, batchOf: map[int64]int64{}, former: map[int64]int{}, due: map[int]bool{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": q.add, "add gold": q.addGoldItem, "claim": q.claim, "claim again": q.claim, "submit": q.submit, "skip": q.skip, "recall": q.recall,
			"fall asleep": q.fallAsleep, "heartbeat": q.beat, "overlap": q.setOverlap, "discard": q.discard, "ask another": q.askAnother, "accept": q.accept, "relabel": q.relabel,
			"batch": q.putInBatch, "close batch": q.closeBatch, "": q.check,
		})
	})
}
