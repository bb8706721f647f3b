package handlers

import (
	"fmt"

	"fiducial/internal/attribution"
	"fiducial/internal/scoring"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// leaningNote says why a figure leans towards its model, how far as far as that can be known, and what would tell it better.
func leaningNote(c store.CellPage, leaning store.CellLeaning) web.CellNoteView {
	model := modelName(leaning.Model)
	note := web.CellNoteView{Tone: ui.Warn, Title: "Its truth leans towards the model"}
	of := "what it said itself"
	switch {
	case leaning.Given:
		of = "what " + model + " had heard, by whose words, or a successor's, it judges"
	case !leaning.Own:
		of = "what " + model + " said, from which it comes"
	}
	note.Text = fmt.Sprintf("%d of %d references were made by people who had seen %s.", leaning.Lines, c.Items, of)
	if leaning.Kind == store.FlagCorrected {
		note.Text = fmt.Sprintf("%d of %d references were corrected after somebody had looked at the errors of %s. What it has right by chance was not looked at.", leaning.Lines, c.Items, model)
		return note
	}
	b := leaning.Bias
	if b == nil {
		return note
	}
	if b.Value != nil && b.Low != nil && b.High != nil && b.OnFigure != nil {
		note.Bias = fmt.Sprintf("%s (%s to %s) on these lines, %s on the whole figure", signed(*b.Value), signed(*b.Low), signed(*b.High), signed(*b.OnFigure))
		note.Text += leaningBy(leaning)
	} else {
		note.Text += map[string]string{
			attribution.FewBlind: fmt.Sprintf(" How much that flatters it cannot be told yet: only %d references were made by people who saw nothing.", b.Blind),
			attribution.FewSeen:  " They are too few to tell how much that flatters it.",
			attribution.NoFigure: " How much that flatters it cannot be told: one of the two kinds of lines has nothing to measure.",
			attribution.NoOther:  " How much that flatters it would show beside another model: run one that nobody saw on the same version.",
		}[b.Lacks]
	}
	if more := b.Needed - b.Blind; b.Needed > 0 && more > 0 {
		note.Href = fmt.Sprintf("%s/%s/%d/audits?items=%d", datasetsPath, c.Dataset, c.Number, min(more, store.BatchMost))
		note.HrefText = fmt.Sprintf("Have %d lines %s blind, for an estimate to within %.3f.", more, madeWord(c.Task), b.Target)
	}
	return note
}

// leaningBy say what an estimate was made by, and whether it is one of chance.
func leaningBy(leaning store.CellLeaning) string {
	b := leaning.Bias
	by := fmt.Sprintf(" On them it is ahead of %s by so much more than on the %d that were made blind", pathName(leaning.Other), b.Blind)
	switch {
	case !b.Real():
		return by + "; that may be chance."
	case *b.Value < 0:
		return by + ", or rather less."
	}
	return by + ": the figure is better than the model."
}

// madeWord is what people do to a line of a task's truth.
func madeWord(task scoring.Task) string {
	if task == scoring.Speech {
		return "written down"
	}
	return "labeled"
}
