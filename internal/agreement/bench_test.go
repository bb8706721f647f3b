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

// BenchmarkMatch matches 18,000 images of three answers with five boxes each.
func BenchmarkMatch(b *testing.B) {
	items := labeled(rand.New(rand.NewPCG(1, 2)), benchImages, 3, 5, 3)
	b.ReportAllocs()
	for b.Loop() {
		for i := range items {
			agreement.Match(items[i].Answers, agreement.Limits{})
		}
	}
}

// BenchmarkMatchPage matches what one page of nine answers with 200 boxes each needs.
func BenchmarkMatchPage(b *testing.B) {
	items := labeled(rand.New(rand.NewPCG(1, 2)), 1, 9, 200, 9)
	b.ReportAllocs()
	for b.Loop() {
		agreement.Match(items[0].Answers, agreement.Limits{})
	}
}

// BenchmarkSummarize matches and measures the same. One run of it and one with intervals tell what the intervals cost.
func BenchmarkSummarize(b *testing.B) {
	items := labeled(rand.New(rand.NewPCG(1, 2)), benchImages, 3, 5, 12)
	b.ReportAllocs()
	for b.Loop() {
		s := agreement.Summarize(items, agreement.Limits{}, 7)
		b.ReportMetric(s.Alpha.Value, "alpha")
		b.ReportMetric(float64(len(s.Skene.Differ)), "differ")
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
		b.Run(string(level), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				agreement.Alpha(ratings, level)
			}
		})
	}
}
