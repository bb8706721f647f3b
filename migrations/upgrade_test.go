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

// moved are columns whose values lie in another table since; a test of their own looks for them there.
var moved = map[string][]string{"assignments": {"skip_note"}, "reviews": {"note"}, "review_marks": {"note", "dispute"}, "audits": {"batch_id"}}

// holds fails for rows that the table has no more, or with other values; new columns are welcome.
func holds(t *testing.T, pool *pgxpool.Pool, table string, rows []string) {
	t.Helper()
	lost := query[string](t, pool, fmt.Sprintf(`
		SELECT b::text FROM unnest($1::jsonb[]) b WHERE NOT EXISTS (SELECT FROM %s t WHERE to_jsonb(t) @> b - coalesce($2::text[], '{}'))`, table), rows, moved[table])
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

// What people wrote about items lies apart since 30, and nowhere else any more.
func TestNotesMoveAside(t *testing.T) {
	t.Parallel()
	const before, after = 28, 30
	pool := storetest.Blank(t)
	for _, n := range versions(t) {
		if n > before {
			break
		}
		if err := migrations.UpTo(t.Context(), pool, n); err != nil {
			t.Fatal(err)
		}
		fill(t, pool, n)
	}
	if err := migrations.UpTo(t.Context(), pool, after); err != nil {
		t.Fatal(err)
	}
	got := query[string](t, pool, `SELECT item_id || ' ' || kind || ' ' || of_id || ' ' || body FROM item_notes ORDER BY 1`)
	want := []string{"2 dispute 2 It is dirt.", "2 mark 2 here", "2 review 2 Draw it closer.", "3 skip 5 Too dark to tell."}
	if !slices.Equal(got, want) {
		t.Errorf("notes: %q, not %q", got, want)
	}
	if left := query[string](t, pool, `SELECT tablename || '.' || attname FROM pg_stats WHERE schemaname = 'public' AND tablename ~ '^(item_texts|groups|drafts)' AND most_common_vals IS NOT NULL AND attname IN ('external_key', 'name', 'boxes')`); len(left) > 0 {
		t.Errorf("statistics of texts are left: %q", left)
	}
}
