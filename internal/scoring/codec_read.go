package scoring

import (
	"encoding/binary"
	"math"

	"fiducial/internal/metrics"
)

// maxPosition bounds positions.
const maxPosition = math.MaxInt32

// reader reads what writer laid out. Once something is not there, it has failed, and all that it reads is 0.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.failed, r.b = true, nil
		return make([]byte, n)
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte   { return r.take(1)[0] }
func (r *reader) truth() bool  { return r.byte() != 0 }
func (r *reader) bits() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) float32() float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(r.take(4)))
}

func (r *reader) float64() float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(r.take(8)))
}
func (r *reader) text() string { return string(r.take(r.count())) }

// number is one up to most.
func (r *reader) number(most int) int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > uint64(most) { //nolint:gosec // not below 0
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int(v) //nolint:gosec // no more than most
}

// count is the number of things that follow, each of at least one byte, so that no memory is taken for more than there can be.
func (r *reader) count() int { return r.number(len(r.b)) }

func (r *reader) place() int32 { return int32(r.number(math.MaxInt32)) - 1 } //nolint:gosec // no more than that

func (r *reader) signed() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) lines(scores []Score) {
	var group, source int64
	for i := range scores {
		group += r.signed()
		scores[i].Group = group
	}
	for i := range scores {
		source += r.signed()
		scores[i].Source = source
	}
	for i := range scores {
		scores[i].Length = r.float32()
	}
	for i := range scores {
		scores[i].Confidence = r.float32()
	}
	for i := range scores {
		scores[i].Failed = r.truth()
	}
}

func (r *reader) words(scores []Score) {
	for column := range wordColumns {
		for i := range scores {
			*scores[i].Words.column(column) = int32(r.number(math.MaxInt32)) //nolint:gosec // no more than that
		}
	}
}

// counts are how many things each line has, and in all, of which each takes at least so many bytes.
func (r *reader) counts(lines, least int) (each []int, all int) {
	each = make([]int, lines)
	for i := range each {
		each[i] = r.count()
		all += each[i]
	}
	if all > len(r.b)/least {
		r.failed, r.b = true, nil
		return make([]int, lines), 0
	}
	return each, all
}

func (r *reader) marks(scores []Score) {
	each, all := r.counts(len(scores), 8)
	slab := make([]Mark, all)
	for i, n := range each {
		if n == 0 {
			continue
		}
		scores[i].Marks, slab = slab[:n:n], slab[n:]
		for k := range scores[i].Marks {
			scores[i].Marks[k] = Mark{r.place(), r.place(), r.place(), r.place(), r.float32()}
		}
	}
}

func (r *reader) probabilities(scores []Score) {
	each, all := make([]int, len(scores)), 0
	for i := range each {
		each[i] = r.number(len(r.b)+1) - 1
		all += max(0, each[i])
	}
	if all > len(r.b)/4 {
		r.failed, r.b = true, nil
		return
	}
	slab := make([]float32, all)
	for i, n := range each {
		if n < 0 {
			continue
		}
		scores[i].Probabilities, slab = slab[:n:n], slab[n:]
		for k := range scores[i].Probabilities {
			scores[i].Probabilities[k] = r.float32()
		}
	}
}

func (r *reader) objects(scores []Score) {
	each, all := r.counts(len(scores), 3)
	slab := make([]metrics.MatchedObject, all)
	for i, n := range each {
		if n == 0 {
			continue
		}
		scores[i].Image.Objects, slab = slab[:n:n], slab[n:]
		for k := range scores[i].Image.Objects {
			scores[i].Image.Objects[k] = metrics.MatchedObject{Class: r.place(), Ignored: r.byte(), Crowd: r.truth()}
		}
	}
}

func (r *reader) found(scores []Score) {
	each, all := r.counts(len(scores), 29)
	slab := make([]metrics.MatchedBox, all)
	for i, n := range each {
		if n == 0 {
			continue
		}
		scores[i].Image.Found, slab = slab[:n:n], slab[n:]
		objects := len(scores[i].Image.Objects)
		for k := range scores[i].Image.Found {
			f := &scores[i].Image.Found[k]
			f.Class, f.Rank, f.Score = r.place(), r.byte(), r.float64()
			for size := range f.Matched {
				f.Matched[size], f.Ignored[size] = r.bits(), r.bits()
			}
			f.At, f.Object, f.Other = r.place(), r.place(), r.place()
			if int(f.Object) >= objects || int(f.Other) >= objects {
				r.failed, r.b = true, nil
			}
		}
	}
}
