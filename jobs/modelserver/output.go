package modelserver

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"fiducial/internal/models"
	"fiducial/internal/speech"
)

// The most that is kept of an answer. One that has more is no answer about one item.
const (
	mostText   = 1 << 20 // bytes
	mostWords  = 100_000
	mostBoxes  = 10_000
	mostLabels = 1_000
)

// labelsOf are the classes among what a model found, for a task. Of a task with one label, that with the highest confidence counts, the first
// without any; where it is none of the classes, there is none.
func labelsOf(o models.Options, task string, found []models.Label, whole *float64) (Output, error) {
	out := Output{Confidence: whole}
	if task == models.TaskLabel {
		if len(found) == 0 {
			return out, nil
		}
		best := slices.MaxFunc(found, func(a, b models.Label) int { return compareConfidence(a.Confidence, b.Confidence) })
		if out.Confidence == nil {
			out.Confidence = best.Confidence
		}
		found = []models.Label{{Label: best.Label, Confidence: best.Confidence}}
	}
	for _, l := range found {
		class, ok := o.Class(l.Label)
		if !ok || l.Confidence != nil && *l.Confidence < o.Threshold {
			continue
		}
		if task == models.TaskSpans && (l.Begin == nil || l.End == nil) {
			return Output{}, &Fault{Code: models.FaultShape, Detail: "a label has no begin and end"}
		}
		l.Label = class
		out.Labels = append(out.Labels, l)
	}
	return out, nil
}

// compareConfidence puts what has no confidence below what has one.
func compareConfidence(a, b *float64) int {
	value := func(p *float64) float64 {
		if p == nil {
			return -1
		}
		return *p
	}
	switch {
	case value(a) < value(b):
		return -1
	case value(a) > value(b):
		return 1
	}
	return 0
}

// addBox adds a box under its class in the product, if it is one of those that are looked at.
func addBox(boxes []models.Box, o models.Options, label string, box models.Box, score *float64) []models.Box {
	class, ok := o.Class(label)
	if !ok || !(box.W > 0 && box.H > 0) {
		return boxes
	}
	box.Class, box.Score = class, 1
	if score != nil {
		box.Score = *score
	}
	return append(boxes, box)
}

// clean makes an answer one that can be kept: Unicode in its normal form, without what no text has. It returns a fault if the answer says
// what cannot be, such as a confidence of 7.
func clean(out *Output) error {
	switch {
	case len(out.Text) > mostText || len(out.Words) > mostWords || len(out.Boxes) > mostBoxes || len(out.Labels) > mostLabels:
		return &Fault{Code: models.FaultSize}
	case !possible(out.Confidence):
		return impossible("a confidence is not between 0 and 1")
	}
	out.Text = cleanText(out.Text)
	for i := range out.Words {
		w := &out.Words[i]
		w.Word = cleanText(w.Word)
		if !possible(w.Confidence) {
			return impossible("a word's confidence is not between 0 and 1")
		}
		if w.Start < 0 || w.End < w.Start {
			return impossible("a word ends before it begins")
		}
	}
	out.Words = slices.DeleteFunc(out.Words, func(w speech.HeardWord) bool { return w.Word == "" })
	for i := range out.Boxes {
		b := &out.Boxes[i]
		b.Class = cleanText(b.Class)
		if !possible(&b.Score) {
			return impossible("a box's score is not between 0 and 1")
		}
	}
	for i := range out.Labels {
		l := &out.Labels[i]
		l.Label = cleanText(l.Label)
		if !possible(l.Confidence) {
			return impossible("a label's confidence is not between 0 and 1")
		}
		if l.Begin != nil && *l.Begin < 0 || l.Begin != nil && l.End != nil && *l.End < *l.Begin {
			return impossible("a label ends before it begins")
		}
	}
	return nil
}

func impossible(detail string) error { return &Fault{Code: models.FaultShape, Detail: detail} }

// rounding is how far beyond 1 a confidence may be that was added up in single precision.
const rounding = 1e-4

// possible reports whether there is no confidence, or one from 0 to 1; one that rounding has brought out of that is put back.
func possible(confidence *float64) bool {
	if confidence == nil {
		return true
	}
	if !(*confidence >= -rounding && *confidence <= 1+rounding) {
		return false
	}
	*confidence = min(max(*confidence, 0), 1)
	return true
}

// cleanText is a text in the normal form NFC with single spaces, without control characters and what is no UTF-8.
func cleanText(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(norm.NFC.String(text)), " ")
}
