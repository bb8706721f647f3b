package formats

import (
	"fmt"
	"math"
)

// Fractions are the boxes of an image in fractions of its size, as files hold them that do not say what that is.
type Fractions struct {
	rows   []fraction
	faulty int // boxes of the file that were refused
}

// shape says what the numbers of a fraction are.
type shape uint8

const (
	shapeCentre  shape = iota // centre and size
	shapeCorners              // four corners in turn
	shapePivot                // top-left corner and size of a rectangle that is rotated about that corner
)

// fraction is one box; place says where it stands in its file.
type fraction struct {
	Box

	place string
	shape shape
	at    [8]float64
}

// Len is how many boxes there are.
func (f *Fractions) Len() int { return len(f.rows) }

const (
	// written is how much of the side of an image a file with six decimals can be off.
	written = 2e-6
	// squareness is how far, in pixels, four corners may be from those of a rectangle and still be rounded.
	squareness = 0.05
)

// Pixels returns the labeled image of that size. A box that leaves it is cut off at its border, and refused when its centre
// lies outside: then its numbers are hardly fractions. A rotated box may reach over the border. With asWritten, boxes only
// need to be finite.
func (f *Fractions) Pixels(key string, width, height int, asWritten bool) (Image, Report) {
	im, report := Image{Key: key, Width: width, Height: height, Labeled: true}, Report{}
	for i := range f.rows {
		row := &f.rows[i]
		box, exact := row.pixels(float64(width), float64(height))
		box = box.settled()
		if !exact {
			report.Add(Rounded, row.place, "corners that are no rectangle: the smallest rectangle around them is kept")
		}
		box, clipped, err := fitFraction(asWritten, box, width, height)
		if err != nil {
			report.Add(Refused, row.place, err.Error())
			continue
		}
		if clipped {
			report.Add(Clipped, row.place, "the box left the image and was cut off at its border")
		}
		im.Boxes = append(im.Boxes, box)
	}
	if len(im.Boxes) == 0 && len(f.rows)+f.faulty > 0 {
		im.Labeled = false
		report.Add(LeftOut, key, noNegative)
	}
	return im, report
}

func fitFraction(asWritten bool, b Box, width, height int) (fitted Box, clipped bool, err error) {
	if err := checkFinite(b); err != nil || asWritten {
		return b, false, err
	}
	limitX, limitY := float64(width), float64(height)
	if x, y := b.X+b.W/2, b.Y+b.H/2; b.Rotation == 0 && x >= 0 && y >= 0 && x <= limitX && y <= limitY {
		var farX, farY float64
		b.X, b.W, farX = fitSpan(b.X, b.W, limitX)
		b.Y, b.H, farY = fitSpan(b.Y, b.H, limitY)
		clipped = farX > written*limitX+noise || farY > written*limitY+noise
	}
	b, _, err = Fit(b.settled(), width, height)
	return b, clipped, err
}

// pixels is the row's box in an image of that size; exact is false if it only stands for what is written.
func (f *fraction) pixels(width, height float64) (b Box, exact bool) {
	b = f.Box
	switch f.shape {
	case shapeCorners:
		var corners [4]point
		for i := range corners {
			corners[i] = point{f.at[2*i] * width, f.at[2*i+1] * height}
		}
		turned, exact := boxOfCorners(corners)
		b.X, b.Y, b.W, b.H, b.Rotation = turned.X, turned.Y, turned.W, turned.H, turned.Rotation
		return b, exact
	case shapePivot:
		b.W, b.H = f.at[2]*width, f.at[3]*height
		c := point{f.at[0] * width, f.at[1] * height}.plus(point{b.W / 2, b.H / 2}.turned(b.Rotation))
		b.X, b.Y = c.x-b.W/2, c.y-b.H/2
	default:
		b.W, b.H = f.at[2]*width, f.at[3]*height
		b.X, b.Y = f.at[0]*width-b.W/2, f.at[1]*height-b.H/2
	}
	return b, true
}

// add keeps a row, unless the image has too many already.
func (f *Fractions) add(row fraction) error {
	if len(f.rows) == maxBoxes {
		return fmt.Errorf("more than %d boxes in one image", maxBoxes)
	}
	f.rows = append(f.rows, row)
	return nil
}

// finite reports whether every number can be reckoned with.
func finite(numbers []float64) bool {
	for _, v := range numbers {
		if math.IsNaN(v) || math.Abs(v) > 1e9 {
			return false
		}
	}
	return true
}
