package handlers

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/agreement"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func reviewQueueView(q store.ReviewQueue) web.ReviewQueueView {
	v := web.ReviewQueueView{
		Name: q.Name, Href: "/review?" + url.Values{"project": {q.Slug}}.Encode(), Start: nextReviewHref(q.Slug, 0),
		Waiting: q.Waiting, Reworked: q.Reworked, Disputed: q.Disputed, Undecided: q.Undecided,
	}
	if q.Oldest != nil {
		v.Oldest = *q.Oldest
	}
	return v
}

func waitingView(item store.WaitingItem, project string) web.WaitingView {
	v := web.WaitingView{
		Href: reviewHref(item.Item), Thumb: thumbHref(item.Item, item.Kind), Name: item.Name, Project: project,
		Classes: strings.Join(item.Classes, ", "), Boxes: item.Boxes, Since: item.Since, Word: "New", Tone: ui.Neutral,
	}
	if item.Agreement != nil {
		v.Score, v.Finding = figure(*item.Agreement), findingWord(item.Worst, item.Kind)
		if item.WER != nil {
			v.Finding = fmt.Sprintf("%s, word error rate %s %%", v.Finding, percentText(*item.WER))
		}
	}
	switch {
	case item.Disputed:
		v.Word, v.Tone = "Disputed", ui.Bad
	case item.Undecided:
		v.Word, v.Tone = "Undecided", ui.Warn
	case item.Reworked:
		v.Word, v.Tone = "Came back", ui.Info
	}
	return v
}

// reviewView fills the page of one item. What would be decided on is the truth of a decided item, else the only answer;
// of several, what they make together where they agree.
func reviewView(r store.Reviewed, classes []store.Class) web.ReviewView {
	v := web.ReviewView{
		Item: r.Item, Version: r.Version, Action: reviewHref(r.Item), Next: nextReviewHref(r.Slug, r.Item), State: reviewState(r, classes),
	}
	v.Word, v.Tone = reviewWord(r)
	v.Truth = r.Truth != nil && (len(r.Answers) == 0 || r.Decided())
	base := reviewBase(&v, r)
	v.State.Boxes = workbenchBoxes(base, "")
	names, answers := map[int64]string{}, map[int64]string{}
	for _, c := range classes {
		names[c.ID] = c.Name
	}
	for i, b := range base {
		v.Boxes = append(v.Boxes, ui.Option{Value: strconv.Itoa(i), Label: fmt.Sprintf("%s %d, %s", thingWord(r.Kind), i+1, names[b.ClassID])})
	}
	for i, a := range r.Answers {
		answers[a.ID] = letter(i)
		v.Answers = append(v.Answers, reviewAnswerView(a, i))
		if v.Base == 0 || r.Truth != nil {
			v.State.Overlays = append(v.State.Overlays, web.WorkbenchOverlay{ID: letter(i), Style: i % lineStyles, Boxes: workbenchBoxes(a.Boxes, letter(i))})
		}
	}
	if r.Truth != nil && !v.Truth {
		v.State.Overlays = append(v.State.Overlays, web.WorkbenchOverlay{ID: "truth", Style: lineStyles - 1, Boxes: workbenchBoxes(r.Truth.Boxes, "truth")})
	}
	if len(r.Answers) > 1 {
		showObjects(&v, r, classes)
	} else if r.Truth != nil {
		v.Matching = &web.ReviewMatching{Objects: []web.ReviewObject{}, Truth: workbenchBoxes(r.Truth.Boxes, "")}
	}
	showChoices(&v, r)
	for _, f := range store.Faults(r.Kind) {
		v.Faults = append(v.Faults, ui.Option{Value: string(f), Label: faultWords[f]})
	}
	for _, skip := range r.Skips {
		reason := "Cannot decide"
		switch store.SkipReason(skip.Reason) {
		case store.BrokenImage:
			reason = "The image is broken"
		case store.BrokenSound:
			reason = "The sound is broken"
		case store.CannotDecide, store.NotMine, store.OtherReason:
		}
		v.Skips = append(v.Skips, web.ReviewSkipView{Reason: reason, Note: skip.Note, At: skip.At})
	}
	for _, d := range r.Decisions {
		decision := decisionView(d, r.Kind)
		decision.Origins = originsText(d.Origins, answers, r.Kind)
		v.Decisions = append(v.Decisions, decision)
	}
	return v
}

// reviewBase returns the boxes that the page begins with, and says in v whose they are.
func reviewBase(v *web.ReviewView, r store.Reviewed) []store.Box {
	switch {
	case v.Truth:
		return r.Truth.Boxes
	case len(r.Answers) == 1:
		v.Base = r.Answers[0].ID
		return r.Answers[0].Boxes
	}
	return nil
}

// showObjects adds what several answers say of each object.
func showObjects(v *web.ReviewView, r store.Reviewed, classes []store.Class) {
	m := matchAnswers(r, classes)
	v.Objects, v.Matching, v.Hint = m.rows(), m.script(), m.hint()
	v.State.Marks = m.numbers()
	score := m.matching.Score
	if words := r.Words(); words != nil {
		marked := slices.ContainsFunc(r.Answers, func(a store.ReviewAnswer) bool { return len(a.Boxes) > 0 })
		score = agreement.Both(words.Score(), score, marked)
		v.State.Facts = append(v.State.Facts, "word error rate "+percentText(words.Rate())+" %")
	}
	v.State.Facts = append(v.State.Facts, "agreement "+strconv.FormatFloat(score, 'f', 2, 64))
	if r.Truth != nil {
		v.Matching.Truth = m.linked(r.Truth.Boxes)
	}
	if v.Truth {
		v.State.Boxes, v.Hint = v.Matching.Truth, ""
		for i := range v.Matching.Objects {
			v.Matching.Objects[i].Settled = true
			v.Objects[i].Taken = ""
		}
		return
	}
	v.State.Boxes = m.start()
}

// showChoices lists what can be taken whole where there is more than one: the answers, what they make together, the truth
// that holds.
func showChoices(v *web.ReviewView, r store.Reviewed) {
	v.Choices = slices.Clone(v.Answers)
	if len(v.Answers) > 1 {
		v.Choices = append(v.Choices, web.ReviewAnswerView{
			Value: string(store.Merged), Letter: "merged", Name: "Merged", Key: "m", Facts: "what most answers have", Style: "sm",
			Chosen: !v.Truth && !slices.ContainsFunc(v.Matching.Objects, func(o web.ReviewObject) bool { return !o.Settled }),
		})
	}
	if r.Truth != nil && len(v.Answers) > 0 {
		v.Choices = append(v.Choices, web.ReviewAnswerView{Value: "0", Letter: "truth", Name: "Truth", Facts: "as it holds now", Style: "sm", Chosen: v.Truth})
	}
	for i := range v.Choices {
		if v.Base != 0 && v.Choices[i].Value == strconv.FormatInt(v.Base, 10) {
			v.Choices[i].Chosen = true
		}
	}
}

// lineStyles is how many styles of line the workbench knows for overlays.
const lineStyles = 9

// letter is what the page calls the answer at index i: A, B, … Z, A2.
func letter(i int) string {
	name := string(rune('A' + i%26))
	if i >= 26 {
		name += strconv.Itoa(i/26 + 1)
	}
	return name
}

func reviewWord(r store.Reviewed) (word string, tone ui.Tone) {
	switch {
	case r.State == "in_review":
		return "Waits for review", ui.Info
	case r.State == "discarded":
		return "Discarded", ui.Bad
	case r.State == "open":
		return "Still being labeled", ui.Neutral
	case r.Truth != nil && r.Truth.Review == 0:
		return "Imported truth", ui.OK
	case r.Truth != nil:
		return "Decided", ui.OK
	}
	return "Not in the queue", ui.Neutral
}

func reviewAnswerView(a store.ReviewAnswer, i int) web.ReviewAnswerView {
	facts := []string{someOf(len(a.Boxes), "box", "boxes")}
	if a.Transcript != nil {
		facts[0] = answerWords(a)
	}
	if took := hoursMinutes(a.ActiveMS); took != "" {
		facts = append(facts, "in "+took)
	}
	switch {
	case a.Mode == "edit":
		facts = append(facts, "from a hypothesis")
	case a.Mode == "reveal" && a.Revealed:
		facts = append(facts, "saw a hypothesis")
	case a.Mode == "" && a.Prefilled:
		facts = append(facts, "from a prefill")
	}
	if a.Reason == "rework" {
		facts = append(facts, "came back")
	}
	if a.Surplus {
		facts = append(facts, "late")
	}
	v := web.ReviewAnswerView{
		Value: strconv.FormatInt(a.ID, 10), Letter: letter(i), Style: "s" + strconv.Itoa(i%lineStyles), Labeler: a.Labeler, Facts: strings.Join(facts, ", "), Surplus: a.Surplus,
	}
	if i < 9 {
		v.Key = strconv.Itoa(i + 1)
	}
	return v
}

// thingWord is what is marked on an item of a project of this kind.
func thingWord(kind string) string {
	if kind == "audio" {
		return "moment"
	}
	return "box"
}

func decisionView(d store.Decision, kind string) web.DecisionView {
	v := web.DecisionView{
		Word: decisionWords[d.Kind].word, Tone: decisionWords[d.Kind].tone, Reviewer: d.Reviewer, At: d.At, Note: d.Note, Undone: d.Undone,
	}
	if d.Batch > 0 {
		v.Batch = "batch " + strconv.Itoa(d.Batch)
	}
	if d.Standing {
		v.Undo = undoHref(d.ID)
	}
	for _, m := range d.Marks {
		mark := web.ReviewMarkView{Fault: faultWords[m.Fault], Note: m.Note, Dispute: m.Dispute, Where: "about the whole answer"}
		switch {
		case m.Position != nil:
			mark.Where = fmt.Sprintf("%s %d, %s", thingWord(kind), *m.Position+1, m.ClassName)
		case m.X != nil && kind == "audio":
			mark.Where = "at " + soundClock(*m.X)
		case m.X != nil:
			mark.Where = fmt.Sprintf("at %.0f, %.0f", *m.X, *m.Y)
		}
		v.Marks = append(v.Marks, mark)
	}
	return v
}

// reviewState is the workbench's part of the page.
func reviewState(r store.Reviewed, classes []store.Class) web.WorkbenchState {
	project := "/projects/" + r.Slug
	state := web.WorkbenchState{
		Task: r.Task, Item: r.Item, Mode: "review", Title: r.Name, Reason: "initial",
		Image: workbenchImage(r.Item, r.Name, r.Width, r.Height, r.Assets),
		URLs:  web.WorkbenchURLs{Definition: project + "/classes/{class}/panel", Classes: project + "/classes.css", Keys: "/label/keys"},
	}
	for _, c := range classes {
		if !c.Retired {
			class := workbenchClass(c)
			class.Key = "" // here the digits take answers
			state.Classes = append(state.Classes, class)
		}
	}
	if n := len(r.Answers); n != 1 || r.Overlap != 1 {
		state.Facts = append(state.Facts, fmt.Sprintf("%d of %d answers", n, r.Overlap))
	}
	return state
}

func workbenchClass(c store.Class) web.WorkbenchClass {
	v := web.WorkbenchClass{ID: c.ID, Name: c.Name, Key: c.Key, Slot: c.Slot}
	if c.Version != nil {
		v.Definition = *c.Version
	}
	return v
}

// workbenchBoxes are boxes whose ids are their positions behind prefix, which keeps overlays' apart.
func workbenchBoxes(boxes []store.Box, prefix string) []web.WorkbenchBox {
	list := make([]web.WorkbenchBox, len(boxes))
	for i, b := range boxes {
		list[i] = web.WorkbenchBox{ID: prefix + strconv.Itoa(i), Class: b.ClassID, X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation}
	}
	return list
}
