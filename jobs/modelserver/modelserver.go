// Package modelserver asks model servers: one adapter for each protocol, behind one Client. What servers answer is not trusted: it is
// read up to a limit, within a time, from the very host that was named, and nothing of it stands in an error.
package modelserver

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"fiducial/internal/models"
	"fiducial/store"
)

// Output is what a model version answered about one item.
type Output = models.Output

// Fault is why there is no output.
type Fault = models.Fault //nolint:errname // see there

// Input is one item as a model is given it. What a model is given depends on its kind: Text for one of text, Sound for one of sound, Image for
// one of images; the others are not looked at.
type Input struct {
	ID    string // told to the server: an id, never content
	Text  string
	Sound func(context.Context) (io.ReadCloser, error) // a WAV file of 16 bit PCM
	Image func(context.Context) (io.ReadCloser, error) // upright

	ContentType string  // of the image
	Width       int     // pixels of the image
	Height      int     //
	Seconds     float64 // of the sound, or of what the text was heard in; 0 if that is not known
}

// Config is what a Client needs.
type Config struct {
	Server store.ModelServer
	Policy Policy

	// Admit is called before each attempt and waits until it may be made; done is called when it has ended. nil: at once.
	Admit func(context.Context) (done func(), err error)
	// Backoff is how long the second attempt waits at least; each further one waits twice as long. A quarter of a second if 0.
	Backoff time.Duration
}

// adapter is a protocol.
type adapter interface {
	// ask asks once. Its errors are faults, or the context's.
	ask(ctx context.Context, in Input) (Output, error)
	// check asks whether the server is there and is what the settings say.
	check(ctx context.Context) error
}

// Client asks one model version. It may be used by several goroutines.
type Client struct {
	cfg     Config
	adapter adapter
	web     *http.Client
}

// New returns a client. It fails with a fault if the settings let nobody be called: an offline model, a host that may not be called.
func New(cfg Config) (*Client, error) {
	if cfg.Server.Adapter == models.Offline {
		return nil, &Fault{Code: models.FaultSettings, Detail: "an offline model is not called"}
	}
	if err := cfg.Server.Check(cfg.Server.Kind); err != nil {
		return nil, &Fault{Code: models.FaultSettings, Detail: err.Error()}
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = 250 * time.Millisecond
	}
	calls, err := newCaller(cfg)
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, adapter: newAdapter(calls, cfg.Server), web: calls.web}, nil
}

func newAdapter(c *caller, server store.ModelServer) adapter {
	switch server.Adapter {
	case models.OpenAI:
		return &openAI{c, server}
	case models.OIP:
		return &inference{c, server}
	case models.LabelStudio:
		return &labelStudio{c, server}
	case models.JSON, models.Offline:
	}
	return &plain{c, server}
}

// Close gives back idle connections.
func (c *Client) Close() { c.web.CloseIdleConnections() }

// Check asks whether the server can be reached and is what the settings say: before a run, so that not every item has to fail.
func (c *Client) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Server.Timeout)
	defer cancel()
	return within(ctx, c.adapter.check(ctx))
}

// Ask asks the model about one item, again after faults that may pass, as often as the settings say. Its error is a *Fault with the
// number of attempts, or ctx's own.
func (c *Client) Ask(ctx context.Context, in Input) (Output, error) {
	for attempt := 1; ; attempt++ {
		out, wait, err := c.attempt(ctx, in)
		if err == nil {
			return out, nil
		}
		if ctx.Err() != nil {
			return Output{}, ctx.Err()
		}
		fault := models.FaultOf(err)
		if fault == nil {
			return Output{}, err
		}
		fault.Attempts = attempt
		if !fault.Temporary() || attempt >= c.cfg.Server.Attempts {
			return Output{}, fault
		}
		if err := pause(ctx, c.backoff(attempt, wait)); err != nil {
			return Output{}, err
		}
	}
}

// attempt asks once; wait is how long the server wants to be left alone.
func (c *Client) attempt(ctx context.Context, in Input) (out Output, wait time.Duration, err error) {
	if c.cfg.Admit != nil {
		done, err := c.cfg.Admit(ctx)
		if err != nil {
			return Output{}, 0, err
		}
		defer done()
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Server.Timeout)
	defer cancel()
	out, err = c.adapter.ask(ctx, in)
	if err != nil {
		if busy, ok := errors.AsType[*busyError](err); ok {
			return Output{}, busy.after, busy.fault
		}
		return Output{}, 0, within(ctx, err)
	}
	if err := clean(&out); err != nil {
		return Output{}, 0, err
	}
	return out, 0, nil
}

// within tells a time that ran out by that, whatever broke because of it.
func within(ctx context.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Fault{Code: models.FaultTimeout}
	}
	return err
}

// longestPause is the most that a server can have us wait between two attempts.
const longestPause = 30 * time.Second

// backoff is how long to wait after so many attempts: what the server asked for, or twice as long as before, with chance, so that workers
// that were refused together do not come back together.
func (c *Client) backoff(attempts int, asked time.Duration) time.Duration {
	step := min(c.cfg.Backoff<<(attempts-1), longestPause)
	return min(max(step+rand.N(step/2+1), asked), longestPause) //nolint:gosec // it spreads calls, and hides nothing
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
