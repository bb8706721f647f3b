package launcher_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fiducial/internal/models"
	"fiducial/jobs/launcher"
	"fiducial/jobs/modelserver"
	"fiducial/store"
)

// The test binary is a model server too, and one that starts a model server.
func TestMain(m *testing.M) {
	switch os.Getenv("LAUNCHED_AS") {
	case "":
		os.Exit(m.Run())
	case "server":
		serve()
	case "parent":
		parent()
	}
	os.Exit(1)
}

// serve answers on PORT, tells its own id and what it sees of its environment, and dawdles if it is asked to.
func serve() {
	fmt.Println("listening on", os.Getenv("PORT"), os.Args[1:])
	if os.Getenv("FAILS") != "" {
		fmt.Println("no such model")
		os.Exit(3)
	}
	if n, err := strconv.Atoi(os.Getenv("CHATTER")); err == nil {
		fmt.Print(strings.Repeat("word ", n/5))
	}
	begun := time.Now()
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if os.Getenv("NEVER_READY") != "" || time.Since(begun) < 50*time.Millisecond {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/ask", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"label":"%d %s"}`, os.Getpid(), os.Getenv("DATABASE_URL"))
	})
	_ = http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}

// parent starts a server, says its process id, and waits.
func parent() {
	started, _, err := programs(os.Getenv("FOLDER")).Start(context.Background(), server(nil), "")
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(pid(started))
	select {}
}

func programs(folder string) launcher.Launcher {
	return launcher.Launcher{Programs: launcher.Programs{Folder: folder, Env: []string{"PATH=" + os.Getenv("PATH")}}}
}

// folder holds the test binary as the program "served".
func folder(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "served")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func server(env map[string]string) store.ModelServer {
	settings := models.Defaults()
	settings.URL, settings.Launcher = "http://127.0.0.1:{port}/ask", models.ByCommand
	settings.Launch = models.Launch{Command: []string{"served", "--port", "{port}"}, Ready: "/health", Seconds: 20, Env: map[string]string{"LAUNCHED_AS": "server"}}
	for name, value := range env {
		settings.Launch.Env[name] = value
	}
	return store.ModelServer{Settings: settings, Model: "m", Version: "1", Kind: "nlp"}
}

// answer is what the started server says through the client that runs use.
func answer(started *launcher.Started) (string, error) {
	client, err := modelserver.New(modelserver.Config{Server: started.Server, Policy: started.Policy})
	if err != nil {
		return "", err
	}
	defer client.Close()
	out, err := client.Ask(context.Background(), modelserver.Input{ID: "1", Text: "hello"})
	if err != nil || len(out.Labels) != 1 {
		return "", fmt.Errorf("%+v: %w", out, err)
	}
	return out.Labels[0].Label, nil
}

func pid(started *launcher.Started) int {
	said, err := answer(started)
	if err != nil {
		return 0
	}
	id, _ := strconv.Atoi(said) // 0 is no process, and fails the test
	return id
}

// alive reports whether a process is there, other than as what is left of one that ended.
func alive(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := bytes.Cut(status, []byte(") "))
	return !bytes.HasPrefix(after, []byte("Z"))
}

func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func TestAServerIsStartedAskedAndStopped(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://secret")
	started, _, err := programs(folder(t)).Start(t.Context(), server(nil), "")
	if err != nil {
		t.Fatal(err)
	}
	said, err := answer(started)
	if err != nil || strings.Contains(said, "secret") {
		t.Fatalf("it says %q: it is to see nothing of our environment; %v", said, err)
	}
	id := pid(started)
	if !alive(id) {
		t.Fatalf("process %d is not there", id)
	}
	log, err := started.Stop(t.Context())
	if err != nil || !strings.Contains(string(log), "[--port ") || strings.Contains(string(log), "{port}") {
		t.Errorf("log %q, %v", log, err)
	}
	gone(t, id)
	if _, err := answer(started); models.FaultOf(err) == nil {
		t.Errorf("a server that was stopped answers: %v", err)
	}
}

func TestServersThatDoNotGetReady(t *testing.T) {
	t.Parallel()
	late := server(map[string]string{"NEVER_READY": "1"})
	late.Launch.Seconds = 1
	escaping := server(nil)
	escaping.Launch.Command[0] = "../served"
	for name, c := range map[string]struct {
		server store.ModelServer
		folder string
		detail string
		log    string
	}{
		"it fails":            {server(map[string]string{"FAILS": "1"}), folder(t), "it ended before it was ready", "no such model"},
		"it is never ready":   {late, folder(t), "it was not ready in time", ""}, // it may not even have begun to write
		"no program":          {server(nil), t.TempDir(), "there is no such program", ""},
		"outside the folder":  {escaping, folder(t), "there is no such program", ""},
		"no folder of theirs": {server(nil), "", "no program may be started here", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, log, err := programs(c.folder).Start(t.Context(), c.server, "")
			fault := models.FaultOf(err)
			if fault == nil || fault.Code != models.FaultLaunch || !strings.Contains(fault.Detail, c.detail) || !strings.Contains(string(log), c.log) {
				t.Errorf("%v, log %q", err, log)
			}
		})
	}
}

func TestAServerEndsWithWhoStartedIt(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); errors.Is(err, os.ErrNotExist) {
		t.Skip("this kernel does not end children with their parent")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "LAUNCHED_AS=parent", "FOLDER="+folder(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // whatever fails below, nothing may stay behind
	line, err := bufio.NewReader(out).ReadString('\n')
	id, _ := strconv.Atoi(strings.TrimSpace(line)) // 0 fails below
	if err != nil || id == 0 || !alive(id) {
		t.Fatalf("it said %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	gone(t, id)
}

func TestALogHasItsBounds(t *testing.T) {
	t.Parallel()
	started, _, err := programs(folder(t)).Start(t.Context(), server(map[string]string{"CHATTER": strconv.Itoa(5 * launcher.LogLimit)}), "")
	if err != nil {
		t.Fatal(err)
	}
	log, err := started.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(log) > launcher.LogLimit+100 || len(log) < launcher.LogLimit || !bytes.HasPrefix(log, []byte("listening on")) || !bytes.Contains(log, []byte("bytes are left out here")) {
		t.Errorf("%d bytes, beginning %.40q", len(log), log)
	}
}

func TestNobodyWaitsForAServerThatIsNotWantedAnyMore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	slow := server(map[string]string{"NEVER_READY": "1"})
	time.AfterFunc(200*time.Millisecond, cancel)
	if _, _, err := programs(folder(t)).Start(ctx, slow, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
