package speech

import (
	"math"
	"strings"
	"unicode/utf8"
)

// HeardWord is a word that a recognizer heard, in seconds from the beginning of the utterance.
type HeardWord struct {
	Word       string   `json:"word"`
	Start      float64  `json:"start"`
	End        float64  `json:"end"`
	Confidence *float64 `json:"confidence,omitempty"`
}

// WordTime says when a word of a segment was said. First and Last count runes of the segment's text. Heard is true where a recognizer heard
// that very word there; other times are spread between those by length.
type WordTime struct {
	First, Last int
	Begin, End  float64
	Heard       bool
	Confidence  *float64
}

// Times says when the words of each segment were said, by what recognizers heard in the utterance: of several the one that has most of
// the words. A word that was heard outside of its segment counts as not heard.
func (t Transcript) Times(heard [][]HeardWord, n Normalizer) [][]WordTime {
	var reference []string
	all := make([][]WordTime, len(t))
	for i, s := range t {
		all[i] = wordsOf(s.Text)
		runes := []rune(s.Text)
		for _, w := range all[i] {
			reference = append(reference, n.Normalize(string(runes[w.First:w.Last])))
		}
	}
	matched := bestMatch(reference, heard, n)
	at := 0
	for i, s := range t {
		var own []*HeardWord
		if matched != nil {
			own = matched[at : at+len(all[i])]
		}
		at += len(all[i])
		s.place(all[i], own)
	}
	return all
}

// wordsOf finds the words of a text.
func wordsOf(text string) (words []WordTime) {
	at := 0
	for _, word := range strings.Fields(text) {
		skip := strings.Index(text, word)
		at += utf8.RuneCountInString(text[:skip])
		length := utf8.RuneCountInString(word)
		words = append(words, WordTime{First: at, Last: at + length})
		at += length
		text = text[skip+len(word):]
	}
	return words
}

// bestMatch returns for each word of the reference the same word of the hypothesis that has most of them, nil where it has another.
func bestMatch(reference []string, heard [][]HeardWord, n Normalizer) (best []*HeardWord) {
	most := 0
	for _, words := range heard {
		texts := make([]string, len(words))
		for i, w := range words {
			texts[i] = n.Normalize(w.Word)
		}
		matched, matches := make([]*HeardWord, len(reference)), 0
		for _, step := range Align(reference, texts) {
			if step.Op == Match && reference[step.Reference] != "" {
				matched[step.Reference] = &words[step.Hypothesis]
				matches++
			}
		}
		if matches > most {
			best, most = matched, matches
		}
	}
	return best
}

// place gives the words of a segment their times.
func (s Segment) place(words []WordTime, heard []*HeardWord) {
	const rounding = 0.05 // how far recognizers and people differ on where something begins
	at := s.Begin - rounding
	for i, h := range heard {
		if h == nil || h.Start < at || h.End > s.End+rounding || h.End <= max(h.Start, s.Begin) || h.Start >= s.End {
			continue
		}
		words[i].Begin, words[i].End = max(h.Start, s.Begin), min(h.End, s.End)
		words[i].Heard, words[i].Confidence = true, h.Confidence
		at = words[i].End
	}
	at = s.Begin
	for i := 0; i < len(words); {
		if words[i].Heard {
			at = words[i].End
			i++
			continue
		}
		next, until := i, s.End
		for next < len(words) && !words[next].Heard {
			next++
		}
		if next < len(words) {
			until = words[next].Begin
		}
		spread(words[i:next], at, until)
		i = next
	}
}

// spread divides a stretch among words by their length, to the millisecond.
func spread(words []WordTime, from, until float64) {
	letters, at := 0, 0
	for _, w := range words {
		letters += w.Last - w.First
	}
	between := func(n int) float64 {
		switch n {
		case 0:
			return from
		case letters:
			return until
		}
		v := from + (until-from)*float64(n)/float64(letters)
		return min(max(math.Round(v*1000)/1000, from), until)
	}
	for i := range words {
		words[i].Begin = between(at)
		at += words[i].Last - words[i].First
		words[i].End = between(at)
	}
}
