package manifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// YAML is the recipe as a file that ParseYAML reads back.
func (r *Recipe) YAML() string {
	var w yamlWriter
	w.list("", "projects", r.Projects)
	w.line("", "seed", strconv.FormatInt(r.Seed, 10))
	w.b.WriteString("shares:\n")
	for _, split := range Splits() {
		w.line("  ", string(split), r.Shares.Of(split).String())
	}
	r.Filter.write(&w)
	if r.Group != "" {
		w.line("", "group", scalar(string(r.Group)))
	}
	w.list("", "strata", r.Strata)
	if r.Sizes != nil {
		w.b.WriteString("sizes:\n")
		for _, split := range Splits() {
			if size := r.Sizes.Of(split); size > 0 {
				w.line("  ", string(split), strconv.Itoa(size))
			}
		}
	}
	if r.Retention != nil {
		w.b.WriteString("retention:\n")
		w.line("  ", "test", string(r.Retention.Test))
		if r.Retention.Reason != "" {
			w.line("  ", "reason", scalar(r.Retention.Reason))
		}
	}
	return w.b.String()
}

func (f *Filter) write(w *yamlWriter) {
	if f == nil {
		return
	}
	w.b.WriteString("filter:\n")
	w.list("  ", "sources", f.Sources)
	w.list("  ", "not_sources", f.NotSources)
	w.list("  ", "classes", f.Classes)
	if f.CapturedFrom != nil {
		w.line("  ", "captured_from", f.CapturedFrom.String())
	}
	if f.CapturedBefore != nil {
		w.line("  ", "captured_before", f.CapturedBefore.String())
	}
	for _, bound := range []struct {
		key     string
		seconds float64
	}{{"min_seconds", f.MinSeconds}, {"max_seconds", f.MaxSeconds}} {
		if bound.seconds > 0 {
			w.line("  ", bound.key, strconv.FormatFloat(bound.seconds, 'f', -1, 64))
		}
	}
	if f.Definition > 0 {
		w.line("  ", "definition", strconv.Itoa(f.Definition))
	}
	if len(f.Definitions) > 0 {
		w.b.WriteString("  definitions:\n")
		for _, class := range slices.Sorted(maps.Keys(f.Definitions)) {
			w.line("    ", scalar(class), strconv.Itoa(f.Definitions[class]))
		}
	}
}

type yamlWriter struct{ b strings.Builder }

func (w *yamlWriter) line(indent, key, value string) {
	fmt.Fprintf(&w.b, "%s%s: %s\n", indent, key, value)
}

func (w *yamlWriter) list(indent, key string, values any) {
	var texts []string
	switch values := values.(type) {
	case []string:
		texts = values
	case []StratumKey:
		for _, v := range values {
			texts = append(texts, string(v))
		}
	}
	if len(texts) == 0 {
		return
	}
	fmt.Fprintf(&w.b, "%s%s:\n", indent, key)
	for _, text := range texts {
		fmt.Fprintf(&w.b, "%s  - %s\n", indent, scalar(text))
	}
}

var (
	plain    = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_ -]*[A-Za-z0-9])?$`)
	reserved = regexp.MustCompile(`^(?i:true|false|null|yes|no|on|off|y|n)$`)
)

// scalar writes a text so that YAML reads it back as that text. JSON's strings are YAML's too.
func scalar(text string) string {
	if plain.MatchString(text) && !reserved.MatchString(text) {
		return text
	}
	quoted, err := json.Marshal(text)
	if err != nil { // no string fails
		return `""`
	}
	return string(quoted)
}
