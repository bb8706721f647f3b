package palette

import (
	"strings"
	"testing"
)

// most is how many classes stay apart by hue, lightness or dash.
const most = 80

func TestColour(t *testing.T) {
	t.Parallel()
	tests := []struct {
		slot         int
		colour, dash string
	}{
		{0, "oklch(0.80 0.14 205.0)", "none"},
		{1, "oklch(0.80 0.14 342.5)", "none"},
		{4, "oklch(0.80 0.14 61.0)", "none"}, // 35.0 is too near the accent
		{7, "oklch(0.80 0.14 87.6)", "none"},
		{8, "oklch(0.68 0.14 225.1)", "8 3"},
		{16, "oklch(0.80 0.14 245.1)", "3 3"},
	}
	for _, tt := range tests {
		if got := Colour(tt.slot); got != tt.colour {
			t.Errorf("Colour(%d) = %s, want %s", tt.slot, got, tt.colour)
		}
		if got := Dash(tt.slot); got != tt.dash {
			t.Errorf("Dash(%d) = %s, want %s", tt.slot, got, tt.dash)
		}
	}
}

func TestSlotsStayApart(t *testing.T) {
	t.Parallel()
	for a := range most {
		if apart(hue(a), accentHue) < 8 {
			t.Errorf("slot %d has the hue of the accent: %.1f", a, hue(a))
		}
		for b := range a {
			if Dash(a) != Dash(b) || a/tier%len(lightnesses) != b/tier%len(lightnesses) {
				continue
			}
			if gap := apart(hue(a), hue(b)); gap < 6 {
				t.Errorf("slots %d and %d look alike: hues %.1f and %.1f", b, a, hue(b), hue(a))
			}
		}
	}
}

func TestStylesheet(t *testing.T) {
	t.Parallel()
	got := Stylesheet([]int{0, 9})
	for _, want := range []string{".c0{--class:oklch(0.80 0.14 205.0);--dash:none}", ".c9{--class:oklch(0.68 0.14 2.6);--dash:8 3}"} {
		if !strings.Contains(got, want) {
			t.Errorf("Stylesheet lacks %s:\n%s", want, got)
		}
	}
}
