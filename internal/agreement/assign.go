package agreement

import (
	"cmp"
	"math"
	"slices"
)

// Assign pairs rows with columns so that the sum of their costs is least, min(rows, columns) pairs of them: the column of each
// row, -1 for a row left over, and the sum. Costs are finite and rows equally long. It takes O(rows²·columns) by shortest
// augmenting paths (Jonker and Volgenant 1987, in the rectangular form of Crouse, On implementing 2D rectangular assignment
// algorithms, 2016).
func Assign(cost [][]float64) (columns []int, total float64) {
	if len(cost) == 0 {
		return nil, 0
	}
	rows, width := len(cost), len(cost[0])
	wide := rows <= width
	var a assigner
	a.reset(min(rows, width), max(rows, width))
	for i, row := range cost {
		for j, c := range row {
			if wide {
				a.cost[i*a.columns+j] = c
			} else {
				a.cost[j*a.columns+i] = c
			}
		}
	}
	a.solve()
	columns = make([]int, rows)
	for i := range columns {
		columns[i] = -1
	}
	for i, j := range a.columnOf {
		if !wide {
			i, j = j, i
		}
		columns[i] = j
		total += cost[i][j]
	}
	return columns, total
}

// assigner solves one assignment after another in the same memory: at most as many rows as columns, the costs row by row.
type assigner struct {
	rows, columns   int
	cost            []float64
	columnOf, rowOf []int // -1: none yet
	u, v            []float64
	shortest        []float64 // cost of the shortest path to a column
	previous        []int     // the row before a column on it
	rowDone, done   []bool

	part  []int // see setParts
	place []int // of a row or column in the part that is being solved
}

// grown returns s with length n and zeros in it.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	s = s[:n]
	clear(s)
	return s
}

func (a *assigner) reset(rows, columns int) {
	a.rows, a.columns = rows, columns
	a.cost = grown(a.cost, rows*columns)
	a.columnOf, a.rowOf = grown(a.columnOf, rows), grown(a.rowOf, columns)
	a.u, a.v = grown(a.u, rows), grown(a.v, columns)
	a.shortest, a.previous = grown(a.shortest, columns), grown(a.previous, columns)
	a.rowDone, a.done = grown(a.rowDone, rows), grown(a.done, columns)
	for i := range a.columnOf {
		a.columnOf[i] = -1
	}
	for j := range a.rowOf {
		a.rowOf[j] = -1
	}
}

func (a *assigner) solve() {
	for row := range a.rows {
		free, reach := a.shortestPath(row)
		a.reprice(row, reach)
		for j := free; ; { // turn the path's pairs over
			i := a.previous[j]
			a.rowOf[j] = i
			a.columnOf[i], j = j, a.columnOf[i]
			if i == row {
				break
			}
		}
	}
}

// shortestPath grows a tree of least reduced costs from a row until it reaches a free column: that column and its distance.
func (a *assigner) shortestPath(row int) (free int, reach float64) {
	clear(a.rowDone)
	clear(a.done)
	for j := range a.shortest {
		a.shortest[j] = math.Inf(1)
	}
	for i := row; ; {
		a.rowDone[i] = true
		costs, ui := a.cost[i*a.columns:(i+1)*a.columns], a.u[i]
		best, least := -1, math.Inf(1)
		for j, c := range costs {
			if a.done[j] {
				continue
			}
			if d := reach + c - ui - a.v[j]; d < a.shortest[j] {
				a.shortest[j], a.previous[j] = d, i
			}
			if s := a.shortest[j]; s < least || s == least && a.rowOf[j] < 0 && a.rowOf[best] >= 0 {
				best, least = j, s
			}
		}
		reach = least
		a.done[best] = true
		if a.rowOf[best] < 0 {
			return best, reach
		}
		i = a.rowOf[best]
	}
}

// reprice makes the path's reduced costs zero and leaves none below.
func (a *assigner) reprice(row int, reach float64) {
	a.u[row] += reach
	for i, done := range a.rowDone {
		if done && i != row {
			a.u[i] += reach - a.shortest[a.columnOf[i]]
		}
	}
	for j, done := range a.done {
		if done {
			a.v[j] -= reach - a.shortest[j]
		}
	}
}

// link is a pair that may be chosen, and what choosing it gains. Rows and columns are numbers of their own.
type link struct {
	row, column int
	gain        float64
	group       int // of links that lie together while they are worked on
}

// grouped sorts links by group, row and column.
func grouped(links []link) {
	slices.SortFunc(links, func(a, b link) int {
		if a.group != b.group {
			return cmp.Compare(a.group, b.group)
		}
		if a.row != b.row {
			return cmp.Compare(a.row, b.row)
		}
		return cmp.Compare(a.column, b.column)
	})
}

// groups yields the links of each group in turn.
func groups(links []link) func(yield func([]link) bool) {
	return func(yield func([]link) bool) {
		for rest := links; len(rest) > 0; {
			end := 1
			for end < len(rest) && rest[end].group == rest[0].group {
				end++
			}
			if !yield(rest[:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// best keeps of links those of an assignment that gains most, where any row and column may stay alone: each part that hangs
// together is solved by itself. Rows and columns are below n, and no pair has two links. links is reordered.
func (a *assigner) best(links []link, n int) []link {
	if len(links) == 1 {
		return links
	}
	a.setParts(links, n)
	grouped(links)
	kept := links[:0]
	for part := range groups(links) {
		kept = append(kept, a.bestOfPart(part, n)...)
	}
	return kept
}

// setParts groups links by what they hold together: rows, and columns, which are counted from n on.
func (a *assigner) setParts(links []link, n int) {
	if len(a.part) < 2*n {
		a.part, a.place = make([]int, 2*n), make([]int, 2*n)
	}
	for _, l := range links {
		a.part[l.row], a.part[l.column+n] = l.row, l.column+n
	}
	for _, l := range links {
		join(a.part, l.row, l.column+n)
	}
	for i, l := range links {
		links[i].group = root(a.part, l.row)
	}
}

// bestOfPart solves one part, whose links lie row by row.
func (a *assigner) bestOfPart(links []link, n int) []link {
	if len(links) == 1 {
		return links
	}
	rows, columns := 0, 0
	for i, l := range links {
		a.place[l.column+n] = -1
		if i == 0 || l.row != links[i-1].row {
			a.place[l.row] = rows
			rows++
		}
	}
	for _, l := range links {
		if a.place[l.column+n] < 0 {
			a.place[l.column+n] = columns
			columns++
		}
	}
	at := func(l link) (row, column int) { return a.place[l.row], a.place[l.column+n] }
	wide := rows <= columns
	a.reset(min(rows, columns), max(rows, columns))
	for _, l := range links {
		i, j := at(l)
		if !wide {
			i, j = j, i
		}
		a.cost[i*a.columns+j] = -l.gain
	}
	a.solve()
	kept := links[:0]
	for _, l := range links {
		i, j := at(l)
		if !wide {
			i, j = j, i
		}
		if a.columnOf[i] == j && l.gain > 0 {
			kept = append(kept, l)
		}
	}
	return kept
}
