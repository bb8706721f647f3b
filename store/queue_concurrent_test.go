package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"fiducial/store/storetest"
)

// shift is what happened while many labelers were at work at once.
type shift struct {
	*floor

	mu       sync.Mutex
	receipts map[int64]Claimed // what Submit acknowledged, by annotation
	recalled map[int64]bool
	left     atomic.Int64 // tasks to add while people work
}

// widePool is the test's database with a connection for each of many people.
func widePool(tb testing.TB, connections int32) *pgxpool.Pool {
	tb.Helper()
	config := storetest.Pool(tb).Config().Copy()
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// Sixty-four people claim, answer, skip, recall and fall asleep while leases run out, tasks come in
// before those that are there, and the overlap changes. At every moment the books are right; at the
// end nothing that was acknowledged is missing, and nothing that could be done is left.
func TestManyLabelersAtOnce(t *testing.T) {
	t.Parallel()
	const labelers, tasks = 64, 150
	s := &shift{floor: newFloor(t, widePool(t, labelers), labelers, tasks, 2), receipts: map[int64]Claimed{}, recalled: map[int64]bool{}}
	s.left.Store(60)
	s.addGold(t, 20)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var people, observers sync.WaitGroup
	for i, who := range s.labelers {
		people.Go(func() {
			if err := s.work(ctx, who, rand.New(rand.NewPCG(1, uint64(i)))); err != nil {
				t.Error(err)
			}
		})
	}
	people.Go(func() {
		for i := range 6 {
			if err := s.SetOverlap(ctx, System(), s.project.ID, 1+i%3); err != nil {
				t.Error(err)
			}
		}
	})
	observers.Go(func() {
		for ctx.Err() == nil {
			if err := s.breaches(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	people.Wait()
	cancel()
	observers.Wait()
	s.drain(t)
	s.audit(t)
}

// work is what one labeler does until nothing is left for them.
func (s *shift) work(ctx context.Context, who Actor, dice *rand.Rand) error {
	var asleep []Claimed
	for {
		c, err := s.Claim(ctx, who, s.project.Slug, 0)
		if errors.Is(err, ErrQueueEmpty) {
			break
		}
		if err != nil {
			return err
		}
		switch n := dice.IntN(100); {
		case n < 65:
			err = s.submit(ctx, who, c)
		case n < 72:
			_, err = s.Skip(ctx, who, c.Task, c.Assignment, NotMine, "")
		case n < 74:
			_, err = s.Skip(ctx, who, c.Task, c.Assignment, CannotDecide, "")
		case n < 84:
			_, err = s.pool.Exec(ctx, `UPDATE assignments SET lease_until = now() - interval '1 second' WHERE id = $1 AND state = 'leased'`, c.Assignment)
			asleep = append(asleep, c)
		case n < 90:
			if err = s.submit(ctx, who, c); err == nil {
				err = s.recall(ctx, who, c)
			}
		case n < 95:
			_, _, err = s.Heartbeat(ctx, who, []int64{c.Assignment})
		default:
			if s.left.Add(-1) >= 0 {
				err = s.addOne(ctx, dice.IntN(3)-1)
			}
		}
		if err != nil {
			return err
		}
	}
	for _, c := range asleep {
		if err := s.submit(ctx, who, c); err != nil {
			return err
		}
	}
	return nil
}

// submit answers and remembers that it was acknowledged. An answer that was skipped or given before in
// another way is refused, which is right.
func (s *shift) submit(ctx context.Context, who Actor, c Claimed) error {
	a := s.answer(c)
	a.Version = 1 // of the draft that a recall left
	r, err := s.Submit(ctx, who, a)
	if _, refused := errors.AsType[*InvalidError](err); refused {
		return nil
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receipts[r.Annotation] = c
	return nil
}

func (s *shift) recall(ctx context.Context, who Actor, c Claimed) error {
	if err := s.Recall(ctx, who, c.Task); err != nil {
		return err
	}
	var annotation int64
	err := s.pool.QueryRow(ctx, `SELECT max(id) FROM annotations WHERE assignment_id = $1 AND recalled_at IS NOT NULL`, c.Assignment).Scan(&annotation)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recalled[annotation] = true
	return err
}

func (s *shift) addOne(ctx context.Context, priority int) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit there is nothing to roll back
	var item int64
	err = tx.QueryRow(ctx, `
		INSERT INTO items (project_id, source_id, key_hash, width, height)
		SELECT $1, s.id, uuid_send(gen_random_uuid()), 100, 80 FROM sources s RETURNING id`, s.project.ID).Scan(&item)
	if err != nil {
		return err
	}
	if err := addTasks(ctx, tx, s.project.ID, []int64{item}, priority); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// drain lets everyone finish what they can still get, one after the other.
func (s *shift) drain(t *testing.T) {
	t.Helper()
	for again := true; again; {
		again = false
		for _, who := range s.labelers {
			for {
				c, err := s.Claim(t.Context(), who, s.project.Slug, 0)
				if errors.Is(err, ErrQueueEmpty) {
					break
				}
				if err == nil {
					err = s.submit(t.Context(), who, c)
				}
				if err != nil {
					t.Fatal(err)
				}
				again = true
			}
		}
	}
}

// audit compares what is stored with what was acknowledged, and looks for what is left.
func (s *shift) audit(t *testing.T) {
	t.Helper()
	s.mustHold(t)
	for id, c := range s.receipts {
		var found string
		s.scan(t, &found, `
			SELECT coalesce((SELECT format('%s %s %s', an.task_id, an.assignment_id, count(b.position))
			FROM annotations an JOIN annotation_boxes b ON b.annotation_id = an.id
			WHERE an.id = $1 AND (an.recalled_at IS NOT NULL) = $2 GROUP BY an.id), '')`, id, s.recalled[id])
		if want := fmt.Sprintf("%d %d 1", c.Task, c.Assignment); found != want {
			t.Errorf("acknowledged answer %d: stored %q, want %q", id, found, want)
		}
	}
	var answers, twice, left int
	s.scan(t, &answers, `SELECT count(*) FROM annotations`)
	s.scan(t, &twice, `SELECT count(*) FROM (SELECT FROM annotations WHERE recalled_at IS NULL GROUP BY task_id, person_id HAVING count(*) > 1) d`)
	s.scan(t, &left, `SELECT count(*) FROM tasks t JOIN members m USING (project_id)
		WHERE t.state = 'open' AND live + votes < overlap
		  AND NOT EXISTS (SELECT FROM assignments a WHERE a.task_id = t.id AND a.person_id = m.person_id)`)
	if answers != len(s.receipts) || twice != 0 || left != 0 {
		t.Errorf("%d answers of which %d were acknowledged, %d given twice, %d left undone", answers, len(s.receipts), twice, left)
	}
}

// Whoever is taken out of a project while they claim ends with nothing in hand.
func TestNoLeaseOutlivesAMembership(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 60, 1)
	anna := f.labelers[0]
	for i := range 30 {
		var both errgroup.Group
		both.Go(func() error {
			_, err := f.Claim(t.Context(), anna, f.project.Slug, 0)
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			return err
		})
		both.Go(func() error { return f.RemoveMember(t.Context(), System(), f.project.ID, anna.PersonID) })
		if err := both.Wait(); err != nil {
			t.Fatal(err)
		}
		var held int
		f.scan(t, &held, `SELECT count(*) FROM assignments WHERE state = 'leased'`)
		if held != 0 {
			t.Fatalf("after %d rounds somebody outside holds %d items", i, held)
		}
		f.mustHold(t)
		if err := f.AddMember(t.Context(), System(), f.project.ID, anna.PersonID); err != nil {
			t.Fatal(err)
		}
	}
}

// The same for whoever goes on with what ran out, or takes their answer back.
func TestNoLeaseTakenUpAgainOutlivesAMembership(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 1, 1)
	anna := f.labelers[0]
	c := f.mustClaim(t, anna)
	for name, again := range map[string]func() error{
		"heartbeat": func() error { _, _, err := f.Heartbeat(t.Context(), anna, []int64{c.Assignment}); return err },
		"resume":    func() error { return f.Resume(t.Context(), anna, c.Task) },
		"recall":    func() error { return f.Recall(t.Context(), anna, c.Task) },
	} {
		for i := range 10 {
			if _, err := f.Claim(t.Context(), anna, f.project.Slug, 0); err != nil {
				t.Fatal(err)
			}
			if name == "recall" {
				f.mustSubmit(t, anna, c)
			} else {
				f.runOut(t, c.Assignment)
				if _, err := f.ReleaseLeases(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			var both errgroup.Group
			both.Go(func() error {
				if err := again(); !errors.Is(err, ErrNotFound) {
					return err
				}
				return nil
			})
			both.Go(func() error { return f.RemoveMember(t.Context(), System(), f.project.ID, anna.PersonID) })
			if err := both.Wait(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var held int
			f.scan(t, &held, `SELECT count(*) FROM assignments WHERE state = 'leased'`)
			if held != 0 {
				t.Fatalf("%s: after %d rounds somebody outside holds an item", name, i)
			}
			f.mustHold(t)
			if err := f.AddMember(t.Context(), System(), f.project.ID, anna.PersonID); err != nil {
				t.Fatal(err)
			}
			f.exec(t, `UPDATE annotations SET recalled_at = coalesce(recalled_at, now())`)
			f.exec(t, `UPDATE assignments SET state = 'expired', lease_until = NULL, finished_at = NULL`)
			f.exec(t, `UPDATE tasks SET state = 'open', live = 0, votes = 0`)
		}
	}
}

// A claim does not say that nothing is left while the labeler's own work is only locked for a moment, as scoring does.
func TestClaimWaitsForItsOwnWork(t *testing.T) {
	t.Parallel()
	f := newFloor(t, storetest.Pool(t), 1, 1, 1)
	anna := f.labelers[0]
	own := f.mustClaim(t, anna)
	for what, lock := range map[string]string{
		"task":       `SELECT FROM tasks WHERE id = $1 FOR NO KEY UPDATE`,
		"assignment": `SELECT FROM assignments WHERE task_id = $1 FOR NO KEY UPDATE`,
	} {
		for _, resting := range []bool{false, true} {
			f.exec(t, `UPDATE members SET paused_at = CASE WHEN $1 THEN now() END, paused_by = CASE WHEN $1 THEN person_id END`, resting)
			tx, err := f.pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), lock, own.Task); err != nil {
				t.Fatal(err)
			}
			var got Claimed
			done := make(chan error, 1)
			go func() {
				var err error
				got, err = f.Claim(t.Context(), anna, f.project.Slug, 0)
				done <- err
			}()
			f.waitForWaiting(t, done)
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil || got != own {
				t.Fatalf("%s locked, resting %v: claimed %v, %v; want %v", what, resting, got, err, own)
			}
		}
	}
}

// waitForWaiting returns once somebody waits for a lock of the database, or done has its answer.
func (f *floor) waitForWaiting(t *testing.T, done <-chan error) {
	t.Helper()
	for waiting := false; !waiting && len(done) == 0; {
		f.scan(t, &waiting, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
	}
}
