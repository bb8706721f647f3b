package agreement

import (
	"cmp"
	"math"
)

// IoU returns the area that two boxes share over the area that they cover together, in 0..1; rotated boxes are clipped as
// polygons. Boxes of the same shape at the same place have 1, also without an area.
func IoU(a, b Box) float64 {
	sa, sb := shapeOf(a), shapeOf(b)
	return iou(&sa, &sb)
}

// shape is a box made ready for being compared with many.
type shape struct {
	left, top, right, bottom float64 // the hull
	area                     float64
	x, y, w, h               float64 // of the box before it is turned
	turn                     float64 // clockwise, in degrees within (-45, 45]
}

// shapeOf turns a box by quarters, its sides swapped, until little turning is left, so that one rectangle has one shape.
func shapeOf(b Box) shape {
	s := shape{x: b.X, y: b.Y, w: b.W, h: b.H}
	if b.Rotation != 0 {
		quarters := math.Ceil(b.Rotation/90 - 0.5)
		s.turn = b.Rotation - 90*quarters
		if math.Mod(quarters, 2) != 0 {
			s.x, s.y = s.x+(s.w-s.h)/2, s.y+(s.h-s.w)/2
			s.w, s.h = s.h, s.w
		}
	}
	s.area = s.w * s.h
	s.left, s.top, s.right, s.bottom = s.x, s.y, s.x+s.w, s.y+s.h
	if s.turn != 0 {
		sin, cos := math.Sincos(s.turn * math.Pi / 180)
		sin = math.Abs(sin)
		dx, dy := (s.w*cos+s.h*sin-s.w)/2, (s.w*sin+s.h*cos-s.h)/2
		s.left, s.top, s.right, s.bottom = s.left-dx, s.top-dy, s.right+dx, s.bottom+dy
	}
	return s
}

// same reports whether two shapes are one and the same.
func same(a, b *shape) bool {
	return a.x == b.x && a.y == b.y && a.w == b.w && a.h == b.h && a.turn == b.turn
}

func iou(a, b *shape) float64 {
	if same(a, b) {
		return 1
	}
	return iouOf(a, b, overlap(a, b))
}

// iouOf is the IoU of two different shapes that share an area.
func iouOf(a, b *shape, shared float64) float64 {
	if union := a.area + b.area - shared; union > 0 {
		return min(shared/union, 1)
	}
	return 0
}

// overlap is the area that two shapes share. Apart on both axes they share none, although the product of the two negative
// overlaps is positive.
func overlap(a, b *shape) float64 {
	w, h := min(a.right, b.right)-max(a.left, b.left), min(a.bottom, b.bottom)-max(a.top, b.top)
	switch {
	case w <= 0 || h <= 0:
		return 0
	case a.turn == 0 && b.turn == 0:
		return w * h
	case compareShapes(a, b) > 0: // the same to the last bit either way round
		return clipped(b, a)
	}
	return clipped(a, b)
}

func compareShapes(a, b *shape) int {
	return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y), cmp.Compare(a.w, b.w), cmp.Compare(a.h, b.h), cmp.Compare(a.turn, b.turn))
}

type point struct{ x, y float64 }

// clipped is the area of a inside b: a's corners are seen from b's centre along b's sides, then cut along each of
// them (Sutherland and Hodgman, Reentrant polygon clipping, 1974). Two rectangles share at most an octagon.
func clipped(a, b *shape) float64 {
	var one, two [8]point
	in := append(one[:0], corners(a, b)...)
	out := two[:0]
	for _, side := range [...]struct{ nx, ny, limit float64 }{{-1, 0, b.w / 2}, {1, 0, b.w / 2}, {0, -1, b.h / 2}, {0, 1, b.h / 2}} {
		out = out[:0]
		for i, p := range in {
			q := in[(i+1)%len(in)]
			dp, dq := side.nx*p.x+side.ny*p.y-side.limit, side.nx*q.x+side.ny*q.y-side.limit
			if dp <= 0 {
				out = append(out, p)
			}
			if dp < 0 && dq > 0 || dp > 0 && dq < 0 {
				t := dp / (dp - dq)
				out = append(out, point{p.x + t*(q.x-p.x), p.y + t*(q.y-p.y)})
			}
		}
		in, out = out, in
	}
	twice := 0.0
	for i, p := range in {
		q := in[(i+1)%len(in)]
		twice += p.x*q.y - q.x*p.y
	}
	return math.Abs(twice) / 2
}

// corners are a's corners in their order, seen from b's centre along b's sides.
func corners(a, b *shape) []point {
	sinB, cosB := math.Sincos(-b.turn * math.Pi / 180)
	dx, dy := a.x+a.w/2-(b.x+b.w/2), a.y+a.h/2-(b.y+b.h/2)
	centre := point{dx*cosB - dy*sinB, dx*sinB + dy*cosB}
	sin, cos := math.Sincos((a.turn - b.turn) * math.Pi / 180)
	along, across := point{a.w / 2 * cos, a.w / 2 * sin}, point{-a.h / 2 * sin, a.h / 2 * cos}
	return []point{
		{centre.x - along.x - across.x, centre.y - along.y - across.y},
		{centre.x + along.x - across.x, centre.y + along.y - across.y},
		{centre.x + along.x + across.x, centre.y + along.y + across.y},
		{centre.x - along.x + across.x, centre.y - along.y + across.y},
	}
}
