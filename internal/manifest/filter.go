package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Filter says which truth gets into a version. Each part that is set narrows it.
type Filter struct {
	// Sources name whose items get in; or NotSources, whose do not.
	Sources    []string `json:"sources,omitempty" yaml:"sources"`
	NotSources []string `json:"not_sources,omitempty" yaml:"not_sources"`
	// Classes: only items that bear a box of one of them; such an item comes with all of its boxes.
	Classes []string `json:"classes,omitempty" yaml:"classes"`
	// CapturedFrom and CapturedBefore bound when an item was captured. One of which that is not known stays out.
	CapturedFrom   *Instant `json:"captured_from,omitempty" yaml:"captured_from"`
	CapturedBefore *Instant `json:"captured_before,omitempty" yaml:"captured_before"`
	// MinSeconds and MaxSeconds bound how long an utterance is, 0 for no bound.
	MinSeconds float64 `json:"min_seconds,omitempty" yaml:"min_seconds"`
	MaxSeconds float64 `json:"max_seconds,omitempty" yaml:"max_seconds"`
	// Definition is the least version of its class's definition that every box of an item was made under; Definitions sets
	// it for single classes instead, 0 for any.
	Definition  int            `json:"definition,omitempty" yaml:"definition"`
	Definitions map[string]int `json:"definitions,omitempty" yaml:"definitions"`
}

func (f *Filter) empty() bool {
	return len(f.Sources)+len(f.NotSources)+len(f.Classes)+len(f.Definitions) == 0 &&
		f.CapturedFrom == nil && f.CapturedBefore == nil && f.Definition == 0 && f.MinSeconds == 0 && f.MaxSeconds == 0
}

func (f *Filter) validate() error {
	if f == nil {
		return nil
	}
	for _, list := range []struct {
		key   string
		names []string
	}{{"sources", f.Sources}, {"not_sources", f.NotSources}, {"classes", f.Classes}} {
		for i, name := range list.names {
			switch {
			case strings.TrimSpace(name) == "":
				return fmt.Errorf("a name under filter.%s is empty: fill it in or leave it out", list.key)
			case slices.Contains(list.names[:i], name):
				return fmt.Errorf("filter.%s names %s twice: name it once", list.key, name)
			}
		}
	}
	if len(f.Sources) > 0 && len(f.NotSources) > 0 {
		return errors.New("filter names sources and not_sources: name those that are let in, or those that are kept out")
	}
	if f.CapturedFrom != nil && f.CapturedBefore != nil && !f.CapturedFrom.Before(f.CapturedBefore.Time) {
		return errors.New("filter.captured_from is not before filter.captured_before: nothing would get in")
	}
	if !(f.MinSeconds >= 0 && f.MaxSeconds >= 0 && f.MinSeconds <= longestFilter && f.MaxSeconds <= longestFilter) {
		return errors.New("filter.min_seconds and filter.max_seconds are between 0 and 1000000: choose how long an utterance is, in seconds")
	}
	if f.MaxSeconds > 0 && f.MinSeconds > f.MaxSeconds {
		return errors.New("filter.min_seconds is above filter.max_seconds: nothing would get in")
	}
	if f.Definition < 0 {
		return errors.New("filter.definition is below 0: choose the version of a definition, 1 or more")
	}
	for class, version := range f.Definitions {
		if class == "" || version < 0 {
			return fmt.Errorf("filter.definitions asks for version %d of %q: choose a class and a version of its definition", version, class)
		}
	}
	return nil
}

// longestFilter bounds the seconds that a filter names.
const longestFilter = 1e6

// Lets tells whether the truth of an item gets in, as far as its boxes decide.
func (f *Filter) Lets(boxes []Box) bool {
	if f == nil {
		return true
	}
	listed := len(f.Classes) == 0
	for i := range boxes {
		least, ok := f.Definitions[boxes[i].Class]
		if !ok {
			least = f.Definition
		}
		if boxes[i].Definition < least {
			return false
		}
		listed = listed || slices.Contains(f.Classes, boxes[i].Class)
	}
	return listed
}

// ReadsBoxes tells whether Lets looks at the boxes.
func (f *Filter) ReadsBoxes() bool {
	return f != nil && (len(f.Classes) > 0 || f.Definition > 0 || len(f.Definitions) > 0)
}

// Instant is a point in time that a recipe names: a day, which begins at midnight UTC, or a time with its zone.
type Instant struct{ time.Time }

// InstantOf reads 2026-01-31 or 2026-01-31T06:00:00Z.
func InstantOf(text string) (Instant, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return Instant{at.UTC()}, nil
		}
	}
	return Instant{}, fmt.Errorf("%s is not a time: write a day as 2026-01-31, or a time as 2026-01-31T06:00:00Z", text)
}

// String is the day alone where the instant is one's beginning.
func (i *Instant) String() string {
	if i.Equal(i.Truncate(24 * time.Hour)) {
		return i.Format(time.DateOnly)
	}
	return i.Format(time.RFC3339Nano)
}

// MarshalJSON implements json.Marshaler.
func (i *Instant) MarshalJSON() ([]byte, error) { return []byte(`"` + i.String() + `"`), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (i *Instant) UnmarshalJSON(text []byte) (err error) {
	*i, err = InstantOf(strings.Trim(strings.TrimSpace(string(text)), `"'`))
	return err
}

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (i *Instant) UnmarshalYAML(text []byte) error { return i.UnmarshalJSON(text) }
