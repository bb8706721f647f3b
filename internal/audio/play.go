package audio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// The frames of a playback that are decoded at once: few at first, so that the beginning is there soon, then more.
const (
	firstBlock = 4 << 10
	lastBlock  = 64 << 10
)

// Playback is a stretch of a sound as a file of its own, WAV of 16 bit PCM, which is made while it is read: no more of the sound is
// decoded than is asked for, and nothing outside the stretch ever. It is an io.ReadSeeker.
type Playback struct {
	sound      *Sound
	channel    int
	first, end int64 // frames
	head       []byte

	at      int64 // where the next read begins
	block   []byte
	blockAt int64 // of the block in the file
	next    int64 // frames of the next block
	samples []float32
}

// Play returns the frames from first to below end, as far as there are any: of one channel, counted from 1, or of all for 0. It fails for a
// channel that is not there, and for more than the 4 GB that such a file can hold.
func (s *Sound) Play(channel int, first, end int64) (*Playback, error) {
	if channel < 0 || channel > s.Channels {
		return nil, fmt.Errorf("there is no channel %d of %d", channel, s.Channels)
	}
	p := &Playback{sound: s, channel: channel, first: min(max(first, 0), s.Frames), next: firstBlock}
	p.end = min(max(end, p.first), s.Frames)
	var head bytes.Buffer
	if _, err := NewWriter(&head, s.Rate, p.channels(), p.end-p.first); err != nil {
		return nil, err
	}
	p.head = head.Bytes()
	return p, nil
}

// channels is how many the playback has.
func (p *Playback) channels() int {
	if p.channel > 0 {
		return 1
	}
	return p.sound.Channels
}

// bytes is how long a frame is.
func (p *Playback) bytes() int64 { return 2 * int64(p.channels()) }

// Size is how many bytes the file has.
func (p *Playback) Size() int64 { return int64(len(p.head)) + (p.end-p.first)*p.bytes() }

// Frames is how many frames it has.
func (p *Playback) Frames() int64 { return p.end - p.first }

// Seek implements io.Seeker.
func (p *Playback) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.at
	case io.SeekEnd:
		offset += p.Size()
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a playback")
	}
	p.at = offset
	return offset, nil
}

// Read implements io.Reader.
func (p *Playback) Read(b []byte) (n int, err error) {
	if p.at >= p.Size() {
		return 0, io.EOF
	}
	if p.at < int64(len(p.head)) {
		n = copy(b, p.head[p.at:])
	} else {
		if p.at < p.blockAt || p.at >= p.blockAt+int64(len(p.block)) {
			if err := p.decode(); err != nil {
				return 0, err
			}
		}
		n = copy(b, p.block[p.at-p.blockAt:])
	}
	p.at += int64(n)
	return n, nil
}

// decode fills the block from the frame that the next byte is of.
func (p *Playback) decode() error {
	if p.at != p.blockAt+int64(len(p.block)) {
		p.next = firstBlock
	}
	skip := (p.at - int64(len(p.head))) / p.bytes()
	first := p.first + skip
	frames := min(p.next, p.end-first)
	p.next = min(2*p.next, lastBlock)
	want := int(frames) * p.sound.Channels
	if cap(p.samples) < want {
		p.samples = make([]float32, want)
	}
	samples := p.samples[:want]
	decoder := p.sound.Decode(first, first+frames)
	for filled := 0; filled < want; {
		n, err := decoder.Read(samples[filled:])
		if err != nil {
			p.block = p.block[:0]
			return err
		}
		filled += n
	}
	if p.channel > 0 && p.sound.Channels > 1 {
		for i := range int(frames) {
			samples[i] = samples[i*p.sound.Channels+p.channel-1]
		}
		samples = samples[:frames]
	}
	p.block = appendPCM16(p.block[:0], samples)
	p.blockAt = int64(len(p.head)) + skip*p.bytes()
	return nil
}
