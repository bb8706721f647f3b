package formats_test

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"fiducial/internal/formats"
)

// bigImages are as many images with as many boxes as the product is measured with.
func bigImages() iter.Seq2[formats.Image, error] {
	im := formats.Image{Width: 640, Height: 480, Labeled: true}
	for i := range benchBoxes/benchImages + 1 {
		im.Boxes = append(im.Boxes, formats.Box{Class: "scratch", X: 10.25 + float64(i)*7, Y: 20.1 + float64(i), W: 33.337, H: 7.5})
	}
	return func(yield func(formats.Image, error) bool) {
		left := benchBoxes
		for i := range benchImages {
			n := min(left, len(im.Boxes)-i%2)
			left -= n
			one := im
			one.Key, one.Boxes = fmt.Sprintf("train/%012d.jpg", i), im.Boxes[:n]
			if !yield(one, nil) {
				return
			}
		}
	}
}

// benchmarkRead writes the big set to a file and reads it again and again. heap-MB is the heap, garbage included, while the
// images come out.
func benchmarkRead(b *testing.B, write func(io.Writer) (formats.Report, error), read func(io.Reader, bool, func(formats.Image) error) (formats.Report, error)) {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "big"))
	if err != nil {
		b.Fatal(err)
	}
	if report, err := write(file); err != nil || !report.Empty() {
		b.Fatal(err, report)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	peak := uint64(0)
	for b.Loop() {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		images, boxes := 0, 0
		report, err := read(file, false, func(im formats.Image) error {
			if images%4000 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapSys-m.HeapReleased)
			}
			images++
			boxes += len(im.Boxes)
			return nil
		})
		if err != nil || images != benchImages || boxes < benchBoxes*9/10 || !report.Empty() {
			b.Fatalf("%d images, %d boxes, %v, %+v", images, boxes, err, report)
		}
	}
	b.ReportMetric(float64(peak)/1e6, "heap-MB")
	b.ReportMetric(benchBoxes*float64(b.N)/b.Elapsed().Seconds(), "boxes/s")
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkReadCVAT(b *testing.B) {
	benchmarkRead(b, func(w io.Writer) (formats.Report, error) {
		return formats.WriteCVAT(w, formats.Set{}, []string{"scratch"}, bigImages())
	}, formats.ReadCVAT)
}

func BenchmarkReadLabelStudio(b *testing.B) {
	benchmarkRead(b, func(w io.Writer) (formats.Report, error) {
		return formats.WriteLabelStudio(w, []string{"scratch"}, bigImages())
	}, formats.ReadLabelStudio)
}

// BenchmarkReadYOLO reads the label files of as many images.
func BenchmarkReadYOLO(b *testing.B) {
	yolo, set := formats.NewYOLO([]string{"scratch"}, false), &formats.YOLOSet{Names: map[int]string{0: "scratch"}}
	var files []bytes.Buffer
	for im, err := range bigImages() {
		if err != nil {
			b.Fatal(err)
		}
		files = append(files, bytes.Buffer{})
		if _, err := yolo.Write(&files[len(files)-1], im); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for i := range files {
			fractions, _, err := formats.ReadYOLO(bytes.NewReader(files[i].Bytes()), set)
			if err != nil {
				b.Fatal(err)
			}
			if _, report := fractions.Pixels("a.jpg", 640, 480, false); !report.Empty() {
				b.Fatal(report)
			}
		}
	}
	b.ReportMetric(benchBoxes*float64(b.N)/b.Elapsed().Seconds(), "boxes/s")
}
