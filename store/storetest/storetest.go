// Package storetest gives tests what the product runs on: a migrated Postgres
// database and a bucket, both real, fresh and their own. It starts one cluster
// and one object store for each test process that asks; TEST_DATABASE_URL names
// a Postgres server to use instead.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"fiducial/store/embedded"
)

// places is how many test processes of one machine can run at the same time.
const places = 64

// place finds a folder that no other test process uses, and starts something in
// it. Folders are used again by later processes, so that nothing is left to
// clean up when a process is killed and a cluster need not be made anew.
func place[T any](kind string, start func(dir string) (T, error)) (T, error) {
	var none T
	home := filepath.Join(os.TempDir(), fmt.Sprintf("fiducial-test-%d", os.Geteuid()))
	if err := os.Mkdir(home, 0o711); err != nil && !errors.Is(err, os.ErrExist) { //nolint:gosec // the user postgres passes through
		return none, fmt.Errorf("storetest: %w", err)
	}
	info, err := os.Lstat(home)
	if err != nil {
		return none, fmt.Errorf("storetest: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() {
		return none, fmt.Errorf("storetest: %s is another user's: remove it, or set TMPDIR", home)
	}
	for n := range places {
		started, err := start(filepath.Join(home, fmt.Sprintf("%s-%d", kind, n)))
		if !errors.Is(err, embedded.ErrInUse) {
			return started, err
		}
	}
	return none, fmt.Errorf("storetest: %d test processes use %s already", places, home)
}

// unavailable ends the test: a laptop may lack a service, CI may not.
func unavailable(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, embedded.ErrNoPostgres) && os.Getenv("CI") == "" {
		tb.Skip(err)
	}
	tb.Fatal(err)
}

// lasting is the context of what outlives a test: cleanup runs after the test's
// own context has ended.
func lasting() context.Context { return context.Background() }
