package store_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/store/storetest"
)

func newImportStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.New(storetest.Pool(t), storetest.Bucket(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strip", Kind: "image"}); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestAnImportMustMakeSense(t *testing.T) {
	t.Parallel()
	st := newImportStore(t)
	for field, n := range map[string]store.NewImport{
		"format":   {Format: "gif", Purpose: store.PurposeMedia},
		"purpose":  {Format: store.FormatCOCO, Purpose: store.PurposeTruth}, // the project takes no truth
		"model":    {Format: store.FormatCOCO, Purpose: store.PurposePrediction},
		"voc_base": {Format: store.FormatVOC, Purpose: store.PurposePrefill, Options: store.ImportOptions{VOCBase: 7}},
		"group_by": {Format: store.FormatVOC, Purpose: store.PurposePrefill, Options: store.ImportOptions{GroupBy: "moon"}},
	} {
		_, err := st.AddImport(t.Context(), store.System(), "strip", n)
		if inv, ok := errors.AsType[*store.InvalidError](err); !ok || inv.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	viewer := store.Actor{Role: access.Viewer}
	if _, err := st.AddImport(t.Context(), viewer, "strip", store.NewImport{}); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a viewer: %v", err)
	}
}

func TestAnUploadGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	st := newImportStore(t)
	ctx, admin := t.Context(), store.System()
	i, err := st.AddImport(ctx, admin, "strip", store.NewImport{Format: store.FormatImages, Purpose: store.PurposeMedia})
	if err != nil {
		t.Fatal(err)
	}
	announce := func() store.ImportFile {
		files, err := st.AddImportFiles(ctx, admin, i.ID, []store.NewImportFile{{Name: "a/b.png", Size: 10}})
		if err != nil {
			t.Fatal(err)
		}
		return files[0]
	}
	put := func(offset int64, body string) store.ImportFile {
		f, err := st.PutImportPart(ctx, admin, i.ID, announce().ID, offset, int64(len(body)), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	put(0, "01234")
	if f := put(0, "01234"); f.Received != 5 {
		t.Errorf("a part that came twice: %+v", f)
	}
	if f := put(7, "789"); f.Received != 5 {
		t.Errorf("a part that came too early: %+v", f)
	}
	if err := st.StartImport(ctx, admin, i.ID); err == nil {
		t.Error("it started before all had arrived")
	}
	if f := announce(); f.Received != 5 {
		t.Errorf("announced again: %+v", f)
	}
	if f := put(5, "56789"); !f.Complete {
		t.Errorf("the last part: %+v", f)
	}
	if _, err := st.PutImportPart(ctx, admin, i.ID, announce().ID+1, 0, 1, bytes.NewReader([]byte("x"))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a file that was not announced: %v", err)
	}
	if err := st.StartImport(ctx, admin, i.ID); err != nil {
		t.Fatal(err)
	}
	if err := st.StartImport(ctx, admin, i.ID); err != nil {
		t.Errorf("started again: %v", err)
	}
	if _, err := st.AddImportFiles(ctx, admin, i.ID, []store.NewImportFile{{Name: "late.png", Size: 1}}); err == nil {
		t.Error("a started import took another file")
	}
}

func TestNamesOfUploadsStayInTheirFolder(t *testing.T) {
	t.Parallel()
	st := newImportStore(t)
	i, err := st.AddImport(t.Context(), store.System(), "strip", store.NewImport{Format: store.FormatImages, Purpose: store.PurposeMedia})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../a.png", "/etc/a.png", "", "a\x00.png"} {
		_, err := st.AddImportFiles(t.Context(), store.System(), i.ID, []store.NewImportFile{{Name: name, Size: 1}})
		if _, ok := errors.AsType[*store.InvalidError](err); !ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
