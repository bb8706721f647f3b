package formats

import "math"

// settle takes the noise of arithmetic off a coordinate: a value within 1e-10 of a whole millionth of a pixel becomes that, so that a corner which was written as a fraction or a difference comes back as the number it was.
func settle(v float64) float64 {
	if r := math.Round(v*1e6) / 1e6; math.Abs(v-r) < 1e-10 {
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

// point is a place in pixels, y downwards.
type point struct{ x, y float64 }

func (p point) plus(q point) point    { return point{p.x + q.x, p.y + q.y} }
func (p point) minus(q point) point   { return point{p.x - q.x, p.y - q.y} }
func (p point) by(f float64) point    { return point{p.x * f, p.y * f} }
func (p point) length() float64       { return math.Hypot(p.x, p.y) }
func (p point) cross(q point) float64 { return p.x*q.y - p.y*q.x }

// turned is p turned clockwise about the origin.
func (p point) turned(degrees float64) point {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return point{p.x*cos - p.y*sin, p.x*sin + p.y*cos}
}

// corners are those of the rectangle in the image: clockwise, from the one that is the top-left before the rotation.
func (b Box) corners() [4]point {
	c := point{b.X + b.W/2, b.Y + b.H/2}
	if b.Rotation == 0 { // bit for bit
		return [4]point{{b.X, b.Y}, {b.X + b.W, b.Y}, {b.X + b.W, b.Y + b.H}, {b.X, b.Y + b.H}}
	}
	u, v := point{b.W / 2, 0}.turned(b.Rotation), point{0, b.H / 2}.turned(b.Rotation)
	return [4]point{c.minus(u).minus(v), c.plus(u).minus(v), c.plus(u).plus(v), c.minus(u).plus(v)}
}

// boxOfCorners is the rectangle with these corners, given in turn either way round. If they are no rectangle, exact is false
// and the smallest rectangle around them is returned. One whose sides run along the image's is not rotated.
func boxOfCorners(p [4]point) (b Box, exact bool) {
	if p[1].minus(p[0]).cross(p[3].minus(p[0])) < 0 {
		p[1], p[3] = p[3], p[1]
	}
	u := p[1].minus(p[0]).plus(p[2].minus(p[3])).by(0.5)
	v := p[3].minus(p[0]).plus(p[2].minus(p[1])).by(0.5)
	centre := p[0].plus(p[1]).plus(p[2]).plus(p[3]).by(0.25)
	b = Box{W: u.length(), H: v.length(), Rotation: math.Atan2(u.y, u.x) * 180 / math.Pi}
	if b.H > b.W { // the longer side tells the angle better
		b.Rotation = turn(math.Atan2(v.y, v.x)*180/math.Pi - 90)
	}
	b.X, b.Y = centre.x-b.W/2, centre.y-b.H/2
	exact = true
	corners := b.corners()
	for i := range p {
		exact = exact && corners[i].minus(p[i]).length() <= squareness
	}
	if !exact {
		b = smallestAround(p)
	}
	return b.alongAxes(), exact
}

// smallestAround is the smallest rectangle around four points: one of its sides lies along two of them.
func smallestAround(p [4]point) (smallest Box) {
	least := math.Inf(1)
	for i, from := range p {
		for _, to := range p[:i] {
			along := from.minus(to)
			if along == (point{}) {
				continue
			}
			degrees := math.Atan2(along.y, along.x) * 180 / math.Pi
			low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
			for _, q := range p {
				q = q.turned(-degrees)
				low, high = point{min(low.x, q.x), min(low.y, q.y)}, point{max(high.x, q.x), max(high.y, q.y)}
			}
			size := high.minus(low)
			if area := size.x * size.y; area < least {
				c := low.plus(high).by(0.5).turned(degrees)
				least, smallest = area, Box{X: c.x - size.x/2, Y: c.y - size.y/2, W: size.x, H: size.y, Rotation: degrees}
			}
		}
	}
	return smallest
}

// alongAxes writes a box that is turned by whole quarters as one that is not rotated.
func (b Box) alongAxes() Box {
	quarters := math.Round(b.Rotation / 90)
	if math.Abs(b.Rotation-90*quarters) > 1e-11 {
		return b
	}
	b.Rotation = 0
	if math.Mod(quarters, 2) != 0 {
		b.X, b.Y, b.W, b.H = b.X+(b.W-b.H)/2, b.Y+(b.H-b.W)/2, b.H, b.W
	}
	return b
}
