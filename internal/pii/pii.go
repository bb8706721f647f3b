// Package pii finds personal data in what people say: phone numbers, postal addresses, payment cards, bank accounts, dates of birth, e-mail
// addresses and names, as they are written and as they are spoken, digit by digit and letter by letter.
//
// It knows English call-centre speech best. It works with rules, checksums and a list of names, so it gives the same findings for the same
// text everywhere, and it misses what rules miss: whoever exports transcripts has people look at them first.
package pii

import (
	"cmp"
	"slices"
	"strings"
)

// Kind is a kind of personal data.
type Kind string

// The kinds.
const (
	Name      Kind = "name"
	Phone     Kind = "phone"
	Address   Kind = "address"
	Card      Kind = "card"    // payment cards
	Account   Kind = "account" // bank accounts
	BirthDate Kind = "birthdate"
	Email     Kind = "email"
)

// Kinds lists them in the order in which pages show them.
func Kinds() []Kind { return []Kind{Name, Phone, Address, Email, BirthDate, Card, Account} }

// Detector is what finds them, with its version: other rules raise it, so that what an older one has scanned is scanned again.
const Detector = "rules@1"

// Finding is a stretch of a text that is personal. First and Last count runes; Confidence is between 0 and 1.
type Finding struct {
	First, Last int
	Kind        Kind
	Detector    string
	Confidence  float64
}

// Find returns what is personal in a text, in order and without overlaps: of two that overlap, the surer one.
func Find(text string) []Finding {
	t := tokenize(text)
	runs := t.digitRuns()
	var all []Finding
	for _, detect := range []func() []Finding{
		func() []Finding { return t.emails(text) },
		t.accounts,
		func() []Finding { return t.numbers(runs) },
		t.birthDates,
		t.addresses,
		t.names,
	} {
		all = append(all, detect()...)
	}
	return Merge(all)
}

// Merge puts findings in order and drops those that overlap a surer one, among equals the longer.
func Merge(all []Finding) []Finding {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(b.Last-b.First, a.Last-a.First), cmp.Compare(a.First, b.First))
	})
	var kept []Finding
	for _, f := range all {
		if !slices.ContainsFunc(kept, func(k Finding) bool { return f.First < k.Last && k.First < f.Last }) {
			kept = append(kept, f)
		}
	}
	slices.SortFunc(kept, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return kept
}

// Canonical is the content of a finding, the same for the same person, number or place however it was said: digits as digits, letters in
// lower case, nothing else.
func Canonical(kind Kind, text string) string {
	t := tokenize(text)
	var b strings.Builder
	for i := 0; i < len(t); {
		digits, n := t.digitsAt(i)
		if kind != Name && digits != "" {
			b.WriteString(digits)
			i += n
			continue
		}
		for _, r := range t[i].text {
			if isLetter(r) || isDigit(r) {
				b.WriteRune(r)
			}
		}
		i++
	}
	return b.String()
}

func finding(t tokens, from, to int, kind Kind, confidence float64) Finding {
	return Finding{t[from].first, t[to].last, kind, Detector, confidence}
}
