package main

import "testing"

func TestDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]days{"30d": 30, "8w": 56, "0d": 0, "14": 14, "520w": 3640} {
		var d days
		if err := d.UnmarshalText([]byte(text)); err != nil || d != want {
			t.Errorf("%s: %d, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "30h", "1y", "4000d", "1.5w"} {
		var d days
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d days", text, d)
		}
	}
}
