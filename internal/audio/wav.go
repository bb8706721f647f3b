package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Sound is the sound of a file, ready to be decoded.
type Sound struct {
	Format
	Frames int64

	file  io.ReaderAt
	start int64 // of the samples in the file
}

// Seconds is how long the sound is.
func (s *Sound) Seconds() float64 { return float64(s.Frames) / float64(s.Rate) }

// What a header may say at most.
const (
	maxChunks   = 10_000
	maxChannels = 256
	maxRate     = 1 << 20
	maxFormat   = 1 << 10 // bytes
)

// unknownSize is what writes who could not go back to say how much they wrote; in RF64 the real size is elsewhere.
const unknownSize = 1<<32 - 1

// Open reads the header of a WAV file of size bytes: RIFF, RIFX and RF64 (BW64), with PCM of 8 to 32 bits, floating point of 32 or
// 64, µ-law or A-law. It returns a *RefusedError for a file that is none, that is damaged, or that holds less than its header
// says; a last frame that is not whole is left out.
func Open(file io.ReaderAt, size int64) (*Sound, error) {
	w := &wav{file: file, size: size, order: binary.LittleEndian}
	if err := w.begin(); err != nil {
		return nil, err
	}
	for range maxChunks {
		name, length, err := w.chunk()
		if err != nil {
			return nil, err
		}
		switch name {
		case "fmt ":
			err = w.format(length)
		case "ds64":
			err = w.longSizes(length)
		case "data":
			return w.sound(length)
		}
		if err != nil {
			return nil, err
		}
		// A chunk of an odd length is followed by a byte that fills up.
		if length > w.size-w.at {
			return nil, refuse(Damaged, "The file ends inside its part %q: it was cut off. Copy it again from where it was recorded.", name)
		}
		w.at += length + length&1
	}
	return nil, refuse(Damaged, "The file has more than %d parts before its sound: export it again from where it was made.", maxChunks)
}

// wav is a file whose header is read.
type wav struct {
	file     io.ReaderAt
	size, at int64
	order    binary.ByteOrder
	long     bool  // RF64
	longSize int64 // of the data, in RF64
	found    *Format
}

// read returns the next n bytes, without going on.
func (w *wav) read(n int64) ([]byte, error) {
	b := make([]byte, n)
	if n > w.size-w.at {
		return nil, refuse(Damaged, "The file ends inside its header, after %d bytes: it was cut off. Copy it again from where it was recorded.", w.size)
	}
	if got, err := w.file.ReadAt(b, w.at); got < len(b) {
		if errors.Is(err, io.EOF) {
			return nil, refuse(Damaged, "The file ends inside its header: it was cut off. Copy it again from where it was recorded.")
		}
		return nil, fmt.Errorf("read the header: %w", err)
	}
	return b, nil
}

func (w *wav) begin() error {
	if w.size == 0 {
		return refuse(Empty, "The file is empty: copy it again from where it was recorded.")
	}
	head, err := w.read(min(12, w.size))
	if err != nil {
		return err
	}
	if len(head) < 12 || string(head[8:12]) != "WAVE" {
		return foreign(head)
	}
	switch string(head[:4]) {
	case "RIFF":
	case "RIFX":
		w.order = binary.BigEndian
	case "RF64", "BW64":
		w.long = true
	default:
		return foreign(head)
	}
	w.at = 12
	return nil
}

// chunk reads the head of the next part.
func (w *wav) chunk() (name string, length int64, err error) {
	if w.at >= w.size {
		if w.found == nil {
			return "", 0, refuse(Damaged, "The file ends before it says what its sound is: it was cut off. Copy it again from where it was recorded.")
		}
		return "", 0, refuse(Damaged, "The file ends before its sound begins: it was cut off. Copy it again from where it was recorded.")
	}
	head, err := w.read(8)
	if err != nil {
		return "", 0, err
	}
	w.at += 8
	return string(head[:4]), int64(w.order.Uint32(head[4:])), nil
}

// longSizes reads the sizes that RF64 has in 64 bits.
func (w *wav) longSizes(length int64) error {
	if length < 24 {
		return refuse(Damaged, "The part that should hold the sizes of the RF64 file is too short: export it again from where it was made.")
	}
	b, err := w.read(24)
	if err != nil {
		return err
	}
	size := w.order.Uint64(b[8:])
	if size > 1<<62 {
		return refuse(Damaged, "The RF64 file says that it holds %d bytes of sound: export it again from where it was made.", size)
	}
	w.longSize = int64(size)
	return nil
}

// waveTail ends the GUID of an extensible format, which begins with the number of its encoding; longTail is that of RIFX.
const (
	waveTail = "\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
	longTail = "\x00\x00\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"
)

// extended returns the number of the encoding that an extensible format has in its GUID.
func (w *wav) extended(b []byte) (tag uint16, ok bool) {
	if len(b) < 40 {
		return 0, false
	}
	number, tail := w.order.Uint32(b[24:]), string(b[28:40])
	return uint16(number), number <= 0xffff && (tail == waveTail || tail == longTail) //nolint:gosec // it is compared
}

// format reads what the sound is.
func (w *wav) format(length int64) error {
	if length < 16 || length > maxFormat {
		return refuse(Damaged, "The description of the sound is %d bytes long: export the file again from where it was made.", length)
	}
	b, err := w.read(length)
	if err != nil {
		return err
	}
	tag := w.order.Uint16(b)
	f := Format{
		Channels: int(w.order.Uint16(b[2:])), Rate: int(min(w.order.Uint32(b[4:]), maxRate+1)),
		Bits: int(w.order.Uint16(b[14:])), BigEndian: w.order == binary.BigEndian,
	}
	align := int(w.order.Uint16(b[12:]))
	if tag == tagExtensible {
		var known bool
		if tag, known = w.extended(b); !known {
			return refuse(Foreign, "The file says that its sound is of a private encoding: convert it to PCM, for example with ffmpeg.")
		}
		if valid := int(w.order.Uint16(b[18:])); valid > 0 && valid < f.Bits {
			f.Bits = valid
		}
	}
	switch {
	case f.Channels == 0 || f.Channels > maxChannels:
		return refuse(Damaged, "The file says that it has %d channels; from 1 to %d can be read.", f.Channels, maxChannels)
	case f.Rate == 0 || f.Rate > maxRate:
		return refuse(Damaged, "The file says that a second has %d samples; from 1 to %d can be read.", w.order.Uint32(b[4:]), maxRate)
	}
	if err := f.encode(tag, align); err != nil {
		return err
	}
	w.found = &f
	return nil
}

// sound is what follows the head of the data.
func (w *wav) sound(length int64) (*Sound, error) {
	if w.found == nil {
		return nil, refuse(Damaged, "The sound begins before the file says what it is: export it again from where it was made.")
	}
	left := w.size - w.at
	switch {
	case w.long && length == unknownSize:
		length = w.longSize
	case length == unknownSize && left < length:
		return nil, refuse(Damaged, "The header does not say how long the sound is, as of a recording written into a pipe: "+
			"write it into a file, for example with ffmpeg -i IN.wav -c copy OUT.wav.")
	}
	if length > left {
		return nil, refuse(Damaged, "The header promises %d bytes of sound, and %d are there: the file was cut off. "+
			"Copy it again from where it was recorded.", length, left)
	}
	frames := length / w.found.frame()
	if frames == 0 {
		return nil, refuse(Empty, "The file holds no sound.")
	}
	return &Sound{Format: *w.found, Frames: frames, file: w.file, start: w.at}, nil
}
