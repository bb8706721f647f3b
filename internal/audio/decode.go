package audio

import (
	"errors"
	"fmt"
	"io"
)

// blockBytes is how much of a file is read at once.
const blockBytes = 256 << 10

// Decoder reads the samples of a stretch of sound.
type Decoder struct {
	sound    *Sound
	at, left int64 // bytes
	raw      []byte
}

// Decode returns a decoder of the frames from first to below end, as far as there are any.
func (s *Sound) Decode(first, end int64) *Decoder {
	first = min(max(first, 0), s.Frames)
	end = min(max(end, first), s.Frames)
	return &Decoder{sound: s, at: s.start + first*s.frame(), left: (end - first) * s.frame()}
}

// Read fills samples with whole frames, a sample for each channel in turn, from -1 to 1 (floating point may go beyond), and returns
// how many samples it wrote; io.EOF when there are none left. samples has room for a frame at least.
func (d *Decoder) Read(samples []float32) (n int, err error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	frame := d.sound.frame()
	want := min(int64(len(samples)/d.sound.Channels)*frame, d.left, max(blockBytes/frame, 1)*frame)
	if want == 0 {
		return 0, fmt.Errorf("room for %d samples is none for a frame of %d", len(samples), d.sound.Channels)
	}
	if int64(cap(d.raw)) < want {
		d.raw = make([]byte, want)
	}
	raw := d.raw[:want]
	if got, err := d.sound.file.ReadAt(raw, d.at); got < len(raw) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, fmt.Errorf("read the sound: %w", err)
	}
	d.at += want
	d.left -= want
	n = int(want / int64(d.sound.Bytes))
	d.sound.decode(samples[:n], raw)
	return n, nil
}
