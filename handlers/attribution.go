package handlers

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/internal/attribution"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) attributionRoutes(r router) {
	r.post("/cells/{cell}/since/{from}", access.RunEvaluations, s.attributeCell)
}

// attributeCell has the difference of a cell to an earlier one divided.
func (s *Server) attributeCell(w http.ResponseWriter, r *http.Request) error {
	cell, err := pathID(r, "cell")
	if err != nil {
		return err
	}
	from, err := pathID(r, "from")
	if err != nil {
		return err
	}
	if err := s.Store.Attribute(r.Context(), actorOf(r), from, cell); err != nil {
		return err
	}
	http.Redirect(w, r, fmt.Sprintf("%s?since=%d", cellHref(cell), from), http.StatusSeeOther)
	return nil
}

// attributionView is how the difference of a cell is divided to the cell that the address names, or to the one before it in its trend. Nil: there is
// none that the actor sees.
func (s *Server) attributionView(r *http.Request, c store.CellPage) (*web.AttributionView, error) {
	from, err := strconv.ParseInt(r.URL.Query().Get("since"), 10, 64)
	if err != nil || from == c.ID {
		if from, err = s.Store.CellBefore(r.Context(), c.ID); err != nil || from == 0 {
			return nil, err
		}
	}
	return s.attributionSince(r, c, from)
}

// attributionSince is how the difference of a cell to another one is divided. Nil: the actor does not see that one.
func (s *Server) attributionSince(r *http.Request, c store.CellPage, from int64) (*web.AttributionView, error) {
	before, err := s.Store.Cell(r.Context(), actorOf(r), from)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // nothing is shown
	}
	if err != nil {
		return nil, err
	}
	v := &web.AttributionView{
		From: pathName(before.Models) + " on " + before.VersionName(), FromHref: cellHref(before.ID), FromValue: shown(before.Value), ToValue: shown(c.Value),
		Measure: measureWord(c.Measure),
	}
	if before.Value != nil && c.Value != nil {
		v.Difference = signed(*c.Value - *before.Value)
	}
	if actorOf(r).Allowed(access.RunEvaluations) {
		v.Action = fmt.Sprintf("%s/since/%d", cellHref(c.ID), before.ID)
	}
	a, err := s.Store.AttributionOf(r.Context(), before.ID, c.ID)
	if errors.Is(err, store.ErrNotFound) {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	v.Waiting, v.Error = a.State == store.AttributionWaiting, a.Error
	if v.Waiting {
		v.Action = ""
	}
	if a.State == store.AttributionDone {
		v.Again = true
		fillParts(v, &a.Parts, before, c.Cell)
		if c.Value == nil || before.Value == nil || a.Parts.From != *before.Value || a.Parts.To != *c.Value {
			v.Missing = append(v.Missing, "The figures were computed again since: compute this again, too.")
		}
	}
	return v, nil
}

// factorWords are what factors are called on pages.
var factorWords = map[attribution.Factor]string{
	attribution.Model: "Models", attribution.Data: "Data", attribution.Labels: "Labels", attribution.Definition: "Definitions", attribution.Normalizer: "Normalizer",
}

// fillParts draws the parts one behind the other, from the earlier value to the later one.
func fillParts(v *web.AttributionView, d *attribution.Division, before, after store.Cell) {
	parts := slices.Clone(d.Parts)
	if d.Remainder != 0 || d.RemainderLow != nil {
		parts = append(parts, attribution.Part{Value: d.Remainder, Low: d.RemainderLow, High: d.RemainderHigh})
	}
	at, low, high := 0.0, math.Min(0, d.Difference()), math.Max(0, d.Difference())
	for _, part := range parts {
		for _, end := range []*float64{&part.Value, part.Low, part.High} {
			if end != nil {
				low, high = math.Min(low, at+*end), math.Max(high, at+*end)
			}
		}
		at += part.Value
	}
	place := func(value float64) int {
		if high == low {
			return 500
		}
		return int(math.Round(20 + 960*(value-low)/(high-low)))
	}
	at = 0
	for i, part := range parts {
		p := web.AttributionPartView{
			Name: "Not computed", Detail: remainderWords(d), Unknown: true, Value: signed(part.Value), Begin: place(at), End: place(at + part.Value), Zero: place(0),
		}
		if i < len(d.Parts) {
			p.Name, p.Detail, p.Unknown = factorWords[part.Factor], factorDetail(part.Factor, d, before, after), false
			p.Tone = partTone(&part, after.Measure)
		}
		if part.Low != nil && part.High != nil {
			p.Interval = signed(*part.Low) + " to " + signed(*part.High)
			p.From, p.To = place(at+*part.Low), place(at+*part.High)
			v.Drawn = fmt.Sprintf("The thin lines are 95 %% intervals, drawn from %s groups of items, for all parts together.", ui.Number(d.Groups))
		}
		at += part.Value
		v.Parts = append(v.Parts, p)
	}
	v.Missing = missingWords(d)
}

// partTone is whether a part made the figure better or worse; one that may be chance did neither.
func partTone(part *attribution.Part, measure string) ui.Tone {
	switch {
	case math.Abs(part.Value) < 0.0005: // shown as nothing
		return ui.Neutral
	case part.Low != nil && !part.Real():
		return ui.Neutral
	case (part.Value > 0) == store.HigherIsBetter(measure):
		return ui.OK
	}
	return ui.Bad
}

// factorDetail says what changed.
func factorDetail(f attribution.Factor, d *attribution.Division, before, after store.Cell) string {
	switch f {
	case attribution.Model:
		return changedModels(before.Models, after.Models)
	case attribution.Data:
		return fmt.Sprintf("%s to %s, %s gone, %s new", before.VersionName(), after.VersionName(), ui.Number(d.Lost), ui.Number(d.Added))
	case attribution.Labels:
		return counted(d.Relabeled, "item", "items") + " with another truth"
	case attribution.Definition:
		return counted(d.Redefined, "item", "items") + " with another truth under another definition"
	case attribution.Normalizer:
		return normalizerWord(after.Normalizer) + " for " + normalizerWord(before.Normalizer)
	}
	return ""
}

func normalizerWord(name string) string {
	if name == "" {
		return "the product's own"
	}
	return name
}

func changedModels(before, after []string) string {
	var changed []string
	for i := range min(len(before), len(after)) {
		if before[i] != after[i] {
			changed = append(changed, modelName(after[i])+" for "+modelName(before[i]))
		}
	}
	if len(changed) == 0 {
		return "asked in another way"
	}
	return strings.Join(changed, ", ")
}

func remainderWords(d *attribution.Division) string {
	if d.Unknown > 0 {
		return counted(d.Unknown, "erased item", "erased items")
	}
	return "outputs are gone, or were never asked for"
}

// missingStates are the combinations that lack outputs, each once.
func missingStates(d *attribution.Division) (states []attribution.State) {
	seen := map[string]bool{}
	for _, state := range d.Missing {
		if name := missingWord(state); !seen[name] {
			seen[name] = true
			states = append(states, state)
		}
	}
	return states
}

// missingWords are a sentence for each combination that lacks outputs.
func missingWords(d *attribution.Division) (sentences []string) {
	for _, state := range missingStates(d) {
		sentences = append(sentences, missingWord(state))
	}
	return sentences
}

func missingWord(state attribution.State) string {
	return fmt.Sprintf("There are no outputs of %s on all of %s. Evaluate that combination to know its part.", pathName(state.Models), state.Version)
}
