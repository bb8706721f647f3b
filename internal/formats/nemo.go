package formats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// ReadNeMo reads a NeMo manifest, one JSON object a line: audio_filepath, duration and text, and where they are there offset, lang,
// speaker and pred_text. It yields a recording with one segment for each line; further values that are texts or numbers become its
// metadata. A line that is no such object is refused, and the others go through.
func ReadNeMo(r io.Reader, yield func(Recording) error) (Report, error) {
	var report Report
	err := eachLine(r, &report, func(number int, line []byte) error {
		recording, err := parseNeMo(&report, linePlace(number), line)
		if err != nil {
			report.Add(Refused, linePlace(number), err.Error())
			return nil
		}
		return yield(recording)
	})
	return report, err
}

// nemoLine is what every manifest has; the order is that of NeMo's own documents.
type nemoLine struct {
	Audio     string   `json:"audio_filepath"`
	Duration  *float64 `json:"duration"`
	Text      *string  `json:"text,omitempty"`
	Offset    float64  `json:"offset,omitempty"`
	Language  string   `json:"lang,omitempty"`
	Speaker   string   `json:"speaker,omitempty"`
	Predicted string   `json:"pred_text,omitempty"`
}

var nemoFields = map[string]bool{
	"audio_filepath": true, "duration": true, "text": true, "offset": true, "lang": true, "speaker": true, "pred_text": true,
}

func parseNeMo(report *Report, place string, line []byte) (Recording, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return Recording{}, fmt.Errorf("it is no JSON object: %s", jsonFault(err))
	}
	// Whole numbers and texts stand for one another in what tools write.
	var entry nemoLine
	for name, into := range map[string]any{
		"audio_filepath": &entry.Audio, "duration": &entry.Duration, "text": &entry.Text, "offset": &entry.Offset,
		"lang": &entry.Language, "pred_text": &entry.Predicted,
	} {
		raw, there := fields[name]
		if !there || string(raw) == "null" {
			continue
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return Recording{}, fmt.Errorf("%s: %s", name, jsonFault(err))
		}
	}
	switch {
	case entry.Audio == "":
		return Recording{}, fmt.Errorf("there is no audio_filepath")
	case entry.Duration == nil:
		return Recording{}, fmt.Errorf("there is no duration")
	}
	key, err := soundKey(report, place, entry.Audio)
	if err != nil {
		return Recording{}, err
	}
	s := Segment{
		Start: entry.Offset, End: endOf(entry.Offset, *entry.Duration), Language: cleanSpeech(entry.Language),
		Speaker: scalar(fields["speaker"]), Predicted: cleanSpeech(entry.Predicted), Unwritten: entry.Text == nil,
	}
	if entry.Text != nil {
		s.Text = cleanSpeech(*entry.Text)
	}
	if err := checkSpan(s.Start, s.End); err != nil {
		return Recording{}, err
	}
	return Recording{Key: key, Segments: []Segment{s}, Metadata: nemoMetadata(report, place, fields)}, nil
}

func nemoMetadata(report *Report, place string, fields map[string]json.RawMessage) map[string]string {
	var metadata map[string]string
	for name, raw := range fields {
		if nemoFields[name] || string(raw) == "null" {
			continue
		}
		value := scalar(raw)
		if value == "" {
			report.Add(LeftOut, place, fmt.Sprintf("%s, which is neither a text nor a number", cleanText(name)))
			continue
		}
		if metadata == nil {
			metadata = map[string]string{}
		}
		metadata[cleanText(name)] = value
	}
	return metadata
}

// jsonNames are the words for the forms of JSON values.
var jsonNames = map[string]string{"string": "a text", "number": "a number", "array": "a list", "object": "an object", "bool": "a truth value"}

// jsonFault says in plain words why JSON could not be read.
func jsonFault(err error) string {
	fault, is := errors.AsType[*json.UnmarshalTypeError](err)
	if !is {
		return err.Error()
	}
	place := ""
	if fault.Field != "" {
		place = fault.Field + ": "
	}
	form, number, _ := strings.Cut(fault.Value, " ")
	if number != "" {
		return place + number + " is not a number that can be used here"
	}
	return place + jsonNames[form] + " stands there, and that is not what belongs there"
}

// scalar is a JSON text, number or truth value as text, "" for anything else.
func scalar(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || string(raw) == "null" || raw[0] == '{' || raw[0] == '[':
		return ""
	case raw[0] == '"':
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return ""
		}
		return cleanSpeech(text)
	}
	return string(raw)
}

// WriteNeMo writes a line for each segment, offset where it does not begin with the recording. Times of words and channels are
// lost, and a segment that is not to be scored is left out.
func WriteNeMo(w io.Writer, recordings iter.Seq2[Recording, error]) (Report, error) {
	t := newTranscriptWriter(w)
	lines := json.NewEncoder(t.out)
	lines.SetEscapeHTML(false)
	for recording, err := range recordings {
		if err != nil {
			return t.report, err
		}
		for _, s := range recording.Segments {
			if t.skips(recording.Key, s) {
				continue
			}
			t.lose(recording.Key, s, true, true, false, false)
			duration := exactDifference(s.Start, s.End)
			text := strings.Join(strings.Fields(s.Text), " ")
			line := nemoLine{recording.Key, &duration, &text, s.Start, s.Language, s.Speaker, s.Predicted}
			if t.err == nil {
				t.err = lines.Encode(line)
			}
		}
	}
	return t.finish()
}

// exactDifference is the length of a span, without the last digits that the subtraction of decimal fractions makes, where endOf
// still gives the same end.
func exactDifference(start, end float64) float64 {
	d := end - start
	for _, scale := range [...]float64{1e3, 1e6, 1e9} {
		if v := float64(int64(d*scale+0.5)) / scale; endOf(start, v) == end {
			return v
		}
	}
	return d
}
