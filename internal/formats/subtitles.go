package formats

import (
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// ReadVTT reads the cues of a WebVTT file. A cue of several voices is a segment for each. Settings, styles, regions and notes are
// left out.
func ReadVTT(r io.Reader) ([]Segment, Report, error) {
	var report Report
	blocks, err := readBlocks(r)
	if err != nil {
		return nil, report, err
	}
	if len(blocks) == 0 || !isVTT(blocks[0].lines[0]) {
		return nil, report, errors.New("it does not begin with WEBVTT")
	}
	var segments []Segment
	for _, b := range blocks[1:] {
		first, _, _ := strings.Cut(b.lines[0], " ")
		if !b.timed() && (first == "NOTE" || first == "STYLE" || first == "REGION") {
			continue
		}
		cue, lines, err := b.cue()
		if err != nil {
			report.Add(Refused, linePlace(b.number), err.Error())
			continue
		}
		segments = append(segments, voices(cue, strings.Join(lines, " "))...)
	}
	return segments, report, unreadable(segments, &report)
}

// unreadable refuses a file as a whole when nothing of it could be read: it is no silence.
func unreadable(segments []Segment, report *Report) error {
	if len(segments) > 0 || len(report.Losses) == 0 {
		return nil
	}
	first := report.Losses[0]
	*report = Report{}
	return fmt.Errorf("none of its subtitles can be read: %s: %s", first.ID, first.Reason)
}

func isVTT(line string) bool {
	rest, ok := strings.CutPrefix(line, "WEBVTT")
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// ReadSRT reads the subtitles of a SubRip file. Their numbers and their fonts are left out.
func ReadSRT(r io.Reader) ([]Segment, Report, error) {
	var report Report
	blocks, err := readBlocks(r)
	if err != nil {
		return nil, report, err
	}
	var segments []Segment
	for _, b := range blocks {
		cue, lines, err := b.cue()
		if err != nil {
			report.Add(Refused, linePlace(b.number), err.Error())
			continue
		}
		cue.Text = cleanSpeech(srtMarkup.ReplaceAllString(strings.Join(lines, " "), ""))
		segments = append(segments, cue)
	}
	return segments, report, unreadable(segments, &report)
}

var srtMarkup = regexp.MustCompile(`(?i)</?(?:i|b|u|s|font)(?: [^>]*)?>|\{\\an?\d\d?\}`)

// block is lines without an empty one between them.
type block struct {
	number int // of the first line
	lines  []string
}

func readBlocks(r io.Reader) (blocks []block, err error) {
	last := -1
	err = eachLine(r, nil, func(number int, line []byte) error {
		if number != last+1 || len(blocks) == 0 {
			blocks = append(blocks, block{number: number})
		}
		last = number
		b := &blocks[len(blocks)-1]
		b.lines = append(b.lines, string(line))
		return nil
	})
	return blocks, err
}

// timed reports whether one of the first two lines has times.
func (b block) timed() bool {
	return strings.Contains(b.lines[0], "-->") || len(b.lines) > 1 && strings.Contains(b.lines[1], "-->")
}

// cue reads the times of a block and returns the lines after them.
func (b block) cue() (s Segment, lines []string, err error) {
	if !b.timed() {
		return s, nil, errors.New("it has no line with times, such as 00:00:01.000 --> 00:00:02.500")
	}
	at := 0
	if !strings.Contains(b.lines[0], "-->") { // its number or name
		at = 1
	}
	from, to, _ := strings.Cut(b.lines[at], "-->")
	to, _, _ = strings.Cut(strings.TrimLeft(to, " \t"), " ") // what follows are settings
	to, _, _ = strings.Cut(to, "\t")
	if s.Start, err = clock(strings.TrimSpace(from)); err != nil {
		return s, nil, err
	}
	if s.End, err = clock(to); err != nil {
		return s, nil, err
	}
	return s, b.lines[at+1:], checkSpan(s.Start, s.End)
}

var clockForm = regexp.MustCompile(`^(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})$`)

// clock reads hours, minutes, seconds and milliseconds, the hours only where there are any.
func clock(text string) (float64, error) {
	m := clockForm.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is no time such as 00:01:02.500", text)
	}
	var parts [4]int
	for i, digits := range m[1:] {
		if digits == "" {
			continue
		}
		n, err := strconv.Atoi((digits + "00")[:max(len(digits), 3*(i/3))]) // .5 are 500 milliseconds
		if err != nil {
			return 0, err
		}
		parts[i] = n
	}
	return float64((parts[0]*60+parts[1])*60+parts[2]) + float64(parts[3])/1000, nil
}

var (
	vttTag   = regexp.MustCompile(`<[^>]*>`)
	vttVoice = regexp.MustCompile(`<v(?:\.[^ \t>]*)?[ \t]+([^>]*)>`)
)

// voices splits the text of a cue where another voice begins.
func voices(cue Segment, text string) (segments []Segment) {
	begins := vttVoice.FindAllStringSubmatchIndex(text, -1)
	add := func(speaker, part string) {
		s := cue
		s.Speaker = cleanSpeech(html.UnescapeString(speaker))
		if s.Text = plainVTT(part); s.Text != "" || len(begins) < 2 {
			segments = append(segments, s)
		}
	}
	if len(begins) == 0 {
		add("", text)
		return segments
	}
	if before := plainVTT(text[:begins[0][0]]); before != "" {
		add("", text[:begins[0][0]])
	}
	for i, b := range begins {
		end := len(text)
		if i+1 < len(begins) {
			end = begins[i+1][0]
		}
		add(text[b[2]:b[3]], text[b[1]:end])
	}
	return segments
}

func plainVTT(text string) string {
	return cleanSpeech(html.UnescapeString(vttTag.ReplaceAllString(text, "")))
}

var vttEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// WriteVTT writes a cue for each segment, with its speaker as the voice. Times are rounded to milliseconds; times of words and
// channels are lost.
func WriteVTT(w io.Writer, recording Recording) (Report, error) {
	t := newTranscriptWriter(w)
	t.printf("WEBVTT\n")
	for _, s := range recording.Segments {
		if t.skips(recording.Key, s) {
			continue
		}
		t.lose(recording.Key, s, true, true, false, true)
		t.printf("\n%s --> %s\n", t.clock(recording.Key, s.Start, '.'), t.clock(recording.Key, s.End, '.'))
		text := vttEscapes.Replace(strings.Join(strings.Fields(s.Text), " "))
		if s.Speaker != "" {
			text = "<v " + vttEscapes.Replace(strings.Join(strings.Fields(s.Speaker), " ")) + ">" + text
		}
		if text != "" {
			t.printf("%s\n", text)
		}
	}
	return t.finish()
}

// WriteSRT writes a subtitle for each segment. Times are rounded to milliseconds; speakers, times of words and channels are lost.
func WriteSRT(w io.Writer, recording Recording) (Report, error) {
	t := newTranscriptWriter(w)
	n := 0
	for _, s := range recording.Segments {
		if t.skips(recording.Key, s) {
			continue
		}
		t.lose(recording.Key, s, true, true, true, true)
		if n++; n > 1 {
			t.printf("\n")
		}
		t.printf("%d\n%s --> %s\n", n, t.clock(recording.Key, s.Start, ','), t.clock(recording.Key, s.End, ','))
		if text := strings.Join(strings.Fields(s.Text), " "); text != "" {
			t.printf("%s\n", text)
		}
	}
	return t.finish()
}

// clock writes a time with milliseconds after mark.
func (t *transcriptWriter) clock(key string, v float64, mark byte) string {
	milliseconds := int64(math.Round(v * 1000))
	if math.Abs(v*1000-float64(milliseconds)) > 1e-6 {
		t.report.Add(Rounded, key, "times are written in milliseconds")
	}
	seconds := milliseconds / 1000
	return fmt.Sprintf("%02d:%02d:%02d%c%03d", seconds/3600, seconds/60%60, seconds%60, mark, milliseconds%1000)
}
