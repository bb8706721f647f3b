// Package keymap is the workbenches' table of keys, as far as a person may change it: they
// bind the same table, in assets/src/boxes/keys.ts.
package keymap

import (
	"regexp"
	"slices"
	"strings"
)

// Mode is what a workbench is opened for: one chord may start one action in each.
type Mode uint8

// The modes, and those that share actions. Hear is the review of an utterance, Write the transcript workbench.
const (
	Label Mode = 1 << iota
	Review
	View
	Hear
	Write
	edit   = Label | Review
	all    = edit | View
	change = edit | Write
	answer = Label | Write
	timed  = Hear | Write
	every  = all | Hear | Write
)

// Key is one action of the workbench with the chord that starts it, such as "b" or "Ctrl Shift Z".
type Key struct {
	ID, Chord    string
	Also         []string // further chords, as long as the person has none of their own
	Label, Group string
	Fixed        bool // stands for a family of keys, or is held with the mouse: never changed
	Modes        Mode
}

var table = []Key{
	{ID: "draw", Chord: "b", Label: "Draw boxes", Group: "Draw", Modes: edit},
	{ID: "select", Chord: "v", Label: "Select and move boxes", Group: "Draw", Modes: edit},
	{ID: "insert", Chord: "i", Label: "Put a box in the middle", Group: "Draw", Modes: edit},
	{ID: "duplicate", Chord: "d", Label: "Duplicate the box", Group: "Draw", Modes: edit},
	{ID: "tighten", Chord: "t", Label: "Tighten the box to the pixels", Group: "Draw", Modes: edit},
	{ID: "delete", Chord: "Delete", Also: []string{"Backspace"}, Label: "Delete the box", Group: "Draw", Modes: edit},
	{ID: "undo", Chord: "Ctrl Z", Label: "Undo", Group: "Draw", Modes: change},
	{ID: "redo", Chord: "Ctrl Shift Z", Also: []string{"Ctrl Y"}, Label: "Redo", Group: "Draw", Modes: change},
	{ID: "class", Chord: "Digits", Label: "Class of the next box, or of the box picked", Group: "Class", Modes: Label, Fixed: true},
	{ID: "find-class", Chord: "c", Label: "Find a class by its name", Group: "Class", Modes: edit},
	{ID: "next-box", Chord: "]", Label: "Next box", Group: "Choose and move", Modes: all},
	{ID: "previous-box", Chord: "[", Label: "Previous box", Group: "Choose and move", Modes: all},
	{ID: "nudge", Chord: "Arrows", Label: "Move the box by 1\u00a0px", Group: "Choose and move", Modes: edit, Fixed: true},
	{ID: "nudge-far", Chord: "Shift Arrows", Label: "Move the box by 10\u00a0px", Group: "Choose and move", Modes: edit, Fixed: true},
	{ID: "grow", Chord: "Alt Arrows", Label: "Move its right or bottom side by 1\u00a0px", Group: "Choose and move", Modes: edit, Fixed: true},
	{ID: "grow-far", Chord: "Alt Shift Arrows", Label: "The same by 10\u00a0px", Group: "Choose and move", Modes: edit, Fixed: true},
	{ID: "turn", Chord: "e", Label: "Turn the box clockwise by 1°", Group: "Choose and move", Modes: edit},
	{ID: "turn-back", Chord: "q", Label: "Turn it back by 1°", Group: "Choose and move", Modes: edit},
	{ID: "turn-far", Chord: "Shift E", Label: "Turn it clockwise by 15°", Group: "Choose and move", Modes: edit},
	{ID: "turn-back-far", Chord: "Shift Q", Label: "Turn it back by 15°", Group: "Choose and move", Modes: edit},
	{ID: "leave", Chord: "Escape", Label: "Stop drawing, or let the box go", Group: "Choose and move", Modes: all},
	{ID: "zoom-in", Chord: "+", Also: []string{"="}, Label: "Zoom in", Group: "See", Modes: all},
	{ID: "zoom-out", Chord: "-", Label: "Zoom out", Group: "See", Modes: all},
	{ID: "fit", Chord: "f", Label: "Fit the image", Group: "See", Modes: all},
	{ID: "actual", Chord: "Shift 1", Label: "One image pixel on one of the screen", Group: "See", Modes: all},
	{ID: "pan", Chord: "Ctrl Arrows", Label: "Move the view", Group: "See", Modes: all, Fixed: true},
	{ID: "hand", Chord: "Space", Label: "Hold and drag to move the view", Group: "See", Modes: all, Fixed: true},
	{ID: "hide", Chord: "h", Label: "Hide or show the boxes", Group: "See", Modes: all},
	{ID: "loupe", Chord: "w", Label: "Magnifying glass on or off", Group: "See", Modes: all},
	{ID: "darker", Chord: "o", Label: "Darker", Group: "See", Modes: all},
	{ID: "brighter", Chord: "p", Label: "Brighter", Group: "See", Modes: all},
	{ID: "softer", Chord: ",", Label: "Less contrast", Group: "See", Modes: all},
	{ID: "harder", Chord: ".", Label: "More contrast", Group: "See", Modes: all},
	{ID: "neutral", Chord: "n", Label: "Brightness and contrast as they were", Group: "See", Modes: all},
	{ID: "approve", Chord: "a", Label: "Approve, and show the next", Group: "Review", Modes: Review},
	{ID: "reject", Chord: "r", Label: "Send back, with a reason", Group: "Review", Modes: Review},
	{ID: "next-object", Chord: "j", Label: "Next object", Group: "Review", Modes: Review},
	{ID: "previous-object", Chord: "k", Label: "Previous object", Group: "Review", Modes: Review},
	{ID: "take", Chord: "Digits", Label: "Take an answer: whole, or for the object chosen", Group: "Review", Modes: Review, Fixed: true},
	{ID: "take-merged", Chord: "m", Label: "Take the merged boxes: all, or for the object chosen", Group: "Review", Modes: Review},
	{ID: "leave-out", Chord: "0", Label: "Leave the object chosen out", Group: "Review", Modes: Review},
	{ID: "discard", Chord: "x", Label: "Discard the item", Group: "Review", Modes: Review},
	{ID: "undo-decision", Chord: "u", Label: "Take the last decision back", Group: "Review", Modes: Review},
	{ID: "hear-play", Chord: "Space", Label: "Play, or stop", Group: "Listen", Modes: Hear},
	{ID: "hear-place", Chord: "p", Label: "Play the place chosen", Group: "Listen", Modes: Hear},
	{ID: "hear-back", Chord: "b", Label: "Back by 2 seconds", Group: "Listen", Modes: Hear},
	{ID: "hear-slower", Chord: ",", Label: "Slower", Group: "Listen", Modes: Hear},
	{ID: "hear-faster", Chord: ".", Label: "Faster", Group: "Listen", Modes: Hear},
	{ID: "hear-approve", Chord: "a", Label: "Take the words and moments, and show the next", Group: "Review of sound", Modes: Hear},
	{ID: "hear-reject", Chord: "r", Label: "Send back words or moments, with a reason", Group: "Review of sound", Modes: Hear},
	{ID: "hear-discard", Chord: "x", Label: "Discard the utterance", Group: "Review of sound", Modes: Hear},
	{ID: "hear-undo", Chord: "u", Label: "Take the last decision on sound back", Group: "Review of sound", Modes: Hear},
	{ID: "hear-next", Chord: "j", Also: []string{"F3", "ArrowRight", "ArrowDown"}, Label: "Next place where the answers differ", Group: "Review of sound", Modes: Hear},
	{ID: "hear-previous", Chord: "k", Also: []string{"F2", "ArrowLeft", "ArrowUp"}, Label: "Previous place where they differ", Group: "Review of sound", Modes: Hear},
	{ID: "hear-take", Chord: "Digits", Label: "Take a variant of the place chosen, or a whole answer where none is", Group: "Review of sound", Modes: Hear, Fixed: true},
	{ID: "hear-merged", Chord: "m", Label: "Take what most have: all, or at the place chosen", Group: "Review of sound", Modes: Hear},
	{ID: "hear-out", Chord: "0", Label: "Leave the words or the moment chosen out", Group: "Review of sound", Modes: Hear},
	{ID: "hear-write", Chord: "e", Label: "Write in the text", Group: "Review of sound", Modes: Hear},
	{ID: "hear-models", Chord: "y", Label: "Show what models heard", Group: "Review of sound", Modes: Hear},
	{ID: "hear-leave", Chord: "Escape", Label: "Let the place go, or leave the text", Group: "Review of sound", Modes: Hear},
	{ID: "play", Chord: "Ctrl Space", Also: []string{"F8"}, Label: "Play or pause; it goes on 1\u00a0s before", Group: "Sound", Modes: Write},
	{ID: "back", Chord: "Ctrl B", Also: []string{"F7"}, Label: "Back by 2\u00a0s", Group: "Sound", Modes: Write},
	{ID: "ahead", Chord: "Ctrl Shift B", Also: []string{"F9"}, Label: "On by 2\u00a0s", Group: "Sound", Modes: Write},
	{ID: "slower", Chord: "Ctrl ,", Label: "Slower", Group: "Sound", Modes: Write},
	{ID: "faster", Chord: "Ctrl .", Label: "Faster", Group: "Sound", Modes: Write},
	{ID: "loop", Chord: "Ctrl L", Label: "Play the selection over and over", Group: "Sound", Modes: Write},
	{ID: "listen", Chord: "Alt H", Label: "Hear the next channel alone", Group: "Sound", Modes: Write},
	{ID: "play-here", Chord: "Ctrl Shift Space", Label: "Play from the cursor", Group: "Sound", Modes: Write},
	{ID: "hear-word", Chord: "Alt Enter", Label: "Hear the word at the cursor", Group: "Sound", Modes: Write},
	{ID: "zoom-in-time", Chord: "Alt +", Also: []string{"Alt ="}, Label: "Show less of the time", Group: "Sound", Modes: timed},
	{ID: "zoom-out-time", Chord: "Alt -", Label: "Show more of the time", Group: "Sound", Modes: timed},
	{ID: "next-doubt", Chord: "F3", Label: "Next doubtful word", Group: "Write", Modes: Write},
	{ID: "previous-doubt", Chord: "F2", Label: "Doubtful word before", Group: "Write", Modes: Write},
	{ID: "other-word", Chord: "F4", Label: "Take what else was heard here", Group: "Write", Modes: Write},
	{ID: "unintelligible", Chord: "Ctrl U", Label: "[unintelligible]", Group: "Write", Modes: Write},
	{ID: "no-speech", Chord: "Alt S", Label: "[no speech]", Group: "Write", Modes: Write},
	{ID: "noise", Chord: "Alt N", Label: "[noise]", Group: "Write", Modes: Write},
	{ID: "laughter", Chord: "Alt L", Label: "[laughter]", Group: "Write", Modes: Write},
	{ID: "split", Chord: "Enter", Label: "Split the segment at the cursor", Group: "Segments", Fixed: true, Modes: Write},
	{ID: "join", Chord: "Backspace", Label: "At its beginning, join it with the one before", Group: "Segments", Fixed: true, Modes: Write},
	{ID: "next-segment", Chord: "Alt ArrowDown", Label: "Next segment", Group: "Segments", Modes: Write},
	{ID: "previous-segment", Chord: "Alt ArrowUp", Label: "Segment before", Group: "Segments", Modes: Write},
	{ID: "begin-here", Chord: "Alt ,", Label: "It begins at the play head", Group: "Segments", Modes: Write},
	{ID: "end-here", Chord: "Alt .", Label: "It ends at the play head", Group: "Segments", Modes: Write},
	{ID: "speaker", Chord: "Alt A", Label: "Next speaker", Group: "Segments", Modes: Write},
	{ID: "channel", Chord: "Alt C", Label: "Next channel", Group: "Segments", Modes: Write},
	{ID: "moment", Chord: "Alt Digits", Label: "Mark what is selected, or all of it", Group: "Moments", Fixed: true, Modes: Write},
	{ID: "select-from", Chord: "Alt I", Label: "Select from the play head", Group: "Moments", Modes: Write},
	{ID: "select-to", Chord: "Alt O", Label: "Select up to the play head", Group: "Moments", Modes: Write},
	{ID: "let-go", Chord: "Escape", Label: "Let the selection go", Group: "Moments", Modes: Write},
	{ID: "submit", Chord: "Ctrl Enter", Label: "Submit, and show the next", Group: "Task", Modes: answer},
	{ID: "skip", Chord: "x", Label: "Cannot decide", Group: "Task", Modes: Label},
	{ID: "recall", Chord: "u", Label: "Take the last submit back", Group: "Task", Modes: Label},
	{ID: "keys", Chord: "?", Label: "This sheet", Group: "Task", Modes: every},
	{ID: "set-aside", Chord: "Alt X", Label: "Cannot decide, of an utterance", Group: "Task", Modes: Write},
	{ID: "take-back", Chord: "Alt U", Label: "Take the last utterance back", Group: "Task", Modes: Write},
	{ID: "reveal", Chord: "Alt R", Label: "Show what a model heard", Group: "Task", Modes: Write},
	{ID: "wider", Chord: "Alt W", Label: "Hear more around it", Group: "Task", Modes: Write},
	{ID: "sheet", Chord: "F1", Label: "The keys", Group: "Task", Modes: Write},
}

// Table returns every key, in the order of the workbench's own sheet.
func Table() []Key { return slices.Clone(table) }

// page are chords of the browser and of every page.
var page = map[string]string{
	"Tab": "Go to the next control", "Shift Tab": "Go to the control before", "/": "Search", "Ctrl K": "Command palette",
}

var (
	named    = regexp.MustCompile(`^(?i:Enter|Escape|Delete|Backspace|Space|Tab|Home|End|PageUp|PageDown|Insert|Arrow(?:Left|Right|Up|Down)|F(?:[1-9]|1[0-2]))$`)
	spelling = []string{
		"Enter", "Escape", "Delete", "Backspace", "Space", "Tab", "Home", "End", "PageUp", "PageDown", "Insert",
		"ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown",
	}
	letter = regexp.MustCompile(`^\p{L}$`)
	digit  = regexp.MustCompile(`^[0-9]$`)
	digits = regexp.MustCompile(`^((?:Alt )?)[0-9]$`)
	single = regexp.MustCompile(`^[^\s\p{C}]$`)
	arrow  = regexp.MustCompile(`Arrow(Left|Right|Up|Down)$`)
)

// Parse returns chord as the workbench writes it: modifiers in the order Ctrl, Alt, Shift, then one
// key. It reports false when chord is none. A sign such as ? bears no Shift: where it is needed
// depends on the keyboard.
func Parse(chord string) (string, bool) {
	words := strings.Fields(strings.ReplaceAll(chord, " + ", " "))
	if len(words) == 0 {
		return "", false
	}
	held := map[string]bool{}
	for _, w := range words[:len(words)-1] {
		held[strings.ToLower(w)] = true
	}
	var parts []string
	for _, m := range []string{"Ctrl", "Alt", "Shift"} {
		if held[strings.ToLower(m)] {
			parts = append(parts, m)
		}
	}
	if len(parts) != len(words)-1 {
		return "", false
	}
	key, ok := keyName(words[len(words)-1], len(parts) > 0)
	if !ok {
		return "", false
	}
	if held["shift"] && single.MatchString(key) && !letter.MatchString(key) && !digit.MatchString(key) {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(append(parts, key), " "), true
}

// keyName spells one key as the workbench does: a letter is small unless a modifier is held with it.
func keyName(key string, withModifier bool) (string, bool) {
	switch {
	case named.MatchString(key):
		for _, s := range spelling {
			if strings.EqualFold(s, key) {
				return s, true
			}
		}
		return strings.ToUpper(key), true // F1 to F12
	case letter.MatchString(key) && withModifier:
		return strings.ToUpper(key), true
	case letter.MatchString(key):
		return strings.ToLower(key), true
	}
	return key, single.MatchString(key)
}

// Choose reads a person's chords by id of the action. It returns those that differ from the table's
// own, and for each that cannot be taken the reason, by the same id. Empty means the table's own.
func Choose(wanted map[string]string) (own, problems map[string]string) {
	own, problems = map[string]string{}, map[string]string{}
	for _, k := range table {
		if text := strings.TrimSpace(wanted[k.ID]); text != "" && !k.Fixed {
			chord, ok := Parse(text)
			switch {
			case !ok:
				problems[k.ID] = "This is no key. Write it like b, Ctrl Enter or Shift F2."
			case chord != k.Chord:
				own[k.ID] = chord
			}
		}
	}
	for _, k := range table {
		if chord, ok := own[k.ID]; ok {
			if other := holder(chord, k, own); other != "" {
				problems[k.ID] = "This is the key of “" + other + "” already. Choose another one."
			}
		}
	}
	return own, problems
}

// holder returns the label of the action other than but that has chord in one of but's modes, or "".
func holder(chord string, but Key, own map[string]string) string {
	if label, ok := page[chord]; ok {
		return label
	}
	for _, k := range table {
		if k.ID == but.ID || k.Modes&but.Modes == 0 {
			continue
		}
		if slices.Contains(chords(k, own), chord) || k.Fixed && k.Chord == family(chord) {
			return k.Label
		}
	}
	return ""
}

func chords(k Key, own map[string]string) []string {
	if chord, ok := own[k.ID]; ok {
		return []string{chord}
	}
	return append([]string{k.Chord}, k.Also...)
}

// family is what a fixed key calls the chords that it stands for.
func family(chord string) string {
	if m := digits.FindStringSubmatch(chord); m != nil {
		return m[1] + "Digits"
	}
	return arrow.ReplaceAllString(chord, "Arrows")
}
