package store

import "testing"

func TestGroupsOfNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		options   ImportOptions
		key, want string
	}{
		{ImportOptions{}, "coil 7/top.jpg", ""},
		{ImportOptions{GroupBy: GroupByFolder}, "line 2/coil 7/top.jpg", "line 2/coil 7"},
		{ImportOptions{GroupBy: GroupByFolder}, "top.jpg", ""},
		{ImportOptions{GroupBy: GroupByName, GroupPattern: `^([A-Z]-\d+)-`}, "A-0917-0160.jpg", "A-0917"},
		{ImportOptions{GroupBy: GroupByName, GroupPattern: `\d{4}`}, "A-0917-0160.jpg", "0917"},
		{ImportOptions{GroupBy: GroupByName, GroupPattern: `^(?:x|(\d+))`}, "x", ""},
		{ImportOptions{GroupBy: GroupByName, GroupPattern: `^[^/]+`}, "line 2/coil 7/top.jpg", "line 2"},
		{ImportOptions{GroupBy: GroupByName, GroupPattern: `coil`}, "top.jpg", ""},
	} {
		if err := tt.options.checkGroups(); err != nil {
			t.Errorf("%+v: %v", tt.options, err)
			continue
		}
		group, err := tt.options.grouping()
		if err != nil {
			t.Errorf("%+v: %v", tt.options, err)
		} else if got := group(tt.key); got != tt.want {
			t.Errorf("%+v groups %q under %q, want %q", tt.options, tt.key, got, tt.want)
		}
	}
	for _, refused := range []ImportOptions{
		{GroupBy: "moon"}, {GroupBy: GroupByName}, {GroupBy: GroupByName, GroupPattern: `([`}, {GroupBy: GroupByFolder, GroupPattern: `x`}, {GroupPattern: `x`},
	} {
		if refused.checkGroups() == nil {
			t.Errorf("%+v is taken", refused)
		}
	}
}
