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
