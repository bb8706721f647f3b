package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const chainsPath = "/chains"

func (s *Server) chainRoutes(r router) {
	const one = chainsPath + "/{chain}"
	r.post(chainsPath, access.EditChains, s.addChain)
	r.get(chainsPath+"/new", access.EditChains, s.newChain)
	r.get(one, access.ReadEvaluations, s.showChain)
	r.post(one, access.EditChains, s.changeChain)
	r.post(one+"/archive", access.EditChains, s.archiveChain)
}

func chainHref(id int64) string { return fmt.Sprintf("%s/%d", chainsPath, id) }

func (s *Server) newChain(w http.ResponseWriter, r *http.Request) error {
	return s.renderNewChain(w, r, http.StatusOK, web.ChainForm{Slots: "asr,nlp", AlertDrop: "0.02", ExpectDays: "0"})
}

func (s *Server) renderNewChain(w http.ResponseWriter, r *http.Request, status int, v web.ChainForm) error {
	v.New, v.MayEdit, v.Action = true, true, chainsPath
	return render(w, r, status, web.ChainPage(s.page(r, "New chain", evaluationsCrumb, ui.Crumb{Label: "New chain"}), v))
}

// typedChain is the form as it was typed.
func typedChain(form url.Values) web.ChainForm {
	return web.ChainForm{
		Name: form.Get("name"), Description: form.Get("description"), Slots: form.Get("slots"), AlertDrop: strings.TrimSpace(form.Get("alert_drop")),
		ExpectDays: strings.TrimSpace(form.Get("expect_days")),
	}
}

// chainSettings reads the form. What is no number is out of range.
func chainSettings(form url.Values) store.ChainSettings {
	v := typedChain(form)
	n := store.ChainSettings{Name: v.Name, Description: v.Description, AlertDrop: -1, ExpectDays: -1}
	if drop, err := strconv.ParseFloat(strings.ReplaceAll(orElse(v.AlertDrop, "0.02"), ",", "."), 64); err == nil {
		n.AlertDrop = drop
	}
	if days, err := strconv.Atoi(orElse(v.ExpectDays, "0")); err == nil {
		n.ExpectDays = days
	}
	if slices.ContainsFunc(form["baseline"], func(b string) bool { return b != "" }) {
		n.Baseline = form["baseline"]
	}
	return n
}

func (s *Server) addChain(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badRequest("The form could not be read. Load the page again.")
	}
	v := typedChain(r.PostForm)
	id, err := s.Store.AddChain(r.Context(), actorOf(r), store.NewChain{ChainSettings: chainSettings(r.PostForm), Slots: strings.Split(v.Slots, ",")})
	if refused, ok := refusalOf(err); ok {
		v.Refused = refused
		return s.renderNewChain(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The chain is made. Start an evaluation of it.")
	return seeOther(w, r, fmt.Sprintf("%s/new?chain=%d", evaluationsPath, id))
}

// askedChain is the chain that the path names.
func (s *Server) askedChain(r *http.Request) (store.Chain, error) {
	return asked(r, "chain", s.Store.Chain)
}

func (s *Server) showChain(w http.ResponseWriter, r *http.Request) error {
	chain, err := s.askedChain(r)
	if err != nil {
		return err
	}
	v := web.ChainForm{
		Name: chain.Name, Description: chain.Description, AlertDrop: strconv.FormatFloat(chain.AlertDrop, 'g', -1, 64), ExpectDays: strconv.Itoa(chain.ExpectDays),
	}
	return s.renderChain(w, r, http.StatusOK, chain, v, url.Values{})
}

func (s *Server) renderChain(w http.ResponseWriter, r *http.Request, status int, chain store.Chain, v web.ChainForm, form url.Values) (err error) {
	v.Action, v.Slots, v.Matrix = chainHref(chain.ID), slotsSay(chain.Slots), matrixHref(chain.ID)
	v.MayEdit, v.Archived = actorOf(r).Allowed(access.EditChains), chain.ArchivedAt != nil
	if v.MayEdit {
		v.Archive = v.Action + "/archive"
		if v.Baseline, err = s.slotChoices(r, chain, form); err != nil {
			return err
		}
	}
	return render(w, r, status, web.ChainPage(s.page(r, chain.Name, evaluationsCrumb, ui.Crumb{Label: chain.Name}), v))
}

func (s *Server) changeChain(w http.ResponseWriter, r *http.Request) error {
	chain, err := s.askedChain(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return badRequest("The form could not be read. Load the page again.")
	}
	err = s.Store.ChangeChain(r.Context(), actorOf(r), chain.ID, chainSettings(r.PostForm))
	if refused, ok := refusalOf(err); ok {
		v := typedChain(r.PostForm)
		v.Refused = refused
		return s.renderChain(w, r, http.StatusUnprocessableEntity, chain, v, r.PostForm)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The settings are saved.")
	return seeOther(w, r, chainHref(chain.ID))
}

func (s *Server) archiveChain(w http.ResponseWriter, r *http.Request) error {
	chain, err := s.askedChain(r)
	if err != nil {
		return err
	}
	if err := s.Store.ArchiveChain(r.Context(), actorOf(r), chain.ID, r.PostFormValue("away") != ""); err != nil {
		return err
	}
	s.flash(r, "Done.")
	return seeOther(w, r, evaluationsPath)
}
