package formats

import (
	"fmt"
	"slices"
)

const (
	// tallied bounds how many names a tally keeps apart, and listedTally how many of them a report lists.
	tallied     = 1000
	listedTally = 50
)

// tally counts, by name, what a file holds and a reader leaves out.
type tally map[string]int

func (t tally) count(name string) {
	if _, known := t[name]; !known && len(t) >= tallied {
		name = "others"
	}
	t[name]++
}

// report lists what was counted as left out at the place id, by name.
func (t tally) report(r *Report, id string) {
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	more := 0
	for i, name := range names {
		if i < listedTally {
			r.add(Loss{ID: id, Kind: LeftOut, Reason: name, Count: t[name]})
		} else {
			more += t[name]
		}
	}
	r.add(Loss{ID: id, Kind: LeftOut, Reason: fmt.Sprintf("%d further names", len(names)-listedTally), Count: more})
}
