package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	matrixPath      = "/matrix"
	evaluationsPath = "/evaluations"
	panelsShown     = 3
	panelsAtMost    = 10
)

func (s *Server) matrixRoutes(r router) {
	r.get(matrixPath+"/{chain}", access.ReadEvaluations, s.showMatrix)
	r.get(matrixPath+"/{chain}/cells.csv", access.ReadEvaluations, s.matrixCSV)
}

var evaluationsCrumb = ui.Crumb{Label: "Evaluations", Href: evaluationsPath}

func matrixHref(chain int64) string { return fmt.Sprintf("%s/%d", matrixPath, chain) }

func cellHref(cell int64) string { return fmt.Sprintf("/cells/%d", cell) }

// matrixAsked reads what of a matrix is asked for; what names nothing asks for nothing.
func matrixAsked(r *http.Request) (q store.MatrixPageQuery, err error) {
	if q.Chain, err = pathID(r, "chain"); err != nil {
		return q, err
	}
	query := r.URL.Query()
	q.Versions = panelsShown
	if query.Get("versions") == "all" {
		q.Versions = panelsAtMost
	}
	switch run := query.Get("run"); run {
	case "every":
		q.Every = true
	default:
		q.Run, _ = strconv.ParseInt(run, 10, 64)
		q.Run = max(0, q.Run)
	}
	q.Split, q.Labels, q.Normalizer, q.Unsaid = query.Get("split"), query.Get("labels"), query.Get("normalizer"), !query.Has("normalizer")
	return q, nil
}

func (s *Server) showMatrix(w http.ResponseWriter, r *http.Request) error {
	q, err := matrixAsked(r)
	if err != nil {
		return err
	}
	m, err := s.Store.MatrixPage(r.Context(), actorOf(r), q)
	if err != nil {
		return err
	}
	v := web.MatrixView{
		Title: m.Chain.Name, About: m.Chain.Description, Overview: overviewHref(m.Chain.ID), Choice: matrixChoice(r, m, q), CSV: with(matrixHref(m.Chain.ID)+"/cells.csv", r.URL.Query()),
		Empty: "A cell appears here when a run of this chain has ended.", Panels: matrixPanels(m),
	}
	if m.Run != nil {
		v.About = runWords(m)
		v.Run = fmt.Sprintf("%s/%d", evaluationsPath, m.Run.ID)
		v.Answer = matrixAnswer(m)
	}
	if m.Left > 0 && q.Versions < panelsAtMost {
		v.More, v.Left = with(r.URL.Path, r.URL.Query(), "versions", "all"), m.Left
	}
	if actorOf(r).Allowed(access.RunEvaluations) {
		v.Start = fmt.Sprintf("%s/new?chain=%d", evaluationsPath, m.Chain.ID)
	}
	return render(w, r, http.StatusOK, web.MatrixPage(s.page(r, m.Chain.Name, evaluationsCrumb, ui.Crumb{Label: m.Chain.Name}), v))
}

// startedWords say how a run began.
var startedWords = map[string]string{"page": "by hand", "api": "by a program", "release": "on a release", "schedule": "by its schedule"}

// runWords say which run is shown, and against what.
func runWords(m store.MatrixPage) string {
	said := fmt.Sprintf("Run %d, started %s on %s. Labels ", m.Run.ID, startedWords[m.Run.StartedBy], m.Run.CreatedAt.UTC().Format("2 January 2006, 15:04"))
	if m.Labels == "today" {
		said += "as they are today."
	} else {
		said += "as they were frozen."
	}
	for i := range m.Cells {
		if c := &m.Cells[i]; m.Baseline != nil && slices.Equal(c.Path, m.Baseline) {
			said += " Baseline: " + pathName(c.Models) + "."
			break
		}
	}
	if m.Chain.Description != "" {
		said = m.Chain.Description + " " + said
	}
	return said
}

func matrixChoice(r *http.Request, m store.MatrixPage, q store.MatrixPageQuery) web.MatrixChoiceView {
	v := web.MatrixChoiceView{
		Action: r.URL.Path, Split: m.Split, Labels: m.Labels, Normalizer: m.Normalizer, Versions: r.URL.Query().Get("versions"), Run: strconv.FormatInt(q.Run, 10),
		LabelsOf:   []ui.Option{{Value: "frozen", Label: "as frozen"}, {Value: "today", Label: "of today"}},
		VersionsOf: []ui.Option{{Label: fmt.Sprintf("the newest %d", panelsShown)}, {Value: "all", Label: fmt.Sprintf("up to %d", panelsAtMost)}},
		Runs:       []ui.Option{{Value: "0", Label: "the newest"}, {Value: "every", Label: "all runs together"}},
	}
	if q.Every {
		v.Run = "every"
	}
	for _, run := range m.Runs {
		label := fmt.Sprintf("%d, %s", run.ID, run.CreatedAt.UTC().Format("2 Jan 2006"))
		if run.Title != "" {
			label += ", " + run.Title
		}
		v.Runs = append(v.Runs, ui.Option{Value: strconv.FormatInt(run.ID, 10), Label: label})
	}
	for _, split := range m.Splits {
		v.Splits = append(v.Splits, ui.Option{Value: split, Label: split})
	}
	for _, name := range m.Normalizers {
		label := name
		if name == "" {
			label = "the product's own"
		}
		v.Normalizers = append(v.Normalizers, ui.Option{Value: name, Label: label})
	}
	return v
}

// matrixCSV gives the cells as a file, with every mark in a column.
func (s *Server) matrixCSV(w http.ResponseWriter, r *http.Request) error {
	q, err := matrixAsked(r)
	if err != nil {
		return err
	}
	q.Versions = 0
	m, err := s.Store.MatrixPage(r.Context(), actorOf(r), q)
	if err != nil {
		return err
	}
	rows := [][]string{{
		"dataset_version", "combination", "model", "split", "labels", "normalizer", "measure", "value", "low", "high", "items", "failed", "baseline", "difference",
		"difference_low", "difference_high", "p", "p_adjusted", "real", "better", "gained", "lost", "labels_changed", "erased_since", "asked_otherwise", "leaning", "state", "cell",
	}}
	versions, paths := map[int64]string{}, map[int64]string{}
	for _, v := range m.Versions {
		versions[v.ID] = v.Name()
	}
	for i := range m.Cells {
		paths[m.Cells[i].ID] = strings.Join(m.Cells[i].Models, " ")
	}
	for i := range m.Cells {
		c := &m.Cells[i]
		first := []string{versions[c.Version], strings.Join(c.Models, " "), c.Models[len(c.Models)-1], m.Split, m.Labels, m.Normalizer}
		rows = append(rows, slices.Concat(first, cellColumns(c, paths)))
	}
	writeCSV(w, fmt.Sprintf("chain-%d-matrix", m.Chain.ID), rows)
	return nil
}

// cellColumns are the figures of a cell; paths names the other cells.
func cellColumns(c *store.MatrixCell, paths map[int64]string) []string {
	d := store.CellDifference{}
	baseline, isReal, better, cell := "", "", "", ""
	if c.Difference != nil {
		d = *c.Difference
		baseline, isReal, better = paths[d.Baseline], strconv.FormatBool(d.Real()), strconv.FormatBool(d.Better)
	}
	if c.ID != 0 {
		cell = strconv.FormatInt(c.ID, 10)
	}
	var leaning []string
	for _, flag := range c.Flags {
		leaning = append(leaning, flag.Kind+":"+flag.Model)
	}
	return []string{
		c.Measure, exactly(c.Value), exactly(c.Low), exactly(c.High), strconv.Itoa(c.Items), strconv.Itoa(c.Failed), baseline, exactly(d.Value), exactly(d.Low), exactly(d.High),
		exactly(d.P), exactly(d.Adjusted), isReal, better, strconv.Itoa(d.Gained), strconv.Itoa(d.Lost), strconv.Itoa(c.Changed), strconv.Itoa(c.Stale.Erased),
		strings.Join(c.Stale.Models, " "), strings.Join(leaning, " "), c.State, cell,
	}
}

// exactly writes a number with all its digits; nil is empty.
func exactly(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}
