package scoring

import (
	"cmp"
	"math"
	"slices"

	"fiducial/internal/metrics"
)

// Compare sets a sheet beside its baseline of the same version: lines of the same position are the same item.
func Compare(sheet, baseline Sheet, o Options) Difference {
	var pairs [][2]int
	i, k := 0, 0
	for i < len(sheet.Scores) && k < len(baseline.Scores) {
		switch p, q := sheet.Scores[i].Position, baseline.Scores[k].Position; {
		case p < q:
			i++
		case p > q:
			k++
		default:
			pairs = append(pairs, [2]int{p, q})
			i, k = i+1, k+1
		}
	}
	return ComparePairs(sheet, baseline, pairs, o)
}

// ComparePairs sets a sheet beside a baseline of another version: pairs are the positions of the same item in either. A pair that one of
// them has no output for is passed over. Sheets of different tasks, or of classes none of which they share, have no difference. What the measures are sure of is drawn from the
// groups, both sheets' lines together.
func ComparePairs(sheet, baseline Sheet, pairs [][2]int, o Options) Difference {
	if !alike(&sheet, &baseline) {
		return Difference{}
	}
	baseline = inClasses(baseline, &sheet)
	both := pairUp(&sheet, &baseline, pairs)
	lines := make([]int32, len(both))
	for i := range lines {
		lines[i] = int32(i)
	}
	groups := grouped(lines, func(i int32) int64 { return sheet.Scores[both[i][0]].Group })
	d := Difference{Items: len(both), Groups: groups.len()}
	if sheet.Task == Detection {
		d.Measures = boxChanges(&sheet, &baseline, both, &groups, o)
	} else {
		d.Measures = sumChanges(&sheet, &baseline, both, &groups, o)
	}
	d.move(&sheet, &baseline, both)
	return d
}

// alike says whether two sheets measure the same: who tells moods apart is no better or worse than who finds questions.
func alike(a, b *Sheet) bool {
	if a.Task != b.Task || a.Task == Speech {
		return a.Task == b.Task
	}
	classes := b.asked()
	return slices.Equal(a.asked(), classes) || slices.ContainsFunc(a.asked(), func(name string) bool { return slices.Contains(classes, name) })
}

// asked are the classes that a model was asked for: of labels all but the last, which is none of them.
func (s *Sheet) asked() []string {
	if s.Task == Label && len(s.Classes) > 0 {
		return s.Classes[:len(s.Classes)-1]
	}
	return s.Classes
}

// pairUp returns the places of both lines of the pairs that both have an output for.
func pairUp(sheet, baseline *Sheet, pairs [][2]int) (both [][2]int32) {
	for _, pair := range pairs {
		i, found := slices.BinarySearchFunc(sheet.Scores, pair[0], byPosition)
		k, foundToo := slices.BinarySearchFunc(baseline.Scores, pair[1], byPosition)
		if found && foundToo && !sheet.Scores[i].Failed && !baseline.Scores[k].Failed {
			both = append(both, [2]int32{int32(i), int32(k)}) //nolint:gosec // no more than positions
		}
	}
	return both
}

func byPosition(s Score, position int) int { return cmp.Compare(s.Position, position) }

// inClasses returns a sheet with the classes of another and, behind them, those that the other does not have, which it gets too.
func inClasses(sheet Sheet, other *Sheet) Sheet {
	if slices.Equal(sheet.Classes, other.Classes) {
		return sheet
	}
	classes := slices.Clone(other.Classes)
	number := make([]int32, len(sheet.Classes))
	for k, name := range sheet.Classes {
		at := slices.Index(classes, name)
		if at < 0 {
			at = len(classes)
			classes = append(classes, name)
		}
		number[k] = int32(at) //nolint:gosec // the number of classes
	}
	of := func(class int32) int32 {
		if class < 0 {
			return class
		}
		return number[class]
	}
	other.Classes = classes
	renumbered := Sheet{sheet.Task, classes, slices.Clone(sheet.Scores)}
	for i := range renumbered.Scores {
		renumber(&renumbered.Scores[i], len(classes), of)
	}
	return renumbered
}

func renumber(s *Score, classes int, of func(int32) int32) {
	s.Marks = slices.Clone(s.Marks)
	for k := range s.Marks {
		s.Marks[k].Truth, s.Marks[k].Said = of(s.Marks[k].Truth), of(s.Marks[k].Said)
	}
	if s.Probabilities != nil {
		before := s.Probabilities
		s.Probabilities = slices.Repeat([]float32{none32}, classes)
		for k, p := range before {
			s.Probabilities[of(int32(k))] = p
		}
	}
	s.Image = metrics.Matched{Objects: slices.Clone(s.Image.Objects), Found: slices.Clone(s.Image.Found)}
	for k := range s.Image.Objects {
		s.Image.Objects[k].Class = of(s.Image.Objects[k].Class)
	}
	for k := range s.Image.Found {
		s.Image.Found[k].Class = of(s.Image.Found[k].Class)
	}
}

// sumChanges are the differences of the measures that follow from sums.
func sumChanges(sheet, baseline *Sheet, both [][2]int32, groups *byGroup, o Options) (list []Change) {
	var e estimator
	to, from := newFamily(sheet, &e.tally), newFamily(sheet, &e.tally)
	groups.each(func(_ int, lines []int32) {
		for _, i := range lines {
			to.add(&e.tally, &sheet.Scores[both[i][0]])
			from.add(&e.tally, &baseline.Scores[both[i][1]])
		}
		e.tally.endGroup()
	})
	tos, froms := to.statistics(), from.statistics()
	for i := range tos {
		e.want(statistic{name: tos[i].name, higher: tos[i].higher, of: func(sums []float64) float64 { return tos[i].of(sums) - froms[i].of(sums) }})
	}
	e.run(groups.len(), o)
	for i, s := range e.statistics {
		c := change(s.name, s.higher, froms[i].of(e.tally.totals), tos[i].of(e.tally.totals), &e.samples[i], groups.len())
		if i == 0 || c.Value != nil {
			list = append(list, c)
		}
	}
	return list
}

func change(name string, higher bool, from, to float64, s *sample, groups int) Change {
	c := Change{Name: name, From: number(from), To: number(to), Value: number(s.value), HigherIsBetter: higher}
	c.P = s.p(groups)
	c.Low, c.High = s.interval(groups)
	return c
}

// boxChanges are the differences of COCO's figures.
func boxChanges(sheet, baseline *Sheet, both [][2]int32, groups *byGroup, o Options) (list []Change) {
	to, from := newPool(len(sheet.Classes)), newPool(len(sheet.Classes))
	groups.each(func(group int, lines []int32) {
		for _, i := range lines {
			to.added.AddGrouped(&sheet.Scores[both[i][0]].Image, group)
			from.added.AddGrouped(&baseline.Scores[both[i][1]].Image, group)
		}
	})
	to.ready(true)
	from.ready(true)
	samples := make([]sample, len(cocoFigures))
	for i := range samples {
		samples[i].value, samples[i].leans = to.all[i].value-from.all[i].value, true
	}
	drawWhole(groups.len(), o, func(weights []int32) {
		after, before := to.drawn.Scores(weights), from.drawn.Scores(weights)
		for i := range samples {
			samples[i].take(cocoFigures[i].of(&after) - cocoFigures[i].of(&before))
		}
	})
	for i := range samples {
		c := change(cocoFigures[i].name, true, from.all[i].value, to.all[i].value, &samples[i], groups.len())
		if i == 0 || c.Value != nil {
			list = append(list, c)
		}
	}
	return list
}

// move lists the lines that became better or worse.
func (d *Difference) move(sheet, baseline *Sheet, both [][2]int32) {
	after, before := math.NaN(), math.NaN()
	if sheet.Task == Detection {
		after, before = bestThreshold(sheet), bestThreshold(baseline)
	}
	for _, pair := range both {
		s := &sheet.Scores[pair[0]]
		change := wrong(sheet.Task, &baseline.Scores[pair[1]], before) - wrong(sheet.Task, s, after)
		switch {
		case change > 0:
			d.Gained++
		case change < 0:
			d.Lost++
		default:
			continue
		}
		d.Moves = append(d.Moves, Move{s.Position, float64(change)})
	}
	slices.SortStableFunc(d.Moves, func(a, b Move) int { return cmp.Compare(math.Abs(b.Change), math.Abs(a.Change)) })
}

// wrong is how many things a line has wrong.
func wrong(task Task, s *Score, threshold float64) (n int) {
	switch task {
	case Speech:
		return s.Words.Errors()
	case Detection:
		eachPair(&s.Image, threshold, func(object, found int) {
			if object < 0 || found < 0 || s.Image.Found[found].Object != int32(object) { //nolint:gosec // an image's objects
				n++
			}
		})
	case Label, Labels, Spans:
		for _, m := range s.Marks {
			if m.Truth != m.Said {
				n++
			}
		}
	}
	return n
}

// Aligned returns sheets of one task with the same list of classes: those of the first and, behind them, what the others have beside.
func Aligned(sheets ...Sheet) []Sheet {
	if len(sheets) == 0 {
		return nil
	}
	var all Sheet
	for i := range sheets {
		inClasses(Sheet{Classes: sheets[i].Classes}, &all)
	}
	aligned := make([]Sheet, len(sheets))
	for i := range sheets {
		aligned[i] = inClasses(sheets[i], &all)
	}
	return aligned
}
