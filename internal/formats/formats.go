// Package formats reads and writes the label files of other tools.
//
// Readers accept what the tools in the field write, also where they bend the format; a faulty record is refused with its
// place and its reason, and the good ones beside it go through. Writers write the strict form. Both say in a Report what
// was lost. The package is pure: it sees readers and writers, never a file system.
package formats

import (
	"errors"
	"fmt"
	"math"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Set names the data set that a written file belongs to.
type Set struct {
	Name, Version string
	// Hash is the version's hash, in hexadecimal.
	Hash    string
	Created time.Time
}

// Image is one image with its boxes, as every format of this package reads and writes it.
type Image struct {
	// Key is the relative path that names the image: '/' between folders, Unicode NFC, no "." or "..".
	Key string
	// Width and Height are the size of the upright image in pixels, Depth its number of channels; 0 is unknown.
	Width, Height, Depth int
	Boxes                []Box
	// Labeled is false for an image that nobody labeled. A labeled image without boxes is a negative.
	Labeled bool
	// Source says whose data it is and Group what must stay on one side of a split; empty when the file does not say.
	Source, Group string
	// CapturedAt is the zero time when the file does not say.
	CapturedAt time.Time
	// Metadata holds further named values of the image.
	Metadata map[string]string
	// Also is another name that the image's file may have, "" for none.
	Also string
	// Fractions stand for Boxes where the file does not say how large the image is.
	Fractions *Fractions
}

// Box is a labeled rectangle in pixels of the upright image, the origin in its top-left corner.
type Box struct {
	Class string
	// X, Y is the top-left corner and W, H the size of the rectangle before its rotation.
	X, Y, W, H float64
	// Rotation is in degrees clockwise about the centre of the rectangle.
	Rotation float64
	// Score is a detection's confidence; it means something only when Scored is set.
	Score  float64
	Scored bool
	// Area is the labeled area in square pixels where the file gives another than W times H, otherwise 0.
	Area float64
	// Crowd marks a group of objects under one box, Occluded an object partly hidden, Truncated one cut off by the
	// image's edge, Difficult one that is not to be counted.
	Crowd, Occluded, Truncated, Difficult bool
}

// Hull returns the axis-aligned rectangle around b as it lies in the image, rotation applied; b itself when it is not
// rotated.
func (b Box) Hull() (x, y, w, h float64) {
	if b.Rotation == 0 {
		return b.X, b.Y, b.W, b.H
	}
	sin, cos := math.Sincos(b.Rotation * math.Pi / 180)
	sin, cos = math.Abs(sin), math.Abs(cos)
	w, h = b.W*cos+b.H*sin, b.W*sin+b.H*cos
	return b.X + (b.W-w)/2, b.Y + (b.H-h)/2, w, h
}

// labeledArea is the area that a file states for b.
func (b Box) labeledArea() float64 {
	if b.Area != 0 {
		return b.Area
	}
	return b.W * b.H
}

const (
	// longestName bounds a path, in bytes.
	longestName = 4096
	// maxBoxes bounds what one image may hold.
	maxBoxes = 1 << 20
)

// CleanKey returns name as a key: backslashes read as folder separators, Unicode NFC, "." and empty folders removed. It
// fails for a name that is empty, longer than 4,096 bytes, absolute, climbs with "..", or holds control characters or broken UTF-8.
func CleanKey(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", errors.New("the file name is not valid UTF-8")
	}
	if len(name) > longestName {
		return "", fmt.Errorf("the file name is longer than %d bytes", longestName)
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return "", errors.New("the file name holds control characters")
	}
	name = norm.NFC.String(strings.ReplaceAll(name, `\`, "/"))
	if name != stripRoot(name) {
		return "", errors.New("the file name is an absolute path")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`the file name climbs out of its folder with ".."`)
		}
	}
	if name = path.Clean(name); name == "." {
		return "", errors.New("the file name is empty")
	}
	return name, nil
}

// stripRoot makes an absolute path relative: it takes off leading separators and a drive letter.
func stripRoot(name string) string {
	if len(name) >= 2 && name[1] == ':' && unicode.IsLetter(rune(name[0])) {
		name = name[2:]
	}
	return strings.TrimLeft(name, `/\`)
}

// cleanText makes a name or a value out of bytes of a file: valid UTF-8, NFC, no control characters, no space around it.
func cleanText[T []byte | string](raw T) string {
	text := strings.ToValidUTF8(string(raw), "\uFFFD")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	return norm.NFC.String(strings.TrimSpace(text))
}
