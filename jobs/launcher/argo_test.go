package launcher_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fiducial/internal/models"
	"fiducial/jobs/argo"
	"fiducial/jobs/launcher"
	"fiducial/jobs/modelserver"
	"fiducial/store"
)

// cluster stands for Argo's server, with a pod on this machine that serves.
type cluster struct {
	mu         sync.Mutex
	looks      int
	fails      bool
	terminated bool
	submitted  string
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch path := strings.TrimPrefix(r.URL.Path, "/api/v1/workflows/lab"); {
	case path == "/submit":
		body := make([]byte, 4096)
		n, _ := r.Body.Read(body)
		c.submitted = string(body[:n])
		_, _ = fmt.Fprint(w, `{}`)
	case path == "/fiducial-mood-1/log":
		_, _ = fmt.Fprintln(w, `{"result":{"content":"model loaded"}}`)
	case path == "/fiducial-mood-1/terminate":
		c.terminated = true
		_, _ = fmt.Fprint(w, `{}`)
	case c.fails:
		_, _ = fmt.Fprint(w, `{"status":{"phase":"Failed","message":"image not found"}}`)
	case c.terminated:
		_, _ = fmt.Fprint(w, `{"status":{"phase":"Failed"}}`)
	case c.looks < 2:
		c.looks++
		_, _ = fmt.Fprint(w, `{"status":{"phase":"Running","nodes":{"a":{"type":"Pod","phase":"Pending"}}}}`)
	default:
		_, _ = fmt.Fprint(w, `{"status":{"phase":"Running","nodes":{"a":{"type":"Pod","phase":"Running","daemoned":true,"podIP":"127.0.0.1"}}}}`)
	}
}

// inCluster is a launcher over a stand-in, and a server whose pod listens on this machine.
func inCluster(t *testing.T, c *cluster) (launcher.Launcher, store.ModelServer) {
	t.Helper()
	api := httptest.NewServer(c)
	t.Cleanup(api.Close)
	pod := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ask" {
			_, _ = fmt.Fprint(w, `{"label":"glad"}`)
		}
	}))
	t.Cleanup(pod.Close)
	_, port, err := net.SplitHostPort(pod.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client, err := argo.New(argo.Config{URL: api.URL, Namespace: "lab"})
	if err != nil {
		t.Fatal(err)
	}
	settings := models.Defaults()
	settings.URL, settings.Launcher = "http://mood/ask", models.ByArgo
	settings.Launch = models.Launch{Template: "mood", Ready: "/health", Seconds: 20, Env: map[string]string{"size": "large"}}
	settings.Launch.Port, _ = strconv.Atoi(port) // 0 answers nothing
	own := modelserver.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	return launcher.Launcher{Argo: client, Policy: own, FollowEvery: 5 * time.Millisecond}, store.ModelServer{Settings: settings, Model: "mood", Version: "1", Kind: "nlp"}
}

func TestAServerInTheClusterIsStartedAskedAndStopped(t *testing.T) {
	t.Parallel()
	c := &cluster{}
	l, server := inCluster(t, c)
	started, _, err := l.Start(t.Context(), server, "fiducial-mood-1")
	if err != nil {
		t.Fatal(err)
	}
	if said, err := answer(started); err != nil || said != "glad" {
		t.Errorf("%q, %v", said, err)
	}
	if started.Policy.AllowsHost("mood") || !started.Policy.AllowsHost("127.0.0.1") {
		t.Errorf("it may be asked at %v", started.Policy)
	}
	log, err := started.Stop(t.Context())
	if err != nil || string(log) != "model loaded\n" || !c.terminated {
		t.Errorf("log %q, ended %v, %v", log, c.terminated, err)
	}
	if !strings.Contains(c.submitted, `"resourceName":"mood"`) || !strings.Contains(c.submitted, `"size=large"`) || !strings.Contains(c.submitted, `"name":"fiducial-mood-1"`) {
		t.Errorf("submitted %s", c.submitted)
	}
}

func TestServersInTheClusterThatDoNotGetReady(t *testing.T) {
	t.Parallel()
	l, server := inCluster(t, &cluster{fails: true})
	if _, _, err := l.Start(t.Context(), server, "fiducial-mood-1"); models.FaultOf(err) == nil || models.FaultOf(err).Detail != "it ended before it was ready" {
		t.Errorf("a workflow that fails: %v", err)
	}
	c := &cluster{}
	l, server = inCluster(t, c)
	server.Launch.Seconds = 1
	l.Policy.Networks = nil // pods lie in a network that nobody opened
	if _, _, err := l.Start(t.Context(), server, "fiducial-mood-1"); models.FaultOf(err) == nil || models.FaultOf(err).Detail != "it was not ready in time" || !c.terminated {
		t.Errorf("a pod that may not be called: %v, ended %v", err, c.terminated)
	}
	l.Argo = nil
	if _, _, err := l.Start(t.Context(), server, "fiducial-mood-1"); models.FaultOf(err) == nil || !strings.Contains(models.FaultOf(err).Detail, "no Argo here") {
		t.Errorf("without Argo: %v", err)
	}
}
