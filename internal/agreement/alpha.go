package agreement

import (
	"math"
	"slices"
)

// Level is how ratings compare: as names, by their order, or by their difference.
type Level string

// The levels of measurement.
const (
	NominalLevel  Level = "nominal"
	OrdinalLevel  Level = "ordinal"
	IntervalLevel Level = "interval"
)

// Alpha is Krippendorff's alpha of ratings whose rows are raters and whose columns are units; NaN is missing, and a
// row may end early. It is 1 for perfect agreement and 0 for what chance would give; NaN where it is not defined, since no unit has two
// ratings, or all ratings are the same. (Krippendorff, Computing Krippendorff's alpha-reliability, 2011.)
//
// Nothing is quadratic in the number of values: an ordinal difference is the difference of midranks among the pairable
// values, and sums of squared differences follow from variances.
func Alpha(ratings [][]float64, level Level) float64 {
	values, ends := pairable(ratings)
	if level == NominalLevel {
		return nominalAlphaOf(values, ends)
	}
	if level == OrdinalLevel {
		values = midranks(values)
	}
	return intervalAlpha(values, ends)
}

// pairable lists the ratings of each unit that has at least two, unit after unit, and where each unit ends.
func pairable(ratings [][]float64) (values []float64, ends []int) {
	units, cells := 0, 0
	for _, row := range ratings {
		units = max(units, len(row))
		cells += len(row)
	}
	values, ends = make([]float64, 0, cells), make([]int, 0, units)
	for u := range units {
		start := len(values)
		for _, row := range ratings {
			if u < len(row) && !math.IsNaN(row[u]) {
				values = append(values, row[u])
			}
		}
		if len(values) < start+2 {
			values = values[:start]
			continue
		}
		ends = append(ends, len(values))
	}
	return values, ends
}

func nominalAlphaOf(values []float64, ends []int) float64 {
	disagreement, start := 0.0, 0
	for _, end := range ends {
		unit := values[start:end]
		differing := 0
		for i, a := range unit {
			for _, b := range unit[:i] {
				if a != b {
					differing++
				}
			}
		}
		disagreement += 2 * float64(differing) / float64(len(unit)-1)
		start = end
	}
	counts := map[float64]int{}
	for _, v := range values {
		counts[v]++
	}
	sum, squares := 0.0, 0.0
	for _, n := range counts {
		sum += float64(n)
		squares += float64(n) * float64(n)
	}
	return nominalAlpha(disagreement, sum, squares)
}

// nominalAlpha is alpha from the sum over units of differing ordered pairs / (ratings - 1), the number of pairable ratings, and the
// sum of the squares of how often each category is among them.
func nominalAlpha(disagreement, ratings, squares float64) float64 {
	return 1 - (ratings-1)*disagreement/(ratings*ratings-squares)
}

// intervalAlpha takes the sum of squared differences within n values as 2·n times the sum of their squared deviations.
func intervalAlpha(values []float64, ends []int) float64 {
	observed, start := 0.0, 0
	for _, end := range ends {
		unit := values[start:end]
		m := float64(len(unit))
		observed += 2 * m * deviations(unit) / (m - 1)
		start = end
	}
	n := float64(len(values))
	return 1 - (n-1)*observed/(2*n*deviations(values))
}

// deviations is the sum of squared deviations from the mean.
func deviations(values []float64) (sum float64) {
	mean := 0.0
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return sum
}

// midranks replaces each value by the mean rank of the values equal to it.
func midranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	ranks := make([]float64, len(values))
	for start := 0; start < len(order); {
		end := start + 1
		for end < len(order) && values[order[end]] == values[order[start]] {
			end++
		}
		for _, i := range order[start:end] {
			ranks[i] = float64(start+end) / 2
		}
		start = end
	}
	return ranks
}
