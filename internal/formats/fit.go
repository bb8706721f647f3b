package formats

import (
	"fmt"
	"math"
)

const (
	// overshoot is how far a box may leave its image, in pixels, and still count as rounded rather than as wrong.
	overshoot = 1.0
	// noise is the width in pixels below which a difference comes from floating-point arithmetic and from nothing else.
	noise = 1e-6
)

// Fit checks b against an image of width × height pixels; a size of 0 is unknown and not checked. A box that leaves the
// image by less than a pixel is clipped to it, and clipped says so. The error is for people: it says why the box cannot
// be taken (not a number, without area, outside the image). A rotated box may reach over the border, but its centre must
// lie in the image.
func Fit(b Box, width, height int) (fitted Box, clipped bool, err error) {
	if err := checkFinite(b); err != nil {
		return b, false, err
	}
	if b.W <= 0 || b.H <= 0 {
		return b, false, fmt.Errorf("box without area: %s", coordinates(b))
	}
	if width <= 0 || height <= 0 {
		return b, false, nil
	}
	limitX, limitY := float64(width), float64(height)
	if b.Rotation != 0 {
		if x, y := b.X+b.W/2, b.Y+b.H/2; x < 0 || y < 0 || x > limitX || y > limitY {
			return b, false, fmt.Errorf("box outside the image: %s, rotated, in %d×%d", coordinates(b), width, height)
		}
		return b, false, nil
	}
	x, w, farX := fitSpan(b.X, b.W, limitX)
	y, h, farY := fitSpan(b.Y, b.H, limitY)
	far := max(farX, farY)
	if far >= overshoot || w <= 0 || h <= 0 {
		return b, false, fmt.Errorf("box outside the image: %s in %d×%d", coordinates(b), width, height)
	}
	b.X, b.Y, b.W, b.H = x, y, w, h
	return b, far > noise, nil
}

// fitOr is Fit, or a check for finite numbers alone where boxes are to stay as they are written.
func fitOr(asWritten bool, b Box, width, height int) (fitted Box, clipped bool, err error) {
	if asWritten {
		return b, false, checkFinite(b)
	}
	return Fit(b, width, height)
}

// Clip cuts a box that is not rotated off at the borders of its image, however far it reaches; ok is false when nothing
// of it lies inside. It is for detections: labels go through Fit.
func Clip(b Box, width, height int) (clipped Box, ok bool) {
	if b.Rotation == 0 {
		b.X, b.W, _ = fitSpan(b.X, b.W, float64(width))
		b.Y, b.H, _ = fitSpan(b.Y, b.H, float64(height))
	}
	_, _, err := Fit(b, width, height)
	return b, err == nil
}

func checkFinite(b Box) error {
	for _, v := range [...]float64{b.X, b.Y, b.W, b.H, b.Rotation} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("box with a coordinate that is not a number: %s", coordinates(b))
		}
	}
	return nil
}

// fitSpan clips the span that starts at and has length to 0…limit; far is how much it left that on the worse side.
// A span that fits comes back bit for bit.
func fitSpan(at, length, limit float64) (start, size, far float64) {
	far = max(-at, at+length-limit, 0)
	if at < 0 {
		at, length = 0, length+at
	}
	return at, min(length, limit-at), far
}

func coordinates(b Box) string {
	return fmt.Sprintf("x=%.6g y=%.6g w=%.6g h=%.6g", b.X, b.Y, b.W, b.H)
}

// writable reports whether a writer can take the box: its class is one of known, and its numbers are finite. What cannot be
// taken is refused at key.
func writable(report *Report, known map[string]bool, key string, box Box) bool {
	if !known[box.Class] {
		report.Add(Refused, key, fmt.Sprintf("box of class %q, which is not a class of this export", box.Class))
		return false
	}
	if _, _, err := Fit(box, 0, 0); err != nil {
		report.Add(Refused, key, err.Error())
		return false
	}
	if math.IsInf(box.X+box.W, 0) || math.IsInf(box.Y+box.H, 0) {
		report.Add(Refused, key, "box with a number that cannot be written")
		return false
	}
	return true
}
