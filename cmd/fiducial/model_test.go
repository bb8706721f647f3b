package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// modelAPI stands for a server, and keeps what it was told.
func modelAPI(t *testing.T, answers map[string]string) (url string, told map[string]string) {
	t.Helper()
	told = map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		told[r.Method+" "+r.URL.Path] = string(body)
		answer, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return server.URL, told
}

// In commands that say how a model is asked, --url is where it is asked, and --product where the product is.
func TestSayingHowAReleaseIsAsked(t *testing.T) {
	t.Parallel()
	const at = "/api/v1/models/mood/versions"
	url, told := modelAPI(t, map[string]string{
		"POST " + at: `{"id":3}`, "PUT " + at + "/3/server": `{"adapter":"json","launcher":"command","task":"label","configuration":"ab","revision":2}`,
		"GET " + at + "/3/server": `{"adapter":"offline","task":"label","configuration":"ab","revision":0}`,
	})
	run := func(args ...string) (int, string) {
		t.Helper()
		var out, messages bytes.Buffer
		code := run(context.Background(), append(args, "--product", url, "--token", "fid_x"), strings.NewReader(""), &out, &messages)
		return code, out.String() + messages.String()
	}
	code, said := run("model", "release", "mood@3", "--adapter", "json", "--url", "https://mood.example.org/ask", "--task", "labels", "--label", "pos=Positive",
		"--label", "neg=Negative", "--options", `{"threshold":0.5}`, "--timeout", "2s", "--rate", "1.5")
	want := `"server":{"adapter":"json","url":"https://mood.example.org/ask","options":{"task":"labels","labels":{"neg":"Negative","pos":"Positive"},"threshold":0.5},"timeout_seconds":2,"attempts":3,"rate":1.5,"concurrency":4}`
	if code != 0 || !strings.Contains(told["POST "+at], want) {
		t.Errorf("%d %s, told %s", code, said, told["POST "+at])
	}
	code, said = run("model", "server", "mood@3", "--adapter", "json", "--command", "serve-mood --port {port}", "--env", "THREADS=2", "--ready", "/health")
	want = `"launcher":"command","launch":{"command":["serve-mood","--port","{port}"],"env":{"THREADS":"2"},"ready":"/health","seconds":60}`
	if code != 0 || !strings.Contains(told["PUT "+at+"/3/server"], want) || !strings.Contains(said, "started for a run by command") {
		t.Errorf("%d %s, told %s", code, said, told["PUT "+at+"/3/server"])
	}
	if code, said = run("model", "server", "mood@3"); code != 0 || !strings.Contains(said, "nobody said how it is asked") {
		t.Errorf("%d %s", code, said)
	}
	for _, args := range [][]string{
		{"model", "release", "mood@3", "--url", "https://mood.example.org"},
		{"model", "server", "mood", "--adapter", "json"},
		{"model", "server", "mood@3", "--adapter", "json", "--options", `{"colour":1}`},
	} {
		if code, said = run(args...); code != exitMisuse {
			t.Errorf("%v: %d %s", args, code, said)
		}
	}
}

func TestTryingARelease(t *testing.T) {
	t.Parallel()
	const at = "/api/v1/models/mood/versions/3/server"
	url, told := modelAPI(t, map[string]string{
		"POST " + at + "/check": `{"ready":false,"fault":{"code":"status","status":503,"sentence":"The server answered with an error."}}`,
		"POST " + at + "/try":   `{"milliseconds":12,"confidence":0.5,"labels":[{"label":"Positive","begin":1,"end":2.5}]}`,
	})
	code, out, _ := command(t, url, "model", "try", "mood@3", "--item", "42")
	if code != 0 || !strings.Contains(out, "answered in 12 ms, confidence 0.500\nPositive\t1.00 to 2.50 s") || told["POST "+at+"/try"] != `{"item":42,"text":""}` {
		t.Errorf("%d %q, told %s", code, out, told["POST "+at+"/try"])
	}
	if code, out, _ = command(t, url, "model", "try", "mood@3"); code != exitAnswerNo || !strings.Contains(out, "answered with an error. (status 503)") {
		t.Errorf("%d %q", code, out)
	}
}
