package attribution

import (
	"math"
	"math/bits"
	"slices"
)

// Factor is something that may have changed between two measurements.
type Factor string

// The factors.
const (
	Model      Factor = "model"      // which models were asked, or how
	Data       Factor = "data"       // which items are measured
	Labels     Factor = "labels"     // what is true of the same items, under the same definitions
	Definition Factor = "definition" // what is true of the same items, since a class is defined otherwise
	Normalizer Factor = "normalizer" // how words are written alike before they are compared
)

// Division divides the difference of two measurements among what changed. The parts and the remainder sum to the difference.
type Division struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Parts []Part  `json:"parts"` // of what changed
	// Remainder is of what cannot be measured any more: the states in Missing, and lines that are not known in every state.
	Remainder float64 `json:"remainder"`
	// RemainderLow to High hold the remainder as Low and High of a part do. Groups is what they are drawn from, 0: there are none.
	RemainderLow  *float64 `json:"remainder_low,omitempty"`
	RemainderHigh *float64 `json:"remainder_high,omitempty"`
	Groups        int      `json:"groups,omitempty"`
	Missing       []State  `json:"missing,omitempty"`
	Lines         int      `json:"lines"`             // of both measurements
	Unknown       int      `json:"unknown,omitempty"` // of those, that are not known in every state
	// Items that the earlier measurement alone has, and the later one alone; items of both with another truth, under the same definitions and
	// since a definition is another.
	Lost      int `json:"lost,omitempty"`
	Added     int `json:"added,omitempty"`
	Relabeled int `json:"relabeled,omitempty"`
	Redefined int `json:"redefined,omitempty"`
}

// Difference is what is divided.
func (d *Division) Difference() float64 { return d.To - d.From }

// Part is what one factor contributes.
type Part struct {
	Factor Factor  `json:"factor"`
	Value  float64 `json:"value"`
	// Low and High hold it with 95 % confidence; nil: there is nothing to draw.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
}

// Real reports whether the interval is clear of zero.
func (p *Part) Real() bool { return p.Low != nil && p.High != nil && (*p.Low > 0 || *p.High < 0) }

// State is one in between the two measurements: these factors as they are later, the others as they were.
type State struct {
	Changed []Factor `json:"changed"`
	Models  []string `json:"models"`  // whose outputs are gone
	Version string   `json:"version"` // of the dataset, that they were needed on
}

// Shapley divides values[all] - values[0] among n factors, where the k-th bit of an index says whether factor k has changed, and NaN is a
// value that is not known; the first and the last are. A factor's part is its contribution averaged over the orders in which factors may
// change, one after the other (Shapley, "A value for n-person games", 1953). A contribution that is not known is nobody's: it is
// left in the remainder, which is 0 where everything is known.
func Shapley(n int, values []float64) (parts []float64, remainder float64) {
	parts = make([]float64, n)
	all, whole := 1<<n-1, true
	for set := range values {
		whole = whole && !math.IsNaN(values[set])
		for k := range n {
			if set>>k&1 != 0 {
				continue
			}
			if gain := values[set|1<<k] - values[set]; !math.IsNaN(gain) {
				parts[k] += share(n, bits.OnesCount(uint(set))) * gain
			}
		}
	}
	remainder = values[all] - values[0]
	for _, part := range parts {
		remainder -= part
	}
	if whole {
		remainder = 0 // it is what was rounded off
	}
	return parts, remainder
}

// share is the share of the orders of n factors in which a given one comes after a given set of so many.
func share(n, before int) float64 {
	ways := 1.0 // n-1 over before
	for i := range before {
		ways = ways * float64(n-1-i) / float64(i+1)
	}
	return 1 / (float64(n) * ways)
}

// Divide divides the difference of two measurements. values are by which of factors have changed, as Shapley has them, on the lines that are
// known in every state; from and to are on all lines.
func Divide(factors []Factor, values []float64, from, to float64) Division {
	d := Division{From: from, To: to, Parts: make([]Part, len(factors))}
	parts, remainder := Shapley(len(factors), values)
	for k, factor := range factors {
		d.Parts[k] = Part{Factor: factor, Value: parts[k]}
	}
	known := values[len(values)-1] - values[0]
	d.Remainder = remainder + (to - from - known)
	return d
}

// Draw is what one draw of the groups measures: every state, as Divide has them, and both measurements on all lines.
type Draw struct {
	Values   []float64
	From, To float64
}

// Spread gives the parts and the remainder their intervals. Each draw is divided like the measurements themselves, so that in each of them, too,
// the parts and the remainder sum to the difference. interval is that of a value by what it is in the draws.
func (d *Division) Spread(factors []Factor, draws []Draw, groups int, interval func(value float64, drawn []float64) (low, high *float64)) {
	d.Groups = groups
	drawn, remainders := make([][]float64, len(d.Parts)), make([]float64, 0, len(draws))
	for _, draw := range draws {
		one := Divide(factors, draw.Values, draw.From, draw.To)
		for k := range one.Parts {
			drawn[k] = append(drawn[k], one.Parts[k].Value)
		}
		remainders = append(remainders, one.Remainder)
	}
	for k := range d.Parts {
		d.Parts[k].Low, d.Parts[k].High = interval(d.Parts[k].Value, drawn[k])
	}
	if d.Remainder != 0 || slices.ContainsFunc(remainders, func(v float64) bool { return v != 0 }) {
		d.RemainderLow, d.RemainderHigh = interval(d.Remainder, remainders)
	}
}
