package handlers_test

import (
	"encoding/csv"
	"net/http"
	"testing"

	"fiducial/internal/access"
)

// No cell of a file is a formula to a spreadsheet, whatever somebody called a class or a part; numbers below nothing stay numbers.
func TestFilesHoldNoFormulas(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 3, 1, 2)
	if _, err := s.pool.Exec(t.Context(), `UPDATE cells SET figures = figures || jsonb_build_object(
		'classes', jsonb_build_array(jsonb_build_object('name', '=HYPERLINK("http://x")', 'truth', 3, 'predicted', 4, 'right', 2)),
		'confusion', jsonb_build_object('classes', jsonb_build_array('@SUM(1)', '-2+3'), 'counts', '[[1, 2], [3, 4]]'::jsonb),
		'slices', jsonb_build_array(jsonb_build_object('by', 'source', 'name', '+1;2', 'items', 3, 'measures', jsonb_build_array(
			jsonb_build_object('name', 'macro_f1', 'value', -0.25, 'items', 3, 'higher_is_better', true)))))`); err != nil {
		t.Fatal(err)
	}
	admin := s.browser(access.Admin)
	for path, want := range map[string]string{
		"/cells/1/figures.csv?table=classes":   `'=HYPERLINK("http://x")`,
		"/cells/1/figures.csv?table=confusion": "'@SUM(1)",
		"/cells/1/figures.csv":                 "'+1;2",
	} {
		records, err := csv.NewReader(admin.get(path).want(http.StatusOK).Body).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		found := map[string]bool{}
		for _, record := range records {
			for _, cell := range record {
				found[cell] = true
			}
		}
		if !found[want] {
			t.Errorf("%s has no cell %s: %q", path, want, records)
		}
		if path == "/cells/1/figures.csv" && !found["-0.25"] {
			t.Errorf("a number below nothing is none any more: %q", records)
		}
	}
}
