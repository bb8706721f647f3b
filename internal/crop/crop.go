// Package crop cuts a part out of a picture.
package crop

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // a display rendition may be a PNG
	"io"
	"math"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // an original that is shown as it is may be a WebP
)

// margin is how much of the surroundings a crop shows, as a share of the box's longer side; without
// them nobody can tell a dark line on bright steel from a bright one on dark.
const margin = 0.2

// smallest is the shortest side of a crop: magnified further, nobody recognises the surface.
const smallest = 72

// outside is what a window shows beyond the picture's edge.
var outside = color.Gray{Y: 0x60}

// JPEG decodes the picture in r and returns, as a JPEG with sides of at most side pixels, a square round the
// box x, y, w, h with a margin. A square that would reach out of the picture is moved, then cut. Boxes
// smaller than 32 pixels get more of their surroundings.
func JPEG(r io.Reader, x, y, w, h float64, side int) ([]byte, error) {
	src, _, err := image.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("crop: %w", err)
	}
	window := square(x, y, w, h, src.Bounds())
	scale := min(1, float64(side)/float64(max(window.Dx(), window.Dy())))
	dst := image.NewRGBA(image.Rect(0, 0, scaled(window.Dx(), scale), scaled(window.Dy(), scale)))
	draw.CatmullRom.Scale(dst, dst.Bounds(), src, window, draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, dst, &jpeg.Options{Quality: 88}); err != nil {
		return nil, fmt.Errorf("crop: %w", err)
	}
	return out.Bytes(), nil
}

// Window decodes the picture in r and returns, as a JPEG of side × side pixels, the square of span pixels of it round
// the point x, y. What lies outside of the picture is grey, so that all windows of one span have one scale.
func Window(r io.Reader, x, y float64, span, side int) ([]byte, error) {
	src, _, err := image.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("crop: %w", err)
	}
	left, top := int(math.Round(x-float64(span)/2)), int(math.Round(y-float64(span)/2))
	window := image.Rect(left, top, left+span, top+span).Add(src.Bounds().Min)
	dst := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(outside), image.Point{}, draw.Src)
	shown := window.Intersect(src.Bounds())
	at := func(v, from int) int { return int(math.Round(float64(v-from) * float64(side) / float64(span))) }
	to := image.Rect(at(shown.Min.X, window.Min.X), at(shown.Min.Y, window.Min.Y), at(shown.Max.X, window.Min.X), at(shown.Max.Y, window.Min.Y))
	draw.CatmullRom.Scale(dst, to, src, shown, draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, dst, &jpeg.Options{Quality: 88}); err != nil {
		return nil, fmt.Errorf("crop: %w", err)
	}
	return out.Bytes(), nil
}

// Part is the part of a picture of the given size that JPEG shows of a box.
func Part(x, y, w, h float64, width, height int) image.Rectangle {
	return square(x, y, w, h, image.Rect(0, 0, width, height))
}

func scaled(length int, scale float64) int { return max(1, int(math.Round(float64(length)*scale))) }

// square returns the part of bounds that a crop of the box shows.
func square(x, y, w, h float64, bounds image.Rectangle) image.Rectangle {
	length := max(smallest, int(math.Ceil(max(w, h)*(1+2*margin))))
	left := int(math.Round(x + w/2 - float64(length)/2))
	top := int(math.Round(y + h/2 - float64(length)/2))
	left = max(0, min(left, bounds.Dx()-length))
	top = max(0, min(top, bounds.Dy()-length))
	return image.Rect(left, top, left+length, top+length).Add(bounds.Min).Intersect(bounds)
}
