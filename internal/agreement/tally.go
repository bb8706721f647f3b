package agreement

import (
	"math/rand/v2"
	"slices"
)

// Every measure of many items is computed from sums over items, such as how often two classes met. A tally keeps the sums, and what
// each item added to them, so that a sample of the items is only rows of numbers added up. A slot is the place of one sum, and is
// given out when something is first added to it; slot 0 is that of sums that nothing was ever added to.
type tally struct {
	totals []float64 // by slot

	item    []float64 // by slot, of what is being added
	touched []int
	pending int // items in it

	// One row after another.
	at      []int32
	amounts []float64
	ends    []int
	block   int // items a row
	most    int // see mostAmounts
}

// What samples cost is bounded: with more than so many amounts, neighbouring rows are put together and then drawn together, as long
// as there are enough of them. So many blocks give nearly the interval that their items would.
const (
	mostAmounts = 5_000_000
	enoughRows  = 1000
)

func newTally() *tally {
	return &tally{totals: []float64{0}, item: []float64{0}, block: 1, most: mostAmounts}
}

// add adds to the sum whose slot is kept where slot points.
func (t *tally) add(slot *int, amount float64) {
	if amount == 0 {
		return
	}
	i := *slot
	if i == 0 {
		i = len(t.totals)
		*slot = i
		t.totals, t.item = append(t.totals, 0), append(t.item, 0)
	}
	if t.item[i] == 0 {
		t.touched = append(t.touched, i)
	}
	t.item[i] += amount
	t.totals[i] += amount
}

// endItem closes what was added as one item.
func (t *tally) endItem() {
	if t.pending++; t.pending < t.block {
		return
	}
	t.endRow()
	if len(t.amounts) > t.most && len(t.ends) >= 2*enoughRows && len(t.ends)%2 == 0 {
		t.halve()
	}
}

func (t *tally) endRow() {
	if need := len(t.at) + len(t.touched); need > cap(t.at) { // by doubling: append would grow by a quarter, and copy far more
		t.at, t.amounts = slices.Grow(t.at, need), slices.Grow(t.amounts, need)
	}
	for _, i := range t.touched {
		t.at, t.amounts = append(t.at, int32(i)), append(t.amounts, t.item[i]) //nolint:gosec // the number of sums
		t.item[i] = 0
	}
	t.touched, t.pending = t.touched[:0], 0
	t.ends = append(t.ends, len(t.at))
}

// halve puts each two neighbouring rows together.
func (t *tally) halve() {
	at, amounts, ends := t.at, t.amounts, t.ends
	t.at, t.amounts, t.ends = nil, nil, nil
	start := 0
	for i, end := range ends {
		for ; start < end; start++ {
			if t.item[at[start]] == 0 {
				t.touched = append(t.touched, int(at[start]))
			}
			t.item[at[start]] += amounts[start]
		}
		if i%2 == 1 {
			t.endRow()
		}
	}
	t.block *= 2
}

// lanes is how many samples are added up at once, which reads every row once for all of them.
const lanes = 4

// resample draws as many rows as there are, with replacement, at least times over, and hands each sample's sums to f. The
// same seed draws the same.
func (t *tally) resample(seed uint64, times int, f func(sums []float64)) {
	if t.pending > 0 {
		t.endRow()
	}
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a sample that can be drawn again, not a secret
	drawn, added := make([][lanes]float64, len(t.ends)), make([][lanes]float64, len(t.totals))
	sums := make([]float64, len(t.totals))
	for range (times + lanes - 1) / lanes {
		clear(drawn)
		for lane := range lanes {
			for range drawn {
				drawn[random.IntN(len(drawn))][lane]++
			}
		}
		clear(added)
		t.addRows(drawn, added)
		for lane := range lanes {
			for slot := range added {
				sums[slot] = added[slot][lane]
			}
			f(sums)
		}
	}
}

// addRows adds every row as often as it was drawn.
func (t *tally) addRows(drawn, added [][lanes]float64) {
	start := 0
	for row, end := range t.ends {
		if w := drawn[row]; w != [lanes]float64{} {
			amounts := t.amounts[start:end]
			for i, slot := range t.at[start:end] {
				s, a := &added[slot], amounts[i]
				s[0] += w[0] * a
				s[1] += w[1] * a
				s[2] += w[2] * a
				s[3] += w[3] * a
			}
		}
		start = end
	}
}
