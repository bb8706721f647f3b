package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/internal/models"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	runsOnPage   = 50
	missesOnPage = 100
)

func (s *Server) evaluationRoutes(r router) {
	const one = evaluationsPath + "/{evaluation}"
	r.get(evaluationsPath, access.ReadEvaluations, s.listEvaluations)
	r.post(evaluationsPath, access.RunEvaluations, s.startEvaluation)
	r.get(evaluationsPath+"/new", access.RunEvaluations, s.newEvaluation)
	r.get(one, access.ReadEvaluations, s.showEvaluation)
	r.post(one+"/cancel", access.RunEvaluations, s.cancelEvaluation)
	r.post(one+"/retry", access.RunEvaluations, s.retryEvaluation)
	r.get(one+"/failures", access.ReadItems, s.listMissingAnswers)
	r.get(one+"/launches/{launch}.txt", access.ReadItems, s.launchLog)
	s.chainRoutes(r)
}

func runHref(id int64) string { return fmt.Sprintf("%s/%d", evaluationsPath, id) }

func (s *Server) listEvaluations(w http.ResponseWriter, r *http.Request) error {
	before, err := cursorID(r.URL.Query().Get("before"))
	if err != nil {
		return err
	}
	chains, err := s.Store.Chains(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	runs, err := s.Store.Evaluations(r.Context(), actorOf(r), store.EvaluationQuery{Before: before, Limit: runsOnPage + 1})
	if err != nil {
		return err
	}
	v := web.EvaluationsView{Path: evaluationsPath}
	if before != 0 {
		v.Path = fmt.Sprintf("%s?before=%d", evaluationsPath, before)
	}
	for _, c := range chains {
		v.Chains = append(v.Chains, chainRow(c))
	}
	if len(runs) > runsOnPage {
		runs = runs[:runsOnPage]
		v.Older = fmt.Sprintf("%s?before=%d", evaluationsPath, runs[runsOnPage-1].ID)
	}
	for i := range runs {
		v.Rows = append(v.Rows, evaluationRow(&runs[i]))
		v.Open = v.Open || runs[i].Open()
	}
	if actorOf(r).Allowed(access.RunEvaluations) {
		v.Start = evaluationsPath + "/new"
	}
	if actorOf(r).Allowed(access.EditChains) {
		v.NewChain = chainsPath + "/new"
	}
	return render(w, r, http.StatusOK, web.EvaluationsPage(s.page(r, "Evaluations", ui.Crumb{Label: "Evaluations"}), v))
}

func chainRow(c store.Chain) web.ChainRow {
	row := web.ChainRow{
		Href: chainHref(c.ID), Matrix: matrixHref(c.ID), Name: c.Name, Slots: slotsSay(c.Slots), Baseline: strings.Join(c.Baseline, " → "), Runs: c.Runs,
	}
	if c.LastRun != nil {
		row.LastRun = *c.LastRun
	}
	return row
}

// slotsSay names the kinds of models that follow each other.
func slotsSay(slots []string) string {
	words := make([]string, len(slots))
	for i, slot := range slots {
		words[i] = web.KindName(slot)
	}
	return strings.Join(words, " → ")
}

// startedSays says who, or what, started a run.
func startedSays(e *store.Evaluation) string {
	switch {
	case e.StartedBy == "schedule":
		return "by its schedule"
	case e.StartedBy == "release":
		return "on a release"
	case e.CreatedBy != "":
		return "by " + e.CreatedBy
	}
	return "by a program"
}

func evaluationRow(e *store.Evaluation) web.EvaluationRow {
	return web.EvaluationRow{
		ID: e.ID, Href: runHref(e.ID), Title: e.Title, Chain: e.Chain, Matrix: matrixHref(e.ChainID), Versions: e.Versions, State: e.State,
		Answered: e.Answered(), Items: e.Items, Failed: e.Failed, By: startedSays(e), At: e.CreatedAt,
	}
}

func (s *Server) newEvaluation(w http.ResponseWriter, r *http.Request) error {
	return s.renderNewEvaluation(w, r, http.StatusOK, r.URL.Query(), web.Refusal{})
}

// renderNewEvaluation shows the form as it was filled in.
func (s *Server) renderNewEvaluation(w http.ResponseWriter, r *http.Request, status int, form url.Values, refused web.Refusal) error {
	chains, err := s.Store.Chains(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	v := web.NewEvaluationView{
		Chain: form.Get("chain"), Split: orElse(form.Get("split"), "test"), Labels: orElse(form.Get("labels"), "frozen"),
		Normalizer: orElse(form.Get("normalizer"), speech.DefaultNormalizer), Title: form.Get("title"), Refused: refused,
	}
	if actorOf(r).Allowed(access.EditChains) {
		v.NewChain = chainsPath + "/new"
	}
	for _, n := range speech.NormalizerNames() {
		v.Normalizers = append(v.Normalizers, ui.Option{Value: n, Label: "as by " + n})
	}
	for _, c := range chains {
		v.Chains = append(v.Chains, ui.Option{Value: strconv.FormatInt(c.ID, 10), Label: c.Name})
	}
	at := slices.IndexFunc(chains, func(c store.Chain) bool { return strconv.FormatInt(c.ID, 10) == v.Chain })
	if at < 0 && len(chains) > 0 {
		at, v.Chain = 0, v.Chains[0].Value
	}
	if at >= 0 {
		if v.Slots, err = s.slotChoices(r, chains[at], form); err != nil {
			return err
		}
		if v.Versions, err = s.versionChoices(r, chains[at], form); err != nil {
			return err
		}
	}
	return render(w, r, status, web.NewEvaluationPage(s.page(r, "Start an evaluation", evaluationsCrumb, ui.Crumb{Label: "Start"}), v))
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// slotChoices are the versions that each slot of a chain can have, the newest first.
func (s *Server) slotChoices(r *http.Request, chain store.Chain, form url.Values) ([]web.EvaluationSlot, error) {
	registered, err := s.Store.Models(r.Context(), actorOf(r))
	if err != nil {
		return nil, err
	}
	slots := make([]web.EvaluationSlot, 0, len(chain.Slots))
	for i, kind := range chain.Slots {
		slot := web.EvaluationSlot{Number: i, Kind: kind}
		if baselines := form["baseline"]; i < len(baselines) {
			slot.Baseline = baselines[i]
		} else if i < len(chain.Baseline) {
			slot.Baseline = chain.Baseline[i]
		}
		chosen := form[fmt.Sprintf("models-%d", i)]
		add := func(name, note string) {
			slot.Versions = append(slot.Versions, web.EvaluationChoice{Name: name, Note: note, Chosen: slices.Contains(chosen, name)})
		}
		for _, m := range registered {
			if m.Kind != kind {
				continue
			}
			for _, version := range slices.Backward(m.Versions) {
				add(m.Name+"@"+version, "")
			}
		}
		if kind == "asr" || kind == "formatting" {
			add(store.Reference, "the words of the truth, so that what follows is measured without errors of hearing")
		}
		slots = append(slots, slot)
	}
	return slots, nil
}

// versionChoices are the frozen dataset versions that a chain can be measured with: of each dataset the newest, and what is chosen.
func (s *Server) versionChoices(r *http.Request, chain store.Chain, form url.Values) ([]web.EvaluationChoice, error) {
	kind := "audio"
	if chain.Slots[0] == "detector" {
		kind = "image"
	}
	newest, err := s.Store.Datasets(r.Context(), actorOf(r), "", datasetsOnPage)
	if err != nil {
		return nil, err
	}
	var choices []web.EvaluationChoice
	for _, n := range newest {
		if n.Kind != kind {
			continue
		}
		versions, err := s.Store.DatasetVersions(r.Context(), actorOf(r), n.Dataset)
		if err != nil {
			return nil, err
		}
		for _, v := range versions[:min(len(versions), 3)] {
			name := fmt.Sprintf("%s@%d", v.Dataset, v.Number)
			if v.State == store.VersionFrozen {
				choices = append(choices, web.EvaluationChoice{Name: name, Note: ui.Number(v.Lines) + " lines", Chosen: slices.Contains(form["versions"], name)})
			}
		}
	}
	return choices, nil
}

func (s *Server) startEvaluation(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badRequest("The form could not be read. Load the page again.")
	}
	form := r.PostForm
	chainID, err := strconv.ParseInt(form.Get("chain"), 10, 64)
	if err != nil {
		return s.renderNewEvaluation(w, r, http.StatusUnprocessableEntity, form, web.Refusal{Field: "chain", Reason: "Choose a chain first."})
	}
	chain, err := s.Store.Chain(r.Context(), actorOf(r), chainID)
	if err != nil {
		return err
	}
	request := store.EvaluationRequest{
		Chain: chain.Name, Versions: form["versions"], Split: form.Get("split"), Normalizer: form.Get("normalizer"), Labels: form.Get("labels"),
		Title: form.Get("title"), Baseline: form["baseline"], StartedBy: "page",
	}
	for i := range chain.Slots {
		request.Models = append(request.Models, form[fmt.Sprintf("models-%d", i)])
	}
	id, err := s.Store.StartEvaluation(r.Context(), actorOf(r), request)
	if refused, ok := refusalOf(err); ok {
		return s.renderNewEvaluation(w, r, http.StatusUnprocessableEntity, form, refused)
	}
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("Run %d is under way.", id))
	return seeOther(w, r, runHref(id))
}

// askedEvaluation is the run that the path names.
func (s *Server) askedEvaluation(r *http.Request) (store.Evaluation, error) {
	return asked(r, "evaluation", s.Store.Evaluation)
}

func (s *Server) showEvaluation(w http.ResponseWriter, r *http.Request) error {
	e, err := s.askedEvaluation(r)
	if err != nil {
		return err
	}
	v := web.EvaluationView{EvaluationRow: evaluationRow(&e), Error: e.Error, Path: runHref(e.ID), Open: e.Open(), Reused: e.Reused, Facts: evaluationFacts(&e)}
	if actorOf(r).Allowed(access.RunEvaluations) {
		switch {
		case e.Open():
			v.Cancel = v.Path + "/cancel"
		case e.State == store.EvaluationFailed || e.State == store.EvaluationDone && e.Failed > 0:
			v.Retry = v.Path + "/retry"
		}
	}
	if actorOf(r).Allowed(access.ReadItems) {
		v.Failures = v.Path + "/failures"
	}
	if err := s.fillEvaluation(r, e, &v); err != nil {
		return err
	}
	sendings, err := s.Store.RunSendings(r.Context(), e)
	if err != nil {
		return err
	}
	v.Sendings = sendingViews(sendings, false)
	name := fmt.Sprintf("Run %d", e.ID)
	return render(w, r, http.StatusOK, web.EvaluationPage(s.page(r, name, evaluationsCrumb, ui.Crumb{Label: name}), v))
}

func evaluationFacts(e *store.Evaluation) [][2]string {
	labels := "of the version"
	if e.Labels == "today" {
		labels = "of today"
	}
	facts := [][2]string{{"Datasets", strings.Join(e.Versions, ", ")}, {"Split", e.Split}, {"Labels", labels}, {"Words compared", "as by " + e.Normalizer}}
	if len(e.Baseline) > 0 {
		facts = append(facts, [2]string{"Baseline", pathName(e.Baseline)})
	}
	facts = append(facts, [2]string{"Answered", fmt.Sprintf("%s of %s, %s of them known before", ui.Number(e.Answered()), ui.Number(e.Items), ui.Number(e.Reused))})
	if e.Workflow != "" {
		facts = append(facts, [2]string{"Workflow", e.Workflow})
	}
	return facts
}

// fillEvaluation adds the steps, the figures and the servers of a run.
func (s *Server) fillEvaluation(r *http.Request, e store.Evaluation, v *web.EvaluationView) error {
	steps, err := s.Store.EvaluationSteps(r.Context(), e)
	if err != nil {
		return err
	}
	failures, err := s.Store.EvaluationFailureCounts(r.Context(), e)
	if err != nil {
		return err
	}
	for _, step := range steps {
		view := web.EvaluationStepView{
			Version: step.Version, Models: pathName(step.Models), State: step.State, Items: step.Items, Done: step.Done, Reused: step.Reused, Failed: step.Failed,
		}
		if step.Cell != 0 {
			view.Cell = cellHref(step.Cell)
		}
		for _, f := range failures {
			if f.Step == step.ID {
				view.Failures = append(view.Failures, web.EvaluationFailureSum{Items: f.Items, Code: faultSays(f.Reason, f.Status), Says: models.Sentence(f.Reason)})
			}
		}
		v.Steps = append(v.Steps, view)
	}
	if err := s.fillCells(r, e, v); err != nil {
		return err
	}
	launches, err := s.Store.ModelLaunches(r.Context(), e)
	if err != nil {
		return err
	}
	for _, l := range launches {
		view := web.EvaluationLaunchView{Model: l.Model, State: l.State, Error: l.Error, At: l.StartedAt}
		if l.LogBytes > 0 && v.Failures != "" {
			view.Log = fmt.Sprintf("%s/launches/%d.txt", v.Path, l.ID)
		}
		v.Launches = append(v.Launches, view)
	}
	return nil
}

// faultSays names a reason, with the status of the server's answer.
func faultSays(reason string, status int) string {
	if status != 0 {
		return fmt.Sprintf("%s %d", reason, status)
	}
	return reason
}

func (s *Server) fillCells(r *http.Request, e store.Evaluation, v *web.EvaluationView) error {
	chain, err := s.Store.Chain(r.Context(), actorOf(r), e.ChainID)
	if err != nil {
		return err
	}
	cells, err := s.Store.Cells(r.Context(), actorOf(r), store.CellQuery{Evaluation: e.ID})
	if err != nil {
		return err
	}
	for i := range cells {
		c := &cells[i]
		view := web.EvaluationCellView{
			Href: cellHref(c.ID), Version: c.VersionName(), Models: pathName(c.Models), Measure: measureWord(c.Measure), Value: shown(c.Value),
			Interval: intervalWords(c.Low, c.High), Items: c.Items - c.Failed, Stale: len(c.Stale.Models) > 0 || c.Stale.Erased > 0,
			Baseline: len(e.Baseline) >= len(c.Models) && slices.Equal(c.Models, e.Baseline[:len(c.Models)]),
		}
		if d := c.Difference; d != nil && d.Value != nil && !view.Baseline { // another run may have compared it with something else
			view.Difference, view.Margin = signed(*d.Value), marginOf(d.Low, d.High)
			view.Tone, view.Verdict = runVerdict(c, chain.AlertDrop)
		}
		v.Cells = append(v.Cells, view)
	}
	return nil
}

// runVerdict says what a difference to the baseline is worth.
func runVerdict(c *store.Cell, limit float64) (ui.Tone, string) {
	switch d := c.Difference; {
	case c.Dropped(limit):
		return ui.Bad, "really worse"
	case d.Low == nil || d.High == nil:
		return ui.Neutral, tooFew
	case !d.Real():
		return ui.Neutral, "within noise"
	case d.Better:
		return ui.OK, "better"
	default:
		return ui.Warn, "worse, within the limit"
	}
}

func (s *Server) cancelEvaluation(w http.ResponseWriter, r *http.Request) error {
	return s.changeEvaluation(w, r, "It is stopped. What was answered stays.", s.Store.CancelEvaluation)
}

func (s *Server) retryEvaluation(w http.ResponseWriter, r *http.Request) error {
	return s.changeEvaluation(w, r, "What failed is tried again.", s.Store.RetryEvaluation)
}

func (s *Server) changeEvaluation(w http.ResponseWriter, r *http.Request, said string, change func(ctx context.Context, actor store.Actor, id int64) error) error {
	id, err := pathID(r, "evaluation")
	if err != nil {
		return err
	}
	err = change(r.Context(), actorOf(r), id)
	if refused, ok := refusalOf(err); ok {
		return badRequest(refused.Reason)
	}
	if err != nil {
		return err
	}
	s.flash(r, said)
	return seeOther(w, r, runHref(id))
}

func (s *Server) listMissingAnswers(w http.ResponseWriter, r *http.Request) error {
	e, err := s.askedEvaluation(r)
	if err != nil {
		return err
	}
	step, item, err := failureCursor(r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	failures, err := s.Store.EvaluationFailures(r.Context(), actorOf(r), e.ID, store.FailureQuery{AfterStep: step, AfterItem: item, Limit: missesOnPage + 1})
	if err != nil {
		return err
	}
	v := web.MissingAnswersView{ID: e.ID, Back: runHref(e.ID)}
	if len(failures) > missesOnPage {
		failures = failures[:missesOnPage]
		last := failures[missesOnPage-1]
		v.Older = fmt.Sprintf("%s/failures?after=%d-%d", v.Back, last.Step, last.Item)
	}
	for _, f := range failures {
		v.Rows = append(v.Rows, web.MissingAnswerRow{
			Item: f.Item, Href: fmt.Sprintf("/items/%d", f.Item), Version: f.Version, Models: strings.Join(f.Models, " → "), Code: faultSays(f.Reason, f.Status),
			Says: models.Sentence(f.Reason), Attempts: f.Attempts, At: f.At,
		})
	}
	page := s.page(r, "Without an answer", evaluationsCrumb, ui.Crumb{Label: fmt.Sprintf("Run %d", e.ID), Href: v.Back}, ui.Crumb{Label: "Without an answer"})
	return render(w, r, http.StatusOK, web.MissingAnswersPage(page, v))
}

func (s *Server) launchLog(w http.ResponseWriter, r *http.Request) error {
	evaluation, err := pathID(r, "evaluation")
	if err != nil {
		return err
	}
	launch, err := pathID(r, "launch")
	if err != nil {
		return err
	}
	written, err := s.Store.LaunchLog(r.Context(), actorOf(r), evaluation, launch)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(written) //nolint:gosec // plain text, and no browser takes it for anything else; the client may have gone
	return nil
}
