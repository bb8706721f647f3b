package handlers_test

import (
	"fmt"
	"testing"
)

// matrixSite is a site with a chain of recognizers and language models that was measured on versions of one dataset: chain 1, whose first
// recognizer is the baseline.
type matrixSite struct {
	*site
}

// newMatrixSite measures so many recognizers in front of as many language models on as many versions. The last recognizer really hurts the first
// language model, on the newest version, and helps the second.
func newMatrixSite(tb testing.TB, recognizers, tasks, versions int) *matrixSite {
	tb.Helper()
	s := &matrixSite{newSite(tb)}
	for _, sql := range []string{
		`INSERT INTO projects (slug, name, kind, key_secret) VALUES ('calls', 'Calls', 'audio', sha256('calls'))`,
		`INSERT INTO datasets (name) VALUES ('care-test')`,
		`INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, frozen_at, lines)
			SELECT 1, g, '{}', 'frozen', sha256(int4send(g)), now() - (` + fmt.Sprint(versions) + ` - g) * interval '30 days', 412 FROM generate_series(1, ` + fmt.Sprint(versions) + `) g`,
		`INSERT INTO dataset_version_projects (version_id, project_id) SELECT id, 1 FROM dataset_versions`,
		`INSERT INTO models (name, kind) VALUES ('asr-en', 'asr')`,
		`INSERT INTO model_versions (model_id, version) SELECT 1, '5.' || g FROM generate_series(0, ` + fmt.Sprint(recognizers-1) + `) g`,
		`INSERT INTO models (name, kind) SELECT 'task-' || lpad(g::text, 2, '0'), 'nlp' FROM generate_series(1, ` + fmt.Sprint(tasks) + `) g`,
		`INSERT INTO model_versions (model_id, version) SELECT id, '1.0' FROM models WHERE kind = 'nlp' ORDER BY id`,
		`INSERT INTO chains (name, description, slots, baseline) SELECT 'Care line', 'What callers want.', '{asr,nlp}',
			ARRAY[(SELECT min(v.id) FROM model_versions v WHERE v.model_id = 1), (SELECT min(v.id) FROM model_versions v JOIN models m ON m.id = v.model_id WHERE m.kind = 'nlp')]`,
		`INSERT INTO evaluations (chain_id, state, baseline, created_at, finished_at)
			SELECT 1, 'done', c.baseline, now() - (` + fmt.Sprint(versions) + ` - g) * interval '30 days', now() FROM chains c, generate_series(1, ` + fmt.Sprint(versions) + `) g`,
		`INSERT INTO evaluation_versions (evaluation_id, version_id) SELECT e.id, v.id FROM evaluations e JOIN dataset_versions v ON v.id <= e.id`,
		`INSERT INTO cells (version_id, split, path, configurations, labels, normalizer, task, evaluation_id, items, failed, measure, value, low, high, figures)
			SELECT v.id, 'test', p.path, sha256('one') || CASE WHEN cardinality(p.path) = 2 THEN sha256('two') ELSE '' END, 'frozen', '',
				CASE cardinality(p.path) WHEN 1 THEN 'speech' ELSE 'label' END, v.id, 412, 0, CASE cardinality(p.path) WHEN 1 THEN 'wer' ELSE 'macro_f1' END, x.value,
				x.value - 0.021, x.value + 0.021,
				jsonb_build_object('task', 'label', 'items', 412, 'groups', 90, 'measures', jsonb_build_array(jsonb_build_object('name', 'macro_f1', 'value', x.value,
					'low', x.value - 0.021, 'high', x.value + 0.021, 'items', 412, 'higher_is_better', true)))
			FROM dataset_versions v CROSS JOIN LATERAL (
				SELECT ARRAY[a.id] AS path FROM model_versions a WHERE a.model_id = 1
				UNION ALL SELECT ARRAY[a.id, n.id] FROM model_versions a, model_versions n WHERE a.model_id = 1 AND n.model_id > 1) p
			CROSS JOIN LATERAL (SELECT CASE cardinality(p.path) WHEN 1 THEN 0.2 - p.path[1] * 0.004 ELSE 0.7 + (p.path[1] * 7 + p.path[2] * 3 + v.id) % 17 * 0.01 END AS value) x`,
		`INSERT INTO evaluation_steps (evaluation_id, version_id, path, configuration, state, items, done, cell_id)
			SELECT ev.evaluation_id, c.version_id, c.path, substring(c.configurations FROM length(c.configurations) - 31), 'done', 412, 412, c.id
			FROM cells c JOIN evaluation_versions ev ON ev.version_id = c.version_id`,
		`INSERT INTO cell_differences (cell_id, baseline_id, measure, value, low, high, p, adjusted, items, gained, lost)
			SELECT c.id, b.id, c.measure, c.value - b.value, c.value - b.value - 0.024, c.value - b.value + 0.024, 0.01, 0.02, 374, 14, 41
			FROM cells c JOIN cells b ON b.version_id = c.version_id AND cardinality(b.path) = cardinality(c.path) AND b.path[2] IS NOT DISTINCT FROM c.path[2]
				AND b.path[1] = (SELECT min(id) FROM model_versions) AND b.id <> c.id`,
		`ANALYZE`,
	} {
		if _, err := s.pool.Exec(tb.Context(), sql); err != nil {
			tb.Fatalf("%s: %v", sql, err)
		}
	}
	return s
}

// scan reads one value.
func (s *matrixSite) scan(into any, sql string, args ...any) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), sql, args...).Scan(into); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}
