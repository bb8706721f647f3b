package attribution

import (
	"math"
	"slices"

	"fiducial/internal/scoring"
)

// What an estimate of reference bias lacks.
const (
	FewBlind = "few_blind" // too few lines whose references were made from silence
	FewSeen  = "few_seen"  // too few of the others
	NoOther  = "no_other"  // no other model was measured on the same lines
	NoFigure = "no_figure" // the measure is not defined on lines of either kind
)

// Bias is how much too good a model looks on lines whose references lean towards it, in the headline measure of its task. It is a difference of
// differences: how far the model is ahead of another one on the leaning lines, less how far it is ahead on blind ones. Whatever makes lines hard
// does so for both models, and falls out.
type Bias struct {
	Measure string  `json:"measure"`
	Target  float64 `json:"target"` // half of the interval that is aimed at
	Seen    int     `json:"seen"`   // lines
	Blind   int     `json:"blind"`
	Needed  int     `json:"needed"` // blind lines, in all, that bring the interval there; 0: it is there, or they would not
	Lacks   string  `json:"lacks,omitempty"`
	// Value is in the unit of the measure; above 0 the model looks better than it is. Low and High hold it with 95 % confidence.
	Value *float64 `json:"value,omitempty"`
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	// OnFigure is what it does to the figure over all of the lines.
	OnFigure *float64 `json:"on_figure,omitempty"`
	// Other is the cell of the model that it is compared with, 0 for none.
	Other int64 `json:"other,omitempty"`
}

// fewestLines is how many lines of either kind an estimate needs.
const fewestLines = 30

// Real reports whether the interval is clear of zero.
func (b Bias) Real() bool { return b.Low != nil && b.High != nil && (*b.Low > 0 || *b.High < 0) }

// Sides are the lines of a test set as two models were measured on them: own by the first and others by the other, both with the same
// positions. Seen has it that whoever made a line's reference had seen what the first of them said, or a model that it comes from; otherwise
// its reference was made from silence. Other lines do not belong here.
type Sides struct {
	Own, Others scoring.Sheet
	Seen        func(position int) bool
}

// The places of the four sheets that an estimate is made of.
const (
	ownSeen = iota
	ownBlind
	othersSeen
	othersBlind
)

// ReferenceBias estimates by how much references flatter a model. The interval is the middle 95 % of a bootstrap over the groups: B. Efron and
// R. Tibshirani, “An Introduction to the Bootstrap” (1993), chapter 13. The same lines give the same estimate.
func ReferenceBias(sides Sides, target float64, o scoring.Options) Bias {
	measure, higher := scoring.HeadlineOf(sides.Own.Task)
	b := Bias{Measure: measure, Target: target}
	blind := func(position int) bool { return !sides.Seen(position) }
	joint := scoring.NewJoint()
	for _, sheet := range scoring.Aligned(sides.Own, sides.Others) {
		joint.Add(scoring.On(sheet, sides.Seen))
		joint.Add(scoring.On(sheet, blind))
	}
	seen := scoring.On(sides.Own, sides.Seen)
	b.Seen, b.Blind = len(seen.Scores), len(sides.Own.Scores)-len(seen.Scores)
	drawn := joint.Draw(o)
	ahead := func(values []float64) (seen, blind float64) {
		seen, blind = values[ownSeen]-values[othersSeen], values[ownBlind]-values[othersBlind]
		if !higher {
			seen, blind = -seen, -blind
		}
		return seen, blind
	}
	var onSeen, onBlind, both []float64
	for _, values := range drawn.Draws {
		s, w := ahead(values)
		onSeen, onBlind, both = append(onSeen, s), append(onBlind, w), append(both, s-w)
	}
	s, w := ahead(drawn.Values)
	switch {
	case b.Blind < fewestLines || math.IsNaN(w):
		b.Lacks = FewBlind
		// What the blind lines will scatter like is not known yet: like the others.
		b.Needed = max(fewestLines, neededLines(target, 0, half(onSeen), b.Seen))
		return b
	case b.Seen < fewestLines || math.IsNaN(s):
		b.Lacks = FewSeen
		return b
	}
	value := s - w
	b.Low, b.High = drawn.Interval(value, both)
	if b.Low == nil || b.High == nil {
		b.Lacks = NoFigure
		return b
	}
	onFigure := value * weight(&seen) / weight(&sides.Own)
	b.Value, b.OnFigure = &value, &onFigure
	if width := (*b.High - *b.Low) / 2; width > target {
		wider := width / half(both) // than the draws, for few groups
		if n := neededLines(target, wider*half(onSeen), wider*half(onBlind), b.Blind); n > b.Blind {
			b.Needed = n
		}
	}
	return b
}

// weight is how much lines weigh in the figure of all: by what the measure counts in them.
func weight(sheet *scoring.Sheet) (sum float64) {
	for i := range sheet.Scores {
		s := &sheet.Scores[i]
		switch sheet.Task {
		case scoring.Speech:
			sum += float64(s.Words.Reference())
		case scoring.Detection:
			sum += float64(len(s.Image.Objects))
		case scoring.Label:
			sum++
		case scoring.Labels, scoring.Spans:
			sum += float64(len(s.Marks))
		}
	}
	return sum
}

// neededLines is how many lines bring the half of the interval to the target, where fixed is the part that they do not change, and scatter
// what n of them leave. What fixed alone exceeds is brought near to it.
func neededLines(target, fixed, scatter float64, n int) int {
	room := target*target - fixed*fixed
	if nearest := 0.5 * fixed * fixed; room < nearest {
		room = nearest
	}
	if room <= 0 {
		return 0
	}
	return int(math.Ceil(float64(n) * scatter * scatter / room))
}

// defined are the values in order, without those that were not defined.
func defined(values []float64) []float64 {
	values = slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	slices.Sort(values)
	return values
}

// middle holds 95 % of what is in order.
func middle(values []float64) (low, high float64) {
	at := func(q float64) float64 { return values[int(q*float64(len(values)-1)+0.5)] }
	return at(0.025), at(0.975)
}

// half is half of the interval that values hold.
func half(values []float64) float64 {
	if values = defined(values); len(values) == 0 {
		return 0
	}
	low, high := middle(values)
	return (high - low) / 2
}
