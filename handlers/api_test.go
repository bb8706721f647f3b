package handlers_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"

	"fiducial/handlers"
	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/store/storetest"
)

// apiSite is the site over an empty store, with an admin's token.
type apiSite struct {
	*store.Store

	handler http.Handler
	admin   string
}

func newAPISite(t *testing.T) apiSite {
	t.Helper()
	st, err := store.New(storetest.Pool(t), storetest.Bucket(t))
	if err != nil {
		t.Fatal(err)
	}
	site := handlers.New(handlers.Config{Store: st, Log: slog.New(slog.DiscardHandler), Sessions: scs.New()})
	a := apiSite{Store: st, handler: site.Routes()}
	a.admin = a.token(t, access.Admin, 0)
	return a
}

func (a apiSite) token(tb testing.TB, role access.Role, project int64) string {
	tb.Helper()
	_, secret, err := a.AddToken(tb.Context(), store.System(), store.NewToken{Name: "test", Role: role, Project: project})
	if err != nil {
		tb.Fatal(err)
	}
	return secret
}

// call sends a request under token; headers are names and values in turn.
func (a apiSite) call(tb testing.TB, token, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	tb.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	a.handler.ServeHTTP(rec, req)
	return rec
}

func decoded[T any](t *testing.T, rec *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.NewDecoder(rec.Body).Decode(&v); err != nil {
		t.Fatalf("status %d: %v", rec.Code, err)
	}
	return v
}

func TestAPIAnswersWithProblems(t *testing.T) {
	t.Parallel()
	site := newAPISite(t)
	labeler := site.token(t, access.Labeler, 0)
	tests := []struct {
		name, token, method, path, body string
		status                          int
		detail                          string
	}{
		{"nobody", "", "GET", "/api/v1/projects", "", 401, "Sign in"},
		{"unknown token", "fid_nope", "GET", "/api/v1/projects", "", 401, "Sign in"},
		{"role before body", labeler, "POST", "/api/v1/projects", "{", 403, "role"},
		{"no JSON", site.admin, "POST", "/api/v1/projects", "{", 400, ""},
		{"missing field", site.admin, "POST", "/api/v1/projects", `{"slug":"steel"}`, 422, ""},
		{"bad slug", site.admin, "POST", "/api/v1/projects", `{"slug":"St eel","kind":"image"}`, 422, "lower-case"},
		{"unknown project", site.admin, "GET", "/api/v1/projects/nope", "", 404, "does not exist"},
		{"unknown model", site.admin, "POST", "/api/v1/models/nope/versions", `{"version":"1"}`, 404, "does not exist"},
		{"unknown path", site.admin, "GET", "/api/v1/nope", "", 404, "does not exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec := site.call(t, tt.token, tt.method, tt.path, tt.body)
			if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type %q", got)
			}
			problem := decoded[struct {
				Status        int
				Title, Detail string
			}](t, rec)
			if rec.Code != tt.status || problem.Status != tt.status || problem.Title == "" || !strings.Contains(problem.Detail, tt.detail) {
				t.Errorf("%d %+v, want %d with %q", rec.Code, problem, tt.status, tt.detail)
			}
		})
	}
}

func TestAPIMakesAndListsProjects(t *testing.T) {
	t.Parallel()
	site := newAPISite(t)
	rec := site.call(t, site.admin, "POST", "/api/v1/projects", `{"slug":"steel","kind":"image","overlap":2,"accepts_truth":true}`)
	if rec.Code != http.StatusCreated || rec.Header().Get("Location") != "/api/v1/projects/steel" {
		t.Fatalf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	made := decoded[struct{ ID int64 }](t, rec)
	type project struct {
		Slug, Name, Kind string
		Overlap          int
		AcceptsTruth     bool `json:"accepts_truth"`
	}
	want := project{"steel", "steel", "image", 2, true}
	if got := decoded[project](t, site.call(t, site.admin, "GET", "/api/v1/projects/steel", "")); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, none := range []string{`"overlap":0`, `"lease_minutes":0`} {
		if rec := site.call(t, site.admin, "POST", "/api/v1/projects", `{"slug":"none","kind":"image",`+none+`}`); rec.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", none, rec.Code)
		}
	}
	bound := site.token(t, access.Viewer, made.ID)
	other := decoded[struct{ ID int64 }](t, site.call(t, site.admin, "POST", "/api/v1/projects", `{"slug":"other","kind":"image"}`))
	elsewhere := site.token(t, access.Viewer, other.ID)
	for token, slugs := range map[string]string{site.admin: "other steel", bound: "steel", elsewhere: "other"} {
		list := decoded[struct{ Data []project }](t, site.call(t, token, "GET", "/api/v1/projects", ""))
		var got []string
		for _, p := range list.Data {
			got = append(got, p.Slug)
		}
		if strings.Join(got, " ") != slugs {
			t.Errorf("listed %v, want %s", got, slugs)
		}
	}
	if rec := site.call(t, elsewhere, "GET", "/api/v1/projects/steel", ""); rec.Code != http.StatusNotFound {
		t.Errorf("a token of another project: %d", rec.Code)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	site := newAPISite(t)
	const path, body = "/api/v1/sources", `{"name":"Line 2","retention_days":90}`
	first := site.call(t, site.admin, "POST", path, body, "Idempotency-Key", "k1")
	again := site.call(t, site.admin, "POST", path, body, "Idempotency-Key", "k1")
	if first.Code != http.StatusCreated || again.Code != first.Code {
		t.Fatalf("%d, then %d: %s", first.Code, again.Code, again.Body)
	}
	if again.Header().Get("Idempotency-Replayed") != "true" {
		t.Error("the second answer does not say that it is the first one")
	}
	if a, b := decoded[struct{ ID int64 }](t, first), decoded[struct{ ID int64 }](t, again); a != b || a.ID == 0 {
		t.Errorf("made %v, then %v", a, b)
	}
	if rec := site.call(t, site.admin, "POST", path, `{"name":"Line 3"}`, "Idempotency-Key", "k1"); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("another request under the same key: %d", rec.Code)
	}
	stranger := site.token(t, access.Admin, 0)
	if rec := site.call(t, stranger, "POST", path, `{"name":"Line 3"}`, "Idempotency-Key", "k1"); rec.Code != http.StatusCreated {
		t.Errorf("another's key: %d %s", rec.Code, rec.Body)
	}
	if rec := site.call(t, site.admin, "POST", path, `{"name":"Line 2"}`, "Idempotency-Key", "k2"); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("a taken name: %d", rec.Code)
	}
	if rec := site.call(t, site.admin, "POST", path, `{"name":"Line 4"}`, "Idempotency-Key", "k2"); rec.Code != http.StatusCreated {
		t.Errorf("what failed keeps its key: %d %s", rec.Code, rec.Body)
	}
}

func TestIdempotencyKeyAtOnce(t *testing.T) {
	t.Parallel()
	site := newAPISite(t)
	var all sync.WaitGroup
	codes := make(chan int, 8)
	for range cap(codes) {
		all.Go(func() {
			codes <- site.call(t, site.admin, "POST", "/api/v1/sources", `{"name":"Line 2"}`, "Idempotency-Key", "k").Code
		})
	}
	all.Wait()
	close(codes)
	made := 0
	for code := range codes {
		if code == http.StatusCreated {
			made++
		} else if code != http.StatusConflict {
			t.Errorf("status %d", code)
		}
	}
	sources, err := site.Sources(t.Context(), store.System())
	if err != nil {
		t.Fatal(err)
	}
	if made == 0 || len(sources) != 1 {
		t.Errorf("%d answers of success, %d sources", made, len(sources))
	}
}

func TestAPIDescribesItself(t *testing.T) {
	t.Parallel()
	site := newAPISite(t)
	spec := decoded[struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
		}
	}](t, site.call(t, site.admin, "GET", "/api/v1/openapi.json", ""))
	if !strings.HasPrefix(spec.OpenAPI, "3.1") || len(spec.Paths) == 0 {
		t.Fatalf("%+v", spec)
	}
	client := site.call(t, site.admin, "GET", "/api/fiducial.py", "")
	if !strings.Contains(client.Header().Get("Content-Disposition"), `filename="fiducial.py"`) || !strings.Contains(client.Body.String(), "class Server:") {
		t.Errorf("the client for Python: %d %v", client.Code, client.Header())
	}
	page, err := io.ReadAll(site.call(t, site.admin, "GET", "/api/docs", "").Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), `href="/api/fiducial.py"`) {
		t.Error("the page does not offer the client for Python")
	}
	for path, methods := range spec.Paths {
		for method, op := range methods {
			if op.Summary == "" || !strings.Contains(string(page), `id="`+op.OperationID+`"`) {
				t.Errorf("%s %s is not on the page", method, path)
			}
		}
	}
}
