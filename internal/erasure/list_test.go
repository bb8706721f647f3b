package erasure_test

import (
	"slices"
	"strings"
	"testing"

	"fiducial/internal/erasure"
)

func TestParseList(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       []erasure.Named
	}{
		{"keys", "a.png\n\n b.png \r\n17\n", []erasure.Named{{Line: 1, Key: "a.png"}, {Line: 3, Key: "b.png"}, {Line: 4, Key: "17"}}},
		{"ids", "#17\na#1.png", []erasure.Named{{Line: 1, ID: 17}, {Line: 2, Key: "a#1.png"}}},
		{"a column of ids", "\ufeffItem_ID,why\n17,left us\n#18,\nx", []erasure.Named{{Line: 2, ID: 17}, {Line: 3, ID: 18}, {Line: 4, Key: "x"}}},
		{"a column of keys", "external_key;\nkey", []erasure.Named{{Line: 1, Key: "external_key;"}, {Line: 2, Key: "key"}}},
		{"quoted", "key\n\"a,b.png\",1\n5\" slab.png", []erasure.Named{{Line: 2, Key: "a,b.png"}, {Line: 3, Key: "5\" slab.png"}}},
		{"nothing", "\n\n", nil},
	}
	for _, tt := range tests {
		got, err := erasure.ParseList(tt.text)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
	if _, err := erasure.ParseList(strings.Repeat("x\n", erasure.LongestList+1)); err == nil {
		t.Error("a list without end was taken")
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("key\na,b\n#17")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := erasure.ParseList(text)
		for _, n := range list {
			if err == nil && (n.ID == 0) == (n.Key == "") {
				t.Errorf("%q: %+v names nothing, or two things", text, n)
			}
		}
	})
}
