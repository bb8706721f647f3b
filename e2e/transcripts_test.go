package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// newCalls makes a project over real recordings, each of which is an utterance with what two settings of a recognizer heard in it, and
// classes of moments: Question on 1, Action on 2. Mode is what its labelers may see of that.
func newCalls(t *testing.T, s *Server, mode string, utterances ...string) floor {
	t.Helper()
	folder := realData(t, "speech")
	f := floor{slug: "calls-" + strings.ToLower(rand.Text()[:8]), labeler: addAccount(t, s, "labeler")}
	f.command(t, s, "project", "add", f.slug, "--kind", "audio")
	admin := signIn(t, s, addAccount(t, s, "admin"))
	admin.addClass(f.slug, "Question", "1")
	admin.addClass(f.slug, "Action", "2")
	admin.addMember(f.slug, f.labeler)
	files := map[string][]byte{}
	for _, name := range utterances {
		sound, err := os.ReadFile(filepath.Join(folder, "wav", name+".wav"))
		if err != nil {
			t.Fatal(err)
		}
		files[name+".wav"] = sound
	}
	f.command(t, s, "import", f.slug, writeFolder(t, files), "--format", "audio")
	eventually(t, s, len(utterances), `SELECT count(*)::int FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND i.state = 'ready'`, f.slug)
	for _, model := range []string{"ps-lw9", "ps-default"} {
		heard := writeFolder(t, map[string][]byte{"heard.jsonl": heardIn(t, folder, model, utterances)})
		f.command(t, s, "model", "add", f.recognizer(model), "--kind", "asr")
		f.command(t, s, "model", "release", f.recognizer(model)+"@1")
		f.command(t, s, "import", f.slug, filepath.Join(heard, "heard.jsonl"), "--format", "hypotheses", "--as", "prediction", "--model", f.recognizer(model)+"@1")
	}
	admin.prefill(f.slug, mode)
	return f
}

// prefill says in a project's settings what its labelers see of a hypothesis.
func (p *page) prefill(slug, mode string) {
	p.t.Helper()
	p.open("/projects/" + slug + "/settings")
	_, err := p.Locator("#prefill_mode").SelectOption(playwright.SelectOptionValues{Values: &[]string{mode}})
	p.must(err)
	p.press("Save the settings")
	p.sees("The settings are saved.")
}

// recognizer is the name that a model of real hypotheses has in this test alone.
func (f floor) recognizer(model string) string { return model + "-" + f.slug }

// heardIn are the lines of what a model heard in these utterances, under the names of their files.
func heardIn(t *testing.T, folder, model string, utterances []string) []byte {
	t.Helper()
	all, err := os.ReadFile(filepath.Join(folder, "hypotheses", model+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for line := range bytes.Lines(all) {
		var heard map[string]any
		if err := json.Unmarshal(line, &heard); err != nil {
			t.Fatal(err)
		}
		for _, name := range utterances {
			if heard["utt_id"] == name {
				heard["utt_id"] = name + ".wav"
				if err := json.NewEncoder(&lines).Encode(heard); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return lines.Bytes()
}

// transcribe opens the next utterance of a project.
func (p *page) transcribe(slug string) {
	p.t.Helper()
	p.open("/label/next?project=" + slug)
	p.writingReady()
}

// writingReady waits until the cursor is in the text and the waveform is drawn.
func (p *page) writingReady() {
	p.t.Helper()
	p.waits(`() => document.activeElement?.matches("transcript-workbench textarea") && document.querySelector(".plot .host div")?.shadowRoot?.querySelector("canvas")`)
}

// texts are what is written in the segments.
func (p *page) texts() (texts []string) {
	p.t.Helper()
	p.evaluate(`[...document.querySelectorAll("transcript-workbench textarea")].map(t => t.value)`, &texts)
	return texts
}

func (p *page) written() string {
	p.t.Helper()
	return strings.Join(p.texts(), " | ")
}

func (p *page) types(text string) {
	p.t.Helper()
	p.must(p.Keyboard().InsertText(text))
}

// playing waits until sound was decoded and the play head has moved by a quarter of a second.
func (p *page) playing() {
	p.t.Helper()
	p.evaluate(`window.from = document.querySelector("audio").currentTime`, new(float64))
	p.waits(`() => { const a = document.querySelector("audio"); return !a.paused && a.webkitAudioDecodedByteCount > 0 && a.currentTime > window.from + 0.25 }`)
}

func (p *page) silent() {
	p.t.Helper()
	p.waits(`() => document.querySelector("audio").paused`)
}

// A labeler who may see nothing of what models heard writes an utterance down with the keyboard alone, while it sounds.
func TestTranscribeBlindByKeyboard(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newCalls(t, server, "blind", "agent-incorrect", "dir-intro")
	p := signIn(t, server, f.labeler)
	p.transcribe(f.slug)
	var state, shown string
	p.evaluate(`document.querySelector("transcript-workbench script").textContent`, &state)
	p.evaluate(`document.querySelector("main").innerText`, &shown)
	if strings.Contains(state, "confidence") || strings.Contains(shown, "ps-default") || p.written() != "" {
		t.Fatalf("a blind labeler is shown what a model heard: %s", state)
	}
	p.accessible()

	p.keys("Control+Space")
	p.playing()
	p.types("login incorrect ")
	p.keys("Control+.", "Control+.") // faster, without stopping
	p.types("please enter")
	p.playing()
	p.shows("speed", "1.25 ×")
	p.keys("Control+Space")
	p.silent()
	p.keys("Alt+2") // whole
	p.keys("Shift+Control+ArrowLeft", "Alt+1")
	p.shows("moments", "whole")
	p.keys("End", "Control+u")
	p.saved()
	want := "login incorrect please enter [unintelligible] "
	p.types("numbr")
	p.open(p.path()) // at once, before that is saved
	p.writingReady()
	p.saved()
	if got := p.written(); got != want+"numbr" {
		t.Fatalf("after a reload amid a word: %q", got)
	}
	p.shows("moments", "whole")
	p.keys("Control+End", "Shift+Control+ArrowLeft")
	p.types("number")
	p.keys("Control+z")
	if got := p.written(); got != want+"numbr" {
		t.Fatalf("undone: %q", got)
	}
	p.keys("Control+Shift+z")
	p.saved()

	first := p.title()
	p.submitUtterance()
	if p.title() == first || p.written() != "" {
		t.Fatalf("after %s comes %s with %q", first, p.title(), p.written())
	}
	eventually(t, server, "login incorrect please enter [unintelligible] number",
		`SELECT s.segments->0->>'text' FROM transcripts s JOIN annotations a ON s.kind = 'annotation' AND s.of_id = a.id JOIN tasks k ON k.id = a.task_id JOIN projects p ON p.id = k.project_id
		WHERE p.slug = $1 AND NOT a.prefilled`, f.slug)
	eventually(t, server, 2, `SELECT count(*)::int FROM annotation_boxes b JOIN annotations a ON a.id = b.annotation_id JOIN tasks k ON k.id = a.task_id JOIN projects p ON p.id = k.project_id WHERE p.slug = $1`, f.slug)
	eventually(t, server, 0, `SELECT count(*)::int FROM hypothesis_views v JOIN items i ON i.id = v.item_id JOIN projects p ON p.id = i.project_id WHERE p.slug = $1`, f.slug)

	p.keys("Control+Enter") // nothing is written
	p.shows("notice", "Nothing is written yet.")
	p.keys("Control+Space")
	p.playing() // the next one sounds as well, in the same page
	p.keys("Alt+u")
	p.waits(`first => document.querySelector('[data-part="title"]').textContent === first`, first)
	if got := p.written(); !strings.HasPrefix(got, "login incorrect") {
		t.Fatalf("taken back: %q", got)
	}
}

// submitUtterance submits and waits for the next one, which takes the place of this one without loading the page.
func (p *page) submitUtterance() {
	p.t.Helper()
	before := p.path()
	p.evaluate(`window.stays = "the same page"`, new(string))
	p.keys("Control+Enter")
	p.waits(`before => location.pathname !== before`, before)
	p.writingReady()
	var stays *string
	p.evaluate(`window.stays ?? null`, &stays)
	if stays == nil {
		p.t.Fatalf("%s was loaded as a new page after %s", p.path(), before)
	}
}

// A labeler corrects what a model heard: doubtful words are found, heard and mended by key, segments split and joined.
func TestTranscribeFromAHypothesis(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newCalls(t, server, "edit", "agent-incorrect", "dir-intro")
	p := signIn(t, server, f.labeler)
	p.transcribe(f.slug)
	begun := p.written()
	p.shows("origin", f.recognizer("ps-default")+" 1, confidence")
	p.shows("origin", "0 words of")
	p.waits(`() => document.querySelectorAll(".under .k1, .under .k2, .under .k3").length > 2`)
	for _, scheme := range []*playwright.ColorScheme{playwright.ColorSchemeDark, playwright.ColorSchemeLight} {
		p.window(desktop, scheme)
		p.accessible()
	}

	p.keys("F3")
	p.playing()
	var doubtful string
	chosen := `(() => { const t = document.activeElement; return t.value.slice(t.selectionStart, t.selectionEnd) })()`
	if p.evaluate(chosen, &doubtful); doubtful == "" || !strings.Contains(begun, doubtful) {
		t.Fatalf("F3 chose %q of %q", doubtful, begun)
	}
	p.silent() // after that word
	p.types("zebra")
	p.shows("origin", "1 word of")
	p.keys("Control+z")
	p.shows("origin", "0 words of")

	p.keys("Control+Home", "Control+ArrowRight", "Control+ArrowRight", "Enter")
	texts := p.texts()
	if len(texts) != 2 || strings.Join(texts, " ") != begun {
		t.Fatalf("split: %q", texts)
	}
	p.keys("Alt+a", "Backspace")
	if got := p.written(); got != begun {
		t.Fatalf("joined: %q", got)
	}
	p.keys("Control+z", "Control+z", "Control+z") // joined, speaker, split
	if got := p.written(); got != begun {
		t.Fatalf("undone: %q", got)
	}

	p.keys("Control+Home", "Shift+Control+ArrowRight", "Alt+2")
	p.waits(`() => document.querySelectorAll(".mo").length === 1 && /–/.test(document.querySelector('[data-part="moments"] .go').textContent)`)
	p.keys("Control+l")
	// A word is over in less than a quarter of a second, and begins anew.
	p.waits(`() => { const a = document.querySelector("audio"); return !a.paused && a.webkitAudioDecodedByteCount > 0 }`)
	p.waits(`() => document.querySelector('[data-part="loop"]').getAttribute("aria-pressed") === "true"`)
	p.keys("Escape", "Control+Space")
	p.silent()
	p.keys("F1")
	p.sees("Play the selection over and over")
	p.keys("Escape")

	p.keys("Control+End")
	p.types(" zebra")
	p.saved()
	p.submitUtterance()
	eventually(t, server, 1, `SELECT v.edits FROM hypothesis_views v JOIN items i ON i.id = v.item_id JOIN projects p ON p.id = i.project_id
		JOIN model_versions m ON m.id = v.model_version_id JOIN models o ON o.id = m.model_id
		WHERE p.slug = $1 AND v.how = 'edit' AND v.annotation_id IS NOT NULL AND o.name = $2`, f.slug, f.recognizer("ps-default"))
	p.window(playwright.Size{Width: 1024, Height: 768}, playwright.ColorSchemeLight)
	p.accessible()
}

// What was written is kept without a connection, and another tab's is never overwritten.
func TestTranscriptsAreNotLost(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newCalls(t, server, "blind", "agent-incorrect")
	p := signIn(t, server, f.labeler)
	p.expect("ERR_INTERNET_DISCONNECTED")
	p.expect("status of 409")
	p.transcribe(f.slug)
	there := p.tab()
	there.open(p.path())
	there.writingReady()
	p.types("here")
	p.saved()
	there.types("there")
	there.sees("Two drafts of this task")
	there.sees("Here: 1 word.")
	there.press("Take theirs")
	there.waits(`() => document.querySelector("transcript-workbench textarea").value === "here"`)
	there.keys("Control+z")
	if got := there.written(); got != "there" {
		t.Fatalf("undo brings %q back", got)
	}
	there.saved()
	there.must(there.Close())

	p.open(p.path())
	p.writingReady()
	p.must(p.Context().SetOffline(true))
	p.keys("Control+End")
	p.types(" and offline")
	p.shows("saved", "kept in this browser")
	want := p.written()
	p.must(p.Context().SetOffline(false))
	p.saved()
	p.open(p.path())
	p.writingReady()
	if got := p.written(); got != want {
		t.Fatalf("after a time without connection: %q, want %q", got, want)
	}
}

// What was typed right before a page ends comes back, also where no request of that page arrived.
func TestTypedWordsOutliveLostRequests(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newCalls(t, server, "blind", "agent-incorrect")
	p := signIn(t, server, f.labeler)
	p.expect("ERR_FAILED")
	p.expect("status of 409") // some requests of a page that ends are beyond the reach of the test, and arrive
	p.transcribe(f.slug)
	p.types("login ")
	p.saved()
	const drafts = "**/draft"
	p.must(p.Route(drafts, func(r playwright.Route) { _ = r.Abort() }))
	p.types("incorrect")
	p.open(p.path())
	p.writingReady()
	p.must(p.Unroute(drafts))
	p.waits(`() => document.querySelector("transcript-workbench textarea").value === "login incorrect"`)
	p.keys("Control+End")
	p.types(" please")
	p.saved()
	p.open(p.path())
	p.writingReady()
	if got := p.written(); got != "login incorrect please" {
		t.Fatalf("in the end there is %q", got)
	}
}

// A labeler who wrote their own words may look at what a model heard, and not before.
func TestRevealAfterOwnWords(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newCalls(t, server, "reveal", "agent-incorrect")
	p := signIn(t, server, f.labeler)
	p.expect("status of 422")
	p.transcribe(f.slug)
	p.keys("Alt+r")
	p.shows("notice", "Write down first what you hear.")
	p.types("login incorrect")
	p.saved()
	p.keys("Alt+r")
	p.shows("origin", f.recognizer("ps-default")+" 1")
	p.shows("origin", "You wrote before you looked.")
	if got := p.written(); got != "login incorrect" {
		t.Fatalf("the own words became %q", got)
	}
}
