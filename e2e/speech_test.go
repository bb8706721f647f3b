package e2e

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// utterance is a real recording with what was said in it and what settings of a recognizer heard.
type utterance struct {
	name, said string
	seconds    float64
	heard      map[string]json.RawMessage // the lines of the recognizers' files, by their names
	text       map[string]string
}

// callCenter is a project over real recordings of telephone prompts: two labelers, a reviewer, and what two settings of a recognizer heard.
type callCenter struct {
	t          *testing.T
	server     *Server
	slug       string
	source     string
	utterances map[string]utterance
	blind      account // transcribes first, from silence
	editor     account // then, from the hypothesis
	judge      account
	admin      *page
	reviewer   *page // the judge's
}

var recognizers = []string{"ps-default", "ps-fast"}

// TestLeastSureIsHeardBest goes from real recordings and what two recognizers heard in them to truth: a plan takes the least sure of
// each length, two labelers write them down by keyboard, one from silence and one from the hypothesis, while they truly sound,
// and mark moments; a reviewer decides word by word; the export scores the recognizer as we do here ourselves; the report shows
// that it errs where it is not sure; and the erasure of the source takes all of it.
func TestLeastSureIsHeardBest(t *testing.T) {
	t.Parallel()
	c := newCallCenter(t, 36, 9)
	c.draw("--share", "0.2", "--modes", "blind,edit")
	chosen := c.planned(1)
	c.leastSureOfEachLength(chosen)
	c.transcribe(c.blind, len(chosen), "blind")
	c.transcribe(c.editor, len(chosen), "edit")
	c.review(len(chosen))
	c.exported(chosen)
	c.surestAndLeastSure()
	c.erased()
}

// newCallCenter brings in some recordings of four words and more and some shorter ones, and the hypotheses of two recognizers.
func newCallCenter(t *testing.T, long, short int) *callCenter {
	t.Helper()
	tag := strings.ToLower(rand.Text()[:6])
	c := &callCenter{t: t, server: shared(t), slug: "prompts-" + tag, source: "callers-" + tag}
	c.server.do(t, "project", "add", c.slug, "--kind", "audio", "--accept", "truth")
	c.admin = signIn(t, c.server, addAccount(t, c.server, "admin"))
	c.admin.addClass(c.slug, "Request", "1")
	c.admin.addClass(c.slug, "Number", "2")
	c.judge, c.blind, c.editor = addAccount(t, c.server, "reviewer"), addAccount(t, c.server, "labeler"), addAccount(t, c.server, "labeler")
	for _, who := range []account{c.judge, c.blind, c.editor} {
		c.admin.addMember(c.slug, who)
	}
	c.reviewer = signIn(t, c.server, c.judge)
	c.choose(long, short)
	files := map[string][]byte{}
	for name := range c.utterances {
		sound, err := os.ReadFile(filepath.Join(realData(t, "speech"), "wav", name+".wav"))
		if err != nil {
			t.Fatal(err)
		}
		files[name+".wav"] = sound
	}
	c.server.do(t, "import", c.slug, writeFolder(t, files), "--format", "audio", "--source", c.source)
	eventually(t, c.server, len(files), `SELECT count(*)::int FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND i.state = 'ready'`, c.slug)
	for _, recognizer := range recognizers {
		c.server.do(t, "model", "add", recognizer+"-"+tag, "--kind", "asr")
		c.server.do(t, "model", "release", recognizer+"-"+tag+"@1")
		var lines []byte
		for _, name := range c.names() {
			lines = append(append(lines, c.utterances[name].heard[recognizer]...), '\n')
		}
		folder := writeFolder(t, map[string][]byte{"heard.jsonl": lines})
		c.server.do(t, "import", c.slug, filepath.Join(folder, "heard.jsonl"), "--format", "hypotheses", "--as", "prediction", "--model", recognizer+"-"+tag+"@1")
	}
	return c
}

// names of the utterances, in order.
func (c *callCenter) names() (names []string) {
	for name := range c.utterances {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c *callCenter) model() string {
	return recognizers[0] + strings.TrimPrefix(c.slug, "prompts") + "@1"
}

// choose takes the first recordings of the real data whose names tell them apart.
func (c *callCenter) choose(long, short int) {
	c.t.Helper()
	folder := realData(c.t, "speech")
	all, times := map[string]utterance{}, map[string]int{}
	eachJSON(c.t, filepath.Join(folder, "manifest.jsonl"), func(line json.RawMessage) {
		var said struct {
			Name     string `json:"utt_id"`
			Text     string
			Duration float64
		}
		c.parse(line, &said)
		times[said.Name]++
		all[said.Name] = utterance{said.Name, said.Text, said.Duration, map[string]json.RawMessage{}, map[string]string{}}
	})
	for _, recognizer := range recognizers {
		eachJSON(c.t, filepath.Join(folder, "hypotheses", recognizer+".jsonl"), func(line json.RawMessage) {
			var heard struct {
				Name string `json:"utt_id"`
				Text string
			}
			c.parse(line, &heard)
			all[heard.Name].heard[recognizer], all[heard.Name].text[recognizer] = line, heard.Text
		})
	}
	c.utterances = map[string]utterance{}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		left := &long
		if len(strings.Fields(all[name].said)) < 4 {
			left = &short
		}
		if times[name] == 1 && *left > 0 && all[name].text[recognizers[0]] != "" {
			*left--
			c.utterances[name] = all[name]
		}
	}
}

func (c *callCenter) parse(line []byte, into any) {
	c.t.Helper()
	if err := json.Unmarshal(line, into); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
}

// eachJSON calls see with each line of a file.
func eachJSON(t *testing.T, path string, see func(json.RawMessage)) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(file))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		see(bytes.Clone(lines.Bytes()))
	}
}

// draw makes a plan of the first recognizer's confidence, and waits for its batch.
func (c *callCenter) draw(args ...string) {
	c.t.Helper()
	c.server.do(c.t, append([]string{"plan", "draw", c.slug, "--model", c.model()}, args...)...)
}

// planned are the names of what a plan took, but for what a labeler has been handed after the last one of another plan.
func (c *callCenter) planned(number int) (names []string) {
	c.t.Helper()
	for _, key := range query[string](c.t, c.server, `
		SELECT x.external_key FROM plan_items l JOIN plans n ON n.id = l.plan_id JOIN projects p ON p.id = n.project_id JOIN item_texts x ON x.item_id = l.item_id
		JOIN tasks t ON t.item_id = l.item_id
		WHERE p.slug = $1 AND n.number = $2 AND t.live = 0 ORDER BY 1`, c.slug, number) {
		names = append(names, strings.TrimSuffix(key, ".wav"))
	}
	return names
}

// leastSureOfEachLength works out here what the plan should have taken: of each length the fifth of which the recognizer was least sure.
func (c *callCenter) leastSureOfEachLength(chosen []string) {
	c.t.Helper()
	type sure struct {
		name       string
		confidence float64
	}
	lengths := map[int][]sure{}
	for name, u := range c.utterances {
		var heard struct{ Confidence float64 }
		c.parse(u.heard[recognizers[0]], &heard)
		words := len(strings.Fields(u.text[recognizers[0]]))
		stratum, _ := slices.BinarySearch([]int{2, 4, 8}, words+1)
		lengths[stratum] = append(lengths[stratum], sure{name, heard.Confidence})
	}
	var want []string
	for _, list := range lengths {
		slices.SortFunc(list, func(a, b sure) int { return int(math.Copysign(1, a.confidence-b.confidence)) })
		for _, s := range list[:int(math.Ceil(0.2*float64(len(list))-1e-9))] {
			want = append(want, s.name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(chosen, want) {
		c.t.Fatalf("the plan took %q, and not %q", chosen, want)
	}
}

// transcribe writes down all that a labeler is handed, by keyboard; the first two are listened to while they write.
func (c *callCenter) transcribe(who account, n int, mode string) {
	c.t.Helper()
	p := signIn(c.t, c.server, who)
	p.transcribe(c.slug)
	for i := range n {
		u := c.utterances[strings.TrimSuffix(p.title(), ".wav")]
		begun := p.written()
		if want := map[string]string{"blind": "", "edit": u.text[recognizers[0]]}[mode]; begun != want {
			c.t.Fatalf("%s begins from %q, and not %q", u.name, begun, want)
		}
		if i < 2 {
			p.keys("Control+Space")
			p.playing()
		}
		p.keys("Control+a")
		p.types(c.says(u, mode))
		if strings.Contains(u.said, "please") {
			p.keys("Alt+1")
		}
		p.saved()
		if i == 0 {
			p.shoot("transcript-" + mode)
			p.accessible()
		}
		if i < n-1 {
			p.submitUtterance()
			continue
		}
		p.keys("Control+Enter")
	}
	eventually(c.t, c.server, n, `
		SELECT count(*)::int FROM annotations a JOIN assignments s ON s.id = a.assignment_id JOIN projects p ON p.id = s.project_id
		WHERE p.slug = $1 AND s.mode = $2 AND a.prefilled = ($2 = 'edit')`, c.slug, mode)
}

// says is what a labeler writes down: what was said, but for a last word that the editor leaves out of every third.
func (c *callCenter) says(u utterance, mode string) string {
	words := strings.Fields(u.said)
	if mode == "edit" && len(u.name)%3 == 0 && len(words) > 1 {
		words = words[:len(words)-1]
	}
	return strings.Join(words, " ")
}

// review decides all that waits: where the two differ, for the one who wrote from silence.
func (c *callCenter) review(n int) {
	c.t.Helper()
	p := c.reviewer
	eventually(c.t, c.server, n, `SELECT count(*)::int FROM item_agreements a JOIN projects p ON p.id = a.project_id WHERE p.slug = $1 AND a.answers = 2`, c.slug)
	for i := range n {
		p.open("/review/next?project=" + c.slug)
		p.hearingReady()
		if i == 0 {
			p.shoot("hearing")
			p.accessible()
		}
		answer, before := c.rightAnswer(), p.path()
		p.keys("Escape", answer, "a")
		p.waits(`before => location.pathname !== before`, before)
	}
	var wrong []string
	for _, row := range query[[]string](c.t, c.server, `
		SELECT array[x.external_key, s.segments->0->>'text'] FROM truths u JOIN items i ON i.id = u.item_id JOIN projects p ON p.id = i.project_id JOIN item_texts x ON x.item_id = i.id
		JOIN transcripts s ON s.item_id = i.id AND s.kind = 'truth' AND s.of_id = u.id WHERE p.slug = $1 AND u.current`, c.slug) {
		if name := strings.TrimSuffix(row[0], ".wav"); row[1] != c.utterances[name].said {
			wrong = append(wrong, fmt.Sprintf("%s: %q, and not %q", name, row[1], c.utterances[name].said))
		}
	}
	if len(wrong) > 0 {
		c.t.Fatalf("%d truths are not what was said:\n%s", len(wrong), strings.Join(wrong, "\n"))
	}
}

// rightAnswer is the key of the answer that says what was said in the utterance under review.
func (c *callCenter) rightAnswer() string {
	c.t.Helper()
	var texts []string
	c.reviewer.evaluate(`JSON.parse(document.getElementById("hearing-state").textContent).answers.map(a => a.segments.map(s => s.text).join(" "))`, &texts)
	name := strings.TrimSuffix(c.reviewer.text(".crumbs [aria-current]"), ".wav")
	at := slices.Index(texts, c.utterances[filepath.Base(name)].said)
	if at < 0 {
		c.t.Fatalf("%q: nobody wrote %q, but %q", name, c.utterances[name].said, texts)
	}
	return fmt.Sprint(at + 1)
}

// exported freezes the truth, exports it as NeMo, and scores the recognizer by what comes out: as the product does, and as is done here.
func (c *callCenter) exported(chosen []string) {
	c.t.Helper()
	c.server.do(c.t, "dataset", "freeze", c.slug, "--project", c.slug)
	archive := filepath.Join(c.t.TempDir(), "truth.zip")
	c.server.do(c.t, "export", c.slug+"@1", "--format", "nemo", "--media", "--out", archive)
	truth := c.nemo(archive)
	if len(truth) != len(chosen) {
		c.t.Fatalf("%d of %d utterances came out", len(truth), len(chosen))
	}
	var pairs bytes.Buffer
	errors, words := 0, 0
	for _, name := range chosen {
		heard := c.utterances[name].text[recognizers[0]]
		if truth[name] != c.utterances[name].said {
			c.t.Errorf("%s came out as %q, and not %q", name, truth[name], c.utterances[name].said)
		}
		if err := json.NewEncoder(&pairs).Encode(map[string]string{"reference": truth[name], "hypothesis": heard}); err != nil {
			c.t.Fatal(err)
		}
		reference := strings.Fields(truth[name])
		errors, words = errors+distance(reference, strings.Fields(heard)), words+len(reference)
	}
	file := filepath.Join(writeFolder(c.t, map[string][]byte{"pairs.jsonl": pairs.Bytes()}), "pairs.jsonl")
	var scored struct{ WER float64 }
	c.parse([]byte(c.server.do(c.t, "score", "speech", "--pairs", file, "--json")), &scored)
	if want := float64(errors) / float64(words); math.Abs(scored.WER-want) > 1e-9 {
		c.t.Errorf("the recognizer errs at %v, and not at %v, which is %d of %d words", scored.WER, want, errors, words)
	}
	c.t.Logf("%s errs at %.3f of %d words that it was least sure of", c.model(), scored.WER, words)
}

// nemo reads an exported manifest: what was said by the name of the recording, each with its clip.
func (c *callCenter) nemo(archive string) map[string]string {
	c.t.Helper()
	reader, err := zip.OpenReader(archive)
	if err != nil {
		c.t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // it was read only
	clips, truth := map[string]bool{}, map[string]string{}
	for _, f := range reader.File {
		clips[f.Name] = strings.HasSuffix(f.Name, ".wav")
	}
	for _, f := range reader.File {
		if !strings.HasSuffix(f.Name, ".json") && !strings.HasSuffix(f.Name, ".jsonl") || f.Name == "report.json" {
			continue
		}
		content, err := f.Open()
		if err != nil {
			c.t.Fatal(err)
		}
		lines := bufio.NewScanner(io.LimitReader(content, 1<<24))
		for lines.Scan() {
			var line struct {
				Path string `json:"audio_filepath"`
				Text string
			}
			if json.Unmarshal(lines.Bytes(), &line) != nil || line.Path == "" {
				continue
			}
			if !clips[line.Path] {
				c.t.Errorf("the archive has no %s", line.Path)
			}
			truth[strings.TrimSuffix(filepath.Base(line.Path), ".wav")] = line.Text
		}
	}
	return truth
}

// distance is the number of words to be changed, added or left out, by the textbook.
func distance(a, b []string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before := row[0]
		row[0] = i + 1
		for j := range b {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// surestAndLeastSure spreads a plan over every confidence of longer utterances, brings in what was said in them, and reads in the report that
// the recognizer errs more where it is less sure.
func (c *callCenter) surestAndLeastSure() {
	c.t.Helper()
	c.draw("--method", "spread", "--share", "1", "--shortest", "4")
	var lines bytes.Buffer
	for _, name := range c.planned(2) {
		line := map[string]any{"audio_filepath": name + ".wav", "text": c.utterances[name].said, "duration": c.utterances[name].seconds}
		if err := json.NewEncoder(&lines).Encode(line); err != nil {
			c.t.Fatal(err)
		}
	}
	folder := writeFolder(c.t, map[string][]byte{"said.jsonl": lines.Bytes()})
	if out, err := c.server.Command(c.t.Context(), "", "import", c.slug, filepath.Join(folder, "said.jsonl"), "--format", "nemo", "--as", "truth", "--source", c.source); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	p := c.reviewer
	p.open("/projects/" + c.slug + "/plans/2")
	p.press("Report now")
	p.eventually("the report", func() bool {
		p.open("/projects/" + c.slug + "/plans/2")
		return strings.Contains(p.text("main"), "The least sure quarter")
	})
	p.shoot("plan-report")
	p.accessible()
	var report struct {
		Items    int
		Sentence string
		All      rate
		Quarters []rate
	}
	c.parse([]byte(c.server.do(c.t, "plan", "report", c.slug, "2", "--json")), &report)
	if len(report.Quarters) != 4 || report.Items < 20 {
		c.t.Fatalf("the report is over %d utterances: %+v", report.Items, report.Quarters)
	}
	if least, surest := report.Quarters[0], report.Quarters[3]; least.WER < 2*surest.WER || least.Low <= surest.High {
		c.t.Errorf("the least sure quarter errs at %v, the surest at %v", least, surest)
	}
	c.t.Log(report.Sentence)
}

// rate is a word error rate of a report.
type rate struct{ WER, Low, High float64 }

// erased asks for the erasure of the source and finds nothing left of it, in no table and in no object.
func (c *callCenter) erased() {
	c.t.Helper()
	items := query[int64](c.t, c.server, `SELECT i.id FROM items i JOIN sources s ON s.id = i.source_id WHERE s.name = $1`, c.source)
	recordings := query[int64](c.t, c.server, `SELECT r.id FROM recordings r JOIN sources s ON s.id = r.source_id WHERE s.name = $1`, c.source)
	if len(items) != len(c.utterances) || len(recordings) != len(items) {
		c.t.Fatalf("%d items of %d recordings", len(items), len(recordings))
	}
	c.server.do(c.t, "erase", "--source", c.source, "--wait")
	for _, table := range []string{
		"item_texts", "tasks", "transcripts", "hypotheses", "predictions", "annotations", "truths", "plan_items", "hypothesis_views", "item_sounds", "item_agreements",
	} {
		if left := query[int](c.t, c.server, `SELECT count(*)::int FROM `+table+` WHERE item_id = ANY($1)`, items); left[0] != 0 {
			c.t.Errorf("%d rows of %s are left", left[0], table)
		}
	}
	if left := query[int](c.t, c.server, `SELECT count(*)::int FROM recordings WHERE id = ANY($1)`, recordings); left[0] != 0 {
		c.t.Errorf("%d recordings are left", left[0])
	}
	for _, path := range []string{"/items/%d", "/media/items/%d/sound", "/media/items/%d/peaks"} {
		status, err := visit(c.t, c.server, c.judge).call(http.MethodGet, fmt.Sprintf(path, items[0]), nil, nil)
		if status != http.StatusGone {
			c.t.Errorf("%s answers %d, %v", path, status, err)
		}
	}
	c.server.do(c.t, "dataset", "verify", c.slug+"@1")
}
