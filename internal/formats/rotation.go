package formats

import "math"

// settle takes the noise of arithmetic off a coordinate: a value within a billionth of a whole millionth of a pixel
// becomes that, so that a corner which was written as a fraction or a difference comes back as the number it was.
func settle(v float64) float64 {
	if r := math.Round(v*1e6) / 1e6; math.Abs(v-r) < 1e-9 {
		return r
	}
	return v
}

// turn brings an angle in degrees into -180 (excluded) to 180.
func turn(degrees float64) float64 {
	if degrees > -180 && degrees <= 180 {
		return degrees
	}
	r := math.Remainder(degrees, 360)
	if r <= -180 {
		return 180
	}
	return r
}

// settled is b without the noise of arithmetic in its place and size, its rotation within half a turn.
func (b Box) settled() Box {
	b.X, b.Y, b.W, b.H = settle(b.X), settle(b.Y), settle(b.W), settle(b.H)
	b.Rotation = turn(settle(b.Rotation))
	return b
}
