package formats

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// text takes a string. It keeps it in word, without its escapes, when keep is set.
func (s *jsonScanner) text(keep bool) {
	s.i++
	s.word = s.word[:0]
	for s.fill() {
		part := s.buf[s.i:s.n]
		stop := bytes.IndexAny(part, `"\`)
		if stop < 0 {
			stop = len(part)
		}
		if keep {
			if s.word = append(s.word, part[:stop]...); len(s.word) > maxWord && !s.brief {
				s.fail("a string of more than %d bytes", maxWord)
				return
			}
		}
		if !keep {
			s.word = s.word[:0] // what an escape has added
		}
		s.word = s.word[:min(len(s.word), maxWord)]
		s.i += stop
		if stop == len(part) {
			continue
		}
		s.i++
		if part[stop] == '"' {
			return
		}
		s.escape()
	}
}

// escape takes what follows a backslash and adds its meaning to word.
func (s *jsonScanner) escape() {
	if !s.fill() {
		return
	}
	c := s.buf[s.i]
	s.i++
	switch c {
	case '"', '\\', '/':
		s.word = append(s.word, c)
	case 'b', 'f', 'n', 'r', 't':
		s.word = append(s.word, "\b\f\n\r\t"[bytes.IndexByte([]byte("bfnrt"), c)])
	case 'u':
		s.word = utf8.AppendRune(s.word, s.escapedRune())
	default:
		s.fail("unknown escape in a string")
	}
}

// escapedRune takes the four digits after \u and the second half of a surrogate pair.
func (s *jsonScanner) escapedRune() rune {
	r := s.hex4()
	if !utf16.IsSurrogate(r) || !s.fill() || s.buf[s.i] != '\\' {
		return r
	}
	s.i++
	if !s.fill() || s.buf[s.i] != 'u' {
		s.fail("half a surrogate pair in a string")
		return utf8.RuneError
	}
	s.i++
	return utf16.DecodeRune(r, s.hex4())
}

func (s *jsonScanner) hex4() rune {
	var digits [4]byte
	for i := range digits {
		if !s.fill() {
			return utf8.RuneError
		}
		digits[i] = s.buf[s.i]
		s.i++
	}
	r, err := strconv.ParseUint(string(digits[:]), 16, 16)
	if err != nil {
		s.fail(`\u without four hexadecimal digits`)
	}
	return rune(r)
}

// bare takes a number, true, false, null, NaN or Infinity into word.
func (s *jsonScanner) bare() {
	s.word = s.word[:0]
	for s.fill() {
		c := s.buf[s.i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '+' && c != '.' {
			break
		}
		s.word = append(s.word, c)
		s.i++
		if len(s.word) > 1000 {
			s.fail("a number of more than 1,000 digits")
		}
	}
	if len(s.word) == 0 {
		s.fail("expected a value")
	}
}

// scalar takes the next value into word; ok is false for null, an object or an array.
func (s *jsonScanner) scalar() (quoted, ok bool) {
	switch s.peek() {
	case '{', '[':
		s.skip()
		return false, false
	case '"':
		s.text(true)
		return true, s.err == nil
	default:
		s.bare()
		return false, s.err == nil && string(s.word) != "null"
	}
}

// null takes the next value if it is null, and reports whether it was.
func (s *jsonScanner) null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.bare()
	return true
}

// number takes the next value; NaN stands for what is not a number.
func (s *jsonScanner) number() float64 {
	if quoted, ok := s.scalar(); quoted || !ok {
		return math.NaN()
	}
	f, err := strconv.ParseFloat(string(s.word), 64)
	if err != nil {
		return math.NaN()
	}
	return f
}

// truth takes the next value: true, a number other than 0, or either of them in quotes, as some tools write.
func (s *jsonScanner) truth() bool {
	_, ok := s.scalar()
	return ok && isTrue(string(s.word))
}

// value takes the next value as text for people; empty for null, an object or an array.
func (s *jsonScanner) value() string {
	if _, ok := s.scalar(); !ok {
		return ""
	}
	return cleanText(s.word)
}

// isTrue reads the spellings of true in label files.
func isTrue(word string) bool {
	if on, err := strconv.ParseBool(word); err == nil {
		return on
	}
	f, err := strconv.ParseFloat(word, 64)
	return err == nil && f != 0 && !math.IsNaN(f)
}
