package speech

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Normalizer is a way of writing transcripts alike before they are compared. What one of a name does never changes: other
// rules get another name, with the next number.
type Normalizer struct {
	Name  string
	About string // in a sentence
	apply func(string) string
}

// Normalize returns text as the normalizer writes it: words with one space between them.
func (n Normalizer) Normalize(text string) string { return n.apply(text) }

var normalizers = []Normalizer{
	{"as-is-1", "Words as they are written, split at white space.", collapse},
	{"basic-1", "Unicode NFKC, lower case; apostrophes and hyphens inside a word and marks inside a number stay, all other punctuation and symbols end a word.", basic},
	{"lenient-1", "As basic-1; besides, tags in brackets and hesitations (uh, um, er, hm, mm and the like) are left out.", lenient},
}

// Normalizers lists them.
func Normalizers() []Normalizer { return slices.Clone(normalizers) }

// NormalizerNames lists their names.
func NormalizerNames() (names []string) {
	for _, n := range normalizers {
		names = append(names, n.Name)
	}
	return names
}

// NormalizerOf returns the normalizer of that name.
func NormalizerOf(name string) (Normalizer, bool) {
	i := slices.IndexFunc(normalizers, func(n Normalizer) bool { return n.Name == name })
	if i < 0 {
		return Normalizer{}, false
	}
	return normalizers[i], true
}

// DefaultNormalizer is the name of that which serves where a project names none.
const DefaultNormalizer = "basic-1"

// ProjectNormalizer returns the normalizer of a project that names this one, "" for the default.
func ProjectNormalizer(name string) Normalizer {
	n, ok := NormalizerOf(name)
	if !ok {
		n, _ = NormalizerOf(DefaultNormalizer)
	}
	return n
}

func collapse(text string) string {
	if isPlain(text, isSpaceOnly) {
		return text
	}
	return strings.Join(strings.Fields(text), " ")
}

// isPlain reports whether text is ASCII, has single spaces inside and none around it, and beside them what keeps lets stand.
func isPlain(text string, keeps func(byte) bool) bool {
	space := true // before the first character a space would be one too many
	for i := range len(text) {
		c := text[i]
		if c == ' ' {
			if space {
				return false
			}
			space = true
			continue
		}
		if c <= ' ' || c >= 0x7f || !keeps(c) {
			return false
		}
		space = false
	}
	return !space || text == ""
}

func isSpaceOnly(byte) bool { return true }

func isLowerAlphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

func basic(text string) string {
	if isPlain(text, isLowerAlphanumeric) {
		return text
	}
	runes := []rune(strings.ToLower(norm.NFKC.String(text)))
	var b strings.Builder
	b.Grow(len(text))
	space := false
	for i, r := range runes {
		if !inWord(runes, i) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(straight(r))
	}
	return b.String()
}

// inWord reports whether the i-th character is part of a word.
func inWord(runes []rune, i int) bool {
	r := runes[i]
	if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
		return true
	}
	if i == 0 || i == len(runes)-1 {
		return false
	}
	before, after := runes[i-1], runes[i+1]
	switch straight(r) {
	case '\'', '-':
		return letterOrDigit(before) && letterOrDigit(after)
	case '.', ',':
		return unicode.IsDigit(before) && unicode.IsDigit(after)
	}
	return false
}

func letterOrDigit(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// straight writes the apostrophes and hyphens of typesetting as those of a keyboard.
func straight(r rune) rune {
	switch r {
	case '\u2018', '\u2019', '\u02bc':
		return '\''
	case '\u2010', '\u2011':
		return '-'
	}
	return r
}

// hesitations are no words.
var hesitations = map[string]bool{
	"uh": true, "uhh": true, "um": true, "umm": true, "er": true, "erm": true, "eh": true, "ah": true, "ahem": true,
	"hm": true, "hmm": true, "mm": true, "mmm": true, "mhm": true, "uh-huh": true, "uhm": true,
}

func lenient(text string) string {
	words := strings.Fields(basic(withoutTags(text)))
	words = slices.DeleteFunc(words, func(word string) bool { return hesitations[word] })
	return strings.Join(words, " ")
}

// closing is the bracket that ends a tag begun by another.
var closing = map[byte]byte{'<': '>', '[': ']', '{': '}'}

// withoutTags leaves out what stands in brackets, such as [noise] or <unk>; a bracket that is never closed stays.
func withoutTags(text string) string {
	var b strings.Builder
	open := map[byte]bool{} // the brackets that nothing closes any more
	for i := 0; i < len(text); {
		bracket := text[i]
		end, opens := closing[bracket]
		length := -1
		if opens && !open[bracket] {
			length = strings.IndexByte(text[i:], end)
			open[bracket] = length < 0
		}
		if length < 0 {
			b.WriteByte(bracket)
			i++
			continue
		}
		b.WriteByte(' ')
		i += length + 1
	}
	return b.String()
}
