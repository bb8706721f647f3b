package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) roundRoutes(r router) {
	r.get("/projects/{slug}/rounds", access.ReadItems, s.listRounds)
	r.post("/projects/{slug}/rounds", access.EditBatches, s.openRound)
}

func (s *Server) listRounds(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	return s.renderRounds(w, r, http.StatusOK, project, web.RoundForm{Share: "30", Size: strconv.Itoa(defaultBatchSize)})
}

func (s *Server) renderRounds(w http.ResponseWriter, r *http.Request, status int, project store.Project, form web.RoundForm) error {
	rounds, err := s.Store.Rounds(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	v := web.RoundsView{Tabs: projectTabs(r, project, "batches", -1), Name: project.Name, Paused: project.Paused, Slug: project.Slug}
	for _, round := range rounds {
		strata, err := s.Store.RoundStrata(r.Context(), actorOf(r), round)
		if err != nil {
			return err
		}
		v.Rounds = append(v.Rounds, roundRow(round, strata))
		v.Drawing = v.Drawing || round.State == store.RoundDrawing
	}
	if access.Allows(actorOf(r).Role, access.EditBatches) {
		if form.Fields.Owners, err = s.ownerOptions(r, project.ID); err != nil {
			return err
		}
		v.Form = &form
	}
	page := s.projectPage(r, project, project.Name+" rounds", ui.Crumb{Label: "Batches", Href: batchesPath(project.Slug)}, ui.Crumb{Label: "Rounds"})
	page.StyleURLs = []string{projectPath(project) + "/classes.css"}
	return render(w, r, status, web.RoundsPage(page, v))
}

func roundRow(round store.Round, strata []store.RoundStratum) web.RoundRow {
	row := web.RoundRow{
		Number: round.Number, Share: percent(round.Share), State: round.State, Error: round.Error, At: round.CreatedAt, By: round.CreatedBy,
		Items: round.Items, Batches: round.Batches, Finished: round.Finished, Answered: round.Answered, Decided: round.Decided,
		Agreement: meanView(round.Agreement()), Level: 100 * round.Agreement().Value, Seed: strconv.FormatInt(round.Seed, 10), Size: round.BatchSize,
		Href: fmt.Sprintf("%s?round=%d", batchesPath(round.Slug), round.Number),
	}
	for _, s := range strata {
		stratum := web.RoundStratumRow{Name: s.Name, Slot: s.Slot, Items: s.Items, Drawn: s.Drawn}
		if s.Class == 0 {
			stratum.Slot = -1
		}
		row.Strata = append(row.Strata, stratum)
	}
	return row
}

func (s *Server) openRound(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	form := web.RoundForm{Share: strings.TrimSpace(r.PostFormValue("share")), Size: strings.TrimSpace(r.PostFormValue("size")), Fields: typedBatch(r.PostForm)}
	n := store.NewRound{Project: project.ID}
	// What is no number is out of range.
	share, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSuffix(form.Share, "%"), ",", "."), 64)
	if n.Share = share / 100; err != nil || share == 0 {
		n.Share = -1
	}
	if n.BatchSize, err = strconv.Atoi(form.Size); err != nil || n.BatchSize == 0 {
		n.BatchSize = -1
	}
	var round store.Round
	if n.OwnerID, n.Due, err = ownerAndDue(form.Fields); err == nil {
		round, err = s.Store.OpenRound(r.Context(), actorOf(r), n)
	}
	if refused, ok := refusalOf(err); ok {
		form.Refused, form.Fields.Refused = refused, refused
		return s.renderRounds(w, r, http.StatusUnprocessableEntity, project, form)
	}
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("Round %d is being drawn.", round.Number))
	return seeOther(w, r, projectPath(project)+"/rounds")
}
