package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Two web processes and two workers share one database and one object store, as on several machines.
func TestTwoOfEach(t *testing.T) {
	t.Parallel()
	const pictures, labelers = 60, 6
	env := services(t)
	one, other := web(t, env), web(t, env)
	for range 2 {
		worker, err := StartProcess(env, "work")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := worker.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	project, people := labeling(t, one, pictures, labelers)

	jobsRanOnce(t, one, pictures)
	race(t, project, people, one, other)
	nothingTwice(t, one)
	sessionsHold(t, people[0].at(one), people[0].at(other))
}

func jobsRanOnce(t *testing.T, s *Server, pictures int64) {
	t.Helper()
	eventually(t, s, pictures, `SELECT count(*) FROM items WHERE state = 'ready'`)
	eventually(t, s, pictures, `SELECT count(*) FROM river_job WHERE kind = 'render_item' AND state = 'completed' AND cardinality(attempted_by) = 1`)
	if workers := query[string](t, s, `SELECT DISTINCT unnest(attempted_by) FROM river_job WHERE kind = 'render_item'`); len(workers) != 2 {
		t.Errorf("the work was done by %v, not by two", workers)
	}
}

func nothingTwice(t *testing.T, s *Server) {
	t.Helper()
	for _, wrong := range query[string](t, s, `
		SELECT t.id || ': ' || t.votes || ' votes, ' || t.live || ' leases, ' || (SELECT count(*) FROM assignments a WHERE a.task_id = t.id) || ' assignments'
		FROM tasks t
		WHERE t.votes <> 1 OR t.live <> 0 OR (SELECT count(*) FROM assignments a WHERE a.task_id = t.id) <> 1
		   OR (SELECT count(*) FROM annotations n WHERE n.task_id = t.id) <> 1`) {
		t.Errorf("task %s", wrong)
	}
}

func sessionsHold(t *testing.T, here, there *visitor) {
	t.Helper()
	for _, v := range []*visitor{here, there} {
		if status, err := v.call(http.MethodGet, "/account", nil, nil); status != http.StatusOK {
			t.Errorf("signed in at one, %d at %s: %v", status, v.url, err)
		}
	}
	if status, err := there.form("/sign-out", nil); status != http.StatusSeeOther {
		t.Fatalf("sign-out: %d, %v", status, err)
	}
	if status, _ := here.call(http.MethodGet, "/account", nil, nil); status == http.StatusOK {
		t.Error("signed out at one process, and still in at the other")
	}
}

// services starts a database and an object store, those of a server that nobody asks for anything
// else, and returns the settings by which others use them.
func services(t *testing.T) []string {
	t.Helper()
	provider := fresh(t, "--no-jobs")
	raw, err := os.ReadFile(filepath.Join(provider.Data, "objects", "access.json"))
	if err != nil {
		t.Fatal(err)
	}
	var access struct {
		Endpoint string
		Access   string `json:"access_key"`
		Secret   string `json:"secret_key"`
	}
	if err := json.Unmarshal(raw, &access); err != nil {
		t.Fatal(err)
	}
	return []string{
		"DATABASE_URL=" + provider.database(),
		"S3_ENDPOINT=http://" + access.Endpoint, "S3_ACCESS_KEY=" + access.Access, "S3_SECRET_KEY=" + access.Secret,
	}
}

// web starts a web process over external services.
func web(t *testing.T, env []string) *Server {
	t.Helper()
	server, err := StartServer(dataFolder(t), env, "--no-jobs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// race has everybody claim and answer at both servers by turns until nothing is left.
func race(t *testing.T, project string, people []*visitor, servers ...*Server) {
	t.Helper()
	var working sync.WaitGroup
	failures := make(chan error, len(people))
	for start, person := range people {
		working.Go(func() {
			for turn := start; ; turn++ {
				v := person.at(servers[turn%len(servers)])
				work, ok, err := v.claim(project, 0)
				if err == nil && ok {
					err = v.submit(&work, []box{{ID: "1", Class: work.Classes[0].ID, X: 1, Y: 1, W: 5, H: 5}})
				}
				if err != nil {
					failures <- fmt.Errorf("at %s: %w", v.url, err)
				}
				if err != nil || !ok {
					return
				}
			}
		})
	}
	working.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
}
