package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
)

// bench is a project with items that wait, and a labeler at a browser.
type bench struct {
	*site

	labeler *browser
	class   int64
}

func newBench(t *testing.T, items int) *bench {
	t.Helper()
	b := &bench{site: newSite(t)}
	project, err := b.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strips", Name: "Hot strip", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	id, _ := b.person(access.Labeler)
	if err := b.AddMember(t.Context(), store.System(), project.ID, id); err != nil {
		t.Fatal(err)
	}
	if b.class, err = b.AddClass(t.Context(), store.System(), project.ID, "Scratch", "1"); err != nil {
		t.Fatal(err)
	}
	b.run(`INSERT INTO sources (name) VALUES ('mill')`)
	b.run(`INSERT INTO items (project_id, source_id, key_hash, width, height) SELECT $1, s.id, int8send(n), 100, 80 FROM sources s, generate_series(1, $2) n`, project.ID, items)
	b.run(`INSERT INTO item_texts (item_id, external_key) SELECT id, format('coil-%s.png', id) FROM items`)
	b.run(`INSERT INTO tasks (project_id, item_id, overlap) SELECT project_id, id, 1 FROM items ORDER BY id`)
	b.labeler = b.browserOf(id)
	return b
}

func (b *bench) run(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.pool.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

// send sends v as the workbench does.
func (b *browser) send(method, path string, v any) answer {
	b.site.t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		b.site.t.Fatal(err)
	}
	return b.body(method, path, string(body))
}

// read decodes what an endpoint of the workbench answered with this status.
func read[T any](a answer, status int) (v T) {
	a.t.Helper()
	if err := json.Unmarshal(a.want(status).Body.Bytes(), &v); err != nil {
		a.t.Fatal(err)
	}
	return v
}

// open claims the next task and returns the state in its page.
func (b *bench) open() (state web.WorkbenchState) {
	b.t.Helper()
	to := b.labeler.get("/label/next?project=strips").want(http.StatusSeeOther).Header().Get("Location")
	page := b.labeler.get(to).want(http.StatusOK)
	for n := range page.nodes() {
		if n.Type == html.ElementNode && n.Data == "script" && n.FirstChild != nil && strings.Contains(n.FirstChild.Data, `"draftVersion"`) {
			if err := json.Unmarshal([]byte(n.FirstChild.Data), &state); err != nil {
				b.t.Fatal(err)
			}
			return state
		}
	}
	b.t.Fatal("the page holds no state")
	return state
}

type sent struct {
	Assignment int64              `json:"assignment"`
	Version    int                `json:"version"`
	Boxes      []web.WorkbenchBox `json:"boxes"`
}

func (b *bench) boxes() []web.WorkbenchBox {
	return []web.WorkbenchBox{{ID: "n1", Class: b.class, X: 1.5, Y: 2, W: 30, H: 40}}
}

func TestWorkbenchFromClaimToRecall(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	state := b.open()
	if state.Title != "coil-1.png" || state.Image.Width != 100 || len(state.Classes) != 1 || state.LeaseUntil == nil || len(state.DraftKey) != 32 {
		t.Fatalf("%+v", state)
	}
	type saved struct{ Version int }
	if v := read[saved](b.labeler.send(http.MethodPut, state.URLs.Draft, sent{state.Assignment, 0, b.boxes()}), http.StatusOK); v.Version != 1 {
		t.Fatalf("draft version %d", v.Version)
	}
	// Another window that knows nothing of it is shown what is stored.
	stored := read[sent](b.labeler.send(http.MethodPut, state.URLs.Draft, sent{state.Assignment, 0, nil}), http.StatusConflict)
	if stored.Version != 1 || len(stored.Boxes) != 1 || stored.Boxes[0].ID != "n1" {
		t.Fatalf("%+v", stored)
	}
	again := read[web.WorkbenchState](b.labeler.get(state.URLs.State), http.StatusOK)
	if again.DraftVersion != 1 || string(again.DraftKey) != string(state.DraftKey) {
		t.Fatalf("%+v", again)
	}
	after := map[string]int64{"after": state.Assignment}
	next := read[web.WorkbenchState](b.labeler.send(http.MethodPost, state.URLs.Next, after), http.StatusOK)
	if next.Task == state.Task {
		t.Fatal("fetched the task that is being worked on")
	}
	type beats struct {
		Leases []struct{ Assignment int64 }
		Gone   []int64
	}
	lease := read[beats](b.labeler.send(http.MethodPost, state.URLs.Heartbeat, map[string][]int64{"assignments": {state.Assignment, 999}}), http.StatusOK)
	if len(lease.Leases) != 1 || len(lease.Gone) != 1 {
		t.Fatalf("%+v", lease)
	}
	b.run(`UPDATE assignments SET lease_until = now() + interval '1 minute' WHERE id = $1`, state.Assignment)
	idle := map[string]any{"assignments": []int64{state.Assignment}, "idle": true}
	if asked := read[beats](b.labeler.send(http.MethodPost, state.URLs.Heartbeat, idle), http.StatusOK); len(asked.Leases)+len(asked.Gone) != 0 {
		t.Fatalf("whoever does not work holds on: %+v", asked)
	}
	type receipt struct {
		Surplus bool
		Next    string
	}
	done := read[receipt](b.labeler.send(http.MethodPost, state.URLs.Submit, sent{state.Assignment, 1, b.boxes()}), http.StatusOK)
	if done.Surplus || done.Next != "/label/next?project=strips" {
		t.Fatalf("%+v", done)
	}
	b.labeler.get(state.URLs.State[:strings.LastIndex(state.URLs.State, "/")]).to("/queue")
	recall := map[string]int64{"assignment": next.Assignment, "task": state.Task}
	back := read[web.WorkbenchState](b.labeler.send(http.MethodPost, next.URLs.Recall, recall), http.StatusOK)
	if back.Task != state.Task || len(back.Boxes) != 1 || back.LeaseUntil == nil {
		t.Fatalf("%+v", back)
	}
}

func TestWorkbenchRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	state := b.open()
	outside := b.boxes()
	outside[0].X = 90
	b.labeler.send(http.MethodPost, state.URLs.Submit, sent{state.Assignment, 0, outside}).want(http.StatusUnprocessableEntity).shows("Box 1: it reaches out")
	b.labeler.body(http.MethodPost, state.URLs.Submit, "{").want(http.StatusBadRequest)
	b.labeler.send(http.MethodPost, state.URLs.Submit, sent{state.Assignment + 1, 0, nil}).want(http.StatusNotFound)
	skip := map[string]any{"assignment": state.Assignment, "reason": "lunch"}
	b.labeler.send(http.MethodPost, state.URLs.Skip, skip).want(http.StatusUnprocessableEntity)
	other := b.browser(access.Labeler)
	for _, address := range []string{state.URLs.State, fmt.Sprintf("/label/%d", state.Task), "/label/next?project=strips"} {
		other.get(address).want(http.StatusNotFound)
	}
	skip["reason"] = "cannot_decide"
	b.labeler.send(http.MethodPost, state.URLs.Skip, skip).want(http.StatusOK)
	b.labeler.get("/label/next?project=strips").want(http.StatusOK).shows("Nothing waits for you", "You finished one task today")
	b.labeler.send(http.MethodPost, state.URLs.Next, map[string]int64{"after": state.Assignment}).want(http.StatusNoContent)
	b.labeler.send(http.MethodPut, state.URLs.Keys, map[string]any{"keys": map[string]string{"hide": "Ctrl"}}).want(http.StatusUnprocessableEntity)
	b.labeler.send(http.MethodPut, state.URLs.Keys, map[string]any{"keys": map[string]string{"hide": "y"}}).want(http.StatusNoContent)
}

func TestQueuePage(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	b.labeler.get("/").to("/queue")
	b.labeler.get("/queue").want(http.StatusOK).shows("3 items left for you in 1 project", "Start", "Hot strip")
	first := b.open()
	b.labeler.get("/queue").want(http.StatusOK).shows("Go on", "coil-1.png", "2 items left")
	b.labeler.send(http.MethodPost, first.URLs.Submit, sent{first.Assignment, 0, b.boxes()}).want(http.StatusOK)
	b.labeler.get("/queue").want(http.StatusOK).shows("Done today: 1", "Your hours")
	csv := b.labeler.get("/queue/hours.csv").want(http.StatusOK).Body.String()
	if lines := strings.Split(strings.TrimSpace(csv), "\n"); len(lines) != 2 || !strings.Contains(lines[1], "Hot strip,1,0,0.00") {
		t.Errorf("hours:\n%s", csv)
	}
	b.labeler.get("/queue/hours.csv?days=many").want(http.StatusBadRequest)
	b.run(`UPDATE projects SET paused = true`)
	b.labeler.get("/queue").want(http.StatusOK).shows("paused", "Nothing is left to claim")
	b.labeler.get("/label/next?project=strips").want(http.StatusConflict).shows("paused")
	b.browser(access.Viewer).do(http.MethodGet, "/queue", url.Values{}).want(http.StatusForbidden)
}
