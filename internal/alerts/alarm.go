package alerts

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The kinds of alerts.
const (
	Drop    = "drop"    // a figure has really fallen
	Missing = "missing" // no run has ended for too long
	Bias    = "bias"    // a figure leans towards its model
)

// Alarm is what an alert says. Models are NAME@VERSION, or "reference" for the truth in the place of one.
type Alarm struct {
	Kind       string      `json:"kind"`
	Chain      string      `json:"chain"`
	Evaluation int64       `json:"evaluation,omitempty"`
	Cell       int64       `json:"cell,omitempty"`
	Version    string      `json:"version,omitempty"` // DATASET@NUMBER
	Split      string      `json:"split,omitempty"`
	Models     []string    `json:"models,omitempty"`
	Measure    string      `json:"measure,omitempty"`
	Items      int         `json:"items,omitempty"`
	Falls      []Worsening `json:"falls,omitempty"`
	Parts      []WorsePart `json:"parts,omitempty"`      // that fell most
	Downstream []Hurt      `json:"downstream,omitempty"` // what goes on from these models, and fell too
	Days       int         `json:"days,omitempty"`       // that were let pass, of a missing run
	Last       string      `json:"last,omitempty"`       // the day of the last run, "" if there was none
	Lines      int         `json:"lines,omitempty"`      // of a bias: lines whose truth leans
	Seen       string      `json:"seen,omitempty"`       // the model whose output their makers saw
	Lean       *Worsening  `json:"lean,omitempty"`       // how much, if it could be estimated
	Corrected  bool        `json:"corrected,omitempty"`  // errors of the model prompted corrections of the truth
}

// What a figure has fallen against.
const (
	AgainstBaseline = "baseline" // other models, on the same items
	AgainstBefore   = "before"   // the same models, on an earlier version of the dataset
)

// Worsening is how far a figure fell, and against what. Value, Low and High are To less From, with the interval of that: above 0 for an error
// rate.
type Worsening struct {
	Against string  `json:"against"`
	Name    string  `json:"name"` // the models, or the version
	Cell    int64   `json:"cell,omitempty"`
	From    float64 `json:"from"`
	To      float64 `json:"to"`
	Value   float64 `json:"value"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	P       float64 `json:"p"` // after all corrections
	Items   int     `json:"items"`
	Looks   int     `json:"looks,omitempty"` // how often the series was looked at since
}

// WorsePart is a class, or a slice, whose figure fell.
type WorsePart struct {
	By    string  `json:"by"` // class, length or confidence
	Name  string  `json:"name"`
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Items int     `json:"items"`
}

// Hurt is a figure further down the chain that fell as well.
type Hurt struct {
	Models  []string `json:"models"`
	Measure string   `json:"measure"`
	From    float64  `json:"from"`
	To      float64  `json:"to"`
	Cell    int64    `json:"cell"`
}

// partsTold and leastOfPart bound what is told of parts: a handful, of more than a handful of items.
const (
	partsTold   = 3
	leastOfPart = 20
)

// Worst returns the parts that fell most, the worst first.
func Worst(parts []WorsePart, higherIsBetter bool) []WorsePart {
	fell := func(p WorsePart) float64 {
		if higherIsBetter {
			return p.From - p.To
		}
		return p.To - p.From
	}
	parts = slices.DeleteFunc(slices.Clone(parts), func(p WorsePart) bool { return p.Items < leastOfPart || !(fell(p) > 0) })
	slices.SortStableFunc(parts, func(a, b WorsePart) int { return cmp.Compare(fell(b), fell(a)) })
	return parts[:min(len(parts), partsTold)]
}

// MeasureName is what a measure is called.
func MeasureName(measure string) string {
	switch measure {
	case "wer":
		return "word error rate"
	case "cer":
		return "character error rate"
	case "macro_f1":
		return "macro F1"
	case "micro_f1":
		return "micro F1"
	case "span_f1":
		return "F1 of spans"
	case "map":
		return "mAP"
	}
	return strings.ReplaceAll(measure, "_", " ")
}

// path writes models in their order.
func path(models []string) string { return strings.Join(models, " → ") }

// figure writes a value with three digits, a minus with its own sign.
func figure(v float64) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', 3, 64), "-", "−", 1)
}

// signed writes a difference with its sign.
func signed(v float64) string {
	if v > 0 {
		return "+" + figure(v)
	}
	return figure(v)
}

// Title is the alert in one line.
func (s *Alarm) Title() string {
	switch s.Kind {
	case Missing:
		return fmt.Sprintf("%s: no run has ended for %d days", s.Chain, s.Days)
	case Bias:
		return fmt.Sprintf("%s of %s on %s leans towards %s", MeasureName(s.Measure), path(s.Models), s.Version, s.Seen)
	}
	title := fmt.Sprintf("%s of %s on %s became worse", MeasureName(s.Measure), path(s.Models), s.Version)
	if len(s.Falls) > 0 {
		title += ": " + figure(s.Falls[0].From) + " → " + figure(s.Falls[0].To)
	}
	if n := len(s.Downstream); n > 0 {
		title += fmt.Sprintf(", and %d behind it", n)
	}
	return title
}

// Sentences are what an alert says below its title, a sentence each.
func (s *Alarm) Sentences() []string {
	switch s.Kind {
	case Missing:
		return s.missing()
	case Bias:
		return s.bias()
	}
	var lines []string
	for _, f := range s.Falls {
		lines = append(lines, f.sentence(s.Models))
	}
	for _, p := range s.Parts {
		lines = append(lines, fmt.Sprintf("Worst %s: %s → %s (n %d).", p.what(), figure(p.From), figure(p.To), p.Items))
	}
	for _, h := range s.Downstream {
		lines = append(lines, fmt.Sprintf("Behind it: %s of %s, %s → %s.", MeasureName(h.Measure), path(h.Models), figure(h.From), figure(h.To)))
	}
	return lines
}

func (f *Worsening) sentence(models []string) string {
	difference := fmt.Sprintf("Difference %s (95 %% %s to %s, n %d)", signed(f.Value), signed(f.Low), signed(f.High), f.Items)
	if f.Against == AgainstBefore {
		return fmt.Sprintf("The same models on %s: %s. %s. The models are the same, so what changed is the data or the labels; real after %s.",
			f.Name, figure(f.From), difference, looks(f.Looks))
	}
	return fmt.Sprintf("Baseline %s on the same items: %s. %s.%s", f.Name, figure(f.From), difference, f.blame(models))
}

// blame names what stands in another's place, where it is one model alone.
func (f *Worsening) blame(models []string) string {
	before := strings.Split(f.Name, " → ")
	if len(before) != len(models) {
		return ""
	}
	var others []int
	for i := range models {
		if models[i] != before[i] {
			others = append(others, i)
		}
	}
	if len(others) != 1 {
		return ""
	}
	return fmt.Sprintf(" What differs is %s in the place of %s.", models[others[0]], before[others[0]])
}

func looks(n int) string {
	if n == 1 {
		return "one look"
	}
	return fmt.Sprintf("%d looks", n)
}

func (p *WorsePart) what() string {
	switch p.By {
	case "length":
		from, to, _ := strings.Cut(p.Name, "-")
		if to == "" {
			return "length, from " + from + " s"
		}
		return "length, " + from + " to " + to + " s"
	case "confidence":
		return "tenth by confidence, " + p.Name
	}
	return p.By + ", " + p.Name
}

func (s *Alarm) missing() []string {
	if s.Last == "" {
		return []string{"No run of this chain has ended yet. See whether its schedule is stopped, or start one by hand."}
	}
	return []string{fmt.Sprintf("The last one ended on %s. See whether its schedule is stopped, whether it could not be started, or start one by hand.", s.Last)}
}

func (s *Alarm) bias() []string {
	why := fmt.Sprintf("Whoever made the truth of %d of its lines saw what %s had said.", s.Lines, s.Seen)
	if s.Corrected {
		why = fmt.Sprintf("Errors of %s prompted corrections of the truth of %d of its lines.", s.Seen, s.Lines)
	}
	if s.Lean == nil {
		return []string{why, "How much that favors it could not be estimated: too few lines were made blind. Look at the figure with care."}
	}
	return []string{why, fmt.Sprintf("That favors it by about %s (95 %% %s to %s).", figure(math.Abs(s.Lean.Value)), figure(s.Lean.Low), figure(s.Lean.High))}
}

// Told is the alert as it is told.
func (s *Alarm) Told() Told { return Told{Title: s.Title(), Sentences: s.Sentences()} }

// Text is the whole alert as plain text, with the address of its page.
func (s *Alarm) Text(link string) string { return s.Told().Text(link) }
