package migrations_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"fiducial/migrations"
	"fiducial/store/storetest"
)

// versions are the numbers of all migrations, oldest first.
func versions(t *testing.T) []int64 {
	t.Helper()
	files, err := filepath.Glob("0*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var all []int64
	for _, file := range files {
		number, _, _ := strings.Cut(file, "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// Data that was written under any version is there after an upgrade to the newest. Each version's data
// comes from testdata, which fills what the version brought.
func TestUpgradesKeepTheData(t *testing.T) {
	t.Parallel()
	all := versions(t)
	for _, from := range all {
		t.Run(fmt.Sprintf("from %d", from), func(t *testing.T) {
			t.Parallel()
			pool := storetest.Blank(t)
			for _, n := range all[:slices.Index(all, from)+1] {
				if err := migrations.UpTo(t.Context(), pool, n); err != nil {
					t.Fatal(err)
				}
				fill(t, pool, n)
			}
			before := contents(t, pool)
			for table, rows := range before {
				if len(rows) == 0 {
					t.Errorf("%s is empty: let testdata/%05d.sql fill it", table, from)
				}
			}
			if err := migrations.Up(t.Context(), pool); err != nil {
				t.Fatal(err)
			}
			for table, rows := range before {
				holds(t, pool, table, rows)
			}
			sound(t, pool)
		})
	}
}

func fill(t *testing.T, pool *pgxpool.Pool, version int64) {
	t.Helper()
	path := fmt.Sprintf("testdata/%05d.sql", version)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("migration %d has no data to try an upgrade with: write what fills its tables and columns: %v", version, err)
	}
	if _, err := pool.Exec(t.Context(), string(data)); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// contents returns every row of every table of ours as JSON.
func contents(t *testing.T, pool *pgxpool.Pool) map[string][]string {
	t.Helper()
	tables := query[string](t, pool, `
		SELECT relname FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
		  AND relname NOT LIKE 'river\_%' AND relname <> 'goose_db_version'`)
	rows := map[string][]string{}
	for _, table := range tables {
		rows[table] = query[string](t, pool, fmt.Sprintf(`SELECT to_jsonb(t)::text FROM %s t`, table))
	}
	return rows
}

// holds fails for rows that the table has no more, or with other values; new columns are welcome.
func holds(t *testing.T, pool *pgxpool.Pool, table string, rows []string) {
	t.Helper()
	lost := query[string](t, pool, fmt.Sprintf(`
		SELECT b::text FROM unnest($1::jsonb[]) b WHERE NOT EXISTS (SELECT FROM %s t WHERE to_jsonb(t) @> b)`, table), rows)
	for _, row := range lost {
		t.Errorf("%s: lost or changed by the upgrade: %s", table, row)
	}
}

// sound fails for constraints and indexes that Postgres has not checked.
func sound(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for _, name := range query[string](t, pool, `
		SELECT conname FROM pg_constraint WHERE NOT convalidated
		UNION ALL SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid`) {
		t.Errorf("%s is not valid", name)
	}
}

func query[T any](t *testing.T, pool *pgxpool.Pool, sql string, args ...any) []T {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return all
}
