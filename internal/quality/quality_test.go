package quality

import (
	"math"
	"reflect"
	"testing"

	"fiducial/internal/agreement"
)

func box(class int64, x float64) agreement.Box {
	return agreement.Box{Class: class, X: x, Y: 10, W: 20, H: 20}
}

func boxes(all ...agreement.Box) []agreement.Box { return all }

func TestSummarize(t *testing.T) {
	t.Parallel()
	answers := []Answer{
		{ // right, and approved
			Boxes: boxes(box(1, 0)), Counts: true, HasTruth: true, Truth: boxes(box(1, 0)), Peers: [][]agreement.Box{boxes(box(1, 0)), nil},
			Approved: true, ActiveMS: 1000,
		},
		{ // a class confused, and one missed
			Boxes: boxes(box(2, 0)), Counts: true, HasTruth: true, Truth: boxes(box(1, 0), box(1, 60)), Amended: true, ActiveMS: 3000,
		},
		{ // sent back for two reasons, one of them twice; what replaced it is another answer
			Boxes: boxes(box(1, 0), box(2, 50)), HasTruth: true, Truth: boxes(box(1, 0)), ActiveMS: 8000,
			Faults: []Fault{{"loose_box", 1}, {"loose_box", 2}, {"missed_defect", 0}},
		},
	}
	gold := []Gold{{Score: 1, Classes: map[int64][2]int{1: {1, 1}}}, {Score: 0.5, Classes: map[int64][2]int{1: {1, 0}, 2: {1, 1}}}}
	got := Summarize(answers, gold, agreement.Limits{})
	want := map[int64]Figures{
		Whole: {
			Answers: 3, Approved: 1, Amended: 1, Rejected: 1, Reasons: map[string]int{"loose_box": 1, "missed_defect": 1},
			TruthObjects: 3, TruthAgreed: 1, PeerObjects: 2, PeerAgreed: 1, GoldItems: 2, GoldObjects: 3, GoldAgreed: 2, MedianMS: new(3000.0), GoldScore: new(0.75),
		},
		1: {
			Answers: 2, Approved: 1, Rejected: 1, Reasons: map[string]int{"loose_box": 1}, TruthObjects: 3, TruthAgreed: 1, PeerObjects: 2, PeerAgreed: 1,
			GoldItems: 2, GoldObjects: 2, GoldAgreed: 1,
		},
		2: {Answers: 2, Amended: 1, Rejected: 1, Reasons: map[string]int{"loose_box": 1}, TruthObjects: 1, GoldItems: 1, GoldObjects: 1, GoldAgreed: 1},
	}
	interval := got[Whole].GoldInterval
	for class, f := range got {
		f.GoldInterval = Interval{}
		if !reflect.DeepEqual(f, want[class]) {
			t.Errorf("class %d: %+v\nwant %+v", class, f, want[class])
		}
	}
	if len(got) != len(want) || interval != (Interval{Low: 0, High: 1}) { // two items tell next to nothing
		t.Errorf("%d classes, interval %v", len(got), interval)
	}
}

// Against R's prop.test(correct = FALSE), which gives Wilson's interval.
func TestWilson(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		k, n      int
		low, high float64
	}{{9, 10, 0.5958500, 0.9821238}, {0, 10, 0, 0.2775328}, {50, 100, 0.4038315, 0.5961685}, {0, 0, 0, 1}} {
		got := Wilson(tt.k, tt.n)
		if math.Abs(got.Low-tt.low) > 1e-6 || math.Abs(got.High-tt.high) > 1e-6 {
			t.Errorf("%d of %d: %v, want %v to %v", tt.k, tt.n, got, tt.low, tt.high)
		}
	}
}

func TestMeanIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	values := []float64{0.2, 0.9, 1, 1, 0.7, 0.4}
	mean, first := Mean(values)
	_, again := Mean(values)
	if few, known := Mean(values[:2]); math.Abs(few-0.55) > 1e-12 || known != (Interval{Low: 0, High: 1}) {
		t.Errorf("of two: %v, %v", few, known)
	}
	if first != again || math.Abs(mean-0.7) > 1e-12 || first.Low >= mean || first.High <= mean {
		t.Errorf("%v, %v, %v", mean, first, again)
	}
}
