// Package speech compares transcripts: it normalises them, aligns their words, and measures in how many they differ.
//
// An alignment of a reference with a hypothesis has the fewest errors there can be. Where several have as few, the choice
// between them is fixed, since the split into substitutions, deletions and insertions, and with it MER and WIL, depends on
// it: what both begin with, and then what both end with, is aligned with itself; in what is left between, read from its end,
// a deletion goes before a substitution, that before an insertion, and that before a match. It is the order that RapidFuzz
// and, on it, jiwer have.
package speech

import "math"

// Counts says how a hypothesis, or many, differ from what was said.
type Counts struct {
	Hits          int `json:"hits"`
	Substitutions int `json:"substitutions"`
	Deletions     int `json:"deletions"`
	Insertions    int `json:"insertions"`
	// Characters are those of the references, spaces between words among them, and CharacterErrors the fewest edits of
	// characters; both are 0 where they were not counted.
	Characters      int `json:"characters,omitempty"`
	CharacterErrors int `json:"character_errors,omitempty"`
}

// Add adds the counts of another pair: the measures of the sum are those of the corpus.
func (c *Counts) Add(d Counts) {
	c.Hits += d.Hits
	c.Substitutions += d.Substitutions
	c.Deletions += d.Deletions
	c.Insertions += d.Insertions
	c.Characters += d.Characters
	c.CharacterErrors += d.CharacterErrors
}

// Errors is the number of word errors.
func (c Counts) Errors() int { return c.Substitutions + c.Deletions + c.Insertions }

// Reference is the number of words of the reference.
func (c Counts) Reference() int { return c.Hits + c.Substitutions + c.Deletions }

// Hypothesis is the number of words of the hypothesis.
func (c Counts) Hypothesis() int { return c.Hits + c.Substitutions + c.Insertions }

// WER is the word error rate: word errors over words of the reference; NaN without any.
func (c Counts) WER() float64 { return rate(c.Errors(), c.Reference()) }

// MER is the match error rate: word errors over the length of the alignment; NaN if that is 0. (Morris, Maier and Green,
// "From WER and RIL to MER and WIL", Interspeech 2004; WIL too.)
func (c Counts) MER() float64 { return rate(c.Errors(), c.Hits+c.Errors()) }

// WIL is the word information lost: 1 less the hits' share of the reference times their share of the hypothesis; NaN if both
// have no word, 1 if one of them has none.
func (c Counts) WIL() float64 {
	switch {
	case c.Hits+c.Errors() == 0:
		return math.NaN()
	case c.Hits == 0:
		return 1
	}
	return 1 - rate(c.Hits, c.Reference())*rate(c.Hits, c.Hypothesis())
}

// CER is the character error rate: character errors over characters of the reference; NaN without any.
func (c Counts) CER() float64 { return rate(c.CharacterErrors, c.Characters) }

func rate(n, of int) float64 {
	if of == 0 {
		return math.NaN()
	}
	return float64(n) / float64(of)
}
