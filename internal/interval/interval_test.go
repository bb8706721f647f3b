package interval_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"fiducial/internal/interval"
)

// drawsOf are means of samples of groups, drawn from them with replacement.
func drawsOf(random *rand.Rand, groups []float64) []float64 {
	drawn := make([]float64, 800)
	for i := range drawn {
		for range groups {
			drawn[i] += groups[random.IntN(len(groups))] / float64(len(groups))
		}
	}
	return drawn
}

// Of few groups, too, about 95 of 100 intervals hold what they are of: the middle 95 % of the draws of four groups hold it in 81 of 100.
func TestIntervalsOfFewGroupsCover(t *testing.T) {
	t.Parallel()
	const trials = 2000
	for _, groups := range []int{3, 4, 5, 6, 7, 8, 12, 30} {
		random := rand.New(rand.NewPCG(uint64(groups), 3))
		held := 0
		for range trials {
			values := make([]float64, groups)
			for i := range values {
				values[i] = 0.2 + 0.05*random.NormFloat64()
			}
			if low, high, ok := interval.Of(drawsOf(random, values), groups); ok && low <= 0.2 && 0.2 <= high {
				held++
			}
		}
		share := float64(held) / trials
		t.Logf("%d groups: %.1f %%", groups, 100*share)
		if share < 0.93 || share > 0.97 {
			t.Errorf("%.1f %% of the intervals of %d groups hold the truth", 100*share, groups)
		}
	}
}

func TestTooFewGroupsHaveNone(t *testing.T) {
	t.Parallel()
	for _, groups := range []int{0, 1, 2} {
		if low, high, ok := interval.Of([]float64{0.1, 0.2, 0.3}, groups); ok {
			t.Errorf("%d groups: from %v to %v", groups, low, high)
		}
	}
	if _, _, ok := interval.Of(nil, 30); ok {
		t.Error("an interval of no draw")
	}
	if got := interval.Share(20); math.Abs(got-0.16843) > 1e-5 { // 1 - 0.025^(1/20)
		t.Errorf("none of 20: up to %v", got)
	}
}

// Of three and four degrees of freedom, Student's distribution is a function that tables have.
func TestTail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		t      float64
		groups int
		want   float64
	}{{0, 4, 1}, {2, 4, 0.139326}, {3, 5, 0.039942}, {1, 3, 0.422650}, {12.924, 4, 0.001}, {8.610, 5, 0.001}, {2.0452, 30, 0.05}} {
		distance := c.t * math.Sqrt(float64(c.groups)/float64(c.groups-1))
		if got := interval.Tail(distance, c.groups); math.Abs(got-c.want) > 1e-5 {
			t.Errorf("t %v of %d groups: %v, not %v", c.t, c.groups, got, c.want)
		}
	}
	for groups := interval.Fewest; groups < 200; groups++ {
		if got := interval.Tail(interval.Reach(groups), groups); math.Abs(got-0.05) > 2e-4 {
			t.Errorf("beyond the interval of %d groups: %v", groups, got)
		}
	}
}
