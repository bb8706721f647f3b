package speech_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"fiducial/internal/speech"
)

// The browser is held to the same cases by assets/src/transcript/rules.test.ts.
func TestRulesFindWhatBreaksThem(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name     string
		Rules    speech.Rules
		Text     string
		Findings []speech.Finding
	}
	if err := json.Unmarshal(file, &cases); err != nil {
		t.Fatal(err)
	}
	for _, tt := range cases {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			if fault := faultOf(tt.Rules); fault != "" {
				t.Errorf("the rules themselves: %s", fault)
			}
			if diff := cmp.Diff(tt.Findings, tt.Rules.Check(tt.Text), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tt.Text, diff)
			}
		})
	}
}

func faultOf(r speech.Rules) string {
	_, fault := r.Fault()
	return fault
}

// Whatever is written, every finding is a place of the text, and they come in its order.
func TestFindingsAreInsideTheText(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.RuneFrom([]rune("aB1 ,.-'’[]<>#ßé😀")), 0, 30, -1)
	rapid.Check(t, func(rt *rapid.T) {
		rules := speech.Rules{
			Numbers:     rapid.SampledFrom([]string{"", "words", "digits"}).Draw(rt, "numbers"),
			Casing:      rapid.SampledFrom([]string{"", "lower", "upper", "sentence"}).Draw(rt, "casing"),
			Punctuation: rapid.SampledFrom([]string{"", "none", "these"}).Draw(rt, "punctuation"), Marks: ".",
			Forbidden: rapid.SampledFrom([]string{"", "#"}).Draw(rt, "forbidden"),
			Spellings: []speech.Spelling{{Write: text.Draw(rt, "write"), Not: text.Draw(rt, "not")}},
		}
		if rapid.Bool().Draw(rt, "tags") {
			rules.Tags = []speech.Tag{{Text: "[a]"}}
		}
		written := text.Draw(rt, "text")
		first := 0
		for _, f := range rules.Check(written) {
			if f.First < first || f.Last <= f.First || f.Last > len([]rune(written)) || f.Sentence == "" {
				rt.Fatalf("%q: %+v after %d", written, f, first)
			}
			first = f.First
		}
	})
}

func TestFaultyRules(t *testing.T) {
	t.Parallel()
	for field, rules := range map[string]speech.Rules{
		"numbers":        {Numbers: "roman"},
		"casing":         {Casing: "title"},
		"punctuation":    {Punctuation: "some"},
		"marks":          {Punctuation: "these", Marks: " "},
		"forbidden":      {Forbidden: "#a"},
		"unintelligible": {Unintelligible: "what"},
		"tags":           {Tags: []speech.Tag{{Text: "noise"}}},
		"spellings":      {Spellings: []speech.Spelling{{Write: "okay"}}},
	} {
		if got, fault := rules.Fault(); got != field || !strings.HasSuffix(fault, ".") {
			t.Errorf("%+v: %q %q, want a fault of %s", rules, got, fault, field)
		}
	}
	for _, tags := range [][]speech.Tag{
		{{Text: "[a] b]"}},
		{{Text: "[]"}},
		{{Text: "[a]"}, {Text: "[a]"}},
		{{Text: "[a]", Key: "x"}, {Text: "[b]", Key: "x"}},
		{{Text: "[a]", Key: "F2"}},
	} {
		if _, fault := (speech.Rules{Tags: tags}).Fault(); fault == "" {
			t.Errorf("%+v pass", tags)
		}
	}
	if _, fault := (speech.Rules{Tags: []speech.Tag{{Text: "[a]"}, {Text: "[b]"}}, Marks: "x", Unintelligible: "<unk>"}).Fault(); fault != "" {
		t.Error(fault)
	}
}
