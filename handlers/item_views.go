package handlers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
)

// itemView is an item as a person of this role sees it.
func itemView(item store.Item, classes []store.Class, role access.Role) web.ItemView {
	v := web.ItemView{
		ID: item.ID, Key: item.ExternalKey, Name: cmp.Or(item.ExternalKey, fmt.Sprintf("Item %d", item.ID)), File: item.FileName, Fault: item.Fault,
		Previous: item.Previous, Next: item.Next, Truth: item.HasTruth, Reads: item.MediaReads, Facts: itemFacts(item),
		Classes: "/projects/" + item.Slug + "/classes.css", Retention: itemRetention(item, role),
		Hidden: role != access.Admin && (item.TaskState == "open" || item.TaskState == "in_review"),
	}
	v.Tone, v.Word = itemState(item.State, item.TaskState)
	for _, key := range slices.Sorted(maps.Keys(item.Metadata)) {
		v.Metadata = append(v.Metadata, web.ProjectFact{Name: key, Value: item.Metadata[key]})
	}
	if item.TaskID != 0 {
		v.Review = reviewHref(item.ID)
		v.Task = &web.ItemTaskView{
			State: item.TaskState, Overlap: item.Overlap, Votes: item.Votes, Live: item.Live, Priority: item.Priority, Version: item.TaskVersion,
		}
		if access.Allows(role, access.EditProjects) {
			v.Task.Change = fmt.Sprintf("/items/%d/priority", item.ID)
		}
	}
	names := itemNames(item, v.Hidden)
	for i, a := range item.Answers {
		text := ""
		if item.Sound != nil {
			text = item.Sound.Answers[a.ID].Text()
		}
		v.Answers = append(v.Answers, web.ItemAnswerView{
			Text: text, Letter: letter(i), Name: names[a.PersonID], Boxes: len(a.Boxes), At: a.SubmittedAt, Seconds: int(a.ActiveMS / 1000),
			Surplus: a.Surplus, Prefilled: a.Prefilled,
		})
	}
	for _, e := range item.History {
		if e.What == "imported" && item.State == "redacted" {
			e.What = "redacted"
		}
		v.History = append(v.History, itemEvent(e, names))
	}
	if v.Sound = itemSound(item, classes); v.Sound != nil && item.State == awaitingMedia {
		v.Word = noRecording
	}
	v.Picture = item.State == "ready" && v.Sound == nil
	v.State = itemWorkbench(item, v.Name, classes)
	return v
}

// itemNames are the names of those who worked on an item. Labelers' stay hidden until it is decided, so that
// nobody's answer is judged by whose it is.
func itemNames(item store.Item, hidden bool) map[int64]string {
	names := map[int64]string{}
	labelers := map[int64]string{}
	for i, a := range item.Answers {
		labelers[a.PersonID] = "Labeler " + letter(i)
		names[a.PersonID] = a.Name
	}
	for _, e := range item.History {
		names[e.PersonID] = e.Name
		labelerDid := e.What == "claimed" || e.What == "submitted" || e.What == "skipped" || e.What == "recalled"
		if _, known := labelers[e.PersonID]; labelerDid && !known {
			labelers[e.PersonID] = "a labeler"
		}
	}
	if hidden {
		maps.Copy(names, labelers)
	}
	return names
}

// itemEvents are what can happen to an item, in words.
var itemEvents = map[string]struct{ word, icon string }{
	"imported":  {"imported", "upload"},
	"redacted":  {"kept, masked", "shield-check"},
	"claimed":   {"handed out", "inbox"},
	"submitted": {"answered", "check"},
	"skipped":   {"skipped", "skip-forward"},
	"recalled":  {"answer taken back", "rotate-ccw"},
	"approved":  {"approved", "circle-check"},
	"amended":   {"amended and approved", "pencil"},
	"accepted":  {"accepted by the project's rule", "scale"},
	"merged":    {"decided as its answers have in common", "combine"},
	"rejected":  {"sent back", "undo-2"},
	"discarded": {"discarded", "ban"},
	"undone":    {"decision undone", "history"},
	"truth":     {"truth recorded", "shield-check"},
	"widened":   {"heard more around it", "ear"},
	"relabel":   {"labels sent back, definition changed", "book-open"},
}

// skipWords says why a labeler passed an item over.
func skipWords(reason store.SkipReason) string {
	words := map[store.SkipReason]string{
		store.CannotDecide: "could not decide", store.BrokenImage: "the image is broken", store.BrokenSound: "the sound is broken", store.NotMine: "not for them",
		store.OtherReason: "for another reason",
	}
	return cmp.Or(words[reason], string(reason))
}

func itemEvent(e store.ItemEvent, names map[int64]string) web.ItemEventView {
	known := itemEvents[e.What]
	v := web.ItemEventView{At: e.At, What: cmp.Or(known.word, e.What), Icon: cmp.Or(known.icon, "info"), Note: e.Note}
	if e.What == "skipped" {
		v.Note = skipWords(store.SkipReason(e.Note))
	}
	if e.PersonID != 0 {
		v.Name = names[e.PersonID]
	}
	return v
}

func itemFacts(item store.Item) []web.ProjectFact {
	facts := []web.ProjectFact{{Name: "Item", Value: strconv.FormatInt(item.ID, 10)}}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, web.ProjectFact{Name: name, Value: value})
		}
	}
	if item.Width > 0 {
		add("Size", fmt.Sprintf("%d × %d px", item.Width, item.Height))
	}
	recordingFacts(item.Sound, add)
	if item.FileName != item.ExternalKey {
		add("File", item.FileName)
	}
	add("Group", item.Group)
	brought := "Imported"
	if item.State == "redacted" {
		brought = "Kept since"
	}
	add(brought, item.ImportedAt.UTC().Format("2 Jan 2006, 15:04"))
	if item.CapturedAt != nil {
		add("Captured", item.CapturedAt.UTC().Format("2 Jan 2006, 15:04"))
	}
	for _, a := range item.Assets {
		add("Stored "+a.Kind, fmt.Sprintf("%s, %s", a.ContentType, byteSize(a.Bytes)))
	}
	return facts
}

func byteSize(n int64) string {
	switch {
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}

func itemRetention(item store.Item, role access.Role) web.ItemRetentionView {
	v := web.ItemRetentionView{Source: item.Source, Own: orZero(item.OwnUntil), Until: orZero(item.RetainUntil), Held: item.Held}
	if item.SourceDays != nil && item.State != "redacted" { // which no source's time limits
		v.Days = *item.SourceDays
	}
	if item.Held && access.Allows(role, access.Erase) {
		v.Holds = "/retention/holds"
	}
	if access.Allows(role, access.ManageSources) {
		v.Change = fmt.Sprintf("/items/%d/retention", item.ID)
	}
	return v
}

// itemWorkbench shows an item read only: its truth, and under it the answers, each in a line style.
func itemWorkbench(item store.Item, name string, classes []store.Class) web.WorkbenchState {
	var assets []store.WorkAsset
	for _, a := range item.Assets {
		assets = append(assets, store.WorkAsset{Kind: a.Kind, Width: a.Width, Height: a.Height, Facts: a.Facts})
	}
	state := web.WorkbenchState{
		Task: item.TaskID, Item: item.ID, Mode: "view", Title: name, Reason: "initial",
		Image: workbenchImage(item.ID, name, item.Width, item.Height, assets), Boxes: workbenchBoxes(item.Truth, "t"),
		URLs: web.WorkbenchURLs{Classes: "/projects/" + item.Slug + "/classes.css"},
	}
	for _, c := range classes {
		state.Classes = append(state.Classes, workbenchClass(c))
	}
	for i, a := range item.Answers {
		state.Overlays = append(state.Overlays, web.WorkbenchOverlay{ID: letter(i), Style: (i + 1) % lineStyles, Boxes: workbenchBoxes(a.Boxes, letter(i))})
	}
	return state
}
