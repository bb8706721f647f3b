package jobs

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"fiducial/internal/formats"
	"fiducial/store"
	"fiducial/store/storetest"
)

// Moments come in with the words, from whatever format has a place for them; those of classes that the guideline lacks are named.
func TestMomentsComeIn(t *testing.T) {
	t.Parallel()
	wav := storetest.Tone(t, 8000, 4, 440)
	var grid bytes.Buffer
	marked := twoSpeakers
	marked.Moments = []formats.Moment{{Class: "question", Begin: 2, End: 3.25, Channel: 1}, {Class: "question", Begin: 2.5, End: 3}, {Class: "laughter", Begin: 3, End: 9}, {Class: "shoe", End: 1}}
	if report, err := formats.WriteTextGrid(&grid, marked); err != nil || report.Counts[formats.LeftOut] != 0 {
		t.Fatal(report, err)
	}
	tasks := `[{"data": {"audio": "calls/a.wav"}, "annotations": [{"result": [
		{"id": "a", "type": "textarea", "value": {"start": 0.5, "end": 1.5, "text": ["hello there"]}},
		{"id": "b", "type": "textarea", "value": {"start": 2, "end": 3.25, "text": ["who is it"]}},
		{"id": "b", "type": "choices", "value": {"start": 2, "end": 3.25, "choices": ["question"]}},
		{"id": "c", "type": "labels", "value": {"start": 2.5, "end": 3, "labels": ["Question"]}},
		{"id": "d", "type": "labels", "value": {"start": 3, "end": 9, "labels": ["laughter"]}},
		{"id": "e", "type": "labels", "value": {"start": 0, "end": 1, "labels": ["shoe"]}}]}]}]`
	for name, content := range map[string][]byte{"calls/a.TextGrid": grid.Bytes(), "tasks.json": []byte(tasks)} {
		format := store.FormatTextGrid
		if name == "tasks.json" {
			format = store.FormatLabelStudio
		}
		for per, want := range map[string]string{
			store.PerRecording: "laughter 3 to 4, question 2 to 3.25, question 2.5 to 3", store.PerSegment: "question 0 to 1.25, question 0.5 to 1",
		} {
			truth := store.NewImport{Format: format, Purpose: store.PurposeTruth, Options: store.ImportOptions{Per: per}}
			together, apart := newHearing(t), newHearing(t)
			for _, im := range []*importing{together, apart} {
				im.number(`WITH c AS (INSERT INTO classes (project_id, name, slot) SELECT id, unnest(ARRAY['question', 'laughter']), unnest(ARRAY[0, 1]) FROM projects RETURNING 1)
					SELECT count(*) FROM c`)
			}
			both := map[string][]byte{name: content, "calls/a.wav": wav}
			_, results := together.run(truth, both)
			if lost := fmt.Sprint(results); per == store.PerRecording && !strings.Contains(lost, `no class "shoe"`) || len(refusals(results)) > 0 {
				t.Errorf("%s, %s: %s", name, per, lost)
			}
			together.hear()
			apart.run(truth, map[string][]byte{name: content})
			apart.run(store.NewImport{Format: store.FormatAudio, Purpose: store.PurposeMedia}, map[string][]byte{"calls/a.wav": wav})
			apart.hear()
			for _, im := range []*importing{together, apart} {
				if got := im.moments(); got != want {
					t.Errorf("%s, %s: %s, want %s", name, per, got, want)
				}
				if counts, _ := im.run(truth, both); counts.Added+counts.Changed+counts.Refused != 0 || im.moments() != want {
					t.Errorf("%s, %s: again: %+v %s", name, per, counts, im.moments())
				}
			}
		}
	}
}

// moments lists those of the truths.
func (im *importing) moments() string {
	im.Helper()
	return im.text(`SELECT coalesce(string_agg(format('%s %s to %s', c.name, b.x, b.x + b.w), ', ' ORDER BY c.name, b.x), '')
		FROM truth_boxes b JOIN truths t ON t.id = b.truth_id AND t.current JOIN classes c ON c.id = b.class_id`)
}
