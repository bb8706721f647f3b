package pii

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"fiducial/internal/speech"
)

// Span is a stretch of a transcript that is personal: runes of a segment's text.
type Span struct {
	Segment, First, Last int
	Kind                 Kind
}

// Mask writes label in place of every span, and returns the transcript with how many it replaced. Spans that overlap are one, of the
// kind of the one that begins first, among these of the longest. What lies outside of a text is left out.
func Mask(t speech.Transcript, spans []Span, label func(kind Kind, text string) string) (masked speech.Transcript, replaced int) {
	masked = slices.Clone(t)
	for i := range masked {
		runes := []rune(masked[i].Text)
		var own []Span
		for _, s := range spans {
			if s.Segment == i && s.First >= 0 && s.First < s.Last && s.Last <= len(runes) {
				own = append(own, s)
			}
		}
		if len(own) == 0 {
			continue
		}
		var b strings.Builder
		at := 0
		for _, s := range merged(own) {
			b.WriteString(string(runes[at:s.First]))
			b.WriteString(label(s.Kind, string(runes[s.First:s.Last])))
			at = s.Last
			replaced++
		}
		b.WriteString(string(runes[at:]))
		masked[i].Text = b.String()
	}
	return masked, replaced
}

// merged puts spans of one segment in order, those that overlap as one.
func merged(spans []Span) (out []Span) {
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(b.Last, a.Last)) })
	for _, s := range spans {
		if n := len(out); n > 0 && s.First < out[n-1].Last {
			out[n-1].Last = max(out[n-1].Last, s.Last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// Label is what stands in place of a kind: [name].
func Label(kind Kind, _ string) string { return "[" + string(kind) + "]" }

// tokenLength is how many hexadecimal digits a token has: enough that two people of a project hardly ever share one.
const tokenLength = 8

// Tokens returns labels that are the same for the same content, such as [name-3f2a90c1]: an HMAC under a secret, so that nobody without
// it can tell what stood there, or find it again elsewhere.
func Tokens(secret []byte) func(kind Kind, text string) string {
	return func(kind Kind, text string) string {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte("personal\x00" + string(kind) + "\x00" + Canonical(kind, text)))
		return "[" + string(kind) + "-" + hex.EncodeToString(mac.Sum(nil))[:tokenLength] + "]"
	}
}
