package speech_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/speech"
)

func wordsOf(texts ...string) (transcripts [][]speech.Word) {
	n, _ := speech.NormalizerOf("basic-1")
	for _, text := range texts {
		transcripts = append(transcripts, speech.Words(text, n))
	}
	return transcripts
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		texts    []string
		parts    string // variants with the transcripts that have them
		proposal string
	}{
		{nil, "", ""},
		{[]string{"", ""}, "", ""},
		{[]string{"Press the pound key."}, "Press the pound key.:0", "Press the pound key."},
		{[]string{"Press the pound key.", "press the pound key"}, "Press the pound key.:0,1", "Press the pound key."},
		{
			[]string{"good bye thank you", "goodbye thank you", "goodbye thanks you"},
			"goodbye:1,2 | good bye:0 / thank:0,1 | thanks:2 / you:0,1,2", "goodbye thank you",
		},
		{[]string{"one two three", "one three", "one two three"}, "one:0,1,2 / two:0,2 | :1 / three:0,1,2", "one two three"},
		{[]string{"one three", "one two three", "one three"}, "one:0,1,2 / :0,2 | two:1 / three:0,1,2", "one three"},
		{[]string{"a b", "a c"}, "a:0,1 / b:0 | c:1", "a b"},
	} {
		network := speech.Combine(wordsOf(c.texts...))
		var parts []string
		for _, p := range network.Parts() {
			var variants []string
			for _, v := range p.Variants {
				variants = append(variants, v.Text+":"+strings.Trim(strings.ReplaceAll(fmt.Sprint(v.Transcripts), " ", ","), "[]"))
			}
			parts = append(parts, strings.Join(variants, " | "))
		}
		if got := strings.Join(parts, " / "); got != c.parts || network.Proposal() != c.proposal {
			t.Errorf("%q:\n%s, %q, want\n%s, %q", c.texts, got, network.Proposal(), c.parts, c.proposal)
		}
	}
}

func TestConfidenceDecidesTies(t *testing.T) {
	t.Parallel()
	transcripts := wordsOf("we sail", "we sale")
	transcripts[0][1].Confidence, transcripts[1][1].Confidence = 0.4, 0.7
	if got := speech.Combine(transcripts).Proposal(); got != "we sale" {
		t.Error(got)
	}
}

func TestNetworkProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var texts []string
		for range rapid.IntRange(1, 5).Draw(t, "transcripts") {
			texts = append(texts, strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 12).Draw(t, "words"), " "))
		}
		network := speech.Combine(wordsOf(texts...))
		for i, text := range texts {
			var read []string
			last := -1
			for _, slot := range network.Slots {
				if slot[i] >= 0 {
					if slot[i] != last+1 {
						t.Fatalf("transcript %d goes from word %d to %d", i, last, slot[i])
					}
					last = slot[i]
					read = append(read, network.Transcripts[i][slot[i]].Text)
				}
			}
			if strings.Join(read, " ") != text {
				t.Fatalf("transcript %d reads %q, was %q", i, strings.Join(read, " "), text)
			}
		}
		for i, slot := range network.Slots {
			if !slices.ContainsFunc(slot, func(place int) bool { return place >= 0 }) {
				t.Fatalf("slot %d is empty", i)
			}
		}
		sameWhereMostAgree(t, texts)
	})
}

// sameWhereMostAgree: what more than half of the transcripts are, the proposal is; and two are aligned as Align does.
func sameWhereMostAgree(t *rapid.T, texts []string) {
	most := append(slices.Clone(texts), slices.Repeat([]string{texts[0]}, len(texts))...)
	if got := speech.Combine(wordsOf(most...)).Proposal(); got != texts[0] {
		t.Fatalf("%q is proposed, most have %q", got, texts[0])
	}
	if len(texts) < 2 {
		return
	}
	two := speech.Combine(wordsOf(texts[0], texts[1]))
	steps := speech.Align(strings.Fields(texts[0]), strings.Fields(texts[1]))
	if len(steps) != len(two.Slots) {
		t.Fatalf("%d slots, %d steps", len(two.Slots), len(steps))
	}
	for i, s := range steps {
		if two.Slots[i][0] != s.Reference || two.Slots[i][1] != s.Hypothesis {
			t.Fatalf("slot %d is %v, the step %+v", i, two.Slots[i], s)
		}
	}
}

func TestPairwise(t *testing.T) {
	t.Parallel()
	n, _ := speech.NormalizerOf("basic-1")
	table := speech.Pairwise([]string{"One two.", "one", "one two"}, n)
	if table[0][1].Deletions != 1 || table[1][0].Insertions != 1 || table[0][2].Errors() != 0 || table[1][1].Errors() != 0 {
		t.Errorf("%+v", table)
	}
}
