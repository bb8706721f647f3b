package crop

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"pgregory.net/rapid"
)

func TestSquareStaysInThePictureAndHoldsTheBox(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bounds := image.Rect(0, 0, rapid.IntRange(1, 3000).Draw(t, "width"), rapid.IntRange(1, 3000).Draw(t, "height"))
		x := rapid.Float64Range(0, float64(bounds.Dx()-1)).Draw(t, "x")
		y := rapid.Float64Range(0, float64(bounds.Dy()-1)).Draw(t, "y")
		w := rapid.Float64Range(0.5, float64(bounds.Dx())-x).Draw(t, "w")
		h := rapid.Float64Range(0.5, float64(bounds.Dy())-y).Draw(t, "h")
		got := square(x, y, w, h, bounds)
		if got.Empty() || !got.In(bounds) {
			t.Fatalf("square %v leaves the picture %v", got, bounds)
		}
		if float64(got.Min.X) > x+0.5 || float64(got.Max.X) < x+w-0.5 || float64(got.Min.Y) > y+0.5 || float64(got.Max.Y) < y+h-0.5 {
			t.Fatalf("square %v does not hold the box %v %v %v %v", got, x, y, w, h)
		}
	})
}

func TestJPEGShowsTheBox(t *testing.T) {
	t.Parallel()
	src := image.NewGray(image.Rect(0, 0, 400, 300))
	for y := 200; y < 240; y++ {
		for x := 300; x < 340; x++ {
			src.SetGray(x, y, color.Gray{Y: 250})
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, src); err != nil {
		t.Fatal(err)
	}
	out, err := JPEG(&file, 300, 200, 40, 40, 36)
	if err != nil {
		t.Fatal(err)
	}
	got, err := jpeg.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if got.Bounds().Dx() != 36 || got.Bounds().Dy() != 36 {
		t.Errorf("crop is %v, want 36 x 36", got.Bounds())
	}
	middle, _, _, _ := got.At(18, 18).RGBA()
	corner, _, _, _ := got.At(0, 0).RGBA()
	if middle < 0xe000 || corner > 0x2000 {
		t.Errorf("middle %#x and corner %#x: want bright and dark", middle, corner)
	}
}

func TestJPEGRefusesWhatIsNoPicture(t *testing.T) {
	t.Parallel()
	if _, err := JPEG(bytes.NewReader([]byte("no picture")), 0, 0, 1, 1, 10); err == nil {
		t.Error("no error")
	}
}
