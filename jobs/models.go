package jobs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"time"

	"fiducial/internal/models"
	"fiducial/jobs/launcher"
	"fiducial/jobs/modelserver"
	"fiducial/store"
)

// Asker asks model servers for somebody who waits for the answer: whether they are there, and about one item.
type Asker struct {
	Store    *store.Store
	Policy   modelserver.Policy
	Launcher launcher.Launcher
	Log      *slog.Logger
}

// askPatience is how long somebody waits at most, the start of a server for it included.
const askPatience = 2 * time.Minute

// AllowsHost reports whether models may be asked at a host.
func (a *Asker) AllowsHost(host string) bool { return a.Policy.AllowsHost(host) }

// Check asks whether the server of a model version is there and is what its settings say. Its error is a *models.Fault.
func (a *Asker) Check(ctx context.Context, server store.ModelServer) error {
	return a.with(ctx, server, func(ctx context.Context, client *modelserver.Client) error { return client.Check(ctx) })
}

// Try asks the question of a trial. Its error is a *models.Fault.
func (a *Asker) Try(ctx context.Context, trial store.Trial) (out models.Output, took time.Duration, err error) {
	err = a.with(ctx, trial.Server, func(ctx context.Context, client *modelserver.Client) error {
		begun := time.Now() //nolint:forbidigo // measures this call; nothing is decided by it
		out, err = client.Ask(ctx, InputOf(a.Store, trial.Input, trial.Text))
		took = time.Since(begun)
		return err
	})
	return out, took, err
}

// with calls fn with a client of a server, which is started for it and stopped after it if its settings say so.
func (a *Asker) with(ctx context.Context, server store.ModelServer, fn func(context.Context, *modelserver.Client) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	policy := a.Policy
	if server.Launcher != "" {
		started, _, err := a.Launcher.Start(ctx, server, launcher.WorkflowName(server))
		if err != nil {
			return err
		}
		defer func() {
			if _, err := started.Stop(ctx); err != nil {
				a.Log.WarnContext(ctx, "a model server could not be stopped", slog.Int64("model_version", server.VersionID), slog.Any("error", err))
			}
		}()
		server, policy = started.Server, started.Policy
	}
	client, err := modelserver.New(modelserver.Config{Server: server, Policy: policy})
	if err != nil {
		return err
	}
	defer client.Close()
	if err = fn(ctx, client); errors.Is(err, context.DeadlineExceeded) {
		return &models.Fault{Code: models.FaultTimeout}
	}
	return err
}

// InputOf is an item as a model is given it; text is what one that reads is given.
func InputOf(st *store.Store, in store.ModelInput, text string) modelserver.Input {
	open := func(ctx context.Context) (io.ReadCloser, error) { return st.OpenModelInput(ctx, in) }
	input := modelserver.Input{
		ID: strconv.FormatInt(in.Item, 10), Text: text, ContentType: in.ContentType, Width: in.Width, Height: in.Height, Seconds: in.Seconds,
	}
	if in.Sound {
		input.Sound = open
	} else if in.Item != 0 {
		input.Image = open
	}
	return input
}
