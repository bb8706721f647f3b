// Package discussion reads and writes the text of comments: plain text in which some people are mentioned.
//
// A stored text names nobody: a mention is a mark with the person's id, which each reader is shown as they may
// know that person. So a name that is hidden, or that somebody has taken with them, stands in no text.
package discussion

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Person is somebody who can be mentioned, under the name that the writer knows them by.
type Person struct {
	ID   int64
	Name string
}

// A mention is the person's id between these, which are no characters of any script.
const (
	markBegin = '\uE000'
	markEnd   = '\uE001'
)

// Encode turns what a person typed into the text that is stored: each @ that is followed by the whole name of one
// of people, in whatever case, becomes a mention; of names that begin alike the longest is meant. Everybody of
// that name is mentioned. It returns the ids of all who are, in order.
func Encode(typed string, people []Person) (text string, mentioned []int64) {
	typed = strings.Map(func(r rune) rune {
		if r == markBegin || r == markEnd || r == 0 {
			return -1
		}
		return r
	}, strings.ReplaceAll(strings.ToValidUTF8(typed, "�"), "\r\n", "\n"))
	var out strings.Builder
	last := ' '
	for len(typed) > 0 {
		if typed[0] == '@' && !wordly(last) {
			if name, ids := named(typed[1:], people); name != "" {
				out.WriteString(mark(ids[0]))
				mentioned = append(mentioned, ids...)
				typed, last = typed[1+len(name):], 'x'
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(typed)
		out.WriteRune(r)
		typed, last = typed[size:], r
	}
	slices.Sort(mentioned)
	return strings.TrimSpace(out.String()), slices.Compact(mentioned)
}

func mark(id int64) string { return string(markBegin) + strconv.FormatInt(id, 10) + string(markEnd) }

func wordly(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// named returns the longest name of people that text begins with, as text has it, and whose it is.
func named(text string, people []Person) (name string, ids []int64) {
	for _, p := range people {
		if p.Name == "" || len(text) < len(p.Name) || !strings.EqualFold(text[:len(p.Name)], p.Name) {
			continue
		}
		if next, _ := utf8.DecodeRuneInString(text[len(p.Name):]); len(text) > len(p.Name) && wordly(next) {
			continue
		}
		switch cmp.Compare(len(p.Name), len(name)) {
		case 1:
			name, ids = text[:len(p.Name)], []int64{p.ID}
		case 0:
			ids = append(ids, p.ID)
		}
	}
	return name, ids
}

// Part is a piece of a text. Of a mention it has the Person's id, of a link its Href beside the Text; any other is
// Text alone, which may hold line breaks.
type Part struct {
	Text   string
	Href   string
	Person int64
}

var (
	mentions = regexp.MustCompile("\uE000([0-9]{1,18})\uE001")
	links    = regexp.MustCompile(`https?://[^\s<>"\x{E000}\x{E001}]+`)
)

// Parts returns a stored text in pieces. Only addresses of the web become links.
func Parts(text string) []Part {
	var parts []Part
	for _, at := range mentions.FindAllStringSubmatchIndex(text, -1) {
		id, err := strconv.ParseInt(text[at[2]:at[3]], 10, 64)
		if err != nil {
			continue // the pattern lets no such thing through
		}
		parts = append(parts, Part{Text: text[at[0]:at[1]], Person: id})
	}
	var all []Part
	rest := text
	for _, p := range parts {
		before, after, _ := strings.Cut(rest, p.Text)
		all = append(appendLinks(all, before), Part{Person: p.Person})
		rest = after
	}
	return appendLinks(all, rest)
}

// appendLinks cuts plain text at its links. Punctuation that ends a sentence belongs to no link.
func appendLinks(parts []Part, text string) []Part {
	for text != "" {
		at := links.FindStringIndex(text)
		if at == nil {
			return append(parts, Part{Text: text})
		}
		if at[0] > 0 {
			parts = append(parts, Part{Text: text[:at[0]]})
		}
		link := strings.TrimRight(text[at[0]:at[1]], ".,;:!?)]}'’”")
		if _, err := url.Parse(link); err != nil {
			parts = append(parts, Part{Text: link})
		} else {
			parts = append(parts, Part{Text: link, Href: link})
		}
		text = text[at[0]+len(link):]
	}
	return parts
}

// Mentioned returns the ids of everybody whom a stored text mentions, in order.
func Mentioned(text string) (ids []int64) {
	for _, p := range Parts(text) {
		if p.Person != 0 {
			ids = append(ids, p.Person)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Typed turns a stored text back into what a person would type, name by name.
func Typed(text string, name func(person int64) string) string {
	var out strings.Builder
	for _, p := range Parts(text) {
		if p.Person != 0 {
			out.WriteString("@" + name(p.Person))
		} else {
			out.WriteString(p.Text)
		}
	}
	return out.String()
}
