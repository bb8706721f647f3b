package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// acknowledged is what the server said that it has.
type acknowledged struct {
	sync.Mutex

	submits map[int64]float64 // x of the box by task
	drafts  map[int64]float64
}

// labelUntilGone claims, drafts and submits until a request fails, which is when the server is killed,
// or nothing is left. Each answer is told by the place of its box.
func (a *acknowledged) labelUntilGone(v *visitor, project string, acks chan<- struct{}) {
	for after := int64(0); ; {
		work, ok, err := v.claim(project, after)
		if err != nil || !ok {
			return
		}
		for step := range 3 {
			x := float64(work.Task) + float64(step)/4
			drawn := []box{{ID: "1", Class: work.Classes[0].ID, X: x, Y: 1, W: 5, H: 5}}
			if step == 2 {
				if v.submit(&work, drawn) != nil {
					return
				}
				a.Lock()
				a.submits[work.Task] = x
				delete(a.drafts, work.Task)
				a.Unlock()
			} else {
				if v.draft(&work, drawn) != nil {
					return
				}
				a.Lock()
				a.drafts[work.Task] = x
				a.Unlock()
			}
			acks <- struct{}{}
		}
	}
}

// found fails for whatever was acknowledged and is not there. A draft whose submit was under way may
// have become an answer that nobody heard of.
func (a *acknowledged) found(t *testing.T, s *Server) {
	t.Helper()
	for task, x := range a.submits {
		got := query[float64](t, s, `SELECT b.x FROM annotations n JOIN annotation_boxes b ON b.annotation_id = n.id WHERE n.task_id = $1`, task)
		if len(got) != 1 || got[0] != x {
			t.Errorf("task %d: the answer at %g was acknowledged, found are %v", task, x, got)
		}
	}
	for task, x := range a.drafts {
		got := query[float64](t, s, `
			SELECT (d.boxes->0->>'x')::float8 FROM drafts d JOIN assignments a ON a.id = d.assignment_id WHERE a.task_id = $1
			UNION ALL
			SELECT b.x FROM annotations n JOIN annotation_boxes b ON b.annotation_id = n.id WHERE n.task_id = $1`, task)
		if len(got) != 1 || got[0] < x {
			t.Errorf("task %d: the draft at %g was acknowledged, found are %v", task, x, got)
		}
	}
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	const labelers, pictures, kills = 4, 60, 3
	server := fresh(t)
	project, people := labeling(t, server, pictures, labelers)
	all := &acknowledged{submits: map[int64]float64{}, drafts: map[int64]float64{}}
	for kill := range kills {
		acks := make(chan struct{}, labelers*pictures*3)
		var working sync.WaitGroup
		for _, person := range people {
			working.Go(func() { all.labelUntilGone(person, project, acks) })
		}
		for range 25 + 7*kill {
			<-acks
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		working.Wait()
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		all.found(t, server)
	}
	t.Logf("%d answers and %d drafts were acknowledged over %d kills", len(all.submits), len(all.drafts), kills)
	status, err := people[0].call(http.MethodGet, "/account", nil, nil)
	if err != nil || status != http.StatusOK {
		t.Errorf("the session is gone: %d, %v", status, err)
	}
}

func TestJobsRunAgainAfterKill(t *testing.T) {
	t.Parallel()
	const pictures = 80
	server := fresh(t)
	server.do(t, "project", "add", "strips", "--kind", "image")
	server.do(t, "import", "strips", pictureFolder(t, pictures), "--format", "images")
	if err := server.Kill(); err != nil { // the renditions are under way
		t.Fatal(err)
	}
	server.args = []string{"--no-jobs"}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	cut := query[int64](t, server, `SELECT count(*) FROM river_job WHERE state = 'running'`)[0]
	left := query[int64](t, server, `SELECT count(*) FROM items WHERE state = 'processing'`)[0]
	t.Logf("killed with %d jobs running and %d pictures to go", cut, left)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	server.args = nil
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, server, int64(pictures), `SELECT count(*) FROM items WHERE state = 'ready'`)
	eventually(t, server, int64(0), `SELECT count(*) FROM river_job WHERE state = 'running'`)
}

// An erasure is killed as soon as it began, and again when its rows are gone, and while it is proved and written to the receipt.
func TestKilledErasureGoesOn(t *testing.T) {
	t.Parallel()
	const pictures, kills = 120, 2
	server := fresh(t)
	server.do(t, "project", "add", "strips", "--kind", "image")
	server.do(t, "import", "strips", pictureFolder(t, pictures), "--format", "images", "--source", "acme")
	eventually(t, server, int64(pictures), `SELECT count(*) FROM items WHERE state = 'ready'`)
	server.do(t, "erase", "--source", "acme")
	for kill := range kills {
		if kill > 0 {
			eventually(t, server, true, `SELECT state NOT IN ('queued', 'erasing') OR done_items > 0 FROM erasures`)
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		states := query[string](t, server, `SELECT state || ' with ' || done_items || ' done' FROM erasures`)
		t.Logf("after kill %d the erasure is %v", kill+1, states)
	}
	eventually(t, server, int64(1), `SELECT count(*) FROM erasures WHERE state IN ('erased', 'rewritten') AND items = $1 AND coalesce(proof->'found', '{}') = '{}'`, pictures)
	if left := query[int64](t, server, `SELECT count(*) FROM items`); left[0] != 0 {
		t.Errorf("%d items are left", left[0])
	}
	if left := query[int64](t, server, `SELECT count(*) FROM assets`); left[0] != 0 {
		t.Errorf("%d assets are left", left[0])
	}
	server.do(t, "receipt", "1")
}

func TestStopLeavesNoJobRunning(t *testing.T) {
	t.Parallel()
	server := fresh(t)
	server.do(t, "project", "add", "strips", "--kind", "image")
	server.do(t, "import", "strips", pictureFolder(t, 80), "--format", "images")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	server.args = []string{"--no-jobs"}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if running := query[int64](t, server, `SELECT count(*) FROM river_job WHERE state = 'running'`)[0]; running != 0 {
		t.Errorf("%d jobs are left running by a stop", running)
	}
}

// A request that has begun is answered, while new ones are refused; then everything is gone.
func TestInterruptDrains(t *testing.T) {
	t.Parallel()
	server := fresh(t)
	children := childrenOf(t, server.cmd.Process.Pid)
	if len(children) < 2 {
		t.Fatalf("%d children: where are the database and the object store?", len(children))
	}
	address := strings.TrimPrefix(server.URL, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the answer has been read
	const body = "email=nobody%40example.org&password=wrong"
	_, err = fmt.Fprintf(conn, "POST /sign-in HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		address, len(body))
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} { // the server has begun to read the body
		if line, err := answers.ReadString('\n'); err != nil || line != want {
			t.Fatalf("the request did not begin: %q, %v", line, err)
		}
	}
	interrupted(t, server)
	if _, err := fmt.Fprint(conn, body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("the request under way was cut off: %v", err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("the request under way was answered with %s", response.Status)
	}
	<-server.Ended()
	if server.err != nil {
		t.Errorf("it ended with %v:\n%s", server.err, server.Log.Tail())
	}
	gone(t, children)
}

// interrupted sends Ctrl-C and returns once it takes no new connections.
func interrupted(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Interrupt(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			return
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("it takes new connections after Ctrl-C")
		}
	}
}

func TestKillLeavesNoChildren(t *testing.T) {
	t.Parallel()
	server := fresh(t)
	children := childrenOf(t, server.cmd.Process.Pid)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	gone(t, children)
}

// childrenOf lists the processes that pid started.
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("looks for processes in /proc")
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var children []int
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		// pid (name) state ppid …
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(strings.Fields(string(raw))[0])
			if err != nil {
				t.Fatal(err)
			}
			children = append(children, child)
		}
	}
	return children
}

// gone waits until none of the processes is there.
func gone(t *testing.T, pids []int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for _, pid := range pids {
		for {
			if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("process %d is still there", pid)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}
