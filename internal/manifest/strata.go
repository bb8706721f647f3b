package manifest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// GroupKey says which items must stay on one side of a split: ByGroup, ByMedia, BySource, ByItem, or metadata:KEY.
type GroupKey string

// The group keys.
const (
	ByGroup  GroupKey = "group"  // the item's group; without one all spans of a recording, or all items with the same bytes; else the item alone
	ByMedia  GroupKey = "media"  // all items with the same bytes, else the item alone
	BySource GroupKey = "source" // all items of a source
	ByItem   GroupKey = "item"   // the item alone
)

const byMetadata = "metadata:"

// MetadataGroup groups by the value that items have under a key of their metadata; those without one are grouped as by ByGroup.
func MetadataGroup(key string) GroupKey { return GroupKey(byMetadata + key) }

// Metadata returns the key that a metadata group reads, empty for the others.
func (k GroupKey) Metadata() string {
	key, ok := strings.CutPrefix(string(k), byMetadata)
	if !ok {
		return ""
	}
	return key
}

func (k GroupKey) validate() error {
	switch k {
	case "", ByGroup, ByMedia, BySource, ByItem:
		return nil
	}
	if strings.TrimSpace(k.Metadata()) != "" {
		return nil
	}
	return fmt.Errorf("%q is no group key: write group, media, source, item, or metadata: and a key, such as metadata:coil", string(k))
}

// Candidate is what a recipe asks of an item beside its boxes.
type Candidate struct {
	Item, Source, Project int64
	Group                 int64  // 0 for none
	Recording             int64  // of which the item is a span, 0 for an image and for a whole recording
	Media                 []byte // SHA-256 of the original, empty for none
	Value                 string // under the key of a metadata group
	Limited               bool   // kept for a time only
}

// Together names what must fall on one side with the candidate.
func (k GroupKey) Together(c *Candidate) string {
	key := k.Metadata()
	switch {
	case key != "" && c.Value != "":
		return byMetadata + key + "=" + c.Value
	case k == BySource:
		return "source:" + strconv.FormatInt(c.Source, 10)
	case c.Group != 0 && k != ByMedia && k != ByItem:
		return "group:" + strconv.FormatInt(c.Group, 10)
	case c.Recording != 0 && k != ByMedia && k != ByItem:
		return "recording:" + strconv.FormatInt(c.Recording, 10)
	case len(c.Media) > 0 && k != ByItem:
		return "media:" + hex.EncodeToString(c.Media)
	}
	return "item:" + strconv.FormatInt(c.Item, 10)
}

// StratumKey is one of the things that a version can be balanced by.
type StratumKey string

// The stratum keys. The class of an item is the one that most of its boxes bear, among equals the one whose box comes first,
// and "" for an item without any: so it depends on the item's own truth alone.
const (
	PerClass   StratumKey = "class"
	PerSource  StratumKey = "source"
	PerProject StratumKey = "project"
)

// StratumKeys lists the keys in the order in which pages show them.
func StratumKeys() []StratumKey { return []StratumKey{PerClass, PerSource, PerProject} }

// Sizes say how many items of each stratum a side takes, 0 for all that there are. The rest of that side waits as its reserve: it
// is on no side, so an item that is lost can be replaced by one that no model was trained on.
type Sizes struct {
	Training   Size `json:"training,omitempty" yaml:"training"`
	Validation Size `json:"validation,omitempty" yaml:"validation"`
	Test       Size `json:"test,omitempty" yaml:"test"`
}

// Size is a number of items, at least 1 where a file names it.
type Size int

// UnmarshalJSON implements json.Unmarshaler.
func (s *Size) UnmarshalJSON(text []byte) error {
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 1 || n > 1e9 {
		return fmt.Errorf("%s is not a size: choose a whole number of at least 1, or leave it out to take all", text)
	}
	*s = Size(n)
	return nil
}

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (s *Size) UnmarshalYAML(text []byte) error { return s.UnmarshalJSON(text) }

// Of returns the size that one side wants, 0 for all.
func (s *Sizes) Of(split Split) int {
	if s == nil {
		return 0
	}
	switch split {
	case Training:
		return int(s.Training)
	case Validation:
		return int(s.Validation)
	case Test:
		return int(s.Test)
	}
	return 0
}

func (r *Recipe) validateStrata() error {
	for i, key := range r.Strata {
		switch {
		case !slices.Contains(StratumKeys(), key):
			return fmt.Errorf("%q is no stratum key: choose among class, source and project", string(key))
		case slices.Contains(r.Strata[:i], key):
			return fmt.Errorf("strata names %s twice: name it once", key)
		}
	}
	for _, split := range Splits() {
		switch size := r.Sizes.Of(split); {
		case size < 0:
			return fmt.Errorf("the size of %s is %d: choose at least 1, or leave it out to take all", split, size)
		case size > 0 && r.Shares.Of(split) == 0:
			return fmt.Errorf("sizes asks for %d of %s, whose share is 0: give it a share, or leave its size out", size, split)
		}
	}
	return nil
}

// Retention says what becomes of items that are kept for a time only.
type Retention struct {
	// Test is Refuse, which is the default: such an item that falls on the test side is left out of the version. It does not go to
	// training instead: whatever becomes of its retention later, an item never crosses from one side to another.
	Test RetentionRule `json:"test" yaml:"test"`
	// Reason says why Test is Allow, in words for whoever looks at the version later.
	Reason string `json:"reason,omitempty" yaml:"reason"`
}

// RetentionRule is what a side does with items that are kept for a time only.
type RetentionRule string

// The rules.
const (
	Refuse RetentionRule = "refuse"
	Allow  RetentionRule = "allow"
)

const longestReason = 500

func (r *Retention) validate() error {
	switch {
	case r == nil:
		return nil
	case r.Test != Refuse && r.Test != Allow && r.Test != "":
		return fmt.Errorf("retention.test is %q: write refuse or allow", string(r.Test))
	case r.Test == Allow && r.Reason == "":
		return errors.New("retention.test allows what is kept for a time only: say why under retention.reason")
	case r.Test != Allow && r.Reason != "":
		return errors.New("retention.reason stands without retention.test: allow: add that, or leave the reason out")
	case utf8.RuneCountInString(r.Reason) > longestReason:
		return fmt.Errorf("retention.reason is too long: say it in at most %d characters", longestReason)
	}
	return nil
}

// Refuses tells whether the recipe leaves a candidate out of a side because it is kept for a time only.
func (r *Recipe) Refuses(split Split, c *Candidate) bool {
	return split == Test && c.Limited && (r.Retention == nil || r.Retention.Test != Allow)
}
