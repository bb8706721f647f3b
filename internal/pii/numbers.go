package pii

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// What stands before a number says what it is.
var (
	phoneCues   = setOf("phone telephone mobile cell cellphone landline callback reach call text ring dial whatsapp contact fax tel")
	cardCues    = setOf("card visa mastercard amex american credit debit pan discover")
	accountCues = setOf("account routing sort iban bsb bank banking acct")
	otherCues   = setOf("order reference ref ticket case invoice tracking serial product part confirmation booking policy claim model sku item customer " +
		"membership member contract meter code pin extension flight batch version isbn article parcel shipment asset job case incident quote license licence " +
		"employee badge room gate locker lot imei vin box number's zip postcode postal dollars euros pounds room voucher coupon registration")
)

// cueWindow is how many words back a number's cue may stand.
const cueWindow = 7

// numbers are the cards, accounts and phone numbers among runs of digits.
func (t tokens) numbers(runs []digitRun) (found []Finding) {
	for _, run := range runs {
		if len(run.digits) < 6 {
			continue
		}
		cue := t.cue(run.from, cueWindow, phoneCues, cardCues, accountCues, otherCues)
		if t.says(run.from-2, "sort", "code") || t.says(run.from-3, "sort", "code") {
			cue = 2
		}
		if f, ok := t.card(run, cue == 1, cue == 3); ok {
			found = append(found, f)
			continue
		}
		switch cue {
		case 2:
			if len(run.digits) <= 17 {
				found = append(found, finding(t, run.from, run.to, Account, 0.85))
			}
		case 1, 3:
		default:
			if f, ok := t.phone(run, cue == 0); ok {
				found = append(found, f)
			}
		}
	}
	return found
}

// card finds a payment card in a run: by its checksum and how such numbers begin; after a cue, also one that was misheard.
func (t tokens) card(run digitRun, cued, other bool) (Finding, bool) {
	for length := min(19, len(run.digits)); length >= 13; length-- {
		extra := len(run.digits) - length
		if extra > 0 && !cued { // with a cue, what follows may be a date or a check number
			break
		}
		if number := run.digits[:length]; isCard(number) && !other {
			confidence := 0.9
			if cued {
				confidence = 0.99
			}
			to := run.ends[length-1]
			if cued && len(run.digits) <= 19 { // whatever of it was misheard
				to = run.to
			}
			return finding(t, run.from, to, Card, confidence), true
		}
	}
	if n := len(run.digits); cued && n >= 12 && n <= 19 {
		return finding(t, run.from, run.to, Card, 0.6), true
	}
	return Finding{}, false
}

// isCard reports whether a number is one that a card can have: its length, how it begins, and Luhn's checksum.
func isCard(number string) bool {
	var lengths []int
	switch {
	case number[0] == '4':
		lengths = []int{13, 16, 19}
	case number[:2] == "34" || number[:2] == "37":
		lengths = []int{15}
	case number[:2] >= "51" && number[:2] <= "55", number[:2] >= "22" && number[:2] <= "27", number[:2] == "35":
		lengths = []int{16}
	case number[:2] == "36" || number[:2] == "38" || number[:2] == "30":
		lengths = []int{14}
	case number[0] == '6' || number[0] == '5':
		lengths = []int{16, 19}
	}
	return slices.Contains(lengths, len(number)) && luhn(number)
}

// luhn reports whether the last digit is the checksum of those before it (ISO/IEC 7812-1, annex B).
func luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		v := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// regions are those whose numbers are known without their country's code, with how many digits they have then and how they begin.
var regions = []struct {
	code   string
	prefix string
	least  int
	most   int
}{{"US", "", 10, 11}, {"GB", "0", 10, 11}, {"DE", "0", 10, 12}, {"FR", "0", 10, 10}, {"AU", "0", 10, 10}, {"CH", "0", 10, 10}, {"IE", "0", 10, 10}}

// phone says whether a run is a phone number: one that there can be, or after a cue anything of that length.
func (t tokens) phone(run digitRun, cued bool) (Finding, bool) {
	n := len(run.digits)
	if n < 7 || n > 15 {
		return Finding{}, false
	}
	from := run.from
	if run.plus && from > 0 && t[from-1].text == "plus" {
		from--
	}
	switch valid := isPhone(run); {
	case valid && cued:
		return finding(t, from, run.to, Phone, 0.97), true
	case valid && n >= 10:
		return finding(t, from, run.to, Phone, 0.85), true
	case cued:
		return finding(t, from, run.to, Phone, 0.7), true
	}
	return Finding{}, false
}

func isPhone(run digitRun) bool {
	if run.plus || strings.HasPrefix(run.digits, "00") {
		number, err := phonenumbers.Parse("+"+strings.TrimPrefix(run.digits, "00"), "")
		return err == nil && phonenumbers.IsValidNumber(number)
	}
	for _, region := range regions {
		if n := len(run.digits); n < region.least || n > region.most || !strings.HasPrefix(run.digits, region.prefix) {
			continue
		}
		number, err := phonenumbers.Parse(run.digits, region.code)
		if err == nil && phonenumbers.IsValidNumberForRegion(number, region.code) {
			return true
		}
	}
	return false
}

// ibanLengths are those of the countries whose numbers are met most.
var ibanLengths = map[string]int{
	"AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28,
	"IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24,
	"AE": 23, "SA": 24, "TR": 26, "IL": 23,
}

// accounts finds IBANs, written or read out character by character.
func (t tokens) accounts() (found []Finding) {
	for i := 0; i < len(t); i++ {
		var b strings.Builder
		for to := i; to < len(t); {
			characters, n := t.charactersAt(to)
			if characters == "" {
				break
			}
			b.WriteString(characters)
			to += n
			if number := b.String(); isIBAN(number) {
				found = append(found, finding(t, i, to-1, Account, 0.99))
				i = to - 1
				break
			} else if len(number) > 34 {
				break
			}
		}
	}
	return found
}

// charactersAt are the letters and digits that are read out, or written as a part of a longer number, from token i on.
func (t tokens) charactersAt(i int) (characters string, n int) {
	if digits, n := t.digitsAt(i); digits != "" && t[i].text != "o" {
		return digits, n
	}
	word := t[i].text
	hasDigit := false
	for _, r := range word {
		if r > 'z' || !isLetter(r) && !isDigit(r) {
			return "", 0
		}
		hasDigit = hasDigit || isDigit(r)
	}
	if len(word) <= 2 || hasDigit || len(word) == 4 && t[i].capital {
		return strings.ToUpper(word), 1
	}
	return "", 0
}

// isIBAN reports whether a number is one: its country's length, and the remainder 1 by 97 (ISO 13616).
func isIBAN(number string) bool {
	if len(number) < 15 || ibanLengths[number[:2]] != len(number) || !isDigit(rune(number[2])) || !isDigit(rune(number[3])) {
		return false
	}
	remainder := 0
	for _, r := range number[4:] + number[:4] {
		if isDigit(r) {
			remainder = (remainder*10 + int(r-'0')) % 97
		} else {
			remainder = (remainder*100 + int(r-'A') + 10) % 97
		}
	}
	return remainder == 1
}
