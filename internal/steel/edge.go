package steel

import "image"

// drawEdge shows an edge of the strip, above or below, and the dark roller
// table beyond it.
func (c *canvas) drawEdge(r *random) {
	c.atTop = r.chance(50)
	margin, drift, seed := r.between(34, 110), r.between(-2500, 2500), r.next()
	c.edge = make([]int, c.w)
	for x := range c.edge {
		at := margin<<8 + x*drift/c.w + int(wave(seed, x, 620)*7+wave(seed+1, x, 140)*2+wave(seed+2, x, 31)+wave(seed+6, x, 8)/3)
		c.edge[x] = at >> 8
		if !c.atTop {
			c.edge[x] = c.h - 1 - at>>8
		}
		c.edgeColumn(seed, x, at)
	}
	// Defects keep clear of the table.
	if c.atTop {
		c.top = margin + 24
	} else {
		c.bottom = c.h - margin - 24
	}
}

// edgeCrack runs from the edge inward, jagged, thinner to its end, with
// branches.
func (c *canvas) edgeCrack(r *random) *patch {
	if c.edge == nil {
		return &patch{}
	}
	length, x := r.between(36, 170), r.between(70, c.w-70)
	k := crack{
		seed: r.next(), x: x << 8, from: c.edge[x], length: length, lean: r.between(-110, 110),
		half: int32(r.between(300, 800)), strength: -int32(r.between(44, 84)) * one, down: c.atTop,
	}
	area := image.Rect(x-160, c.edge[x]-length-4, x+160, c.edge[x]+length+4).Intersect(image.Rect(0, 0, c.w, c.h))
	p := &patch{area: area, depth: make([]int32, area.Dx()*area.Dy())}
	k.draw(p)
	for range r.between(0, 3) {
		branch := k
		at := r.between(length/5, length*3/4)
		branch.seed = r.next()
		branch.x, branch.from = k.middle(at), k.row(at)
		branch.length = (length - at) * r.between(40, 80) / 100
		branch.lean = k.lean + r.between(90, 260)*(1-2*r.below(2))
		branch.half = k.half / 2
		branch.draw(p)
	}
	c.keepOnStrip(p)
	return p
}

// edgeColumn draws column x, whose edge lies at rows down from the side of the
// picture, in 1/256.
func (c *canvas) edgeColumn(seed uint64, x, at int) {
	lip := 20 + wave(seed+3, x, 70)>>4 + wave(seed+5, x, 5)>>5
	// The rollers of the table shine a little through the dark.
	table := 24 + max(0, wave(seed+4, x, 260)-60)>>4
	for row := range c.h {
		y := row
		if !c.atTop {
			y = c.h - 1 - row
		}
		p := &c.surface[y*c.w+x]
		inward := row<<8 + 128 - at
		strip := *p
		if inward < 60<<8 {
			strip += lip*smooth(5<<8-inward, 5<<8) - int32(60<<8-inward)/5
		}
		covered := clamp(int32(inward)+128, 0, 256)
		if covered == 256 {
			if inward >= 60<<8 {
				return
			}
			*p = strip
			continue
		}
		*p = (strip*covered + (table*one+*p>>4)*(256-covered)) >> 8
	}
}

// keepOnStrip takes away what fell on the table.
func (c *canvas) keepOnStrip(p *patch) {
	for i := range p.depth {
		x, y := p.area.Min.X+i%p.area.Dx(), p.area.Min.Y+i/p.area.Dx()
		if c.atTop && y < c.edge[x] || !c.atTop && y > c.edge[x] {
			p.depth[i] = 0
		}
	}
}

type crack struct {
	seed         uint64
	x            int // column where it begins, in 1/256
	from, length int
	lean         int // sideways in 1/256 a row
	half         int32
	strength     int32
	down         bool
}

func (k crack) middle(t int) int {
	return k.x + t*k.lean + int(wave(k.seed, t, 26)-wave(k.seed, 0, 26))*9 + int(wave(k.seed+1, t, 7))*3 + int(wave(k.seed+2, t, 3))
}

func (k crack) row(t int) int {
	if k.down {
		return k.from + t
	}
	return k.from - t
}

func (k crack) draw(p *patch) {
	for t := range k.length {
		left := int32(256 - t*256/k.length)
		half := k.half*left>>8*left>>8 + 60 + wave(k.seed+3, t, 5)>>3
		middle := k.middle(t)
		strength := k.strength * min(256, 90+2*left) >> 8
		for x := (middle-int(half))>>8 - 2; x <= (middle+int(half))>>8+3; x++ {
			d := int32(x<<8 + 128 - middle)
			p.set(x, k.row(t), strength*smooth(int(half+260-abs(d)), 260)>>8)
			if d > half && d < half+600 {
				p.set(x, k.row(t), -strength*(half+600-d)>>11)
			}
		}
	}
}
