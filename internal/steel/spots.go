package steel

import "image"

// tongue is a sheet of metal rolled over the surface: it lies between two
// ragged edges, blunt at one end and drawn out at the other.
type tongue struct {
	seed          uint64
	x0, x1, y     int
	height        int
	blunt         bool // at the right end
	strength      int32
	ragged        int32
	tilt          int
	shadow, plate int32
}

// span returns the rows between which the sheet lies at column x, in 1/256.
func (t tongue) span(x int) (top, bottom int) {
	length := t.x1 - t.x0
	from := x - t.x0
	if t.blunt {
		from = t.x1 - x
	}
	// Round over the first sixth, then thinner and thinner to nothing.
	round := max(0, 256-from*6*256/length)
	round = round * round >> 8
	wide := (256 - round*round>>8) * (256 - max(0, from-length/6)*256*6/(length*5)) >> 8
	half := t.height * wide / 2
	middle := t.y<<8 + (x-t.x0)*t.tilt + int(wave(t.seed, x, 110))*t.height>>3
	rough := func(seed uint64) int {
		jag := wave(seed, x, 57)/2 + wave(seed+7, x, 19)/4 + wave(seed+9, x, 7)/9
		return int(jag*t.ragged>>8) * t.height * (wide + 50) >> 8
	}
	return middle - half + rough(t.seed+1), middle + half + rough(t.seed+2)
}

// draw lays the sheet: a bright lip above, a shadow below, its own streaks.
func (t tongue) draw(p *patch) {
	for x := t.x0; x <= t.x1; x++ {
		top, bottom := t.span(x)
		if bottom-top < 256 {
			continue
		}
		lip := clamp(110+wave(t.seed+3, x, 38)/2+wave(t.seed+4, x, 9)/3, 20, 300)
		for y := top>>8 - 3; y <= bottom>>8+14; y++ {
			at := y<<8 + 128
			under, over := int32(at-bottom), int32(top-at)
			switch {
			case over > 0:
				p.set(x, y, t.strength*smooth(int(400-over), 400)>>8*lip>>8)
			case under > 0:
				p.set(x, y, -t.strength*smooth(int(t.shadow-under), int(t.shadow))>>8)
			default:
				inside := min(-under, -over)
				rim := 500 + lip*5
				edge := t.strength * smooth(int(rim-inside), int(rim)) >> 8 * lip >> 8
				if -under < -over {
					edge = -edge * 2 / 3
				}
				grain := wave(t.seed+20+uint64(y), x+y*31, 45)*8 + wave(t.seed+40+uint64(y/5), x+y/5*83, 70)*12 + wave(t.seed+30, x+y*2, 24)*7
				p.set(x, y, t.plate+edge+grain)
			}
		}
	}
}

// ironSheet is a flake of metal pressed in by a roller, often in layers.
func (c *canvas) ironSheet(r *random) *patch {
	length := r.between(130, 420)
	height := r.between(22, max(30, length/4))
	x, y := c.place(r, length, height)
	t := tongue{
		seed: r.next(), x0: x, x1: x + length, y: y, height: height, blunt: r.chance(50), strength: int32(r.between(30, 66)) * one,
		ragged: int32(r.between(70, 200)), tilt: r.between(-16, 16), shadow: int32(r.between(5, 11)) * 256, plate: int32(r.between(-24, -12)) * one,
	}
	if r.chance(35) {
		t.plate = -t.plate
	}
	p := c.newPatch(image.Rect(x, y-height-30, x+length+1, y+height+40))
	t.draw(p)
	for range r.between(0, 2) {
		fold := t
		fold.seed = r.next()
		fold.height = height * r.between(20, 45) / 100
		fold.x0 = x + length*r.between(8, 40)/100
		fold.x1 = fold.x0 + length*r.between(30, 58)/100
		fold.y = y + (fold.x0-x)*t.tilt>>8 + r.between(-height/8, height/8)
		fold.strength = t.strength * 3 / 4
		fold.shadow = t.shadow / 2
		fold.draw(p)
	}
	return p
}

// scalePits is a cluster of small holes where scale was pressed in and fell
// out again, dense in the middle and drawn out in rolling direction.
func (c *canvas) scalePits(r *random) *patch {
	wide, high := r.between(50, 190), r.between(26, 90)
	x := r.between(wide+30, c.w-wide-30)
	y := r.between(c.top+high+24, max(c.top+high+24, c.bottom-high-24))
	p := c.newPatch(image.Rect(x-wide-20, y-high-20, x+wide+20, y+high+20))
	strength := int32(r.between(30, 74)) * one
	for range 14 + wide*high*r.between(5, 11)/1000 {
		// The sum of two draws gathers the pits in the middle.
		px := x + r.between(-wide, wide)/2 + r.between(-wide, wide)/2
		py := y + r.between(-high, high)/2 + r.between(-high, high)/2
		size := r.between(2, 4)
		if r.chance(14) {
			size = r.between(4, 6)
		}
		pit(p, r.next(), px, py, size*r.between(110, 190)/100, size, strength*int32(r.between(60, 110))/100)
	}
	return p
}

// pit is a dark hole of half axes a and b with light on its lower lip.
func pit(p *patch, seed uint64, px, py, a, b int, strength int32) {
	for dy := -b - 2; dy <= b+2; dy++ {
		for dx := -a - 2; dx <= a+2; dx++ {
			far := int32(dx*dx*256/(a*a) + dy*dy*256/(b*b))
			far += (wave(seed, dx+dy, 4) + wave(seed+1, dx-dy*2, 5)) * 70 >> 8
			switch {
			case far < 256:
				p.set(px+dx, py+dy, -strength*smooth(int(330-far), 300)>>8)
			case far < 420 && dy > 0:
				p.set(px+dx, py+dy, strength*(420-far)>>10)
			}
		}
	}
}
