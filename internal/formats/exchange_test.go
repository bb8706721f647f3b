package formats_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/formats"
)

// tolerance is how far a coordinate, in pixels or degrees, may come back from where it was written, in every format that
// writes coordinates in full: what the arithmetic of a difference or a fraction leaves.
const tolerance = 1e-9

type failer interface{ Fatalf(string, ...any) }

// exchange writes images in one format and reads them back; nothing may be lost on either way.
type exchange func(t failer, images []formats.Image, classes []string) []formats.Image

var exchanges = map[string]exchange{
	"cvat": throughCVAT,
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

func same(t failer, want, got formats.Image) {
	if got.Key != want.Key || !got.Labeled || got.Width != want.Width || got.Height != want.Height || len(got.Boxes) != len(want.Boxes) {
		t.Fatalf("wrote %+v\nread  %+v", want, got)
	}
	for i, b := range want.Boxes {
		g := got.Boxes[i]
		far := max(math.Abs(b.X-g.X), math.Abs(b.Y-g.Y), math.Abs(b.W-g.W), math.Abs(b.H-g.H), math.Abs(math.Remainder(b.Rotation-g.Rotation, 360)))
		if b.Class != g.Class || !(far <= tolerance) {
			t.Fatalf("wrote %+v\nread  %+v: %g off", b, g, far)
		}
	}
}
