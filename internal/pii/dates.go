package pii

import (
	"regexp"
	"strings"
)

var (
	months     = setOf("january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec")
	ordinals   = setOf("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth")
	dateJoins  = setOf("of the and in on")
	numericDay = regexp.MustCompile(`^\d{1,4}([/.\-])\d{1,2}[/.\-]\d{1,4}$`)
	dayNumber  = regexp.MustCompile(`^\d{1,2}(st|nd|rd|th)?$`)
	yearNumber = regexp.MustCompile(`^(19|20)\d\d$`)
)

// birthDates finds dates that words such as "born" stand beside.
func (t tokens) birthDates() (found []Finding) {
	for i := 0; i < len(t); {
		to, parts := t.dateAt(i)
		if parts == 0 {
			i++
			continue
		}
		if t.birthCue(i, to) {
			found = append(found, finding(t, i, to, BirthDate, 0.9))
		}
		i = to + 1
	}
	return found
}

// birthCue reports whether the date of tokens from to is one of birth.
func (t tokens) birthCue(from, to int) bool {
	for i := max(0, from-9); i < from; i++ {
		if t[i].text == "born" || t[i].text == "birthday" || t[i].text == "birthdate" || t[i].text == "dob" || t[i].text == "birth" || t.says(i, "d", "o", "b") {
			return true
		}
	}
	for i := to + 1; i < len(t) && i <= to+6 && !t[i-1].stop; i++ {
		if t[i].text == "born" || t[i].text == "birthday" || t[i].text == "birth" {
			return true
		}
	}
	return false
}

// dateAt returns the last token of the date that begins at token i, and how many of its parts tell something; 0 if none begins there. It has a
// month and a day or a year, or is written in numbers, or is a year alone.
func (t tokens) dateAt(i int) (to, parts int) {
	if numericDay.MatchString(t[i].text) {
		return i, 3
	}
	month, year := false, false
	to = -1
	for at := i; at < len(t) && at < i+10; at++ {
		word := t[at].text
		_, digits := digitWords[word]
		switch {
		case months[word] && (word != "may" && word != "march" || at > i || t.dayFollows(at)):
			month = true
		case yearNumber.MatchString(word), strings.HasPrefix(word, "'") && len(word) == 3:
			year = true
		case ordinals[word], dayNumber.MatchString(word), digits, tens[word] != "", word == "hundred", word == "thousand":
			year = year || word == "nineteen" || word == "thousand"
		case dateJoins[word] && to >= 0:
			continue
		default:
			at = len(t)
			continue
		}
		to = at
		parts++
		if t[at].stop {
			break
		}
	}
	if month && parts >= 2 || year && parts >= 1 && !month && t.yearAlone(i, to) {
		return to, parts
	}
	return -1, 0
}

// dayFollows reports whether a day stands beside a word that may be a month.
func (t tokens) dayFollows(i int) bool {
	for next := i + 1; next < len(t) && next <= i+2; next++ {
		word := t[next].text
		_, digits := digitWords[word]
		if ordinals[word] || dayNumber.MatchString(word) || digits || tens[word] != "" || yearNumber.MatchString(word) {
			return true
		}
		if word != "the" {
			return false
		}
	}
	return false
}

// yearAlone reports whether the tokens say a year and nothing else: 1962, nineteen sixty two, two thousand and one.
func (t tokens) yearAlone(from, to int) bool {
	return yearNumber.MatchString(t[from].text) && from == to || t[from].text == "nineteen" && to > from || t.says(from, "two", "thousand")
}
