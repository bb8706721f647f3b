package handlers_test

import (
	"net/http"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

func TestAccountPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser(access.Labeler)
	b.post("/account/name", "name", "Ada Coil").to("/account")
	b.get("/account").shows("Ada Coil", "Your name is saved.")
	b.post("/account/name", "name", " ").want(http.StatusUnprocessableEntity).shows("Give a name")
	b.post("/account/password", "present", "not the present one", "password", "quite another password").
		want(http.StatusUnprocessableEntity).shows("This is not your present password.")
	b.post("/account/password", "present", testPassword, "password", "short").
		want(http.StatusUnprocessableEntity).shows("at least 12 characters")
	for range 8 {
		b.post("/account/password", "present", "guess", "password", "short")
	}
	refused(func() answer { return b.post("/account/password", "present", "guess", "password", "short") })
}

func TestOwnKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _ := s.person(access.Labeler)
	b := s.browserOf(id)
	b.post("/account/keys", "draw", "Y", "select", "").to("/account")
	b.get("/account").want(http.StatusOK).attribute("value", "y")
	b.post("/account/keys", "draw", "v").want(http.StatusUnprocessableEntity).
		shows("This is the key of “Select and move boxes” already.", "The keys were not saved")
	person, err := s.PersonByID(t.Context(), store.System(), id)
	if err != nil {
		t.Fatal(err)
	}
	if keys := person.Keys(); len(keys) != 1 || keys["draw"] != "y" {
		t.Errorf("kept %v", keys)
	}
	b.post("/account/keys", "draw", "w", "usual", "yes").to("/account")
	if person, err = s.PersonByID(t.Context(), store.System(), id); err != nil || len(person.Keys()) != 0 {
		t.Errorf("kept %v, %v", person.Keys(), err)
	}
}
