package receipt_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fiducial/internal/receipt"
)

func at(hour int) receipt.Time {
	return receipt.At(time.Date(2026, 3, 4, hour, 30, 0, 999, time.FixedZone("CET", 3600)))
}

func sample() *receipt.Receipt {
	return &receipt.Receipt{
		Title: receipt.Title, Format: receipt.Format,
		Erasure: 7, Kind: "request", Scope: "source", Source: 3, Items: 1200,
		Counts:    map[string]int64{"originals": 1200, "answers": 3600, "renditions": 2400},
		Requested: at(9), Erased: at(10),
		Proof:     &receipt.Proof{At: at(10), Columns: 412, Prefixes: 3},
		Rewritten: &receipt.Rewritten{At: at(11), Tables: 31, Log: receipt.LogRemoved, Objects: receipt.ObjectsDeleted},
		Backups:   &receipt.Backups{Known: 2, Until: receipt.OnDay(time.Date(2026, 4, 3, 23, 0, 0, 0, time.UTC))},
	}
}

func canonical(t *testing.T, r *receipt.Receipt) []byte {
	t.Helper()
	raw, err := r.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A key is made of bytes that everybody knows, so that the golden can hold a signature.
func key(t *testing.T, b byte) receipt.Key {
	t.Helper()
	k, err := receipt.NewKey(bytes.NewReader(bytes.Repeat([]byte{b}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What was signed once must verify for ever: the golden never changes.
func TestDocumentToTheByte(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/receipt.json")
	if err != nil {
		t.Fatal(err)
	}
	raw, k := canonical(t, sample()), key(t, 7)
	got, err := receipt.Document(raw, k.Sign(raw), k.Public())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
	read, public, err := receipt.Verify(want, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), read); diff != "" || public.String() != k.Public().String() {
		t.Error(diff, public)
	}
}

func TestCanonicalForms(t *testing.T) {
	t.Parallel()
	first := &receipt.Receipt{Erasure: 1, Kind: "expiry", Scope: "expired", Items: 2, Requested: at(1), Erased: at(2)}
	const want = `{"title":"fiducial erasure receipt","format":1,"erasure":1,"kind":"expiry","scope":"expired","items":2,"counts":{},` +
		`"requested_at":"2026-03-04T00:30:00Z","erased_at":"2026-03-04T01:30:00Z"}`
	if got := string(canonical(t, first)); got != want {
		t.Errorf("the first part is\n%s, not\n%s", got, want)
	}
	raw := canonical(t, sample())
	read, err := receipt.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if again := canonical(t, read); !bytes.Equal(again, raw) {
		t.Errorf("read and written again:\n%s, not\n%s", again, raw)
	}
}

func TestForgeries(t *testing.T) {
	t.Parallel()
	raw, k, other := canonical(t, sample()), key(t, 7), key(t, 8)
	document := func(c, signature []byte, public receipt.Public) string {
		d, err := receipt.Document(c, signature, public)
		if err != nil {
			t.Fatal(err)
		}
		return string(d)
	}
	good := document(raw, k.Sign(raw), k.Public())
	tests := map[string]struct {
		text    string
		trusted receipt.Public
		want    error
	}{
		"as it was":                   {good, nil, nil},
		"by the key that is trusted":  {good, k.Public(), nil},
		"without spaces":              {strings.NewReplacer("\n", "", "  ", "").Replace(good), k.Public(), nil},
		"by another key":              {good, other.Public(), receipt.ErrForged},
		"another number":              {strings.Replace(good, "1200", "1201", 1), nil, receipt.ErrForged},
		"another day":                 {strings.Replace(good, "2026-04-03", "2026-04-02", 1), nil, receipt.ErrForged},
		"a part left out":             {strings.Replace(good, `"source": 3,`, "", 1), nil, receipt.ErrForged},
		"signed again by another key": {document(raw, other.Sign(raw), other.Public()), k.Public(), receipt.ErrForged},
		"the other's key named":       {document(raw, k.Sign(raw), other.Public()), nil, receipt.ErrForged},
		"not signed yet":              {document(raw, nil, nil), nil, receipt.ErrUnsigned},
	}
	for name, tt := range tests {
		if _, _, err := receipt.Verify([]byte(tt.text), tt.trusted); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "{}", `{"receipt":{"title":"something else"}}`, `{"receipt":{"title":"fiducial erasure receipt","format":2}}`} {
		if _, _, err := receipt.Verify([]byte(text), nil); err == nil {
			t.Errorf("%q is a receipt", text)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	k, err := receipt.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again, err := receipt.ParseKey(k.Secret() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	public, err := receipt.ParsePublic(again.Public().String())
	if err != nil {
		t.Fatal(err)
	}
	if !public.Verify([]byte("x"), k.Sign([]byte("x"))) {
		t.Error("a key that was written and read verifies nothing of before")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if shown := fmt.Sprintf(format, k); strings.Contains(shown, k.Secret()) || shown != k.Public().String() {
			t.Errorf("%s shows %s", format, shown)
		}
	}
	for _, text := range []string{"", "abc", k.Secret() + "AAAA"} {
		if _, err := receipt.ParseKey(text); !errors.Is(err, receipt.ErrKey) {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := receipt.ParsePublic(text); !errors.Is(err, receipt.ErrKey) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
