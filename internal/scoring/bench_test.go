package scoring_test

import (
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"

	"fiducial/internal/scoring"
)

// BenchmarkCell decodes the scores of a million utterances in 10,000 groups, and computes their figures with 1,000 draws.
func BenchmarkCell(b *testing.B) {
	const utterances, groups = 1_000_000, 10_000
	random := rand.New(rand.NewPCG(3, 4))
	sheet := scoring.Sheet{Task: scoring.Speech, Scores: make([]scoring.Score, utterances)}
	for i := range sheet.Scores {
		s := scoring.Failure()
		s.Failed, s.Position, s.Group, s.Source = false, i, int64(1+random.IntN(groups)), int64(1+random.IntN(5))
		s.Length, s.Confidence = float32(1+random.IntN(200))/10, float32(random.IntN(10_000))/10_000
		for range 3 + random.IntN(12) {
			switch random.IntN(12) {
			case 0:
				s.Words.Substitutions++
			case 1:
				s.Words.Deletions++
			case 2:
				s.Words.Insertions++
			default:
				s.Words.Hits++
			}
		}
		s.Words.Characters, s.Words.CharacterErrors = int32(5*s.Words.Reference()), int32(3*s.Words.Errors())
		sheet.Scores[i] = s
	}
	blocks, err := scoring.Encode(sheet)
	if err != nil {
		b.Fatal(err)
	}
	size := 0
	for _, block := range blocks {
		size += len(block)
	}
	sheet.Scores = nil
	var f scoring.Figures
	before := processorTime(b)
	for b.Loop() {
		again, err := scoring.Decode(blocks)
		if err != nil {
			b.Fatal(err)
		}
		f = scoring.Compute(again, scoring.Options{})
	}
	b.ReportMetric((processorTime(b)-before)/float64(b.N), "cpu-s")
	b.ReportMetric(float64(size)/1e6, "stored-MB")
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.Sys)/1e6, "MB")
	if f.Items != utterances || f.Groups != groups || f.Headline().Low == nil {
		b.Fatal(f.Headline())
	}
}

// processorTime is what this process has used of it, in seconds: it does not count what else a busy machine does.
func processorTime(b *testing.B) float64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}
