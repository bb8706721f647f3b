package attribution

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
)

// leaning makes lines on which the first model errs in 20 of 100 words and the other in 25, lines that are seen in half as many again of
// both, since easier ones are chosen for that or harder ones; and on seen lines as much less for the first as bias says.
func leaning(dice *rand.Rand, seen, blind int, bias float64) (lines []Line) {
	for i := range seen + blind {
		l := Line{Group: int64(i / 3), Seen: i < seen, Words: float64(4 + dice.IntN(20))}
		mine, others := 0.20, 0.25
		if l.Seen {
			mine, others = 0.30-bias, 0.35
		}
		for range int(l.Words) {
			if dice.Float64() < mine {
				l.Errors++
			}
			if dice.Float64() < others {
				l.OthersErrors++
			}
		}
		lines = append(lines, l)
	}
	return lines
}

// The interval holds what was put in about as often as it says, and what makes the seen lines hard is not taken for bias.
func TestBiasIsFoundAsOftenAsItSays(t *testing.T) {
	t.Parallel()
	const runs = 120
	for _, planted := range []float64{0, 0.05} {
		held, sum := 0, 0.0
		for i := range runs {
			b := ReferenceBias(leaning(rand.New(rand.NewPCG(uint64(i), 5)), 300, 200, planted), 0.02)
			if b.Value == nil {
				t.Fatalf("nothing was estimated: %+v", b)
			}
			sum += *b.Value
			if *b.Low <= planted && planted <= *b.High {
				held++
			}
		}
		if mean := sum / runs; math.Abs(mean-planted) > 0.006 {
			t.Errorf("planted %v, found %v on the mean", planted, mean)
		}
		if share := float64(held) / runs; share < 0.88 {
			t.Errorf("planted %v: the interval holds it in %v of the runs", planted, share)
		}
	}
}

func TestBiasNeedsBlindLines(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(3, 4))
	few := ReferenceBias(leaning(dice, 300, 5, 0.05), 0.02)
	if few.Value != nil || few.Lacks != FewBlind || few.Needed < 100 || few.Needed > 5000 {
		t.Fatalf("%+v", few)
	}
	if none := ReferenceBias(leaning(dice, 3, 400, 0), 0.02); none.Value != nil || none.Lacks != FewSeen {
		t.Errorf("%+v", none)
	}
	// With so many as are asked for, the interval is as narrow as was aimed at, or near to it.
	wide := ReferenceBias(leaning(dice, 2000, 40, 0.05), 0.02)
	if wide.Needed <= 40 {
		t.Fatalf("%+v", wide)
	}
	enough := ReferenceBias(leaning(dice, 2000, wide.Needed, 0.05), 0.02)
	if half := (*enough.High - *enough.Low) / 2; half > 0.026 {
		t.Errorf("%d blind lines leave ±%v", wide.Needed, half)
	}
	if !enough.Real() || *enough.OnFigure <= 0 || *enough.OnFigure >= *enough.Value {
		t.Errorf("%+v", enough)
	}
}

func TestSameLinesSameEstimate(t *testing.T) {
	t.Parallel()
	lines := leaning(rand.New(rand.NewPCG(8, 9)), 100, 100, 0.05)
	a, b := ReferenceBias(lines, 0.02), ReferenceBias(lines, 0.02)
	if *a.Low != *b.Low || *a.High != *b.High || *a.Value != *b.Value {
		t.Errorf("%v and %v", *a.Value, *b.Value)
	}
	if empty := ReferenceBias(nil, 0.02); empty.Lacks != FewBlind || empty.Needed != fewestLines {
		t.Errorf("%+v", empty)
	}
}

// Lines in which nothing is said have no word error rate, however many they are.
func TestBiasOfSilence(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]func(Line) bool{
		"seen": func(l Line) bool { return l.Seen }, "blind": func(l Line) bool { return !l.Seen }, "all": func(Line) bool { return true },
	} {
		lines := leaning(rand.New(rand.NewPCG(7, 8)), 60, 60, 0.05)
		for i := range lines {
			if silent(lines[i]) {
				lines[i].Words, lines[i].Errors, lines[i].OthersErrors = 0, 0, 0
			}
		}
		b := ReferenceBias(lines, 0.02)
		if text, err := json.Marshal(b); err != nil || b.Value != nil || b.Lacks == "" {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}
