package launcher

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fiducial/internal/models"
)

// Programs are what may be started on this machine.
type Programs struct {
	// Folder holds the programs that may be started as model servers, and nothing else; none may if it is empty.
	Folder string
	// Env is what they find in their environment, beside PORT and what the settings say: nothing of the product's own.
	Env []string
}

// program is a model server that runs on this machine. It ends with this process.
type program struct {
	cmd    *exec.Cmd
	port   int
	output *boundedLog
	done   chan struct{}
}

// gracePeriod is how long a program may take to end when it is asked to.
const gracePeriod = 5 * time.Second

// path is where a program lies, which must be one of the folder's own.
func (p Programs) path(name string) (string, error) {
	if p.Folder == "" {
		return "", errors.New("launcher: no program may be started here: whoever runs the product names their folder with --model-commands")
	}
	path := filepath.Join(p.Folder, filepath.Base(name))
	info, err := os.Stat(path)
	if err != nil || filepath.Base(name) != name || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", errors.New("launcher: there is no such program in the folder of --model-commands")
	}
	return path, nil
}

// start starts a program and does not wait until it is ready.
func (p Programs) start(launch models.Launch) (running, error) {
	path, err := p.path(launch.Command[0])
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, errors.New("launcher: there is no free port")
	}
	run := &program{port: port, output: &boundedLog{}, done: make(chan struct{})}
	args := make([]string, 0, len(launch.Command)-1)
	for _, arg := range launch.Command[1:] {
		args = append(args, strings.ReplaceAll(arg, "{port}", strconv.Itoa(port)))
	}
	run.cmd = exec.Command(path, args...) //nolint:gosec,noctx // a program that whoever runs the product put there; it is stopped by stop, gently first
	run.cmd.Dir = p.Folder
	run.cmd.Env = append([]string{}, p.Env...)
	for name, value := range launch.Env {
		run.cmd.Env = append(run.cmd.Env, name+"="+value)
	}
	run.cmd.Env = append(run.cmd.Env, "PORT="+strconv.Itoa(port))
	run.cmd.Stdout, run.cmd.Stderr = run.output, run.output
	run.cmd.SysProcAttr = childAttributes()
	run.cmd.WaitDelay = gracePeriod
	if err := run.begin(); err != nil {
		return nil, errors.New("launcher: the program cannot be run")
	}
	return run, nil
}

// begin starts the program from a thread that is held until it has ended: Linux signals a child when the thread that made it ends.
func (r *program) begin() error {
	begun := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := r.cmd.Start()
		begun <- err
		if err != nil {
			return
		}
		if err := r.cmd.Wait(); err != nil {
			r.output.note("it ended: " + r.cmd.ProcessState.String())
		}
		close(r.done)
	}()
	return <-begun
}

func (r *program) address(context.Context) (string, error) {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)), nil
}

func (r *program) ended() <-chan struct{} { return r.done }

// stop asks the program and whatever it started to end, and ends them if they do not.
func (r *program) stop(ctx context.Context) error {
	group := -r.cmd.Process.Pid
	if err := syscall.Kill(group, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	timer := time.NewTimer(gracePeriod)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	// What is left of the group, be it the program or what it started.
	if err := syscall.Kill(group, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-r.done
	return nil
}

func (r *program) log(context.Context) ([]byte, error) { return r.output.bytes(), nil }
