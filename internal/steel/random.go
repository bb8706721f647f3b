package steel

import "math/bits"

// random is the generator PCG XSL RR 128/64 in its simplest use: one stream a
// seed. It is written out here so that no library can change the pictures.
type random struct{ hi, lo uint64 }

func newRandom(seed uint64) *random {
	r := &random{hi: mix(seed), lo: mix(seed + 1)}
	r.next()
	return r
}

func (r *random) next() uint64 {
	const mulHi, mulLo, incHi, incLo = 2549297995355413924, 4865540595714422341, 6364136223846793005, 1442695040888963407
	hi, lo := bits.Mul64(r.lo, mulLo)
	hi += r.hi*mulLo + r.lo*mulHi
	lo, carry := bits.Add64(lo, incLo, 0)
	hi, _ = bits.Add64(hi, incHi, carry)
	r.hi, r.lo = hi, lo
	return bits.RotateLeft64(hi^lo, -int(hi>>58))
}

// below returns 0 to n-1.
func (r *random) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(max(1, n)))
	return int(hi)
}

// between returns low to high, both of them included.
func (r *random) between(low, high int) int { return low + r.below(high-low+1) }

// chance is true in percent of a hundred cases.
func (r *random) chance(percent int) bool { return r.below(100) < percent }

// mix spreads the bits of x (the finisher of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// lattice is noise without memory: -256 to 255 for the point (i, j).
func lattice(seed uint64, i, j int) int32 {
	return int32(mix(seed^uint64(i)*0xd6e8feb86659fd93^uint64(j)*0xa0761d6478bd642f)>>55) - 256
}

// wave is smooth noise along a line, -256 to 255, with a new value each cell.
func wave(seed uint64, x, cell int) int32 {
	i, f := x/cell, x%cell
	if f < 0 {
		i, f = i-1, f+cell
	}
	s := smooth(f, cell)
	return (lattice(seed, i, 0)*(256-s) + lattice(seed, i+1, 0)*s) >> 8
}

// smooth goes from 0 to 256 as x goes from 0 to n, level at both ends.
func smooth(x, n int) int32 {
	if x <= 0 {
		return 0
	}
	if x >= n {
		return 256
	}
	t := x * 1024 / n
	return int32(t * t / 1024 * (3*1024 - 2*t) / 1024 / 4)
}

func abs(x int32) int32 { return max(x, -x) }

func clamp(x, low, high int32) int32 { return min(high, max(low, x)) }
