package store_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/internal/alerts"
	"fiducial/store"
)

// broken runs another recognizer beside the baseline, which hears worse; the language model behind it suffers.
func (o *observatory) broken(version int64) int64 {
	o.t.Helper()
	random := rand.New(rand.NewPCG(11, 12))
	run := o.run(version)
	good, bad := heard(random, 100, 0.05), heard(random, 100, 0.30)
	right, wrong := month(random, 100, 0), month(random, 100, 0.9)
	asr, nlp := o.cell(run, version, o.path[:1], good), o.cell(run, version, o.path, right)
	worse, hurt := o.cell(run, version, []int64{o.other}, bad), o.cell(run, version, []int64{o.other, o.path[1]}, wrong)
	o.compare(worse, bad, asr, good)
	o.compare(hurt, wrong, nlp, right)
	return run
}

func TestARecognizerThatBreaksIsToldOnceWithWhatItHurts(t *testing.T) {
	t.Parallel()
	o := newObservatory(t)
	newPerson(t, o.Store, access.Admin)
	for _, target := range []string{"https://chat.example.org/a", "https://chat.example.org/b"} {
		if _, err := o.AddAlertChannel(t.Context(), store.System(), store.NewChannel{Name: "Team", Kind: store.ToWebhook, Target: target}); err != nil {
			t.Fatal(err)
		}
	}
	run := o.broken(o.version())
	alert := fallen(t, o.raise(run))
	s := alert.Summary
	if s.Measure != "wer" || strings.Join(s.Models, "") != "asr@2" || len(s.Downstream) != 1 || strings.Join(s.Downstream[0].Models, " ") != "asr@2 sentiment@1" {
		t.Errorf("%+v", s)
	}
	if s.Falls[0].Against != alerts.AgainstBaseline || s.Falls[0].Value < 0.2 || s.Falls[0].Low <= 0 || s.Falls[0].Name != "asr@1" {
		t.Errorf("%+v", s.Falls)
	}
	if notices, sendings := o.told(); notices != 1 || sendings != 2 || alert.Times != 1 {
		t.Errorf("%d notices, %d letters, raised %d times", notices, sendings, alert.Times)
	}
	again := fallen(t, o.raise(o.broken(o.version())))
	if notices, sendings := o.told(); notices != 1 || sendings != 2 || again.ID != alert.ID || again.Times != 2 {
		t.Errorf("after another run: %d notices, %d letters, raised %d times", notices, sendings, again.Times)
	}
}

func TestWhatIsDoneAboutAnAlert(t *testing.T) {
	t.Parallel()
	o := newObservatory(t)
	reviewer, viewer := newPerson(t, o.Store, access.Reviewer), newPerson(t, o.Store, access.Viewer)
	newPerson(t, o.Store, access.Admin)
	id := fallen(t, o.raise(o.broken(o.version()))).ID
	if err := o.AcknowledgeAlert(t.Context(), viewer, id); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a viewer: %v", err)
	}
	if err := o.SnoozeAlert(t.Context(), reviewer, id, 0); err == nil {
		t.Error("put off for no day")
	}
	waiting := func() int {
		n, err := o.AlertsWaiting(t.Context(), viewer)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := o.SnoozeAlert(t.Context(), reviewer, id, 7); err != nil || waiting() != 0 {
		t.Errorf("put off: %v, %d wait", err, waiting())
	}
	watch := func() (notices int64) {
		if err := o.WatchAlerts(t.Context()); err != nil {
			t.Fatal(err)
		}
		notices, _ = o.told()
		return notices
	}
	if watch() != 1 {
		t.Error("it tells of itself before it is time")
	}
	exec(t, o.pool, `UPDATE alerts SET snoozed_until = now() - interval '1 minute'`)
	for range 2 {
		if watch() != 2 || waiting() != 1 {
			t.Error("once it is time it tells of itself, and once")
		}
	}
	if err := o.AcknowledgeAlert(t.Context(), reviewer, id); err != nil || waiting() != 0 {
		t.Errorf("acknowledged: %v", err)
	}
	if err := o.AcknowledgeAlert(t.Context(), reviewer, id); !errors.Is(err, store.ErrConflict) {
		t.Errorf("acknowledged twice: %v", err)
	}
	if alert := fallen(t, o.raise(o.broken(o.version()))); alert.State != store.AlertAcknowledged {
		t.Errorf("raised again: %+v", alert)
	}
	if err := o.CloseAlert(t.Context(), reviewer, id); err != nil || len(o.open()) != 0 {
		t.Errorf("closed: %v", err)
	}
	if notices, _ := o.told(); notices != 2 {
		t.Errorf("%d notices", notices)
	}
}

// What was told of and is over closes itself; what a person has closed is compared with from then on.
func TestAFallThatIsOverAndOneThatIsAccepted(t *testing.T) {
	t.Parallel()
	o := newObservatory(t)
	reviewer := newPerson(t, o.Store, access.Reviewer)
	random := rand.New(rand.NewPCG(21, 22))
	exec(t, o.pool, `UPDATE chains SET alert_drop = 0.08`)
	next := func(strange float64) []store.Alert {
		version := o.version()
		run := o.run(version)
		o.cell(run, version, o.path, month(random, 400, strange))
		return o.raise(run)
	}
	next(0)
	fallen(t, next(0.5))
	if open := next(0); len(open) != 0 {
		t.Errorf("over, and open: %+v", open)
	}
	if err := o.CloseAlert(t.Context(), reviewer, fallen(t, next(0.5)).ID); err != nil {
		t.Fatal(err)
	}
	if open := next(0.5); len(open) != 0 {
		t.Errorf("accepted, and raised again: %s", open[0].Summary.Text(""))
	}
	if s := fallen(t, next(0.95)).Summary; s.Falls[0].Name != "calls-test@4" {
		t.Errorf("compared with %s, not with what was accepted", s.Falls[0].Name)
	}
}

func TestAMissingRunIsToldOnce(t *testing.T) {
	t.Parallel()
	o := newObservatory(t)
	newPerson(t, o.Store, access.Admin)
	watch := func() []store.Alert {
		for range 2 {
			if err := o.WatchAlerts(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return o.open()
	}
	if open := watch(); len(open) != 0 {
		t.Errorf("a new chain: %+v", open)
	}
	exec(t, o.pool, `UPDATE chains SET created_at = now() - interval '41 days'`)
	open := watch()
	if len(open) != 1 || open[0].Kind != alerts.Missing || open[0].Summary.Days != 40 {
		t.Fatalf("%+v", open)
	}
	if err := o.CloseAlert(t.Context(), store.System(), open[0].ID); err != nil {
		t.Fatal(err)
	}
	if open := watch(); len(open) != 0 {
		t.Errorf("closed, and told again: %+v", open)
	}
	run := o.run(o.version())
	if open := watch(); len(open) != 0 {
		t.Errorf("a run has ended: %+v", open)
	}
	exec(t, o.pool, `UPDATE evaluations SET finished_at = now() - interval '50 days' WHERE id = $1`, run)
	if open := watch(); len(open) != 1 || open[0].Summary.Last == "" {
		t.Errorf("quiet again: %+v", open)
	}
	o.run(o.version())
	if open := watch(); len(open) != 0 {
		t.Errorf("another run has ended: %+v", open)
	}
	if notices, _ := o.told(); notices != 2 {
		t.Errorf("%d notices", notices)
	}
}

func TestABiasIsTold(t *testing.T) {
	t.Parallel()
	o := newObservatory(t)
	random := rand.New(rand.NewPCG(31, 32))
	version := o.version()
	run := o.run(version)
	sure, unsure, few := o.cell(run, version, o.path[:1], heard(random, 50, 0.1)), o.cell(run, version, []int64{o.other}, heard(random, 50, 0.1)),
		o.cell(run, version, o.path, month(random, 50, 0))
	exec(t, o.pool, `INSERT INTO cell_flags (cell_id, kind, model_version_id, lines, bias) VALUES ($1, 'prefill', $4, 30, '{"value":0.04,"low":0.01,"high":0.07}'),
		($2, 'prefill', $4, 100, '{"value":0.01,"low":-0.02,"high":0.04}'), ($3, 'corrected', $4, 10, NULL)`, sure, unsure, few, o.path[0])
	for range 2 {
		if err := o.RaiseBias(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	open := o.open()
	if len(open) != 1 || open[0].Kind != alerts.Bias || open[0].CellID != sure || open[0].Summary.Lean == nil || open[0].Summary.Seen != "asr@1" {
		t.Errorf("%+v", open)
	}
}

func TestChannelsAreKeptSealed(t *testing.T) {
	t.Parallel()
	o := newObservatory(t)
	for field, n := range map[string]store.NewChannel{
		"name": {Kind: store.ToWebhook, Target: "https://chat.example.org/x"}, "kind": {Name: "a", Kind: "pigeon", Target: "x"},
		"target": {Name: "a", Kind: store.ToMailbox, Target: "team@example.org, other@example.org"}, "chain": {Name: "a", Kind: store.ToMailbox, Target: "team@example.org", Chain: 99},
	} {
		_, err := o.AddAlertChannel(t.Context(), store.System(), n)
		if inv, ok := errors.AsType[*store.InvalidError](err); !ok || inv.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	id, err := o.AddAlertChannel(t.Context(), store.System(), store.NewChannel{Name: "Team", Kind: store.ToWebhook, Target: "https://chat.example.org/services/secret", Chain: o.chain})
	if err != nil {
		t.Fatal(err)
	}
	if o.one(`SELECT count(*) FROM alert_channels WHERE position('secret'::bytea IN target) > 0`) != 0 {
		t.Error("the address lies open")
	}
	channels, err := o.AlertChannels(t.Context(), store.System())
	if err != nil || len(channels) != 1 || channels[0].Host != "chat.example.org" || channels[0].Chain != "calls" {
		t.Errorf("%+v, %v", channels, err)
	}
	if err := o.RemoveAlertChannel(t.Context(), store.System(), id); err != nil {
		t.Fatal(err)
	}
	if o.one(`SELECT length(target) FROM alert_channels`) != 0 {
		t.Error("a closed channel keeps its address")
	}
}
