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
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"fiducial/handlers"
	"fiducial/internal/access"
	"fiducial/jobs"
	"fiducial/jobs/media"
	"fiducial/store"
	"fiducial/store/storetest"
)

// siteWithJobs serves a project of images and one of sound, with background jobs, and returns its address and an admin's token.
func siteWithJobs(t *testing.T) (url, token string) {
	t.Helper()
	pool, blobs, log := storetest.Pool(t), storetest.Bucket(t), slog.New(slog.DiscardHandler)
	st, err := store.New(pool, blobs)
	if err != nil {
		t.Fatal(err)
	}
	for _, project := range []store.NewProject{{Slug: "strip", Kind: "image"}, {Slug: "calls", Kind: "audio", AcceptsTruth: true}} {
		if _, err := st.AddProject(t.Context(), store.System(), project); err != nil {
			t.Fatal(err)
		}
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
	if !strings.Contains(errOut, "would be refused") || strings.Contains(errOut, "went in") {
		t.Errorf("a dry run says that something went in: %s", errOut)
	}
	if code, _, errOut := command(folder, "--format", "coco"); code != exitMisuse || !strings.Contains(errOut, "--as truth") {
		t.Errorf("labels of unknown purpose: code %d, %s", code, errOut)
	}
	if code, _, errOut := command(folder, "--format", "coco", "--as", "truth"); code != exitFailed || !strings.Contains(errOut, "no imported truth") {
		t.Errorf("truth that is not taken: code %d, %s", code, errOut)
	}
}

func TestImportSpeechCommand(t *testing.T) {
	t.Parallel()
	url, token := siteWithJobs(t)
	folder := t.TempDir()
	for name, content := range map[string][]byte{
		"wav/a.wav": storetest.Tone(t, 8000, 2, 440), "wav/broken.wav": []byte("RIFF"), "song.mp3": []byte("ID3\x03 and so on, for a while"),
		"m.jsonl": []byte(`{"audio_filepath":"wav/a.wav","duration":2,"text":"hello","speaker":"Jane Roe"}`),
		"a.stm":   []byte("a 1 unknown 0 1 one\na 1 unknown 1 2 two\n"),
		"h.jsonl": []byte(`{"utt_id":"a","text":"yellow","confidence":0.5}`),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := func(args ...string) (code int, out, errOut string) {
		var stdout, stderr bytes.Buffer
		ours := "--url"
		if args[1] == "release" { // whose --url is the model's
			ours = "--product"
		}
		args = append(args, ours, url, "--token", token)
		code = run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	for _, args := range [][]string{{"model", "add", "ear", "--kind", "asr"}, {"model", "release", "ear@1"}} {
		if code, out, errOut := command(args...); code != 0 {
			t.Fatalf("code %d\n%s\n%s", code, out, errOut)
		}
	}
	at := func(name string) string { return filepath.Join(folder, name) }
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{at("m.jsonl"), "--media", folder, "--format", "nemo"}, exitMisuse, "--as truth"},
		{[]string{at("wav"), "--format", "images"}, exitFailed, "project of recordings"},
		{[]string{at("m.jsonl"), "--format", "nemo", "--as", "truth", "--dry-run"}, 0, "dry run"},
		{[]string{at("wav"), "--format", "audio"}, exitFailed, "broken.wav"},
		{[]string{at("song.mp3"), "--format", "audio"}, exitFailed, "ffmpeg"},
		{[]string{at("m.jsonl"), "--format", "nemo", "--as", "truth"}, 0, "the metadata speaker, which this project does not keep"},
		{[]string{at("a.stm"), "--format", "stm", "--as", "prediction", "--model", "ear@1", "--per", "segment"}, 0, "ADDED"},
		{[]string{at("h.jsonl"), "--format", "hypotheses"}, exitFailed, "NAME@VERSION"},
		{[]string{at("h.jsonl"), "--format", "hypotheses", "--model", "ear@1"}, 0, "CHANGED"},
	} {
		if c.want == "ffmpeg" && media.FindConverter().There() {
			continue
		}
		code, out, errOut := command(append([]string{"import", "calls"}, c.args...)...)
		if code != c.code || !strings.Contains(out+errOut, c.want) {
			t.Errorf("%v: code %d, and not %q\n%s\n%s", c.args, code, c.want, out, errOut)
		}
	}
}

// A manifest often lies in the folder of its recordings, and beside labels of others: it alone is taken.
func TestMediaBesideTheLabels(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, name := range []string{"manifest.jsonl", "other.jsonl", "a.wav"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := importCommand{Path: filepath.Join(folder, "manifest.jsonl"), Media: folder}
	files, err := c.files()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.name)
	}
	if !slices.Equal(names, []string{"manifest.jsonl", "a.wav"}) {
		t.Errorf("to be uploaded are %q", names)
	}
}
