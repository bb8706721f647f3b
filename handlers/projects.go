package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

var projectsCrumb = ui.Crumb{Label: "Projects", Href: "/projects"}

func (s *Server) projectRoutes(r router) {
	r.get("/projects", access.ReadProjects, s.listProjects)
	r.get("/projects/new", access.EditProjects, s.newProject)
	r.post("/projects", access.EditProjects, s.addProject)
	r.get("/projects/{slug}", access.ReadProjects, s.showProject)
	r.get("/projects/{slug}/settings", access.EditProjects, s.showProjectSettings)
	r.post("/projects/{slug}/settings", access.EditProjects, s.updateProject)
	r.post("/projects/{slug}/pause", access.EditProjects, s.pauseProject)
	r.post("/projects/{slug}/resume", access.EditProjects, s.resumeProject)
	r.post("/projects/{slug}/archive", access.EditProjects, s.archiveProject)
	r.post("/projects/{slug}/restore", access.EditProjects, s.restoreProject)
	r.get("/projects/{slug}/members", access.EditProjects, s.listMembers)
	r.post("/projects/{slug}/members", access.EditProjects, s.addMember)
	r.post("/projects/{slug}/members/{person}/remove", access.EditProjects, s.removeMember)
}

// project is the one that the path names, if the actor sees it.
func (s *Server) project(r *http.Request) (store.Project, error) {
	return s.Store.Project(r.Context(), actorOf(r), chi.URLParam(r, "slug"))
}

// projectPath is the address of a project's overview.
func projectPath(p store.Project) string { return "/projects/" + p.Slug }

// projectPage is what stands round a page of a project.
func (s *Server) projectPage(r *http.Request, p store.Project, title string, crumbs ...ui.Crumb) web.PageView {
	crumbs = append([]ui.Crumb{projectsCrumb, {Label: p.Name, Href: projectPath(p)}}, crumbs...)
	return s.page(r, title, crumbs...)
}

// projectTabs are the views of a project that the actor may open; items is how many it has.
func projectTabs(r *http.Request, p store.Project, current string, items int) web.ProjectTabs {
	role := actorOf(r).Role
	return web.ProjectTabs{
		Slug: p.Slug, Kind: p.Kind, Current: current, Count: items,
		Items: access.Allows(role, access.ReadItems), Batches: access.Allows(role, access.ReadItems), Agreement: access.Allows(role, access.ReadAgreement),
		Quality: access.Allows(role, access.ReadQuality),
		Imports: access.Allows(role, access.Import), Manage: access.Allows(role, access.EditProjects),
	}
}

// progress is how far one project is.
func (s *Server) progress(r *http.Request, p store.Project) (store.Progress, error) {
	progress, err := s.Store.Progress(r.Context(), actorOf(r), []int64{p.ID})
	return progress[p.ID], err
}

func (s *Server) listProjects(w http.ResponseWriter, r *http.Request) error {
	ctx, actor := r.Context(), actorOf(r)
	projects, err := s.Store.Projects(ctx, actor)
	if err != nil {
		return err
	}
	ids := make([]int64, len(projects))
	for i, p := range projects {
		ids[i] = p.ID
	}
	progress, err := s.Store.Progress(ctx, actor, ids)
	if err != nil {
		return err
	}
	var v web.ProjectsView
	for _, p := range projects {
		v.Projects = append(v.Projects, projectCard(p, progress[p.ID]))
	}
	if access.Allows(actor.Role, access.EditProjects) {
		v.New = "/projects/new"
		archived, err := s.Store.ArchivedProjects(ctx, actor)
		if err != nil {
			return err
		}
		for _, p := range archived {
			v.Archived = append(v.Archived, projectCard(p, store.Progress{}))
		}
	}
	return render(w, r, http.StatusOK, web.ProjectsPage(s.page(r, "Projects"), v))
}

func projectCard(p store.Project, progress store.Progress) web.ProjectCard {
	return web.ProjectCard{
		Name: p.Name, Slug: p.Slug, Kind: p.Kind, Description: p.Description, Paused: p.Paused, Progress: web.ProgressView(progress),
	}
}

func (s *Server) newProject(w http.ResponseWriter, r *http.Request) error {
	v := web.ProjectFormView{New: true, Kind: "image", Overlap: "1", LeaseMinutes: "30", Rules: rulesForm(store.DefaultAgreementRules())}
	return s.renderNewProject(w, r, http.StatusOK, v)
}

func (s *Server) renderNewProject(w http.ResponseWriter, r *http.Request, status int, v web.ProjectFormView) error {
	return render(w, r, status, web.NewProjectPage(s.page(r, "New project", projectsCrumb, ui.Crumb{Label: "New project"}), v))
}

// projectForm is a project's settings as they were typed.
func projectForm(r *http.Request) web.ProjectFormView {
	version, _ := strconv.Atoi(r.PostFormValue("version")) // 0 conflicts with every project
	return web.ProjectFormView{
		Slug: r.PostFormValue("slug"), Name: r.PostFormValue("name"), Kind: cmp.Or(r.PostFormValue("kind"), "image"), Description: r.PostFormValue("description"),
		Overlap: r.PostFormValue("overlap"), LeaseMinutes: r.PostFormValue("lease_minutes"), Metadata: r.PostFormValue("metadata_keys"),
		AcceptsTruth: r.PostFormValue("accepts_truth") != "", Rules: typedRules(r), Version: version,
		Sound: web.SoundFormView{Normalizer: r.PostFormValue("normalizer"), Context: r.PostFormValue("context_seconds"), Mode: r.PostFormValue("prefill_mode")},
	}
}

// soundForm is how a project's utterances are heard, compared and written down.
func soundForm(s store.SoundSettings) web.SoundFormView {
	return web.SoundFormView{Normalizer: cmp.Or(s.Normalizer, speech.DefaultNormalizer), Context: setting(&s.ContextSeconds), Mode: s.PrefillMode}
}

// typedSound reads what was typed; a form without it leaves it as it is.
func typedSound(v web.SoundFormView) *store.SoundSettings {
	if v.Mode == "" && v.Context == "" && v.Normalizer == "" {
		return nil
	}
	seconds, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(v.Context), ",", "."), 64)
	if err != nil {
		seconds = -1
	}
	return &store.SoundSettings{Normalizer: v.Normalizer, ContextSeconds: seconds, PrefillMode: v.Mode}
}

// normalizerOptions are the normalizers to choose from.
func normalizerOptions() (options []ui.Option) {
	for _, n := range speech.Normalizers() {
		options = append(options, ui.Option{Value: n.Name, Label: n.Name + ": " + strings.TrimSuffix(n.About, ".")})
	}
	return options
}

// projectEdit reads the typed settings; a number that is none is out of range.
func projectEdit(v web.ProjectFormView) store.ProjectEdit {
	number := func(text string) int {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return -1
		}
		return n
	}
	return store.ProjectEdit{
		Name: v.Name, Description: v.Description, Overlap: number(v.Overlap), LeaseMinutes: number(v.LeaseMinutes),
		AcceptsTruth: v.AcceptsTruth, MetadataKeys: strings.Split(v.Metadata, "\n"), Rules: rulesOf(v.Rules), Sound: typedSound(v.Sound), Version: v.Version,
	}
}

func (s *Server) addProject(w http.ResponseWriter, r *http.Request) error {
	v := projectForm(r)
	e := projectEdit(v)
	project, err := s.Store.AddProject(r.Context(), actorOf(r), store.NewProject{
		Slug: v.Slug, Name: e.Name, Description: e.Description, Kind: v.Kind, Overlap: e.Overlap, LeaseMinutes: e.LeaseMinutes,
		AcceptsTruth: e.AcceptsTruth, MetadataKeys: e.MetadataKeys, Rules: e.Rules,
	})
	if refused, ok := refusalOf(err); ok {
		v.New, v.Refused = true, refused
		return s.renderNewProject(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	s.flash(r, map[bool]string{
		true: "The project is made. Add the moments that are marked to its guideline, and import recordings.", false: "The project is made. Add classes to its defect book and import images.",
	}[project.Kind == "audio"])
	return seeOther(w, r, projectPath(project))
}

func (s *Server) showProject(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	progress, err := s.progress(r, project)
	if err != nil {
		return err
	}
	v := web.ProjectView{
		Tabs: projectTabs(r, project, "overview", progress.Items), Name: project.Name, Description: project.Description,
		Paused: project.Paused, Progress: web.ProgressView(progress), Facts: projectFacts(project),
	}
	standing, err := s.Store.Standing(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	role := actorOf(r).Role
	if access.Allows(role, access.Label) && standing.Member && standing.Classes > 0 && progress.Open > 0 && !project.Paused {
		v.Label = nextPath(project.Slug)
	}
	v.Steps = projectSteps(project, standing, role)
	if access.Allows(role, access.Review) && progress.InReview > 0 {
		v.Review = "/review?project=" + project.Slug
	}
	if access.Allows(role, access.Import) {
		v.Import = importsPath(project.Slug)
	}
	return render(w, r, http.StatusOK, web.ProjectPage(s.page(r, project.Name, projectsCrumb, ui.Crumb{Label: project.Name}), v))
}

// projectSteps are what has to be done before anybody can label, for those who may do it.
func projectSteps(p store.Project, standing store.Standing, role access.Role) (steps []web.ProjectStep) {
	if standing.Classes == 0 && access.Allows(role, access.EditGuideline) {
		steps = append(steps, web.ProjectStep{
			Title: "The " + strings.ToLower(bookName(p.Kind)) + " has no class yet", Text: map[bool]string{true: "Words can be written down without one, but no moment can be marked.", false: "Without one, nothing can be said of a box."}[p.Kind == "audio"],
			Label: "Add classes", Href: projectPath(p) + "/guideline",
		})
	}
	if standing.Labelers == 0 && access.Allows(role, access.EditProjects) {
		steps = append(steps, web.ProjectStep{
			Title: "Nobody labels here yet", Text: "Items are handed to members alone, whatever their role.", Label: "Add members", Href: projectPath(p) + "/members",
		})
	}
	return steps
}

func projectFacts(p store.Project) []web.ProjectFact {
	truth, book, metadata := "no: every item is labeled here", "not published yet", "none"
	if p.AcceptsTruth {
		truth = "yes: an import may bring decided " + map[bool]string{true: "transcripts", false: "boxes"}[p.Kind == "audio"]
	}
	if p.GuidelineVersion > 0 {
		book = fmt.Sprintf("version %d", p.GuidelineVersion)
	}
	if len(p.MetadataKeys) > 0 {
		metadata = strings.Join(p.MetadataKeys, ", ")
	}
	facts := []web.ProjectFact{
		{Name: "Answers for each item", Value: strconv.Itoa(p.Overlap)},
		{Name: "Where answers agree", Value: rulesText(p.AgreementRules)},
		{Name: "Time for an item", Value: fmt.Sprintf("%d min", p.LeaseMinutes)},
		{Name: bookName(p.Kind), Value: book},
		{Name: "Imported truth", Value: truth},
		{Name: "Metadata kept", Value: metadata},
	}
	if p.Kind == "audio" {
		facts = append(facts,
			web.ProjectFact{Name: "Hypotheses", Value: map[string]string{
				"blind": "not shown to labelers", "edit": "corrected by labelers", "reveal": "shown once they have written",
			}[p.PrefillMode]},
			web.ProjectFact{Name: "Heard around an utterance", Value: setting(&p.ContextSeconds) + " s"},
			web.ProjectFact{Name: "Transcripts are compared by", Value: speech.ProjectNormalizer(p.Normalizer).Name},
		)
	}
	return facts
}

func (s *Server) showProjectSettings(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	form := web.ProjectFormView{
		Name: project.Name, Description: project.Description, Overlap: strconv.Itoa(project.Overlap), LeaseMinutes: strconv.Itoa(project.LeaseMinutes),
		Metadata: strings.Join(project.MetadataKeys, "\n"), AcceptsTruth: project.AcceptsTruth, Version: project.Version,
		Rules: rulesForm(project.AgreementRules), Sound: soundForm(project.SoundSettings),
	}
	return s.renderProjectSettings(w, r, http.StatusOK, project, form)
}

func (s *Server) renderProjectSettings(w http.ResponseWriter, r *http.Request, status int, p store.Project, form web.ProjectFormView) error {
	form.Kind, form.Sound.Normalizers = p.Kind, normalizerOptions()
	v := web.ProjectSettingsView{Tabs: projectTabs(r, p, "settings", -1), Name: p.Name, Paused: p.Paused, Form: form}
	return render(w, r, status, web.ProjectSettingsPage(s.projectPage(r, p, p.Name+" settings", ui.Crumb{Label: "Settings"}), v))
}

func (s *Server) updateProject(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	form := projectForm(r)
	err = s.Store.UpdateProject(r.Context(), actorOf(r), project.ID, projectEdit(form))
	if refused, ok := refusalOf(err); ok {
		form.Refused = refused
		return s.renderProjectSettings(w, r, http.StatusUnprocessableEntity, project, form)
	}
	if errors.Is(err, store.ErrConflict) {
		form.Version = project.Version
		form.Refused = web.Refusal{Reason: "Somebody else changed the settings meanwhile. Yours are below, unsaved; saving them now replaces theirs."}
		return s.renderProjectSettings(w, r, http.StatusConflict, project, form)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The settings are saved.")
	return seeOther(w, r, projectPath(project)+"/settings")
}

func (s *Server) pauseProject(w http.ResponseWriter, r *http.Request) error {
	return s.changeProject(w, r, "/settings", "The project is paused.", func(p store.Project) error {
		return s.Store.SetPaused(r.Context(), actorOf(r), p.ID, true)
	})
}

func (s *Server) resumeProject(w http.ResponseWriter, r *http.Request) error {
	return s.changeProject(w, r, "/settings", "The project goes on.", func(p store.Project) error {
		return s.Store.SetPaused(r.Context(), actorOf(r), p.ID, false)
	})
}

// changeProject makes one change to the project of the path, says so, and goes to its page after.
func (s *Server) changeProject(w http.ResponseWriter, r *http.Request, after, said string, change func(store.Project) error) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	if err := change(project); err != nil {
		return err
	}
	s.flash(r, said)
	return seeOther(w, r, projectPath(project)+after)
}

func (s *Server) archiveProject(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	if err := s.Store.ArchiveProject(r.Context(), actorOf(r), project.ID); err != nil {
		return err
	}
	s.flash(r, project.Name+" is archived. It can be restored below.")
	return seeOther(w, r, "/projects")
}

func (s *Server) restoreProject(w http.ResponseWriter, r *http.Request) error {
	slug := chi.URLParam(r, "slug")
	if err := s.Store.RestoreProject(r.Context(), actorOf(r), slug); err != nil {
		return err
	}
	return seeOther(w, r, "/projects/"+slug)
}
