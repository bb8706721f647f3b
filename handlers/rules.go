package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// staleTruthsAPage is how many truths under older rules a page lists.
const staleTruthsAPage = 100

func (s *Server) rulesRoutes(r router) {
	const rules = "/projects/{slug}/rules"
	r.get(rules, access.ReadProjects, s.showRules)
	r.get(rules+"/draft", access.EditGuideline, s.showRulesDraft)
	r.post(rules+"/draft", access.EditGuideline, s.saveRules)
	r.post(rules+"/discard", access.EditGuideline, s.discardRules)
	r.get(rules+"/publish", access.EditGuideline, s.askPublishRules)
	r.post(rules+"/publish", access.EditGuideline, s.publishRules)
	r.get(rules+"/older", access.ReadItems, s.listOlderTranscripts)
	r.post(rules+"/older", access.EditGuideline, s.sendTranscriptsBack)
}

func rulesPath(slug string) string { return "/projects/" + slug + "/rules" }

// soundProject is the project of the path, if it is one of sound: others have no transcripts.
func (s *Server) soundProject(r *http.Request) (store.Project, error) {
	project, err := s.project(r)
	if err == nil && project.Kind != "audio" {
		err = fmt.Errorf("transcription rules of %s: %w", project.Slug, store.ErrNotFound)
	}
	return project, err
}

func rulesView(r store.TranscriptionRules) web.RulesView {
	v := web.RulesView{Body: r.Body, Lines: r.Checks.Lines(), By: r.EditedBy, At: r.EditedAt}
	if r.Version != nil {
		v.Version, v.At = *r.Version, *r.PublishedAt
	}
	return v
}

// rulesLines are all that rules say, line by line.
func rulesLines(r store.TranscriptionRules) []string {
	return append(strings.Split(strings.ReplaceAll(r.Body, "\r\n", "\n"), "\n"), r.Checks.Lines()...)
}

// split tells the draft, if there is one, from what is published.
func splitRules(list []store.TranscriptionRules) (draft *store.TranscriptionRules, published []store.TranscriptionRules) {
	if len(list) > 0 && list[0].Version == nil {
		return &list[0], list[1:]
	}
	return nil, list
}

func (s *Server) rulesPage(r *http.Request, p store.Project, title string, crumbs ...ui.Crumb) web.PageView {
	crumbs = append([]ui.Crumb{{Label: "Guideline", Href: projectPath(p) + "/guideline"}, {Label: "Transcription rules", Href: rulesPath(p.Slug)}}, crumbs...)
	return s.projectPage(r, p, title, crumbs...)
}

func (s *Server) showRules(w http.ResponseWriter, r *http.Request) error {
	project, err := s.soundProject(r)
	if err != nil {
		return err
	}
	list, err := s.Store.TranscriptionRules(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	v := web.RulesPageView{Tabs: projectTabs(r, project, "guideline", -1), Name: project.Name, Paused: project.Paused}
	draft, published := splitRules(list)
	v.Draft = draft != nil
	for i, rules := range published {
		view := rulesView(rules)
		if i+1 < len(published) {
			view.Changes = speech.Changes(rulesLines(published[i+1]), rulesLines(rules))
		}
		v.Published = append(v.Published, view)
	}
	role := actorOf(r).Role
	if access.Allows(role, access.EditGuideline) {
		v.Edit = rulesPath(project.Slug) + "/draft"
	}
	if access.Allows(role, access.ReadItems) {
		v.Stale = rulesPath(project.Slug) + "/older"
	}
	return render(w, r, http.StatusOK, web.RulesPage(s.rulesPage(r, project, project.Name+" transcription rules"), v))
}

func (s *Server) showRulesDraft(w http.ResponseWriter, r *http.Request) error {
	return s.renderRulesDraft(w, r, http.StatusOK, nil)
}

// renderRulesDraft shows the draft, or what was typed and could not be saved.
func (s *Server) renderRulesDraft(w http.ResponseWriter, r *http.Request, status int, typed *web.RulesForm) error {
	project, err := s.soundProject(r)
	if err != nil {
		return err
	}
	list, err := s.Store.TranscriptionRules(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	draft, published := splitRules(list)
	v := web.RulesDraftView{Slug: project.Slug, Next: 1, Exists: draft != nil}
	begins := store.TranscriptionRules{}
	if len(published) > 0 {
		begins, v.Next = published[0], *published[0].Version+1
	}
	if draft != nil {
		begins = *draft
	}
	v.Form, v.Shown = draftRulesForm(begins), rulesView(begins)
	if draft != nil {
		v.Form.EditVersion = draft.EditVersion
	}
	if typed != nil {
		edit := v.Form.EditVersion
		v.Form = *typed
		v.Shown = web.RulesView{Body: typed.Body, Lines: typedChecks(*typed).Lines()}
		if status == http.StatusConflict {
			v.Form.EditVersion = edit
		}
	}
	return render(w, r, status, web.RulesDraftPage(s.rulesPage(r, project, "Draft of the rules", ui.Crumb{Label: "Draft"}), v))
}

func draftRulesForm(r store.TranscriptionRules) web.RulesForm {
	c := r.Checks
	return web.RulesForm{
		Body: r.Body, Numbers: c.Numbers, Casing: c.Casing, Punctuation: c.Punctuation, Marks: c.Marks, Forbidden: c.Forbidden, Unintelligible: c.Unintelligible,
		Tags: speech.WriteTags(c.Tags), Spellings: speech.WriteSpellings(c.Spellings),
	}
}

func typedRulesForm(r *http.Request) (f web.RulesForm, err error) {
	if f.EditVersion, err = strconv.Atoi(r.PostFormValue("edit_version")); err != nil {
		return f, badRequest("The form is incomplete. Load the page again.")
	}
	f.Body, f.Numbers, f.Casing, f.Punctuation = r.PostFormValue("body"), r.PostFormValue("numbers"), r.PostFormValue("casing"), r.PostFormValue("punctuation")
	f.Marks, f.Forbidden = strings.TrimSpace(r.PostFormValue("marks")), strings.TrimSpace(r.PostFormValue("forbidden"))
	f.Unintelligible, f.Tags, f.Spellings = strings.TrimSpace(r.PostFormValue("unintelligible")), r.PostFormValue("tags"), r.PostFormValue("spellings")
	return f, nil
}

func typedChecks(f web.RulesForm) speech.Rules {
	return speech.Rules{
		Numbers: f.Numbers, Casing: f.Casing, Punctuation: f.Punctuation, Marks: f.Marks, Forbidden: f.Forbidden, Unintelligible: f.Unintelligible,
		Tags: speech.ReadTags(f.Tags), Spellings: speech.ReadSpellings(f.Spellings),
	}
}

func (s *Server) saveRules(w http.ResponseWriter, r *http.Request) error {
	project, err := s.soundProject(r)
	if err != nil {
		return err
	}
	form, err := typedRulesForm(r)
	if err != nil {
		return err
	}
	err = s.Store.SaveRules(r.Context(), actorOf(r), project.ID, form.EditVersion, form.Body, typedChecks(form))
	if refused, ok := refusalOf(err); ok {
		form.Refused = refused
		return s.renderRulesDraft(w, r, http.StatusUnprocessableEntity, &form)
	}
	if errors.Is(err, store.ErrConflict) {
		form.Refused = web.Refusal{Field: "body", Reason: "Somebody else saved this draft meanwhile. Your text is below, unsaved; saving it now replaces theirs."}
		return s.renderRulesDraft(w, r, http.StatusConflict, &form)
	}
	if err != nil {
		return err
	}
	if r.PostFormValue("then") == "publish" {
		return seeOther(w, r, rulesPath(project.Slug)+"/publish")
	}
	s.flash(r, "The draft is saved.")
	return seeOther(w, r, rulesPath(project.Slug)+"/draft")
}

func (s *Server) discardRules(w http.ResponseWriter, r *http.Request) error {
	project, err := s.soundProject(r)
	if err != nil {
		return err
	}
	if err := s.Store.DiscardRules(r.Context(), actorOf(r), project.ID); err != nil {
		return err
	}
	s.flash(r, "The draft is gone; what is published stays.")
	return seeOther(w, r, rulesPath(project.Slug))
}

func (s *Server) askPublishRules(w http.ResponseWriter, r *http.Request) error {
	return s.renderPublishRules(w, r, http.StatusOK, web.SendTranscriptsView{Scope: "none"})
}

// olderCounts are the transcripts that were written before a version of the rules.
func (s *Server) olderCounts(r *http.Request, project, version int64) (views []web.RulesCountView, err error) {
	counts, err := s.Store.RulesCounts(r.Context(), actorOf(r), project)
	for _, c := range counts {
		if int64(c.Version) < version && c.Answers+c.Truths > 0 {
			views = append(views, web.RulesCountView(c))
		}
	}
	return views, err
}

// renderPublishRules asks, before the draft is published, what becomes of what was written before.
func (s *Server) renderPublishRules(w http.ResponseWriter, r *http.Request, status int, send web.SendTranscriptsView) error {
	project, err := s.soundProject(r)
	if err != nil {
		return err
	}
	list, err := s.Store.TranscriptionRules(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	draft, published := splitRules(list)
	if draft == nil {
		return seeOther(w, r, rulesPath(project.Slug)+"/draft") // there is nothing to publish
	}
	v := web.RulesPublishView{Slug: project.Slug, Next: 1, Send: send}
	var before []string
	if len(published) > 0 {
		v.Next, before = *published[0].Version+1, rulesLines(published[0])
	}
	v.Changes = speech.Changes(before, rulesLines(*draft))
	if v.Counts, err = s.olderCounts(r, project.ID, int64(v.Next)); err != nil {
		return err
	}
	v.Send.Action, v.Send.Publish, v.Send.EditVersion, v.Send.Nothing = rulesPath(project.Slug)+"/publish", v.Next, draft.EditVersion, len(v.Counts) == 0
	return render(w, r, status, web.RulesPublishPage(s.rulesPage(r, project, "Publish the rules", ui.Crumb{Label: "Publish"}), v))
}

func (s *Server) publishRules(w http.ResponseWriter, r *http.Request) error {
	project, err := s.soundProject(r)
	if err != nil {
		return err
	}
	edit, err := strconv.Atoi(r.PostFormValue("edit_version"))
	if err != nil {
		return badRequest("The form is incomplete. Load the page again.")
	}
	send := web.SendTranscriptsView{Scope: r.PostFormValue("scope"), Note: r.PostFormValue("note")}
	if send.Scope != "all" && send.Scope != "none" {
		send.Error = "Choose what becomes of what was written before."
		return s.renderPublishRules(w, r, http.StatusUnprocessableEntity, send)
	}
	version, relabel, err := s.Store.PublishRules(r.Context(), actorOf(r), project.ID, edit, store.SendBack{All: send.Scope == "all", Note: send.Note})
	if refused, ok := refusalOf(err); ok {
		send.Error = refused.Reason
		return s.renderPublishRules(w, r, http.StatusUnprocessableEntity, send)
	}
	if errors.Is(err, store.ErrConflict) {
		send.Error = "Somebody saved the draft meanwhile. Read it as it is now, and publish it then."
		return s.renderPublishRules(w, r, http.StatusConflict, send)
	}
	if err != nil {
		return err
	}
	said := fmt.Sprintf("Version %d of the rules is published. Transcripts from now on carry it.", version)
	if relabel == 0 {
		s.flash(r, said)
		return seeOther(w, r, rulesPath(project.Slug))
	}
	s.flash(r, said+" What was written before is going back to its labelers.")
	return seeOther(w, r, rulesPath(project.Slug)+"/older")
}

func (s *Server) listOlderTranscripts(w http.ResponseWriter, r *http.Request) error {
	return s.renderOlderTranscripts(w, r, http.StatusOK, web.SendTranscriptsView{})
}

func (s *Server) renderOlderTranscripts(w http.ResponseWriter, r *http.Request, status int, send web.SendTranscriptsView) error {
	project, err := s.soundProject(r)
	if err != nil {
		return err
	}
	rules, err := s.Store.PublishedRules(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	path := rulesPath(project.Slug) + "/older"
	v := web.StaleTranscriptsView{Tabs: projectTabs(r, project, "guideline", -1), Name: project.Name, Paused: project.Paused, Href: path}
	if rules.Version != nil {
		v.Now = *rules.Version
	}
	if v.Counts, err = s.olderCounts(r, project.ID, int64(v.Now)); err != nil {
		return err
	}
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		after = 0
	}
	truths, err := s.Store.StaleTruths(r.Context(), actorOf(r), project.ID, after, staleTruthsAPage+1)
	if err != nil {
		return err
	}
	if len(truths) > staleTruthsAPage {
		truths = truths[:staleTruthsAPage]
		v.Next = fmt.Sprintf("%s?after=%d", path, truths[staleTruthsAPage-1].Item)
	}
	for _, t := range truths {
		v.Truths = append(v.Truths, web.StaleTruthRow{Href: reviewHref(t.Item), Name: t.Name, Version: t.Version, At: t.At})
	}
	if access.Allows(actorOf(r).Role, access.EditGuideline) && len(v.Counts) > 0 {
		send.Action = path
		v.Send = &send
	}
	if v.Relabels, err = s.rulesRelabels(r, project); err != nil {
		return err
	}
	return render(w, r, status, web.StaleTranscriptsPage(s.rulesPage(r, project, "Older transcripts", ui.Crumb{Label: "Older transcripts"}), v))
}

// rulesRelabels are the last sendings back for the rules' sake.
func (s *Server) rulesRelabels(r *http.Request, project store.Project) ([]web.RelabelView, error) {
	views, err := s.relabelViews(r, bookOf{project: project}, 0)
	if err != nil {
		return nil, err
	}
	var own []web.RelabelView
	for _, v := range views {
		if v.Rules {
			own = append(own, v)
		}
	}
	return own, nil
}

func (s *Server) sendTranscriptsBack(w http.ResponseWriter, r *http.Request) error {
	project, err := s.soundProject(r)
	if err != nil {
		return err
	}
	send := web.SendTranscriptsView{Note: r.PostFormValue("note")}
	_, err = s.Store.SendTranscriptsBack(r.Context(), actorOf(r), project.ID, send.Note)
	if refused, ok := refusalOf(err); ok {
		send.Error = refused.Reason
		return s.renderOlderTranscripts(w, r, http.StatusUnprocessableEntity, send)
	}
	if err != nil {
		return err
	}
	s.flash(r, "Transcripts are going back. Their labelers find them first in their queues.")
	return seeOther(w, r, rulesPath(project.Slug)+"/older")
}
