package agreement

import (
	"cmp"
	"slices"
)

// summaryTolerance ends the method's iteration when only labels are left to change that are nearly as likely as another, a few in
// a thousand: a summary has no minute for them.
const summaryTolerance = 1e-5

// weigh asks Dawid and Skene's method about all votes.
func (s *Summarizer) weigh(out *Summary) {
	out.Skene = Skene{Objects: len(s.places), Differ: []Difference{}}
	consensus := dawidSkene(s.skene, summaryTolerance)
	for i, labeler := range s.labelers.ordered() {
		if labeler < len(consensus.Accuracy) {
			out.Labelers[i].Accuracy = consensus.Accuracy[labeler]
		}
	}
	votes := s.skene
	for task, where := range s.places {
		n := 0
		for n < len(votes) && votes[n].Task == task {
			n++
		}
		class, tied := s.majorityOf(votes[:n])
		votes = votes[n:]
		if n > 0 && consensus.Labels[task] != class {
			out.Skene.Differ = append(out.Skene.Differ, Difference{
				Item: where.item, Object: where.object, Majority: s.classes.ids[class], Likely: s.classes.ids[consensus.Labels[task]],
				Probability: consensus.Probability[task], Tied: tied,
			})
		}
	}
	slices.SortStableFunc(out.Skene.Differ, func(a, b Difference) int { return cmp.Compare(b.Probability, a.Probability) })
}

// majorityOf is the class with the most votes, that with the lowest id of several.
func (s *Summarizer) majorityOf(votes []Vote) (class int, tied bool) {
	most := 0
	for _, v := range votes {
		n := 0
		for _, other := range votes {
			if other.Label == v.Label {
				n++
			}
		}
		switch lower := s.classes.ids[v.Label] < s.classes.ids[class]; {
		case n > most:
			class, most, tied = v.Label, n, false
		case n == most && v.Label != class:
			tied = true
			if lower {
				class = v.Label
			}
		}
	}
	return class, tied
}
