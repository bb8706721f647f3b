package formats_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/formats"
)

// tolerance is how far a corner, in pixels, may come back from where it was written, in every format that writes its numbers
// in full: what the arithmetic of a difference, a fraction or an angle leaves.
const tolerance = 1e-8

type failer interface{ Fatalf(string, ...any) }

// exchange writes images in one format and reads them back; nothing may be lost on either way.
type exchange func(t failer, images []formats.Image, classes []string) []formats.Image

var exchanges = map[string]exchange{
	"cvat": throughCVAT,

	"labelstudio": throughLabelStudio,

	"yolo": func(t failer, images []formats.Image, classes []string) []formats.Image {
		upright := slices.Clone(images)
		for i := range upright {
			upright[i].Boxes = slices.DeleteFunc(slices.Clone(images[i].Boxes), func(b formats.Box) bool { return b.Rotation != 0 })
		}
		back := throughYOLO(t, upright, classes, false)
		for i, im := range images { // those that it does not hold
			for j, b := range im.Boxes {
				if b.Rotation != 0 {
					back[i].Boxes = slices.Insert(back[i].Boxes, j, b)
				}
			}
		}
		return back
	},
	"yolo-obb": func(t failer, images []formats.Image, classes []string) []formats.Image {
		return throughYOLO(t, images, classes, true)
	},
}

func throughLabelStudio(t failer, images []formats.Image, classes []string) (back []formats.Image) {
	var out bytes.Buffer
	if report, err := formats.WriteLabelStudio(&out, classes, each(images)); err != nil || !report.Empty() {
		t.Fatalf("write: %v, %+v", err, report)
	}
	report, err := formats.ReadLabelStudio(&out, false, func(im formats.Image) error {
		if len(im.Boxes) == 0 { // a negative does not say how large it is
			im.Width, im.Height = images[len(back)].Width, images[len(back)].Height
		}
		back = append(back, im)
		return nil
	})
	if err != nil || !report.Empty() {
		t.Fatalf("read: %v, %+v", err, report)
	}
	return back
}

func throughYOLO(t failer, images []formats.Image, classes []string, oriented bool) (back []formats.Image) {
	yolo, names, places := formats.NewYOLO(classes, oriented), bytes.Buffer{}, formats.YOLOPlaces{}
	if err := yolo.WriteSet(&names, formats.Set{}, []string{"train"}); err != nil {
		t.Fatalf("write: %v", err)
	}
	set, err := formats.ReadYOLOSet(&names)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	var keys []string
	for _, im := range images {
		keys = append(keys, "images/train/"+im.Key)
	}
	media := formats.NewMedia(keys)
	for _, im := range images {
		var out bytes.Buffer
		if report, err := yolo.Write(&out, im); err != nil || !report.Empty() {
			t.Fatalf("write: %v, %+v", err, report)
		}
		key, err := formats.YOLOMedia(media, places.Place("train", im.Key).Labels)
		if err != nil || key != "images/train/"+im.Key {
			t.Fatalf("%s: the image is %q, %v", im.Key, key, err)
		}
		fractions, report, err := formats.ReadYOLO(&out, set)
		if err != nil || !report.Empty() {
			t.Fatalf("read: %v, %+v", err, report)
		}
		read, report := fractions.Pixels(im.Key, im.Width, im.Height, false)
		if !report.Empty() {
			t.Fatalf("read: %+v", report)
		}
		back = append(back, read)
	}
	return back
}

func throughCVAT(t failer, images []formats.Image, classes []string) (back []formats.Image) {
	var out bytes.Buffer
	if report, err := formats.WriteCVAT(&out, formats.Set{}, classes, each(images)); err != nil || !report.Empty() {
		t.Fatalf("write: %v, %+v", err, report)
	}
	report, err := formats.ReadCVAT(&out, false, func(im formats.Image) error {
		back = append(back, im)
		return nil
	})
	if err != nil || !report.Empty() {
		t.Fatalf("read: %v, %+v", err, report)
	}
	return back
}

// TestSteelThroughEveryFormat takes the real set through each format: the same images and negatives, and every box with the
// same class and, to the last bit, the same whole pixels.
func TestSteelThroughEveryFormat(t *testing.T) {
	t.Parallel()
	images, _ := steel(t)
	images[7].Boxes, images[1033].Boxes = nil, nil // the set has no negatives of its own
	for _, im := range images {
		for i := range im.Boxes {
			im.Boxes[i].Truncated, im.Boxes[i].Difficult = false, false // what YOLO and Label Studio do not have
		}
	}
	for name, through := range exchanges {
		back := through(t, images, steelClasses)
		if len(back) != len(images) {
			t.Fatalf("%s: %d images of %d", name, len(back), len(images))
		}
		for i, im := range images {
			if got := back[i]; got.Key != im.Key || !got.Labeled || got.Width != im.Width || got.Height != im.Height || fmt.Sprint(got.Boxes) != fmt.Sprint(im.Boxes) {
				t.Fatalf("%s: wrote %+v\nread  %+v", name, im, got)
			}
		}
	}
}

// TestAnyBoxThroughEveryFormat does so with boxes at any place, rotated by any angle.
func TestAnyBoxThroughEveryFormat(t *testing.T) {
	t.Parallel()
	classes := []string{"scratch", "Zunder <&> \"é\"", "黑线", "no", "0"}
	for name, through := range exchanges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				images := make([]formats.Image, rapid.IntRange(0, 4).Draw(t, "images"))
				for i := range images {
					im := formats.Image{Key: fmt.Sprintf("%s/%d <&\"é>.jpg", rapid.StringMatching(`[a-zé %#?&+]{0,3}x`).Draw(t, "folder"), i), Labeled: true}
					im.Width, im.Height = rapid.IntRange(1, 9000).Draw(t, "width"), rapid.IntRange(1, 9000).Draw(t, "height")
					for range rapid.IntRange(0, 5).Draw(t, "boxes") {
						im.Boxes = append(im.Boxes, drawTurned(t, im.Width, im.Height, rapid.SampledFrom(classes).Draw(t, "class")))
					}
					images[i] = im
				}
				back := through(t, images, classes)
				if len(back) != len(images) {
					t.Fatalf("%d images of %d", len(back), len(images))
				}
				for i, im := range images {
					same(t, im, back[i])
				}
			})
		})
	}
}

// drawTurned draws a box of at least a thousandth of a pixel, upright, or rotated without reaching over the border.
func drawTurned(t *rapid.T, width, height int, class string) formats.Box {
	w, h := float64(width), float64(height)
	b := formats.Box{Class: class, W: rapid.Float64Range(0.001, w).Draw(t, "w"), H: rapid.Float64Range(0.001, h).Draw(t, "h")}
	if !rapid.Bool().Draw(t, "rotated") {
		b.X, b.Y = rapid.Float64Range(0, w-b.W).Draw(t, "x"), rapid.Float64Range(0, h-b.H).Draw(t, "y")
		return b
	}
	b.Rotation = rapid.Float64Range(-180, 180).Draw(t, "rotation")
	_, _, hw, hh := b.Hull()
	if shrink := min(w/hw, h/hh); shrink < 1 {
		b.W, b.H = b.W*shrink*0.999, b.H*shrink*0.999
	}
	_, _, hw, hh = b.Hull()
	x, y := rapid.Float64Range(0, w-hw).Draw(t, "x"), rapid.Float64Range(0, h-hh).Draw(t, "y")
	b.X, b.Y = x+(hw-b.W)/2, y+(hh-b.H)/2
	return b
}

// distance is how far the farthest corner of a is from the next one of b: a box can be written in more than one way.
func distance(a, b formats.Box) (far float64) {
	for _, p := range cornersOf(a) {
		next := math.Inf(1)
		for _, q := range cornersOf(b) {
			next = min(next, math.Hypot(p[0]-q[0], p[1]-q[1]))
		}
		far = max(far, next)
	}
	return far
}

func cornersOf(b formats.Box) (corners [4][2]float64) {
	sin, cos := math.Sincos(b.Rotation * math.Pi / 180)
	for i, side := range [4][2]float64{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}} {
		x, y := side[0]*b.W/2, side[1]*b.H/2
		corners[i] = [2]float64{b.X + b.W/2 + x*cos - y*sin, b.Y + b.H/2 + x*sin + y*cos}
	}
	return corners
}

func same(t failer, want, got formats.Image) {
	if got.Key != want.Key || !got.Labeled || got.Width != want.Width || got.Height != want.Height || len(got.Boxes) != len(want.Boxes) {
		t.Fatalf("wrote %+v\nread  %+v", want, got)
	}
	for i, b := range want.Boxes {
		g := got.Boxes[i]
		far := distance(b, g)
		if b.Class != g.Class || !(far <= tolerance) {
			t.Fatalf("wrote %+v\nread  %+v: %g off", b, g, far)
		}
	}
}
