package handlers

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// showUtterance is the transcript workbench: showTask for an item of sound.
func (s *Server) showUtterance(w http.ResponseWriter, r *http.Request, work store.Work) error {
	v := web.TranscriptView{State: s.workbenchState(r, work), Nonce: allowStyle(w)}
	v.Page = s.page(r, work.Name, ui.Crumb{Label: "My queue", Href: queuePath},
		ui.Crumb{Label: work.ProjectName, Href: "/projects/" + work.Slug}, ui.Crumb{Label: work.Name})
	project, err := s.Store.Project(r.Context(), actorOf(r), work.Slug)
	if err != nil {
		return err
	}
	if project.GuidelineVersion > 0 {
		v.Book = fmt.Sprintf("guideline v%d", project.GuidelineVersion)
	}
	if work.Rules.Body != "" {
		v.HowTo = web.Markdown(work.Rules.Body)
	}
	v.Rules = "/projects/" + work.Slug + "/guideline"
	if cameBack(work) {
		panel, err := s.discussionPanel(r, work.Item, taskPath(work.Task))
		if err != nil {
			return err
		}
		v.Discussion = web.DiscussionPanel(panel)
	}
	return render(w, r, http.StatusOK, web.TranscriptPage(v))
}

// allowStyle lets the answer's page have style elements that bear the nonce which it returns: the waveform's drawer keeps its
// few rules in one, inside its own shadow tree.
func allowStyle(w http.ResponseWriter) string {
	nonce := base64.StdEncoding.EncodeToString([]byte(rand.Text()))
	policy := strings.Replace(contentPolicy, "style-src 'self'", "style-src 'self' 'nonce-"+nonce+"'", 1)
	w.Header().Set("Content-Security-Policy", policy)
	return nonce
}

// usualTags are what can stand for sounds that are no words, where the rules name none; each has its key.
var usualTags = []web.WorkbenchTag{{Text: "[noise]", Act: "noise"}, {Text: "[laughter]", Act: "laughter"}}

// tagsOf are the tags that the rules let be written, those for what nobody can make out and for silence before all others.
func tagsOf(rules speech.Rules) []web.WorkbenchTag {
	tags := []web.WorkbenchTag{{Text: rules.UnintelligibleTag(), Act: "unintelligible"}, {Text: speech.NoSpeech, Act: "no-speech"}}
	if len(rules.Tags) == 0 {
		return append(tags, usualTags...)
	}
	for _, t := range rules.Tags {
		if t.Text != tags[0].Text && t.Text != tags[1].Text {
			tags = append(tags, web.WorkbenchTag{Text: t.Text, Key: t.Key, About: t.About})
		}
	}
	return tags
}

// workbenchSound is what the workbench gets to know of an utterance: of what models heard only what the store lets be seen.
func workbenchSound(work store.Work) *web.WorkbenchSound {
	if work.Seconds == 0 {
		return nil
	}
	sound := &web.WorkbenchSound{
		Src: itemMediaHref(work.Item, "sound"), Peaks: itemMediaHref(work.Item, "peaks"), Seconds: work.Seconds,
		Lead: min(work.Begins, work.Context), Trail: max(min(work.Trail, work.Context), 0), Channels: work.Channels, Begins: work.Begins,
		Mode: work.Mode, Transcript: work.Transcript, Heard: workbenchHeard(work.Heard), Picked: pickedFor(work.Picked), Tags: tagsOf(work.Rules.Checks), Rules: work.Rules.Checks,
		Around: []web.WorkbenchNeighbor{},
	}
	for _, n := range work.Neighbors {
		sound.Around = append(sound.Around, web.WorkbenchNeighbor{Begin: n.Begins, End: n.Ends, Channel: n.Channel, Text: n.Transcript.Text()})
	}
	return sound
}

func workbenchHeard(heard []store.Hypothesis) []web.WorkbenchHeard {
	shown := make([]web.WorkbenchHeard, len(heard))
	for i, h := range heard {
		shown[i] = web.WorkbenchHeard{Model: h.Model, Confidence: h.Confidence, Text: h.Text, Words: make([]web.WorkbenchWord, len(h.Words))}
		for j, word := range h.Words {
			shown[i].Words[j] = web.WorkbenchWord(word)
		}
	}
	return shown
}

// pickedFor says in words why a plan chose an utterance.
func pickedFor(p *store.Picked) string {
	tenths := []string{"least", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "most"}
	switch {
	case p == nil:
		return ""
	case p.Arm == "control":
		return "drawn at random, for comparison"
	case p.Decile == 1 || p.Decile == len(tenths):
		return tenths[p.Decile-1] + " confident tenth"
	}
	return tenths[p.Decile-1] + " tenth by confidence"
}

// soundFacts are what stands beside an utterance's name: its length, its rate, its channel.
func soundFacts(work store.Work) string {
	facts := fmt.Sprintf("%.1f s, %s kHz", work.Seconds, strconv.FormatFloat(math.Round(float64(work.Rate)/100)/10, 'f', -1, 64))
	if work.Channels > 1 {
		facts += fmt.Sprintf(", %d channels", work.Channels)
	}
	return facts
}

// revealed is what models heard, for whoever asked to see it.
type revealed struct {
	Heard  []web.WorkbenchHeard `json:"heard"`
	Picked string               `json:"picked"`
}

// revealHypothesis shows what models heard to a labeler whose own words are saved.
func (s *Server) revealHypothesis(w http.ResponseWriter, r *http.Request) error {
	task, err := pathID(r, "task")
	if err != nil {
		return err
	}
	var ask struct {
		Assignment int64 `json:"assignment"`
	}
	if err := readJSON(w, r, largestRequest, &ask); err != nil {
		return err
	}
	heard, err := s.Store.Reveal(r.Context(), actorOf(r), task, ask.Assignment)
	if err != nil {
		return err
	}
	return renderJSON(w, http.StatusOK, revealed{Heard: workbenchHeard(heard)})
}
