package scoring

import "math"

// calibrationBins is how many bins of confidence there are, all as wide.
const calibrationBins = 10

// calibrate compares confidence with how often what was said is right: of a transcript the share of its words, of a label or a box whether
// it is. It is nil if nothing has a confidence. (Naeini, Cooper and Hauskrecht, AAAI 2015.)
func calibrate(sheet *Sheet, lines []int32) *Calibration {
	c := Calibration{Bins: make([]Bin, calibrationBins)}
	sure, right := make([]float64, calibrationBins), make([]float64, calibrationBins)
	brier := 0.0
	for _, line := range lines {
		eachClaim(sheet.Task, &sheet.Scores[line], func(confidence, credit float64) {
			if !(confidence >= 0 && confidence <= 1) {
				return
			}
			at := max(0, int(math.Ceil(confidence*calibrationBins))-1)
			c.Bins[at].Units++
			c.Units++
			sure[at] += confidence
			right[at] += credit
			brier += float64((confidence - credit) * (confidence - credit))
		})
	}
	if c.Units == 0 {
		return nil
	}
	c.Brier = brier / float64(c.Units)
	for i := range c.Bins {
		b := &c.Bins[i]
		b.From, b.To = float64(i)/calibrationBins, float64(i+1)/calibrationBins
		if b.Units == 0 {
			continue
		}
		confidence, accuracy := sure[i]/float64(b.Units), right[i]/float64(b.Units)
		b.Confidence, b.Accuracy = &confidence, &accuracy
		off := math.Abs(confidence - accuracy)
		c.Error += float64(off*float64(b.Units)) / float64(c.Units)
		c.Worst = max(c.Worst, off)
	}
	return &c
}

// eachClaim calls f with the confidence of each thing that was said, and how right it is, from 0 to 1.
func eachClaim(task Task, s *Score, f func(confidence, credit float64)) {
	switch task {
	case Speech:
		credit := 0.0
		if n := int(s.Words.Hits) + s.Words.Errors(); n > 0 {
			credit = float64(s.Words.Hits) / float64(n)
		}
		f(float64(s.Confidence), credit)
	case Label, Labels, Spans:
		for _, m := range s.Marks {
			if m.Said >= 0 {
				f(float64(m.Confidence), creditOf(m.Truth == m.Said))
			}
		}
	case Detection:
		for i := range s.Image.Found {
			if b := &s.Image.Found[i]; !inCrowd(&s.Image, b) {
				f(b.Score, creditOf(b.Object >= 0))
			}
		}
	}
}

func creditOf(right bool) float64 {
	if right {
		return 1
	}
	return 0
}
