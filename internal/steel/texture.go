package steel

import "image"

// one is a grey level in the units of the surface.
const one = 256

// canvas is the strip's surface before light falls on it, in 1/256 of a grey
// level, with the rows where the strip's own edges lie.
type canvas struct {
	w, h        int
	look        look
	surface     []int32
	top, bottom int
	// edge holds the edge's row for each column; nil where none is seen.
	edge  []int
	atTop bool
}

// look is what differs from coil to coil and from camera to camera.
type look struct {
	tone    int32 // mean grey level
	streaks int32 // strength of rolling streaks, 256 is usual
	mottle  int32
	flecks  int32
	grain   int32
	lamp    int32 // how much darker the far side is, of 4096
	lampAt  int32 // where the lamp is brightest, of 256 across the strip
	fall    int32 // vignetting, of 4096
	bands   int32
}

func chooseLook(r *random) look {
	return look{
		tone:    int32(r.between(92, 142)),
		streaks: int32(r.between(150, 330)),
		mottle:  int32(r.between(120, 380)),
		flecks:  int32(r.between(40, 280)),
		grain:   int32(r.between(150, 240)),
		lamp:    int32(r.between(500, 1500)),
		lampAt:  int32(r.between(30, 226)),
		fall:    int32(r.between(500, 1100)),
		bands:   int32(r.between(40, 160)),
	}
}

// layer is noise whose cells are long in rolling direction. Each row of cells
// begins at another place, so that no grid shows.
type layer struct {
	seed         uint64
	cellX, cellY int
	row          int
	above, below []int32
}

func newLayer(seed uint64, w, cellX, cellY int) *layer {
	l := &layer{seed: seed, cellX: cellX, cellY: cellY, above: make([]int32, w), below: make([]int32, w)}
	l.fill(l.above, 0)
	l.fill(l.below, 1)
	return l
}

func (l *layer) fill(dst []int32, row int) {
	at := int(mix(l.seed+uint64(row)) % uint64(l.cellX))
	step := int32(1<<16) / int32(l.cellX)
	cell := 0
	a, b := lattice(l.seed, 0, row), lattice(l.seed, 1, row)
	t := int32(at) * step
	for x := range dst {
		s := t >> 8
		s = s * s >> 8 * (768 - 2*s) >> 8
		dst[x] = (a*(256-s) + b*s) >> 8
		t += step
		if at++; at == l.cellX {
			at, t = 0, 0
			cell++
			a, b = b, lattice(l.seed, cell+1, row)
		}
	}
}

// at moves the layer to row y, rows in rising order, and returns the rows of
// noise above and below with the weight of the second, of 256.
func (l *layer) at(y int) (above, below []int32, weight int32) {
	for l.row < y/l.cellY {
		l.row++
		l.above, l.below = l.below, l.above
		l.fill(l.below, l.row+1)
	}
	return l.above, l.below, smooth(y%l.cellY, l.cellY)
}

// addTo adds the layer's row y with a strength in grey levels × 256.
func (l *layer) addTo(dst []int32, y int, strength int32) {
	above, below, weight := l.at(y)
	for x := range dst {
		dst[x] += (above[x]*(256-weight) + below[x]*weight) >> 8 * strength >> 8
	}
}

// texture draws the rolled and oxidised surface.
func (c *canvas) texture(seed uint64) {
	c.surface = make([]int32, c.w*c.h)
	sub := func(i uint64) uint64 { return mix(seed + i) }
	k := c.look
	streaks := []struct {
		*layer
		strength int32
	}{
		{newLayer(sub(1), c.w, 1100, 14), 5 * k.streaks},
		{newLayer(sub(2), c.w, 640, 5), 4 * k.streaks},
		{newLayer(sub(3), c.w, 420, 1), 4 * k.streaks},
		{newLayer(sub(4), c.w, 130, 2), 4 * k.streaks},
		{newLayer(sub(5), c.w, 37, 1), 4 * k.streaks},
	}
	clouds := []struct {
		*layer
		strength int32
	}{
		{newLayer(sub(6), c.w, 520, 210), 8 * k.mottle},
		{newLayer(sub(7), c.w, 170, 60), 5 * k.mottle},
		{newLayer(sub(8), c.w, 48, 17), 4 * k.mottle},
	}
	where := newLayer(sub(9), c.w, 300, 120)
	flecks := newLayer(sub(10), c.w, 13, 3)
	oxide := newLayer(sub(11), c.w, 6, 3)
	line := make([]int32, c.w)
	for y := range c.h {
		clear(line)
		for _, l := range streaks {
			l.addTo(line, y, l.strength)
		}
		row := c.surface[y*c.w:][:c.w]
		above, below, weight := where.at(y)
		for x := range row {
			seen := 256 + (above[x]*(256-weight)+below[x]*weight)>>9
			row[x] = k.tone*one + line[x]*seen>>8
		}
		for _, l := range clouds {
			l.addTo(row, y, l.strength)
		}
		oxide.addTo(row, y, 4*k.mottle)
		addFlecks(row, flecks, where, y, k.flecks)
	}
}

// addFlecks adds small dark specks of scale, more of them in some places.
func addFlecks(row []int32, flecks, where *layer, y int, strength int32) {
	above, below, weight := flecks.at(y)
	gather := where.above
	for x := range row {
		v := (above[x]*(256-weight) + below[x]*weight) >> 8
		if v += 120 + gather[x]>>2; v < 0 {
			row[x] += v * strength >> 3
		}
	}
}

// expose lights the surface and takes the picture: lamp, vignetting, bands
// across the width, and the camera's grain.
func (c *canvas) expose(r *random) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, c.w, c.h))
	alongSeed, acrossSeed := r.next(), r.next()
	tilt := int32(r.between(-260, 260))
	along := make([]int32, c.w)
	for x := range along {
		u := int32(x*512/c.w) - 256
		along[x] = 4650 + u*tilt>>8 - u*u>>8*c.look.fall>>9 + wave(alongSeed, x, 260)*c.look.bands>>10
	}
	state := r.next() | 1
	before := make([]int32, c.w)
	for y := range c.h {
		v := int32(y*512/c.h) - 256
		d := (v - 2*c.look.lampAt + 256) / 2
		across := -v*v>>8*c.look.fall>>9 - d*d>>8*c.look.lamp>>7
		across += (wave(acrossSeed, y, 170) + wave(acrossSeed+1, y, 46)/2) * c.look.bands >> 8
		last := int32(0)
		row, out := c.surface[y*c.w:][:c.w], img.Pix[y*img.Stride:][:c.w]
		for x := range row {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
			white := int32(state&0xffff+state>>16&0xffff+state>>32&0xffff) - 98_302
			grain := (2*white + last + before[x]) >> 9
			last, before[x] = white, white
			lit := row[x]*(along[x]+across)>>12 + grain*c.look.grain>>6
			out[x] = byte(clamp((lit+one/2)>>8, 0, 255))
		}
	}
	return img
}
