package agreement

import (
	"cmp"
	"slices"
)

// NoBox stands, where votes are compared, for an answer that has nothing where another has an object.
const NoBox int64 = -1

// Item is what labelers answered to one item.
type Item struct {
	Answers [][]Box
	// Labelers say whose each answer is, one for each answer.
	Labelers []int64
	// Truth is what was decided, where HasTruth is set.
	Truth    []Box
	HasTruth bool
	// Words say how far what was written down differs; nil for a picture.
	Words *Words
}

// Interval holds the middle 95 % of what a bootstrap over items gave; of a share that is 0 or 1 whatever items are drawn, the exact
// interval for that share of N.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Estimate is a measure with its uncertainty and the number of what it is a mean of. Without Defined there is no value, since there is
// nothing to compare, or no variation to compare it with: the other numbers are then 0.
type Estimate struct {
	Value   float64 `json:"value"`
	Defined bool    `json:"defined"`
	N       int     `json:"n"`
	Interval
}

// Summary is how far the labelers of many items agree, with each other and with the truth. Every class a measure speaks of is a
// class id or NoBox. An object is a unit; a labeler who has a wide box over it has no vote on it.
type Summary struct {
	Items    int `json:"items"`    // all
	Compared int `json:"compared"` // with at least two answers
	Decided  int `json:"decided"`  // with a truth
	Objects  int `json:"objects"`  // on the compared ones
	// Findings count objects by their worst finding.
	Findings map[Finding]int `json:"findings"`

	// Score is the mean of the compared items' scores; see Match.
	Score Estimate `json:"score"`
	// Alpha is Krippendorff's alpha, nominal, over all objects, with NoBox as a category. Units are objects.
	Alpha Estimate `json:"alpha"`
	// Fleiss is Fleiss' kappa over the same.
	Fleiss Estimate `json:"fleiss"`
	// Cohen is the mean of Cohen's kappas of all pairs of labelers (Light 1971), weighted by the objects that they are from.
	Cohen Estimate `json:"cohen"`
	// IoU is the mean of all pairs of boxes of one object.
	IoU Estimate `json:"iou"`

	Classes  []ClassSummary   `json:"classes"`  // by class id
	Labelers []LabelerSummary `json:"labelers"` // by id
	Pairs    []PairSummary    `json:"pairs"`    // of labelers, by id
	Votes    Confusion        `json:"votes"`    // of labelers with each other: each pair of votes both ways round, so that the diagonal holds twice the pairs
	Truth    Confusion        `json:"truth"`    // of answers with the truth
	Confused []ConfusedPair   `json:"confused"` // the most confused first
	Skene    Skene            `json:"skene"`
	// Words are how far transcripts agree; nil for pictures.
	Words *WordSummary `json:"words,omitempty"`
}

// ClassSummary is how far labelers agree on one class.
type ClassSummary struct {
	Class int64 `json:"class"`
	// Votes is the specific agreement on it: of the votes for it, the share that the other vote of a pair equals
	// (Fleiss, Levin and Paik 2003, proportions of specific agreement).
	Votes Estimate `json:"votes"`
	// Truth is the same between votes and truth, which is the F1 of the labelers.
	Truth Estimate `json:"truth"`
	// IoU is the mean of the pairs of boxes that both say it.
	IoU Estimate `json:"iou"`
}

// LabelerSummary is how far one labeler agrees with the others, and with the truth.
type LabelerSummary struct {
	Labeler int64 `json:"labeler"`
	Answers int   `json:"answers"` // on compared or decided items
	// Others and Truth are shares of the objects that the labeler or the other side has: on how many both say the same.
	Others    Estimate `json:"others"`
	Truth     Estimate `json:"truth"`
	OthersIoU Estimate `json:"others_iou"`
	TruthIoU  Estimate `json:"truth_iou"`
	// Accuracy is the probability of the right class that Dawid and Skene's method finds.
	Accuracy float64        `json:"accuracy"`
	Classes  []LabelerClass `json:"classes"`
}

// LabelerClass is how far one labeler agrees on one class.
type LabelerClass struct {
	Class int64 `json:"class"`
	// Others is the share of the labeler's votes for it that another labeler's vote equals; NoBox means where others have a box.
	Others Estimate `json:"others"`
	// Precision is the share of the labeler's votes for it that the truth equals, Recall the share of the truth's that the labeler's
	// vote equals.
	Precision Estimate `json:"precision"`
	Recall    Estimate `json:"recall"`
}

// PairSummary is how far two labelers agree, on the objects that at least one of them has.
type PairSummary struct {
	One   int64    `json:"one"`
	Two   int64    `json:"two"`
	Kappa Estimate `json:"kappa"` // Cohen's
	Share Estimate `json:"share"` // of the objects on which both say the same class
	IoU   Estimate `json:"iou"`   // of the objects that both have
}

// Confusion counts how often classes met.
type Confusion struct {
	Classes []int64 `json:"classes"` // all that met, in order, NoBox first
	Cells   []Cell  `json:"cells"`   // those that are not 0, row by row
}

// Cell says how often one class met another.
type Cell struct {
	Class int64 `json:"class"` // the row: one vote, or the truth
	Said  int64 `json:"said"`  // the column: the other vote, or the answer's
	Count int   `json:"count"`
	// Rate is the share of the row, whose sum is its N.
	Rate Estimate `json:"rate"`
}

// At returns what there is where a class meets another, a Cell without a count if they never did.
func (c *Confusion) At(class, said int64) Cell {
	i, ok := slices.BinarySearchFunc(c.Cells, Cell{Class: class, Said: said}, compareCells)
	if !ok {
		return Cell{Class: class, Said: said}
	}
	return c.Cells[i]
}

func compareCells(a, b Cell) int {
	return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Said, b.Said))
}

// ConfusedPair is how often two classes are mistaken for each other. Either rate is the number of pairs of one A and one B, over the
// number of pairs of two As, two Bs, or one of each.
type ConfusedPair struct {
	A     int64    `json:"a"` // the lower id
	B     int64    `json:"b"`
	Votes Estimate `json:"votes"` // labelers with each other
	Truth Estimate `json:"truth"` // labelers with the truth
	// Count is how many pairs of votes are an A and a B, and TruthCount how many votes with their truth.
	Count      int `json:"count"`
	TruthCount int `json:"truth_count"`
}

// Pair is how often two classes are mistaken for each other, also where they never were: A is the lower one.
func (s *Summary) Pair(one, two int64) ConfusedPair {
	a, b := min(one, two), max(one, two)
	for _, p := range s.Confused {
		if p.A == a && p.B == b {
			return p
		}
	}
	// Pairs of votes are counted both ways round.
	return ConfusedPair{
		A: a, B: b, Votes: never((s.Votes.At(a, a).Count + s.Votes.At(b, b).Count) / 2), Truth: never(s.Truth.At(a, a).Count + s.Truth.At(b, b).Count),
	}
}

// never is the share of what did not happen once in n times.
func never(n int) Estimate {
	if n == 0 {
		return Estimate{}
	}
	return Estimate{Defined: true, N: n, Interval: certain(0, n)}
}

// Skene is what Dawid and Skene's method makes of all votes on the objects of the compared items.
type Skene struct {
	Objects int `json:"objects"`
	// Differ are the objects where it says another class than the majority, the surest first.
	Differ []Difference `json:"differ"`
}

// Difference is an object whose likeliest class is not the majority's.
type Difference struct {
	Item        int     `json:"item"`   // as it was added, from 0
	Object      int     `json:"object"` // in its matching
	Majority    int64   `json:"majority"`
	Likely      int64   `json:"likely"`
	Probability float64 `json:"probability"`
	Tied        bool    `json:"tied"` // that as many votes said another class as the majority's
}

// Summarize measures how far labelers agree over items, in one pass. The seed decides which items the intervals' samples draw.
func Summarize(items []Item, l Limits, seed uint64) Summary {
	s := NewSummarizer(l)
	for i := range items {
		s.Add(&items[i])
	}
	return s.Summary(seed)
}
