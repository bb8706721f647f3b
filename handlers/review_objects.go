package handlers

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/agreement"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// Above so many objects the image bears no numbers, above so many answers the table has no columns for them.
const (
	numberedObjects = 60
	answerColumns   = 4
)

// A truth's box is an object's from this IoU on.
const truthIoU = 0.5

// matched are several answers to an item with what they say of each object.
type matched struct {
	answers  [][]store.Box
	classes  map[int64]store.Class
	matching agreement.Matching
	proposed map[agreement.Box]bool
	thing    string // what is matched: box, or moment
	things   string
}

func matchAnswers(r store.Reviewed, classes []store.Class) *matched {
	m := &matched{classes: map[int64]store.Class{}, proposed: map[agreement.Box]bool{}, thing: thingWord(r.Kind), things: "boxes"}
	if r.Kind == "audio" {
		m.things = "moments"
	}
	for _, a := range r.Answers {
		m.answers = append(m.answers, a.Boxes)
	}
	for _, c := range classes {
		m.classes[c.ID] = c
	}
	m.matching = store.MatchAnswers(m.answers, agreement.Limits{Loose: r.LooseLimit, Moments: r.Kind == "audio"})
	for _, b := range m.matching.Proposal() {
		m.proposed[b] = true
	}
	return m
}

func objectID(i int) string { return "o" + strconv.Itoa(i+1) }

// settled reports whether an object needs no judgment: all have it, as one class, and none of its boxes needs splitting.
func settled(o agreement.Object) bool {
	return agreement.Severity(o.Worst()) <= agreement.Severity(agreement.Loose)
}

// open counts the objects that need one.
func (m *matched) open() (n int) {
	for _, o := range m.matching.Objects {
		if !settled(o) {
			n++
		}
	}
	return n
}

// hint says how far the answers agree and what to press.
func (m *matched) hint() string {
	n, all := m.open(), len(m.matching.Objects)
	switch {
	case all == 0:
		return fmt.Sprintf("All %d answers say that there is nothing here. Press a to approve that.", len(m.answers))
	case n == 0:
		return fmt.Sprintf("All %d answers agree. Their merged boxes are taken: press a to approve.", len(m.answers))
	}
	return fmt.Sprintf("%d of %d %s a judgment: j goes to the next one, m takes all merged boxes.", n, all, map[bool]string{true: "needs", false: "need"}[n == 1])
}

// start are the boxes that the reviewer begins with: the merged ones of what is settled.
func (m *matched) start() (boxes []web.WorkbenchBox) {
	for i, o := range m.matching.Objects {
		if settled(o) && m.proposed[o.Box] {
			boxes = append(boxes, mergedBox(o, objectID(i)))
		}
	}
	return boxes
}

func mergedBox(o agreement.Object, id string) web.WorkbenchBox {
	b := o.Box
	return web.WorkbenchBox{ID: id, Class: b.Class, X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation}
}

// linked are a truth's boxes, each under the id of the object that it fits best.
func (m *matched) linked(truth []store.Box) []web.WorkbenchBox {
	boxes := workbenchBoxes(truth, "t")
	used := map[int]bool{}
	for i, b := range boxes {
		best, most := -1, truthIoU
		for at, o := range m.matching.Objects {
			if used[at] {
				continue
			}
			shape := agreement.Box{X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation}
			if v := agreement.IoU(shape, o.Box); v > most || v == most && best < 0 {
				best, most = at, v
			}
		}
		if best >= 0 {
			used[best], boxes[i].ID = true, objectID(best)
		}
	}
	return boxes
}

// script is the matching as assets/src/review takes it.
func (m *matched) script() *web.ReviewMatching {
	s := &web.ReviewMatching{Objects: make([]web.ReviewObject, len(m.matching.Objects)), Truth: []web.WorkbenchBox{}}
	for i, o := range m.matching.Objects {
		v := web.ReviewObject{ID: objectID(i), Members: []web.ReviewMember{}, Wide: []web.ReviewMember{}, Missing: []string{}, Settled: settled(o)}
		for _, r := range o.Members {
			v.Members = append(v.Members, web.ReviewMember{Answer: letter(r.Answer), Box: overlayBox(r), Fault: string(m.fault(o, r))})
		}
		for _, r := range o.Wide {
			v.Wide = append(v.Wide, web.ReviewMember{Answer: letter(r.Answer), Box: overlayBox(r), Fault: string(store.SplitNeeded)})
		}
		for _, a := range o.Missing {
			v.Missing = append(v.Missing, letter(a))
		}
		if m.proposed[o.Box] {
			box := mergedBox(o, v.ID)
			v.Merged = &box
		}
		s.Objects[i] = v
	}
	return s
}

// overlayBox is the id of a box in its answer's overlay.
func overlayBox(r agreement.Ref) string { return letter(r.Answer) + strconv.Itoa(r.Box) }

// fault is what is probably wrong with a box, as the others have it; "" for nothing.
func (m *matched) fault(o agreement.Object, r agreement.Ref) store.Fault {
	switch {
	case len(o.Parts) > 0:
		return store.SplitNeeded
	case m.answers[r.Answer][r.Box].ClassID != o.Box.Class:
		return store.WrongClass
	case slices.Contains(o.Loose, r):
		return store.LooseBox
	}
	return ""
}

// numbers are the objects' numbers on the image.
func (m *matched) numbers() (marks []web.WorkbenchMark) {
	if len(m.matching.Objects) > numberedObjects {
		return nil
	}
	for i, o := range m.matching.Objects {
		id, x, y := objectID(i), o.Box.X, o.Box.Y
		marks = append(marks, web.WorkbenchMark{Box: &id, Note: m.finding(o), X: &x, Y: &y})
	}
	return marks
}

// answerLetters writes answers as "A, B and C".
func answerLetters(answers []int) string {
	names := make([]string, len(answers))
	for i, a := range answers {
		names[i] = letter(a)
	}
	return listed(names)
}

// listed writes words as "A, B and C".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func answersOf(refs []agreement.Ref) (answers []int) {
	for _, r := range refs {
		answers = append(answers, r.Answer)
	}
	slices.Sort(answers)
	return slices.Compact(answers)
}

// finding says in words what is worst about an object.
func (m *matched) finding(o agreement.Object) string {
	switch o.Worst() {
	case agreement.Split:
		if len(o.Parts) > 0 {
			return "Needs splitting"
		}
		return "In a wide " + m.thing
	case agreement.Missed:
		if len(o.Members) == 1 {
			return "Only " + letter(o.Members[0].Answer)
		}
		return "Missed by " + answerLetters(o.Missing)
	case agreement.Class:
		return "Class differs"
	case agreement.Loose:
		return "Loose"
	case agreement.Agreed, agreement.WordsDiffer:
	}
	return "Matched"
}

// findingLooks are how findings look in the table.
var findingLooks = map[agreement.Finding]struct {
	icon string
	tone ui.Tone
}{
	agreement.Split: {"split", ui.Bad}, agreement.Missed: {"user-x", ui.Warn}, agreement.Class: {"shuffle", ui.Bad},
	agreement.Loose: {"move-horizontal", ui.Warn}, agreement.Agreed: {"equal", ui.Neutral},
}

// also says what else is found.
func (m *matched) also(o agreement.Object) string {
	var more []string
	for _, f := range o.Findings[1:] {
		switch f {
		case agreement.Missed:
			more = append(more, "missed by "+answerLetters(o.Missing))
		case agreement.Class:
			more = append(more, "class differs")
		case agreement.Loose:
			more = append(more, "loose: "+answerLetters(answersOf(o.Loose)))
		default:
		}
	}
	if o.Worst() == agreement.Loose {
		more = append(more, "the "+m.thing+" of "+answerLetters(answersOf(o.Loose)))
	}
	return strings.Join(more, "; ")
}

// rows are the objects for the table.
func (m *matched) rows() []web.ReviewObjectView {
	rows := make([]web.ReviewObjectView, len(m.matching.Objects))
	for i, o := range m.matching.Objects {
		look := findingLooks[o.Worst()]
		rows[i] = web.ReviewObjectView{
			ID: objectID(i), Number: i + 1, Finding: m.finding(o), Icon: look.icon, Tone: look.tone, Also: m.also(o),
			Votes: m.votes(o), Taken: "to judge", Who: fmt.Sprintf("%d of %d", len(o.Members), len(m.answers)),
		}
		if settled(o) {
			rows[i].Taken = "merged"
		}
		if len(o.Members) > 1 {
			rows[i].IoU = strconv.FormatFloat(o.IoU, 'f', 2, 64)
		}
		if len(m.answers) <= answerColumns {
			for a := range m.answers {
				rows[i].Has = append(rows[i].Has, m.has(o, a))
			}
		}
	}
	return rows
}

// votes are the classes that an object was given, the majority's first.
func (m *matched) votes(o agreement.Object) (votes []web.ReviewVoteView) {
	who := map[int64][]int{}
	for _, r := range o.Members {
		class := m.answers[r.Answer][r.Box].ClassID
		who[class] = append(who[class], r.Answer)
	}
	var ids []int64
	for id := range who {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b int64) int { return cmp.Or(cmp.Compare(len(who[b]), len(who[a])), cmp.Compare(a, b)) })
	for _, id := range ids {
		v := web.ReviewVoteView{Slot: m.classes[id].Slot, Name: m.classes[id].Name}
		if len(ids) > 1 {
			v.Who = strings.ReplaceAll(answerLetters(who[id]), " and ", ", ")
		}
		votes = append(votes, v)
	}
	return votes
}

// has says what an answer has of an object.
func (m *matched) has(o agreement.Object, answer int) web.ReviewHasView {
	v := web.ReviewHasView{Letter: letter(answer)}
	r, ok := o.Of(answer)
	among := func(refs []agreement.Ref) bool {
		return slices.ContainsFunc(refs, func(r agreement.Ref) bool { return r.Answer == answer })
	}
	switch {
	case ok && len(o.Parts) > 0:
		v.Icon, v.Word, v.Tone = "split", "one wide "+m.thing, ui.Bad
	case ok && m.fault(o, r) == store.WrongClass:
		v.Icon, v.Word, v.Tone = "shuffle", "another class", ui.Bad
	case ok && m.fault(o, r) == store.LooseBox:
		v.Icon, v.Word, v.Tone = "move-horizontal", "loose", ui.Warn
	case ok:
		v.Icon, v.Word = "check", "has it"
	case among(o.Wide):
		v.Icon, v.Word, v.Tone = "split", "in a wide "+m.thing, ui.Bad
	case among(o.Parts):
		v.Icon, v.Word = "layers", "several "+m.things
	default:
		v.Icon, v.Word, v.Tone = "minus", "nothing here", ui.Warn
	}
	return v
}

// originsText says where a decision came from; answers are the letters of those that are shown.
func originsText(o *store.Origins, answers map[int64]string, kind string) string {
	if o == nil || len(o.Answers) < 2 {
		return ""
	}
	drawn, things := "drawn or changed", "Boxes"
	if kind == "audio" {
		drawn, things = "marked or changed", "Moments"
	}
	boxes := originParts(o.Answers, answers, o.Merged, o.Taken)
	if o.Kept > 0 {
		boxes = append(boxes, fmt.Sprintf("%d of the truth before", o.Kept))
	}
	if o.Drawn > 0 {
		boxes = append(boxes, fmt.Sprintf("%d %s", o.Drawn, drawn))
	}
	if o.Words == nil {
		if len(boxes) == 0 {
			return "No boxes"
		}
		return "Boxes: " + strings.Join(boxes, ", ")
	}
	words := originParts(o.Answers, answers, o.Words.Merged, o.Words.Taken)
	if o.Words.Written > 0 {
		words = append(words, fmt.Sprintf("%d written", o.Words.Written))
	}
	text := "No words"
	if len(words) > 0 {
		text = "Words: " + strings.Join(words, ", ")
	}
	if len(boxes) > 0 {
		text += ". " + things + ": " + strings.Join(boxes, ", ")
	}
	return text
}

// originParts says how many are what several answers make together, and how many are one's.
func originParts(from []int64, answers map[int64]string, merged int, taken map[int64]int) (parts []string) {
	name := func(id int64) string { return cmp.Or(answers[id], "an earlier answer") }
	var names []string
	for _, id := range from {
		names = append(names, name(id))
	}
	if merged > 0 {
		parts = append(parts, fmt.Sprintf("%d merged from %s", merged, listed(slices.Compact(names))))
	}
	for _, id := range from {
		if n := taken[id]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d of %s", n, name(id)))
		}
	}
	return parts
}
