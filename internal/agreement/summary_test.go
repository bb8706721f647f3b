package agreement_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/agreement"
)

// ratings are what labelers say of each object: a class, NoBox, or NaN for an object that they have a wide box over, or did not see.
func ratings(items []agreement.Item, people int) [][]float64 {
	rows := make([][]float64, people)
	for _, item := range items {
		if len(item.Answers) < 2 {
			continue
		}
		for _, o := range agreement.Match(item.Answers, agreement.Limits{}).Objects {
			for p := range rows {
				rows[p] = append(rows[p], math.NaN())
			}
			for a, labeler := range item.Labelers {
				last := &rows[labeler-1][len(rows[labeler-1])-1]
				*last = float64(agreement.NoBox)
				for _, r := range o.Wide {
					if r.Answer == a {
						*last = math.NaN()
					}
				}
				if r, ok := o.Of(a); ok {
					*last = float64(item.Answers[a][r.Box].Class)
				}
			}
		}
	}
	return rows
}

// both lists what two labelers say of the objects that at least one of them has, in the form that CohenKappa takes.
func both(rows [][]float64, one, two int) (a, b []float64) {
	for i, v := range rows[one] {
		w := rows[two][i]
		if !math.IsNaN(v) && !math.IsNaN(w) && (v != float64(agreement.NoBox) || w != float64(agreement.NoBox)) {
			a, b = append(a, v), append(b, w)
		}
	}
	return a, b
}

func equal(e agreement.Estimate, want float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return !e.Defined && e == agreement.Estimate{}
	}
	return e.Defined && math.Abs(e.Value-want) < 1e-9
}

func itemsOf(people int) *rapid.Generator[[]agreement.Item] {
	return rapid.Custom(func(t *rapid.T) []agreement.Item {
		items := make([]agreement.Item, rapid.IntRange(0, 5).Draw(t, "items"))
		for i := range items {
			answers := drawings().Draw(t, "answers")
			if len(answers) > 0 && rapid.Bool().Draw(t, "decided") {
				items[i].Truth, items[i].HasTruth = answers[len(answers)-1], true
				answers = answers[:len(answers)-1]
			}
			items[i].Answers = answers[:min(len(answers), people)]
			items[i].Labelers = rapid.Permutation([]int64{1, 2, 3, 4}).Draw(t, "labelers")[:len(items[i].Answers)]
		}
		return items
	})
}

// A summary's measures are those that the plain functions give of the same votes.
func TestSummaryLikeThePlainMeasures(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const people = 4
		items := itemsOf(people).Draw(t, "items")
		got := agreement.Summarize(items, agreement.Limits{}, 1)
		rows := ratings(items, people)
		if want := agreement.Alpha(rows, agreement.NominalLevel); !equal(got.Alpha, want) {
			t.Errorf("alpha %+v, want %v", got.Alpha, want)
		}
		counts := make([][]int, len(rows[0]))
		for i := range counts {
			counts[i] = make([]int, 6)
			for _, row := range rows {
				if !math.IsNaN(row[i]) {
					counts[i][int(row[i])+1]++
				}
			}
		}
		if want := agreement.FleissKappa(counts); !equal(got.Fleiss, want) {
			t.Errorf("Fleiss' kappa %+v, want %v", got.Fleiss, want)
		}
		for _, pair := range got.Pairs {
			a, b := both(rows, int(pair.One-1), int(pair.Two-1))
			if want := agreement.CohenKappa(a, b); !equal(pair.Kappa, want) {
				t.Errorf("Cohen's kappa of %d and %d: %+v, want %v", pair.One, pair.Two, pair.Kappa, want)
			}
		}
		checkCounts(t, items, rows, got)
		if _, err := json.Marshal(got); err != nil {
			t.Error(err)
		}
		if again := agreement.Summarize(items, agreement.Limits{}, 1); !reflect.DeepEqual(got, again) {
			t.Error("the same items and seed give another summary")
		}
	})
}

func checkCounts(t *rapid.T, items []agreement.Item, rows [][]float64, got agreement.Summary) {
	met, truths := map[[2]int64]int{}, map[[2]int64]int{}
	for one := range rows {
		for two := range rows {
			if one != two {
				a, b := both(rows, one, two)
				for i := range a {
					met[[2]int64{int64(a[i]), int64(b[i])}]++
				}
			}
		}
	}
	decided := 0
	for _, item := range items {
		if item.HasTruth && len(item.Answers) > 0 {
			decided++
			for _, boxes := range item.Answers {
				pair := []agreement.Item{{Answers: [][]agreement.Box{item.Truth, boxes}, Labelers: []int64{1, 2}}}
				rows := ratings(pair, 2)
				a, b := both(rows, 0, 1)
				for i := range a {
					truths[[2]int64{int64(a[i]), int64(b[i])}]++
				}
			}
		}
	}
	for name, c := range map[string]struct {
		got  agreement.Confusion
		want map[[2]int64]int
	}{"votes": {got.Votes, met}, "truth": {got.Truth, truths}} {
		if len(c.got.Cells) != len(c.want) {
			t.Errorf("%s: %d cells, want %d", name, len(c.got.Cells), len(c.want))
		}
		for at, n := range c.want {
			if cell := c.got.At(at[0], at[1]); cell.Count != n || !cell.Rate.Defined {
				t.Errorf("%s: %v: %+v, want %d", name, at, cell, n)
			}
		}
	}
	if got.Items != len(items) || got.Decided != decided {
		t.Errorf("%d items, %d decided, want %d, %d", got.Items, got.Decided, len(items), decided)
	}
}

func TestConfusedPairs(t *testing.T) {
	t.Parallel()
	// On ten items two labelers draw one box: four say 1 and 1, three 2 and 2, two 1 and 2, one 1 and 3; the truth is what the first says.
	var items []agreement.Item
	for _, says := range [][2]int64{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {2, 2}, {2, 2}, {2, 2}, {1, 2}, {1, 2}, {1, 3}} {
		answers := [][]agreement.Box{{at(says[0], 0, 0, 9, 9)}, {at(says[1], 0, 0, 9, 9)}}
		items = append(items, agreement.Item{Answers: answers, Labelers: []int64{8, 5}, Truth: answers[0], HasTruth: true})
	}
	s := agreement.Summarize(items, agreement.Limits{}, 3)
	if len(s.Confused) != 2 {
		t.Fatalf("%+v", s.Confused)
	}
	c := s.Confused[0]
	if c.A != 1 || c.B != 2 || c.Count != 2 || c.TruthCount != 2 || math.Abs(c.Votes.Value-2./9) > 1e-12 || c.Votes.N != 9 {
		t.Errorf("%+v", c)
	}
	// Of the 20 votes all but one are 1 or 2, as is their truth; 17 of these equal it.
	if math.Abs(c.Truth.Value-2./19) > 1e-12 || c.Truth.N != 19 {
		t.Errorf("%+v", c.Truth)
	}
	if c.Votes.Low < 0 || c.Votes.Low >= c.Votes.Value || c.Votes.High <= c.Votes.Value || c.Votes.High > 0.7 {
		t.Errorf("interval %+v", c.Votes)
	}
	if s.Pair(2, 1) != c {
		t.Errorf("%+v, not %+v", s.Pair(2, 1), c)
	}
	if l := s.Labelers[0]; l.Labeler != 5 || math.Abs(l.Truth.Value-0.7) > 1e-12 || l.Answers != 10 {
		t.Errorf("%+v", l)
	}
	if p := s.Pairs[0]; p.One != 5 || p.Two != 8 || math.Abs(p.Share.Value-0.7) > 1e-12 || p.IoU.Value != 1 {
		t.Errorf("%+v", p)
	}
}

// What never happened, or always, is not therefore certain.
func TestIntervalsOfNothingAndOfAll(t *testing.T) {
	t.Parallel()
	items := make([]agreement.Item, 20)
	for i := range items {
		answer := []agreement.Box{at(int64(1+i%2), 0, 0, 9, 9)}
		items[i] = agreement.Item{Answers: [][]agreement.Box{answer, answer}, Labelers: []int64{1, 2}, Truth: answer, HasTruth: true}
	}
	s := agreement.Summarize(items, agreement.Limits{}, 3)
	if share := s.Pairs[0].Share; share.Value != 1 || share.High != 1 || math.Abs(share.Low-math.Pow(0.025, 1./20)) > 1e-12 {
		t.Errorf("%+v", share)
	}
	if len(s.Confused) != 0 {
		t.Errorf("%+v", s.Confused)
	}
	p := s.Pair(2, 1)
	if p.A != 1 || p.B != 2 || p.Votes.N != 20 || p.Votes.Value != 0 || !p.Votes.Defined || p.Truth.N != 40 || math.Abs(p.Votes.High-0.1684) > 1e-4 {
		t.Errorf("%+v", p)
	}
	if p := s.Pair(8, 9); p.Votes.Defined || p.Truth.Defined {
		t.Errorf("%+v", p)
	}
	if s.Score.Low != 1 || s.IoU.High != 1 {
		t.Errorf("a mean is no share: %+v, %+v", s.Score, s.IoU)
	}
}

// The interval of a share is about as wide as the binomial distribution says.
func TestIntervalsAreAsWideAsTheyShouldBe(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	items := make([]agreement.Item, 1000)
	for i := range items {
		class := int64(1)
		if random.IntN(10) == 0 {
			class = 2
		}
		items[i] = agreement.Item{Answers: [][]agreement.Box{{at(1, 0, 0, 9, 9)}, {at(class, 0, 0, 9, 9)}}, Labelers: []int64{1, 2}}
	}
	share := agreement.Summarize(items, agreement.Limits{}, 7).Pairs[0].Share
	want := 1.96 * math.Sqrt(share.Value*(1-share.Value)/1000)
	if low, high := share.Value-share.Low, share.High-share.Value; math.Abs(low/want-1) > 0.15 || math.Abs(high/want-1) > 0.15 {
		t.Errorf("%+v, expected ±%.4f", share, want)
	}
}

// Where items are many, neighbours are drawn together, which changes no value and hardly an interval.
func TestManyItems(t *testing.T) {
	t.Parallel()
	const n = 30_001
	random := rand.New(rand.NewPCG(3, 4))
	one, together := agreement.NewSummarizer(agreement.Limits{}), agreement.NewSummarizer(agreement.Limits{})
	together.DrawTogether(20_000)
	for range n {
		class := int64(1)
		if random.IntN(10) == 0 {
			class = 2
		}
		item := agreement.Item{Answers: [][]agreement.Box{{at(1, 0, 0, 9, 9)}, {at(class, 0, 0, 9, 9)}}, Labelers: []int64{1, 2}}
		one.Add(&item)
		together.Add(&item)
	}
	a, b := one.Summary(7).Pairs[0].Share, together.Summary(7).Pairs[0].Share
	if a.Value != b.Value || a.N != n || b.N != n || math.Abs(a.Low-b.Low) > 0.001 || math.Abs(a.High-b.High) > 0.001 || a == b {
		t.Errorf("%+v, drawn together %+v", a, b)
	}
}

// Two careless labelers agree on a wrong class; the method of Dawid and Skene believes the careful ones.
func TestSkeneOutweighsTheMajority(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 9))
	var items []agreement.Item
	for i := range 400 {
		truth := int64(1 + i%4)
		item := agreement.Item{Labelers: []int64{1, 2, 3}}
		for labeler := range 3 {
			class := truth
			if labeler > 0 && random.IntN(2) == 0 { // two of three guess half of the time
				class = 1 + truth%4
			}
			item.Answers = append(item.Answers, []agreement.Box{at(class, 0, 0, 9, 9)})
		}
		items = append(items, item)
	}
	s := agreement.Summarize(items, agreement.Limits{}, 1)
	if s.Labelers[0].Accuracy < s.Labelers[1].Accuracy+0.2 || s.Skene.Objects != 400 || len(s.Skene.Differ) < 50 {
		t.Errorf("%d of %d objects differ, accuracies %v %v", len(s.Skene.Differ), s.Skene.Objects, s.Labelers[0].Accuracy, s.Labelers[1].Accuracy)
	}
	right := 0
	for _, d := range s.Skene.Differ {
		if d.Likely == int64(1+d.Item%4) {
			right++
		}
	}
	if right < len(s.Skene.Differ)*9/10 {
		t.Errorf("right in %d of %d", right, len(s.Skene.Differ))
	}
}

func TestEmptySummary(t *testing.T) {
	t.Parallel()
	s := agreement.Summarize([]agreement.Item{{}, {Answers: [][]agreement.Box{{}}, Labelers: []int64{1}}}, agreement.Limits{}, 1)
	if s.Items != 2 || s.Compared != 0 || s.Alpha.Defined || s.Score.Defined || len(s.Labelers) != 1 {
		t.Errorf("%+v", s)
	}
}
