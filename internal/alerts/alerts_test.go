package alerts_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"fiducial/internal/alerts"
)

// at is an estimate of a value with that standard deviation.
func at(value, sd float64) alerts.Estimate {
	return alerts.Estimate{Value: value, Low: value - 1.96*sd, High: value + 1.96*sd}
}

func TestBetweenIsTheDifferenceOfIndependentEstimates(t *testing.T) {
	t.Parallel()
	m := alerts.Between(at(0.70, 0.03), at(0.80, 0.04), true, 0)
	if math.Abs(m.Value+0.10) > 1e-9 || math.Abs(m.Low+0.198) > 1e-3 || math.Abs(m.High+0.002) > 1e-3 || math.Abs(m.P-0.0455) > 1e-3 {
		t.Errorf("%+v", m)
	}
	for name, c := range map[string]struct {
		move  alerts.Move
		falls bool
	}{
		"clear of zero":         {m, true},
		"too little":            {alerts.Between(at(0.795, 0.001), at(0.80, 0.001), true, 0), false},
		"by chance":             {alerts.Between(at(0.75, 0.03), at(0.80, 0.04), true, 0), false},
		"better":                {alerts.Between(at(0.90, 0.01), at(0.80, 0.01), true, 0), false},
		"an error rate rises":   {alerts.Between(at(0.30, 0.01), at(0.20, 0.01), false, 0), true},
		"an error rate falls":   {alerts.Between(at(0.10, 0.01), at(0.20, 0.01), false, 0), false},
		"mostly the same items": {alerts.Between(at(0.75, 0.03), at(0.80, 0.03), true, 0.9), true},
		"nothing moves":         {alerts.Between(at(0.80, 0), at(0.80, 0), true, 0), false},
		"not defined":           {alerts.Between(at(math.NaN(), 0.1), at(0.80, 0.1), true, 0), false},
	} {
		if got := c.move.Falls(0.02); got != c.falls {
			t.Errorf("%s: %+v, %v", name, c.move, got)
		}
	}
	if alerts.InCommon(50, 100, 100) != 0.5 || alerts.InCommon(1, 0, 9) != 0 {
		t.Error("items in common")
	}
}

// p is below 0.05 just where the interval is clear of zero, whatever its shape.
func TestPFitsTheInterval(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		lopsided := func() alerts.Estimate {
			v := random.Float64()
			return alerts.Estimate{Value: v, Low: v - 0.3*random.Float64(), High: v + 0.3*random.Float64()}
		}
		m := alerts.Between(lopsided(), lopsided(), random.IntN(2) == 0, 0)
		if clear := m.Low > 0 || m.High < 0; clear != (m.P < alerts.Surely) {
			t.Fatalf("%+v", m)
		}
	}
}

// A series in which nothing moves is looked at for ten years, each month. At most one in twenty ever raises an alert.
func TestLookingAgainAndAgainRaisesFewFalseAlarms(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	const series, looks = 4000, 120
	naive, corrected := 0, 0
	for range series {
		first := at(0.8+0.02*random.NormFloat64(), 0.02)
		var once, surely bool
		for look := 1; look <= looks; look++ {
			m := alerts.Between(at(0.8+0.02*random.NormFloat64(), 0.02), first, true, 0)
			once = once || m.Falls(0)
			m.P = alerts.AtLook(m.P, look)
			surely = surely || m.Falls(0)
		}
		if once {
			naive++
		}
		if surely {
			corrected++
		}
	}
	t.Logf("false alarms in %d series of %d looks: %d uncorrected, %d corrected", series, looks, naive, corrected)
	if corrected > series/20 || naive < series/5 {
		t.Errorf("%d of %d series raised an alarm; %d without the correction", corrected, series, naive)
	}
}

func TestWhatARecognizerBreaksIsToldOnce(t *testing.T) {
	t.Parallel()
	paths := []alerts.Path{{7}, {8, 1}, {7, 1}, {7, 2}, {9, 2, 3}, {9, 2}}
	want := []int{0, 1, 0, 0, 5, 5}
	for i, under := range alerts.Fold(paths) {
		if under != want[i] {
			t.Errorf("%v goes under %v", paths[i], paths[under])
		}
	}
}

func TestASummarySaysWhatHowMuchAndWhere(t *testing.T) {
	t.Parallel()
	s := alerts.Alarm{
		Kind: alerts.Drop, Chain: "calls", Version: "calls-test@9", Models: []string{"asr@2", "sentiment@1"}, Measure: "macro_f1",
		Falls: []alerts.Worsening{
			{Against: alerts.AgainstBaseline, Name: "asr@1 → sentiment@1", From: 0.81, To: 0.7, Value: -0.11, Low: -0.15, High: -0.07, Items: 400},
			{Against: alerts.AgainstBefore, Name: "calls-test@1", From: 0.8, To: 0.7, Value: -0.1, Low: -0.14, High: -0.06, Items: 400, Looks: 8},
		},
		Parts: alerts.Worst([]alerts.WorsePart{
			{By: "class", Name: "positive", From: 0.8, To: 0.79, Items: 100},
			{By: "class", Name: "negative", From: 0.8, To: 0.5, Items: 100},
			{By: "length", Name: "30-", From: 0.9, To: 0.1, Items: 3},
			{By: "class", Name: "none", From: 0.5, To: 0.6, Items: 100},
		}, true),
		Downstream: []alerts.Hurt{{Models: []string{"asr@2", "sentiment@1", "x@1"}, Measure: "macro_f1", From: 0.8, To: 0.6}},
	}
	text := s.Text("https://label.example.org/alerts/1")
	for _, want := range []string{
		"macro F1 of asr@2 → sentiment@1 on calls-test@9 became worse: 0.810 → 0.700, and 1 behind it", "−0.110 (95 % −0.150 to −0.070, n 400)",
		"What differs is asr@2 in the place of asr@1.", "real after 8 looks", "Worst class, negative: 0.800 → 0.500 (n 100).", "Behind it: macro F1 of asr@2",
		"https://label.example.org/alerts/1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "none:") || strings.Contains(text, "30 s") || strings.Index(text, "negative") > strings.Index(text, "positive:") && strings.Contains(text, "positive:") {
		t.Errorf("parts that rose, or of few items, or in the wrong order:\n%s", text)
	}
	if body := (&alerts.Alarm{Kind: alerts.Missing, Chain: "<a&b>", Days: 7}).Told().Slack("https://x/1")["text"]; !strings.Contains(body, "&lt;a&amp;b&gt;") || !strings.Contains(body, "<https://x/1|") {
		t.Error(body)
	}
}

func TestARunIsToldInAFewLines(t *testing.T) {
	t.Parallel()
	v := func(x float64) *float64 { return &x }
	o := alerts.Outcome{Evaluation: 17, Chain: "calls", Versions: []string{"calls-test@3"}, Unanswered: 4}
	for n := range 9 {
		o.Figures = append(o.Figures, alerts.OutcomeFigure{
			Models: []string{fmt.Sprintf("asr@%d", n)}, Version: "calls-test@3", Measure: "wer", Value: v(0.2), Low: v(0.18), High: v(0.22), Items: 400,
		})
	}
	o.Figures[1].Value = nil
	o.Figures[5].Difference, o.Figures[5].Real, o.Figures[5].Better = v(-0.03), true, true
	o.Figures[7].Difference, o.Figures[7].Real = v(0.004), true
	o.Figures[8].Difference, o.Figures[8].Real, o.Figures[8].Dropped = v(0.05), true, true
	told := o.Told()
	if told.Title != "calls: evaluation 17 on calls-test@3 is done" || len(told.Sentences) != 10 {
		t.Fatalf("%+v", told)
	}
	for i, want := range []string{
		"Without an answer, and in no figure: n 4.",
		"word error rate of asr@8 on calls-test@3: 0.200 (95 % 0.180 to 0.220, n 400); +0.050 against the baseline, worse by more than the chain lets pass.",
		"word error rate of asr@7 on calls-test@3: 0.200 (95 % 0.180 to 0.220, n 400); +0.004 against the baseline, worse.",
		"word error rate of asr@5 on calls-test@3: 0.200 (95 % 0.180 to 0.220, n 400); −0.030 against the baseline, better.",
		"word error rate of asr@0 on calls-test@3: 0.200 (95 % 0.180 to 0.220, n 400).",
		"word error rate of asr@1 on calls-test@3: not defined.",
	} {
		if told.Sentences[i] != want {
			t.Errorf("%d: %s", i, told.Sentences[i])
		}
	}
	if told.Sentences[9] != "And 1 more." {
		t.Error(told.Sentences[9])
	}
	o.Fault = "Scoring failed."
	if told := o.Told(); told.Title != "calls: evaluation 17 on calls-test@3 failed" || len(told.Sentences) != 1 {
		t.Errorf("%+v", told)
	}
}
