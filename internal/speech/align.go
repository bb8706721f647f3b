package speech

import "slices"

// Op is what became of a word.
type Op string

// The steps of an alignment.
const (
	Match        Op = "match"
	Substitution Op = "substitution"
	Deletion     Op = "deletion"
	Insertion    Op = "insertion"
)

var ops = [...]Op{deletion: Deletion, substitution: Substitution, insertion: Insertion, match: Match}

// Step pairs a word of the reference with one of the hypothesis, by their places from 0; -1 is no word.
type Step struct {
	Op         Op
	Reference  int
	Hypothesis int
}

// Align aligns the words of a hypothesis with those of a reference, from the first to the last. Its counts are those of Score. It
// takes memory for the square root of the longest table of costs, so that recordings of hours can be aligned.
func Align(reference, hypothesis []string) []Step {
	pairs := newWordPairs(reference, hypothesis)
	steps := make([]Step, 0, max(len(reference), len(hypothesis)))
	i, j := 0, 0
	for _, by := range align(len(reference), len(hypothesis), pairs) {
		s := Step{ops[by], i, j}
		switch by {
		case deletion:
			s.Hypothesis = -1
			i++
		case insertion:
			s.Reference = -1
			j++
		case substitution, match:
			i, j = i+1, j+1
		}
		steps = append(steps, s)
	}
	return steps
}

// wordPairs has a number for each word, the same for the same, and costs of 1 for every error.
type wordPairs struct{ ref, hyp []int32 }

func newWordPairs(reference, hypothesis []string) *wordPairs {
	number := map[string]int32{}
	return &wordPairs{numbered(number, reference), numbered(number, hypothesis)}
}

// numbered gives each word its number, a new one to one that is new.
func numbered(number map[string]int32, words []string) []int32 {
	numbers := make([]int32, len(words))
	for i, word := range words {
		n, known := number[word]
		if !known {
			n = int32(len(number)) //nolint:gosec // no text has as many words
			number[word] = n
		}
		numbers[i] = n
	}
	return numbers
}

func (*wordPairs) deleting(int) int32 { return 1 }
func (*wordPairs) inserting() int32   { return 1 }

func (p *wordPairs) pairing(i, j int) int32 {
	if p.ref[i] == p.hyp[j] {
		return 0
	}
	return 1
}

// costs says what the steps of an alignment of two rows cost. Pairing costs nothing for the same.
type costs interface {
	deleting(i int) int32
	inserting() int32
	pairing(i, j int) int32
}

// align returns the cheapest steps from the beginning of two rows of n and m to their end.
func align(n, m int, c costs) []step {
	a := aligner{costs: c}
	for a.first < min(n, m) && c.pairing(a.first, a.first) == 0 {
		a.first++
	}
	last := 0
	for last < min(n, m)-a.first && c.pairing(n-1-last, m-1-last) == 0 {
		last++
	}
	a.n, a.m = n-a.first-last, m-a.first-last
	steps := make([]step, 0, max(n, m))
	for range a.first {
		steps = append(steps, match)
	}
	back := a.back()
	for k := len(back) - 1; k >= 0; k-- {
		steps = append(steps, back[k])
	}
	for range last {
		steps = append(steps, match)
	}
	return steps
}

// aligner aligns what two rows have between their common beginning and their common end.
type aligner struct {
	costs
	first, n, m int
}

// back returns the steps from the last to the first. It keeps the costs of every so-manieth line alone, and makes the lines between
// two of them again when the way back comes there.
func (a *aligner) back() (back []step) {
	apart := 1
	for apart*apart < a.n {
		apart++
	}
	line := make([]int32, a.m+1)
	for j := range a.m {
		line[j+1] = line[j] + a.inserting()
	}
	var kept [][]int32
	for i := range a.n {
		if i%apart == 0 {
			kept = append(kept, slices.Clone(line))
		}
		a.nextLine(i, line, nil)
	}
	j, taken := a.m, make([]step, apart*a.m)
	for k := len(kept) - 1; k >= 0; k-- {
		from, to := k*apart, min(a.n, (k+1)*apart)
		for i := from; i < to; i++ {
			a.nextLine(i, kept[k], taken[(i-from)*a.m:(i-from+1)*a.m])
		}
		for i := to; i > from; {
			by := deletion
			if j > 0 {
				by = taken[(i-1-from)*a.m+j-1]
			}
			back = append(back, by)
			if by != insertion {
				i--
			}
			if by != deletion {
				j--
			}
		}
	}
	for ; j > 0; j-- {
		back = append(back, insertion)
	}
	return back
}

// nextLine makes the costs of line i into those of the next one, and notes, unless taken is nil, which step leads to each cell.
func (a *aligner) nextLine(i int, line []int32, taken []step) {
	before := line[0]
	deleting := a.deleting(a.first + i)
	line[0] += deleting
	for j := range a.m {
		above := line[j+1]
		pair := a.pairing(a.first+i, a.first+j)
		cost, by := choose(above+deleting, line[j]+a.inserting(), before+pair, pair == 0)
		line[j+1], before = cost, above
		if taken != nil {
			taken[j] = by
		}
	}
}
