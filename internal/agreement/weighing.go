package agreement

import (
	"cmp"
	"slices"
)

// summaryTolerance ends the method's iteration when only labels are left to change that are nearly as likely as another, a few in
// a thousand: a summary has no minute for them.
const summaryTolerance = 1e-5

// clearly is how much likelier a class must be to outweigh the majority: the method has nothing to say of labelers who never
// voted beside others.
const clearly = 0.01

// weigh asks Dawid and Skene's method about all votes.
func (s *Summarizer) weigh(out *Summary) {
	out.Skene = Skene{Objects: len(s.skene.patternOf), Differ: []Difference{}}
	s.skene.run(summaryTolerance)
	for i, labeler := range s.labelers.ordered() {
		if labeler < s.skene.workers {
			out.Labelers[i].Accuracy = s.skene.accuracy(labeler)
		}
	}
	outweighed := s.outweighed()
	for item, first := range s.firstObject {
		end := len(s.skene.patternOf)
		if item+1 < len(s.firstObject) {
			end = s.firstObject[item+1]
		}
		for object := first; object < end; object++ {
			if d, ok := outweighed[s.skene.patternOf[object]]; ok {
				d.Item, d.Object = item, object-first
				out.Skene.Differ = append(out.Skene.Differ, d)
			}
		}
	}
	slices.SortStableFunc(out.Skene.Differ, func(a, b Difference) int { return cmp.Compare(b.Probability, a.Probability) })
}

// outweighed are the patterns of votes whose majority's class is not the likeliest.
func (s *Summarizer) outweighed() map[int32]Difference {
	found := map[int32]Difference{}
	for pattern := range s.skene.ends {
		majority, tied := s.majority(s.skene.votesOf(pattern))
		likely, probability, ofMajority := s.skene.verdict(pattern, majority)
		if probability > ofMajority+clearly {
			found[int32(pattern)] = Difference{
				Majority: s.classes.ids[majority], Likely: s.classes.ids[likely], Probability: probability, Tied: tied,
			}
		}
	}
	return found
}

// majority is the class with the most votes, that with the lowest id of several.
func (s *Summarizer) majority(votes []opinion) (class int, tied bool) {
	most := 0
	for _, v := range votes {
		n, label := 0, int(v.label)
		for _, other := range votes {
			if other.label == v.label {
				n++
			}
		}
		switch {
		case n > most:
			class, most, tied = label, n, false
		case n == most && label != class:
			tied = true
			if s.classes.ids[label] < s.classes.ids[class] {
				class = label
			}
		}
	}
	return class, tied
}
