package scoring_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/metrics"
	"fiducial/internal/scoring"
	"fiducial/internal/speech"
)

func moment(class string, begin, end, sure float64) scoring.Moment {
	return scoring.Moment{Class: class, Begin: begin, End: end, Confidence: sure}
}

var feelings = []string{"joy", "anger", "none"}

func TestScoreLabel(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for name, c := range map[string]struct {
		truth, said []scoring.Moment
		is, says    string
		sure        float64
		probable    bool
	}{
		"nothing":                        {nil, nil, "none", "none", nan, false},
		"the longest in all":             {[]scoring.Moment{moment("joy", 0, 2, nan), moment("anger", 2, 5, nan), moment("joy", 5, 7, nan)}, nil, "joy", "none", nan, false},
		"as long: the first class":       {[]scoring.Moment{moment("anger", 0, 2, nan), moment("joy", 2, 4, nan)}, nil, "joy", "none", nan, false},
		"another class":                  {[]scoring.Moment{moment("fear", 0, 2, nan)}, []scoring.Moment{moment("fear", 0, 0, 0.9)}, "none", "none", nan, false},
		"the surest":                     {nil, []scoring.Moment{moment("joy", 0, 0, 0.4), moment("anger", 0, 0, 0.6)}, "none", "anger", 0.6, true},
		"the first of those without any": {nil, []scoring.Moment{moment("joy", 0, 0, nan), moment("anger", 0, 0, nan)}, "none", "joy", nan, false},
		"one probability is none of all": {nil, []scoring.Moment{moment("joy", 0, 0, 0.8)}, "none", "joy", 0.8, false},
	} {
		s := scoring.ScoreLabel(feelings, c.truth, c.said)
		m := s.Marks[0]
		if feelings[m.Truth] != c.is || feelings[m.Said] != c.says || (s.Probabilities != nil) != c.probable || !same(float64(m.Confidence), c.sure) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func same(a, b float64) bool { return math.Abs(a-b) < 1e-6 || math.IsNaN(a) && math.IsNaN(b) }

func TestScoreLabels(t *testing.T) {
	t.Parallel()
	s := scoring.ScoreLabels(feelings, []scoring.Moment{moment("joy", 0, 1, 1), moment("joy", 4, 5, 1)},
		[]scoring.Moment{moment("joy", 0, 0, 0.9), moment("anger", 0, 0, 0.7), moment("none", 0, 0, 0.2), moment("fear", 0, 0, 1)})
	if len(s.Marks) != 2 || s.Marks[0].Said != s.Marks[0].Truth || s.Marks[1].Truth != -1 || s.Marks[1].Said != 1 || !same(float64(s.Confidence), 0.7) {
		t.Errorf("%+v", s)
	}
	f := scoring.Compute(scoring.Sheet{Task: scoring.Labels, Classes: feelings, Scores: []scoring.Score{s}}, noDraws)
	got := values(f)
	if want := -(math.Log(0.9) + math.Log(0.3) + math.Log(0.8)) / 3; !same(got("log_loss"), want) || !same(got("macro_f1"), 0.5) || !same(got("micro_f1"), 2.0/3) || got("accuracy") != 0 {
		t.Errorf("log loss %v, want %v; %+v", got("log_loss"), want, f.Measures)
	}
}

func TestScoreSpans(t *testing.T) {
	t.Parallel()
	truth := []scoring.Moment{moment("joy", 0, 4, 1), moment("anger", 10, 12, 1), moment("joy", 20, 21, 1)}
	said := []scoring.Moment{
		moment("joy", 1, 4, 0.6),     // right
		moment("joy", 0, 4, 0.5),     // right too, but less sure: found already
		moment("joy", 10, 12, 0.9),   // another class
		moment("anger", 30, 31, 0.8), // nothing there
		moment("fear", 20, 21, 1),    // no class that is looked at
	}
	s := scoring.ScoreSpans(feelings, truth, said)
	sheet := scoring.Sheet{Task: scoring.Spans, Classes: feelings, Scores: []scoring.Score{s}}
	f := scoring.Compute(sheet, noDraws)
	got := values(f)
	if f.Headline().Name != "span_f1" || !same(got("span_f1"), 2.0/7) || !same(got("micro_precision"), 0.25) || !same(got("micro_recall"), 1.0/3) {
		t.Errorf("%+v", f.Measures)
	}
	want := [][]int{{1, 0, 0, 1}, {1, 0, 0, 0}, {0, 0, 0, 0}, {1, 1, 0, 0}}
	if !slices.EqualFunc(f.Confusion.Counts, want, slices.Equal) {
		t.Errorf("%v", f.Confusion.Counts)
	}
	if list := scoring.Mistakes(sheet, 10); len(list) != 4 || list[0].Kind != scoring.FalseNegative || list[1].Kind != scoring.WrongClass || list[1].SaidAt != 2 || list[1].TruthAt != 1 {
		t.Errorf("%+v", list)
	}
}

// What is said where the truth has a class that is not looked at is false: that class hides nothing.
func TestSpansOfOtherClassesHideNothing(t *testing.T) {
	t.Parallel()
	s := scoring.ScoreSpans(feelings, []scoring.Moment{moment("fear", 0, 4, 1), moment("anger", 6, 8, 1)}, []scoring.Moment{moment("joy", 0, 4, 0.9), moment("anger", 6, 8, 0.8)})
	sheet := scoring.Sheet{Task: scoring.Spans, Classes: feelings, Scores: []scoring.Score{s}}
	if list := scoring.Mistakes(sheet, 10); len(list) != 1 || list[0].Kind != scoring.FalsePositive || list[0].SaidAt != 0 {
		t.Errorf("%+v", list)
	}
	if got := values(scoring.Compute(sheet, noDraws)); !same(got("micro_precision"), 0.5) || got("micro_recall") != 1 {
		t.Errorf("precision %v, recall %v", got("micro_precision"), got("micro_recall"))
	}
}

func TestBoxesThatAreTakenForAnother(t *testing.T) {
	t.Parallel()
	at := func(class string, x, score float64) scoring.Box {
		return scoring.Box{Class: class, X: x, Y: 0, W: 10, H: 10, Score: score}
	}
	s := scoring.ScoreDetection(scoring.NewMatcher(feelings), []scoring.Box{at("joy", 0, 0), at("joy", 50, 0), at("anger", 100, 0)},
		[]scoring.Box{at("joy", 1, 0.9), at("anger", 51, 0.8), at("anger", 100, 0.7), at("joy", 200, 0.6), at("joy", 50, 0.01)})
	sheet := scoring.Sheet{Task: scoring.Detection, Classes: feelings, Scores: []scoring.Score{s}}
	f := scoring.Compute(sheet, noDraws)
	// Four detections, three of them right, is the best there is; with the unsure one the box at 50 would be found.
	if *f.Threshold != 0.01 {
		t.Fatalf("%v", *f.Threshold)
	}
	sheet.Scores[0].Image.Found = slices.DeleteFunc(sheet.Scores[0].Image.Found, func(b metrics.MatchedBox) bool { return b.Score == 0.01 })
	f = scoring.Compute(sheet, noDraws)
	want := [][]int{{1, 1, 0, 0}, {0, 1, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}
	if *f.Threshold != 0.7 || !slices.EqualFunc(f.Confusion.Counts, want, slices.Equal) {
		t.Errorf("%v: %v", *f.Threshold, f.Confusion.Counts)
	}
	if list := scoring.Mistakes(sheet, 10); len(list) != 1 || list[0].Kind != scoring.WrongClass || list[0].TruthAt != 1 || list[0].SaidAt != 1 || !same(list[0].Size, 0.8) {
		t.Errorf("%+v", list)
	}
}

func TestSlices(t *testing.T) {
	t.Parallel()
	sheet := spoken(rand.New(rand.NewPCG(1, 2)), 60)
	for i := range sheet.Scores {
		s := &sheet.Scores[i]
		s.Confidence, s.Length, s.Source = float32(i%37)/37, float32(i%9), int64(i%2)
	}
	f := scoring.Compute(sheet, scoring.Options{Draws: 50})
	items, names := map[string]int{}, map[string][]string{}
	for _, p := range f.Slices {
		items[p.By] += p.Items
		names[p.By] = append(names[p.By], p.Name)
		if p.Measures[0].Name != "wer" || p.Measures[0].Low == nil || *p.Measures[0].Low > *p.Measures[0].Value || p.Measures[0].Items != p.Items {
			t.Errorf("%+v", p)
		}
	}
	for _, by := range []string{scoring.ByConfidence, scoring.ByLength, scoring.BySource} {
		if items[by] != f.Items {
			t.Errorf("%s: %d of %d items", by, items[by], f.Items)
		}
	}
	if len(names[scoring.ByConfidence]) != 10 || !slices.Equal(names[scoring.ByLength], []string{"0-1", "1-2", "2-5", "5-10"}) || !slices.Equal(names[scoring.BySource], []string{"0", "1"}) {
		t.Errorf("%v", names)
	}
	if f.Calibration == nil || f.Calibration.Units != f.Items {
		t.Errorf("%+v", f.Calibration)
	}
}

// An utterance is in the slice of each class that is true of it. Worked out by hand.
func TestSlicesByClass(t *testing.T) {
	t.Parallel()
	classes := []string{"joy", "anger", "fear"}
	said := func(hits, substitutions, insertions int32, moments ...scoring.Moment) scoring.Score {
		s := scoring.Failure()
		s.Failed, s.Words = false, scoring.Words{Hits: hits, Substitutions: substitutions, Insertions: insertions}
		s.Marks = scoring.TruthMarks(classes, moments)
		return s
	}
	joy, anger := moment("joy", 0, 4, 1), moment("anger", 6, 8, 1)
	type slice struct {
		items int
		value float64
	}
	for task, c := range map[scoring.Task]struct {
		scores []scoring.Score
		want   map[string]slice
	}{
		scoring.Speech: {
			[]scoring.Score{said(4, 1, 0, joy), said(3, 2, 0, anger, joy), said(10, 0, 0), said(1, 1, 1, anger, moment("anger", 9, 10, 1)), scoring.Failure()},
			map[string]slice{"joy": {2, 3.0 / 10}, "anger": {2, 4.0 / 7}},
		},
		scoring.Label: {
			[]scoring.Score{
				scoring.ScoreLabel(classes, []scoring.Moment{joy, anger}, []scoring.Moment{joy}), scoring.ScoreLabel(classes, []scoring.Moment{anger}, []scoring.Moment{joy}),
				scoring.ScoreLabel(classes, []scoring.Moment{anger}, []scoring.Moment{anger}),
			},
			map[string]slice{"joy": {1, 1}, "anger": {2, (0 + 2.0/3) / 2}},
		},
		scoring.Labels: {
			[]scoring.Score{
				scoring.ScoreLabels(classes, []scoring.Moment{joy}, []scoring.Moment{joy, anger}), scoring.ScoreLabels(classes, []scoring.Moment{joy, anger}, []scoring.Moment{anger}),
				scoring.ScoreLabels(classes, nil, []scoring.Moment{joy}),
			},
			map[string]slice{"joy": {2, 2.0 / 3}, "anger": {1, 0.5}},
		},
		scoring.Spans: {
			[]scoring.Score{
				scoring.ScoreSpans(classes, []scoring.Moment{joy, moment("joy", 10, 12, 1)}, []scoring.Moment{joy}), scoring.ScoreSpans(classes, []scoring.Moment{anger}, []scoring.Moment{joy}),
				scoring.ScoreSpans(classes, nil, nil),
			},
			map[string]slice{"joy": {1, 2.0 / 3}, "anger": {1, 0}},
		},
	} {
		sheet := scoring.Sheet{Task: task, Classes: classes, Scores: c.scores}
		for i := range sheet.Scores {
			sheet.Scores[i].Position, sheet.Scores[i].Group = i, int64(i)
		}
		got := map[string]slice{}
		for _, p := range scoring.Compute(kept(t, sheet), scoring.Options{Draws: 10}).Slices {
			if p.By == scoring.ByClass {
				got[p.Name] = slice{p.Items, *p.Measures[0].Value}
			}
		}
		for name, want := range c.want {
			if one := got[name]; one.items != want.items || !same(one.value, want.value) {
				t.Errorf("%s, %s: %+v, want %+v", task, name, one, want)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v", task, got)
		}
	}
}

// The figures of a part are those of a sheet with its lines alone; intervals hold their values; a sheet does not differ from itself.
func TestFigureProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		sheet := someSheet(r, rapid.SampledFrom(tasks).Draw(r, "task"))
		f := scoring.Compute(sheet, scoring.Options{Draws: 30})
		if f.Items+f.Failed != len(sheet.Scores) {
			r.Fatalf("%d and %d of %d", f.Items, f.Failed, len(sheet.Scores))
		}
		for _, m := range f.Measures {
			if m.Value != nil && (*m.Value < 0 || *m.Value > 1 && m.HigherIsBetter) {
				r.Fatalf("%s", text(t, m))
			}
		}
		for _, p := range f.Slices {
			if p.By != scoring.BySource {
				continue
			}
			alone := scoring.Compute(scoring.On(sheet, func(position int) bool {
				i := slices.IndexFunc(sheet.Scores, func(s scoring.Score) bool { return s.Position == position })
				return p.Name == map[int64]string{0: "0", 1: "1", 2: "2"}[sheet.Scores[i].Source]
			}), noDraws)
			if alone.Items != p.Items || text(t, alone.Headline().Value) != text(t, p.Measures[0].Value) {
				r.Fatalf("%s: %s, alone %s", p.Name, text(t, p), text(t, alone.Headline()))
			}
		}
		d := scoring.Compare(sheet, sheet, scoring.Options{Draws: 30})
		if d.Gained+d.Lost+len(d.Moves) > 0 || d.Items != f.Items {
			r.Fatalf("%+v", d)
		}
		for _, c := range d.Measures {
			if c.Value != nil && (*c.Value != 0 || c.P != nil && *c.P != 1) {
				r.Fatalf("%s", text(t, c))
			}
		}
	})
}

// Two versions of a dataset have the same items at other places, and other classes.
func TestCompareVersions(t *testing.T) {
	t.Parallel()
	before := labelSheet(3, []int{0, 1, 2, 1, 0}, []int{0, 1, 1, 1, 1})
	after := labelSheet(2, []int{1, 0, 1, 0}, []int{1, 1, 1, 0})
	after.Classes = []string{"1", "0"} // the numbers stand for other names
	for i := range after.Scores {
		m := &after.Scores[i].Marks[0]
		m.Truth, m.Said = 1-m.Truth, 1-m.Said
		after.Scores[i].Position = 10 * i
	}
	// 1 is still right, 0 at the place 10 is new, 1 is still right, and 0 became right.
	d := scoring.ComparePairs(after, before, [][2]int{{0, 1}, {20, 3}, {30, 4}, {99, 0}}, scoring.Options{})
	if d.Items != 3 || d.Gained != 1 || d.Lost != 0 || d.Moves[0] != (scoring.Move{Position: 30, Change: 1}) {
		t.Errorf("%+v", d)
	}
	if c := d.Headline(); c.Name != "macro_f1" || *c.To != 1 || !same(*c.From, 0.4) {
		t.Errorf("%s", text(t, c))
	}
	if d := scoring.Compare(after, scoring.Sheet{Task: scoring.Speech}, scoring.Options{}); d.Items != 0 || len(d.Measures) != 0 {
		t.Errorf("two tasks: %+v", d)
	}
}

func TestNormalizersDiffer(t *testing.T) {
	t.Parallel()
	for normalizer, errors := range map[string]int{"as-is-1": 3, "basic-1": 1, "lenient-1": 0} {
		if s := scoring.ScoreSpeech(scoring.WordScorer(normalizer), "Well, yes.", "well um yes"); s.Words.Errors() != errors {
			t.Errorf("%s: %+v", normalizer, s.Words)
		}
	}
	if scoring.WordScorer("").Normalizer.Name != speech.DefaultNormalizer {
		t.Error("another normalizer is the default")
	}
}

// Who tells moods apart is no better or worse than who finds questions; a class more is no other question.
func TestOnlyWhatMeasuresTheSameIsCompared(t *testing.T) {
	t.Parallel()
	of := func(task scoring.Task, classes ...string) scoring.Sheet {
		return scoring.Sheet{Task: task, Classes: classes, Scores: []scoring.Score{{Failed: true}}}
	}
	for _, tt := range []struct {
		name string
		a, b scoring.Sheet
		want bool
	}{
		{"moods", of(scoring.Label, "good", "bad", "none"), of(scoring.Label, "good", "bad", "none"), true},
		{"a mood more", of(scoring.Label, "good", "bad", "mixed", "none"), of(scoring.Label, "good", "bad", "none"), true},
		{"moods and questions", of(scoring.Label, "good", "bad", "none"), of(scoring.Label, "question", "none"), false},
		{"spans of others", of(scoring.Spans, "good"), of(scoring.Spans, "question"), false},
		{"words, marked otherwise", of(scoring.Speech, "good"), of(scoring.Speech, "question"), true},
		{"label and labels", of(scoring.Label, "good", "none"), of(scoring.Labels, "good"), false},
	} {
		if d := scoring.Compare(tt.a, tt.b, noDraws); (len(d.Measures) > 0) != tt.want {
			t.Errorf("%s: %d measures", tt.name, len(d.Measures))
		}
	}
}
