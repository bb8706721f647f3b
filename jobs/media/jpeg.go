package media

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const (
	markTEM   = 0x01
	markSOF0  = 0xc0
	markDHT   = 0xc4
	markJPG   = 0xc8
	markDAC   = 0xcc
	markSOF15 = 0xcf
	markRST0  = 0xd0
	markRST7  = 0xd7
	markSOI   = 0xd8
	markEOI   = 0xd9
	markSOS   = 0xda
	markAPP0  = 0xe0
	markAPP1  = 0xe1
	markAPP2  = 0xe2
	markAPP14 = 0xee
	markAPP15 = 0xef
	markCOM   = 0xfe
)

// maxScans bounds the passes of a progressive picture. Encoders write about
// ten; thousands of empty ones in a small file would keep a decoder busy for
// hours.
const maxScans = 100

var (
	exifPrefix = []byte("Exif\x00\x00")
	adobeRGBK  = []byte("\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00")
)

// jpegStructure sees every segment to the end of the picture, so that a file
// without an end is refused here already.
func (p *probe) jpegStructure(r io.Reader) error {
	scans, components, adobe := 0, 0, false
	err := copyJPEG(io.Discard, r, func(marker byte, payload []byte) (bool, error) {
		switch {
		case marker == markSOS:
			if scans++; scans > maxScans {
				return false, refuse(Damaged, "The JPEG file draws the picture in more than %d passes: export it again as a plain JPEG.", maxScans)
			}
		case isSOF(marker) && len(payload) >= 6:
			components = int(payload[5])
		case marker == markAPP1 && bytes.HasPrefix(payload, exifPrefix):
			p.exif(bytes.NewReader(payload[len(exifPrefix):]))
		case marker == markAPP14:
			adobe = adobe || bytes.HasPrefix(payload, []byte("Adobe"))
		case !neededSegment(marker, payload):
			p.Metadata = true
		}
		return true, nil
	})
	p.plainCMYK = components == 4 && !adobe
	return err
}

func isSOF(marker byte) bool {
	return marker >= markSOF0 && marker <= markSOF15 && marker != markDHT && marker != markJPG && marker != markDAC
}

// neededSegment tells the segments that draw the picture from those that tell
// about it.
func neededSegment(marker byte, payload []byte) bool {
	switch marker {
	case markAPP0:
		return bytes.HasPrefix(payload, []byte("JFIF\x00"))
	case markAPP2:
		return bytes.HasPrefix(payload, []byte("ICC_PROFILE\x00"))
	case markAPP14:
		return true
	}
	return (marker < markAPP0 || marker > markAPP15) && marker != markCOM
}

// stripJPEG copies the picture without metadata and without re-encoding it.
func stripJPEG(w io.Writer, r io.Reader) error {
	return copyJPEG(w, r, func(marker byte, payload []byte) (bool, error) {
		return neededSegment(marker, payload), nil
	})
}

// copyJPEG copies a JPEG up to the end of its picture, leaving out the
// segments that keep says no to, and whatever follows the end.
func copyJPEG(w io.Writer, r io.Reader, keep func(marker byte, payload []byte) (bool, error)) error {
	c := jpegCopier{r: bufio.NewReaderSize(r, 1<<16), w: bufio.NewWriterSize(w, 1<<16)}
	for {
		marker, err := c.nextMarker()
		if err != nil {
			return err
		}
		switch {
		case marker == markSOI:
			c.put(0xff, marker)
			continue
		case marker == markEOI:
			c.put(0xff, marker)
			return errors.Join(c.err, c.w.Flush())
		case marker == markTEM, marker >= markRST0 && marker <= markRST7:
			continue
		}
		if err := c.segment(marker, keep); err != nil {
			return err
		}
		if marker == markSOS {
			if err := c.scan(); err != nil {
				return err
			}
		}
	}
}

type jpegCopier struct {
	r   *bufio.Reader
	w   *bufio.Writer
	err error
}

func (c *jpegCopier) put(b ...byte) {
	if c.err == nil {
		_, c.err = c.w.Write(b)
	}
}

// nextMarker skips to a marker, over fill bytes and stray ones.
func (c *jpegCopier) nextMarker() (byte, error) {
	for last := byte(0); ; {
		b, err := c.r.ReadByte()
		if err != nil {
			return 0, err
		}
		if last == 0xff && b != 0xff && b != 0 {
			return b, nil
		}
		last = b
	}
}

func (c *jpegCopier) segment(marker byte, keep func(byte, []byte) (bool, error)) error {
	var length [2]byte
	if _, err := io.ReadFull(c.r, length[:]); err != nil {
		return err
	}
	n := int(length[0])<<8 | int(length[1])
	if n < 2 {
		return errors.New("segment without length")
	}
	payload := make([]byte, n-2)
	if _, err := io.ReadFull(c.r, payload); err != nil {
		return err
	}
	kept, err := keep(marker, payload)
	if kept {
		c.put(0xff, marker)
		c.put(length[:]...)
		c.put(payload...)
	}
	return err
}

// scan copies entropy-coded data up to the marker that ends it, which stays
// unread.
func (c *jpegCopier) scan() error {
	for {
		part, err := c.r.ReadSlice(0xff)
		if errors.Is(err, bufio.ErrBufferFull) {
			c.put(part...)
			continue
		}
		if err != nil {
			return err
		}
		c.put(part[:len(part)-1]...)
		if err := c.r.UnreadByte(); err != nil {
			return err
		}
		next, err := c.r.Peek(2)
		if err != nil {
			return err
		}
		switch {
		case next[1] == 0, next[1] >= markRST0 && next[1] <= markRST7:
			c.put(next...)
			_, err = c.r.Discard(2)
		case next[1] == 0xff:
			_, err = c.r.Discard(1)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}
