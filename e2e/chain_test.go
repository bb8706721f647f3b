package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// feelings are telephone prompts, and what somebody feels who says them. They are told apart by people, not by the models.
var feelings = map[string][]string{
	"Positive": {
		"auth-thankyou", "privacy-thankyou", "queue-thankyou", "demo-thanks", "demo-congrats", "confbridge-begin-glorious-a", "confbridge-begin-glorious-b",
		"confbridge-begin-glorious-c", "num-was-successfully", "dir-intro", "priv-introsaved", "basic-pbx-ivr-main",
	},
	"Negative": {
		"im-sorry", "sorry", "sorry-youre-having-problems", "vm-sorry", "invalid", "privacy-incorrect", "tt-somethingwrong", "pbx-parkingfailed", "demo-nogo",
		"vm-nonumber", "auth-incorrect", "agent-incorrect",
	},
	"none": {
		"conf-enteringno", "number", "to-call-this-number", "queue-callswaiting", "vm-from-phonenumber", "call-waiting", "vm-starmain", "vm-next",
		"confbridge-leave-in", "vm-num-i-have", "vm-reachoper", "queue-quantity2",
	},
}

// ofEach is how many prompts of each feeling the balanced test set has.
const ofEach = 10

// voiceTeam is a chain over real recordings: two settings of a real recognizer before two real models of sentiment.
type voiceTeam struct {
	t      *testing.T
	server *Server
	env    []string // of every process
	tag    string
	slug   string
	said   map[string]string            // by the name of the recording
	heard  map[string]map[string]string // by recognizer, then by recording
	feels  map[string]string
	chat   *chat
	token  string // of the program
	admin  *page

	workers []*Process
}

// TestRegressionOfAChainIsCaught goes from recordings to an alert. Two settings of a real recognizer, whose hypotheses are imported, stand before
// two real sentiment models, whose servers a run starts. People say in the workbench what is said and felt, and a balanced test set is frozen.
// The second setting is worse: the run says so, as is worked out here ourselves, the chat is told once, and a figure leads down to the items.
// Killing a worker while it runs changes no figure.
func TestRegressionOfAChainIsCaught(t *testing.T) {
	t.Parallel()
	c := newVoiceTeam(t)
	c.labeled()
	c.balanced()
	c.asked()
	before := c.firstRun()
	after := c.regression()
	c.asWorkedOut(before, after)
	c.told(after)
	c.drilled(after)
	c.undisturbed(after)
}

// newVoiceTeam starts a web process and two workers over the same services, and brings in the recordings.
func newVoiceTeam(t *testing.T) *voiceTeam {
	t.Helper()
	c := &voiceTeam{t: t, tag: strings.ToLower(rand.Text()[:6]), said: map[string]string{}, heard: map[string]map[string]string{}, feels: map[string]string{}}
	c.slug = "voices-" + c.tag
	c.chat = newChat(t)
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	c.env = append(services(t), "FIDUCIAL_SIGNING_KEY="+base64.StdEncoding.EncodeToString(key), "FIDUCIAL_MODEL_COMMANDS="+sentimentPrograms(t),
		"FIDUCIAL_WEBHOOK_HOSTS=127.0.0.1", "FIDUCIAL_WEBHOOK_NETWORKS=127.0.0.0/8")
	c.server = web(t, c.env)
	for range 2 {
		c.worker()
	}
	c.asks("/alert-channels", map[string]string{"name": "Voice team", "kind": "webhook", "target": c.chat.URL})
	c.server.do(t, "project", "add", c.slug, "--kind", "audio", "--accept", "truth")
	c.admin = signIn(t, c.server, addAccount(t, c.server, "admin"))
	c.admin.addClass(c.slug, "Positive", "1")
	c.admin.addClass(c.slug, "Negative", "2")
	c.recordings()
	return c
}

// asks calls the server as a program does.
func (c *voiceTeam) asks(path string, body any) {
	c.t.Helper()
	if c.token == "" {
		c.token = strings.TrimSpace(c.server.do(c.t, "token", "add", "chain", "--role", "admin"))
	}
	sent, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.server.URL+"/api/v1"+path, bytes.NewReader(sent))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header = http.Header{"Authorization": {"Bearer " + c.token}, "Content-Type": {"application/json"}}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read only
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= http.StatusBadRequest {
		c.t.Fatalf("%s: %s, %v: %s", path, answer.Status, err, said)
	}
}

// worker starts one, which is stopped after the test unless it was killed.
func (c *voiceTeam) worker() {
	c.t.Helper()
	worker, err := StartProcess(c.env, "work")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := worker.Stop(); err != nil {
			c.t.Error(err)
		}
	})
	c.workers = append(c.workers, worker)
}

// sentimentPrograms is a folder with the one program that serves both models.
func sentimentPrograms(t *testing.T) string {
	t.Helper()
	root, err := projectRoot()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	script := "#!/bin/sh\nexec node " + filepath.Join(root, "e2e", "nlp", "server.mjs") + ` "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(folder, "sentiment"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

// recordings brings in the prompts, and what the recognizer heard in them by either of its settings.
func (c *voiceTeam) recordings() {
	c.t.Helper()
	for feeling, names := range feelings {
		for _, name := range names {
			c.feels[name] = feeling
		}
	}
	folder := realData(c.t, "speech")
	eachJSON(c.t, filepath.Join(folder, "manifest.jsonl"), func(line json.RawMessage) {
		var prompt struct {
			Name string `json:"utt_id"`
			Text string
		}
		c.parse(line, &prompt)
		if c.feels[prompt.Name] != "" {
			c.said[prompt.Name] = prompt.Text
		}
	})
	files := map[string][]byte{}
	for name := range c.said {
		sound, err := os.ReadFile(filepath.Join(folder, "wav", name+".wav"))
		if err != nil {
			c.t.Fatal(err)
		}
		files[name+".wav"] = sound
	}
	c.server.do(c.t, "import", c.slug, writeFolder(c.t, files), "--format", "audio")
	eventually(c.t, c.server, len(c.feels), `SELECT count(*)::int FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND i.state = 'ready'`, c.slug)
	c.server.do(c.t, "model", "add", c.model("ears"), "--kind", "asr")
	for version, recognizer := range []string{"ps-default", "ps-fast"} {
		release := fmt.Sprintf("%s@%d", c.model("ears"), version+1)
		args := []string{"model", "release", release}
		if version > 0 {
			args = append(args, "--successor-of", "1")
		}
		c.server.do(c.t, args...)
		lines := heardIn(c.t, folder, recognizer, slices.Sorted(maps.Keys(c.said)))
		file := filepath.Join(writeFolder(c.t, map[string][]byte{"heard.jsonl": lines}), "heard.jsonl")
		c.server.do(c.t, "import", c.slug, file, "--format", "hypotheses", "--as", "prediction", "--model", release)
		c.heard[release] = map[string]string{}
		for line := range bytes.Lines(lines) {
			var heard struct {
				Name string `json:"utt_id"`
				Text string
			}
			c.parse(line, &heard)
			c.heard[release][strings.TrimSuffix(heard.Name, ".wav")] = heard.Text
		}
	}
}

// model is a name of this test's own.
func (c *voiceTeam) model(name string) string { return name + "-" + c.tag }

func (c *voiceTeam) parse(line []byte, into any) {
	c.t.Helper()
	if err := json.Unmarshal(line, into); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
}

// labeled has a labeler write down each prompt and mark what is felt in it, by keyboard, and a reviewer take what they wrote.
func (c *voiceTeam) labeled() {
	c.t.Helper()
	labeler, reviewer := addAccount(c.t, c.server, "labeler"), addAccount(c.t, c.server, "reviewer")
	for _, who := range []account{labeler, reviewer} {
		c.admin.addMember(c.slug, who)
	}
	p := signIn(c.t, c.server, labeler)
	p.transcribe(c.slug)
	for i := range len(c.feels) {
		name := strings.TrimSuffix(p.title(), ".wav")
		p.keys("Control+a")
		p.types(c.said[name])
		switch c.feels[name] {
		case "Positive":
			p.keys("Alt+1")
		case "Negative":
			p.keys("Alt+2")
		}
		p.saved()
		if i < len(c.feels)-1 {
			p.submitUtterance()
		} else {
			p.keys("Control+Enter")
		}
	}
	eventually(c.t, c.server, len(c.feels), `SELECT count(*)::int FROM tasks t JOIN projects p ON p.id = t.project_id WHERE p.slug = $1 AND t.state = 'in_review'`, c.slug)
	for _, answer := range query[[]int64](c.t, c.server, `
		SELECT array[a.item_id, a.id, t.version] FROM annotations a JOIN tasks t ON t.id = a.task_id JOIN items i ON i.id = a.item_id JOIN projects p ON p.id = i.project_id WHERE p.slug = $1`, c.slug) {
		c.asks(fmt.Sprintf("/items/%d/decisions", answer[0]),
			map[string]any{"decision": "approved", "answer": answer[1], "version": answer[2], "reviewer": reviewer.Email})
	}
}

// testSet is the name of the test set.
func (c *voiceTeam) testSet() string { return c.model("feelings") }

// balanced freezes a test set with as many prompts of each feeling, of none as well.
func (c *voiceTeam) balanced() {
	c.t.Helper()
	recipe := fmt.Sprintf("projects: [%s]\nshares: {training: 0, validation: 0, test: 1}\nstrata: [class]\nsizes: {test: %d}\n", c.slug, ofEach)
	file := filepath.Join(writeFolder(c.t, map[string][]byte{"recipe.yaml": []byte(recipe)}), "recipe.yaml")
	c.server.do(c.t, "dataset", "freeze", c.testSet(), "--recipe", file)
	count := map[string]int{}
	for _, name := range c.tested() {
		count[c.feels[name]]++
	}
	for feeling := range feelings {
		if count[feeling] != ofEach {
			c.t.Fatalf("the test set is not balanced: %v", count)
		}
	}
}

// tested are the names of the prompts of the test set.
func (c *voiceTeam) tested() (names []string) {
	c.t.Helper()
	for _, key := range query[string](c.t, c.server, `
		SELECT x.external_key FROM datasets d JOIN dataset_versions v ON v.dataset_id = d.id AND v.number = 1
		JOIN dataset_lines l ON l.version_id = v.id AND l.split = 'test' JOIN item_texts x ON x.item_id = l.item_id WHERE d.name = $1 ORDER BY l.position`, c.testSet()) {
		names = append(names, strings.TrimSuffix(key, ".wav"))
	}
	return names
}

// chat takes what is posted to it, as a chat's incoming webhook does.
type chat struct {
	URL string

	mu    sync.Mutex
	posts []string
}

func newChat(t *testing.T) *chat {
	t.Helper()
	c := &chat{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.posts = append(c.posts, string(body))
		_, _ = w.Write([]byte("ok"))
	}))
	t.Cleanup(server.Close)
	c.URL = server.URL + "/services/T0/B0/secret"
	return c
}

// said are the posts so far.
func (c *chat) said() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.posts)
}

// told waits until the chat was told of the run, and reads what: the recognizer that is worse, by how much, and that it was told once.
func (c *voiceTeam) told(after evaluation) {
	c.t.Helper()
	c.admin.eventually("the chat to be told", func() bool { return len(c.chat.said()) > 0 })
	posts := c.chat.said()
	worse := after.cell(c.t, c.ears(2))
	for _, part := range []string{c.ears(2), c.ears(1), c.testSet() + "@1", fmt.Sprintf("%.3f", worse.Value)} {
		if !strings.Contains(posts[0], part) {
			c.t.Errorf("the chat is not told of %s:\n%s", part, posts[0])
		}
	}
	var message struct{ Text string }
	c.parse([]byte(posts[0]), &message)
	for _, name := range c.tested() {
		if strings.Contains(message.Text, name) || len(c.said[name]) > 20 && strings.Contains(message.Text, c.said[name]) {
			c.t.Errorf("the chat is told what was said in %s", name)
		}
	}
	c.t.Log(message.Text)
}

// drilled goes from the matrix to the cell, to the items that it lost, and to what was said and heard in one of them.
func (c *voiceTeam) drilled(after evaluation) {
	c.t.Helper()
	p, worse := c.admin, after.cell(c.t, c.ears(2))
	chain := query[int64](c.t, c.server, `SELECT chain_id FROM evaluations WHERE id = $1`, after.ID)[0]
	p.open(fmt.Sprintf("/matrix/%d", chain))
	p.shoot("chain-matrix")
	p.accessible()
	p.must(p.Locator(fmt.Sprintf(`a[href="/cells/%d"]`, worse.ID)).First().Click())
	p.must(p.WaitForURL(fmt.Sprintf("**/cells/%d", worse.ID)))
	p.sees("worse")
	p.shoot("chain-cell")
	p.accessible()
	p.must(p.Locator(fmt.Sprintf(`a[href="/cells/%d/items?show=lost"]`, worse.ID)).First().Click())
	p.must(p.WaitForURL("**/items?show=lost"))
	item := p.Locator(fmt.Sprintf(`main a[href*="/cells/%d/items/"]`, worse.ID)).First()
	name, err := item.InnerText()
	p.must(err)
	p.must(item.Click())
	p.must(p.WaitForURL(fmt.Sprintf("**/cells/%d/items/**", worse.ID)))
	p.shoot("chain-item")
	p.accessible()
	name = strings.TrimSuffix(strings.TrimSpace(name), ".wav")
	shown := p.text("main")
	for _, words := range []string{c.said[name], c.heard[c.ears(2)][name]} {
		for word := range strings.FieldsSeq(words) {
			if !strings.Contains(strings.ToLower(shown), strings.ToLower(word)) {
				c.t.Errorf("%q is not on the page of %s: %s", word, name, shown)
			}
		}
	}
}
