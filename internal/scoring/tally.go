package scoring

import (
	"math/rand/v2"
	"slices"
)

// tally keeps sums, each in a slot, and what each group added to them, so that a draw of groups is only rows of numbers added up. No
// amount is below 0.
type tally struct {
	totals []float64 // by slot

	group   []float64 // by slot, of the group that is being added
	touched []int32

	// One row after another.
	at      []int32
	amounts []float64
	ends    []int
}

// slots returns the first of so many new ones.
func (t *tally) slots(n int) int {
	first := len(t.totals)
	t.totals = append(t.totals, make([]float64, n)...)
	t.group = append(t.group, make([]float64, n)...)
	return first
}

func (t *tally) add(slot int, amount float64) {
	if amount == 0 {
		return
	}
	if t.group[slot] == 0 {
		t.touched = append(t.touched, int32(slot)) //nolint:gosec // the number of sums
	}
	t.group[slot] += amount
}

// endGroup closes what was added as one group.
func (t *tally) endGroup() {
	if need := len(t.at) + len(t.touched); need > cap(t.at) { // by doubling: append would grow by a quarter, and copy far more
		t.at, t.amounts = slices.Grow(t.at, need), slices.Grow(t.amounts, need)
	}
	for _, slot := range t.touched {
		amount := t.group[slot]
		t.at, t.amounts = append(t.at, slot), append(t.amounts, amount)
		t.totals[slot] += amount
		t.group[slot] = 0
	}
	t.touched = t.touched[:0]
	t.ends = append(t.ends, len(t.at))
}

// lanes is how many draws are added up at once, which reads every row once for all of them.
const lanes = 4

// weights are how often each group is in each of some draws.
type weights [][lanes]float64

// draw draws as many groups as there are, with replacement, draws times over, and hands them to f, lanes at a time, with how many of
// these count. The same seed draws the same.
func draw(groups int, o Options, f func(w weights, n int)) {
	random := rand.New(rand.NewPCG(o.Seed, 0)) //nolint:gosec // a draw that can be made again, not a secret
	w := make(weights, groups)
	for left := o.draws(); left > 0 && groups > 0; left -= lanes {
		clear(w)
		for lane := range lanes {
			for range groups {
				w[random.IntN(groups)][lane]++
			}
		}
		f(w, min(left, lanes))
	}
}

// drawn adds up the rows of a draw into sums, by slot and lane.
func (t *tally) drawn(w weights, sums [][lanes]float64) {
	clear(sums)
	first := 0
	for group, end := range t.ends {
		weight := &w[group]
		if *weight != [lanes]float64{} {
			at, amounts := t.at[first:end], t.amounts[first:end]
			for i, slot := range at {
				amount, sum := amounts[i], &sums[slot]
				sum[0] += float64(weight[0] * amount)
				sum[1] += float64(weight[1] * amount)
				sum[2] += float64(weight[2] * amount)
				sum[3] += float64(weight[3] * amount)
			}
		}
		first = end
	}
}

// byGroup are the lines of a sheet, group after group, in the order in which the groups first come.
type byGroup struct {
	lines []int32
	ends  []int
}

// grouped sorts lines, given by their places among scores, into groups.
func grouped(lines []int32, group func(line int32) int64) byGroup {
	number, of, sizes := map[int64]int32{}, make([]int32, len(lines)), []int{}
	last, lastNumber := int64(0), int32(nothing)
	for i, line := range lines {
		id := group(line)
		if lastNumber < 0 || id != last {
			n, known := number[id]
			if !known {
				n = int32(len(sizes)) //nolint:gosec // no more than lines
				number[id], sizes = n, append(sizes, 0)
			}
			last, lastNumber = id, n
		}
		of[i] = lastNumber
		sizes[lastNumber]++
	}
	g := byGroup{lines: make([]int32, len(lines)), ends: make([]int, len(sizes))}
	next := make([]int, len(sizes))
	sum := 0
	for i, size := range sizes {
		next[i], g.ends[i] = sum, sum+size
		sum += size
	}
	for i, line := range lines {
		g.lines[next[of[i]]] = line
		next[of[i]]++
	}
	return g
}

func (g *byGroup) len() int { return len(g.ends) }

// each calls f with the lines of one group after the other.
func (g *byGroup) each(f func(group int, lines []int32)) {
	first := 0
	for group, end := range g.ends {
		f(group, g.lines[first:end])
		first = end
	}
}
