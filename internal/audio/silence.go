package audio

import (
	"errors"
	"io"
)

// Stretch is frames of a sound from First to below End, of a channel that counts from 1, or of all of them for 0.
type Stretch struct {
	Channel    int
	First, End int64
}

// quiet is the byte that silence consists of, in each encoding of one and of several bytes.
func (f Format) quiet() byte {
	switch f.Encoding {
	case Unsigned:
		return 0x80
	case MuLaw:
		return 0xff
	case ALaw:
		return 0xd5
	case Signed, Float:
	}
	return 0
}

// Silence returns the bytes of the sound's file, read from its beginning, with the samples of the stretches overwritten by silence in the
// sound's own encoding. Everything else in the file stays as it is, and its length too.
func (s *Sound) Silence(file io.Reader, stretches []Stretch) io.Reader {
	return &silencer{in: file, sound: s, stretches: stretches}
}

// silencer overwrites what goes through it.
type silencer struct {
	in        io.Reader
	sound     *Sound
	stretches []Stretch
	at        int64 // of the next byte in the file
}

// Read implements io.Reader.
func (s *silencer) Read(p []byte) (n int, err error) {
	n, err = s.in.Read(p)
	for _, stretch := range s.stretches {
		s.overwrite(p[:n], stretch)
	}
	s.at += int64(n)
	return n, err
}

// overwrite silences what a block, which begins where the silencer is, has of a stretch.
func (s *silencer) overwrite(block []byte, stretch Stretch) {
	frame, silence := s.sound.frame(), s.sound.quiet()
	begin := max(s.sound.start+stretch.First*frame, s.at) - s.at
	end := min(s.sound.start+min(stretch.End, s.sound.Frames)*frame, s.at+int64(len(block))) - s.at
	first, last := int64(0), frame
	if stretch.Channel > 0 {
		last = int64(stretch.Channel * s.sound.Bytes)
		first = last - int64(s.sound.Bytes)
	}
	for i := begin; i < end; i++ {
		if in := (s.at + i - s.sound.start) % frame; in >= first && in < last {
			block[i] = silence
		}
	}
}

// Silent reports whether there is nothing but silence in a stretch.
func (s *Sound) Silent(stretch Stretch) (bool, error) {
	decoder := s.Decode(stretch.First, stretch.End)
	samples := make([]float32, s.Channels*max(1, blockBytes/(4*s.Channels)))
	var nothing [1]float32
	nothingRaw := make([]byte, s.Bytes)
	for i := range nothingRaw {
		nothingRaw[i] = s.quiet()
	}
	s.decode(nothing[:], nothingRaw)
	for {
		n, err := decoder.Read(samples)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		for i, v := range samples[:n] {
			if v != nothing[0] && (stretch.Channel == 0 || i%s.Channels == stretch.Channel-1) {
				return false, nil
			}
		}
	}
}
