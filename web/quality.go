package web

import (
	"fmt"
	"strings"
	"time"

	"fiducial/web/ui"
)

// ShareView is how many of N objects are agreed, with what is known of that.
type ShareView struct {
	Value, Margin string
	N             int
}

// FigureRow is a labeler's figures, of all classes or of one.
type FigureRow struct {
	Person   string // their id
	Name     string
	Href     string
	Class    string // "" for all
	Slot     int
	Answers  int
	Approved int
	Amended  int
	Rejected int
	Reasons  []ReasonView
	Truth    ShareView
	Peers    ShareView
	Gold     ShareView
	// TruthWords, PeerWords and GoldWords are word error rates beside these, "" for images and where nothing was compared.
	TruthWords, PeerWords, GoldWords string

	Median    time.Duration
	HasMedian bool
	Paused    bool
	// Pause and Resume are addresses, empty where they are not offered.
	Pause, Resume string
	PausedSince   time.Time
	PauseReason   string
}

// ReasonView is a fault with how many answers it was found with.
type ReasonView struct {
	Word  string
	Count int
}

// ConcernView is a labeler whom a reviewer should think about.
type ConcernView struct {
	Name, Action string
	Score, Limit string
	Results      int
	At           time.Time
}

// RejectionView is a fault that was found with an answer, in a picture.
type RejectionView struct {
	Name, Project, Class string
	Slot                 int
	Fault, Where         string
	Note, Dispute        string
	At                   time.Time
	Picture              FaultPicture
	Sound                bool // it is about an utterance, of which there is no picture
	Href, Act            string
}

// FaultPicture is a part of an image with what a reviewer pinned to it. Left, Top and Side are the part in pixels of the
// image; of the whole image Whole is set and nothing is pinned. Src is empty where there is none to see.
type FaultPicture struct {
	Src, Alt      string
	Whole         bool
	Left, Top     int
	Width, Height int
	Box           bool
	X, Y, W, H    float64
	Turned        float64 // degrees clockwise about the box's centre
	Slot          int
}

func (p FaultPicture) viewBox() string {
	return fmt.Sprintf("%d %d %d %d", p.Left, p.Top, p.Width, p.Height)
}

// ring is the radius of the mark at a place, and line how thick lines are, to look alike at every scale.
func (p FaultPicture) ring() string { return fmt.Sprintf("%.1f", float64(p.Width)/9) }

func (p FaultPicture) turn() string {
	if p.Turned == 0 {
		return ""
	}
	return fmt.Sprintf("rotate(%g %g %g)", p.Turned, p.X+p.W/2, p.Y+p.H/2)
}

func number(v float64) string { return fmt.Sprintf("%g", v) }

// QualityView is what the reviewers of a project know of its labelers.
type QualityView struct {
	Tabs     ProjectTabs
	Name     string
	Paused   bool
	Sound    bool
	Of       int // of how many newest answers the figures are
	Concerns []ConcernView
	Rows     []FigureRow
	Heads    []ui.Head
	// Labeler is whose classes the rows are, "" for all labelers; All leads back.
	Labeler, All string
	Classes      []ui.Option
	Class        string
	CSV          string
	At           time.Time
	Disputes     []RejectionView
	Threads      []OpenThreadView
	Gold         GoldPanelView
	Refused      Refusal
}

// OpenThreadView is a discussion that is not settled.
type OpenThreadView struct {
	Name, Href string
	Comments   int
	At         time.Time
}

// GoldPanelView is how a project uses its gold items.
type GoldPanelView struct {
	All, Ready           int
	List, Make, Settings string // addresses; Make and Settings are empty for who may not
	Share, Limit, Least  string
	On                   bool
}

// GoldView says on an item's page that it is a gold item, or can become one.
type GoldView struct {
	Gold        bool
	Add, Remove string
}

// GoldListView is a project's gold items.
type GoldListView struct {
	Tabs   ProjectTabs
	Name   string
	Paused bool
	Items  []GoldRow
	Back   string
	First  string
	Next   string
}

// GoldRow is a gold item.
type GoldRow struct {
	Name, Href, Thumb, Remove string
	Wave                      []byte // of sound, as ui.Wave takes it
	Ready                     bool
	Boxes, Answered           int
	Score                     string
	At                        time.Time
}

// OwnQualityView is what a labeler sees of their own work.
type OwnQualityView struct {
	Projects   []OwnFigures
	Rejections []RejectionView
	Older      string
	GoldFrom   int
}

// OwnFigures are a labeler's figures in one project.
type OwnFigures struct {
	Name, Href string
	Whole      FigureRow
	Classes    []FigureRow
	At         time.Time
}

// reasonsText lists faults with their counts.
func (r FigureRow) reasonsText() string {
	var words []string
	for _, reason := range r.Reasons {
		words = append(words, fmt.Sprintf("%s %d", strings.ToLower(reason.Word), reason.Count))
	}
	return strings.Join(words, ", ")
}

// place names the item, and the project where that is not plain.
func (r RejectionView) place() string {
	if r.Project == "" {
		return r.Name
	}
	return r.Name + ", " + r.Project
}
