package manifest_test

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/manifest"
	"fiducial/internal/speech"
)

// Frozen versions of speech stand on these bytes: a change here breaks every one that exists.
func TestCanonicalFormOfSpeechNeverChanges(t *testing.T) {
	t.Parallel()
	line := manifest.Line{
		Item: 7, Key: "calls/0001.wav#4-7.25", Media: []byte{0, 0x1f, 0xff}, Width: 1, Split: manifest.Training,
		Boxes: []manifest.Box{{Class: "question", Definition: 2, X: 0.1, Y: 1, W: 1.5, H: 1}, {Class: "anger", W: 3.25, H: 1}},
		Sound: &manifest.Sound{Begin: 4, End: 7.25, Channel: 1, Rules: 3, Transcript: speech.Transcript{
			{Begin: math.Copysign(0, -1), End: 1.5, Channel: 1, Speaker: "A", Text: `grüß "dich"`}, {Begin: 1.5, End: 3.25, Text: "yes"},
		}},
	}
	const want = `{"line":2,"item":7,"key":"calls/0001.wav#4-7.25","media":"001fff","channel":1,"begin":4,"end":7.25,"split":"training","rules":3,` +
		`"segments":[{"channel":1,"begin":0,"end":1.5,"speaker":"A","text":"grüß \"dich\""},{"channel":0,"begin":1.5,"end":3.25,"speaker":"","text":"yes"}],` +
		`"moments":[{"class":"question","definition":2,"channel":1,"begin":0.1,"length":1.5},{"class":"anger","definition":0,"channel":0,"begin":0,"length":3.25}]}`
	got := line.AppendCanonical(nil)
	if string(got) != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if !json.Valid(got) {
		t.Error("not JSON")
	}
	leaf := manifest.LeafOf(salted(1), got)
	if hex := hex.EncodeToString(leaf[:]); hex != "042f091875f1ef23e34626db061db58b5105c6bbf59090838b71d05e29c04958" {
		t.Errorf("leaf %s", hex)
	}
}

func TestAnyChangeOfSpeechChangesTheLeaf(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := func() manifest.Line {
			return manifest.Line{Item: 1, Key: "a.wav", Split: manifest.Test, Sound: &manifest.Sound{End: 2, Transcript: speech.Transcript{{End: 1, Text: "one"}, {Begin: 1, End: 2, Text: "two"}}}}
		}
		line := of()
		changes := map[string]func(){
			"begin":   func() { line.Sound.Begin = 0.5 },
			"end":     func() { line.Sound.End = math.Nextafter(2, 3) },
			"channel": func() { line.Sound.Channel = 1 },
			"rules":   func() { line.Sound.Rules = 1 },
			"word":    func() { line.Sound.Transcript[1].Text = "too" },
			"speaker": func() { line.Sound.Transcript[0].Speaker = "A" },
			"time":    func() { line.Sound.Transcript[0].End = 1.001 },
			"moment":  func() { line.Boxes = []manifest.Box{{Class: "question", W: 2, H: 1}} },
			"image":   func() { line.Sound = nil },
		}
		name := rapid.SampledFrom([]string{"begin", "end", "channel", "rules", "word", "speaker", "time", "moment", "image"}).Draw(t, "change")
		before := manifest.LeafOf(salted(1), line.AppendCanonical(nil))
		if same := of(); manifest.LeafOf(salted(1), same.AppendCanonical(nil)) != before {
			t.Fatal("the same line has another leaf")
		}
		changes[name]()
		if manifest.LeafOf(salted(1), line.AppendCanonical(nil)) == before {
			t.Fatalf("another %s leaves the leaf as it was", name)
		}
	})
}

func TestSpansOfARecordingStayTogether(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key  manifest.GroupKey
		of   manifest.Candidate
		want string
	}{
		"a span":             {"", manifest.Candidate{Item: 1, Recording: 3, Media: []byte{1}}, "recording:3"},
		"a span of a group":  {"", manifest.Candidate{Item: 1, Recording: 3, Group: 5}, "group:5"},
		"a whole recording":  {"", manifest.Candidate{Item: 1, Media: []byte{1}}, "media:01"},
		"by media":           {manifest.ByMedia, manifest.Candidate{Item: 1, Recording: 3, Media: []byte{1}}, "media:01"},
		"each alone":         {manifest.ByItem, manifest.Candidate{Item: 1, Recording: 3}, "item:1"},
		"without a metadata": {manifest.MetadataGroup("caller"), manifest.Candidate{Item: 1, Recording: 3}, "recording:3"},
	} {
		if got := c.key.Together(&c.of); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
