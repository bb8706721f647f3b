package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// evaluated is a server whose only evaluation has ended like this.
func evaluated(t *testing.T, ended string) (url string, asked *string) {
	t.Helper()
	asked = new(string)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/evaluations", func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		if _, err := body.ReadFrom(r.Body); err != nil {
			t.Error(err)
		}
		*asked = body.String()
		if strings.Contains(*asked, "unknown@1") {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write([]byte(`{"status":422,"detail":"There is no unknown@1."}`))
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":17}`))
	})
	mux.HandleFunc("GET /api/v1/evaluations/17", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(ended)) })
	mux.HandleFunc("POST /api/v1/models/{model}/versions", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":3}`))
	})
	mux.HandleFunc("PUT /api/v1/models/{model}/versions/{version}/server", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, asked
}

const (
	endedWell    = `{"id":17,"state":"done","items":3,"done":3,"cells":[{"models":["asr@2"],"measure":"wer","value":0.1,"items":3,"difference":{"value":-0.02,"real":true,"better":true}}]}`
	endedWorse   = `{"id":17,"state":"done","items":3,"done":3,"cells":[{"models":["asr@2"],"measure":"wer","value":0.1,"items":3,"difference":{"value":0.2,"real":true},"dropped":true}]}`
	endedPartly  = `{"id":17,"state":"done","items":3,"done":2,"failed":1,"failures":[{"models":["asr@2"],"reason":"status","status":503,"items":1,"sentence":"An error."}]}`
	endedFailing = `{"id":17,"state":"failed","error":"Scoring failed again and again."}`
)

func TestAnEvaluationEndsWithItsExitCode(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ended    string
		args     []string
		code     int
		out, err string
	}{
		"nothing became worse": {endedWell, []string{"--asr", "asr@2"}, 0, "better", ""},
		"a real drop":          {endedWorse, []string{"--asr", "asr@2"}, exitAnswerNo, "DROP", ""},
		"incomplete":           {endedPartly, []string{"--asr", "asr@2"}, exitFailed, "1 items of asr@2: status 503: An error.", "eval retry 17"},
		"failed":               {endedFailing, []string{"--asr", "asr@2"}, exitFailed, "failed", "Scoring failed"},
		"refused":              {endedWell, []string{"--asr", "unknown@1"}, exitMisuse, "", "There is no unknown@1"},
		"nothing named":        {endedWell, nil, exitMisuse, "", "name at least one model version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := evaluated(t, tt.ended)
			var out, errOut bytes.Buffer
			args := append([]string{"eval", "start", "--dataset", "calls-test@1", "--wait", "--url", url, "--token", "fid_x"}, tt.args...)
			code := run(t.Context(), args, strings.NewReader(""), &out, &errOut)
			if code != tt.code || !strings.Contains(out.String(), tt.out) || !strings.Contains(errOut.String(), tt.err) {
				t.Errorf("exit %d, want %d\nout: %s\nerr: %s", code, tt.code, &out, &errOut)
			}
		})
	}
}

// What an earlier answer said of another combination at the same place is not told of the one that is there at the end.
func TestWaitingKeepsNothingOfEarlierAnswers(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := `{"id":17,"state":"done","items":2,"done":2,"cells":[{"models":["asr@1"],"measure":"wer","value":0.18,"items":1}]}`
		if asked++; asked == 1 {
			answer = strings.Replace(endedWorse, `"done","items"`, `"scoring","items"`, 1)
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{"eval", "show", "17", "--wait", "--url", server.URL, "--token", "fid_x"}, strings.NewReader(""), &out, &errOut)
	if code != 0 || asked < 2 || !strings.Contains(out.String(), "asr@1") || strings.Contains(out.String(), "+0.2000") {
		t.Errorf("exit %d after %d answers\nout: %s\nerr: %s", code, asked, &out, &errOut)
	}
}

// commandsIn finds the lines of a pipeline that call the command, whatever the pipeline's own form.
func commandsIn(t *testing.T, file string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "ci", file))
	if err != nil {
		t.Fatal(err)
	}
	var pipeline any
	if err := yaml.Unmarshal(text, &pipeline); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, inner := range v {
				look(inner)
			}
		case []any:
			for _, inner := range v {
				look(inner)
			}
		case string:
			for line := range strings.SplitSeq(strings.ReplaceAll(v, "\\\n", " "), "\n") {
				if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "./fiducial "); ok {
					lines = append(lines, rest)
				}
			}
		}
	}
	look(pipeline)
	return lines
}

// words splits a line as a shell does that knows double quotes, redirections and the variables of pipelines.
func words(line string) (args []string) {
	line, _, _ = strings.Cut(line, ">")
	for _, variable := range []string{"$RELEASE", "$CIRCLE_TAG"} {
		line = strings.ReplaceAll(line, variable, "4.2")
	}
	line = strings.ReplaceAll(line, "$ASR_URL", "https://asr.example.org")
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return args
}

// The examples for pipelines are what the command takes, and fail a pipeline by a real drop.
func TestThePipelinesOfTheExamplesWork(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"github-actions.yml", "circleci.yml"} {
		lines := commandsIn(t, file)
		if len(lines) != 2 {
			t.Fatalf("%s calls the command in %q", file, lines)
		}
		for _, line := range lines {
			for ended, want := range map[string]int{endedWell: 0, endedWorse: exitAnswerNo} {
				url, asked := evaluated(t, ended)
				var out, errOut bytes.Buffer
				ours := "--url"
				if !strings.HasPrefix(line, "eval ") {
					ours, want = "--product", 0 // --url is the model's there
				}
				code := run(t.Context(), append(words(line), ours, url, "--token", "fid_x"), strings.NewReader(""), &out, &errOut)
				if code != want {
					t.Errorf("%s: %s: exit %d, want %d: %s", file, line, code, want, &errOut)
				}
				if want == exitAnswerNo && (!json.Valid(out.Bytes()) || !strings.Contains(*asked, `["asr@4.2"],["sentiment@latest","actions@latest"]`)) {
					t.Errorf("%s: asked for %s, printed %s", file, *asked, &out)
				}
			}
		}
	}
}
