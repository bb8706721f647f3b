package media

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// probe is what the headers say, with what only the decoder needs to know.
type probe struct {
	Info
	// plainCMYK marks four-component JPEG without Adobe's marker, which the
	// decoder does not take, and whose values are not inverted.
	plainCMYK bool
}

// Inspect tells what the size bytes of r really are, by content alone, and
// refuses what may not come in before any pixel is decoded. It reads the file
// through once and holds no more than 128 KiB of it. A file that it accepts
// may still be found damaged by Decode.
func Inspect(r io.ReaderAt, size int64, limits Limits) (Info, error) {
	p, err := inspect(r, size, limits)
	return p.Info, err
}

func inspect(r io.ReaderAt, size int64, limits Limits) (probe, error) {
	head := make([]byte, min(size, sniffLength))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return probe{}, fmt.Errorf("read the head of a picture: %w", err)
	}
	t, err := sniff(head)
	if err != nil {
		return probe{}, err
	}
	p := probe{Info: Info{Type: t, Orientation: 1, BitDepth: 8}}
	if err := p.config(io.NewSectionReader(r, 0, size), limits); err != nil {
		return probe{}, err
	}
	if err := p.structure(io.NewSectionReader(r, 0, size)); err != nil {
		return probe{}, faulty(t, err)
	}
	p.Width, p.Height = p.StoredWidth, p.StoredHeight
	if p.Orientation >= 5 {
		p.Width, p.Height = p.Height, p.Width
	}
	return p, nil
}

// config asks the very decoder that will read the picture for its size, so
// that nothing can say one size here and another there.
func (p *probe) config(r *io.SectionReader, limits Limits) (err error) {
	defer recoverRefused(p.Type, &err)
	var c image.Config
	switch p.Type {
	case JPEG:
		c, err = jpeg.DecodeConfig(r)
	case PNG:
		c, err = png.DecodeConfig(r)
	case WebP:
		c, err = webp.DecodeConfig(r)
	case BMP:
		c, err = bmp.DecodeConfig(r)
	case TIFF:
		c, err = tiff.DecodeConfig(r)
	}
	if err != nil {
		return faulty(p.Type, err)
	}
	p.StoredWidth, p.StoredHeight = c.Width, c.Height
	switch c.ColorModel {
	case color.GrayModel:
		p.Gray = true
	case color.Gray16Model:
		p.Gray, p.BitDepth = true, 16
	case color.RGBA64Model, color.NRGBA64Model:
		p.BitDepth = 16
	case color.CMYKModel:
		p.CMYK = true
	}
	return limits.check(c.Width, c.Height)
}

// structure walks the parts of the file for orientation, metadata, animation.
func (p *probe) structure(r *io.SectionReader) error {
	switch p.Type {
	case JPEG:
		return p.jpegStructure(r)
	case PNG:
		return p.pngStructure(r)
	case WebP:
		return p.webpStructure(r)
	case TIFF:
		return p.tiffStructure(r)
	case BMP:
	}
	return nil
}

// recoverRefused turns a decoder's panic over hostile input into a refusal.
func recoverRefused(t Type, err *error) {
	if recover() != nil {
		*err = refuse(Damaged, "The %s file is damaged: export it again from where it was made.", t.label())
	}
}

// faulty gives a decoder's complaint the form of a refusal.
func faulty(t Type, err error) error {
	var refused *RefusedError
	var tiffUnsupported tiff.UnsupportedError
	var jpegUnsupported jpeg.UnsupportedError
	var pngUnsupported png.UnsupportedError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, errShortRIFF):
		return refuse(Truncated, "The %s file ends before the picture is complete: copy it again from the original.", t.label())
	case errors.As(err, &tiffUnsupported), errors.As(err, &jpegUnsupported), errors.As(err, &pngUnsupported), errors.Is(err, bmp.ErrUnsupported):
		return refuse(WrongType, "This kind of %s is not supported (%v): save the picture as PNG.", t.label(), err)
	}
	return refuse(Damaged, "The %s file is damaged (%v): export it again from where it was made.", t.label(), err)
}

func (t Type) label() string {
	if t == WebP {
		return "WebP"
	}
	return string(bytes.ToUpper([]byte(t)))
}
