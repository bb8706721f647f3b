package scoring

import "math"

// Joint measures the headline of several sheets of one task on the same draws of their groups, so that whatever follows from all of them
// together has an interval, too. It keeps sums by group, and no lines.
type Joint struct {
	task    Task
	numbers map[int64]int32 // of the groups of all sheets
	members []jointMember
}

// jointMember is one sheet: what its groups add to its sums or, for the task Detection, its boxes.
type jointMember struct {
	tally    tally
	of       []int32 // the numbers of its groups, row by row
	own      weights // of a draw, row by row
	headline statistic
	boxes    *pool
}

// NewJoint returns one without any sheet.
func NewJoint() *Joint { return &Joint{numbers: map[int64]int32{}} }

// Add takes in a sheet of the task that the first one has. Lines of the same group are drawn together, whichever sheets they are in.
func (j *Joint) Add(sheet Sheet) {
	j.task = sheet.Task
	lines := answered(&sheet)
	groups := grouped(lines, func(line int32) int64 { return sheet.Scores[line].Group })
	var m jointMember
	var sums family
	if sheet.Task == Detection {
		m.boxes = newPool(len(sheet.Classes))
	} else {
		sums = short(newFamily(&sheet, &m.tally))
		m.headline = sums.statistics()[0]
	}
	groups.each(func(_ int, lines []int32) {
		number := j.number(sheet.Scores[lines[0]].Group)
		for _, line := range lines {
			if m.boxes != nil {
				m.boxes.added.AddGrouped(&sheet.Scores[line].Image, int(number))
			} else {
				sums.add(&m.tally, &sheet.Scores[line])
			}
		}
		m.of = append(m.of, number)
		m.tally.endGroup()
	})
	if m.boxes != nil {
		m.boxes.ready(false)
	}
	j.members = append(j.members, m)
}

func (j *Joint) number(group int64) int32 {
	n, known := j.numbers[group]
	if !known {
		n = int32(len(j.numbers)) //nolint:gosec // no more than lines
		j.numbers[group] = n
	}
	return n
}

// Drawn is what the sheets of a Joint measure: of all groups, and of each draw of them.
type Drawn struct {
	Task   Task
	Values []float64   // by sheet; NaN: not defined
	Draws  [][]float64 // by draw, by sheet
	Groups int
}

// Draw measures the sheets. The same sheets and options give the same.
func (j *Joint) Draw(o Options) Drawn {
	d := Drawn{Task: j.task, Values: make([]float64, len(j.members)), Groups: len(j.numbers)}
	for i := range j.members {
		d.Values[i] = j.members[i].value()
	}
	one := make([]int32, d.Groups)
	draw(d.Groups, o, func(w weights, n int) {
		drawn := make([][]float64, n)
		for lane := range drawn {
			drawn[lane] = make([]float64, len(j.members))
		}
		for i := range j.members {
			j.members[i].draw(w, one, drawn, i)
		}
		d.Draws = append(d.Draws, drawn...)
	})
	return d
}

func (m *jointMember) value() float64 {
	if m.boxes != nil {
		return m.boxes.value.AP
	}
	return m.headline.of(m.tally.totals)
}

// draw writes what the sheet measures in each of some draws to its place.
func (m *jointMember) draw(w weights, one []int32, drawn [][]float64, place int) {
	if m.boxes != nil {
		for lane := range drawn {
			for group := range one {
				one[group] = int32(w[group][lane])
			}
			drawn[lane][place] = m.boxes.drawn.Scores(one).AP
		}
		return
	}
	if m.own == nil {
		m.own = make(weights, len(m.of))
	}
	for row, number := range m.of {
		m.own[row] = w[number]
	}
	sums, of := make([][lanes]float64, len(m.tally.totals)), make([]float64, len(m.tally.totals))
	m.tally.drawn(m.own, sums)
	for lane := range drawn {
		for slot := range sums {
			of[slot] = sums[slot][lane]
		}
		drawn[lane][place] = m.headline.of(of)
	}
}

// Interval is that of a value which follows from what the sheets measure, where drawn are its values in the draws, NaN where it has none. It
// is nil if there is nothing to draw.
func (d *Drawn) Interval(value float64, drawn []float64) (low, high *float64) {
	s := sample{value: value, leans: d.Task == Detection}
	for _, v := range drawn {
		s.take(v)
	}
	return s.interval(d.Groups)
}

// HeadlineOf is the measure that a task's figures begin with.
func HeadlineOf(task Task) (name string, higherIsBetter bool) {
	switch task {
	case Speech:
		return "wer", false
	case Spans:
		return "span_f1", true
	case Detection:
		return "map", true
	case Label, Labels:
	}
	return "macro_f1", true
}

// Known reports whether a draw has every value that there is of all groups.
func (d *Drawn) Known(draw int) bool {
	for i, v := range d.Draws[draw] {
		if math.IsNaN(v) && !math.IsNaN(d.Values[i]) {
			return false
		}
	}
	return true
}
