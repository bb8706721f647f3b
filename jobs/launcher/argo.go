package launcher

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

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

// submit starts a server in the cluster. The environment of its settings are the parameters of its template.
func (l Launcher) submit(ctx context.Context, server store.ModelServer) (running, error) {
	if l.Argo == nil {
		return nil, errors.New("launcher: there is no Argo here: whoever runs the product names its server with --argo-url")
	}
	name, err := l.Argo.Submit(ctx, server.Launch.Template, server.Launch.Env)
	if errors.Is(err, argo.ErrNotFound) {
		return nil, errors.New("launcher: there is no such WorkflowTemplate in Argo's namespace")
	}
	if err != nil {
		return nil, errors.Join(errors.New("launcher: Argo does not start it"), err)
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
	output, logErr := w.client.Log(ctx, w.name, LogLimit)
	w.mu.Lock()
	w.output = output
	w.mu.Unlock()
	err := w.client.Terminate(ctx, w.name)
	w.follow()
	<-w.done
	return errors.Join(err, logErr)
}

func (w *workflow) log(context.Context) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.output, nil
}
