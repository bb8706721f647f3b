// Package scoring measures what a model says of the lines of a dataset version. Each line's truth and output are made into a score,
// which is numbers alone; all figures are computed from the scores, so that they can be computed again when truth and outputs are gone,
// to the last digit.
package scoring

import (
	"math"

	"fiducial/internal/metrics"
)

// Task is what an output is measured as.
type Task string

// The tasks.
const (
	Speech    Task = "speech"    // words against the truth's transcript
	Label     Task = "label"     // one label an item
	Labels    Task = "labels"    // any number of labels an item
	Spans     Task = "spans"     // labels on stretches of time
	Detection Task = "detection" // boxes
)

// Sheet is the scores of one cell, a line each, in the order of their positions.
type Sheet struct {
	Task Task
	// Classes are the names that the scores' class numbers stand for; of the task Label the last is that of no class. Of the task Speech they
	// are those of the moments that utterances have.
	Classes []string
	Scores  []Score
}

// Score is what became of one line. Which of the numbers of the tasks are there follows from the sheet's task.
type Score struct {
	Position int
	// Group is drawn as a whole when figures are made sure of: the id of the item's group or, where it has none, a number of the item's own.
	Group int64
	// Source is the id of the item's source, 0 where it has none.
	Source int64
	// Length is how long the item's sound is, in seconds; NaN: it has none.
	Length float32
	// Confidence is how sure the model was of all that it said, from 0 to 1; NaN: it did not say.
	Confidence float32
	// Failed has it that there is no output. Such a line is in no figure.
	Failed bool

	// Words count, for the task Speech.
	Words Words
	// Marks are, for the tasks Label, Labels and Spans, what is true and what was said, paired. The task Label has one. For the task Speech they
	// are the classes of the truth's moments, each once, of which nothing was said: no measure but the slices by class sees them.
	Marks []Mark
	// Probabilities are, for the tasks Label and Labels, those that the model gave each class; NaN: none, nil: none at all.
	Probabilities []float32
	// Image is, for the task Detection, what matching made of the boxes.
	Image metrics.Matched
}

// Words count in what a hypothesis differs from its reference, by words and, with spaces, by characters.
type Words struct {
	Hits, Substitutions, Deletions, Insertions int32
	Characters, CharacterErrors                int32
}

// Errors is the number of word errors.
func (w Words) Errors() int { return int(w.Substitutions) + int(w.Deletions) + int(w.Insertions) }

// Reference is the number of words of the reference.
func (w Words) Reference() int { return int(w.Hits) + int(w.Substitutions) + int(w.Deletions) }

// nothing is the number of no class, and the place of nothing in a list.
const nothing = -1

// Mark is a label that is true, with the one that was said in its place. Classes are numbers in the sheet's list; -1 is none.
type Mark struct {
	Truth, Said     int32
	TruthAt, SaidAt int32 // which of the item's moments, and of the output's labels, from 0; -1: none
	Confidence      float32
}

// Moment is a label of an item's truth or of an output, on a stretch of time or on the whole.
type Moment struct {
	Class      string
	Begin, End float64 // seconds; 0 and 0: not said
	Confidence float64 // of what a model said; NaN: it did not say
}

// Box is an object of an item's truth or of an output, in pixels of the image, without rotation.
type Box struct {
	Class      string
	X, Y, W, H float64
	Crowd      bool    // of the truth: a group of objects; what is found in it is neither right nor wrong
	Score      float64 // of what a model found
}

// none32 is a number that is not there.
var none32 = float32(math.NaN())

// Figures are what a cell's page shows, computed from its scores.
type Figures struct {
	Task   Task `json:"task"`
	Items  int  `json:"items"`  // with an output, which all figures are of
	Failed int  `json:"failed"` // without one
	Groups int  `json:"groups"` // that intervals are drawn from
	// Measures begin with the headline: wer, macro_f1, span_f1, map.
	Measures []Measure `json:"measures"`
	Classes  []Class   `json:"classes,omitempty"`
	// Confusion is of the tasks Label, Spans and Detection.
	Confusion *Confusion `json:"confusion,omitempty"`
	// Calibration is there where outputs say how sure they are.
	Calibration *Calibration `json:"calibration,omitempty"`
	Slices      []Slice      `json:"slices,omitempty"`
	// Threshold is, of the task Detection, the score from which a detection counts in the confusion, in the classes' counts and among
	// mistakes: that with the greatest F1.
	Threshold *float64 `json:"threshold,omitempty"`
}

// Headline is the first measure.
func (f *Figures) Headline() Measure {
	if len(f.Measures) == 0 {
		return Measure{}
	}
	return f.Measures[0]
}

// Measure is one figure with its interval, the middle 95 % of what it is over draws of the groups. Nil is not defined.
type Measure struct {
	Name           string   `json:"name"`
	Value          *float64 `json:"value"`
	Low            *float64 `json:"low"`
	High           *float64 `json:"high"`
	Items          int      `json:"items"` // that it is of
	HigherIsBetter bool     `json:"higher_is_better"`
}

// Class is how one class was predicted. What the task does not have is nil.
type Class struct {
	Name      string   `json:"name"`
	Truth     int      `json:"truth"`     // how often it is true
	Predicted int      `json:"predicted"` // how often it was said
	Right     int      `json:"right"`     // both
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	F1        *float64 `json:"f1"`
	AP        *float64 `json:"ap,omitempty"`
	AP50      *float64 `json:"ap50,omitempty"`
	AR100     *float64 `json:"ar100,omitempty"`
	// Low and High are the interval of AP for the task Detection, of F1 for the others.
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
}

// Confusion counts: row is the true class, column the one said. For the tasks Spans and Detection the last of either is none.
type Confusion struct {
	Classes []string `json:"classes"`
	Counts  [][]int  `json:"counts"`
}

// Calibration compares how sure the model was with how often it was right.
type Calibration struct {
	Error float64 `json:"error"` // the expected one
	Worst float64 `json:"worst"` // of any bin
	Brier float64 `json:"brier"`
	Units int     `json:"units"`
	Bins  []Bin   `json:"bins"`
}

// Bin is the units whose confidence is above From and up to To. The means of no units are nil.
type Bin struct {
	From       float64  `json:"from"`
	To         float64  `json:"to"`
	Units      int      `json:"units"`
	Confidence *float64 `json:"confidence"`
	Accuracy   *float64 `json:"accuracy"`
}

// What slices are by.
const (
	ByClass      = "class"      // items with this class in their truth, which may be in several of these; Name is its name
	ByConfidence = "confidence" // a tenth of the items, from the least sure; Name is the number of the tenth, from 1
	ByLength     = "length"     // Name is as "2-5": from so many seconds to below so many; "30-" has no end
	BySource     = "source"     // Name is the id of the source, "0" of none
)

// Slice is the figures of a part of the items.
type Slice struct {
	By       string    `json:"by"`
	Name     string    `json:"name"`
	Items    int       `json:"items"`
	Measures []Measure `json:"measures"`
}

// Options say how intervals are drawn. The same options give the same figures.
type Options struct {
	Draws int // 0 is DefaultDraws, below 0 none
	Seed  uint64
}

// DefaultDraws is how many draws of the groups an interval is made from.
const DefaultDraws = 1000

func (o Options) draws() int {
	switch {
	case o.Draws == 0:
		return DefaultDraws
	case o.Draws < 0:
		return 0
	}
	return o.Draws
}

// Difference is a cell beside its baseline on the lines that both have an output for.
type Difference struct {
	Items  int `json:"items"`
	Groups int `json:"groups"`
	Gained int `json:"gained"` // lines that became better
	Lost   int `json:"lost"`
	// Measures begin with the headline.
	Measures []Change `json:"measures"`
	// Moves are of all lines that became better or worse, those that moved most first.
	Moves []Move `json:"-"`
}

// Headline is the first measure.
func (d *Difference) Headline() Change {
	if len(d.Measures) == 0 {
		return Change{}
	}
	return d.Measures[0]
}

// Change is what a measure of a cell has more than that of its baseline. Nil is not defined.
type Change struct {
	Name           string   `json:"name"`
	From           *float64 `json:"from"` // the baseline's, on the lines that both have
	To             *float64 `json:"to"`
	Value          *float64 `json:"value"`
	Low            *float64 `json:"low"`
	High           *float64 `json:"high"`
	P              *float64 `json:"p"` // two-sided: how likely so great a difference is if there is none
	HigherIsBetter bool     `json:"higher_is_better"`
}

// Move is a line that became better, or below 0 worse, in the unit of its task: word errors, wrong labels, missed and false boxes.
type Move struct {
	Position int     `json:"position"` // in the cell's version
	Change   float64 `json:"change"`
}

// MistakeKind says what is wrong.
type MistakeKind string

// The kinds of mistakes.
const (
	WrongWords    MistakeKind = "words"
	FalsePositive MistakeKind = "false_positive"
	FalseNegative MistakeKind = "false_negative"
	WrongClass    MistakeKind = "wrong_class"
)

// Mistake is one thing that a model has wrong.
type Mistake struct {
	Position int
	Kind     MistakeKind
	// Size is how wrong: word errors; how sure the model was, or 1 where it does not say or missed something.
	Size float64
	// TruthClass and SaidClass are names, "" where there is none.
	TruthClass, SaidClass string
	// TruthAt and SaidAt are which of the item's boxes or moments, and of the output's, from 0; -1: none.
	TruthAt, SaidAt int
}
