package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"fiducial/internal/models"
	"fiducial/jobs/launcher"
	"fiducial/jobs/modelserver"
	"fiducial/store"
	"fiducial/store/blob"
)

// launches are the model servers that this process has started for runs. Each lives as long as its run.
type launches struct {
	deps

	worker   string
	launcher launcher.Launcher

	mu sync.Mutex
	of map[launchKey]*launch
}

type launchKey struct{ evaluation, model int64 }

// launch is one server, on its way until ready is closed.
type launch struct {
	ready   chan struct{}
	started *launcher.Started
	err     error
	at      time.Time // when it failed
}

const (
	launchLook   = 2 * time.Second
	launchFailed = 30 * time.Second // for how long a server that could not be started is not started again
)

// serverOf returns how the model of a chunk is called: as its settings say, or the server that was started for its run, which it waits for.
func (l *launches) serverOf(ctx context.Context, c *store.Chunk, policy modelserver.Policy) (store.ModelServer, modelserver.Policy, error) {
	if c.Server.Launcher == "" {
		return c.Server, policy, nil
	}
	one, mine := l.find(launchKey{c.Evaluation, c.Server.VersionID})
	if mine {
		l.start(ctx, c, one)
	}
	select {
	case <-one.ready:
	case <-ctx.Done():
		return c.Server, policy, ctx.Err()
	}
	if one.err != nil {
		return c.Server, policy, one.err
	}
	return one.started.Server, one.started.Policy, nil
}

// find returns the server of a run and a model; mine tells the caller to start it.
func (l *launches) find(key launchKey) (one *launch, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, there := l.of[key]
	if there && (one.at.IsZero() || time.Since(one.at) < launchFailed) {
		return one, false
	}
	one = &launch{ready: make(chan struct{})}
	l.of[key] = one
	return one, true
}

// start starts a server. It goes on living when the chunk that needed it first is done.
func (l *launches) start(ctx context.Context, c *store.Chunk, one *launch) {
	defer close(one.ready)
	key := launchKey{c.Evaluation, c.Server.VersionID}
	workflow := launcher.WorkflowName(c.Server)
	id, err := l.store.BeginLaunch(ctx, key.model, key.evaluation, l.worker, workflow)
	if err != nil {
		l.failed(key, one, err)
		return
	}
	started, written, err := l.launcher.Start(ctx, c.Server, workflow)
	if err != nil {
		said := "It could not be started."
		if fault := models.FaultOf(err); fault != nil && fault.Detail != "" {
			said = fault.Detail
		}
		l.end(context.WithoutCancel(ctx), id, store.LaunchFailed, said, written)
		l.failed(key, one, err)
		return
	}
	one.started = started
	if err := l.store.NoteLaunchReady(ctx, id); err != nil {
		l.log.WarnContext(ctx, "a model server that was started is not noted", slog.Int64("launch", id), slog.Any("error", err))
	}
	go l.watch(context.WithoutCancel(ctx), key, id, started)
}

func (l *launches) failed(key launchKey, one *launch, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one.err, one.at = err, time.Now() //nolint:forbidigo // of this process alone: when it tries again
	if models.FaultOf(err) == nil {
		delete(l.of, key) // the database is away, or the process stops: the job runs again
	}
}

// watch stops a server once its run has ended, and forgets one that ended by itself.
func (l *launches) watch(ctx context.Context, key launchKey, id int64, started *launcher.Started) {
	tick := time.NewTicker(launchLook)
	defer tick.Stop()
	for wanted := true; wanted; {
		select {
		case <-started.Ended():
			wanted = false
		case <-tick.C:
			asks, err := l.store.EvaluationAsks(ctx, key.evaluation)
			wanted = err != nil || asks
		}
	}
	l.mu.Lock()
	delete(l.of, key)
	l.mu.Unlock()
	written, err := started.Stop(ctx)
	if err != nil {
		l.log.WarnContext(ctx, "a model server may not have stopped", slog.Int64("launch", id), slog.Any("error", err))
	}
	l.end(ctx, id, store.LaunchStopped, "", written)
}

// end notes the end of a launch, and keeps what the server wrote. That is stored before it is noted: an erasure that begins meanwhile finds it
// noted, or has it taken away here.
func (l *launches) end(ctx context.Context, id int64, state, said string, written []byte) {
	_, err := l.blobs.Put(ctx, store.LaunchLogKey(id), bytes.NewReader(written), int64(len(written)), "text/plain; charset=utf-8")
	if err != nil {
		written = nil // the end is noted all the same
	}
	kept, noted := l.store.EndLaunch(ctx, id, state, said, len(written))
	if noted == nil && !kept {
		noted = l.blobs.Delete(ctx, store.LaunchLogKey(id))
	}
	if err = errors.Join(err, noted); err != nil {
		l.log.WarnContext(ctx, "the log of a model server is not kept", slog.Int64("launch", id), slog.Any("error", err))
	}
}

// StopLost ends the model servers in the cluster whose process is gone that had started them. One that cannot be ended is tried again by the next
// call.
func StopLost(ctx context.Context, st *store.Store, blobs *blob.Bucket, cfg Config) error {
	lost, err := st.LostLaunches(ctx)
	if err != nil || len(lost) == 0 {
		return err
	}
	l := launches{deps: deps{store: st, blobs: blobs, log: cfg.Log}, worker: cfg.Name, launcher: cfg.Launcher}
	for _, launch := range lost {
		written, stopped := l.launcher.StopLost(ctx, launch.Workflow)
		if stopped != nil {
			err = errors.Join(err, fmt.Errorf("workflow %s: %w", launch.Workflow, stopped))
			continue
		}
		l.end(ctx, launch.ID, store.LaunchStopped, "The process that had started it was gone, so another one ended it.", written)
	}
	return err
}
