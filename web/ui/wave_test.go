package ui

import "testing"

func TestWavePath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		amounts []byte
		want    string
	}{
		{[]byte{127, 0, 64}, "M0 1v38M1 19v2M2 10v20"},
		{[]byte{0, 2}, "M0 19v2M1 16v8"}, // hardly to be heard
	} {
		if got := wavePath(tt.amounts); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.amounts, got, tt.want)
		}
	}
}
