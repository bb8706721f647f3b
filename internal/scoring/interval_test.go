package scoring_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"fiducial/internal/metrics"
	"fiducial/internal/scoring"
)

// world makes samples of groups, and knows what a measure is over all groups that there could be.
type world struct {
	name   string
	groups int
	trials int
	sample func(random *rand.Rand, groups int) scoring.Sheet
	truth  float64 // NaN: that of a sample of very many groups
	many   int
}

// spoken has groups of 2 to 8 utterances of 3 to 12 words; each word of a group is wrong with the group's own chance, 0.2 on average.
func spoken(random *rand.Rand, groups int) scoring.Sheet {
	sheet := scoring.Sheet{Task: scoring.Speech}
	for g := range groups {
		chance := 0.05 + 0.3*random.Float64()
		for range 2 + random.IntN(7) {
			s := scoring.Failure()
			s.Failed, s.Position, s.Group = false, len(sheet.Scores), int64(g)
			for range 3 + random.IntN(10) {
				if random.Float64() < chance {
					s.Words.Substitutions++
				} else {
					s.Words.Hits++
				}
			}
			s.Words.Characters, s.Words.CharacterErrors = 5*int32(s.Words.Reference()), 3*s.Words.Substitutions
			sheet.Scores = append(sheet.Scores, s)
		}
	}
	return sheet
}

// labeled has groups of 3 to 6 items of three classes, 60, 30 and 10 %, right with the group's own chance, 0.75 on average.
func labeled(random *rand.Rand, groups int) scoring.Sheet {
	var truth, said []int
	var of []int64
	for g := range groups {
		right := 0.6 + 0.3*random.Float64()
		for range 3 + random.IntN(4) {
			class, draw := 0, random.Float64()
			if draw > 0.6 {
				class = 1
			}
			if draw > 0.9 {
				class = 2
			}
			says := class
			if random.Float64() > right {
				says = random.IntN(3)
			}
			truth, said, of = append(truth, class), append(said, says), append(of, int64(g))
		}
	}
	sheet := labelSheet(3, truth, said)
	for i := range sheet.Scores {
		sheet.Scores[i].Group = of[i]
	}
	return sheet
}

// pictured has groups of one or two images with 1 to 8 objects of two classes, of which some are missed, found badly, or not there.
func pictured(random *rand.Rand, groups int) scoring.Sheet {
	sheet := scoring.Sheet{Task: scoring.Detection, Classes: []string{"0", "1"}}
	matcher := metrics.NewDetections(2, metrics.COCOThresholds())
	for g := range groups {
		off := 1 + 6*random.Float64()
		for range 1 + random.IntN(2) {
			var truth []metrics.TruthBox
			var found []metrics.Detection
			for k := range 1 + random.IntN(8) {
				t := metrics.TruthBox{Class: random.IntN(2), X: float64(100 * k), Y: 10, W: 40, H: 40, Area: 1600}
				truth = append(truth, t)
				if random.Float64() < 0.8 {
					found = append(found, metrics.Detection{Class: t.Class, X: t.X + off*random.NormFloat64(), Y: t.Y + off*random.NormFloat64(), W: 40, H: 40, Score: 0.3 + 0.7*random.Float64()})
				}
				if random.Float64() < 0.3 {
					found = append(found, metrics.Detection{Class: random.IntN(2), X: t.X + 60, Y: 200, W: 40, H: 40, Score: 0.8 * random.Float64()})
				}
			}
			s := scoring.Failure()
			s.Failed, s.Position, s.Group, s.Image = false, len(sheet.Scores), int64(g), matcher.Match(truth, found)
			sheet.Scores = append(sheet.Scores, s)
		}
	}
	return sheet
}

// TestIntervalsCover draws many samples of a hundred groups and more: of the intervals of 95 %, from 93 to 97 % hold what the measure is
// over all groups.
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	for _, w := range []world{
		{"words", 100, 1000, spoken, 0.2, 0},
		{"labels", 100, 600, labeled, math.NaN(), 100_000},
		{"labels of more groups", 250, 400, labeled, math.NaN(), 100_000},
		{"boxes", 120, 150, pictured, math.NaN(), 20_000},
	} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			truth := w.truth
			if math.IsNaN(truth) {
				all := w.sample(rand.New(rand.NewPCG(9, 9)), w.many)
				truth = *headline(scoring.Compute(all, noDraws)).Value
			}
			held := 0
			for trial := range w.trials {
				f := scoring.Compute(w.sample(rand.New(rand.NewPCG(uint64(trial), 5)), w.groups), scoring.Options{Draws: 800, Seed: uint64(trial)})
				if m := headline(f); *m.Low <= truth && truth <= *m.High {
					held++
				}
			}
			share := float64(held) / float64(w.trials)
			t.Logf("%.1f %% of the intervals hold %.4f", 100*share, truth)
			if share < 0.93 || share > 0.97 {
				t.Errorf("%.1f %% of the intervals hold the truth", 100*share)
			}
		})
	}
}

func headline(f scoring.Figures) scoring.Measure { return f.Headline() }

// TestDifferencesCover does the same for the difference to a baseline on the same items, and counts how often one is thought real where
// there is none.
func TestDifferencesCover(t *testing.T) {
	t.Parallel()
	const trials, groups = 1000, 100
	for name, better := range map[string]float64{"none": 0, "some": 0.04} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			held, real := 0, 0
			for trial := range trials {
				random := rand.New(rand.NewPCG(uint64(trial), 6))
				before, after := twice(random, groups, better)
				d := scoring.Compare(after, before, scoring.Options{Draws: 800, Seed: uint64(trial)})
				c := d.Headline()
				if *c.Low <= -better && -better <= *c.High {
					held++
				}
				if *c.P < 0.05 {
					real++
				}
				if clear := *c.Low > 0 || *c.High < 0; clear && *c.P > 0.055 || !clear && *c.P < 0.045 {
					t.Errorf("trial %d: from %v to %v, but p is %v", trial, *c.Low, *c.High, *c.P)
				}
			}
			t.Logf("%d of %d intervals hold the difference, %d are real", held, trials, real)
			if held < 930 || held > 970 {
				t.Errorf("%d of %d intervals hold the difference", held, trials)
			}
			if better == 0 && real > 70 || better > 0 && real < 900 {
				t.Errorf("%d of %d are thought real", real, trials)
			}
		})
	}
}

// twice are the same utterances recognized twice, the second time with fewer words wrong, by so much of all.
func twice(random *rand.Rand, groups int, better float64) (before, after scoring.Sheet) {
	before, after = scoring.Sheet{Task: scoring.Speech}, scoring.Sheet{Task: scoring.Speech}
	for g := range groups {
		chance := 0.1 + 0.2*random.Float64()
		for range 2 + random.IntN(4) {
			s, r := scoring.Failure(), scoring.Failure()
			s.Failed, r.Failed = false, false
			s.Position, r.Position = len(before.Scores), len(after.Scores)
			s.Group, r.Group = int64(g), int64(g)
			for range 4 + random.IntN(8) {
				hard := random.Float64() // both find the same words hard
				for sheet, words := range []*scoring.Words{&s.Words, &r.Words} {
					limit := chance - float64(sheet)*better
					if 0.7*hard+0.3*random.Float64() < quantileOfMix(limit) {
						words.Substitutions++
					} else {
						words.Hits++
					}
				}
			}
			before.Scores, after.Scores = append(before.Scores, s), append(after.Scores, r)
		}
	}
	return before, after
}

// quantileOfMix is below what 0.7 u + 0.3 v lies with a chance from 0.06 on, u and v being from 0 to 1.
func quantileOfMix(chance float64) float64 {
	if edge := 0.3 / 2 / 0.7; chance < edge { // the triangle at the low end
		return math.Sqrt(2 * 0.7 * 0.3 * chance)
	}
	return 0.7*chance + 0.15
}

func TestAdjust(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, c := range []struct{ ps, want []float64 }{
		{nil, nil},
		{[]float64{0.03}, []float64{0.03}},
		{[]float64{0.01, 0.04, 0.03, 0.005}, []float64{0.03, 0.06, 0.06, 0.02}}, // as R's p.adjust has it
		{[]float64{0.9, nan, 0.5, 0.5}, []float64{1, nan, 1, 1}},
		{[]float64{0.02, 0.02, 0.02}, []float64{0.06, 0.06, 0.06}},
	} {
		got := scoring.Adjust(c.ps)
		for i := range c.want {
			if math.Abs(got[i]-c.want[i]) > 1e-12 || math.IsNaN(got[i]) != math.IsNaN(c.want[i]) {
				t.Errorf("%v: %v, want %v", c.ps, got, c.want)
				break
			}
		}
	}
}

// Where one group alone has a class, the others do not say how sure its figures are, nor whether they are really better.
func TestAClassOfOneGroup(t *testing.T) {
	t.Parallel()
	sheet := scoring.Sheet{Task: scoring.Detection, Classes: []string{"pit"}}
	baseline := sheet
	matcher := metrics.NewDetections(1, metrics.COCOThresholds())
	for g := range 8 {
		var truth []metrics.TruthBox
		var found []metrics.Detection
		if g == 3 {
			truth, found = []metrics.TruthBox{{X: 10, Y: 10, W: 20, H: 20, Area: 400}}, []metrics.Detection{{X: 13, Y: 10, W: 20, H: 20, Score: 0.9}}
		}
		s := scoring.Failure()
		s.Failed, s.Position, s.Group, s.Image = false, g, int64(g+1), matcher.Match(truth, found)
		sheet.Scores = append(sheet.Scores, s)
		s.Image = matcher.Match(truth, nil)
		baseline.Scores = append(baseline.Scores, s)
	}
	if m := headline(scoring.Compute(sheet, scoring.Options{})); m.Value == nil || *m.Value <= 0 || *m.Value >= 1 || m.Low != nil || m.High != nil {
		t.Errorf("its figure: %s", text(t, m))
	}
	if m := scoring.Compare(sheet, baseline, scoring.Options{}).Measures[0]; m.Value == nil || *m.Value <= 0 || m.Low != nil || m.High != nil || m.P != nil {
		t.Errorf("its difference: %s", text(t, m))
	}
}

func TestFewGroups(t *testing.T) {
	t.Parallel()
	perfect := labelSheet(2, make([]int, 20), make([]int, 20))
	if m := headline(scoring.Compute(perfect, scoring.Options{})); *m.Value != 1 || *m.High != 1 || math.Abs(*m.Low-math.Pow(0.025, 1.0/20)) > 1e-12 {
		t.Errorf("all of 20 right: %s", text(t, m))
	}
	for i := range perfect.Scores {
		perfect.Scores[i].Group = 1
	}
	if m := headline(scoring.Compute(perfect, scoring.Options{})); *m.Value != 1 || m.Low != nil || m.High != nil {
		t.Errorf("one group says nothing of others: %s", text(t, m))
	}
	if f := scoring.Compute(scoring.Sheet{Task: scoring.Speech, Scores: []scoring.Score{scoring.Failure()}}, scoring.Options{}); f.Failed != 1 || f.Items != 0 || headline(f).Value != nil {
		t.Errorf("nothing but failures: %s", text(t, f))
	}
	if fmt.Sprint(scoring.Adjust(nil)) != "[]" {
		t.Error("no comparisons")
	}
}
