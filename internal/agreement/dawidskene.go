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

// The iteration ends when the likelihood's logarithm grows by less than this share. A label that a worker never said of a
// truth has this least probability, and beliefs below it count for nothing (as in crowd-kit, against whose output this is
// tested).
const (
	skeneIterations = 100
	skeneTolerance  = 1e-6
	skeneLeast      = 1e-10
)

// DawidSkene estimates the true labels together with how each worker confuses them, by expectation and maximization from the
// majority's vote on (Dawid and Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm, 1979).
// Unlike a majority it weighs workers by how reliable they turn out to be, label by label.
func DawidSkene(votes []Vote) Consensus {
	s := newSkene(votes)
	s.run()
	return s.consensus()
}

// skene holds the estimates. Tasks with the same votes have the same probabilities, so that each pattern of votes is worked
// out once, weighted by how many tasks have it.
type skene struct {
	labels, workers int
	patternOf       []int // of each task, -1 without votes
	votes           []Vote
	ends            []int // of each pattern's votes
	weights         []float64
	beliefs         []float64 // pattern by pattern, the probability of each label
	priors          []float64
	confusions      []float64 // worker by worker, said label by said label: the probability given each true label
}

func newSkene(votes []Vote) *skene {
	s := &skene{}
	votes = slices.SortedFunc(slices.Values(votes), func(a, b Vote) int {
		return cmp.Or(cmp.Compare(a.Task, b.Task), cmp.Compare(a.Worker, b.Worker), cmp.Compare(a.Label, b.Label))
	})
	for _, v := range votes {
		s.labels, s.workers = max(s.labels, v.Label+1), max(s.workers, v.Worker+1)
	}
	patterns := map[string]int{}
	var name []byte
	for len(votes) > 0 {
		task, n := votes[0].Task, 0
		name = name[:0]
		for n < len(votes) && votes[n].Task == task {
			name = binary.AppendUvarint(name, uint64(votes[n].Worker)) //nolint:gosec // counted from 0
			name = binary.AppendUvarint(name, uint64(votes[n].Label))  //nolint:gosec // counted from 0
			n++
		}
		pattern, known := patterns[string(name)]
		if !known {
			pattern = len(s.ends)
			patterns[string(name)] = pattern
			s.votes = append(s.votes, votes[:n]...)
			s.ends, s.weights = append(s.ends, len(s.votes)), append(s.weights, 0)
		}
		s.weights[pattern]++
		for len(s.patternOf) <= task {
			s.patternOf = append(s.patternOf, -1)
		}
		s.patternOf[task] = pattern
		votes = votes[n:]
	}
	return s
}

// each calls f with every pattern's votes and beliefs.
func (s *skene) each(f func(pattern int, votes []Vote, beliefs []float64)) {
	start := 0
	for p, end := range s.ends {
		f(p, s.votes[start:end], s.beliefs[p*s.labels:(p+1)*s.labels])
		start = end
	}
}

func (s *skene) run() {
	s.beliefs, s.priors = make([]float64, len(s.ends)*s.labels), make([]float64, s.labels)
	s.confusions = make([]float64, s.workers*s.labels*s.labels)
	s.each(func(_ int, votes []Vote, beliefs []float64) {
		for _, v := range votes {
			beliefs[v.Label] += 1 / float64(len(votes))
		}
	})
	before := math.Inf(-1)
	for range skeneIterations {
		s.maximize()
		likelihood := s.expect()
		if likelihood-before < skeneTolerance*math.Abs(likelihood) {
			return
		}
		before = likelihood
	}
}

// said is where a worker's probabilities of saying a label begin, by true label.
func (s *skene) said(v Vote) int { return (v.Worker*s.labels + v.Label) * s.labels }

// maximize estimates priors and confusions from the beliefs.
func (s *skene) maximize() {
	clear(s.priors)
	clear(s.confusions)
	tasks := 0.0
	s.each(func(p int, votes []Vote, beliefs []float64) {
		tasks += s.weights[p]
		for label, b := range beliefs {
			if b < skeneLeast {
				continue
			}
			s.priors[label] += s.weights[p] * b
			for _, v := range votes {
				s.confusions[s.said(v)+label] += s.weights[p] * b
			}
		}
	})
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
	s.each(func(p int, votes []Vote, beliefs []float64) {
		copy(beliefs, s.priors)
		for i, v := range votes {
			for label, c := range s.confusions[s.said(v):][:len(beliefs)] {
				beliefs[label] *= c
			}
			if i%16 == 15 || i == len(votes)-1 {
				likelihood += s.weights[p] * math.Log(normalize(beliefs))
			}
		}
	})
	return likelihood
}

// normalize divides values by their sum, which it returns.
func normalize(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	for i := range values {
		values[i] /= sum
	}
	return sum
}

func (s *skene) consensus() Consensus {
	c := Consensus{Labels: make([]int, len(s.patternOf)), Probability: make([]float64, len(s.patternOf)), Accuracy: make([]float64, s.workers)}
	for task, p := range s.patternOf {
		if c.Labels[task] = -1; p >= 0 {
			c.Labels[task], c.Probability[task] = s.likeliest(p)
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
	for l, b := range s.beliefs[pattern*s.labels : (pattern+1)*s.labels] {
		if b > probability {
			label, probability = l, b
		}
	}
	return label, probability
}
