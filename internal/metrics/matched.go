package metrics

import (
	"cmp"
	"slices"
)

// Matched is what comparing one image made of it, in numbers that all figures can be computed from: Detections.AddMatched.
type Matched struct {
	Objects []MatchedObject // in the order of the truth
	Found   []MatchedBox    // class by class, the surest first, no more than count
}

// MatchedObject is an object that was to be found.
type MatchedObject struct {
	Class   int32
	Ignored uint8 // a bit for each range of sizes in which it is neither to be found nor wrong
	Crowd   bool
}

// MatchedBox is a detection with what became of it, a bit for each threshold, by range of sizes.
type MatchedBox struct {
	Class            int32
	Rank             uint8 // among those of its class in its image, from 0
	Score            float64
	Matched, Ignored [4]uint16
	At               int32 // its place among what was found
	// Object is the object of its class that it found, and Other that of another class which it overlaps most, both at an overlap of 0.5
	// at least; -1: none.
	Object, Other int32
}

// Match compares one image and adds nothing. What it returns is the caller's.
func (d *Detections) Match(truth []TruthBox, found []Detection) Matched {
	var m Matched
	d.matchInto(&m, truth, found)
	return m
}

func (d *Detections) matchInto(m *Matched, truth []TruthBox, found []Detection) {
	for i := range truth {
		m.Objects = append(m.Objects, MatchedObject{Class: int32(truth[i].Class), Ignored: ignoredIn(&truth[i]), Crowd: truth[i].Crowd}) //nolint:gosec // a class's number
	}
	present := d.sort(truth, found)
	slices.Sort(present)
	for _, class := range present {
		slices.SortStableFunc(d.found[class], func(i, j int) int { return cmp.Compare(found[j].Score, found[i].Score) })
		d.found[class] = d.found[class][:min(len(d.found[class]), mostFound)]
		m.Found = d.compare(m.Found, class, truth, found)
		d.truth[class], d.found[class] = d.truth[class][:0], d.found[class][:0]
	}
}

// AddMatched takes in an image that was compared before, at the same thresholds.
func (d *Detections) AddMatched(m *Matched) {
	for _, o := range m.Objects {
		if o.Class < 0 || int(o.Class) >= len(d.classes) {
			continue
		}
		c := &d.classes[o.Class]
		if n := len(c.byGroup); n == 0 || c.byGroup[n-1].group != d.group {
			c.byGroup = append(c.byGroup, groupObjects{group: d.group})
		}
		of := &c.byGroup[len(c.byGroup)-1]
		for size := range sizes {
			if o.Ignored>>size&1 == 0 {
				c.objects[size]++
				of.n[size]++
			}
		}
	}
	for i := range m.Found {
		f := &m.Found[i]
		if f.Class >= 0 && int(f.Class) < len(d.classes) {
			c := &d.classes[f.Class]
			c.found = append(c.found, foundBox{group: d.group, score: f.Score, rank: f.Rank, matched: f.Matched, ignored: f.Ignored})
		}
	}
}
