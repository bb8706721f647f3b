package handlers_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"fiducial/internal/access"
	"fiducial/store"
)

func TestInvitation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project, err := s.AddProject(t.Context(), store.System(), store.NewProject{Slug: "strips", Name: "Hot strip", Kind: "image"})
	if err != nil {
		t.Fatal(err)
	}
	admin := s.browser(access.Admin)
	made := admin.post("/admin/invitations", "role", "reviewer", "project", strconv.FormatInt(project.ID, 10)).want(http.StatusCreated)
	link, err := url.Parse(made.attribute("data-copy", "/invitation/"))
	if err != nil {
		t.Fatal(err)
	}
	admin.get("/admin/people").want(http.StatusOK).shows("A new reviewer", "in Hot strip").lacks(link.Path)

	guest := s.stranger()
	guest.get(link.Path).want(http.StatusOK).shows("as a reviewer to Hot strip")
	guest.post(link.Path, "name", "New Eye", "email", "eye@example.org", "password", "short").
		want(http.StatusUnprocessableEntity).shows("at least 12 characters").attribute("value", "eye@example.org")
	guest.post(link.Path, "name", "New Eye", "email", "eye@example.org", "password", testPassword).to("/")
	guest.get("/account").want(http.StatusOK).shows("New Eye", "reviewer")
	s.stranger().get(link.Path).want(http.StatusGone).shows("used already")
	s.stranger().post(link.Path, "name", "x", "email", "x@example.org", "password", testPassword).want(http.StatusGone)
	s.stranger().get("/invitation/unheard-of").want(http.StatusNotFound).shows("There is no such link")
}

func TestInvitationEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.browser(access.Admin)
	for state, sql := range map[string]string{
		"valid for 7 days": `UPDATE invitations SET expires_at = now() WHERE used_at IS NULL`, "An admin withdrew it": "",
	} {
		link, err := url.Parse(admin.post("/admin/invitations", "role", "labeler").want(http.StatusCreated).attribute("data-copy", "/invitation/"))
		if err != nil {
			t.Fatal(err)
		}
		if sql == "" {
			admin.post(admin.get("/admin/people").attribute("action", "/revoke")).to("/admin/people")
		} else if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		s.stranger().get(link.Path).want(http.StatusGone).shows(state)
	}
}

func TestResetLink(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.browser(access.Admin)
	id, email := s.person(access.Labeler)
	path := fmt.Sprintf("/admin/people/%d", id)
	link, err := url.Parse(admin.post(path+"/reset").want(http.StatusCreated).attribute("data-copy", "/invitation/"))
	if err != nil {
		t.Fatal(err)
	}
	b := s.stranger()
	b.get(link.Path).want(http.StatusOK).shows(email)
	b.post(link.Path, "password", "quite another password").to("/")
	b.get("/account").want(http.StatusOK).shows(email)
	s.stranger().post("/sign-in", "email", email, "password", "quite another password").to("/")
}

func TestPersonPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	adminID, _ := s.person(access.Admin)
	admin := s.browserOf(adminID)
	id, email := s.person(access.Labeler)
	path := fmt.Sprintf("/admin/people/%d", id)
	admin.post(path+"/role", "role", "viewer").to(path)
	admin.get(path).want(http.StatusOK).shows(email, "viewer", "The role is changed.")
	admin.post(path+"/role", "role", "root").want(http.StatusUnprocessableEntity).shows("Choose a role.")
	admin.post(path + "/leave").want(http.StatusUnprocessableEntity).shows("Tick this")
	admin.post(path+"/leave", "sure", "yes").to(path)
	admin.get(path).want(http.StatusOK).shows("pseudonym").lacks(email)
	admin.get("/admin/people").want(http.StatusOK).lacks(email)
	admin.get("/admin/people?left=yes").want(http.StatusOK).shows("person-")

	self := fmt.Sprintf("/admin/people/%d", adminID)
	admin.get(self).shows("This is you.")
	for form, name := range map[string]string{"/role": "role", "/leave": "sure"} {
		value := map[string]string{"role": "viewer", "sure": "yes"}[name]
		admin.post(self+form, name, value).want(http.StatusUnprocessableEntity).shows("the last admin", "Make someone else an admin first.")
	}
}

func TestPeoplePages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, err := s.pool.Exec(t.Context(), `
		WITH p AS (INSERT INTO people (role, pseudonym) SELECT 'labeler', 'person-' || n FROM generate_series(1, 120) n RETURNING id)
		INSERT INTO person_identities (person_id, email, name) SELECT id, id || '@example.org', 'Labeler & Co ' || id FROM p`); err != nil {
		t.Fatal(err)
	}
	admin := s.browser(access.Admin)
	seen := 0
	for next := "/admin/people?role=labeler"; next != ""; {
		page := admin.get(next).want(http.StatusOK)
		next = ""
		for n := range page.nodes() {
			if n.Data == "tr" {
				seen++
			}
			for _, a := range n.Attr {
				if n.Data == "a" && a.Key == "href" && strings.Contains(a.Val, "after=") {
					next = a.Val
				}
			}
		}
		seen-- // the head
	}
	if seen != 120 {
		t.Errorf("%d people on all pages, want 120", seen)
	}
	admin.get("/admin/people?q=nobody-like-that").want(http.StatusOK).shows("Nobody like that")
}
