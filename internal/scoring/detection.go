package scoring

import (
	"cmp"
	"math"
	"slices"

	"fiducial/internal/metrics"
)

// cocoFigure is one of COCO's twelve.
type cocoFigure struct {
	name string
	of   func(s *metrics.DetectionScores) float64
}

var cocoFigures = []cocoFigure{
	{"map", func(s *metrics.DetectionScores) float64 { return s.AP }},
	{"ap50", func(s *metrics.DetectionScores) float64 { return s.AP50 }},
	{"ap75", func(s *metrics.DetectionScores) float64 { return s.AP75 }},
	{"ap_small", func(s *metrics.DetectionScores) float64 { return s.APSmall }},
	{"ap_medium", func(s *metrics.DetectionScores) float64 { return s.APMedium }},
	{"ap_large", func(s *metrics.DetectionScores) float64 { return s.APLarge }},
	{"ar1", func(s *metrics.DetectionScores) float64 { return s.AR1 }},
	{"ar10", func(s *metrics.DetectionScores) float64 { return s.AR10 }},
	{"ar100", func(s *metrics.DetectionScores) float64 { return s.AR100 }},
	{"ar_small", func(s *metrics.DetectionScores) float64 { return s.ARSmall }},
	{"ar_medium", func(s *metrics.DetectionScores) float64 { return s.ARMedium }},
	{"ar_large", func(s *metrics.DetectionScores) float64 { return s.ARLarge }},
}

// pool is a set of images whose figures are drawn.
type pool struct {
	added *metrics.Detections
	drawn *metrics.Drawn
	value metrics.DetectionScores
	all   []sample // by figure
	class []sample // the AP of each class
}

func newPool(classes int) *pool {
	return &pool{added: metrics.NewDetections(classes, metrics.COCOThresholds())}
}

// ready computes the figures of what was added, the first of them or all, and prepares their draws.
func (p *pool) ready(bySize bool) {
	p.value, p.drawn = p.added.Scores(), p.added.Drawn(bySize)
	p.added = nil
	p.all = []sample{{value: p.value.AP, within: true, leans: true}}
	if bySize {
		for _, figure := range cocoFigures[1:] {
			p.all = append(p.all, sample{value: figure.of(&p.value), within: true, leans: true})
		}
		for k := range p.value.Classes {
			p.class = append(p.class, sample{value: p.value.Classes[k].AP, within: true, leans: true})
		}
	}
}

func (p *pool) take(weights []int32) {
	s := p.drawn.Scores(weights)
	for i := range p.all {
		p.all[i].take(cocoFigures[i].of(&s))
	}
	for k := range p.class {
		p.class[k].take(s.Classes[k].AP)
	}
}

// measures are the figures that are defined, and the headline.
func (p *pool) measures(items, groups int) (list []Measure) {
	for i := range p.all {
		m := Measure{Name: cocoFigures[i].name, Value: number(p.all[i].value), Items: items, HigherIsBetter: true}
		if m.Value == nil && i > 0 {
			continue
		}
		m.Low, m.High = p.all[i].interval(groups)
		list = append(list, m)
	}
	return list
}

// computeDetection computes COCO's figures and, at the best threshold, what is found and what is taken for what.
func computeDetection(f *Figures, sheet *Sheet, groups *byGroup, o Options) {
	threshold := bestThreshold(sheet)
	f.Threshold = number(threshold)
	whole := newPool(len(sheet.Classes))
	parts := slicesOf(sheet, groups, nil)
	pools := make([]*pool, len(parts.list))
	for i := range pools {
		pools[i] = newPool(len(sheet.Classes))
	}
	var e estimator
	found := &foundFamily{first: e.tally.slots(foundSlots), threshold: threshold}
	groups.each(func(group int, lines []int32) {
		for _, line := range lines {
			s := &sheet.Scores[line]
			whole.added.AddGrouped(&s.Image, group)
			found.add(&e.tally, s)
			for _, of := range parts.of {
				if at := of[line]; at >= 0 {
					pools[at].added.AddGrouped(&s.Image, group)
				}
			}
		}
		e.tally.endGroup()
	})
	whole.ready(true)
	for _, p := range pools {
		p.ready(false)
	}
	e.want(found.statistics()...)
	e.run(groups.len(), o)
	drawWhole(groups.len(), o, func(weights []int32) {
		whole.take(weights)
		for _, p := range pools {
			p.take(weights)
		}
	})
	f.Measures = append(whole.measures(f.Items, f.Groups), e.measures(0, len(e.statistics), f.Groups)...)
	f.Classes, f.Confusion = confuseBoxes(sheet, threshold, whole, f.Groups)
	f.Slices = boxClasses(sheet, whole, f.Groups)
	for i, p := range parts.list {
		f.Slices = append(f.Slices, Slice{By: p.by, Name: p.name, Items: p.items, Measures: pools[i].measures(p.items, p.groups)})
	}
}

// drawWhole hands draws to f one after the other, as whole numbers.
func drawWhole(groups int, o Options, f func(weights []int32)) {
	one := make([]int32, groups)
	draw(groups, o, func(w weights, n int) {
		for lane := range n {
			for group := range one {
				one[group] = int32(w[group][lane])
			}
			f(one)
		}
	})
}

// boxClasses are the slices by class: the images that show it, and how it is found.
func boxClasses(sheet *Sheet, whole *pool, groups int) (list []Slice) {
	images := make([]int, len(sheet.Classes))
	seen := slices.Repeat([]int{nothing}, len(sheet.Classes))
	for i := range sheet.Scores {
		for _, o := range sheet.Scores[i].Image.Objects {
			if o.Class >= 0 && seen[o.Class] != i {
				images[o.Class], seen[o.Class] = images[o.Class]+1, i
			}
		}
	}
	for k, name := range sheet.Classes {
		c := &whole.value.Classes[k]
		if images[k] == 0 {
			continue
		}
		ap := Measure{Name: "ap", Value: number(c.AP), Items: images[k], HigherIsBetter: true}
		ap.Low, ap.High = whole.class[k].interval(groups)
		list = append(list, Slice{By: ByClass, Name: name, Items: images[k], Measures: []Measure{
			ap, {Name: "ap50", Value: number(c.AP50), Items: images[k], HigherIsBetter: true}, {Name: "ar100", Value: number(c.AR100), Items: images[k], HigherIsBetter: true},
		}})
	}
	return list
}

// bestThreshold is the score with the greatest F1 of all boxes at an overlap of 0.5, of several the highest; NaN if nothing right was
// found.
func bestThreshold(sheet *Sheet) float64 {
	type scored struct {
		score float64
		right bool
	}
	var list []scored
	objects := 0
	for i := range sheet.Scores {
		s := &sheet.Scores[i]
		if s.Failed {
			continue
		}
		for _, o := range s.Image.Objects {
			if o.Class >= 0 && !o.Crowd {
				objects++
			}
		}
		for k := range s.Image.Found {
			if b := &s.Image.Found[k]; !inCrowd(&s.Image, b) {
				list = append(list, scored{b.Score, b.Object >= 0})
			}
		}
	}
	slices.SortFunc(list, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	best, threshold, right := 0.0, math.NaN(), 0
	for i := range list {
		if list[i].right {
			right++
		}
		if i+1 < len(list) && list[i+1].score == list[i].score {
			continue
		}
		if f1 := 2 * float64(right) / float64(i+1+objects); f1 > best {
			best, threshold = f1, list[i].score
		}
	}
	return threshold
}

// confuseBoxes counts, of the detections from a score on, which class was found for which.
func confuseBoxes(sheet *Sheet, threshold float64, whole *pool, groups int) (table []Class, c *Confusion) {
	classes := len(sheet.Classes)
	c = newConfusion(append(slices.Clone(sheet.Classes), none))
	truth, said, right := make([]float64, classes), make([]float64, classes), make([]float64, classes)
	for i := range sheet.Scores {
		if sheet.Scores[i].Failed {
			continue
		}
		eachPair(&sheet.Scores[i].Image, threshold, func(object, found int) {
			is, says := int32(nothing), int32(nothing)
			if object >= 0 {
				is = sheet.Scores[i].Image.Objects[object].Class
				truth[is]++
			}
			if found >= 0 {
				says = sheet.Scores[i].Image.Found[found].Class
				said[says]++
			}
			if is == says {
				right[is]++
			}
			c.add(is, says, classes)
		})
	}
	for k, name := range sheet.Classes {
		if truth[k]+said[k] == 0 {
			continue
		}
		row, scores := classOf(name, truth[k], said[k], right[k]), &whole.value.Classes[k]
		row.AP, row.AP50, row.AR100 = number(scores.AP), number(scores.AP50), number(scores.AR100)
		row.Low, row.High = whole.class[k].interval(groups)
		table = append(table, row)
	}
	return table, c
}

// eachPair calls f for each object of an image and each detection from a score on, by their places: together where the detection found the
// object, or where, both without a match of their class, it overlaps one of another class by half; else alone, -1 standing for the other.
// What found a crowd is left out, and so is the crowd.
func eachPair(m *metrics.Matched, threshold float64, f func(object, found int)) {
	by := slices.Repeat([]int{nothing}, len(m.Objects))
	var left []int
	for k := range m.Found {
		b := &m.Found[k]
		switch {
		case !(b.Score >= threshold) || inCrowd(m, b):
		case b.Object >= 0:
			by[b.Object] = k
		default:
			left = append(left, k)
		}
	}
	slices.SortStableFunc(left, func(i, j int) int { return cmp.Compare(m.Found[j].Score, m.Found[i].Score) })
	for _, k := range left {
		if other := m.Found[k].Other; other >= 0 && by[other] < 0 {
			by[other] = k
			continue
		}
		f(nothing, k)
	}
	for object, k := range by {
		if o := &m.Objects[object]; o.Class >= 0 && !o.Crowd {
			f(object, k)
		}
	}
}
