package scoring_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"fiducial/internal/metrics"
	"fiducial/internal/scoring"
	"fiducial/internal/speech"
)

// referenceFile reads a file of the test data that an outside scorer was run on.
func referenceFile(t *testing.T, parts ...string) []byte {
	t.Helper()
	dir := cmp.Or(os.Getenv("FIDUCIAL_TEST_DATA"), filepath.Join("..", "..", "..", "shared", "data"))
	raw, err := os.ReadFile(filepath.Join(append([]string{dir, "reference"}, parts...)...))
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("no test data: set FIDUCIAL_TEST_DATA: %v", err)
	}
	return raw
}

func reference(t *testing.T, into any, parts ...string) {
	t.Helper()
	if err := json.Unmarshal(referenceFile(t, parts...), into); err != nil {
		t.Fatal(err)
	}
}

// kept is a sheet as it comes back from where scores are kept.
func kept(tb testing.TB, sheet scoring.Sheet) scoring.Sheet {
	tb.Helper()
	blocks, err := scoring.Encode(sheet)
	if err != nil {
		tb.Fatal(err)
	}
	again, err := scoring.Decode(blocks)
	if err != nil {
		tb.Fatal(err)
	}
	return again
}

// values are the measures of figures by name, NaN for those that are not there.
func values(f scoring.Figures) func(name string) float64 {
	return func(name string) float64 {
		i := slices.IndexFunc(f.Measures, func(m scoring.Measure) bool { return m.Name == name })
		if i < 0 || f.Measures[i].Value == nil {
			return math.NaN()
		}
		return *f.Measures[i].Value
	}
}

// near compares with what a reference gives, where -1 is not defined.
func near(got, want float64) bool {
	if want == -1 {
		return math.IsNaN(got)
	}
	return math.Abs(got-want) < 1e-9
}

var noDraws = scoring.Options{Draws: -1}

func TestSpeechReference(t *testing.T) {
	t.Parallel()
	var want map[string]map[string]float64
	reference(t, &want, "speech", "expected.json")
	for name, figures := range want {
		scorer := &speech.Scorer{Characters: true} // the references are normalized already
		sheet := scoring.Sheet{Task: scoring.Speech}
		lines := bufio.NewScanner(bytes.NewReader(referenceFile(t, "speech", name+".pairs.jsonl")))
		for lines.Scan() {
			var pair struct {
				Reference, Hypothesis string
				WordErrors            int `json:"word_errors"`
			}
			if err := json.Unmarshal(lines.Bytes(), &pair); err != nil {
				t.Fatal(err)
			}
			s := scoring.ScoreSpeech(scorer, pair.Reference, pair.Hypothesis)
			if s.Words.Errors() != pair.WordErrors {
				t.Errorf("%s: %q, %q: %d errors, want %d", name, pair.Reference, pair.Hypothesis, s.Words.Errors(), pair.WordErrors)
			}
			s.Position, s.Group = len(sheet.Scores), int64(-len(sheet.Scores))
			sheet.Scores = append(sheet.Scores, s)
		}
		got := values(scoring.Compute(kept(t, sheet), noDraws))
		for _, measure := range []string{"wer", "cer", "mer", "wil"} {
			if !near(got(measure), figures[measure]) {
				t.Errorf("%s: %s is %v, want %v", name, measure, got(measure), figures[measure])
			}
		}
	}
	if len(want) == 0 {
		t.Error("there is nothing to compare with")
	}
}

func TestLabelReference(t *testing.T) {
	t.Parallel()
	var cases []struct {
		Truth, Predicted      []int
		Accuracy              float64
		MacroF1               float64 `json:"macro_f1"`
		Precision, Recall, F1 []float64
		Confusion             [][]int
	}
	reference(t, &cases, "classification", "cases.json")
	for i, want := range cases {
		sheet := labelSheet(len(want.F1), want.Truth, want.Predicted)
		f := scoring.Compute(kept(t, sheet), noDraws)
		got := values(f)
		if !near(got("accuracy"), want.Accuracy) || !near(got("macro_f1"), want.MacroF1) || !near(got("micro_f1"), want.Accuracy) || f.Headline().Name != "macro_f1" {
			t.Errorf("case %d: %v and %v, want %v and %v", i, got("accuracy"), got("macro_f1"), want.Accuracy, want.MacroF1)
		}
		if fmt.Sprint(f.Confusion.Counts) != fmt.Sprint(want.Confusion) {
			t.Errorf("case %d: %v, want %v", i, f.Confusion.Counts, want.Confusion)
		}
		for _, c := range f.Classes {
			k := slices.Index(sheet.Classes, c.Name)
			if c.F1 == nil || !near(orZero(c.Precision), want.Precision[k]) || !near(orZero(c.Recall), want.Recall[k]) || !near(*c.F1, want.F1[k]) {
				t.Errorf("case %d, class %d: %+v", i, k, c)
			}
		}
	}
}

func orZero(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

// labelSheet has the classes 0, 1, …, and an item a group.
func labelSheet(classes int, truth, said []int) scoring.Sheet {
	sheet := scoring.Sheet{Task: scoring.Label}
	for k := range classes {
		sheet.Classes = append(sheet.Classes, fmt.Sprint(k))
	}
	for i := range truth {
		of := func(class int) []scoring.Moment {
			return []scoring.Moment{{Class: fmt.Sprint(class), End: 1, Confidence: math.NaN()}}
		}
		s := scoring.ScoreLabel(sheet.Classes, of(truth[i]), of(said[i]))
		s.Position, s.Group = i, int64(-i)
		sheet.Scores = append(sheet.Scores, s)
	}
	return sheet
}

// cocoSheet reads a truth and detections in COCO's form, as matched boxes.
func cocoSheet(tb testing.TB, truth, found []byte) scoring.Sheet {
	tb.Helper()
	var data struct {
		Images, Categories []struct{ ID int }
		Annotations        []struct {
			ImageID    int `json:"image_id"`
			CategoryID int `json:"category_id"`
			BBox       [4]float64
			Area       float64
			IsCrowd    int
		}
	}
	var results []struct {
		ImageID    int `json:"image_id"`
		CategoryID int `json:"category_id"`
		BBox       [4]float64
		Score      float64
	}
	if err := cmp.Or(json.Unmarshal(truth, &data), json.Unmarshal(found, &results)); err != nil {
		tb.Fatal(err)
	}
	sheet := scoring.Sheet{Task: scoring.Detection}
	class, objects, boxes := map[int]int{}, map[int][]metrics.TruthBox{}, map[int][]metrics.Detection{}
	for i, c := range data.Categories {
		class[c.ID] = i
		sheet.Classes = append(sheet.Classes, fmt.Sprint(c.ID))
	}
	for _, a := range data.Annotations {
		b := metrics.TruthBox{Class: class[a.CategoryID], X: a.BBox[0], Y: a.BBox[1], W: a.BBox[2], H: a.BBox[3], Area: a.Area, Crowd: a.IsCrowd == 1}
		objects[a.ImageID] = append(objects[a.ImageID], b)
	}
	for _, f := range results {
		boxes[f.ImageID] = append(boxes[f.ImageID], metrics.Detection{Class: class[f.CategoryID], X: f.BBox[0], Y: f.BBox[1], W: f.BBox[2], H: f.BBox[3], Score: f.Score})
	}
	matcher := metrics.NewDetections(len(class), metrics.COCOThresholds())
	for i, im := range data.Images {
		s := scoring.Score{Position: i, Group: int64(i / 3), Length: float32(math.NaN()), Confidence: float32(math.NaN())}
		s.Image = matcher.Match(objects[im.ID], boxes[im.ID])
		sheet.Scores = append(sheet.Scores, s)
	}
	return sheet
}

func TestDetectionReference(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"steel", "hard"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want struct {
				Summary     map[string]float64
				PerCategory map[string]struct{ AP, AP50 float64 } `json:"per_category"`
			}
			reference(t, &want, "detection", name+".expected.json")
			sheet := cocoSheet(t, referenceFile(t, "detection", name+".truth.json"), referenceFile(t, "detection", name+".detections.json"))
			f := scoring.Compute(kept(t, sheet), scoring.Options{Draws: 8})
			got := values(f)
			for measure, figure := range map[string]string{
				"map": "AP", "ap50": "AP50", "ap75": "AP75", "ap_small": "APs", "ap_medium": "APm", "ap_large": "APl",
				"ar1": "AR1", "ar10": "AR10", "ar100": "AR100", "ar_small": "ARs", "ar_medium": "ARm", "ar_large": "ARl",
			} {
				if !near(got(measure), want.Summary[figure]) {
					t.Errorf("%s: %v, want %v", measure, got(measure), want.Summary[figure])
				}
			}
			for _, c := range f.Classes {
				w := want.PerCategory[c.Name]
				if c.AP == nil != (w.AP == -1) || c.AP != nil && (!near(*c.AP, w.AP) || !near(*c.AP50, w.AP50)) {
					t.Errorf("category %s: %+v, want %+v", c.Name, c, w)
				}
			}
			if f.Headline().Name != "map" || f.Confusion == nil || f.Threshold == nil {
				t.Errorf("%+v", f.Headline())
			}
		})
	}
}
