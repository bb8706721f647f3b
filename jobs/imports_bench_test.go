package jobs

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"fiducial/store"
)

// cocoOf writes a data set of so many images with boxes spread over them.
func cocoOf(images, boxes int) []byte {
	var out bytes.Buffer
	out.WriteString(`{"images":[`)
	for i := range images {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"id":%d,"file_name":"train/%06d.jpg","width":640,"height":480}`, i+1, i)
	}
	out.WriteString(`],"categories":[`)
	for i := range 80 {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"id":%d,"name":"class %d"}`, i+1, i)
	}
	out.WriteString(`],"annotations":[`)
	for i := range boxes {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"id":%d,"image_id":%d,"category_id":%d,"bbox":[%d.25,%d.5,%d,%d],"area":100,"iscrowd":0,"segmentation":[]}`,
			i+1, i%images+1, i%80+1, i%600, i%400, 1+i%30, 1+i%60)
	}
	out.WriteString(`]}`)
	return out.Bytes()
}

// BenchmarkImportCOCO brings in labels of 36,000 images with 860,000 boxes as truth, then the same again.
func BenchmarkImportCOCO(b *testing.B) {
	for b.Loop() {
		im := newImporting(b)
		id := im.upload(cocoTruth(), map[string][]byte{"instances.json": cocoOf(36_000, 860_000)})
		for _, metric := range []string{"s/first", "s/again"} {
			debug.FreeOSMemory() // of the making of the file
			forgetPeak(b)
			began := time.Now()
			if err := im.work(b.Context(), id); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(time.Since(began).Seconds(), metric)
			b.ReportMetric(peakMemory(b), "MB")
			counts, results := im.results(id)
			if counts.Boxes != 860_000 || counts.Total() != 36_000 {
				b.Fatalf("%+v %v", counts, refusals(results))
			}
			if metric == "s/first" {
				id = im.upload(cocoTruth(), map[string][]byte{"instances.json": cocoOf(36_000, 860_000)})
			}
		}
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkImportFormats brings in as much in the other formats that hold all images in one file, and then as YOLO, a zip of
// 36,000 label files for the items that are there.
func BenchmarkImportFormats(b *testing.B) {
	for b.Loop() {
		im := newImporting(b)
		id := im.upload(cocoTruth(), map[string][]byte{"instances.json": cocoOf(36_000, 860_000)})
		im.must(im.work(b.Context(), id))
		for _, format := range []struct{ written, read string }{{"cvat", store.FormatCVAT}, {"labelstudio", store.FormatLabelStudio}, {"yolo", store.FormatYOLO}} {
			_, archive := im.archive(format.written, false)
			id := im.upload(truthIn(format.read), map[string][]byte{"all.zip": archive})
			debug.FreeOSMemory()
			forgetPeak(b)
			began := time.Now()
			im.must(im.work(b.Context(), id))
			b.ReportMetric(time.Since(began).Seconds(), "s/"+format.written)
			b.ReportMetric(peakMemory(b), "MB/"+format.written)
			if counts, results := im.results(id); counts.Boxes != 860_000 || counts.Unchanged != 36_000 {
				b.Fatalf("%+v %v", counts, refusals(results))
			}
		}
		b.ReportMetric(0, "ns/op")
	}
}

// forgetPeak makes the kernel count the process's peak memory anew.
func forgetPeak(b *testing.B) {
	b.Helper()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Log(err)
	}
}

// peakMemory is the process's peak resident memory in MB.
func peakMemory(b *testing.B) float64 {
	b.Helper()
	status, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer func() { _ = status.Close() }() // it was only read
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kb) / 1024
		}
	}
	return 0
}
