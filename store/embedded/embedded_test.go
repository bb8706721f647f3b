package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fiducial/store/embedded"
)

// The test binary is its own children: the object store, and a parent to be killed.
const (
	objectsArgument  = "embedded-test-objects"
	postgresArgument = "embedded-test-postgres"
	parentArgument   = "embedded-test-parent"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case objectsArgument:
			if len(os.Args) > 2 {
				go crashAfterReading(os.Args[2])
			}
			exit(embedded.ObjectsChild(context.Background(), os.Stdin))
		case postgresArgument:
			exit(runPostgres(os.Args[2]))
		case parentArgument:
			exit(runObjects(os.Args[2]))
		}
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// crashAfterReading ends this process badly once somebody writes into the pipe.
func crashAfterReading(pipe string) {
	_, err := os.ReadFile(pipe)
	fmt.Fprintln(os.Stderr, "crash as asked:", err)
	os.Exit(3)
}

func objectsCommand(t *testing.T) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, objectsArgument}
}

// startParent runs this binary as something that starts a service in dir, and
// returns with it and its first line of output, once it has printed that.
func startParent(t *testing.T, argument, dir string) (parent *exec.Cmd, line string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent = exec.Command(self, argument, dir)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := parent.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
	})
	if line, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return parent, strings.TrimSpace(line)
}

// folder is a data folder that the user postgres can reach, which t.TempDir is not.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fiducial-embedded-") //nolint:usetesting // for that reason
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "service")
}

func kill(t *testing.T, parent *exec.Cmd) {
	t.Helper()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exited *exec.ExitError
	if err := parent.Wait(); !errors.As(err, &exited) {
		t.Fatalf("kill -9: %v", err)
	}
}

// stopped fails the test unless done is closed without an error.
func stopped(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err, open := <-done:
		if open {
			t.Fatalf("a stop on request was reported: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Done was not closed")
	}
}

// failed fails the test unless done yields an error.
func failed(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err == nil {
			t.Fatal("its end was not reported")
		}
	case <-time.After(time.Minute):
		t.Fatal("its end was not reported in time")
	}
}
