package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// hearing is a project of real recordings, each with three answers: what is said, and what two settings of a real recognizer heard; and
// its reviewer.
type hearing struct {
	floor

	reviewer account
}

// newHearing has three labelers answer each utterance; the first two mark a question where the third marks an action.
func newHearing(t *testing.T, s *Server, utterances ...string) hearing {
	t.Helper()
	folder := realData(t, "speech")
	h := hearing{floor: floor{slug: "hearing-" + strings.ToLower(rand.Text()[:8])}, reviewer: addAccount(t, s, "reviewer")}
	h.command(t, s, "project", "add", h.slug, "--kind", "audio", "--overlap", "3")
	admin := signIn(t, s, addAccount(t, s, "admin"))
	admin.addClass(h.slug, "Question", "1")
	admin.addClass(h.slug, "Action", "2")
	admin.addMember(h.slug, h.reviewer)
	files := map[string][]byte{}
	for _, name := range utterances {
		sound, err := os.ReadFile(filepath.Join(folder, "wav", name+".wav"))
		if err != nil {
			t.Fatal(err)
		}
		files[name+".wav"] = sound
	}
	h.command(t, s, "import", h.slug, writeFolder(t, files), "--format", "audio")
	eventually(t, s, len(utterances), `SELECT count(*)::int FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND i.state = 'ready'`, h.slug)
	heard := writeFolder(t, map[string][]byte{"heard.jsonl": heardIn(t, folder, "ps-lw9", utterances)})
	h.command(t, s, "model", "add", h.recognizer("ps-lw9"), "--kind", "asr")
	h.command(t, s, "model", "release", h.recognizer("ps-lw9")+"@1")
	h.command(t, s, "import", h.slug, filepath.Join(heard, "heard.jsonl"), "--format", "hypotheses", "--as", "prediction", "--model", h.recognizer("ps-lw9")+"@1")
	for i, said := range []map[string]string{
		textsOf(t, filepath.Join(folder, "manifest.jsonl")), textsOf(t, filepath.Join(folder, "hypotheses", "ps-default.jsonl")),
		textsOf(t, filepath.Join(folder, "hypotheses", "ps-fast.jsonl")),
	} {
		who := addAccount(t, s, "labeler")
		admin.addMember(h.slug, who)
		h.dictate(t, visit(t, s, who), said, []string{"Question", "Question", "Action"}[i])
	}
	return h
}

// textsOf are the texts of JSON lines, by utterance.
func textsOf(t *testing.T, file string) map[string]string {
	t.Helper()
	all, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for line := range strings.Lines(string(all)) {
		var entry struct {
			ID   string `json:"utt_id"`
			Text string `json:"text"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		texts[entry.ID] = entry.Text
	}
	return texts
}

// dictate answers all that a labeler is handed.
func (h hearing) dictate(t *testing.T, v *visitor, said map[string]string, class string) {
	t.Helper()
	for {
		var work struct {
			task
			Sound struct{ Seconds float64 }
		}
		status, err := v.call("POST", "/label/next", map[string]any{"project": h.slug}, &work)
		if err != nil {
			t.Fatal(err)
		}
		if status != 200 {
			return
		}
		answer := work.answer([]box{{ID: "a", Class: work.class(class), X: 0.2, Y: 0, W: 0.8, H: 1}})
		answer["transcript"] = []map[string]any{{"begin": 0, "end": work.Sound.Seconds, "text": said[strings.TrimSuffix(work.Title, ".wav")]}}
		if _, err := v.call("POST", fmt.Sprintf("/label/%d/submit", work.Task), answer, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// hearingReady waits until the desk listens and the waveform is drawn.
func (p *page) hearingReady() {
	p.t.Helper()
	p.waits(`() => document.querySelector("hearing-desk[data-ready]") && document.querySelector("[data-part=outline]").width > 320`)
}

// taken is the text that would be decided on.
func (p *page) taken() (text string) {
	p.t.Helper()
	p.evaluate(`[...document.querySelectorAll("textarea[data-segment]")].map(t => t.value).join(" | ")`, &text)
	return text
}

func (p *page) wantTaken(what, want string) {
	p.t.Helper()
	if got := p.taken(); got != want {
		p.t.Fatalf("%s: taken is %q, want %q", what, got, want)
	}
}

func (p *page) verdict() string { return p.text("[data-review-word]") }

// truthOf is the words that hold for an item, "" for none.
func (h hearing) truthOf(t *testing.T, s *Server, name string) string {
	t.Helper()
	texts := query[string](t, s, `
		SELECT w.segments->0->>'text' FROM truths u JOIN transcripts w ON w.item_id = u.item_id AND w.kind = 'truth' AND w.of_id = u.id
		JOIN item_texts x ON x.item_id = u.item_id JOIN projects p ON p.id = x.project_id WHERE u.current AND p.slug = $1 AND x.file_name LIKE '%' || $2`, h.slug, name+".wav")
	return strings.Join(texts, " | ")
}

// A reviewer settles utterances of three real answers by keys alone: word by word, whole, as most have it, in their own words, and back to
// whoever heard wrong; what is undone is as before.
func TestReviewOfUtterances(t *testing.T) {
	t.Parallel()
	server := shared(t)
	const first, other = "agent-incorrect", "agent-newlocation"
	h := newHearing(t, server, first, other)
	p := signIn(t, server, h.reviewer)
	p.eventually("both scored", func() bool {
		return query[int](t, server, `SELECT count(*)::int FROM item_agreements g JOIN projects p ON p.id = g.project_id WHERE p.slug = $1 AND g.wer > 0`, h.slug)[0] == 2
	})
	item := h.item(t, server, first)
	address := fmt.Sprintf("/review/%d", item)
	p.open(address)
	p.hearingReady()
	p.accessible()
	var shown string
	p.evaluate(`document.querySelector("main").innerText`, &shown)
	if strings.Contains(shown, h.recognizer("ps-lw9")) || strings.Contains(shown, "endearing") {
		t.Fatalf("what a model heard is shown unasked: %s", shown)
	}

	p.keys("Space")
	p.playing()
	p.keys("Space")
	p.silent()
	p.keys("a")
	p.sees("need a judgment still")
	p.keys("Escape", "1")
	p.wantTaken("answer A whole", "login incorrect please enter your agent number followed by the pound key")
	if got := p.verdict(); got != "Approve A, next" {
		t.Fatalf("the verdict is %q", got)
	}
	p.keys("F3", "p")
	p.playing()
	p.silent()
	places := 0
	p.evaluate(`document.querySelectorAll("[data-slot]").length`, &places)
	p.keys("2")
	if got := p.verdict(); got == "Approve A, next" {
		t.Fatal("a word of another answer still approves A")
	}
	p.keys("Escape", "m")
	merged := p.taken()
	p.keys("e", "End")
	p.types(" please")
	p.keys("Escape")
	p.wantTaken("typed", merged+" please")
	p.keys("?")
	p.sees("Take a variant of the place chosen")
	p.keys("Escape", "1", "y")
	p.sees("like amy amy direct please endearing aged number followed by the pound key")
	p.decide("a")
	if got := h.truthOf(t, server, first); got != "login incorrect please enter your agent number followed by the pound key" {
		t.Fatalf("the truth is %q", got)
	}
	seen := query[string](t, server, `SELECT v.edits || ' of ' || v.words FROM hypothesis_views v WHERE v.item_id = $1 AND v.how = 'review' AND v.review_id IS NOT NULL`, item)
	if len(seen) != 1 || !strings.HasSuffix(seen[0], " of 12") {
		t.Errorf("the look at what a model heard is kept as %q", seen)
	}

	p.hearingReady()
	p.keys("u")
	p.waits(`address => location.pathname === address`, address)
	p.hearingReady()
	if got := h.truthOf(t, server, first); got != "" {
		t.Fatalf("undone, the truth is %q", got)
	}
	p.keys("j", "r")
	p.types("Listen to the first word again.")
	p.decide("Control+Enter")
	marks := query[string](t, server, `SELECT m.reason FROM review_marks m JOIN reviews r ON r.id = m.review_id WHERE r.item_id = $1 AND m.x IS NOT NULL`, item)
	if len(marks) == 0 || marks[0] != "wrong_words" {
		t.Errorf("the reasons are %q", marks)
	}
	p.hearingReady()
	p.keys("m")
	p.decide("a")
	if got := query[string](t, server, `SELECT r.decision FROM reviews r JOIN item_texts x ON x.item_id = r.item_id JOIN projects p ON p.id = x.project_id
		WHERE p.slug = $1 AND x.file_name LIKE '%' || $2`, h.slug, other+".wav"); len(got) != 1 || got[0] != "merged" || h.truthOf(t, server, other) == "" {
		t.Errorf("decided %q, truth %q", got, h.truthOf(t, server, other))
	}
	p.window(playwright.Size{Width: 390, Height: 844}, playwright.ColorSchemeDark)
	p.open(fmt.Sprintf("/review/%d", h.item(t, server, other)))
	p.hearingReady()
	p.must(p.Locator("[data-slot] [data-variant]").First().Click())
	p.accessible()
}

// item is the id of an utterance.
func (h hearing) item(t *testing.T, s *Server, name string) int64 {
	t.Helper()
	return query[int64](t, s, `SELECT x.item_id FROM item_texts x JOIN projects p ON p.id = x.project_id WHERE p.slug = $1 AND x.file_name LIKE '%' || $2`, h.slug, name+".wav")[0]
}

// A reviewer looks at less of the time with the keys of the transcript workbench, the buttons, the wheel and the small picture, while words
// are written too; moments lie where they sound, and playing turns the page.
func TestZoomInReview(t *testing.T) {
	t.Parallel()
	server := shared(t)
	const name = "dir-intro"
	h := newHearing(t, server, name)
	p := signIn(t, server, h.reviewer)
	p.open(fmt.Sprintf("/review/%d", h.item(t, server, name)))
	p.hearingReady()
	mini := p.Locator("[data-part=mini]")
	shown := func(what string, want bool) {
		t.Helper()
		if got, err := mini.IsVisible(); err != nil || got != want {
			t.Fatalf("%s: only a part of the time is shown: %t, %v", what, got, err)
		}
	}
	// where is how a moment lies, in parts of the picture.
	where := func() (at struct{ Left, Width float64 }) {
		t.Helper()
		p.evaluate(`(() => { const w = document.querySelector("[data-part=wave]").getBoundingClientRect(), b = document.querySelector(".track .bar").getBoundingClientRect();
			return { Left: (b.left - w.left) / w.width, Width: b.width / w.width } })()`, &at)
		return at
	}
	shown("at first", false)
	whole := where()
	p.keys("Alt+=", "Alt+=")
	shown("after Alt +", true)
	if near := where(); near.Width < 2*whole.Width || near.Width > 2.5*whole.Width {
		t.Errorf("a moment of %v of the picture becomes one of %v", whole.Width, near.Width)
	}
	p.accessible()
	p.keys("Alt+-", "Alt+-", "Alt+-")
	shown("after Alt -", false)
	if again := where(); math.Abs(again.Left-whole.Left) > 0.002 {
		t.Errorf("a moment at %v comes back at %v", whole.Left, again.Left)
	}
	p.press("Show less of the time")
	shown("after the button", true)
	p.press("Show more of the time")
	shown("after the other button", false)

	p.must(p.Locator("[data-part=wave]").Hover(playwright.LocatorHoverOptions{Position: &playwright.Position{X: 20, Y: 20}})) // where the moment begins
	p.must(p.Keyboard().Down("Control"))
	p.must(p.Mouse().Wheel(0, -100))
	p.must(p.Mouse().Wheel(0, -100))
	p.must(p.Keyboard().Up("Control"))
	p.waits(`() => !document.querySelector("[data-part=mini]").hidden`)
	before := where()
	p.must(p.Mouse().Wheel(0, 60))
	p.waits(`before => { const w = document.querySelector("[data-part=wave]").getBoundingClientRect(), b = document.querySelector(".track .bar").getBoundingClientRect();
		return (b.left - w.left) / w.width < before - 0.01 }`, before.Left)
	p.must(mini.Click(playwright.LocatorClickOptions{Position: &playwright.Position{X: 2, Y: 10}}))
	if first := where(); first.Left < 0 {
		t.Errorf("at the beginning the first moment lies at %v", first.Left)
	}
	p.keys("e", "Alt+-", "Alt+-", "Alt+-") // while words are written
	shown("in the text", false)
	p.keys("Alt+=", "Alt+=", "Alt+=", "Alt+=", "Alt+=", "Alt+=", "Escape")
	p.keys("j", "p") // as many places as there are lie somewhere in the time: the one that is played is in sight
	p.playing()
	p.waits(`() => !document.querySelector("[data-part=playhead]").hidden`)
	p.keys("?")
	p.sees("Show less of the time")
}
