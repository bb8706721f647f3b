package e2e

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
)

// atEnd is what to do after the last test.
var atEnd struct {
	sync.Mutex

	steps []func() error
}

func later(step func() error) {
	atEnd.Lock()
	defer atEnd.Unlock()
	atEnd.steps = append(atEnd.steps, step)
}

// theBrowser is started by the first test that opens a page; each page has a context of its own in it.
var theBrowser = sync.OnceValues(func() (*Browser, error) {
	browser, err := OpenBrowser()
	if err == nil {
		later(browser.Close)
	}
	return browser, err
})

// theServer is shared by the tests that leave each other alone: each makes its own people and projects.
var theServer = sync.OnceValues(func() (*Server, error) {
	data, err := NewDataFolder()
	if err != nil {
		return nil, err
	}
	server, err := StartServer(data, nil)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(data))
	}
	later(func() error { return errors.Join(server.Stop(), os.RemoveAll(data)) })
	return server, nil
})

func TestMain(m *testing.M) {
	if _, err := Binary(); err != nil {
		slog.Error("end-to-end tests", slog.Any("error", err))
		os.Exit(1)
	}
	code := m.Run()
	for _, step := range atEnd.steps {
		if err := step(); err != nil {
			slog.Error("end of the end-to-end tests", slog.Any("error", err))
			code = 1
		}
	}
	os.Exit(code)
}

// shared returns the server that all tests share.
func shared(t *testing.T) *Server {
	t.Helper()
	server, err := theServer()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// fresh returns a server of this test's own over an empty data folder, which it may stop and kill.
func fresh(t *testing.T, args ...string) *Server {
	t.Helper()
	server, err := StartServer(dataFolder(t), nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func dataFolder(t *testing.T) string {
	t.Helper()
	data, err := NewDataFolder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(data); err != nil {
			t.Error(err)
		}
	})
	return data
}

// account is somebody who can sign in.
type account struct{ Email, Password, Role string }

// addAccount makes an account by the command line.
func addAccount(t *testing.T, s *Server, role string) account {
	t.Helper()
	a := account{Email: role + "-" + strings.ToLower(rand.Text()[:8]) + "@example.org", Password: rand.Text(), Role: role}
	if _, err := s.Command(t.Context(), a.Password+"\n", "user", "add", a.Email, "--role", role); err != nil {
		t.Fatal(err)
	}
	return a
}
