package agreement

import (
	"cmp"
	"math"
	"slices"
)

// A clustering puts every box into one cluster and never two boxes of one answer into the same. Its worth is the sum, over all
// pairs of boxes in one cluster, of IoU - Pair (and sameClass where they say the same class); a pair that does not overlap
// enough counts as -Pair, so that a chain of boxes that drift away from each other falls apart (this is correlation clustering,
// Bansal, Blum and Chawla 2004, with the boxes of one answer kept apart). Of two answers the best clustering is the
// optimal assignment; of more it is found from the optimal assignments of each pair of answers, then made better as long as
// one answer's boxes, all of them assigned anew to what the others make, make it better.

// setClusters gives every node its cluster. Most groups of touching boxes hold at most one box an answer, all of them near
// each other: those are one cluster at once.
func (m *matcher) setClusters() {
	m.setGroups()
	for group := range m.byCluster {
		if !m.isClique(group) {
			m.untie(group)
		}
	}
}

// byCluster yields the nodes of each cluster in turn, once m.members lies in their order.
func (m *matcher) byCluster(yield func(members []int) bool) {
	for rest := m.members; len(rest) > 0; {
		end := 1
		for end < len(rest) && m.cluster[rest[end]] == m.cluster[rest[0]] {
			end++
		}
		if !yield(rest[:end]) {
			return
		}
		rest = rest[end:]
	}
}

// setGroups joins what pairs hold together: m.cluster is each node's first node of its group, and m.members lists the nodes
// group by group.
func (m *matcher) setGroups() {
	m.cluster = grown(m.cluster, len(m.nodes))
	for i := range m.cluster {
		m.cluster[i] = i
	}
	for _, e := range m.edges {
		if e.pairs {
			join(m.cluster, e.u, e.v)
		}
	}
	m.degree = grown(m.degree, len(m.nodes))
	for _, e := range m.edges {
		if e.pairs {
			m.degree[e.u]++
			m.degree[e.v]++
		}
	}
	for i := range m.cluster {
		m.cluster[i] = root(m.cluster, i)
	}
	m.setMembers()
}

// setMembers lists the nodes cluster by cluster, those of one cluster in their order.
func (m *matcher) setMembers() {
	m.places = grown(m.places, len(m.nodes)+1)
	for _, c := range m.cluster {
		m.places[c+1]++
	}
	for c := range m.nodes {
		m.places[c+1] += m.places[c]
	}
	m.members = grown(m.members, len(m.nodes))
	for i, c := range m.cluster {
		m.members[m.places[c]] = i
		m.places[c]++
	}
}

// root finds the first node of a node's group, and shortens the way there.
func root(parent []int, i int) int {
	for parent[i] != i {
		parent[i] = parent[parent[i]]
		i = parent[i]
	}
	return i
}

func join(parent []int, a, b int) {
	a, b = root(parent, a), root(parent, b)
	parent[max(a, b)] = min(a, b)
}

// isClique reports whether a group holds at most one box an answer and a pair of each two of them.
func (m *matcher) isClique(group []int) bool {
	for i, n := range group {
		if m.degree[n] != len(group)-1 || i > 0 && m.nodes[n].answer == m.nodes[group[i-1]].answer {
			return false
		}
	}
	return true
}

// untie finds the clusters of a group in which answers have several boxes, or boxes that are not all near each other.
func (m *matcher) untie(group []int) {
	m.setNeighbours()
	m.links = m.links[:0]
	for _, u := range group {
		m.cluster[u] = u
		for _, n := range m.neighbours(u) {
			if e := &m.edges[n.edge]; e.pairs && e.u == u {
				m.links = append(m.links, link{row: e.u, column: e.v, gain: e.gain})
			}
		}
	}
	m.size, m.slot = grown(m.size, len(m.nodes)), grown(m.slot, len(m.nodes))
	for _, u := range group {
		m.size[u] = 1
	}
	m.mergeBest(m.assignAll())
	m.improve(group)
}

// assignAll keeps of m.links those that the optimal assignment of each pair of answers uses.
func (m *matcher) assignAll() []link {
	for i, l := range m.links {
		m.links[i].group = m.nodes[l.row].answer*len(m.spans) + m.nodes[l.column].answer
	}
	grouped(m.links)
	kept := m.links[:0]
	for pair := range groups(m.links) {
		kept = append(kept, m.assigner.best(pair, len(m.nodes))...)
	}
	return kept
}

// mergeBest joins clusters along links, the best first, where that is worth something and no answer would have two boxes.
func (m *matcher) mergeBest(links []link) {
	slices.SortFunc(links, func(a, b link) int {
		return cmp.Or(cmp.Compare(b.gain, a.gain), cmp.Compare(a.row, b.row), cmp.Compare(a.column, b.column))
	})
	// A cluster bears the name of its first node and is a ring through m.next.
	m.next = grown(m.next, len(m.nodes))
	for i := range m.next {
		m.next[i] = i
	}
	for _, l := range links {
		a, b := m.cluster[l.row], m.cluster[l.column]
		if a == b || !m.mergeable(a, b) {
			continue
		}
		a, b = min(a, b), max(a, b)
		m.size[a], m.size[b] = m.size[a]+m.size[b], 0
		for i := b; ; {
			m.cluster[i] = a
			if i = m.next[i]; i == b {
				break
			}
		}
		m.next[a], m.next[b] = m.next[b], m.next[a]
	}
}

// mergeable reports whether two clusters are worth more as one.
func (m *matcher) mergeable(a, b int) bool {
	worth := -m.limits.Pair * float64(m.size[a]) * float64(m.size[b])
	for i := a; ; {
		for j := b; ; {
			if m.nodes[i].answer == m.nodes[j].answer {
				return false
			}
			if j = m.next[j]; j == b {
				break
			}
		}
		gain, apart := m.gainTo(i, b)
		if apart {
			return false
		}
		worth += gain
		if i = m.next[i]; i == a {
			break
		}
	}
	return worth > 0
}

// gainTo sums what a node's pairs with a cluster's members are worth beyond -Pair each; apart if a wide box keeps it out.
func (m *matcher) gainTo(i, cluster int) (gain float64, apart bool) {
	for _, n := range m.neighbours(i) {
		if m.cluster[n.node] != cluster {
			continue
		}
		e := &m.edges[n.edge]
		if !e.pairs {
			return 0, true
		}
		gain += e.gain + m.limits.Pair
	}
	return gain, false
}

// rounds bounds how often all answers are assigned anew. What people draw is settled after one.
const rounds = 8

// improve assigns the boxes of one answer after another to the clusters of the others, until none of it is worth anything.
func (m *matcher) improve(group []int) {
	answers := m.runs(group)
	if len(answers) < 3 {
		return // the assignment of two answers is optimal
	}
	for range rounds {
		changed := false
		for _, own := range answers {
			changed = m.reassign(group, own) || changed
		}
		if !changed {
			return
		}
	}
}

// runs splits a group by answer.
func (m *matcher) runs(group []int) [][]int {
	var runs [][]int
	for start := 0; start < len(group); {
		end := start + 1
		for end < len(group) && m.nodes[group[end]].answer == m.nodes[group[start]].answer {
			end++
		}
		runs = append(runs, group[start:end])
		start = end
	}
	return runs
}

// reassign puts one answer's boxes where they are worth most among the other answers' clusters, and reports whether that is
// better than where they are.
func (m *matcher) reassign(group, own []int) bool {
	m.links = m.links[:0]
	before, after := 0.0, 0.0
	for _, i := range own {
		m.size[m.cluster[i]]--
	}
	for _, i := range own {
		before += m.addLinks(i)
	}
	chosen := m.assigner.best(m.links, len(m.nodes))
	for _, l := range chosen {
		after += l.gain
	}
	better := after > before+1e-9
	if better {
		for _, i := range own {
			m.cluster[i] = -1
		}
		for _, l := range chosen {
			m.cluster[l.row] = l.column
		}
	}
	for _, i := range own {
		if m.cluster[i] < 0 {
			m.cluster[i] = group[slices.IndexFunc(group, func(c int) bool { return m.size[c] == 0 })]
		}
		m.size[m.cluster[i]]++
	}
	return better
}

// addLinks adds to m.links what a box is worth in each cluster near it, and returns what it is worth where it is.
func (m *matcher) addLinks(i int) (now float64) {
	start := len(m.links)
	for _, n := range m.neighbours(i) {
		c := m.cluster[n.node]
		if m.slot[c] == 0 {
			m.links = append(m.links, link{row: i, column: c, gain: -m.limits.Pair * float64(m.size[c])})
			m.slot[c] = len(m.links)
		}
		l := &m.links[m.slot[c]-1]
		if e := &m.edges[n.edge]; e.pairs {
			l.gain += e.gain + m.limits.Pair
		} else {
			l.gain = math.Inf(-1)
		}
	}
	now = -m.limits.Pair * float64(m.size[m.cluster[i]])
	kept := m.links[:start]
	for _, l := range m.links[start:] {
		m.slot[l.column] = 0
		if l.column == m.cluster[i] {
			now = l.gain
		}
		if l.gain > 0 {
			kept = append(kept, l)
		}
	}
	m.links = kept
	return now
}
