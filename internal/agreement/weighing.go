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
	out.Skene = Skene{Objects: len(s.skene.patternOf), Differ: []Difference{}}
	s.skene.run(summaryTolerance)
	consensus := s.skene.consensus()
	for i, labeler := range s.labelers.ordered() {
		if labeler < len(consensus.Accuracy) {
			out.Labelers[i].Accuracy = consensus.Accuracy[labeler]
		}
	}
	majorities := s.majorities()
	for item, first := range s.firstObject {
		end := len(s.skene.patternOf)
		if item+1 < len(s.firstObject) {
			end = s.firstObject[item+1]
		}
		for object := first; object < end; object++ {
			pattern := s.skene.patternOf[object]
			if pattern < 0 || !majorities[pattern].outweighed {
				continue
			}
			out.Skene.Differ = append(out.Skene.Differ, Difference{
				Item: item, Object: object - first, Majority: s.classes.ids[majorities[pattern].class], Likely: s.classes.ids[consensus.Labels[object]],
				Probability: consensus.Probability[object], Tied: majorities[pattern].tied,
			})
		}
	}
	slices.SortStableFunc(out.Skene.Differ, func(a, b Difference) int { return cmp.Compare(b.Probability, a.Probability) })
}

// majority is the class with the most votes, that with the lowest id of several.
type majority struct {
	class      int
	tied       bool // there are several
	outweighed bool // another class is clearly likelier
}

// clearly is how much likelier a class must be to outweigh the majority: the method has nothing to say of labelers who never
// voted beside others.
const clearly = 0.01

// majorities are those of each pattern of votes.
func (s *Summarizer) majorities() []majority {
	all := make([]majority, 0, len(s.skene.ends))
	start := 0
	for pattern, end := range s.skene.ends {
		m := s.majorityOf(s.skene.votes[start:end])
		_, most := s.skene.likeliest(pattern)
		m.outweighed = most > s.skene.probability(pattern, m.class)+clearly
		all = append(all, m)
		start = end
	}
	return all
}

func (s *Summarizer) majorityOf(votes []Vote) (m majority) {
	most := 0
	for _, v := range votes {
		n := 0
		for _, other := range votes {
			if other.Label == v.Label {
				n++
			}
		}
		switch {
		case n > most:
			m, most = majority{class: v.Label}, n
		case n == most && v.Label != m.class:
			m.tied = true
			if s.classes.ids[v.Label] < s.classes.ids[m.class] {
				m.class = v.Label
			}
		}
	}
	return m
}
