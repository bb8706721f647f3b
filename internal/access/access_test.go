package access_test

import (
	"testing"

	"fiducial/internal/access"
)

func TestWhatEachRoleMayDo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		role   access.Role
		may    []access.Action
		maynot []access.Action
	}{
		{
			access.Labeler,
			[]access.Action{access.Label, access.ReadProjects, access.Account},
			[]access.Action{
				access.ReadMetrics, access.ReadItems, access.Review, access.EditBatches, access.ReadQuality, access.ManageQuality, access.Export, access.ReadDatasets, access.ManagePeople,
			},
		},
		{
			access.Reviewer,
			[]access.Action{access.Label, access.Review, access.ReadItems, access.EditGuideline, access.EditBatches},
			[]access.Action{access.Export, access.EditProjects, access.ManagePeople},
		},
		{
			access.Viewer,
			[]access.Action{access.ReadProjects, access.ReadDatasets},
			[]access.Action{access.Label, access.ReadItems, access.Review, access.Export},
		},
		{access.Admin, access.Actions(), []access.Action{"", "fly"}},
		{"nobody", nil, access.Actions()},
	}
	for _, tt := range tests {
		for _, a := range tt.may {
			if !access.Allows(tt.role, a) {
				t.Errorf("%s may not %s", tt.role, a)
			}
		}
		for _, a := range tt.maynot {
			if access.Allows(tt.role, a) {
				t.Errorf("%s may %s", tt.role, a)
			}
		}
	}
}

func TestWideActions(t *testing.T) {
	t.Parallel()
	for _, a := range []access.Action{access.ManagePeople, access.ManageTokens, access.ReadAudit, access.ManageJobs} {
		if !access.Wide(a) {
			t.Errorf("%s is open to whoever is bound to one project", a)
		}
	}
	for _, a := range []access.Action{access.Label, access.Import, access.Export, access.ReadItems} {
		if access.Wide(a) {
			t.Errorf("%s is closed to whoever is bound to one project", a)
		}
	}
}

func TestParseRole(t *testing.T) {
	t.Parallel()
	for _, r := range access.Roles() {
		if got, err := access.ParseRole(string(r)); err != nil || got != r {
			t.Errorf("ParseRole(%q) = %q, %v", r, got, err)
		}
	}
	if _, err := access.ParseRole("root"); err == nil {
		t.Error("an unknown role was taken")
	}
}
