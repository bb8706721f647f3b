package formats

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// ReadCTM reads NIST's CTM, a word a line: file, channel, begin, duration, word and where it is there its confidence; ";;" begins a
// comment. It yields a recording for each file, in the order in which they come first, with one segment for each channel, whatever
// the order of the lines. The name of a file is its Key, without an extension as a rule. Alternatives (<ALT>) are refused.
func ReadCTM(r io.Reader, yield func(Recording) error) (Report, error) {
	var report Report
	files := newRecordings()
	err := eachLine(r, &report, func(number int, line []byte) error {
		fields := strings.Fields(string(line))
		if strings.HasPrefix(fields[0], ";;") {
			return nil
		}
		file, channel, word, err := parseCTM(fields)
		if err == nil {
			file, err = soundKey(&report, linePlace(number), file)
		}
		if err != nil {
			report.Add(Refused, linePlace(number), err.Error())
			return nil
		}
		segment := files.segment(file, channel)
		segment.Words = append(segment.Words, word)
		return nil
	})
	if err != nil {
		return report, err
	}
	return report, files.each(func(recording Recording) error {
		for i := range recording.Segments {
			recording.Segments[i].fromWords()
		}
		return yield(recording)
	})
}

func parseCTM(fields []string) (file string, channel int, word TimedWord, err error) {
	if len(fields) < 5 {
		return "", 0, word, fmt.Errorf("it has %d values, and a word of CTM has five: file, channel, begin, duration, word", len(fields))
	}
	if fields[2] == "*" || strings.HasPrefix(fields[4], "<ALT") {
		return "", 0, word, errors.New("alternatives (<ALT>) cannot be read")
	}
	if channel, err = channelNumber(fields[1]); err != nil {
		return "", 0, word, err
	}
	begin, err := seconds(fields[2])
	if err != nil {
		return "", 0, word, err
	}
	duration, err := seconds(fields[3])
	if err != nil {
		return "", 0, word, err
	}
	word = TimedWord{Text: cleanSpeech(fields[4]), Start: begin, End: endOf(begin, duration)}
	if len(fields) > 5 && fields[5] != "NA" {
		if word.Confidence, err = seconds(fields[5]); err != nil || word.Confidence < 0 || word.Confidence > 1 {
			return "", 0, word, fmt.Errorf("%q is no confidence from 0 to 1", fields[5])
		}
		word.Scored = true
	}
	return fields[0], channel, word, checkSpan(word.Start, word.End)
}

// endOf is begin + duration without the last digits that the sum of decimal fractions makes.
func endOf(begin, duration float64) float64 {
	v := begin + duration
	if rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', 9, 64), 64); err == nil {
		return rounded
	}
	return v
}

// channelNumber reads 1, 2, … or A, B, …
func channelNumber(text string) (int, error) {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= 1024 {
		return max(n, 1), nil
	}
	if len(text) == 1 {
		if c := text[0] | 0x20; 'a' <= c && c <= 'z' {
			return int(c-'a') + 1, nil
		}
	}
	return 0, fmt.Errorf("%q is no channel: 1, 2, … or A, B, …", text)
}

// fromWords makes the rest of a segment out of its words.
func (s *Segment) fromWords() {
	slices.SortStableFunc(s.Words, func(a, b TimedWord) int { return cmp.Compare(a.Start, b.Start) })
	texts := make([]string, len(s.Words))
	s.Start = s.Words[0].Start
	for i, w := range s.Words {
		texts[i] = w.Text
		s.End = max(s.End, w.End)
	}
	s.Text = strings.Join(texts, " ")
}

// recordings collects segments by file and channel.
type recordings struct {
	list  []*Recording
	byKey map[string]*Recording
}

func newRecordings() *recordings { return &recordings{byKey: map[string]*Recording{}} }

func (r *recordings) recording(key string) *Recording {
	recording, known := r.byKey[key]
	if !known {
		recording = &Recording{Key: key}
		r.byKey[key] = recording
		r.list = append(r.list, recording)
	}
	return recording
}

// segment returns the one of a channel, in which all words of a channel are.
func (r *recordings) segment(key string, channel int) *Segment {
	recording := r.recording(key)
	for i := range recording.Segments {
		if recording.Segments[i].Channel == channel {
			return &recording.Segments[i]
		}
	}
	recording.Segments = append(recording.Segments, Segment{Channel: channel})
	return &recording.Segments[len(recording.Segments)-1]
}

func (r *recordings) each(yield func(Recording) error) error {
	for _, recording := range r.list {
		slices.SortStableFunc(recording.Segments, func(a, b Segment) int {
			return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Start, b.Start))
		})
		if err := yield(*recording); err != nil {
			return err
		}
	}
	return nil
}

// ctmLine is a word with its place in the order of the format.
type ctmLine struct {
	channel int
	word    TimedWord
}

// WriteCTM writes a word a line, those of a recording by channel and then by begin; recordings come in the order of their keys, or else
// the file is not sorted. Words without times of their own are spread over their segment, which the report says; speakers are lost.
func WriteCTM(w io.Writer, recordings iter.Seq2[Recording, error]) (Report, error) {
	t := newTranscriptWriter(w)
	for recording, err := range recordings {
		if err != nil {
			return t.report, err
		}
		file := t.fileName(recording.Key)
		var lines []ctmLine
		for _, s := range recording.Segments {
			if t.skips(recording.Key, s) {
				continue
			}
			t.lose(recording.Key, s, false, false, true, true)
			words, timed := s.spoken()
			if !timed {
				t.report.Add(Rounded, recording.Key, "words of a segment have no times of their own: spread over it by their length")
			}
			for _, word := range words {
				if word.Text = strings.Join(strings.Fields(word.Text), "_"); word.Text == "" {
					continue
				}
				lines = append(lines, ctmLine{max(s.Channel, 1), word})
			}
		}
		slices.SortStableFunc(lines, func(a, b ctmLine) int {
			return cmp.Or(cmp.Compare(a.channel, b.channel), cmp.Compare(a.word.Start, b.word.Start))
		})
		for _, line := range lines {
			t.ctmLine(file, line)
		}
	}
	return t.finish()
}

func (t *transcriptWriter) ctmLine(file string, line ctmLine) {
	word := line.word
	t.printf("%s %d %s %s %s", file, line.channel, shortest(word.Start), shortest(exactDifference(word.Start, word.End)),
		word.Text)
	if word.Scored {
		t.printf(" %s", shortest(word.Confidence))
	}
	t.printf("\n")
}

// fileName is a key as formats have it whose values are set apart by spaces, and by convention without an extension.
func (t *transcriptWriter) fileName(key string) string {
	name := strings.Join(strings.Fields(stem(key)), "_")
	if name != stem(key) {
		t.report.Add(Renamed, key, "its name has spaces: written as "+name)
	}
	if strings.HasPrefix(name, ";;") {
		name = "_" + name
		t.report.Add(Renamed, key, "its name begins as a comment does: written as "+name)
	}
	return name
}
