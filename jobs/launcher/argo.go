package launcher

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"fiducial/internal/models"
	"fiducial/jobs/argo"
	"fiducial/store"
)

// workflow is a model server in the cluster: a workflow whose daemon container serves.
type workflow struct {
	client *argo.Client
	name   string
	port   int
	pause  time.Duration

	done   chan struct{}
	follow context.CancelFunc // ends following
	mu     sync.Mutex
	host   string
	up     chan struct{} // closed once host is known
	output []byte        // kept before the workflow is ended, since its pods go with it
}

// followEvery is how often Argo is asked how far a workflow is.
const followEvery = 2 * time.Second

// WorkflowName is a new name for the workflow that a server is started as, "" if it is started otherwise.
func WorkflowName(server store.ModelServer) string {
	if server.Launcher != models.ByArgo {
		return ""
	}
	return argo.ServerName(server.Launch.Template)
}

// submit starts a server in the cluster, as a workflow of this name. The environment of its settings are the parameters of its template.
func (l Launcher) submit(ctx context.Context, server store.ModelServer, name string) (running, error) {
	if l.Argo == nil {
		return nil, errors.New("launcher: there is no Argo here: whoever runs the product names its server with --argo-url")
	}
	err := l.Argo.Submit(ctx, name, server.Launch.Template, server.Launch.Env)
	if errors.Is(err, argo.ErrNotFound) {
		return nil, errors.New("launcher: there is no such WorkflowTemplate in Argo's namespace")
	}
	if err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		return nil, errors.Join(errors.New("launcher: Argo does not start it"), err, l.Argo.Terminate(stopping, name)) // only the answer may be lost
	}
	pause := l.FollowEvery
	if pause == 0 {
		pause = followEvery
	}
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &workflow{client: l.Argo, name: name, port: server.Launch.Port, pause: pause, done: make(chan struct{}), up: make(chan struct{}), follow: cancel}
	go w.watch(following)
	return w, nil
}

// watch asks how far the workflow is until it has ended.
func (w *workflow) watch(ctx context.Context) {
	defer close(w.done)
	tick := time.NewTicker(w.pause)
	defer tick.Stop()
	for {
		status, err := w.client.Get(ctx, w.name)
		if errors.Is(err, argo.ErrNotFound) || err == nil && status.Ended() {
			return
		}
		if host := status.Serving(); host != "" {
			w.serves(host)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *workflow) serves(host string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.host == "" {
		w.host = host
		close(w.up)
	}
}

func (w *workflow) address(ctx context.Context) (string, error) {
	select {
	case <-w.up:
		w.mu.Lock()
		defer w.mu.Unlock()
		return net.JoinHostPort(w.host, strconv.Itoa(w.port)), nil
	case <-w.done:
		return "", errEnded
	case <-ctx.Done():
		return "", errors.New("launcher: it was not ready in time")
	}
}

func (w *workflow) ended() <-chan struct{} { return w.done }

// stop keeps what the server wrote and ends the workflow.
func (w *workflow) stop(ctx context.Context) error {
	output, err := endWorkflow(ctx, w.client, w.name)
	w.mu.Lock()
	w.output = output
	w.mu.Unlock()
	w.follow()
	<-w.done
	return err
}

// endWorkflow ends a workflow and returns what it had written.
func endWorkflow(ctx context.Context, client *argo.Client, name string) (output []byte, err error) {
	output, logErr := client.Log(ctx, name, LogLimit)
	return output, errors.Join(client.Terminate(ctx, name), logErr)
}

// ErrNoCluster means that this process knows of no Argo.
var ErrNoCluster = errors.New("launcher: there is no Argo here")

// StopLost ends a workflow whose process is gone that had started it, and returns what its server had written. One that is not there has ended.
func (l Launcher) StopLost(ctx context.Context, name string) (log []byte, err error) {
	if l.Argo == nil {
		return nil, ErrNoCluster
	}
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	return endWorkflow(ctx, l.Argo, name)
}

func (w *workflow) log(context.Context) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.output, nil
}
