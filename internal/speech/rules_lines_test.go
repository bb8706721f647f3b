package speech_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fiducial/internal/speech"
)

func TestTagsAndSpellingsAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	tags := speech.ReadTags("[noise] n Anything that is no speech\r\n\n<unk>\n[foreign speech] a longer word\nnoise")
	want := []speech.Tag{
		{Text: "[noise]", Key: "n", About: "Anything that is no speech"}, {Text: "<unk>"}, {Text: "[foreign speech]", Key: "a", About: "longer word"}, {Text: "noise"},
	}
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(tags, speech.ReadTags(speech.WriteTags(tags))); diff != "" {
		t.Error(diff)
	}
	spellings := speech.ReadSpellings("ok -> okay\ne mail→e-mail\nalone\n")
	if diff := cmp.Diff([]speech.Spelling{{Write: "okay", Not: "ok"}, {Write: "e-mail", Not: "e mail"}, {Not: "alone"}}, spellings); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(spellings, speech.ReadSpellings(speech.WriteSpellings(spellings))); diff != "" {
		t.Error(diff)
	}
	lines := strings.Join(speech.Rules{Numbers: "words", Punctuation: "these", Marks: ".?", Tags: tags[:1], Spellings: spellings[:1]}.Lines(), "\n")
	if lines != "Numbers in words.\nOf punctuation . ? alone.\n[noise] (key n): Anything that is no speech\n[unintelligible]: what nobody can make out\n“okay”, not “ok”" {
		t.Error(lines)
	}
}

// What stays and goes is the one text, what stays and comes the other.
func TestChangesMakeOneTextTheOther(t *testing.T) {
	t.Parallel()
	text := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 12)
	rapid.Check(t, func(rt *rapid.T) {
		from, to := text.Draw(rt, "from"), text.Draw(rt, "to")
		var before, after []string
		for _, c := range speech.Changes(from, to) {
			if c.Sign != "+" {
				before = append(before, c.Text)
			}
			if c.Sign != "-" {
				after = append(after, c.Text)
			}
		}
		if strings.Join(before, "") != strings.Join(from, "") || strings.Join(after, "") != strings.Join(to, "") {
			rt.Fatalf("%v to %v by %v and %v", from, to, before, after)
		}
	})
}
