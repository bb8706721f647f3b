package attribution

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Line is one line of a test set, as two models were measured on it. Seen has it that whoever made its reference had seen what the first
// of them said, or a model that it comes from; otherwise its reference was made from silence. Others do not belong here.
type Line struct {
	Group        int64 // is drawn as a whole
	Seen         bool
	Words        float64 // of the reference
	Errors       float64 // of the first model
	OthersErrors float64 // of the model that it is compared with
}

// What an estimate of reference bias lacks.
const (
	FewBlind = "few_blind" // too few lines whose references were made from silence
	FewSeen  = "few_seen"  // too few of the others
	NoOther  = "no_other"  // no other model was measured on the same lines
)

// Bias is how much too good a model looks on lines whose references lean towards it. It is a difference of differences: how far the model
// is ahead of another one on the leaning lines, less how far it is ahead on blind ones. Whatever makes lines hard does so for both models, and
// falls out.
type Bias struct {
	Measure string  `json:"measure"`
	Target  float64 `json:"target"` // half of the interval that is aimed at
	Seen    int     `json:"seen"`   // lines
	Blind   int     `json:"blind"`
	Needed  int     `json:"needed"` // blind lines, in all, that bring the interval there; 0: it is there, or nothing can be said
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

const biasDraws = 1000

// Real reports whether the interval is clear of zero.
func (b Bias) Real() bool { return b.Low != nil && b.High != nil && (*b.Low > 0 || *b.High < 0) }

// ReferenceBias estimates by how much references flatter a model, in word error rate. The interval is the middle 95 % of a bootstrap over
// the groups: B. Efron and R. Tibshirani, “An Introduction to the Bootstrap” (1993), chapter 13. The same lines give the same estimate.
func ReferenceBias(lines []Line, target float64) Bias {
	b := Bias{Measure: "wer", Target: target}
	var all kinds
	groups := map[int64]*kinds{}
	for _, l := range lines {
		if l.Seen {
			b.Seen++
		} else {
			b.Blind++
		}
		all.add(l)
		if groups[l.Group] == nil {
			groups[l.Group] = &kinds{}
		}
		groups[l.Group].add(l)
	}
	parts := make([]kinds, 0, len(groups))
	for _, id := range sortedKeys(groups) {
		parts = append(parts, *groups[id])
	}
	seen, blind, both := draws(parts)
	switch {
	case b.Blind < fewestLines || all.blind.words == 0:
		b.Lacks = FewBlind
		// What the blind lines will scatter like is not known yet: like the others.
		b.Needed = max(fewestLines, neededLines(target, 0, half(seen), b.Seen))
		return b
	case b.Seen < fewestLines || all.seen.words == 0:
		b.Lacks = FewSeen
		return b
	}
	value := all.blind.ahead() - all.seen.ahead()
	low, high := middle(both)
	onFigure := value * all.seen.words / (all.seen.words + all.blind.words)
	b.Value, b.Low, b.High, b.OnFigure = &value, &low, &high, &onFigure
	if (high-low)/2 > target {
		b.Needed = max(b.Blind+1, neededLines(target, half(seen), half(blind), b.Blind))
	}
	return b
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

// sums are of some lines.
type sums struct{ words, errors, others float64 }

// ahead is by how much the first model's word error rate is the greater one.
func (s sums) ahead() float64 {
	if s.words == 0 {
		return math.NaN()
	}
	return (s.errors - s.others) / s.words
}

type kinds struct{ seen, blind sums }

func (k *kinds) add(l Line) {
	s := &k.blind
	if l.Seen {
		s = &k.seen
	}
	s.words, s.errors, s.others = s.words+l.Words, s.errors+l.Errors, s.others+l.OthersErrors
}

func (k *kinds) join(o kinds) {
	for _, p := range [][2]*sums{{&k.seen, &o.seen}, {&k.blind, &o.blind}} {
		p[0].words, p[0].errors, p[0].others = p[0].words+p[1].words, p[0].errors+p[1].errors, p[0].others+p[1].others
	}
}

// draws draws the groups again and again, and returns how far the first model is ahead on lines of either kind, and what these differ in.
func draws(parts []kinds) (seen, blind, both []float64) {
	dice := rand.New(rand.NewPCG(1, uint64(len(parts)))) //nolint:gosec // drawn to measure, not to hide
	for range biasDraws {
		var k kinds
		for range parts {
			k.join(parts[dice.IntN(len(parts))])
		}
		s, b := k.seen.ahead(), k.blind.ahead()
		seen, blind, both = append(seen, s), append(blind, b), append(both, b-s)
	}
	return defined(seen), defined(blind), defined(both)
}

// defined are the values in order, without those that were not defined.
func defined(values []float64) []float64 {
	values = slices.DeleteFunc(values, math.IsNaN)
	slices.Sort(values)
	return values
}

// middle holds 95 % of what is in order.
func middle(values []float64) (low, high float64) {
	if len(values) == 0 {
		return math.Inf(-1), math.Inf(1)
	}
	at := func(q float64) float64 { return values[int(q*float64(len(values)-1)+0.5)] }
	return at(0.025), at(0.975)
}

func half(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	low, high := middle(values)
	return (high - low) / 2
}

func sortedKeys[V any](m map[int64]V) []int64 {
	keys := make([]int64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
