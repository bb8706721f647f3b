package speech

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Segment is a stretch of an utterance with what was said in it. Begin and End are in seconds from the beginning of the
// utterance. Channel counts from 1; 0 is all of them, or the only one.
type Segment struct {
	Begin   float64 `json:"begin"`
	End     float64 `json:"end"`
	Channel int     `json:"channel,omitempty"`
	Speaker string  `json:"speaker,omitempty"`
	Text    string  `json:"text"`
}

// Transcript is what was written down of an utterance: its segments in the order of time, channel by channel where they
// begin together. One that has a single segment is the usual case.
type Transcript []Segment

// Bounds of what a transcript may hold.
const (
	MostSegments   = 5000
	LongestSegment = 20_000 // runes
	longestSpeaker = 60     // runes
)

// Text is all that was said, in order, with single spaces between the segments.
func (t Transcript) Text() string {
	parts := make([]string, 0, len(t))
	for _, s := range t {
		if s.Text != "" {
			parts = append(parts, s.Text)
		}
	}
	return strings.Join(parts, " ")
}

// Clean is the transcript as it is kept: its texts in NFC with single spaces, its segments in order.
func (t Transcript) Clean() Transcript {
	clean := make(Transcript, len(t))
	for i, s := range t {
		s.Text = tidy(s.Text)
		s.Speaker = tidy(s.Speaker)
		clean[i] = s
	}
	slices.SortStableFunc(clean, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.End, b.End))
	})
	return clean
}

func tidy(text string) string { return norm.NFC.String(strings.Join(strings.Fields(text), " ")) }

// Check says what is wrong with the transcript of an utterance of so many seconds and channels, or "". Times may
// pass the end by what rounding does.
func (t Transcript) Check(seconds float64, channels int) string {
	if len(t) > MostSegments {
		return fmt.Sprintf("At most %d segments fit on one utterance.", MostSegments)
	}
	for i, s := range t {
		if fault := s.check(seconds, channels); fault != "" {
			return fmt.Sprintf("Segment %d: %s", i+1, fault)
		}
	}
	return ""
}

func (s Segment) check(seconds float64, channels int) string {
	const rounding = 1e-3
	switch {
	case math.IsNaN(s.Begin) || math.IsInf(s.Begin, 0) || math.IsNaN(s.End) || math.IsInf(s.End, 0):
		return "its times are no numbers. Set them again."
	case s.End <= s.Begin:
		return "it ends before it begins. Set its times again."
	case s.Begin < -rounding || s.End > seconds+rounding:
		return "it reaches out of the utterance. Set its times inside."
	case s.Channel < 0 || s.Channel > channels:
		return "the recording has no such channel. Choose another one."
	case len([]rune(s.Text)) > LongestSegment:
		return fmt.Sprintf("keep it under %d characters.", LongestSegment)
	case len([]rune(s.Speaker)) > longestSpeaker:
		return fmt.Sprintf("keep the speaker's name under %d characters.", longestSpeaker)
	}
	return ""
}
