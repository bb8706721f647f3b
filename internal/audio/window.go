package audio

import (
	"errors"
	"io"
	"math"
)

// Window is the outline of a stretch of sound in as many points as a page has room for: the lowest and the highest sample of each, from
// -127 to 127. It is put together from samples and from buckets of outlines, neither of which reaches beyond the stretch.
type Window struct {
	first, end int64 // frames
	width      int
	channels   []int // of the sound, from 0
	// Peaks has, for each channel, the lowest and the highest of each point in turn.
	Peaks [][]int8
	seen  []bool // points
}

// NewWindow returns an empty window of width points over the frames from first to below end: of one channel, counted from 1, or of all
// of so many for 0. It has no more points than there are frames.
func NewWindow(channel, channels int, first, end int64, width int) *Window {
	w := &Window{first: first, end: end, width: int(max(min(int64(width), end-first), 0))}
	if channel > 0 {
		w.channels = []int{channel - 1}
	} else {
		for c := range channels {
			w.channels = append(w.channels, c)
		}
	}
	w.Peaks = make([][]int8, len(w.channels))
	for i := range w.Peaks {
		w.Peaks[i] = make([]int8, 2*w.width)
	}
	w.seen = make([]bool, w.width)
	return w
}

// point is where a frame is drawn.
func (w *Window) point(frame int64) int {
	return int((frame - w.first) * int64(w.width) / (w.end - w.first))
}

// add widens a point by what one bucket, or one frame, has on each channel; peaks has the lowest and the highest of each channel of the sound.
func (w *Window) add(point int, peaks []int8) {
	for i, c := range w.channels {
		low, high := peaks[2*c], peaks[2*c+1]
		if w.seen[point] {
			low, high = min(low, w.Peaks[i][2*point]), max(high, w.Peaks[i][2*point+1])
		}
		w.Peaks[i][2*point], w.Peaks[i][2*point+1] = low, high
	}
	w.seen[point] = true
}

// Decode draws the frames of a sound from first to below end, as far as they are in the window.
func (w *Window) Decode(s *Sound, first, end int64) error {
	at, end := max(first, w.first), min(end, w.end)
	if at >= end {
		return nil
	}
	decoder := s.Decode(at, end)
	samples := make([]float32, s.Channels*max(1, blockBytes/(4*s.Channels)))
	peaks := make([]int8, 2*s.Channels)
	for {
		n, err := decoder.Read(samples)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := 0; i < n; i += s.Channels {
			for c := range s.Channels {
				v := small(samples[i+c])
				peaks[2*c], peaks[2*c+1] = v, v
			}
			w.add(w.point(at), peaks)
			at++
		}
	}
}

// Inside returns which buckets of that many frames lie inside the window as a whole, from first to below end; the last one of a sound of so
// many frames may be short.
func (w *Window) Inside(bucket int, frames int64) (first, end int64) {
	b := int64(bucket)
	first, end = (w.first+b-1)/b, w.end/b
	if w.end >= frames {
		end = (frames + b - 1) / b
	}
	return first, max(first, end)
}

// Draw draws buckets of an outline, of which the first one of raw has that number. raw has the lowest and the highest of each channel of the
// sound in turn, as AppendBinary writes them.
func (w *Window) Draw(o Outline, first int64, raw []byte) {
	peaks := make([]int8, 2*o.Channels)
	for bucket := first; len(raw) >= len(peaks); bucket++ {
		for i := range peaks {
			peaks[i] = int8(raw[i]) //nolint:gosec // the same eight bits
		}
		raw = raw[len(peaks):]
		from := max(bucket*int64(o.Bucket), w.first)
		to := min((bucket+1)*int64(o.Bucket), w.end)
		for point := w.point(from); point <= w.point(to-1); point++ {
			w.add(point, peaks)
		}
	}
}

// Amounts is how far each point goes from the middle on the loudest of its channels, from 0 to 127.
func (w *Window) Amounts() []byte {
	amounts := make([]byte, w.width)
	for _, peaks := range w.Peaks {
		for i := range amounts {
			low, high := int(peaks[2*i]), int(peaks[2*i+1])
			amounts[i] = byte(min(max(int(amounts[i]), -low, high), math.MaxInt8)) //nolint:gosec // 0 to 127
		}
	}
	return amounts
}
