package modelserver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fiducial/internal/models"
	"fiducial/jobs/modelserver"
	"fiducial/store"
)

func TestFaultsThatMayPassAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statuses []int
		calls    int64
		code     string
		status   int
	}{
		"passes":           {[]int{503, 429, 200}, 3, "", 0},
		"does not pass":    {[]int{500}, 3, models.FaultStatus, 500},
		"is final at once": {[]int{400}, 1, models.FaultStatus, 400},
		"is forbidden":     {[]int{401}, 1, models.FaultStatus, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls, admitted, done atomic.Int64
			cfg, _ := standIn(t, "nlp", models.JSON, models.Options{}, counting(&calls, c.statuses...))
			cfg.Admit = func(context.Context) (func(), error) {
				admitted.Add(1)
				return func() { done.Add(1) }, nil
			}
			_, err := ask(t, cfg, modelserver.Input{Text: "x"})
			fault := models.FaultOf(err)
			if calls.Load() != c.calls || admitted.Load() != c.calls || done.Load() != c.calls {
				t.Errorf("%d calls, %d admitted, %d done, want %d", calls.Load(), admitted.Load(), done.Load(), c.calls)
			}
			if c.code == "" && err != nil || c.code != "" && (fault == nil || fault.Code != c.code || fault.Status != c.status || int64(fault.Attempts) != c.calls) {
				t.Errorf("%v %+v", err, fault)
			}
		})
	}
}

// A server that is busy is left alone as long as it asks for.
func TestABusyServerIsLeftAlone(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	var first, second time.Time
	cfg, _ := standIn(t, "nlp", models.JSON, models.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		second = time.Now()
		_, _ = io.WriteString(w, `{"label":"a"}`)
	})
	if _, err := ask(t, cfg, modelserver.Input{}); err != nil || second.Sub(first) < time.Second {
		t.Errorf("asked again after %s: %v", second.Sub(first), err)
	}
}

// What a hostile or broken server answers ends in a fault that says nothing of what it said.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(says(`{"label":"stolen"}`))
	t.Cleanup(elsewhere.Close)
	const secret = "grandmother's maiden name"
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		code string
	}{
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, models.FaultRedirect},
		"no JSON":             {says(secret), models.FaultShape},
		"another form":        {says(`["` + secret + `"]`), models.FaultShape},
		"no label":            {says(`{"answer":"` + secret + `"}`), models.FaultShape},
		"a wild confidence":   {says(`{"label":"a","confidence":7}`), models.FaultShape},
		"a wild number":       {says(`{"label":"a","confidence":1e999}`), models.FaultShape},
		"an error with words": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, secret, http.StatusTeapot) }, models.FaultStatus},
		"no end": {func(w http.ResponseWriter, _ *http.Request) {
			block := bytes.Repeat([]byte(" "), 1<<20)
			for range 64 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, models.FaultSize},
		"silence": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, models.FaultTimeout},
		"a trickle": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}, models.FaultTimeout},
		"hanging up": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, models.FaultConnection},
		"an endless head": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, models.FaultConnection},
		"many labels":     {says(`{"labels":["a"` + strings.Repeat(`,"a"`, 5000) + `]}`), models.FaultSize},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, _ := standIn(t, "nlp", models.JSON, models.Options{Task: models.TaskLabels}, c.h)
			cfg.Server.Attempts = 1
			if c.code == models.FaultTimeout {
				cfg.Server.Timeout = 200 * time.Millisecond
			}
			out, err := ask(t, cfg, modelserver.Input{ID: "1", Text: secret})
			fault := models.FaultOf(err)
			if fault == nil || fault.Code != c.code {
				t.Errorf("%+v, %v, want %s", out, err, c.code)
			}
			if err != nil && (strings.Contains(err.Error(), "maiden") || strings.Contains(err.Error(), "127.0.0.1")) {
				t.Errorf("the error says %q", err)
			}
		})
	}
}

// Nothing is sent to a host that nobody named, nor to one that leads into a network that nobody opened.
func TestWhereModelsMayBeAsked(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	cfg, web := standIn(t, "nlp", models.JSON, models.Options{}, counting(&calls, http.StatusOK))
	for name, c := range map[string]struct {
		policy modelserver.Policy
		host   string
		code   string
	}{
		"no host named":     {modelserver.Policy{Networks: here().Networks}, "127.0.0.1", models.FaultHost},
		"another named":     {modelserver.Policy{Hosts: []string{"asr.example.org"}, Networks: here().Networks}, "127.0.0.1", models.FaultHost},
		"a network of ours": {modelserver.Policy{Hosts: []string{"127.0.0.1"}}, "127.0.0.1", models.FaultAddress},
		"a name for it":     {modelserver.Policy{Hosts: []string{"localhost"}}, "localhost", models.FaultAddress},
	} {
		cfg := cfg
		cfg.Policy = c.policy
		cfg.Server.URL = strings.Replace(web.URL, "127.0.0.1", c.host, 1)
		if _, err := ask(t, cfg, modelserver.Input{}); models.FaultOf(err) == nil || models.FaultOf(err).Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if calls.Load() != 0 {
		t.Errorf("%d calls", calls.Load())
	}
}

// An item whose source forbids it, or whose bytes are gone, is no fault of the server: nothing is asked, or the question breaks off.
func TestItemsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	broken := func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("RIFF"), failing{})), nil
	}
	refuses := func(err error) func(context.Context) (io.ReadCloser, error) {
		return func(context.Context) (io.ReadCloser, error) { return nil, err }
	}
	for _, adapter := range []models.Adapter{models.OpenAI, models.JSON} {
		cfg, _ := standIn(t, "asr", adapter, models.Options{Model: "w"}, says(`{"text":"x"}`))
		for name, c := range map[string]struct {
			sound func(context.Context) (io.ReadCloser, error)
			code  string
		}{
			"forbidden": {refuses(store.ErrDenied), models.FaultSource}, "gone": {refuses(store.ErrGone), models.FaultItem},
			"breaks off": {broken, models.FaultItem}, "nothing": {nil, models.FaultItem},
		} {
			if _, err := ask(t, cfg, modelserver.Input{Sound: c.sound}); models.FaultOf(err) == nil || models.FaultOf(err).Code != c.code {
				t.Errorf("%s, %s: %v", adapter, name, err)
			}
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestOfflineModelsAreNotAsked(t *testing.T) {
	t.Parallel()
	settings := models.Defaults()
	settings.Adapter = models.Offline
	_, err := modelserver.New(modelserver.Config{Server: store.ModelServer{Settings: settings, Kind: "asr"}, Policy: here()})
	if fault := models.FaultOf(err); fault == nil || fault.Code != models.FaultSettings {
		t.Errorf("%v", err)
	}
}

// Whoever ends the run is not kept waiting by pauses between attempts.
func TestAskingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	cfg, _ := standIn(t, "nlp", models.JSON, models.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "9223372036854775807")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	client, err := modelserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := client.Ask(ctx, modelserver.Input{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 15*time.Second {
		t.Errorf("after %s: %v", time.Since(begun), err)
	}
}
