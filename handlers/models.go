package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/internal/models"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const modelsPath = "/models"

func (s *Server) modelRoutes(r router) {
	r.get(modelsPath, access.ReadModels, s.listModels)
	r.post(modelsPath, access.RegisterModels, s.addModel)
	r.get(modelsPath+"/{model}", access.ReadModels, s.showModel)
	r.post(modelsPath+"/{model}", access.RegisterModels, s.describeModel)
	r.post(modelsPath+"/{model}/versions", access.RegisterModels, s.releaseModel)
}

func modelPath(name string) string { return modelsPath + "/" + url.PathEscape(name) }

func (s *Server) listModels(w http.ResponseWriter, r *http.Request) error {
	return s.renderModels(w, r, http.StatusOK, web.ModelForm{Kind: "asr"})
}

func (s *Server) renderModels(w http.ResponseWriter, r *http.Request, status int, form web.ModelForm) error {
	all, err := s.Store.Models(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	var v web.ModelsView
	for _, m := range all {
		row := web.ModelRow{Name: m.Name, Kind: m.Kind, Description: m.Description, Releases: len(m.Versions), At: m.CreatedAt}
		if len(m.Versions) > 0 {
			row.Newest = m.Versions[len(m.Versions)-1]
		}
		v.Rows = append(v.Rows, row)
	}
	if access.Allows(actorOf(r).Role, access.RegisterModels) {
		v.Form = &form
	}
	return render(w, r, status, web.ModelsPage(s.page(r, "Models"), v))
}

func (s *Server) addModel(w http.ResponseWriter, r *http.Request) error {
	form := web.ModelForm{Name: strings.TrimSpace(r.PostFormValue("name")), Kind: r.PostFormValue("kind"), Description: r.PostFormValue("description")}
	_, err := s.Store.RegisterModel(r.Context(), actorOf(r), store.NewModel{Name: form.Name, Kind: form.Kind, Description: form.Description})
	if refused, ok := refusalOf(err); ok {
		form.Refused = refused
		return s.renderModels(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The model is registered. Register its first release.")
	return seeOther(w, r, modelPath(form.Name))
}

func (s *Server) showModel(w http.ResponseWriter, r *http.Request) error {
	return s.renderModel(w, r, http.StatusOK, web.ReleaseForm{})
}

// modelNamed is the name in the path.
func modelNamed(r *http.Request) string {
	name, err := url.PathUnescape(chi.URLParam(r, "model"))
	if err != nil {
		return ""
	}
	return name
}

func (s *Server) renderModel(w http.ResponseWriter, r *http.Request, status int, form web.ReleaseForm) error {
	model, err := s.Store.Model(r.Context(), actorOf(r), modelNamed(r))
	if err != nil {
		return err
	}
	versions, err := s.Store.ModelVersions(r.Context(), actorOf(r), model.ID)
	if err != nil {
		return err
	}
	v := web.ModelView{Name: model.Name, Kind: model.Kind, Description: model.Description, At: model.CreatedAt}
	form.Versions = []ui.Option{{Label: "not said"}}
	for _, version := range versions {
		v.Releases = append(v.Releases, releaseView(version, access.Allows(actorOf(r).Role, access.ReadItems)))
		form.Versions = append(form.Versions, ui.Option{Value: version.Version, Label: version.Version})
	}
	if access.Allows(actorOf(r).Role, access.RegisterModels) {
		v.Form = &form
	}
	page := s.page(r, model.Name, ui.Crumb{Label: "Models", Href: modelsPath}, ui.Crumb{Label: model.Name})
	return render(w, r, status, web.ModelPage(page, v))
}

func releaseView(version store.ModelVersion, readsItems bool) web.ReleaseView {
	v := web.ReleaseView{Version: version.Version, Description: version.Description, Successor: version.Successor, By: version.CreatedBy, At: version.CreatedAt, Server: askedBy(version)}
	for _, t := range version.Training {
		v.Training = append(v.Training, web.TrainingView{
			Href: fmt.Sprintf("%s/%s/%d", datasetsPath, t.Dataset, t.Number), Name: fmt.Sprintf("%s@%d", t.Dataset, t.Number), Lines: t.Lines, Erased: t.Erased,
		})
	}
	for _, u := range version.Uses {
		use := web.UseView{Href: "/projects/" + u.Slug, Name: u.Name, Items: u.Items, Heard: u.Heard}
		if u.Heard > 0 && readsItems {
			use.Href = plansPath(u.Slug)
		}
		v.Uses = append(v.Uses, use)
	}
	return v
}

// askedBy says in words how a release is asked.
func askedBy(version store.ModelVersion) string {
	switch {
	case version.Adapter == "":
		return "not said"
	case version.Adapter == string(models.Offline):
		return "nobody: its predictions are imported"
	case version.Launcher != "":
		return version.Adapter + ", started for a run"
	}
	if u, err := url.Parse(version.ServerURL); err == nil {
		return version.Adapter + " at " + u.Host
	}
	return version.Adapter
}

func (s *Server) releaseModel(w http.ResponseWriter, r *http.Request) error {
	form := web.ReleaseForm{
		Version: strings.TrimSpace(r.PostFormValue("version")), Successor: r.PostFormValue("successor_of"), Training: r.PostFormValue("trained_on"),
		Description: r.PostFormValue("description"),
	}
	name := modelNamed(r)
	_, err := s.Store.Release(r.Context(), actorOf(r), store.NewRelease{
		Model: name, Version: form.Version, Description: form.Description, Successor: form.Successor, Training: strings.Fields(form.Training),
	})
	if refused, ok := refusalOf(err); ok {
		form.Refused = refused
		return s.renderModel(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	s.flash(r, name+"@"+form.Version+" is registered.")
	return seeOther(w, r, modelPath(name))
}

func (s *Server) describeModel(w http.ResponseWriter, r *http.Request) error {
	name := modelNamed(r)
	err := s.Store.DescribeModel(r.Context(), actorOf(r), name, r.PostFormValue("description"))
	if refused, ok := refusalOf(err); ok {
		return badRequest(refused.Reason)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The description is saved.")
	return seeOther(w, r, modelPath(name))
}
