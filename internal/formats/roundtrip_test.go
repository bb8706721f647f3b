package formats_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fiducial/internal/formats"
)

var classes = []formats.COCOCategory{{ID: 3, Name: "scratch"}, {ID: 1, Name: "Zunder <&> \"é\""}, {ID: 2, Name: "黑线"}}

// drawBox draws a box inside an image, with whole corners or with any.
func drawBox(t *rapid.T, width, height int, whole bool) formats.Box {
	span := func(limit int) (float64, float64) {
		if whole {
			at := rapid.IntRange(0, limit-1).Draw(t, "at")
			return float64(at), float64(rapid.IntRange(1, limit-at).Draw(t, "length"))
		}
		at := rapid.Float64Range(0, float64(limit)-0.001).Draw(t, "at")
		return at, rapid.Float64Range(1e-9, float64(limit)-at).Draw(t, "length")
	}
	b := formats.Box{
		Class:    rapid.SampledFrom(classes).Draw(t, "class").Name,
		Occluded: rapid.Bool().Draw(t, "occluded"), Truncated: rapid.Bool().Draw(t, "truncated"),
		Difficult: rapid.Bool().Draw(t, "difficult"),
	}
	b.X, b.W = span(width)
	b.Y, b.H = span(height)
	return b
}

func drawImages(t *rapid.T) []formats.Image {
	images := make([]formats.Image, rapid.IntRange(0, 5).Draw(t, "images"))
	for i := range images {
		im := formats.Image{
			Key:   fmt.Sprintf("%s/%d.jpg", rapid.StringMatching(`[a-zé]{1,3}`).Draw(t, "folder"), i),
			Width: rapid.IntRange(1, 5000).Draw(t, "width"), Height: rapid.IntRange(1, 5000).Draw(t, "height"),
			Labeled: true, Group: rapid.StringMatching(`([a-z"\\]{3})?`).Draw(t, "group"),
		}
		if rapid.Bool().Draw(t, "dated") {
			im.CapturedAt = time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0).UTC()
			im.Metadata = map[string]string{"line": rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "line")}
		}
		for range rapid.IntRange(0, 5).Draw(t, "boxes") {
			b := drawBox(t, im.Width, im.Height, false)
			b.Crowd = rapid.Bool().Draw(t, "crowd")
			if b.Scored = rapid.Bool().Draw(t, "scored"); b.Scored {
				b.Score = rapid.Float64Range(0, 1).Draw(t, "score")
			}
			if area := rapid.Float64Range(0.5, 1e6).Draw(t, "area"); rapid.Bool().Draw(t, "own area") && area != b.W*b.H {
				b.Area = area
			}
			if rapid.Bool().Draw(t, "rotated") {
				b.Rotation = rapid.Float64Range(0.01, 359).Draw(t, "rotation")
			}
			im.Boxes = append(im.Boxes, b)
		}
		images[i] = im
	}
	return images
}

// throughCOCO writes images and reads them back; nothing may be refused on the way back.
func throughCOCO(t interface{ Fatalf(string, ...any) }, categories []formats.COCOCategory, images []formats.Image) []formats.Image {
	var out bytes.Buffer
	if _, err := formats.WriteCOCO(&out, formats.Set{}, categories, each(images)); err != nil {
		t.Fatalf("write: %v", err)
	}
	back := []formats.Image{}
	report, err := formats.ReadCOCO(&out, func(im formats.Image) error {
		back = append(back, im)
		return nil
	})
	if err != nil || !report.Empty() {
		t.Fatalf("read: %v, %+v", err, report)
	}
	return back
}

func TestCOCORoundTripIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		images := drawImages(t)
		if back := throughCOCO(t, classes, images); len(images) > 0 && !reflect.DeepEqual(images, back) {
			t.Fatalf("wrote %+v\nread  %+v", images, back)
		}
	})
}

func TestVOCRoundTripOfWholePixelsIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		im := formats.Image{
			Key: "a/b.jpg", Labeled: true, Depth: 1,
			Width: rapid.IntRange(1, 9000).Draw(t, "width"), Height: rapid.IntRange(1, 9000).Draw(t, "height"),
		}
		for range rapid.IntRange(0, 5).Draw(t, "boxes") {
			im.Boxes = append(im.Boxes, drawBox(t, im.Width, im.Height, true))
		}
		back := throughVOC(t, im)
		if !reflect.DeepEqual(im, back) {
			t.Fatalf("wrote %+v\nread  %+v", im, back)
		}
	})
}

func TestVOCRoundTripOfAnyBoxStaysWithinAPixel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		box := drawBox(t, 300, 200, false)
		im := formats.Image{Key: "a.jpg", Labeled: true, Width: 300, Height: 200, Boxes: []formats.Box{box}}
		var out bytes.Buffer
		report, err := formats.WriteVOC(&out, im, new(formats.VOCPlaces).Place(im.Key), "set")
		if err != nil || report.Counts[formats.Rounded] != 1 && box.X+box.W != float64(int(box.X+box.W)) {
			t.Fatalf("write: %v, %+v", err, report)
		}
		back, _, err := formats.ReadVOC(&out, 1)
		if err != nil || len(back.Boxes) != 1 {
			t.Fatalf("read: %v, %+v", err, back)
		}
		got := back.Boxes[0]
		for _, d := range []float64{got.X - box.X, got.Y - box.Y, got.X + got.W - box.X - box.W, got.Y + got.H - box.Y - box.H} {
			if d <= -1 || d >= 1 {
				t.Fatalf("wrote %+v\nread  %+v", box, got)
			}
		}
	})
}

func throughVOC(t interface{ Fatalf(string, ...any) }, im formats.Image) formats.Image {
	var out bytes.Buffer
	report, err := formats.WriteVOC(&out, im, new(formats.VOCPlaces).Place(im.Key), "set")
	if err != nil || !report.Empty() {
		t.Fatalf("write: %v, %+v", err, report)
	}
	back, report, err := formats.ReadVOC(&out, 1)
	if err != nil || !report.Empty() {
		t.Fatalf("read: %v, %+v", err, report)
	}
	return back
}

// testData returns the folder of real data, which is not part of the project.
func testData(t *testing.T) string {
	t.Helper()
	if folder := os.Getenv("FIDUCIAL_TEST_DATA"); folder != "" {
		return folder
	}
	_, file, _, _ := runtime.Caller(0)
	for folder := filepath.Dir(file); folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			data := filepath.Join(filepath.Dir(folder), "shared", "data")
			if _, err := os.Stat(data); err == nil {
				return data
			}
		}
	}
	const missing = "no real data beside the project: set FIDUCIAL_TEST_DATA to its folder"
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

var corner = regexp.MustCompile(`<(?:name|[xy]m(?:in|ax))>[^<]*<`)

// steelClasses are the classes of the real set.
var steelClasses = []string{"crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches"}

// steel reads the 1,500 real images of the steel set with their boxes, and what stands in their files.
func steel(t *testing.T) (images []formats.Image, raw map[string][]byte) {
	t.Helper()
	folder := filepath.Join(testData(t), "steel")
	entries, err := os.ReadDir(filepath.Join(folder, "images"))
	if err != nil {
		t.Fatal(err)
	}
	keys, boxes, raw := []string{}, 0, map[string][]byte{}
	for _, entry := range entries {
		keys = append(keys, "images/"+entry.Name())
	}
	media := formats.NewMedia(keys)
	paths, err := filepath.Glob(filepath.Join(folder, "annotations", "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		im, report, err := formats.ReadVOC(bytes.NewReader(content), 1)
		if err != nil || !report.Empty() {
			t.Fatalf("%s: %v, %+v", path, err, report)
		}
		im.Key, err = formats.VOCMedia(media, "annotations/"+filepath.Base(path), im.Key)
		if err != nil || im.Key != "images/"+strings.TrimSuffix(filepath.Base(path), ".xml")+".jpg" {
			t.Fatalf("%s: %q, %v", path, im.Key, err)
		}
		images, raw[im.Key] = append(images, im), content
		boxes += len(im.Boxes)
	}
	if len(images) != 1500 || boxes != 3482 {
		t.Fatalf("%d images, %d boxes; want 1500 and 3482", len(images), boxes)
	}
	return images, raw
}

// TestSteel writes the real VOC files back: the same classes and whole numbers, box for box; by way of COCO also, exactly.
func TestSteel(t *testing.T) {
	t.Parallel()
	images, raw := steel(t)
	for _, im := range images {
		var out bytes.Buffer
		if report, err := formats.WriteVOC(&out, im, new(formats.VOCPlaces).Place(im.Key), "steel"); err != nil || !report.Empty() {
			t.Fatalf("%s: %v, %+v", im.Key, err, report)
		}
		if want, got := corner.FindAllString(string(raw[im.Key]), -1), corner.FindAllString(out.String(), -1); !reflect.DeepEqual(want, got) {
			t.Fatalf("%s: read %v, wrote %v", im.Key, want, got)
		}
	}
	categories := []formats.COCOCategory{}
	for i, name := range steelClasses {
		categories = append(categories, formats.COCOCategory{ID: i + 1, Name: name})
	}
	for i := range images {
		images[i].Depth = 0 // COCO has no field for it
	}
	if back := throughCOCO(t, categories, images); !reflect.DeepEqual(images, back) {
		t.Error("COCO did not give back what was written")
	}
}

// TestReference reads the documents that the scorer is checked with.
func TestReference(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(testData(t), "reference", "detection")
	for _, name := range []string{"steel", "hard"} {
		truth, err := os.ReadFile(filepath.Join(folder, name+".truth.json"))
		if err != nil {
			t.Fatal(err)
		}
		detections, err := os.ReadFile(filepath.Join(folder, name+".detections.json"))
		if err != nil {
			t.Fatal(err)
		}
		images, boxes, scored := 0, 0, 0
		count := func(im formats.Image) error {
			images++
			for _, b := range im.Boxes {
				if b.Scored {
					scored++
				} else {
					boxes++
				}
			}
			return nil
		}
		report, err := formats.ReadCOCOAsWritten(bytes.NewReader(truth), count)
		if err != nil || !report.Empty() {
			t.Errorf("%s: %v, %+v", name, err, report)
		}
		report, err = formats.ReadCOCOResults(bytes.NewReader(truth), bytes.NewReader(detections), count)
		if err != nil || !report.Empty() {
			t.Errorf("%s: %v, %+v", name, err, report)
		}
		box := []byte(`"bbox"`)
		if images != 2*bytes.Count(truth, []byte(`"file_name"`)) || boxes != bytes.Count(truth, box) || scored != bytes.Count(detections, box) {
			t.Errorf("%s: %d images, %d boxes, %d detections", name, images, boxes, scored)
		}
	}
}
