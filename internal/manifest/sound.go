package manifest

import (
	"strconv"

	"fiducial/internal/speech"
)

// Sound is what a line holds of an utterance. Begin and End are the span of its recording in seconds, Channel counts from 1, 0 is
// all of them. The boxes of such a line are its moments: X and W are seconds from the beginning of the utterance, Y is the channel.
// The line's Media is the SHA-256 of the utterance's own sound, as a WAV file of 16 bit PCM: so the line stays what it is when
// other spans of the recording are erased.
type Sound struct {
	Begin, End float64
	Channel    int
	Rules      int // version of the transcription rules that the truth was written under, 0 for none
	Transcript speech.Transcript
}

// appendSound is the canonical form of an utterance, as AppendCanonical has that of an image.
func (l *Line) appendSound(b []byte) []byte {
	b = append(b, `{"line":2,"item":`...)
	b = strconv.AppendInt(b, l.Item, 10)
	b = append(b, `,"key":`...)
	b = appendString(b, l.Key)
	b = append(b, `,"media":"`...)
	for _, c := range l.Media {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	b = append(b, `","channel":`...)
	b = strconv.AppendInt(b, int64(l.Sound.Channel), 10)
	b = appendNumber(b, "begin", l.Sound.Begin)
	b = appendNumber(b, "end", l.Sound.End)
	b = append(b, `,"split":`...)
	b = appendString(b, string(l.Split))
	b = append(b, `,"rules":`...)
	b = strconv.AppendInt(b, int64(l.Sound.Rules), 10)
	b = append(b, `,"segments":[`...)
	for i, s := range l.Sound.Transcript {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSegment(b, s)
	}
	b = append(b, `],"moments":[`...)
	for i := range l.Boxes {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.Boxes[i].appendMoment(b)
	}
	return append(b, "]}"...)
}

func appendSegment(b []byte, s speech.Segment) []byte {
	b = append(b, `{"channel":`...)
	b = strconv.AppendInt(b, int64(s.Channel), 10)
	b = appendNumber(b, "begin", s.Begin)
	b = appendNumber(b, "end", s.End)
	b = append(b, `,"speaker":`...)
	b = appendString(b, s.Speaker)
	b = append(b, `,"text":`...)
	b = appendString(b, s.Text)
	return append(b, '}')
}

func (x *Box) appendMoment(b []byte) []byte {
	b = append(b, `{"class":`...)
	b = appendString(b, x.Class)
	b = append(b, `,"definition":`...)
	b = strconv.AppendInt(b, int64(x.Definition), 10)
	b = appendNumber(b, "channel", x.Y)
	b = appendNumber(b, "begin", x.X)
	b = appendNumber(b, "length", x.W)
	return append(b, '}')
}

func appendNumber(b []byte, name string, value float64) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	// Adding 0 makes a negative zero the one zero that there is.
	return strconv.AppendFloat(b, value+0, 'f', -1, 64)
}
