package agreement

import (
	"math"
	"slices"
)

// resamples is how many samples of the items an interval is from.
const resamples = 1000

// statistic computes a measure from a tally's sums, NaN where it is not defined.
type statistic func(sums []float64) float64

// estimator collects the measures that are to be estimated.
type estimator struct {
	tally      *tally
	statistics []statistic
	estimates  []*Estimate
}

// add has a measure estimated into e, which must stay where it is; n is what its value is a mean of.
func (x *estimator) add(e *Estimate, n float64, f statistic) {
	value := f(x.tally.totals)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	*e = Estimate{Value: value, Defined: true, N: int(math.Round(n)), Interval: Interval{Low: value, High: value}}
	x.statistics, x.estimates = append(x.statistics, f), append(x.estimates, e)
}

// ratio has the ratio of two sums estimated, given by their slots.
func (x *estimator) ratio(e *Estimate, over, under int) {
	x.add(e, x.tally.totals[under], func(sums []float64) float64 { return sums[over] / sums[under] })
}

// ratioOf has the ratio of several sums to several sums estimated.
func (x *estimator) ratioOf(e *Estimate, over, under []int) {
	x.add(e, total(x.tally.totals, under), func(sums []float64) float64 { return total(sums, over) / total(sums, under) })
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
// and Tibshirani 1993). Samples in which it is not defined do not count.
func (x *estimator) intervals(seed uint64, samples int) {
	values := make([]float64, 0, len(x.statistics)*samples)
	x.tally.resample(seed, samples, func(sums []float64) {
		for _, f := range x.statistics {
			values = append(values, f(sums))
		}
	})
	sample := make([]float64, 0, samples)
	for i, e := range x.estimates {
		sample = sample[:0]
		for j := i; j < len(values); j += len(x.statistics) {
			if v := values[j]; !math.IsNaN(v) && !math.IsInf(v, 0) {
				sample = append(sample, v)
			}
		}
		if len(sample) > 0 {
			slices.Sort(sample)
			e.Low, e.High = quantile(sample, 0.025), quantile(sample, 0.975)
		}
	}
}

// quantile is that of sorted values, in between two of them in proportion.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
