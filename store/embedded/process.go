package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// stopPatience is how long a child may take to end before it is made to.
const stopPatience = 30 * time.Second

// process is a child that ends with this process.
type process struct {
	cmd      *exec.Cmd
	ended    chan struct{} // closed when the child is gone; err is set before
	err      error
	stopping atomic.Bool
	failed   chan error // one error if the child ends unasked; then closed
	lock     *os.File   // of the child's folder; here it stays referenced while the child lives
}

// startProcess starts cmd, which is to get onParentEnd when this process ends.
func startProcess(cmd *exec.Cmd, onParentEnd syscall.Signal, as *syscall.Credential) (*process, error) {
	cmd.SysProcAttr = childAttributes(onParentEnd)
	cmd.SysProcAttr.Credential = as
	p := &process{cmd: cmd, ended: make(chan struct{}), failed: make(chan error, 1)}
	started := make(chan error)
	go func() {
		// Linux signals the child when the thread that made it ends, not the
		// process, and Go ends idle threads: hold this one until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("embedded: start %s: %w", cmd.Path, err)
	}
	return p, nil
}

func (p *process) wait() {
	p.err = p.cmd.Wait()
	close(p.ended)
	if !p.stopping.Load() {
		p.failed <- fmt.Errorf("embedded: %s ended by itself: %s", p.cmd.Path, p.cmd.ProcessState)
	}
	close(p.failed)
}

// stop sends gently, after a while hard, and returns when the child is gone.
func (p *process) stop(gently, hard syscall.Signal) error {
	p.stopping.Store(true)
	select {
	case <-p.ended:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(gently); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("embedded: stop %s: %w", p.cmd.Path, err)
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopPatience):
	}
	if err := p.cmd.Process.Signal(hard); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("embedded: stop %s: %w", p.cmd.Path, err)
	}
	<-p.ended
	return fmt.Errorf("embedded: %s did not stop within %s and was ended hard", p.cmd.Path, stopPatience)
}
