package jobs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/jobargs"
	"fiducial/internal/receipt"
	"fiducial/store"
)

// letters takes the letters off the queue, and sends each of them twice, as after a restart.
func (l *lab) letters(t *testing.T) (n int) {
	t.Helper()
	w := newSendAlert(l.deps, Config{Webhooks: ownMachine, PublicURL: "https://label.example.org"})
	for {
		var args []byte
		err := l.pool.QueryRow(t.Context(), `DELETE FROM river_job WHERE id = (SELECT min(id) FROM river_job WHERE kind = 'send_alert') RETURNING args`).Scan(&args)
		if err != nil {
			return n
		}
		n++
		job := &river.Job[jobargs.SendAlert]{JobRow: &rivertype.JobRow{Attempt: 1, MaxAttempts: 3}}
		decode(t, args, &job.Args)
		for range 2 {
			if err := w.Work(t.Context(), job); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What a run came to is told once to the channels that take it, in figures and names alone.
func TestAFinishedRunIsToldOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	key, err := receipt.NewKey(strings.NewReader(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	l.store.SignWith(key)
	r := newReceiver(t)
	for _, runs := range []bool{true, false} {
		n := store.NewChannel{Name: fmt.Sprintf("Team %v", runs), Kind: store.ToWebhook, Target: fmt.Sprintf("%s/%v", r.URL, runs), Runs: runs}
		if _, err := l.store.AddAlertChannel(t.Context(), store.System(), n); err != nil {
			t.Fatal(err)
		}
	}
	ear := newStandIn(t, l.hears(3))
	id := l.start(t, store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{l.model(t, "asr", "ear", "1", ear.URL, nil)}}, Title: "of Erika Mustermann"})
	l.drain(t, nil)
	for range 2 {
		if err := l.store.CompareEvaluation(t.Context(), id); err != nil { // its job runs again after a crash
			t.Fatal(err)
		}
	}
	if n := l.letters(t); n != 1 || len(r.bodies) != 1 {
		t.Fatalf("%d letters, %d arrived", n, len(r.bodies))
	}
	var message struct{ Text string }
	if err := json.Unmarshal(<-r.bodies, &message); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("evaluation %d on calls-test@1 is done", id), "word error rate of ear@1 on calls-test@1: 0.", fmt.Sprintf("<https://label.example.org/evaluations/%d|", id),
	} {
		if !strings.Contains(message.Text, want) {
			t.Errorf("lacks %q: %s", want, message.Text)
		}
	}
	if strings.Contains(message.Text, "Erika") || strings.Contains(message.Text, "today") {
		t.Errorf("it says more than figures: %s", message.Text)
	}
	if sent, err := l.store.RunSendings(t.Context(), l.evaluation(t, id)); err != nil || len(sent) != 1 || sent[0].State != "sent" || sent[0].Channel != "Team true" {
		t.Errorf("%+v, %v", sent, err)
	}
	failed := l.start(t, store.EvaluationRequest{Slots: []string{"asr"}, Models: [][]string{{"ear@1"}}})
	for range 2 {
		if err := l.store.FailEvaluation(t.Context(), failed, "Scoring failed again and again."); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.letters(t); n != 1 || !strings.Contains(string(<-r.bodies), "Scoring failed again and again.") {
		t.Errorf("a run that failed: %d letters", n)
	}
}
