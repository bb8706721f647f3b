package scoring_test

import (
	"math/rand/v2"
	"runtime"
	"strconv"
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

// BenchmarkDetection computes, from their kept scores, COCO's figures of 180,000 detections in 5,000 images of 36,000 objects in 80 classes with
// their intervals from 1,000 draws, and those of ten slices by confidence and four by source; then the difference to a baseline.
func BenchmarkDetection(b *testing.B) {
	sheet := photographed(5000, 36_000, 180_000, 80)
	blocks, err := scoring.Encode(sheet)
	if err != nil {
		b.Fatal(err)
	}
	sheet.Scores = nil
	b.Run("drawn", func(b *testing.B) {
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
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.Sys)/1e6, "MB")
		if f.Headline().Low == nil || len(f.Slices) != 80+10+4 {
			b.Fatal(f.Headline(), len(f.Slices))
		}
	})
	b.Run("compared", func(b *testing.B) {
		again, err := scoring.Decode(blocks)
		if err != nil {
			b.Fatal(err)
		}
		before := processorTime(b)
		for b.Loop() {
			if d := scoring.Compare(again, again, scoring.Options{}); *d.Headline().Value != 0 {
				b.Fatal(d.Headline())
			}
		}
		b.ReportMetric((processorTime(b)-before)/float64(b.N), "cpu-s")
	})
}

// photographed are images of few classes each, as real ones are, with what was found in them.
func photographed(images, objects, found, classes int) scoring.Sheet {
	random := rand.New(rand.NewPCG(3, 4))
	sheet := scoring.Sheet{Task: scoring.Detection}
	for k := range classes {
		sheet.Classes = append(sheet.Classes, strconv.Itoa(k))
	}
	truths, detections := make([][]scoring.Box, images), make([][]scoring.Box, images)
	for range objects {
		i := random.IntN(images)
		truths[i] = append(truths[i], scoring.Box{
			Class: sheet.Classes[(i+random.IntN(4)*random.IntN(20))%classes], X: random.Float64() * 600, Y: random.Float64() * 400, W: 4 + random.Float64()*200, H: 4 + random.Float64()*200,
		})
	}
	for n := 0; n < found; {
		i := random.IntN(images)
		if len(truths[i]) == 0 {
			continue
		}
		t := truths[i][random.IntN(len(truths[i]))]
		near := func(v float64) float64 { return v + random.NormFloat64()*12 }
		d := scoring.Box{Class: t.Class, X: near(t.X), Y: near(t.Y), W: max(1, near(t.W)), H: max(1, near(t.H)), Score: random.Float64()}
		if n%3 == 0 {
			d.Class = sheet.Classes[random.IntN(classes)]
		}
		detections[i] = append(detections[i], d)
		n++
	}
	matcher := scoring.NewMatcher(sheet.Classes)
	for i := range images {
		s := scoring.ScoreDetection(matcher, truths[i], detections[i])
		s.Position, s.Group, s.Source = i, int64(i), int64(1+i%4)
		sheet.Scores = append(sheet.Scores, s)
	}
	return sheet
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
