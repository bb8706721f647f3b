package formats_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"fiducial/internal/formats"
)

func TestLabelStudioAudioComesBack(t *testing.T) {
	t.Parallel()
	want := []formats.Recording{
		{Key: "calls/a b.wav", Duration: 4, Segments: []formats.Segment{
			{Start: 0.5, End: 1.25, Text: `he said "<yes>" & left`, Speaker: "Jane Roe", Channel: 1}, {Start: 1, End: 2, Text: "grüezi", Channel: 2},
		}},
		{Key: "b.wav", Segments: []formats.Segment{{Start: 0, End: 0.1, Text: "one channel"}}},
		{Key: "c.wav"},
	}
	var b bytes.Buffer
	report, err := formats.WriteLabelStudioAudio(&b, func(yield func(formats.Recording, error) bool) {
		for _, recording := range want {
			if !yield(recording, nil) {
				return
			}
		}
	})
	if err != nil || !report.Empty() {
		t.Fatal(report, err)
	}
	var got []formats.Recording
	report, err = formats.ReadLabelStudioAudio(&b, func(recording formats.Recording) error {
		got = append(got, recording)
		return nil
	})
	if err != nil || !report.Empty() || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v:\n%+v\nwant\n%+v", report, err, got, want)
	}
}

func TestLabelStudioAudioAsItIsInTheField(t *testing.T) {
	t.Parallel()
	tasks := `[
	{"id": 7, "data": {"title": "x", "audio": "/data/upload/1/0a1b2c3d-call.wav"}, "annotations": [
		{"updated_at": "2024-01-01", "result": [{"id": "old", "type": "textarea", "value": {"text": ["old"]}}]},
		{"updated_at": "2024-01-02", "result": [
			{"id": "r2", "type": "labels", "value": {"start": 2, "end": 3, "channel": 0, "labels": ["Bob"]}},
			{"id": "r1", "type": "labels", "value": {"start": 0.5, "end": 1.5, "channel": 0, "labels": ["Speech"]}},
			{"id": "r1", "type": "textarea", "value": {"start": 0.5, "end": 1.5, "channel": 0, "text": ["first", "line"]}},
			{"id": "r2", "type": "textarea", "value": {"start": 2, "end": 3, "channel": 0, "text": "second"}},
			{"id": "r3", "type": "labels", "value": {"start": 3, "end": 4, "channel": 0, "labels": ["Noise"]}},
			{"id": "c", "type": "choices", "value": {"choices": ["angry"]}}]},
		{"was_cancelled": true, "updated_at": "2024-01-03", "result": []}]},
	{"id": 8, "data": {"audio": "s3://bucket/b.wav"}, "annotations": [{"result": [{"id": "w", "original_length": 2.5, "type": "textarea", "value": {"text": ["all of it"]}},
		{"id": "q", "original_length": 2.5, "type": "choices", "value": {"choices": ["calm"]}}, {"id": "z", "type": "rating", "value": {}}]}]},
	{"id": 9, "data": {"audio": "c.wav"}, "annotations": []},
	{"id": 10, "data": {"title": "no sound"}, "annotations": []},
	{"id": 11, "data": {"audio": "d.wav"}, "annotations": [{"result": [{"id": "w", "type": "textarea", "value": {"start": 3, "end": 1, "text": ["back"]}}]}]}]`
	var got []formats.Recording
	report, err := formats.ReadLabelStudioAudio(strings.NewReader(tasks), func(recording formats.Recording) error {
		got = append(got, recording)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []formats.Recording{
		{
			Key: "call.wav", Segments: []formats.Segment{{Start: 0.5, End: 1.5, Text: "first line"}, {Start: 2, End: 3, Text: "second", Speaker: "Bob"}},
			Moments: []formats.Moment{{Class: "Noise", Begin: 3, End: 4}},
		},
		{Key: "b.wav", Duration: 2.5, Segments: []formats.Segment{{End: 2.5, Text: "all of it"}}, Moments: []formats.Moment{{Class: "calm", End: 2.5}}},
		{Key: "c.wav", Segments: []formats.Segment{{Unwritten: true}}},
		{Key: "d.wav"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n%+v\nwant\n%+v", got, want)
	}
	if report.Counts[formats.Refused] != 2 || report.Counts[formats.LeftOut] != 2 {
		t.Errorf("%+v", report)
	}
	for _, broken := range []string{"", "{}", "[", `[{"id": 1`, `"text"`} {
		if _, err := formats.ReadLabelStudioAudio(strings.NewReader(broken), func(formats.Recording) error { return nil }); err == nil {
			t.Errorf("%q is read", broken)
		}
	}
}
