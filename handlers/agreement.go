package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// agreementShown is how many items a page of them lists.
const agreementShown = 50

// agreementDownloaded bounds the file of items: the API gives any number of them, page by page.
const agreementDownloaded = 10_000

func (s *Server) agreementRoutes(r router) {
	r.get("/projects/{slug}/agreement", access.ReadAgreement, s.showAgreement)
	r.get("/projects/{slug}/agreement/{table}.csv", access.ReadAgreement, s.agreementCSV)
	r.get("/projects/{slug}/agreement/items", access.ReadItems, s.listAgreement)
	r.get("/projects/{slug}/agreement/items.csv", access.ReadItems, s.agreementItemsCSV)
	r.post("/projects/{slug}/agreement/score", access.Review, s.scoreAgain)
}

func agreementPath(p store.Project) string { return projectPath(p) + "/agreement" }

// askedAgreement is the agreement that a request asks for. Round is 0 for the whole project.
type askedAgreement struct {
	project store.Project
	round   int
	rounds  []store.AgreementRound
	classes []store.Class
	found   bool // there is one
	store.ProjectAgreement
}

func (s *Server) askedAgreement(r *http.Request) (a askedAgreement, err error) {
	round := 0
	if asked := r.URL.Query().Get("round"); asked != "" {
		if round, err = strconv.Atoi(asked); err != nil || round < 1 {
			return a, fmt.Errorf("round %q: %w", asked, store.ErrNotFound)
		}
	}
	return s.readAgreement(r.Context(), actorOf(r), chi.URLParam(r, "slug"), round)
}

// readAgreement reads the agreement of a project, or of its round with this number.
func (s *Server) readAgreement(ctx context.Context, actor store.Actor, slug string, round int) (a askedAgreement, err error) {
	if a.project, err = s.Store.Project(ctx, actor, slug); err != nil {
		return a, err
	}
	if a.rounds, err = s.Store.AgreementRounds(ctx, actor, a.project.ID); err != nil {
		return a, err
	}
	scope := store.AgreementScope{Project: a.project.ID}
	if a.round = round; round != 0 {
		for _, r := range a.rounds {
			if r.Number == round {
				scope.Round = r.ID
			}
		}
		if scope.Round == 0 {
			return a, fmt.Errorf("round %d: %w", round, store.ErrNotFound)
		}
	}
	if a.classes, err = s.Store.Classes(ctx, actor, a.project.ID); err != nil {
		return a, err
	}
	a.ProjectAgreement, err = s.Store.Agreement(ctx, actor, scope)
	if a.found = err == nil; errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return a, err
}

func (s *Server) showAgreement(w http.ResponseWriter, r *http.Request) error {
	a, err := s.askedAgreement(r)
	if err != nil {
		return err
	}
	pending, err := s.Store.SummaryPending(r.Context(), actorOf(r), a.project.ID)
	if err != nil {
		return err
	}
	role := actorOf(r).Role
	v := agreementView(a, access.Allows(role, access.ReadItems))
	v.Tabs, v.Pending = projectTabs(r, a.project, "agreement", -1), pending
	if access.Allows(role, access.Review) {
		v.Again = agreementPath(a.project) + "/score"
	}
	switch missing := missingAgreement(a, access.Allows(role, access.EditProjects)); {
	case !a.found || a.Compared == 0 && a.Decided == 0:
		v.Missing = missing
	case a.Compared == 0:
		missing.Text += " Until then the answers are compared with what was decided."
		v.Single = missing
	}
	page := s.projectPage(r, a.project, a.project.Name+" agreement", ui.Crumb{Label: "Agreement"})
	page.StyleURLs = append(page.StyleURLs, projectPath(a.project)+"/classes.css")
	return render(w, r, http.StatusOK, web.AgreementPage(page, v))
}

// missingAgreement says what has to happen before there is anything to show.
func missingAgreement(a askedAgreement, mayEdit bool) *web.MissingAgreementView {
	if a.project.Overlap < 2 {
		v := &web.MissingAgreementView{
			Title: "Nothing to compare", Text: "Each item is answered once. Let at least two labelers answer every item, and see here how far they agree.",
		}
		if mayEdit {
			v.Href, v.Act = projectPath(a.project)+"/settings", "Change the answers for each item"
		}
		return v
	}
	return &web.MissingAgreementView{
		Title: "No item has two answers yet",
		Text:  "As soon as a second labeler has answered an item, the two are compared; the figures follow within seconds.",
	}
}

func (s *Server) scoreAgain(w http.ResponseWriter, r *http.Request) error {
	return s.changeProject(w, r, "/agreement", "Every item is scored again. The figures follow when that is done.", func(p store.Project) error {
		return s.Store.AskForScores(r.Context(), actorOf(r), p.ID)
	})
}

// agreementCSV gives one of the page's tables as a file.
func (s *Server) agreementCSV(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "table")
	table, ok := agreementTables[name]
	if !ok {
		return store.ErrNotFound
	}
	if table.names && !access.Allows(actorOf(r).Role, access.ReadItems) {
		return store.ErrDenied
	}
	a, err := s.askedAgreement(r)
	if err != nil {
		return err
	}
	writeCSV(w, a.project.Slug+"-agreement-"+name, append([][]string{strings.Split(table.head, ",")}, table.rows(a)...))
	return nil
}

func (s *Server) listAgreement(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	filter, err := agreementCursor(r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	filter.Project, filter.Limit = project.ID, agreementShown+1
	items, err := s.Store.ItemAgreements(r.Context(), actorOf(r), filter)
	if err != nil {
		return err
	}
	path := agreementPath(project) + "/items"
	v := web.AgreementItemsView{Tabs: projectTabs(r, project, "agreement", -1), Name: project.Name, Paused: project.Paused, CSV: path + ".csv", Sound: project.Kind == "audio"}
	if filter.After != 0 {
		v.First = path
	}
	if len(items) > agreementShown {
		items = items[:agreementShown]
		v.Next = path + "?" + url.Values{"after": {cursorOf(items[len(items)-1])}}.Encode()
	}
	waves := wavesOf(s, r, items, func(i store.ItemAgreement) int64 { return soundIf(v.Sound, i.Item) })
	for _, item := range items {
		view := agreementItemView(item, project.Kind)
		view.Wave = waves[item.Item]
		v.Items = append(v.Items, view)
	}
	page := s.projectPage(r, project, project.Name+" items by agreement", ui.Crumb{Label: "Agreement", Href: agreementPath(project)}, ui.Crumb{Label: "Items"})
	return render(w, r, http.StatusOK, web.AgreementItemsPage(page, v))
}

func (s *Server) agreementItemsCSV(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	items, err := s.Store.ItemAgreements(r.Context(), actorOf(r), store.AgreementFilter{Project: project.ID, Limit: agreementDownloaded})
	if err != nil {
		return err
	}
	rows := [][]string{{"item", "key", "state", "answers", "score", "worst", "objects", "agreed", "missed", "class", "loose", "split", "iou", "truth_score"}}
	for _, i := range items {
		rows = append(rows, []string{
			strconv.FormatInt(i.Item, 10), i.Name, i.State, strconv.Itoa(i.Answers), setting(i.Score), i.Worst, strconv.Itoa(i.Objects), strconv.Itoa(i.Agreed),
			strconv.Itoa(i.Missed), strconv.Itoa(i.Class), strconv.Itoa(i.Loose), strconv.Itoa(i.Split), setting(i.IoU), setting(i.TruthScore),
		})
	}
	writeCSV(w, project.Slug+"-agreement-items", rows)
	return nil
}

// cursorOf is the place of an item in the list of the worst: its score, "" for none, and its id.
func cursorOf(i store.ItemAgreement) string {
	return setting(i.Score) + "_" + strconv.FormatInt(i.Item, 10)
}

// agreementCursor reads such a place; the empty one is the beginning.
func agreementCursor(after string) (f store.AgreementFilter, err error) {
	if after == "" {
		return f, nil
	}
	score, id, ok := strings.Cut(after, "_")
	if score != "" {
		n, bad := strconv.ParseFloat(score, 64)
		f.AfterScore, err = &n, bad
	}
	if f.After, _ = strconv.ParseInt(id, 10, 64); !ok || err != nil || f.After < 1 {
		return f, badRequest("The cursor in 'after' is not one that this list gave out. Start without it.")
	}
	return f, nil
}
