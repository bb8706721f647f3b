// Package alerts decides when a figure has really fallen, and says so in words. It knows figures and names of models, datasets and
// classes: nothing of an item.
package alerts

import (
	"math"
	"slices"
)

// Surely is how unlikely a fall must be by chance, after all corrections, to be told.
const Surely = 0.05

// normal is how many standard deviations of a normal distribution an interval of 95 % reaches to either side.
const normal = 1.959963984540054

// Estimate is a measure with its interval of 95 %.
type Estimate struct{ Value, Low, High float64 }

// Move is how much better, or below 0 worse, a measure has become, in its own unit, with its interval of 95 %. P is how likely so great a
// move is by chance, 1 where it cannot be said.
type Move struct{ Value, Low, High, P float64 }

// Between sets two estimates of a measure beside each other that come of different items, of which the share in common is common: 0 for
// none, 1 for the same ones. The interval is made from theirs (Zou, "Toward using confidence intervals to compare correlations",
// Psychological Methods 12, 2007: the method of variance estimates recovery), so that it is as skewed as they are.
func Between(now, before Estimate, higherIsBetter bool, common float64) Move {
	if !higherIsBetter {
		now, before = Estimate{-now.Value, -now.High, -now.Low}, Estimate{-before.Value, -before.High, -before.Low}
	}
	d := now.Value - before.Value
	m := Move{
		Value: d,
		Low:   d - together(now.Value-now.Low, before.High-before.Value, common),
		High:  d + together(now.High-now.Value, before.Value-before.Low, common),
	}
	m.P = m.chance()
	return m
}

// together is how wide a difference is of two that are a and b wide.
func together(a, b, common float64) float64 {
	common = min(max(common, 0), 1)
	return math.Sqrt(max(0, a*a+b*b-2*common*a*b))
}

// chance takes the side of the interval that lies towards 0 for that of a normal distribution, so that it is below 0.05 just where the
// interval is clear of 0.
func (m Move) chance() float64 {
	side := m.High - m.Value
	if m.Value > 0 {
		side = m.Value - m.Low
	}
	switch {
	case math.IsNaN(m.Value) || math.IsNaN(side):
		return 1
	case m.Value == 0:
		return 1
	case side <= 0:
		return 0
	}
	return math.Erfc(math.Abs(m.Value) / side * normal / math.Sqrt2)
}

// InCommon is how much two sides of versions say the same, from the items that they share: what Between takes.
func InCommon(shared, now, before int) float64 {
	if now <= 0 || before <= 0 {
		return 0
	}
	return float64(shared) / math.Sqrt(float64(now)*float64(before))
}

// AtLook corrects a p for being looked at again and again: the chance that a series in which nothing moves is ever called real stays below
// the limit, however long it goes on, since 1/(1·2) + 1/(2·3) + 1/(3·4) + … is 1. look counts from 1.
func AtLook(p float64, look int) float64 {
	return min(1, p*float64(look)*float64(look+1))
}

// Falls tells whether a move, its P corrected, is a fall to be told: clear of 0, not by chance, and by more than the limit.
func (m Move) Falls(limit float64) bool {
	return m.High < 0 && m.P < Surely && -m.Value > limit
}

// Recovered tells that a measure that had fallen is back, so far that it will not be told again at once.
func (m Move) Recovered(limit float64) bool { return -m.Value <= limit/2 }

// Path is the models that stood behind a measure, by id; 0 is the truth in the place of a model.
type Path []int64

// Under tells whether p goes on from q: it asks the same models first, and then another.
func (p Path) Under(q Path) bool {
	return len(p) > len(q) && slices.Equal(p[:len(q)], q)
}

// Fold puts measures that fall under those that they go on from: what a recognizer breaks is told once, with everything behind it. It
// returns, for each path, the place of the shortest path of the list that it goes on from, or its own.
func Fold(paths []Path) []int {
	under := make([]int, len(paths))
	for i, p := range paths {
		under[i] = i
		for k, q := range paths {
			if p.Under(q) && len(q) < len(paths[under[i]]) {
				under[i] = k
			}
		}
	}
	return under
}
