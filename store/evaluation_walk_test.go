package store

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"fiducial/store/storetest"
)

// A plan that was made while nothing was known of the tables, and which connections keep, looks up what it wants by its item all the same.
func TestLookupsOfARunNeedNoStatistics(t *testing.T) {
	t.Parallel()
	conn, err := storetest.Pool(t).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Release)
	for _, setting := range []string{
		`SET plan_cache_mode = force_generic_plan`, `SET enable_seqscan = off`,
		// Whether a vacuum has seen an empty table is chance; here none has.
		`UPDATE pg_class SET relpages = 0, reltuples = -1 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
	} {
		if _, err := conn.Exec(t.Context(), setting); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		sql     string
		args    pgx.NamedArgs
		types   string
		values  string
		lookups int
	}{
		"outputs": {
			sql:   `SELECT o.text FROM ` + outputTables,
			args:  pgx.NamedArgs{"items": 0, "inputs": 0, "model": 0, "configuration": 0},
			types: `bigint[], bytea[], bigint, bytea`, values: `'{1}', '{x}', 1, 'x'`, lookups: 8,
		},
		"lines": {
			sql:   walkedLines + `l.position BETWEEN @first AND @last`,
			args:  pgx.NamedArgs{"today": 0, "version": 0, "first": 0, "last": 0},
			types: `boolean, bigint, integer, integer`, values: `false, 1, 0, 63`, lookups: 9,
		},
	} {
		sql, _, err := c.args.RewriteQuery(t.Context(), conn.Conn(), c.sql, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), `PREPARE `+name+` (`+c.types+`) AS `+sql); err != nil {
			t.Fatal(err)
		}
		rows, err := conn.Query(t.Context(), `EXPLAIN EXECUTE `+name+` (`+c.values+`)`, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		lookups := 0
		for i, line := range plan {
			if !strings.Contains(line, " on model_outputs_") && !strings.Contains(line, " on assets") && !strings.Contains(line, " on transcripts_") {
				continue
			}
			if lookups++; !strings.Contains(line, "Index Scan") || !strings.Contains(plan[i+1], "item_id = ") {
				t.Errorf("%s: %s,%s", name, line, plan[i+1])
			}
		}
		if lookups != c.lookups {
			t.Errorf("%s: %d lookups, want %d:\n%s", name, lookups, c.lookups, strings.Join(plan, "\n"))
		}
	}
}
