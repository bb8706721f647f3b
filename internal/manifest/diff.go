package manifest

import (
	"bytes"
	"errors"
	"fmt"
)

// Reason is why two versions differ in a line. Every difference has exactly one.
type Reason string

// The reasons, from what came to what went.
const (
	Added      Reason = "added"      // an item, or its first truth, that came since; or one that the recipe takes in now
	Relabelled Reason = "relabelled" // the boxes of the truth are others, or its words
	Redefined  Reason = "redefined"  // the definition or the transcription rules changed: the same labels under other ones, or labels that were sent back for it
	Replaced   Reason = "replaced"   // another picture is recorded for the item, or another sound
	Moved      Reason = "moved"      // it lies in another split
	Filtered   Reason = "filtered"   // it has truth still, and the recipe leaves it out
	Discarded  Reason = "discarded"  // nobody could decide it
	Withdrawn  Reason = "withdrawn"  // its truth was taken back
	Expired    Reason = "expired"    // its retention ended
	Erased     Reason = "erased"     // somebody asked for its erasure
)

// Reasons lists every reason in the order in which pages and files show them.
func Reasons() []Reason {
	return []Reason{Added, Relabelled, Redefined, Replaced, Moved, Filtered, Discarded, Withdrawn, Expired, Erased}
}

// leafSize is how many bytes a leaf has.
const leafSize = 32

// errTorn: a run of leaves ends in the middle of one.
var errTorn = errors.New("manifest: a run of leaves is torn")

// Leaves are the leaves of a version in ascending order, some at a time: Next returns the bytes of the next ones, none at the end.
type Leaves interface {
	Next() (run []byte, err error)
}

// Merge goes through the leaves of two versions at once and finds those that only one of them has. It holds a run of each and no more.
type Merge struct {
	sides [2]mergeSide
	same  int
}

type mergeSide struct {
	from     Leaves
	run      []byte
	position int // of the first leaf of run
	ended    bool
}

// NewMerge returns a merge of an older and a newer version.
func NewMerge(older, newer Leaves) *Merge {
	return &Merge{sides: [2]mergeSide{{from: older}, {from: newer}}}
}

// Only is a line that one of the two versions has, and the other has not.
type Only struct {
	Newer    bool // it is the newer one that has it
	Position int
}

// Next returns the next line that only one version has. ok is false at the end.
func (m *Merge) Next() (only Only, ok bool, err error) {
	older, newer := &m.sides[0], &m.sides[1]
	for {
		if err := errors.Join(older.fill(), newer.fill()); err != nil {
			return Only{}, false, err
		}
		switch order := m.compare(); {
		case older.ended && newer.ended:
			return Only{}, false, nil
		case order < 0:
			return Only{Position: older.take()}, true, nil
		case order > 0:
			return Only{Newer: true, Position: newer.take()}, true, nil
		}
		older.take()
		newer.take()
		m.same++
	}
}

// Same is how many lines both versions have, as far as the merge has come.
func (m *Merge) Same() int { return m.same }

// compare tells which of the two next leaves comes first; one that has ended comes last.
func (m *Merge) compare() int {
	switch older, newer := &m.sides[0], &m.sides[1]; {
	case newer.ended:
		return -1
	case older.ended:
		return 1
	default:
		return bytes.Compare(older.run[:leafSize], newer.run[:leafSize])
	}
}

func (s *mergeSide) fill() (err error) {
	if len(s.run) > 0 || s.ended {
		return nil
	}
	if s.run, err = s.from.Next(); err != nil {
		return fmt.Errorf("leaves from %d: %w", s.position, err)
	}
	if len(s.run)%leafSize != 0 {
		return errTorn
	}
	s.ended = len(s.run) == 0
	return nil
}

func (s *mergeSide) take() (position int) {
	s.run = s.run[leafSize:]
	s.position++
	return s.position - 1
}
