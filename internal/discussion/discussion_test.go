package discussion

import (
	"slices"
	"strings"
	"testing"
)

var crew = []Person{{7, "Ada Okafor"}, {8, "Ada"}, {9, "Labeler A"}, {10, "Labeler AB"}, {11, "Inês Ferreira"}, {12, "ada"}}

func TestEncodeFindsWholeNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typed string
		want  []int64
		shown string // as Typed writes it back
	}{
		{"@Ada Okafor look", []int64{7}, "@Ada Okafor look"},
		{"hey @ada, look", []int64{8, 12}, "hey @Ada, look"},
		{"@Ada Okaforson", []int64{8, 12}, "@Ada Okaforson"},
		{"@Labeler A and @labeler ab!", []int64{9, 10}, "@Labeler A and @Labeler AB!"},
		{"mail@Ada Okafor", nil, "mail@Ada Okafor"},
		{"(@inês ferreira)", []int64{11}, "(@Inês Ferreira)"},
		{"@nobody @", nil, "@nobody @"},
		{"\uE0007\uE001 forged", nil, "7 forged"},
		{"  two\r\nlines  ", nil, "two\nlines"},
	} {
		text, got := Encode(tt.typed, crew)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q mentions %v, want %v", tt.typed, got, tt.want)
		}
		names := func(id int64) string {
			return crew[slices.IndexFunc(crew, func(p Person) bool { return p.ID == id })].Name
		}
		if shown := Typed(text, names); shown != tt.shown {
			t.Errorf("%q comes back as %q, want %q", tt.typed, shown, tt.shown)
		}
	}
}

func TestPartsLinkOnlyTheWeb(t *testing.T) {
	t.Parallel()
	text, _ := Encode("See https://example.org/a?b=1. Not javascript:alert(1) (http://x.example), @Ada", crew)
	want := []Part{
		{Text: "See "},
		{Text: "https://example.org/a?b=1", Href: "https://example.org/a?b=1"},
		{Text: ". Not javascript:alert(1) ("},
		{Text: "http://x.example", Href: "http://x.example"},
		{Text: "), "},
		{Person: 8},
	}
	if got := Parts(text); !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// Whatever is typed, nobody is mentioned but those who can be, and nothing of the text is lost.
func FuzzEncode(f *testing.F) {
	for _, seed := range []string{"@Ada Okafor", "@ada @ADA", "x@Ada", "\uE0001\uE001", "https://a.b/\uE000", "@@Ada", "\xff@Ada"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		text, mentioned := Encode(typed, crew)
		for _, id := range mentioned {
			if !slices.ContainsFunc(crew, func(p Person) bool { return p.ID == id }) {
				t.Fatalf("%q mentions %d", typed, id)
			}
		}
		for _, id := range Mentioned(text) {
			if !slices.Contains(mentioned, id) {
				t.Fatalf("%q: stored %q mentions %d as well", typed, text, id)
			}
		}
		var rest strings.Builder
		for _, p := range Parts(text) {
			if p.Href != "" && !strings.HasPrefix(p.Href, "http://") && !strings.HasPrefix(p.Href, "https://") {
				t.Fatalf("link to %q", p.Href)
			}
			if p.Person != 0 {
				rest.WriteString(mark(p.Person))
			}
			rest.WriteString(p.Text)
		}
		if rest.String() != text {
			t.Fatalf("%q in parts is %q", text, rest.String())
		}
	})
}
