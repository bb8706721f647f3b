package speech

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func one(text string) Transcript { return Transcript{{Begin: 0, End: 4, Text: text}} }

func TestMerge(t *testing.T) {
	t.Parallel()
	n, _ := NormalizerOf("basic-1")
	for _, tt := range []struct {
		name string
		of   []Transcript
		want Transcript
	}{
		{"nothing", nil, nil},
		{"one", []Transcript{one("Hello – you.")}, one("Hello – you.")},
		{"most", []Transcript{one("the cat sat"), one("the cat sad"), one("The cat sad.")}, one("the cat sad")},
		{"as it was written", []Transcript{one("Yes – no."), one("yes no")}, one("Yes – no.")},
		{"a word that the closest lacks", []Transcript{one("a b"), one("a x b"), one("a x b c")}, one("a x b")},
		{"nobody said anything", []Transcript{nil, nil}, Transcript{}},
		{"an empty text among others", []Transcript{nil, one("a"), one("a")}, one("a")},
		{
			"in segments",
			[]Transcript{
				{{Begin: 0, End: 1, Text: "a b", Speaker: "A"}, {Begin: 1, End: 2, Text: "c d", Speaker: "B"}},
				{{Begin: 0, End: 1, Text: "a b", Speaker: "A"}, {Begin: 1, End: 2, Text: "c x", Speaker: "B"}},
				one("a b c x"),
			},
			Transcript{{Begin: 0, End: 1, Text: "a b", Speaker: "A"}, {Begin: 1, End: 2, Text: "c x", Speaker: "B"}},
		},
	} {
		if got := Merge(tt.of, n); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// What all say is what they make together, and every word of a merging is somebody's.
func TestMergeHoldsWhatWasSaid(t *testing.T) {
	t.Parallel()
	n, _ := NormalizerOf("basic-1")
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 8), 1, 5).Draw(t, "texts")
		var all []Transcript
		var said []string
		for _, words := range texts {
			all, said = append(all, one(strings.Join(words, " "))), append(said, words...)
		}
		merged := Merge(all, n)
		for _, w := range strings.Fields(merged.Text()) {
			if !slices.Contains(said, w) {
				t.Fatalf("%q was said by nobody", w)
			}
		}
		same := Merge([]Transcript{merged, merged, all[0]}, n)
		if len(merged) > 0 && same.Text() != merged.Text() {
			t.Fatalf("%q and itself make %q", merged.Text(), same.Text())
		}
		from := SourcesOf(merged, all, n)
		if from.Merged != len(strings.Fields(merged.Text())) || from.Written != 0 {
			t.Fatalf("%q comes from %+v", merged.Text(), from)
		}
	})
}

// The variants that are proposed, one after another, are what is merged.
func TestPartsMakeTheMerging(t *testing.T) {
	t.Parallel()
	n, _ := NormalizerOf("basic-1")
	rapid.Check(t, func(t *rapid.T) {
		var all []Transcript
		for range rapid.IntRange(1, 4).Draw(t, "transcripts") {
			var transcript Transcript
			for i := range rapid.IntRange(1, 3).Draw(t, "segments") {
				words := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 6).Draw(t, "words")
				transcript = append(transcript, Segment{Begin: float64(i), End: float64(i + 1), Text: strings.Join(words, " ")})
			}
			all = append(all, transcript)
		}
		aligned := AlignParts(all, n)
		texts := make([][]string, len(aligned.Base))
		for i, p := range aligned.Parts {
			if i > 0 && p.From != aligned.Parts[i-1].To || p.Segment < 0 || p.Segment >= len(texts) {
				t.Fatalf("part %d is %+v", i, p)
			}
			if p.Proposed >= 0 && n.Normalize(p.Variants[p.Proposed].Text) != n.Normalize(p.Merged) {
				t.Fatalf("part %d is proposed as %+v", i, p)
			}
			texts[p.Segment] = append(texts[p.Segment], strings.Fields(p.Merged)...)
		}
		merged := Merge(all, n)
		if got := strings.Join(slices.Concat(texts...), " "); got != merged.Text() {
			t.Fatalf("%q from parts, %q merged", got, merged.Text())
		}
	})
}
