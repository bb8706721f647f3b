package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/migrations"
	"fiducial/store/embedded"
)

const (
	startPatience = 2 * time.Minute
	poolSize      = 10
	namePrefix    = "fiducial_test_"
)

var (
	mu     sync.Mutex
	idle   []*pgxpool.Pool // migrated and empty, waiting for the next test
	serial atomic.Int64
)

// server is the Postgres server of this test process.
type server struct {
	url string
	// cluster is ours, if any. It is kept referenced, since a collected one
	// would lose its lock, and never stopped: it ends with the process.
	cluster *embedded.Postgres
}

var theServer = sync.OnceValues(func() (server, error) {
	if url := os.Getenv("TEST_DATABASE_URL"); url != "" {
		return server{url: url}, nil
	}
	return place("postgres", startServer)
})

func startServer(dir string) (server, error) {
	ctx, cancel := context.WithTimeout(lasting(), startPatience)
	defer cancel()
	opts := embedded.PostgresOptions{NoSync: true}
	cluster, err := embedded.StartPostgres(ctx, dir, opts)
	if err != nil && !errors.Is(err, embedded.ErrInUse) && !errors.Is(err, embedded.ErrNoPostgres) {
		// Without fsync a crash of the machine breaks a cluster, and another
		// version of Postgres may be installed by now: make it anew.
		if err := os.RemoveAll(dir); err != nil {
			return server{}, fmt.Errorf("storetest: %w", err)
		}
		cluster, err = embedded.StartPostgres(ctx, dir, opts)
	}
	if err != nil {
		return server{}, err
	}
	return server{url: cluster.DSN, cluster: cluster}, dropLeftovers(ctx, cluster.DSN)
}

// dropLeftovers removes the databases of the cluster's earlier test processes.
func dropLeftovers(ctx context.Context, url string) error {
	return withConn(ctx, url, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, namePrefix)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, err := conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
				return err
			}
		}
		return nil
	})
}

// template is a migrated database that the others are copies of.
var template = sync.OnceValues(func() (string, error) {
	at, err := theServer()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(lasting(), startPatience)
	defer cancel()
	pool, name, err := newDatabase(ctx, at.url, "template0")
	if err != nil {
		return "", err
	}
	defer pool.Close() // a database in use cannot be copied
	return name, migrations.Up(ctx, pool)
})

// Pool returns an empty, migrated database, which another test gets when tb ends:
// leave its schema alone, or use Private. Without Postgres on the machine tb
// skips, but fails with CI set.
func Pool(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool := takeIdle()
	if pool == nil {
		pool, _ = create(tb)
	}
	tb.Cleanup(func() {
		if err := empty(lasting(), pool); err != nil {
			tb.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		idle = append(idle, pool)
	})
	return pool
}

func takeIdle() *pgxpool.Pool {
	mu.Lock()
	defer mu.Unlock()
	if len(idle) == 0 {
		return nil
	}
	pool := idle[len(idle)-1]
	idle = idle[:len(idle)-1]
	return pool
}

// Private returns a migrated database that no other test will ever see, for tests
// that change the schema.
func Private(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool, name := create(tb)
	dropAtEnd(tb, pool, name)
	return pool
}

// Blank returns a database without any schema, for tests of migrations.
func Blank(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	at, err := theServer()
	if err != nil {
		unavailable(tb, err)
	}
	pool, name, err := newDatabase(lasting(), at.url, "template0")
	if err != nil {
		tb.Fatal(err)
	}
	dropAtEnd(tb, pool, name)
	return pool
}

func dropAtEnd(tb testing.TB, pool *pgxpool.Pool, name string) {
	tb.Helper()
	at, err := theServer()
	if err != nil {
		unavailable(tb, err)
	}
	tb.Cleanup(func() {
		pool.Close()
		if err := execute(lasting(), at.url, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
}

// create copies the template.
func create(tb testing.TB) (pool *pgxpool.Pool, name string) {
	tb.Helper()
	from, err := template()
	if err != nil {
		unavailable(tb, err)
	}
	at, err := theServer()
	if err != nil {
		unavailable(tb, err)
	}
	if pool, name, err = newDatabase(lasting(), at.url, from); err != nil {
		tb.Fatal(err)
	}
	return pool, name
}

func newDatabase(ctx context.Context, url, from string) (pool *pgxpool.Pool, name string, err error) {
	name = fmt.Sprintf("%s%d_%d", namePrefix, os.Getpid(), serial.Add(1))
	if err := execute(ctx, url, "CREATE DATABASE "+name+" TEMPLATE "+from); err != nil {
		return nil, "", err
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, "", fmt.Errorf("storetest: %w", err)
	}
	config.ConnConfig.Database, config.MaxConns = name, poolSize
	if pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, "", fmt.Errorf("storetest: %w", err)
	}
	return pool, name, nil
}

// Empty takes away what a test has written so far, for one that begins again many times.
func Empty(tb testing.TB, pool *pgxpool.Pool) {
	tb.Helper()
	if err := empty(tb.Context(), pool); err != nil {
		tb.Fatal(err)
	}
}

// smallTable is up to how many bytes deleting a table's rows is faster than truncating it.
const smallTable = 1 << 20

// empty takes every row away, except from the two tables that record the schema's version. Truncating gives a table, each of
// its indexes and all that refers to it new files, which takes a hundred times as long as deleting the few rows of most tests; so
// only what has grown is truncated. The foreign keys sleep meanwhile: afterwards nothing is left that could refer to anything.
func empty(ctx context.Context, pool *pgxpool.Pool) error {
	_, err := pool.Exec(ctx, `
		DO $$
		DECLARE
			t regclass;
			filled boolean;
			grown text[] := '{}';
		BEGIN
			SET LOCAL lock_timeout = '10s';
			SET LOCAL session_replication_role = replica;
			FOR t IN
				SELECT oid::regclass FROM pg_class
				WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT IN ('goose_db_version', 'river_migration')
				  AND pg_relation_size(oid) > 0
			LOOP
				EXECUTE format('SELECT EXISTS (SELECT FROM %s)', t) INTO filled;
				CONTINUE WHEN NOT filled;
				IF pg_relation_size(t) > `+strconv.Itoa(smallTable)+` THEN
					grown := grown || t::text;
				ELSE
					EXECUTE format('DELETE FROM %s', t);
				END IF;
			END LOOP;
			IF grown <> '{}' THEN
				EXECUTE 'TRUNCATE ' || array_to_string(grown, ', ') || ' CASCADE';
			END IF;
			PERFORM setval(oid, 1, false) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND relname !~ '^goose';
		END $$`)
	if err != nil {
		return fmt.Errorf("storetest: empty: %w", err)
	}
	return nil
}

func execute(ctx context.Context, url, sql string) error {
	return withConn(ctx, url, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql)
		return err
	})
}

func withConn(ctx context.Context, url string, fn func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("storetest: %w", err)
	}
	if err := errors.Join(fn(conn), conn.Close(ctx)); err != nil {
		return fmt.Errorf("storetest: %w", err)
	}
	return nil
}
