package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"fiducial/internal/agreement"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
)

// hearingPage is the page on which a reviewer decides about an utterance, beside what every item has.
func (s *Server) hearingPage(r *http.Request, v web.ReviewView, reviewed store.Reviewed, classes []store.Class) (web.HearingView, error) {
	hearing, err := s.Store.SoundOf(r.Context(), actorOf(r), reviewed.Item)
	gone := errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrGone)
	if err != nil && !gone {
		return web.HearingView{}, err
	}
	page := web.HearingView{ReviewView: v, Labels: len(classes) > 0}
	page.Hearing = hearingState(reviewed, v)
	page.Hearing.Left, page.Hearing.Right = hearing.LeftContext, hearing.RightContext
	page.Hearing.Class, page.Hearing.Keys = v.State.Classes, v.State.Keys
	page.Segments = segmentViews(page.Hearing, v)
	page.Hint = momentsHint(page.Hearing.Objects)
	return page, nil
}

// momentsHint says how far the moments agree and what to press.
func momentsHint(objects []web.HearingObject) string {
	open := 0
	for _, o := range objects {
		if !o.Settled {
			open++
		}
	}
	switch open {
	case 0:
		return "All answers have the same moments."
	case 1:
		return fmt.Sprintf("1 of %d needs a judgment: j goes to it, m takes what most have.", len(objects))
	}
	return fmt.Sprintf("%d of %d need a judgment: j goes to the next one, m takes what most have.", open, len(objects))
}

// hearingState is an utterance as assets/src/hearing takes it.
func hearingState(r store.Reviewed, v web.ReviewView) web.HearingState {
	state := web.HearingState{
		Seconds: r.Seconds, Channels: r.Channels, Sound: soundPath(r.Item), Peaks: peaksPath(r.Item), Saw: r.SawThem,
		Answers: []web.HearingAnswer{}, Parts: []web.HearingPart{}, Objects: []web.HearingObject{}, Heard: []web.HearingTime{},
	}
	if r.Hypotheses > 0 {
		state.Models = reviewHref(r.Item) + "/models"
	}
	texts := make([]speech.Transcript, len(r.Answers))
	boxes := make([][]store.Box, len(r.Answers))
	for i, a := range r.Answers {
		texts[i], boxes[i] = a.Transcript, a.Boxes
		state.Answers = append(state.Answers, web.HearingAnswer{ID: a.ID, Letter: letter(i), Segments: hearingSegments(a.Transcript), Moments: workbenchBoxes(a.Boxes, "")})
	}
	if r.Truth != nil {
		state.Truth = &web.HearingAnswer{Letter: "truth", Segments: hearingSegments(r.Truth.Transcript), Moments: workbenchBoxes(r.Truth.Boxes, "")}
	}
	normalizer := speech.ProjectNormalizer(r.Normalizer)
	switch {
	case len(r.Answers) > 1:
		aligned := speech.AlignParts(texts, normalizer)
		state.Segments = hearingSegments(aligned.Base)
		state.Parts = hearingParts(aligned, partTimes(aligned, r.Heard, normalizer))
		state.Objects = hearingObjects(boxes, r.LooseLimit)
	case v.Truth:
		state.Segments = state.Truth.Segments
	case len(r.Answers) == 1:
		state.Segments = state.Answers[0].Segments
	}
	if len(state.Segments) == 0 && r.Seconds > 0 {
		state.Segments = []web.HearingSegment{{End: r.Seconds}}
	}
	switch {
	case v.Truth:
		state.Begin = "truth"
	case len(r.Answers) == 1:
		state.Begin = letter(0)
	}
	return state
}

func hearingSegments(t speech.Transcript) []web.HearingSegment {
	segments := make([]web.HearingSegment, len(t))
	for i, s := range t {
		segments[i] = web.HearingSegment(s)
	}
	return segments
}

func hearingParts(a speech.Aligned, times []web.HearingTime) []web.HearingPart {
	parts := make([]web.HearingPart, len(a.Parts))
	for i, p := range a.Parts {
		part := web.HearingPart{Segment: p.Segment, Merged: p.Merged, Begin: times[i].Begin, End: times[i].End}
		for answer := range a.Network.Transcripts {
			part.Own = append(part.Own, a.Network.Text(p.Part, answer))
		}
		for _, v := range p.Variants {
			part.Variants = append(part.Variants, web.HearingVariant{Text: v.Text, Who: strings.ReplaceAll(answerLetters(v.Transcripts), " and ", ", ")})
		}
		parts[i] = part
	}
	return parts
}

// partTimes says about when each part is spoken: by the times of the words that a model heard, where the answers have the same, and in
// between in proportion to the words' length.
func partTimes(a speech.Aligned, heard []store.HeardWord, n speech.Normalizer) []web.HearingTime {
	words, _ := speech.WordsOf(a.Base, n)
	known := map[int]web.HearingTime{} // by the base's word
	if len(heard) > 0 {
		ref, hyp := make([]string, len(words)), make([]string, len(heard))
		for i, w := range words {
			ref[i] = w.Key
		}
		for i, w := range heard {
			hyp[i] = n.Normalize(w.Word)
		}
		at, said := 0, 0
		for _, step := range speech.Align(ref, hyp) {
			switch step.Op {
			case speech.Insertion:
				said++
			case speech.Deletion:
				at++
			default:
				known[at] = web.HearingTime{Begin: heard[said].Start, End: heard[said].End}
				at, said = at+1, said+1
			}
		}
	}
	return spreadTimes(a, known)
}

// spreadTimes gives every part its share of its segment's time, and those of words whose time is known theirs.
func spreadTimes(a speech.Aligned, known map[int]web.HearingTime) []web.HearingTime {
	length := func(p speech.SpanPart) float64 {
		most := 1
		for _, v := range p.Variants {
			most = max(most, len([]rune(v.Text))+1)
		}
		return float64(most)
	}
	totals := make([]float64, len(a.Base))
	for _, p := range a.Parts {
		totals[p.Segment] += length(p)
	}
	times, done := make([]web.HearingTime, len(a.Parts)), make([]float64, len(a.Base))
	for i, p := range a.Parts {
		s := a.Base[p.Segment]
		at := func(share float64) float64 { return s.Begin + (s.End-s.Begin)*share/totals[p.Segment] }
		t := web.HearingTime{Begin: at(done[p.Segment]), End: at(done[p.Segment] + length(p))}
		done[p.Segment] += length(p)
		first, last := false, t
		for _, slot := range a.Network.Slots[p.From:p.To] {
			if k, ok := known[slot[a.Network.Base]]; ok && slot[a.Network.Base] >= 0 {
				if !first {
					t, first = k, true
				}
				last = k
			}
		}
		if first {
			t.End = max(t.Begin, last.End)
		}
		times[i] = t
	}
	return times
}

// hearingObjects are the moments that several answers make together.
func hearingObjects(answers [][]store.Box, loose float64) []web.HearingObject {
	m := store.MatchAnswers(answers, agreement.Limits{Loose: loose, Moments: true})
	proposed := map[agreement.Box]bool{}
	for _, b := range m.Proposal() {
		proposed[b] = true
	}
	objects := make([]web.HearingObject, len(m.Objects))
	for i, o := range m.Objects {
		v := web.HearingObject{ID: objectID(i), Members: make([]int, len(answers)), Settled: settled(o), Finding: string(o.Worst())}
		for a := range v.Members {
			v.Members[a] = -1
		}
		for _, r := range o.Members {
			v.Members[r.Answer] = r.Box
		}
		if proposed[o.Box] {
			v.Merged = new(mergedBox(o, v.ID))
		}
		objects[i] = v
	}
	return objects
}

// segmentViews are the words for reading.
func segmentViews(state web.HearingState, v web.ReviewView) []web.HearingSegmentView {
	views := make([]web.HearingSegmentView, len(state.Segments))
	several := len(v.Answers) > 1
	for i, s := range state.Segments {
		views[i] = web.HearingSegmentView{Number: i + 1, Speaker: s.Speaker, Time: fmt.Sprintf("%s to %s", soundClock(s.Begin), soundClock(s.End)), Text: s.Text}
		if s.Channel > 0 && s.Speaker == "" {
			views[i].Speaker = "Channel " + strconv.Itoa(s.Channel)
		}
		if several && state.Begin != "truth" {
			views[i].Text = ""
		}
	}
	if state.Begin == "truth" && several && state.Truth != nil && len(state.Truth.Segments) == len(views) {
		for i, s := range state.Truth.Segments {
			views[i].Text = s.Text
		}
	}
	number := 0
	for at, p := range state.Parts {
		part := web.HearingNumbered{HearingPart: p, At: at}
		if p.Differs() {
			number++
			part.Number = number
		}
		views[p.Segment].Parts = append(views[p.Segment].Parts, part)
	}
	return views
}

// soundClock writes seconds as "1:04.5".
func soundClock(seconds float64) string {
	tenths := int(seconds*10 + 0.5)
	return fmt.Sprintf("%d:%02d.%d", tenths/600, tenths/10%60, tenths%10)
}

// answerWords says how much an answer to an utterance holds.
func answerWords(a store.ReviewAnswer) string {
	words := someOf(len(strings.Fields(a.Transcript.Text())), "word", "words")
	if len(a.Boxes) == 0 {
		return words
	}
	return words + ", " + someOf(len(a.Boxes), "moment", "moments")
}

func someOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// modelHeard is what a model heard, for a reviewer who asked.
type modelHeard struct {
	Model string `json:"model"`
	Text  string `json:"text"`
}

// showModels shows what models heard on an item, and keeps that it was shown.
func (s *Server) showModels(w http.ResponseWriter, r *http.Request) error {
	list, err := asked(r, "item", s.Store.RevealHypotheses)
	if err != nil {
		return err
	}
	heard := make([]modelHeard, len(list))
	for i, h := range list {
		heard[i] = modelHeard{cmp.Or(h.Model, "A prefill"), h.Text}
	}
	return renderJSON(w, http.StatusOK, heard)
}
