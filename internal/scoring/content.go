package scoring

import (
	"cmp"
	"math"
	"slices"

	"fiducial/internal/metrics"
	"fiducial/internal/speech"
)

// SaidFrom is the confidence from which a label of the task Labels counts as said. One without a confidence always does.
const SaidFrom = 0.5

// spanOverlap is the share of their union that two spans must have in common to be of the same moment.
const spanOverlap = 0.5

// WordScorer returns what ScoreSpeech compares with: words as the normalizer of this name writes them, "" for the product's own.
func WordScorer(normalizer string) *speech.Scorer {
	return &speech.Scorer{Normalizer: speech.ProjectNormalizer(normalizer), Characters: true}
}

// ScoreSpeech scores a transcript. Like its siblings it leaves all that is not the task's to the caller; length and confidence are
// not there.
func ScoreSpeech(scorer *speech.Scorer, reference, hypothesis string) Score {
	c := scorer.Score(reference, hypothesis)
	s := blank()
	s.Words = Words{
		count(c.Hits), count(c.Substitutions), count(c.Deletions), count(c.Insertions), count(c.Characters), count(c.CharacterErrors),
	}
	return s
}

// TruthMarks are the classes of an utterance's moments, each once, as a score of the task Speech has them.
func TruthMarks(classes []string, truth []Moment) (marks []Mark) {
	for class, name := range classes {
		if i := slices.IndexFunc(truth, func(m Moment) bool { return m.Class == name }); i >= 0 {
			marks = append(marks, Mark{count(class), nothing, count(i), nothing, none32})
		}
	}
	return marks
}

// Failure is the score of a line without an output.
func Failure() Score {
	s := blank()
	s.Failed = true
	return s
}

func blank() Score { return Score{Length: none32, Confidence: none32} }

// count is a number of things that one item has.
func count(n int) int32 { return int32(min(n, math.MaxInt32)) } //nolint:gosec // no more than that

// TruthLabel is the one label of an item: the class that its moments have for the longest time in all, of several alike that which
// comes first in classes. Without any it is the last of classes, which is none.
func TruthLabel(classes []string, truth []Moment) string {
	longest, best := -1.0, len(classes)-1
	for i, class := range classes[:max(0, len(classes)-1)] {
		time, there := 0.0, false
		for _, m := range truth {
			if m.Class == class {
				time, there = time+(m.End-m.Begin), true
			}
		}
		if there && time > longest {
			longest, best = time, i
		}
	}
	if best < 0 {
		return ""
	}
	return classes[best]
}

// ScoreLabel scores one label an item: that of which the model is surest, or that which it names first, against TruthLabel. The last of
// classes is none, which is what an output says that names no class. A label that is none of classes is passed over.
func ScoreLabel(classes []string, truth, said []Moment) Score {
	s := blank()
	last := len(classes) - 1
	mark := Mark{Truth: classNumber(classes, TruthLabel(classes, truth)), Said: count(last), TruthAt: nothing, SaidAt: nothing, Confidence: none32}
	best := math.Inf(-1)
	for i, m := range said {
		class := classNumber(classes, m.Class)
		if class < 0 {
			continue
		}
		if sure := sureness(m); mark.SaidAt < 0 || sure > best {
			mark.Said, mark.SaidAt, best = class, count(i), sure
			mark.Confidence = confidence32(m.Confidence)
		}
	}
	s.Marks = []Mark{mark}
	s.Confidence = mark.Confidence
	if p := probabilities(classes, said); isDistribution(p) {
		s.Probabilities = p
	}
	return s
}

// ScoreLabels scores any number of labels an item: each class is true or not, and said or not.
func ScoreLabels(classes []string, truth, said []Moment) Score {
	s := blank()
	for class, name := range classes {
		mark := Mark{Truth: nothing, Said: nothing, TruthAt: nothing, SaidAt: nothing, Confidence: none32}
		if i := slices.IndexFunc(truth, func(m Moment) bool { return m.Class == name }); i >= 0 {
			mark.Truth, mark.TruthAt = count(class), count(i)
		}
		best := math.Inf(-1)
		for i, m := range said {
			if m.Class != name || m.Confidence < SaidFrom {
				continue
			}
			if sure := sureness(m); mark.SaidAt < 0 || sure > best {
				mark.Said, mark.SaidAt, best = count(class), count(i), sure
				mark.Confidence = confidence32(m.Confidence)
			}
		}
		if mark.Truth >= 0 || mark.Said >= 0 {
			s.Marks = append(s.Marks, mark)
		}
	}
	s.Probabilities = probabilities(classes, said)
	s.Confidence = leastSure(s.Marks)
	return s
}

// taken stands for what found a moment of a class that is not looked at: nothing can.
const taken = -2

// ScoreSpans scores labels on stretches of time. Moments of other classes are passed over: what is said where they are is false. What was said, the surest first, finds the moment of its class that it has most in
// common with, at least half of their union; then what is left finds moments of other classes the same way.
func ScoreSpans(classes []string, truth, said []Moment) Score {
	s := blank()
	order := make([]int, 0, len(said))
	for i := range said {
		if classNumber(classes, said[i].Class) >= 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(sureness(said[j]), sureness(said[i])) })
	by, of := make([]int, len(truth)), make([]int32, len(truth))
	for i := range by {
		by[i], of[i] = nothing, classNumber(classes, truth[i].Class)
		if of[i] < 0 {
			by[i] = taken
		}
	}
	left := findSpans(by, order, truth, said, true)
	left = findSpans(by, left, truth, said, false)
	for i, class := range of {
		if class < 0 {
			continue
		}
		mark := Mark{Truth: class, Said: nothing, TruthAt: count(i), SaidAt: nothing, Confidence: none32}
		if k := by[i]; k >= 0 {
			mark.Said, mark.SaidAt, mark.Confidence = classNumber(classes, said[k].Class), count(k), confidence32(said[k].Confidence)
		}
		s.Marks = append(s.Marks, mark)
	}
	for _, k := range left {
		s.Marks = append(s.Marks, Mark{nothing, classNumber(classes, said[k].Class), nothing, count(k), confidence32(said[k].Confidence)})
	}
	s.Confidence = leastSure(s.Marks)
	return s
}

// findSpans gives what was said, in this order, the moments that by has for nothing yet, and returns what found none.
func findSpans(by, order []int, truth, said []Moment, alike bool) (left []int) {
	for _, k := range order {
		best, most := nothing, spanOverlap
		for i, m := range truth {
			if by[i] != nothing || (m.Class == said[k].Class) != alike {
				continue
			}
			if o := timeOverlap(m, said[k]); o >= most && (best < 0 || o > most) {
				best, most = i, o
			}
		}
		if best < 0 {
			left = append(left, k)
			continue
		}
		by[best] = k
	}
	return left
}

// timeOverlap is the time that two moments have in common, over that of both together.
func timeOverlap(a, b Moment) float64 {
	both := min(a.End, b.End) - max(a.Begin, b.Begin)
	if all := max(a.End, b.End) - min(a.Begin, b.Begin); both > 0 && all > 0 {
		return both / all
	}
	return 0
}

// Matcher compares boxes for ScoreDetection and uses the same memory for all images.
type Matcher struct {
	classes    map[string]int
	detections *metrics.Detections
}

// NewMatcher returns one for these classes.
func NewMatcher(classes []string) *Matcher {
	m := &Matcher{classes: map[string]int{}, detections: metrics.NewDetections(len(classes), metrics.COCOThresholds())}
	for i, class := range classes {
		m.classes[class] = i
	}
	return m
}

// ScoreDetection scores what was found in an image, as COCO's reference scorer does. Boxes of other classes are passed over.
func ScoreDetection(m *Matcher, truth, found []Box) Score {
	objects, detections := make([]metrics.TruthBox, len(truth)), make([]metrics.Detection, len(found))
	for i, b := range truth {
		objects[i] = metrics.TruthBox{Class: m.number(b.Class), X: b.X, Y: b.Y, W: b.W, H: b.H, Area: b.W * b.H, Crowd: b.Crowd}
	}
	best := math.NaN()
	for i, b := range found {
		detections[i] = metrics.Detection{Class: m.number(b.Class), X: b.X, Y: b.Y, W: b.W, H: b.H, Score: b.Score}
		if detections[i].Class >= 0 && !(b.Score <= best) {
			best = b.Score
		}
	}
	s := blank()
	s.Image = m.detections.Match(objects, detections)
	s.Confidence = confidence32(best)
	return s
}

func (m *Matcher) number(class string) int {
	if i, known := m.classes[class]; known {
		return i
	}
	return nothing
}

func classNumber(classes []string, name string) int32 { return count(slices.Index(classes, name)) }

// sureness orders labels: one without a confidence is as sure as can be.
func sureness(m Moment) float64 {
	if math.IsNaN(m.Confidence) {
		return 1
	}
	return m.Confidence
}

func confidence32(v float64) float32 {
	if math.IsNaN(v) || v < 0 || v > 1 {
		return none32
	}
	return float32(v)
}

// leastSure is the least confidence of all that was said.
func leastSure(marks []Mark) float32 {
	least := none32
	for _, m := range marks {
		if m.Said >= 0 && !math.IsNaN(float64(m.Confidence)) && !(m.Confidence >= least) {
			least = m.Confidence
		}
	}
	return least
}

// probabilities are those that were said of each class, nil if of none.
func probabilities(classes []string, said []Moment) []float32 {
	var list []float32
	for _, m := range said {
		class, p := classNumber(classes, m.Class), confidence32(m.Confidence)
		if class < 0 || math.IsNaN(float64(p)) {
			continue
		}
		if list == nil {
			list = slices.Repeat([]float32{none32}, len(classes))
		}
		if !(list[class] >= p) {
			list[class] = p
		}
	}
	return list
}

// isDistribution reports whether probabilities are of more than one class and sum to 1: what nothing was said of has nothing left.
func isDistribution(p []float32) bool {
	sum, unsaid := 0.0, 0
	for _, v := range p {
		if math.IsNaN(float64(v)) {
			unsaid++
			continue
		}
		sum += float64(v)
	}
	return len(p) > 0 && math.Abs(sum-1) < 0.01 && len(p)-unsaid > 1
}
