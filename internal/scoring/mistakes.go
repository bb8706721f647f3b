package scoring

import (
	"cmp"
	"math"
	"slices"
)

// Mistakes lists what is wrong in a sheet, the greatest first, at most so many of each kind.
func Mistakes(sheet Sheet, most int) []Mistake {
	m := mistakes{sheet: &sheet}
	threshold := math.NaN()
	if sheet.Task == Detection {
		threshold = bestThreshold(&sheet)
	}
	for i := range sheet.Scores {
		s := &sheet.Scores[i]
		switch {
		case s.Failed:
		case sheet.Task == Speech:
			if n := s.Words.Errors(); n > 0 {
				m.list = append(m.list, Mistake{Position: s.Position, Kind: WrongWords, Size: float64(n), TruthAt: nothing, SaidAt: nothing})
			}
		case sheet.Task == Detection:
			m.boxes(s, threshold)
		default:
			for _, mark := range s.Marks {
				m.add(s.Position, mark)
			}
		}
	}
	return m.first(most)
}

type mistakes struct {
	sheet *Sheet
	list  []Mistake
}

// add adds what a mark has wrong, if anything.
func (m *mistakes) add(position int, mark Mark) {
	if mark.Truth == mark.Said {
		return
	}
	made := Mistake{Position: position, Kind: WrongClass, Size: 1, TruthAt: int(mark.TruthAt), SaidAt: int(mark.SaidAt)}
	if sure := float64(mark.Confidence); !math.IsNaN(sure) {
		made.Size = sure
	}
	if mark.Truth >= 0 {
		made.TruthClass = m.sheet.Classes[mark.Truth]
	} else {
		made.Kind = FalsePositive
	}
	if mark.Said >= 0 {
		made.SaidClass = m.sheet.Classes[mark.Said]
	} else {
		made.Kind = FalseNegative
	}
	m.list = append(m.list, made)
}

func (m *mistakes) boxes(s *Score, threshold float64) {
	eachPair(&s.Image, threshold, func(object, found int) {
		mark := Mark{nothing, nothing, nothing, nothing, none32}
		if object >= 0 {
			mark.Truth, mark.TruthAt = s.Image.Objects[object].Class, int32(object) //nolint:gosec // an image's objects
		}
		if found >= 0 {
			b := &s.Image.Found[found]
			mark.Said, mark.SaidAt, mark.Confidence = b.Class, b.At, confidence32(b.Score)
		}
		m.add(s.Position, mark)
	})
}

// first are the greatest of each kind.
func (m *mistakes) first(most int) []Mistake {
	slices.SortStableFunc(m.list, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Position, b.Position))
	})
	kept, of := m.list[:0], map[MistakeKind]int{}
	for _, made := range m.list {
		if of[made.Kind] < most {
			of[made.Kind]++
			kept = append(kept, made)
		}
	}
	return kept
}
