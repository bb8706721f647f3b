package speech

import (
	"fmt"
	"strings"
	"testing"
)

func TestSpeakersLoseTheirNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ names, want string }{
		{"", ""},
		{"Ann", ""},
		{"Ann Bob Ann", "A B A"},
		{"Bob _ Ann Bob", "A _ B A"},
		{"B A", "A B"},
	} {
		var transcript Transcript
		for _, name := range strings.Fields(c.names) {
			transcript = append(transcript, Segment{Speaker: strings.Trim(name, "_"), Text: "x"})
		}
		var got []string
		for _, s := range transcript.Anonymous() {
			if s.Text != "x" {
				t.Errorf("%v: another text %q", c.names, s.Text)
			}
			got = append(got, s.Speaker)
		}
		want := strings.Fields(c.want)
		for i := range want {
			want[i] = strings.Trim(want[i], "_")
		}
		if c.want == "" {
			want = make([]string, len(got))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v became %v, want %v", c.names, got, want)
		}
	}
	many := make(Transcript, 60)
	seen := map[string]bool{}
	for i := range many {
		many[i].Speaker = fmt.Sprintf("person %d", i)
	}
	for _, s := range many.Anonymous() {
		seen[s.Speaker] = true
	}
	if len(seen) != len(many) || !seen["A"] || !seen["Z2"] {
		t.Errorf("%d names for %d speakers", len(seen), len(many))
	}
}
