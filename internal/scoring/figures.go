package scoring

import (
	"slices"
	"strconv"
)

// Compute computes a sheet's figures. The same sheet and options give the same, to the last digit.
func Compute(sheet Sheet, o Options) Figures {
	lines := answered(&sheet)
	f := Figures{Task: sheet.Task, Items: len(lines), Failed: len(sheet.Scores) - len(lines)}
	groups := grouped(lines, func(line int32) int64 { return sheet.Scores[line].Group })
	f.Groups = groups.len()
	if sheet.Task == Detection {
		computeDetection(&f, &sheet, &groups, o)
	} else {
		computeSums(&f, &sheet, &groups, o)
	}
	f.Calibration = calibrate(&sheet, lines)
	return f
}

// On returns the lines of a sheet that keep wants.
func On(sheet Sheet, keep func(position int) bool) Sheet {
	part := Sheet{Task: sheet.Task, Classes: sheet.Classes}
	for i := range sheet.Scores {
		if keep(sheet.Scores[i].Position) {
			part.Scores = append(part.Scores, sheet.Scores[i])
		}
	}
	return part
}

// answered are the places of the lines that have an output.
func answered(sheet *Sheet) []int32 {
	lines := make([]int32, 0, len(sheet.Scores))
	for i := range sheet.Scores {
		if !sheet.Scores[i].Failed {
			lines = append(lines, int32(i))
		}
	}
	return lines
}

// estimator draws the values of measures.
type estimator struct {
	tally      tally
	statistics []statistic
	samples    []sample
}

// want has a measure estimated, and returns its place.
func (e *estimator) want(list ...statistic) (first int) {
	first = len(e.statistics)
	e.statistics = append(e.statistics, list...)
	return first
}

// run computes the values and draws them.
func (e *estimator) run(groups int, o Options) {
	e.samples = make([]sample, len(e.statistics))
	for i, s := range e.statistics {
		e.samples[i] = sample{value: s.of(e.tally.totals), within: s.within, drawn: make([]float64, 0, o.draws())}
	}
	sums, one := make([][lanes]float64, len(e.tally.totals)), make([]float64, len(e.tally.totals))
	draw(groups, o, func(w weights, n int) {
		e.tally.drawn(w, sums)
		for lane := range n {
			for slot := range sums {
				one[slot] = sums[slot][lane]
			}
			for i := range e.statistics {
				e.samples[i].take(e.statistics[i].of(one))
			}
		}
	})
}

// measures are those from first to before end, without those that are not defined, unless they are the headline.
func (e *estimator) measures(first, end, groups int) []Measure {
	list := make([]Measure, 0, end-first)
	for i := first; i < end; i++ {
		s, drawn := &e.statistics[i], &e.samples[i]
		m := Measure{Name: s.name, Value: number(drawn.value), Items: int(e.tally.totals[s.items]), HigherIsBetter: s.higher}
		if m.Value == nil && i > first {
			continue
		}
		m.Low, m.High = drawn.interval(groups)
		list = append(list, m)
	}
	return list
}

// computeSums computes what follows from sums over lines.
func computeSums(f *Figures, sheet *Sheet, groups *byGroup, o Options) {
	var e estimator
	whole := newFamily(sheet, &e.tally)
	parts := slicesOf(sheet, groups, func() family { return short(newFamily(sheet, &e.tally)) })
	groups.each(func(_ int, lines []int32) {
		for _, line := range lines {
			s := &sheet.Scores[line]
			whole.add(&e.tally, s)
			parts.add(&e.tally, int(line), s)
		}
		e.tally.endGroup()
	})
	e.want(whole.statistics()...)
	end := len(e.statistics)
	classes := end
	if marks, ok := whole.(*markFamily); ok {
		e.want(marks.classF1()...)
	}
	for i := range parts.list {
		parts.list[i].first = e.want(parts.list[i].family.statistics()...)
		parts.list[i].end = len(e.statistics)
	}
	e.run(groups.len(), o)
	f.Measures = e.measures(0, end, groups.len())
	if marks, ok := whole.(*markFamily); ok {
		f.Classes = marks.table(sheet.Classes, &e, classes, groups.len())
		f.Confusion = confuse(sheet)
	}
	for _, p := range parts.list {
		f.Slices = append(f.Slices, Slice{By: p.by, Name: p.name, Items: p.items, Measures: e.measures(p.first, p.end, p.groups)})
	}
}

// short has a family's first measures alone.
func short(f family) family {
	switch f := f.(type) {
	case *wordFamily:
		f.short = true
	case *markFamily:
		f.short = true
	}
	return f
}

// table is of the classes that occur; their F1 were drawn from first on.
func (f *markFamily) table(names []string, e *estimator, first, groups int) (list []Class) {
	for k, name := range names {
		sums := e.tally.totals[f.first+markSlots+3*k:]
		truth, said, right := sums[classTruth], sums[classSaid], sums[classRight]
		if truth+said == 0 {
			continue
		}
		c := classOf(name, truth, said, right)
		c.Low, c.High = e.samples[first+k].interval(groups)
		list = append(list, c)
	}
	return list
}

func classOf(name string, truth, said, right float64) Class {
	return Class{
		Name: name, Truth: int(truth), Predicted: int(said), Right: int(right),
		Precision: number(ratio(right, said)), Recall: number(ratio(right, truth)), F1: number(ratio(2*right, truth+said)),
	}
}

// none is what a confusion calls the place of nothing, where no class has the name.
const none = "none"

// confuse counts which class was said for which, nil for the task Labels.
func confuse(sheet *Sheet) *Confusion {
	if sheet.Task == Labels {
		return nil
	}
	names := slices.Clone(sheet.Classes)
	if sheet.Task != Label {
		names = append(names, none)
	}
	c := newConfusion(names)
	last := len(names) - 1
	for i := range sheet.Scores {
		if sheet.Scores[i].Failed {
			continue
		}
		for _, m := range sheet.Scores[i].Marks {
			c.add(m.Truth, m.Said, last)
		}
	}
	return c
}

func newConfusion(names []string) *Confusion {
	c := &Confusion{Classes: names, Counts: make([][]int, len(names))}
	for i := range c.Counts {
		c.Counts[i] = make([]int, len(names))
	}
	return c
}

func (c *Confusion) add(truth, said int32, last int) {
	row, column := int(truth), int(said)
	if row < 0 {
		row = last
	}
	if column < 0 {
		column = last
	}
	c.Counts[row][column]++
}

// part is a slice's lines.
type part struct {
	by, name      string
	items, groups int
	lastGroup     int
	family        family
	first, end    int // of its measures
}

// parts are all slices of a sheet, and by line those that it is in.
type parts struct {
	list    []part
	classes []int32   // by class: a place in list, -1 for none. A line is in those of all the classes that are true of it.
	of      [][]int32 // by other ways of slicing, by line: a place in list, -1 for none
}

func (p *parts) add(t *tally, line int, s *Score) {
	p.each(line, s, func(q *part) { q.family.add(t, s) })
}

// each calls f for the parts that a line is in.
func (p *parts) each(line int, s *Score, f func(q *part)) {
	if p.classes != nil {
		s.eachTruth(func(class int32) {
			if at := p.classes[class]; at >= 0 {
				f(&p.list[at])
			}
		})
	}
	for _, of := range p.of {
		if at := of[line]; at >= 0 {
			f(&p.list[at])
		}
	}
}

// eachTruth calls f for each class that is true of a line, once.
func (s *Score) eachTruth(f func(class int32)) {
	for i, m := range s.Marks {
		if m.Truth >= 0 && !slices.ContainsFunc(s.Marks[:i], func(before Mark) bool { return before.Truth == m.Truth }) {
			f(m.Truth)
		}
	}
}

// slicesOf cuts a sheet every way that makes at least two parts, and by the classes that are true of a line if there is one that is not of
// every line.
func slicesOf(sheet *Sheet, groups *byGroup, family func() family) parts {
	var p parts
	lines := slices.Sorted(slices.Values(groups.lines))
	p.byClass(sheet, lines, family)
	for _, by := range []func(*Sheet, []int32) cut{byConfidence, byLength, bySource} {
		c := by(sheet, lines)
		if len(c.names) < 2 {
			continue
		}
		first := len(p.list)
		for _, name := range c.names {
			p.begin(c.by, name, family)
		}
		for line := range c.of {
			if c.of[line] >= 0 {
				c.of[line] += int32(first) //nolint:gosec // the number of slices
			}
		}
		p.of = append(p.of, c.of)
	}
	groups.each(func(group int, lines []int32) {
		for _, line := range lines {
			p.each(int(line), &sheet.Scores[line], func(q *part) {
				q.items++
				if q.lastGroup != group {
					q.groups, q.lastGroup = q.groups+1, group
				}
			})
		}
	})
	return p
}

// begin adds an empty part.
func (p *parts) begin(by, name string, family func() family) {
	q := part{by: by, name: name, lastGroup: nothing}
	if family != nil {
		q.family = family()
	}
	p.list = append(p.list, q)
}

// byClass makes a part of each class that is true of a line: of the task Label they are apart, of others a line may be in several. The task
// Detection has its own.
func (p *parts) byClass(sheet *Sheet, lines []int32, family func() family) {
	of := make([]int, len(sheet.Classes))
	for _, line := range lines {
		sheet.Scores[line].eachTruth(func(class int32) { of[class]++ })
	}
	if !slices.ContainsFunc(of, func(n int) bool { return n > 0 && n < len(lines) }) {
		return
	}
	p.classes = make([]int32, len(of))
	for class, n := range of {
		p.classes[class] = nothing
		if n > 0 {
			p.classes[class] = int32(len(p.list)) //nolint:gosec // the number of classes
			p.begin(ByClass, sheet.Classes[class], family)
		}
	}
}

// cut says which part each line is in.
type cut struct {
	by    string
	names []string
	of    []int32 // by line; -1: in none
}

func newCut(by string, sheet *Sheet) cut {
	return cut{by: by, of: slices.Repeat([]int32{nothing}, len(sheet.Scores))}
}

// tenths is how many parts items are cut into by confidence.
const tenths = 10

// byConfidence cuts items into tenths; those of the same confidence stay together.
func byConfidence(sheet *Sheet, lines []int32) cut {
	c := newCut(ByConfidence, sheet)
	sure := make([]float32, 0, len(lines))
	for _, line := range lines {
		if v := sheet.Scores[line].Confidence; v == v {
			sure = append(sure, v)
		}
	}
	slices.Sort(sure)
	var limits []float32 // the least of each part but the first
	var names []string
	for k := range tenths {
		from := len(sure) * k / tenths
		if from == len(sure)*(k+1)/tenths {
			continue
		}
		if k > 0 && len(names) > 0 && (sure[from] == sure[0] || len(limits) > 0 && sure[from] == limits[len(limits)-1]) {
			continue
		}
		if len(names) > 0 {
			limits = append(limits, sure[from])
		}
		names = append(names, strconv.Itoa(k+1))
	}
	for _, line := range lines {
		v := sheet.Scores[line].Confidence
		if v != v {
			continue
		}
		at, equal := slices.BinarySearch(limits, v)
		if equal {
			at++
		}
		c.of[line] = int32(at) //nolint:gosec // up to tenths
	}
	c.names = names
	return c
}

// lengths are where slices by length begin, in seconds.
var lengths = []float32{0, 1, 2, 5, 10, 20, 30, 60}

func byLength(sheet *Sheet, lines []int32) cut {
	return numbered(newCut(ByLength, sheet), lines, len(lengths), func(line int32) int {
		v := sheet.Scores[line].Length
		if !(v >= 0) {
			return nothing
		}
		at, equal := slices.BinarySearch(lengths, v)
		if !equal {
			at--
		}
		return at
	}, func(at int) string {
		name := strconv.Itoa(int(lengths[at])) + "-"
		if at+1 < len(lengths) {
			name += strconv.Itoa(int(lengths[at+1]))
		}
		return name
	})
}

// mostSources is how many sources are told apart.
const mostSources = 200

func bySource(sheet *Sheet, lines []int32) cut {
	var ids []int64
	for _, line := range lines {
		if id := sheet.Scores[line].Source; len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > mostSources {
		ids = nil
	}
	return numbered(newCut(BySource, sheet), lines, len(ids), func(line int32) int {
		at, found := slices.BinarySearch(ids, sheet.Scores[line].Source)
		if !found {
			return nothing
		}
		return at
	}, func(at int) string { return strconv.FormatInt(ids[at], 10) })
}

// numbered cuts lines by a number from 0 to below n, -1 for none, and leaves out the parts without lines.
func numbered(c cut, lines []int32, n int, number func(line int32) int, name func(int) string) cut {
	there := make([]bool, n)
	for _, line := range lines {
		if at := number(line); at >= 0 {
			there[at] = true
		}
	}
	place := make([]int32, n)
	for at := range there {
		if there[at] {
			place[at] = int32(len(c.names)) //nolint:gosec // the number of slices
			c.names = append(c.names, name(at))
		}
	}
	for _, line := range lines {
		if at := number(line); at >= 0 {
			c.of[line] = place[at]
		}
	}
	return c
}
