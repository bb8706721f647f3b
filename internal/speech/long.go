package speech

// A step of an alignment, in the order in which they are preferred where several have as few errors.
type step uint8

const (
	deletion step = iota
	substitution
	insertion
	match
)

// choose returns the cost of the way to a cell of the matrix and its last step, from the costs of the ways by a deletion, by an
// insertion, and by pairing the two words, which are the same or not.
func choose(byDeletion, byInsertion, byPair int32, same bool) (int32, step) {
	cost := min(byDeletion, byInsertion, byPair)
	switch {
	case byDeletion == cost:
		return cost, deletion
	case byPair == cost && !same:
		return cost, substitution
	case byInsertion == cost:
		return cost, insertion
	}
	return cost, match
}

// longRow counts along the alignment of texts of any length, in memory for one row of the matrix: each cell has the counts of
// the way that leads there.
type longRow struct {
	distances []int32
	ways      []way
}

// way counts the steps from the beginning to a cell.
type way struct{ hits, substitutions, deletions, insertions int32 }

func (w *way) add(by step) {
	switch by {
	case deletion:
		w.deletions++
	case insertion:
		w.insertions++
	case substitution:
		w.substitutions++
	case match:
		w.hits++
	}
}

// count aligns n words of ref with m of hyp, both from first on.
func (r *longRow) count(ref, hyp *words, first, n, m int) Counts {
	if cap(r.distances) <= m {
		r.distances, r.ways = make([]int32, m+1), make([]way, m+1)
	}
	distances, ways := r.distances[:m+1], r.ways[:m+1]
	for j := range distances {
		distances[j], ways[j] = int32(j), way{insertions: int32(j)}
	}
	for i := range n {
		before, wayBefore := distances[0], ways[0]
		distances[0]++
		ways[0].deletions++
		for j := range m {
			above, wayAbove := distances[j+1], ways[j+1]
			same := ref.same(first+i, hyp, first+j)
			if !same {
				before++
			}
			distance, by := choose(above+1, distances[j]+1, before, same)
			next := wayBefore
			switch by {
			case deletion:
				next = wayAbove
			case insertion:
				next = ways[j]
			case substitution, match:
			}
			next.add(by)
			distances[j+1], ways[j+1] = distance, next
			before, wayBefore = above, wayAbove
		}
	}
	all := ways[m]
	return Counts{
		Hits: int(all.hits), Substitutions: int(all.substitutions), Deletions: int(all.deletions), Insertions: int(all.insertions),
	}
}
