package agreement

import (
	"cmp"
	"slices"
)

// Box is one labeled rectangle in pixels of the upright image; Rotation is in degrees clockwise about its centre. Numbers are
// finite and sides not negative: whoever takes boxes in sees to that.
type Box struct {
	Class      int64
	X, Y, W, H float64
	Rotation   float64
	Crowd      bool
}

// compareBoxes orders boxes by what they are, so that nothing ever depends on where in a list they stood.
func compareBoxes(a, b Box) int {
	if c := cmp.Compare(a.X, b.X); c != 0 {
		return c
	}
	crowd := func(x Box) int {
		if x.Crowd {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.W, b.W), cmp.Compare(a.H, b.H),
		cmp.Compare(a.Rotation, b.Rotation), cmp.Compare(a.Class, b.Class), cmp.Compare(crowd(a), crowd(b)))
}

// The limits of a project that has not set its own.
const (
	DefaultPair     = 0.1
	DefaultCoverage = 0.8
	DefaultLoose    = 0.7
)

// Limits are a project's; a zero means the default.
type Limits struct {
	// Pair is the least IoU of two boxes that may be one object.
	Pair float64
	// Coverage is the least share of a small box that lies inside a large one for the large one to be a wide box over it.
	Coverage float64
	// Loose is the IoU with the object's median box below which a box is loose.
	Loose float64
	// Moments says that the boxes are stretches of time (as wide as they are long, a channel high). Those of different classes may
	// lie over each other, as noise does over laughter, so a wide one is only over others of its class.
	Moments bool
}

func (l Limits) orDefault() Limits {
	return Limits{
		Pair: cmp.Or(l.Pair, DefaultPair), Coverage: cmp.Or(l.Coverage, DefaultCoverage), Loose: cmp.Or(l.Loose, DefaultLoose), Moments: l.Moments,
	}
}

// Ref names a box by its answer and its place in it, both counted from 0 as Match was given them.
type Ref struct{ Answer, Box int }

func compareRefs(a, b Ref) int {
	if a.Answer != b.Answer {
		return a.Answer - b.Answer
	}
	return a.Box - b.Box
}

// Finding is what a reviewer should know of an object.
type Finding string

// The findings. They are what is stored and shown in URLs: never change their texts.
const (
	Agreed Finding = "agreed" // everyone has it, as one class, none of them loosely
	Loose  Finding = "loose"  // a box is farther from the object's median box than the project allows
	Class  Finding = "class"  // the answers say different classes
	Missed Finding = "missed" // an answer has nothing here
	Split  Finding = "split"  // one answer's box is over several boxes of another
)

// Findings lists every finding, worst first.
func Findings() []Finding { return []Finding{Split, Missed, Class, Loose, Agreed} }

// Severity orders findings: the worse the higher, 0 for agreed.
func Severity(f Finding) int {
	return len(Findings()) - 1 - slices.Index(Findings(), f)
}

// Object is one thing on the image, as the answers have it.
type Object struct {
	// Members are the boxes of it, at most one an answer, ordered by answer. Every box is a member of exactly one object.
	Members []Ref
	// Missing are the answers that have nothing here: no member, no wide box over it, no boxes inside it.
	Missing []int
	// Wide are boxes of other objects that lie over this one and over others: they need splitting.
	Wide []Ref
	// Parts are, where the members are wide boxes, the boxes of other answers inside them.
	Parts []Ref
	// Findings are worst first; Agreed alone where all have it alike.
	Findings []Finding
	// Loose are the members that are loose against Box.
	Loose []Ref
	// IoU is the mean over all pairs of members, 1 for a single member.
	IoU float64
	// Box is what the members make together: the median of each edge (of centre, sides and angle where one is
	// turned) and the majority's class; of classes with equally many votes the one with the lowest id.
	Box Box
	// Support is how many members say Box's class.
	Support int
}

// Worst is the object's worst finding.
func (o *Object) Worst() Finding { return o.Findings[0] }

// Of returns the box that an answer has here.
func (o *Object) Of(answer int) (Ref, bool) {
	for _, r := range o.Members {
		if r.Answer == answer {
			return r, true
		}
	}
	return Ref{}, false
}

// Matching is what Match found: the objects on an item.
type Matching struct {
	// Objects are worst first.
	Objects []Object
	// Score is how far the answers agree, in 0..1; see Match.
	Score float64
	// Answers is how many answers were matched.
	Answers int
}

// Worst is the worst finding on the item, Agreed where it has no object.
func (m Matching) Worst() Finding {
	if len(m.Objects) == 0 {
		return Agreed
	}
	return m.Objects[0].Worst()
}
