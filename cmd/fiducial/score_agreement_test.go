package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// score runs a score command on a file's content, which goes to standard input.
func score(t *testing.T, content string, args ...string) (code int, out, messages string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(context.Background(), append([]string{"score"}, args...), strings.NewReader(content), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestScoreAgreement(t *testing.T) {
	t.Parallel()
	const ratings = `{"ratings": [["pit", "crack", 7, null, "pit"], ["pit", "crack", 7, "pit", "crack"], [null, "crack", 7, null, "crack"]]}`
	code, out, messages := score(t, ratings, "agreement", "--ratings", "-")
	want := strings.TrimSpace(`
MEASURE                        VALUE   UNITS
Krippendorff's alpha, nominal  0.7436  5
Fleiss' kappa                  0.7415  5
Cohen's kappa, raters 1 and 2  0.6364  4
Cohen's kappa, raters 1 and 3  0.5000  3
Cohen's kappa, raters 2 and 3  1.0000  3

12 ratings by 3 raters of 5 units`)
	if code != 0 || messages != "" || strings.TrimSpace(out) != want {
		t.Errorf("exit %d, %s\n%s\nwant\n%s", code, messages, out, want)
	}
	code, out, _ = score(t, `{"ratings": [[1, 2, 3], [1, 2, 5]]}`, "agreement", "--ratings", "-", "--level", "interval", "--json")
	var scores agreementScores
	if err := json.Unmarshal([]byte(out), &scores); err != nil || code != 0 || scores.Alpha == nil || scores.Fleiss != nil {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
	code, out, _ = score(t, `{"ratings": [[1, 1], [1, 1]]}`, "agreement", "--ratings", "-", "--json")
	if code != 0 || !strings.Contains(out, `"alpha":null`) {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestScoreAgreementRefuses(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		``:                                   "not {",
		`[[1, 2]]`:                           "not {",
		`{"ratings": []}`:                    "no ratings",
		`{}`:                                 "no ratings",
		`{"ratings": [[null], [null]]}`:      "no ratings",
		`{"ratings": [[1, 2], [1]]}`:         "rater 2 has 1 units, the first one 2",
		`{"ratings": [[1, true]]}`:           "rater 1, unit 2: a rating is",
		`{"ratings": [[1, "a"], [1, 2]]}`:    `not "a"`,
		`{"ratings": [[1], [1]]} {}`:         "something follows",
		`{"ratings": [[1e999]]}`:             "not {",
		`{"ratings": [[{"class": 1}], [1]]}`: "rater 1, unit 1",
	} {
		code, out, messages := score(t, content, "agreement", "--ratings", "-", "--level", "ordinal")
		if code != exitMisuse || out != "" || !strings.Contains(messages, want) {
			t.Errorf("%s: exit %d, %q, %q, want %q", content, code, out, messages, want)
		}
	}
	for _, args := range [][]string{
		{"agreement"}, {"agreement", "--ratings", "/nowhere"}, {"agreement", "--ratings", "-", "--level", "ratio"},
	} {
		if code, _, messages := score(t, "{}", args...); code != exitMisuse || messages == "" {
			t.Errorf("%v: exit %d, %q", args, code, messages)
		}
	}
}

// What the command prints equals what public scorers say of the same file.
func TestScoreAgreementLikeTheReference(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("FIDUCIAL_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "reference", "agreement", "krippendorff.json"))
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip("no reference output: ", err)
	}
	var cases []json.RawMessage
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		var want struct{ Alpha map[string]float64 }
		if err := json.Unmarshal(c, &want); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "ratings.json")
		if err := os.WriteFile(path, c, 0o600); err != nil {
			t.Fatal(err)
		}
		for level, alpha := range want.Alpha {
			var got agreementScores
			code, out, messages := score(t, "", "agreement", "--ratings", path, "--level", level, "--json")
			if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.Alpha == nil || math.Abs(*got.Alpha-alpha) > 1e-9 {
				t.Errorf("case %d, %s: exit %d, %s%s, want %v", i, level, code, out, messages, alpha)
			}
		}
	}
}
