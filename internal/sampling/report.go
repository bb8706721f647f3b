package sampling

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"fiducial/internal/interval"
	"fiducial/internal/speech"
)

// Scored is an utterance of a plan that has a transcript, with how what a model version heard differs from it.
type Scored struct {
	Item       int64
	Group      int64 // the call that it is of, 0 for none
	Source     int64
	Control    bool
	Stratum    int // from 0
	Decile     int // 1 to 10
	Confidence float32
	Seconds    float64
	Counts     speech.Counts
}

// cluster is what is drawn together when samples are drawn: utterances of one call are no independent ones.
func (s *Scored) cluster() [2]int64 {
	if s.Group != 0 {
		return [2]int64{1, s.Group}
	}
	return [2]int64{0, s.Item}
}

// Rate is the word error rate of some utterances, with the interval that holds the real one in 95 of 100 cases: none where they are of too
// few calls. It is not defined, and all of it 0, where they hold no word.
type Rate struct {
	Of     int64    `json:"of"` // which stratum, decile or source
	WER    float64  `json:"wer"`
	Low    *float64 `json:"low,omitempty"`
	High   *float64 `json:"high,omitempty"`
	Items  int      `json:"items"`
	Calls  int      `json:"calls"` // that they are of, an utterance of none for itself
	Words  int      `json:"words"`
	Errors int      `json:"errors"`
}

// Defined reports whether there was a word to measure by.
func (r Rate) Defined() bool { return r.Words > 0 }

// Sure reports whether there is an interval.
func (r Rate) Sure() bool { return r.Low != nil && r.High != nil }

// Margin is half of the interval's width, 0 without one.
func (r Rate) Margin() float64 {
	if !r.Sure() {
		return 0
	}
	return (*r.High - *r.Low) / 2
}

// rateSamples is how many samples an interval is from.
const rateSamples = 1000

// RateOf measures some utterances: the errors of all over the words of all. Its interval is from samples of their calls, as package
// interval has it; the same utterances give the same.
func RateOf(list []Scored) Rate {
	rate := Rate{Items: len(list)}
	sums := map[[2]int64]*[2]float64{}
	var order [][2]int64
	for i := range list {
		key := list[i].cluster()
		if sums[key] == nil {
			sums[key] = &[2]float64{}
			order = append(order, key)
		}
		sums[key][0] += float64(list[i].Counts.Errors())
		sums[key][1] += float64(list[i].Counts.Reference())
		rate.Errors += list[i].Counts.Errors()
		rate.Words += list[i].Counts.Reference()
	}
	rate.Calls = len(order)
	if rate.Words == 0 {
		return rate
	}
	rate.WER = float64(rate.Errors) / float64(rate.Words)
	slices.SortFunc(order, func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })
	clusters := make([][2]float64, len(order))
	for i, key := range order {
		clusters[i] = *sums[key]
	}
	if rate.Errors == 0 && rate.Calls >= interval.Fewest {
		rate.Low, rate.High = new(0.0), new(interval.Share(rate.Calls))
	} else if low, high, ok := interval.Of(draws(clusters), rate.Calls); ok {
		rate.Low, rate.High = new(max(0, low)), new(high)
	}
	return rate
}

// draws are the rates of samples of clusters, each of as many as there are.
func draws(clusters [][2]float64) []float64 {
	random := rand.New(rand.NewPCG(20261126, uint64(len(clusters)))) //nolint:gosec // a sample that can be drawn again, not a secret
	values := make([]float64, 0, rateSamples)
	for range rateSamples {
		errors, words := 0.0, 0.0
		for range clusters {
			c := &clusters[random.IntN(len(clusters))]
			errors += c[0]
			words += c[1]
		}
		if words > 0 {
			values = append(values, errors/words)
		}
	}
	return values
}

// RatesBy measures utterances by what each is of, in the order of that.
func RatesBy(list []Scored, of func(*Scored) int64) []Rate {
	parts := map[int64][]Scored{}
	for i := range list {
		key := of(&list[i])
		parts[key] = append(parts[key], list[i])
	}
	rates := make([]Rate, 0, len(parts))
	for key, part := range parts {
		rate := RateOf(part)
		rate.Of = key
		rates = append(rates, rate)
	}
	slices.SortFunc(rates, func(a, b Rate) int { return cmp.Compare(a.Of, b.Of) })
	return rates
}

// QuarterWords is from how many words of its transcript on an utterance counts for Quarters: of one or two words confidence says little.
const QuarterWords = 4

// QuarterLeast is how many such utterances are enough to tell quarters apart.
const QuarterLeast = 20

// Quarters measures utterances of QuarterWords words and more by the quarter of their confidence, the least sure first; nil if there
// are fewer than QuarterLeast.
func Quarters(list []Scored) []Rate {
	var long []Scored
	for i := range list {
		if list[i].Counts.Reference() >= QuarterWords {
			long = append(long, list[i])
		}
	}
	if len(long) < QuarterLeast {
		return nil
	}
	slices.SortFunc(long, func(a, b Scored) int {
		return cmp.Or(cmp.Compare(a.Confidence, b.Confidence), cmp.Compare(a.Item, b.Item))
	})
	rates := make([]Rate, 4)
	for i := range rates {
		rates[i] = RateOf(long[i*len(long)/4 : (i+1)*len(long)/4])
		rates[i].Of = int64(i + 1)
	}
	return rates
}

// QuarterSentence says what the quarters show.
func QuarterSentence(quarters []Rate) string {
	if len(quarters) != 4 {
		return fmt.Sprintf("Fewer than %d utterances of %d words and more have a transcript so far, too few to compare the least sure with the surest.", QuarterLeast, QuarterWords)
	}
	least, most := quarters[0], quarters[3]
	said := fmt.Sprintf("The least sure quarter has a WER of %s, the surest %s (utterances of four words and more).", figure(least), figure(most))
	switch {
	case !least.Sure() || !most.Sure():
		return fmt.Sprintf("%s They are of fewer than %d calls, too few to say whether that is more than chance.", said, interval.Fewest)
	case *least.Low > *most.High:
		return said + " Confidence finds what the model gets wrong."
	case *least.High < *most.Low:
		return said + " The surest are worse: confidence misleads here."
	}
	return said + " The difference is within what chance makes."
}

func figure(r Rate) string {
	if !r.Sure() {
		return fmt.Sprintf("%.3f (n %d)", r.WER, r.Items)
	}
	return fmt.Sprintf("%.3f ±%.3f (n %d)", r.WER, r.Margin(), r.Items)
}

// Term is a word, or several in a row, that no transcript before a plan held: where it stands first, and how often in all.
type Term struct {
	Item  int64 `json:"item"`
	Truth int64 `json:"truth"`
	At    int   `json:"at"`   // of which word of the normalised transcript it is the first
	Size  int   `json:"size"` // words
	Times int   `json:"times"`
}

// LongestTerm is of how many words terms are at most.
const LongestTerm = 3

// Terms collects what transcripts hold that former ones did not. Its zero value has heard of nothing.
type Terms struct {
	known map[string]bool
	found map[string]*Term
	New   [LongestTerm]int // different ones, by size
	Times [LongestTerm]int // in all
}

// Learn notes the terms of a former transcript.
func (t *Terms) Learn(words []string) {
	if t.known == nil {
		t.known = map[string]bool{}
	}
	eachTerm(words, func(_, _ int, term string) { t.known[term] = true })
}

// Look finds the new terms of a transcript, after all former ones were learned.
func (t *Terms) Look(item, truth int64, words []string) {
	if t.found == nil {
		t.found = map[string]*Term{}
	}
	eachTerm(words, func(at, size int, term string) {
		if t.known[term] {
			return
		}
		if t.found[term] == nil {
			t.found[term] = &Term{Item: item, Truth: truth, At: at, Size: size}
			t.New[size-1]++
		}
		t.found[term].Times++
		t.Times[size-1]++
	})
}

// Most lists the new terms of a size that came most often, at most n.
func (t *Terms) Most(size, n int) []Term {
	var list []Term
	for _, term := range t.found {
		if term.Size == size {
			list = append(list, *term)
		}
	}
	slices.SortFunc(list, func(a, b Term) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Item, b.Item), cmp.Compare(a.At, b.At))
	})
	return list[:min(n, len(list))]
}

func eachTerm(words []string, each func(at, size int, term string)) {
	for at := range words {
		term := ""
		for size := 1; size <= LongestTerm && at+size <= len(words); size++ {
			if term != "" {
				term += " "
			}
			term += words[at+size-1]
			each(at, size, term)
		}
	}
}

// Seconds adds up how long utterances are.
func Seconds(list []Scored) (total float64) {
	for i := range list {
		total += list[i].Seconds
	}
	return math.Round(total*1000) / 1000
}
