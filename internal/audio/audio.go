// Package audio reads the sound of WAV files, in whatever form they hold it, and makes the outlines that a page draws of it.
// It sees readers only, and holds a block of sound at a time, so that a recording of hours takes no more memory than one of
// seconds.
package audio

import (
	"fmt"
)

// Encoding is how samples are written.
type Encoding string

// The encodings that are read without a tool.
const (
	Unsigned Encoding = "unsigned PCM"
	Signed   Encoding = "PCM"
	Float    Encoding = "floating point"
	MuLaw    Encoding = "µ-law"
	ALaw     Encoding = "A-law"
)

// Format is what a file says of its sound.
type Format struct {
	Encoding Encoding
	// Bits are those of a sample that tell something; it takes Bytes.
	Bits, Bytes int
	Channels    int
	Rate        int // frames, which are a sample for each channel, a second
	BigEndian   bool
}

// frame is how many bytes a sample of each channel takes.
func (f Format) frame() int64 { return int64(f.Bytes * f.Channels) }

// String is the format as people read it.
func (f Format) String() string {
	return fmt.Sprintf("%s, %d bit, %d Hz, %d channels", f.Encoding, f.Bits, f.Rate, f.Channels)
}

// Reason says why a file was refused.
type Reason string

// The reasons. Foreign is another format, which a converter may read.
const (
	Foreign Reason = "foreign"
	Damaged Reason = "damaged"
	Empty   Reason = "empty"
)

// RefusedError is a file that cannot be used, with a sentence for people that says why and what to do.
type RefusedError struct {
	Reason   Reason
	Sentence string
}

func (e *RefusedError) Error() string { return e.Sentence }

func refuse(reason Reason, format string, args ...any) error {
	return &RefusedError{Reason: reason, Sentence: fmt.Sprintf(format, args...)}
}
