package agreement

import (
	"cmp"
	"math"
	"slices"
)

// Summary measures what was added. The seed decides which items the intervals' samples draw.
func (s *Summarizer) Summary(seed uint64) Summary { return s.summary(seed, resamples) }

func (s *Summarizer) summary(seed uint64, samples int) Summary {
	out := Summary{Items: s.items, Compared: s.compared, Decided: s.decided, Objects: s.objects, Findings: s.findings}
	x := &estimator{tally: s.tally}
	order := s.classes.ordered()
	s.estimateWhole(x, &out)
	s.estimateClasses(x, &out, order)
	s.estimateLabelers(x, &out, order)
	s.estimatePairs(x, &out)
	out.Votes = s.confusion(x, order, func(class, said int) []int {
		slot := s.sums.votes.slot(min(class, said), max(class, said))
		if class == said {
			return []int{slot, slot}
		}
		return []int{slot}
	})
	out.Truth = s.confusion(x, order, func(class, said int) []int { return []int{s.sums.truth.slot(class, said)} })
	s.estimateConfused(x, &out, order)
	out.Words = s.estimateWords(x)
	x.intervals(seed, samples)
	slices.SortStableFunc(out.Confused, func(a, b ConfusedPair) int {
		return cmp.Or(cmp.Compare(max(b.Votes.Low, b.Truth.Low), max(a.Votes.Low, a.Truth.Low)),
			cmp.Compare(b.Count+b.TruthCount, a.Count+a.TruthCount))
	})
	s.weigh(&out)
	return out
}

// ordered lists numbers by the ids that they stand for.
func (n *numbering) ordered() []int {
	order := make([]int, len(n.ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(n.ids[a], n.ids[b]) })
	return order
}

func (s *Summarizer) estimateWhole(x *estimator, out *Summary) {
	at := &s.sums
	x.mean(&out.Score, at.score, at.items)
	x.mean(&out.IoU, at.iou, at.met)
	n := s.tally.totals[at.units]
	x.add(&out.Alpha, n, func(sums []float64) float64 {
		return nominalAlpha(sums[at.differing], total(sums, at.ratings), squares(sums, at.ratings))
	})
	x.add(&out.Fleiss, n, func(sums []float64) float64 {
		return fleiss(sums[at.units], sums[at.agreeing], total(sums, at.ratings), squares(sums, at.ratings))
	})
}

func (s *Summarizer) estimateClasses(x *estimator, out *Summary, order []int) {
	out.Classes = make([]ClassSummary, 0, len(order))
	for _, class := range order {
		if class == 0 {
			continue
		}
		out.Classes = append(out.Classes, ClassSummary{Class: s.classes.ids[class]})
		c := &out.Classes[len(out.Classes)-1]
		both, right := s.sums.votes.slot(class, class), s.sums.truth.slot(class, class)
		votes, truths := []int{both}, []int{}
		for other := range s.classes.ids {
			votes = append(votes, s.sums.votes.slot(min(class, other), max(class, other)))
			truths = append(truths, s.sums.truth.slot(class, other), s.sums.truth.slot(other, class))
		}
		x.share(&c.Votes, []int{both, both}, votes)
		x.share(&c.Truth, []int{right, right}, truths)
		x.mean(&c.IoU, slot(s.sums.classIoU, class), both)
	}
}

func (s *Summarizer) estimateLabelers(x *estimator, out *Summary, order []int) {
	out.Labelers = make([]LabelerSummary, 0, len(s.labelers.ids))
	for _, labeler := range s.labelers.ordered() {
		at := s.sums.labelers[labeler]
		out.Labelers = append(out.Labelers, LabelerSummary{Labeler: s.labelers.ids[labeler], Answers: at.answers})
		l := &out.Labelers[len(out.Labelers)-1]
		x.share(&l.Others, at.agreed, at.others)
		x.share(&l.Truth, at.right, at.is)
		x.mean(&l.OthersIoU, at.iou, at.met)
		x.mean(&l.TruthIoU, at.truthIoU, at.truthMet)
		l.Classes = make([]LabelerClass, 0, len(order))
		for _, class := range order {
			others, said, is := slot(at.others, class), slot(at.said, class), slot(at.is, class)
			if others+said+is == 0 {
				continue
			}
			l.Classes = append(l.Classes, LabelerClass{Class: s.classes.ids[class]})
			c := &l.Classes[len(l.Classes)-1]
			x.share(&c.Others, []int{slot(at.agreed, class)}, []int{others})
			x.share(&c.Precision, []int{slot(at.right, class)}, []int{said})
			x.share(&c.Recall, []int{slot(at.right, class)}, []int{is})
		}
	}
}

// estimatePairs estimates how far each two labelers agree, and the mean of their kappas.
func (s *Summarizer) estimatePairs(x *estimator, out *Summary) {
	out.Pairs = make([]PairSummary, 0, len(s.sums.pairs))
	found, n := make([]*pairSums, 0, len(s.sums.pairs)), 0.0
	labelers := s.labelers.ordered()
	for i, one := range labelers {
		for _, two := range labelers[i+1:] {
			at := s.sums.pairs[[2]int{min(one, two), max(one, two)}]
			if at == nil {
				continue
			}
			found = append(found, at)
			n += s.tally.totals[at.units]
			out.Pairs = append(out.Pairs, PairSummary{One: s.labelers.ids[one], Two: s.labelers.ids[two]})
			pair := &out.Pairs[len(out.Pairs)-1]
			x.share(&pair.Share, []int{at.agreed}, []int{at.units})
			x.mean(&pair.IoU, at.iou, at.met)
			x.add(&pair.Kappa, s.tally.totals[at.units], at.kappa)
		}
	}
	x.add(&out.Cohen, n, func(sums []float64) float64 {
		weighted, weights := 0.0, 0.0
		for _, at := range found {
			if v := at.kappa(sums); !math.IsNaN(v) && !math.IsInf(v, 0) {
				weighted += v * sums[at.units]
				weights += sums[at.units]
			}
		}
		return weighted / weights
	})
}

// kappa is Cohen's of the two labelers.
func (p *pairSums) kappa(sums []float64) float64 {
	products := 0.0
	for class := range min(len(p.one), len(p.two)) {
		products += sums[p.one[class]] * sums[p.two[class]]
	}
	return cohen(sums[p.units], sums[p.agreed], products)
}

// confusion makes a matrix of the sums that slots finds for each two classes.
func (s *Summarizer) confusion(x *estimator, order []int, slots func(class, said int) []int) Confusion {
	c := Confusion{Classes: []int64{}, Cells: []Cell{}}
	met := map[int]bool{}
	var cells [][]int
	for _, class := range order {
		for _, said := range order {
			if cell := slots(class, said); cell[0] != 0 {
				met[class], met[said] = true, true
				cells = append(cells, cell)
				n := int(math.Round(total(s.tally.totals, cell)))
				c.Cells = append(c.Cells, Cell{Class: s.classes.ids[class], Said: s.classes.ids[said], Count: n})
			}
		}
	}
	for start := 0; start < len(cells); {
		end, row := start, []int{}
		for ; end < len(cells) && c.Cells[end].Class == c.Cells[start].Class; end++ {
			row = append(row, cells[end]...)
		}
		for ; start < end; start++ {
			x.share(&c.Cells[start].Rate, cells[start], row)
		}
	}
	for _, class := range order {
		if met[class] {
			c.Classes = append(c.Classes, s.classes.ids[class])
		}
	}
	return c
}

func (s *Summarizer) estimateConfused(x *estimator, out *Summary, order []int) {
	votes := func(a, b int) int { return s.sums.votes.slot(min(a, b), max(a, b)) }
	truth := s.sums.truth.slot
	type confused struct{ votes, ofVotes, truths, ofTruths []int }
	var found []confused
	out.Confused = []ConfusedPair{}
	for i, a := range order {
		for _, b := range order[i+1:] {
			mixed, wrong := []int{votes(a, b)}, []int{truth(a, b), truth(b, a)}
			count, truths := total(s.tally.totals, mixed), total(s.tally.totals, wrong)
			if a == 0 || count+truths == 0 {
				continue
			}
			out.Confused = append(out.Confused, ConfusedPair{
				A: s.classes.ids[a], B: s.classes.ids[b], Count: int(math.Round(count)), TruthCount: int(math.Round(truths)),
			})
			found = append(found, confused{mixed, append(mixed, votes(a, a), votes(b, b)), wrong, append(wrong, truth(a, a), truth(b, b))})
		}
	}
	for i, f := range found {
		x.share(&out.Confused[i].Votes, f.votes, f.ofVotes)
		x.share(&out.Confused[i].Truth, f.truths, f.ofTruths)
	}
}
