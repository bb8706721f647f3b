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
var theServer = sync.OnceValues(func() (*Server, error) { return lasting() })

// theDemo serves the demo project, which no test changes.
var theDemo = sync.OnceValues(func() (*Server, error) { return lasting("--demo") })

// lasting starts a server that ends after the last test.
func lasting(args ...string) (*Server, error) {
	data, err := NewDataFolder()
	if err != nil {
		return nil, err
	}
	server, err := StartServer(data, nil, args...)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(data))
	}
	later(func() error { return errors.Join(server.Stop(), os.RemoveAll(data)) })
	return server, nil
}

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
func shared(tb testing.TB) *Server {
	tb.Helper()
	server, err := theServer()
	if err != nil {
		tb.Fatal(err)
	}
	return server
}

// demo returns the server of the demo project, and who can sign in there, by role.
func demo(t *testing.T) (*Server, map[string]account) {
	t.Helper()
	server, err := theDemo()
	if err != nil {
		t.Fatal(err)
	}
	password, people := "", map[string]account{}
	for line := range strings.Lines(server.Log.String()) {
		if _, after, ok := strings.Cut(line, "all with the password "); ok {
			password = strings.TrimSpace(after)
		}
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasSuffix(fields[0], "@demo.example") {
			people[fields[1]] = account{Email: fields[0], Password: password, Role: fields[1]}
		}
	}
	return server, people
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
func addAccount(tb testing.TB, s *Server, role string) account {
	tb.Helper()
	a := account{Email: role + "-" + strings.ToLower(rand.Text()[:8]) + "@example.org", Password: rand.Text(), Role: role}
	if _, err := s.Command(tb.Context(), a.Password+"\n", "user", "add", a.Email, "--role", role); err != nil {
		tb.Fatal(err)
	}
	return a
}
