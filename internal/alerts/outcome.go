package alerts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Outcome is what a run came to.
type Outcome struct {
	Evaluation int64
	Chain      string
	Versions   []string // DATASET@NUMBER
	Fault      string   // why it failed, a sentence; "" for one that is done
	Unanswered int      // items without an answer
	Figures    []OutcomeFigure
}

// OutcomeFigure is the figure of one combination. Value, Low and High are nil where it is not defined.
type OutcomeFigure struct {
	Models           []string
	Version          string
	Measure          string
	Value, Low, High *float64
	Items            int
	Difference       *float64 // to the baseline, nil for none
	Real, Better     bool
	Dropped          bool // worse by more than the chain lets pass
}

// figuresTold is how many figures a message has, the most important ones.
const figuresTold = 8

// Told is the outcome as it is told.
func (o *Outcome) Told() Told {
	on := strings.Join(o.Versions, ", ")
	if o.Fault != "" {
		return Told{Title: fmt.Sprintf("%s: evaluation %d on %s failed", o.Chain, o.Evaluation, on), Sentences: []string{o.Fault}}
	}
	t := Told{Title: fmt.Sprintf("%s: evaluation %d on %s is done", o.Chain, o.Evaluation, on)}
	if o.Unanswered > 0 {
		t.Sentences = append(t.Sentences, fmt.Sprintf("Without an answer, and in no figure: n %d.", o.Unanswered))
	}
	figures := slices.Clone(o.Figures)
	slices.SortStableFunc(figures, func(a, b OutcomeFigure) int { return cmp.Compare(a.rank(), b.rank()) })
	for i := range figures[:min(len(figures), figuresTold)] {
		t.Sentences = append(t.Sentences, figures[i].sentence())
	}
	if more := len(figures) - figuresTold; more > 0 {
		t.Sentences = append(t.Sentences, fmt.Sprintf("And %d more.", more))
	}
	return t
}

// rank has what fell first, then what moved at all.
func (f *OutcomeFigure) rank() int {
	switch {
	case f.Dropped:
		return 0
	case f.Real && !f.Better:
		return 1
	case f.Real:
		return 2
	}
	return 3
}

func (f *OutcomeFigure) sentence() string {
	said := fmt.Sprintf("%s of %s on %s: ", MeasureName(f.Measure), path(f.Models), f.Version)
	if f.Value == nil {
		return said + "not defined."
	}
	said += figure(*f.Value)
	if f.Low != nil && f.High != nil {
		said += fmt.Sprintf(" (95 %% %s to %s, n %d)", figure(*f.Low), figure(*f.High), f.Items)
	}
	if f.Difference != nil {
		said += fmt.Sprintf("; %s against the baseline, %s", signed(*f.Difference), f.verdict())
	}
	return said + "."
}

func (f *OutcomeFigure) verdict() string {
	switch {
	case f.Dropped:
		return "worse by more than the chain lets pass"
	case f.Real && f.Better:
		return "better"
	case f.Real:
		return "worse"
	}
	return "which may be chance"
}
