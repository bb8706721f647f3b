package media

import (
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
)

// The names of the renditions.
const (
	// Display is what the workbench shows where the original cannot be shown.
	Display = "display"
	// Thumb is the small picture of lists.
	Thumb = "thumb"
	// Window carries all 16 bits of a grey picture to the browser: the value
	// of a pixel is 256·red + green.
	Window = "window"
)

const (
	thumbSide      = 320
	thumbQuality   = 80
	displayQuality = 95
	// losslessPixels is up to where the display of a JPEG is PNG. Beyond it PNG
	// costs five times the bytes and four times the work (3.4 MB against 0.7 MB
	// at 2 megapixels, 47 dB apart), for the sake of noise that the JPEG brought.
	losslessPixels = 1_000_000
)

// Rendition is a picture derived from an original.
type Rendition struct {
	Name          string
	Type          Type
	Width, Height int
	// strip marks a copy of the original's own bytes without metadata.
	strip bool
}

// Plan lists the renditions that the original needs: always a thumb, a window
// for 16-bit grey, and a display where the original itself cannot be shown.
func Plan(info Info) []Rendition {
	var plan []Rendition
	switch {
	case redrawn(info):
		t := PNG
		if info.Type == JPEG && info.Width*info.Height > losslessPixels {
			t = JPEG
		}
		plan = append(plan, Rendition{Name: Display, Type: t, Width: info.Width, Height: info.Height})
	case info.Metadata:
		plan = append(plan, Rendition{Name: Display, Type: info.Type, Width: info.Width, Height: info.Height, strip: true})
	}
	if info.Gray && info.BitDepth == 16 {
		plan = append(plan, Rendition{Name: Window, Type: PNG, Width: info.Width, Height: info.Height})
	}
	w, h := fit(info.Width, info.Height, thumbSide)
	return append(plan, Rendition{Name: Thumb, Type: JPEG, Width: w, Height: h})
}

// redrawn tells that a browser would not show the original's pixels, or not
// the same in every browser.
func redrawn(info Info) bool {
	return info.Orientation != 1 || info.CMYK || info.Type == BMP || info.Type == TIFF || info.Gray && info.BitDepth == 16
}

// fit shrinks w × h so that the longer side is at most side; no side gets lost.
func fit(w, h, side int) (width, height int) {
	long := max(w, h)
	if long <= side {
		return w, h
	}
	return max(1, (w*side+long/2)/long), max(1, (h*side+long/2)/long)
}

// Levels says how the values are spread; false unless the picture is 16-bit
// grey.
func (p *Picture) Levels() (Levels, bool) {
	gray, ok := p.Image.(*image.Gray16)
	if !ok {
		return Levels{}, false
	}
	return LevelsOf(gray), true
}

// Render writes one rendition of the plan to w, without metadata.
func (p *Picture) Render(w io.Writer, r Rendition) error {
	if err := p.render(w, r); err != nil {
		return fmt.Errorf("render %s: %w", r.Name, err)
	}
	return nil
}

func (p *Picture) render(w io.Writer, r Rendition) error {
	img := p.Image
	gray16, _ := img.(*image.Gray16)
	switch {
	case r.strip:
		return p.strip(w)
	case r.Name == Window && gray16 != nil:
		img = splitBytes(gray16)
	case r.Name == Window:
		return fmt.Errorf("the picture is not 16-bit grey")
	case gray16 != nil:
		img = LevelsOf(gray16).Window(gray16)
	}
	if r.Name == Thumb {
		return jpeg.Encode(w, shrink(img, r.Width, r.Height), &jpeg.Options{Quality: thumbQuality})
	}
	if r.Type == JPEG {
		return jpeg.Encode(w, img, &jpeg.Options{Quality: displayQuality})
	}
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	return encoder.Encode(w, img)
}

func (p *Picture) strip(w io.Writer) error {
	if _, err := p.source.Seek(0, io.SeekStart); err != nil {
		return err
	}
	switch p.Type {
	case JPEG:
		return stripJPEG(w, p.source)
	case PNG:
		return stripPNG(w, p.source)
	case WebP:
		return stripWebP(w, p.source)
	case BMP, TIFF:
	}
	return fmt.Errorf("metadata of %s is not stripped", p.Type)
}

// shrink scales with a kernel that sees every pixel, onto white.
func shrink(img image.Image, w, h int) image.Image {
	rect := image.Rect(0, 0, w, h)
	var dst draw.Image = image.NewRGBA(rect)
	if _, ok := img.(*image.Gray); ok {
		dst = image.NewGray(rect)
	}
	draw.Draw(dst, rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.CatmullRom.Scale(dst, rect, img, img.Bounds(), draw.Over, nil)
	return dst
}
