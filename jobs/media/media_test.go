package media

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEdgeFiles(t *testing.T) {
	t.Parallel()
	folder := sharedImages(t)
	type outcome struct {
		refused Reason
		info    Info
		plan    string
	}
	want := map[string]outcome{
		"Landscape_6.jpg": {
			info: Info{Type: JPEG, Width: 1800, Height: 1200, StoredWidth: 1200, StoredHeight: 1800, Orientation: 6, BitDepth: 8},
			plan: "display jpeg, thumb jpeg",
		},
		"Portrait_3.jpg": {
			info: Info{Type: JPEG, Width: 1200, Height: 1800, StoredWidth: 1200, StoredHeight: 1800, Orientation: 3, BitDepth: 8},
			plan: "display jpeg, thumb jpeg",
		},
		"anim.webp":                      {refused: Animated},
		"made_bomb_50000x50000_1bit.png": {refused: TooLarge},
		"made_cmyk.jpg": {
			info: Info{Type: JPEG, Width: 600, Height: 400, StoredWidth: 600, StoredHeight: 400, Orientation: 1, BitDepth: 8, CMYK: true},
			plan: "display png, thumb jpeg",
		},
		"made_script.svg":     {refused: WrongType},
		"made_truncated.jpg":  {refused: Truncated},
		"made_zero_bytes.jpg": {refused: Empty},
		"oob.gif":             {refused: WrongType},
		"pngsuite_basn0g16.png": {
			info: Info{Type: PNG, Width: 32, Height: 32, StoredWidth: 32, StoredHeight: 32, Orientation: 1, BitDepth: 16, Gray: true},
			plan: "display png, window png, thumb jpeg",
		},
		"pngsuite_s01n3p01.png": {
			info: Info{Type: PNG, Width: 1, Height: 1, StoredWidth: 1, StoredHeight: 1, Orientation: 1, BitDepth: 8},
			plan: "thumb jpeg",
		},
		"pngsuite_tbbn3p08.png": {
			info: Info{Type: PNG, Width: 32, Height: 32, StoredWidth: 32, StoredHeight: 32, Orientation: 1, BitDepth: 8},
			plan: "thumb jpeg",
		},
		"pngsuite_xdtn0g01.png": {refused: Damaged},
		"pngsuite_xhdn0g08.png": {refused: Damaged},
		"pngsuite_xs1n0g01.png": {refused: Damaged},
		"progressive_cat.jpg": {
			info: Info{Type: JPEG, Width: 320, Height: 240, StoredWidth: 320, StoredHeight: 240, Orientation: 1, BitDepth: 8, Metadata: true},
			plan: "display jpeg, thumb jpeg",
		},
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]outcome{}
	for _, entry := range entries {
		file, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := decodeBytes(file)
		if err != nil {
			var refused *RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("%s: %v is not a refusal", entry.Name(), err)
			}
			t.Logf("%s: %s", entry.Name(), refused.Sentence)
			got[entry.Name()] = outcome{refused: refused.Reason}
			continue
		}
		got[entry.Name()] = outcome{info: picture.Info, plan: renderAll(t, picture)}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

// renderAll makes every rendition of the plan, and wants each to come out
// upright, clean and of the size that the plan says.
func renderAll(t *testing.T, picture *Picture) string {
	t.Helper()
	names := []string{}
	for _, r := range Plan(picture.Info) {
		names = append(names, r.Name+" "+string(r.Type))
		var out bytes.Buffer
		if err := picture.Render(&out, r); err != nil {
			t.Fatal(err)
		}
		info, err := Inspect(bytes.NewReader(out.Bytes()), int64(out.Len()), DefaultLimits)
		if err != nil {
			t.Fatalf("%s of %s: %v", r.Name, picture.Type, err)
		}
		if info.Type != r.Type || info.Width != r.Width || info.Height != r.Height {
			t.Errorf("%s is %s of %d × %d, planned was %v", r.Name, info.Type, info.Width, info.Height, r)
		}
		if info.Orientation != 1 || info.Metadata || info.CMYK || info.BitDepth != 8 {
			t.Errorf("%s cannot be shown as it is: %+v", r.Name, info)
		}
	}
	return strings.Join(names, ", ")
}

//nolint:paralleltest // It counts what the whole process allocates.
func TestBombIsStoppedBeforeDecoding(t *testing.T) {
	var one, two runtime.MemStats
	bomb := makePNG(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	copy(bomb[8:], chunk("IHDR", []byte{0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50, 1, 0, 0, 0, 0}))
	runtime.ReadMemStats(&one)
	_, err := decodeBytes(bomb)
	runtime.ReadMemStats(&two)
	wantRefusal(t, err, TooLarge, "50000 × 50000")
	if spent := two.TotalAlloc - one.TotalAlloc; spent > 1<<20 {
		t.Errorf("%d bytes allocated", spent)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	plain := makeJPEG(t, quarters(16, 16))
	sos := bytes.Index(plain, []byte{0xff, markSOS})
	tests := map[string]struct {
		file   string
		reason Reason
		words  string
	}{
		"web page":       {"<!DOCTYPE html><html><body>Sign in</body></html>", WrongType, "web page"},
		"SVG after XML":  {"\ufeff<?xml version='1.0'?>\n<!-- x -->\n<SVG onload='alert(1)'/>", WrongType, "scripts"},
		"text named BMP": {"BM is how this note begins, and it goes on", WrongType, "text"},
		"PDF":            {"%PDF-1.7\n", WrongType, "PDF"},
		"HEIC":           {"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", WrongType, "HEIC"},
		"zip":            {"PK\x03\x04\x14\x00", WrongType, "archive"},
		"zeros":          {strings.Repeat("\x00", 100), WrongType, "JPEG, PNG, WebP, BMP or TIFF"},
		"nothing":        {"", Empty, "empty"},
		"animated PNG":   {string(makePNG(t, quarters(4, 4), chunk("acTL", make([]byte, 8)))), Animated, "frame"},
		"pages":          {string(makeTIFF(quarters(4, 4), 1, 2)), Pages, "several pages"},
		"endless scans": {
			string(insert(plain, sos, bytes.Repeat(segment(markSOS, []byte{1, 1, 0, 0, 0, 0}), maxScans))),
			Damaged, "passes",
		},
		"damaged in the middle": {strings.Replace(string(makePNG(t, quarters(4, 4))), "IDATx", "IDATy", 1), Damaged, "damaged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeBytes([]byte(test.file))
			wantRefusal(t, err, test.reason, test.words)
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	file := makePNG(t, quarters(40, 10))
	for _, limits := range []Limits{{Pixels: 399, Side: 40}, {Pixels: 400, Side: 39}} {
		_, err := Inspect(bytes.NewReader(file), int64(len(file)), limits)
		wantRefusal(t, err, TooLarge, "40 × 10")
	}
	if _, err := Inspect(bytes.NewReader(file), int64(len(file)), Limits{Pixels: 400, Side: 40}); err != nil {
		t.Error(err)
	}
}

func wantRefusal(t *testing.T, err error, reason Reason, words string) {
	t.Helper()
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("error %v, want a refusal", err)
	}
	if refused.Reason != reason || !strings.Contains(refused.Sentence, words) {
		t.Errorf("refused as %s: %s; want %s with %q", refused.Reason, refused.Sentence, reason, words)
	}
}

// A file that was cut off anywhere never comes in as half a picture.
func TestCutFilesAreRefused(t *testing.T) {
	t.Parallel()
	for name, file := range samples(t) {
		for n := range len(file) - 1 {
			_, err := decodeBytes(file[:n])
			var refused *RefusedError
			if !errors.As(err, &refused) {
				t.Errorf("%s cut at %d of %d: error %v", name, n, len(file), err)
				break
			}
		}
	}
}

// samples is a small good file of each kind.
func samples(tb testing.TB) map[string][]byte {
	tb.Helper()
	img := quarters(24, 16)
	gray := image.NewGray16(image.Rect(0, 0, 5, 3))
	for i := range gray.Pix {
		gray.Pix[i] = byte(i * 37)
	}
	return map[string][]byte{
		"jpeg": makeJPEG(tb, img, exifSegment(exifBlock(6, true))), "png": makePNG(tb, img, chunk("eXIf", exifBlock(8, false))),
		"gray16": makePNG(tb, gray), "bmp": makeBMP(tb, img), "tiff": makeTIFF(img, 3, 1),
		"lossy": readTestdata(tb, "lossy.webp"), "lossless": readTestdata(tb, "lossless.webp"), "alpha": readTestdata(tb, "alpha.webp"),
	}
}

func TestOrientations(t *testing.T) {
	t.Parallel()
	upright := quarters(48, 32)
	for orientation := 1; orientation <= 8; orientation++ {
		stored := storedAs(upright, orientation)
		for name, file := range map[string][]byte{
			"png":  makePNG(t, stored, chunk("eXIf", exifBlock(orientation, false))),
			"tiff": makeTIFF(stored, orientation, 1),
			"jpeg": makeJPEG(t, stored, exifSegment(exifBlock(orientation, false))),
		} {
			picture, err := decodeBytes(file)
			if err != nil {
				t.Fatalf("%s with orientation %d: %v", name, orientation, err)
			}
			if picture.Orientation != orientation || picture.Width != 48 || picture.Height != 32 || picture.Metadata {
				t.Errorf("%s with orientation %d: %+v", name, orientation, picture.Info)
			}
			if d := distance(picture.Image, upright); d > 0 && name != "jpeg" || d > 24 {
				t.Errorf("%s with orientation %d differs from the upright picture by %d", name, orientation, d)
			}
			renderAll(t, picture)
		}
	}
	webp := withWebPChunk(readTestdata(t, "lossless.webp"), "EXIF", append([]byte("Exif\x00\x00"), exifBlock(6, false)...), vp8xEXIF)
	picture, err := decodeBytes(webp)
	if err != nil || picture.Width != 16 || picture.Height != 24 {
		t.Errorf("WebP with orientation 6: %v %v", picture, err)
	}
}

// distance is the largest difference of any channel; JPEG is allowed some.
func distance(a, b image.Image) int {
	if a.Bounds() != b.Bounds() {
		return 1000
	}
	most := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			p, q := a.At(x, y), b.At(x, y)
			pr, pg, pb, _ := p.RGBA()
			qr, qg, qb, _ := q.RGBA()
			for _, d := range []int{int(pr) - int(qr), int(pg) - int(qg), int(pb) - int(qb)} {
				most = max(most, d>>8, -d>>8)
			}
		}
	}
	return most
}

func TestMetadataIsStrippedWithoutLoss(t *testing.T) {
	t.Parallel()
	img := quarters(24, 16)
	secret := []byte("secret-place")
	gps := append(exifBlock(1, true), secret...)
	for name, file := range map[string][]byte{
		"jpeg exif":     makeJPEG(t, img, exifSegment(gps)),
		"jpeg comment":  makeJPEG(t, img, segment(markCOM, secret)),
		"jpeg trailing": append(makeJPEG(t, img, segment(markCOM, secret)), secret...),
		"png exif":      makePNG(t, img, chunk("eXIf", gps)),
		"png text":      makePNG(t, img, chunk("tEXt", append([]byte("Author\x00"), secret...))),
		"webp exif":     withWebPChunk(readTestdata(t, "lossy.webp"), "EXIF", gps, vp8xEXIF),
		"webp xmp":      withWebPChunk(readTestdata(t, "alpha.webp"), "XMP ", secret, vp8xXMP),
	} {
		picture, err := decodeBytes(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		plan := Plan(picture.Info)
		if !picture.Metadata || plan[0].Name != Display || plan[0].Type != picture.Type {
			t.Errorf("%s: planned %v", name, plan)
			continue
		}
		var out bytes.Buffer
		if err := picture.Render(&out, plan[0]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		clean, err := decodeBytes(out.Bytes())
		if err != nil {
			t.Fatalf("%s: stripped: %v", name, err)
		}
		if clean.Metadata || bytes.Contains(out.Bytes(), secret) {
			t.Errorf("%s: the display still tells", name)
		}
		if d := distance(clean.Image, picture.Image); d != 0 {
			t.Errorf("%s: the display differs by %d", name, d)
		}
	}
}

func TestWindowHoldsEveryBit(t *testing.T) {
	t.Parallel()
	gray := image.NewGray16(image.Rect(0, 0, 400, 300))
	for y := range 300 {
		for x := range 400 {
			gray.SetGray16(x, y, color.Gray16{Y: uint16(20_000 + (y*400+x)%4_000)})
		}
	}
	gray.SetGray16(0, 0, color.Gray16{Y: 3})
	gray.SetGray16(1, 0, color.Gray16{Y: 65_535})
	picture, err := decodeBytes(makePNG(t, gray))
	if err != nil {
		t.Fatal(err)
	}
	levels, ok := picture.Levels()
	if want := (Levels{Min: 3, Max: 65_535, Low: 20_020, High: 23_980}); !ok || levels != want {
		t.Errorf("levels %v, want %v", levels, want)
	}
	out := map[string]image.Image{}
	for _, r := range Plan(picture.Info) {
		var b bytes.Buffer
		if err := picture.Render(&b, r); err != nil {
			t.Fatal(err)
		}
		rendered, err := decodeBytes(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		out[r.Name] = rendered.Image
	}
	for y := range 300 {
		for x := range 400 {
			r, g, b, _ := out[Window].At(x, y).RGBA()
			if got := uint16(r>>8<<8 | g>>8); got != gray.Gray16At(x, y).Y || b != 0 {
				t.Fatalf("the window holds %d at (%d, %d), the picture %d", got, x, y, gray.Gray16At(x, y).Y)
			}
		}
	}
	display, ok := out[Display].(*image.Gray)
	if !ok || display.GrayAt(0, 0).Y != 0 || display.GrayAt(1, 0).Y != 255 || display.GrayAt(100, 5).Y < 100 || display.GrayAt(100, 5).Y > 160 {
		t.Errorf("the display is not windowed: %T", out[Display])
	}
}

func TestPlainCMYK(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(filepath.Join(sharedImages(t), "made_cmyk.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	marker := bytes.Index(file, []byte("\xff\xee\x00\x0eAdobe"))
	file = append(file[:marker:marker], file[marker+16:]...)
	picture, err := decodeBytes(file)
	if err != nil || !picture.CMYK || picture.Width != 600 {
		t.Errorf("CMYK without Adobe's marker: %+v %v", picture, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, file := range samples(f) {
		f.Add(file)
	}
	limits := Limits{Pixels: 1 << 16, Side: 1 << 12}
	f.Fuzz(func(t *testing.T, file []byte) {
		picture, err := Decode(bytes.NewReader(file), int64(len(file)), limits)
		if err != nil {
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Sentence == "" {
				t.Fatalf("%v is not a refusal", err)
			}
			return
		}
		if b := picture.Image.Bounds(); b != image.Rect(0, 0, picture.Width, picture.Height) || b.Dx()*b.Dy() > 1<<16 {
			t.Fatalf("bounds %v of %+v", b, picture.Info)
		}
		renderAll(t, picture)
	})
}
