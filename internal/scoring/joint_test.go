package scoring_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"fiducial/internal/scoring"
)

// The draws of two sheets of the same lines give their difference the interval that Compare gives it.
func TestDrawnTogether(t *testing.T) {
	t.Parallel()
	words, more := twice(rand.New(rand.NewPCG(2, 3)), 40, 0.04)
	boxes := pictured(rand.New(rand.NewPCG(2, 3)), 12)
	fewer := boxes
	fewer.Scores = append([]scoring.Score(nil), boxes.Scores...)
	for i := range fewer.Scores {
		if image := &fewer.Scores[i].Image; i%2 == 0 && len(image.Found) > 0 {
			image.Found = image.Found[1:]
		}
	}
	o := scoring.Options{Draws: 200, Seed: 3}
	for name, c := range map[string][2]scoring.Sheet{"words": {words, more}, "boxes": {fewer, boxes}} {
		joint := scoring.NewJoint()
		joint.Add(c[0])
		joint.Add(c[1])
		d := joint.Draw(o)
		differences := make([]float64, len(d.Draws))
		for i, values := range d.Draws {
			differences[i] = values[1] - values[0]
		}
		low, high := d.Interval(d.Values[1]-d.Values[0], differences)
		compared, figures := scoring.Compare(c[1], c[0], o), scoring.Compute(c[0], noDraws)
		want, head := compared.Headline(), figures.Headline()
		if len(d.Draws) != o.Draws || d.Groups == 0 || d.Values[0] != *want.From || d.Values[1] != *want.To || math.Abs(*low-*want.Low) > 1e-12 || math.Abs(*high-*want.High) > 1e-12 {
			t.Errorf("%s: %v, from %v to %v; %s", name, d.Values, *low, *high, text(t, want))
		}
		if head.Name != nameOf(d.Task) || head.HigherIsBetter != (d.Task == scoring.Detection) {
			t.Errorf("%s: %s", d.Task, text(t, head))
		}
	}
}

func nameOf(task scoring.Task) string {
	name, _ := scoring.HeadlineOf(task)
	return name
}

// Groups that one sheet alone has are drawn for both, and lines of the same group together.
func TestDrawnTogetherByGroup(t *testing.T) {
	t.Parallel()
	line := func(position int, group int64, wrong int32) scoring.Score {
		s := scoring.Failure()
		s.Failed, s.Position, s.Group, s.Words = false, position, group, scoring.Words{Hits: 10 - wrong, Substitutions: wrong}
		return s
	}
	joint := scoring.NewJoint()
	joint.Add(scoring.Sheet{Task: scoring.Speech, Scores: []scoring.Score{line(0, 1, 2), line(1, 2, 6)}})
	joint.Add(scoring.Sheet{Task: scoring.Speech, Scores: []scoring.Score{line(0, 2, 5), line(1, 1, 1), line(2, 3, 3)}})
	d := joint.Draw(scoring.Options{Draws: 300})
	if d.Groups != 3 || d.Values[0] != 0.4 || d.Values[1] != 0.3 {
		t.Fatalf("%+v", d.Values)
	}
	seen := map[[2]float64]bool{}
	for i, values := range d.Draws {
		if math.IsNaN(values[0]) != (values[1] == 0.3 && math.IsNaN(values[0])) || d.Known(i) == math.IsNaN(values[0]) {
			t.Fatalf("draw %d: %v", i, values)
		}
		seen[[2]float64{values[0], values[1]}] = true
	}
	// The first group alone, the second alone; and each of the three once.
	for _, want := range [][2]float64{{0.2, 0.1}, {0.6, 0.5}, {0.4, 0.3}} {
		if !seen[want] {
			t.Errorf("%v was never drawn of %v", want, seen)
		}
	}
}
