package agreement

import "slices"

// Summarizer takes items one by one, so that they need not be in memory together, and summarizes them at the end.
type Summarizer struct {
	limits  Limits
	matcher matcher

	items, compared, decided, objects int
	findings                          map[Finding]int
	tally                             *tally
	sums                              sums
	words                             wordSums
	classes, labelers                 numbering

	people []int // labelers of the item at hand, by answer
	votes  []int // on the object at hand, by answer: a class, or none

	skene       skene // its tasks are the objects
	said        []opinion
	firstObject []int // of each item, among all
}

// none is what an answer says of an object that it has a wide box over.
const none = -1

// NewSummarizer returns one without items.
func NewSummarizer(l Limits) *Summarizer {
	s := &Summarizer{limits: l, tally: newTally(), findings: map[Finding]int{}, sums: sums{pairs: map[[2]int]*pairSums{}}}
	s.classes.of(NoBox)
	return s
}

// Add takes an item in, and returns the matching of its answers, with the score of their words in it where there are any. What it was given may be used again.
func (s *Summarizer) Add(item *Item) Matching {
	s.setPeople(item.Labelers)
	s.firstObject = append(s.firstObject, s.objects)
	m := s.matcher.match(item.Answers, s.limits)
	if item.Words != nil {
		m.Score = Both(item.Words.Score(), m.Score, marked(item.Answers))
		s.addWords(item.Words)
	}
	if len(item.Answers) > 1 {
		s.compared++
		s.tally.add(&s.sums.score, m.Score)
		s.tally.add(&s.sums.items, 1)
		s.addVotes(item, m)
	}
	if item.HasTruth && len(item.Answers) > 0 {
		s.decided++
		for a, boxes := range item.Answers {
			s.addTruth(item.Truth, boxes, s.sums.labelers[s.people[a]])
		}
	}
	s.tally.endItem()
	s.items++
	return m
}

func (s *Summarizer) setPeople(labelers []int64) {
	s.people = s.people[:0]
	for _, id := range labelers {
		p := s.labelers.of(id)
		s.people = append(s.people, p)
		l := at(&s.sums.labelers, p)
		if *l == nil {
			*l = &labelerSums{}
		}
		(*l).answers++
	}
}

// setVotes lists what each answer says of an object.
func (s *Summarizer) setVotes(o *Object, answers [][]Box) {
	s.votes = grown(s.votes, len(answers)) // no box
	for _, r := range o.Wide {
		s.votes[r.Answer] = none
	}
	for _, r := range o.Members {
		s.votes[r.Answer] = s.classes.of(answers[r.Answer][r.Box].Class)
	}
}

func (s *Summarizer) addVotes(item *Item, m Matching) {
	for i := range m.Objects {
		o := &m.Objects[i]
		s.objects++
		s.findings[o.Worst()]++
		s.setVotes(o, item.Answers)
		s.addUnit()
		s.said = s.said[:0]
		for a, one := range s.votes {
			if one == none {
				continue
			}
			s.said = append(s.said, opinion{int32(s.people[a]), int32(one)}) //nolint:gosec // labelers and classes that there are
			for b := a + 1; b < len(s.votes); b++ {
				if two := s.votes[b]; two != none && one+two > 0 && s.people[a] != s.people[b] {
					pair := s.pair(a, b)
					s.addPair(a, b, pair)
					if one > 0 && two > 0 {
						s.addMet(a, b, pair, overlapOf(o, item.Answers, a, b))
					}
				}
			}
		}
		s.skene.add(s.said)
	}
}

// addUnit adds what alpha and Fleiss' kappa are made of.
func (s *Summarizer) addUnit() {
	votes, same := 0, 0
	for a, one := range s.votes {
		if one == none {
			continue
		}
		votes++
		for _, two := range s.votes[:a] {
			if one == two {
				same += 2
			}
		}
	}
	if votes < 2 {
		return
	}
	pairs := votes * (votes - 1)
	s.tally.add(&s.sums.units, 1)
	s.tally.add(&s.sums.agreeing, float64(same)/float64(pairs))
	s.tally.add(&s.sums.differing, float64(pairs-same)/float64(votes-1))
	for _, one := range s.votes {
		if one != none {
			s.tally.add(at(&s.sums.ratings, one), 1)
		}
	}
}

// addPair adds what two answers say of an object that at least one of them has.
func (s *Summarizer) addPair(a, b int, pair *pairSums) {
	t, swapped := s.tally, s.people[a] > s.people[b]
	one, two := s.votes[a], s.votes[b]
	t.add(s.sums.votes.at(min(one, two), max(one, two)), 1)
	t.add(&pair.units, 1)
	for _, v := range [...]struct{ labeler, class int }{{s.people[a], one}, {s.people[b], two}} {
		l := s.sums.labelers[v.labeler]
		t.add(at(&l.others, v.class), 1)
		if one == two {
			t.add(at(&l.agreed, v.class), 1)
		}
	}
	if one == two {
		t.add(&pair.agreed, 1)
	}
	if swapped {
		one, two = two, one
	}
	t.add(at(&pair.one, one), 1)
	t.add(at(&pair.two, two), 1)
}

// addMet adds how well the boxes fit that two answers have of an object.
func (s *Summarizer) addMet(a, b int, pair *pairSums, overlap float64) {
	t := s.tally
	t.add(&s.sums.iou, overlap)
	t.add(&s.sums.met, 1)
	t.add(&pair.iou, overlap)
	t.add(&pair.met, 1)
	for _, p := range [...]int{s.people[a], s.people[b]} {
		l := s.sums.labelers[p]
		t.add(&l.iou, overlap)
		t.add(&l.met, 1)
	}
	if class := s.votes[a]; class == s.votes[b] {
		t.add(at(&s.sums.classIoU, class), overlap)
	}
}

// pair are the sums of two answers' labelers.
func (s *Summarizer) pair(a, b int) *pairSums {
	key := [2]int{min(s.people[a], s.people[b]), max(s.people[a], s.people[b])}
	pair := s.sums.pairs[key]
	if pair == nil {
		pair = &pairSums{}
		s.sums.pairs[key] = pair
	}
	return pair
}

// overlapOf is the IoU of the boxes that two answers have of an object.
func overlapOf(o *Object, answers [][]Box, a, b int) float64 {
	one, _ := o.Of(a)
	two, _ := o.Of(b)
	return IoU(answers[a][one.Box], answers[b][two.Box])
}

// addTruth adds what an answer makes of the truth, the two of them matched by themselves.
func (s *Summarizer) addTruth(truth, boxes []Box, l *labelerSums) {
	both := [][]Box{truth, boxes}
	m, t := s.matcher.match(both, s.limits), s.tally
	for i := range m.Objects {
		o := &m.Objects[i]
		s.setVotes(o, both)
		if slices.Contains(s.votes, none) {
			continue
		}
		is, said := s.votes[0], s.votes[1]
		t.add(s.sums.truth.at(is, said), 1)
		t.add(at(&l.is, is), 1)
		t.add(at(&l.said, said), 1)
		if is == said {
			t.add(at(&l.right, is), 1)
		}
		if is > 0 && said > 0 {
			t.add(&l.truthIoU, overlapOf(o, both, 0, 1))
			t.add(&l.truthMet, 1)
		}
	}
}
