package metrics_test

import (
	"cmp"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/metrics"
)

// reference reads a file of the test data that an outside scorer was run on.
func reference(t *testing.T, into any, parts ...string) {
	t.Helper()
	dir := cmp.Or(os.Getenv("FIDUCIAL_TEST_DATA"), filepath.Join("..", "..", "..", "shared", "data"))
	raw, err := os.ReadFile(filepath.Join(append([]string{dir, "reference"}, parts...)...))
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("no test data: set FIDUCIAL_TEST_DATA: %v", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func near(got, want float64) bool {
	if want == -1 {
		return math.IsNaN(got)
	}
	return math.Abs(got-want) < 1e-9
}

func TestDetectionReference(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"steel", "hard"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var truth struct {
				Images, Categories []struct{ ID int }
				Annotations        []struct {
					ImageID    int `json:"image_id"`
					CategoryID int `json:"category_id"`
					BBox       [4]float64
					Area       float64
					IsCrowd    int
				}
			}
			var found []struct {
				ImageID    int `json:"image_id"`
				CategoryID int `json:"category_id"`
				BBox       [4]float64
				Score      float64
			}
			var want struct {
				Summary     map[string]float64
				PerCategory map[int]struct{ AP, AP50 float64 } `json:"per_category"`
			}
			reference(t, &truth, "detection", name+".truth.json")
			reference(t, &found, "detection", name+".detections.json")
			reference(t, &want, "detection", name+".expected.json")
			class, truths, detections := map[int]int{}, map[int][]metrics.TruthBox{}, map[int][]metrics.Detection{}
			for i, c := range truth.Categories {
				class[c.ID] = i
			}
			for _, a := range truth.Annotations {
				b := metrics.TruthBox{Class: class[a.CategoryID], X: a.BBox[0], Y: a.BBox[1], W: a.BBox[2], H: a.BBox[3], Area: a.Area, Crowd: a.IsCrowd == 1}
				truths[a.ImageID] = append(truths[a.ImageID], b)
			}
			for _, f := range found {
				b := metrics.Detection{Class: class[f.CategoryID], X: f.BBox[0], Y: f.BBox[1], W: f.BBox[2], H: f.BBox[3], Score: f.Score}
				detections[f.ImageID] = append(detections[f.ImageID], b)
			}
			d := metrics.NewDetections(len(class), metrics.COCOThresholds())
			for _, im := range truth.Images {
				d.Add(truths[im.ID], detections[im.ID])
			}
			got := d.Scores()
			for name, value := range map[string]float64{
				"AP": got.AP, "AP50": got.AP50, "AP75": got.AP75, "APs": got.APSmall, "APm": got.APMedium, "APl": got.APLarge,
				"AR1": got.AR1, "AR10": got.AR10, "AR100": got.AR100, "ARs": got.ARSmall, "ARm": got.ARMedium, "ARl": got.ARLarge,
			} {
				if !near(value, want.Summary[name]) {
					t.Errorf("%s: %v, want %v", name, value, want.Summary[name])
				}
			}
			for id, c := range want.PerCategory {
				if g := got.Classes[class[id]]; !near(g.AP, c.AP) || !near(g.AP50, c.AP50) {
					t.Errorf("category %d: %+v, want %+v", id, g, c)
				}
			}
		})
	}
}

func TestDetectionCases(t *testing.T) {
	t.Parallel()
	object := metrics.TruthBox{X: 10, Y: 10, W: 10, H: 10, Area: 100}
	crowd := object
	crowd.Crowd = true
	right := metrics.Detection{X: 10, Y: 10, W: 10, H: 10, Score: 0.5}
	away := metrics.Detection{X: 50, Y: 50, W: 10, H: 10, Score: 0.9}
	for name, c := range map[string]struct {
		truth            []metrics.TruthBox
		found            []metrics.Detection
		ap, recall, apOf float64 // apOf is of medium objects; -1 is not defined
	}{
		"nothing at all":        {nil, nil, -1, -1, -1},
		"nothing found":         {[]metrics.TruthBox{object}, nil, 0, 0, -1},
		"nothing to find":       {nil, []metrics.Detection{right}, -1, -1, -1},
		"found":                 {[]metrics.TruthBox{object}, []metrics.Detection{right}, 1, 1, -1},
		"found twice":           {[]metrics.TruthBox{object}, []metrics.Detection{right, right}, 1, 1, -1},
		"a surer one is wrong":  {[]metrics.TruthBox{object}, []metrics.Detection{right, away}, 0.5, 1, -1},
		"in a crowd":            {[]metrics.TruthBox{crowd}, []metrics.Detection{right, right}, -1, -1, -1},
		"object before a crowd": {[]metrics.TruthBox{crowd, object}, []metrics.Detection{right, right}, 1, 1, -1},
		"of another class":      {[]metrics.TruthBox{object, {Class: 7}}, []metrics.Detection{right, {Class: -1}}, 1, 1, -1},
	} {
		d := metrics.NewDetections(1, metrics.COCOThresholds())
		d.Add(c.truth, c.found)
		if s := d.Scores(); !near(s.AP, c.ap) || !near(s.AR100, c.recall) || !near(s.APMedium, c.apOf) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func boxes(t *rapid.T, label string) (truth []metrics.TruthBox, found []metrics.Detection) {
	side := rapid.Float64Range(1, 50)
	for range rapid.IntRange(0, 8).Draw(t, label+" objects") {
		b := metrics.TruthBox{Class: rapid.IntRange(0, 2).Draw(t, "class"), X: side.Draw(t, "x"), Y: side.Draw(t, "y"), W: side.Draw(t, "w"), H: side.Draw(t, "h")}
		b.Area, b.Crowd = b.W*b.H, rapid.IntRange(0, 9).Draw(t, "crowd") == 0
		truth = append(truth, b)
	}
	for range rapid.IntRange(0, 8).Draw(t, label+" found") {
		found = append(found, metrics.Detection{
			Class: rapid.IntRange(0, 2).Draw(t, "class"), X: side.Draw(t, "x"), Y: side.Draw(t, "y"), W: side.Draw(t, "w"), H: side.Draw(t, "h"),
			Score: float64(rapid.IntRange(0, 9).Draw(t, "score")) / 9,
		})
	}
	return truth, found
}

// Figures are shares; who answers with the truth has all of them; a further, surest false alarm never helps.
func TestDetectionProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		some, perfect, worse := metrics.NewDetections(3, metrics.COCOThresholds()), metrics.NewDetections(3, metrics.COCOThresholds()), metrics.NewDetections(3, metrics.COCOThresholds())
		for range rapid.IntRange(1, 4).Draw(t, "images") {
			truth, found := boxes(t, "image")
			some.Add(truth, found)
			var all []metrics.Detection
			for _, b := range truth {
				all = append(all, metrics.Detection{Class: b.Class, X: b.X, Y: b.Y, W: b.W, H: b.H, Score: 1})
			}
			perfect.Add(truth, all)
			worse.Add(truth, append(found, metrics.Detection{Class: 0, X: 900, Y: 900, W: 9, H: 9, Score: 2}))
		}
		s, p, w := some.Scores(), perfect.Scores(), worse.Scores()
		for _, v := range []float64{s.AP, s.AP50, s.AP75, s.APSmall, s.AR1, s.AR10, s.AR100} {
			if v < 0 || v > 1 {
				t.Fatalf("%+v", s)
			}
		}
		if s.AR1 > s.AR10 || s.AR10 > s.AR100 || s.AP > s.AP50+1e-12 || w.AP > s.AP+1e-12 {
			t.Fatalf("%+v, with a false alarm %+v", s, w)
		}
		if !math.IsNaN(p.AP) && (p.AP < 1-1e-9 || p.AR100 != 1) {
			t.Fatalf("the truth itself: %+v", p)
		}
	})
}

// BenchmarkDetection scores 180,000 detections in 5,000 images of 36,000 objects in 80 classes.
func BenchmarkDetection(b *testing.B) {
	const images, classes, objects, found = 5000, 80, 36_000, 180_000
	random := rand.New(rand.NewPCG(3, 4))
	truths, detections := make([][]metrics.TruthBox, images), make([][]metrics.Detection, images)
	for range objects {
		i := random.IntN(images)
		// An image shows few classes, as real ones do.
		t := metrics.TruthBox{Class: (i + random.IntN(4)*random.IntN(20)) % classes, X: random.Float64() * 600, Y: random.Float64() * 400, W: 4 + random.Float64()*200, H: 4 + random.Float64()*200}
		t.Area = t.W * t.H
		truths[i] = append(truths[i], t)
	}
	for n := 0; n < found; {
		i := random.IntN(images)
		if len(truths[i]) == 0 {
			continue
		}
		t := truths[i][random.IntN(len(truths[i]))]
		near := func(v float64) float64 { return v + random.NormFloat64()*12 }
		d := metrics.Detection{Class: t.Class, X: near(t.X), Y: near(t.Y), W: max(1, near(t.W)), H: max(1, near(t.H)), Score: random.Float64()}
		if n%3 == 0 {
			d.Class = random.IntN(classes)
		}
		detections[i] = append(detections[i], d)
		n++
	}
	var scores metrics.DetectionScores
	before := processorTime(b)
	for b.Loop() {
		d := metrics.NewDetections(classes, metrics.COCOThresholds())
		for i := range truths {
			d.Add(truths[i], detections[i])
		}
		scores = d.Scores()
	}
	b.ReportMetric((processorTime(b)-before)/float64(b.N), "cpu-s")
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.Sys)/1e6, "MB")
	if !(scores.AP > 0) {
		b.Fatal(scores)
	}
}

// processorTime is what this process has used of it, in seconds: it does not count what else a busy machine does.
func processorTime(b *testing.B) float64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}
