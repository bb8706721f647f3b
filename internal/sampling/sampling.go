// Package sampling draws items at random, and says how many of them to look at.
//
// Whatever is drawn here depends on the ids and the seed alone: not on the order in which the ids
// come, nor on the machine, so that a draw can be repeated and checked.
package sampling

import (
	"cmp"
	"math"
	"slices"
)

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014), which scatters its argument
// over all 64 bits.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// lot is the number that an id draws under a seed; the lowest are drawn first.
func lot(seed, id int64) uint64 {
	return mix(mix(uint64(seed)) ^ uint64(id)) //nolint:gosec // bits, not quantities
}

// Draw returns n of the ids, or all if there are no more, in the order in which they were drawn.
// Each set of n is as likely as any other. Drawing more with the same seed goes on where less ended.
func Draw(ids []int64, n int, seed int64) []int64 {
	drawn := slices.Clone(ids)
	slices.SortFunc(drawn, func(a, b int64) int {
		return cmp.Or(cmp.Compare(lot(seed, a), lot(seed, b)), cmp.Compare(a, b))
	})
	return drawn[:max(0, min(n, len(drawn)))]
}

// Stratum is what items are told apart by: their class, or, where none is known, their group. 0 is none.
type Stratum struct{ Class, Group int64 }

func compareStrata(a, b Stratum) int {
	return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Group, b.Group))
}

// Candidate is an item that a round may draw from. Taken ones were drawn before; they count towards
// what a share is of.
type Candidate struct {
	Item    int64
	Stratum Stratum
	Taken   bool
}

// Part is what a round draws of one stratum.
type Part struct {
	Stratum Stratum
	Size    int // items of the stratum, those that were drawn before among them
	Left    int // of them, those that were not
	Drawn   []int64
}

// Stratify draws a share (0 to 1) of every stratum, rounded up, of what was not drawn before: with 0.3,
// the fourth round takes the tenth that three have left. Parts are in the order of class and group.
func Stratify(candidates []Candidate, share float64, seed int64) []Part {
	sizes, left := map[Stratum]int{}, map[Stratum][]int64{}
	for _, c := range candidates {
		sizes[c.Stratum]++
		if !c.Taken {
			left[c.Stratum] = append(left[c.Stratum], c.Item)
		}
	}
	parts := make([]Part, 0, len(sizes))
	for stratum, size := range sizes {
		parts = append(parts, Part{
			Stratum: stratum, Size: size, Left: len(left[stratum]), Drawn: Draw(left[stratum], shareOf(share, size), seed),
		})
	}
	slices.SortFunc(parts, func(a, b Part) int { return compareStrata(a.Stratum, b.Stratum) })
	return parts
}

// shareOf rounds up, but not for what is only the error of a product such as 0.1 × 30.
func shareOf(share float64, size int) int { return int(math.Ceil(share*float64(size) - 1e-9)) }

// Deal divides what was drawn into as few hands as hold at most size items each. Hands differ by one item at
// most, and so do the numbers that they hold of one stratum.
func Deal(parts []Part, size int) [][]int64 {
	total := 0
	for _, p := range parts {
		total += len(p.Drawn)
	}
	if total == 0 || size < 1 {
		return nil
	}
	hands := make([][]int64, (total+size-1)/size)
	next := 0 // one stratum after the other, each going on where the last one ended
	for _, p := range parts {
		for _, item := range p.Drawn {
			hands[next%len(hands)] = append(hands[next%len(hands)], item)
			next++
		}
	}
	return hands
}
