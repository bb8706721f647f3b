package audio

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Writer writes a WAV file of 16 bit PCM.
type Writer struct {
	out      io.Writer
	channels int
	left     int64 // samples
	raw      []byte
}

// NewWriter begins a file of that many frames, up to 4 GB in all.
func NewWriter(out io.Writer, rate, channels int, frames int64) (*Writer, error) {
	size := frames * int64(channels) * 2
	if channels < 1 || channels > maxChannels || rate < 1 || rate > maxRate || frames < 0 || size > math.MaxUint32-36 {
		return nil, fmt.Errorf("a WAV file of %d frames of %d channels at %d Hz cannot be written", frames, channels, rate)
	}
	b := append([]byte("RIFF"), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[4:], uint32(36+size)) //nolint:gosec // it was just compared
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*2)) //nolint:gosec // as above
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*2))
	b = append(b, "\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(size)) //nolint:gosec // as above
	if _, err := out.Write(b); err != nil {
		return nil, err
	}
	return &Writer{out: out, channels: channels, left: frames * int64(channels)}, nil
}

// Write appends samples, a sample for each channel in turn; what is beyond -1 and 1 is clipped.
func (w *Writer) Write(samples []float32) error {
	if int64(len(samples)) > w.left {
		return fmt.Errorf("%d samples are more than the %d that the file has room for", len(samples), w.left)
	}
	w.left -= int64(len(samples))
	w.raw = appendPCM16(w.raw[:0], samples)
	_, err := w.out.Write(w.raw)
	return err
}

// appendPCM16 appends samples as 16 bit PCM.
func appendPCM16(b []byte, samples []float32) []byte {
	for _, v := range samples {
		scaled := math.RoundToEven(float64(v) * (1 << 15))
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(min(max(scaled, math.MinInt16), math.MaxInt16)))) //nolint:gosec // the same sixteen bits
	}
	return b
}

// Close fails if the file has fewer samples than its header says.
func (w *Writer) Close() error {
	if w.left > 0 {
		return fmt.Errorf("%d samples are missing", w.left)
	}
	return nil
}
