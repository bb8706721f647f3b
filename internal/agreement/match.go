package agreement

import (
	"cmp"
	"slices"
	"sync"
)

// Match finds which boxes of several answers to one item are one object; see the package's comment for how. The result
// is the same whatever the order of the answers and of the boxes in them, up to the indices.
//
// Score is the mean, over all pairs of answers, of
//
//	2 · Σ IoU of the objects that both have as one class / (boxes of the one + boxes of the other)
//
// which is the panoptic quality of Kirillov et al. (2019) with pairs from an IoU of Pair on: 1 when both drew the same boxes, less by
// what is loose, and a box that only one has, or a class that differs, counts as nothing. The boxes inside a wide box count as one
// box. Two empty answers agree, an empty one and another have 0, and fewer than two answers agree by themselves.
func Match(answers [][]Box, l Limits) Matching {
	m, ok := matchers.Get().(*matcher)
	if !ok {
		m = &matcher{}
	}
	defer matchers.Put(m)
	return m.match(answers, l)
}

var matchers sync.Pool

// matcher matches one item after another in the same memory.
type matcher struct {
	limits   Limits
	nodes    []node
	shuffled []node
	spans    []span
	order    []int

	edges   []edge
	covers  []cover     // after setWides: of wide boxes over several objects
	nearest [2][]int    // see setNearest
	first   []int       // where a node's neighbours begin
	around  []neighbour // all of them, node by node
	listed  bool        // that they are there

	cluster  []int // of each node
	members  []int // nodes cluster by cluster
	places   []int // where the next member of each cluster goes
	degree   []int // pairs of each node
	size     []int // nodes of each cluster
	next     []int // the ring of a cluster's nodes
	slot     []int
	links    []link
	assigner assigner

	objectOf []int // of each cluster's name
	values   []float64
	shared   []float64 // of two answers, the earlier one's row: the IoU of what both have as one class
	folded   []int     // and how many boxes inside wide boxes count as none
}

func (m *matcher) match(answers [][]Box, l Limits) Matching {
	m.limits = l.orDefault()
	m.setNodes(answers)
	m.setEdges()
	m.setWides()
	m.setClusters()
	m.shared = grown(m.shared, len(answers)*len(answers))
	result := Matching{Objects: m.objects(), Answers: len(answers)}
	result.Score = m.score(result.Objects)
	slices.SortStableFunc(result.Objects, func(a, b Object) int {
		if a.Worst() != b.Worst() {
			return cmp.Compare(Severity(b.Worst()), Severity(a.Worst()))
		}
		if c := cmp.Compare(a.IoU, b.IoU); c != 0 {
			return c
		}
		return compareBoxes(a.Box, b.Box)
	})
	return result
}

// objects makes an object of each cluster.
func (m *matcher) objects() []Object {
	if len(m.nodes) == 0 {
		return nil
	}
	m.setMembers()
	m.objectOf = grown(m.objectOf, len(m.nodes))
	objects := make([]Object, 0, len(m.nodes)/len(m.spans)+1)
	refs := make([]Ref, 0, len(m.nodes))
	for members := range m.byCluster {
		m.objectOf[m.cluster[members[0]]] = len(objects)
		first := len(refs)
		for _, i := range members {
			refs = append(refs, m.nodes[i].ref)
		}
		slices.SortFunc(refs[first:], compareRefs)
		objects = append(objects, Object{Members: refs[first:len(refs):len(refs)]})
	}
	m.setSplits(objects)
	for members := range m.byCluster {
		m.describe(&objects[m.objectOf[m.cluster[members[0]]]], members)
	}
	return objects
}

// setSplits tells objects of the wide boxes over them, and those of the boxes inside.
func (m *matcher) setSplits(objects []Object) {
	for _, c := range m.covers {
		over, under := &objects[m.objectOf[m.cluster[c.wide]]], &objects[m.objectOf[m.cluster[c.part]]]
		over.Parts = append(over.Parts, m.nodes[c.part].ref)
		under.Wide = append(under.Wide, m.nodes[c.wide].ref)
	}
	for i := range objects {
		for _, refs := range []*[]Ref{&objects[i].Parts, &objects[i].Wide} {
			slices.SortFunc(*refs, compareRefs)
			*refs = slices.Compact(*refs)
		}
	}
}

// describe fills in what there is to say of an object whose members and splits are known.
func (m *matcher) describe(o *Object, members []int) {
	m.propose(o, members)
	o.IoU = m.meanIoU(members)
	proposed := shapeOf(o.Box)
	for _, i := range members {
		if iou(&m.nodes[i].shape, &proposed) < m.limits.Loose {
			o.Loose = append(o.Loose, m.nodes[i].ref)
		}
	}
	slices.SortFunc(o.Loose, compareRefs)
	has := func(refs []Ref, answer int) bool {
		return slices.ContainsFunc(refs, func(r Ref) bool { return r.Answer == answer })
	}
	for a := range m.spans {
		if len(o.Members) < len(m.spans) && !has(o.Members, a) && !has(o.Wide, a) && !has(o.Parts, a) {
			o.Missing = append(o.Missing, a)
		}
	}
	o.Findings = o.findings()
}

// findings judges an object that is described but for them.
func (o *Object) findings() (found []Finding) {
	for _, f := range [...]struct {
		of bool
		is Finding
	}{
		{len(o.Wide)+len(o.Parts) > 0, Split},
		{len(o.Missing) > 0, Missed},
		{o.Support < len(o.Members), Class},
		{len(o.Loose) > 0, Loose},
	} {
		if f.of {
			found = append(found, f.is)
		}
	}
	if len(found) == 0 {
		return []Finding{Agreed}
	}
	return found
}

// meanIoU is that of all pairs of a cluster's boxes. It adds to what their answers share.
func (m *matcher) meanIoU(members []int) float64 {
	sum, pairs := 0.0, 0
	for at, i := range members {
		a := &m.nodes[i]
		for _, j := range members[at+1:] {
			b := &m.nodes[j]
			v := iou(&a.shape, &b.shape)
			sum += v
			pairs++
			if a.box.Class == b.box.Class {
				m.shared[a.answer*len(m.spans)+b.answer] += v
			}
		}
	}
	if pairs == 0 {
		return 1
	}
	return sum / float64(pairs)
}

// score is the mean over all pairs of answers of what they share; see Match.
func (m *matcher) score(objects []Object) float64 {
	n := len(m.spans)
	m.folded = grown(m.folded, n*n)
	for rest := m.covers; len(rest) > 0; {
		end, wide, parts := 0, &m.nodes[rest[0].wide], &m.nodes[rest[0].part]
		alone := 0
		for ; end < len(rest) && rest[end].wide == rest[0].wide && m.nodes[rest[end].part].answer == parts.answer; end++ {
			if _, met := objects[m.objectOf[m.cluster[rest[end].part]]].Of(wide.ref.Answer); !met {
				alone++
			}
		}
		m.folded[min(wide.answer, parts.answer)*n+max(wide.answer, parts.answer)] += max(0, alone-1)
		rest = rest[end:]
	}
	sum, pairs := 0.0, 0
	for a, one := range m.spans {
		for b := a + 1; b < n; b++ {
			other := m.spans[b]
			pairs++
			boxes := one.end - one.start + other.end - other.start - m.folded[a*n+b]
			if boxes == 0 {
				sum++
			} else {
				sum += 2 * m.shared[a*n+b] / float64(boxes)
			}
		}
	}
	if pairs == 0 {
		return 1
	}
	return min(sum/float64(pairs), 1)
}
