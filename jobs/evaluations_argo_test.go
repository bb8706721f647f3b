package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/jobargs"
	"fiducial/jobs/argo"
	"fiducial/store"
	"fiducial/store/storetest"
)

// conductor stands for Argo's server: workflows by name, with their phase.
type conductor struct {
	*httptest.Server

	mu        sync.Mutex // of what follows
	phases    map[string]string
	manifests map[string]argo.Workflow
	refuses   bool
}

func newConductor(t *testing.T) *conductor {
	t.Helper()
	c := &conductor{phases: map[string]string{}, manifests: map[string]argo.Workflow{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/v1/workflows/lab"), "/")
		name, act, _ := strings.Cut(name, "/")
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case c.refuses:
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Method == http.MethodPost:
			var body struct {
				Workflow      argo.Workflow
				SubmitOptions struct{ Name string } // of a template
			}
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			if name = body.Workflow.Metadata.Name + body.SubmitOptions.Name; c.phases[name] != "" {
				w.WriteHeader(http.StatusConflict)
				return
			}
			c.phases[name], c.manifests[name] = "Running", body.Workflow
			_, _ = io.WriteString(w, `{}`)
		case c.phases[name] == "":
			w.WriteHeader(http.StatusNotFound)
		case act == "terminate":
			c.phases[name] = "Failed"
			_, _ = io.WriteString(w, `{}`)
		case act == "log":
			_, _ = io.WriteString(w, `{"result":{"content":"model loaded"}}`)
		default:
			_, _ = fmt.Fprintf(w, `{"status":{"phase":%q,"nodes":{"pod":{"type":"Pod","phase":"Running","daemoned":true,"podIP":"127.0.0.1"}}}}`, c.phases[name])
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// running lists the workflows that have not ended.
func (c *conductor) running() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, phase := range c.phases {
		if phase == "Running" {
			names = append(names, name)
		}
	}
	return names
}

// conducted is a store with an evaluation of two steps that Argo is to run.
func conducted(t *testing.T, url string) (w *submitEvaluation, pool *pgxpool.Pool, evaluation int64) {
	t.Helper()
	pool = storetest.Pool(t)
	st, err := store.New(pool, storetest.Bucket(t))
	if err != nil {
		t.Fatal(err)
	}
	err = pool.QueryRow(t.Context(), `
		WITH d AS (INSERT INTO datasets (name) VALUES ('calls') RETURNING id),
		v AS (INSERT INTO dataset_versions (dataset_id, number, recipe, state, hash, frozen_at) SELECT id, 1, '{}', 'frozen', sha256('v'), now() FROM d RETURNING id),
		c AS (INSERT INTO chains (name, slots) VALUES ('speech', ARRAY['asr', 'nlp']) RETURNING id),
		e AS (INSERT INTO evaluations (chain_id, runner) SELECT id, 'argo' FROM c RETURNING id),
		s AS (INSERT INTO evaluation_steps (evaluation_id, version_id, path, configuration) SELECT e.id, v.id, '{1}', '' FROM e, v RETURNING id, evaluation_id, version_id),
		n AS (INSERT INTO evaluation_steps (evaluation_id, version_id, path, configuration, after_step) SELECT evaluation_id, version_id, '{1,2}', '', id FROM s)
		SELECT id FROM e`).Scan(&evaluation)
	if err != nil {
		t.Fatal(err)
	}
	w = &submitEvaluation{deps: deps{store: st, log: slog.New(slog.DiscardHandler)}}
	if w.argo, err = argo.New(argo.Config{URL: url, Namespace: "lab", Image: "fiducial"}); err != nil {
		t.Fatal(err)
	}
	return w, pool, evaluation
}

// submits works the job once, as the job of that number in that attempt.
func submits(t *testing.T, w *submitEvaluation, evaluation, job int64, attempt int) error {
	t.Helper()
	return w.Work(t.Context(), &river.Job[jobargs.SubmitEvaluation]{
		JobRow: &rivertype.JobRow{ID: job, Attempt: attempt}, Args: jobargs.SubmitEvaluation{EvaluationID: evaluation},
	})
}

func stateOf(t *testing.T, pool *pgxpool.Pool, evaluation int64) (state, reason, workflow string) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `SELECT state, error, workflow FROM evaluations WHERE id = $1`, evaluation).Scan(&state, &reason, &workflow); err != nil {
		t.Fatal(err)
	}
	return state, reason, workflow
}

func snoozes(err error) bool {
	_, ok := errors.AsType[*rivertype.JobSnoozeError](err)
	return ok
}

func TestArgoRunsAnEvaluation(t *testing.T) {
	t.Parallel()
	c := newConductor(t)
	w, pool, id := conducted(t, c.URL)
	name := argo.EvaluationName(id, 5)
	for range 3 { // it is submitted once, and followed
		if err := submits(t, w, id, 5, 1); !snoozes(err) {
			t.Fatal(err)
		}
	}
	// A process that ended before it had noted the workflow submits no other.
	if _, err := pool.Exec(t.Context(), `UPDATE evaluations SET workflow = ''`); err != nil {
		t.Fatal(err)
	}
	if err := submits(t, w, id, 5, 2); !snoozes(err) {
		t.Fatal(err)
	}
	if _, _, workflow := stateOf(t, pool, id); len(c.manifests) != 1 || workflow != name {
		t.Fatalf("%d workflows, noted %q", len(c.manifests), workflow)
	}
	if tasks := c.manifests[name].Spec.Templates[0].DAG.Tasks; len(tasks) != 2 || tasks[1].Depends != tasks[0].Name {
		t.Errorf("%+v", tasks)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE evaluation_steps SET state = 'done'`); err != nil {
		t.Fatal(err)
	}
	c.phases[name] = "Succeeded"
	if err := submits(t, w, id, 5, 1); err != nil {
		t.Fatal(err)
	}
	if state, reason, _ := stateOf(t, pool, id); state == "failed" {
		t.Errorf("it failed: %s", reason)
	}
}

func TestAWorkflowThatFailsFailsItsEvaluation(t *testing.T) {
	t.Parallel()
	c := newConductor(t)
	w, pool, id := conducted(t, c.URL)
	if err := submits(t, w, id, 5, 1); !snoozes(err) {
		t.Fatal(err)
	}
	c.phases[argo.EvaluationName(id, 5)] = "Error"
	if err := submits(t, w, id, 5, 1); err != nil {
		t.Fatal(err)
	}
	if state, reason, _ := stateOf(t, pool, id); state != "failed" || !strings.Contains(reason, "ended (Error) before every item was asked about") {
		t.Errorf("%s: %s", state, reason)
	}
	// Tried again, it is another workflow of what is left.
	if _, err := pool.Exec(t.Context(), `UPDATE evaluations SET state = 'running', error = ''`); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE evaluation_steps SET state = 'done' WHERE after_step IS NULL`); err != nil {
		t.Fatal(err)
	}
	if err := submits(t, w, id, 6, 1); !snoozes(err) {
		t.Fatal(err)
	}
	if tasks := c.manifests[argo.EvaluationName(id, 6)].Spec.Templates[0].DAG.Tasks; len(tasks) != 1 || tasks[0].Depends != "" {
		t.Errorf("%+v", tasks)
	}
}

func TestAStoppedEvaluationEndsItsWorkflow(t *testing.T) {
	t.Parallel()
	c := newConductor(t)
	w, pool, id := conducted(t, c.URL)
	if err := submits(t, w, id, 5, 1); !snoozes(err) {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE evaluations SET state = 'cancelled'`); err != nil {
		t.Fatal(err)
	}
	if err := submits(t, w, id, 5, 1); err != nil || c.phases[argo.EvaluationName(id, 5)] != "Failed" {
		t.Errorf("%v, the workflow is %s", err, c.phases[argo.EvaluationName(id, 5)])
	}
}

func TestArgoThatIsNotThere(t *testing.T) {
	t.Parallel()
	c := newConductor(t)
	c.refuses = true
	w, pool, id := conducted(t, c.URL)
	if err := submits(t, w, id, 5, 1); err == nil || snoozes(err) {
		t.Errorf("the first attempt: %v", err)
	}
	if state, _, _ := stateOf(t, pool, id); state != "waiting" {
		t.Errorf("after the first attempt it is %s", state)
	}
	_ = submits(t, w, id, 5, datasetAttempts)
	if state, reason, _ := stateOf(t, pool, id); state != "failed" || !strings.Contains(reason, "Argo did not take the evaluation") {
		t.Errorf("after the last attempt it is %s: %s", state, reason)
	}
	w, pool, id = conducted(t, c.URL)
	w.argo = nil
	if err := submits(t, w, id, 5, 1); err != nil {
		t.Fatal(err)
	}
	if state, reason, _ := stateOf(t, pool, id); state != "failed" || !strings.Contains(reason, "--argo-url") {
		t.Errorf("without Argo it is %s: %s", state, reason)
	}
}
