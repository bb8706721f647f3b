package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/internal/sampling"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) planRoutes(r router) {
	const plans, plan = "/projects/{slug}/plans", "/projects/{slug}/plans/{number}"
	r.get(plans, access.ReadItems, s.listPlans)
	r.post(plans, access.EditBatches, s.drawPlan)
	r.get(plans+"/new", access.EditBatches, s.newPlan)
	r.get(plan, access.ReadItems, s.showPlan)
	r.post(plan+"/report", access.EditBatches, s.askForReport)
	r.get(plan+"/report.json", access.ReadItems, s.planReportJSON)
	r.get(plan+"/{table}.csv", access.ReadItems, s.planCSV)
}

func plansPath(slug string) string { return "/projects/" + slug + "/plans" }

func planPath(slug string, number int) string { return fmt.Sprintf("%s/%d", plansPath(slug), number) }

func planName(number int, title string) string {
	if title == "" {
		return fmt.Sprintf("Plan %d", number)
	}
	return fmt.Sprintf("Plan %d: %s", number, title)
}

func (s *Server) listPlans(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	plans, err := s.Store.Plans(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	v := web.PlansView{Tabs: projectTabs(r, project, "plans", -1), Name: project.Name, Paused: project.Paused, Slug: project.Slug}
	if access.Allows(actorOf(r).Role, access.EditBatches) {
		v.New = plansPath(project.Slug) + "/new"
	}
	for _, plan := range plans {
		v.Rows = append(v.Rows, planRow(plan))
		v.Drawing = v.Drawing || plan.State == store.PlanDrawing
	}
	return render(w, r, http.StatusOK, web.PlansPage(s.projectPage(r, project, project.Name+" plans", ui.Crumb{Label: "Plans"}), v))
}

// newPlan is the form, with what it comes to as it stands.
func (s *Server) newPlan(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	form := r.URL.Query()
	if !form.Has("method") {
		form = url.Values{
			"method": {"lowest"}, "share": {"20"}, "control": {"10"}, "by": {"words"}, "edges": {"2, 4, 8"}, "modes": {"blind"},
			"seed": {strconv.FormatInt(store.SmallSeed(), 10)},
		}
	}
	v := typedPlan(project.Slug, form)
	return s.renderNewPlan(w, r, http.StatusOK, project, v)
}

// planHands is for how many labelers the form asks.
const planHands = 3

// typedPlan is the form as it was typed.
func typedPlan(slug string, form url.Values) web.NewPlanView {
	field := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	v := web.NewPlanView{
		Slug: slug, Fields: typedBatch(form), Model: field("model"), By: field("by"), Edges: field("edges"), Method: field("method"), Below: field("below"),
		Share: field("share"), Hours: field("hours"), Control: field("control"), Most: field("most"), Shortest: field("shortest"), Days: field("days"),
		Expiring: field("expiring"), Seed: field("seed"), Modes: make([]string, planHands),
	}
	copy(v.Modes, form["modes"])
	return v
}

// planOf reads the form. What is no number is out of range; what is empty is 0.
func planOf(project int64, v web.NewPlanView) (n store.NewPlan, err error) {
	number := func(text string) float64 {
		if text == "" {
			return 0
		}
		value, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSuffix(text, "%"), ",", "."), 64)
		if err != nil {
			return -1
		}
		return value
	}
	n = store.NewPlan{Project: project, Title: v.Fields.Title, Model: v.Model}
	n.Choice = sampling.Choice{
		By: v.By, Method: sampling.Method(v.Method), Below: number(v.Below), Share: number(v.Share) / 100, Hours: number(v.Hours), Control: number(v.Control) / 100,
		Most: int(number(v.Most)), Shortest: number(v.Shortest), Days: int(number(v.Days)), Expiring: sampling.Expiring(v.Expiring),
	}
	for _, edge := range strings.FieldsFunc(v.Edges, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		n.Choice.Edges = append(n.Choice.Edges, number(edge))
	}
	if n.Choice.Seed, err = strconv.ParseInt(v.Seed, 10, 64); err != nil || n.Choice.Seed == 0 {
		n.Choice.Seed = store.SmallSeed()
	}
	for _, mode := range v.Modes {
		if mode != "" {
			n.Modes = append(n.Modes, mode)
		}
	}
	n.OwnerID, n.Due, err = ownerAndDue(v.Fields)
	return n, err
}

func (s *Server) renderNewPlan(w http.ResponseWriter, r *http.Request, status int, project store.Project, v web.NewPlanView) error {
	models, err := s.Store.PlanModels(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	for _, name := range models {
		v.Models = append(v.Models, ui.Option{Value: name, Label: name})
	}
	if v.Model == "" && len(models) > 0 {
		v.Model = models[0]
	}
	if access.Allows(actorOf(r).Role, access.Import) {
		v.Import = importsPath(project.Slug)
	}
	if v.Fields.Owners, err = s.ownerOptions(r, project.ID); err != nil {
		return err
	}
	if len(models) > 0 && v.Refused == (web.Refusal{}) {
		n, err := planOf(project.ID, v)
		var preview store.PlanPreview
		if err == nil {
			v.Seed = strconv.FormatInt(n.Choice.Seed, 10)
			preview, err = s.Store.PreviewPlan(r.Context(), actorOf(r), n)
		}
		if refused, ok := refusalOf(err); ok {
			v.Refused = refused
		} else if err != nil {
			return err
		} else {
			v.Preview = new(planPreviewView(preview))
		}
	}
	v.Fields.Refused = v.Refused
	page := s.projectPage(r, project, "New plan", ui.Crumb{Label: "Plans", Href: plansPath(project.Slug)}, ui.Crumb{Label: "New plan"})
	return render(w, r, status, web.NewPlanPage(page, v))
}

func (s *Server) drawPlan(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return badRequest("The form could not be read. Load the page again.")
	}
	v := typedPlan(project.Slug, r.PostForm)
	n, err := planOf(project.ID, v)
	var plan store.SamplingPlan
	if err == nil {
		plan, err = s.Store.DrawPlan(r.Context(), actorOf(r), n)
	}
	if refused, ok := refusalOf(err); ok {
		v.Refused = refused
		return s.renderNewPlan(w, r, http.StatusUnprocessableEntity, project, v)
	}
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("Plan %d is being drawn.", plan.Number))
	return seeOther(w, r, planPath(plan.Slug, plan.Number))
}

// askedPlan is the plan that the path names.
func (s *Server) askedPlan(r *http.Request) (store.SamplingPlan, error) {
	number, err := pathID(r, "number")
	if err != nil {
		return store.SamplingPlan{}, err
	}
	return s.Store.Plan(r.Context(), actorOf(r), chi.URLParam(r, "slug"), int(number))
}

func (s *Server) showPlan(w http.ResponseWriter, r *http.Request) error {
	plan, err := s.askedPlan(r)
	if err != nil {
		return err
	}
	project, err := s.project(r)
	if err != nil {
		return err
	}
	path := planPath(plan.Slug, plan.Number)
	v := web.PlanView{SamplingPlanRow: planRow(plan), Slug: plan.Slug, Facts: planFacts(plan), Histogram: histogramView(plan.Histogram, path+"/histogram.csv"), Left: planLeft(plan.Histogram)}
	if v.Chosen, err = s.planChosen(r, plan); err != nil {
		return err
	}
	if access.Allows(actorOf(r).Role, access.EditBatches) && plan.State == store.PlanOpen {
		v.Again = path + "/report"
	}
	if plan.Report != nil {
		if v.Report, err = s.reportView(r, plan); err != nil {
			return err
		}
	}
	page := s.projectPage(r, project, v.Name, ui.Crumb{Label: "Plans", Href: plansPath(plan.Slug)}, ui.Crumb{Label: fmt.Sprintf("Plan %d", plan.Number)})
	return render(w, r, http.StatusOK, web.PlanPage(page, v))
}

func (s *Server) askForReport(w http.ResponseWriter, r *http.Request) error {
	plan, err := s.askedPlan(r)
	if err != nil {
		return err
	}
	err = s.Store.AskForReport(r.Context(), actorOf(r), plan.Slug, plan.Number)
	if refused, ok := refusalOf(err); ok {
		return badRequest(refused.Reason)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The report is being made. Load the page again in a moment.")
	return seeOther(w, r, planPath(plan.Slug, plan.Number)+"#report")
}

func (s *Server) planReportJSON(w http.ResponseWriter, r *http.Request) error {
	plan, err := s.askedPlan(r)
	if err != nil {
		return err
	}
	if plan.Report == nil {
		return store.ErrNotFound
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(plan.Report) // the client has gone; there is no one left to tell
	return nil
}

// planTables are the tables of a plan as files.
func (s *Server) planCSV(w http.ResponseWriter, r *http.Request) error {
	plan, err := s.askedPlan(r)
	if err != nil {
		return err
	}
	name := chi.URLParam(r, "table")
	var rows [][]string
	switch {
	case name == "histogram":
		rows = histogramRows(plan.Histogram)
	case name == "rates" && plan.Report != nil:
		v, err := s.reportView(r, plan)
		if err != nil {
			return err
		}
		rows = rateRows(plan.Report, v)
	case name == "words" && plan.Report != nil:
		terms, err := s.Store.PlanTerms(r.Context(), actorOf(r), plan)
		if err != nil {
			return err
		}
		rows = [][]string{{"words", "size", "times"}}
		for _, t := range terms {
			rows = append(rows, []string{t.Text, strconv.Itoa(t.Size), strconv.Itoa(t.Times)})
		}
	default:
		return store.ErrNotFound
	}
	writeCSV(w, fmt.Sprintf("%s-plan-%d-%s", plan.Slug, plan.Number, name), rows)
	return nil
}
