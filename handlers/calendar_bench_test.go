package handlers_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"fiducial/internal/access"
)

// stockCalendar fills the site with n items of 20 sources that go over three years, and with a version of all of them in 40 strata.
func (s *site) stockCalendar(n int) {
	s.t.Helper()
	s.withTruth("hot", 1)
	s.frozen("hot-test", "hot")
	conn, err := s.pool.Acquire(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Release()
	for _, sql := range []string{
		`INSERT INTO sources (name, retention_days) SELECT 'customer ' || g, 30 * g FROM generate_series(1, 20) g`,
		`INSERT INTO datasets (name) VALUES ('large')`,
		`INSERT INTO dataset_versions (dataset_id, number, recipe) SELECT id, 1, '{}' FROM datasets WHERE name = 'large'`,
		`INSERT INTO dataset_version_projects (version_id, project_id) VALUES (2, 1)`,
		fmt.Sprintf(`INSERT INTO items (project_id, source_id, key_hash, retain_until)
			SELECT 1, 2 + g %% 20, int8send(g), CASE WHEN g %% 3 > 0 THEN now() + g::bigint * 7919 %% 1000 * interval '1 day' END FROM generate_series(2, %d) g`, n),
		`SET session_replication_role = replica`, // a million foreign keys need no checking here
		`INSERT INTO dataset_lines (version_id, position, leaf, split, stratum, item_id, truth_id)
			SELECT 2, id, sha256(int8send(id)), (ARRAY['training', 'validation', 'test'])[1 + id % 3], id % 40, id, id FROM items`,
		`INSERT INTO dataset_version_counts (version_id, split, items, boxes) SELECT 2, split, count(*), 0 FROM dataset_lines WHERE version_id = 2 GROUP BY split`,
		`INSERT INTO dataset_version_strata (version_id, split, stratum, class, items, pool)
			SELECT 2, split, stratum, 'class ' || stratum, count(*), count(*) FROM dataset_lines WHERE version_id = 2 GROUP BY split, stratum`,
		`RESET session_replication_role`,
		`UPDATE dataset_versions SET state = 'frozen', hash = '\x00', frozen_at = now() WHERE id = 2`,
		`VACUUM ANALYZE items, dataset_lines`,
	} {
		if _, err := conn.Exec(s.t.Context(), sql); err != nil {
			s.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// BenchmarkCalendar asks for the calendar of many items, and of a dataset version of all of them. refresh-ms is what the job takes for that
// version, move-ms what 10,000 changed dates take with what is counted beside.
func BenchmarkCalendar(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("items=%d", n), func(b *testing.B) {
			s := newSite(b)
			s.stockCalendar(n)
			began := time.Now()
			if _, err := s.RefreshCalendars(b.Context()); err != nil {
				b.Fatal(err)
			}
			refreshed := time.Since(began)
			if err := s.SumCounts(b.Context()); err != nil {
				b.Fatal(err)
			}
			admin := s.browser(access.Admin)
			for _, path := range []string{"", "?source=3&within=180d", "?dataset=large"} {
				b.Run("page"+path, func(b *testing.B) {
					for b.Loop() {
						admin.get("/retention" + path).want(http.StatusOK)
					}
					b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "page-ms")
				})
			}
			began = time.Now()
			s.exec(`UPDATE items SET retain_until = retain_until + interval '70 days' WHERE id <= 10000`)
			b.ReportMetric(float64(time.Since(began).Milliseconds()), "move-ms")
			b.ReportMetric(float64(refreshed.Milliseconds()), "refresh-ms")
		})
	}
}
