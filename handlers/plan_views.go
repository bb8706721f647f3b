package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"fiducial/internal/interval"
	"fiducial/internal/sampling"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func planRow(plan store.SamplingPlan) web.SamplingPlanRow {
	row := web.SamplingPlanRow{
		Href: planPath(plan.Slug, plan.Number), Name: planName(plan.Number, plan.Title), Title: plan.Title, Model: plan.Model, State: plan.State, Error: plan.Error,
		Items: plan.Items, Answered: plan.Answered, Decided: plan.Decided, Sound: soundOf(plan.Seconds), By: plan.CreatedBy, At: plan.CreatedAt,
	}
	row.Says = "Utterances are being chosen."
	if plan.State == store.PlanOpen {
		row.Says = choiceSays(plan.Settings.Choice, plan.Histogram)
	}
	if plan.Batch > 0 {
		row.Batch, row.BatchHref = batchName(plan.Batch)+", "+batchWords[plan.BatchDone].word, batchPath(plan.Slug, plan.Batch)
	}
	if plan.Report != nil && plan.Report.Items > 0 {
		row.Said = plan.Report.Sentence
	}
	return row
}

// choiceSays says in a sentence what a choice takes of what there is.
func choiceSays(c sampling.Choice, h store.PlanHistogram) string {
	chosen, all := ui.Number(h.Chosen), ui.Number(h.Items)
	var said string
	switch {
	case h.Items == 0:
		return "Nothing is there to choose from: what this model version heard here is decided, in another batch, or left out below."
	case h.Chosen == 0:
		return "None of " + all + " utterances. Choose a higher confidence, a larger share, or more hours."
	case c.Method == sampling.Below:
		said = fmt.Sprintf("The %s of %s that were heard with a confidence below %s", chosen, all, number(c.Below))
	case c.Method == sampling.Hours:
		said = fmt.Sprintf("The %s least sure of %s, up to %s h of sound", chosen, all, number(c.Hours))
	case c.Method == sampling.Spread:
		said = fmt.Sprintf("%s of %s, the same share of every tenth of confidence", chosen, all)
	default:
		said = fmt.Sprintf("The %s least sure of %s", chosen, all)
	}
	if h.Control > 0 {
		said += fmt.Sprintf(", and %s more at random", ui.Number(h.Control))
	}
	return said + "."
}

// planLeft says what was left out and why.
func planLeft(h store.PlanHistogram) (left []string) {
	if h.Capped > 0 {
		left = append(left, fmt.Sprintf("%s since their source has its number already", ui.Number(h.Capped)))
	}
	if h.Expired > 0 {
		left = append(left, fmt.Sprintf("%s since they go before the work is done", ui.Number(h.Expired)))
	}
	if h.Short > 0 {
		left = append(left, fmt.Sprintf("%s since they are shorter than was asked", ui.Number(h.Short)))
	}
	return left
}

// soundOf is a length of sound for people.
func soundOf(seconds float64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}

func planPreviewView(p store.PlanPreview) web.PlanPreviewView {
	v := web.PlanPreviewView{
		Says: choiceSays(p.Choice, p.PlanHistogram), Sound: soundOf(p.Seconds), Left: planLeft(p.PlanHistogram), Nothing: p.Chosen+p.Control == 0,
		Histogram: histogramView(p.PlanHistogram, ""),
	}
	if p.Unready > 0 {
		v.Left = append(v.Left, fmt.Sprintf("%s that cannot be chosen yet: their recordings have not come, or are still being read", counted(p.Unready, "item", "items")))
	}
	hands := "By one labeler"
	if len(p.Modes) > 1 {
		hands = fmt.Sprintf("By %d labelers each", len(p.Modes))
	}
	if !p.Pace.Known() {
		v.Work = fmt.Sprintf("%s. How long that takes is known once %d answers here were timed.", hands, sampling.PaceLeast)
		return v
	}
	v.Work = fmt.Sprintf("%s: %s of work, at this project's pace of %.1f s for each second of sound, ±%.1f (n %d)",
		hands, workOf(p), p.Pace.Ratio, (p.Pace.High-p.Pace.Low)/2, p.Pace.N)
	return v
}

// workOf is from how much to how much work a plan is; once, where both are written alike.
func workOf(p store.PlanPreview) string {
	_, low, high := p.Work()
	least, most := soundOf(low*3600), soundOf(high*3600)
	if least == most {
		return "about " + most
	}
	return least + " to " + most
}

func histogramView(h store.PlanHistogram, csv string) web.PlanHistogramView {
	v := web.PlanHistogramView{CSV: csv}
	for _, s := range h.Strata {
		stratum := web.PlanStratumView{Name: s.Name, Items: s.Items, Chosen: s.Taken}
		if s.Taken > 0 {
			stratum.UpTo = strconv.FormatFloat(float64(s.UpTo), 'f', 2, 64)
		}
		most := 1
		for _, n := range s.All {
			most = max(most, n)
		}
		for i := range s.All {
			stratum.Control += s.Control[i]
			stratum.Bars = append(stratum.Bars, web.PlanBar{
				From: binEdge(i), To: binEdge(i + 1), All: s.All[i], Chosen: s.Chosen[i], Control: s.Control[i],
				High: 100 * float64(s.All[i]) / float64(most), Is: 100 * float64(s.Chosen[i]) / float64(most), Random: 100 * float64(s.Control[i]) / float64(most),
			})
		}
		v.Strata = append(v.Strata, stratum)
	}
	return v
}

func binEdge(i int) string { return strconv.FormatFloat(float64(i)/sampling.Bins, 'f', 2, 64) }

func histogramRows(h store.PlanHistogram) [][]string {
	rows := [][]string{{"stratum", "from", "to", "all", "chosen", "control"}}
	for _, s := range h.Strata {
		for i := range s.All {
			rows = append(rows, []string{s.Name, binEdge(i), binEdge(i + 1), strconv.Itoa(s.All[i]), strconv.Itoa(s.Chosen[i]), strconv.Itoa(s.Control[i])})
		}
	}
	return rows
}

// planModeWords are what the ways of beginning are called.
var planModeWords = map[string]string{"blind": "from silence", "edit": "from the hypothesis", "reveal": "from silence, then may look"}

func planFacts(plan store.SamplingPlan) []web.ProjectFact {
	c := plan.Settings.Choice
	var hands []string
	for _, mode := range plan.Modes {
		hands = append(hands, planModeWords[mode])
	}
	facts := []web.ProjectFact{{Name: "Model version", Value: plan.Model}, {Name: "Labelers", Value: strings.Join(hands, "; ")}, {Name: "Sound", Value: soundOf(plan.Seconds)}}
	add := func(asked bool, name, value string) {
		if asked {
			facts = append(facts, web.ProjectFact{Name: name, Value: value})
		}
	}
	add(c.Method == sampling.Lowest, "Take", "the least sure "+percent(c.Share)+" of each length")
	add(c.Method == sampling.Spread, "Take", percent(c.Share)+" of every tenth")
	add(c.Method == sampling.Below, "Take", "below "+number(c.Below))
	add(c.Method == sampling.Hours, "Take", "the least sure "+number(c.Hours)+" h")
	add(c.Control > 0, "Control", percent(c.Control)+" of the chosen")
	add(c.Shortest > 0, "No shorter than", number(c.Shortest)+" "+c.By)
	add(c.Most > 0, "Of one source", "at most "+ui.Number(c.Most))
	add(c.Expiring == sampling.LeaveExpiring, "What goes", fmt.Sprintf("within %d days is left out", c.Days))
	add(c.Expiring == sampling.ExpiringFirst, "What goes", fmt.Sprintf("within %d days comes first", c.Days))
	add(true, "Seed", strconv.FormatInt(c.Seed, 10))
	return facts
}

func wordRateView(name string, r sampling.Rate) web.WordRateView {
	v := web.WordRateView{Name: name, Items: r.Items, Words: r.Words}
	if r.Defined() {
		v.Value, v.Level = figure(r.WER), 100*min(r.WER, 1)
	}
	if r.Sure() {
		v.Margin, v.Low, v.High = figure(r.Margin()), 100*min(*r.Low, 1), 100*min(*r.High, 1)
	}
	return v
}

// reportView is a plan's report with the names of what it counts by.
func (s *Server) reportView(r *http.Request, plan store.SamplingPlan) (*web.PlanReportView, error) {
	report, path := plan.Report, planPath(plan.Slug, plan.Number)
	v := &web.PlanReportView{
		Items: report.Items, Of: report.Of, Sound: soundOf(report.Seconds), Normalizer: report.Normalizer, Sentence: report.Sentence,
		RatesCSV: path + "/rates.csv", WordsCSV: path + "/words.csv", JSON: path + "/report.json", Fewest: interval.Fewest,
	}
	if plan.Reported != nil {
		v.At = *plan.Reported
	}
	v.Arms = []web.WordRateView{wordRateView("all", report.All), wordRateView("chosen", report.Chosen), wordRateView("control", report.Control)}
	for i, q := range report.Quarters {
		v.Quarters = append(v.Quarters, wordRateView([]string{"the least sure", "second", "third", "the surest"}[i], q))
	}
	for _, d := range report.Deciles {
		v.Deciles = append(v.Deciles, wordRateView(strconv.FormatInt(d.Of, 10), d))
	}
	for _, d := range report.Strata {
		v.Strata = append(v.Strata, wordRateView(plan.Settings.StratumName(int(d.Of)), d))
	}
	for _, m := range report.Models {
		v.Models = append(v.Models, wordRateView(m.Model, m.All))
	}
	var ids []int64
	for _, d := range report.Sources {
		ids = append(ids, d.Of)
	}
	names, err := s.Store.SourceNames(r.Context(), actorOf(r), ids)
	if err != nil {
		return nil, err
	}
	for _, d := range report.Sources {
		v.Sources = append(v.Sources, wordRateView(names[d.Of], d))
	}
	v.Terms, err = s.planTerms(r, plan)
	return v, err
}

func (s *Server) planTerms(r *http.Request, plan store.SamplingPlan) ([]web.PlanTermsView, error) {
	terms, err := s.Store.PlanTerms(r.Context(), actorOf(r), plan)
	if err != nil {
		return nil, err
	}
	views := make([]web.PlanTermsView, sampling.LongestTerm)
	for i, name := range []string{"new word", "new pair", "new triple"} {
		views[i] = web.PlanTermsView{Name: name, New: plan.Report.New[i], Times: plan.Report.Times[i]}
	}
	for _, t := range terms {
		views[t.Size-1].List = append(views[t.Size-1].List, web.PlanTermView{Text: t.Text, Times: t.Times})
	}
	return views, nil
}

// tilesOfPlan is how many utterances a plan's page shows of what it chose.
const tilesOfPlan = 24

// planChosen are tiles of what a plan chose, the least sure first.
func (s *Server) planChosen(r *http.Request, plan store.SamplingPlan) ([]web.PlanTile, error) {
	chosen, err := s.Store.PlanChosen(r.Context(), actorOf(r), plan, tilesOfPlan)
	if err != nil {
		return nil, err
	}
	lines := make([]store.ItemLine, len(chosen))
	for i, c := range chosen {
		lines[i] = c.ItemLine
	}
	tiles := make([]web.PlanTile, len(chosen))
	for i, thumb := range s.itemThumbs(r, lines) {
		tiles[i] = web.PlanTile{ItemThumb: thumb, Sure: strconv.FormatFloat(float64(chosen[i].Confidence), 'f', 2, 64), Control: chosen[i].Control}
	}
	return tiles, nil
}

// rateRows is every rate of a report as a table.
func rateRows(report *store.PlanReport, v *web.PlanReportView) [][]string {
	rows := [][]string{{"by", "of", "wer", "low", "high", "utterances", "words", "errors"}}
	add := func(by string, views []web.WordRateView, rates []sampling.Rate) {
		for i, r := range rates {
			cells := []string{by, views[i].Name, "", "", ""}
			if r.Defined() {
				cells[2] = exact(r.WER)
			}
			if r.Sure() {
				cells[3], cells[4] = exact(*r.Low), exact(*r.High)
			}
			rows = append(rows, append(cells, strconv.Itoa(r.Items), strconv.Itoa(r.Words), strconv.Itoa(r.Errors)))
		}
	}
	add("arm", v.Arms, []sampling.Rate{report.All, report.Chosen, report.Control})
	add("quarter", v.Quarters, report.Quarters)
	add("tenth", v.Deciles, report.Deciles)
	add("length", v.Strata, report.Strata)
	add("source", v.Sources, report.Sources)
	models := make([]sampling.Rate, len(report.Models))
	for i, m := range report.Models {
		models[i] = m.All
	}
	add("model", v.Models, models)
	return rows
}
