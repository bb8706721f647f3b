// Package e2e drives the built binary as people and programs do: in a browser, over HTTP, on the
// command line. It imports nothing of ours.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startPatience = 3 * time.Minute
	stopPatience  = 40 * time.Second
)

// Binary returns the path of the built program: FIDUCIAL_BIN, or bin/fiducial of this repository.
func Binary() (string, error) {
	path := os.Getenv("FIDUCIAL_BIN")
	if path == "" {
		root, err := projectRoot()
		if err != nil {
			return "", err
		}
		path = filepath.Join(root, "bin", "fiducial")
	}
	if _, err := os.Stat(path); err != nil { //nolint:gosec // G703: whoever runs the tests chooses the program
		return "", fmt.Errorf("the program to test is missing: run 'make build', or name it by FIDUCIAL_BIN: %w", err)
	}
	return filepath.Abs(path)
}

// projectRoot is the folder of go.mod, above wherever we were started.
func projectRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("run this inside the repository: there is no go.mod here or above")
		}
		dir = filepath.Dir(dir)
	}
}

// NewDataFolder makes an empty data folder that the system user postgres can pass through.
func NewDataFolder() (string, error) {
	dir, err := os.MkdirTemp("", "fiducial-e2e-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711) //nolint:gosec // as the server makes its own
}

// Process is one running command of the binary that stays until it is told to end.
type Process struct {
	Log *Log

	cmd    *exec.Cmd
	killed bool
	ended  chan struct{}
	err    error // set before ended is closed
}

// StartProcess runs the binary with args over the settings in env ("NAME=value"). None of this
// process's own settings reach it.
func StartProcess(env []string, args ...string) (*Process, error) {
	binary, err := Binary()
	if err != nil {
		return nil, err
	}
	p := &Process{Log: &Log{}, ended: make(chan struct{})}
	p.cmd = exec.Command(binary, args...) //nolint:gosec,noctx // ended by Stop and Kill
	p.cmd.Env = append(cleanEnvironment(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Log, p.Log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// cleanEnvironment is ours without what configures the product.
func cleanEnvironment() []string {
	var env []string
	for _, setting := range os.Environ() {
		name, _, _ := strings.Cut(setting, "=")
		if name != "DATABASE_URL" && !strings.HasPrefix(name, "S3_") && !strings.HasPrefix(name, "FIDUCIAL_") {
			env = append(env, setting)
		}
	}
	return env
}

// Interrupt sends what Ctrl-C sends, and does not wait.
func (p *Process) Interrupt() error { return p.cmd.Process.Signal(syscall.SIGINT) }

// Ended is closed once the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop ends the process as Ctrl-C does, unless Kill has; the error tells if it did not end well, with its log.
func (p *Process) Stop() error {
	if err := p.Interrupt(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(stopPatience):
		return errors.Join(fmt.Errorf("it did not stop within %s of Ctrl-C:\n%s", stopPatience, p.Log.Tail()), p.Kill())
	}
	if p.err != nil && !p.killed {
		return fmt.Errorf("it ended with %w:\n%s", p.err, p.Log.Tail())
	}
	return nil
}

// Kill ends the process with kill -9 and returns when it is gone.
func (p *Process) Kill() error {
	p.killed = true
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// await returns what follows prefix on a line of the log, once there is one.
func (p *Process) await(prefix string) (string, error) {
	patience := time.After(startPatience)
	for {
		if rest, ok := p.Log.find(prefix); ok {
			return rest, nil
		}
		select {
		case <-p.Log.changed():
		case <-p.ended:
			return "", fmt.Errorf("it ended at once (%w):\n%s", p.err, p.Log.Tail())
		case <-patience:
			return "", errors.Join(fmt.Errorf("it did not start within %s:\n%s", startPatience, p.Log.Tail()), p.Kill())
		}
	}
}

// Server is a running 'fiducial serve'.
type Server struct {
	*Process

	URL  string // without a slash at the end
	Data string

	env, args []string
}

// StartServer serves on a free port of the loopback interface over the data folder, with further
// settings and flags, and returns when it answers. It believes X-Forwarded-For from this machine, so
// that each of many visitors is limited by itself.
func StartServer(data string, env []string, args ...string) (*Server, error) {
	s := &Server{Data: data, env: env, args: args}
	return s, s.start("127.0.0.1:0")
}

// Restart serves again on the same address, after Stop or Kill.
func (s *Server) Restart() error { return s.start(strings.TrimPrefix(s.URL, "http://")) }

func (s *Server) start(listen string) (err error) {
	args := append([]string{"serve", "--data", s.Data, "--listen", listen, "--trusted-proxies", "127.0.0.1/32"}, s.args...)
	if s.Process, err = StartProcess(s.env, args...); err != nil {
		return err
	}
	s.URL, err = s.await("Fiducial serves on ")
	return err
}

// Command runs the binary with args against the server's data folder and settings, with stdin as its
// input, and returns its standard output.
func (s *Server) Command(ctx context.Context, stdin string, args ...string) (string, error) {
	return RunCommand(ctx, append([]string{"FIDUCIAL_DATA=" + s.Data, "FIDUCIAL_URL=" + s.URL}, s.env...), stdin, args...)
}

// RunCommand runs the binary to its end and returns its standard output; the error holds what it said
// on standard error.
func RunCommand(ctx context.Context, env []string, stdin string, args ...string) (string, error) {
	binary, err := Binary()
	if err != nil {
		return "", err
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // the program under test
	cmd.Env = append(cleanEnvironment(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("fiducial %s: %w\n%s", strings.Join(args, " "), err, errOut.String())
	}
	return out.String(), nil
}

// Log gathers what a process prints. It is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	text   bytes.Buffer
	waiter chan struct{}
}

var _ io.Writer = (*Log)(nil)

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiter != nil {
		close(l.waiter)
		l.waiter = nil
	}
	return l.text.Write(p)
}

// changed is closed at the next Write.
func (l *Log) changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiter == nil {
		l.waiter = make(chan struct{})
	}
	return l.waiter
}

func (l *Log) find(prefix string) (string, bool) {
	for line := range strings.Lines(l.String()) {
		if rest, ok := strings.CutPrefix(line, prefix); ok && strings.HasSuffix(rest, "\n") {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// String returns everything that was printed so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Tail returns the last lines of it.
func (l *Log) Tail() string {
	const most = 4000
	text := l.String()
	return text[max(0, len(text)-most):]
}
