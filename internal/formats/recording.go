package formats

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Recording is a recording of speech, or a part of one, with what was written down of it.
type Recording struct {
	// Key is the relative path that names the file of its sound, as Image.Key does.
	Key string
	// Duration is in seconds, 0 if unknown.
	Duration float64
	Segments []Segment
	Moments  []Moment // in seconds from the beginning of the recording
	// Metadata holds further named values. They may tell about a speaker: who imports them takes those alone that are allowed.
	Metadata map[string]string
}

// Segment is a stretch of speech. Times are in seconds from the beginning of the recording.
type Segment struct {
	Start, End float64
	Text       string
	Words      []TimedWord // with times of their own; none where only the segment has times
	// Predicted is what a recognizer made of it, where that stands beside the text.
	Predicted string
	// Channel counts from 1; 0 is unknown.
	Channel  int
	Speaker  string
	Language string
	// Unwritten marks one without a text, where that differs from an empty one.
	Unwritten bool
	// Ignored marks a span that is not to be scored, such as one that was erased.
	Ignored bool
}

// TimedWord is a word with its times; Confidence, from 0 to 1, means something only when Scored is set.
type TimedWord struct {
	Text       string
	Start, End float64
	Confidence float64
	Scored     bool
}

// longestLine bounds a line of a transcript file, in bytes.
const longestLine = 16 << 20

// errCharacters is a text in an encoding of one country's, which nobody can tell from another's.
var errCharacters = errors.New("it is neither UTF-8 nor UTF-16 with a byte order mark: save it as UTF-8")

// eachLine calls see with each line of r that is not empty: without the byte order mark, line break and space around it. A text in UTF-16 that
// begins with its mark is read as well. A line that is no text is refused in the report; without a report it is an error.
func eachLine(r io.Reader, report *Report, see func(number int, line []byte) error) error {
	lines := bufio.NewScanner(transform.NewReader(r, unicode.BOMOverride(transform.Nop)))
	lines.Buffer(make([]byte, 0, 64<<10), longestLine)
	number := 0
	for lines.Scan() {
		line := lines.Bytes()
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if !utf8.Valid(line) {
			if report == nil {
				return fmt.Errorf("%s: %w", linePlace(number), errCharacters)
			}
			report.Add(Refused, linePlace(number), errCharacters.Error())
			continue
		}
		if err := see(number, line); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d MB", number+1, longestLine>>20)
	}
	return lines.Err()
}

// cleanSpeech is cleanText with single spaces between words.
func cleanSpeech[T []byte | string](raw T) string {
	return strings.Join(strings.Fields(cleanText(raw)), " ")
}

func linePlace(number int) string { return fmt.Sprintf("line %d", number) }

// soundKey makes a key of a path as tools write it, absolute ones among them.
func soundKey(report *Report, place, path string) (string, error) {
	key, err := CleanKey(stripRoot(path))
	if err == nil && stripRoot(path) != path {
		report.Add(Renamed, place, "the path is absolute: read as "+key)
	}
	return key, err
}

// seconds reads a time; texts such as "inf" are none.
func seconds(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is no time in seconds", text)
	}
	return v, nil
}

// checkSpan refuses times that no recording has.
func checkSpan(start, end float64) error {
	switch {
	case math.IsNaN(start+end) || math.IsInf(start+end, 0):
		return errors.New("a time is not a finite number")
	case start < 0:
		return fmt.Errorf("it begins at %s, before the recording", shortest(start))
	case end < start:
		return fmt.Errorf("it ends at %s, before it begins at %s", shortest(end), shortest(start))
	case end > 1e8:
		return fmt.Errorf("it ends at %s: times are in seconds", shortest(end))
	}
	return nil
}

// shortest is the shortest decimal that reads back as the same number.
func shortest(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// spoken is a segment's words as its text has them, with times of their own where they have any: words that do not are spread over
// the segment by their length, and ok is false.
func (s Segment) spoken() (words []TimedWord, ok bool) {
	if len(s.Words) > 0 {
		return s.Words, true
	}
	texts := strings.Fields(s.Text)
	letters := 0
	for _, text := range texts {
		letters += len(text)
	}
	at := 0
	for _, text := range texts {
		w := TimedWord{Text: text, Start: s.between(at, letters)}
		at += len(text)
		w.End = s.between(at, letters)
		words = append(words, w)
	}
	return words, len(texts) == 0
}

// between is the time at a share of the segment, to the millisecond inside of it.
func (s Segment) between(n, of int) float64 {
	switch n {
	case 0:
		return s.Start
	case of:
		return s.End
	}
	v := s.Start + (s.End-s.Start)*float64(n)/float64(of)
	return min(max(math.Round(v*1000)/1000, s.Start), s.End)
}

// transcriptWriter writes lines and remembers the first error.
type transcriptWriter struct {
	out    *bufio.Writer
	report Report
	err    error
}

func newTranscriptWriter(w io.Writer) *transcriptWriter {
	return &transcriptWriter{out: bufio.NewWriterSize(w, 64<<10)}
}

func (t *transcriptWriter) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.out, format, args...)
	}
}

func (t *transcriptWriter) finish() (Report, error) {
	if t.err == nil {
		t.err = t.out.Flush()
	}
	return t.report, t.err
}

// skips reports whether a segment is one that is not to be scored, which most formats have no place for.
func (t *transcriptWriter) skips(key string, s Segment) bool {
	if s.Ignored {
		t.report.Add(LeftOut, key, "a span that is not to be scored")
	}
	return s.Ignored
}

// lose reports what a format has no place for in a segment: each of these that it loses.
func (t *transcriptWriter) lose(key string, s Segment, words, channel, speaker, predicted bool) {
	for _, loss := range [...]struct {
		is     bool
		reason string
	}{
		{words && len(s.Words) > 0, "times and confidences of words"},
		{channel && s.Channel > 1, "the channel of a segment"},
		{speaker && s.Speaker != "", "the speaker of a segment"},
		{predicted && s.Predicted != "", "what a recognizer made of a segment"},
	} {
		if loss.is {
			t.report.Add(LeftOut, key, loss.reason)
		}
	}
}
