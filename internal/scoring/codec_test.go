package scoring_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"fiducial/internal/scoring"
)

var tasks = []scoring.Task{scoring.Speech, scoring.Label, scoring.Labels, scoring.Spans, scoring.Detection}

// someSheet draws lines of any content, some of them failed, in few groups.
func someSheet(t *rapid.T, task scoring.Task) scoring.Sheet {
	sheet := scoring.Sheet{Task: task}
	if task != scoring.Speech || rapid.Bool().Draw(t, "moments are known") {
		sheet.Classes = []string{"joy", "anger", "none"}
	}
	matcher, scorer := scoring.NewMatcher(sheet.Classes), scoring.WordScorer("")
	position := -1
	for range rapid.IntRange(0, 12).Draw(t, "lines") {
		position += rapid.SampledFrom([]int{1, 2, 4000}).Draw(t, "step")
		var s scoring.Score
		switch {
		case rapid.IntRange(0, 9).Draw(t, "failed") == 0:
			s = scoring.Failure()
		case task == scoring.Speech:
			text := rapid.StringMatching(`([abc] ){0,6}`)
			s = scoring.ScoreSpeech(scorer, text.Draw(t, "reference"), text.Draw(t, "hypothesis"))
			s.Confidence = rapid.Float32Range(0, 1).Draw(t, "confidence")
			s.Marks = scoring.TruthMarks(sheet.Classes, someMoments(t))
		case task == scoring.Label:
			s = scoring.ScoreLabel(sheet.Classes, someMoments(t), someMoments(t))
		case task == scoring.Labels:
			s = scoring.ScoreLabels(sheet.Classes, someMoments(t), someMoments(t))
		case task == scoring.Spans:
			s = scoring.ScoreSpans(sheet.Classes, someMoments(t), someMoments(t))
		default:
			s = scoring.ScoreDetection(matcher, someBoxes(t), someBoxes(t))
		}
		s.Position, s.Group, s.Source = position, rapid.Int64Range(-3, 3).Draw(t, "group"), rapid.Int64Range(0, 2).Draw(t, "source")
		s.Length = rapid.SampledFrom([]float32{float32(math.NaN()), 0, 0.5, 3, 70}).Draw(t, "length")
		sheet.Scores = append(sheet.Scores, s)
	}
	return sheet
}

func someMoments(t *rapid.T) (list []scoring.Moment) {
	for range rapid.IntRange(0, 4).Draw(t, "moments") {
		begin := rapid.Float64Range(0, 5).Draw(t, "begin")
		list = append(list, scoring.Moment{
			Class: rapid.SampledFrom([]string{"joy", "anger", "other"}).Draw(t, "class"), Begin: begin,
			End:        begin + rapid.Float64Range(0.1, 3).Draw(t, "time"),
			Confidence: rapid.SampledFrom([]float64{math.NaN(), 0, 0.3, 0.7, 0.7, 1}).Draw(t, "sure"),
		})
	}
	return list
}

func someBoxes(t *rapid.T) (list []scoring.Box) {
	side := rapid.Float64Range(1, 50)
	for range rapid.IntRange(0, 6).Draw(t, "boxes") {
		list = append(list, scoring.Box{
			Class: rapid.SampledFrom([]string{"joy", "anger", "none", "other"}).Draw(t, "class"),
			X:     side.Draw(t, "x"), Y: side.Draw(t, "y"), W: side.Draw(t, "w"), H: side.Draw(t, "h"),
			Crowd: rapid.IntRange(0, 5).Draw(t, "crowd") == 0, Score: float64(rapid.IntRange(0, 9).Draw(t, "score")) / 9,
		})
	}
	return list
}

// What is kept is what was scored, and its figures are the same to the last digit.
func TestKeptScoresGiveTheSameFigures(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		sheet := someSheet(r, rapid.SampledFrom(tasks).Draw(r, "task"))
		again := kept(t, sheet)
		if diff := gocmp.Diff(sheet, again, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
			r.Fatal(diff)
		}
		o := scoring.Options{Draws: 20, Seed: 7}
		if first, second := text(t, scoring.Compute(sheet, o)), text(t, scoring.Compute(again, o)); first != second {
			r.Fatalf("%s\n%s", first, second)
		}
		if first, second := text(t, scoring.Compare(sheet, sheet, o)), text(t, scoring.Compare(again, sheet, o)); first != second {
			r.Fatalf("%s\n%s", first, second)
		}
		if first, second := scoring.Mistakes(sheet, 5), scoring.Mistakes(again, 5); !slices.Equal(first, second) {
			r.Fatalf("%v\n%v", first, second)
		}
	})
}

func text(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestALineIsTakenOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		sheet := someSheet(r, rapid.SampledFrom(tasks).Draw(r, "task"))
		if len(sheet.Scores) == 0 {
			return
		}
		gone := sheet.Scores[rapid.IntRange(0, len(sheet.Scores)-1).Draw(r, "line")].Position
		blocks, err := scoring.Encode(sheet)
		if err != nil {
			r.Fatal(err)
		}
		at := scoring.BlockOf(gone)
		if blocks[at], err = scoring.Without(blocks[at], gone); err != nil {
			r.Fatal(err)
		}
		left, err := scoring.Decode(blocks)
		if err != nil {
			r.Fatal(err)
		}
		want := scoring.On(sheet, func(position int) bool { return position != gone })
		if diff := gocmp.Diff(want, left, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
			r.Fatal(diff)
		}
	})
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for name, sheet := range map[string]scoring.Sheet{
		"no task":                 {Task: "song"},
		"a line twice":            {Task: scoring.Speech, Scores: []scoring.Score{{Position: 1}, {Position: 1}}},
		"lines in a wrong order":  {Task: scoring.Speech, Scores: []scoring.Score{{Position: 2}, {Position: 1}}},
		"a line before the first": {Task: scoring.Speech, Scores: []scoring.Score{{Position: -1}}},
	} {
		if _, err := scoring.Encode(sheet); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	encode := func(sheet scoring.Sheet) [][]byte {
		blocks, err := scoring.Encode(sheet)
		if err != nil {
			t.Fatal(err)
		}
		return blocks
	}
	speech := encode(scoring.Sheet{Task: scoring.Speech, Scores: []scoring.Score{{Position: 5}}})
	for name, blocks := range map[string][][]byte{
		"nothing":                   {{}},
		"no compression":            {[]byte("words")},
		"a torn block":              {speech[0][:len(speech[0])-3]},
		"the same again":            {speech[0], speech[0]},
		"two tasks":                 {speech[0], encode(scoring.Sheet{Task: scoring.Labels})[0]},
		"a class too few":           encode(scoring.Sheet{Task: scoring.Spans, Scores: []scoring.Score{{Marks: []scoring.Mark{{Truth: 3}}}}}),
		"a label that is not there": encode(scoring.Sheet{Task: scoring.Label, Classes: []string{"none"}, Scores: []scoring.Score{{}}}),
	} {
		if sheet, err := scoring.Decode(blocks); err == nil {
			t.Errorf("%s: %+v", name, sheet)
		}
	}
}

// FuzzDecode has damaged blocks refused, or read as scores that figures can be computed of and that are kept as they are.
func FuzzDecode(f *testing.F) {
	for _, task := range tasks {
		sheet := rapid.Custom(func(t *rapid.T) scoring.Sheet { return someSheet(t, task) })
		for seed := range 4 {
			blocks, err := scoring.Encode(sheet.Example(seed))
			if err != nil {
				f.Fatal(err)
			}
			for _, block := range blocks {
				f.Add(block)
			}
		}
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		sheet, err := scoring.Decode([][]byte{block})
		if err != nil {
			return
		}
		scoring.Compute(sheet, scoring.Options{Draws: 2})
		scoring.Compare(sheet, sheet, scoring.Options{Draws: 2})
		scoring.Mistakes(sheet, 3)
		if len(sheet.Scores) > 0 && sheet.Scores[len(sheet.Scores)-1].Position > 1<<24 {
			return // as many blocks as lie before it
		}
		if diff := gocmp.Diff(sheet, kept(t, sheet), cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
			t.Fatal(diff)
		}
	})
}
