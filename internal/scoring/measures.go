package scoring

import (
	"math"

	"fiducial/internal/metrics"
)

// statistic is a measure as a function of sums.
type statistic struct {
	name   string
	higher bool // is better
	within bool // it is from 0 to 1
	items  int  // the slot of the number of items that it is of
	of     func(sums []float64) float64
}

// family is the slots of a set of items, what a line adds to them, and the measures that follow. The headline is the first.
type family interface {
	add(t *tally, s *Score)
	statistics() []statistic
}

func newFamily(sheet *Sheet, t *tally) family {
	if sheet.Task == Speech {
		return &wordFamily{first: t.slots(wordSlots)}
	}
	return &markFamily{task: sheet.Task, classes: len(sheet.Classes), first: t.slots(markSlots + 3*len(sheet.Classes))}
}

// ratio is a share of sums, NaN of nothing.
func ratio(over, under float64) float64 {
	if under == 0 {
		return math.NaN()
	}
	return over / under
}

// shareOf is a share of sums, 0 of nothing.
func shareOf(over, under float64) float64 {
	if under == 0 {
		return 0
	}
	return over / under
}

// The slots of a wordFamily.
const (
	wordItems = iota
	wordsWrong
	wordHits
	wordSubstitutions
	wordDeletions
	wordInsertions
	wordCharacters
	wordCharacterErrors
	wordSlots
)

type wordFamily struct {
	first int
	short bool // two measures alone
}

func (f *wordFamily) add(t *tally, s *Score) {
	w := &s.Words
	t.add(f.first+wordItems, 1)
	if w.Errors() > 0 {
		t.add(f.first+wordsWrong, 1)
	}
	t.add(f.first+wordHits, float64(w.Hits))
	t.add(f.first+wordSubstitutions, float64(w.Substitutions))
	t.add(f.first+wordDeletions, float64(w.Deletions))
	t.add(f.first+wordInsertions, float64(w.Insertions))
	t.add(f.first+wordCharacters, float64(w.Characters))
	t.add(f.first+wordCharacterErrors, float64(w.CharacterErrors))
}

func (f *wordFamily) statistics() []statistic {
	errors := func(s []float64) float64 { return s[wordSubstitutions] + s[wordDeletions] + s[wordInsertions] }
	reference := func(s []float64) float64 { return s[wordHits] + s[wordSubstitutions] + s[wordDeletions] }
	list := []statistic{
		{name: "wer", of: func(s []float64) float64 { return ratio(errors(s), reference(s)) }},
		{name: "cer", of: func(s []float64) float64 { return ratio(s[wordCharacterErrors], s[wordCharacters]) }},
		{name: "mer", of: func(s []float64) float64 { return ratio(errors(s), s[wordHits]+errors(s)) }},
		{name: "wil", of: func(s []float64) float64 {
			said := s[wordHits] + s[wordSubstitutions] + s[wordInsertions]
			if s[wordHits] == 0 {
				return ratio(errors(s), errors(s))
			}
			return 1 - float64((s[wordHits]/reference(s))*(s[wordHits]/said))
		}},
		{name: "substitutions", of: func(s []float64) float64 { return ratio(s[wordSubstitutions], reference(s)) }},
		{name: "deletions", of: func(s []float64) float64 { return ratio(s[wordDeletions], reference(s)) }},
		{name: "insertions", of: func(s []float64) float64 { return ratio(s[wordInsertions], reference(s)) }},
		{name: "utterances_wrong", of: func(s []float64) float64 { return ratio(s[wordsWrong], s[wordItems]) }},
	}
	if f.short {
		list = list[:2]
	}
	return from(f.first, wordItems, list)
}

// from has statistics, written for slots from 0, read theirs from first on.
func from(first, items int, list []statistic) []statistic {
	for i := range list {
		of := list[i].of
		list[i].of = func(sums []float64) float64 { return of(sums[first:]) }
		list[i].within, list[i].items = list[i].name != "log_loss", first+items
	}
	return list
}

// The slots of a markFamily, before three of each class: true, said, and both.
const (
	markItems    = iota
	markExact    // items with nothing wrong
	markLoss     // sum of the log losses
	markLossy    // of how many
	markUnsure   // sum of the squares of how unsure the model was of what is right, and sure of what is not
	markSureness // of how many
	markSlots
)

const (
	classTruth = iota
	classSaid
	classRight
)

type markFamily struct {
	task           Task
	classes, first int
	short          bool
}

func (f *markFamily) class(class int32, what int) int {
	return f.first + markSlots + 3*int(class) + what
}

func (f *markFamily) add(t *tally, s *Score) {
	t.add(f.first+markItems, 1)
	exact := 1.0
	for _, m := range s.Marks {
		if m.Truth >= 0 {
			t.add(f.class(m.Truth, classTruth), 1)
		}
		if m.Said >= 0 {
			t.add(f.class(m.Said, classSaid), 1)
		}
		if m.Truth != m.Said {
			exact = 0
		} else {
			t.add(f.class(m.Truth, classRight), 1)
		}
		if sure := float64(m.Confidence); m.Said >= 0 && !math.IsNaN(sure) {
			off := sure
			if m.Truth == m.Said {
				off = 1 - sure
			}
			t.add(f.first+markUnsure, float64(off*off))
			t.add(f.first+markSureness, 1)
		}
	}
	t.add(f.first+markExact, exact)
	loss, n := logLoss(f.task, s)
	t.add(f.first+markLoss, loss)
	t.add(f.first+markLossy, float64(n))
}

// smallest is the least probability that the logarithm is taken of, as metrics.LogLoss has it.
const smallest = 0x1p-52

// logLoss is the sum, over an item's n classifications, of -ln of the probability that was given to what is true.
func logLoss(task Task, s *Score) (sum float64, n int) {
	if len(s.Probabilities) == 0 {
		return 0, 0
	}
	if task == Label {
		total := 0.0
		for _, p := range s.Probabilities {
			if p > 0 {
				total += float64(p)
			}
		}
		p := 0.0
		if truth := int(s.Marks[0].Truth); truth >= 0 && truth < len(s.Probabilities) && s.Probabilities[truth] > 0 {
			p = float64(s.Probabilities[truth]) / total
		}
		return -math.Log(min(max(p, smallest), 1-smallest)), 1
	}
	for class, p32 := range s.Probabilities {
		p := float64(p32)
		if math.IsNaN(p) {
			continue
		}
		if !s.isTrue(class) {
			p = 1 - p
		}
		sum -= math.Log(min(max(p, smallest), 1-smallest))
		n++
	}
	return sum, n
}

func (s *Score) isTrue(class int) bool {
	for _, m := range s.Marks {
		if int(m.Truth) == class {
			return true
		}
	}
	return false
}

// averages are of precision, recall and F1 over the classes that occur.
type averages struct {
	classes                     float64
	macroPrecision, macroRecall float64
	macroF1                     float64
	weightedF1                  float64
	truth, said, right          float64
}

func (f *markFamily) averages(sums []float64) averages {
	var a averages
	for k := range f.classes {
		class := sums[f.first+markSlots+3*k:]
		truth, said, right := class[classTruth], class[classSaid], class[classRight]
		if truth+said == 0 {
			continue
		}
		f1 := shareOf(2*right, truth+said)
		a.classes++
		a.macroPrecision += shareOf(right, said)
		a.macroRecall += shareOf(right, truth)
		a.macroF1 += f1
		a.weightedF1 += float64(f1 * truth)
		a.truth, a.said, a.right = a.truth+truth, a.said+said, a.right+right
	}
	return a
}

func (f *markFamily) statistics() []statistic {
	of := func(get func(a averages) float64) func([]float64) float64 {
		return func(sums []float64) float64 { return get(f.averages(sums)) }
	}
	sums := func(over, under int) func([]float64) float64 {
		return func(sums []float64) float64 { return ratio(sums[f.first+over], sums[f.first+under]) }
	}
	macro := statistic{name: "macro_f1", of: of(func(a averages) float64 { return ratio(a.macroF1, a.classes) })}
	micro := statistic{name: "micro_f1", of: of(func(a averages) float64 { return ratio(2*a.right, a.truth+a.said) })}
	exact := statistic{name: "accuracy", of: sums(markExact, markItems)}
	list := []statistic{macro, exact}
	switch f.task {
	case Labels:
		list = []statistic{macro, micro, exact}
	case Spans:
		micro.name = "span_f1"
		list = []statistic{micro, macro, exact}
	case Label, Speech, Detection:
	}
	if !f.short {
		list = append(list,
			statistic{name: "micro_precision", of: of(func(a averages) float64 { return ratio(a.right, a.said) })},
			statistic{name: "micro_recall", of: of(func(a averages) float64 { return ratio(a.right, a.truth) })},
			statistic{name: "macro_precision", of: of(func(a averages) float64 { return ratio(a.macroPrecision, a.classes) })},
			statistic{name: "macro_recall", of: of(func(a averages) float64 { return ratio(a.macroRecall, a.classes) })},
			statistic{name: "weighted_f1", of: of(func(a averages) float64 { return ratio(a.weightedF1, a.truth) })},
		)
		if f.task == Label {
			list = append(list, micro)
		}
		list = append(list, statistic{name: "log_loss", of: sums(markLoss, markLossy)}, statistic{name: "brier", of: sums(markUnsure, markSureness)})
	}
	for i := range list {
		list[i].higher = list[i].name != "log_loss" && list[i].name != "brier"
		list[i].within, list[i].items = list[i].name != "log_loss", f.first+markItems
	}
	return list
}

// classF1 are the F1 of each class.
func (f *markFamily) classF1() []statistic {
	list := make([]statistic, f.classes)
	for k := range list {
		at := f.first + markSlots + 3*k
		list[k] = statistic{higher: true, within: true, of: func(sums []float64) float64 {
			return ratio(2*sums[at+classRight], sums[at+classTruth]+sums[at+classSaid])
		}}
	}
	return list
}

// foundFamily counts, for the task Detection, what is found from a score on.
type foundFamily struct {
	first     int
	threshold float64
}

const (
	foundItems = iota
	foundObjects
	foundSaid
	foundRight
	foundSlots
)

func (f *foundFamily) add(t *tally, s *Score) {
	t.add(f.first+foundItems, 1)
	for _, o := range s.Image.Objects {
		if o.Class >= 0 && !o.Crowd {
			t.add(f.first+foundObjects, 1)
		}
	}
	for i := range s.Image.Found {
		b := &s.Image.Found[i]
		if !(b.Score >= f.threshold) || inCrowd(&s.Image, b) {
			continue
		}
		t.add(f.first+foundSaid, 1)
		if b.Object >= 0 {
			t.add(f.first+foundRight, 1)
		}
	}
}

// inCrowd reports whether a detection found a crowd, so that it is neither right nor wrong.
func inCrowd(m *metrics.Matched, b *metrics.MatchedBox) bool {
	return b.Object >= 0 && m.Objects[b.Object].Crowd
}

func (f *foundFamily) statistics() []statistic {
	list := from(f.first, foundItems, []statistic{
		{name: "f1", of: func(s []float64) float64 { return ratio(2*s[foundRight], s[foundSaid]+s[foundObjects]) }},
		{name: "precision", of: func(s []float64) float64 { return ratio(s[foundRight], s[foundSaid]) }},
		{name: "recall", of: func(s []float64) float64 { return ratio(s[foundRight], s[foundObjects]) }},
	})
	for i := range list {
		list[i].higher = true
	}
	return list
}
