package pii

import (
	"regexp"
	"strings"
)

var (
	streets      = setOf("street avenue road lane boulevard terrace crescent parkway highway alley st ave rd blvd ln hwy pkwy")
	looseStreets = setOf("drive court way place square close circle row trail hill gardens grove walk dr ct pl sq cir")
	// notStreets stand between a number and a word that is no street then.
	notStreets = setOf("a an the of in on at to and or is are was hour hours minute minutes day days week weeks month months year years way more less percent " +
		"dollars euros pounds people items times miles million thousand hundred for with from per my your our it that this we you i they he she one two three first second third")
	units       = setOf("apartment apt unit suite flat floor number ste")
	directions  = setOf("north south east west northeast northwest southeast southwest")
	ukPostcode  = regexp.MustCompile(`^[a-z]{1,2}\d[a-z\d]?\d[a-z]{2}$`)
	ukOutward   = regexp.MustCompile(`^[a-z]{1,2}\d[a-z\d]?$`)
	ukInward    = regexp.MustCompile(`^\d[a-z]{2}$`)
	zipCode     = regexp.MustCompile(`^\d{5}(-\d{4})?$`)
	houseNumber = regexp.MustCompile(`^\d{1,5}[a-z]?$`)
	germanWord  = regexp.MustCompile(`^\p{L}{2,}(straße|strasse|str\.?|weg|gasse|platz|allee)$`)
	states      = setOf("alabama alaska arizona arkansas california colorado connecticut delaware florida georgia hawaii idaho illinois indiana iowa kansas kentucky " +
		"louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada ohio oklahoma oregon pennsylvania tennessee texas utah " +
		"vermont virginia washington wisconsin wyoming london manchester birmingham leeds glasgow boston chicago houston phoenix dallas austin denver seattle portland " +
		"springfield atlanta miami orlando tampa philadelphia pittsburgh cleveland columbus detroit minneapolis berlin hamburg münchen munich zürich zurich vienna dublin")
)

func (t tokens) addresses() (found []Finding) {
	for i := 0; i < len(t); {
		to, confidence := t.addressAt(i)
		if to < 0 {
			i++
			continue
		}
		to = t.rest(to)
		found = append(found, finding(t, i, to, Address, confidence))
		i = to + 1
	}
	return found
}

// addressAt returns the token that ends the street, box or code which begins at token i, -1 if none does.
func (t tokens) addressAt(i int) (to int, confidence float64) {
	word := t[i].text
	for _, box := range [][]string{{"p", "o", "box"}, {"po", "box"}, {"p.o", "box"}, {"post", "office", "box"}} {
		if n := i + len(box); t.says(i, box...) && n < len(t) && t.saysDigit(n) {
			run, _ := t.runAt(n)
			return max(run.to, n), 0.95
		}
	}
	if germanWord.MatchString(word) && i+1 < len(t) && houseNumber.MatchString(t[i+1].text) {
		return i + 1, 0.95
	}
	if to := t.codeAt(i); to >= 0 {
		return to, 0.9
	}
	number := t.houseAt(i)
	if number < 0 || number+1 >= len(t) || t[number].stop {
		return -1, 0
	}
	return t.streetAfter(number)
}

// streetAfter returns the token that ends the street whose house number ends at token number.
func (t tokens) streetAfter(number int) (to int, confidence float64) {
	for at := number + 1; at < len(t) && at <= number+4; at++ {
		word := t[at].text
		named := at > number+1
		switch {
		case named && streets[word]:
			return at, 0.95
		case named && looseStreets[word]:
			return at, 0.8
		case notStreets[word] && !directions[word], t[at].stop, t[at].comma, len(word) < 2:
			return -1, 0
		}
	}
	return -1, 0
}

// codeAt returns the token that ends a postal code that begins at token i: a British one, or digits that are called one.
func (t tokens) codeAt(i int) int {
	word := t[i].text
	switch {
	case ukPostcode.MatchString(word):
		return i
	case ukOutward.MatchString(word) && i+1 < len(t) && ukInward.MatchString(t[i+1].text):
		return i + 1
	}
	if t.cue(i, 4, setOf("zip zipcode postcode postal")) < 0 {
		return -1
	}
	run, _ := t.runAt(i)
	if n := len(run.digits); run.digits != "" && run.from == i && (n == 5 || n == 4 || n == 9) || zipCode.MatchString(word) {
		return max(run.to, i)
	}
	return -1
}

// houseAt returns the token that ends a house number that begins at token i: written, or said as one.
func (t tokens) houseAt(i int) int {
	if houseNumber.MatchString(t[i].text) {
		return i
	}
	if t[i].text == "o" || t[i].text == "oh" {
		return -1
	}
	at, digits := i, 0
	for at < len(t) {
		said, n := t.digitsAt(at)
		if said == "" {
			break
		}
		digits += len(said)
		at += n
		if t[at-1].comma || t[at-1].stop {
			break
		}
	}
	if digits == 0 || digits > 6 {
		return -1
	}
	return at - 1
}

// rest goes on after a street over what belongs to its address: a flat, a city that is known, a state, a postal code.
func (t tokens) rest(to int) int {
	for to+1 < len(t) && !t[to].stop {
		word := t[to+1].text
		switch {
		case directions[word], states[word]:
			to++
		case strings.HasPrefix(word, "new") && to+2 < len(t) && setOf("york jersey mexico hampshire orleans")[t[to+2].text]:
			to += 2
		case units[word] && to+2 < len(t) && (t.saysDigit(to+2) || len(t[to+2].text) <= 2 || houseNumber.MatchString(t[to+2].text)):
			run, _ := t.runAt(to + 2)
			to = max(to+2, run.to)
		case zipCode.MatchString(word), t.codeAt(to+1) >= 0:
			to = max(to+1, t.codeAt(to+1))
		default:
			run, _ := t.runAt(to + 1)
			if run.from != to+1 || len(run.digits) != 5 {
				return to
			}
			to = run.to
		}
	}
	return to
}
