package formats_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fiducial/internal/formats"
)

// seed hands the inputs of the golden files to a fuzz target.
func seed(f *testing.F, kind, section string, add func(input string)) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", kind, "*.golden"))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(raw), "-- output --\n")
		add(sections(input)[section])
	}
}

// checkImage fails unless an image that a reader gave out keeps the promises of the package.
func checkImage(im formats.Image, keyed bool) error {
	if key, err := formats.CleanKey(im.Key); (keyed || im.Key != "") && (err != nil || key != im.Key) {
		return fmt.Errorf("key %q: %w", im.Key, err)
	}
	for _, b := range im.Boxes {
		fitted, clipped, err := formats.Fit(b, im.Width, im.Height)
		if err != nil || clipped || b.Class == "" || math.IsNaN(b.Area) || b.Area < 0 || math.IsNaN(b.Score) {
			return fmt.Errorf("box %+v in %d×%d: %v %w", b, im.Width, im.Height, clipped, err)
		}
		if fitted != b {
			return fmt.Errorf("box %+v becomes %+v", b, fitted)
		}
	}
	return nil
}

func FuzzReadCOCO(f *testing.F) {
	seed(f, "coco", "input", func(input string) { f.Add([]byte(input), []byte(`[]`)) })
	seed(f, "results", "results", func(input string) {
		f.Add([]byte(`{"images": [{"id": 7, "file_name": "a"}], "categories": [{"id": 1, "name": "b"}]}`), []byte(input))
	})
	f.Fuzz(func(t *testing.T, document, results []byte) {
		keys := map[string]bool{}
		_, err := formats.ReadCOCO(bytes.NewReader(document), func(im formats.Image) error {
			if keys[im.Key] {
				t.Errorf("%q came twice", im.Key)
			}
			keys[im.Key] = true
			if err := checkImage(im, true); err != nil {
				t.Error(err)
			}
			return nil
		})
		if err != nil && len(keys) > 0 {
			t.Errorf("images of a document that cannot be read: %v", err)
		}
		if _, err := formats.ReadCOCOResults(bytes.NewReader(document), bytes.NewReader(results), func(im formats.Image) error {
			for _, b := range im.Boxes {
				if !b.Scored || math.IsNaN(b.X+b.Y+b.W+b.H+b.Score) {
					t.Errorf("detection %+v", b)
				}
			}
			return nil
		}); err == nil && !bytes.Contains(results, []byte("[")) {
			t.Errorf("%q is no list", results)
		}
	})
}

// FuzzReadCVAT reads what it is given, and reads what it then writes to the same again.
func FuzzReadCVAT(f *testing.F) {
	seed(f, "cvat", "input", func(input string) { f.Add([]byte(input)) })
	f.Fuzz(func(t *testing.T, document []byte) {
		images, classes, keep := gather(t)
		_, _ = formats.ReadCVAT(bytes.NewReader(document), false, keep) // most of what is tried is no XML
		back := 0
		var out bytes.Buffer
		if _, err := formats.WriteCVAT(&out, formats.Set{}, *classes, each(*images)); err != nil {
			t.Fatal(err)
		}
		if report, err := formats.ReadCVAT(&out, true, func(formats.Image) error { back++; return nil }); err != nil || back != len(*images) {
			t.Errorf("%d images became %d: %v %+v", len(*images), back, err, report)
		}
	})
}

// FuzzReadYOLO reads the names of classes and a label file, and reads what it then writes to the same number of boxes.
func FuzzReadYOLO(f *testing.F) {
	var sets []string
	seed(f, "yolo", "set", func(set string) { sets = append(sets, set) })
	seed(f, "yolo", "labels", func(labels string) {
		f.Add([]byte(sets[0]), []byte(labels), uint16(200), uint16(100))
		sets = sets[1:]
	})
	f.Fuzz(func(t *testing.T, names, labels []byte, width, height uint16) {
		set, err := formats.ReadYOLOSet(bytes.NewReader(names))
		if err != nil {
			set = &formats.YOLOSet{Names: map[int]string{0: "a", 1: "b"}}
		}
		fractions, _, err := formats.ReadYOLO(bytes.NewReader(labels), set)
		if err != nil || width == 0 || height == 0 {
			return
		}
		im, _ := fractions.Pixels("a.jpg", int(width), int(height), false)
		if err := checkImage(im, true); err != nil {
			t.Error(err)
		}
		var classes []string
		for _, b := range im.Boxes {
			classes = append(classes, b.Class)
		}
		for _, oriented := range []bool{false, true} {
			var out bytes.Buffer
			report, err := formats.NewYOLO(classes, oriented).Write(&out, im)
			if err != nil {
				t.Fatal(err)
			}
			if lines := bytes.Count(out.Bytes(), []byte("\n")); lines+report.Counts[formats.Refused] != len(im.Boxes) {
				t.Errorf("%d boxes became %d lines: %+v", len(im.Boxes), lines, report)
			}
			for _, field := range bytes.Fields(out.Bytes()) {
				if field[0] == '-' || bytes.ContainsAny(field, "eE") {
					t.Errorf("a field %s", field)
				}
			}
		}
	})
}

// FuzzReadLabelStudio reads what it is given, and reads what it then writes to the same again.
func FuzzReadLabelStudio(f *testing.F) {
	seed(f, "labelstudio", "input", func(input string) { f.Add([]byte(input)) })
	f.Fuzz(func(t *testing.T, document []byte) {
		images, classes, keep := gather(t)
		_, _ = formats.ReadLabelStudio(bytes.NewReader(document), false, func(im formats.Image) error { // most of what is tried is no JSON
			if im.Fractions != nil {
				im, _ = im.Fractions.Pixels(im.Key, 200, 100, false)
			}
			return keep(im)
		})
		back := 0
		var out bytes.Buffer
		report, err := formats.WriteLabelStudio(&out, *classes, each(*images))
		if err != nil {
			t.Fatal(err)
		}
		want := len(*images) - report.Counts[formats.LeftOut]
		if report, err := formats.ReadLabelStudio(&out, true, func(formats.Image) error { back++; return nil }); err != nil || back != want {
			t.Errorf("%d images became %d: %v %+v", want, back, err, report)
		}
	})
}

// gather checks the images that a reader yields, and keeps the labeled ones and their classes.
func gather(t *testing.T) (images *[]formats.Image, classes *[]string, keep func(formats.Image) error) {
	t.Helper()
	images, classes = &[]formats.Image{}, &[]string{}
	keys := map[string]bool{}
	return images, classes, func(im formats.Image) error {
		if keys[im.Key] {
			t.Errorf("%q came twice", im.Key)
		}
		keys[im.Key] = true
		if err := checkImage(im, true); err != nil {
			t.Error(err)
		}
		if im.Labeled {
			*images = append(*images, im)
		}
		for _, b := range im.Boxes {
			*classes = append(*classes, b.Class)
		}
		return nil
	}
}

func FuzzReadVOC(f *testing.F) {
	seed(f, "voc", "input", func(input string) { f.Add([]byte(input), 1) })
	seed(f, "voc", "input", func(input string) { f.Add([]byte(input), 0) })
	f.Fuzz(func(t *testing.T, document []byte, base int) {
		im, _, err := formats.ReadVOC(bytes.NewReader(document), base&1)
		if err != nil {
			return
		}
		if err := checkImage(im, false); err != nil {
			t.Fatal(err)
		}
		im.Key = "a.jpg"
		var out bytes.Buffer
		if _, err := formats.WriteVOC(&out, im, new(formats.VOCPlaces).Place(im.Key), "set"); err != nil {
			t.Fatal(err)
		}
		again, _, err := formats.ReadVOC(&out, 1)
		if err != nil {
			t.Fatal(err)
		}
		if im.Width > 0 && im.Height > 0 && len(again.Boxes) != len(im.Boxes) {
			t.Errorf("%d boxes became %d: %+v", len(im.Boxes), len(again.Boxes), im)
		}
	})
}
