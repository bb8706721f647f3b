package web

import (
	"time"

	"github.com/a-h/templ"

	"fiducial/internal/speech"
)

// WorkbenchState is what the box workbench works on, as JSON in the page and
// from the endpoints that hand out a task. assets/src/boxes/contract.ts is its
// other side. Coordinates are pixels of the upright image.
type WorkbenchState struct {
	Assignment int64 `json:"assignment"`
	Task       int64 `json:"task"`
	Item       int64 `json:"item"`
	// Mode is "label", "review" (boxes can be amended, the page decides) or
	// "view" (read only).
	Mode string `json:"mode"`
	// Title is such as "Item 14 of 60", Facts what stands beside it.
	Title string   `json:"title"`
	Facts []string `json:"facts"`
	// Reason is why the task is done: initial, rework or relabel. A gold task
	// says initial, since anybody can read the page.
	Reason string         `json:"reason"`
	Image  WorkbenchImage `json:"image,omitzero"`
	// Sound is what there is of an utterance in the place of an image; its
	// moments are Boxes, with x and w in seconds, y the channel and h 1.
	Sound   *WorkbenchSound  `json:"sound,omitempty"`
	Classes []WorkbenchClass `json:"classes"`
	Boxes   []WorkbenchBox   `json:"boxes"`
	// DraftVersion is sent back with each save and with the submit.
	DraftVersion int                `json:"draftVersion"`
	Marks        []WorkbenchMark    `json:"marks"`
	Overlays     []WorkbenchOverlay `json:"overlays"`
	// LeaseUntil is nil where nothing is held.
	LeaseUntil *time.Time `json:"leaseUntil"`
	// Now is the server's clock, by which the page corrects its own.
	Now time.Time `json:"now"`
	// Keys are this person's own chords by action.
	Keys map[string]string `json:"keys"`
	// DraftKey is an AES key of 16 or 32 bytes, the same for the life of the
	// session, under which a draft is kept in the browser while the server
	// cannot be reached. Empty keeps none.
	DraftKey   []byte               `json:"draftKey"`
	Recallable *WorkbenchRecallable `json:"recallable"`
	URLs       WorkbenchURLs        `json:"urls"`
}

// WorkbenchImage is the picture to draw on; Width and Height are those of the
// upright image, whatever the rendition's own size.
type WorkbenchImage struct {
	Src    string `json:"src"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Alt    string `json:"alt"`
	// Window is set for 16-bit images: a rendition with the high byte in red and
	// the low byte in green, and the grey values to show black and white.
	Window *WorkbenchWindow `json:"window"`
}

// WorkbenchWindow is a 16-bit rendition; Low and High are grey values 0…65535.
type WorkbenchWindow struct {
	Src  string `json:"src"`
	Low  int    `json:"low"`
	High int    `json:"high"`
}

// WorkbenchSound is an utterance to write down. All times are seconds from its
// beginning; the sound at Src begins Lead seconds before it, and ends Trail
// seconds after it.
type WorkbenchSound struct {
	Src      string  `json:"src"`
	Peaks    string  `json:"peaks"`
	Seconds  float64 `json:"seconds"`
	Lead     float64 `json:"lead"`
	Trail    float64 `json:"trail"`
	Channels int     `json:"channels"`
	// Begins is where the utterance begins in its recording.
	Begins float64 `json:"begins"`
	// Mode is blind (nothing is shown of what models heard), edit (the text
	// began from the first of Heard) or reveal (Heard can be asked for).
	Mode       string            `json:"mode"`
	Transcript speech.Transcript `json:"transcript"`
	Heard      []WorkbenchHeard  `json:"heard"`
	// Picked says why a plan chose the utterance, empty if none did or nothing may be shown.
	Picked string `json:"picked"`
	// Tags can be put in by key or button; each has its brackets.
	Tags []WorkbenchTag `json:"tags"`
	// Rules is what of the transcription rules is checked while somebody writes.
	Rules speech.Rules `json:"rules"`
	// Around is what is decided of the utterances that are heard around this one, in the order of time.
	Around []WorkbenchNeighbor `json:"around"`
}

// WorkbenchNeighbor is an utterance before or after, in seconds from the beginning of the one that is worked on.
type WorkbenchNeighbor struct {
	Begin   float64 `json:"begin"`
	End     float64 `json:"end"`
	Channel int     `json:"channel"`
	Text    string  `json:"text"`
}

// WorkbenchHeard is what a model version heard. Model is its name and version,
// empty where that is not known; Confidence is of the whole.
type WorkbenchHeard struct {
	Model      string          `json:"model"`
	Confidence *float64        `json:"confidence"`
	Text       string          `json:"text"`
	Words      []WorkbenchWord `json:"words"`
}

// WorkbenchWord is a word of a hypothesis with its times.
type WorkbenchWord struct {
	Word       string   `json:"word"`
	Start      float64  `json:"start"`
	End        float64  `json:"end"`
	Confidence *float64 `json:"confidence"`
}

// WorkbenchTag stands for what is heard and is no word. Act is the action of
// the table of keys that puts it in, else Key does with Alt; both may be empty.
type WorkbenchTag struct {
	Text  string `json:"text"`
	Act   string `json:"act,omitempty"`
	Key   string `json:"key,omitempty"`
	About string `json:"about,omitempty"`
}

// WorkbenchClass is a class to choose. Key is "1" to "9" or "0", and empty
// from the eleventh on; Slot is its rule in the project's style sheet;
// Definition the published version of its definition.
type WorkbenchClass struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Key        string `json:"key"`
	Slot       int    `json:"slot"`
	Definition int    `json:"definition"`
}

// WorkbenchBox is a box; ID is made by the page for a new one. Rotation is in
// degrees clockwise about the centre.
type WorkbenchBox struct {
	ID       string  `json:"id"`
	Class    int64   `json:"class"`
	X        float64 `json:"x"`
	Y        float64 `json:"y"`
	W        float64 `json:"w"`
	H        float64 `json:"h"`
	Rotation float64 `json:"rotation"`
}

// WorkbenchMark is a reviewer's remark about a box, or about a place where
// there is none. Reason is loose_box, missed_defect, wrong_class, split_needed
// or other.
type WorkbenchMark struct {
	Box    *string  `json:"box"`
	Reason string   `json:"reason"`
	Note   string   `json:"note"`
	X      *float64 `json:"x,omitempty"`
	Y      *float64 `json:"y,omitempty"`
}

// WorkbenchOverlay is somebody's boxes over the image. Style, 0 to 8, is their
// line; ID is what the page calls them, such as "A".
type WorkbenchOverlay struct {
	ID    string         `json:"id"`
	Style int            `json:"style"`
	Boxes []WorkbenchBox `json:"boxes"`
}

// WorkbenchRecallable is the last submit, while it can be taken back.
type WorkbenchRecallable struct {
	Task  int64  `json:"task"`
	Title string `json:"title"`
}

// WorkbenchURLs say where to ask for what; what is empty is not offered.
type WorkbenchURLs struct {
	Draft     string `json:"draft,omitempty"`
	Submit    string `json:"submit,omitempty"`
	Heartbeat string `json:"heartbeat,omitempty"`
	Skip      string `json:"skip,omitempty"`
	Recall    string `json:"recall,omitempty"`
	Dispute   string `json:"dispute,omitempty"`
	Next      string `json:"next,omitempty"`
	State     string `json:"state,omitempty"`
	// Shown is told once the utterance, which was fetched ahead, is on the screen.
	Shown string `json:"shown,omitempty"`
	// Reveal shows what models heard, once own words are saved.
	Reveal string `json:"reveal,omitempty"`
	// Context lets the person hear more around the utterance, for a reason.
	Context string `json:"context,omitempty"`
	// Definition holds {class} in the place of a class's id.
	Definition string `json:"definition,omitempty"`
	// Keys takes PUT {"keys": {action: chord}} for this person.
	Keys string `json:"keys,omitempty"`
	// Queue is where to go when nothing is left.
	Queue string `json:"queue,omitempty"`
	// Classes is the project's style sheet. A next task with another one is
	// opened as a new page.
	Classes string `json:"classes,omitempty"`
}

// LabelView is the box workbench's page.
type LabelView struct {
	Page  PageView
	State WorkbenchState
	// Book names the version of the defect book, such as "v7, 38 classes".
	Book string
	// Definition shows the first class's definition; others are fetched.
	Definition templ.Component
	// Discussion is what is said about an item that came back, nil for any other.
	Discussion templ.Component
}

// LabelEmptyView is shown where the queue has nothing for this person.
type LabelEmptyView struct {
	Page PageView
	// Done is how many tasks the person finished today.
	Done int
	// Queue is the address of the person's queue.
	Queue string
}

// src is the rendition that the workbench shows.
func (v WorkbenchImage) src() string {
	if v.Window != nil {
		return v.Window.Src
	}
	return v.Src
}
