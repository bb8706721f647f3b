package formats

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// longestTextGrid bounds a TextGrid, in bytes.
const longestTextGrid = 64 << 20

// ReadTextGrid reads a Praat TextGrid, in its long and its short form, as UTF-8 or UTF-16. Each interval with a text is a segment; its
// tier's name is the speaker, or the channel where it is "channel 2". A tier whose name ends in " - words" gives the words of
// the tier that is called so without that. A tier whose name begins with "moments: " has the moments of the class that its name ends
// with. Tiers of points are left out.
func ReadTextGrid(r io.Reader) (Recording, Report, error) {
	var report Report
	content, err := io.ReadAll(io.LimitReader(r, longestTextGrid+1))
	if err != nil {
		return Recording{}, report, err
	}
	if len(content) > longestTextGrid {
		return Recording{}, report, fmt.Errorf("the TextGrid is longer than %d MB", longestTextGrid>>20)
	}
	text, err := decodeText(content)
	if err != nil {
		return Recording{}, report, err
	}
	g := textGridReader{tokens: textGridTokens(text), report: &report}
	recording, err := g.read()
	return recording, report, err
}

// decodeText makes UTF-8 of a text with a byte order mark, or without one of UTF-8.
func decodeText(content []byte) (string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(content, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	case bytes.HasPrefix(content, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	default:
		content = bytes.TrimPrefix(content, []byte("\ufeff"))
		if !utf8.Valid(content) {
			return "", errCharacters
		}
		return string(content), nil
	}
	units := make([]uint16, 0, len(content)/2)
	for content = content[2:]; len(content) >= 2; content = content[2:] {
		units = append(units, order.Uint16(content))
	}
	return string(utf16.Decode(units)), nil
}

// textGridToken is a value that stands free; what is around it, such as "xmin =", Praat passes over, and so does this.
type textGridToken struct {
	text   string
	quoted bool
}

func textGridTokens(text string) (tokens []textGridToken) {
	for len(text) > 0 {
		switch text[0] {
		case ' ', '\t', '\n', '\r':
			text = text[1:]
		case '!': // a comment
			end := strings.IndexByte(text, '\n')
			if end < 0 {
				return tokens
			}
			text = text[end:]
		case '"':
			var quoted string
			quoted, text = textGridString(text[1:])
			tokens = append(tokens, textGridToken{quoted, true})
		default:
			end := strings.IndexAny(text, " \t\n\r\"")
			if end < 0 {
				end = len(text)
			}
			if word := text[:end]; word == "<exists>" || word == "<absent>" || isNumber(word) {
				tokens = append(tokens, textGridToken{word, false})
			}
			text = text[end:]
		}
	}
	return tokens
}

func isNumber(word string) bool {
	_, err := seconds(word)
	return err == nil
}

// textGridString reads on to the quote that ends a text; two of them are one in it.
func textGridString(text string) (quoted, rest string) {
	var b strings.Builder
	for {
		end := strings.IndexByte(text, '"')
		if end < 0 {
			b.WriteString(text)
			return b.String(), ""
		}
		b.WriteString(text[:end])
		if text = text[end+1:]; !strings.HasPrefix(text, `"`) {
			return b.String(), text
		}
		b.WriteByte('"')
		text = text[1:]
	}
}

type textGridReader struct {
	tokens []textGridToken
	report *Report
	err    error
}

// next returns the next value, of which there must be one.
func (g *textGridReader) next(what string, quoted bool) string {
	if g.err != nil {
		return ""
	}
	if len(g.tokens) == 0 {
		g.err = fmt.Errorf("it ends where %s should be", what)
		return ""
	}
	token := g.tokens[0]
	if token.quoted != quoted {
		g.err = fmt.Errorf("%.40q stands where %s should be", token.text, what)
		return ""
	}
	g.tokens = g.tokens[1:]
	return token.text
}

func (g *textGridReader) text(what string) string { return g.next(what, true) }

func (g *textGridReader) number(what string) float64 {
	text := g.next(what, false)
	if g.err != nil {
		return 0
	}
	v, err := seconds(text)
	if err != nil {
		g.err = fmt.Errorf("%s: %w", what, err)
	}
	return v
}

// count is a number of things; no more of them than there are values left are believed.
func (g *textGridReader) count(what string) int {
	text := g.next(what, false)
	n, err := strconv.Atoi(text)
	if g.err == nil && (err != nil || n < 0 || n > len(g.tokens)) {
		g.err = fmt.Errorf("%s: %q is not how many follow", what, text)
	}
	if g.err != nil {
		return 0
	}
	return n
}

func (g *textGridReader) read() (Recording, error) {
	fileType, class := g.text("the file type"), g.text("the object class")
	if g.err == nil && (!strings.HasPrefix(fileType, "ooTextFile") || class != "TextGrid") {
		return Recording{}, errors.New("it is no TextGrid in Praat's text form")
	}
	var recording Recording
	g.number("its beginning")
	recording.Duration = g.number("its end")
	if g.next("<exists>", false) == "<absent>" {
		return recording, g.err
	}
	words := map[string][]TimedWord{}
	for range g.count("the number of tiers") {
		kind, name := g.text("a tier's kind"), cleanSpeech(g.text("a tier's name"))
		g.number("a tier's beginning")
		g.number("a tier's end")
		n := g.count("the number of intervals")
		if kind == "TextTier" {
			g.points(name, n)
			continue
		}
		segments := g.intervals(name, n)
		if class, ok := strings.CutPrefix(name, momentsTier); ok {
			recording.Moments = append(recording.Moments, momentsOf(class, segments)...)
			continue
		}
		if of, ok := strings.CutSuffix(name, wordsTier); ok {
			for _, s := range segments {
				words[of] = append(words[of], TimedWord{Text: s.Text, Start: s.Start, End: s.End})
			}
			continue
		}
		recording.Segments = append(recording.Segments, segments...)
	}
	if g.err != nil {
		return Recording{}, g.err
	}
	recording.giveWords(words, g.report)
	slices.SortStableFunc(recording.Segments, func(a, b Segment) int { return cmp.Compare(a.Start, b.Start) })
	return recording, nil
}

// momentsTier begins the name of a tier that has the moments of a class. The text of an interval is the class again, or its channel.
const momentsTier = "moments: "

func momentsOf(class string, segments []Segment) (moments []Moment) {
	class = withoutNumber(class)
	for _, s := range segments {
		moments = append(moments, Moment{Class: class, Begin: s.Start, End: s.End, Channel: tierOf(s.Text).Channel})
	}
	return moments
}

// wordsTier ends the name of a tier that has the words of another.
const wordsTier = " - words"

func (g *textGridReader) points(name string, n int) {
	for range n {
		g.number("a point's time")
		g.text("a point's mark")
	}
	if n > 0 {
		g.report.Add(LeftOut, name, "a tier of points")
	}
}

func (g *textGridReader) intervals(name string, n int) (segments []Segment) {
	tier := tierOf(name)
	for i := range n {
		s := tier
		s.Start, s.End = g.number("an interval's beginning"), g.number("an interval's end")
		s.Text = cleanSpeech(g.text("an interval's text"))
		if g.err != nil {
			return nil
		}
		if s.Text == "" { // a gap
			continue
		}
		if err := checkSpan(s.Start, s.End); err != nil {
			g.report.Add(Refused, fmt.Sprintf("%s, interval %d", name, i+1), err.Error())
			continue
		}
		segments = append(segments, s)
	}
	return segments
}

// tierOf says whose the segments of a tier are. " (2)" tells a second tier of the same speaker, for what overlaps.
func tierOf(name string) Segment {
	name = withoutNumber(name)
	if number, ok := strings.CutPrefix(name, "channel "); ok {
		if n, err := strconv.Atoi(number); err == nil && n > 0 && n <= 1024 {
			return Segment{Channel: n}
		}
	}
	if name == speechTier {
		name = ""
	}
	return Segment{Speaker: name}
}

// withoutNumber is the name of a tier without what tells it from the first of that name.
func withoutNumber(name string) string {
	if at := strings.LastIndex(name, " ("); at > 0 && strings.HasSuffix(name, ")") && isNumber(name[at+2:len(name)-1]) {
		return name[:at]
	}
	return name
}

// speechTier is what a tier of no known speaker and channel is called.
const speechTier = "speech"

// giveWords puts the words of a tier into its segments.
func (r *Recording) giveWords(words map[string][]TimedWord, report *Report) {
	for tier, list := range words {
		whose := tierOf(tier)
		for _, word := range list {
			at := slices.IndexFunc(r.Segments, func(s Segment) bool {
				return s.Speaker == whose.Speaker && s.Channel == whose.Channel && s.Start <= word.Start && word.End <= s.End
			})
			if at < 0 {
				report.Add(LeftOut, tier+wordsTier, "a word outside of all segments")
				continue
			}
			r.Segments[at].Words = append(r.Segments[at].Words, word)
		}
	}
}
