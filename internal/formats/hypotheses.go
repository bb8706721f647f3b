package formats

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Hypothesis is what a version of a recognizer made of an utterance.
type Hypothesis struct {
	Utterance    string // how the outside world calls it
	ModelVersion string
	Text         string
	// Confidence is that of the whole, from 0 to 1; it means something only when Scored is set.
	Confidence float64
	Scored     bool
	Words      []TimedWord
}

type hypothesisLine struct {
	Utterance    string           `json:"utt_id"`
	ModelVersion string           `json:"model_version,omitempty"`
	Text         *string          `json:"text"`
	Confidence   *float64         `json:"confidence,omitempty"`
	Words        []hypothesisWord `json:"words,omitempty"`
}

type hypothesisWord struct {
	Word       string   `json:"word"`
	Start      float64  `json:"start"`
	End        float64  `json:"end"`
	Confidence *float64 `json:"confidence,omitempty"`
}

// ReadHypotheses reads JSON lines: utt_id, text, and where they are there model_version, confidence and words, each with word,
// start, end and confidence. Where the whole has no confidence and all words have one, it is their mean. A line that is no such
// object is refused, and the others go through.
func ReadHypotheses(r io.Reader, yield func(Hypothesis) error) (Report, error) {
	var report Report
	err := eachLine(r, &report, func(number int, line []byte) error {
		hypothesis, err := parseHypothesis(line)
		if err != nil {
			report.Add(Refused, linePlace(number), err.Error())
			return nil
		}
		return yield(hypothesis)
	})
	return report, err
}

func parseHypothesis(line []byte) (Hypothesis, error) {
	var entry hypothesisLine
	if err := json.Unmarshal(line, &entry); err != nil {
		return Hypothesis{}, fmt.Errorf("it is no JSON object of a hypothesis: %s", jsonFault(err))
	}
	h := Hypothesis{Utterance: cleanSpeech(entry.Utterance), ModelVersion: cleanSpeech(entry.ModelVersion)}
	switch {
	case h.Utterance == "":
		return h, errors.New("there is no utt_id")
	case entry.Text == nil:
		return h, errors.New("there is no text")
	}
	h.Text = cleanSpeech(*entry.Text)
	sum, scored := 0.0, 0
	for i, w := range entry.Words {
		word := TimedWord{Text: cleanSpeech(w.Word), Start: w.Start, End: w.End}
		if err := checkSpan(w.Start, w.End); err != nil {
			return h, fmt.Errorf("word %d: %w", i+1, err)
		}
		if w.Confidence != nil {
			if *w.Confidence < 0 || *w.Confidence > 1 {
				return h, fmt.Errorf("word %d: %v is no confidence from 0 to 1", i+1, *w.Confidence)
			}
			word.Confidence, word.Scored = *w.Confidence, true
			sum += *w.Confidence
			scored++
		}
		h.Words = append(h.Words, word)
	}
	switch {
	case entry.Confidence != nil && (*entry.Confidence < 0 || *entry.Confidence > 1):
		return h, fmt.Errorf("%v is no confidence from 0 to 1", *entry.Confidence)
	case entry.Confidence != nil:
		h.Confidence, h.Scored = *entry.Confidence, true
	case scored > 0 && scored == len(h.Words):
		h.Confidence, h.Scored = sum/float64(scored), true
	}
	return h, nil
}

// WriteHypotheses writes a line for each.
func WriteHypotheses(w io.Writer, hypotheses iter.Seq2[Hypothesis, error]) error {
	t := newTranscriptWriter(w)
	lines := json.NewEncoder(t.out)
	lines.SetEscapeHTML(false)
	optional := func(v float64, scored bool) *float64 {
		if !scored {
			return nil
		}
		return &v
	}
	for h, err := range hypotheses {
		if err != nil {
			return err
		}
		entry := hypothesisLine{h.Utterance, h.ModelVersion, &h.Text, optional(h.Confidence, h.Scored), nil}
		for _, word := range h.Words {
			entry.Words = append(entry.Words, hypothesisWord{word.Text, word.Start, word.End, optional(word.Confidence, word.Scored)})
		}
		if err := lines.Encode(entry); err != nil {
			return fmt.Errorf("write %s: %w", h.Utterance, err)
		}
	}
	_, err := t.finish()
	return err
}
