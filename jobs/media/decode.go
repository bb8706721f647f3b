package media

import (
	"bytes"
	"errors"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// Picture is a decoded picture, upright, with where it came from.
type Picture struct {
	Info
	// Image is *image.Gray16 for 16-bit grey, never image.CMYK, and begins
	// at the origin.
	Image  image.Image
	source *io.SectionReader
}

// Decode inspects and decodes the size bytes of r, and turns the picture
// upright. A file that is cut off or damaged anywhere is refused whole. r must
// stay readable as long as renditions are made of the picture.
func Decode(r io.ReaderAt, size int64, limits Limits) (*Picture, error) {
	p, err := inspect(r, size, limits)
	if err != nil {
		return nil, err
	}
	source := io.NewSectionReader(r, 0, size)
	img, err := p.decode(source)
	if err != nil {
		return nil, err
	}
	if b := img.Bounds(); b.Min != (image.Point{}) || b.Dx() != p.StoredWidth || b.Dy() != p.StoredHeight {
		return nil, faulty(p.Type, errors.New("the picture is not of the size that its header says"))
	}
	if p.Gray && p.BitDepth == 16 {
		img = toGray16(img)
	}
	if cmyk, ok := img.(*image.CMYK); ok {
		img = opaque(cmyk)
	}
	return &Picture{Info: p.Info, Image: Upright(img, p.Orientation), source: source}, nil
}

func (p *probe) decode(r *io.SectionReader) (img image.Image, err error) {
	defer recoverRefused(p.Type, &err)
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	switch p.Type {
	case JPEG:
		img, err = p.decodeJPEG(r)
	case PNG:
		img, err = png.Decode(r)
	case WebP:
		img, err = webp.Decode(r)
	case BMP:
		img, err = bmp.Decode(r)
	case TIFF:
		img, err = tiff.Decode(r)
	}
	if err != nil {
		return nil, faulty(p.Type, err)
	}
	return img, nil
}

// decodeJPEG gives CMYK without Adobe's marker the marker that the decoder
// asks for, and takes back the inversion that comes with it.
func (p *probe) decodeJPEG(r *io.SectionReader) (image.Image, error) {
	if !p.plainCMYK {
		return jpeg.Decode(r)
	}
	start := io.NewSectionReader(r, 0, 2)
	marked := io.MultiReader(start, bytes.NewReader(adobeRGBK), io.NewSectionReader(r, 2, r.Size()-2))
	img, err := jpeg.Decode(marked)
	if cmyk, ok := img.(*image.CMYK); ok {
		for i, v := range cmyk.Pix {
			cmyk.Pix[i] = 255 - v
		}
	}
	return img, err
}

// toGray16 drops the transparency of grey with alpha.
func toGray16(img image.Image) *image.Gray16 {
	switch src := img.(type) {
	case *image.Gray16:
		return src
	case *image.NRGBA64:
		dst := image.NewGray16(src.Rect)
		for i, j := 0, 0; i < len(src.Pix); i, j = i+8, j+2 {
			dst.Pix[j], dst.Pix[j+1] = src.Pix[i], src.Pix[i+1]
		}
		return dst
	}
	dst := image.NewGray16(img.Bounds())
	draw.Draw(dst, dst.Rect, img, image.Point{}, draw.Src)
	return dst
}

func opaque(img image.Image) *image.RGBA {
	dst := image.NewRGBA(img.Bounds())
	draw.Draw(dst, dst.Rect, img, img.Bounds().Min, draw.Src)
	return dst
}
