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
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/riverqueue/river"

	"fiducial/internal/jobargs"
	"fiducial/internal/sealed"
	"fiducial/internal/webhook"
	"fiducial/store"
)

const (
	callPatience  = 15 * time.Second // for the whole call
	dialPatience  = 5 * time.Second
	longestAnswer = 64 << 10 // that is read of an answer's head, and of its body before the connection is closed
)

var (
	errRedirect = errors.New("jobs: the answer sends elsewhere")
	errRefused  = errors.New("jobs: the answer says no")
	errAddress  = errors.New("jobs: calls may not go to this address")
	errHost     = errors.New("jobs: calls may not go to this host")
)

// tellConsumer calls a consumer about lines that were erased.
type tellConsumer struct {
	river.WorkerDefaults[jobargs.TellConsumer]
	deps

	policy webhook.Policy
	public string // address of the site, for links
	client *http.Client
}

func newTellConsumer(d deps, cfg Config) *tellConsumer {
	return &tellConsumer{deps: d, policy: cfg.Webhooks, public: strings.TrimSuffix(cfg.PublicURL, "/"), client: newCaller(cfg.Webhooks)}
}

// newCaller returns a client that follows no redirect, asks no proxy, and connects only where the policy allows: that is looked at
// when the address is known, since a name may lead elsewhere than it did a moment ago.
func newCaller(policy webhook.Policy) *http.Client {
	dialer := &net.Dialer{Timeout: dialPatience, Control: func(_, address string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(address)
		if err != nil || !policy.AllowsAddr(addr.Addr()) {
			return errAddress
		}
		return nil
	}}
	return &http.Client{
		Timeout:       callPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: dialPatience, ResponseHeaderTimeout: callPatience,
			MaxResponseHeaderBytes: longestAnswer, DisableKeepAlives: true,
		},
	}
}

func (w *tellConsumer) Work(ctx context.Context, job *river.Job[jobargs.TellConsumer]) error {
	id := job.Args.NoticeID
	call, ok, err := w.store.CallOf(ctx, id)
	if errors.Is(err, sealed.ErrSealed) {
		return w.giveUp(ctx, id, store.FaultSealed, err)
	}
	if err != nil || !ok {
		return err
	}
	status, err := w.send(ctx, call)
	if ctx.Err() != nil { // this process stops: the try does not count
		return ctx.Err()
	}
	fault := faultOf(err)
	switch {
	case fault == store.FaultAddress || fault == store.FaultHost:
		return w.giveUp(ctx, id, fault, err)
	case fault != "" && job.Attempt >= job.MaxAttempts:
		w.log.WarnContext(ctx, "a consumer could not be told", slog.Int64("notice", id), slog.String("fault", fault), slog.Int("status", status))
		return errors.Join(w.store.NoteCall(ctx, id, fault, status, true), fmt.Errorf("notice %d: %s", id, fault))
	case fault != "":
		return errors.Join(w.store.NoteCall(ctx, id, fault, status, false), fmt.Errorf("notice %d: %s", id, fault))
	}
	return w.store.NoteCall(ctx, id, "", status, true)
}

// giveUp ends a notice that no other try would bring there.
func (w *tellConsumer) giveUp(ctx context.Context, id int64, fault string, cause error) error {
	w.log.WarnContext(ctx, "a consumer cannot be told", slog.Int64("notice", id), slog.String("fault", fault))
	if err := w.store.NoteCall(ctx, id, fault, 0, true); err != nil {
		return err
	}
	return river.JobCancel(cause)
}

// faultOf says in a word why a call was not taken, "" if it was. The error's text may hold the address, which is nobody else's to read.
func faultOf(err error) string {
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errAddress):
		return store.FaultAddress
	case errors.Is(err, errHost):
		return store.FaultHost
	case errors.Is(err, errRedirect):
		return store.FaultRedirect
	case errors.Is(err, errRefused):
		return store.FaultStatus
	case isNet && netErr.Timeout():
		return store.FaultTimeout
	}
	return store.FaultConnection
}

// send makes the call and returns the status of its answer, 0 without one.
func (w *tellConsumer) send(ctx context.Context, call store.Call) (status int, err error) {
	target, err := url.Parse(call.URL)
	if err != nil {
		return 0, err
	}
	if !w.policy.AllowsHost(target.Hostname()) {
		return 0, errHost
	}
	call.Event.Confirm = w.link(call.Event.Confirm)
	call.Event.More = w.link(call.Event.More)
	body, err := json.Marshal(call.Event)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, call.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	now := strconv.FormatInt(call.SignedAt.Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Fiducial")
	req.Header.Set(webhook.HeaderEvent, call.Event.Event)
	req.Header.Set(webhook.HeaderDelivery, strconv.FormatInt(call.Event.Notice, 10))
	req.Header.Set(webhook.HeaderTimestamp, now)
	req.Header.Set(webhook.HeaderSignature, webhook.Sign(call.Secret, now, body))
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.CopyN(io.Discard, resp.Body, longestAnswer)
	if err := errors.Join(resp.Body.Close(), ignoreEOF(err)); err != nil {
		return resp.StatusCode, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return resp.StatusCode, errRefused
	}
	return resp.StatusCode, nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// link makes a path of ours an address.
func (w *tellConsumer) link(path string) string {
	if path == "" {
		return ""
	}
	return w.public + path
}
