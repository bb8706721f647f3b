package main

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScoreSpeech(t *testing.T) {
	t.Parallel()
	const pairs = `{"utt_id": "greeting", "reference": "Good morning, everyone.", "hypothesis": "good warning every one"}

{"reference": "", "hypothesis": "uh"}
`
	code, out, messages := score(t, pairs, "speech", "--pairs", "-", "--normalizer", "basic-1", "--per-pair")
	want := strings.TrimSpace(`
LINE  WORDS    SUB    DEL    INS     WER     CER  UTTERANCE
      1      3      2      0      1  1.0000  0.1429  greeting
      3      0      0      0      1       -       -  

MEASURE                     VALUE   ERRORS  OF
WER, word error rate        1.3333  4       3 words
MER, match error rate       0.8000  4       5 aligned
WIL, word information lost  0.9333          
CER, character error rate   0.2381  5       21 characters

2 pairs, normalizer basic-1: 2 substitutions, 0 deletions, 2 insertions`)
	if code != 0 || messages != "" || strings.TrimSpace(out) != want {
		t.Errorf("exit %d, %s\n%s\nwant\n%s", code, messages, out, want)
	}
	code, out, _ = score(t, pairs, "speech", "--pairs", "-", "--normalizer", "lenient-1", "--json", "--per-pair")
	var scores speechScores
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &scores); err != nil || code != 0 || len(lines) != 3 || *scores.WER != 1 || scores.Pairs != 2 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
	if !strings.Contains(lines[1], `"wer":null`) {
		t.Errorf("of no words: %s", lines[1])
	}
}

func TestScoreSpeechRefuses(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"":                        "there is no pair in it",
		"{}":                      `line 1: there is no "reference"`,
		"\n{\"reference\": \"a\"": "line 2: not a JSON object",
	} {
		code, out, messages := score(t, content, "speech", "--pairs", "-")
		if code != exitMisuse || out != "" || !strings.Contains(messages, want) {
			t.Errorf("%s: exit %d, %q, %q, want %q", content, code, out, messages, want)
		}
	}
	for _, args := range [][]string{{"speech"}, {"speech", "--pairs", "/nowhere"}, {"speech", "--pairs", "-", "--normalizer", "best"}} {
		if code, _, messages := score(t, "{}", args...); code != exitMisuse || messages == "" {
			t.Errorf("%v: exit %d, %q", args, code, messages)
		}
	}
}

// referenceFile is a file of the test data that an outside scorer was run on.
func referenceFile(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("FIDUCIAL_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(append([]string{dir, "reference"}, parts...)...)
	if _, err := os.Stat(path); err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip("no reference output: ", err)
	}
	return path
}

// What the command prints equals what a public scorer says of the same file, which it does not write otherwise before unless it is told to.
func TestScoreSpeechLikeTheReference(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(referenceFile(t, "speech", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]struct{ WER, MER, WIL, CER float64 }
	if err := json.Unmarshal(raw, &expected); err != nil {
		t.Fatal(err)
	}
	for name, want := range expected {
		path := referenceFile(t, "speech", name+".pairs.jsonl")
		code, out, messages := score(t, "", "speech", "--pairs", path, "--json", "--per-pair")
		var got speechScores
		for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
			got = speechScores{}
			if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
		}
		if code != 0 || math.Abs(*got.WER-want.WER)+math.Abs(*got.MER-want.MER)+math.Abs(*got.WIL-want.WIL)+math.Abs(*got.CER-want.CER) > 1e-12 {
			t.Errorf("%s: exit %d, %s %+v, want %+v", name, code, messages, got, want)
		}
	}
}
