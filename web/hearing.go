package web

import (
	"fmt"
	"strconv"
	"strings"

	"fiducial/web/ui"
)

// HearingView is the page on which a reviewer decides about an utterance: ReviewView, with the words and moments of its answers.
type HearingView struct {
	ReviewView

	// Hearing is what assets/src/hearing works on.
	Hearing HearingState
	// Segments are the words for reading, segment by segment.
	Segments []HearingSegmentView
	// Labels are whether the project has classes to mark moments with.
	Labels bool
}

// HearingState is an utterance with its answers, as JSON in the page. Times are seconds from its beginning; assets/src/hearing/state.ts is
// the other side.
type HearingState struct {
	Seconds  float64          `json:"seconds"`
	Left     float64          `json:"left"` // what can be heard before it
	Right    float64          `json:"right"`
	Channels int              `json:"channels"`
	Sound    string           `json:"sound"` // addresses
	Peaks    string           `json:"peaks"`
	Answers  []HearingAnswer  `json:"answers"`
	Truth    *HearingAnswer   `json:"truth"`
	Segments []HearingSegment `json:"segments"` // those that the parts lie in
	Parts    []HearingPart    `json:"parts"`
	Objects  []HearingObject  `json:"objects"`
	// Begin is what the page begins with: "" for nothing taken yet, "truth", "merged" or an answer's letter.
	Begin  string            `json:"begin"`
	Heard  []HearingTime     `json:"heard"`
	Models string            `json:"models"` // where what models heard can be asked for; "" where none did
	Saw    bool              `json:"saw"`    // they were asked for before
	Class  []WorkbenchClass  `json:"classes"`
	Keys   map[string]string `json:"keys"`
}

// HearingSegment is a segment of a transcript.
type HearingSegment struct {
	Begin   float64 `json:"begin"`
	End     float64 `json:"end"`
	Channel int     `json:"channel"`
	Speaker string  `json:"speaker"`
	Text    string  `json:"text"`
}

// HearingAnswer is one answer, or the truth.
type HearingAnswer struct {
	ID       int64            `json:"id"`
	Letter   string           `json:"letter"`
	Segments []HearingSegment `json:"segments"`
	Moments  []WorkbenchBox   `json:"moments"`
}

// HearingPart is a stretch of words on which all answers agree, with one variant, or on which they differ.
type HearingPart struct {
	Segment  int              `json:"segment"`
	Variants []HearingVariant `json:"variants"`
	Own      []string         `json:"own"`    // as each answer has it
	Merged   string           `json:"merged"` // what most have
	Begin    float64          `json:"begin"`  // about when it is spoken
	End      float64          `json:"end"`
}

// Differs reports whether the answers have several variants.
func (p HearingPart) Differs() bool { return len(p.Variants) > 1 }

// HearingVariant is one way in which answers have a part; Text is empty where they have nothing.
type HearingVariant struct {
	Text string `json:"text"`
	Who  string `json:"who"` // letters of the answers: "A, C"
}

// HearingObject is one moment as the answers have it: for each answer, in order, its place there or -1, and what they make together, nil
// where most have nothing.
type HearingObject struct {
	ID      string        `json:"id"`
	Members []int         `json:"members"`
	Merged  *WorkbenchBox `json:"merged"`
	Settled bool          `json:"settled"`
	Finding string        `json:"finding"`
}

// HearingTime is a word's time.
type HearingTime struct {
	Begin float64 `json:"begin"`
	End   float64 `json:"end"`
}

// HearingSegmentView is a segment with its parts.
type HearingSegmentView struct {
	Number  int
	Speaker string
	Time    string
	Text    string
	Parts   []HearingNumbered
}

// HearingNumbered is a part with its place among all, and its number among those that differ, 0 for none.
type HearingNumbered struct {
	HearingPart

	At, Number int
}

// page adds what the desk needs to the view of the page round it.
func (v HearingView) page() PageView {
	page := v.Page
	page.Bench = true
	page.Scripts = append(page.Scripts, "hearing.ts", discussionScript)
	page.Styles = append(page.Styles, "hearing.css")
	if v.State.URLs.Classes != "" {
		page.StyleURLs = append(page.StyleURLs, v.State.URLs.Classes)
	}
	return page
}

// verb is what the main button does without a script.
func (v HearingView) verb() string {
	switch {
	case v.empty():
		return "Take these words"
	case v.Truth:
		return "Confirm"
	case v.several():
		return "Take these words"
	}
	return "Approve"
}

func (v HearingView) differing() int {
	n := 0
	for _, p := range v.Hearing.Parts {
		if p.Differs() {
			n++
		}
	}
	return n
}

// wordsHint says how far the words agree.
func (v HearingView) wordsHint() string {
	switch n := v.differing(); {
	case !v.several():
		return ""
	case n == 0:
		return "All answers have the same words."
	case n == 1:
		return "The answers differ in 1 place."
	default:
		return fmt.Sprintf("The answers differ in %d places.", n)
	}
}

// variantKey is the key that chooses the i-th variant, "" for those that have none.
func variantKey(i int) string {
	if i < 9 {
		return strconv.Itoa(i + 1)
	}
	return ""
}

func variantText(text string) string {
	if text == "" {
		return "no word"
	}
	return text
}

func segmentLabel(s HearingSegmentView, many bool) string {
	label := "The words that are taken"
	if many {
		label += ", segment " + strconv.Itoa(s.Number)
	}
	if s.Speaker != "" {
		label += ", " + s.Speaker
	}
	return strings.TrimSpace(label)
}

// momentHeads are the columns of the moments' table.
func (v HearingView) momentHeads() []ui.Head {
	heads := v.objectHeads()
	for i := range heads {
		if heads[i].Label == "IoU" {
			heads[i].Label = "Overlap"
		}
	}
	return heads
}
