package audio

import (
	"encoding/binary"
	"errors"
	"io"
)

// What the finest outline may be: a bucket has at least 64 frames, and all channels together at most two million buckets.
const (
	finestBucket = 64
	maxBuckets   = 1 << 21
	coarser      = 4 // from one outline to the next
	fewBuckets   = 256
)

// Outline is a sound as a page draws it: the lowest and the highest sample of each bucket of frames.
type Outline struct {
	Rate     int // of the sound
	Channels int
	Bucket   int // frames; the last one may have fewer
	// Peaks has the lowest and the highest of each channel in turn, bucket by bucket, from -127 to 127.
	Peaks []int8
}

// Buckets is how many there are.
func (o *Outline) Buckets() int { return len(o.Peaks) / (2 * o.Channels) }

// Outlines makes outlines from the finest to one of at most 256 buckets, each four times as coarse as the one before.
func (s *Sound) Outlines() ([]Outline, error) {
	bucket := finestBucket
	for s.Frames/int64(bucket)*int64(s.Channels) >= maxBuckets {
		bucket *= 2
	}
	finest, err := s.outline(bucket)
	if err != nil {
		return nil, err
	}
	outlines := []Outline{finest}
	for last := &outlines[0]; last.Buckets() > fewBuckets; last = &outlines[len(outlines)-1] {
		outlines = append(outlines, last.coarser())
	}
	return outlines, nil
}

func (s *Sound) outline(bucket int) (Outline, error) {
	buckets := (s.Frames + int64(bucket) - 1) / int64(bucket)
	o := Outline{Rate: s.Rate, Channels: s.Channels, Bucket: bucket, Peaks: make([]int8, 0, 2*buckets*int64(s.Channels))}
	frames := s.Decode(0, s.Frames)
	samples := make([]float32, bucket*s.Channels*max(1, blockBytes/(4*bucket*s.Channels)))
	filled := 0
	for {
		n, err := frames.Read(samples[filled:])
		if errors.Is(err, io.EOF) {
			o.add(samples[:filled])
			return o, nil
		}
		if err != nil {
			return Outline{}, err
		}
		// Whole buckets go into the outline, and what is left begins the next.
		filled += n
		whole := filled - filled%(bucket*s.Channels)
		o.add(samples[:whole])
		filled = copy(samples, samples[whole:filled])
	}
}

// add takes samples of whole buckets, or of the last one.
func (o *Outline) add(samples []float32) {
	for len(samples) > 0 {
		bucket := samples[:min(len(samples), o.Bucket*o.Channels)]
		samples = samples[len(bucket):]
		for c := range o.Channels {
			low, high := bucket[c], bucket[c]
			// Comparing is several times faster than min and max, which look out for what is not a number.
			for i := c; i < len(bucket); i += o.Channels {
				if v := bucket[i]; v < low {
					low = v
				} else if v > high {
					high = v
				}
			}
			o.Peaks = append(o.Peaks, small(low), small(high))
		}
	}
}

// small is a sample in eight bits.
func small(v float32) int8 {
	scaled := min(max(v, -1), 1) * 127
	if scaled < 0 {
		return int8(scaled - 0.5)
	}
	return int8(scaled + 0.5)
}

func (o *Outline) coarser() Outline {
	c := Outline{Rate: o.Rate, Channels: o.Channels, Bucket: o.Bucket * coarser}
	row := 2 * o.Channels
	for from := 0; from < len(o.Peaks); from += coarser * row {
		at := len(c.Peaks)
		c.Peaks = append(c.Peaks, o.Peaks[from:from+row]...)
		for next := from + row; next < min(from+coarser*row, len(o.Peaks)); next += row {
			for i := 0; i < row; i += 2 {
				c.Peaks[at+i] = min(c.Peaks[at+i], o.Peaks[next+i])
				c.Peaks[at+i+1] = max(c.Peaks[at+i+1], o.Peaks[next+i+1])
			}
		}
	}
	return c
}

// AppendBinary appends the outline in the data format of the BBC's audiowaveform, version 2 with eight bits, which other tools read.
func (o *Outline) AppendBinary(b []byte) ([]byte, error) {
	for _, v := range [...]int{2, 1, o.Rate, o.Bucket, o.Buckets(), o.Channels} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v)) //nolint:gosec // none is negative, and none has as many bits
	}
	for _, peak := range o.Peaks {
		b = append(b, byte(peak)) //nolint:gosec // the same eight bits
	}
	return b, nil
}
