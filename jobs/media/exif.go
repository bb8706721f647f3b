package media

import (
	"encoding/binary"
	"errors"
	"io"
)

const (
	tagNewSubfileType = 254
	tagOrientation    = 274
	ifdEntry          = 12
)

// harmlessTags are those of a main directory that say nothing but how to draw
// the picture: its storage, resolution and orientation.
var harmlessTags = map[uint16]bool{
	254: true, 255: true, 256: true, 257: true, 258: true, 259: true, 262: true, 266: true, 273: true, 274: true, 277: true,
	278: true, 279: true, 280: true, 281: true, 282: true, 283: true, 284: true, 296: true, 301: true, 317: true, 318: true,
	319: true, 320: true, 322: true, 323: true, 324: true, 325: true, 338: true, 339: true, 529: true, 530: true, 531: true, 532: true,
}

var errNoIFD = errors.New("not a TIFF directory")

// directory is one image file directory of TIFF or EXIF: the first value of
// each tag that holds whole numbers.
type directory struct {
	values map[uint16]uint32
	next   int64
	// private tells of tags that are not needed to draw the picture.
	private bool
}

// tiffHeader returns the byte order and where the first directory lies.
func tiffHeader(r io.ReaderAt) (binary.ByteOrder, int64, error) {
	var head [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, 0, err
	}
	var order binary.ByteOrder = binary.BigEndian
	switch string(head[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
	default:
		return nil, 0, errNoIFD
	}
	return order, int64(order.Uint32(head[4:])), nil
}

func readDirectory(r io.ReaderAt, order binary.ByteOrder, offset int64) (directory, error) {
	d := directory{values: map[uint16]uint32{}}
	var count [2]byte
	if _, err := r.ReadAt(count[:], offset); err != nil {
		return d, err
	}
	n := int(order.Uint16(count[:]))
	raw := make([]byte, n*ifdEntry+4)
	if got, err := r.ReadAt(raw, offset+2); got < n*ifdEntry {
		return d, err
	}
	for i := range n {
		entry := raw[i*ifdEntry:]
		tag := order.Uint16(entry)
		d.private = d.private || !harmlessTags[tag]
		switch order.Uint16(entry[2:]) {
		case 3: // SHORT
			d.values[tag] = uint32(order.Uint16(entry[8:]))
		case 4: // LONG
			d.values[tag] = order.Uint32(entry[8:])
		}
	}
	d.next = int64(order.Uint32(raw[n*ifdEntry:]))
	return d, nil
}

// exif takes orientation and metadata from an EXIF block. A block that cannot
// be read does not spoil the picture: it counts as metadata, upright.
func (p *probe) exif(block io.ReaderAt) {
	p.Metadata = true
	order, offset, err := tiffHeader(block)
	if err != nil {
		return
	}
	d, err := readDirectory(block, order, offset)
	if err != nil {
		return
	}
	p.orient(d)
	p.Metadata = d.private || d.next != 0
}

func (p *probe) orient(d directory) {
	if o := d.values[tagOrientation]; o >= 1 && o <= 8 {
		p.Orientation = int(o)
	}
}

// tiffStructure refuses files of several pages, of which all but the first
// would be lost in silence; reduced copies of the first are no pages.
func (p *probe) tiffStructure(r *io.SectionReader) error {
	order, offset, err := tiffHeader(r)
	if err != nil {
		return err
	}
	d, err := readDirectory(r, order, offset)
	if err != nil {
		return err
	}
	p.orient(d)
	p.Metadata = d.private
	if d.next == 0 {
		return nil
	}
	second, err := readDirectory(r, order, d.next)
	if err == nil && second.values[tagNewSubfileType]&1 == 0 {
		return refuse(Pages, "The TIFF file holds several pages: save each page as a file of its own.")
	}
	return nil
}
