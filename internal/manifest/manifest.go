// Package manifest defines what a dataset version is: the recipe that selects it, the side on which each item falls, the
// canonical line of an item, its leaf, and the version's hash. None of it may ever change for what has been frozen: each
// is written down here down to the byte, and depends on nothing but its input.
package manifest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"strconv"
)

// Line is what a version holds of one item.
type Line struct {
	Item int64
	// Key is the external key under which the outside world knows the item.
	Key string
	// Media is the SHA-256 of the original bytes of an image, or as Sound says, nil for an item whose media never came.
	Media []byte
	// Width and Height are those of the upright image in pixels, 0 if unknown.
	Width, Height int
	Split         Split
	Boxes         []Box  // in the order of the truth
	Sound         *Sound // nil for an image
}

// Box is one box of the truth, in pixels of the upright image; Rotation is in degrees clockwise about the centre.
type Box struct {
	Class      string
	Definition int // version of the class's definition that the label was made under, 0 for none
	X, Y, W, H float64
	Rotation   float64
	Crowd      bool
}

const hexDigits = "0123456789abcdef"

// AppendCanonical appends the line's canonical form to b: one JSON object without spaces, its members in this order, numbers
// as the shortest decimal that reads back as the same float64. That of an utterance is another one, which "line":2 begins.
func (l *Line) AppendCanonical(b []byte) []byte {
	if l.Sound != nil {
		return l.appendSound(b)
	}
	b = append(b, `{"line":1,"item":`...)
	b = strconv.AppendInt(b, l.Item, 10)
	b = append(b, `,"key":`...)
	b = appendString(b, l.Key)
	b = append(b, `,"media":"`...)
	for _, c := range l.Media {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	b = append(b, `","width":`...)
	b = strconv.AppendInt(b, int64(l.Width), 10)
	b = append(b, `,"height":`...)
	b = strconv.AppendInt(b, int64(l.Height), 10)
	b = append(b, `,"split":`...)
	b = appendString(b, string(l.Split))
	b = append(b, `,"boxes":[`...)
	for i := range l.Boxes {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.Boxes[i].append(b)
	}
	return append(b, "]}"...)
}

func (x *Box) append(b []byte) []byte {
	b = append(b, `{"class":`...)
	b = appendString(b, x.Class)
	b = append(b, `,"definition":`...)
	b = strconv.AppendInt(b, int64(x.Definition), 10)
	for _, n := range [...]struct {
		name  string
		value float64
	}{{"x", x.X}, {"y", x.Y}, {"w", x.W}, {"h", x.H}, {"rotation", x.Rotation}} {
		b = appendNumber(b, n.name, n.value)
	}
	b = append(b, `,"crowd":`...)
	return append(strconv.AppendBool(b, x.Crowd), '}')
}

// appendString writes s as JSON with the fewest escapes. encoding/json is not used, since it has changed which it writes.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// Leaf stands for a line without telling anything of it: whoever does not have the item's salt cannot guess it back.
type Leaf [sha256.Size]byte

// LeafOf returns HMAC-SHA-256 of a canonical line under the item's salt.
func LeafOf(salt, line []byte) (leaf Leaf) {
	mac := hmac.New(sha256.New, salt)
	mac.Write(line)
	mac.Sum(leaf[:0])
	return leaf
}

// ErrOrder means that leaves came unsorted, or one came twice.
var ErrOrder = errors.New("manifest: the leaves are not in ascending order")

// Sum hashes a version: SHA-256 over its leaves in ascending order. The zero value is ready.
type Sum struct {
	digest hash.Hash
	last   Leaf
	n      int
}

// Add takes the next leaf, or returns ErrOrder.
func (s *Sum) Add(leaf Leaf) error {
	if s.digest == nil {
		s.digest = sha256.New()
	}
	if s.n > 0 && bytes.Compare(s.last[:], leaf[:]) >= 0 {
		return ErrOrder
	}
	s.last, s.n = leaf, s.n+1
	s.digest.Write(leaf[:])
	return nil
}

// Hash returns the hash of what was added, 32 bytes.
func (s *Sum) Hash() []byte {
	if s.digest == nil {
		s.digest = sha256.New()
	}
	return s.digest.Sum(nil)
}
