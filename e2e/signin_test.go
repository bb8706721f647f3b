package e2e

import "testing"

func TestSignIn(t *testing.T) {
	t.Parallel()
	server := shared(t)
	someone := addAccount(t, server, "admin")
	p := newPage(t, server)
	p.expect("status of 401") // what a wrong password is answered with

	p.open("/account")
	if got := p.path(); got != "/sign-in?next=%2Faccount" {
		t.Fatalf("a page for people who are signed in led to %s", got)
	}
	p.fill("E-mail", someone.Email)
	p.fill("Password", "not the password")
	p.press("Sign in")
	p.sees("The address or the password is wrong.")
	p.accessible()
	p.shoot("sign-in-refused")

	p.fill("Password", someone.Password)
	p.press("Sign in")
	p.must(p.WaitForURL(server.URL + "/account"))

	p.must(p.Locator("button.who").Click())
	p.press("Sign out")
	p.must(p.WaitForURL(server.URL + "/sign-in"))
	p.open("/account")
	if got := p.path(); got != "/sign-in?next=%2Faccount" {
		t.Fatalf("after signing out, the page led to %s", got)
	}
}
