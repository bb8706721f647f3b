package handlers

import (
	"errors"
	"net/http"

	"fiducial/internal/access"
	"fiducial/internal/keymap"
	"fiducial/store"
	"fiducial/web"
)

func (s *Server) accountRoutes(r router) {
	r.get("/account", access.Account, s.showAccount)
	r.post("/account/name", access.Account, s.renameAccount)
	guarded := router{r.With(s.limit("password", 10, keyByPerson)), s}
	guarded.post("/account/password", access.Account, s.changePassword)
	r.post("/account/sign-out-everywhere", access.Account, s.signOutEverywhere)
	r.post("/account/keys", access.Account, s.setKeys)
}

// refusalOf returns what a form shows of a refusal that the person can mend.
func refusalOf(err error) (web.Refusal, bool) {
	inv, ok := errors.AsType[*store.InvalidError](err)
	if !ok {
		return web.Refusal{}, false
	}
	return web.Refusal{Field: inv.Field, Reason: inv.Reason}, true
}

func (s *Server) showAccount(w http.ResponseWriter, r *http.Request) error {
	return s.renderAccount(w, r, http.StatusOK, web.AccountView{Name: personOf(r).Name, Keys: keyGroups(personOf(r).Keys(), nil)})
}

// renderAccount completes v with what is the same whatever was refused.
func (s *Server) renderAccount(w http.ResponseWriter, r *http.Request, status int, v web.AccountView) error {
	person := personOf(r)
	v.Email, v.Role, v.MinLength = person.Email, string(person.Role), store.MinPasswordLength
	var err error
	if v.Held, _, err = s.accessRows(r, 0, person.ID, newestFirst, heldShown); err != nil {
		return err
	}
	page := s.page(r, "Your account")
	page.Scripts = []string{"account.ts"}
	return render(w, r, status, web.AccountPage(page, v))
}

// accountChanged tells what was done, or shows the form again with what is wrong with it.
func (s *Server) accountChanged(w http.ResponseWriter, r *http.Request, err error, name, done string) error {
	if refused, ok := refusalOf(err); ok {
		v := web.AccountView{Name: name, Keys: keyGroups(personOf(r).Keys(), nil), Refused: refused}
		return s.renderAccount(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	s.flash(r, done)
	return seeOther(w, r, "/account")
}

func (s *Server) renameAccount(w http.ResponseWriter, r *http.Request) error {
	name := r.PostFormValue("name")
	return s.accountChanged(w, r, s.Store.Rename(r.Context(), actorOf(r), name), name, "Your name is saved.")
}

// changePassword ends every session but this one, which goes on under a new token.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) error {
	generation, err := s.Store.ChangePassword(r.Context(), actorOf(r), r.PostFormValue("present"), r.PostFormValue("password"))
	if err == nil {
		person := personOf(r)
		person.SessionGeneration = generation
		err = s.renewSession(r, person)
	}
	return s.accountChanged(w, r, err, personOf(r).Name, "Your password is changed. Every other browser is signed out.")
}

func (s *Server) signOutEverywhere(w http.ResponseWriter, r *http.Request) error {
	if err := s.Store.SignOutEverywhere(r.Context(), actorOf(r)); err != nil {
		return err
	}
	return s.signOut(w, r)
}

func (s *Server) setKeys(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badRequest("The form could not be read.")
	}
	wanted := map[string]string{}
	if r.PostForm.Get("usual") == "" {
		for _, k := range keymap.Table() {
			wanted[k.ID] = r.PostForm.Get(k.ID)
		}
	}
	own, problems := keymap.Choose(wanted)
	if len(problems) > 0 {
		v := web.AccountView{Name: personOf(r).Name, Keys: keyGroups(wanted, problems), Refused: web.Refusal{Reason: "The keys were not saved: see the marked ones below."}}
		return s.renderAccount(w, r, http.StatusUnprocessableEntity, v)
	}
	return s.accountChanged(w, r, s.Store.SetKeys(r.Context(), actorOf(r), own), personOf(r).Name, "Your keys are saved.")
}

// keyGroups shows the workbench's table of keys with a person's own, in the table's order.
func keyGroups(own, problems map[string]string) []web.KeyGroup {
	var groups []web.KeyGroup
	for _, k := range keymap.Table() {
		if len(groups) == 0 || groups[len(groups)-1].Title != k.Group {
			groups = append(groups, web.KeyGroup{Title: k.Group})
		}
		last := &groups[len(groups)-1]
		last.Rows = append(last.Rows, web.KeyRow{
			ID: k.ID, Label: k.Label, Chord: k.Chord, Own: own[k.ID], Problem: problems[k.ID], Fixed: k.Fixed,
		})
	}
	return groups
}
