package jobs

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/erasure"
	"fiducial/internal/formats"
	"fiducial/internal/jobargs"
	"fiducial/internal/receipt"
	"fiducial/internal/webhook"
	"fiducial/store"
)

// receiver is a consumer's server.
type receiver struct {
	*httptest.Server

	answer atomic.Int64
	taken  chan *http.Request
	bodies chan []byte
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{taken: make(chan *http.Request, 10), bodies: make(chan []byte, 10)}
	r.answer.Store(http.StatusNoContent)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.taken <- req
		r.bodies <- body
		status := int(r.answer.Load())
		if status == http.StatusFound {
			http.Redirect(w, req, "/elsewhere", status)
			return
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

var ownMachine = webhook.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}

// told is a store in which a consumer, called at an address, is to be told of one item that was erased.
func told(t *testing.T, address string, policy webhook.Policy) (w *tellConsumer, notice int64, secret string) {
	t.Helper()
	s := newShelf(t, "hot")
	key, err := receipt.NewKey(strings.NewReader(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s.store.SignWith(key)
	item := s.put(t, formats.Image{Key: "coil 7.jpg", Width: 20, Height: 10}, nil)
	s.put(t, formats.Image{Key: "coil 8.jpg", Width: 20, Height: 10}, nil)
	version := s.freeze(t, "hot-test", "hot")
	id, err := s.store.AddConsumer(t.Context(), store.System(), "Nightly training", "")
	if err != nil {
		t.Fatal(err)
	}
	if secret, err = s.store.SetConsumerURL(t.Context(), store.System(), id, address); err != nil {
		t.Fatal(err)
	}
	if err := s.store.RecordConsumer(t.Context(), store.System(), version, id); err != nil {
		t.Fatal(err)
	}
	s.erase(t, item)
	notices, err := s.store.ConsumerNotices(t.Context(), store.System(), store.NoticeFilter{Consumer: id}, 2)
	if err != nil || len(notices) != 1 {
		t.Fatal(notices, err)
	}
	w = newTellConsumer(deps{store: s.store, log: slog.New(slog.DiscardHandler)}, Config{Webhooks: policy, PublicURL: "https://label.example.org/"})
	return w, notices[0].ID, secret
}

// erase erases an item as the jobs do.
func (s *shelf) erase(t *testing.T, item int64) {
	t.Helper()
	e, err := s.store.PreviewErasure(t.Context(), store.System(), store.ErasureRequest{
		Scope: store.ScopeItems, Items: []erasure.Named{{Line: 1, ID: item}}, Reason: "ticket 4711",
	})
	if err == nil {
		err = s.store.CollectErasure(t.Context(), e.ID)
	}
	if err == nil {
		err = s.store.ConfirmErasure(t.Context(), store.System(), e.ID)
	}
	if err == nil {
		err = s.store.RunErasure(t.Context(), e.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *tellConsumer) try(t *testing.T, notice int64, attempt int) error {
	t.Helper()
	return w.Work(t.Context(), &river.Job[jobargs.TellConsumer]{JobRow: &rivertype.JobRow{Attempt: attempt, MaxAttempts: 3}, Args: jobargs.TellConsumer{NoticeID: notice}})
}

func (w *tellConsumer) now(t *testing.T, id int64) store.ConsumerNotice {
	t.Helper()
	n, err := w.store.ConsumerNotice(t.Context(), store.System(), id)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAConsumerIsCalledAndCanConfirm(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w, notice, secret := told(t, r.URL+"/hook?a=1", ownMachine)
	if err := w.try(t, notice, 1); err != nil {
		t.Fatal(err)
	}
	req, body := <-r.taken, <-r.bodies
	if req.Method != http.MethodPost || req.URL.RequestURI() != "/hook?a=1" || req.Header.Get(webhook.HeaderEvent) != webhook.Erased {
		t.Errorf("%s %s %v", req.Method, req.URL, req.Header)
	}
	if !webhook.Verify(secret, req.Header.Get(webhook.HeaderTimestamp), req.Header.Get(webhook.HeaderSignature), body, time.Now(), 5*time.Minute) {
		t.Error("the signature does not fit")
	}
	var event webhook.Event
	if err := json.Unmarshal(body, &event); err != nil || event.Lines != 1 || len(event.Listed) != 1 || len(event.Listed[0].Leaf) != 64 {
		t.Errorf("%s, %v", body, err)
	}
	if strings.Contains(string(body), "coil") || strings.Contains(string(body), "4711") {
		t.Errorf("the body tells of the item: %s", body)
	}
	path, ok := strings.CutPrefix(event.Confirm, "https://label.example.org/confirm/")
	if !ok {
		t.Fatalf("confirm at %q", event.Confirm)
	}
	_, mark, _ := strings.Cut(path, "/")
	if n, err := w.store.ConfirmByLink(t.Context(), notice, mark); err != nil || n.State != store.NoticeTold || n.ConfirmedAt == nil || n.ToldAt == nil {
		t.Errorf("%+v, %v", n, err)
	}
	if err := w.try(t, notice, 2); err != nil || len(r.taken) != 0 {
		t.Errorf("called once more: %v", err)
	}
}

func TestACallIsTriedAgainUntilItIsGivenUp(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w, notice, _ := told(t, r.URL, ownMachine)
	for i, c := range []struct {
		status int
		fault  string
	}{{http.StatusInternalServerError, store.FaultStatus}, {http.StatusFound, store.FaultRedirect}} {
		r.answer.Store(int64(c.status))
		if err := w.try(t, notice, i+1); err == nil {
			t.Errorf("%d is taken for success", c.status)
		}
		if n := w.now(t, notice); n.State != store.NoticeWaiting || n.Fault != c.fault {
			t.Errorf("after %d: %+v", c.status, n)
		}
	}
	r.answer.Store(http.StatusBadGateway)
	if err := w.try(t, notice, 3); err == nil {
		t.Error("the last try is taken for success")
	}
	if n := w.now(t, notice); n.State != store.NoticeDead || n.Fault != store.FaultStatus || n.Status != http.StatusBadGateway || n.Attempts != 3 {
		t.Errorf("%+v", n)
	}
	if len(r.taken) != 3 {
		t.Errorf("%d calls: a redirect was followed, or a try was none", len(r.taken))
	}
	if err := w.store.TellAgain(t.Context(), store.System(), notice); err != nil {
		t.Fatal(err)
	}
	r.answer.Store(http.StatusOK)
	if err := w.try(t, notice, 1); err != nil {
		t.Fatal(err)
	}
	if n := w.now(t, notice); n.State != store.NoticeTold {
		t.Errorf("%+v", n)
	}
}

// No call leaves for an address that it may not go to, whatever name leads there.
func TestCallsStayOutOfOwnNetworks(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w, notice, _ := told(t, r.URL, webhook.Policy{})
	if err := w.try(t, notice, 1); err == nil {
		t.Error("called")
	}
	if n := w.now(t, notice); n.State != store.NoticeDead || n.Fault != store.FaultAddress {
		t.Errorf("%+v", n)
	}
	for _, c := range []struct {
		address string
		policy  webhook.Policy
		fault   string
	}{
		{strings.Replace(r.URL, "127.0.0.1", "localhost", 1), webhook.Policy{}, store.FaultAddress},
		{"http://169.254.169.254/latest/meta-data", webhook.Policy{}, store.FaultAddress},
		{"http://[::ffff:127.0.0.1]:1/", webhook.Policy{}, store.FaultAddress},
		{r.URL, webhook.Policy{Hosts: []string{"train.example.org"}, Networks: ownMachine.Networks}, store.FaultHost},
	} {
		caller := newTellConsumer(w.deps, Config{Webhooks: c.policy})
		if _, err := caller.send(t.Context(), store.Call{URL: c.address}); faultOf(err) != c.fault {
			t.Errorf("%s: %v", c.address, err)
		}
	}
	if len(r.taken) != 0 {
		t.Error("a call arrived")
	}
}
