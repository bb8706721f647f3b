package agreement

// sums are the slots of what a summary is computed from. Classes and labelers are numbers; class 0 is no box.
type sums struct {
	score, items int
	iou, met     int   // of pairs of members
	units        int   // objects with at least two votes
	agreeing     int   // Fleiss: the agreeing share of each unit's pairs
	differing    int   // Krippendorff: each unit's differing ordered pairs / (votes - 1)
	ratings      []int // votes in units, by class
	votes        grid  // pairs of votes, the lower class first
	truth        grid  // the truth's class, then what an answer says
	classIoU     []int // of pairs that say the class
	pairs        map[[2]int]*pairSums
	labelers     []*labelerSums
}

// pairSums are those of two labelers, over the objects that at least one of them has.
type pairSums struct {
	units, agreed int   // both say the same
	one, two      []int // what each says, by class
	iou, met      int   // of the objects that both have
}

// labelerSums are those of one labeler, beside each other vote and beside the truth.
type labelerSums struct {
	answers            int
	others, agreed     []int // its votes, and those that the other equals, by class
	iou, met           int
	said, is, right    []int // its votes, the truth's, and those that are equal, by class
	truthIoU, truthMet int
}

// grid has slots by class and class.
type grid [][]int

// at is where a slot is kept, in a list that grows as needed.
func at[T any](list *[]T, i int) *T {
	for len(*list) <= i {
		var zero T
		*list = append(*list, zero)
	}
	return &(*list)[i]
}

// slot is the one kept in a list, 0 if it is not that long.
func slot(list []int, i int) int {
	if i < len(list) {
		return list[i]
	}
	return 0
}

func (g grid) slot(row, column int) int {
	if row < len(g) {
		return slot(g[row], column)
	}
	return 0
}

func (g *grid) at(row, column int) *int { return at(at((*[][]int)(g), row), column) }

// numbering gives ids numbers from 0 on, as they come.
type numbering struct {
	ids    []int64
	number map[int64]int
}

func (n *numbering) of(id int64) int {
	i, ok := n.number[id]
	if !ok {
		if n.number == nil {
			n.number = map[int64]int{}
		}
		i = len(n.ids)
		n.ids = append(n.ids, id)
		n.number[id] = i
	}
	return i
}
