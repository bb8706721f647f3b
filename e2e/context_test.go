package e2e

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// What was heard in two utterances of a real call before anybody wrote them down, and what is decided around them.
const (
	firstHeard  = "using your touch tone keypad"
	secondHeard = "nine key for zee"
	saidBefore  = "of your party's last name"
	saidBehind  = "use the seven key"
	saidFarOff  = "welcome to the directory"
)

// newConversation is one real call with five utterances: what was said in three of them is decided; the two others wait for a labeler, the
// first before the second, each with what an unnamed recognizer heard.
func newConversation(t *testing.T, s *Server, mode string) floor {
	t.Helper()
	f := floor{slug: "talk-" + strings.ToLower(rand.Text()[:8]), labeler: addAccount(t, s, "labeler")}
	f.command(t, s, "project", "add", f.slug, "--kind", "audio", "--accept", "truth")
	admin := signIn(t, s, addAccount(t, s, "admin"))
	admin.addMember(f.slug, f.labeler)
	sound, err := os.ReadFile(filepath.Join(realData(t, "speech"), "wav", "dir-intro.wav"))
	if err != nil {
		t.Fatal(err)
	}
	calls := writeFolder(t, map[string][]byte{"call.wav": sound})
	lines := writeFolder(t, map[string][]byte{
		"said.jsonl": []byte(`{"audio_filepath": "call.wav", "offset": 0, "duration": 1.5, "text": "` + saidFarOff + `"}
{"audio_filepath": "call.wav", "offset": 3, "duration": 2, "text": "` + saidBefore + `"}
{"audio_filepath": "call.wav", "offset": 7, "duration": 2, "text": "` + saidBehind + `"}
`),
		"heard.jsonl": []byte(`{"audio_filepath": "call.wav", "offset": 5, "duration": 2, "text": "` + firstHeard + `"}
{"audio_filepath": "call.wav", "offset": 9, "duration": 1, "text": "` + secondHeard + `"}
`),
	})
	f.command(t, s, "import", f.slug, filepath.Join(lines, "said.jsonl"), "--media", calls, "--format", "nemo", "--as", "truth")
	f.command(t, s, "import", f.slug, filepath.Join(lines, "heard.jsonl"), "--media", calls, "--format", "nemo", "--as", "prefill")
	eventually(t, s, 5, `SELECT count(*)::int FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND i.state = 'ready'`, f.slug)
	eventually(t, s, 2, `SELECT count(*)::int FROM tasks t JOIN projects p ON p.id = t.project_id WHERE p.slug = $1 AND t.state = 'open'`, f.slug)
	admin.prefill(f.slug, mode)
	return f
}

// lines are the texts in a part of the page.
func (p *page) lines(part string) (texts []string) {
	p.t.Helper()
	p.evaluate(`[...document.querySelectorAll('[data-part="`+part+`"] .t')].map(t => t.textContent)`, &texts)
	return texts
}

// views counts what is kept of what a labeler was shown of the utterance that begins then, and how often its sound was at hand.
const (
	viewsSQL = `SELECT count(*)::int FROM hypothesis_views v JOIN items i ON i.id = v.item_id JOIN projects p ON p.id = i.project_id
		WHERE p.slug = $1 AND i.begins = $2 AND v.how = 'edit'`
	heardSQL = `SELECT count(DISTINCT m.person_id)::int FROM media_reads m JOIN items i ON i.id = m.item_id JOIN projects p ON p.id = i.project_id
		WHERE p.slug = $1 AND i.begins = $2 AND m.kind = 'sound'`
	heldSQL = `SELECT count(*)::int FROM assignments a JOIN projects p ON p.id = a.project_id WHERE p.slug = $1 AND a.state = 'leased'`
)

// A labeler reads what is decided around an utterance, as far as they hear it, and hears each line by a click.
func TestContextLines(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newConversation(t, server, "blind")
	p := signIn(t, server, f.labeler)
	p.transcribe(f.slug)
	if before, behind := p.lines("before"), p.lines("after"); strings.Join(before, "|") != saidBefore || strings.Join(behind, "|") != saidBehind {
		t.Fatalf("before it stands %q, behind it %q", before, behind)
	}
	p.accessible()
	var whole string
	p.evaluate(`document.documentElement.outerHTML`, &whole)
	for _, hidden := range []string{saidFarOff, firstHeard, secondHeard} {
		if strings.Contains(whole, hidden) {
			t.Errorf("the page holds %q", hidden)
		}
	}
	p.types("mine")
	p.must(p.Locator(`[data-part="before"] button`).Click())
	// Two seconds before the utterance, of which three can be heard.
	p.waits(`() => { const a = document.querySelector("audio"); return !a.paused && a.currentTime > 1 && a.currentTime < 3 }`)
	p.silent() // where the line ends
	p.evaluate(`window.ended = document.querySelector("audio").currentTime`, new(float64))
	p.waits(`() => Math.abs(window.ended - 3) < 0.5`)
	if got := p.written(); got != "mine" {
		t.Errorf("hearing a line made %q of what was written", got)
	}
	p.submitUtterance()
	if before := p.lines("before"); strings.Join(before, "|") != saidBehind {
		t.Errorf("before the next one stands %q", before)
	}
	p.keys("Alt+w")
	p.fill("Why?", "Who is spoken of?")
	p.press("Hear more")
	p.waits(`() => document.querySelectorAll('[data-part="before"] .t').length === 3`)
	if before := p.lines("before"); strings.Join(before, "|") != saidFarOff+"|"+saidBefore+"|"+saidBehind {
		t.Errorf("with more around it, before it stands %q", before)
	}
}

// What was fetched ahead is kept as seen once it is on the screen, and no sooner; where no page could say so, the answer does.
func TestShownIsKept(t *testing.T) {
	t.Parallel()
	server := shared(t)
	for _, lost := range []bool{false, true} {
		f := newConversation(t, server, "edit")
		p := signIn(t, server, f.labeler)
		if lost {
			p.expect("ERR_FAILED")
			p.must(p.Route("**/shown", func(r playwright.Route) { _ = r.Abort() }))
		}
		p.transcribe(f.slug)
		if got := p.written(); got != firstHeard {
			t.Fatalf("the first begins from %q", got)
		}
		eventually(t, server, 1, viewsSQL, f.slug, 5)
		eventually(t, server, 2, heldSQL, f.slug) // the second is fetched
		fetched := `() => performance.getEntriesByType("resource").some(e => e.name.includes("ahead=1") && e.responseEnd > 0)`
		p.waits(fetched)
		eventually(t, server, 0, viewsSQL, f.slug, 9)
		eventually(t, server, 0, heardSQL, f.slug, 9)
		p.submitUtterance()
		if got := p.written(); got != secondHeard {
			t.Fatalf("the second begins from %q", got)
		}
		if lost {
			eventually(t, server, 0, viewsSQL, f.slug, 9)
		} else {
			eventually(t, server, 1, viewsSQL, f.slug, 9)
			eventually(t, server, 1, heardSQL, f.slug, 9)
		}
		p.keys("Control+End")
		p.types(" please")
		p.saved()
		p.keys("Control+Enter")
		eventually(t, server, "1 of 5 words", `SELECT coalesce(max(v.edits || ' of ' || v.words || ' words'), '') FROM hypothesis_views v JOIN items i ON i.id = v.item_id
			JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND i.begins = 9 AND v.annotation_id IS NOT NULL`, f.slug)
	}
}

// Whoever is to write from silence is shown nothing of what was heard, fetched ahead or not, and nothing is kept as seen but the sound.
func TestBlindIsShownNothing(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := newConversation(t, server, "blind")
	p := signIn(t, server, f.labeler)
	told := make(chan int, 1)
	p.OnResponse(func(r playwright.Response) {
		if strings.HasSuffix(r.URL(), "/shown") {
			select {
			case told <- r.Status():
			default:
			}
		}
	})
	p.transcribe(f.slug)
	eventually(t, server, 2, heldSQL, f.slug)
	for _, begins := range []int{5, 9} {
		var whole string
		p.evaluate(`document.documentElement.outerHTML`, &whole)
		answer, err := p.Evaluate(`fetch(location.pathname + "/state").then(r => r.text())`)
		p.must(err)
		state, ok := answer.(string)
		if !ok || !strings.Contains(state, `"mode":"blind"`) {
			t.Fatalf("the state of the task is %v", answer)
		}
		if p.written() != "" || strings.Contains(whole+state, firstHeard) || strings.Contains(whole+state, secondHeard) {
			t.Fatalf("a blind labeler is shown what was heard: %s", state)
		}
		p.types("my own words")
		p.saved()
		if begins == 5 {
			p.submitUtterance()
		} else if status := <-told; status != 204 {
			t.Errorf("that it is shown is answered by %d", status)
		}
	}
	eventually(t, server, 1, heardSQL, f.slug, 9)
	eventually(t, server, 0, `SELECT count(*)::int FROM hypothesis_views v JOIN items i ON i.id = v.item_id JOIN projects p ON p.id = i.project_id WHERE p.slug = $1`, f.slug)
}
