package agreement

import "math"

// resamples is how many samples of the items an interval is from.
const resamples = 1000

// statistic computes a measure from a tally's sums, NaN where it is not defined.
type statistic func(sums []float64) float64

// estimator collects the measures that are to be estimated.
type estimator struct {
	tally      *tally
	statistics []statistic
	estimates  []*Estimate
	shares     []bool // which are shares of N
}

// add has a measure estimated into e, which must stay where it is; n is what its value is a mean of.
func (x *estimator) add(e *Estimate, n float64, f statistic) { x.register(e, n, f, false) }

func (x *estimator) register(e *Estimate, n float64, f statistic, share bool) {
	value := f(x.tally.totals)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	*e = Estimate{Value: value, Defined: true, N: int(math.Round(n)), Interval: Interval{Low: value, High: value}}
	x.statistics, x.estimates, x.shares = append(x.statistics, f), append(x.estimates, e), append(x.shares, share)
}

// mean has the ratio of two sums estimated, given by their slots.
func (x *estimator) mean(e *Estimate, over, under int) {
	x.add(e, x.tally.totals[under], func(sums []float64) float64 { return sums[over] / sums[under] })
}

// share has the ratio of some counts to others estimated, of which they are a part.
func (x *estimator) share(e *Estimate, over, under []int) {
	x.register(e, total(x.tally.totals, under), func(sums []float64) float64 { return total(sums, over) / total(sums, under) }, true)
}

func total(sums []float64, slots []int) (t float64) {
	for _, i := range slots {
		t += sums[i]
	}
	return t
}

func squares(sums []float64, slots []int) (t float64) {
	for _, i := range slots {
		t += sums[i] * sums[i]
	}
	return t
}

// intervals fills in the middle 95 % of what each measure is over samples of the items (the percentile bootstrap of Efron
// and Tibshirani 1993). Samples in which it is not defined do not count. Where a share is 0 or 1 in all of them, they say
// nothing of how sure that is.
func (x *estimator) intervals(seed uint64, samples int) {
	tails := make([]tails, len(x.statistics))
	x.tally.resample(seed, samples, func(sums []float64) {
		for i, f := range x.statistics {
			if v := f(sums); !math.IsNaN(v) && !math.IsInf(v, 0) {
				tails[i].take(v)
			}
		}
	})
	for i, e := range x.estimates {
		if tails[i].n > 0 {
			e.Interval = tails[i].interval()
		}
		if samples > 0 && x.shares[i] && e.Low == e.High && (e.Value == 0 || e.Value == 1) {
			e.Interval = certain(e.Value, e.N)
		}
	}
}

// certain is the interval of a share that is 0 or 1 of n: the exact one for a binomial count (Clopper and Pearson 1934), which
// takes the n for independent.
func certain(share float64, n int) Interval {
	room := 1 - math.Pow(tail, 1/float64(n))
	if share == 0 {
		return Interval{Low: 0, High: room}
	}
	return Interval{Low: 1 - room, High: 1}
}

// tail is the share of the samples that lie outside an interval on either side, and tailed how many of the outermost samples are
// enough to know where it ends.
const (
	tail   = 0.025
	tailed = tail*resamples + 2
)

// tails keep the least and the greatest of up to resamples values, in order from the outside in.
type tails struct {
	n               int
	least, greatest [tailed]float64
}

func (t *tails) take(v float64) {
	kept := min(t.n, tailed)
	if kept < tailed || v < t.least[tailed-1] {
		i := min(kept, tailed-1)
		for ; i > 0 && v < t.least[i-1]; i-- {
			t.least[i] = t.least[i-1]
		}
		t.least[i] = v
	}
	if kept < tailed || v > t.greatest[tailed-1] {
		i := min(kept, tailed-1)
		for ; i > 0 && v > t.greatest[i-1]; i-- {
			t.greatest[i] = t.greatest[i-1]
		}
		t.greatest[i] = v
	}
	t.n++
}

// interval ends, on either side, between two values in proportion.
func (t *tails) interval() Interval {
	at := tail * float64(t.n-1)
	i := int(at)
	inner, share := min(i+1, t.n-1), at-float64(i)
	return Interval{
		Low:  t.least[i] + share*(t.least[inner]-t.least[i]),
		High: t.greatest[i] + share*(t.greatest[inner]-t.greatest[i]),
	}
}
