package store

import "testing"

// From an item one gets to every version that holds it and what was measured on it, and from a version to what was measured there.
func TestLineageReachesEvaluations(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 2, 1)
	version, _ := b.audited(t, 1)
	var model int64
	b.scan(t, &model, `WITH m AS (INSERT INTO models (name, kind) VALUES ('strips', 'detector') RETURNING id)
		INSERT INTO model_versions (model_id, version) SELECT id, '1' FROM m RETURNING id`)
	onTest, _ := b.measured(t, version.ID, model, "frozen")
	onTraining, _ := b.measured(t, version.ID, model, "today")
	b.exec(t, `INSERT INTO evaluation_versions (evaluation_id, version_id) VALUES ($1, $3), ($2, $3)`, onTest, onTraining, version.ID)
	b.exec(t, `UPDATE evaluations SET split = 'training' WHERE id = $1`, onTraining)

	uses, err := b.Lineage(t.Context(), b.reviewer, b.items[0])
	if err != nil || len(uses) != 1 || len(uses[0].Measured) != 1 || uses[0].Measured[0].Evaluation != onTest {
		t.Errorf("%+v, %v, want the evaluation %d of the item's side alone", uses, err, onTest)
	}
	measured, err := b.MeasuredOn(t.Context(), b.reviewer, version, 10)
	if err != nil || len(measured) != 2 || measured[0].Evaluation != onTraining {
		t.Errorf("%+v, %v, want both, the newest first", measured, err)
	}
	stranger := b.engage(t, "reviewer")
	b.exec(t, `DELETE FROM members WHERE person_id = $1`, stranger.PersonID)
	if measured, err := b.MeasuredOn(t.Context(), stranger, version, 10); err != nil || len(measured) > 0 {
		t.Errorf("%+v, %v, want nothing for who does not see the project", measured, err)
	}
}
