package argo_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"fiducial/jobs/argo"
)

// schema is what is kept of Argo's own; see testdata/schema.json.
type schema struct {
	Ref                  string            `json:"$ref"`
	Type                 string            `json:"type"`
	Const                any               `json:"const"`
	Properties           map[string]schema `json:"properties"`
	Required             []string          `json:"required"`
	Items                *schema           `json:"items"`
	AdditionalProperties json.RawMessage   `json:"additionalProperties"`
}

type schemas struct {
	Definitions map[string]schema `json:"definitions"`
}

func argoSchemas(t *testing.T) schemas {
	t.Helper()
	text, err := os.ReadFile("testdata/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s schemas
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// faults lists what a value has against a schema.
func (s schemas) faults(at string, as schema, value any) (found []string) {
	if as.Ref != "" {
		definition, ok := s.Definitions[strings.TrimPrefix(as.Ref, "#/definitions/")]
		if !ok {
			return []string{at + ": its schema is not in the extract"}
		}
		return s.faults(at, definition, value)
	}
	types := map[string]bool{"": true}
	switch v := value.(type) {
	case map[string]any:
		types["object"] = true
		for _, name := range as.Required {
			if _, ok := v[name]; !ok {
				found = append(found, at+" lacks "+name)
			}
		}
		for name, member := range v {
			switch property, ok := as.Properties[name]; {
			case ok:
				found = append(found, s.faults(at+"."+name, property, member)...)
			case string(as.AdditionalProperties) == "false":
				found = append(found, at+" has no "+name)
			}
		}
	case []any:
		types["array"] = true
		for i, item := range v {
			found = append(found, s.faults(fmt.Sprintf("%s[%d]", at, i), *as.Items, item)...)
		}
	case string:
		types["string"] = true
	case bool:
		types["boolean"] = true
	case float64:
		types["number"], types["integer"] = true, v == float64(int64(v))
	}
	if !types[as.Type] {
		found = append(found, fmt.Sprintf("%s is no %s", at, as.Type))
	}
	if as.Const != nil && as.Const != value {
		found = append(found, fmt.Sprintf("%s is %v, not %v", at, value, as.Const))
	}
	return found
}

func (s schemas) check(t *testing.T, definition string, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	for _, fault := range s.faults(definition, schema{Ref: "#/definitions/io.argoproj.workflow.v1alpha1." + definition}, plain) {
		t.Error(fault)
	}
}

func client(t *testing.T, h http.HandlerFunc) *argo.Client {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	c, err := argo.New(argo.Config{URL: web.URL + "/", Namespace: "lab", Token: "t0k3n", Image: "registry.example.org/fiducial:1", Secret: "fiducial", ServiceAccount: "runner"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheWorkflowOfAnEvaluation(t *testing.T) {
	t.Parallel()
	c := client(t, nil)
	w := c.Evaluation(argo.EvaluationName(7, 12), []argo.Step{{ID: 1}, {ID: 2, After: 1}, {ID: 3, After: 1}, {ID: 5, After: 4}})
	s := argoSchemas(t)
	s.check(t, "Workflow", w)
	if w.Metadata.Name != "fiducial-evaluation-7-12" {
		t.Errorf("its name is %s", w.Metadata.Name)
	}
	var depends []string
	for _, task := range w.Spec.Templates[0].DAG.Tasks {
		depends = append(depends, task.Name+" after "+task.Depends)
	}
	// Step 4 is done already: it is no task, and nothing can wait for it.
	if want := []string{"step-1 after ", "step-2 after step-1", "step-3 after step-1", "step-5 after "}; !slices.Equal(depends, want) {
		t.Errorf("%v, want %v", depends, want)
	}
	names := map[string]bool{}
	for _, template := range w.Spec.Templates {
		names[template.Name] = true
	}
	for _, task := range w.Spec.Templates[0].DAG.Tasks {
		if !names[task.Template] || task.Arguments.Parameters[0].Name != w.Spec.Templates[1].Inputs.Parameters[0].Name {
			t.Errorf("%s runs what is not there: %+v", task.Name, task)
		}
	}
	if got := w.Spec.Templates[1].Container; !slices.Equal(got.Args, []string{"eval", "step", "{{inputs.parameters.step}}"}) || got.EnvFrom[0].SecretRef.Name != "fiducial" {
		t.Errorf("%+v", got)
	}
}

// The check finds what Argo would refuse.
func TestTheSchemaRefusesAnotherManifest(t *testing.T) {
	t.Parallel()
	s := argoSchemas(t)
	const workflow = "#/definitions/io.argoproj.workflow.v1alpha1.Workflow"
	for manifest, want := range map[string]string{
		`{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{}}`:                                                            "lacks spec",
		`{"kind":"CronWorkflow","metadata":{},"spec":{}}`:                                                                                  "not Workflow",
		`{"metadata":{},"spec":{"templates":[{"name":"a","dag":{"tasks":[{"nam":"b"}]}}]}}`:                                                "lacks name",
		`{"metadata":{},"spec":{"templates":[{"name":"a","retryStrategy":{"limit":5}}]}}`:                                                  "limit is no string",
		`{"metadata":{},"spec":{"templates":[{"name":"a","container":{"image":"i","envFrom":[{"secretRef":{"named":"n"}}]}}]}}`:            "has no named",
		`{"metadata":{},"spec":{"templates":[{"name":"a","container":{"args":["x"],"command":"fiducial","image":"i"}}],"entrypoint":"a"}}`: "is no array",
	} {
		var value any
		if err := json.Unmarshal([]byte(manifest), &value); err != nil {
			t.Fatal(err)
		}
		if found := strings.Join(s.faults("workflow", schema{Ref: workflow}, value), "; "); !strings.Contains(found, want) {
			t.Errorf("%s: %q, want %q", manifest, found, want)
		}
	}
}

// server stands for Argo's: it keeps what it was asked.
type server struct {
	t     *testing.T
	asked []string
}

func (s *server) answer(status int, text string, schemaOf string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization"))
		if schemaOf != "" {
			var value any
			if err := json.Unmarshal(body, &value); err != nil {
				s.t.Error(err)
			}
			argoSchemas(s.t).check(s.t, schemaOf, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

func TestCallsOfArgosServer(t *testing.T) {
	t.Parallel()
	s := &server{t: t}
	w := client(t, nil).Evaluation("fiducial-evaluation-1-1", []argo.Step{{ID: 1}})
	for name, c := range map[string]struct {
		status int
		text   string
		schema string
		call   func(*argo.Client) (string, error)
		asked  string
		want   string
		err    string
	}{
		"create":        {200, `{"metadata":{"name":"x"}}`, "WorkflowCreateRequest", func(c *argo.Client) (string, error) { return "", c.Create(t.Context(), w) }, "POST /api/v1/workflows/lab", "", ""},
		"create again":  {409, `{"message":"exists"}`, "", func(c *argo.Client) (string, error) { return "", c.Create(t.Context(), w) }, "POST /api/v1/workflows/lab", "", ""},
		"not permitted": {403, `{"message":"no permission"}`, "", func(c *argo.Client) (string, error) { return "", c.Create(t.Context(), w) }, "POST /api/v1/workflows/lab", "", "status 403: no permission"},
		"submit": {200, `{"metadata":{"name":"fiducial-asr-x7"}}`, "WorkflowSubmitRequest", func(c *argo.Client) (string, error) {
			return "", c.Submit(t.Context(), "fiducial-asr-x7", "asr", map[string]string{"size": "large"})
		}, "POST /api/v1/workflows/lab/submit", "", ""},
		"no template":    {404, `{}`, "", func(c *argo.Client) (string, error) { return "", c.Submit(t.Context(), "fiducial-asr-x7", "asr", nil) }, "POST /api/v1/workflows/lab/submit", "", "no such workflow or template"},
		"get":            {200, `{"status":{"phase":"Running","nodes":{"a":{"type":"DAG","phase":"Running"},"b":{"type":"Pod","phase":"Running","daemoned":true,"podIP":"10.1.2.3"}}}}`, "", serving(t), "GET /api/v1/workflows/lab/w", "Running 10.1.2.3 false", ""},
		"get ended":      {200, `{"status":{"phase":"Error"}}`, "", serving(t), "GET /api/v1/workflows/lab/w", "Error  true", ""},
		"get nothing":    {200, `nothing`, "", serving(t), "GET /api/v1/workflows/lab/w", "  false", "not what Argo's server answers"},
		"terminate":      {200, `{}`, "WorkflowTerminateRequest", func(c *argo.Client) (string, error) { return "", c.Terminate(t.Context(), "w") }, "PUT /api/v1/workflows/lab/w/terminate", "", ""},
		"terminate gone": {404, `{}`, "", func(c *argo.Client) (string, error) { return "", c.Terminate(t.Context(), "w") }, "PUT /api/v1/workflows/lab/w/terminate", "", ""},
		"log": {200, `{"result":{"content":"one","podName":"p"}}` + "\n" + `{"result":{"content":"two and more","podName":"p"}}`, "", func(c *argo.Client) (string, error) {
			log, err := c.Log(t.Context(), "w", 7)
			return string(log), err
		}, "GET /api/v1/workflows/lab/w/log?logOptions.container=main&logOptions.follow=false", "one\ntwo", ""},
	} {
		s.asked = nil
		got, err := c.call(client(t, s.answer(c.status, c.text, c.schema)))
		if got != c.want || c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if len(s.asked) != 1 || s.asked[0] != c.asked+" Bearer t0k3n" {
			t.Errorf("%s: asked %q", name, s.asked)
		}
	}
}

func serving(t *testing.T) func(*argo.Client) (string, error) {
	t.Helper()
	return func(c *argo.Client) (string, error) {
		status, err := c.Get(t.Context(), "w")
		return fmt.Sprint(status.Phase, " ", status.Serving(), " ", status.Failed()), err
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, cfg := range []argo.Config{{URL: "argo:2746", Namespace: "lab"}, {URL: "https://argo:2746"}, {URL: "https://argo:2746", Namespace: "lab", CAFile: "testdata/schema.json"}} {
		if _, err := argo.New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
