package archive_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"fiducial/internal/archive"
	"fiducial/internal/formats"
)

type entry struct {
	name, content string
	change        func(*zip.FileHeader)
}

func pack(tb testing.TB, entries ...entry) *bytes.Reader {
	tb.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.change != nil {
			e.change(header)
		}
		part, err := w.CreateHeader(header)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(part, e.content); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return bytes.NewReader(out.Bytes())
}

func mode(m fs.FileMode) func(*zip.FileHeader) { return func(h *zip.FileHeader) { h.SetMode(m) } }

func TestOpenRefusesOneByOne(t *testing.T) {
	t.Parallel()
	r := pack(t,
		entry{"good/a.jpg", "A", nil},
		entry{"good/", "", nil},
		entry{"../evil.jpg", "", nil},
		entry{"/etc/passwd", "", nil},
		entry{`C:\windows\a.jpg`, "", nil},
		entry{`good\..\..\b.jpg`, "", nil},
		entry{`win\c.jpg`, "C", nil},
		entry{"link.jpg", "/etc/passwd", mode(fs.ModeSymlink | 0o777)},
		entry{"device", "", mode(fs.ModeDevice | 0o666)},
		entry{"inner.ZIP", "", nil},
		entry{"good/a.jpg", "again", nil},
		entry{"good/./a.jpg", "once more", nil},
		entry{strings.Repeat("d/", 40) + "deep.jpg", "", nil},
		entry{"Stra\x84e.jpg", "CP437", func(h *zip.FileHeader) { h.NonUTF8 = true }},
		entry{"Stra\u0308hne.jpg", "NFD", nil},
		entry{"__MACOSX/good/._a.jpg", "", nil},
		entry{"good/.DS_Store", "", nil},
		entry{"good/thumbs.DB", "", nil},
		entry{"a\x01b.jpg", "", nil},
		entry{"secret.jpg", "", func(h *zip.FileHeader) { h.Flags |= 1 }},
	)
	z, err := archive.Open(r, r.Size(), archive.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range z.Files() {
		content, err := read(f)
		if err != nil {
			t.Error(err)
		}
		got[f.Name] = content
	}
	want := map[string]string{"good/a.jpg": "A", "win/c.jpg": "C", "Stra\u00e4e.jpg": "CP437", "Str\u00e4hne.jpg": "NFD"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	refused := z.Refused()
	reasons := map[string]string{}
	for _, loss := range refused.Losses {
		reasons[loss.ID] += loss.Reason
	}
	for name, reason := range map[string]string{
		"../evil.jpg": "climbs", "/etc/passwd": "absolute", `C:\windows\a.jpg`: "absolute", `good\..\..\b.jpg`: "climbs",
		"link.jpg": "symbolic", "device": "regular", "inner.ZIP": "archive", "good/a.jpg": "two files", "good/./a.jpg": "two files",
		"a\x01b.jpg": "control", "secret.jpg": "password", strings.Repeat("d/", 40) + "deep.jpg": "deep",
	} {
		if !strings.Contains(reasons[name], reason) {
			t.Errorf("%q is refused with %q, want %q", name, reasons[name], reason)
		}
	}
	if refused.Counts[formats.Refused] != 12 {
		t.Errorf("refused %d: %v", refused.Counts[formats.Refused], reasons)
	}
}

func read(f archive.File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(r)
	return string(content), errors.Join(err, r.Close())
}

func TestLimitsHoldWhileReading(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("\x00", 17<<20)
	tests := []struct {
		name    string
		entries []entry
		limits  func(*archive.Limits)
		want    []error
	}{
		{"bomb, and the rest goes on", []entry{{"bomb", zeros, nil}, {"small", "x", nil}}, func(*archive.Limits) {}, []error{archive.ErrBomb, nil}},
		{"small and well packed", []entry{{"small", zeros[:1<<20], nil}}, func(*archive.Limits) {}, []error{nil}},
		{"one file", []entry{{"a", "12345678", nil}, {"b", "1234567", nil}}, func(l *archive.Limits) { l.File = 7 }, []error{archive.ErrFileTooLarge, nil}},
		{"all files", []entry{{"a", "12345678", nil}, {"b", "1234567", nil}}, func(l *archive.Limits) { l.Total = 12 }, []error{nil, archive.ErrTotalTooLarge}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := pack(t, tt.entries...)
			limits := archive.DefaultLimits()
			tt.limits(&limits)
			z, err := archive.Open(r, r.Size(), limits)
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range z.Files() {
				for range 2 { // a file read again counts once
					if _, err := read(f); !errors.Is(err, tt.want[i]) {
						t.Errorf("%s: %v, want %v", f.Name, err, tt.want[i])
					}
				}
			}
		})
	}
}

func TestSizesInTheDirectoryAreNotBelieved(t *testing.T) {
	t.Parallel()
	r := pack(t, entry{"a", strings.Repeat("1234567890", 1000), nil})
	raw := make([]byte, r.Size())
	if _, err := io.ReadFull(r, raw); err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(raw, []byte("PK\x01\x02"))
	copy(raw[at+24:], []byte{1, 0, 0, 0}) // the unpacked size
	limits := archive.DefaultLimits()
	limits.File = 100
	z, err := archive.Open(bytes.NewReader(raw), int64(len(raw)), limits)
	if err != nil || z.Files()[0].Size() != 1 {
		t.Fatal(err)
	}
	if content, err := read(z.Files()[0]); err == nil || len(content) > 100 {
		t.Errorf("%d bytes, %v", len(content), err)
	}
}

func TestTooManyEntries(t *testing.T) {
	t.Parallel()
	entries := make([]entry, 11)
	for i := range entries {
		entries[i].name = fmt.Sprintf("%d.jpg", i)
	}
	limits := archive.DefaultLimits()
	limits.Entries = 10
	r := pack(t, entries...)
	if _, err := archive.Open(r, r.Size(), limits); err == nil || !strings.Contains(err.Error(), "more than 10 entries") {
		t.Errorf("got %v", err)
	}
	for i := range entries {
		entries[i].name = fmt.Sprintf("%d/%s", i, strings.Repeat("x", 60_000))
	}
	r = pack(t, entries...)
	if _, err := archive.Open(r, r.Size(), limits); err == nil || !strings.Contains(err.Error(), "more than 10 entries") {
		t.Errorf("long names: got %v", err)
	}
	if _, err := archive.Open(strings.NewReader("no zip at all"), 13, limits); err == nil || !strings.Contains(err.Error(), "not a zip") {
		t.Errorf("got %v", err)
	}
}

func FuzzZip(f *testing.F) {
	for _, r := range []*bytes.Reader{
		pack(f, entry{"a/b.jpg", "content", nil}, entry{"../c", "", nil}),
		pack(f, entry{"Stra\x84e.jpg", "CP437", func(h *zip.FileHeader) { h.NonUTF8 = true }}),
		pack(f, entry{"a", strings.Repeat("x", 5000), nil}, entry{"b", "y", func(h *zip.FileHeader) { h.Method = zip.Store }}),
	} {
		raw, err := io.ReadAll(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	limits := archive.Limits{Entries: 100, Depth: 4, File: 1000, Total: 3000, Ratio: 10}
	f.Fuzz(func(t *testing.T, raw []byte) {
		z, err := archive.Open(bytes.NewReader(raw), int64(len(raw)), limits)
		if err != nil {
			return
		}
		total, seen := 0, map[string]bool{}
		for _, file := range z.Files() {
			key, err := formats.CleanKey(file.Name)
			if err != nil || key != file.Name || seen[key] || !fs.ValidPath(key) {
				t.Errorf("%q: %v", file.Name, err)
			}
			seen[key] = true
			content, err := read(file)
			if err == nil && len(content) > 1000 {
				t.Errorf("%q has %d bytes", file.Name, len(content))
			}
			total += len(content)
		}
		if total > 3000 {
			t.Errorf("%d bytes in all", total)
		}
	})
}
