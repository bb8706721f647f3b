package agreement

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// Vote is what one worker said of one task. Tasks, workers and labels are numbers from 0 on, without large gaps.
type Vote struct{ Task, Worker, Label int }

// Consensus is what Dawid and Skene's method makes of votes.
type Consensus struct {
	// Labels are the likeliest ones by task, -1 for a task without a vote; of equally likely ones the lowest.
	Labels []int
	// Probability is that of each task's label.
	Probability []float64
	// Accuracy is by worker: the probability of saying the right label, over the labels as frequent as they are.
	Accuracy []float64
}

// The iteration ends when the likelihood's logarithm grows by less than a share. A label that a worker never said of a truth
// has a least probability (as in crowd-kit, against whose output this is tested), and a belief that is next to nothing is nothing,
// which leaves few labels to each task.
const (
	skeneIterations = 200
	skeneTolerance  = 1e-9
	skeneLeast      = 1e-10
	skeneNothing    = 1e-6
)

// DawidSkene estimates the true labels together with how each worker confuses them, by expectation and maximization from the
// majority's vote on (Dawid and Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm, 1979).
// Unlike a majority it weighs workers by how reliable they turn out to be, label by label.
func DawidSkene(votes []Vote) Consensus {
	votes = slices.Clone(votes)
	if byTask := func(a, b Vote) int { return cmp.Compare(a.Task, b.Task) }; !slices.IsSortedFunc(votes, byTask) {
		slices.SortFunc(votes, byTask)
	}
	var s skene
	var on []opinion
	for task := 0; len(votes) > 0; task++ {
		on = on[:0]
		for len(votes) > 0 && votes[0].Task == task {
			on = append(on, opinion{int32(votes[0].Worker), int32(votes[0].Label)}) //nolint:gosec // numbers without large gaps
			votes = votes[1:]
		}
		s.add(on)
	}
	s.run(skeneTolerance)
	c := Consensus{Labels: make([]int, len(s.patternOf)), Probability: make([]float64, len(s.patternOf)), Accuracy: make([]float64, s.workers)}
	for task, pattern := range s.patternOf {
		if c.Labels[task] = -1; pattern >= 0 {
			c.Labels[task], c.Probability[task], _ = s.verdict(int(pattern), 0)
		}
	}
	for w := range c.Accuracy {
		c.Accuracy[w] = s.accuracy(w)
	}
	return c
}

// skene holds the estimates. Tasks with the same votes have the same probabilities, so that each pattern of votes is worked
// out once, weighted by how many tasks have it; and no probabilities are kept but those of labels and confusions.
type skene struct {
	labels, workers int
	patternOf       []int32 // of each task, -1 without votes
	patterns        map[string]int32
	name            []byte
	votes           []opinion
	ends            []int // of each pattern's votes
	weights         []float64

	priors     []float64
	confusions []float64 // worker by worker, said label by said label: the probability given each true label
	products   []float64 // of the votes at hand, by label
	likely     []int     // labels, those of them that are believed first
	rows       []int     // of each vote: where its worker's probabilities of saying its label begin, by true label
	next       struct{ priors, confusions []float64 }
}

// opinion is a vote on the task at hand.
type opinion struct{ worker, label int32 }

// add takes in the votes on the next task.
func (s *skene) add(votes []opinion) {
	if len(votes) == 0 {
		s.patternOf = append(s.patternOf, -1)
		return
	}
	slices.SortFunc(votes, func(a, b opinion) int { return cmp.Or(cmp.Compare(a.worker, b.worker), cmp.Compare(a.label, b.label)) })
	s.name = s.name[:0]
	for _, v := range votes {
		s.name = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(s.name, uint32(v.worker)), uint32(v.label)) //nolint:gosec // counted from 0
	}
	pattern, known := s.patterns[string(s.name)]
	if !known {
		if s.patterns == nil {
			s.patterns = map[string]int32{}
		}
		pattern = int32(len(s.ends)) //nolint:gosec // the number of different answers
		s.patterns[string(s.name)] = pattern
		s.votes = append(s.votes, votes...)
		s.ends, s.weights = append(s.ends, len(s.votes)), append(s.weights, 0)
		for _, v := range votes {
			s.labels, s.workers = max(s.labels, int(v.label)+1), max(s.workers, int(v.worker)+1)
		}
	}
	s.weights[pattern]++
	s.patternOf = append(s.patternOf, pattern)
}

// span is where the votes of a pattern are.
func (s *skene) span(pattern int) (from, to int) {
	if pattern > 0 {
		from = s.ends[pattern-1]
	}
	return from, s.ends[pattern]
}

// votesOf are those of a pattern.
func (s *skene) votesOf(pattern int) []opinion {
	from, to := s.span(pattern)
	return s.votes[from:to]
}

// rowsOf are those of a pattern's votes.
func (s *skene) rowsOf(pattern int) []int {
	from, to := s.span(pattern)
	return s.rows[from:to]
}

// run estimates priors and confusions, from what a majority would believe on.
func (s *skene) run(tolerance float64) {
	cells := s.workers * s.labels * s.labels
	s.priors, s.confusions, s.products = make([]float64, s.labels), make([]float64, cells), make([]float64, s.labels)
	s.likely = make([]int, s.labels)
	s.next.priors, s.next.confusions = make([]float64, s.labels), make([]float64, cells)
	s.rows = make([]int, len(s.votes))
	for i, v := range s.votes {
		s.rows[i] = (int(v.worker)*s.labels + int(v.label)) * s.labels
	}
	for p, weight := range s.weights {
		votes, rows := s.votesOf(p), s.rowsOf(p)
		for _, v := range votes {
			s.believe(rows, int(v.label), weight/float64(len(votes)))
		}
	}
	before := math.Inf(-1)
	for range skeneIterations {
		s.maximize()
		likelihood := s.expect()
		if likelihood-before < tolerance*math.Abs(likelihood) {
			return
		}
		before = likelihood
	}
}

// believe counts the votes of these rows, of so many tasks, as on a true label.
func (s *skene) believe(rows []int, label int, tasks float64) {
	s.next.priors[label] += tasks
	for _, row := range rows {
		s.next.confusions[row+label] += tasks
	}
}

// maximize makes priors and confusions of what was believed, and forgets that.
func (s *skene) maximize() {
	s.priors, s.next.priors = s.next.priors, s.priors
	s.confusions, s.next.confusions = s.next.confusions, s.confusions
	clear(s.next.priors)
	clear(s.next.confusions)
	tasks := 0.0
	for _, n := range s.priors {
		tasks += n
	}
	for label := range s.priors {
		s.priors[label] /= tasks
	}
	for w := range s.workers {
		of := s.confusions[w*s.labels*s.labels : (w+1)*s.labels*s.labels]
		for truth := range s.labels {
			sum := 0.0
			for i := truth; i < len(of); i += s.labels {
				of[i] = max(of[i], skeneLeast)
				sum += of[i]
			}
			for i := truth; i < len(of); i += s.labels {
				of[i] /= sum
			}
		}
	}
}

// expect believes of each pattern what priors and confusions make likely, and returns the votes' log likelihood. The
// likelihoods of patterns that only one task has are multiplied before the logarithm is taken, as long as they are numbers.
func (s *skene) expect() (likelihood float64) {
	const small = 1e-200 // times the least of a product is still a number
	together := 1.0
	for p, weight := range s.weights {
		rows := s.rowsOf(p)
		sum, log := s.multiply(rows)
		likelihood += weight * log
		if weight == 1 && sum > 1e-100 {
			if together *= sum; together < small {
				likelihood += math.Log(together)
				together = 1
			}
		} else {
			likelihood += weight * math.Log(sum)
		}
		s.believeProducts(rows, skeneNothing*sum, weight/sum)
	}
	return likelihood + math.Log(together)
}

// believeProducts believes each label as far as its product goes, times a factor, unless that is next to nothing. Hardly any is more, and this is
// where most of the time goes: so they are listed first, without a branch that nobody could foretell.
func (s *skene) believeProducts(rows []int, least, factor float64) {
	n := 0
	for label, product := range s.products {
		s.likely[n] = label
		if product > least {
			n++
		}
	}
	for _, label := range s.likely[:n] {
		s.believe(rows, label, factor*s.products[label])
	}
}

// multiply sets s.products to the probability of the votes of these rows together with each label, and returns their sum and the
// logarithm of what they were divided by, before they could become too small for a number.
func (s *skene) multiply(rows []int) (sum, log float64) {
	before := s.priors
	for i := 0; i < len(rows); {
		if i >= 15 {
			log += math.Log(sum)
			for label := range s.products {
				s.products[label] /= sum
			}
		}
		n := min(3, len(rows)-i)
		sum = s.multiplyBy(before, rows[i:i+n])
		before, i = s.products, i+n
	}
	return sum, log
}

// multiplyBy sets s.products to what they were before times the probabilities of at most three rows, in one pass over the
// labels, and returns their sum.
func (s *skene) multiplyBy(before []float64, rows []int) (sum float64) {
	products := s.products
	before, one := before[:len(products)], s.confusions[rows[0]:][:len(products)]
	switch len(rows) {
	case 1:
		for label := range products {
			product := before[label] * one[label]
			products[label] = product
			sum += product
		}
	case 2:
		two := s.confusions[rows[1]:][:len(products)]
		for label := range products {
			product := before[label] * one[label] * two[label]
			products[label] = product
			sum += product
		}
	default:
		two, three := s.confusions[rows[1]:][:len(products)], s.confusions[rows[2]:][:len(products)]
		for label := range products {
			product := before[label] * one[label] * two[label] * three[label]
			products[label] = product
			sum += product
		}
	}
	return sum
}

// verdict is the likeliest label where votes are of a pattern, and how likely it is and another.
func (s *skene) verdict(pattern, other int) (label int, probability, ofOther float64) {
	sum, _ := s.multiply(s.rowsOf(pattern))
	for l, product := range s.products {
		if product > s.products[label] {
			label = l
		}
	}
	return label, s.products[label] / sum, s.products[other] / sum
}

// accuracy is the probability that a worker says the right label.
func (s *skene) accuracy(worker int) (right float64) {
	for label, prior := range s.priors {
		right += prior * s.confusions[(worker*s.labels+label)*s.labels+label]
	}
	return right
}
