package speech_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fiducial/internal/speech"
)

func TestTranscriptIsKeptTidy(t *testing.T) {
	t.Parallel()
	got := speech.Transcript{
		{Begin: 2, End: 3, Channel: 2, Text: " second\u00a0 one "},
		{Begin: 0, End: 2, Channel: 2, Speaker: " B ", Text: "cafe\u0301"},
		{Begin: 0, End: 1, Channel: 1, Text: "first"},
	}.Clean()
	want := speech.Transcript{
		{Begin: 0, End: 1, Channel: 1, Text: "first"},
		{Begin: 0, End: 2, Channel: 2, Speaker: "B", Text: "café"},
		{Begin: 2, End: 3, Channel: 2, Text: "second one"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Clean (-want +got):\n%s", diff)
	}
	if text := got.Text(); text != "first café second one" {
		t.Errorf("Text = %q", text)
	}
}

func TestTranscriptCheck(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		segment speech.Segment
		want    string
	}{
		"whole":        {speech.Segment{Begin: 0, End: 5, Text: "yes"}, ""},
		"rounded":      {speech.Segment{Begin: 0, End: 5.0004}, ""},
		"backwards":    {speech.Segment{Begin: 3, End: 3}, "ends before it begins"},
		"out":          {speech.Segment{Begin: 3, End: 5.2}, "out of the utterance"},
		"channel":      {speech.Segment{Begin: 0, End: 5, Channel: 3}, "no such channel"},
		"long text":    {speech.Segment{Begin: 0, End: 5, Text: strings.Repeat("a", speech.LongestSegment+1)}, "under 20000 characters"},
		"long speaker": {speech.Segment{Begin: 0, End: 5, Speaker: strings.Repeat("a", 61)}, "speaker's name"},
	} {
		got := speech.Transcript{tt.segment}.Check(5, 2)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: Check = %q, want %q in it", name, got, tt.want)
		}
	}
}
