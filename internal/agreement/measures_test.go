package agreement_test

import (
	"math"
	"strconv"
	"testing"

	"fiducial/internal/agreement"
)

// rows makes ratings of what JSON has, null as missing.
func rows(in [][]*float64) [][]float64 {
	out := make([][]float64, len(in))
	for i, row := range in {
		for _, v := range row {
			if v == nil {
				out[i] = append(out[i], math.NaN())
			} else {
				out[i] = append(out[i], *v)
			}
		}
	}
	return out
}

func TestAlphaLikeTheReference(t *testing.T) {
	t.Parallel()
	var cases []struct {
		Ratings [][]*float64                `json:"ratings"`
		Alpha   map[agreement.Level]float64 `json:"alpha"`
	}
	reference(t, "krippendorff.json", &cases)
	for i, c := range cases {
		for level, want := range c.Alpha {
			if got := agreement.Alpha(rows(c.Ratings), level); math.Abs(got-want) > 1e-9 {
				t.Errorf("case %d, %s: %v, want %v", i, level, got, want)
			}
		}
	}
}

func TestCohenKappaLikeTheReference(t *testing.T) {
	t.Parallel()
	var cases []struct {
		A, B  []int
		Kappa float64
	}
	reference(t, "cohen_kappa.json", &cases)
	for i, c := range cases {
		if got := agreement.CohenKappa(c.A, c.B); math.Abs(got-c.Kappa) > 1e-9 {
			t.Errorf("case %d: %v, want %v", i, got, c.Kappa)
		}
	}
}

func TestDawidSkeneLikeTheReference(t *testing.T) {
	t.Parallel()
	var want struct {
		Votes  [][3]int
		Labels map[string]int
	}
	reference(t, "dawid_skene.json", &want)
	var votes []agreement.Vote
	for _, v := range want.Votes {
		votes = append(votes, agreement.Vote{Task: v[0], Worker: v[1], Label: v[2]})
	}
	got := agreement.DawidSkene(votes)
	same := 0
	for task, label := range want.Labels {
		n, err := strconv.Atoi(task)
		if err != nil {
			t.Fatal(err)
		}
		if got.Labels[n] == label {
			same++
		}
	}
	if share := float64(same) / float64(len(want.Labels)); len(want.Labels) == 0 || share < 0.99 {
		t.Errorf("%.4f of %d labels are the same", share, len(want.Labels))
	}
	t.Logf("%d of %d labels are the same; accuracies %.3f", same, len(want.Labels), got.Accuracy)
}

// The example that Fleiss' kappa is known by: ten units, fourteen raters, five categories.
func TestFleissKappa(t *testing.T) {
	t.Parallel()
	counts := [][]int{
		{0, 0, 0, 0, 14},
		{0, 2, 6, 4, 2},
		{0, 0, 3, 5, 6},
		{0, 3, 9, 2, 0},
		{2, 2, 8, 1, 1},
		{7, 7, 0, 0, 0},
		{3, 2, 6, 3, 0},
		{2, 5, 3, 2, 2},
		{6, 5, 2, 1, 0},
		{0, 2, 2, 3, 7},
	}
	if got := agreement.FleissKappa(counts); math.Abs(got-0.210) > 0.0005 {
		t.Errorf("%v", got)
	}
	if got := agreement.FleissKappa(append(counts, []int{1}, nil)); math.Abs(got-0.210) > 0.0005 {
		t.Errorf("with units that nobody can agree on: %v", got)
	}
	if !math.IsNaN(agreement.FleissKappa(nil)) || !math.IsNaN(agreement.FleissKappa([][]int{{3}, {2}})) {
		t.Error("defined without anything to compare")
	}
}

func TestMeasuresOfNothing(t *testing.T) {
	t.Parallel()
	missing := math.NaN()
	for _, ratings := range [][][]float64{nil, {{}}, {{1, 2}}, {{1, missing}, {missing, 2}}, {{3, 3}, {3, 3}}} {
		for _, level := range []agreement.Level{agreement.NominalLevel, agreement.OrdinalLevel, agreement.IntervalLevel} {
			if alpha := agreement.Alpha(ratings, level); !math.IsNaN(alpha) {
				t.Errorf("alpha of %v, %s: %v", ratings, level, alpha)
			}
		}
	}
	if !math.IsNaN(agreement.CohenKappa([]string{}, nil)) || !math.IsNaN(agreement.CohenKappa([]string{"a"}, []string{"a"})) {
		t.Error("Cohen's kappa is defined without anything to compare")
	}
	if c := agreement.DawidSkene(nil); len(c.Labels) != 0 {
		t.Errorf("%+v", c)
	}
	c := agreement.DawidSkene([]agreement.Vote{
		{Task: 3, Worker: 1, Label: 2}, {Task: 1, Worker: 0, Label: 1}, {Task: 3, Worker: 0, Label: 2}, {Task: 1, Worker: 1, Label: 1},
	})
	if len(c.Labels) != 4 || c.Labels[0] != -1 || c.Labels[1] != 1 || c.Labels[3] != 2 {
		t.Errorf("%+v", c)
	}
}
