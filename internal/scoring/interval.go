package scoring

import (
	"math"
	"slices"

	"fiducial/internal/interval"
)

// sample is what a measure is over the draws.
type sample struct {
	value     float64
	drawn     []float64 // where it is defined
	undefined int       // draws where it is not
	within    bool      // it is from 0 to 1
	// leans has it that the draws lie to one side of the value as the value does of what it estimates: an average precision is greatest on
	// the few images that it was chosen on. The draws are moved back by both.
	leans bool
}

func (s *sample) take(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		s.undefined++
		return
	}
	s.drawn = append(s.drawn, v)
}

// ofOne reports whether a measure is of a group or so alone: it is not defined without that, and it is always the same with it. One group says
// nothing of others.
func (s *sample) ofOne() bool {
	const rounding = 1e-12
	return s.undefined > 0 && slices.Max(s.drawn)-slices.Min(s.drawn) < rounding
}

// interval is that of the draws. A measure that is 0 or 1 in all of them has the exact interval of a share of the groups. It is nil if there
// is nothing to draw, or too few groups.
func (s *sample) interval(groups int) (low, high *float64) {
	if math.IsNaN(s.value) {
		return nil, nil
	}
	from, to, ok := interval.Of(s.drawn, groups)
	if !ok || s.ofOne() {
		return nil, nil
	}
	if s.within && s.value == 0 && slices.Max(s.drawn) == 0 {
		return number(0), number(interval.Share(groups))
	}
	if s.within && s.value == 1 && slices.Min(s.drawn) == 1 {
		return number(1 - interval.Share(groups)), number(1)
	}
	from, to = from-s.shift(), to-s.shift()
	if s.within {
		from, to = min(max(from, 0), s.value), max(min(to, 1), s.value)
	}
	return number(from), number(to)
}

// shift is by how much the draws are moved.
func (s *sample) shift() float64 {
	if !s.leans {
		return 0
	}
	middle, _ := interval.Spread(s.drawn)
	return 2 * (middle - s.value)
}

// normalAt is what has this share of the standard normal distribution below it.
func normalAt(share float64) float64 { return math.Sqrt2 * math.Erfinv(2*share-1) }

// countedTail is how many draws must lie beyond 0 for their number to say how likely that is.
const countedTail = 10

// p is how likely a difference at least as great as the one seen is, either way, if there is none: that of the widest interval which 0 is
// not in. It is below 0.05 where interval ends before 0. Of few groups, and where too few draws lie beyond 0 to be counted, it is that of
// the t interval.
func (s *sample) p(groups int) *float64 {
	n := len(s.drawn)
	if n == 0 || groups < interval.Fewest || math.IsNaN(s.value) || s.ofOne() {
		return nil
	}
	below, above, shift := 0.0, 0.0, s.shift()
	for _, v := range s.drawn {
		switch {
		case v < shift:
			below++
		case v > shift:
			above++
		default:
			below, above = below+0.5, above+0.5
		}
	}
	if groups >= interval.Drawn && min(below, above) >= countedTail {
		narrow := interval.NormalQuantile / interval.Reach(groups)
		return number(2 * interval.Below(-math.Abs(normalAt(below/float64(n)))*narrow))
	}
	if middle, spread := interval.Spread(s.drawn); spread > 0 {
		return number(interval.Tail((middle-shift)/spread, groups))
	}
	if s.value == 0 {
		return number(1)
	}
	return number(2 * math.Pow(0.5, float64(groups))) // all groups alike: the sign test
}

// number is a value that is there, nil for NaN.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// Adjust corrects the ps of several comparisons for their number, so that the chance that any of them is below a limit by accident is
// below it too (Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979). NaN is
// a comparison that was not made.
func Adjust(ps []float64) []float64 {
	order := make([]int, 0, len(ps))
	adjusted := slices.Repeat([]float64{math.NaN()}, len(ps))
	for i, p := range ps {
		if !math.IsNaN(p) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case ps[i] < ps[j]:
			return -1
		case ps[i] > ps[j]:
			return 1
		}
		return 0
	})
	highest := 0.0
	for rank, i := range order {
		highest = max(highest, min(1, ps[i]*float64(len(order)-rank)))
		adjusted[i] = highest
	}
	return adjusted
}
