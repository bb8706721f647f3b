package metrics_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fiducial/internal/metrics"
)

func TestClassificationReference(t *testing.T) {
	t.Parallel()
	var cases []struct {
		Truth, Predicted      []int
		Accuracy              float64
		MacroF1               float64 `json:"macro_f1"`
		Precision, Recall, F1 []float64
		Confusion             [][]int
	}
	reference(t, &cases, "classification", "cases.json")
	for i, want := range cases {
		texts := func(labels []int) (list []string) {
			for _, label := range labels {
				list = append(list, fmt.Sprint(label))
			}
			return list
		}
		got, err := metrics.Classify(texts(want.Truth), texts(want.Predicted), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Confusion, got.Confusion); diff != "" {
			t.Errorf("case %d: %s", i, diff)
		}
		for k := range want.F1 {
			c := got.Class(k)
			if !near(c.Precision, want.Precision[k]) || !near(c.Recall, want.Recall[k]) || !near(c.F1, want.F1[k]) {
				t.Errorf("case %d, class %d: %+v", i, k, c)
			}
		}
		if s := got.Scores(); !near(s.Accuracy, want.Accuracy) || !near(s.MacroF1, want.MacroF1) {
			t.Errorf("case %d: %+v, want %v and %v", i, s, want.Accuracy, want.MacroF1)
		}
	}
}

func TestClassificationProperties(t *testing.T) {
	t.Parallel()
	label := rapid.SampledFrom([]string{"a", "b", "c", "10", "9"})
	rapid.Check(t, func(t *rapid.T) {
		truth := rapid.SliceOfN(label, 1, 30).Draw(t, "truth")
		predicted := rapid.SliceOfN(label, len(truth), len(truth)).Draw(t, "predicted")
		c, err := metrics.Classify(truth, predicted, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := c.Scores()
		if s.Units != len(truth) || math.Abs(s.WeightedRecall-s.Accuracy) > 1e-12 || s.MacroF1 > 1 {
			t.Fatalf("%+v", s)
		}
		if perfect, err := metrics.Classify(truth, truth, c.Labels); err != nil || perfect.Scores().MacroF1 != 1 {
			t.Fatalf("the truth itself: %+v, %v", perfect.Scores(), err)
		}
	})
}

func TestLabelsAreSortedAsNumbers(t *testing.T) {
	t.Parallel()
	c, err := metrics.Classify([]string{"10", "9", "b", "a"}, []string{"9", "9", "b", "a"}, nil)
	if err != nil || strings.Join(c.Labels, " ") != "9 10 a b" {
		t.Errorf("%v %v", c.Labels, err)
	}
}

func TestLogLoss(t *testing.T) {
	t.Parallel()
	got, err := metrics.LogLoss([]int{0, 1}, [][]float64{{0.8, 0.2}, {0.4, 0.4}})
	if want := -(math.Log(0.8) + math.Log(0.5)) / 2; err != nil || math.Abs(got-want) > 1e-15 {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := metrics.LogLoss([]int{1}, [][]float64{{1, 0}}); err != nil || got < 36 || math.IsInf(got, 0) {
		t.Errorf("sure and wrong: %v, %v", got, err)
	}
	for _, row := range [][]float64{{-0.1, 1}, {math.NaN(), 1}, {0, 0}} {
		if _, err := metrics.LogLoss([]int{1}, [][]float64{row}); err == nil {
			t.Errorf("%v was taken", row)
		}
	}
}

func TestCalibrate(t *testing.T) {
	t.Parallel()
	c, err := metrics.Calibrate([]float64{0, 0.1, 0.95, 0.85, 1}, []bool{false, false, true, false, true}, 10)
	if err != nil {
		t.Fatal(err)
	}
	// Bins: 0 and 0.1 in the first, 0.85 in the ninth, 0.95 and 1 in the last.
	if c.Bins[0].Units != 2 || c.Bins[8].Units != 1 || c.Bins[9].Units != 2 || !math.IsNaN(c.Bins[5].Accuracy) {
		t.Errorf("%+v", c.Bins)
	}
	if want := (2*0.05 + 0.85 + 2*0.025) / 5; math.Abs(c.Error-want) > 1e-12 || math.Abs(c.Worst-0.85) > 1e-12 {
		t.Errorf("%v and %v, want %v and 0.85", c.Error, c.Worst, want)
	}
	if want := (0.01 + 0.05*0.05 + 0.85*0.85) / 5; math.Abs(c.Brier-want) > 1e-12 {
		t.Errorf("Brier %v, want %v", c.Brier, want)
	}
	if _, err := metrics.Calibrate([]float64{1.5}, []bool{true}, 10); err == nil {
		t.Error("a confidence above 1 was taken")
	}
}
