package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionPath(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"steel-test@3": "/datasets/steel-test/versions/3", "steel-test": "", "steel-test@": "", "@1": "", "a@0": "", "a@one": "", "a@-1": "",
	} {
		if path, err := versionPath(name); path != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", name, path, err, want)
		}
	}
}

// datasetServer stands for a server with one version, whose archive holds content; its checksum is that of "archive".
func datasetServer(t *testing.T, holds bool, content string) (url string) {
	t.Helper()
	sum := sha256.Sum256([]byte("archive"))
	answers := map[string]string{
		"POST /api/v1/datasets/strip/versions":                 `{"dataset":"strip","number":2}`,
		"GET /api/v1/datasets/strip/versions/2":                `{"dataset":"strip","number":2,"state":"frozen","sha256":"abc","items":5}`,
		"GET /api/v1/datasets/strip/versions/2/strata":         `{"data":[{"split":"test","class":"pit","source":"Mill 3","wanted":5,"items":3,"short":2,"refused":1}]}`,
		"POST /api/v1/datasets/strip/versions/2/verifications": `{"id":4}`,
		"GET /api/v1/verifications/4":                          fmt.Sprintf(`{"dataset":"strip","number":2,"state":"done","holds":%t,"hash_holds":true,"findings":[{"position":1,"item":7,"reason":"changed"}]}`, holds),
		"POST /api/v1/datasets/strip/versions/2/exports":       `{"id":9}`,
		"GET /api/v1/exports/9":                                fmt.Sprintf(`{"state":"done","bytes":7,"sha256":"%x","losses":3}`, sum),
		"GET /api/v1/exports/9/archive":                        content,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// command runs the command line against a server and returns its exit code, answer and messages.
func command(t *testing.T, url string, args ...string) (code int, out, messages string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(context.Background(), append(args, "--url", url, "--token", "fid_x"), strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestDatasetCommands(t *testing.T) {
	t.Parallel()
	good, bad := datasetServer(t, true, "archive"), datasetServer(t, false, "another")
	recipe := filepath.Join(t.TempDir(), "recipe.yaml")
	if err := os.WriteFile(recipe, []byte("projects: [strip]\nseeds: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "strip.zip")
	for _, c := range []struct {
		url  string
		args []string
		code int
		says string
	}{
		{good, []string{"dataset", "freeze", "strip", "--project", "strip"}, 0, "strip@2  abc"},
		{good, []string{"dataset", "freeze", "strip", "--project", "strip"}, 0, "short: test · pit · Mill 3 has 3 of 5\nleft out of the test side, since they are kept for a time only: 1\n"},
		{good, []string{"dataset", "freeze", "strip"}, exitMisuse, "say what to freeze"},
		{good, []string{"dataset", "freeze", "strip", "--recipe", recipe}, exitMisuse, `[2:1] unknown field "seeds"`},
		{good, []string{"dataset", "verify", "strip@2"}, 0, "strip@2 holds"},
		{bad, []string{"dataset", "verify", "strip@2"}, exitAnswerNo, "line 1, item 7: changed"},
		{good, []string{"dataset", "verify", "strip"}, exitMisuse, "write NAME@N"},
		{bad, []string{"export", "strip@2", "--format", "coco", "--out", archive}, exitFailed, "try again"},
		{good, []string{"export", "strip@2", "--format", "coco", "--out", archive}, 0, "3 losses"},
	} {
		code, out, messages := command(t, c.url, c.args...)
		if code != c.code || !strings.Contains(out+messages, c.says) {
			t.Errorf("%v: exit code %d, want %d with %q:\n%s%s", c.args, code, c.code, c.says, out, messages)
		}
		if _, err := os.Stat(archive + ".part"); err == nil {
			t.Errorf("%v left a part behind", c.args)
		}
	}
	if content, err := os.ReadFile(archive); err != nil || string(content) != "archive" {
		t.Errorf("%q, %v", content, err)
	}
}
