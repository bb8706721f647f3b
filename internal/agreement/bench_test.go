package agreement_test

import (
	"math/rand/v2"
	"testing"

	"fiducial/internal/agreement"
)

const (
	benchImages  = 18_000
	benchClasses = 38
)

// labeled makes items as labelers see them: each of boxes objects drawn by each of labelers with a few pixels of noise; one in twenty
// is missed, one in ten of another class. The labelers are drawn from a crew of people.
func labeled(random *rand.Rand, items, labelers, boxes, people int) []agreement.Item {
	made := make([]agreement.Item, items)
	for i := range made {
		item := agreement.Item{Answers: make([][]agreement.Box, labelers)}
		for _, p := range random.Perm(people)[:labelers] {
			item.Labelers = append(item.Labelers, int64(p+1))
		}
		for range boxes {
			truth := agreement.Box{
				Class: 1 + random.Int64N(benchClasses), X: random.Float64() * 1800, Y: random.Float64() * 1800,
				W: 20 + random.Float64()*180, H: 20 + random.Float64()*180,
			}
			for a := range item.Answers {
				if random.IntN(20) == 0 {
					continue
				}
				b := truth
				b.X, b.Y, b.W, b.H = b.X+2*random.NormFloat64(), b.Y+2*random.NormFloat64(), b.W+3*random.NormFloat64(), b.H+3*random.NormFloat64()
				if random.IntN(10) == 0 {
					b.Class = 1 + random.Int64N(benchClasses)
				}
				item.Answers[a] = append(item.Answers[a], b)
			}
		}
		made[i] = item
	}
	return made
}

// BenchmarkAgreement takes 18,000 images of three answers with five boxes each: what matching them takes, with all measures of the
// whole, and with the intervals of these too; and what one page of nine answers with 200 boxes each needs.
func BenchmarkAgreement(b *testing.B) {
	items := labeled(rand.New(rand.NewPCG(1, 2)), benchImages, 3, 5, 12)
	page := labeled(rand.New(rand.NewPCG(1, 2)), 1, 9, 200, 9)[0]
	add := func() *agreement.Summarizer {
		s := agreement.NewSummarizer(agreement.Limits{})
		for i := range items {
			s.Add(&items[i])
		}
		return s
	}
	for _, c := range []struct {
		name string
		run  func()
	}{
		{"match", func() {
			for i := range items {
				agreement.Match(items[i].Answers, agreement.Limits{})
			}
		}},
		{"measures", func() { add().Measures() }},
		{"intervals", func() { add().Summary(7) }},
		{"page", func() { agreement.Match(page.Answers, agreement.Limits{}) }},
	} {
		b.Run(c.name, func(b *testing.B) { timed(b, c.run) })
	}
}

// BenchmarkAlpha computes alpha of 18,000 units by three raters in 38 classes.
func BenchmarkAlpha(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	ratings := make([][]float64, 3)
	for range benchImages {
		truth := float64(random.IntN(benchClasses))
		for r := range ratings {
			v := truth
			if random.IntN(5) == 0 {
				v = float64(random.IntN(benchClasses))
			}
			ratings[r] = append(ratings[r], v)
		}
	}
	for _, level := range []agreement.Level{agreement.NominalLevel, agreement.OrdinalLevel, agreement.IntervalLevel} {
		b.Run(string(level), func(b *testing.B) { timed(b, func() { agreement.Alpha(ratings, level) }) })
	}
}

// timed reports how long run takes in milliseconds.
func timed(b *testing.B, run func()) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
	b.ReportMetric(1000*b.Elapsed().Seconds()/float64(b.N), "ms")
}
