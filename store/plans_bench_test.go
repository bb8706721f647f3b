package store

import (
	"fmt"
	"testing"

	"fiducial/internal/sampling"
)

// BenchmarkSelect chooses the least sure fiftieth of a million utterances, with a control, as the preview of a plan does.
func BenchmarkSelect(b *testing.B) {
	f := newBenchFloor(b, benchPool(b), "calls", 1_000_000, 0)
	conn, err := f.pool.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	for _, sql := range []string{
		`SET session_replication_role = replica`,
		`UPDATE projects SET kind = 'audio'`,
		`INSERT INTO sources (name) SELECT 'customer ' || n FROM generate_series(1, 40) n`,
		`INSERT INTO recordings (project_id, source_id, key_hash, state, rate, channels, frames)
			SELECT p.id, s.id, int8send(n), 'ready', 8000, 1, 2400000 FROM projects p, (SELECT min(id) AS id FROM sources) s, generate_series(1, 10000) n`,
		`UPDATE items SET recording_id = (SELECT min(id) FROM recordings) + id % 10000, begins = id / 10000 * 3, ends = id / 10000 * 3 + 1 + id % 7,
			source_id = (SELECT min(id) FROM sources) + id % 40`,
		`INSERT INTO models (name, kind) VALUES ('asr', 'asr')`,
		`INSERT INTO model_versions (model_id, version) SELECT id, '1' FROM models`,
		`INSERT INTO predictions (item_id, model_version_id, purpose, confidence, words)
			SELECT i.id, v.id, 'prediction', (hashint8extended(i.id, 1) & 1048575) / 1048576.0, 1 + i.id * 7919 % 14 FROM items i, model_versions v ORDER BY i.id`,
		`RESET session_replication_role`, `VACUUM FULL items`, `VACUUM ANALYZE`, `CHECKPOINT`,
	} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(fmt.Errorf("%s: %w", sql, err))
		}
	}
	n := NewPlan{Project: f.project.ID, Model: "asr@1", Choice: sampling.Choice{
		By: "words", Edges: sampling.DefaultEdges(), Method: sampling.Lowest, Share: 0.02, Control: 0.1, Most: 5000, Seed: 1,
	}}
	for b.Loop() {
		v, err := f.PreviewPlan(b.Context(), System(), n)
		if err != nil {
			b.Fatal(err)
		}
		if v.Items != 1_000_000 || v.Chosen < 19_900 || v.Control < 2000 {
			b.Fatalf("%d and %d of %d", v.Chosen, v.Control, v.Items)
		}
	}
}
