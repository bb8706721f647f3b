// Package quality sums up what is known of one labeler's answers.
package quality

import (
	"math"
	"math/rand/v2"
	"slices"

	"fiducial/internal/agreement"
	"fiducial/internal/interval"
)

// Fault is why an answer was sent back; Class is that of the box it was about, 0 for none.
type Fault struct {
	Reason string
	Class  int64
}

// Answer is a labeler's answer with what others made of it.
type Answer struct {
	Boxes    []agreement.Box
	Counts   bool              // it stands, so that it can be compared
	HasTruth bool              // the item is decided
	Truth    []agreement.Box   // of the item
	Peers    [][]agreement.Box // what others answered to the same item
	Approved bool              // it became the truth as it was
	Amended  bool              // it became the truth, changed
	Faults   []Fault           // none: it was not sent back
	ActiveMS int64             // how long the labeler was at it

	TruthWords *agreement.WordErrors // of sound: beside the truth's words, nil without a truth
	PeerWords  []agreement.WordPair  // and beside each other answer's
}

// Gold is what an answer to a gold item was worth: its score, and for each class how many objects it has in the answer
// or the truth, and how many of them are agreed.
type Gold struct {
	Score   float64
	Classes map[int64][2]int
	Words   *agreement.WordErrors // of sound
}

// Figures are what a labeler's answers come to, as counts: an object that the one or the other has is agreed when both
// have it alike. Of a class they count the answers with a box of it, and the objects that either gives it.
type Figures struct {
	Answers, Approved, Amended, Rejected int
	Reasons                              map[string]int // rejected answers by fault; one may have several
	TruthObjects, TruthAgreed            int
	PeerObjects, PeerAgreed              int
	GoldItems, GoldObjects, GoldAgreed   int
	GoldScore                            *float64 // mean over the gold items, nil without any
	GoldInterval                         Interval
	MedianMS                             *float64 // of the time at an answer, nil without any
	Words                                WordFigures
}

// WordFigures are the errors in a labeler's words, and of how many: beside the truth, beside other answers, and beside the truth of gold
// items. PeerWords are those of both sides together, so that the rate is twice the errors over them. They are of all classes alone.
type WordFigures struct {
	TruthErrors, TruthWords, PeerErrors, PeerWords, GoldErrors, GoldWords int
}

// Whole is the key of the figures of all classes together.
const Whole int64 = 0

// Summarize returns a labeler's figures by class, and under Whole those of everything.
func Summarize(answers []Answer, gold []Gold, limits agreement.Limits) map[int64]Figures {
	sums := map[int64]*Figures{}
	of := func(class int64) *Figures {
		if sums[class] == nil {
			sums[class] = &Figures{Reasons: map[string]int{}}
		}
		return sums[class]
	}
	of(Whole)
	var times []float64
	for _, a := range answers {
		times = append(times, float64(a.ActiveMS))
		a.count(of)
		if !a.Counts {
			continue
		}
		of(Whole).Words.add(a)
		if a.HasTruth {
			for class, n := range PerClass(a.Boxes, a.Truth, limits) {
				of(class).TruthObjects += n[0]
				of(class).TruthAgreed += n[1]
			}
		}
		for _, peer := range a.Peers {
			for class, n := range PerClass(a.Boxes, peer, limits) {
				of(class).PeerObjects += n[0]
				of(class).PeerAgreed += n[1]
			}
		}
	}
	countGold(of, gold)
	if len(times) > 0 {
		slices.Sort(times)
		of(Whole).MedianMS = new((times[(len(times)-1)/2] + times[len(times)/2]) / 2)
	}
	all := map[int64]Figures{}
	for class, f := range sums {
		all[class] = *f
	}
	return all
}

func (w *WordFigures) add(a Answer) {
	if a.TruthWords != nil {
		w.TruthErrors += a.TruthWords.Errors
		w.TruthWords += a.TruthWords.Words
	}
	for _, p := range a.PeerWords {
		w.PeerErrors += p.Errors
		w.PeerWords += p.Words
	}
}

// count counts an answer, and what became of it, for each class that it has and for the whole.
func (a Answer) count(of func(int64) *Figures) {
	classes := map[int64]bool{Whole: true}
	for _, b := range a.Boxes {
		classes[b.Class] = true
	}
	for class := range classes {
		f := of(class)
		f.Answers++
		if a.Approved {
			f.Approved++
		}
		if a.Amended {
			f.Amended++
		}
	}
	rejected, reasons := map[int64]bool{}, map[Fault]bool{}
	for _, fault := range a.Faults {
		for _, class := range []int64{Whole, fault.Class} {
			rejected[class] = true
			reasons[Fault{fault.Reason, class}] = true
		}
	}
	for class := range rejected {
		of(class).Rejected++
	}
	for fault := range reasons {
		of(fault.Class).Reasons[fault.Reason]++
	}
}

func countGold(of func(int64) *Figures, gold []Gold) {
	scores := make([]float64, len(gold))
	for i, g := range gold {
		scores[i] = g.Score
		if g.Words != nil {
			of(Whole).Words.GoldErrors += g.Words.Errors
			of(Whole).Words.GoldWords += g.Words.Words
		}
		for class, n := range g.Classes {
			of(class).GoldItems++
			of(class).GoldObjects += n[0]
			of(class).GoldAgreed += n[1]
			of(Whole).GoldObjects += n[0]
			of(Whole).GoldAgreed += n[1]
		}
	}
	if len(gold) > 0 {
		whole := of(Whole)
		whole.GoldItems = len(gold)
		mean, known := Mean(scores)
		whole.GoldScore, whole.GoldInterval = &mean, known
	}
}

// PerClass matches two answers and returns, for each class that either names, how many objects either gives it and on
// how many of those they agree; under Whole, all objects.
func PerClass(a, b []agreement.Box, limits agreement.Limits) map[int64][2]int {
	boxes := [][]agreement.Box{a, b}
	found := agreement.Match(boxes, limits)
	counts := Named(boxes, found)
	agreed := 0
	for i := range found.Objects {
		if found.Objects[i].Worst() == agreement.Agreed {
			agreed++
		}
	}
	if len(found.Objects) > 0 {
		counts[Whole] = [2]int{len(found.Objects), agreed}
	}
	return counts
}

// Named counts, for each class that answers name, the objects that any of them gives it, and those on which they agree.
func Named(boxes [][]agreement.Box, found agreement.Matching) map[int64][2]int {
	counts := map[int64][2]int{}
	for i := range found.Objects {
		o := &found.Objects[i]
		named := map[int64]bool{}
		for _, r := range o.Members {
			named[boxes[r.Answer][r.Box].Class] = true
		}
		for class := range named {
			n := counts[class]
			n[0]++
			if o.Worst() == agreement.Agreed {
				n[1]++
			}
			counts[class] = n
		}
	}
	return counts
}

// Interval holds a figure with 95 % confidence.
type Interval = agreement.Interval

// z is the 97.5th percentile of the normal distribution.
const z = 1.959963984540054

// Wilson returns the interval of a share of k in n, of which 0 tell nothing. E. B. Wilson, “Probable inference, the law
// of succession, and statistical inference”, JASA 22 (1927).
func Wilson(k, n int) Interval {
	if n <= 0 {
		return Interval{Low: 0, High: 1}
	}
	p, m := float64(k)/float64(n), float64(n)
	middle := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return Interval{Low: max(0, middle-half), High: min(1, middle+half)}
}

// resamples is how often Mean draws anew.
const resamples = 2000

// Mean returns the mean of values from 0 to 1 and its interval, from draws of them as package interval has it; of too few, it is from 0 to 1. The
// same values have the same interval.
func Mean(values []float64) (mean float64, known Interval) {
	known = Interval{Low: 0, High: 1}
	n := len(values)
	if n == 0 {
		return 0, known
	}
	for _, v := range values {
		mean += v
	}
	mean /= float64(n)
	dice := rand.New(rand.NewPCG(1, uint64(n))) //nolint:gosec // drawn to measure, not to hide
	means := make([]float64, resamples)
	for i := range means {
		for range n {
			means[i] += values[dice.IntN(n)] / float64(n)
		}
	}
	if low, high, ok := interval.Of(means, n); ok {
		known = Interval{Low: max(0, low), High: min(1, high)}
	}
	return mean, known
}
