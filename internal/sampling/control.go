package sampling

import "math"

// control draws the control of so many chosen ones from all, whatever their confidence and source.
func (d *draw) control(chosen int) []int32 {
	n := shareOf(d.Control, chosen)
	if n == 0 {
		return nil
	}
	control := d.firstLots(n)
	for _, place := range control {
		d.taken[place] = true
	}
	return control
}

// firstLots are the places with the n lowest lots of all. Another seed than that of ties keeps the two draws apart; a bound that hardly ever fails
// spares sorting all of many.
func (d *draw) firstLots(n int) []int32 {
	seed := int64(mix(uint64(d.Seed))) //nolint:gosec // bits, not quantities
	if bound := (float64(n) + 10*math.Sqrt(float64(n)) + 100) / float64(d.out.Items); bound < 1 {
		limit := uint64(bound * math.MaxUint64)
		if few := d.lotsTo(limit, seed, 2*n+200); len(few) >= n {
			return d.drawn(seed, few, n)
		}
	}
	return d.drawn(seed, d.lotsTo(math.MaxUint64, seed, d.out.Items), n)
}

// lotsTo are the places whose lots are no higher than a limit, about so many.
func (d *draw) lotsTo(limit uint64, seed int64, about int) []int32 {
	list := make([]int32, 0, about)
	for i := range d.strata {
		for _, place := range d.strata[i].of {
			if lot(seed, d.all[place].Item) <= limit {
				list = append(list, place)
			}
		}
	}
	return list
}
