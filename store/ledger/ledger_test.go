package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fiducial/store/ledger"
	"fiducial/store/storetest"
)

// book is what both kinds of ledger are.
type book interface {
	Append(ctx context.Context, entries []ledger.Entry) (ledger.Head, error)
	Head(ctx context.Context) (ledger.Head, error)
	Read(ctx context.Context, each func(ledger.Entry) error) (ledger.Head, error)
}

func entry(item int64) ledger.Entry {
	return ledger.Entry{Erasure: 7, Project: 1, Item: item, KeyHash: bytes.Repeat([]byte{byte(item)}, 32), At: time.Date(2026, 3, 4, 8, 30, 0, 0, time.UTC)}
}

func all(t *testing.T, b book) (entries []ledger.Entry, head ledger.Head) {
	t.Helper()
	head, err := b.Read(t.Context(), func(e ledger.Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries, head
}

func add(t *testing.T, b book, items ...int64) ledger.Head {
	t.Helper()
	var entries []ledger.Entry
	for _, item := range items {
		entries = append(entries, entry(item))
	}
	head, err := b.Append(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func TestWhatIsAddedIsRead(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]book{
		"file": &ledger.File{Path: filepath.Join(t.TempDir(), "ledger")}, "objects": &ledger.Objects{Bucket: storetest.Bucket(t)},
	} {
		if head, err := b.Head(t.Context()); err != nil || head.Line != 0 {
			t.Errorf("%s: before anything: %+v, %v", name, head, err)
		}
		add(t, b, 1, 2)
		added := add(t, b, 3)
		entries, read := all(t, b)
		if diff := cmp.Diff([]ledger.Entry{entry(1), entry(2), entry(3)}, entries); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		head, err := b.Head(t.Context())
		if err != nil || head.Line != 3 || !head.Same(added) || !head.Same(read) {
			t.Errorf("%s: heads %+v, %+v and %+v, %v", name, added, read, head, err)
		}
	}
}

func TestALineThatACrashCutOffIsReplaced(t *testing.T) {
	t.Parallel()
	f := &ledger.File{Path: filepath.Join(t.TempDir(), "ledger")}
	add(t, f, 1, 2)
	whole := add(t, f, 3)
	raw, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Path, raw[:len(raw)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	if entries, _ := all(t, f); len(entries) != 2 {
		t.Errorf("%d entries with a torn line", len(entries))
	}
	if head := add(t, f, 3); !head.Same(whole) {
		t.Errorf("written again: %+v, not %+v", head, whole)
	}
	if info, err := os.Stat(f.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestTamperingIsSeen(t *testing.T) {
	t.Parallel()
	f := &ledger.File{Path: filepath.Join(t.TempDir(), "ledger")}
	add(t, f, 1, 2, 3)
	raw, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(raw), "\n")
	for name, text := range map[string]string{
		"an item changed":   strings.Replace(string(raw), `"item":2`, `"item":4`, 1),
		"a line left out":   lines[0] + lines[2],
		"the first missing": lines[1] + lines[2],
		"two exchanged":     lines[1] + lines[0] + lines[2],
		"a line twice":      lines[0] + lines[0],
		"no JSON":           lines[0] + "x\n",
	} {
		if _, err := ledger.Read(strings.NewReader(text), ledger.Head{}, func(ledger.Entry) error { return nil }); !errors.Is(err, ledger.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What was written once is read for ever: this never changes.
func TestLinesToTheByte(t *testing.T) {
	t.Parallel()
	f := &ledger.File{Path: filepath.Join(t.TempDir(), "ledger")}
	add(t, f, 1, 2)
	want, err := os.ReadFile("testdata/ledger.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}
