package pii_test

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"fiducial/internal/pii"
	"fiducial/internal/speech"
)

//go:embed testdata/sentences.txt
var sentences string

var mark = regexp.MustCompile(`\[([a-z]+):([^\]]+)\]`)

// sentence is one of the list with what is personal in it.
type sentence struct {
	text  string
	wants []pii.Finding
}

func list(tb testing.TB) (all []sentence) {
	tb.Helper()
	for line := range strings.Lines(sentences) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var s sentence
		for at := mark.FindStringSubmatchIndex(line); at != nil; at = mark.FindStringSubmatchIndex(line) {
			s.text += line[:at[0]]
			first := utf8.RuneCountInString(s.text)
			s.text += line[at[4]:at[5]]
			s.wants = append(s.wants, pii.Finding{First: first, Last: utf8.RuneCountInString(s.text), Kind: pii.Kind(line[at[2]:at[3]])})
			line = line[at[1]:]
		}
		s.text += line
		all = append(all, s)
	}
	return all
}

// score counts a finding as right where it lies over the same kind, and as exact where it does to the rune.
type score struct{ right, wrong, missed, exact int }

func (s score) precision() float64 { return float64(s.right) / float64(max(1, s.right+s.wrong)) }
func (s score) recall() float64    { return float64(s.right) / float64(max(1, s.right+s.missed)) }

// What the README says of the detectors is measured here.
func TestFindsWhatTheListHas(t *testing.T) {
	t.Parallel()
	scores := map[pii.Kind]*score{}
	for _, kind := range pii.Kinds() {
		scores[kind] = &score{}
	}
	all := list(t)
	plain := 0
	for _, s := range all {
		if len(s.wants) == 0 {
			plain++
		}
		compare(t, s, scores)
	}
	var total score
	for _, kind := range pii.Kinds() {
		s := scores[kind]
		t.Logf("%-10s precision %.3f, recall %.3f (%d right, of these %d to the rune, %d wrong, %d missed)", kind, s.precision(), s.recall(), s.right, s.exact, s.wrong, s.missed)
		total.right, total.wrong, total.missed = total.right+s.right, total.wrong+s.wrong, total.missed+s.missed
		if s.precision() < 0.9 || s.recall() < 0.9 {
			t.Errorf("%s: precision or recall below 0.9", kind)
		}
	}
	t.Logf("%d sentences, %d without anything personal: precision %.3f, recall %.3f", len(all), plain, total.precision(), total.recall())
}

func compare(t *testing.T, s sentence, scores map[pii.Kind]*score) {
	t.Helper()
	found := pii.Find(s.text)
	used := make([]bool, len(found))
next:
	for _, want := range s.wants {
		for i, f := range found {
			if f.Kind == want.Kind && f.First < want.Last && want.First < f.Last {
				used[i] = true
				scores[want.Kind].right++
				if f.First == want.First && f.Last == want.Last {
					scores[want.Kind].exact++
				} else {
					t.Logf("  edges of %s: %q in %q", f.Kind, string([]rune(s.text)[f.First:f.Last]), s.text)
				}
				continue next
			}
		}
		scores[want.Kind].missed++
		t.Logf("  missed %s %q in %q", want.Kind, string([]rune(s.text)[want.First:want.Last]), s.text)
	}
	for i, f := range found {
		if !used[i] {
			scores[f.Kind].wrong++
			t.Logf("  wrong %s %q in %q", f.Kind, string([]rune(s.text)[f.First:f.Last]), s.text)
		}
	}
}

func TestCanonicalIsTheSameHoweverItIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind pii.Kind
		a, b string
	}{
		{pii.Phone, "415-555-2671", "four one five five five five two six seven one"},
		{pii.Phone, "oh seven double zero", "0700"},
		{pii.Name, "Maria  Lopez", "maria lopez"},
		{pii.Name, "S M I T H", "smith"},
		{pii.Card, "4111 1111", "four triple one double one one one"},
	} {
		if a, b := pii.Canonical(c.kind, c.a), pii.Canonical(c.kind, c.b); a != b || a == "" {
			t.Errorf("%q is %q, %q is %q", c.a, a, c.b, b)
		}
	}
}

func TestMaskReplacesWhatItIsTold(t *testing.T) {
	t.Parallel()
	transcript := speech.Transcript{{Text: "grüß dich, maria lopez aus köln"}, {Text: "yes"}}
	masked, n := pii.Mask(transcript, []pii.Span{
		{Segment: 0, First: 17, Last: 22, Kind: pii.Name},
		{Segment: 0, First: 11, Last: 22, Kind: pii.Name},
		{Segment: 0, First: 27, Last: 31, Kind: pii.Address},
		{Segment: 1, First: 2, Last: 9, Kind: pii.Name},
		{Segment: 7, First: 0, Last: 1, Kind: pii.Name},
	}, pii.Label)
	if masked[0].Text != "grüß dich, [name] aus [address]" || masked[1].Text != "yes" || n != 2 || transcript[0].Text == masked[0].Text {
		t.Errorf("%+v, %d replaced", masked, n)
	}
	tokens, others := pii.Tokens([]byte("secret")), pii.Tokens([]byte("other"))
	if tokens(pii.Name, "Maria Lopez") != tokens(pii.Name, "maria lopez") || tokens(pii.Name, "maria") == tokens(pii.Name, "mario") ||
		tokens(pii.Name, "maria") == others(pii.Name, "maria") || len(tokens(pii.Name, "maria")) != len("[name-]")+8 {
		t.Errorf("%s", tokens(pii.Name, "maria lopez"))
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range list(f) {
		f.Add(s.text)
	}
	for _, text := range []string{"", "’s's-+", "o-o-o", "d e 8", "double", "\xff\xfe one", "+4", "\u0000at\u0000dot com", "mr. o' at . dot co dot uk", "İ ı ß", "4111111111111111 1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		runes, before := len([]rune(text)), 0
		for _, finding := range pii.Find(text) {
			if finding.First < before || finding.Last <= finding.First || finding.Last > runes || finding.Confidence <= 0 || finding.Confidence > 1 || finding.Detector == "" {
				t.Fatalf("%+v of %d runes", finding, runes)
			}
			before = finding.Last
		}
	})
}

func BenchmarkFind(b *testing.B) {
	all := list(b)
	for i := 0; b.Loop(); i++ {
		pii.Find(all[i%len(all)].text)
	}
}

func ExampleFind() {
	text := "my name is maria lopez"
	for _, f := range pii.Find(text) {
		fmt.Println(f.Kind, text[f.First:f.Last])
	}
	// Output: name maria lopez
}
