package pii

import (
	"strings"
	"unicode"
)

// token is a word of a text: its runes, without the punctuation around it, and how it is written in lower case with straight apostrophes.
// stop tells that a sentence ends after it, comma that a pause is written there.
type token struct {
	first, last int
	text        string
	capital     bool
	stop, comma bool
}

type tokens []token

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) }
func isDigit(r rune) bool  { return r >= '0' && r <= '9' }

// inside reports whether a rune at the edge of a word belongs to it.
func inside(r rune) bool {
	return isLetter(r) || unicode.IsDigit(r) || r == '+' || r == '@' || r == '$' || r == '€' || r == '£' || r == '#'
}

func tokenize(text string) (t tokens) {
	runes := []rune(text)
	for i := 0; i < len(runes); {
		if unicode.IsSpace(runes[i]) {
			i++
			continue
		}
		end := i
		for end < len(runes) && !unicode.IsSpace(runes[end]) {
			end++
		}
		first, last := i, end
		for first < last && !inside(runes[first]) {
			first++
		}
		for last > first && !inside(runes[last-1]) {
			last--
		}
		tail := string(runes[last:end])
		if first < last {
			t = t.split(runes, first, last)
			t[len(t)-1].stop = strings.ContainsAny(tail, ".!?;:")
			t[len(t)-1].comma = strings.ContainsRune(tail, ',')
		} else if n := len(t); n > 0 && strings.ContainsAny(tail, "!?;") {
			t[n-1].stop = true
		}
		i = end
	}
	return t
}

// split appends a word, or its parts where hyphens join number words or single letters, and without the 's of a genitive.
func (t tokens) split(runes []rune, first, last int) tokens {
	part := first
	for i := first; i < last; i++ {
		if runes[i] == '-' && joins(string(runes[first:last])) && i > part {
			t = append(t, newToken(runes, part, i))
			part = i + 1
		}
	}
	if part < last {
		t = append(t, newToken(runes, part, last))
	}
	return t
}

// joins reports whether the hyphens of a word join words that are said one by one.
func joins(word string) bool {
	for part := range strings.SplitSeq(strings.ToLower(word), "-") {
		if _, number := digitWords[part]; !number && tens[part] == "" && len([]rune(part)) != 1 {
			return false
		}
	}
	return true
}

func newToken(runes []rune, first, last int) token {
	text := strings.ReplaceAll(strings.ToLower(string(runes[first:last])), "’", "'")
	if stem, ok := strings.CutSuffix(text, "'s"); ok && stem != "" && !contraction[stem] {
		text = stem
		last -= 2
	}
	return token{first: first, last: last, text: text, capital: unicode.IsUpper(runes[first])}
}

// contraction are words after which 's is a verb.
var contraction = map[string]bool{"it": true, "that": true, "what": true, "name": true, "here": true, "there": true, "let": true, "he": true, "she": true, "who": true, "how": true, "where": true}

// digitWords are words that stand for digits as numbers are read out.
var digitWords = map[string]string{
	"zero": "0", "nought": "0", "naught": "0", "oh": "0", "o": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
	"eight": "8", "nine": "9", "niner": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16",
	"seventeen": "17", "eighteen": "18", "nineteen": "19",
}

var tens = map[string]string{
	"twenty": "2", "thirty": "3", "forty": "4", "fifty": "5", "sixty": "6", "seventy": "7", "eighty": "8", "ninety": "9",
}

// digitsAt returns the digits that are said or written from token i on, and how many tokens say them; "" if none are.
func (t tokens) digitsAt(i int) (digits string, n int) {
	word := t[i].text
	if times := map[string]int{"double": 2, "triple": 3, "treble": 3}[word]; times > 0 && i+1 < len(t) {
		next := digitWords[t[i+1].text]
		if len(t[i+1].text) == 1 && isDigit(rune(t[i+1].text[0])) {
			next = t[i+1].text
		}
		if len(next) == 1 {
			return strings.Repeat(next, times), 2
		}
		return "", 0
	}
	if ten := tens[word]; ten != "" {
		if i+1 < len(t) && !t[i].comma && !t[i].stop {
			if unit := digitWords[t[i+1].text]; len(unit) == 1 && unit != "0" {
				return ten + unit, 2
			}
		}
		return ten + "0", 1
	}
	if said, ok := digitWords[word]; ok {
		if len(said) == 1 && i+1 < len(t) && t[i+1].text == "hundred" {
			return said + "00", 2
		}
		return said, 1
	}
	return writtenDigits(word), 1
}

// writtenDigits are the digits of a word that holds a number as phone numbers and cards are written; "" for times, amounts, decimals, words.
func writtenDigits(word string) string {
	var b strings.Builder
	dots, hyphens := 0, 0
	for i, r := range word {
		switch {
		case isDigit(r):
			b.WriteRune(r)
		case r == '+' && i == 0, r == '(', r == ')':
		case r == '.':
			dots++
		case r == '-':
			hyphens++
		default:
			return ""
		}
	}
	if dots == 1 && b.Len() < 9 { // 45.99
		return ""
	}
	return b.String()
}

// digitRun are digits that follow each other, with the tokens that say the first and the last of them.
type digitRun struct {
	digits   string
	from, to int
	plus     bool
	ends     []int // for each digit, the token that says it
	begins   []int
}

// fillers may stand between the digits of one number.
var fillers = map[string]bool{"dash": true, "hyphen": true, "uh": true, "um": true, "space": true, "er": true}

func (t tokens) digitRuns() (runs []digitRun) {
	for i := 0; i < len(t); {
		run, next := t.runAt(i)
		if run.digits != "" {
			runs = append(runs, run)
		}
		i = max(next, i+1)
	}
	return runs
}

func (t tokens) runAt(i int) (run digitRun, next int) {
	if t[i].text == "oh" || t[i].text == "o" { // most often an exclamation
		if t[i].comma || t[i].stop || i+1 >= len(t) {
			return run, i + 1
		}
		if digits, _ := t.digitsAt(i + 1); digits == "" || t[i+1].text == "o" {
			return run, i + 1
		}
	}
	run.from = i
	run.plus = strings.HasPrefix(t[i].text, "+") || i > 0 && t[i-1].text == "plus"
	for i < len(t) {
		digits, n := t.digitsAt(i)
		if digits == "" {
			if run.digits == "" || !fillers[t[i].text] || i+1 >= len(t) {
				break
			}
			if ahead, _ := t.digitsAt(i + 1); ahead == "" {
				break
			}
			i++
			continue
		}
		for range digits {
			run.begins, run.ends = append(run.begins, i), append(run.ends, i+n-1)
		}
		run.digits += digits
		run.to = i + n - 1
		i += n
		if t[run.to].stop {
			break
		}
	}
	return run, i
}

// cue goes back from token i over at most window words, to the nearest that one of the sets has, and returns which set that is; -1 for none.
func (t tokens) cue(i, window int, sets ...map[string]bool) int {
	for back := 1; back <= window && i-back >= 0; back++ {
		for n, set := range sets {
			if set[t[i-back].text] {
				return n
			}
		}
	}
	return -1
}

// says reports whether the tokens from i on are these words.
func (t tokens) says(i int, words ...string) bool {
	if i < 0 || i+len(words) > len(t) {
		return false
	}
	for n, word := range words {
		if t[i+n].text != word {
			return false
		}
	}
	return true
}

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}
