package jobs

import (
	"sync"
	"testing"

	"fiducial/internal/models"
	"fiducial/store"
)

// chunkOf is the only chunk of a run's only step, which is taken off the queue.
func (l *lab) chunkOf(t *testing.T, evaluation int64) (step int64) {
	t.Helper()
	l.exec(t, `DELETE FROM river_job WHERE queue = 'evaluations'`)
	return l.id(t, `SELECT h.step_id FROM evaluation_chunks h JOIN evaluation_steps s ON s.id = h.step_id WHERE s.evaluation_id = $1`, evaluation)
}

// manyAtOnce leaves room for the calls of several chunks.
func manyAtOnce(s *models.Settings) { s.Concurrency = 100 }

// Two runs of the same that begin together ask a model about each item once.
func TestRunsThatBeginTogetherAskOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	opened := make(chan struct{})
	open := sync.OnceFunc(func() { close(opened) })
	var times sync.Map
	// Nothing is answered before the second run had its chance to ask, or did.
	ear := newStandIn(t, func(q asked) any {
		if _, again := times.LoadOrStore(q.ID, true); again {
			open()
		}
		<-opened
		return l.hears(3)(q)
	})
	t.Cleanup(open)
	request := store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{l.model(t, "asr", "ear", "1", ear.URL, manyAtOnce)}}}
	first, second := l.start(t, request), l.start(t, request)
	begun, other := l.chunkOf(t, first), l.chunkOf(t, second)
	ended := make(chan error, 1)
	go func() { ended <- l.asking.run(t.Context(), begun, 0) }()
	until(t, "the first run asks", func() bool { return ear.calls.Load() > 0 })
	if err := l.asking.run(t.Context(), other, 0); !putOff(err) {
		t.Errorf("the second run: %v", err)
	}
	open()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := l.asking.run(t.Context(), other, 0); err != nil {
		t.Fatal(err)
	}
	l.drain(t, nil)
	if n := ear.calls.Load(); n != int64(l.version.Lines) || ear.twice() != 0 {
		t.Errorf("asked %d times about %d utterances, %d of them again", n, l.version.Lines, ear.twice())
	}
	for _, id := range []int64{first, second} {
		if e := l.evaluation(t, id); e.State != store.EvaluationDone || e.Done != l.version.Lines || e.Failed != 0 {
			t.Errorf("%+v", e)
		}
	}
	if n := l.count(t, `SELECT count(*) FROM model_questions`); n != 0 {
		t.Errorf("%d questions are left", n)
	}
}

// What another run asks is waited for, and asked here if that run leaves it without an answer; a chunk that begins anew after its process
// was killed takes its own questions again at once, and those of others once their time is over.
func TestQuestionsOfAnotherRunAreWaitedFor(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	ear := newStandIn(t, l.hears(3))
	request := store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{l.model(t, "asr", "ear", "1", ear.URL, manyAtOnce)}}}
	first, second := l.start(t, request), l.start(t, request)
	begun, other := l.chunkOf(t, first), l.chunkOf(t, second)
	chunk, ok, err := l.store.BeginChunk(t.Context(), begun, 0)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	half := []int{0, 2, 4, 6, 8, 10}
	for range 2 {
		if mine, answered, err := l.store.ClaimQuestions(t.Context(), &chunk, half); err != nil || len(mine) != len(half) || len(answered) != 0 {
			t.Fatal(mine, answered, err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- l.asking.run(t.Context(), other, 0) }()
	until(t, "the second run asks the rest", func() bool { return ear.calls.Load() == int64(l.version.Lines-len(half)) })
	if err := l.asking.run(t.Context(), begun, 0); err != nil { // the first begins anew, and waits for nobody
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := ear.calls.Load(); n != int64(l.version.Lines) {
		t.Errorf("asked %d times about %d utterances", n, l.version.Lines)
	}
	l.exec(t, `DELETE FROM model_outputs`)
	if mine, _, err := l.store.ClaimQuestions(t.Context(), &chunk, half); err != nil || len(mine) != len(half) {
		t.Fatal(mine, err)
	}
	third := l.start(t, request)
	last := l.chunkOf(t, third)
	l.exec(t, `UPDATE model_questions SET until = now() - interval '1 second'`)
	if err := l.asking.run(t.Context(), last, 0); err != nil {
		t.Fatal(err)
	}
	l.drain(t, nil)
	if e := l.evaluation(t, third); e.State != store.EvaluationDone || e.Done != l.version.Lines {
		t.Errorf("after the other's time: %+v", e)
	}
}
