package pii

import (
	"regexp"
	"unicode/utf8"
)

var writtenEmail = regexp.MustCompile(`[\p{L}\p{N}._%+'\-]+@[\p{L}\p{N}\-]+(\.[\p{L}\p{N}\-]+)*\.\p{L}{2,}`)

// topLevels end the domains that people say.
var topLevels = setOf("com net org edu gov mil info biz io co uk de fr es it nl ch at be eu us ca au ie in pl se no dk fi pt dev app me tv")

// connectors join the parts of what stands before the "at".
var connectors = setOf("dot underscore dash hyphen minus period point plus")

func (t tokens) emails(text string) (found []Finding) {
	for _, at := range writtenEmail.FindAllStringIndex(text, -1) {
		first := utf8.RuneCountInString(text[:at[0]])
		found = append(found, Finding{first, first + utf8.RuneCountInString(text[at[0]:at[1]]), Email, Detector, 0.99})
	}
	for i := range t {
		if t[i].text != "at" || i == 0 {
			continue
		}
		if to := t.domain(i + 1); to >= 0 {
			found = append(found, finding(t, t.mailbox(i-1), to, Email, 0.95))
		}
	}
	return found
}

// domain returns the token that ends the domain which begins at token i, -1 if none does: up to three words, then "dot" and how domains end.
func (t tokens) domain(i int) int {
	last := -1
	for dot := i + 1; dot < len(t) && dot <= i+7; dot++ {
		if t[dot].text == "at" {
			break
		}
		if (t[dot].text == "dot" || t[dot].text == "point") && dot+1 < len(t) && topLevels[t[dot+1].text] {
			last = dot + 1
			if t[last].text == "co" && last+2 < len(t) && t[last+1].text == "dot" && topLevels[t[last+2].text] {
				last += 2
			}
			return last
		}
	}
	return last
}

// mailbox returns the token that begins what stands before the "at", whose last one is token i: what connectors join, letters and digits
// that are read out, and a name in two words.
func (t tokens) mailbox(i int) int {
	from := i
	for from > 0 && !t[from-1].stop && !t[from-1].comma {
		before := t[from-1].text
		digits, _ := t.digitsAt(from - 1)
		switch {
		case connectors[before] && from > 1:
			from -= 2
		case connectors[before]:
			return from
		case len([]rune(before)) == 1 && (before != "a" && before != "i" || from > 1 && len([]rune(t[from-2].text)) == 1), digits != "", t.isName(from-1) && (t.isName(from) || len([]rune(t[from].text)) == 1 || t.saysDigit(from)):
			from--
		default:
			return from
		}
	}
	return from
}

func (t tokens) saysDigit(i int) bool {
	digits, _ := t.digitsAt(i)
	return digits != ""
}
