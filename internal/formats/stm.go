package formats

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// ignoredSpan is what STM writes for a span that is not to be scored.
const ignoredSpan = "IGNORE_TIME_SEGMENT_IN_SCORING"

// ReadSTM reads NIST's STM, a segment a line: file, channel, speaker, begin, end, labels in angle brackets if they like, text; ";;"
// begins a comment. It yields a recording for each file, in the order in which they come first, its segments by channel and
// begin. Labels, which tell about speakers and conditions, are left out.
func ReadSTM(r io.Reader, yield func(Recording) error) (Report, error) {
	var report Report
	files := newRecordings()
	err := eachLine(r, &report, func(number int, line []byte) error {
		if strings.HasPrefix(string(line), ";;") {
			return nil
		}
		place := linePlace(number)
		file, segment, labels, err := parseSTM(string(line))
		if err == nil {
			file, err = soundKey(&report, place, file)
		}
		if err != nil {
			report.Add(Refused, place, err.Error())
			return nil
		}
		if labels {
			report.Add(LeftOut, place, "the labels of a segment")
		}
		recording := files.recording(file)
		recording.Segments = append(recording.Segments, segment)
		return nil
	})
	if err != nil {
		return report, err
	}
	return report, files.each(yield)
}

func parseSTM(line string) (file string, s Segment, labels bool, err error) {
	var fields [5]string
	rest := line
	for i := range fields {
		rest = strings.TrimLeft(rest, " \t")
		end := strings.IndexAny(rest, " \t")
		if end < 0 {
			end = len(rest)
		}
		if fields[i], rest = rest[:end], rest[end:]; fields[i] == "" {
			return "", s, false, errors.New("it is too short: a segment of STM has file, channel, speaker, begin, end and text")
		}
	}
	if s.Channel, err = channelNumber(fields[1]); err != nil {
		return "", s, false, err
	}
	if s.Start, err = seconds(fields[3]); err != nil {
		return "", s, false, err
	}
	if s.End, err = seconds(fields[4]); err != nil {
		return "", s, false, fmt.Errorf("%w (STM gives the end, not the duration)", err)
	}
	s.Speaker, s.Text = cleanSpeech(fields[2]), cleanSpeech(rest)
	if first, after, _ := strings.Cut(s.Text, " "); isSTMLabel(first) {
		labels, s.Text = true, cleanSpeech(after)
	}
	if strings.EqualFold(s.Text, ignoredSpan) {
		s.Text, s.Ignored = "", true
	}
	if s.Speaker == noSpeaker || s.Speaker == "inter_segment_gap" {
		s.Speaker = ""
	}
	return fields[0], s, labels, checkSpan(s.Start, s.End)
}

// noSpeaker stands where STM wants one and none is known.
const noSpeaker = "unknown"

// isSTMLabel tells <o,f0,male> from a text that begins with <unk>.
func isSTMLabel(word string) bool {
	if !strings.HasPrefix(word, "<") || !strings.HasSuffix(word, ">") {
		return false
	}
	return strings.Contains(word, ",") || strings.EqualFold(word, "<o>") || word == "<>"
}

// WriteSTM writes a segment a line. Times of words are lost.
func WriteSTM(w io.Writer, recordings iter.Seq2[Recording, error]) (Report, error) {
	t := newTranscriptWriter(w)
	for recording, err := range recordings {
		if err != nil {
			return t.report, err
		}
		file := t.fileName(recording.Key)
		for _, s := range recording.Segments {
			t.lose(recording.Key, s, true, false, false, true)
			speaker := strings.Join(strings.Fields(s.Speaker), "_")
			if speaker != s.Speaker {
				t.report.Add(Renamed, recording.Key, "a speaker's name has spaces: they are written as _")
			}
			if speaker == "" {
				speaker = noSpeaker
			}
			text := strings.Join(strings.Fields(s.Text), " ")
			if s.Ignored {
				text = ignoredSpan
			}
			t.printf("%s %d %s %s %s %s\n", file, max(s.Channel, 1), speaker, shortest(s.Start), shortest(s.End), text)
		}
	}
	return t.finish()
}
