package store

import (
	"encoding/binary"

	"fiducial/internal/manifest"
)

// boxCount is how many boxes of one item bear a class under one version of its definition.
type boxCount struct {
	class      int64
	definition int32
	boxes      int32
}

// countBoxes appends the counts of an item's boxes to into.
func countBoxes(boxes []truthBox, into []boxCount) []boxCount {
next:
	for _, b := range boxes {
		definition := int32(b.Definition) //nolint:gosec // an integer column
		for i := range into {
			if into[i].class == b.class && into[i].definition == definition {
				into[i].boxes++
				continue next
			}
		}
		into = append(into, boxCount{b.class, definition, 1})
	}
	return into
}

// profiles keeps the counts of items of which it is not known yet whether they are frozen. Items that bear the same boxes share one.
type profiles struct {
	list    [][]boxCount
	numbers map[string]int32
	key     []byte
	counts  []boxCount
}

// of returns the number in list of the boxes' counts.
func (p *profiles) of(boxes []truthBox) int32 {
	p.counts = countBoxes(boxes, p.counts[:0])
	p.key = p.key[:0]
	for _, c := range p.counts {
		p.key = binary.AppendVarint(p.key, c.class)
		p.key = binary.AppendVarint(p.key, int64(c.definition))
		p.key = binary.AppendVarint(p.key, int64(c.boxes))
	}
	number, ok := p.numbers[string(p.key)]
	if !ok {
		if p.numbers == nil {
			p.numbers = map[string]int32{}
		}
		number = int32(len(p.list)) //nolint:gosec // below the number of lines
		p.numbers[string(p.key)] = number
		p.list = append(p.list, append([]boxCount(nil), p.counts...))
	}
	return number
}

// tally sums up what a version holds.
type tally struct {
	boxes       int64
	words       int64
	seconds     float64
	counts      map[countKey]*VersionCount
	definitions map[int64]map[int]bool // class → versions of its definition
}

type countKey struct {
	split manifest.Split
	class int64
}

func newTally() tally {
	return tally{counts: map[countKey]*VersionCount{}, definitions: map[int64]map[int]bool{}}
}

// add counts one item.
func (t *tally) add(split manifest.Split, counts []boxCount) {
	whole := t.of(split, 0)
	whole.Items++
	for i, c := range counts {
		n := int64(c.boxes)
		t.boxes += n
		whole.Boxes += n
		if t.definitions[c.class] == nil {
			t.definitions[c.class] = map[int]bool{}
		}
		t.definitions[c.class][int(c.definition)] = true
		count := t.of(split, c.class)
		count.Boxes += n
		if !hasClass(counts[:i], c.class) {
			count.Items++
		}
	}
}

// hear counts the speech of one item.
func (t *tally) hear(split manifest.Split, seconds float64, words int32) {
	whole := t.of(split, 0)
	whole.Seconds += seconds
	whole.Words += int64(words)
	t.seconds += seconds
	t.words += int64(words)
}

func hasClass(counts []boxCount, class int64) bool {
	for _, c := range counts {
		if c.class == class {
			return true
		}
	}
	return false
}

func (t *tally) of(split manifest.Split, class int64) *VersionCount {
	key := countKey{split, class}
	if t.counts[key] == nil {
		t.counts[key] = &VersionCount{Split: split, ClassID: class}
	}
	return t.counts[key]
}
