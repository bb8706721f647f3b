package jobs

import (
	"net/url"
	"strconv"
	"testing"
	"time"

	"fiducial/internal/models"
	"fiducial/store"
)

// A model server in the cluster does not outlive the worker that had started it, however that ends: another worker ends it, and starts its own.
func TestAKilledWorkerLeavesNoServerInTheCluster(t *testing.T) {
	t.Parallel()
	l := newLab(t, 12)
	cluster := newConductor(t)
	ear := newStandIn(t, func(q asked) any {
		time.Sleep(15 * time.Millisecond)
		return l.hears(3)(q)
	})
	at, err := url.Parse(ear.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	name := l.model(t, "asr", "ear", "1", "http://ear/ask", func(s *models.Settings) {
		s.Launcher, s.Launch = models.ByArgo, models.Launch{Template: "ear", Port: port, Seconds: 300}
	})
	id := l.start(t, store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{name}}})
	worker := l.process(t, workerNeeds{Name: "killed", Argo: cluster.URL})
	until(t, "the worker asks", func() bool { return ear.calls.Load() > 0 })
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = worker.Wait() // it was killed
	left := cluster.running()
	if len(left) != 1 || l.count(t, `SELECT count(*) FROM model_launches WHERE state = 'ready' AND workflow = '`+left[0]+`'`) != 1 {
		t.Fatalf("left behind: %q", left)
	}
	next := workerNeeds{Name: "next", Argo: cluster.URL}.config(t, 4)
	look := func() bool {
		if _, err := l.store.RescueJobs(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := StopLost(t.Context(), l.store, l.blobs, next); err != nil {
			t.Fatal(err)
		}
		return l.count(t, `SELECT count(*) FROM model_launches WHERE state = 'stopped' AND stopped_at IS NOT NULL AND log_bytes > 0`) == 1
	}
	until(t, "the next worker ends it", look)
	if left := cluster.running(); len(left) != 0 {
		t.Errorf("still there: %q", left)
	}
	until(t, "its jobs are given back", func() bool {
		return look() && l.count(t, `SELECT count(*) FROM river_job WHERE state = 'running'`) == 0
	})
	l.exec(t, `UPDATE river_job SET state = 'available', scheduled_at = now() WHERE state = 'retryable'`)
	startWorkerAs(t, l.pool, l.store, l.blobs, next)
	until(t, "the run is done", func() bool { return l.evaluation(t, id).State == store.EvaluationDone })
	until(t, "its own server is ended, too", func() bool {
		return len(cluster.running()) == 0 && l.count(t, `SELECT count(*) FROM model_launches WHERE state = 'stopped'`) == 2
	})
	if e := l.evaluation(t, id); e.Failed != 0 {
		t.Errorf("%+v", e)
	}
}
