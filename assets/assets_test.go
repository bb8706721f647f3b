package assets

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func front() fstest.MapFS {
	return fstest.MapFS{
		"dist/manifest.json":    {Data: []byte(`{"boxes.ts":"boxes-AB12.js"}`)},
		"dist/boxes-AB12.js":    {Data: []byte("plain")},
		"dist/boxes-AB12.js.gz": {Data: []byte("packed")},
	}
}

func get(t *testing.T, h http.Handler, path, encoding string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", encoding)
	h.ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	t.Parallel()
	h := handler(read(front()))
	tests := []struct {
		name, path, encoding string
		status               int
		packed               string
	}{
		{"a built file", "/assets/boxes-AB12.js", "", 200, ""},
		{"packed for those who take it", "/assets/boxes-AB12.js", "br, gzip", 200, "gzip"},
		{"a name of an older build", "/assets/boxes-0000.js", "gzip", 404, ""},
		{"the manifest is not served", "/assets/manifest.json", "", 404, ""},
		{"the packed form has no address", "/assets/boxes-AB12.js.gz", "", 404, ""},
		{"no way out of the folder", "/assets/../assets.go", "", 404, ""},
		{"a page asks for what was not built", "/assets/unbuilt/other.ts", "", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := get(t, h, tt.path, tt.encoding)
			if res.Code != tt.status || res.Header().Get("Content-Encoding") != tt.packed {
				t.Errorf("got %d %q, want %d %q", res.Code, res.Header().Get("Content-Encoding"), tt.status, tt.packed)
			}
			if tt.status == 200 {
				if got := res.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
					t.Errorf("Cache-Control = %q", got)
				}
				if got := res.Header().Get("Content-Type"); got != "text/javascript; charset=utf-8" {
					t.Errorf("Content-Type = %q", got)
				}
			}
		})
	}
}

func TestHandlerBeforeTheFirstBuild(t *testing.T) {
	t.Parallel()
	res := get(t, handler(read(fstest.MapFS{"dist/.gitkeep": {}})), "/assets/unbuilt/boxes.ts", "")
	if res.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d, want 503", res.Code)
	}
}
