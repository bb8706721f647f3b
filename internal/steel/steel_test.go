package steel

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The pictures are part of the demo and of its figures: a change of the
// generator is meant, or it is a fault.
func TestSeedsGiveTheSamePixelsEverywhere(t *testing.T) {
	t.Parallel()
	want := map[uint64]string{1: "e8ba02f406cc816f", 9: "27c03bc4bf1a079f", 12: "3b1c864780d8c9b9"}
	for seed := range want {
		strip := Generate(seed)
		sum := sha256.New()
		sum.Write(strip.Image.Pix)
		if _, err := fmt.Fprint(sum, strip.Defects); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(sum.Sum(nil)[:8]); got != want[seed] {
			t.Errorf("seed %d gives %s, want %s", seed, got, want[seed])
		}
	}
}

// The step is PCG's own, as in the standard library.
func TestRandomIsPCG(t *testing.T) {
	t.Parallel()
	ours, theirs := random{hi: 3, lo: 5}, rand.NewPCG(3, 5)
	state := func() (hi, lo uint64) {
		b, err := theirs.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:])
	}
	for range 100 {
		ours.next()
		theirs.Uint64()
		if hi, lo := state(); hi != ours.hi || lo != ours.lo {
			t.Fatalf("state %x %x, want %x %x", ours.hi, ours.lo, hi, lo)
		}
	}
}

// Every box is the smallest around what can be seen of its defect.
func TestBoxesAreTight(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		strip, patches := draw(seed, Width, Height)
		if len(patches) != len(strip.Defects) {
			t.Fatalf("seed %d: %d defects, %d were drawn", seed, len(strip.Defects), len(patches))
		}
		for i, d := range strip.Defects {
			box := d.rect()
			if !box.In(strip.Image.Bounds()) || d.W < 3 || d.H < 3 {
				t.Errorf("seed %d: %v leaves the picture or is too small", seed, d)
			}
			touched := map[string]bool{}
			patches[i].each(func(x, y int, _ int32) {
				if !(image.Point{X: x, Y: y}).In(box) {
					t.Fatalf("seed %d: %v leaves out (%d, %d)", seed, d, x, y)
				}
				touched["left"] = touched["left"] || x == box.Min.X
				touched["right"] = touched["right"] || x == box.Max.X-1
				touched["top"] = touched["top"] || y == box.Min.Y
				touched["bottom"] = touched["bottom"] || y == box.Max.Y-1
			})
			if len(touched) != 4 || !touched["left"] || !touched["right"] || !touched["top"] || !touched["bottom"] {
				t.Errorf("seed %d: %v touches only %v", seed, d, touched)
			}
			for j, other := range strip.Defects[:i] {
				if d.Mark != other.Mark && box.Overlaps(other.rect()) {
					t.Errorf("seed %d: defects %d and %d overlap", seed, i, j)
				}
				if d.Class == other.Class && box == other.rect() {
					t.Errorf("seed %d: defects %d and %d are the same", seed, i, j)
				}
			}
		}
	}
}

func TestSixtyStripsShowEverything(t *testing.T) {
	t.Parallel()
	classes, marks := map[Class]int{}, map[int]int{}
	broken := 0
	for seed := range uint64(60) {
		strip := Generate(seed)
		seen := map[int]int{}
		for _, d := range strip.Defects {
			classes[d.Class]++
			if seen[d.Mark]++; seen[d.Mark] == 2 {
				broken++
			}
		}
		marks[len(seen)]++
	}
	t.Logf("boxes by class %v, strips by number of defects %v, broken scratches %d", classes, marks, broken)
	for _, d := range Definitions() {
		if classes[d.Class] < 6 {
			t.Errorf("only %d of %s", classes[d.Class], d.Class)
		}
	}
	if marks[0] < 3 || marks[0] > 15 || broken < 5 {
		t.Errorf("%d empty strips, %d broken scratches", marks[0], broken)
	}
	for n := range marks {
		if n > 5 {
			t.Errorf("%d defects on one strip", n)
		}
	}
}

func TestOtherSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []image.Point{{400, 300}, {640, 480}, {3000, 700}, {1, 1}} {
		for seed := range uint64(8) {
			strip := GenerateSize(seed, size.X, size.Y)
			for _, d := range strip.Defects {
				if !d.rect().In(strip.Image.Bounds()) {
					t.Errorf("seed %d at %v: %v", seed, size, d)
				}
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for seed := range uint64(80) {
		strip := GenerateSize(seed, 1000, 700)
		for _, habit := range Habits {
			answer := Answer(strip, habit, seed)
			if diff := cmp.Diff(answer, Answer(strip, habit, seed)); diff != "" {
				t.Errorf("%s answers differently the second time:\n%s", habit, diff)
			}
			for _, box := range answer {
				if box.W < 2 || box.H < 2 || !box.rect().In(strip.Image.Bounds()) {
					t.Errorf("%s drew %v", habit, box)
				}
				d, overlap := nearest(strip.Defects, box)
				count[string(habit)+" boxes"]++
				switch {
				case overlap == 0:
					count[string(habit)+" imagined"]++
				case d.Class != box.Class:
					count[string(habit)+" confused"]++
				case habit == Loose && !d.rect().In(box.rect()):
					t.Errorf("loose box %v cuts %v", box, d)
				case habit == Loose && box.W > d.W+14:
					count["loose joined"]++
				}
				if habit == Careful && (abs2(box.X-d.X) > 1 || abs2(box.Y-d.Y) > 1 || abs2(box.W-d.W) > 2 || abs2(box.H-d.H) > 2) {
					t.Errorf("careful box %v, defect %v", box, d)
				}
			}
			count[string(habit)+" missing"] += max(0, len(strip.Defects)-len(answer))
		}
	}
	t.Log(count)
	for _, some := range []string{"loose joined", "quick confused", "quick imagined", "quick missing"} {
		if count[some] < 4 {
			t.Errorf("%s: %d", some, count[some])
		}
	}
	if count["careful confused"]+count["careful imagined"]+count["loose confused"]+count["loose imagined"] > 0 {
		t.Errorf("careful and loose labelers err only in the boxes: %v", count)
	}
}

func nearest(defects []Defect, box Defect) (Defect, int) {
	best, most := Defect{}, 0
	for _, d := range defects {
		in := d.rect().Intersect(box.rect())
		if n := in.Dx() * in.Dy(); n > most {
			best, most = d, n
		}
	}
	return best, most
}

func TestDefinitions(t *testing.T) {
	t.Parallel()
	known := map[Class]bool{}
	for _, d := range Definitions() {
		known[d.Class] = true
	}
	for _, d := range Definitions() {
		for _, part := range []string{"**Yes**", "**No**", "**The box**", "**Easily confused with**"} {
			if !strings.Contains(d.Markdown, part) {
				t.Errorf("%s lacks %s", d.Class, part)
			}
		}
		for _, other := range d.ConfusedWith {
			if !known[other] || other == d.Class {
				t.Errorf("%s is confused with %s", d.Class, other)
			}
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	for i := range b.N {
		Generate(uint64(i))
	}
}
