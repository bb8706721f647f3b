package steel

import "image"

// stroke is a line that runs more or less in rolling direction. Lengths across
// it are in 1/256 of a pixel, strengths in 1/256 of a grey level.
type stroke struct {
	seed     uint64
	x0, x1   int
	y0       int // the row where it begins
	slope    int // rise in 1/256 of a pixel a pixel
	wobble   int32
	half     int32 // half of the width at its widest
	strength int32
	taper    int // the length over which it thins out at each end
	uneven   int32
}

// at returns the middle, half the width and the strength at column x.
func (s stroke) at(x int) (middle int, half, strength int32) {
	t := x - s.x0
	middle = s.y0<<8 + t*s.slope + int(wave(s.seed, t, 90)*s.wobble>>8) + int(wave(s.seed+1, t, 23)*s.wobble>>11)
	end := smooth(min(t, s.x1-x)+1, s.taper)
	rough := 256 + wave(s.seed+2, t, 31)*s.uneven>>8 + wave(s.seed+3, t, 6)*s.uneven>>9
	rough = max(40, rough)
	half = s.half * (64 + end*192>>8) >> 8 * (128 + rough>>1) >> 8
	strength = s.strength * end >> 8 * min(rough, 300) >> 8
	return middle, half, strength
}

// draw fills the stroke; soft is how far its flanks reach.
func (s stroke) draw(p *patch, soft int32) {
	for x := s.x0; x <= s.x1; x++ {
		middle, half, strength := s.at(x)
		reach := int(half+soft)>>8 + 1
		for y := middle>>8 - reach; y <= middle>>8+reach; y++ {
			d := abs(int32(y<<8 + 128 - middle))
			p.set(x, y, strength*smooth(int(half+soft-d), int(soft))>>8)
		}
	}
}

func (s stroke) area(margin int) image.Rectangle {
	end := s.y0 + (s.x1-s.x0)*s.slope>>8
	return image.Rect(s.x0, min(s.y0, end)-margin, s.x1+1, max(s.y0, end)+margin)
}

// place puts a line of the length somewhere on the strip, height rows away
// from its edges.
func (c *canvas) place(r *random, length, height int) (x, y int) {
	length = min(length, c.w-40)
	return r.between(20, c.w-20-length), r.between(c.top+height+12, max(c.top+height+12, c.bottom-height-12))
}

// scratch is bright and sharp, with a thin burr that throws a shadow; broken
// into pieces where whatever made it jumped.
func (c *canvas) scratch(r *random) []*patch {
	length := min(r.between(140, 760), c.w-40)
	slope := r.between(-20, 20)
	if r.chance(25) {
		slope = r.between(-75, 75)
	}
	x, y := c.place(r, length, abs2(length*slope>>8)+12)
	s := stroke{
		seed: r.next(), x0: x, x1: x + length, y0: y, slope: slope, wobble: int32(r.between(100, 700)),
		half: int32(r.between(80, 330)), strength: int32(r.between(34, 112)) * one, taper: r.between(30, 140), uneven: int32(r.between(160, 330)),
	}
	pieces := 1
	if r.chance(45) && length > 260 {
		pieces = r.between(2, 4)
	}
	bundle := r.between(1, 4)
	var patches []*patch
	at := s.x0
	for i := range pieces {
		left := s.x1 - at
		piece := s
		piece.x0, piece.x1 = at, at+left*r.between(55, 145)/100/(pieces-i)-r.between(14, 60)
		if i == pieces-1 || piece.x1 > s.x1 {
			piece.x1 = s.x1
		}
		if piece.x1-piece.x0 < 24 {
			break
		}
		piece.y0 = s.y0 + (at-s.x0)*slope>>8 + r.between(-2, 2)
		piece.taper = min(s.taper, (piece.x1-piece.x0)/3)
		patches = append(patches, c.gouge(r, piece, bundle))
		at = piece.x1 + r.between(16, 44)
	}
	return patches
}

// gouge draws one piece of a scratch with its shadow and its companions.
func (c *canvas) gouge(r *random, s stroke, bundle int) *patch {
	p := c.newPatch(s.area(28))
	s.draw(p, 200)
	shadow := s
	shadow.y0 += int(s.half>>8) + 2
	shadow.half, shadow.strength = 90, -s.strength/3
	shadow.draw(p, 220)
	for range bundle {
		hair := s
		hair.seed = s.seed + uint64(r.between(0, 3))
		hair.y0 += r.between(-4, 4)
		length := s.x1 - s.x0
		hair.x0 += r.below(length*2/3 + 1)
		hair.x1 = min(s.x1, hair.x0+length*r.between(15, 50)/100)
		hair.y0 += (hair.x0 - s.x0) * s.slope >> 8
		hair.taper = max(4, (hair.x1-hair.x0)/3)
		hair.half, hair.strength = 60, s.strength*int32(r.between(35, 80))/100
		hair.draw(p, 180)
	}
	return p
}

// blackLine is thin, dark, long, and hardly leaves the rolling direction.
func (c *canvas) blackLine(r *random) *patch {
	length := min(r.between(320, 1250), c.w-40)
	slope := r.between(-5, 5)
	x, y := c.place(r, length, 34)
	s := stroke{
		seed: r.next(), x0: x, x1: x + length, y0: y, slope: slope, wobble: int32(r.between(60, 330)),
		half: int32(r.between(70, 250)), strength: -int32(r.between(24, 62)) * one, taper: r.between(40, 160), uneven: int32(r.between(60, 150)),
	}
	p := c.newPatch(s.area(24))
	s.draw(p, 230)
	return p
}

// blackStripe is a dark band with soft flanks, made of fibres that end at
// different places.
func (c *canvas) blackStripe(r *random) *patch {
	length := min(r.between(420, 1500), c.w-40)
	x, y := c.place(r, length, 48)
	s := stroke{
		seed: r.next(), x0: x, x1: x + length, y0: y, slope: r.between(-4, 4), wobble: int32(r.between(200, 900)),
		half: int32(r.between(3, 12)) * 256, strength: -int32(r.between(20, 46)) * one, taper: r.between(160, 360),
	}
	p := c.newPatch(s.area(44))
	soft := s.half/2 + 400
	fibres := make([]int32, p.area.Dy())
	for px := s.x0; px <= s.x1; px++ {
		middle, half, strength := s.at(px)
		for py := p.area.Min.Y; py < p.area.Max.Y; py++ {
			d := abs(int32(py<<8 + 128 - middle))
			if d > half+soft {
				continue
			}
			i := py - p.area.Min.Y
			if (px+i*7)%8 == 0 || fibres[i] == 0 {
				row := uint64(py)
				fibres[i] = 190 + wave(s.seed+row, px+i*53, 210)/2 + wave(s.seed+row/4, px+i/4*97, 340)/3
			}
			p.set(px, py, strength*smooth(int(half+soft-d), int(soft))>>8*max(30, fibres[i])>>8)
		}
	}
	return p
}

func abs2(x int) int { return max(x, -x) }
