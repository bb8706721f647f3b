package agreement

import (
	"cmp"
	"slices"
)

// Words say how far what was written down of one item differs, where sound was transcribed: answers with each other, and with
// the truth. Errors are the fewest words that have to be changed, left out or put in to make one text of the other.
type Words struct {
	// Pairs are of each two answers.
	Pairs []WordPair
	// Truth are of each answer beside the truth, in their order; nil without a truth.
	Truth []WordErrors
}

// WordPair is two answers by their places, with the errors between them and the words of both together.
type WordPair struct{ One, Two, Errors, Words int }

// WordErrors are the errors of an answer beside what was said in so many words.
type WordErrors struct{ Errors, Words int }

// WordsDiffer is the finding of an item of sound whose moments have nothing worse than loose. No object has it.
const WordsDiffer Finding = "words"

// Rate is the errors over the words: the word error rate. Of no words it is how many words were written.
func (w WordErrors) Rate() float64 { return float64(w.Errors) / float64(max(w.Words, 1)) }

// Rate is the errors over the mean number of words, so that neither of the two is the one that is right.
func (p WordPair) Rate() float64 { return 2 * float64(p.Errors) / float64(max(p.Words, 1)) }

// likeness is 1 for the same words and 0 from as many errors on as there are words.
func likeness(rate float64) float64 { return max(0, 1-rate) }

// Rate is the mean of the pairs' rates, 0 without any. Like Score, it is the same to the last bit in whatever order the answers are.
func (w *Words) Rate() float64 { return meanOf(w.Pairs, WordPair.Rate) }

// TruthRate is the mean of the answers' rates beside the truth.
func (w *Words) TruthRate() float64 { return meanOf(w.Truth, WordErrors.Rate) }

// Score is the mean likeness of the pairs, 1 without any.
func (w *Words) Score() float64 {
	if len(w.Pairs) == 0 {
		return 1
	}
	return meanOf(w.Pairs, func(p WordPair) float64 { return likeness(p.Rate()) })
}

// TruthScore is the mean likeness of the answers with the truth.
func (w *Words) TruthScore() float64 {
	return meanOf(w.Truth, func(e WordErrors) float64 { return likeness(e.Rate()) })
}

// Differ reports whether any two answers have other words.
func (w *Words) Differ() bool {
	return slices.ContainsFunc(w.Pairs, func(p WordPair) bool { return p.Errors > 0 })
}

func meanOf[T any](list []T, of func(T) float64) (mean float64) {
	values := make([]float64, len(list))
	for i, v := range list {
		values[i] = of(v)
	}
	slices.Sort(values) // sums depend on the order
	for _, v := range values {
		mean += v
	}
	return mean / float64(max(len(values), 1))
}

// Both is the score of an item of sound: that of its words, and where anybody marked a moment the mean of it and that of the moments.
func Both(words, moments float64, marked bool) float64 {
	if !marked {
		return words
	}
	return words/2 + moments/2
}

// marked reports whether any answer has a box.
func marked(answers [][]Box) bool {
	return slices.ContainsFunc(answers, func(boxes []Box) bool { return len(boxes) > 0 })
}

// WordSummary is how far the words of many items agree. A rate is a word error rate: it can be more than 1.
type WordSummary struct {
	// Mean is the mean of the compared items' rates, each the mean of its pairs'.
	Mean Estimate `json:"mean"`
	// Corpus is the errors between all pairs over their mean number of words: long utterances weigh more. It is from N words.
	Corpus Estimate `json:"corpus"`
	// Truth is the errors of all answers over the words of their truths.
	Truth    Estimate       `json:"truth"`
	Same     Estimate       `json:"same"`     // share of the compared items whose answers all have the same words
	Labelers []LabelerWords `json:"labelers"` // by id
	Pairs    []PairWords    `json:"pairs"`    // of labelers, by id
}

// LabelerWords is how far the words of one labeler agree with the others' and with the truth's, over all words.
type LabelerWords struct {
	Labeler int64    `json:"labeler"`
	Others  Estimate `json:"others"`
	Truth   Estimate `json:"truth"`
}

// PairWords is how far the words of two labelers agree.
type PairWords struct {
	One  int64    `json:"one"`
	Two  int64    `json:"two"`
	Rate Estimate `json:"rate"`
}

// wordSums are the slots of what a WordSummary is computed from; labelers are numbers.
type wordSums struct {
	heard                   bool // that any item had words
	rates, items, same      int
	errors, words           int // of pairs; words is half of what both have
	truthErrors, truthWords int
	labelers                []*wordLabeler
	pairs                   map[[2]int]*wordRate
}

type wordRate struct{ errors, words int }

type wordLabeler struct{ others, truth wordRate }

func (r *wordRate) add(t *tally, errors int, words float64) {
	t.add(&r.errors, float64(errors))
	t.add(&r.words, words)
}

// addWords adds what an item's answers wrote; their labelers are set.
func (s *Summarizer) addWords(w *Words) {
	at, t := &s.words, s.tally
	at.heard = true
	if len(w.Pairs) > 0 {
		t.add(&at.rates, w.Rate())
		t.add(&at.items, 1)
		if !w.Differ() {
			t.add(&at.same, 1)
		}
	}
	for _, p := range w.Pairs {
		mean := float64(p.Words) / 2
		t.add(&at.errors, float64(p.Errors))
		t.add(&at.words, mean)
		one, two := s.people[p.One], s.people[p.Two]
		if one == two {
			continue
		}
		key := [2]int{min(one, two), max(one, two)}
		if at.pairs == nil {
			at.pairs = map[[2]int]*wordRate{}
		}
		if at.pairs[key] == nil {
			at.pairs[key] = &wordRate{}
		}
		at.pairs[key].add(t, p.Errors, mean)
		s.wordsOf(one).others.add(t, p.Errors, mean)
		s.wordsOf(two).others.add(t, p.Errors, mean)
	}
	for a, e := range w.Truth {
		t.add(&at.truthErrors, float64(e.Errors))
		t.add(&at.truthWords, float64(e.Words))
		s.wordsOf(s.people[a]).truth.add(t, e.Errors, float64(e.Words))
	}
}

func (s *Summarizer) wordsOf(labeler int) *wordLabeler {
	l := at(&s.words.labelers, labeler)
	if *l == nil {
		*l = &wordLabeler{}
	}
	return *l
}

// estimateWords has the measures of words estimated, nil where there are none.
func (s *Summarizer) estimateWords(x *estimator) *WordSummary {
	at := &s.words
	if !at.heard {
		return nil
	}
	out := &WordSummary{Labelers: []LabelerWords{}, Pairs: []PairWords{}}
	x.mean(&out.Mean, at.rates, at.items)
	x.mean(&out.Corpus, at.errors, at.words)
	x.mean(&out.Truth, at.truthErrors, at.truthWords)
	x.share(&out.Same, []int{at.same}, []int{at.items})
	out.Labelers = make([]LabelerWords, 0, len(at.labelers))
	for _, i := range s.labelers.ordered() {
		if i >= len(at.labelers) || at.labelers[i] == nil {
			continue
		}
		out.Labelers = append(out.Labelers, LabelerWords{Labeler: s.labelers.ids[i]})
		l, sums := &out.Labelers[len(out.Labelers)-1], at.labelers[i]
		x.mean(&l.Others, sums.others.errors, sums.others.words)
		x.mean(&l.Truth, sums.truth.errors, sums.truth.words)
	}
	s.estimateWordPairs(x, out)
	return out
}

func (s *Summarizer) estimateWordPairs(x *estimator, out *WordSummary) {
	keys := make([][2]int, 0, len(s.words.pairs))
	for key := range s.words.pairs {
		keys = append(keys, key)
	}
	ids := func(key [2]int) (int64, int64) {
		a, b := s.labelers.ids[key[0]], s.labelers.ids[key[1]]
		return min(a, b), max(a, b)
	}
	slices.SortFunc(keys, func(a, b [2]int) int {
		a1, a2 := ids(a)
		b1, b2 := ids(b)
		return cmp.Or(cmp.Compare(a1, b1), cmp.Compare(a2, b2))
	})
	out.Pairs = make([]PairWords, len(keys))
	for i, key := range keys {
		p := &out.Pairs[i]
		p.One, p.Two = ids(key)
		x.mean(&p.Rate, s.words.pairs[key].errors, s.words.pairs[key].words)
	}
}
