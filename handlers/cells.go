package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"fiducial/internal/access"
	"fiducial/internal/interval"
	"fiducial/internal/scoring"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) cellRoutes(r router) {
	r.get("/cells/{cell}", access.ReadEvaluations, s.showCell)
	r.get("/cells/{cell}/figures.csv", access.ReadEvaluations, s.cellFiguresCSV)
	r.get("/cells/{cell}/trend", access.ReadEvaluations, s.showCellTrend)
	r.get("/cells/{cell}/trend.csv", access.ReadEvaluations, s.cellTrendCSV)
}

func (s *Server) cellOf(r *http.Request) (store.CellPage, error) {
	return asked(r, "cell", s.Store.CellPage)
}

// cellCrumbs lead from the evaluations through the chain to the cell, and on to last.
func cellCrumbs(c store.CellPage, last ...ui.Crumb) []ui.Crumb {
	crumbs := []ui.Crumb{evaluationsCrumb, {Label: c.ChainName, Href: matrixHref(c.Chain)}, {Label: cellTitle(c), Href: cellHref(c.ID)}}
	return append(crumbs, last...)
}

// cellTitle names what is measured: the last model.
func cellTitle(c store.CellPage) string { return modelName(c.Models[len(c.Models)-1]) }

func (s *Server) showCell(w http.ResponseWriter, r *http.Request) error {
	c, err := s.cellOf(r)
	if err != nil {
		return err
	}
	v := cellView(c, actorOf(r))
	sources, err := s.slicedSources(r, c)
	if err != nil {
		return err
	}
	v.Slices = cellSlices(c, sources)
	trend, err := s.trendView(r, c, store.TrendMeasure{}, cellHref(c.ID))
	if err != nil {
		return err
	}
	if len(trend.Points) > 1 {
		trend.More = trendHref(c.ID)
		v.Trend = &trend
	}
	shares, err := s.attributionView(r, c)
	if err != nil {
		return err
	}
	if shares != nil {
		v.Shares = web.Attribution(*shares)
	}
	return render(w, r, http.StatusOK, web.CellPage(s.page(r, v.Title+" on "+v.Version, cellCrumbs(c)...), v))
}

// cellView is a cell's page, without its trend.
func cellView(c store.CellPage, actor store.Actor) web.CellView {
	reads := actor.Allowed(access.ReadItems)
	v := web.CellView{
		Title: cellTitle(c), Version: fmt.Sprintf("%s@%d", c.Dataset, c.Number), VersionURL: fmt.Sprintf("%s/%s/%d", datasetsPath, c.Dataset, c.Number),
		Figure: web.CellFigureView{Measure: measureWord(c.Measure), Value: shown(c.Value), Items: c.Items - c.Failed, Groups: c.Figures.Groups},
		Reads:  reads, Matrix: matrixHref(c.Chain), Run: fmt.Sprintf("%s/%d", evaluationsPath, c.Evaluation), CSV: cellHref(c.ID) + "/figures.csv", Errors: c.Errors,
		Facts: cellFacts(c), Notes: cellWarnings(c), Against: cellAgainst(c), Measures: cellMeasures(c), Classes: cellClasses(c, reads),
		Calibrated: cellCalibration(c.Figures.Calibration),
	}
	if c.Low != nil && c.High != nil {
		v.Figure.Interval = intervalWords(c.Low, c.High)
	}
	if len(c.Path) > 1 {
		v.Behind = pathName(c.Models[:len(c.Models)-1])
	}
	v.Average = slices.ContainsFunc(c.Figures.Classes, func(one scoring.Class) bool { return one.AP != nil })
	v.Confusion = cellConfusion(c)
	for _, o := range c.Overlaps {
		m := o.Figures.Headline()
		v.Overlaps = append(v.Overlaps, web.CellOverlapView{
			Version: fmt.Sprintf("%s@%d", o.Dataset, o.Number), Href: fmt.Sprintf("%s/%s/%d", datasetsPath, o.Dataset, o.Number), Items: o.Items,
			Value: shown(m.Value), Interval: intervalWords(m.Low, m.High),
		})
	}
	if reads {
		v.ErrorsURL = cellHref(c.ID) + "/items"
		v.LinesCSV = cellHref(c.ID) + "/lines.csv"
	}
	return v
}

func intervalWords(low, high *float64) string {
	if low == nil || high == nil {
		return "–"
	}
	return figure(*low) + " to " + figure(*high)
}

func cellFacts(c store.CellPage) []web.ProjectFact {
	labels := "as frozen"
	if c.Labels == "today" {
		labels = fmt.Sprintf("of today, %d of them others than frozen", c.Relabeled)
	}
	normalizer := c.Normalizer
	if normalizer == "" {
		normalizer = "the product's own"
	}
	facts := []web.ProjectFact{
		{Name: "Combination", Value: pathName(c.Models)}, {Name: "Split", Value: c.Split}, {Name: "Labels", Value: labels},
	}
	if c.Figures.Task == scoring.Speech {
		facts = append(facts, web.ProjectFact{Name: "Normalizer", Value: normalizer})
	}
	return append(facts,
		web.ProjectFact{Name: "Items", Value: ui.Number(c.Items)}, web.ProjectFact{Name: "Groups", Value: ui.Number(c.Figures.Groups)},
		web.ProjectFact{Name: "Without output", Value: ui.Number(c.Failed)}, web.ProjectFact{Name: "Computed", Value: c.ComputedAt.UTC().Format("2 Jan 2006, 15:04 UTC")})
}

// groupsEnough is from how many groups on a bootstrap over them is no longer said to be rough.
const groupsEnough = 10

// cellWarnings say what must be known before the figure is believed.
func cellWarnings(c store.CellPage) (notes []web.CellNoteView) {
	if c.Failed > 0 {
		notes = append(notes, web.CellNoteView{
			Tone: ui.Warn, Title: "Incomplete", Href: fmt.Sprintf("%s/%d", evaluationsPath, c.Evaluation), HrefText: "See why, and try them again.",
			Text: fmt.Sprintf("%d of %d items have no output. They are in none of the figures.", c.Failed, c.Items),
		})
	}
	if len(c.Stale.Models) > 0 {
		notes = append(notes, web.CellNoteView{Tone: ui.Info, Title: "Stale", Text: pathName(c.Stale.Models) + " is asked in another way by now. Run the evaluation again to see what it says today."})
	}
	if c.Stale.Erased > 0 {
		notes = append(notes, web.CellNoteView{
			Tone: ui.Info, Title: "Items were erased since",
			Text: fmt.Sprintf("%d of its items are gone. The figure stays as it was measured; a new run measures what is left.", c.Stale.Erased),
		})
	}
	for _, sibling := range c.Siblings {
		switch {
		case sibling.Labels == "today" && sibling.Relabeled > 0:
			notes = append(notes, web.CellNoteView{
				Tone: ui.Info, Title: "Labels have changed since", Href: cellHref(sibling.ID), HrefText: "With the labels of today.",
				Text: fmt.Sprintf("%d of its lines have another truth by now; with that it would be %s.", sibling.Relabeled, shown(sibling.Value)),
			})
		case sibling.Labels == "frozen":
			notes = append(notes, web.CellNoteView{
				Tone: ui.Info, Title: "With the labels of today", Href: cellHref(sibling.ID), HrefText: "As frozen.",
				Text: fmt.Sprintf("%d lines have another truth than was frozen; with that it was %s.", c.Relabeled, shown(sibling.Value)),
			})
		}
	}
	for _, leaning := range c.Leanings {
		notes = append(notes, leaningNote(c, leaning))
	}
	if groups := c.Figures.Groups; groups > 0 && groups < groupsEnough {
		known := "Intervals of so few are wide, and rough: freeze items of more groups before a close call is believed."
		if groups < interval.Fewest {
			known = fmt.Sprintf("That is too few to say how sure the figure is: freeze items of %d groups at the least.", interval.Fewest)
		}
		notes = append(notes, web.CellNoteView{
			Tone: ui.Info, Title: "From few groups", Text: fmt.Sprintf("Its items come from %s. %s", countedWords(groups, "group", "groups"), known),
		})
	}
	return notes
}

func cellAgainst(c store.CellPage) *web.CellAgainstView {
	if c.Difference == nil || c.Difference.Value == nil || c.Baseline == nil {
		return nil
	}
	d := c.Difference
	v := &web.CellAgainstView{
		Name: pathName(c.Baseline.Models), Href: cellHref(c.Baseline.ID), Value: shown(c.Baseline.Value), Diff: signed(*d.Value), Margin: marginOf(d.Low, d.High),
		Items: d.Items, Gained: d.Gained, Lost: d.Lost, GainedURL: cellHref(c.ID) + "/items?show=gained", LostURL: cellHref(c.ID) + "/items?show=lost",
	}
	if c.Dataset != c.Baseline.Dataset || c.Number != c.Baseline.Number {
		v.Name += fmt.Sprintf(" on %s@%d", c.Baseline.Dataset, c.Baseline.Number)
	}
	v.Tone, v.Word = verdictOf(d)
	if d.Adjusted != nil {
		v.P = probability(*d.Adjusted)
	} else if d.P != nil {
		v.P = probability(*d.P)
	}
	return v
}

// tooFew is the verdict on a difference without an interval.
const tooFew = "too few groups to tell"

func verdictOf(d *store.CellDifference) (tone ui.Tone, word string) {
	switch {
	case d.Low == nil || d.High == nil:
		return ui.Neutral, tooFew
	case !d.Real():
		return ui.Neutral, "within noise"
	case d.Better:
		return ui.OK, "better"
	}
	return ui.Bad, "worse"
}

// probability writes one as small as it can be told.
func probability(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}

func cellMeasures(c store.CellPage) (rows []web.CellMeasureView) {
	baseline := map[string]scoring.Measure{}
	if c.Baseline != nil {
		for _, m := range c.Baseline.Figures.Measures {
			baseline[m.Name] = m
		}
	}
	for _, m := range c.Figures.Measures {
		row := web.CellMeasureView{Name: measureWord(m.Name), Estimate: measureEstimate(m)}
		if b, ok := baseline[m.Name]; ok {
			row.Baseline = shown(b.Value)
		}
		i := slices.IndexFunc(c.Differences, func(d store.CellDifference) bool { return d.Measure == m.Name })
		if i >= 0 && c.Differences[i].Value != nil {
			d := &c.Differences[i]
			row.Diff = signed(*d.Value) + " " + marginOf(d.Low, d.High)
			if d.Real() {
				row.Tone = map[bool]ui.Tone{true: ui.OK, false: ui.Bad}[(*d.Value > 0) == m.HigherIsBetter]
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func measureEstimate(m scoring.Measure) web.EstimateView {
	v := web.EstimateView{N: m.Items}
	if m.Value == nil {
		return v
	}
	v.Value = figure(*m.Value)
	if m.Low != nil && m.High != nil {
		v.Low, v.High = figure(*m.Low), figure(*m.High)
	}
	return v
}
