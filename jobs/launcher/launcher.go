// Package launcher starts model servers for a run, waits until they are ready, and stops them after it.
package launcher

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/models"
	"fiducial/jobs/argo"
	"fiducial/jobs/modelserver"
	"fiducial/store"
)

// Launcher starts the servers whose settings say that they are started for a run. Its zero value starts none.
type Launcher struct {
	Programs Programs
	Policy   modelserver.Policy // of the servers that do not run on this machine
	Argo     *argo.Client       // nil without Argo
	// FollowEvery is how often Argo is asked how far a workflow is; two seconds if 0.
	FollowEvery time.Duration
}

// running is what was started, whatever it is.
type running interface {
	// address is where it listens, HOST:PORT. It waits until that is known.
	address(ctx context.Context) (string, error)
	// ended is closed when it has ended by itself, or was stopped.
	ended() <-chan struct{}
	// stop ends it and everything it started.
	stop(ctx context.Context) error
	// log is what it wrote, the beginning and the end of it.
	log(ctx context.Context) ([]byte, error)
}

// Started is a model server that was started. It must be stopped.
type Started struct {
	Server store.ModelServer  // with the address where it listens
	Policy modelserver.Policy // that lets it be called, and nothing else

	running running
}

// errEnded is that the program ended before it was ready.
var errEnded = errors.New("launcher: it ended before it was ready")

// Start starts the server of a model version and returns once it is ready. In a cluster it is a workflow of the given name, which matters nowhere
// else. Its error is a fault with the code launch; then there is nothing to stop, and log is what the server had written until then.
func (l Launcher) Start(ctx context.Context, server store.ModelServer, workflow string) (started *Started, log []byte, err error) {
	var run running
	policy := modelserver.ForStarted()
	switch server.Launcher {
	case models.ByCommand:
		run, err = l.Programs.start(server.Launch)
	case models.ByArgo:
		run, err = l.submit(ctx, server, workflow)
	default:
		err = errors.New("launcher: nobody said how the server is started")
	}
	if err != nil {
		return nil, nil, launchFault(ctx, err)
	}
	ready, cancel := context.WithTimeout(ctx, server.Launch.ReadyWithin())
	defer cancel()
	address, err := untilReady(ready, run, &policy, l.Policy, server)
	if err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		stopErr := run.stop(stopping)
		log, logErr := run.log(stopping)
		return nil, log, launchFault(ctx, errors.Join(err, stopErr, logErr))
	}
	server.URL, server.Launcher, server.Launch = address, "", models.Launch{} // one that runs already, from now on
	return &Started{Server: server, Policy: policy, running: run}, nil, nil
}

// Ended is closed when the server ended by itself.
func (s *Started) Ended() <-chan struct{} { return s.running.ended() }

// Stop ends the server and returns what it wrote: at most LogLimit bytes of it. It does so also when ctx has ended.
func (s *Started) Stop(ctx context.Context) (log []byte, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	err = s.running.stop(ctx)
	log, logErr := s.running.log(ctx)
	return log, errors.Join(err, logErr)
}

const (
	stopPatience  = 30 * time.Second
	probePatience = 2 * time.Second
	firstPause    = 25 * time.Millisecond
	longestPause  = time.Second
)

// untilReady waits until the server is ready and returns its address with the path of the settings.
func untilReady(ctx context.Context, run running, policy *modelserver.Policy, outside modelserver.Policy, server store.ModelServer) (string, error) {
	host, err := run.address(ctx)
	if err != nil {
		return "", err
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		return "", errors.New("launcher: it has no address")
	}
	if server.Launcher == models.ByArgo {
		*policy = modelserver.Policy{Hosts: []string{name}, Networks: outside.Networks}
	}
	web := modelserver.Prober(*policy, probePatience)
	defer web.CloseIdleConnections()
	pause := firstPause
	for !probe(ctx, web, host, server.Launch.Ready) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-run.ended():
			timer.Stop()
			return "", errEnded
		case <-ctx.Done():
			timer.Stop()
			return "", errors.New("launcher: it was not ready in time")
		}
		pause = min(2*pause, longestPause)
	}
	select {
	case <-run.ended(): // somebody else answers at its port
		return "", errEnded
	default:
	}
	return addressOf(server.URL, host)
}

// probe asks whether the server is ready: its path answers 2xx; without one, anything answers.
func probe(ctx context.Context, web *http.Client, host, path string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		return false
	}
	answer, err := web.Do(request)
	if err != nil {
		return false
	}
	_, err = io.CopyN(io.Discard, answer.Body, 4096)
	closed := answer.Body.Close()
	return (err == nil || errors.Is(err, io.EOF)) && closed == nil && (path == "" || answer.StatusCode >= 200 && answer.StatusCode < 300)
}

// addressOf is the address of the settings at the host that was started; without one, its root.
func addressOf(set, host string) (string, error) {
	if set == "" {
		return "http://" + host, nil
	}
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(strings.ReplaceAll(set, "{port}", port))
	if err != nil {
		return "", errors.New("launcher: the address of the settings is none")
	}
	u.Host = host
	return u.String(), nil
}

// launchFault says why a server could not be started, in words of ours.
func launchFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	detail := ""
	if first, _, _ := strings.Cut(err.Error(), "\n"); strings.HasPrefix(first, "launcher: ") {
		detail = strings.TrimPrefix(first, "launcher: ")
	}
	return &models.Fault{Code: models.FaultLaunch, Detail: detail}
}

// freePort is a port of this machine that nobody listens on.
func freePort() (int, error) {
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err = errors.Join(err, listener.Close()); err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}
