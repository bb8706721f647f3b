package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// asked is a server that answers as it is told, and remembers what it was asked.
type asked struct {
	url    string
	bodies map[string]map[string]any // by method and path, the last that was sent
}

// answering answers requests, named by method and path, with these.
func answering(t *testing.T, answers map[string]string) *asked {
	t.Helper()
	a := &asked{bodies: map[string]map[string]any{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := r.Method + " " + r.URL.String()
		answer, ok := answers[request]
		if !ok {
			t.Errorf("asked for %s, known are %v", request, slices.Sorted(maps.Keys(answers)))
			w.WriteHeader(http.StatusNotFound)
			return
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if len(raw) > 0 {
			body := map[string]any{}
			if err := json.Unmarshal(raw, &body); err != nil {
				t.Errorf("%s: %v", request, err)
			}
			a.bodies[request] = body
		}
		if status, rest, refused := strings.Cut(answer, " "); refused && status == "422" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			answer = rest
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

const openPlan = `{"number":3,"title":"Dialects","model":"asr@2","state":"open","items":200,"chosen":40,"control":10,"seconds":7200,"capped":4,"expired":0,"short":2,
	"sentence":"The least sure 20 % of each length.","batch":7,"in_plan":50,"answered":12,"decided":5,"unready":6,
	"work":{"hours":20,"low":18.5,"high":22,"n":31},"strata":[{"name":"2 to 3 words","items":100,"taken":20,"up_to":0.61}]}`

func TestPlanCommands(t *testing.T) {
	t.Parallel()
	server := answering(t, map[string]string{
		"POST /api/v1/projects/calls/plans/preview": openPlan,
		"POST /api/v1/projects/calls/plans":         `{"number":3}`,
		"GET /api/v1/projects/calls/plans/3":        openPlan,
		"GET /api/v1/projects/calls/plans/4":        `{"number":4,"state":"failed","error":"No utterance is left to choose from."}`,
		"POST /api/v1/projects/empty/plans":         `422 {"status":422,"detail":"No model of this name was registered."}`,
		"GET /api/v1/projects/calls/plans":          `{"data":[` + openPlan + `]}`,
		"GET /api/v1/projects/calls/plans/3/report": `{"items":50,"of":50,"seconds":300,"sentence":"Fewer errors than at random."}`,
	})
	for _, tt := range []struct {
		args []string
		code int
		want []string // of what is printed
	}{
		{[]string{"plan", "preview", "calls", "--model", "asr@2"}, 0, []string{
			"The least sure 20 % of each length.", "2.0 h of sound, 20.0 h of work (18.5 to 22.0, n 31)", "2 to 3 words: 20 of 100, up to 0.61",
			"4 left out since their source has its number", "2 left out since they are shorter", "6 items are not ready yet",
		}},
		{[]string{"plan", "preview", "calls", "--model", "asr@2", "--json"}, 0, []string{`"sentence":"The least sure 20 % of each length."`}},
		{[]string{"plan", "preview", "calls"}, exitMisuse, []string{"--model"}},
		{[]string{"plan", "preview", "calls", "--model", "asr@2", "--method", "luck"}, exitMisuse, []string{"--method"}},
		{[]string{"plan", "draw", "calls", "--model", "asr@2", "--method", "hours", "--hours", "2", "--edges", "2,4", "--modes", "blind,edit", "--title", "Dialects", "--seed", "9"}, 0, []string{
			"plan 3: batch 7 of 50 utterances",
		}},
		{[]string{"plan", "draw", "empty", "--model", "asr@2"}, 1, []string{"No model of this name was registered."}},
		{[]string{"plan", "list", "calls"}, 0, []string{"PLAN  STATE  MODEL  UTTERANCES  ANSWERED  DECIDED  BATCH  TITLE", "3     open   asr@2  50          12        5        7      Dialects"}},
		{[]string{"plan", "show", "calls", "3"}, 0, []string{"plan 3 (open), asr@2: 12 answered and 5 decided of 50"}},
		{[]string{"plan", "show", "calls"}, exitMisuse, nil},
		{[]string{"plan", "report", "calls", "3", "--json"}, 0, []string{`"sentence":"Fewer errors than at random."`}},
	} {
		code, out, messages := command(t, server.url, tt.args...)
		if code != tt.code {
			t.Errorf("%v: %d, want %d: %s%s", tt.args, code, tt.code, out, messages)
		}
		for _, want := range tt.want {
			if !strings.Contains(out+messages, want) {
				t.Errorf("%v prints\n%s%s\nwithout %q", tt.args, out, messages, want)
			}
		}
	}
	drawn := server.bodies["POST /api/v1/projects/calls/plans"]
	for name, want := range map[string]any{"model": "asr@2", "method": "hours", "hours": 2.0, "title": "Dialects", "seed": 9.0} {
		if drawn[name] != want {
			t.Errorf("drawn with %s %v, want %v", name, drawn[name], want)
		}
	}
	if _, asked := drawn["below"]; asked {
		t.Errorf("drawn with what was not said: %v", drawn)
	}
}

func TestModelCommands(t *testing.T) {
	t.Parallel()
	server := answering(t, map[string]string{
		"POST /api/v1/models":               `{"id":1}`,
		"POST /api/v1/models/asr/versions":  `{"id":2}`,
		"POST /api/v1/models/gone/versions": `422 {"status":422,"detail":"There is no model of this name."}`,
		"GET /api/v1/models":                `{"data":[{"id":1,"name":"asr","kind":"asr","versions":["1","2"]}]}`,
		"GET /api/v1/models/asr": `{"name":"asr","kind":"asr","description":"Telephone","releases":[{"version":"2","successor_of":"1","trained_on":["calls@3"],
			"predicted":[{"project":"calls","items":5,"hypotheses":4}]}]}`,
	})
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"model", "add", "asr", "--kind", "asr", "--description", "Telephone"}, 0, "asr"},
		{[]string{"model", "add", "asr"}, exitMisuse, "--kind"},
		{[]string{"model", "add", "asr", "--kind", "oracle"}, exitMisuse, "--kind"},
		{[]string{"model", "release", "asr@2", "--successor-of", "1", "--trained-on", "calls@3"}, 0, "asr@2"},
		{[]string{"model", "release", "asr"}, exitMisuse, "NAME@VERSION"},
		{[]string{"model", "release", "gone@1"}, 1, "There is no model of this name."},
		{[]string{"model", "list"}, 0, "asr   asr   1 2"},
		{[]string{"model", "list", "--json"}, 0, `"versions":["1","2"]`},
		{[]string{"model", "show", "asr"}, 0, "asr@2, successor of 1, trained on calls@3; 5 items of calls (4 hypotheses)"},
	} {
		args := append(tt.args, "--url", server.url, "--token", "fid_x")
		if tt.args[1] == "release" { // whose --url is the model's
			args = append(tt.args, "--product", server.url, "--token", "fid_x")
		}
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
		out, messages := stdout.String(), stderr.String()
		if code != tt.code || !strings.Contains(out+messages, tt.want) {
			t.Errorf("%v: %d, want %d: %s%s, want %q", tt.args, code, tt.code, out, messages, tt.want)
		}
	}
	released := server.bodies["POST /api/v1/models/asr/versions"]
	if released["version"] != "2" || released["successor_of"] != "1" {
		t.Errorf("released with %v", released)
	}
}
