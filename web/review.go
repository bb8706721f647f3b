package web

import (
	"time"

	"github.com/a-h/templ"

	"fiducial/web/ui"
)

// ReviewView is the page on which a reviewer decides about one item.
type ReviewView struct {
	Page PageView
	// State is the workbench's; its boxes are what would be decided on.
	State   WorkbenchState
	Item    int64
	Version int
	// Base is the answer that State's boxes were begun from, 0 for none.
	Base int64
	// Truth says that they are the present truth's.
	Truth bool
	// Objects are what several answers say of each object, worst first; Matching is the same for the script. Hint says
	// how far they agree and what to press.
	Objects  []ReviewObjectView
	Matching *ReviewMatching
	Hint     string
	// Word and Tone are what the item is at present.
	Word string
	Tone ui.Tone
	// Action takes the decision, Next leads to the item after this one.
	Action, Next string
	// Answers are the labelers', Choices these and what else can be taken whole.
	Answers, Choices []ReviewAnswerView
	// Boxes are the base's, for pinning a fault to one without a script.
	Boxes     []ui.Option
	Faults    []ui.Option
	Skips     []ReviewSkipView
	Decisions []DecisionView
	// Conflict says what somebody else decided meanwhile, empty for nothing.
	Conflict string
	// Error is why a decision was refused, empty for nothing.
	Error string
	// Discussion is the talk about this item, and Book the drawer in which definitions are compared and
	// changed; nil shows nothing.
	Discussion, Book templ.Component
	// Gold says that it is a gold item, or can be made one; nil for what cannot.
	Gold *GoldView
}

// ReviewAnswerView is one labeler's answer, or what can be taken in its place. Value is what the form sends, Letter what the
// page calls it, Style its line, Key takes it.
type ReviewAnswerView struct {
	Value   string
	Letter  string
	Name    string // in the place of the letter, where it is no labeler's answer
	Style   string
	Key     string
	Labeler string // "" while it is hidden
	Facts   string
	Surplus bool
	Chosen  bool
}

// ReviewObjectView is one object on the item, as several answers have it. ID is that of its box on the canvas.
type ReviewObjectView struct {
	ID      string
	Number  int
	Finding string
	Icon    string
	Tone    ui.Tone
	// Also are further findings, "" for none.
	Also string
	// Votes are the classes that it was given, the majority's first.
	Votes []ReviewVoteView
	// Has says of each answer, in order, what it has here; Who says it in one word, where answers are too many for columns.
	Has []ReviewHasView
	Who string
	// IoU is the mean of its boxes, "" for a single one. Taken is what is decided about it so far.
	IoU, Taken string
}

// ReviewVoteView is a class with the letters of the answers that say it, "" where all do.
type ReviewVoteView struct {
	Slot      int
	Name, Who string
}

// ReviewHasView is what one answer has of an object.
type ReviewHasView struct {
	Letter, Icon, Word string
	Tone               ui.Tone
}

// ReviewMatching is what assets/src/review works on, beside the workbench's state. Truth are the present truth's boxes, those
// of an object under its id.
type ReviewMatching struct {
	Objects []ReviewObject `json:"objects"`
	Truth   []WorkbenchBox `json:"truth"`
}

// ReviewObject is one object: its boxes in the overlays, the answers that lack it, and what the answers make together, nil where
// most have nothing. Settled objects need no judgment.
type ReviewObject struct {
	ID      string         `json:"id"`
	Members []ReviewMember `json:"members"`
	Wide    []ReviewMember `json:"wide"`
	Missing []string       `json:"missing"`
	Merged  *WorkbenchBox  `json:"merged"`
	Settled bool           `json:"settled"`
}

// ReviewMember is a box of an overlay, and the fault that it probably has, "" for none.
type ReviewMember struct {
	Answer string `json:"answer"`
	Box    string `json:"box"`
	Fault  string `json:"fault"`
}

// ReviewSkipView is a labeler's word that they could not decide.
type ReviewSkipView struct {
	Reason, Note string
	At           time.Time
}

// DecisionView is an entry of an item's history, or of a reviewer's day.
type DecisionView struct {
	Word     string
	Tone     ui.Tone
	Reviewer string
	At       time.Time
	Note     string
	Batch    string // the batch that was decided on as a whole, "" for none
	// Origins say where its boxes came from, "" where that is plain.
	Origins string
	Undone  bool
	// Undo takes it back, empty where it cannot be.
	Undo  string
	Marks []ReviewMarkView
	// Item and Href name what was decided about, on a reviewer's day.
	Item, Href string
}

// ReviewMarkView is a fault that was pinned to an answer, with the labeler's word against it.
type ReviewMarkView struct {
	Fault, Where, Note, Dispute string
}

// ReviewStartView is the page that a reviewer's day begins on.
type ReviewStartView struct {
	Page    PageView
	Start   string // address of the first item
	Waiting int
	Items   []WaitingView
	Queues  []ReviewQueueView
	Today   []DecisionView
	// Figures are the day's counts by word, Active how long it took.
	Figures []FigureView
	Active  string
}

// FigureView is a count with its name.
type FigureView struct {
	Name  string
	Count int
}

// WaitingView is an item that waits, and what it is about.
type WaitingView struct {
	Href, Thumb, Name string
	Wave              []byte // of sound, as ui.Wave takes it
	Project           string
	Word              string
	Tone              ui.Tone
	// Score is how far the answers agree, "" where there is nothing to compare; Finding is the worst difference.
	Score, Finding string
	Classes        string
	Boxes          int
	Since          time.Time
}

// ReviewQueueView is what waits in one project.
type ReviewQueueView struct {
	Name, Href, Start             string
	Waiting                       int
	Oldest                        time.Time
	Reworked, Disputed, Undecided int
}

// NoticesView is the page of what somebody was told.
type NoticesView struct {
	Page    PageView
	Notices []NoticeView
	Unread  int
	// UpTo is the newest notice's id, for marking all as read.
	UpTo string
	// Older leads to the page of earlier ones, empty for none.
	Older string
}

// NoticeView is one notice.
type NoticeView struct {
	Title, Text string
	Icon        string
	Tone        ui.Tone
	At          time.Time
	Read        bool
	Href, Act   string
}
