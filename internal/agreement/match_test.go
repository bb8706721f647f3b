package agreement_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/agreement"
)

func at(class int64, x, y, w, h float64) agreement.Box {
	return agreement.Box{Class: class, X: x, Y: y, W: w, H: h}
}

func crowd(class int64, x, y, w, h float64) agreement.Box {
	b := at(class, x, y, w, h)
	b.Crowd = true
	return b
}

// told writes an object in short: each member as answer and box, what is missing, wide, inside, and the findings.
func told(o agreement.Object) string {
	refs := func(name string, refs []agreement.Ref) (s string) {
		for i, r := range refs {
			if i == 0 {
				s = name
			}
			s += fmt.Sprintf(" %c%d", 'A'+r.Answer, r.Box)
		}
		return s
	}
	s := strings.TrimSpace(refs("", o.Members))
	for _, a := range o.Missing {
		s += fmt.Sprintf(" -%c", 'A'+a)
	}
	s += refs(" wide", o.Wide) + refs(" parts", o.Parts) + refs(" loose", o.Loose)
	for _, f := range o.Findings {
		s += " " + string(f)
	}
	return s
}

func TestMatch(t *testing.T) {
	t.Parallel()
	small := []agreement.Box{at(1, 10, 10, 20, 20), at(1, 40, 10, 20, 20), at(1, 70, 10, 20, 20)}
	wide := at(1, 8, 8, 84, 24)
	for name, c := range map[string]struct {
		answers [][]agreement.Box
		objects []string
		score   float64
	}{
		"nobody":             {nil, nil, 1},
		"one answer":         {[][]agreement.Box{small[:2]}, []string{"A0 agreed", "A1 agreed"}, 1},
		"all empty":          {[][]agreement.Box{{}, {}, {}}, nil, 1},
		"the same":           {[][]agreement.Box{small, small, small}, []string{"A0 B0 C0 agreed", "A1 B1 C1 agreed", "A2 B2 C2 agreed"}, 1},
		"one empty":          {[][]agreement.Box{small[:1], nil}, []string{"A0 -B missed"}, 0},
		"missed by one":      {[][]agreement.Box{small[:1], nil, small[:1]}, []string{"A0 C0 -B missed"}, 1. / 3},
		"another class":      {[][]agreement.Box{small[:1], {at(2, 10, 10, 20, 20)}}, []string{"A0 B0 class"}, 0},
		"loose":              {[][]agreement.Box{{at(1, 0, 0, 10, 10)}, {at(1, 0, 0, 10, 10)}, {at(1, 0, 0, 10, 5)}}, []string{"A0 B0 C0 loose C0 loose"}, 2. / 3},
		"apart on both axes": {[][]agreement.Box{{at(1, 0, 0, 10, 10)}, {at(1, 20, 20, 10, 10)}}, []string{"A0 -B missed", "B0 -A missed"}, 0},
		"too little overlap": {[][]agreement.Box{{at(1, 0, 0, 10, 10)}, {at(1, 9, 0, 10, 10)}}, []string{"A0 -B missed", "B0 -A missed"}, 0},
		"one wide box over three objects": {
			[][]agreement.Box{{wide}, small, small},
			[]string{"A0 parts B0 B1 B2 C0 C1 C2 split", "B0 C0 wide A0 split", "B1 C1 wide A0 split", "B2 C2 wide A0 split"},
			(0 + 0 + 1.) / 3,
		},
		"two wide boxes over three objects": {
			[][]agreement.Box{small, {wide}, {wide}},
			[]string{"B0 C0 parts A0 A1 A2 split", "A0 wide B0 C0 split", "A1 wide B0 C0 split", "A2 wide B0 C0 split"},
			1. / 3,
		},
		"a wide box counts once beside what is agreed": {
			[][]agreement.Box{append([]agreement.Box{at(2, 0, 100, 50, 50)}, wide), append([]agreement.Box{at(2, 0, 100, 50, 50)}, small...)},
			[]string{"A1 parts B1 B2 B3 split", "B1 wide A1 split", "B2 wide A1 split", "B3 wide A1 split", "A0 B0 agreed"},
			2. / (2 + 2),
		},
		"nested defects are no wide box": {
			[][]agreement.Box{{wide, small[0], small[1]}, {wide, small[0], small[1]}},
			[]string{"A0 B0 agreed", "A1 B1 agreed", "A2 B2 agreed"},
			1,
		},
		"nested defects, the outer one missed": {
			[][]agreement.Box{{wide, small[0], small[1]}, {small[0], small[1]}},
			[]string{"A0 -B missed", "A1 B0 agreed", "A2 B1 agreed"},
			4. / 5,
		},
		"nested defects, the inner ones missed": {
			[][]agreement.Box{{wide, small[0], small[1]}, {wide}},
			[]string{"A1 -B missed", "A2 -B missed", "A0 B0 agreed"},
			2. / 4,
		},
		"one drawn twice is no wide box": {
			[][]agreement.Box{{at(1, 0, 0, 40, 40)}, {at(1, 5, 5, 30, 30), at(1, 6, 6, 29, 29)}},
			[]string{"B1 -A missed", "A0 B0 agreed"},
			2 * 900. / 1600 / 3,
		},
		"a crowd is over what is in it, from the first on": {
			[][]agreement.Box{{crowd(1, 0, 0, 100, 50)}, {small[0]}},
			[]string{"A0 parts B0 split", "B0 wide A0 split"},
			0,
		},
		"crowds are matched with crowds": {
			[][]agreement.Box{{crowd(1, 0, 0, 100, 50)}, {crowd(1, 0, 0, 100, 50)}},
			[]string{"A0 B0 agreed"},
			1,
		},
		"points": {[][]agreement.Box{{at(1, 5, 5, 0, 0)}, {at(1, 5, 5, 0, 0)}, {at(1, 6, 5, 0, 0)}}, []string{"A0 B0 -C missed", "C0 -A -B missed"}, 1. / 3},
		"boxes in one place go by class": {
			[][]agreement.Box{{at(1, 0, 0, 10, 10), at(2, 0.2, 0, 10, 10)}, {at(2, 0, 0, 10, 10), at(1, 0.2, 0, 10, 10)}},
			[]string{"A0 B1 agreed", "A1 B0 agreed"},
			9.8 / 10.2,
		},
		"two boxes of an answer are never one": {
			[][]agreement.Box{{at(1, 0, 0, 10, 10), at(1, 2, 0, 10, 10)}, {at(1, 1, 0, 10, 10)}, {at(1, 0, 0, 10, 10), at(1, 2, 0, 10, 10)}},
			[]string{"A1 C1 -B missed", "A0 B0 C0 agreed"},
			(1 + 2*2*9./11/3) / 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := agreement.Match(c.answers, agreement.Limits{})
			var objects []string
			for _, o := range m.Objects {
				objects = append(objects, told(o))
			}
			got, want := strings.Join(objects, "\n"), strings.Join(c.objects, "\n")
			if got != want || math.Abs(m.Score-c.score) > 1e-9 {
				t.Errorf("score %v\n%s\nwant %v\n%s", m.Score, got, c.score, want)
			}
		})
	}
}

// drawings are answers as people give them: the same objects, some missed, moved, of another class, merged, drawn twice or turned;
// on a coarse grid, so that ties are frequent.
func drawings() *rapid.Generator[[][]agreement.Box] {
	return rapid.Custom(func(t *rapid.T) [][]agreement.Box {
		grid := rapid.IntRange(0, 12)
		box := rapid.Custom(func(t *rapid.T) agreement.Box {
			return agreement.Box{
				Class: int64(rapid.IntRange(1, 3).Draw(t, "class")), X: float64(grid.Draw(t, "x")), Y: float64(grid.Draw(t, "y")),
				W: float64(grid.Draw(t, "w")), H: float64(grid.Draw(t, "h")), Crowd: rapid.IntRange(0, 9).Draw(t, "crowd") == 0,
				Rotation: float64(rapid.SampledFrom([]int{0, 0, 0, 0, 15, 90, -30, 180, 225}).Draw(t, "rotation")),
			}
		})
		objects := rapid.SliceOfN(box, 0, 6).Draw(t, "objects")
		answers := make([][]agreement.Box, rapid.IntRange(0, 5).Draw(t, "answers"))
		for a := range answers {
			answers[a] = rapid.SliceOfN(box, 0, 2).Draw(t, "own")
			for _, o := range objects {
				switch rapid.IntRange(0, 5).Draw(t, "how") {
				case 0:
					continue
				case 1:
					o.X += float64(rapid.IntRange(-3, 3).Draw(t, "dx"))
				case 2:
					o.W += float64(rapid.IntRange(0, 9).Draw(t, "dw"))
				case 3:
					o.Class = int64(rapid.IntRange(1, 3).Draw(t, "class"))
				}
				answers[a] = append(answers[a], o)
			}
		}
		return answers
	})
}

// content writes a matching without its indices.
func content(answers [][]agreement.Box, m agreement.Matching) string {
	boxes := func(refs []agreement.Ref) string {
		var s []string
		for _, r := range refs {
			s = append(s, fmt.Sprint(answers[r.Answer][r.Box]))
		}
		slices.Sort(s)
		return strings.Join(s, " ")
	}
	var s []string
	for _, o := range m.Objects {
		s = append(s, fmt.Sprint(o.Findings, o.IoU, o.Box, o.Support, len(o.Missing), " of ", boxes(o.Members), " wide ", boxes(o.Wide),
			" parts ", boxes(o.Parts), " loose ", boxes(o.Loose)))
	}
	return fmt.Sprint(m.Score, m.Answers, m.Proposal(), "\n", strings.Join(s, "\n"))
}

func TestMatchDependsOnNoOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		answers := drawings().Draw(t, "answers")
		shuffled := make([][]agreement.Box, 0, len(answers))
		for _, a := range rapid.Permutation(answers).Draw(t, "order of answers") {
			shuffled = append(shuffled, rapid.Permutation(a).Draw(t, "order of boxes"))
		}
		one, two := content(answers, agreement.Match(answers, agreement.Limits{})), content(shuffled, agreement.Match(shuffled, agreement.Limits{}))
		if one != two {
			t.Fatalf("%s\nbut in another order\n%s", one, two)
		}
	})
}

func TestMatchKeepsItsPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		answers := drawings().Draw(t, "answers")
		m := agreement.Match(answers, agreement.Limits{})
		if m.Score < 0 || m.Score > 1 || m.Answers != len(answers) {
			t.Fatalf("score %v of %d answers", m.Score, m.Answers)
		}
		if alike := len(answers) < 2 || allAlike(answers); (m.Score == 1) != alike || (m.Score == 1 && m.Worst() != agreement.Agreed) {
			t.Fatalf("score %v, worst %s, all alike: %v", m.Score, m.Worst(), alike)
		}
		seen := map[agreement.Ref]bool{}
		for i, o := range m.Objects {
			if i > 0 && agreement.Severity(m.Objects[i-1].Worst()) < agreement.Severity(o.Worst()) {
				t.Error("a worse object comes later")
			}
			checkObject(t, answers, o, seen)
		}
		for a, boxes := range answers {
			for b := range boxes {
				if !seen[agreement.Ref{Answer: a, Box: b}] {
					t.Errorf("box %d of answer %d is nowhere", b, a)
				}
			}
		}
	})
}

// allAlike reports whether all answers hold the same boxes.
func allAlike(answers [][]agreement.Box) bool {
	sorted := func(boxes []agreement.Box) []string {
		var s []string
		for _, b := range boxes {
			if b.Rotation == 90 || b.Rotation == 225 { // the same rectangle
				b.X, b.Y, b.W, b.H, b.Rotation = b.X+(b.W-b.H)/2, b.Y+(b.H-b.W)/2, b.H, b.W, b.Rotation-90
			}
			s = append(s, fmt.Sprint(b.Class, b.X, b.Y, b.W, b.H, math.Mod(b.Rotation, 180), b.Crowd))
		}
		slices.Sort(s)
		return s
	}
	for _, a := range answers[1:] {
		if !slices.Equal(sorted(a), sorted(answers[0])) {
			return false
		}
	}
	return true
}

func checkObject(t *rapid.T, answers [][]agreement.Box, o agreement.Object, seen map[agreement.Ref]bool) {
	left, top, right, bottom := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	upright := true
	for i, r := range o.Members {
		b := answers[r.Answer][r.Box]
		if seen[r] || i > 0 && o.Members[i-1].Answer >= r.Answer {
			t.Errorf("%v comes twice, or out of order", r)
		}
		seen[r] = true
		if b.Rotation != 0 {
			upright = false
		}
		left, top, right, bottom = min(left, b.X), min(top, b.Y), max(right, b.X+b.W), max(bottom, b.Y+b.H)
		if b.Crowd != o.Box.Crowd {
			t.Error("a crowd is one object with a single box")
		}
	}
	const eps = 1e-9
	if p := o.Box; upright && (p.X < left-eps || p.Y < top-eps || p.X+p.W > right+eps || p.Y+p.H > bottom+eps || p.W < 0 || p.H < 0) {
		t.Errorf("proposal %+v outside of its members", p)
	}
	if o.IoU < 0 || o.IoU > 1 || o.Support < 1 || o.Support > len(o.Members) || len(o.Findings) == 0 {
		t.Errorf("object %+v", o)
	}
	for _, a := range o.Missing {
		if _, has := o.Of(a); has {
			t.Errorf("answer %d has it and misses it", a)
		}
	}
	if !slices.IsSortedFunc(o.Findings, func(a, b agreement.Finding) int { return cmp.Compare(agreement.Severity(b), agreement.Severity(a)) }) {
		t.Errorf("findings %v", o.Findings)
	}
}
