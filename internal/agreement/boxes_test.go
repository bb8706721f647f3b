package agreement_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/agreement"
)

func turned(b agreement.Box, degrees float64) agreement.Box {
	b.Rotation = degrees
	return b
}

func TestIoU(t *testing.T) {
	t.Parallel()
	square := at(1, 0, 0, 10, 10)
	for name, c := range map[string]struct {
		a, b agreement.Box
		want float64
	}{
		"the same":                 {square, at(2, 0, 0, 10, 10), 1},
		"half":                     {square, at(1, 0, 0, 10, 5), 0.5},
		"shifted":                  {square, at(1, 5, 0, 10, 10), 1. / 3},
		"touching":                 {square, at(1, 10, 0, 10, 10), 0},
		"apart on both axes":       {square, at(1, 20, 20, 10, 10), 0},
		"no area":                  {square, at(1, 5, 5, 0, 0), 0},
		"no area, twice":           {at(1, 5, 5, 0, 0), at(1, 5, 5, 0, 0), 1},
		"no area, elsewhere":       {at(1, 5, 5, 0, 3), at(1, 5, 5, 3, 0), 0},
		"a square turned by 45":    {square, turned(square, 45), (2*math.Sqrt2 - 2) / (2 - (2*math.Sqrt2 - 2))}, // they share a regular octagon
		"a whole turn":             {square, turned(square, 360), 1},
		"upside down":              {at(1, 3, 4, 10, 2), turned(at(1, 3, 4, 10, 2), 180), 1},
		"a quarter, sides swapped": {at(1, 0, 4, 10, 2), turned(at(1, 4, 0, 2, 10), 90), 1},
		"a quarter":                {at(1, 0, 0, 10, 2), turned(at(1, 0, 0, 10, 2), -90), 4. / 36},
		"both turned alike":        {turned(square, 30), turned(at(1, 0, 0, 10, 10), 30), 1},
		"turned, hulls touch only": {turned(square, 45), at(1, 9.5, 9.5, 3, 3), 0},
		"so large that areas overflow": {
			at(1, 0, 0, 1e200, 1e200), at(1, 1, 0, 1e200, 1e200), 0,
		},
	} {
		if got := agreement.IoU(c.a, c.b); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func turnedBoxes() *rapid.Generator[agreement.Box] {
	return rapid.Custom(func(t *rapid.T) agreement.Box {
		return agreement.Box{
			X: rapid.Float64Range(-10, 10).Draw(t, "x"), Y: rapid.Float64Range(-10, 10).Draw(t, "y"),
			W: rapid.Float64Range(0.5, 20).Draw(t, "w"), H: rapid.Float64Range(0.5, 20).Draw(t, "h"),
			Rotation: rapid.Float64Range(-400, 400).Draw(t, "rotation"),
		}
	})
}

// holds reports whether a point lies in a box, by turning the point instead of the box.
func holds(b agreement.Box, x, y float64) bool {
	sin, cos := math.Sincos(-b.Rotation * math.Pi / 180)
	dx, dy := x-(b.X+b.W/2), y-(b.Y+b.H/2)
	return math.Abs(dx*cos-dy*sin) <= b.W/2 && math.Abs(dx*sin+dy*cos) <= b.H/2
}

// The IoU of turned boxes is that of the points in them, the same either way round.
func TestIoUOfTurnedBoxes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := turnedBoxes().Draw(t, "a"), turnedBoxes().Draw(t, "b")
		got := agreement.IoU(a, b)
		if got != agreement.IoU(b, a) || got < 0 || got > 1 {
			t.Fatalf("%v one way, %v the other", got, agreement.IoU(b, a))
		}
		const step = 0.2
		both, either := 0, 0
		for x := -40.; x < 60; x += step {
			for y := -40.; y < 60; y += step {
				switch in, too := holds(a, x, y), holds(b, x, y); {
				case in && too:
					both++
					either++
				case in || too:
					either++
				}
			}
		}
		// A point stands for a little square; those along the edges may count wrongly.
		edges := 2 * (a.W + a.H + b.W + b.H) / step
		if want := float64(both) / float64(either); math.Abs(got-want) > 1.5*edges/float64(either) {
			t.Errorf("%v, by points %v", got, want)
		}
		again := b
		again.Rotation += 180
		if same := agreement.IoU(a, again); math.Abs(same-got) > 1e-9 {
			t.Errorf("%v, upside down %v", got, same)
		}
	})
}

func TestProposal(t *testing.T) {
	t.Parallel()
	small := []agreement.Box{at(1, 10, 10, 20, 20), at(1, 40, 10, 20, 20)}
	wide := at(1, 8, 8, 54, 24)
	for name, c := range map[string]struct {
		answers [][]agreement.Box
		want    []agreement.Box
	}{
		"nobody": {nil, nil},
		"the median of each edge": {
			[][]agreement.Box{{at(1, 0, 0, 10, 10)}, {at(1, 1, 0, 10.5, 10)}, {at(1, 2, 2, 8, 7)}},
			[]agreement.Box{at(1, 1, 0, 9, 10)},
		},
		"the mean edges of two":         {[][]agreement.Box{{at(1, 0, 0, 10, 10)}, {at(1, 1, 0, 10, 10)}}, []agreement.Box{at(1, 0.5, 0, 10, 10)}},
		"the majority's class":          {[][]agreement.Box{{at(3, 0, 0, 9, 9)}, {at(2, 0, 0, 9, 9)}, {at(3, 0, 0, 9, 9)}}, []agreement.Box{at(3, 0, 0, 9, 9)}},
		"the lower of two classes":      {[][]agreement.Box{{at(3, 0, 0, 9, 9)}, {at(2, 0, 0, 9, 9)}}, []agreement.Box{at(2, 0, 0, 9, 9)}},
		"one of three has it":           {[][]agreement.Box{small, small[:1], small[:1]}, small[:1]},
		"one of two has it":             {[][]agreement.Box{small, small[:1]}, small},
		"one wide box, two answers":     {[][]agreement.Box{{wide}, small}, small},
		"one wide box, three answers":   {[][]agreement.Box{small, {wide}, small}, small},
		"two wide boxes, three answers": {[][]agreement.Box{{wide}, small, {wide}}, []agreement.Box{wide}},
		"a wide box, and nothing":       {[][]agreement.Box{{wide}, small, {}}, small},
		"turned boxes": {
			[][]agreement.Box{{turned(at(1, 0, 0, 20, 10), 28)}, {turned(at(1, 0, 0, 20, 10), 30)}, {turned(at(1, 5, -5, 10, 20), 121)}},
			[]agreement.Box{turned(at(1, 0, 0, 20, 10), 30)},
		},
		"turned either way round": {
			[][]agreement.Box{{turned(at(1, 0, 0, 20, 10), 4)}, {turned(at(1, 0, 0, 20, 10), 176)}, {turned(at(1, 0, 0, 20, 10), 362)}},
			[]agreement.Box{turned(at(1, 0, 0, 20, 10), 2)},
		},
	} {
		got := agreement.Match(c.answers, agreement.Limits{}).Proposal()
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
