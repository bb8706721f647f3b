package metrics

import (
	"cmp"
	"math"
	"slices"
)

// Drawn computes the figures of images that count several times, or not at all: each group of images as often as a weight says.
type Drawn struct {
	thresholds   []float64
	classes      []drawnClass
	atHalf, at75 int

	curve  []float64
	rights []int32
}

// drawnClass is one class, group by group.
type drawnClass struct {
	objects [sizes][]groupCount
	// What counts, the surest first, by range of sizes and threshold: a group times two, and one more if it is right.
	counting [sizes][][]uint32
	right    [][]rankedRight // by threshold, of all sizes
	objectsN [sizes]int32    // of the draw
}

type groupCount struct{ group, n int32 }

type rankedRight struct {
	group int32
	rank  uint8
}

// AddGrouped takes in an image of a group, as AddMatched does. Groups are numbers from 0.
func (d *Detections) AddGrouped(m *Matched, group int) {
	d.group = int32(group) //nolint:gosec // no more than images
	d.AddMatched(m)
}

// Drawn prepares what was added for draws, in the ranges of sizes that COCO has or, with all false, of all sizes alone.
func (d *Detections) Drawn(bySize bool) *Drawn {
	w := &Drawn{thresholds: d.thresholds, classes: make([]drawnClass, len(d.classes)), atHalf: d.thresholdAt(half), at75: d.thresholdAt(0.75)}
	ranges := 1
	if bySize {
		ranges = sizes
	}
	for k := range d.classes {
		from, into := &d.classes[k], &w.classes[k]
		slices.SortStableFunc(from.found, func(a, b foundBox) int { return cmp.Compare(b.score, a.score) })
		into.right = make([][]rankedRight, len(d.thresholds))
		for size := range ranges {
			for _, o := range from.byGroup {
				if n := o.n[size]; n > 0 {
					into.objects[size] = append(into.objects[size], groupCount{o.group, n})
				}
			}
			into.counting[size] = make([][]uint32, len(d.thresholds))
			for t := range d.thresholds {
				into.counting[size][t] = from.counting(size, t)
			}
		}
		for t := range d.thresholds {
			for i := range from.found {
				if b := &from.found[i]; b.matched[allSizes]&^b.ignored[allSizes]>>t&1 != 0 {
					into.right[t] = append(into.right[t], rankedRight{b.group, b.rank})
				}
			}
		}
	}
	return w
}

func (c *detectedClass) counting(size, threshold int) []uint32 {
	n := 0
	for i := range c.found {
		n += int(1 - c.found[i].ignored[size]>>threshold&1)
	}
	list := make([]uint32, 0, n)
	for i := range c.found {
		b := &c.found[i]
		if b.ignored[size]>>threshold&1 == 0 {
			list = append(list, uint32(b.group)<<1|uint32(b.matched[size]>>threshold&1)) //nolint:gosec // not below 0
		}
	}
	return list
}

// Scores are the figures with each group counted as often as its weight says.
func (w *Drawn) Scores(weights []int32) DetectionScores {
	var precision, recall [sizes]average
	var at50, at75 average
	var few [len(fewFound)]average
	s := DetectionScores{Classes: make([]ClassDetection, len(w.classes))}
	for k := range w.classes {
		c := &w.classes[k]
		c.count(weights)
		var own, own50, ownRecall average
		for t := range w.thresholds {
			for size := 1; size < sizes; size++ {
				p, r := w.precision(c, size, t, weights)
				precision[size].add(p)
				recall[size].add(r)
			}
			p, r := w.precision(c, allSizes, t, weights)
			precision[allSizes].add(p)
			own.add(p)
			ownRecall.add(r)
			if t == w.atHalf {
				at50.add(p)
				own50.add(p)
			}
			if t == w.at75 {
				at75.add(p)
			}
			for i, r := range c.fewRecalls(t, weights) {
				few[i].add(r)
			}
		}
		s.Classes[k] = ClassDetection{AP: own.mean(), AP50: own50.mean(), AR100: ownRecall.mean(), Objects: int(c.objectsN[allSizes])}
	}
	s.AP, s.AP50, s.AP75 = precision[allSizes].mean(), at50.mean(), at75.mean()
	s.APSmall, s.APMedium, s.APLarge = precision[smallSize].mean(), precision[mediumSize].mean(), precision[largeSize].mean()
	s.AR1, s.AR10, s.AR100 = few[0].mean(), few[1].mean(), few[2].mean()
	s.ARSmall, s.ARMedium, s.ARLarge = recall[smallSize].mean(), recall[mediumSize].mean(), recall[largeSize].mean()
	return s
}

// count counts the objects of a draw.
func (c *drawnClass) count(weights []int32) {
	for size := range c.objects {
		n := int32(0)
		for _, o := range c.objects[size] {
			n += weights[o.group] * o.n
		}
		c.objectsN[size] = n
	}
}

func (c *drawnClass) fewRecalls(threshold int, weights []int32) (recalls [len(fewFound)]float64) {
	objects := c.objectsN[allSizes]
	if objects == 0 {
		return [len(fewFound)]float64{math.NaN(), math.NaN(), math.NaN()}
	}
	var right [len(fewFound)]int32
	for _, r := range c.right[threshold] {
		weight := weights[r.group]
		right[2] += weight
		if r.rank < 10 {
			right[1] += weight
			if r.rank == 0 {
				right[0] += weight
			}
		}
	}
	for i := range right {
		recalls[i] = float64(right[i]) / float64(objects)
	}
	return recalls
}

// precision is the average of the best precisions, as detectedClass has it, and the recall of all.
func (w *Drawn) precision(c *drawnClass, size, threshold int, weights []int32) (average, recall float64) {
	objects := c.objectsN[size]
	if objects == 0 {
		return math.NaN(), math.NaN()
	}
	w.curve, w.rights = w.curve[:0], w.rights[:0]
	right, all := int32(0), int32(0)
	for _, counts := range c.counting[size][threshold] {
		weight := weights[counts>>1]
		all += weight
		if counts&1 != 0 && weight != 0 {
			right += weight
			w.curve, w.rights = append(w.curve, float64(right)/(float64(all)+epsilon)), append(w.rights, right)
		}
	}
	for i := len(w.curve) - 1; i > 0; i-- {
		w.curve[i-1] = max(w.curve[i-1], w.curve[i])
	}
	sum, at := 0.0, 0
	for _, point := range recallPoints {
		for at < len(w.curve) && float64(w.rights[at])/float64(objects) < point {
			at++
		}
		if at == len(w.curve) {
			break
		}
		sum += w.curve[at]
	}
	return sum / float64(len(recallPoints)), float64(right) / float64(objects)
}
