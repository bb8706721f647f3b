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
	for task := 0; len(votes) > 0; task++ {
		n := 0
		for n < len(votes) && votes[n].Task == task {
			n++
		}
		s.add(votes[:n])
		votes = votes[n:]
	}
	s.run(skeneTolerance)
	return s.consensus()
}

// skene holds the estimates. Tasks with the same votes have the same probabilities, so that each pattern of votes is worked
// out once, weighted by how many tasks have it.
type skene struct {
	labels, workers int
	patternOf       []int32 // of each task, -1 without votes
	patterns        map[string]int
	name            []byte
	votes           []Vote
	ends            []int // of each pattern's votes
	weights         []float64
	beliefs         []belief // pattern by pattern, those that count
	believed        []int    // where each pattern's end
	priors          []float64
	confusions      []float64 // worker by worker, said label by said label: the probability given each true label
}

// belief is the probability of a label.
type belief struct {
	label       int
	probability float64
}

// add takes in the votes on the next task. It changes their order.
func (s *skene) add(votes []Vote) {
	if len(votes) == 0 {
		s.patternOf = append(s.patternOf, -1)
		return
	}
	s.name = patternName(s.name[:0], votes)
	pattern, known := s.patterns[string(s.name)]
	if !known {
		if s.patterns == nil {
			s.patterns = map[string]int{}
		}
		pattern = len(s.ends)
		s.patterns[string(s.name)] = pattern
		s.votes = append(s.votes, votes...)
		s.ends, s.weights = append(s.ends, len(s.votes)), append(s.weights, 0)
		for _, v := range votes {
			s.labels, s.workers = max(s.labels, v.Label+1), max(s.workers, v.Worker+1)
		}
	}
	s.weights[pattern]++
	s.patternOf = append(s.patternOf, int32(pattern)) //nolint:gosec // the number of different answers
}

// patternName appends what names the votes on a task, whatever their order, which it changes.
func patternName(name []byte, votes []Vote) []byte {
	slices.SortFunc(votes, func(a, b Vote) int { return cmp.Or(cmp.Compare(a.Worker, b.Worker), cmp.Compare(a.Label, b.Label)) })
	for _, v := range votes {
		name = binary.AppendUvarint(name, uint64(v.Worker)) //nolint:gosec // counted from 0
		name = binary.AppendUvarint(name, uint64(v.Label))  //nolint:gosec // counted from 0
	}
	return name
}

func (s *skene) run(tolerance float64) {
	s.beliefs, s.believed = s.beliefs[:0], s.believed[:0]
	s.priors = make([]float64, s.labels)
	s.confusions = make([]float64, s.workers*s.labels*s.labels)
	s.followMajority()
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

// followMajority believes each label as much as the share of votes for it.
func (s *skene) followMajority() {
	start := 0
	for _, end := range s.ends {
		for _, v := range s.votes[start:end] {
			s.beliefs = append(s.beliefs, belief{v.Label, 1 / float64(end-start)})
		}
		s.believed = append(s.believed, len(s.beliefs))
		start = end
	}
}

// said is where a worker's probabilities of saying a label begin, by true label.
func (s *skene) said(v Vote) int { return (v.Worker*s.labels + v.Label) * s.labels }

// maximize estimates priors and confusions from the beliefs.
func (s *skene) maximize() {
	clear(s.priors)
	clear(s.confusions)
	tasks, start, from := 0.0, 0, 0
	for p, end := range s.ends {
		tasks += s.weights[p]
		for _, b := range s.beliefs[from:s.believed[p]] {
			share := s.weights[p] * b.probability
			s.priors[b.label] += share
			for _, v := range s.votes[start:end] {
				s.confusions[s.said(v)+b.label] += share
			}
		}
		start, from = end, s.believed[p]
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

// expect estimates the beliefs from priors and confusions, and returns the votes' log likelihood. Products are brought back to a
// sum of 1 before they could become too small for a number.
func (s *skene) expect() (likelihood float64) {
	s.beliefs = s.beliefs[:0]
	products, start := make([]float64, s.labels), 0
	for p, end := range s.ends {
		before, sum := s.priors, 0.0
		for i, v := range s.votes[start:end] {
			if i%16 == 15 {
				likelihood += s.weights[p] * math.Log(sum)
				for label := range products {
					products[label] /= sum
				}
			}
			sum = 0
			for label, c := range s.confusions[s.said(v):][:len(products)] {
				product := before[label] * c
				products[label] = product
				sum += product
			}
			before = products
		}
		likelihood += s.weights[p] * math.Log(sum)
		nothing := skeneNothing * sum
		for label, product := range products {
			if product > nothing {
				s.beliefs = append(s.beliefs, belief{label, product / sum})
			}
		}
		start, s.believed[p] = end, len(s.beliefs)
	}
	return likelihood
}

func (s *skene) consensus() Consensus {
	c := Consensus{Labels: make([]int, len(s.patternOf)), Probability: make([]float64, len(s.patternOf)), Accuracy: make([]float64, s.workers)}
	for task, p := range s.patternOf {
		if c.Labels[task] = -1; p >= 0 {
			c.Labels[task], c.Probability[task] = s.likeliest(int(p))
		}
	}
	for w := range c.Accuracy {
		for label, prior := range s.priors {
			c.Accuracy[w] += prior * s.confusions[(w*s.labels+label)*s.labels+label]
		}
	}
	return c
}

func (s *skene) likeliest(pattern int) (label int, probability float64) {
	for _, b := range s.beliefsOf(pattern) {
		if b.probability > probability {
			label, probability = b.label, b.probability
		}
	}
	return label, probability
}

func (s *skene) beliefsOf(pattern int) []belief {
	from := 0
	if pattern > 0 {
		from = s.believed[pattern-1]
	}
	return s.beliefs[from:s.believed[pattern]]
}

// probability is that of a label where votes are of a pattern.
func (s *skene) probability(pattern, label int) float64 {
	for _, b := range s.beliefsOf(pattern) {
		if b.label == label {
			return b.probability
		}
	}
	return 0
}
