package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"fiducial/internal/speech"
	"fiducial/web"
)

// listen makes the bench's items utterances of two seconds in a recording of their own, each with what a model heard.
func (b *bench) listen(mode string) {
	b.t.Helper()
	b.run(`UPDATE projects SET kind = 'audio', prefill_mode = $1`, mode)
	b.run(`INSERT INTO recordings (project_id, source_id, key_hash, state, encoding, rate, channels, frames)
		SELECT project_id, min(source_id), '\x01', 'ready', 'pcm16', 8000, 1, 80000 FROM items GROUP BY project_id`)
	b.run(`UPDATE items SET width = NULL, height = NULL, recording_id = r.id, begins = 1, ends = 3 FROM recordings r`)
	b.run(`INSERT INTO predictions (item_id, purpose, confidence, words) SELECT id, 'prefill', 0.4, 2 FROM items`)
	b.run(`INSERT INTO hypotheses (item_id, prediction_id, text, words)
		SELECT item_id, id, 'hello wurld', '[{"word":"hello","start":0.1,"end":0.5,"confidence":0.9},{"word":"wurld","start":0.5,"end":1,"confidence":0.31337}]' FROM predictions`)
}

type sentWords struct {
	Assignment int64              `json:"assignment"`
	Version    int                `json:"version"`
	Boxes      []web.WorkbenchBox `json:"boxes"`
	Transcript speech.Transcript  `json:"transcript"`
}

func TestTranscriptWorkbenchFromClaimToRecall(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	b.listen("edit")
	state := b.open()
	sound := state.Sound
	if sound == nil || sound.Seconds != 2 || sound.Lead != 1 || sound.Trail != 3 || len(sound.Heard) != 1 || sound.Transcript.Text() != "hello wurld" || state.Image.Src != "" {
		t.Fatalf("%+v", sound)
	}
	moment := web.WorkbenchBox{ID: "m", Class: b.class, X: 0.5, W: 1, H: 1}
	answer := sentWords{state.Assignment, 0, []web.WorkbenchBox{moment}, speech.Transcript{{End: 2, Text: "hello world"}}}
	type saved struct{ Version int }
	if v := read[saved](b.labeler.send(http.MethodPut, state.URLs.Draft, answer), http.StatusOK); v.Version != 1 {
		t.Fatalf("draft version %d", v.Version)
	}
	other := answer
	other.Transcript = speech.Transcript{{End: 2, Text: "hello there"}}
	stored := read[sentWords](b.labeler.send(http.MethodPut, state.URLs.Draft, other), http.StatusConflict)
	if stored.Version != 1 || stored.Transcript.Text() != "hello world" || len(stored.Boxes) != 1 {
		t.Fatalf("%+v", stored)
	}
	type problem struct{ Detail string }
	empty := sentWords{state.Assignment, 1, nil, speech.Transcript{{End: 2}}}
	if p := read[problem](b.labeler.send(http.MethodPost, state.URLs.Submit, empty), http.StatusUnprocessableEntity); !strings.Contains(p.Detail, "[no speech]") {
		t.Fatalf("an answer without words: %q", p.Detail)
	}
	answer.Version = 1
	type receipt struct{ Next string }
	for range 2 {
		if r := read[receipt](b.labeler.send(http.MethodPost, state.URLs.Submit, answer), http.StatusOK); r.Next == "" {
			t.Fatal("nowhere to go on")
		}
	}
	back := read[web.WorkbenchState](b.labeler.send(http.MethodPost, state.URLs.Recall, map[string]int64{"task": state.Task}), http.StatusOK)
	if back.Task != state.Task || back.Sound.Transcript.Text() != "hello world" || len(back.Boxes) != 1 || back.Boxes[0].W != 1 {
		t.Fatalf("%+v", back.Sound)
	}
}

// Nothing of what models heard is in a blind labeler's page, or in anything that the workbench asks for.
func TestBlindPagesHoldNoHypothesis(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"blind", "reveal"} {
		b := newBench(t, 2)
		b.listen(mode)
		state := b.open()
		page := b.labeler.get(strings.TrimSuffix(state.URLs.State, "/state")).want(http.StatusOK).Body.String()
		next := b.labeler.send(http.MethodPost, state.URLs.Next, map[string]int64{"after": state.Assignment}).want(http.StatusOK).Body.String()
		again := b.labeler.get(state.URLs.State).want(http.StatusOK).Body.String()
		for name, text := range map[string]string{"page": page, "next": next, "state": again} {
			if strings.Contains(text, "wurld") || strings.Contains(text, "0.31337") {
				t.Errorf("%s: the %s holds the hypothesis", mode, name)
			}
		}
		if offered := state.URLs.Reveal != ""; offered != (mode == "reveal") {
			t.Errorf("%s: revealing is offered: %t", mode, offered)
		}
	}
}

func TestRevealThroughTheWorkbench(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.listen("reveal")
	state := b.open()
	ask := map[string]int64{"assignment": state.Assignment}
	type problem struct{ Detail string }
	if p := read[problem](b.labeler.send(http.MethodPost, state.URLs.Reveal, ask), http.StatusUnprocessableEntity); !strings.Contains(p.Detail, "Write down first") {
		t.Fatalf("%q", p.Detail)
	}
	own := sentWords{state.Assignment, 0, nil, speech.Transcript{{End: 2, Text: "hello"}}}
	b.labeler.send(http.MethodPut, state.URLs.Draft, own).want(http.StatusOK)
	var shown struct {
		Heard []web.WorkbenchHeard `json:"heard"`
	}
	if err := json.Unmarshal(b.labeler.send(http.MethodPost, state.URLs.Reveal, ask).want(http.StatusOK).Body.Bytes(), &shown); err != nil || len(shown.Heard) != 1 || shown.Heard[0].Text != "hello wurld" {
		t.Fatalf("%+v, %v", shown, err)
	}
}

// The page's own style may bear a nonce, another one each time; nothing else is let in.
func TestTranscriptPagesAllowOneStyle(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.listen("blind")
	state := b.open()
	path := strings.TrimSuffix(state.URLs.State, "/state")
	nonces := map[string]bool{}
	for range 2 {
		got := b.labeler.get(path).want(http.StatusOK)
		policy := got.Header().Get("Content-Security-Policy")
		_, after, ok := strings.Cut(policy, "style-src 'self' 'nonce-")
		nonce, _, _ := strings.Cut(after, "'")
		if !ok || len(nonce) < 22 || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "script-src 'self';") {
			t.Fatalf("policy %q", policy)
		}
		if !strings.Contains(got.Body.String(), `data-nonce="`+nonce+`"`) {
			t.Error("the page does not know its nonce")
		}
		nonces[nonce] = true
	}
	if len(nonces) != 2 {
		t.Error("the same nonce twice")
	}
}
