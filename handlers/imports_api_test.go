package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/access"
)

type importAnswer struct {
	State           string
	Files, Complete int
}

func TestAPIImportsPartByPart(t *testing.T) {
	t.Parallel()
	site := newAPISite(t)
	site.call(t, site.admin, "POST", "/api/v1/projects", `{"slug":"steel","kind":"image"}`)
	rec := site.call(t, site.admin, "POST", "/api/v1/projects/steel/imports", `{"format":"images"}`)
	if rec.Code != http.StatusCreated || !strings.HasPrefix(rec.Header().Get("Location"), "/api/v1/imports/") {
		t.Fatalf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	path := rec.Header().Get("Location")
	files := decoded[struct {
		Files []struct{ ID, Received int64 }
	}](t, site.call(t, site.admin, "POST", path+"/files", `{"files":[{"name":"a/1.png","size":6},{"name":"2.png","size":0}]}`)).Files
	if len(files) != 2 {
		t.Fatalf("files %v", files)
	}
	if rec := site.call(t, site.admin, "POST", path+"/start", ""); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), "1 of 2") {
		t.Errorf("started too early: %d %s", rec.Code, rec.Body)
	}
	put := func(offset int, body string) int64 {
		rec := site.call(t, site.admin, "PUT", fmt.Sprintf("%s/files/%d?offset=%d", path, files[0].ID, offset), body, "Content-Type", "application/octet-stream")
		if rec.Code != http.StatusOK {
			t.Fatalf("part: %d %s", rec.Code, rec.Body)
		}
		return decoded[struct{ Received int64 }](t, rec).Received
	}
	put(0, "abc")
	if got := put(5, "f"); got != 3 {
		t.Errorf("a part out of order moved the file to %d", got)
	}
	put(3, "def")
	started := decoded[importAnswer](t, site.call(t, site.admin, "POST", path+"/start", ""))
	if started.State != "queued" || started.Files != 2 || started.Complete != 2 {
		t.Errorf("started: %+v", started)
	}
	if got := decoded[importAnswer](t, site.call(t, site.admin, "POST", path+"/cancel", "")); got.State != "cancelled" {
		t.Errorf("cancelled: %+v", got)
	}
	if rec := site.call(t, site.admin, "GET", path+"/results?outcome=refused", ""); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `"data":[]`) {
		t.Errorf("results: %d %s", rec.Code, rec.Body)
	}
	if rec := site.call(t, site.admin, "GET", path+"/results?limit=0", ""); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("a page of nothing: %d %s", rec.Code, rec.Body)
	}
	if rec := site.call(t, site.token(t, access.Reviewer, 0), "GET", path, ""); rec.Code != http.StatusForbidden {
		t.Errorf("a reviewer reads an import: %d", rec.Code)
	}
}
