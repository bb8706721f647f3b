package agreement_test

import (
	"testing"

	"fiducial/internal/agreement"
)

func TestSettledByAMajorityAlone(t *testing.T) {
	t.Parallel()
	at := func(class int64, x, w float64) agreement.Box {
		return agreement.Box{Class: class, X: x, Y: 10, W: w, H: 20}
	}
	tests := []struct {
		name    string
		answers [][]agreement.Box
		want    bool
	}{
		{"nobody saw anything", [][]agreement.Box{{}, {}}, true},
		{"both have it, loosely", [][]agreement.Box{{at(1, 10, 20)}, {at(1, 14, 20)}}, true},
		{"one of two has it", [][]agreement.Box{{at(1, 10, 20)}, {}}, false},
		{"two of three have it", [][]agreement.Box{{at(1, 10, 20)}, {at(1, 11, 20)}, {}}, true},
		{"one of three has it", [][]agreement.Box{{at(1, 10, 20)}, {}, {}}, true},
		{"two classes of two", [][]agreement.Box{{at(1, 10, 20)}, {at(2, 10, 20)}}, false},
		{"two of three say one class", [][]agreement.Box{{at(1, 10, 20)}, {at(1, 11, 20)}, {at(2, 10, 20)}}, true},
		{"three classes of three", [][]agreement.Box{{at(1, 10, 20)}, {at(2, 11, 20)}, {at(3, 10, 20)}}, false},
		{"one wide box over two", [][]agreement.Box{{at(1, 10, 90)}, {at(1, 12, 30), at(1, 60, 30)}, {at(1, 12, 30), at(1, 60, 30)}}, false},
	}
	for _, tt := range tests {
		if got := agreement.Match(tt.answers, agreement.Limits{}).Settled(); got != tt.want {
			t.Errorf("%s: settled %v, want %v", tt.name, got, tt.want)
		}
	}
}
