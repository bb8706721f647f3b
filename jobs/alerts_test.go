package jobs

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/jobargs"
	"fiducial/internal/receipt"
	"fiducial/internal/webhook"
	"fiducial/store"
)

// alarm is a store with an alert that waits to be sent to a channel.
type alarm struct {
	*shelf

	alert, channel int64
}

func newAlarm(t *testing.T, kind, target string) *alarm {
	t.Helper()
	s := newShelf(t, "hot")
	key, err := receipt.NewKey(strings.NewReader(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s.store.SignWith(key)
	s.log = slog.New(slog.DiscardHandler)
	a := &alarm{shelf: s}
	if a.channel, err = s.store.AddAlertChannel(t.Context(), store.System(), store.NewChannel{Name: "Team", Kind: kind, Target: target}); err != nil {
		t.Fatal(err)
	}
	chain := s.id(t, `INSERT INTO chains (name, slots) VALUES ('calls & more', '{asr}') RETURNING id`)
	a.alert = s.id(t, `INSERT INTO alerts (kind, chain_id, key, summary) VALUES ('missing', $1, 'k', '{"kind":"missing","chain":"calls & more","days":7,"last":"1 Mar 2026"}') RETURNING id`, chain)
	s.id(t, `INSERT INTO alert_sendings (alert_id, channel_id) VALUES ($1, $2) RETURNING 1`, a.alert, a.channel)
	return a
}

// send works the job of the letter, and returns what became of it.
func (a *alarm) send(t *testing.T, cfg Config, attempt int) (sending store.AlertSending, err error) {
	t.Helper()
	cfg.PublicURL = "https://label.example.org/"
	w := newSendAlert(a.deps, cfg)
	err = w.Work(t.Context(), &river.Job[jobargs.SendAlert]{
		JobRow: &rivertype.JobRow{Attempt: attempt, MaxAttempts: 3}, Args: jobargs.SendAlert{AlertID: a.alert, ChannelID: a.channel},
	})
	list, failed := a.store.AlertSendings(t.Context(), store.Alert{ID: a.alert})
	if failed != nil || len(list) != 1 {
		t.Fatal(list, failed)
	}
	return list[0], err
}

func TestAnAlertGoesToAChatOnce(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	a := newAlarm(t, store.ToWebhook, r.URL+"/services/x")
	for attempt := 1; attempt <= 3; attempt++ { // the job runs again after a crash
		if sending, err := a.send(t, Config{Webhooks: ownMachine}, attempt); err != nil || sending.State != "sent" || sending.SentAt == nil {
			t.Fatalf("%+v, %v", sending, err)
		}
	}
	if len(r.taken) != 1 {
		t.Fatalf("%d calls", len(r.taken))
	}
	var message struct{ Text string }
	if err := json.Unmarshal(<-r.bodies, &message); err != nil || !strings.Contains(message.Text, "calls &amp; more: no run has ended for 7 days") ||
		!strings.Contains(message.Text, fmt.Sprintf("<https://label.example.org/alerts/%d|", a.alert)) {
		t.Errorf("%q, %v", message.Text, err)
	}
}

func TestAnAlertIsTriedAgainOnlyIfItSurelyDidNotArrive(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	a := newAlarm(t, store.ToWebhook, r.URL)
	r.answer.Store(http.StatusServiceUnavailable)
	if sending, err := a.send(t, Config{Webhooks: ownMachine}, 1); err == nil || sending.State != "waiting" || sending.Fault != store.FaultStatus {
		t.Fatalf("%+v, %v", sending, err)
	}
	r.answer.Store(http.StatusNoContent)
	if sending, err := a.send(t, Config{Webhooks: ownMachine}, 2); err != nil || sending.State != "sent" || sending.Attempts != 2 {
		t.Fatalf("%+v, %v", sending, err)
	}
}

// A process that dies while it sends leaves a letter that may have arrived: it is not sent again, unless somebody asks for it.
func TestAnInterruptedSendingIsNotRepeated(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	a := newAlarm(t, store.ToWebhook, r.URL)
	if _, ok, err := a.store.BeginSending(t.Context(), store.SendingOf{Alert: a.alert, Channel: a.channel}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	sending, err := a.send(t, Config{Webhooks: ownMachine}, 2)
	if err != nil || sending.State != "dead" || sending.Fault != store.FaultInterrupted || len(r.taken) != 0 {
		t.Fatalf("%+v, %v, %d calls", sending, err, len(r.taken))
	}
	if err := a.store.SendAlertAgain(t.Context(), store.System(), a.alert, a.channel); err != nil {
		t.Fatal(err)
	}
	if sending, err := a.send(t, Config{Webhooks: ownMachine}, 1); err != nil || sending.State != "sent" || len(r.taken) != 1 {
		t.Fatalf("%+v, %v, %d calls", sending, err, len(r.taken))
	}
}

func TestAlertsGoWherePolicyAllowsAlone(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	for fault, policy := range map[string]webhook.Policy{
		store.FaultAddress: {}, store.FaultHost: {Hosts: []string{"chat.example.org"}, Networks: ownMachine.Networks},
	} {
		a := newAlarm(t, store.ToWebhook, r.URL)
		if sending, err := a.send(t, Config{Webhooks: policy}, 1); err == nil || sending.State != "dead" || sending.Fault != fault {
			t.Errorf("%s: %+v, %v", fault, sending, err)
		}
	}
	if len(r.taken) != 0 {
		t.Error("a call arrived")
	}
}
