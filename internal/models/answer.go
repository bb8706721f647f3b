// Package models defines how a model version is asked, what of that makes its configuration, and what it answers.
package models

import (
	"errors"
	"fmt"

	"fiducial/internal/speech"
)

// Output is what a model version answered about one item, in the product's own terms: classes by their names in the product, boxes in
// pixels of the upright image, times in seconds of the item.
type Output struct {
	Text       string             // of a recognizer or a formatting model
	Words      []speech.HeardWord // where the server tells them
	Boxes      []Box              // of a detector
	Labels     []Label            // of a model that says what words mean; none: nothing it was asked for
	Confidence *float64           // of the whole, from 0 to 1; nil where the server does not say
}

// Box is a box of a detector: x and y are its top left corner, rotation is in degrees clockwise about its centre.
type Box struct {
	Class    string  `json:"class"`
	X        float64 `json:"x"`
	Y        float64 `json:"y"`
	W        float64 `json:"w"`
	H        float64 `json:"h"`
	Rotation float64 `json:"rotation"`
	Score    float64 `json:"score"` // from 0 to 1; 1 where the server gives none
}

// Label is a class that a model found in an utterance, or on a stretch of it.
type Label struct {
	Label      string   `json:"label"`
	Confidence *float64 `json:"confidence,omitempty"`
	Begin      *float64 `json:"begin,omitempty"` // seconds of the item; nil where the model does not say
	End        *float64 `json:"end,omitempty"`
}

// The reasons why there is no output of an item: they are stored and shown, and hold nothing of it.
const (
	FaultTimeout    = "timeout"       // no answer in time
	FaultConnection = "connection"    // no connection, or it broke
	FaultStatus     = "status"        // the server answered with an error
	FaultShape      = "shape"         // the answer, or the server's inputs and outputs, are not of the expected form
	FaultSize       = "size"          // the answer is too large
	FaultRedirect   = "redirect"      // the server sends elsewhere
	FaultHost       = "host"          // models may not be called at this host
	FaultAddress    = "address"       // the host lies in a network that models may not be called in
	FaultCredential = "credential"    // the credential was sealed by another installation's key
	FaultSource     = "source"        // the item's source does not let this model have its data
	FaultItem       = "item"          // the item's own bytes are not there or cannot be read
	FaultInput      = "input"         // the model before it has no output of the item
	FaultPrediction = "no_prediction" // of an offline model: nothing was imported for the item
	FaultLaunch     = "launch"        // the server could not be started
	FaultSettings   = "settings"      // it is not said how the model is asked
	FaultChanged    = "changed"       // the model is asked otherwise by now than when the run began
	FaultOurs       = "ours"          // the product itself failed again and again
)

// Faults lists every reason.
func Faults() []string {
	return []string{
		FaultTimeout, FaultConnection, FaultStatus, FaultShape, FaultSize, FaultRedirect, FaultHost, FaultAddress, FaultCredential, FaultSource,
		FaultItem, FaultInput, FaultPrediction, FaultLaunch, FaultSettings, FaultChanged, FaultOurs,
	}
}

// Fault is why a model could not be asked, or gave no answer that can be used. Its text holds nothing of what was sent or answered.
type Fault struct { //nolint:errname // the word of everything that shows it
	Code     string // one of Faults
	Status   int    // of the server's answer, 0 without one
	Attempts int    // how often it was asked, 0 if nothing was sent
	Detail   string // what is wrong, in the product's own words and names of settings; "" for nothing to add
}

func (f *Fault) Error() string {
	said := "model server: " + f.Code
	if f.Status != 0 {
		said += fmt.Sprintf(" %d", f.Status)
	}
	if f.Detail != "" {
		said += ": " + f.Detail
	}
	return said
}

// Temporary reports whether the same question may be answered a moment later.
func (f *Fault) Temporary() bool {
	switch f.Code {
	case FaultTimeout, FaultConnection:
		return true
	case FaultStatus:
		return f.Status == 408 || f.Status == 425 || f.Status == 429 || f.Status >= 500 && f.Status != 501 && f.Status != 505
	}
	return false
}

// FaultOf returns the fault in err, or nil if it is none of a model's.
func FaultOf(err error) *Fault {
	fault, _ := errors.AsType[*Fault](err)
	return fault
}

// sentences say each fault to people, with what to do.
var sentences = map[string]string{ //nolint:gosec // one of them speaks of credentials, and none is one
	FaultTimeout:    "No answer in time. Look whether the server is overloaded, or give it more time.",
	FaultConnection: "No connection. Look whether the server runs and the address is right.",
	FaultStatus:     "The server answered with an error. Its own log says why.",
	FaultShape:      "The answer does not have the form that this adapter reads. Check the adapter and its options.",
	FaultSize:       "The answer is larger than any that is read.",
	FaultRedirect:   "The server sends elsewhere, which is not followed. Give the final address.",
	FaultHost:       "Models may not be called at this host. Whoever runs the product can allow it with --model-hosts.",
	FaultAddress:    "This host lies in a network that models may not be called in. Whoever runs the product can allow it with --model-networks.",
	FaultCredential: "The credential was sealed by another installation's key. Save it again.",
	FaultSource:     "Its source does not let this model have its data. An admin can change that on the source's page.",
	FaultItem:       "The item's sound or image is not there, or cannot be read.",
	FaultInput:      "The model before it has no output of this item.",
	FaultPrediction: "No prediction of this item was imported for the model version.",
	FaultLaunch:     "The server could not be started. The log of its launch says why.",
	FaultChanged:    "The model's settings were changed since the run began. Start another run.",
	FaultOurs:       "It failed again and again on this side. The product's log says why; try again when that is mended.",
	FaultSettings:   "It is not said how this model version is asked. Set its server on the model's page.",
}

// Sentence says a reason to people, and what to do.
func Sentence(code string) string {
	if said, ok := sentences[code]; ok {
		return said
	}
	return "It failed for a reason that this version does not know."
}
