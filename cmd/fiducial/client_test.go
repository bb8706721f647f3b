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
)

// fakeServer answers like the API: a list in two pages, and a problem.
func fakeServer(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/projects", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer fid_secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		page := map[string]any{"data": []map[string]any{{"slug": "one", "kind": "image", "overlap": 1}}, "next": "/api/v1/projects?after=1"}
		if r.URL.Query().Get("after") == "1" {
			page = map[string]any{"data": []map[string]any{{"slug": "two", "kind": "image", "overlap": 3, "paused": true}}}
		}
		if err := json.NewEncoder(w).Encode(page); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /api/v1/projects", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") == "" {
			t.Error("a POST without an idempotency key")
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		if _, err := w.Write([]byte(`{"status":422,"detail":"There is a project with this short name already."}`)); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestCommandsAgainstAServer(t *testing.T) {
	t.Parallel()
	server := fakeServer(t)
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, adminTokenFile), []byte("fid_secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"pages are followed", []string{"project", "list", "--url", server.URL, "--data", data}, 0, "two", ""},
		{"a line of JSON each", []string{"project", "list", "--url", server.URL, "--token", "fid_secret", "--json"}, 0, `"slug":"two"`, ""},
		{"a refusal in its own words", []string{"project", "add", "one", "--kind", "image", "--url", server.URL, "--data", data}, 1, "", "short name already"},
		{"a token of another server", []string{"project", "list", "--url", server.URL, "--token", "fid_other"}, 1, "", "does not know this token"},
		{"no token", []string{"project", "list", "--url", server.URL, "--data", t.TempDir()}, 2, "", "FIDUCIAL_TOKEN"},
		{"our token stays on this machine", []string{"project", "list", "--url", "http://example.org", "--data", data}, 2, "", "FIDUCIAL_TOKEN"},
		{"no server", []string{"project", "list", "--url", "http://127.0.0.1:1", "--data", data}, 1, "", "no server answers"},
		{"no address", []string{"project", "list", "--url", "localhost", "--data", data}, 2, "", "not the address"},
		{"wrong use", []string{"project", "add", "one", "--url", server.URL}, 2, "", "--kind"},
		{"no folder", []string{"export", "one@1", "--format", "coco", "--out", filepath.Join(data, "no", "one.zip"), "--url", server.URL, "--data", data}, 2, "", "there is no folder"},
		{"no release", []string{"model", "release", "one", "--url", server.URL, "--data", data}, 2, "", "NAME@VERSION"},
		{"no retention", []string{"source", "add", "Line 2", "--retention", "soon", "--url", server.URL, "--data", data}, 2, "", "90d"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, errOut bytes.Buffer
			code := run(t.Context(), tt.args, strings.NewReader(""), &out, &errOut)
			if code != tt.code || !strings.Contains(out.String(), tt.out) || !strings.Contains(errOut.String(), tt.err) {
				t.Errorf("exit %d, want %d\nout: %s\nerr: %s", code, tt.code, &out, &errOut)
			}
		})
	}
}
