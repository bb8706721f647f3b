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

// Windows of one span have one scale wherever they lie: what is outside of the picture is grey.
func TestWindow(t *testing.T) {
	t.Parallel()
	src := image.NewGray(image.Rect(0, 0, 100, 80))
	for i := range src.Pix {
		src.Pix[i] = 255
	}
	var file bytes.Buffer
	if err := png.Encode(&file, src); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		x, y        float64
		corner, mid uint8 // at the top left, and in the middle
	}{{50, 40, 255, 255}, {0, 0, 0x60, 255}, {98, 78, 255, 255}, {50, 400, 0x60, 0x60}} {
		cut, err := Window(bytes.NewReader(file.Bytes()), tt.x, tt.y, 48, 96)
		if err != nil {
			t.Fatal(err)
		}
		m, err := jpeg.Decode(bytes.NewReader(cut))
		if err != nil || m.Bounds() != image.Rect(0, 0, 96, 96) {
			t.Fatalf("%v, %v", m.Bounds(), err)
		}
		for at, want := range map[image.Point]uint8{{X: 4, Y: 4}: tt.corner, {X: 49, Y: 49}: tt.mid} {
			r, _, _, _ := m.At(at.X, at.Y).RGBA()
			if got := uint8(r >> 8); max(got, want)-min(got, want) > 6 {
				t.Errorf("window at %v, %v: %d at %v, want %d", tt.x, tt.y, got, at, want)
			}
		}
	}
	if _, err := Window(bytes.NewReader(nil), 1, 1, 48, 96); err == nil {
		t.Error("a window of nothing")
	}
}
