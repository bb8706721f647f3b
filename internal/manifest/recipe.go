package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Split is the side of a version on which an item falls.
type Split string

// The sides.
const (
	Training   Split = "training"
	Validation Split = "validation"
	Test       Split = "test"
)

// Splits lists the sides in the order in which pages and files show them.
func Splits() []Split { return []Split{Training, Validation, Test} }

// Recipe is the rule that selects a version: the current truth of the projects, as far as Filter lets it in, divided by
// Seed and Shares. Items without truth, discarded ones and broken ones never get in. What a recipe does not say is left out
// of its canonical form, so that a recipe of projects, seed and shares alone is today what it has always been.
//
// Classes of several projects that bear the same name, to the letter, are one class: in lines, filters and strata alike.
type Recipe struct {
	Projects []string `json:"projects" yaml:"projects"` // short names
	Seed     int64    `json:"seed" yaml:"seed"`
	Shares   Shares   `json:"shares" yaml:"shares"`
	Filter   *Filter  `json:"filter,omitempty" yaml:"filter"`
	// Group says what must stay on one side; empty for ByGroup.
	Group     GroupKey     `json:"group,omitempty" yaml:"group"`
	Strata    []StratumKey `json:"strata,omitempty" yaml:"strata"` // what the version is balanced by
	Sizes     *Sizes       `json:"sizes,omitempty" yaml:"sizes"`
	Retention *Retention   `json:"retention,omitempty" yaml:"retention"`
}

// Shares say how much of the groups goes to each side; they add up to 1.
type Shares struct {
	Training   Share `json:"training" yaml:"training"`
	Validation Share `json:"validation" yaml:"validation"`
	Test       Share `json:"test" yaml:"test"`
}

// Share is a part of the whole, in thousandths; files and programs write it as a decimal: 0.8.
type Share int

const whole Share = 1000

// Default are the seed and the shares of a recipe that names none.
func Default() Recipe {
	return Recipe{Seed: 1, Shares: Shares{Training: 800, Validation: 100, Test: 100}}
}

// Of returns the share of one side.
func (s Shares) Of(split Split) Share {
	switch split {
	case Training:
		return s.Training
	case Validation:
		return s.Validation
	case Test:
		return s.Test
	}
	return 0
}

// Assign returns the side of everything that belongs to group: always the same for the same seed, group and shares. The
// test side is cut off first, so that moving items between training and validation never touches it.
func (s Shares) Assign(seed int64, group string) Split {
	h := sha256.Sum256(append(append(strconv.AppendInt(nil, seed, 10), 0), group...))
	at, _ := bits.Mul64(binary.BigEndian.Uint64(h[:8]), uint64(whole))
	switch place := Share(at); { //nolint:gosec // below 1000
	case place < s.Test:
		return Test
	case place < s.Test+s.Validation:
		return Validation
	}
	return Training
}

// Validate says what to put right in the recipe, in a sentence for people.
func (r *Recipe) Validate() error {
	if len(r.Projects) == 0 {
		return errors.New("name at least one project under projects")
	}
	for i, p := range r.Projects {
		if slices.Contains(r.Projects[:i], p) {
			return fmt.Errorf("the project %s is named twice: name it once", p)
		}
	}
	for _, split := range Splits() {
		if share := r.Shares.Of(split); share < 0 || share > whole {
			return fmt.Errorf("the share of %s is %s: choose one between 0 and 1", split, share)
		}
	}
	if sum := r.Shares.Training + r.Shares.Validation + r.Shares.Test; sum != whole {
		return fmt.Errorf("the shares add up to %s: make them add up to 1", sum)
	}
	for _, err := range []error{r.Filter.validate(), r.Group.validate(), r.validateStrata(), r.Retention.validate()} {
		if err != nil {
			return err
		}
	}
	return nil
}

// draft tells what a file says from what it leaves to the defaults.
type draft struct {
	Projects  []string     `json:"projects" yaml:"projects"`
	Seed      *int64       `json:"seed" yaml:"seed"`
	Shares    *Shares      `json:"shares" yaml:"shares"`
	Filter    *Filter      `json:"filter" yaml:"filter"`
	Group     GroupKey     `json:"group" yaml:"group"`
	Strata    []StratumKey `json:"strata" yaml:"strata"`
	Sizes     *Sizes       `json:"sizes" yaml:"sizes"`
	Retention *Retention   `json:"retention" yaml:"retention"`
}

func (d draft) complete() (Recipe, error) {
	r := Default()
	r.Projects, r.Filter, r.Group, r.Strata, r.Sizes, r.Retention = d.Projects, d.Filter, d.Group, d.Strata, d.Sizes, d.Retention
	if d.Seed != nil {
		r.Seed = *d.Seed
	}
	if d.Shares != nil {
		r.Shares = *d.Shares
	}
	r.Normalize()
	return r, r.Validate()
}

// Normalize leaves out of the recipe what only says what would be so anyway, so that two spellings of one rule are one.
func (r *Recipe) Normalize() {
	if r.Filter != nil && r.Filter.empty() {
		r.Filter = nil
	}
	if r.Group == ByGroup {
		r.Group = ""
	}
	if len(r.Strata) == 0 {
		r.Strata = nil
	}
	if r.Sizes != nil && *r.Sizes == (Sizes{}) {
		r.Sizes = nil
	}
	if r.Retention != nil {
		r.Retention.Reason = strings.TrimSpace(r.Retention.Reason)
		if (r.Retention.Test == "" || r.Retention.Test == Refuse) && r.Retention.Reason == "" {
			r.Retention = nil
		}
	}
}

// ParseYAML reads a recipe's file. An unknown or repeated key is refused; the error's text names line and column.
func ParseYAML(file []byte) (Recipe, error) {
	d, err := decodeYAML(file)
	if err != nil {
		return Recipe{}, err
	}
	return d.complete()
}

// decodeYAML also survives the panics that the decoder has for some broken files (tags on the wrong kind of value).
func decodeYAML(file []byte) (d draft, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("this is not a recipe: it uses YAML that has no place in one")
		}
	}()
	err = yaml.NewDecoder(bytes.NewReader(file), yaml.Strict()).Decode(&d)
	if err != nil && !errors.Is(err, io.EOF) {
		return d, errors.New(strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	return d, nil
}

// ParseJSON reads a recipe's JSON form. An unknown key is refused.
func ParseJSON(document []byte) (Recipe, error) {
	var d draft
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return Recipe{}, fmt.Errorf("recipe: %w", err)
	}
	return d.complete()
}

// ShareOf returns a fraction as a share, or an error if it has more than three decimals.
func ShareOf(fraction float64) (Share, error) {
	thousandths := math.Round(fraction * float64(whole))
	if math.Abs(thousandths) > float64(whole) || math.Abs(thousandths-fraction*float64(whole)) > 1e-6 || math.IsNaN(fraction) {
		return 0, fmt.Errorf("%v is not a share: choose one between 0 and 1 with at most three decimals", fraction)
	}
	return Share(thousandths), nil
}

// String is the share as a decimal: 0.8.
func (s Share) String() string { return strconv.FormatFloat(float64(s)/float64(whole), 'f', -1, 64) }

// MarshalJSON implements json.Marshaler.
func (s Share) MarshalJSON() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Share) UnmarshalJSON(text []byte) error {
	fraction, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil {
		return fmt.Errorf("%s is not a share: choose a number between 0 and 1", text)
	}
	*s, err = ShareOf(fraction)
	return err
}

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (s *Share) UnmarshalYAML(text []byte) error { return s.UnmarshalJSON(text) }
