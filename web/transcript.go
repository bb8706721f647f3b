package web

import (
	"github.com/a-h/templ"
)

// TranscriptView is the transcript workbench's page: LabelView for an utterance.
type TranscriptView struct {
	Page  PageView
	State WorkbenchState
	// Book names the guideline's version, such as "guideline v5".
	Book string
	// Rules is the address of the transcription rules, empty where there are none; HowTo shows them, nil for the usual ones.
	Rules string
	HowTo templ.Component
	// Nonce lets the waveform have its own style under the page's policy.
	Nonce string
	// Discussion is what is said about an item that came back, nil for any other.
	Discussion templ.Component
}

// page adds what the workbench needs to the view of the page round it.
func (v TranscriptView) page() PageView {
	page := v.Page
	page.Bench = true
	page.Scripts = append(page.Scripts, "transcript.ts", discussionScript)
	page.Styles = append(page.Styles, "transcript.css")
	if v.State.URLs.Classes != "" {
		page.StyleURLs = append(page.StyleURLs, v.State.URLs.Classes)
	}
	return page
}
