package speech

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
// takes memory for the square root of the longest table of distances, so that recordings of hours can be aligned.
func Align(reference, hypothesis []string) []Step {
	a := newAligner(reference, hypothesis)
	steps := make([]Step, 0, max(len(reference), len(hypothesis)))
	for i := range a.first {
		steps = append(steps, Step{Match, i, i})
	}
	for _, by := range a.between() {
		r, h := a.first+a.i, a.first+a.j
		switch by {
		case deletion:
			h = -1
			a.i++
		case insertion:
			r = -1
			a.j++
		case substitution, match:
			a.i, a.j = a.i+1, a.j+1
		}
		steps = append(steps, Step{ops[by], r, h})
	}
	for k := range a.last {
		steps = append(steps, Step{Match, len(reference) - a.last + k, len(hypothesis) - a.last + k})
	}
	return steps
}

// aligner aligns what two texts have between their common beginning and their common end.
type aligner struct {
	ref, hyp    []int32 // a number for each word, the same for the same
	first, last int
	i, j        int // where the steps have come to
}

func newAligner(reference, hypothesis []string) *aligner {
	a := &aligner{}
	shorter := min(len(reference), len(hypothesis))
	for a.first < shorter && reference[a.first] == hypothesis[a.first] {
		a.first++
	}
	for a.last < shorter-a.first && reference[len(reference)-1-a.last] == hypothesis[len(hypothesis)-1-a.last] {
		a.last++
	}
	number := map[string]int32{}
	numbered := func(words []string) []int32 {
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
	a.ref = numbered(reference[a.first : len(reference)-a.last])
	a.hyp = numbered(hypothesis[a.first : len(hypothesis)-a.last])
	return a
}

// between returns the steps. It keeps the distances of every so-manieth row alone, and makes the rows between two of them again
// when the way back comes there.
func (a *aligner) between() []step {
	n, m := len(a.ref), len(a.hyp)
	apart := 1
	for apart*apart < n {
		apart++
	}
	row := make([]int32, m+1)
	for j := range row {
		row[j] = int32(j)
	}
	var kept [][]int32
	for i := range n {
		if i%apart == 0 {
			kept = append(kept, append([]int32(nil), row...))
		}
		a.nextRow(i, row, nil)
	}
	var back []step
	j, taken := m, make([]step, apart*m)
	for k := len(kept) - 1; k >= 0; k-- {
		from, to := k*apart, min(n, (k+1)*apart)
		for i := from; i < to; i++ {
			a.nextRow(i, kept[k], taken[(i-from)*m:(i-from+1)*m])
		}
		for i := to; i > from; {
			by := deletion
			if j > 0 {
				by = taken[(i-1-from)*m+j-1]
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
	for i, k := 0, len(back)-1; i < k; i, k = i+1, k-1 {
		back[i], back[k] = back[k], back[i]
	}
	return back
}

// nextRow makes the distances of row i into those of the next one, and notes, unless taken is nil, which step leads to each cell.
func (a *aligner) nextRow(i int, row []int32, taken []step) {
	before := row[0]
	row[0]++
	for j := range a.hyp {
		above := row[j+1]
		distance, by := choose(above, row[j], before, a.ref[i] == a.hyp[j])
		row[j+1], before = distance, above
		if taken != nil {
			taken[j] = by
		}
	}
}
