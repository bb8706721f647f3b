package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// moods are the real sentiment models, which are versions of one model here.
var moods = []string{"vader", "wink"}

// asked says how the models are asked: the recognizer's words were imported, and the servers of the others are started for a run. They take
// their time, so that there is a middle of a run.
func (c *voiceTeam) asked() {
	c.t.Helper()
	c.server.do(c.t, "model", "add", c.model("mood"), "--kind", "nlp")
	for _, mood := range moods {
		c.server.do(c.t, "model", "release", c.model("mood")+"@"+mood, "--adapter", "json", "--task", "label", "--label", "pos=Positive", "--label", "neg=Negative",
			"--command", "sentiment "+mood+" {port} 200", "--ready", "/", "--concurrency", "2")
	}
}

// ears is a version of the recognizer.
func (c *voiceTeam) ears(version int) string { return fmt.Sprintf("%s@%d", c.model("ears"), version) }

func (c *voiceTeam) mood(name string) string { return c.model("mood") + "@" + name }

// evaluation is a run as the command line tells it.
type evaluation struct {
	ID    int64
	State string
	Cells []evaluated

	dropped bool // the command ended with the exit code that says so
}

// answerNo is the exit code of a command whose answer is no.
const answerNo = 3

// evaluated is a cell of a run.
type evaluated struct {
	ID      int64
	Models  []string
	Measure string
	Value   float64
	Low     float64
	High    float64
	Items   int
	Failed  int
	Dropped bool // it is really worse than the baseline, by more than the chain lets pass

	Difference *struct {
		Value, Low, High float64
		Real             bool
		Gained, Lost     int
	}
}

// cell is that of these models.
func (e evaluation) cell(t *testing.T, models ...string) evaluated {
	t.Helper()
	for _, c := range e.Cells {
		if slices.Equal(c.Models, models) {
			return c
		}
	}
	t.Fatalf("run %d has no cell of %v: %+v", e.ID, models, e.Cells)
	return evaluated{}
}

// show reads a run, with its cells.
func (c *voiceTeam) show(id int64) (e evaluation) {
	c.t.Helper()
	out, err := c.server.Command(c.t.Context(), "", "eval", "show", fmt.Sprint(id), "--json")
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != answerNo) {
		c.t.Fatalf("%v\n%s", err, out)
	}
	c.parse([]byte(out), &e)
	e.dropped = err != nil
	return e
}

// start starts a run of these versions of the recognizer before both moods, and says which it is.
func (c *voiceTeam) start(versions ...int) int64 {
	c.t.Helper()
	args := []string{"eval", "start", "--dataset", c.testSet() + "@1", "--baseline", c.ears(1) + "," + c.mood(moods[0]), "--json"}
	for _, version := range versions {
		args = append(args, "--asr", c.ears(version))
	}
	for _, mood := range moods {
		args = append(args, "--nlp", c.mood(mood))
	}
	var started evaluation
	c.parse([]byte(c.server.do(c.t, args...)), &started)
	return started.ID
}

// ended waits until a run has ended.
func (c *voiceTeam) ended(id int64) evaluation {
	c.t.Helper()
	eventually(c.t, c.server, "done", `SELECT state FROM evaluations WHERE id = $1`, id)
	e := c.show(id)
	for _, cell := range e.Cells {
		if cell.Failed != 0 || cell.Items != 3*ofEach {
			c.t.Fatalf("%v is of %d items, and failed on %d", cell.Models, cell.Items, cell.Failed)
		}
	}
	return e
}

// firstRun measures the first setting of the recognizer, before there is another.
func (c *voiceTeam) firstRun() evaluation {
	c.t.Helper()
	e := c.ended(c.start(1))
	if len(e.Cells) != 1+len(moods) {
		c.t.Fatalf("%+v", e.Cells)
	}
	eventually(c.t, c.server, 0, openLaunches)
	return e
}

// openLaunches counts the servers that were started for runs and not stopped after them.
const openLaunches = `SELECT count(*)::int FROM model_launches WHERE state IN ('starting', 'ready')`

// regression measures the second setting beside the first. A worker is killed in the middle, with what it was asking and the server that it had
// started; another takes over.
func (c *voiceTeam) regression() evaluation {
	c.t.Helper()
	id := c.start(1, 2)
	eventually(c.t, c.server, true, `
		SELECT count(*) > 5 FROM evaluation_steps s JOIN model_outputs o ON o.model_version_id = s.path[2] AND o.made_at > s.began_at WHERE s.evaluation_id = $1`, id)
	if err := c.workers[0].Kill(); err != nil {
		c.t.Fatal(err)
	}
	cut := query[int](c.t, c.server, `SELECT count(*)::int FROM river_job WHERE state = 'running' AND kind LIKE '%chunk%'`)[0]
	c.t.Logf("killed a worker with %d chunks under way", cut)
	c.worker()
	e := c.ended(id)
	if len(e.Cells) != 2*(1+len(moods)) {
		c.t.Fatalf("%+v", e.Cells)
	}
	if worse := e.cell(c.t, c.ears(2)); !e.dropped || !worse.Dropped || !worse.Difference.Real || worse.Difference.Low <= 0 || worse.Difference.Lost == 0 {
		c.t.Errorf("nothing says that the second setting is worse: %+v", worse)
	}
	return e
}

// asWorkedOut works the figures out here: word errors by the textbook, and what the models say of the words by asking them ourselves.
func (c *voiceTeam) asWorkedOut(before, after evaluation) {
	c.t.Helper()
	names := c.tested()
	for version := 1; version <= 2; version++ {
		errors, words := 0, 0
		for _, name := range names {
			reference := strings.Fields(c.said[name])
			errors, words = errors+distance(reference, strings.Fields(c.heard[c.ears(version)][name])), words+len(reference)
		}
		c.near(after.cell(c.t, c.ears(version)), "wer", float64(errors)/float64(words))
	}
	for _, mood := range moods {
		ask := startMood(c.t, mood)
		for version := 1; version <= 2; version++ {
			said := map[string]string{}
			for _, name := range names {
				said[name] = ask(c.heard[c.ears(version)][name])
			}
			c.near(after.cell(c.t, c.ears(version), c.mood(mood)), "macro_f1", c.macroF1(said))
		}
	}
	for _, cell := range before.Cells {
		if again := after.cell(c.t, cell.Models...); again.Value != cell.Value || again.Low != cell.Low || again.High != cell.High {
			c.t.Errorf("%v was %v (%v to %v), and is %v (%v to %v)", cell.Models, cell.Value, cell.Low, cell.High, again.Value, again.Low, again.High)
		}
	}
}

func (c *voiceTeam) near(cell evaluated, measure string, want float64) {
	c.t.Helper()
	if cell.Measure != measure || math.Abs(cell.Value-want) > 1e-9 {
		c.t.Errorf("%v: %s %v, and worked out here %s %v", cell.Models, cell.Measure, cell.Value, measure, want)
	}
	if cell.Low > cell.Value || cell.High < cell.Value {
		c.t.Errorf("%v: %v does not lie between %v and %v", cell.Models, cell.Value, cell.Low, cell.High)
	}
	c.t.Logf("%v: %s %.3f (%.3f to %.3f)", cell.Models, cell.Measure, cell.Value, cell.Low, cell.High)
}

// macroF1 is the mean over the feelings of F1, by the textbook.
func (c *voiceTeam) macroF1(said map[string]string) float64 {
	sum := 0.0
	for feeling := range feelings {
		right, wrong, missed := 0.0, 0.0, 0.0
		for name, label := range said {
			switch is := c.feels[name] == feeling; {
			case is && label == feeling:
				right++
			case is:
				missed++
			case label == feeling:
				wrong++
			}
		}
		if right > 0 {
			sum += 2 * right / (2*right + wrong + missed)
		}
	}
	return sum / float64(len(feelings))
}

// startMood starts a model for this test itself, and returns what asks it about a text.
func startMood(t *testing.T, name string) func(text string) (feeling string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	root, err := projectRoot()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(address, ":")
	server := exec.CommandContext(t.Context(), "node", filepath.Join(root, "e2e", "nlp", "server.mjs"), name, port)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	go server.Wait() //nolint:errcheck // it is killed
	words := map[string]string{"pos": "Positive", "neg": "Negative", "neu": "none"}
	return func(text string) string {
		t.Helper()
		question, err := json.Marshal(map[string]string{"id": "1", "text": text})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := patiently(func() (*http.Response, error) {
			return http.Post("http://"+address, "application/json", bytes.NewReader(question))
		})
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close() //nolint:errcheck // it was read
		var said struct{ Label string }
		if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
			t.Fatal(err)
		}
		return words[said.Label]
	}
}

// patiently asks until a server that was just started answers.
func patiently(ask func() (*http.Response, error)) (answer *http.Response, err error) {
	again, over := time.NewTicker(50*time.Millisecond), time.After(patience)
	defer again.Stop()
	for {
		if answer, err = ask(); err == nil {
			return answer, nil
		}
		select {
		case <-again.C:
		case <-over:
			return nil, errors.Join(errors.New("it did not begin to answer"), err)
		}
	}
}

// undisturbed runs all of it again with nothing left of what the models said, and with no worker killed: every figure is the same, and so is
// every score of every line.
func (c *voiceTeam) undisturbed(after evaluation) {
	c.t.Helper()
	const scores = `SELECT cell_id || ' ' || block || ' ' || md5(scores) FROM cell_scores ORDER BY cell_id, block`
	before := query[string](c.t, c.server, scores)
	c.server.execute(c.t, `DELETE FROM model_outputs`)
	again := c.ended(c.start(1, 2))
	for _, cell := range after.Cells {
		if now := again.cell(c.t, cell.Models...); now.Value != cell.Value || now.Low != cell.Low || now.High != cell.High {
			c.t.Errorf("with a worker killed %v came to %v (%v to %v), without to %v (%v to %v)", cell.Models, cell.Value, cell.Low, cell.High, now.Value, now.Low, now.High)
		}
	}
	eventually(c.t, c.server, 0, openLaunches)
	if now := query[string](c.t, c.server, scores); !slices.Equal(now, before) {
		c.t.Errorf("the scores of the lines are others:\n%s\nand were\n%s", strings.Join(now, "\n"), strings.Join(before, "\n"))
	}
}
