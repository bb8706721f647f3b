package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// pythonProgram does with the client for Python what people do with it, and checks what comes of it.
const pythonProgram = `
import json, os, sys, zipfile
import fiducial

server = fiducial.Server(pause=0.02)
for slug in ("steel", "wire", "tube"):
    server.post("/projects", {"slug": slug, "kind": "image", "accepts_truth": True})
slugs = [project["slug"] for project in server.list("/projects", limit=1)]
assert slugs == ["calls", "steel", "strip", "tube", "wire"], slugs
assert slugs == [project["slug"] for project in server.projects()]

told = []
tried = server.import_folder("steel", sys.argv[1], "yolo", "truth", add_classes=True, source="Line 9", dry_run=True)
assert (tried["added"], tried["refused"], tried["new_classes"], tried["dry_run"]) == (3, 1, ["pit", "scratch"], True), tried
done = server.import_folder("steel", sys.argv[1], "yolo", "truth", add_classes=True, progress=lambda *n: told.append(n))
assert (done["added"], done["boxes"], done["refused"]) == (3, 3, 1), done
assert told[-1][0] == told[-1][1] > 0, told
refused = [result["name"] for result in server.import_results(done["id"], "refused")]
assert refused == ["labels/train/b.txt: line 2"], refused
again = server.import_folder("steel", sys.argv[1], "yolo", "truth", add_classes=True)
assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 3), again

version = server.freeze("steel-train", ["steel"], seed=7, shares={"training": 1, "validation": 0, "test": 0})
assert (version["number"], version["items"], version["boxes"]) == (1, 2, 3), version
export = server.export("steel-train", 1, "coco", sys.argv[2], media=True)
with zipfile.ZipFile(sys.argv[2]) as archive:
    truth = json.loads(archive.read("annotations/training.json"))
    assert len(truth["images"]) == 2 and len(truth["annotations"]) == 3, truth
    assert archive.read("images/train/a.png") == open(os.path.join(sys.argv[1], "images/train/a.png"), "rb").read()
assert not os.path.exists(sys.argv[2] + ".part")

assert list(server.agreement_items("steel")) == [], "nobody has labeled anything"

def refuses(call, status, text):
    try:
        call()
    except fiducial.Problem as problem:
        assert problem.status == status and text in str(problem), (problem.status, str(problem))
    else:
        raise AssertionError("it went through, and should be refused: " + text)

refuses(lambda: server.get("/projects/nope"), 404, "does not exist")
refuses(lambda: server.agreement("nope"), 404, "does not exist")
refuses(lambda: server.agreement("steel"), 404, "does not exist")
refuses(lambda: server.post("/projects", {"slug": "steel", "kind": "image"}), 422, "short name")
refuses(lambda: server.import_folder("steel", sys.argv[1], "parquet"), 422, "body.format")
refuses(lambda: fiducial.Server(token="fid_nope").get("/projects"), 401, "does not know this token")
refuses(lambda: server.freeze("none", ["nope"]), 422, "")
refuses(lambda: list(server.import_results(999999)), 404, "does not exist")
for wrong in (lambda: fiducial.Server("localhost"), lambda: server.import_folder("steel", os.path.join(sys.argv[1], "empty"), "images")):
    try:
        wrong()
    except ValueError:
        pass
    else:
        raise AssertionError("wrong use went through")
print("all well")
`

// unsteady passes requests on and loses some: one in five before the server has them, and one in five afterwards, when the
// answer is on its way.
func unsteady(t *testing.T, server string) (proxy string, lost *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	passOn := httputil.NewSingleHostReverseProxy(target)
	var asked atomic.Int64
	lost = &atomic.Int64{}
	unsteady := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) % 5 {
		case 1:
			lost.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			lost.Add(1)
			passOn.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			passOn.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(unsteady.Close)
	return unsteady.URL, lost
}

// pythonCommand runs Python with the client at hand.
func pythonCommand(ctx context.Context, t *testing.T, server, token string, args ...string) *exec.Cmd {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no python3 to try the client with")
	}
	client, err := filepath.Abs("../../handlers")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(ctx, python, args...)
	command.Env = append(os.Environ(), "PYTHONPATH="+client, "PYTHONDONTWRITEBYTECODE=1", "FIDUCIAL_URL="+server, "FIDUCIAL_TOKEN="+token)
	return command
}

// yoloFolder makes a folder of three pictures: with boxes, a negative, and one that nobody labeled.
func yoloFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	files := map[string][]byte{
		"data.yaml":          []byte("train: images/train\nnames: [scratch, pit]\n"),
		"labels/train/a.txt": nil, "labels/train/b.txt": []byte("0 0.5 0.5 0.5 0.5\n7 0.5 0.5 0.1 0.1\n1 0.25 0.25 0.1 0.1\n0 0.1 0.1 0.3 0.1 0.3 0.2 0.1 0.2\n"),
		"empty/.hidden": nil,
	}
	for i, name := range []string{"a", "b", "c"} {
		var picture bytes.Buffer
		if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 40, 20+i))); err != nil {
			t.Fatal(err)
		}
		files["images/train/"+name+".png"] = picture.Bytes()
	}
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestPythonClient(t *testing.T) {
	t.Parallel()
	server, token := siteWithJobs(t)
	proxy, lost := unsteady(t, server)
	out := filepath.Join(t.TempDir(), "train.zip")
	said, err := pythonCommand(t.Context(), t, proxy, token, "-c", pythonProgram, yoloFolder(t), out).CombinedOutput()
	if err != nil || !strings.Contains(string(said), "all well") {
		t.Errorf("%v\n%s", err, said)
	}
	if lost.Load() == 0 {
		t.Error("no request was lost on the way")
	}
}

func TestPythonClientFromAShell(t *testing.T) {
	t.Parallel()
	server, token := siteWithJobs(t)
	client := filepath.Join("..", "..", "handlers", "fiducial.py")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"projects"}, 0, `"slug": "strip"`},
		{[]string{"import", "strip", yoloFolder(t), "--format", "yolo", "--as", "prefill", "--add-classes"}, 1, "labels/train/b.txt: line 2"},
		{[]string{"agreement", "nope"}, 1, "does not exist"},
		{[]string{"import", "strip", "/nowhere", "--format", "images"}, 1, "/nowhere"},
		{[]string{"export", "none", "1", "--format", "pdf", "--out", "x"}, 2, "invalid choice"},
	} {
		command := pythonCommand(t.Context(), t, server, token, append([]string{client}, tt.args...)...)
		said, err := command.CombinedOutput()
		if code := command.ProcessState.ExitCode(); code != tt.code || !strings.Contains(string(said), tt.want) {
			t.Errorf("%s: exit %d (%v), want %d with %q\n%s", fmt.Sprint(tt.args), code, err, tt.code, tt.want, said)
		}
	}
}
