package handlers

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/agreement"
	"fiducial/store"
	"fiducial/web"
)

// findingWords are what the findings of internal/agreement are called on pages.
var findingWords = map[string]string{
	"agreed": "all alike", "missed": "missed by some", "class": "classes differ", "loose": "loose boxes", "split": "needs splitting",
	"words": "words differ",
}

// findingWord is what a finding is called in a project of this kind.
func findingWord(finding, kind string) string {
	if kind == "audio" && finding == string(agreement.Loose) {
		return "times differ"
	}
	return findingWords[finding]
}

// figure writes a measure to three places.
func figure(v float64) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', 3, 64), "-", "−", 1)
}

// setting writes a score or a share as it was typed; nil is empty.
func setting(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func rulesForm(r store.AgreementRules) web.RulesFormView {
	return web.RulesFormView{
		LooseLimit: setting(&r.LooseLimit), AcceptAbove: setting(r.AcceptAbove), LookShare: setting(&r.LookShare),
		AskBelow: setting(r.AskBelow), OverlapMost: strconv.Itoa(r.OverlapMost),
	}
}

// typedRules are a project's rules as they were typed.
func typedRules(r *http.Request) web.RulesFormView {
	return web.RulesFormView{
		LooseLimit: r.PostFormValue("loose_limit"), AcceptAbove: r.PostFormValue("accept_above"), LookShare: r.PostFormValue("look_share"),
		AskBelow: r.PostFormValue("ask_below"), OverlapMost: r.PostFormValue("overlap_most"),
	}
}

// rulesOf reads typed rules; a number that is none is out of range. A form without them leaves them as they are.
func rulesOf(v web.RulesFormView) *store.AgreementRules {
	if v == (web.RulesFormView{}) {
		return nil
	}
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(text), ",", "."), 64)
		if err != nil {
			return math.NaN()
		}
		return n
	}
	score := func(text string) *float64 {
		if strings.TrimSpace(text) == "" {
			return nil
		}
		return new(number(text))
	}
	rules := store.AgreementRules{
		LooseLimit: number(v.LooseLimit), AcceptAbove: score(v.AcceptAbove), LookShare: number(v.LookShare), AskBelow: score(v.AskBelow), OverlapMost: -1,
	}
	if n, err := strconv.Atoi(strings.TrimSpace(v.OverlapMost)); err == nil {
		rules.OverlapMost = n
	}
	return &rules
}

// rulesText says in a sentence what becomes of answers that agree.
func rulesText(r store.AgreementRules) string {
	said := "a reviewer decides everything"
	if r.AcceptAbove != nil {
		said = fmt.Sprintf("accepted from a score of %s, but for a share of %s", setting(r.AcceptAbove), setting(&r.LookShare))
	}
	if r.AskBelow != nil {
		said += fmt.Sprintf("; below %s another labeler is asked, up to %d answers", setting(r.AskBelow), r.OverlapMost)
	}
	return said
}

// confusedShown is how many pairs of classes the page names.
const confusedShown = 6

// agreementView fills the page; names says whether items and labelers may be shown.
func agreementView(a askedAgreement, names bool) web.AgreementView {
	v := web.AgreementView{
		Name: a.project.Name, Paused: a.project.Paused, ComputedAt: a.ComputedAt, Items: a.Items, Compared: a.Compared, Decided: a.Decided, NamesItems: names,
		Rounds: roundLinks(a),
	}
	if !a.found {
		return v
	}
	refs := classRefs(a.classes)
	v.Sound = a.project.Kind == "audio"
	if v.Sound {
		refs[agreement.NoBox] = web.ClassRef{Name: "no moment", Slot: -1}
	}
	wordAgreement(&v, a, names)
	for _, m := range a.measures() {
		v.Measures = append(v.Measures, web.MeasureView{Name: m.name, Help: m.help, Estimate: estimateView(m.Estimate)})
	}
	for _, f := range agreement.Findings() {
		v.Findings = append(v.Findings, web.FigureView{Name: findingWord(string(f), a.project.Kind), Count: a.Findings[f]})
	}
	v.Scores = scoreBins(a.Histogram)
	for _, c := range a.Classes {
		if c.Class != agreement.NoBox {
			v.Classes = append(v.Classes, web.ClassAgreementView{
				Class: refs.of(c.Class), Votes: estimateView(c.Votes), Truth: estimateView(c.Truth), IoU: estimateView(c.IoU),
			})
		}
	}
	pair := func(one, other int64) string {
		if !names || one == other || one == agreement.NoBox || other == agreement.NoBox {
			return ""
		}
		return pairPath(a.project.Slug, one, other)
	}
	v.Votes = confusionView("Labelers with each other", "what one said", "what another said", a.Votes, refs, pair)
	v.Truth = confusionView("Labelers with the truth", "the truth", "what was said", a.Truth, refs, pair)
	for table, c := range map[string]*web.ConfusionView{"votes": v.Votes, "truth": v.Truth} {
		if c != nil {
			c.CSV = agreementHref(a, "/"+table+".csv")
		}
	}
	for _, c := range a.Confused[:min(len(a.Confused), confusedShown)] {
		v.Confused = append(v.Confused, web.ConfusedView{
			A: refs.of(c.A), B: refs.of(c.B), Votes: estimateView(c.Votes), Truth: estimateView(c.Truth), Href: pair(c.A, c.B),
		})
	}
	if names {
		v.ItemsHref = agreementPath(a.project) + "/items"
		namedAgreement(&v, a, refs)
	}
	return v
}

// wordMeasures are how far words agree; none of pictures.
func (a askedAgreement) wordMeasures() []measure {
	if a.Words == nil {
		return nil
	}
	return []measure{
		{"wer", "Between labelers", "all errors over the mean number of words", a.Words.Corpus},
		{"wer_mean", "Mean of the items", "each item counts the same, however long it is", a.Words.Mean},
		{"wer_truth", "Beside the truth", "errors over the words of the truth", a.Words.Truth},
		{"same_words", "Items with the same words", "in all answers, in per cent", a.Words.Same},
	}
}

// wordAgreement fills in how far words agree.
func wordAgreement(v *web.AgreementView, a askedAgreement, names bool) {
	for _, m := range a.wordMeasures() {
		v.Words = append(v.Words, web.MeasureView{Name: m.name, Help: m.help, Estimate: percentView(m.Estimate)})
	}
	if a.Words == nil || !names {
		return
	}
	for _, l := range a.Words.Labelers {
		v.WordLabelers = append(v.WordLabelers, web.LabelerWordsView{Name: a.Names[l.Labeler], Others: percentView(l.Others), Truth: percentView(l.Truth)})
	}
	for _, p := range a.Words.Pairs {
		v.WordPairs = append(v.WordPairs, web.LabelerWordsView{Name: a.Names[p.One] + " and " + a.Names[p.Two], Others: percentView(p.Rate)})
	}
}

// percentView is an estimate in per cent.
func percentView(e agreement.Estimate) web.EstimateView {
	v := web.EstimateView{N: e.N}
	if !e.Defined {
		return v
	}
	percent := func(x float64) string { return strconv.FormatFloat(100*x, 'f', 1, 64) }
	v.Value = percent(e.Value) + " %"
	if e.Low != e.High {
		v.Low, v.High = percent(e.Low), percent(e.High)
	}
	return v
}

// namedAgreement fills in what names labelers and items.
func namedAgreement(v *web.AgreementView, a askedAgreement, refs classNames) {
	for _, l := range a.Labelers {
		v.Labelers = append(v.Labelers, web.LabelerAgreementView{
			Name: a.Names[l.Labeler], Answers: l.Answers, Others: estimateView(l.Others), Truth: estimateView(l.Truth), IoU: estimateView(l.OthersIoU),
			Accuracy: reliability(a, l),
		})
	}
	for _, p := range a.Pairs {
		v.Pairs = append(v.Pairs, web.LabelerPairView{
			One: a.Names[p.One], Two: a.Names[p.Two], Kappa: estimateView(p.Kappa), Share: estimateView(p.Share), IoU: estimateView(p.IoU),
		})
	}
	for _, d := range a.Differ {
		v.Differ = append(v.Differ, web.DifferenceView{
			Item: cmp.Or(d.Name, fmt.Sprintf("Item %d", d.Item)), Href: reviewHref(d.Item), Majority: refs.of(d.Majority), Likely: refs.of(d.Likely),
			Probability: figure(d.Probability), Tied: d.Tied,
		})
	}
}

// reliability is a labeler's, where there are several answers to weigh.
func reliability(a askedAgreement, l agreement.LabelerSummary) string {
	if a.Compared == 0 {
		return "–"
	}
	return figure(l.Accuracy)
}

// agreementHref is an address below the agreement that a page shows, of the same round.
func agreementHref(a askedAgreement, below string) string {
	href := agreementPath(a.project) + below
	if a.round != 0 {
		href += "?" + url.Values{"round": {strconv.Itoa(a.round)}}.Encode()
	}
	return href
}

func roundLinks(a askedAgreement) []web.RoundLinkView {
	links := []web.RoundLinkView{{Label: "All items", Href: agreementPath(a.project), Current: a.round == 0}}
	for _, r := range a.rounds {
		one := a
		one.round = r.Number
		links = append(links, web.RoundLinkView{Label: fmt.Sprintf("Round %d", r.Number), Href: agreementHref(one, ""), Current: r.Number == a.round})
	}
	return links
}

// measure is a figure of the whole with what it is called.
type measure struct {
	key, name, help string
	agreement.Estimate
}

func (a askedAgreement) measures() []measure {
	fit, fits := "Mean IoU", "of two labelers’ boxes round the same object"
	if a.project.Kind == "audio" {
		fit, fits = "Mean overlap", "of two labelers’ moments at the same time"
		if a.Objects == 0 {
			return []measure{{"score", "Mean score", "of the items that several answered", a.Score}}
		}
	}
	return []measure{
		{"alpha", "Krippendorff’s alpha", "1 for always the same, 0 for no more than chance", a.Alpha},
		{"fleiss", "Fleiss’ kappa", "1 for always the same, 0 for no more than chance", a.Fleiss},
		{"cohen", "Cohen’s kappa, mean", "of all pairs of labelers", a.Cohen},
		{"iou", fit, fits, a.IoU},
		{"score", "Mean score", "of the items that several answered", a.Score},
	}
}

func estimateView(e agreement.Estimate) web.EstimateView {
	v := web.EstimateView{N: e.N}
	if !e.Defined {
		return v
	}
	v.Value = figure(e.Value)
	if e.Low != e.High {
		v.Low, v.High = figure(e.Low), figure(e.High)
	}
	return v
}

func scoreBins(histogram []int) (bins []web.ScoreBinView) {
	most := max(1, slices.Max(append(slices.Clone(histogram), 0)))
	for i, n := range slices.Backward(histogram) {
		tenth := func(n int) string { return strconv.FormatFloat(float64(n)/float64(len(histogram)), 'f', 1, 64) }
		bins = append(bins, web.ScoreBinView{From: tenth(i), To: tenth(i + 1), Items: n, Share: n * 100 / most})
	}
	return bins
}

// classNames are what classes are called on pages.
type classNames map[int64]web.ClassRef

func classRefs(classes []store.Class) classNames {
	refs := classNames{agreement.NoBox: {Name: "no box", Slot: -1}}
	for _, c := range classes {
		refs[c.ID] = web.ClassRef{Name: c.Name, Slot: c.Slot}
	}
	return refs
}

func (n classNames) of(class int64) web.ClassRef {
	if ref, ok := n[class]; ok {
		return ref
	}
	return web.ClassRef{Name: fmt.Sprintf("class %d", class), Slot: -1}
}

// confusionView fills a table, or returns nil if nothing met.
func confusionView(title, rows, columns string, c agreement.Confusion, refs classNames, pair func(a, b int64) string) *web.ConfusionView {
	if len(c.Classes) == 0 {
		return nil
	}
	v := &web.ConfusionView{Title: title, Rows: rows, Columns: columns}
	for _, one := range c.Classes {
		v.Classes = append(v.Classes, refs.of(one))
		cells := make([]web.ConfusionCellView, len(c.Classes))
		for j, two := range c.Classes {
			if cell := c.At(one, two); cell.Count > 0 {
				share := percentText(cell.Rate.Value)
				cells[j] = web.ConfusionCellView{
					Share: share, Heat: heat(cell.Rate.Value, one == two), Href: pair(one, two),
					Says: fmt.Sprintf("%s, then %s: %s %%, %d of %d", refs.of(one).Name, refs.of(two).Name, share, cell.Count, cell.Rate.N),
				}
			}
		}
		v.Cells = append(v.Cells, cells)
	}
	return v
}

// percentText writes a share in per cent; one too small to be seen is "<1".
func percentText(share float64) string {
	if share > 0 && share < 0.005 {
		return "<1"
	}
	return strconv.FormatFloat(100*share, 'f', 0, 64)
}

// heat is how strongly a share of a row is shown: as agreement on the diagonal, else as confusion.
func heat(share float64, agreed bool) string {
	steps, kind := []float64{0.02, 0.05, 0.15}, "e"
	if agreed {
		steps, kind = []float64{0.5, 0.75, 0.9}, "d"
	}
	level := 0
	for _, step := range steps {
		if share >= step {
			level++
		}
	}
	return kind + strconv.Itoa(level)
}

// rateOrDash writes a word error rate in per cent.
func rateOrDash(v *float64) string {
	if v == nil {
		return "–"
	}
	return strconv.FormatFloat(100**v, 'f', 1, 64) + " %"
}

func agreementItemView(i store.ItemAgreement, kind string) web.AgreementItemView {
	places := func(v *float64) string {
		if v == nil {
			return "–"
		}
		return figure(*v)
	}
	tone, word := itemState("ready", i.State)
	return web.AgreementItemView{
		Thumb: thumbHref(i.Item, kind), Href: reviewHref(i.Item), Name: i.Name, Tone: tone, State: word, Answers: i.Answers,
		Score: places(i.Score), TruthScore: places(i.TruthScore), IoU: places(i.IoU), WER: rateOrDash(i.WER), TruthWER: rateOrDash(i.TruthWER), Finding: findingWord(i.Worst, kind), Agreed: i.Agreed, Objects: i.Objects,
	}
}
