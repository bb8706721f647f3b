package agreement_test

import (
	"math"
	"testing"

	"fiducial/internal/agreement"
)

func FuzzParseRatings(f *testing.F) {
	f.Add([]byte(`{"ratings": [["pit", null, 7], ["pit", "crack", 7.5]]}`), false)
	f.Add([]byte(`{"ratings": [[1, null], [2, 3], [1e308, -1e308]]}`), true)
	f.Add([]byte(`{"ratings": [[true], []], "more": 1}`), true)
	f.Fuzz(func(t *testing.T, document []byte, ordered bool) {
		level := agreement.NominalLevel
		if ordered {
			level = agreement.OrdinalLevel
		}
		ratings, err := agreement.ParseRatings(document, level)
		if err != nil {
			return
		}
		rated := 0
		for _, row := range ratings {
			if len(row) != len(ratings[0]) {
				t.Errorf("rows of %d and %d", len(ratings[0]), len(row))
			}
			for _, v := range row {
				if !math.IsNaN(v) {
					rated++
				}
			}
		}
		// Disagreement is at most that of all values at random, times what the finite sample adds.
		if alpha := agreement.Alpha(ratings, level); alpha > 1+1e-9 || alpha < -float64(rated) || rated == 0 {
			t.Errorf("alpha %v of %d ratings", alpha, rated)
		}
	})
}
