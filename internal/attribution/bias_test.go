package attribution_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"fiducial/internal/attribution"
	"fiducial/internal/scoring"
)

// leaning makes lines on which the first model errs in 20 of 100 words or labels and the other in 25; those that are seen have half as many
// again of both, since easier ones are chosen for that or harder ones, and as much less for the first as bias says.
func leaning(task scoring.Task, dice *rand.Rand, seen, blind int, bias float64) attribution.Sides {
	sides := attribution.Sides{Own: scoring.Sheet{Task: task}, Others: scoring.Sheet{Task: task}, Seen: func(position int) bool { return position < seen }}
	if task == scoring.Label {
		sides.Own.Classes = []string{"joy", "none"}
		sides.Others.Classes = sides.Own.Classes
	}
	for i := range seen + blind {
		mine, others := 0.20, 0.25
		if i < seen {
			mine, others = 0.30-bias, 0.35
		}
		units, truth := 4+dice.IntN(20), int32(dice.IntN(2))
		for sheet, chance := range map[*scoring.Sheet]float64{&sides.Own: mine, &sides.Others: others} {
			s := scoring.Failure()
			s.Failed, s.Position, s.Group = false, i, int64(i/3)
			own := rand.New(rand.NewPCG(uint64(i), math.Float64bits(chance)+uint64(units)))
			if task == scoring.Label {
				s.Marks = []scoring.Mark{{Truth: truth, Said: truth, TruthAt: -1, SaidAt: -1}}
				if own.Float64() < chance {
					s.Marks[0].Said = 1 - truth
				}
			}
			for range units {
				if own.Float64() < chance {
					s.Words.Substitutions++
				} else {
					s.Words.Hits++
				}
			}
			sheet.Scores = append(sheet.Scores, s)
		}
	}
	return sides
}

var drawn = scoring.Options{Draws: 400}

// The interval holds what was put in about as often as it says, and what makes the seen lines hard is not taken for bias.
func TestBiasIsFoundAsOftenAsItSays(t *testing.T) {
	t.Parallel()
	const runs = 120
	for _, c := range []struct {
		task        scoring.Task
		measure     string
		seen, blind int
		near        float64
	}{{scoring.Speech, "wer", 300, 200, 0.006}, {scoring.Label, "macro_f1", 500, 400, 0.015}} {
		for _, planted := range []float64{0, 0.05} {
			held, sum := 0, 0.0
			for i := range runs {
				b := attribution.ReferenceBias(leaning(c.task, rand.New(rand.NewPCG(uint64(i), 5)), c.seen, c.blind, planted), 0.02, drawn)
				if b.Value == nil || b.Measure != c.measure {
					t.Fatalf("nothing was estimated: %+v", b)
				}
				sum += *b.Value
				if *b.Low <= planted && planted <= *b.High {
					held++
				}
			}
			mean, share := sum/runs, float64(held)/runs
			t.Logf("%s, planted %v: %v on the mean, held by %v", c.task, planted, mean, share)
			if math.Abs(mean-planted) > c.near {
				t.Errorf("%s: planted %v, found %v on the mean", c.task, planted, mean)
			}
			if share < 0.88 {
				t.Errorf("%s: planted %v: the interval holds it in %v of the runs", c.task, planted, share)
			}
		}
	}
}

func TestBiasNeedsBlindLines(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(3, 4))
	estimate := func(task scoring.Task, seen, blind int, planted float64) attribution.Bias {
		return attribution.ReferenceBias(leaning(task, dice, seen, blind, planted), 0.02, drawn)
	}
	few := estimate(scoring.Speech, 300, 5, 0.05)
	if few.Value != nil || few.Lacks != attribution.FewBlind || few.Needed < 100 || few.Needed > 5000 {
		t.Fatalf("%+v", few)
	}
	// A label tells less than the words of an utterance: it takes more of them.
	if labels := estimate(scoring.Label, 300, 5, 0.05); labels.Value != nil || labels.Lacks != attribution.FewBlind || labels.Needed <= few.Needed {
		t.Errorf("%+v", labels)
	}
	if none := estimate(scoring.Speech, 3, 400, 0); none.Value != nil || none.Lacks != attribution.FewSeen {
		t.Errorf("%+v", none)
	}
	// With so many as are asked for, the interval is as narrow as was aimed at, or near to it.
	wide := estimate(scoring.Speech, 2000, 40, 0.05)
	if wide.Needed <= 40 {
		t.Fatalf("%+v", wide)
	}
	// Where the others are what leaves it wide, more blind lines would not help.
	if settled := estimate(scoring.Speech, 40, 2000, 0.05); settled.Needed != 0 || (*settled.High-*settled.Low)/2 < 0.02 {
		t.Errorf("%+v", settled)
	}
	enough := estimate(scoring.Speech, 2000, wide.Needed, 0.05)
	if half := (*enough.High - *enough.Low) / 2; half > 0.026 {
		t.Errorf("%d blind lines leave ±%v", wide.Needed, half)
	}
	if !enough.Real() || *enough.OnFigure <= 0 || *enough.OnFigure >= *enough.Value {
		t.Errorf("%+v", enough)
	}
}

func TestSameLinesSameEstimate(t *testing.T) {
	t.Parallel()
	lines := leaning(scoring.Speech, rand.New(rand.NewPCG(8, 9)), 100, 100, 0.05)
	a, b := attribution.ReferenceBias(lines, 0.02, drawn), attribution.ReferenceBias(lines, 0.02, drawn)
	if *a.Low != *b.Low || *a.High != *b.High || *a.Value != *b.Value {
		t.Errorf("%v and %v", *a.Value, *b.Value)
	}
	none := attribution.Sides{Seen: func(int) bool { return false }}
	if empty := attribution.ReferenceBias(none, 0.02, drawn); empty.Lacks != attribution.FewBlind || empty.Needed != 30 {
		t.Errorf("%+v", empty)
	}
}

// Two labels worked out by hand: on seen lines the model has all right and the other half, on blind ones both have half.
func TestBiasOfLabels(t *testing.T) {
	t.Parallel()
	const lines = 120
	for task, measure := range map[scoring.Task]string{scoring.Label: "macro_f1", scoring.Labels: "macro_f1", scoring.Spans: "span_f1"} {
		sides := attribution.Sides{Seen: func(position int) bool { return position < lines/2 }}
		for at, sheet := range []*scoring.Sheet{&sides.Own, &sides.Others} {
			sheet.Task, sheet.Classes = task, []string{"joy", "anger"}
			for i := range lines {
				s := scoring.Failure()
				truth := int32(i / 2 % 2)
				s.Failed, s.Position, s.Group, s.Marks = false, i, int64(i/4), []scoring.Mark{{Truth: truth, Said: truth}}
				if i%2 == 0 && (at == 1 || i >= lines/2) {
					s.Marks[0].Said = 1 - truth
				}
				sheet.Scores = append(sheet.Scores, s)
			}
		}
		b := attribution.ReferenceBias(sides, 0.02, drawn)
		if b.Measure != measure || b.Seen != lines/2 || b.Blind != lines/2 || b.Value == nil || math.Abs(*b.Value-0.5) > 1e-12 || math.Abs(*b.OnFigure-0.25) > 1e-12 || !b.Real() {
			t.Errorf("%s: %+v", task, b)
		}
	}
}

// Lines in which nothing is said have no word error rate, however many they are.
func TestBiasOfSilence(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]func(seen bool) bool{
		"seen": func(seen bool) bool { return seen }, "blind": func(seen bool) bool { return !seen }, "all": func(bool) bool { return true },
	} {
		lines := leaning(scoring.Speech, rand.New(rand.NewPCG(7, 8)), 60, 60, 0.05)
		for i := range lines.Own.Scores {
			if silent(lines.Seen(i)) {
				lines.Own.Scores[i].Words, lines.Others.Scores[i].Words = scoring.Words{}, scoring.Words{}
			}
		}
		b := attribution.ReferenceBias(lines, 0.02, drawn)
		if text, err := json.Marshal(b); err != nil || b.Value != nil || b.Lacks == "" {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}
