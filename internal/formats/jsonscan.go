package formats

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// maxDepth bounds how deeply JSON and XML may nest; label files need less than ten levels.
	maxDepth = 100
	// maxWord bounds a string or number that is read, not one that is skipped.
	maxWord = 1 << 20
)

var errTruncated = errors.New("the file ends in the middle of a record")

// jsonScanner reads JSON from a stream, value by value, in bounded memory. It is made for label files: unlike
// encoding/json it takes the NaN and Infinity that Python writes, allocates nothing per value, and goes on after a value
// of the wrong type. The first syntax error stays in err and ends all loops.
type jsonScanner struct {
	src   io.Reader
	buf   []byte
	i, n  int   // the unread part of buf is buf[i:n]
	read  int64 // bytes read before buf
	depth int
	word  []byte // the last key, string, or bare word
	brief bool   // of a long string keep the beginning instead of failing
	err   error
}

func newJSONScanner(src io.Reader) *jsonScanner {
	s := &jsonScanner{src: src, buf: make([]byte, 64<<10)}
	if s.fill() {
		s.i = len(s.buf[:s.n]) - len(bytes.TrimPrefix(s.buf[:s.n], []byte("\uFEFF")))
	}
	return s
}

// fill reads more when buf is used up, and reports whether a byte is there.
func (s *jsonScanner) fill() bool {
	if s.i < s.n {
		return true
	}
	if s.err != nil {
		return false
	}
	s.read += int64(s.n)
	s.i, s.n = 0, 0
	n, err := io.ReadAtLeast(s.src, s.buf, 3)
	s.n = n
	if n == 0 {
		s.err = err
		if errors.Is(err, io.EOF) {
			s.err = errTruncated
		}
		return false
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = err
		return false
	}
	return true
}

func (s *jsonScanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: %s", s.read+int64(s.i)+1, fmt.Sprintf(format, args...))
	}
}

// peek returns the first byte of the next value or sign without taking it; 0 after an error.
func (s *jsonScanner) peek() byte {
	for s.err == nil && s.fill() {
		switch c := s.buf[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		case 0:
			s.fail("a zero byte: this is not JSON")
		default:
			return c
		}
	}
	return 0
}

// end fails unless nothing but space follows.
func (s *jsonScanner) end() {
	if s.err != nil {
		return
	}
	if c := s.peek(); c != 0 {
		s.fail("unexpected %q after the end", c)
	} else if errors.Is(s.err, errTruncated) {
		s.err = nil
	}
}

// object calls field for each key of the next value; field must take the key's value, and key is valid until it does.
// A value of another type is skipped, and object returns false.
func (s *jsonScanner) object(field func(key []byte)) bool {
	if s.peek() != '{' {
		s.skip()
		return false
	}
	s.open()
	for first := true; s.more('}', first); first = false {
		if s.peek() != '"' {
			s.fail("expected a key in quotes")
			return false
		}
		s.text(true)
		if s.peek() != ':' {
			s.fail("expected a colon after a key")
			return false
		}
		s.i++
		field(s.word)
	}
	return true
}

// array calls element for each element of the next value; element must take it. A value of another type is skipped, and
// array returns false.
func (s *jsonScanner) array(element func()) bool {
	if s.peek() != '[' {
		s.skip()
		return false
	}
	s.open()
	for first := true; s.more(']', first); first = false {
		element()
	}
	return true
}

func (s *jsonScanner) open() {
	s.i++
	s.depth++
	if s.depth > maxDepth {
		s.fail("nested more than %d deep", maxDepth)
	}
}

// more takes what stands between two members and reports whether another follows.
func (s *jsonScanner) more(end byte, first bool) bool {
	c := s.peek()
	if c == end {
		s.i++
		s.depth--
		return false
	}
	if !first && s.err == nil {
		if c != ',' {
			s.fail("expected a comma or %q", end)
		}
		s.i++
		s.peek()
	}
	return s.err == nil
}

// skip takes the next value and drops it.
func (s *jsonScanner) skip() {
	switch s.peek() {
	case '{':
		s.object(func([]byte) { s.skip() })
	case '[':
		s.array(s.skip)
	case '"':
		s.text(false)
	default:
		s.bare()
	}
}
