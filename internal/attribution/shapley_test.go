package attribution_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/attribution"
)

// Two factors that help each other share what they gain together.
func TestShapleyCases(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for name, c := range map[string]struct {
		n         int
		values    []float64
		parts     []float64
		remainder float64
	}{
		"nothing changed":          {0, []float64{0.5}, nil, 0},
		"one factor":               {1, []float64{0.8, 0.6}, []float64{-0.2}, 0},
		"two that add up":          {2, []float64{0.8, 0.7, 0.75, 0.65}, []float64{-0.1, -0.05}, 0},
		"two that work together":   {2, []float64{0, 0, 0, 1}, []float64{0.5, 0.5}, 0},
		"the glove game":           {3, []float64{0, 0, 0, 0, 0, 1, 1, 1}, []float64{1.0 / 6, 1.0 / 6, 4.0 / 6}, 0}, // one left glove is worth two right ones
		"one order is known":       {2, []float64{0, 0.4, nan, 1}, []float64{0.2, 0.3}, 0.5},
		"nothing between is known": {2, []float64{0, nan, nan, 1}, []float64{0, 0}, 1},
	} {
		parts, remainder := attribution.Shapley(c.n, c.values)
		for k := range c.parts {
			if math.Abs(parts[k]-c.parts[k]) > 1e-12 {
				t.Errorf("%s: %v, want %v", name, parts, c.parts)
			}
		}
		if math.Abs(remainder-c.remainder) > 1e-12 {
			t.Errorf("%s: the remainder is %v, want %v", name, remainder, c.remainder)
		}
	}
}

// Parts and remainder sum to the difference, whatever is known; with everything known nothing remains, who changes nothing gets nothing,
// and who does the same as another gets the same.
func TestShapleyProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "factors")
		all := 1<<n - 1
		values := make([]float64, all+1)
		missing := 0
		for set := range values {
			values[set] = rapid.Float64Range(0, 1).Draw(t, "value")
			if set > 0 && set < all && rapid.IntRange(0, 5).Draw(t, "missing") == 0 {
				values[set] = math.NaN()
				missing++
			}
		}
		idle, twin := rapid.IntRange(0, n-1).Draw(t, "idle"), rapid.Bool().Draw(t, "twins")
		for set := range values {
			if set>>idle&1 != 0 && set != all && (set&^(1<<idle)) != 0 || set == 1<<idle {
				values[set] = values[set&^(1<<idle)]
			}
		}
		values[all] = values[all&^(1<<idle)]
		if math.IsNaN(values[all]) {
			values[all], values[all&^(1<<idle)] = 0.5, 0.5
		}
		from, to := rapid.Float64Range(0, 1).Draw(t, "from"), rapid.Float64Range(0, 1).Draw(t, "to")
		factors := []attribution.Factor{attribution.Model, attribution.Data, attribution.Labels, attribution.Definition, attribution.Normalizer}[:n]
		d := attribution.Divide(factors, values, from, to)
		sum := d.Remainder
		for _, p := range d.Parts {
			sum += p.Value
		}
		if math.Abs(sum-d.Difference()) > 1e-12 {
			t.Fatalf("%v sums to %v, not %v", d, sum, d.Difference())
		}
		parts, remainder := attribution.Shapley(n, values)
		if whole := !anyNaN(values); whole && (remainder != 0 || math.Abs(parts[idle]) > 1e-12) {
			t.Fatalf("%v and %v of %v", parts, remainder, values)
		}
		if n < 2 || !twin {
			return
		}
		swap := func(set int) int { return set&^3 | set&1<<1 | set>>1&1 }
		for set := range values {
			values[swap(set)] = values[set]
		}
		if parts, _ := attribution.Shapley(n, values); math.Abs(parts[0]-parts[1]) > 1e-12 {
			t.Fatalf("twins: %v of %v", parts, values)
		}
	})
}

// In each draw, too, the parts and the remainder sum to the difference: what they are over the draws sums to what the difference is.
func TestPartsSumInEveryDraw(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "factors")
		factors := []attribution.Factor{attribution.Model, attribution.Data, attribution.Labels, attribution.Definition}[:n]
		value := rapid.Float64Range(0, 1)
		lost := rapid.SliceOfN(rapid.Bool(), 1<<n, 1<<n).Draw(t, "lost")
		some := func() attribution.Draw {
			d := attribution.Draw{From: value.Draw(t, "from"), To: value.Draw(t, "to"), Values: make([]float64, 1<<n)}
			for set := range d.Values {
				if d.Values[set] = value.Draw(t, "value"); lost[set] && set > 0 && set < 1<<n-1 {
					d.Values[set] = math.NaN()
				}
			}
			return d
		}
		draws := []attribution.Draw{some(), some(), some()}
		whole := some()
		d := attribution.Divide(factors, whole.Values, whole.From, whole.To)
		var sums [3]float64
		parts := 0
		d.Spread(factors, draws, 7, func(of float64, drawn []float64) (low, high *float64) {
			if len(drawn) != len(draws) {
				t.Fatalf("%d draws of %v", len(drawn), of)
			}
			for i, v := range drawn {
				sums[i] += v
			}
			parts++
			return &drawn[0], &drawn[2]
		})
		if parts < n || d.Groups != 7 || (parts > n) != (d.RemainderLow != nil) {
			t.Fatalf("%d parts: %+v", parts, d)
		}
		for i, draw := range draws {
			if math.Abs(sums[i]-(draw.To-draw.From)) > 1e-12 {
				t.Fatalf("draw %d sums to %v, not to %v", i, sums[i], draw.To-draw.From)
			}
		}
	})
}

func anyNaN(values []float64) bool {
	for _, v := range values {
		if math.IsNaN(v) {
			return true
		}
	}
	return false
}
