package scoring

import (
	"math"
	"slices"
)

// level is the share of the draws that an interval leaves out on either side, were there very many groups.
const level = 0.025

// sample is what a measure is over the draws.
type sample struct {
	value  float64
	drawn  []float64 // where it is defined
	within bool      // it is from 0 to 1
	// leans has it that the draws lie to one side of the value as the value does of what it estimates: an average precision is greatest on
	// the few images that it was chosen on. The draws are moved back by both.
	leans bool
}

func (s *sample) take(v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		s.drawn = append(s.drawn, v)
	}
}

// interval is the middle 95 % of the draws, a little widened for few groups as Hesterberg does ("What Teachers Should Know About the
// Bootstrap", The American Statistician 69, 2015: the expanded percentile interval). A measure that is 0 or 1 in all draws has the
// exact interval of a share of the groups (Clopper and Pearson 1934). It is nil if there is nothing to draw.
func (s *sample) interval(groups int) (low, high *float64) {
	if len(s.drawn) == 0 || groups < 2 || math.IsNaN(s.value) {
		return nil, nil
	}
	slices.Sort(s.drawn)
	first, last := s.drawn[0], s.drawn[len(s.drawn)-1]
	if room := 1 - math.Pow(level, 1/float64(groups)); s.within && first == last && first == s.value {
		switch s.value {
		case 0:
			return number(0), number(room)
		case 1:
			return number(1 - room), number(1)
		}
	}
	tail, shift := normalBelow(-reach(groups)), s.shift()
	from, to := quantile(s.drawn, tail)-shift, quantile(s.drawn, 1-tail)-shift
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
	return 2 * (mean(s.drawn) - s.value)
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// quantile lies between two values in proportion.
func quantile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	i := min(max(0, int(at)), len(sorted)-1)
	next := min(i+1, len(sorted)-1)
	return sorted[i] + float64((at-float64(i))*(sorted[next]-sorted[i]))
}

// reach is how many standard deviations of the draws an interval goes to either side: the quantile of Student's distribution, times the
// root of n/(n-1), which draws are too narrow by.
func reach(groups int) float64 {
	n := float64(groups)
	return studentQuantile(groups-1) * math.Sqrt(n/(n-1))
}

// normalBelow is the share of the standard normal distribution that lies below z.
func normalBelow(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// normalAt is what has this share of the standard normal distribution below it.
func normalAt(share float64) float64 { return math.Sqrt2 * math.Erfinv(2*share-1) }

// normalQuantile is where the normal distribution has level above it.
const normalQuantile = 1.959963984540054

// studentQuantile is where Student's distribution has level above it: exactly for one and two degrees of freedom, else by the expansion
// of Abramowitz and Stegun, 26.7.5.
func studentQuantile(freedom int) float64 {
	switch freedom {
	case 1:
		return 12.706204736432095
	case 2:
		return 4.302652729911275
	}
	n, z := float64(freedom), normalQuantile
	z2 := z * z
	g1 := z * (z2 + 1) / 4
	g2 := z * ((5*z2+16)*z2 + 3) / 96
	g3 := z * (((3*z2+19)*z2+17)*z2 - 15) / 384
	g4 := z * ((((79*z2+776)*z2+1482)*z2-1920)*z2 - 945) / 92160
	return z + g1/n + g2/(n*n) + g3/(n*n*n) + g4/(n*n*n*n)
}

// countedTail is how many draws must lie beyond 0 for their number to say how likely that is.
const countedTail = 10

// p is how likely a difference at least as great as the one seen is, either way, if there is none: that of the widest interval which 0 is
// not in. It is below 0.05 where interval ends before 0. Where too few draws lie beyond 0 to be counted, their tail is taken for that of
// a normal distribution.
func (s *sample) p(groups int) *float64 {
	n := len(s.drawn)
	if n == 0 || groups < 2 || math.IsNaN(s.value) {
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
	narrow := normalQuantile / reach(groups)
	if min(below, above) >= countedTail {
		return number(2 * normalBelow(-math.Abs(normalAt(below/float64(n)))*narrow))
	}
	middle, squares := mean(s.drawn), 0.0
	for _, v := range s.drawn {
		squares += float64((v - middle) * (v - middle))
	}
	if spread := math.Sqrt(squares / float64(n)); spread > 0 {
		return number(2 * normalBelow(-math.Abs(middle-shift)/spread*narrow))
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
