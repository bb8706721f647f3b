package store_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

const password = "a long enough password"

// signUp makes a person with the password above.
func signUp(t *testing.T, st *store.Store, email string, role access.Role) store.Actor {
	t.Helper()
	id, err := st.AddPerson(t.Context(), store.System(), store.NewPerson{Email: email, Name: "Ada Strip", Password: password, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return store.Actor{PersonID: id, Role: role}
}

// wantInvalid fails unless err is a refusal about field.
func wantInvalid(t *testing.T, err error, field string) {
	t.Helper()
	if inv, ok := errors.AsType[*store.InvalidError](err); !ok || inv.Field != field {
		t.Errorf("err = %v, want a refusal of %q", err, field)
	}
}

func TestAddPersonRefuses(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	signUp(t, st, "taken@example.org", access.Labeler)
	good := store.NewPerson{Email: "new@example.org", Password: password, Role: access.Labeler}
	tests := []struct {
		name, field string
		change      func(*store.NewPerson)
	}{
		{"no address", "email", func(n *store.NewPerson) { n.Email = "" }},
		{"malformed address", "email", func(n *store.NewPerson) { n.Email = "somebody" }},
		{"address with a name", "email", func(n *store.NewPerson) { n.Email = "Ada <ada@example.org>" }},
		{"address that is taken, in capitals", "email", func(n *store.NewPerson) { n.Email = "TAKEN@example.org" }},
		{"short password", "password", func(n *store.NewPerson) { n.Password = "elevenchars" }},
		{"endless password", "password", func(n *store.NewPerson) { n.Password = strings.Repeat("x", 1001) }},
		{"endless name", "name", func(n *store.NewPerson) { n.Name = strings.Repeat("x", 201) }},
		{"unknown role", "role", func(n *store.NewPerson) { n.Role = "root" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := good
			tt.change(&n)
			_, err := st.AddPerson(t.Context(), store.System(), n)
			wantInvalid(t, err, tt.field)
		})
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	ada := signUp(t, st, "ada@example.org", access.Reviewer)
	gone := signUp(t, st, "gone@example.org", access.Labeler)
	if err := st.Leave(t.Context(), store.System(), gone.PersonID); err != nil {
		t.Fatal(err)
	}
	noPassword := store.NewPerson{Email: "later@example.org", Role: access.Labeler}
	if _, err := st.AddPerson(t.Context(), store.System(), noPassword); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ email, password string }{
		{"ada@example.org", "another long password"},
		{"nobody@example.org", password},
		{"gone@example.org", password},
		{"later@example.org", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if _, err := st.SignIn(t.Context(), tt.email, tt.password); !errors.Is(err, store.ErrSignIn) {
			t.Errorf("%q with %q: %v", tt.email, tt.password, err)
		}
	}
	person, err := st.SignIn(t.Context(), " ADA@example.org ", password)
	if err != nil {
		t.Fatal(err)
	}
	if person.ID != ada.PersonID || person.Role != access.Reviewer || person.Name != "Ada Strip" {
		t.Errorf("signed in as %+v", person)
	}
}

// An unknown address costs the whole work of a password: argon2id takes 19 MiB each time, which
// no short cut does. Not parallel: nothing else may allocate meanwhile.
func TestSignInWorksAsHardForUnknownAddresses(t *testing.T) { //nolint:paralleltest // it counts what this process allocates
	st, _ := newStore(t)
	signUp(t, st, "ada@example.org", access.Labeler)
	for _, email := range []string{"ada@example.org", "nobody@example.org", "", strings.Repeat("x", 10_000)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := st.SignIn(t.Context(), email, "another long password")
		runtime.ReadMemStats(&after)
		if !errors.Is(err, store.ErrSignIn) {
			t.Fatal(err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took < 19<<20 || took > 21<<20 {
			t.Errorf("%.20q: %d bytes were used, want one argon2id of 19 MiB", email, took)
		}
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	ada := signUp(t, st, "ada@example.org", access.Labeler)
	const next = "quite another password"
	_, err := st.ChangePassword(t.Context(), ada, "not the present one", next)
	wantInvalid(t, err, "present")
	_, err = st.ChangePassword(t.Context(), ada, password, "short")
	wantInvalid(t, err, "password")
	generation, err := st.ChangePassword(t.Context(), ada, password, next)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.SessionPerson(t.Context(), ada.PersonID, generation-1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a session of before goes on: %v", err)
	}
	if _, err := st.SessionPerson(t.Context(), ada.PersonID, generation); err != nil {
		t.Error(err)
	}
	if _, err := st.SignIn(t.Context(), "ada@example.org", password); !errors.Is(err, store.ErrSignIn) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := st.SignIn(t.Context(), "ada@example.org", next); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestOwnAccountNeedsAPerson(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	for _, actor := range []store.Actor{store.System(), {TokenID: 1, Role: access.Admin}, {}} {
		_, err := st.ChangePassword(t.Context(), actor, password, password)
		for _, err := range []error{err, st.Rename(t.Context(), actor, "x"), st.SignOutEverywhere(t.Context(), actor), st.SetKeys(t.Context(), actor, nil)} {
			if !errors.Is(err, store.ErrDenied) {
				t.Errorf("%+v: %v", actor, err)
			}
		}
	}
}

func TestOwnNameAndKeys(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	ada := signUp(t, st, "ada@example.org", access.Labeler)
	wantInvalid(t, st.Rename(t.Context(), ada, "  "), "name")
	if err := st.Rename(t.Context(), ada, " Ada Coil "); err != nil {
		t.Fatal(err)
	}
	if err := st.SetKeys(t.Context(), ada, map[string]string{"draw": "q"}); err != nil {
		t.Fatal(err)
	}
	person, err := st.PersonByID(t.Context(), store.System(), ada.PersonID)
	if err != nil {
		t.Fatal(err)
	}
	if person.Name != "Ada Coil" || person.Keys()["draw"] != "q" || person.SessionGeneration != 1 {
		t.Errorf("got %+v", person)
	}
}

func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	st, _ := newStore(t)
	ada := signUp(t, st, "ada@example.org", access.Labeler)
	if err := st.SignOutEverywhere(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if _, err := st.SessionPerson(t.Context(), ada.PersonID, 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session goes on: %v", err)
	}
}
