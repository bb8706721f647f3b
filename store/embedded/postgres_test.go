package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/store/embedded"
)

// runPostgres is a process that starts a cluster, commits one row, says so, and
// waits to be killed.
func runPostgres(dir string) error {
	ctx := context.Background()
	cluster, err := embedded.StartPostgres(ctx, dir, embedded.PostgresOptions{})
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, cluster.DSN)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `CREATE TABLE kept (word text); INSERT INTO kept VALUES ('strip')`); err != nil {
		return err
	}
	if _, err := fmt.Println("committed"); err != nil {
		return err
	}
	return <-cluster.Done()
}

func startPostgres(t *testing.T, dir string) *embedded.Postgres {
	t.Helper()
	begin := time.Now()
	cluster, err := embedded.StartPostgres(t.Context(), dir, embedded.PostgresOptions{})
	if errors.Is(err, embedded.ErrNoPostgres) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("answers after %s", time.Since(begin).Round(time.Millisecond))
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

func ask(t *testing.T, dsn, query string) (answer string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestPostgresSurvivesKillOfItsParent(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	parent, line := startParent(t, postgresArgument, dir)
	if line != "committed" {
		t.Fatalf("the parent said %q", line)
	}
	kill(t, parent)
	cluster := startPostgres(t, dir) // at once, while the old cluster still stops
	if word := ask(t, cluster.DSN, `SELECT word FROM kept`); word != "strip" {
		t.Fatalf("after kill -9: %q", word)
	}
}

func TestPostgresStartsAgain(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	first := startPostgres(t, dir)
	if _, err := embedded.StartPostgres(t.Context(), dir, embedded.PostgresOptions{}); !errors.Is(err, embedded.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("second start of a running cluster: %v", err)
	}
	if dsn := embedded.PostgresDSN(dir); dsn != first.DSN {
		t.Fatalf("DSN %q, from beside %q", first.DSN, dsn)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	stopped(t, first.Done())
	second := startPostgres(t, dir)
	if off := ask(t, second.DSN, `SHOW wal_recycle`); off != "off" {
		t.Fatalf("wal_recycle is %q", off)
	}
}

func TestPostgresIsClosedToOthers(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	cluster := startPostgres(t, dir)
	for path, want := range map[string]os.FileMode{"run": 0o700, "data": 0o700, "run/.s.PGSQL.5432": 0o700, "lock": 0o600, "postgres.log": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	if addresses := ask(t, cluster.DSN, `SHOW listen_addresses`); addresses != "" {
		t.Errorf("listens on %q", addresses)
	}
}

func TestPostgresKeepsValuesOutOfItsLog(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	cluster := startPostgres(t, dir)
	conn, err := pgx.Connect(t.Context(), cluster.DSN)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `SELECT 'ada@example.com'::integer`); err == nil {
		t.Fatal("a word became a number")
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
	if err != nil {
		t.Fatal(err)
	}
	if len(log) == 0 || strings.Contains(string(log), "ada@") {
		t.Fatalf("the log: %s", log)
	}
}

func TestPostgresReportsItsEnd(t *testing.T) {
	t.Parallel()
	cluster := startPostgres(t, folder(t))
	conn, err := pgx.Connect(t.Context(), cluster.DSN)
	if err != nil {
		t.Fatal(err)
	}
	// A fast shutdown, as an administrator's; it may cut this very connection.
	_, err = conn.Exec(t.Context(), `COPY (SELECT 1) TO PROGRAM 'head -1 postmaster.pid | xargs kill -INT'`)
	t.Logf("the connection ended with %v", err)
	failed(t, cluster.Done())
}

func TestPostgresRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(t *testing.T, dir string) (used string)
		want    string
	}{
		"a cluster of another version": {
			prepare: func(t *testing.T, dir string) string {
				t.Helper()
				if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return dir
			},
			want: "install PostgreSQL 9 beside it",
		},
		"a path too long for a socket": {
			prepare: func(_ *testing.T, dir string) string { return filepath.Join(dir, strings.Repeat("long", 30)) },
			want:    "choose a data folder with a shorter path",
		},
		"a folder that user postgres cannot reach": {
			prepare: func(t *testing.T, dir string) string {
				t.Helper()
				if os.Geteuid() != 0 {
					t.Skip("only root starts Postgres as somebody else")
				}
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				return filepath.Join(dir, "inside")
			},
			want: "the system user postgres cannot reach",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := embedded.StartPostgres(t.Context(), test.prepare(t, folder(t)), embedded.PostgresOptions{})
			if errors.Is(err, embedded.ErrNoPostgres) && os.Getenv("CI") == "" {
				t.Skip(err)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestPostgresStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := folder(t)
	if _, err := embedded.StartPostgres(ctx, dir, embedded.PostgresOptions{}); !errors.Is(err, context.Canceled) && !errors.Is(err, embedded.ErrNoPostgres) {
		t.Fatalf("got %v", err)
	}
	startPostgres(t, dir) // nothing half-made is in its way
}
