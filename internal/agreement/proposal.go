package agreement

import (
	"math"
	"slices"
)

// Proposal returns the boxes that most answers make together: of the objects that at least half of the answers have, the
// Box, in an order that only they give. Where one wide box stands against several boxes, whichever more answers drew is
// taken, and the several if as many did.
func (m Matching) Proposal() []Box {
	winning := map[Ref]bool{} // wide boxes that more answers drew than boxes inside
	for i := range m.Objects {
		if o := &m.Objects[i]; len(o.Parts) > 0 && len(o.Members) > answersIn(o.Parts) {
			for _, r := range o.Members {
				winning[r] = true
			}
		}
	}
	var boxes []Box
	for i := range m.Objects {
		o := &m.Objects[i]
		outdone := len(o.Parts) > 0 && len(o.Members) <= answersIn(o.Parts) ||
			slices.ContainsFunc(o.Wide, func(r Ref) bool { return winning[r] })
		if have := m.Answers - len(o.Missing); !outdone && 2*have >= m.Answers {
			boxes = append(boxes, o.Box)
		}
	}
	slices.SortFunc(boxes, compareBoxes)
	return boxes
}

// answersIn counts the answers of refs that are ordered by answer.
func answersIn(refs []Ref) (n int) {
	for i, r := range refs {
		if i == 0 || r.Answer != refs[i-1].Answer {
			n++
		}
	}
	return n
}

// propose fills in the box that an object's members make together, and its support.
func (m *matcher) propose(o *Object, members []int) {
	first := &m.nodes[members[0]]
	o.Box = first.box
	turned, alike := false, true
	for _, i := range members {
		turned = turned || m.nodes[i].turn != 0
		alike = alike && same(&m.nodes[i].shape, &first.shape)
	}
	switch {
	case alike:
	case turned:
		m.turnedMedian(&o.Box, members)
	default:
		m.edgeMedian(&o.Box, members)
	}
	o.Box.Class, o.Support = m.majority(members)
}

// edgeMedian sets a box to the median of each edge of upright boxes.
func (m *matcher) edgeMedian(b *Box, members []int) {
	median := func(of func(*shape) float64) float64 { return m.medianOf(members, of) }
	left, right := median(func(s *shape) float64 { return s.left }), median(func(s *shape) float64 { return s.right })
	top, bottom := median(func(s *shape) float64 { return s.top }), median(func(s *shape) float64 { return s.bottom })
	*b = Box{X: left, Y: top, W: right - left, H: bottom - top, Crowd: b.Crowd}
	for _, i := range members { // what one box spans is taken from it, free of rounding
		s := &m.nodes[i].shape
		if s.left == left && s.right == right {
			b.W = s.w
		}
		if s.top == top && s.bottom == bottom {
			b.H = s.h
		}
	}
}

// turnedMedian sets a box to the medians of centre, sides and angle. All members are first written the way that is
// nearest to the one that fits the others best: a quarter more of a turn is the same rectangle with its sides swapped.
func (m *matcher) turnedMedian(b *Box, members []int) {
	model := &m.nodes[m.central(members)]
	type reading struct{ w, h, turn float64 }
	readings := make(map[*shape]reading, len(members))
	for _, i := range members {
		s := &m.nodes[i].shape
		r := reading{s.w, s.h, s.turn - model.box.Rotation}
		quarters := math.Ceil(r.turn/90 - 0.5)
		r.turn -= 90 * quarters
		if math.Mod(quarters, 2) != 0 {
			r.w, r.h = r.h, r.w
		}
		readings[s] = r
	}
	median := func(of func(*shape) float64) float64 { return m.medianOf(members, of) }
	x, y := median(func(s *shape) float64 { return s.x + s.w/2 }), median(func(s *shape) float64 { return s.y + s.h/2 })
	w, h := median(func(s *shape) float64 { return readings[s].w }), median(func(s *shape) float64 { return readings[s].h })
	turn := median(func(s *shape) float64 { return readings[s].turn })
	*b = Box{X: x - w/2, Y: y - h/2, W: w, H: h, Rotation: math.Remainder(model.box.Rotation+turn, 360), Crowd: b.Crowd}
}

// central is the member whose IoU with the others is largest.
func (m *matcher) central(members []int) (best int) {
	most := -1.0
	for _, i := range members {
		sum := 0.0
		for _, j := range members {
			sum += iou(&m.nodes[min(i, j)].shape, &m.nodes[max(i, j)].shape)
		}
		if sum > most {
			best, most = i, sum
		}
	}
	return best
}

func (m *matcher) medianOf(members []int, of func(*shape) float64) float64 {
	m.values = m.values[:0]
	for _, i := range members {
		m.values = append(m.values, of(&m.nodes[i].shape))
	}
	slices.Sort(m.values)
	half := len(m.values) / 2
	if len(m.values)%2 == 1 {
		return m.values[half]
	}
	low, high := m.values[half-1], m.values[half]
	return low + (high-low)/2
}

// majority is the class that most members say, the one with the lowest id of several, and how many say it.
func (m *matcher) majority(members []int) (class int64, votes int) {
	for _, i := range members {
		n := 0
		for _, j := range members {
			if m.nodes[j].box.Class == m.nodes[i].box.Class {
				n++
			}
		}
		if c := m.nodes[i].box.Class; n > votes || n == votes && c < class {
			class, votes = c, n
		}
	}
	return class, votes
}
