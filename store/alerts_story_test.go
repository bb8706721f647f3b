package store_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"fiducial/internal/scoring"
	"fiducial/store"
)

const (
	callsAMonth = 250
	months      = 12
	strangeAt12 = 0.62 // the share of strange calls after a year, with which the F1 is down by a quarter
)

// A sentiment F1 falls by a quarter over a year in which the calls drift away from those that the model was made for: by little each month,
// so that no month is much below the one before. It is told in the first month in which that is real, and not before.
func TestAFallOverAYearIsToldInTheFirstMonthInWhichItIsReal(t *testing.T) {
	t.Parallel()
	o := newObservatory(t)
	newPerson(t, o.Store, "admin")
	if _, err := o.AddAlertChannel(t.Context(), store.System(), store.NewChannel{Name: "Team", Kind: store.ToWebhook, Target: "https://chat.example.org/x"}); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(2026, 1))
	truly := func(m int) float64 { return trueF1(strangeAt12 * float64(m) / months) }
	if lost := 1 - truly(months)/truly(0); lost < 0.24 || lost > 0.26 {
		t.Fatalf("the F1 falls by %.3f: that is no quarter", lost)
	}
	var sheets []scoring.Sheet
	told, real := -1, -1
	for m := range months + 1 {
		sheet := month(random, callsAMonth, strangeAt12*float64(m)/months)
		sheets = append(sheets, sheet)
		version := o.version()
		run := o.run(version)
		o.cell(run, version, o.path, sheet)
		open := o.raise(run)
		if len(open) > 0 && told < 0 {
			told = m
		}
		if m > 0 && real < 0 && truly(0)-truly(m) > 0.02 && apart(sheets[0], sheet, 0.05/float64(m*(m+1))) {
			real = m
		}
		if told >= 0 {
			alert := fallen(t, open)
			if alert.Times != m-told+1 || alert.Summary.Falls[0].Name != "calls-test@1" {
				t.Errorf("month %d: %+v", m, alert)
			}
		}
	}
	t.Logf("real in month %d, told in month %d; the F1 was down by %.3f then", real, told, truly(0)-truly(told))
	if told != real || told < 1 {
		t.Errorf("told in month %d, real in month %d", told, real)
	}
	if notices, sendings := o.told(); notices != 1 || sendings != 1 {
		t.Errorf("%d notices, %d letters: want one of each", notices, sendings)
	}
	alert := o.open()[0]
	if len(alert.Summary.Parts) == 0 || alert.Summary.Parts[0].Name != "negative" {
		t.Errorf("the worst part: %+v", alert.Summary.Parts)
	}
}

// Where nothing drifts, nothing is told, all year and for several chains' worth of luck.
func TestAYearWithoutDriftIsQuiet(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		o := newObservatory(t)
		random := rand.New(rand.NewPCG(seed, 7))
		for m := range months + 1 {
			version := o.version()
			run := o.run(version)
			o.cell(run, version, o.path, month(random, callsAMonth, 0.1))
			if open := o.raise(run); len(open) > 0 {
				t.Errorf("seed %d, month %d: %s", seed, m, open[0].Summary.Text(""))
			}
		}
	}
}

// trueF1 is the macro F1 over very many calls.
func trueF1(strange float64) float64 {
	right := [][]float64{{0.84, 0.82, 0.80}, {0.60, 0.30, 0.62}}
	var counts [3][3]float64
	for kind, share := range []float64{1 - strange, strange} {
		for truth := range 3 {
			for said := range 3 {
				if said == truth {
					counts[truth][said] += share * right[kind][truth]
				} else {
					counts[truth][said] += share * (1 - right[kind][truth]) / 2
				}
			}
		}
	}
	return macroF1(counts)
}

func macroF1(counts [3][3]float64) (f float64) {
	for k := range 3 {
		truth, said := 0.0, 0.0
		for i := range 3 {
			truth += counts[k][i]
			said += counts[i][k]
		}
		f += 2 * counts[k][k] / (truth + said) / 3
	}
	return f
}

// apart tells by a permutation test over calls, which knows nothing of intervals, whether the F1 of two months differs at a level.
func apart(a, b scoring.Sheet, level float64) bool {
	calls := slices.Concat(counted(a), counted(b))
	first := len(counted(a))
	f1 := func(of [][3][3]float64) float64 {
		var sum [3][3]float64
		for _, c := range of {
			for i := range 3 {
				for k := range 3 {
					sum[i][k] += c[i][k]
				}
			}
		}
		return macroF1(sum)
	}
	fell := func() float64 { return f1(calls[:first]) - f1(calls[first:]) }
	seen := fell()
	const draws = 20_000
	random, further := rand.New(rand.NewPCG(5, 5)), 0
	for range draws {
		random.Shuffle(len(calls), func(i, k int) { calls[i], calls[k] = calls[k], calls[i] })
		if d := fell(); d >= seen || d <= -seen {
			further++
		}
	}
	return float64(further+1)/(draws+1) < level
}

// counted is, by call, which class was said for which.
func counted(sheet scoring.Sheet) (calls [][3][3]float64) {
	for i, s := range sheet.Scores {
		if i%4 == 0 {
			calls = append(calls, [3][3]float64{})
		}
		calls[len(calls)-1][s.Marks[0].Truth][s.Marks[0].Said]++
	}
	return calls
}
