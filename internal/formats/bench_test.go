package formats_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"fiducial/internal/formats"
)

const (
	benchImages = 36_000
	benchBoxes  = 860_000
)

// writeBig writes a COCO document of the size that the product is measured with; annotations lie in no order of images.
func writeBig(w io.Writer) error {
	random := rand.New(rand.NewPCG(1, 2))
	out := bufio.NewWriter(w)
	put := func(format string, args ...any) {
		_, _ = fmt.Fprintf(out, format, args...) // Flush returns the error
	}
	put(`{"info":{},"licenses":[],"images":[`)
	for i := range benchImages {
		if i > 0 {
			put(", ")
		}
		put(`{"license": 4, "file_name": "train/%012d.jpg", "height": 480, "width": 640, "date_captured": "2013-11-14 17:02:52", "id": %d}`, i, i)
	}
	put(`],"annotations":[`)
	for i := range benchBoxes {
		if i > 0 {
			put(", ")
		}
		w, h := 1+random.Float64()*300, 1+random.Float64()*200
		put(`{"segmentation": [], "area": %.4f, "iscrowd": 0, "image_id": %d, "bbox": [%.2f, %.2f, %.2f, %.2f], "category_id": %d, "id": %d}`,
			w*h, random.IntN(benchImages), random.Float64()*300, random.Float64()*200, w, h, 1+random.IntN(80), i+1)
	}
	put(`],"categories":[`)
	for i := range 80 {
		if i > 0 {
			put(", ")
		}
		put(`{"supercategory": "x", "id": %d, "name": "class %d"}`, i+1, i+1)
	}
	put(`]}`)
	return out.Flush()
}

// BenchmarkReadCOCO reads 36,000 images with 860,000 boxes. heap-MB is the heap, garbage included, when everything is
// read and the images come out.
func BenchmarkReadCOCO(b *testing.B) {
	path := filepath.Join(b.TempDir(), "big.json")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := writeBig(file); err != nil {
		b.Fatal(err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	peak := uint64(0)
	for b.Loop() {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		images, boxes := 0, 0
		report, err := formats.ReadCOCO(file, func(im formats.Image) error {
			if images%4000 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapSys-m.HeapReleased)
			}
			images++
			boxes += len(im.Boxes)
			return nil
		})
		if err != nil || images != benchImages || boxes != benchBoxes || !report.Empty() {
			b.Fatalf("%d images, %d boxes, %v, %+v", images, boxes, err, report)
		}
	}
	b.ReportMetric(float64(peak)/1e6, "heap-MB")
	b.ReportMetric(benchBoxes*float64(b.N)/b.Elapsed().Seconds(), "boxes/s")
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkWriteCOCO writes as much.
func BenchmarkWriteCOCO(b *testing.B) {
	im := formats.Image{Key: "train/000000000001.jpg", Width: 640, Height: 480, Labeled: true}
	for i := range benchBoxes / benchImages {
		im.Boxes = append(im.Boxes, formats.Box{Class: "scratch", X: 10.25 + float64(i)/3, Y: 20.1, W: 33.337, H: 7.5})
	}
	b.ReportAllocs()
	for b.Loop() {
		_, err := formats.WriteCOCO(io.Discard, goldenInfo, goldenCategories, func(yield func(formats.Image, error) bool) {
			for range benchImages {
				if !yield(im, nil) {
					return
				}
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
