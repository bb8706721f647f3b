package metrics_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/metrics"
)

// Groups that count once each have the figures of their images; one that counts several times, those of as many copies of it.
func TestDrawnGroups(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const groups = 3
		once, drawn := metrics.NewDetections(3, metrics.COCOThresholds()), metrics.NewDetections(3, metrics.COCOThresholds())
		copies := metrics.NewDetections(3, metrics.COCOThresholds())
		weights := make([]int32, groups)
		score := 0.0
		for g := range groups {
			weights[g] = int32(rapid.IntRange(0, 3).Draw(t, "weight"))
			for range rapid.IntRange(0, 2).Draw(t, "images") {
				truth, found := boxes(t, "image")
				for i := range found {
					score += 0.001
					found[i].Score += score // no two alike, whose order would be free
				}
				m := once.Match(truth, found)
				once.AddMatched(&m)
				drawn.AddGrouped(&m, g)
				for range weights[g] {
					copies.Add(truth, found)
				}
			}
		}
		w := drawn.Drawn(true)
		same(t, w.Scores([]int32{1, 1, 1}), once.Scores())
		same(t, w.Scores(weights), copies.Scores())
	})
}

func same(t *rapid.T, got, want metrics.DetectionScores) {
	for i, pair := range [][2]float64{
		{got.AP, want.AP},
		{got.AP50, want.AP50},
		{got.AP75, want.AP75},
		{got.APSmall, want.APSmall},
		{got.APMedium, want.APMedium},
		{got.APLarge, want.APLarge},
		{got.AR1, want.AR1},
		{got.AR10, want.AR10},
		{got.AR100, want.AR100},
		{got.ARSmall, want.ARSmall},
		{got.ARMedium, want.ARMedium},
		{got.ARLarge, want.ARLarge},
		{got.Classes[0].AP, want.Classes[0].AP},
		{got.Classes[1].AR100, want.Classes[1].AR100},
	} {
		if pair[0] != pair[1] && !(math.IsNaN(pair[0]) && math.IsNaN(pair[1])) {
			t.Fatalf("figure %d is %v, want %v", i, pair[0], pair[1])
		}
	}
}
