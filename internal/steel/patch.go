package steel

import "image"

// visible is how much a pixel must differ from the surface to be seen among its
// streaks; fainter tips of a stroke are drawn, but nobody would box them.
const visible = 11 * one

// patch is what one defect adds to the surface within a rectangle.
type patch struct {
	area  image.Rectangle
	depth []int32
}

// newPatch covers area as far as it lies on the strip in the picture.
func (c *canvas) newPatch(area image.Rectangle) *patch {
	area = area.Intersect(image.Rect(0, c.top, c.w, c.bottom))
	return &patch{area: area, depth: make([]int32, area.Dx()*area.Dy())}
}

// set changes a pixel, unless a stronger stroke was there before.
func (p *patch) set(x, y int, depth int32) {
	if !(image.Point{X: x, Y: y}).In(p.area) {
		return
	}
	at := &p.depth[(y-p.area.Min.Y)*p.area.Dx()+x-p.area.Min.X]
	if abs(depth) > abs(*at) {
		*at = depth
	}
}

// each calls f with each pixel that can be seen.
func (p *patch) each(f func(x, y int, depth int32)) {
	for i, d := range p.depth {
		if abs(d) >= visible {
			f(p.area.Min.X+i%p.area.Dx(), p.area.Min.Y+i/p.area.Dx(), d)
		}
	}
}

// box is the smallest rectangle around the pixels that can be seen.
func (p *patch) box() image.Rectangle {
	var box image.Rectangle
	p.each(func(x, y int, _ int32) {
		box = box.Union(image.Rect(x, y, x+1, y+1))
	})
	return box
}

func (p *patch) defect(class Class, mark int) Defect {
	b := p.box()
	sum, n := int32(0), int32(0)
	p.each(func(_, _ int, depth int32) {
		sum += abs(depth) >> 4
		n++
	})
	return Defect{
		Class: class, X: b.Min.X, Y: b.Min.Y, W: b.Dx(), H: b.Dy(),
		Mark: mark, Contrast: int(sum / max(1, n) >> 4),
	}
}

func (c *canvas) add(p *patch) {
	for i, d := range p.depth {
		x, y := p.area.Min.X+i%p.area.Dx(), p.area.Min.Y+i/p.area.Dx()
		c.surface[y*c.w+x] += d
	}
}
