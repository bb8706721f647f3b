package sealed_test

import (
	"bytes"
	"errors"
	"testing"

	"fiducial/internal/sealed"
)

func derive(t *testing.T, secret string) sealed.Key {
	t.Helper()
	key, err := sealed.Derive(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestWhatIsSealedOpensForItsPlaceAlone(t *testing.T) {
	t.Parallel()
	key := derive(t, "the installation's")
	box := key.Seal([]byte("hook secret"), "consumer 7")
	if bytes.Contains(box, []byte("hook")) || bytes.Equal(box, key.Seal([]byte("hook secret"), "consumer 7")) {
		t.Error("the secret shows, or the same secret is sealed twice alike")
	}
	if got, err := derive(t, "the installation's").Open(box, "consumer 7"); err != nil || string(got) != "hook secret" {
		t.Errorf("%q, %v", got, err)
	}
	changed := bytes.Clone(box)
	changed[len(changed)-1] ^= 1
	for name, try := range map[string]func() ([]byte, error){
		"another place": func() ([]byte, error) { return key.Open(box, "consumer 8") },
		"another key":   func() ([]byte, error) { return derive(t, "another").Open(box, "consumer 7") },
		"no key":        func() ([]byte, error) { return sealed.Key{}.Open(box, "consumer 7") },
		"changed":       func() ([]byte, error) { return key.Open(changed, "consumer 7") },
		"nothing":       func() ([]byte, error) { return key.Open(nil, "consumer 7") },
	} {
		if got, err := try(); !errors.Is(err, sealed.ErrSealed) || got != nil {
			t.Errorf("%s opens it: %q, %v", name, got, err)
		}
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	key := derive(t, "the installation's")
	mark := key.Mark("confirm 3")
	if len(mark) != 64 || !key.Marked("confirm 3", mark) {
		t.Errorf("%q", mark)
	}
	if key.Marked("confirm 4", mark) || derive(t, "another").Marked("confirm 3", mark) || (sealed.Key{}).Marked("confirm 3", mark) || key.Marked("confirm 3", "") {
		t.Error("a mark fits what it was not made for")
	}
}
