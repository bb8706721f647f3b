package formats

import "strings"

// Kind says what became of a record that did not go through unchanged.
type Kind string

// The kinds of loss, from a value that changed a little to a record that was not taken at all.
const (
	Rounded Kind = "rounded"
	Clipped Kind = "clipped"
	Renamed Kind = "renamed"
	LeftOut Kind = "left_out"
	Refused Kind = "refused"
)

// noNegative is the loss of an image whose boxes were all refused.
const noNegative = "none of its boxes could be taken: it is not taken for a negative"

// Words is the kind as people read it.
func (k Kind) Words() string { return strings.ReplaceAll(string(k), "_", " ") }

// listedPerKind bounds the list of a report, kind by kind, so that a flood of one kind hides no other.
const listedPerKind = 1000

// Loss is one thing that did not go through unchanged: where, what, why, and how many times at that place.
type Loss struct {
	File   string `json:"file,omitempty"`
	ID     string `json:"id,omitempty"`
	Kind   Kind   `json:"kind"`
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Report lists what an import or an export lost. Its JSON form is report.json: {} when nothing was. Of each kind the
// first 1,000 places are listed; Counts is exact for all, and Unlisted says how many it counts beyond the list.
type Report struct {
	Counts   map[Kind]int `json:"counts,omitempty"`
	Losses   []Loss       `json:"losses,omitempty"`
	Unlisted int          `json:"unlisted,omitempty"`

	listed map[Kind]int
}

// Empty reports whether nothing was lost.
func (r *Report) Empty() bool { return len(r.Counts) == 0 }

// Add counts one loss at the record id, a key or an id of the file.
func (r *Report) Add(kind Kind, id, reason string) {
	r.add(Loss{ID: id, Kind: kind, Reason: reason, Count: 1})
}

// Merge takes over what other lists and counts; its losses that name no file are those of file.
func (r *Report) Merge(file string, other Report) {
	for _, loss := range other.Losses {
		if loss.File == "" {
			loss.File = file
		}
		r.add(loss)
	}
	// What other no longer lists is still in its counts.
	for kind, n := range other.Counts {
		for _, loss := range other.Losses {
			if loss.Kind == kind {
				n -= loss.Count
			}
		}
		r.count(kind, n)
		r.Unlisted += n
	}
}

func (r *Report) add(loss Loss) {
	if loss.Count == 0 {
		return
	}
	r.count(loss.Kind, loss.Count)
	if n := len(r.Losses); n > 0 {
		last := &r.Losses[n-1]
		if last.File == loss.File && last.ID == loss.ID && last.Kind == loss.Kind && last.Reason == loss.Reason {
			last.Count += loss.Count
			return
		}
	}
	if r.listed == nil {
		r.listed = map[Kind]int{}
	}
	if r.listed[loss.Kind] == listedPerKind {
		r.Unlisted += loss.Count
		return
	}
	r.listed[loss.Kind]++
	r.Losses = append(r.Losses, loss)
}

func (r *Report) count(kind Kind, n int) {
	if n == 0 {
		return
	}
	if r.Counts == nil {
		r.Counts = map[Kind]int{}
	}
	r.Counts[kind] += n
}
