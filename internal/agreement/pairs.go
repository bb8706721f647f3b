package agreement

import (
	"cmp"
	"slices"
)

// fit is the IoU from which a box stands for another one well enough that it is no wide box over it and its neighbours.
const fit = 0.5

// node is a box among those of an item. Nodes lie in an order that only their content gives: answer by answer, in each
// box by box. Ties that follow it are therefore settled the same way whatever order the answers came in.
type node struct {
	shape
	box    Box
	ref    Ref
	answer int // its answer's place in the order of the nodes
}

// edge joins two boxes of different answers that may have to do with each other; u is before v.
type edge struct {
	u, v  int
	iou   float64
	gain  float64 // what having both in one object is worth; meaningless unless pairs
	pairs bool    // they may be one object
}

// sameClass is what saying the same class adds to the IoU of a pair: it settles what the geometry leaves nearly open.
const sameClass = 0.05

// cover says that a box lies over a smaller one of another answer; edge is theirs.
type cover struct {
	wide, part int
	edge       int
}

// setNodes lays the boxes out in their order.
func (m *matcher) setNodes(answers [][]Box) {
	m.nodes = m.nodes[:0]
	m.spans = grown(m.spans, len(answers))
	for a, boxes := range answers {
		start := len(m.nodes)
		m.order = grown(m.order, len(boxes))
		for i := range boxes {
			m.order[i] = i
		}
		slices.SortFunc(m.order, func(i, j int) int { return compareBoxes(boxes[i], boxes[j]) })
		for _, i := range m.order {
			m.nodes = append(m.nodes, node{shape: shapeOf(boxes[i]), box: boxes[i], ref: Ref{a, i}})
		}
		m.spans[a] = span{start, len(m.nodes)}
	}
	if !slices.IsSortedFunc(m.spans, m.compareAnswers) {
		slices.SortStableFunc(m.spans, m.compareAnswers)
		m.shuffled = append(m.shuffled[:0], m.nodes...)
		m.nodes = m.nodes[:0]
		for a, s := range m.spans {
			m.spans[a].start = len(m.nodes)
			m.nodes = append(m.nodes, m.shuffled[s.start:s.end]...)
			m.spans[a].end = len(m.nodes)
		}
	}
	for a, s := range m.spans {
		for i := s.start; i < s.end; i++ {
			m.nodes[i].answer = a
		}
	}
}

// span is where an answer's nodes lie.
type span struct{ start, end int }

func (m *matcher) compareAnswers(a, b span) int {
	return slices.CompareFunc(m.nodes[a.start:a.end], m.nodes[b.start:b.end], func(x, y node) int { return compareBoxes(x.box, y.box) })
}

// setEdges finds the boxes that touch, by sweeping over them from left to right.
func (m *matcher) setEdges() {
	m.edges, m.covers, m.listed = m.edges[:0], m.covers[:0], false
	m.order = grown(m.order, len(m.nodes))
	for i := range m.order {
		m.order[i] = i
	}
	slices.SortFunc(m.order, func(i, j int) int {
		if c := cmp.Compare(m.nodes[i].left, m.nodes[j].left); c != 0 {
			return c
		}
		return i - j
	})
	for at, i := range m.order {
		a := &m.nodes[i]
		for _, j := range m.order[at+1:] {
			b := &m.nodes[j]
			if b.left > a.right {
				break
			}
			if a.answer != b.answer && a.top <= b.bottom && b.top <= a.bottom {
				m.addEdge(min(i, j), max(i, j))
			}
		}
	}
}

// addEdge joins two nodes if they are near enough, and notes which lies over the other.
func (m *matcher) addEdge(u, v int) {
	a, b := &m.nodes[u], &m.nodes[v]
	e := edge{u: u, v: v, iou: 1}
	shared := a.area
	if !same(&a.shape, &b.shape) {
		shared = overlap(&a.shape, &b.shape)
		e.iou = iouOf(&a.shape, &b.shape, shared)
	}
	e.pairs = e.iou >= m.limits.Pair && a.box.Crowd == b.box.Crowd
	if e.pairs {
		e.gain = e.iou - m.limits.Pair
		if a.box.Class == b.box.Class {
			e.gain += sameClass
		}
	}
	wide, part := u, v
	if m.covered(b, a, shared, e.iou) {
		wide, part = v, u
	} else if !m.covered(a, b, shared, e.iou) {
		wide = -1
	}
	if wide >= 0 {
		m.covers = append(m.covers, cover{wide, part, len(m.edges)})
	}
	if wide >= 0 || e.pairs {
		m.edges = append(m.edges, e)
	}
}

// covered reports whether wide lies over part, so much of which is inside. A crowd box lies over single boxes, never the
// other way round, and also over one of about its own size.
func (m *matcher) covered(wide, part *node, shared, iou float64) bool {
	if m.limits.Moments && wide.box.Class != part.box.Class {
		return false
	}
	inside := shared > 0 && shared >= m.limits.Coverage*part.area
	if wide.box.Crowd != part.box.Crowd {
		return wide.box.Crowd && (inside || iou >= fit)
	}
	return inside && wide.area > part.area
}

// setWides decides which covers are wide boxes over several objects: those stay in m.covers, and the two boxes of each never
// become one object. A box is wide over an answer when it holds at least two of its boxes apart from each other, is for
// each of them the nearest of its own answer, and fits no box of that answer. A crowd box is wide from the first box on.
func (m *matcher) setWides() {
	if len(m.covers) == 0 {
		return
	}
	m.setNearest()
	m.covers = slices.DeleteFunc(m.covers, func(c cover) bool { return !m.isNearest(c) })
	slices.SortFunc(m.covers, func(a, b cover) int {
		if a.wide != b.wide {
			return a.wide - b.wide
		}
		return a.part - b.part
	})
	kept := m.covers[:0]
	for rest := m.covers; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].wide == rest[0].wide && m.nodes[rest[n].part].answer == m.nodes[rest[0].part].answer {
			n++
		}
		if m.isWide(rest[:n]) {
			for _, c := range rest[:n] {
				m.edges[c.edge].pairs = false
			}
			kept = append(kept, rest[:n]...)
		}
		rest = rest[n:]
	}
	m.covers = kept
}

// setNearest finds the edge from each node to the nearest box of each answer: among single boxes, and among all. Of equally near
// boxes the first counts.
func (m *matcher) setNearest() {
	for among := range m.nearest {
		m.nearest[among] = grown(m.nearest[among], len(m.nodes)*len(m.spans))
		for at := range m.nearest[among] {
			m.nearest[among][at] = -1
		}
	}
	for i, e := range m.edges {
		m.noteNearest(e.u, e.v, i)
		m.noteNearest(e.v, e.u, i)
	}
}

const (
	amongSingle = iota
	amongAll
)

func (m *matcher) noteNearest(from, to, edge int) {
	at := from*len(m.spans) + m.nodes[to].answer
	for among := range m.nearest {
		if among == amongSingle && m.nodes[to].box.Crowd {
			continue
		}
		known := m.nearest[among][at]
		if known < 0 || m.edges[edge].iou > m.edges[known].iou || m.edges[edge].iou == m.edges[known].iou && to < m.edges[known].other(from) {
			m.nearest[among][at] = edge
		}
	}
}

func (e *edge) other(end int) int { return e.u + e.v - end }

// isNearest reports whether a cover's wide box is the one of its answer that is nearest to the part. A crowd box does not
// rival a single one.
func (m *matcher) isNearest(c cover) bool {
	wide, among := &m.nodes[c.wide], amongSingle
	if wide.box.Crowd {
		among = amongAll
	}
	return m.nearest[among][c.part*len(m.spans)+wide.answer] == c.edge
}

// isWide judges all covers of one box over one answer.
func (m *matcher) isWide(covers []cover) bool {
	wide := &m.nodes[covers[0].wide]
	if wide.box.Crowd {
		return true
	}
	nearest := m.nearest[amongSingle][covers[0].wide*len(m.spans)+m.nodes[covers[0].part].answer]
	if nearest >= 0 && m.edges[nearest].iou >= fit {
		return false
	}
	first := &m.nodes[covers[0].part].shape
	for _, c := range covers[1:] {
		if iou(first, &m.nodes[c.part].shape) < fit {
			return true
		}
	}
	return false
}

// neighbour is the other end of an edge.
type neighbour struct {
	node int
	edge int
}

// setNeighbours lists the edges by node, unless it is done.
func (m *matcher) setNeighbours() {
	if m.listed {
		return
	}
	m.listed = true
	m.first = grown(m.first, len(m.nodes)+1)
	for _, e := range m.edges {
		m.first[e.u]++
		m.first[e.v]++
	}
	sum := 0
	for i, n := range m.first {
		sum += n
		m.first[i] = sum
	}
	m.around = grown(m.around, sum)
	for i := len(m.edges) - 1; i >= 0; i-- {
		e := &m.edges[i]
		m.first[e.u]--
		m.around[m.first[e.u]] = neighbour{e.v, i}
		m.first[e.v]--
		m.around[m.first[e.v]] = neighbour{e.u, i}
	}
}

func (m *matcher) neighbours(i int) []neighbour { return m.around[m.first[i]:m.first[i+1]] }
