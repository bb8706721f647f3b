package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
)

// Any measure of a cell has a trend, of all items or of one class; what a cell does not have falls back to what it has.
func TestTrendOfAnyMeasure(t *testing.T) {
	t.Parallel()
	s := newMatrixSite(t, 3, 2, 3)
	s.exec(`UPDATE cells SET figures = figures || jsonb_build_object(
		'measures', figures -> 'measures' || jsonb_build_array(jsonb_build_object('name', 'log_loss', 'value', 0.3 + version_id * 0.05, 'low', 0.25, 'high', 0.75, 'items', 400)),
		'calibration', jsonb_build_object('error', version_id * 0.0312, 'worst', 0.5, 'brier', 0.111, 'units', 390, 'bins', '[]'::jsonb),
		'classes', jsonb_build_array(jsonb_build_object('name', 'joy', 'truth', 77, 'f1', 0.5 + version_id * 0.0101, 'recall', 0.4321, 'low', 0.4011, 'high', 0.6022)),
		'slices', jsonb_build_array(jsonb_build_object('by', 'source', 'name', 'joy', 'items', 9), jsonb_build_object('by', 'class', 'name', 'joy', 'items', 55, 'measures',
			jsonb_build_array(jsonb_build_object('name', 'macro_f1', 'value', 0.8123, 'items', 55)))))
		WHERE cardinality(path) = 2`)
	var cell string
	s.scan(&cell, `SELECT id::text FROM cells WHERE version_id = 3 AND path = '{3,4}'`)
	path := "/cells/" + cell + "/trend"
	admin := s.browser(access.Admin)
	admin.get("/cells/"+cell).want(http.StatusOK).shows("Other measures").attribute("href", path)
	for query, want := range map[string][]string{
		"":                              {"F1 over time", "Log loss", "Calibration error", "joy", "care-test@1", "care-test@3"},
		"?measure=log_loss":             {"Log loss over time", "0.350", "0.400", "0.450", "0.250 to 0.750", "400"},
		"?measure=calibration_error":    {"Calibration error over time", "0.031", "0.094", "390"},
		"?class=joy":                    {"F1 of joy over time", "0.510", "F1 on its items"},
		"?class=joy&measure=macro_f1":   {"F1 on items with joy over time", "0.812", "55"},
		"?class=joy&measure=f1":         {"F1 of joy over time", "0.510", "0.530", "0.401 to 0.602", "77"},
		"?class=joy&measure=recall":     {"Recall of joy over time", "0.432"},
		"?class=joy&measure=log_loss":   {"F1 of joy over time", "0.530"}, // no class has one
		"?class=fear&measure=brier":     {"F1 over time"},
		"?measure=log_loss&line=newest": {"Log loss over time", "The newest of each time"},
	} {
		admin.get(path + query).want(http.StatusOK).shows(want...)
	}
	got := admin.get(path + ".csv?measure=recall&class=joy&line=same").want(http.StatusOK).Body.String()
	if !strings.Contains(got, ",recall,0.4321,") || !strings.Contains(got, ",joy\n") {
		t.Errorf("the file is of something else:\n%s", got)
	}
	s.member(access.Viewer, 1).get(path + "?measure=log_loss").want(http.StatusOK).shows("Log loss over time")
	s.browser(access.Viewer).get(path).want(http.StatusNotFound)
	s.browser(access.Labeler).get(path).want(http.StatusForbidden)
}
