// Package metrics measures predictions against truth: detections as COCO's reference scorer does, labels as scikit-learn
// does. A measure that is not defined, since there is nothing to measure it on, is NaN.
package metrics

import (
	"cmp"
	"math"
	"slices"
)

// TruthBox is an object that is to be found, in pixels. Area decides in which range of sizes it counts, which need not be W
// times H. A crowd is a group of objects: what is found in it is neither right nor wrong.
type TruthBox struct {
	Class         int
	X, Y, W, H    float64
	Area          float64
	Crowd         bool
	ignoredInArea uint8 // a bit for each range of sizes
}

// Detection is an object that was found.
type Detection struct {
	Class      int
	X, Y, W, H float64
	Score      float64
}

// The ranges of sizes, by area in square pixels, both ends belonging to them.
const (
	allSizes = iota
	smallSize
	mediumSize
	largeSize
	sizes
)

var sizeRanges = [sizes][2]float64{{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}}

// mostFound is how many detections of a class in an image count, the surest first; fewFound are lower bounds for recall.
const mostFound = 100

var fewFound = [...]int{1, 10, mostFound}

// maxThresholds bounds the thresholds, whose matches are bits.
const maxThresholds = 16

// COCOThresholds are the overlaps (IoU) that COCO averages over: 0.5, 0.55, … 0.95.
func COCOThresholds() []float64 { return spaced(0.5, 0.95, 10) }

// spaced returns n numbers from first to last, to the last bit as NumPy's linspace has them.
func spaced(first, last float64, n int) []float64 {
	step := (last - first) / float64(n-1)
	numbers := make([]float64, n)
	for i := range numbers {
		numbers[i] = float64(float64(i)*step) + first
	}
	numbers[n-1] = last
	return numbers
}

// Detections compares what was found with the truth, image by image. Where detections have the same score, the earlier image and
// the earlier detection go first.
type Detections struct {
	thresholds []float64
	classes    []detectedClass

	truth, found [][]int // of the image, by class: indices
	match        matching
	image        Matched
	group        int32 // of the image that is added
}

// detectedClass is what is known of one class.
type detectedClass struct {
	found   []foundBox
	objects [sizes]int // that are to be found, without those that are ignored
	byGroup []groupObjects
	curve   []float64
}

// groupObjects are those of one group of images, in each range of sizes.
type groupObjects struct {
	group int32
	n     [sizes]int32
}

// foundBox is a detection with what became of it, a bit for each threshold.
type foundBox struct {
	group            int32
	score            float64
	rank             uint8 // among those of its class in its image, from 0
	matched, ignored [sizes]uint16
}

// NewDetections measures at these thresholds of overlap, at most 16, for classes from 0 to below classes.
func NewDetections(classes int, thresholds []float64) *Detections {
	return &Detections{
		thresholds: thresholds[:min(len(thresholds), maxThresholds)], classes: make([]detectedClass, classes),
		truth: make([][]int, classes), found: make([][]int, classes),
	}
}

// Add compares one image. Boxes of a class that there is not are passed over.
func (d *Detections) Add(truth []TruthBox, found []Detection) {
	d.image.Objects, d.image.Found = d.image.Objects[:0], d.image.Found[:0]
	d.matchInto(&d.image, truth, found)
	d.AddMatched(&d.image)
}

// sort puts the boxes of an image into their classes and returns the classes that have any.
func (d *Detections) sort(truth []TruthBox, found []Detection) (present []int) {
	for i := range truth {
		t := &truth[i]
		if t.Class < 0 || t.Class >= len(d.classes) {
			continue
		}
		if len(d.truth[t.Class])+len(d.found[t.Class]) == 0 {
			present = append(present, t.Class)
		}
		d.truth[t.Class] = append(d.truth[t.Class], i)
	}
	for i := range found {
		class := found[i].Class
		if class < 0 || class >= len(d.classes) {
			continue
		}
		if len(d.truth[class])+len(d.found[class]) == 0 {
			present = append(present, class)
		}
		d.found[class] = append(d.found[class], i)
	}
	return present
}

// compare matches the detections of one class in one image, and appends them.
func (d *Detections) compare(into []MatchedBox, class int, truth []TruthBox, found []Detection) []MatchedBox {
	m := &d.match
	m.reset(truth, d.truth[class], found, d.found[class])
	first := len(into)
	m.order(allSizes)
	m.run(half)
	for rank, i := range d.found[class] {
		box := MatchedBox{Class: int32(class), Rank: uint8(rank), Score: found[i].Score, At: int32(i), Object: -1, Other: other(&found[i], truth)} //nolint:gosec // no more than there are, and no more than mostFound
		if place := m.by[rank]; place >= 0 {
			box.Object = int32(d.truth[class][m.inOrder[place]]) //nolint:gosec // an image's objects
		}
		into = append(into, box)
	}
	for size := range sizes {
		m.order(size)
		for t, threshold := range d.thresholds {
			m.run(min(threshold, 1-1e-10))
			for k := range m.found {
				box := &into[first+k]
				if m.by[k] >= 0 {
					box.Matched[size] |= 1 << t
				}
				if m.ignores(k, size) {
					box.Ignored[size] |= 1 << t
				}
			}
		}
	}
	return into
}

// half is the overlap from which two boxes are of the same object.
const half = 0.5

// other is the object of another class that a detection overlaps most, by half at least; -1: none.
func other(d *Detection, truth []TruthBox) int32 {
	best, most := int32(-1), half
	for i := range truth {
		t := &truth[i]
		if t.Class == d.Class || t.Class < 0 || t.Crowd {
			continue
		}
		if o := overlap(d, t); o >= most {
			best, most = int32(i), o
		}
	}
	return best
}

// ignoredIn has a bit for each range of sizes that an object does not count in.
func ignoredIn(t *TruthBox) (bits uint8) {
	for size, bounds := range sizeRanges {
		if t.Crowd || t.Area < bounds[0] || t.Area > bounds[1] {
			bits |= 1 << size
		}
	}
	return bits
}

// matching matches the detections of one class in one image with its objects.
type matching struct {
	truth    []TruthBox
	found    []Detection
	overlaps []float64 // by detection, then by object

	inOrder []int // the objects, those that are not ignored first
	counted int   // how many are not
	taken   []bool
	by      []int // by detection: the place in inOrder of the object that it found, -1 for none
}

func (m *matching) reset(truth []TruthBox, truths []int, found []Detection, founds []int) {
	m.truth, m.found, m.overlaps = m.truth[:0], m.found[:0], m.overlaps[:0]
	for _, i := range truths {
		t := truth[i]
		t.ignoredInArea = ignoredIn(&t)
		m.truth = append(m.truth, t)
	}
	for _, i := range founds {
		m.found = append(m.found, found[i])
		for j := range m.truth {
			m.overlaps = append(m.overlaps, overlap(&found[i], &m.truth[j]))
		}
	}
}

// overlap is the intersection of two boxes over their union; of a crowd, over the detection alone.
func overlap(d *Detection, t *TruthBox) float64 {
	w := min(d.X+d.W, t.X+t.W) - max(d.X, t.X)
	h := min(d.Y+d.H, t.Y+t.H) - max(d.Y, t.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	// The conversions keep each product rounded by itself, on every machine.
	both, area := float64(w*h), float64(d.W*d.H)
	if t.Crowd {
		return both / area
	}
	return both / (area + float64(t.W*t.H) - both)
}

// order puts the objects that are ignored in a range of sizes last.
func (m *matching) order(size int) {
	m.inOrder = m.inOrder[:0]
	for i := range m.truth {
		if m.truth[i].ignoredInArea>>size&1 == 0 {
			m.inOrder = append(m.inOrder, i)
		}
	}
	m.counted = len(m.inOrder)
	for i := range m.truth {
		if m.truth[i].ignoredInArea>>size&1 != 0 {
			m.inOrder = append(m.inOrder, i)
		}
	}
}

// run gives each detection, the surest first, the object that it overlaps most and by at least the threshold, if no other has that
// already; of several alike the last. One that is ignored is given only where there is no other.
func (m *matching) run(threshold float64) {
	m.taken, m.by = m.taken[:0], m.by[:0]
	for range m.inOrder {
		m.taken = append(m.taken, false)
	}
	for k := range m.found {
		overlaps := m.overlaps[k*len(m.truth):]
		best, most := -1, threshold
		for place, i := range m.inOrder {
			if m.taken[place] && !m.truth[i].Crowd {
				continue
			}
			if best >= 0 && best < m.counted && place >= m.counted {
				break
			}
			if overlaps[i] >= most {
				best, most = place, overlaps[i]
			}
		}
		if best >= 0 {
			m.taken[best] = true
		}
		m.by = append(m.by, best)
	}
}

// ignores reports whether a detection counts neither as right nor as wrong: it found what is ignored, or found nothing and is of
// another size.
func (m *matching) ignores(k, size int) bool {
	if m.by[k] >= 0 {
		return m.by[k] >= m.counted
	}
	area := float64(m.found[k].W * m.found[k].H)
	return area < sizeRanges[size][0] || area > sizeRanges[size][1]
}

// DetectionScores are COCO's twelve figures, averages over thresholds and classes, and those of each class.
type DetectionScores struct {
	AP, AP50, AP75             float64 // average precision; at an overlap of 0.5, of 0.75
	APSmall, APMedium, APLarge float64 // of objects up to 32², up to 96², from 96² square pixels
	AR1, AR10, AR100           float64 // average recall of the surest 1, 10, 100 of a class in an image
	ARSmall, ARMedium, ARLarge float64
	Classes                    []ClassDetection
}

// ClassDetection is how one class was found.
type ClassDetection struct {
	AP, AP50, AR100 float64
	Objects, Found  int // without crowds; with no more than the surest 100 of an image
}

// Scores measures what was added so far.
func (d *Detections) Scores() DetectionScores {
	var precision, recall [sizes]average
	var at50, at75 average
	var few [len(fewFound)]average
	s := DetectionScores{Classes: make([]ClassDetection, len(d.classes))}
	atHalf, threeQuarters := d.thresholdAt(half), d.thresholdAt(0.75)
	for k := range d.classes {
		c := &d.classes[k]
		slices.SortStableFunc(c.found, func(a, b foundBox) int { return cmp.Compare(b.score, a.score) })
		var own, own50, ownRecall average
		for t := range d.thresholds {
			for size := range sizes {
				p, r := c.precision(size, t), c.recall(size, t, mostFound)
				precision[size].add(p)
				recall[size].add(r)
			}
			p := c.precision(allSizes, t)
			own.add(p)
			ownRecall.add(c.recall(allSizes, t, mostFound))
			if t == atHalf {
				at50.add(p)
				own50.add(p)
			}
			if t == threeQuarters {
				at75.add(p)
			}
			for i, most := range fewFound {
				few[i].add(c.recall(allSizes, t, most))
			}
		}
		s.Classes[k] = ClassDetection{AP: own.mean(), AP50: own50.mean(), AR100: ownRecall.mean(), Objects: c.objects[allSizes], Found: len(c.found)}
	}
	s.AP, s.AP50, s.AP75 = precision[allSizes].mean(), at50.mean(), at75.mean()
	s.APSmall, s.APMedium, s.APLarge = precision[smallSize].mean(), precision[mediumSize].mean(), precision[largeSize].mean()
	s.AR1, s.AR10, s.AR100 = few[0].mean(), few[1].mean(), few[2].mean()
	s.ARSmall, s.ARMedium, s.ARLarge = recall[smallSize].mean(), recall[mediumSize].mean(), recall[largeSize].mean()
	return s
}

func (d *Detections) thresholdAt(overlap float64) int {
	return slices.IndexFunc(d.thresholds, func(t float64) bool { return math.Abs(t-overlap) < 1e-9 })
}

// average is the mean of what is defined.
type average struct {
	sum float64
	n   int
}

func (a *average) add(v float64) {
	if !math.IsNaN(v) {
		a.sum += v
		a.n++
	}
}

func (a *average) mean() float64 {
	if a.n == 0 {
		return math.NaN()
	}
	return a.sum / float64(a.n)
}
