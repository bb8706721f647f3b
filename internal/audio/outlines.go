package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// outlineHead is how many bytes stand before the peaks of an outline.
const outlineHead = 24

// Bytes is how long the outline is in the form that AppendBinary writes.
func (o *Outline) Bytes() int64 { return outlineHead + int64(len(o.Peaks)) }

// AppendOutlines appends outlines of one sound, the coarsest first, one after the other in the form that AppendBinary writes: whoever
// needs an overview reads the beginning alone, and the head of each says how long it is, and so where the next finer one begins.
func AppendOutlines(b []byte, outlines []Outline) ([]byte, error) {
	for i := len(outlines) - 1; i >= 0; i-- {
		var err error
		if b, err = outlines[i].AppendBinary(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// ParseOutlineHead reads the first bytes of an outline: what it is of, and how many bytes of peaks follow them.
func ParseOutlineHead(b []byte) (o Outline, peaks int64, err error) {
	if len(b) < outlineHead {
		return Outline{}, 0, errors.New("an outline ends inside its head")
	}
	var fields [outlineHead / 4]uint32
	for i := range fields {
		fields[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	version, flags, rate, bucket, buckets, channels := fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]
	if version != 2 || flags != 1 || rate == 0 || rate > maxRate || bucket == 0 || channels == 0 || channels > maxChannels || buckets > 2*maxBuckets {
		return Outline{}, 0, fmt.Errorf("this is no head of an outline: %v", fields)
	}
	return Outline{Rate: int(rate), Channels: int(channels), Bucket: int(bucket)}, 2 * int64(buckets) * int64(channels), nil
}

// ParseOutlines reads what AppendOutlines wrote, the coarsest first.
func ParseOutlines(b []byte) (outlines []Outline, err error) {
	for len(b) > 0 {
		o, peaks, err := ParseOutlineHead(b)
		if err != nil {
			return nil, err
		}
		b = b[outlineHead:]
		if peaks > int64(len(b)) {
			return nil, errors.New("an outline ends inside its peaks")
		}
		o.Peaks = make([]int8, peaks)
		for i := range o.Peaks {
			o.Peaks[i] = int8(b[i]) //nolint:gosec // the same eight bits
		}
		b = b[peaks:]
		outlines = append(outlines, o)
	}
	return outlines, nil
}

// StoredOutline is one outline of a file that AppendOutlines wrote: what it is of, and where in the file its peaks begin.
type StoredOutline struct {
	Outline // without peaks

	at int64
}

// FindOutline returns the coarsest outline of a file of so many bytes whose buckets have at most so many frames, the finest where none is as fine.
// It reads the heads on the way alone.
func FindOutline(file io.ReaderAt, size, bucket int64) (StoredOutline, error) {
	head := make([]byte, outlineHead)
	for at := int64(0); ; {
		if _, err := file.ReadAt(head, at); err != nil {
			return StoredOutline{}, fmt.Errorf("outlines: %w", err)
		}
		o, peaks, err := ParseOutlineHead(head)
		if err != nil {
			return StoredOutline{}, err
		}
		at += outlineHead
		if int64(o.Bucket) <= bucket || at+peaks >= size {
			return StoredOutline{o, at}, nil
		}
		at += peaks
	}
}

// Read returns the peaks of its buckets from one to below another, as AppendBinary writes them.
func (o *StoredOutline) Read(file io.ReaderAt, from, to int64) ([]byte, error) {
	row := 2 * int64(o.Channels)
	raw := make([]byte, (to-from)*row)
	if _, err := file.ReadAt(raw, o.at+from*row); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("outline: %w", err)
	}
	return raw, nil
}
