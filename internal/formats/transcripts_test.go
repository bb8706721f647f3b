package formats_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"fiducial/internal/formats"
)

// ofOne are the recordings of a call, as the formats with many recordings in a file take them.
func ofOne(recordings ...formats.Recording) iter.Seq2[formats.Recording, error] {
	return func(yield func(formats.Recording, error) bool) {
		for _, r := range recordings {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// readMany reads a file of many recordings.
func readMany(read func(io.Reader, func(formats.Recording) error) (formats.Report, error), text string) ([]formats.Recording, formats.Report, error) {
	var all []formats.Recording
	report, err := read(strings.NewReader(text), func(r formats.Recording) error {
		all = append(all, r)
		return nil
	})
	return all, report, err
}

var word = rapid.StringMatching(`[a-zé'&<]{1,6}`)

// milliseconds are times that every format writes as they are.
func span(t *rapid.T, after float64) (start, end float64) {
	from := int(math.Round(after*1000)) + rapid.IntRange(0, 4000).Draw(t, "gap")
	to := from + rapid.IntRange(1, 9000).Draw(t, "length")
	return float64(from) / 1000, float64(to) / 1000
}

// call makes a recording: words decides whether words have times, and speakers whether there are any.
func call(t *rapid.T, words, speakers bool) formats.Recording {
	r := formats.Recording{Key: rapid.StringMatching(`[a-z]{1,5}/[a-z]{1,5}`).Draw(t, "key")}
	at := 0.0
	for range rapid.IntRange(1, 6).Draw(t, "segments") {
		s := formats.Segment{Channel: 1}
		s.Start, s.End = span(t, at)
		at = s.End
		if speakers {
			s.Speaker = rapid.SampledFrom([]string{"Ana", "O'Neil&Co", "b"}).Draw(t, "speaker")
		}
		var texts []string
		count := rapid.IntRange(1, 4).Draw(t, "words")
		for i := range count {
			text := word.Draw(t, "word")
			texts = append(texts, text)
			if words {
				w := formats.TimedWord{Text: text, Confidence: float64(rapid.IntRange(0, 100).Draw(t, "confidence")) / 100, Scored: true}
				w.Start = math.Round((s.Start+(s.End-s.Start)*float64(i)/float64(count))*1e6) / 1e6
				w.End = math.Round((s.Start+(s.End-s.Start)*float64(i+1)/float64(count))*1e6) / 1e6
				s.Words = append(s.Words, w)
			}
		}
		s.Text = strings.Join(texts, " ")
		r.Segments = append(r.Segments, s)
	}
	return r
}

var near = cmpopts.EquateApprox(0, 1e-9)

func TestTranscriptsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := call(t, false, true)
		var out bytes.Buffer
		report, err := formats.WriteSTM(&out, ofOne(r))
		got, read, readErr := readMany(formats.ReadSTM, out.String())
		if err := errors.Join(err, readErr); err != nil || !report.Empty() || !read.Empty() || len(got) != 1 {
			t.Fatal(err, report, read, out.String())
		}
		if diff := cmp.Diff(r, got[0], near); diff != "" {
			t.Fatalf("STM: %s", diff)
		}

		unchanneled := r
		unchanneled.Segments = slices.Clone(r.Segments)
		for i := range unchanneled.Segments {
			unchanneled.Segments[i].Channel = 0
		}
		out.Reset()
		report, err = formats.WriteVTT(&out, r)
		segments, read, readErr := formats.ReadVTT(bytes.NewReader(out.Bytes()))
		if err := errors.Join(err, readErr); err != nil || !report.Empty() || !read.Empty() {
			t.Fatal(err, report, read, out.String())
		}
		if diff := cmp.Diff(unchanneled.Segments, segments, near); diff != "" {
			t.Fatalf("VTT: %s\n%s", diff, out.String())
		}

		out.Reset()
		report, err = formats.WriteTextGrid(&out, unchanneled)
		grid, read, readErr := formats.ReadTextGrid(bytes.NewReader(out.Bytes()))
		if err := errors.Join(err, readErr); err != nil || !report.Empty() || !read.Empty() {
			t.Fatal(err, report, read, out.String())
		}
		if diff := cmp.Diff(unchanneled.Segments, grid.Segments, near); diff != "" {
			t.Fatalf("TextGrid: %s\n%s", diff, out.String())
		}
	})
}

func TestWordsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := call(t, true, false)
		var out bytes.Buffer
		report, err := formats.WriteCTM(&out, ofOne(r))
		got, read, readErr := readMany(formats.ReadCTM, out.String())
		if err := errors.Join(err, readErr); err != nil || !report.Empty() || !read.Empty() || len(got) != 1 {
			t.Fatal(err, report, read, out.String())
		}
		var want formats.Segment // CTM knows words alone: a channel is one segment
		for i, s := range r.Segments {
			if i == 0 {
				want = s
				want.Words = slices.Clone(s.Words)
				continue
			}
			want.End, want.Text, want.Words = s.End, want.Text+" "+s.Text, append(want.Words, s.Words...)
		}
		if diff := cmp.Diff([]formats.Segment{want}, got[0].Segments, near); diff != "" {
			t.Fatalf("CTM: %s\n%s", diff, out.String())
		}

		out.Reset()
		if _, err := formats.WriteTextGrid(&out, r); err != nil {
			t.Fatal(err)
		}
		grid, _, err := formats.ReadTextGrid(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Segments, grid.Segments, near, cmpopts.IgnoreFields(formats.TimedWord{}, "Confidence", "Scored")); diff != "" {
			t.Fatalf("TextGrid: %s\n%s", diff, out.String())
		}
	})
}

func TestNeMoAndSRTRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := call(t, false, true)
		for i := range r.Segments {
			r.Segments[i].Channel = 0
			r.Segments[i].Language = rapid.SampledFrom([]string{"", "en"}).Draw(t, "language")
			r.Segments[i].Predicted = rapid.SampledFrom([]string{"", "heard"}).Draw(t, "predicted")
		}
		var out bytes.Buffer
		report, err := formats.WriteNeMo(&out, ofOne(r))
		got, read, readErr := readMany(formats.ReadNeMo, out.String())
		if err := errors.Join(err, readErr); err != nil || !report.Empty() || !read.Empty() {
			t.Fatal(err, report, read, out.String())
		}
		var segments []formats.Segment
		for _, g := range got {
			segments = append(segments, g.Segments...)
		}
		if diff := cmp.Diff(r.Segments, segments, near); diff != "" {
			t.Fatalf("NeMo: %s\n%s", diff, out.String())
		}

		out.Reset()
		if _, err = formats.WriteSRT(&out, r); err != nil {
			t.Fatal(err)
		}
		segments, read, err = formats.ReadSRT(bytes.NewReader(out.Bytes()))
		if err != nil || !read.Empty() {
			t.Fatal(err, read)
		}
		if diff := cmp.Diff(r.Segments, segments, near, cmpopts.IgnoreFields(formats.Segment{}, "Speaker", "Language", "Predicted")); diff != "" {
			t.Fatalf("SRT: %s\n%s", diff, out.String())
		}
	})
}

// What tools in the field write is read, and what cannot be is refused with its place.
func TestTranscriptsOfTheField(t *testing.T) {
	t.Parallel()
	show := func(all []formats.Recording, report formats.Report, err error) string {
		var b strings.Builder
		for _, r := range all {
			for _, s := range r.Segments {
				fmt.Fprintf(&b, "%s|%d|%s|%v-%v|%s", r.Key, s.Channel, s.Speaker, s.Start, s.End, s.Text)
				if s.Ignored {
					b.WriteString("|ignored")
				}
				if s.Predicted != "" {
					b.WriteString("|" + s.Predicted)
				}
				for _, w := range s.Words {
					fmt.Fprintf(&b, " %s@%v-%v", w.Text, w.Start, w.End)
				}
				b.WriteString("\n")
			}
			if len(r.Metadata) > 0 {
				fmt.Fprintf(&b, "%v\n", r.Metadata)
			}
		}
		for _, loss := range report.Losses {
			fmt.Fprintf(&b, "%s: %s: %s\n", loss.Kind, loss.ID, loss.Reason)
		}
		if err != nil {
			fmt.Fprintf(&b, "error: %v\n", err)
		}
		return b.String()
	}
	one := func(segments []formats.Segment, report formats.Report, err error) string {
		return show([]formats.Recording{{Segments: segments}}, report, err)
	}
	read := map[string]func(string) string{
		"nemo": func(text string) string { return show(readMany(formats.ReadNeMo, text)) },
		"ctm":  func(text string) string { return show(readMany(formats.ReadCTM, text)) },
		"stm":  func(text string) string { return show(readMany(formats.ReadSTM, text)) },
		"vtt":  func(text string) string { return one(formats.ReadVTT(strings.NewReader(text))) },
		"srt":  func(text string) string { return one(formats.ReadSRT(strings.NewReader(text))) },
		"textgrid": func(text string) string {
			r, report, err := formats.ReadTextGrid(strings.NewReader(text))
			return one(r.Segments, report, err)
		},
	}
	for _, c := range []struct{ format, text, want string }{
		{"nemo", "\ufeff" + `{"audio_filepath": "/data/a.wav", "duration": 1.5, "text": "Hello  there", "pred_text": "hello", "gender": "f", "speaker": 7, "x": [1]}` + "\n\n" +
			`{"audio_filepath": "b.wav", "duration": "long", "text": ""}` + "\n" + `{"duration": 1}` + "\n" + `{"audio_filepath": "../b.wav", "duration": 1}` + "\n" +
			`{"audio_filepath": "b.wav", "duration": -1}` + "\nnothing\n" + `{"audio_filepath": "c.wav", "offset": 2, "duration": 0.5}`, `
data/a.wav|0|7|0-1.5|Hello there|hello
map[gender:f]
c.wav|0||2-2.5|
renamed: line 1: the path is absolute: read as data/a.wav
left_out: line 1: x, which is neither a text nor a number
refused: line 3: duration: a text stands there, and that is not what belongs there
refused: line 4: there is no audio_filepath
refused: line 5: the file name climbs out of its folder with ".."
refused: line 6: it ends at -1, before it begins at 0
refused: line 7: it is no JSON object: invalid character 'o' in literal null (expecting 'u')
`},
		{"ctm", ";; a comment\ncall B 0.50 0.25 there 0.9\ncall A 1.1 0.2 yes NA\ncall B 0.1 0.4 hello\nother 1 0 0.5 one\ncall A x 0.2 no\ncall A 1 2\ncall ? 1 2 no\ncall A * * <ALT_BEGIN>\ncall A 1 2 no 1.5", `
call|1||1.1-1.3|yes yes@1.1-1.3
call|2||0.1-0.75|hello there hello@0.1-0.5 there@0.5-0.75
other|1||0-0.5|one one@0-0.5
refused: line 6: "x" is no time in seconds
refused: line 7: it has 4 values, and a word of CTM has five: file, channel, begin, duration, word
refused: line 8: "?" is no channel: 1, 2, … or A, B, …
refused: line 9: alternatives (<ALT>) cannot be read
refused: line 10: "1.5" is no confidence from 0 to 1
`},
		{"stm", "call A ana 2.0 3.5 <o,f0,female> <unk> you know\ncall A ana 0 1 " + "IGNORE_TIME_SEGMENT_IN_SCORING\ncall B unknown 0.5 0.75\ncall B ana 3 2 no\ncall B ana 3\ncall B ana 3 x no", `
call|1|ana|0-1||ignored
call|1|ana|2-3.5|<unk> you know
call|2||0.5-0.75|
left_out: line 1: the labels of a segment
refused: line 4: it ends at 2, before it begins at 3
refused: line 5: it is too short: a segment of STM has file, channel, speaker, begin, end and text
refused: line 6: "x" is no time in seconds (STM gives the end, not the duration)
`},
		{"vtt", "WEBVTT - made by hand\r\n\r\nNOTE nobody\r\nreads this\r\n\r\nSTYLE\r\n::cue { }\r\n\r\nintro\r\n01:02.500 --> 01:03.000 align:start\r\n<v.loud Ana B>Hello &amp; <i>good</i>\r\nday</v> <v Bo>yes &lt;b&gt;\r\n\r\n1:00:00.000 --> 1:00:00.250\r\n\r\n00:01.0 -> 2\r\nno\r\n\r\n00:02.000 --> 00:01.000\r\nno", `
|0|Ana B|62.5-63|Hello & good day
|0|Bo|62.5-63|yes <b>
|0||3600-3600.25|
refused: line 16: it has no line with times, such as 00:00:01.000 --> 00:00:02.500
refused: line 19: it ends at 1, before it begins at 2
`},
		{"vtt", "1\n00:00:01,000 --> 00:00:02,000\nhello", "error: it does not begin with WEBVTT\n"},
		{"srt", "\ufeff1\r\n00:00:01,500 --> 00:00:02,5\r\n{\\an8}<font color=\"red\">Hello</font>\r\n<I>a < b</I>\r\n\r\n00:00:03.000 --> 00:00:04.000 X1:3\r\nbye\r\n\r\n3\r\n00:00:03 --> 00:00:04\r\nno", `
|0||1.5-2.5|Hello a < b
|0||3-4|bye
refused: line 9: "00:00:03" is no time such as 00:01:02.500
`},
		{"textgrid", "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\n0 2 ! seconds \"\n<exists> 2\n\"IntervalTier\" \"say \"\"it\"\"\" 0 2 2\n0 1 \"\"\n1 2 \"one \"\"two\"\"\nthree\"\n\"TextTier\" \"clicks\" 0 2 1\n0.5 \"x\"", `
|0|say "it"|1-2|one "two" three
left_out: clicks: a tier of points
`},
		{"textgrid", "\"ooTextFile\" \"Pitch\"", "error: it is no TextGrid in Praat's text form\n"},
		{"textgrid", "\"ooTextFile\" \"TextGrid\" 0 1 <exists> 900000000", "error: the number of tiers: \"900000000\" is not how many follow\n"},
		{"textgrid", "\"ooTextFile\" \"TextGrid\" 0 1 <exists> 1 \"IntervalTier\" \"a\" 0 1 1 0", "error: it ends where an interval's end should be\n"},
		{"textgrid", "\"ooTextFile\" \"TextGrid\" 0 1 <absent>", ""},
		{"textgrid", "\xe9", "error: it is neither UTF-8 nor UTF-16 with a byte order mark: save it as UTF-8\n"},
		{"nemo", `{"audio_filepath": "b.wav", "duration": 1e999}` + "\n[1]\n" + `{"audio_filepath": "b.wav", "duration": 1, "text": "caf` + "\xe9\"}", `
refused: line 1: duration: 1e999 is not a number that can be used here
refused: line 2: it is no JSON object: a list stands there, and that is not what belongs there
refused: line 3: it is neither UTF-8 nor UTF-16 with a byte order mark: save it as UTF-8
`},
		{"stm", "call A ana 0 1 caf\xe9", "refused: line 1: it is neither UTF-8 nor UTF-16 with a byte order mark: save it as UTF-8\n"},
		{"srt", "1\n00:00:01,500 --> 00:00:02,500\ncaf\xe9", "error: line 3: it is neither UTF-8 nor UTF-16 with a byte order mark: save it as UTF-8\n"},
		{"srt", "\xff\xfe1\x00\n\x000\x000\x00:\x000\x001\x00,\x005\x00-\x00-\x00>\x000\x000\x00:\x000\x002\x00,\x005\x00\n\x00\xe9\x00", "|0||1.5-2.5|é\n"},
		{"srt", "hello\n\n1\n00:00:03,0 --> 00:00:02,0\nback", "error: none of its subtitles can be read: line 1: it has no line with times, such as 00:00:01.000 --> 00:00:02.500\n"},
		{"vtt", "WEBVTT\n\n1.0 --> 2.0\nno", "error: none of its subtitles can be read: line 3: \"1.0\" is no time such as 00:01:02.500\n"},
		{"vtt", "WEBVTT\n\nNOTE nobody spoke", ""},
		{"srt", "", ""},
	} {
		if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), read[c.format](c.text)); diff != "" {
			t.Errorf("%s of %q:\n%s", c.format, c.text, diff)
		}
	}
}

func TestTextGridInUTF16(t *testing.T) {
	t.Parallel()
	const text = "\"ooTextFile\" \"TextGrid\" 0 1 <exists> 1 \"IntervalTier\" \"Zoë\" 0 1 1 0 1 \"naïve 😀\""
	for _, big := range []bool{true, false} {
		var b []byte
		for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
			if big {
				b = append(b, byte(unit>>8), byte(unit))
			} else {
				b = append(b, byte(unit), byte(unit>>8))
			}
		}
		r, _, err := formats.ReadTextGrid(bytes.NewReader(b))
		if err != nil || len(r.Segments) != 1 || r.Segments[0].Text != "naïve 😀" || r.Segments[0].Speaker != "Zoë" {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

func TestWhatTranscriptsLose(t *testing.T) {
	t.Parallel()
	r := formats.Recording{Key: "a b.wav", Duration: 9, Segments: []formats.Segment{
		{Start: 0.0004, End: 2, Text: "one two", Channel: 2, Speaker: "Ana B", Words: []formats.TimedWord{{Text: "one", Start: 0.5, End: 1, Scored: true}, {Text: "two", Start: 1, End: 2, Scored: true}}},
		{Start: 1, End: 3, Text: "three four", Channel: 2, Speaker: "Ana B"},
		{Start: 4, End: 5, Ignored: true},
	}}
	for name, c := range map[string]struct {
		write func(io.Writer) (formats.Report, error)
		want  string
	}{
		"nemo":     {func(w io.Writer) (formats.Report, error) { return formats.WriteNeMo(w, ofOne(r)) }, "map[left_out:4]"},
		"ctm":      {func(w io.Writer) (formats.Report, error) { return formats.WriteCTM(w, ofOne(r)) }, "map[left_out:3 renamed:1 rounded:1]"},
		"stm":      {func(w io.Writer) (formats.Report, error) { return formats.WriteSTM(w, ofOne(r)) }, "map[left_out:1 renamed:3]"},
		"vtt":      {func(w io.Writer) (formats.Report, error) { return formats.WriteVTT(w, r) }, "map[left_out:4 rounded:1]"},
		"srt":      {func(w io.Writer) (formats.Report, error) { return formats.WriteSRT(w, r) }, "map[left_out:6 rounded:1]"},
		"textgrid": {func(w io.Writer) (formats.Report, error) { return formats.WriteTextGrid(w, r) }, "map[left_out:5]"},
	} {
		var out bytes.Buffer
		report, err := c.write(&out)
		if err != nil || fmt.Sprint(report.Counts) != c.want {
			t.Errorf("%s: %v, %v, want %s\n%s", name, err, report.Counts, c.want, out.String())
		}
	}
	var out bytes.Buffer
	if _, err := formats.WriteCTM(&out, ofOne(r)); err != nil || out.String() != "a_b 2 0.5 0.5 one 0\na_b 2 1 1 two 0\na_b 2 1 1.111 three\na_b 2 2.111 0.889 four\n" {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestHypotheses(t *testing.T) {
	t.Parallel()
	const text = `{"utt_id": "a", "model_version": "v1", "text": "one two", "confidence": 0.25, "words": [{"word": "one", "start": 0, "end": 0.5, "confidence": 0.5}, {"word": "two", "start": 0.5, "end": 1}]}
{"utt_id": "b", "text": "", "words": []}
{"utt_id": "c", "text": "one two", "words": [{"word": "one", "start": 0, "end": 0.5, "confidence": 0.5}, {"word": "two", "start": 0.5, "end": 1, "confidence": 1}]}
{"utt_id": "", "text": "x"}
{"utt_id": "d"}
{"utt_id": "e", "text": "x", "confidence": 2}
{"utt_id": "f", "text": "x", "words": [{"word": "x", "start": 1, "end": 0}]}
`
	var all []formats.Hypothesis
	take := func(h formats.Hypothesis) error {
		all = append(all, h)
		return nil
	}
	report, err := formats.ReadHypotheses(strings.NewReader(text), take)
	if err != nil || report.Counts[formats.Refused] != 4 || len(all) != 3 || all[0].Confidence != 0.25 || all[1].Scored || all[2].Confidence != 0.75 {
		t.Fatalf("%+v, %+v, %v", all, report, err)
	}
	var out bytes.Buffer
	err = formats.WriteHypotheses(&out, func(yield func(formats.Hypothesis, error) bool) {
		for _, h := range all {
			if !yield(h, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := all
	all = nil
	if report, err := formats.ReadHypotheses(&out, take); err != nil || !report.Empty() || cmp.Diff(want, all) != "" {
		t.Errorf("%v %+v %s", err, report, cmp.Diff(want, all))
	}
}

func FuzzTranscripts(f *testing.F) {
	f.Add("WEBVTT\n\n00:01.000 --> 00:02.000\n<v A>x &amp; y")
	f.Add("1\n00:00:01,000 --> 00:00:02,000\nx")
	f.Add("call A ana 0 1 <o,f0> x")
	f.Add("call A 0 1 x 0.5")
	f.Add(`{"audio_filepath": "a.wav", "duration": 1, "text": "x", "lang": "en"}`)
	f.Add(`{"utt_id": "a", "text": "x", "words": [{"word": "x", "start": 0, "end": 1}]}`)
	f.Add("\"ooTextFile\" \"TextGrid\" 0 1 <exists> 1 \"IntervalTier\" \"a\" 0 1 1 0 1 \"x\"")
	f.Fuzz(func(t *testing.T, text string) {
		check := func(segments []formats.Segment) {
			for _, s := range segments {
				if s.Start < 0 || s.End < s.Start || math.IsNaN(s.Start+s.End) {
					t.Errorf("a segment from %v to %v", s.Start, s.End)
				}
			}
		}
		for _, read := range []func(io.Reader, func(formats.Recording) error) (formats.Report, error){formats.ReadNeMo, formats.ReadCTM, formats.ReadSTM} {
			all, _, err := readMany(read, text)
			for _, r := range all {
				check(r.Segments)
			}
			if err != nil {
				continue
			}
			for _, write := range []func(io.Writer, iter.Seq2[formats.Recording, error]) (formats.Report, error){formats.WriteNeMo, formats.WriteCTM, formats.WriteSTM} {
				if _, err := write(io.Discard, ofOne(all...)); err != nil {
					t.Error(err)
				}
			}
		}
		segments, _, err := formats.ReadVTT(strings.NewReader(text))
		check(segments)
		if err == nil {
			rereadVTT(t, segments)
		}
		segments, _, _ = formats.ReadSRT(strings.NewReader(text))
		check(segments)
		grid, _, _ := formats.ReadTextGrid(strings.NewReader(text))
		check(grid.Segments)
		if _, err := formats.ReadHypotheses(strings.NewReader(text), func(formats.Hypothesis) error { return nil }); err != nil {
			t.Log(err)
		}
	})
}

// rereadVTT: what was read once is the same when it is written and read again.
func rereadVTT(t *testing.T, segments []formats.Segment) {
	t.Helper()
	var out bytes.Buffer
	if _, err := formats.WriteVTT(&out, formats.Recording{Segments: segments}); err != nil {
		t.Fatal(err)
	}
	again, report, err := formats.ReadVTT(bytes.NewReader(out.Bytes()))
	if err != nil || !report.Empty() {
		t.Fatalf("%v %+v\n%q", err, report, out.String())
	}
	if diff := cmp.Diff(segments, again, near); diff != "" {
		t.Errorf("%s\n%q", diff, out.String())
	}
}
