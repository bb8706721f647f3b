package audio

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Clip is a stretch of a sound in seconds from its beginning, of a channel that counts from 1, or of all of them for 0.
type Clip struct {
	Begins, Ends float64
	Channel      int
}

// Within returns the frames of a clip: those from the one nearest to its beginning to before the one nearest to its end, as far as
// there are any. Clips that meet share none.
func (s *Sound) Within(c Clip) (first, end int64) {
	at := func(seconds float64) int64 {
		return int64(math.Round(min(max(seconds*float64(s.Rate), 0), float64(s.Frames))))
	}
	first = at(c.Begins)
	return first, max(first, at(c.Ends))
}

// WriteClip writes a clip as a WAV file of 16 bit PCM, with one channel if the clip names one. The stretches of silent, which are clips
// of the same sound, are written as silence. The same frames give the same bytes, whatever lies around them.
func (s *Sound) WriteClip(out io.Writer, c Clip, silent []Clip) error {
	if c.Channel < 0 || c.Channel > s.Channels {
		return fmt.Errorf("a sound of %d channels has no channel %d", s.Channels, c.Channel)
	}
	first, end := s.Within(c)
	channels := s.Channels
	if c.Channel > 0 {
		channels = 1
	}
	w, err := NewWriter(out, s.Rate, channels, end-first)
	if err != nil {
		return err
	}
	decoder := s.Decode(first, end)
	samples := make([]float32, s.Channels*4096)
	for at := first; ; {
		n, err := decoder.Read(samples)
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return err
		}
		block := samples[:n]
		for _, quiet := range silent {
			s.silence(block, at, quiet)
		}
		at += int64(n / s.Channels)
		if c.Channel > 0 {
			block = s.only(block, c.Channel)
		}
		if err := w.Write(block); err != nil {
			return err
		}
	}
}

// silence empties what a block, whose first frame is at, has of a clip.
func (s *Sound) silence(block []float32, at int64, quiet Clip) {
	first, end := s.Within(quiet)
	frames := int64(len(block) / s.Channels)
	for frame := max(first-at, 0); frame < min(end-at, frames); frame++ {
		samples := block[frame*int64(s.Channels) : (frame+1)*int64(s.Channels)]
		if quiet.Channel == 0 {
			clear(samples)
		} else if quiet.Channel <= s.Channels {
			samples[quiet.Channel-1] = 0
		}
	}
}

// only moves the samples of one channel to the front of a block.
func (s *Sound) only(block []float32, channel int) []float32 {
	frames := len(block) / s.Channels
	for i := range frames {
		block[i] = block[i*s.Channels+channel-1]
	}
	return block[:frames]
}
