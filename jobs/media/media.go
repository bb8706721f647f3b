// Package media looks into uploaded pictures and makes their renditions: what
// a file really is, whether it may come in, which way is up, and what the
// browser is shown in place of the original. It is pure over readers: no SQL,
// no object storage, no network.
package media

import "fmt"

// Type is the format of a picture as its content says, never its name.
type Type string

// The types that are accepted.
const (
	JPEG Type = "jpeg"
	PNG  Type = "png"
	WebP Type = "webp"
	BMP  Type = "bmp"
	TIFF Type = "tiff"
)

// ContentType returns the MIME type of t.
func (t Type) ContentType() string { return "image/" + string(t) }

// Info is what a picture's headers say.
type Info struct {
	Type Type
	// Width and Height are in pixels of the upright picture, the one that
	// boxes refer to; StoredWidth and StoredHeight are those in the file.
	Width, Height             int
	StoredWidth, StoredHeight int
	// Orientation is the EXIF tag, 1 to 8; 1 where there is none.
	Orientation int
	// BitDepth is 16 for samples of more than 8 bits, else 8.
	BitDepth int
	Gray     bool
	CMYK     bool
	// Metadata tells that the file carries more about its making than the
	// picture needs: place, time, camera, names, comments, XMP.
	Metadata bool
}

// Limits bound what is decoded. A decoder needs up to 16 bytes a pixel.
type Limits struct {
	Pixels int64
	Side   int
}

// DefaultLimits admits 100 megapixels, and the long narrow pictures of line
// cameras up to what JPEG can hold.
var DefaultLimits = Limits{Pixels: 100_000_000, Side: 65_535}

// Reason says in one word why a picture was refused.
type Reason string

// The reasons for a refusal.
const (
	Empty     Reason = "empty"
	WrongType Reason = "type"
	Animated  Reason = "animated"
	Pages     Reason = "pages"
	TooLarge  Reason = "too-large"
	Truncated Reason = "truncated"
	Damaged   Reason = "damaged"
)

// RefusedError says why a file does not come in, in a sentence for the person
// who sent it. Every error that is the file's fault is one; any other error
// means that the file could not be read.
type RefusedError struct {
	Reason   Reason
	Sentence string
}

func (e *RefusedError) Error() string { return e.Sentence }

func refuse(reason Reason, format string, args ...any) *RefusedError {
	return &RefusedError{Reason: reason, Sentence: fmt.Sprintf(format, args...)}
}

func (l Limits) check(width, height int) error {
	switch {
	case width <= 0 || height <= 0:
		return refuse(Damaged, "The picture says that it is %d × %d pixels: export it again from where it was made.", width, height)
	case width > l.Side || height > l.Side:
		return refuse(TooLarge, "The picture is %d × %d pixels; a side may have %d: cut it into smaller pictures.", width, height, l.Side)
	case int64(width)*int64(height) > l.Pixels:
		return refuse(TooLarge, "The picture is %d × %d pixels, more than the limit of %d megapixels: make it smaller or cut it into several.",
			width, height, l.Pixels/1_000_000)
	}
	return nil
}
