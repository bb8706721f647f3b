package speech

import (
	"slices"
	"strings"
)

// WordsOf cuts a transcript into words as Words does, and says of each which segment it is from.
func WordsOf(t Transcript, n Normalizer) (words []Word, segments []int) {
	for i, s := range t {
		for _, w := range Words(s.Text, n) {
			words, segments = append(words, w), append(segments, i)
		}
	}
	return words, segments
}

// networkOf is that of whole transcripts.
func networkOf(transcripts []Transcript, n Normalizer) (net *Network, segments [][]int) {
	all := make([][]Word, len(transcripts))
	segments = make([][]int, len(transcripts))
	for i, t := range transcripts {
		all[i], segments[i] = WordsOf(t, n)
	}
	return Combine(all), segments
}

// Align aligns whole transcripts.
func (n Normalizer) Align(transcripts []Transcript) *Network {
	net, _ := networkOf(transcripts, n)
	return net
}

// Merge returns what several transcripts make together: in the segments of the one that is closest to all, the words that most
// have (see Combine and Propose). A segment none of whose words change stays as it was written. A word that the closest one lacks goes
// to the segment of the word before it.
func Merge(transcripts []Transcript, n Normalizer) Transcript {
	if len(transcripts) == 0 {
		return nil
	}
	net, segments := networkOf(transcripts, n)
	base := baseOf(transcripts, net.Base)
	merged := slices.Clone(base)
	if len(merged) == 0 {
		return Transcript{}
	}
	texts, changed := make([][]string, len(base)), make([]bool, len(base))
	at := 0
	for i, choice := range net.Propose() {
		word := net.Slots[i][net.Base]
		if word >= 0 {
			at = segments[net.Base][word]
		}
		if choice.Text != "" {
			texts[at] = append(texts[at], choice.Text)
		}
		if word < 0 && choice.Text != "" || word >= 0 && (choice.Text == "" || n.Normalize(choice.Text) != net.Transcripts[net.Base][word].Key) {
			changed[at] = true
		}
	}
	for i := range merged {
		if changed[i] {
			merged[i].Text = strings.Join(texts[i], " ")
		}
	}
	return merged
}

// baseOf is the transcript whose segments a merging has; one without a segment has none to put words into.
func baseOf(transcripts []Transcript, closest int) Transcript {
	base := transcripts[closest]
	if len(base) > 0 {
		return base
	}
	for _, t := range transcripts {
		if len(t) > len(base) {
			base = slices.Clone(t)
			for i := range base {
				base[i].Text = ""
			}
		}
	}
	return base
}

// Sources say where the words of a text come from, of which several transcripts were before its writer.
type Sources struct {
	// Merged are the words that most of them have.
	Merged int
	// Taken are other words of one, by its place.
	Taken map[int]int
	// Written are the writer's own.
	Written int
}

// SourcesOf compares a text with the transcripts that its writer had.
func SourcesOf(text Transcript, transcripts []Transcript, n Normalizer) (s Sources) {
	s.Taken = map[int]int{}
	before := n.Align(transcripts)
	proposed := make([]Word, 0, len(before.Slots))
	for _, c := range before.Propose() {
		if c.Text != "" {
			proposed = append(proposed, Word{Text: c.Text, Key: n.Normalize(c.Text)})
		}
	}
	words, _ := WordsOf(text, n)
	rest := unmatched(words, proposed)
	s.Merged = len(words) - len(rest)
	for t, transcript := range transcripts {
		theirs, _ := WordsOf(transcript, n)
		found := map[int]bool{}
		for _, i := range unmatched(words, theirs) {
			found[i] = true
		}
		var left []int
		for _, i := range rest {
			if found[i] {
				left = append(left, i)
			} else {
				s.Taken[t]++
			}
		}
		rest = left
	}
	s.Written = len(rest)
	return s
}

// unmatched are the places of the words that have none like them in another text, aligned with it.
func unmatched(words, other []Word) (places []int) {
	pair := Combine([][]Word{words, other})
	for _, slot := range pair.Slots {
		if slot[0] >= 0 && (slot[1] < 0 || words[slot[0]].Key != other[slot[1]].Key) {
			places = append(places, slot[0])
		}
	}
	return places
}
