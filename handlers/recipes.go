package handlers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"fiducial/internal/access"
	"fiducial/internal/manifest"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	newVersionPath = datasetsPath + "/new"
	recipeFilePath = datasetsPath + "/recipe.yaml"
	// longestRecipe is how large a recipe's file may be, in bytes.
	longestRecipe = 1 << 20
	// strataOnPage is how many strata a page lists; the ones that fall short come first.
	strataOnPage = 120
)

func (s *Server) recipeRoutes(r router) {
	r.get(newVersionPath, access.EditDatasets, s.askToFreeze)
	r.post(newVersionPath, access.EditDatasets, s.countFirst)
	r.get(datasetsPath+"/recipe", access.ReadDatasets, s.explainRecipes)
	r.post(recipeFilePath, access.EditDatasets, s.downloadTyped)
	r.post(datasetsPath, access.EditDatasets, s.freeze)
	r.get(datasetsPath+"/{dataset}/{number}/recipe.yaml", access.ReadDatasets, s.downloadRecipe)
	r.get(datasetsPath+"/{dataset}/{number}/rebuild", access.EditDatasets, s.askToRebuild)
	r.post(datasetsPath+"/{dataset}/{number}/rebuild", access.EditDatasets, s.rebuild)
}

func (s *Server) explainRecipes(w http.ResponseWriter, r *http.Request) error {
	page := s.page(r, "Recipes", ui.Crumb{Label: "Datasets", Href: datasetsPath}, ui.Crumb{Label: "Recipes"})
	return render(w, r, http.StatusOK, web.RecipePage(page, access.Allows(actorOf(r).Role, access.EditDatasets)))
}

// askToFreeze shows the form; with ?from it starts from the newest recipe of that dataset, or with ?version from that of one version.
func (s *Server) askToFreeze(w http.ResponseWriter, r *http.Request) error {
	recipe := manifest.Default()
	name := r.URL.Query().Get("from")
	if name != "" {
		versions, err := s.Store.DatasetVersions(r.Context(), actorOf(r), name)
		if err != nil {
			return err
		}
		recipe = versions[0].Recipe
		for _, v := range versions {
			if strconv.Itoa(v.Number) == r.URL.Query().Get("version") {
				recipe = v.Recipe
			}
		}
	}
	return s.renderFreeze(w, r, http.StatusOK, formOf(name, recipe))
}

// countFirst shows the form again with what a freeze would find: as it was typed, or filled in from a recipe's file.
func (s *Server) countFirst(w http.ResponseWriter, r *http.Request) error {
	file, sent, err := sentRecipe(w, r)
	if err != nil {
		return err
	}
	if !sent {
		return s.renderFreeze(w, r, http.StatusOK, typedForm(r.PostForm))
	}
	name := r.PostFormValue("name")
	recipe, err := manifest.ParseYAML(file)
	if err != nil {
		v := formOf(name, manifest.Default())
		v.YAML, v.YAMLError = string(file), "This is not a recipe that can be used: "+err.Error()
		return s.renderFreeze(w, r, http.StatusUnprocessableEntity, v)
	}
	return s.renderFreeze(w, r, http.StatusOK, formOf(name, recipe))
}

// sentRecipe returns the recipe's file that the request uploads or holds as text; sent is false for the form itself.
func sentRecipe(w http.ResponseWriter, r *http.Request) (file []byte, sent bool, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, longestRecipe)
	if err := r.ParseMultipartForm(longestRecipe); err != nil && !errors.Is(err, http.ErrNotMultipart) { //nolint:gosec // bounded just above
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, false, err
		}
		return nil, false, badRequest("The form could not be read.")
	}
	uploaded, _, err := r.FormFile("file")
	if err == nil {
		file, err := io.ReadAll(uploaded)
		if err = errors.Join(err, uploaded.Close()); err != nil {
			return nil, false, fmt.Errorf("recipe's file: %w", err)
		}
		if len(file) > 0 {
			return file, true, nil
		}
	}
	return []byte(r.PostFormValue("yaml")), r.PostForm.Has("yaml"), nil
}

// renderFreeze completes the form with what can be chosen and what a freeze would find.
func (s *Server) renderFreeze(w http.ResponseWriter, r *http.Request, status int, v web.FreezeView) error {
	projects, err := s.Store.Projects(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	var chosen []string
	for _, p := range v.Projects {
		chosen = append(chosen, p.Slug)
	}
	choices, err := s.Store.RecipeChoices(r.Context(), actorOf(r), chosen)
	if err != nil {
		return err
	}
	recipe, refusal := recipeOf(v)
	offer(&v, projects, choices)
	switch {
	case v.YAMLError != "":
	case refusal == nil:
		v.YAML = recipe.YAML()
		preview, err := s.Store.Preview(r.Context(), actorOf(r), recipe)
		if refused, ok := refusalOf(err); ok {
			v.NoPreview = refused.Reason
		} else if err != nil {
			return err
		} else {
			v.Preview = previewView(recipe, preview)
		}
	case len(chosen) > 0:
		refused, _ := refusalOf(refusal)
		v.NoPreview = refused.Reason
	}
	page := s.page(r, "Freeze a version", ui.Crumb{Label: "Datasets", Href: datasetsPath}, ui.Crumb{Label: "Freeze a version"})
	return render(w, r, status, web.FreezePage(page, v))
}

func (s *Server) freeze(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badRequest("The form could not be read.")
	}
	v := typedForm(r.PostForm)
	recipe, err := recipeOf(v)
	if err == nil {
		var version store.DatasetVersion
		if version, err = s.Store.Freeze(r.Context(), actorOf(r), v.Name, recipe); err == nil {
			row := versionRow(version)
			return seeOther(w, r, row.Href())
		}
	}
	refused, ok := refusalOf(err)
	if !ok {
		return err
	}
	v.Refused = refused
	return s.renderFreeze(w, r, http.StatusUnprocessableEntity, v)
}

// downloadTyped answers with the typed form as a recipe's file.
func (s *Server) downloadTyped(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badRequest("The form could not be read.")
	}
	v := typedForm(r.PostForm)
	recipe, err := recipeOf(v)
	if err == nil {
		err = recipe.Validate()
	}
	if err != nil {
		v.Refused = web.Refusal{Field: "recipe", Reason: err.Error()}
		if refused, ok := refusalOf(err); ok {
			v.Refused = refused
		}
		return s.renderFreeze(w, r, http.StatusUnprocessableEntity, v)
	}
	return sendRecipe(w, v.Name, recipe)
}

func (s *Server) downloadRecipe(w http.ResponseWriter, r *http.Request) error {
	version, err := s.version(r)
	if err != nil {
		return err
	}
	return sendRecipe(w, fmt.Sprintf("%s-%d", version.Dataset, version.Number), version.Recipe)
}

func sendRecipe(w http.ResponseWriter, name string, recipe manifest.Recipe) error {
	if !recipeName.MatchString(name) {
		name = "recipe"
	}
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.yaml"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, recipe.YAML()) //nolint:gosec // no browser takes YAML for a page; the client may have gone, and no one is left to tell
	return nil
}

// askToRebuild shows what rebuilding a version would change.
func (s *Server) askToRebuild(w http.ResponseWriter, r *http.Request) error {
	version, err := s.version(r)
	if err != nil {
		return err
	}
	return s.renderRebuild(w, r, http.StatusOK, version, web.Refusal{})
}

func (s *Server) renderRebuild(w http.ResponseWriter, r *http.Request, status int, version store.DatasetVersion, refused web.Refusal) error {
	v := web.RebuildView{VersionRow: versionRow(version), Refused: refused}
	if version.State == store.VersionFrozen && refused.Reason == "" {
		preview, err := s.Store.PreviewRebuild(r.Context(), actorOf(r), version)
		if refusal, ok := refusalOf(err); ok {
			v.Refused = refusal
		} else if err != nil {
			return err
		}
		fillRebuild(&v, version.Recipe, preview)
	}
	return render(w, r, status, web.RebuildPage(s.versionPage(r, version, ui.Crumb{Label: "Rebuild"}), v))
}

func (s *Server) rebuild(w http.ResponseWriter, r *http.Request) error {
	version, err := s.version(r)
	if err != nil {
		return err
	}
	next, err := s.Store.Rebuild(r.Context(), actorOf(r), version)
	if refused, ok := refusalOf(err); ok {
		return s.renderRebuild(w, r, http.StatusUnprocessableEntity, version, refused)
	}
	if err != nil {
		return err
	}
	row := versionRow(next)
	return seeOther(w, r, row.Href())
}
