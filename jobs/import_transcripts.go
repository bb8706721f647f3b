package jobs

import (
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"strings"

	"fiducial/internal/formats"
	"fiducial/internal/speech"
	"fiducial/store"
)

// transcripts yields the utterances of a file in the import's format.
func (r *importReading) transcripts(content io.Reader, file string, yield func(*utterance) error) (formats.Report, error) {
	several := func(recording formats.Recording) error { return r.segments(file, &recording, yield) }
	alone := func(recording formats.Recording, report formats.Report, err error) (formats.Report, error) {
		if err != nil {
			return report, err
		}
		recording.Key = strings.TrimSuffix(file, path.Ext(file))
		return report, several(recording)
	}
	switch r.run.Format {
	case store.FormatHypotheses:
		return formats.ReadHypotheses(content, func(h formats.Hypothesis) error { return yield(heard(file, &h)) })
	case store.FormatNeMo:
		return formats.ReadNeMo(content, func(recording formats.Recording) error { return yield(r.line(file, &recording)) })
	case store.FormatCTM:
		return formats.ReadCTM(content, several)
	case store.FormatSTM:
		return formats.ReadSTM(content, several)
	case store.FormatLabelStudio:
		return formats.ReadLabelStudioAudio(content, several)
	case store.FormatVTT:
		segments, report, err := formats.ReadVTT(content)
		return alone(formats.Recording{Segments: segments}, report, err)
	case store.FormatSRT:
		segments, report, err := formats.ReadSRT(content)
		return alone(formats.Recording{Segments: segments}, report, err)
	}
	return alone(formats.ReadTextGrid(content))
}

// heard is a hypothesis of an item that is there already.
func heard(file string, h *formats.Hypothesis) *utterance {
	u := &utterance{byStem: true}
	u.Name, u.Keys = file+": "+h.Utterance, []string{h.Utterance}
	u.Alike = func(m *formats.Media) (string, error) { return find(m, h.Utterance, true) }
	u.Hypothesis = &store.ImportHypothesis{Text: h.Text, Words: hypothesisWords(h.Words, 0)}
	if h.Scored {
		u.Hypothesis.Confidence = &h.Confidence
	}
	return u
}

// hypothesisWords are the words of a hypothesis in seconds of an item that begins at a time of the recording.
func hypothesisWords(words []formats.TimedWord, begins float64) (converted []store.HeardWord) {
	for _, w := range words {
		word := store.HeardWord{Word: w.Text, Start: exact(w.Start - begins), End: exact(w.End - begins)}
		if w.Scored {
			word.Confidence = &w.Confidence
		}
		converted = append(converted, word)
	}
	return converted
}

// exact is a time without the last digits that the difference of decimal fractions makes.
func exact(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// uttKey is the value of a NeMo line that names its utterance.
const uttKey = "utt_id"

// line is the utterance of one line of a NeMo manifest.
func (r *importReading) line(file string, recording *formats.Recording) *utterance {
	s := &recording.Segments[0]
	u := &utterance{own: recording.Metadata[uttKey]}
	u.Sound, u.Metadata = recording.Key, map[string]string{}
	for key, value := range recording.Metadata {
		if key != uttKey {
			u.Metadata[key] = value
		}
	}
	for key, value := range map[string]string{speakerKey: s.Speaker, "lang": s.Language} {
		if value != "" {
			u.Metadata[key] = value
		}
	}
	if s.Start > 0 {
		u.suffix, u.Begins = spanSuffix(s), &s.Start
	}
	u.Ends = &s.End
	u.name(file)
	if s.End <= s.Start {
		u.Fault = "Its duration is 0: write how many seconds the utterance is long."
		return u
	}
	if !r.run.Keeps(speakerKey) {
		s.Speaker = ""
	}
	switch {
	case r.run.Purpose == store.PurposeTruth && !s.Unwritten:
		r.write(u, []formats.Segment{*s}, s.Start)
	case r.run.Purpose == store.PurposeTruth || r.run.Purpose == store.PurposeMedia:
	case s.Predicted != "":
		u.Hypothesis = &store.ImportHypothesis{Text: s.Predicted}
	case !s.Unwritten:
		u.Hypothesis = &store.ImportHypothesis{Text: s.Text}
	}
	return u
}

// spanSuffix tells a part of a recording from its other parts.
func spanSuffix(s *formats.Segment) string {
	text := func(v float64) string { return strconv.FormatFloat(exact(v), 'f', -1, 64) }
	suffix := "#" + text(s.Start) + "-" + text(s.End-s.Start)
	if s.Channel > 1 {
		suffix += fmt.Sprintf("@%d", s.Channel)
	}
	return suffix
}

// segments yields the utterances of a recording with segments: one, or one for each segment.
func (r *importReading) segments(file string, recording *formats.Recording, yield func(*utterance) error) error {
	var kept []formats.Segment
	unwritten := false
	for _, s := range recording.Segments {
		switch {
		case s.Unwritten:
			unwritten = true
		case s.Ignored:
			r.speech.dropped["a span that is not to be scored"]++
		case s.End <= s.Start:
			s.End = s.Start + shortestSegment
			kept = append(kept, s)
		default:
			kept = append(kept, s)
		}
	}
	if r.run.Options.Per != store.PerSegment {
		u := &utterance{byStem: true}
		u.Sound, u.Metadata = recording.Key, recording.Metadata
		u.name(file)
		if !unwritten {
			r.write(u, kept, 0)
			r.mark(u, recording.Moments, 0)
		}
		return yield(u)
	}
	placed := 0
	for i := range kept {
		s := &kept[i]
		u := &utterance{byStem: true, suffix: spanSuffix(s)}
		u.Sound, u.Channel, u.Begins, u.Ends = recording.Key, s.Channel, &s.Start, &s.End
		u.name(file)
		r.write(u, kept[i:i+1], s.Start)
		inside := momentsIn(recording.Moments, s)
		r.mark(u, inside, s.Start)
		placed += len(inside)
		if err := yield(u); err != nil {
			return err
		}
	}
	if r.run.Purpose == store.PurposeTruth && placed < len(recording.Moments) {
		r.speech.dropped["a moment that lies in no segment as a whole"]++
	}
	return nil
}

// momentsIn are those that lie in a segment as a whole, on its channel.
func momentsIn(moments []formats.Moment, s *formats.Segment) (inside []formats.Moment) {
	const slack = 1e-3
	for _, m := range moments {
		if m.Begin >= s.Start-slack && m.End <= s.End+slack && (m.Channel == 0 || s.Channel == 0 || m.Channel == s.Channel) {
			inside = append(inside, m)
		}
	}
	return inside
}

// mark gives an utterance that begins at a time of the recording these moments of it, as a part of its truth.
func (r *importReading) mark(u *utterance, moments []formats.Moment, begins float64) {
	if len(moments) == 0 || r.run.Purpose == store.PurposeMedia {
		return
	}
	if r.run.Purpose != store.PurposeTruth {
		r.speech.dropped["its moments, which only truth has"]++
		return
	}
	for _, m := range moments {
		u.Moments = append(u.Moments, store.ImportMoment{Class: m.Class, Begins: max(exact(m.Begin-begins), 0), Ends: exact(m.End - begins), Channel: m.Channel})
	}
}

// shortestSegment is what a segment without a length gets, in seconds. One that is alone, from the beginning, is of the whole
// recording, once it is known how long that is.
const shortestSegment = 0.001

// write gives an utterance that begins at a time of the recording what was written down, or heard, in these segments of it.
func (r *importReading) write(u *utterance, segments []formats.Segment, begins float64) {
	if r.run.Purpose == store.PurposeMedia {
		return
	}
	if r.run.Purpose != store.PurposeTruth {
		u.Hypothesis = hypothesisOf(segments, begins)
		return
	}
	u.Written = true
	for _, s := range segments {
		if len(s.Words) > 0 {
			r.speech.dropped["the times of words, which a transcript does not keep"]++
			break
		}
	}
	for _, s := range segments {
		u.Transcript = append(u.Transcript, speech.Segment{
			Begin: exact(s.Start - begins), End: exact(s.End - begins), Channel: s.Channel, Speaker: s.Speaker, Text: s.Text,
		})
	}
}

// hypothesisOf makes a hypothesis of segments. It is as sure as its words are on the whole, if all of them say how sure they are.
func hypothesisOf(segments []formats.Segment, begins float64) *store.ImportHypothesis {
	h := &store.ImportHypothesis{}
	var texts []string
	sum, scored, timed := 0.0, 0, true
	for _, s := range segments {
		if s.Text != "" {
			texts = append(texts, s.Text)
		}
		timed = timed && (len(s.Words) > 0 || s.Text == "")
		for _, w := range s.Words {
			if w.Scored {
				sum += w.Confidence
				scored++
			}
		}
		h.Words = append(h.Words, hypothesisWords(s.Words, begins)...)
	}
	h.Text = strings.Join(texts, " ")
	if !timed { // words of some segments alone would not be the text
		h.Words = nil
	}
	if scored > 0 && scored == len(h.Words) {
		mean := sum / float64(scored)
		h.Confidence = &mean
	}
	return h
}
