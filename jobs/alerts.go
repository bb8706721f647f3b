package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
	"fiducial/internal/sealed"
	"fiducial/internal/webhook"
	"fiducial/store"
)

// raiseAlerts raises the alerts that follow from what an evaluation found.
type raiseAlerts struct {
	river.WorkerDefaults[jobargs.RaiseAlerts]
	deps
}

func (w *raiseAlerts) Work(ctx context.Context, job *river.Job[jobargs.RaiseAlerts]) error {
	return w.store.RaiseAlerts(ctx, job.Args.EvaluationID)
}

// watchAlerts looks for runs that are missing, and for alerts that were put off for long enough.
type watchAlerts struct {
	river.WorkerDefaults[jobargs.WatchAlerts]
	deps
}

func (w *watchAlerts) Work(ctx context.Context, _ *river.Job[jobargs.WatchAlerts]) error {
	return w.store.WatchAlerts(ctx)
}

// sendAlert sends an alert, or what a run came to, to one channel. It is sent again by itself only if it surely did not arrive.
type sendAlert struct {
	river.WorkerDefaults[jobargs.SendAlert]
	deps

	policy webhook.Policy
	public string // address of the site, for links
	client *http.Client
	mail   *mailer
}

func newSendAlert(d deps, cfg Config) *sendAlert {
	return &sendAlert{
		deps: d, policy: cfg.Webhooks, public: strings.TrimSuffix(cfg.PublicURL, "/"), client: newCaller(cfg.Webhooks), mail: newMailer(cfg.Mail),
	}
}

// certain are the faults of which another try would be the same.
var certain = []string{store.FaultAddress, store.FaultHost, store.FaultRedirect, store.FaultSealed, store.FaultMail, store.FaultRecipient}

func (w *sendAlert) Work(ctx context.Context, job *river.Job[jobargs.SendAlert]) error {
	of := store.SendingOf{Alert: job.Args.AlertID, Evaluation: job.Args.EvaluationID, Channel: job.Args.ChannelID}
	letter, ok, err := w.store.BeginSending(ctx, of)
	if errors.Is(err, sealed.ErrSealed) {
		return w.end(ctx, of, outcome{fault: store.FaultSealed, last: true})
	}
	if err != nil || !ok {
		return err
	}
	o := w.send(ctx, letter)
	if ctx.Err() != nil && o.arrived == surelyNot { // this process stops
		o = outcome{fault: store.FaultConnection}
	}
	o.last = o.last || job.Attempt >= job.MaxAttempts
	return w.end(ctx, of, o)
}

// What is known of where a letter is.
type whereabouts int

const (
	surely    whereabouts = iota // it was taken
	surelyNot                    // it was not
	perhaps                      // it was on its way when the connection broke
)

// outcome is how a sending went.
type outcome struct {
	fault   string
	arrived whereabouts
	last    bool // not tried again
}

// end notes how a sending went. The note is written even while this process stops: without it nobody would know.
func (w *sendAlert) end(ctx context.Context, of store.SendingOf, o outcome) error {
	noteCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dialPatience)
	defer cancel()
	if err := w.store.NoteSending(noteCtx, of, o.fault, o.last); err != nil || o.fault == "" {
		return err
	}
	w.log.WarnContext(ctx, "a channel was not told", slog.Int64("alert", of.Alert), slog.Int64("evaluation", of.Evaluation), slog.Int64("channel", of.Channel),
		slog.String("fault", o.fault))
	err := fmt.Errorf("alert %d, evaluation %d to channel %d: %s", of.Alert, of.Evaluation, of.Channel, o.fault)
	if o.last {
		return river.JobCancel(err)
	}
	return err
}

func (w *sendAlert) send(ctx context.Context, letter store.Letter) outcome {
	link := fmt.Sprintf("%s/alerts/%d", w.public, letter.Of.Alert)
	if letter.Of.Evaluation != 0 {
		link = fmt.Sprintf("%s/evaluations/%d", w.public, letter.Of.Evaluation)
	}
	if letter.Kind == store.ToMailbox {
		return w.mail.send(ctx, letter, link)
	}
	fault, arrived := w.post(ctx, letter.Target, letter.Told.Slack(link))
	o := outcome{fault: fault, arrived: arrived, last: arrived == perhaps}
	for _, f := range certain {
		o.last = o.last || f == fault
	}
	return o
}

// post sends a body to the webhook of a chat.
func (w *sendAlert) post(ctx context.Context, address string, message map[string]string) (fault string, arrived whereabouts) {
	target, err := url.Parse(address)
	if err != nil || !w.policy.AllowsHost(target.Hostname()) {
		return store.FaultHost, surelyNot
	}
	body, err := json.Marshal(message)
	if err != nil {
		return store.FaultConnection, surelyNot
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return store.FaultConnection, surelyNot
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Fiducial")
	resp, err := w.client.Do(req)
	if err != nil {
		return faultOf(err), reached(err)
	}
	_, err = io.CopyN(io.Discard, resp.Body, longestAnswer)
	err = errors.Join(resp.Body.Close(), ignoreEOF(err))
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return store.FaultStatus, surelyNot
	case err != nil: // it said yes, and broke off afterwards
		return "", surely
	}
	return "", surely
}

// reached says whether a call that failed may have been taken nevertheless: not if there was no connection, or the answer was one.
func reached(err error) whereabouts {
	opErr, isOp := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, errAddress), errors.Is(err, errRedirect), isOp && opErr.Op == "dial":
		return surelyNot
	}
	return perhaps
}
