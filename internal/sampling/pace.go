package sampling

import "math"

// PaceLeast is from how many timed answers on a pace is worth telling.
const PaceLeast = 10

// Pace is how long people work on sound: seconds of work for each second of it, with the interval that holds the real one in 95 of
// 100 cases.
type Pace struct {
	Ratio, Low, High float64
	N                int // answers that it was seen from
}

// Known reports whether there were enough answers to tell.
func (p Pace) Known() bool { return p.N >= PaceLeast && p.Ratio > 0 }

// PaceSums are sums over timed answers, of which w is the work and s the sound of each, in seconds.
type PaceSums struct {
	N                                            int
	Work, Sound, WorkWork, WorkSound, SoundSound float64
}

// Add counts another answer.
func (p *PaceSums) Add(work, sound float64) {
	p.N++
	p.Work += work
	p.Sound += sound
	p.WorkWork += work * work
	p.WorkSound += work * sound
	p.SoundSound += sound * sound
}

// Pace is the ratio of the sums with its interval: a ratio estimator, its variance linearised (Cochran, Sampling Techniques, 6.4).
func (p PaceSums) Pace() Pace {
	if p.N == 0 || p.Sound <= 0 {
		return Pace{}
	}
	ratio := p.Work / p.Sound
	pace := Pace{Ratio: ratio, Low: ratio, High: ratio, N: p.N}
	if p.N > 1 {
		n := float64(p.N)
		residual := max(0, p.WorkWork-2*ratio*p.WorkSound+ratio*ratio*p.SoundSound) / (n - 1)
		margin := 1.96 * math.Sqrt(residual*n) / p.Sound
		pace.Low, pace.High = max(0, ratio-margin), ratio+margin
	}
	return pace
}
