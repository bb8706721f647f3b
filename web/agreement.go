package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"fiducial/web/ui"
)

// RulesFormView is the part of a project's settings that says what becomes of answers that agree, or do not.
type RulesFormView struct {
	LooseLimit, AcceptAbove, LookShare, AskBelow, OverlapMost string
}

// refuses tells whether one of these fields was refused.
func (v RulesFormView) refuses(r Refusal) bool {
	return slices.Contains([]string{"loose_limit", "accept_above", "look_share", "ask_below", "overlap_most"}, r.Field)
}

// EstimateView is a measure with the middle 95 % of what a bootstrap gave, and the number of what it is a mean of. Value is
// "" where there is nothing to measure.
type EstimateView struct {
	Value, Low, High string
	N                int
}

// AgreementView is the page of how far the answers of a project agree.
type AgreementView struct {
	Tabs       ProjectTabs
	Name       string
	Paused     bool
	ComputedAt time.Time // zero while nothing was computed
	Pending    bool      // it is being computed, or will be soon
	Rounds     []RoundLinkView
	// Again computes it anew, "" for who may not.
	Again string
	// Compared counts items with several answers, Decided those with a truth.
	Items, Compared, Decided int
	Missing                  *MissingAgreementView // why there is nothing to show
	Single                   *MissingAgreementView // why there is only the truth to compare with
	Measures                 []MeasureView
	Findings                 []FigureView
	Scores                   []ScoreBinView
	ItemsHref                string // the items, the worst first; "" for who may not see any
	Classes                  []ClassAgreementView
	Votes, Truth             *ConfusionView
	Confused                 []ConfusedView
	Labelers                 []LabelerAgreementView
	Pairs                    []LabelerPairView
	Differ                   []DifferenceView
	NamesItems               bool // labelers and items may be shown
	// Sound says that answers have words, which Words measure, and moments; those measures are left out where nobody marked any.
	Sound        bool
	Words        []MeasureView
	WordLabelers []LabelerWordsView
	WordPairs    []LabelerWordsView
}

// MissingAgreementView says why there is nothing to compare, and what to do about it.
type MissingAgreementView struct{ Title, Text, Href, Act string }

// RoundLinkView leads to the agreement of one round, or of the whole project.
type RoundLinkView struct {
	Label, Href string
	Current     bool
}

// MeasureView is one measure of the whole.
type MeasureView struct {
	Name, Help string
	Estimate   EstimateView
}

// ScoreBinView counts the items whose score lies between two bounds. Share is of the fullest, 0 to 100.
type ScoreBinView struct {
	From, To     string
	Items, Share int
}

// ClassRef is a class as pages name it. Slot is below 0 for "no box".
type ClassRef struct {
	Name string
	Slot int
}

// ClassAgreementView is how far the answers agree on one class.
type ClassAgreementView struct {
	Class             ClassRef
	Votes, Truth, IoU EstimateView
}

// ConfusionView is a table of what was said where another said a class. Rows and columns are the classes in one order.
type ConfusionView struct {
	Title, Rows, Columns string // what the rows and the columns are
	CSV                  string
	Classes              []ClassRef
	Cells                [][]ConfusionCellView
}

// ConfusionCellView is one cell: its share of the row in per cent. Heat is its CSS class.
type ConfusionCellView struct {
	Share string // "" for none
	Says  string // the whole cell in words
	Href  string // the pair's page, "" where there is none
	Heat  string
}

// ConfusedView is how often two classes are taken for each other.
type ConfusedView struct {
	A, B         ClassRef
	Votes, Truth EstimateView
	Href         string
}

// LabelerAgreementView is how far one labeler agrees with the others and with the truth.
type LabelerAgreementView struct {
	Name          string
	Answers       int
	Others, Truth EstimateView
	IoU           EstimateView
	Accuracy      string
}

// LabelerWordsView is how far the words of a labeler, or of two, differ: word error rates.
type LabelerWordsView struct {
	Name          string
	Others, Truth EstimateView
}

// LabelerPairView is how far two labelers agree.
type LabelerPairView struct {
	One, Two          string
	Kappa, Share, IoU EstimateView
}

// DifferenceView is an object on which Dawid and Skene's method and the majority differ.
type DifferenceView struct {
	Item, Href       string
	Majority, Likely ClassRef
	Probability      string
	Tied             bool
}

// AgreementItemsView lists items by how far their answers agree, the worst first.
type AgreementItemsView struct {
	Tabs   ProjectTabs
	Name   string
	Paused bool
	Items  []AgreementItemView
	CSV    string
	Sound  bool // the items have words
	Next   string
	First  string // the first page, "" on it
}

// AgreementItemView is one item of that list.
type AgreementItemView struct {
	Thumb, Href, Name string
	Wave              []byte // of sound, as ui.Wave takes it
	Tone              ui.Tone
	State             string
	Answers           int
	Score, TruthScore string
	IoU               string
	WER, TruthWER     string // of sound
	Finding           string
	Agreed, Objects   int
}

// fraction is "3 of 4".
func fraction(part, whole int) string { return strconv.Itoa(part) + " of " + strconv.Itoa(whole) }

// query is the part of the address that chooses the round.
func (v RoundLinkView) query() string {
	if at := strings.IndexByte(v.Href, '?'); at >= 0 {
		return v.Href[at:]
	}
	return ""
}

func (v AgreementItemsView) agreedHead() string {
	if v.Sound {
		return "Agreed moments"
	}
	return "Agreed objects"
}

func (v AgreementItemsView) fitHead() string {
	if v.Sound {
		return "Word error rate"
	}
	return "IoU"
}

func (v AgreementItemsView) truthHead() string {
	if v.Sound {
		return "Beside the truth"
	}
	return "With the truth"
}

// fit is what the overlap of two labels is called.
func (v AgreementView) fit() string {
	if v.Sound {
		return "Overlap"
	}
	return "IoU"
}

// things is what labels are called.
func (v AgreementView) things() string {
	if v.Sound {
		return "moments"
	}
	return "objects"
}
