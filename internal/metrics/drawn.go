package metrics

import (
	"cmp"
	"math"
	"slices"
)

// Drawn computes the figures of images that count several times, or not at all: each group of images as often as a weight says.
type Drawn struct {
	thresholds   int
	ranges       int // of sizes
	classes      []drawnClass
	atHalf, at75 int

	// Of the class at hand in a draw, and of a range of it.
	weights []int32 // of its detections
	counted []int32 // how much of the base counts before each place in it
	reached []int32 // by how much is right: the last recall point that it reaches
}

// drawnClass is one class. Its detections have places, the surest first.
type drawnClass struct {
	groups   []int32 // of its detections
	ranges   [sizes]drawnRange
	few      []fewRight // by threshold
	objectsN [sizes]int32
}

// drawnRange is a class in one range of sizes. Which detections count hardly differs between thresholds: only what is matched does, as its object
// does. So a draw adds up its base, those that count at the first threshold, once, and walks at each threshold along its steps alone.
type drawnRange struct {
	objects []groupCount
	base    []int32
	steps   [][]step // by threshold
}

// step is a detection that is right at a threshold, or that counts there and not in the base, or the other way round.
type step struct {
	place, based int32 // the latter is how much of the base there is up to it
	right, more  int16 // 1 or 0; 1, 0 or -1
}

// fewRight are the places of what is right at a threshold, by its rank in its image: the surest, and those behind the surest ten.
type fewRight struct{ first, late []int32 }

type groupCount struct{ group, n int32 }

// AddGrouped takes in an image of a group, as AddMatched does. Groups are numbers from 0.
func (d *Detections) AddGrouped(m *Matched, group int) {
	d.group = int32(group) //nolint:gosec // no more than images
	d.AddMatched(m)
}

// Drawn prepares what was added for draws, in the ranges of sizes that COCO has or, with all false, of all sizes alone: the other figures, and
// AR1 and AR10, are then not defined.
func (d *Detections) Drawn(bySize bool) *Drawn {
	w := &Drawn{thresholds: len(d.thresholds), ranges: 1, classes: make([]drawnClass, len(d.classes)), atHalf: d.thresholdAt(half), at75: d.thresholdAt(0.75)}
	if bySize {
		w.ranges = sizes
	}
	for k := range d.classes {
		from, into := &d.classes[k], &w.classes[k]
		slices.SortStableFunc(from.found, func(a, b foundBox) int { return cmp.Compare(b.score, a.score) })
		into.groups = make([]int32, len(from.found))
		for i := range from.found {
			into.groups[i] = from.found[i].group
		}
		for size := range w.ranges {
			into.ranges[size] = from.drawnRange(size, w.thresholds)
		}
		if bySize {
			into.few = from.fewRight(w.thresholds)
		}
	}
	return w
}

func (c *detectedClass) drawnRange(size, thresholds int) drawnRange {
	r := drawnRange{steps: make([][]step, thresholds)}
	for _, o := range c.byGroup {
		if n := o.n[size]; n > 0 {
			r.objects = append(r.objects, groupCount{o.group, n})
		}
	}
	for i := range c.found {
		b, place := &c.found[i], int32(i)
		counts := 1 - int16(b.ignored[size]&1)
		if counts != 0 {
			r.base = append(r.base, place)
		}
		for t := range thresholds {
			s := step{place: place, based: int32(len(r.base)), right: int16(b.matched[size] &^ b.ignored[size] >> t & 1)} //nolint:gosec // far fewer, and a bit
			s.more = 1 - int16(b.ignored[size]>>t&1) - counts
			if s.right != 0 || s.more != 0 {
				r.steps[t] = append(r.steps[t], s)
			}
		}
	}
	return r
}

func (c *detectedClass) fewRight(thresholds int) []fewRight {
	few := make([]fewRight, thresholds)
	for i := range c.found {
		b, place := &c.found[i], int32(i)
		for t := range few {
			switch {
			case b.matched[allSizes]&^b.ignored[allSizes]>>t&1 == 0:
			case b.rank == 0:
				few[t].first = append(few[t].first, place)
			case b.rank >= 10:
				few[t].late = append(few[t].late, place)
			}
		}
	}
	return few
}

// Scores are the figures with each group counted as often as its weight says.
func (w *Drawn) Scores(weights []int32) DetectionScores {
	var precision, recall [sizes]average
	var at50, at75 average
	var few [len(fewFound)]average
	s := DetectionScores{Classes: make([]ClassDetection, len(w.classes))}
	for k := range w.classes {
		c := &w.classes[k]
		w.weigh(c, weights)
		for size := 1; size < w.ranges; size++ {
			w.count(&c.ranges[size], c.objectsN[size])
			for t := range w.thresholds {
				p, right := w.precision(&c.ranges[size], t, c.objectsN[size])
				precision[size].add(p)
				recall[size].add(recallOf(right, c.objectsN[size]))
			}
		}
		var own, own50, ownRecall average
		objects := c.objectsN[allSizes]
		w.count(&c.ranges[allSizes], objects)
		for t := range w.thresholds {
			p, right := w.precision(&c.ranges[allSizes], t, objects)
			precision[allSizes].add(p)
			own.add(p)
			ownRecall.add(recallOf(right, objects))
			if t == w.atHalf {
				at50.add(p)
				own50.add(p)
			}
			if t == w.at75 {
				at75.add(p)
			}
			if c.few != nil {
				few[0].add(recallOf(w.sum(c.few[t].first), objects))
				few[1].add(recallOf(right-w.sum(c.few[t].late), objects))
			}
			few[2].add(recallOf(right, objects))
		}
		s.Classes[k] = ClassDetection{AP: own.mean(), AP50: own50.mean(), AR100: ownRecall.mean(), Objects: int(objects)}
	}
	s.AP, s.AP50, s.AP75 = precision[allSizes].mean(), at50.mean(), at75.mean()
	s.APSmall, s.APMedium, s.APLarge = precision[smallSize].mean(), precision[mediumSize].mean(), precision[largeSize].mean()
	s.AR1, s.AR10, s.AR100 = few[0].mean(), few[1].mean(), few[2].mean()
	s.ARSmall, s.ARMedium, s.ARLarge = recall[smallSize].mean(), recall[mediumSize].mean(), recall[largeSize].mean()
	return s
}

// weigh finds how often a draw has each detection of a class, and how many objects there are.
func (w *Drawn) weigh(c *drawnClass, weights []int32) {
	w.weights = resized(w.weights, len(c.groups))
	for i, group := range c.groups {
		w.weights[i] = weights[group]
	}
	for size := range w.ranges {
		n := int32(0)
		for _, o := range c.ranges[size].objects {
			n += weights[o.group] * o.n
		}
		c.objectsN[size] = n
	}
}

// count adds up the base of a range, and finds which recall points its objects make.
func (w *Drawn) count(r *drawnRange, objects int32) {
	n := int32(0)
	w.counted = resized(w.counted, len(r.base)+1)
	for i, place := range r.base {
		w.counted[i] = n
		n += w.weights[place]
	}
	w.counted[len(r.base)] = n
	if objects == 0 {
		return
	}
	w.reached = resized(w.reached, int(objects)+1)
	last := len(recallPoints) - 1
	for right := range w.reached {
		recall := float64(right) / float64(objects)
		point := int(recall * float64(last)) // or one beside it
		if point < last && recall >= recallPoints[point+1] {
			point++
		} else if recall < recallPoints[point] {
			point--
		}
		w.reached[right] = int32(point) //nolint:gosec // one of the points
	}
}

// resized is a list of a length, whatever is in it.
func resized(list []int32, n int) []int32 { return slices.Grow(list[:0], n)[:n] }

func (w *Drawn) sum(places []int32) (n int32) {
	for _, place := range places {
		n += w.weights[place]
	}
	return n
}

// recallOf is the share of the objects that were found, NaN if there are none.
func recallOf(right, objects int32) float64 {
	if objects == 0 {
		return math.NaN()
	}
	return float64(right) / float64(objects)
}

// precision is the average of the best precisions, as detectedClass has it, and how many are right. The precision at a step that a draw does
// not have, or that is not right, is none that is not exceeded before it.
func (w *Drawn) precision(r *drawnRange, threshold int, objects int32) (average float64, right int32) {
	if objects == 0 {
		return math.NaN(), 0
	}
	var best [points]float64 // by the last recall point that is reached
	more := int32(0)
	for _, s := range r.steps[threshold] {
		weight := w.weights[s.place]
		right += weight * int32(s.right)
		more += weight * int32(s.more)
		at := &best[w.reached[min(right, objects)]]
		if v := float64(right) / (float64(w.counted[s.based]+more) + epsilon); v > *at {
			*at = v
		}
	}
	last := w.reached[min(right, objects)]
	beyond, sum := 0.0, 0.0
	for i := last; i >= 0; i-- {
		beyond = max(beyond, best[i])
		best[i] = beyond
	}
	for _, v := range best[:last+1] {
		sum += v
	}
	return sum / float64(len(recallPoints)), right
}
