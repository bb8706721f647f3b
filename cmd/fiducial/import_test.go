package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"fiducial/handlers"
	"fiducial/internal/access"
	"fiducial/jobs"
	"fiducial/store"
	"fiducial/store/storetest"
)

// siteWithJobs serves a project of images, with background jobs, and returns its address and an admin's token.
func siteWithJobs(t *testing.T) (url, token string) {
	t.Helper()
	pool, blobs, log := storetest.Pool(t), storetest.Bucket(t), slog.New(slog.DiscardHandler)
	st, err := store.New(pool, blobs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strip", Kind: "image"}); err != nil {
		t.Fatal(err)
	}
	if _, token, err = st.AddToken(t.Context(), store.System(), store.NewToken{Name: "test", Role: access.Admin}); err != nil {
		t.Fatal(err)
	}
	worker, err := river.NewClient(riverpgxv5.New(pool), jobs.RiverConfig(st, blobs, jobs.Config{Name: "test", Workers: 2, Log: log}))
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { <-worker.Stopped() })
	server := httptest.NewServer(handlers.New(handlers.Config{Store: st, Log: log, Sessions: scs.New()}).Routes())
	t.Cleanup(server.Close)
	return server.URL, token
}

func TestImportCommand(t *testing.T) {
	t.Parallel()
	url, token := siteWithJobs(t)
	folder := t.TempDir()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"coil/a.png": picture.Bytes(), "bad.png": []byte("no"), ".hidden": []byte("x")} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := func(args ...string) (code int, out, errOut string) {
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), append([]string{"import", "--url", url, "--token", token, "strip"}, args...), strings.NewReader(""), &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	if code, out, errOut := command(folder, "--format", "images"); code != exitFailed || !strings.Contains(out, "bad.png") || !strings.Contains(errOut, "1 refused") {
		t.Errorf("code %d\n%s\n%s", code, out, errOut)
	}
	code, out, errOut := command(filepath.Join(folder, "coil"), "--format", "images", "--json")
	var answer struct{ Added, Unchanged int }
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 || answer.Added+answer.Unchanged != 1 {
		t.Errorf("code %d, %v\n%s\n%s", code, err, out, errOut)
	}
	yolo := yoloFolder(t)
	code, out, errOut = command(yolo, "--format", "yolo", "--as", "prefill", "--add-classes", "--dry-run")
	for _, want := range []string{"dry run: nothing was changed", "NEW CLASSES\npit\nscratch", "labels/train/b.txt: line 2", "class 7 has no name"} {
		if code != exitFailed || !strings.Contains(out, want) {
			t.Errorf("a dry run lacks %q: code %d\n%s\n%s", want, code, out, errOut)
		}
	}
	if code, _, errOut := command(folder, "--format", "coco"); code != exitMisuse || !strings.Contains(errOut, "--as truth") {
		t.Errorf("labels of unknown purpose: code %d, %s", code, errOut)
	}
	if code, _, errOut := command(folder, "--format", "coco", "--as", "truth"); code != exitFailed || !strings.Contains(errOut, "no imported truth") {
		t.Errorf("truth that is not taken: code %d, %s", code, errOut)
	}
}
