package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the command prints equals what COCO's reference scorer says of the same files.
func TestScoreDetectionLikeTheReference(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"steel", "hard"} {
		truth, predictions := referenceFile(t, "detection", name+".truth.json"), referenceFile(t, "detection", name+".detections.json")
		code, out, messages := score(t, "", "detection", "--truth", truth, "--predictions", predictions, "--json")
		var got detectionScores
		if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || messages != "" {
			t.Fatalf("exit %d, %v: %s", code, err, messages)
		}
		raw, err := os.ReadFile(referenceFile(t, "detection", name+".expected.json"))
		if err != nil {
			t.Fatal(err)
		}
		var want struct{ Summary map[string]float64 }
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if len(got.Summary) != 12 {
			t.Errorf("%d figures", len(got.Summary))
		}
		for figure, value := range want.Summary {
			if v := got.Summary[figure]; v == nil || math.Abs(*v-value) > 1e-9 {
				t.Errorf("%s: %s is %v, want %v", name, figure, v, value)
			}
		}
	}
}

// files writes texts to files and returns their paths.
func files(t *testing.T, contents ...string) (paths []string) {
	t.Helper()
	for _, content := range contents {
		path := filepath.Join(t.TempDir(), "file.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func TestScoreDetection(t *testing.T) {
	t.Parallel()
	// The image of the lower id goes first, and with it, of two detections of the same score, the wrong one.
	paths := files(t, `{"images":[{"id":2,"file_name":"b.png","width":99,"height":99},{"id":1,"file_name":"a.png","width":99,"height":99}],
		"categories":[{"id":5,"name":"pit"},{"id":6,"name":"crack"}],
		"annotations":[{"id":1,"image_id":2,"category_id":5,"bbox":[10,10,50,50],"area":2500,"iscrowd":0}]}`,
		`[{"image_id":2,"category_id":5,"bbox":[10,10,50,50],"score":0.5},{"image_id":1,"category_id":5,"bbox":[10,10,50,50],"score":0.5},
		{"image_id":9,"category_id":5,"bbox":[10,10,50,50],"score":0.5}]`)
	code, out, messages := score(t, "", "detection", "--truth", paths[0], "--predictions", paths[1], "--iou", "0.5,0.9")
	if code != 0 || !strings.Contains(messages, "not scored: no image has the id 9") {
		t.Errorf("exit %d, %s", code, messages)
	}
	for _, want := range []string{
		"AP       average precision                           0.5000\n", "AP75       at an overlap of 0.75                     -\n",
		"AR1      average recall of the surest 1 of an image  1.0000\n", "pit    0.5000  0.5000  1.0000  1        2\n", "2 images, 1 objects, 2 detections",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestScoreDetectionRefuses(t *testing.T) {
	t.Parallel()
	const truth = `{"images":[],"categories":[],"annotations":[]}`
	for _, c := range []struct{ truth, predictions, iou, want string }{
		{"[]", "[]", "0.5", "truth: this is a list of COCO results"},
		{"{", "[]", "0.5", "truth: "},
		{truth, "{}", "0.5", "predictions: expected a list of COCO results"},
		{truth, "[]", "0", "--iou is above 0 and at most 1"},
		{truth, "[]", "NaN", "--iou is above 0 and at most 1"},
		{truth, "[]", strings.Repeat("0.5,", 16) + "0.5", "at most 16"},
	} {
		paths := files(t, c.truth, c.predictions)
		code, out, messages := score(t, "", "detection", "--truth", paths[0], "--predictions", paths[1], "--iou", c.iou)
		if code != exitMisuse || out != "" || !strings.Contains(messages, c.want) {
			t.Errorf("%+v: exit %d, %q, %q", c, code, out, messages)
		}
	}
}

func TestScoreClassification(t *testing.T) {
	t.Parallel()
	const file = `{"truth":["a","b","a"],"predicted":["a","b","b"],"confidence":[0.9,0.8,0.7],"classes":["a","b"],"probabilities":[[0.9,0.1],[0.2,0.8],[0.3,0.7]]}`
	code, out, messages := score(t, file, "classification", "--file", "-")
	want := strings.TrimSpace(`
CLASS                PRECISION  RECALL  F1      UNITS  PREDICTED
a                    1.0000     0.5000  0.6667  2      1
b                    0.5000     1.0000  0.6667  1      2
mean of the classes  0.7500     0.7500  0.6667  3      
weighted by units    0.8333     0.6667  0.6667  3      

accuracy            0.6667
log loss            0.5108
calibration error   0.3333
  largest of a bin  0.7000
Brier score         0.1800`)
	if code != 0 || messages != "" || strings.TrimSpace(out) != want {
		t.Errorf("exit %d, %s\n%s\nwant\n%s", code, messages, out, want)
	}
	code, out, _ = score(t, file, "classification", "--file", "-", "--json")
	var scores classificationScores
	if err := json.Unmarshal([]byte(out), &scores); err != nil || code != 0 || len(scores.Calibration.Bins) != 10 || scores.Confusion[0][1] != 1 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

func TestScoreClassificationRefuses(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		``:                                 `not {"truth"`,
		`{}`:                               "there are no labels",
		`{"truth":[1],"predicted":[1,2]}`:  "1 true labels and 2 predicted",
		`{"truth":[null],"predicted":[1]}`: "true label 1: a label is a text or a number",
		`{"truth":[1],"predicted":[[1]]}`:  "predicted label 1",
		`{"truth":[1],"predicted":[1]} {}`: "something follows",
		`{"truth":[1],"predicted":[1],"confidence":[2]}`:                           "unit 1: a confidence is from 0 to 1",
		`{"truth":[1],"predicted":[1],"confidence":[0.5,0.5]}`:                     "2 confidences",
		`{"truth":[1],"predicted":[1],"classes":[2]}`:                              "is none of the classes",
		`{"truth":[1],"predicted":[1],"classes":[1,1]}`:                            "named twice",
		`{"truth":[1],"predicted":[1],"probabilities":[[0.5,0.5]]}`:                "unit 1 has 2 probabilities for 1 classes",
		`{"truth":[1],"predicted":[1],"probabilities":[]}`:                         "0 rows of probabilities",
		`{"truth":[1],"predicted":[1],"classes":[1,2],"probabilities":[[-1,0.5]]}`: "unit 1: a probability is from 0 to 1",
	} {
		code, out, messages := score(t, content, "classification", "--file", "-")
		if code != exitMisuse || out != "" || !strings.Contains(messages, want) {
			t.Errorf("%s: exit %d, %q, %q, want %q", content, code, out, messages, want)
		}
	}
}
