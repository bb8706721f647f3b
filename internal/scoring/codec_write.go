package scoring

import (
	"encoding/binary"
	"math"
)

// writer lays out numbers column by column, which compresses better than line by line.
type writer struct{ b []byte }

func (w *writer) byte(v byte)       { w.b = append(w.b, v) }
func (w *writer) count(n int)       { w.b = binary.AppendUvarint(w.b, uint64(n)) } //nolint:gosec // not below 0
func (w *writer) signed(n int64)    { w.b = binary.AppendVarint(w.b, n) }
func (w *writer) bits(v uint16)     { w.b = binary.LittleEndian.AppendUint16(w.b, v) }
func (w *writer) float32(v float32) { w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(v)) }

func (w *writer) float64(v float64) { w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(v)) }
func (w *writer) text(s string)     { w.count(len(s)); w.b = append(w.b, s...) }
func (w *writer) place(n int32)     { w.count(int(n) + 1) } // of a list, from -1
func (w *writer) truth(holds bool) {
	if holds {
		w.byte(1)
		return
	}
	w.byte(0)
}

func (w *writer) lines(scores []Score) {
	var group, source int64
	for i := range scores {
		w.signed(scores[i].Group - group)
		group = scores[i].Group
	}
	for i := range scores {
		w.signed(scores[i].Source - source)
		source = scores[i].Source
	}
	for i := range scores {
		w.float32(scores[i].Length)
	}
	for i := range scores {
		w.float32(scores[i].Confidence)
	}
	for i := range scores {
		w.truth(scores[i].Failed)
	}
}

func (w *writer) words(scores []Score) {
	for column := range wordColumns {
		for i := range scores {
			w.count(int(*scores[i].Words.column(column)))
		}
	}
}

const wordColumns = 6

func (w *Words) column(i int) *int32 {
	return [wordColumns]*int32{&w.Hits, &w.Substitutions, &w.Deletions, &w.Insertions, &w.Characters, &w.CharacterErrors}[i]
}

func (w *writer) marks(scores []Score) {
	for i := range scores {
		w.count(len(scores[i].Marks))
	}
	for i := range scores {
		for _, m := range scores[i].Marks {
			w.place(m.Truth)
			w.place(m.Said)
			w.place(m.TruthAt)
			w.place(m.SaidAt)
			w.float32(m.Confidence)
		}
	}
	for i := range scores {
		if scores[i].Probabilities == nil {
			w.count(0)
			continue
		}
		w.count(len(scores[i].Probabilities) + 1)
	}
	for i := range scores {
		for _, p := range scores[i].Probabilities {
			w.float32(p)
		}
	}
}

func (w *writer) images(scores []Score) {
	for i := range scores {
		w.count(len(scores[i].Image.Objects))
	}
	for i := range scores {
		for _, o := range scores[i].Image.Objects {
			w.place(o.Class)
			w.byte(o.Ignored)
			w.truth(o.Crowd)
		}
	}
	for i := range scores {
		w.count(len(scores[i].Image.Found))
	}
	for i := range scores {
		for k := range scores[i].Image.Found {
			f := &scores[i].Image.Found[k]
			w.place(f.Class)
			w.byte(f.Rank)
			w.float64(f.Score)
			for size := range f.Matched {
				w.bits(f.Matched[size])
				w.bits(f.Ignored[size])
			}
			w.place(f.At)
			w.place(f.Object)
			w.place(f.Other)
		}
	}
}
