package keymap_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/keymap"
)

var row = regexp.MustCompile(`\{ id: "([^"]+)", chord: "([^"]+)",(?: also: \[[^\]]*\],)? label: "([^"]+)",[^}]*? modes: (\w+)(?:, (fixed: true))? \}`)

// modes are what keys.ts calls them.
var modes = map[keymap.Mode]string{
	keymap.Label: "label", keymap.Review: "review", keymap.Label | keymap.Review: "edit", keymap.Label | keymap.Review | keymap.View: "all",
	keymap.Hear: "hear", keymap.Hear | keymap.Write: "time",
	keymap.Write: "write", keymap.Label | keymap.Review | keymap.Write: "change", keymap.Label | keymap.Write: "answer",
	keymap.Label | keymap.Review | keymap.View | keymap.Hear | keymap.Write: "every",
}

// The workbench binds the table of keys.ts; this package knows the same one.
func TestTableIsTheWorkbenchs(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../assets/src/boxes/keys.ts")
	if err != nil {
		t.Fatal(err)
	}
	var theirs, ours []string
	for _, m := range row.FindAllStringSubmatch(strings.ReplaceAll(string(source), `\u00a0`, "\u00a0"), -1) {
		theirs = append(theirs, strings.Join(m[1:], " | "))
	}
	for _, k := range keymap.Table() {
		fixed := ""
		if k.Fixed {
			fixed = "fixed: true"
		}
		ours = append(ours, strings.Join([]string{k.ID, k.Chord, k.Label, modes[k.Modes], fixed}, " | "))
	}
	if len(theirs) == 0 || !slices.Equal(theirs, ours) {
		t.Errorf("keys.ts has\n%q\nand keymap\n%q", theirs, ours)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in, want string
		ok       bool
	}{
		{"b", "b", true},
		{"B", "b", true},
		{" shift ctrl z ", "Ctrl Shift Z", true},
		{"Ctrl + Enter", "Ctrl Enter", true},
		{"shift 1", "Shift 1", true},
		{"Shift ?", "?", true},
		{"f2", "F2", true},
		{"pageup", "PageUp", true},
		{"+", "+", true},
		{"", "", false},
		{"Ctrl", "", false},
		{"Ctrl Ctrl z", "", false},
		{"Meta z", "", false},
		{"ab", "", false},
		{"b c", "", false},
	}
	for _, tt := range tests {
		if got, ok := keymap.Parse(tt.in); ok != tt.ok || ok && got != tt.want {
			t.Errorf("Parse(%q) = %q, %t; want %q, %t", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		wanted  map[string]string
		own     map[string]string
		refused []string
	}{
		{"nothing", nil, nil, nil},
		{"the table's own", map[string]string{"draw": "B"}, nil, nil},
		{"another key", map[string]string{"draw": "y"}, map[string]string{"draw": "y"}, nil},
		{"two that change places", map[string]string{"draw": "v", "select": "b"}, map[string]string{"draw": "v", "select": "b"}, nil},
		{"one that is taken", map[string]string{"draw": "v"}, nil, []string{"draw"}},
		{"the same twice", map[string]string{"draw": "y", "select": "Y"}, nil, []string{"draw", "select"}},
		{"a second chord of another", map[string]string{"draw": "Backspace"}, nil, []string{"draw"}},
		{"a second chord that is free again", map[string]string{"delete": "s", "draw": "Backspace"}, map[string]string{"delete": "s", "draw": "Backspace"}, nil},
		{"of a family", map[string]string{"draw": "7"}, nil, []string{"draw"}},
		{"of a family with a modifier", map[string]string{"draw": "Shift ArrowLeft"}, nil, []string{"draw"}},
		{"of a family held with Alt", map[string]string{"noise": "Alt 7"}, nil, []string{"noise"}},
		{"the page's", map[string]string{"draw": "/"}, nil, []string{"draw"}},
		{"of another mode", map[string]string{"skip": "a", "approve": "F6"}, map[string]string{"skip": "a", "approve": "F6"}, nil},
		{"of a mode that both have", map[string]string{"draw": "a"}, nil, []string{"draw"}},
		{"no key", map[string]string{"draw": "left hand"}, nil, []string{"draw"}},
		{"a fixed one stays", map[string]string{"nudge": "q"}, nil, nil},
		{"an unknown one is passed over", map[string]string{"fly": "q"}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			own, problems := keymap.Choose(tt.wanted)
			for _, id := range tt.refused {
				if problems[id] == "" {
					t.Errorf("%s was taken", id)
				}
			}
			if len(problems) != len(tt.refused) {
				t.Errorf("refused: %v", problems)
			}
			if len(tt.refused) == 0 && (len(own) != len(tt.own) || own["draw"] != tt.own["draw"] || own["select"] != tt.own["select"]) {
				t.Errorf("own = %v, want %v", own, tt.own)
			}
		})
	}
}

// Whatever is chosen without a problem leaves each chord with one action.
func TestChooseLeavesEachChordToOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		wanted, mode := map[string]string{}, rapid.SampledFrom([]keymap.Mode{keymap.Label, keymap.Review, keymap.View, keymap.Hear, keymap.Write}).Draw(t, "mode")
		for _, k := range keymap.Table() {
			wanted[k.ID] = rapid.SampledFrom([]string{"", "", "b", "v", "q", "r", "Ctrl Z", "Backspace", "Shift 1", "F2", "="}).Draw(t, k.ID)
		}
		own, problems := keymap.Choose(wanted)
		if len(problems) > 0 {
			return
		}
		held := map[string]string{}
		for _, k := range keymap.Table() {
			if k.Modes&mode == 0 {
				continue
			}
			chords := append([]string{k.Chord}, k.Also...)
			if chord, ok := own[k.ID]; ok {
				chords = []string{chord}
			}
			for _, chord := range chords {
				if other, ok := held[chord]; ok {
					t.Fatalf("%q starts both %s and %s", chord, other, k.ID)
				}
				held[chord] = k.ID
			}
		}
	})
}
