package agreement_test

import (
	"cmp"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"fiducial/internal/agreement"
	"fiducial/internal/formats"
)

// steel reads the boxes of real photographs of steel, or skips plainly.
func steel(t *testing.T) (images [][]agreement.Box) {
	t.Helper()
	dir := cmp.Or(os.Getenv("FIDUCIAL_TEST_DATA"), filepath.Join("..", "..", "..", "shared", "data"))
	paths, err := filepath.Glob(filepath.Join(dir, "steel", "annotations", "*.xml"))
	if missing := err != nil || len(paths) == 0; missing && os.Getenv("CI") != "" {
		t.Fatal("no real labels: ", err)
	} else if missing {
		t.Skip("no real labels: ", err)
	}
	classes := map[string]int64{}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		image, _, err := formats.ReadVOC(file, 1)
		if err != nil {
			t.Fatal(path, err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		var boxes []agreement.Box
		for _, b := range image.Boxes {
			if classes[b.Class] == 0 {
				classes[b.Class] = int64(len(classes) + 1)
			}
			boxes = append(boxes, at(classes[b.Class], b.X, b.Y, b.W, b.H))
		}
		images = append(images, boxes)
	}
	return images
}

// perturbed draws boxes as another labeler would: every edge a few percent off, one in thirty missed, one in twenty of another class.
// drawn says which box each is.
func perturbed(random *rand.Rand, boxes []agreement.Box) (out []agreement.Box, drawn []int) {
	for i, b := range boxes {
		if random.IntN(30) == 0 {
			continue
		}
		left, right := b.X+0.03*b.W*random.NormFloat64(), b.X+b.W+0.03*b.W*random.NormFloat64()
		top, bottom := b.Y+0.03*b.H*random.NormFloat64(), b.Y+b.H+0.03*b.H*random.NormFloat64()
		b = at(b.Class, left, top, max(right-left, 1), max(bottom-top, 1))
		if random.IntN(20) == 0 {
			b.Class = 1 + b.Class%6
		}
		out, drawn = append(out, b), append(drawn, i)
	}
	return out, drawn
}

// On real labels, which overlap and lie in each other, the answers' boxes of one defect become one object.
func TestMatchRealLabels(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	pairs, together, splits, objects, confused, found := 0, 0, 0, 0, 0, 0
	for _, boxes := range steel(t) {
		two, ofTwo := perturbed(random, boxes)
		three, ofThree := perturbed(random, boxes)
		is := [][]int{make([]int, len(boxes)), ofTwo, ofThree}
		for i := range boxes {
			is[0][i] = i
		}
		m := agreement.Match([][]agreement.Box{boxes, two, three}, agreement.Limits{})
		object := map[agreement.Ref]int{}
		for i, o := range m.Objects {
			objects++
			if o.Worst() == agreement.Split {
				splits++
			}
			for _, r := range o.Members {
				object[r] = i
			}
		}
		for a := 1; a < 3; a++ {
			for b, i := range is[a] {
				pairs++
				mine, theirs := agreement.Ref{Answer: a, Box: b}, agreement.Ref{Box: i}
				if object[mine] != object[theirs] {
					continue
				}
				together++
				if [][]agreement.Box{nil, two, three}[a][b].Class != boxes[i].Class {
					confused++
					if o := &m.Objects[object[mine]]; o.Support < len(o.Members) {
						found++
					}
				}
			}
		}
	}
	t.Logf("%d of %d boxes with their like, %d of %d objects need splitting, %d of %d swapped classes found", together, pairs, splits, objects, found, confused)
	if float64(together) < 0.99*float64(pairs) || float64(splits) > 0.005*float64(objects) || found != confused || confused < 300 {
		t.Error("the objects are not those that were drawn")
	}
}
