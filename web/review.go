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
	// Word and Tone are what the item is at present.
	Word string
	Tone ui.Tone
	// Action takes the decision, Next leads to the item after this one.
	Action, Next string
	Answers      []ReviewAnswerView
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
}

// ReviewAnswerView is one labeler's answer. Letter is what the page calls it, Style its line, Key
// takes it.
type ReviewAnswerView struct {
	ID      int64
	Letter  string
	Style   string
	Key     string
	Labeler string // "" while it is hidden
	Facts   string
	Surplus bool
	Chosen  bool
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
	Undone   bool
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
	Project           string
	Word              string
	Tone              ui.Tone
	// Score is how far the answers agree, "" where there is nothing to compare; Finding is the worst difference.
	Score, Finding string
	Classes        string
	Boxes             int
	Since             time.Time
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
