package speech_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/speech"
)

func normalizer(t interface{ Fatal(...any) }) speech.Normalizer {
	n, ok := speech.NormalizerOf("basic-1")
	if !ok {
		t.Fatal("there is no basic-1")
	}
	return n
}

func TestWordsTakeTheTimesThatWereHeard(t *testing.T) {
	t.Parallel()
	transcript := speech.Transcript{{Begin: 0, End: 2, Text: "Hello  dear you."}, {Begin: 2, End: 4, Text: "yes"}}
	heard := [][]speech.HeardWord{
		{{Word: "nothing", Start: 0, End: 1}},
		{{Word: "hello", Start: 0.1, End: 0.4}, {Word: "ear", Start: 0.5, End: 0.7}, {Word: "you", Start: 1, End: 1.5}, {Word: "yes", Start: 1.2, End: 1.9}},
	}
	times := transcript.Times(heard, normalizer(t))
	var got []string
	for i, words := range times {
		for _, w := range words {
			got = append(got, fmt.Sprintf("%s %v-%v %v", string([]rune(transcript[i].Text)[w.First:w.Last]), w.Begin, w.End, w.Heard))
		}
	}
	// "yes" was heard before its segment begins, which nobody can have said there.
	want := "[Hello 0.1-0.4 true dear 0.4-1 false you. 1-1.5 true yes 2-4 false]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v\nwant %s", got, want)
	}
}

func TestTimesOfWordsStayInOrderAndInside(t *testing.T) {
	t.Parallel()
	word := rapid.SampledFrom([]string{"one", "two", "three", "Four,", "five", "[noise]"})
	rapid.Check(t, func(t *rapid.T) {
		var transcript speech.Transcript
		at := 0.0
		for range rapid.IntRange(1, 4).Draw(t, "segments") {
			text := ""
			for range rapid.IntRange(0, 6).Draw(t, "words") {
				text += word.Draw(t, "word") + " "
			}
			end := at + rapid.Float64Range(0.01, 5).Draw(t, "length")
			transcript = append(transcript, speech.Segment{Begin: at, End: end, Text: text})
			at = end
		}
		var heard []speech.HeardWord
		for range rapid.IntRange(0, 9).Draw(t, "heard") {
			start := rapid.Float64Range(-1, 12).Draw(t, "start")
			heard = append(heard, speech.HeardWord{Word: word.Draw(t, "heard word"), Start: start, End: start + rapid.Float64Range(-0.1, 2).Draw(t, "lasts")})
		}
		for i, words := range transcript.Times([][]speech.HeardWord{heard}, normalizer(t)) {
			before, rune := transcript[i].Begin, 0
			for _, w := range words {
				if w.Begin < before || w.End < w.Begin || w.End > transcript[i].End || w.First < rune || w.Last <= w.First {
					t.Fatalf("%+v in %+v after %v", w, transcript[i], before)
				}
				before, rune = w.End, w.Last
			}
		}
	})
}
