package sampling_test

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/sampling"
)

// heard draws utterances, some with the same confidence, some with a date.
func heard(rt *rapid.T) []sampling.Utterance {
	all := make([]sampling.Utterance, rapid.IntRange(0, 80).Draw(rt, "utterances"))
	for i := range all {
		all[i] = sampling.Utterance{
			Item: int64(i + 1), Source: rapid.Int64Range(1, 3).Draw(rt, "source"), Words: int32(rapid.IntRange(0, 12).Draw(rt, "words")),
			Confidence: float32(rapid.IntRange(0, 20).Draw(rt, "confidence")) / 20, Seconds: float32(rapid.IntRange(1, 40).Draw(rt, "seconds")) / 4,
			Expires: rapid.SampledFrom([]int32{1, 10, 100, sampling.NeverExpires}).Draw(rt, "expires"),
		}
	}
	return all
}

func choice(rt *rapid.T) sampling.Choice {
	c := sampling.Choice{
		By: rapid.SampledFrom([]string{"words", "seconds"}).Draw(rt, "by"), Edges: sampling.DefaultEdges(), Method: rapid.SampledFrom(sampling.Methods()).Draw(rt, "method"),
		Below: 0.55, Share: float64(rapid.IntRange(1, 10).Draw(rt, "share")) / 10, Hours: float64(rapid.IntRange(1, 20).Draw(rt, "minutes")) / 60,
		Control: rapid.SampledFrom([]float64{0, 0.1, 1}).Draw(rt, "control"), Most: rapid.SampledFrom([]int{0, 1, 5}).Draw(rt, "most"),
		Shortest: rapid.SampledFrom([]float64{0, 2}).Draw(rt, "shortest"), Days: 30,
		Expiring: rapid.SampledFrom([]sampling.Expiring{sampling.KeepExpiring, sampling.LeaveExpiring, sampling.ExpiringFirst}).Draw(rt, "expiring"),
		Seed:     rapid.Int64().Draw(rt, "seed"),
	}
	if field, fault := c.Fault(); fault != "" {
		rt.Fatalf("%s: %s", field, fault)
	}
	return c
}

// A selection depends on the set of utterances and on the choice alone.
func TestSelectionIsRepeatable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		all, c := heard(rt), choice(rt)
		first := sampling.Select(all, c)
		again := sampling.Select(rapid.Permutation(all).Draw(rt, "order"), c)
		if !slices.Equal(first.Picks, again.Picks) || first.Capped != again.Capped || first.Expired != again.Expired {
			rt.Fatalf("another order gives another choice:\n%+v\n%+v", first, again)
		}
	})
}

// Nothing is taken twice, nothing that was to be left alone, and the sums are those of the picks.
func TestSelectionKeepsItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		all, c := heard(rt), choice(rt)
		out := sampling.Select(all, c)
		byItem := map[int64]sampling.Utterance{}
		for _, u := range all {
			byItem[u.Item] = u
		}
		seen, sources, seconds, chosen := map[int64]bool{}, map[int64]int{}, 0.0, 0
		for _, p := range out.Picks {
			u := byItem[p.Item]
			if seen[p.Item] {
				rt.Fatalf("item %d is taken twice", p.Item)
			}
			seen[p.Item] = true
			seconds += float64(u.Seconds)
			length := float64(u.Words)
			if c.By == "seconds" {
				length = float64(u.Seconds)
			}
			if length < c.Shortest || c.Expiring == sampling.LeaveExpiring && int(u.Expires) < c.Days || p.Decile < 1 || p.Decile > 10 {
				rt.Fatalf("%+v was to be left alone", u)
			}
			if !p.Control {
				chosen++
				sources[u.Source]++
				if c.Method == sampling.Below && float64(u.Confidence) >= c.Below {
					rt.Fatalf("%+v is too sure", u)
				}
				if c.Most > 0 && sources[u.Source] > c.Most {
					rt.Fatalf("more than %d of source %d", c.Most, u.Source)
				}
			}
		}
		if out.Chosen != chosen || out.Chosen+out.Control != len(out.Picks) || math.Abs(out.Seconds-seconds) > 1e-6 {
			rt.Fatalf("%d and %d of %d picks of %g seconds, counted %d and %g", out.Chosen, out.Control, len(out.Picks), out.Seconds, chosen, seconds)
		}
		if out.Items+out.Short+out.Expired != len(all) {
			rt.Fatalf("%d + %d + %d are not %d", out.Items, out.Short, out.Expired, len(all))
		}
	})
}

// Whoever is not taken is no less sure than whoever is, within their stratum, and of each stratum it is the share.
func TestLowestAreTheLeastSure(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		all := heard(rt)
		c := sampling.Choice{By: "words", Edges: sampling.DefaultEdges(), Method: sampling.Lowest, Share: 0.2, Seed: rapid.Int64().Draw(rt, "seed")}
		taken := map[int64]bool{}
		highest := map[int]float32{}
		for _, p := range sampling.Select(all, c).Picks {
			taken[p.Item] = true
			highest[p.Stratum] = max(highest[p.Stratum], p.Confidence)
		}
		sizes, numbers := map[int]int{}, map[int]int{}
		for _, u := range all {
			stratum := c.StratumOf(float64(u.Words))
			sizes[stratum]++
			if taken[u.Item] {
				numbers[stratum]++
			} else if u.Confidence < highest[stratum] {
				rt.Fatalf("%+v is less sure than %g, and not taken", u, highest[stratum])
			}
		}
		for stratum, size := range sizes {
			if want := int(math.Ceil(0.2*float64(size) - 1e-9)); numbers[stratum] != want {
				rt.Fatalf("%d of %d, want %d", numbers[stratum], size, want)
			}
		}
	})
}

// Hours are filled up to the last utterance that fits, in each stratum its part.
func TestHoursAreFilled(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		all := heard(rt)
		c := sampling.Choice{By: "words", Method: sampling.Hours, Hours: float64(rapid.IntRange(1, 120).Draw(rt, "seconds")) / 3600, Seed: 1}
		out := sampling.Select(all, c)
		slices.SortFunc(all, func(a, b sampling.Utterance) int { return cmp.Compare(a.Confidence, b.Confidence) })
		total := 0.0
		for _, u := range all {
			total += float64(u.Seconds)
		}
		budget := c.Hours * 3600
		if out.Seconds > budget+1e-6 || out.Seconds < min(budget, total)-10-1e-6 {
			rt.Fatalf("%g of %g seconds, of %g in all", out.Seconds, budget, total)
		}
	})
}

// The spread takes its share of each tenth; the control is a fair sample of all.
func TestSpreadAndControl(t *testing.T) {
	t.Parallel()
	all := make([]sampling.Utterance, 1000)
	for i := range all {
		all[i] = sampling.Utterance{Item: int64(i + 1), Source: 1, Words: 5, Seconds: 2, Confidence: float32(i) / 1000, Expires: sampling.NeverExpires}
	}
	c := sampling.Choice{By: "words", Method: sampling.Spread, Share: 0.05, Seed: 3}
	deciles := map[int]int{}
	for _, p := range sampling.Select(all, c).Picks {
		deciles[p.Decile]++
	}
	for decile := 1; decile <= 10; decile++ {
		if deciles[decile] != 5 {
			t.Errorf("%d of decile %d, want 5", deciles[decile], decile)
		}
	}
	c = sampling.Choice{By: "words", Method: sampling.Lowest, Share: 0.1, Control: 1}
	mean, n := 0.0, 0
	for seed := range int64(200) {
		c.Seed = seed
		for _, p := range sampling.Select(all, c).Picks {
			if p.Control {
				mean += float64(p.Confidence)
				n++
			}
		}
	}
	// 20,000 draws of a deviation of 0.29: five deviations of their mean.
	if mean /= float64(n); n != 20_000 || math.Abs(mean-0.4995) > 0.0105 {
		t.Errorf("the control's %d draws have a mean confidence of %g, want 0.4995", n, mean)
	}
}

func TestExpiringFirst(t *testing.T) {
	t.Parallel()
	var all []sampling.Utterance
	for i := range 50 {
		all = append(all, sampling.Utterance{Item: int64(i + 1), Words: 5, Seconds: 1, Confidence: 0.5, Expires: int32(100 - i)})
	}
	out := sampling.Select(all, sampling.Choice{By: "words", Method: sampling.Below, Below: 1, Days: 60, Expiring: sampling.ExpiringFirst, Seed: 9})
	for i := range 9 {
		if want := int64(50 - i); out.Picks[i].Item != want {
			t.Errorf("item %d comes at %d, want %d: it goes soonest of the rest", out.Picks[i].Item, i+1, want)
		}
	}
	if left := sampling.Select(all, sampling.Choice{By: "words", Method: sampling.Below, Below: 1, Days: 60, Expiring: sampling.LeaveExpiring}); left.Expired != 9 || left.Chosen != 41 {
		t.Errorf("%d left, %d taken, want 9 and 41", left.Expired, left.Chosen)
	}
}

func TestStratumNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		by    string
		edges []float64
		want  []string
	}{
		{"words", sampling.DefaultEdges(), []string{"up to 1 word", "2–3 words", "4–7 words", "8 words and more"}},
		{"words", []float64{3, 4}, []string{"up to 2 words", "3 words", "4 words and more"}},
		{"words", nil, []string{"all lengths"}},
		{"seconds", []float64{1.5, 4}, []string{"under 1.5 seconds", "1.5 to 4 seconds", "4 seconds and more"}},
	} {
		c := sampling.Choice{By: tt.by, Edges: tt.edges}
		for i, want := range tt.want {
			if got := c.StratumName(i); got != want {
				t.Errorf("%v %s: %q, want %q", tt.edges, tt.by, got, want)
			}
		}
	}
}

func TestFaultyChoices(t *testing.T) {
	t.Parallel()
	good := sampling.Choice{By: "words", Edges: []float64{2, 4}, Method: sampling.Lowest, Share: 0.2}
	if field, fault := good.Fault(); fault != "" {
		t.Fatal(field, fault)
	}
	for field, spoil := range map[string]func(*sampling.Choice){
		"by":       func(c *sampling.Choice) { c.By = "speaker" },
		"edges":    func(c *sampling.Choice) { c.Edges = []float64{4, 2} },
		"method":   func(c *sampling.Choice) { c.Method = "" },
		"share":    func(c *sampling.Choice) { c.Share = math.NaN() },
		"below":    func(c *sampling.Choice) { c.Method = sampling.Below },
		"hours":    func(c *sampling.Choice) { c.Method = sampling.Hours },
		"control":  func(c *sampling.Choice) { c.Control = 1.5 },
		"most":     func(c *sampling.Choice) { c.Most = -1 },
		"shortest": func(c *sampling.Choice) { c.Shortest = -1 },
		"expiring": func(c *sampling.Choice) { c.Expiring = "soon" },
		"days":     func(c *sampling.Choice) { c.Expiring = sampling.LeaveExpiring },
	} {
		bad := good
		spoil(&bad)
		if got, fault := bad.Fault(); got != field || fault == "" {
			t.Errorf("%+v: %q %q, want a fault of %s", bad, got, fault, field)
		}
	}
}

// The pace of answers that all take three times their sound is three, without doubt; others have an interval that holds it.
func TestPace(t *testing.T) {
	t.Parallel()
	var even, uneven sampling.PaceSums
	for i := range 40 {
		sound := float64(1 + i%7)
		even.Add(3*sound, sound)
		uneven.Add(3*sound+[]float64{-1, 1}[i%2], sound)
	}
	if p := even.Pace(); math.Abs(p.Ratio-3) > 1e-9 || p.High-p.Low > 1e-6 || !p.Known() {
		t.Errorf("%+v, want 3", p)
	}
	if p := uneven.Pace(); p.Low >= 3 || p.High <= 3 || p.High-p.Low > 1 {
		t.Errorf("%+v, want an interval around 3", p)
	}
	if (sampling.PaceSums{}).Pace().Known() {
		t.Error("a pace from nothing")
	}
}

func BenchmarkSelect(b *testing.B) {
	all := make([]sampling.Utterance, 1_000_000)
	x := uint64(1)
	for i := range all {
		x = x*6364136223846793005 + 1442695040888963407
		all[i] = sampling.Utterance{
			Item: int64(i + 1), Source: int64(x>>60) + 1, Confidence: float32(x>>40) / (1 << 24), Words: int32(x >> 36 & 15), Seconds: 3,
			Expires: sampling.NeverExpires,
		}
	}
	c := sampling.Choice{By: "words", Edges: sampling.DefaultEdges(), Method: sampling.Lowest, Share: 0.2, Control: 0.1, Most: 100_000, Seed: 1}
	for b.Loop() {
		sampling.Select(all, c)
	}
}
