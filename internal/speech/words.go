package speech

import (
	"unicode"
	"unicode/utf8"
)

// words are those of a text: a hash of each, and where it stands.
type words struct {
	text   string
	hashes []uint64
	spans  []span
}

type span struct{ start, end int }

const (
	hashStart = 14695981039346656037
	hashPrime = 1099511628211
)

// split cuts text at white space.
func (w *words) split(text string) {
	w.text, w.hashes, w.spans = text, w.hashes[:0], w.spans[:0]
	for i := 0; i < len(text); {
		if size := spaceAt(text, i); size > 0 {
			i += size
			continue
		}
		start, hash := i, uint64(hashStart)
		for i < len(text) {
			c := text[i]
			if (c <= ' ' || c >= utf8.RuneSelf) && spaceAt(text, i) > 0 {
				break
			}
			hash = (hash ^ uint64(c)) * hashPrime
			i++
		}
		w.hashes, w.spans = append(w.hashes, hash), append(w.spans, span{start, i})
	}
}

// spaceAt is the length of the white space character at i, 0 if there is none.
func spaceAt(text string, i int) int {
	c := text[i]
	if c < utf8.RuneSelf {
		if c == ' ' || '\t' <= c && c <= '\r' {
			return 1
		}
		return 0
	}
	if r, size := utf8.DecodeRuneInString(text[i:]); unicode.IsSpace(r) {
		return size
	}
	return 0
}

func (w *words) len() int { return len(w.spans) }

func (w *words) word(i int) string { return w.text[w.spans[i].start:w.spans[i].end] }

// same reports whether word i of w is word j of v.
func (w *words) same(i int, v *words, j int) bool {
	return w.hashes[i] == v.hashes[j] && w.word(i) == v.word(j)
}

// common returns with how many of the same words two texts begin, and with how many the rest ends.
func common(w, v *words) (first, last int) {
	shorter := min(w.len(), v.len())
	for first < shorter && w.same(first, v, first) {
		first++
	}
	for last < shorter-first && w.same(w.len()-1-last, v, v.len()-1-last) {
		last++
	}
	return first, last
}
