package handlers

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/manifest"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// How the form names the sources of its list.
const (
	sourcesIn  = "in"
	sourcesOut = "out"
)

// definitionField is the form's field for the least definition of one class.
const definitionField = "definition:"

// formOf is a recipe as the form shows it.
func formOf(name string, recipe manifest.Recipe) web.FreezeView {
	v := web.FreezeView{Name: name, Seed: strconv.FormatInt(recipe.Seed, 10), Group: string(recipe.Group), Retention: string(manifest.Refuse)}
	for _, split := range manifest.Splits() {
		v.Sides = append(v.Sides, web.SideAsk{Split: string(split), Share: inPercent(recipe.Shares.Of(split)), Size: numberOrNone(recipe.Sizes.Of(split))})
	}
	for _, key := range recipe.Strata {
		v.Strata = append(v.Strata, string(key))
	}
	for _, slug := range recipe.Projects {
		v.Projects = append(v.Projects, web.FreezeProject{Slug: slug, Chosen: true})
	}
	if recipe.Retention != nil {
		v.Retention, v.Reason = string(recipe.Retention.Test), recipe.Retention.Reason
	}
	filter := recipe.Filter
	if filter == nil {
		return v
	}
	for rule, names := range map[string][]string{sourcesIn: filter.Sources, sourcesOut: filter.NotSources} {
		for _, name := range names {
			v.SourceRule = rule
			v.Sources = append(v.Sources, web.NameAsk{Name: name, Chosen: true})
		}
	}
	if filter.CapturedFrom != nil {
		v.CapturedFrom = filter.CapturedFrom.String()
	}
	if filter.CapturedBefore != nil {
		v.CapturedBefore = filter.CapturedBefore.String()
	}
	v.MinSeconds, v.MaxSeconds = secondsOrNone(filter.MinSeconds), secondsOrNone(filter.MaxSeconds)
	v.Definition = numberOrNone(filter.Definition)
	for _, name := range filter.Classes {
		v.Classes = append(v.Classes, web.NameAsk{Name: name, Chosen: true})
	}
	for _, name := range slices.Sorted(maps.Keys(filter.Definitions)) {
		v.Classes = withDefinition(v.Classes, name, strconv.Itoa(filter.Definitions[name]))
	}
	return v
}

func withDefinition(classes []web.NameAsk, name, definition string) []web.NameAsk {
	for i := range classes {
		if classes[i].Name == name {
			classes[i].Definition = definition
			return classes
		}
	}
	return append(classes, web.NameAsk{Name: name, Definition: definition})
}

func numberOrNone(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func secondsOrNone(seconds float64) string {
	if seconds == 0 {
		return ""
	}
	return strconv.FormatFloat(seconds, 'f', -1, 64)
}

func inPercent(share manifest.Share) string {
	return strconv.FormatFloat(float64(share)/10, 'f', -1, 64)
}

// typedForm is the form as it was typed.
func typedForm(form url.Values) web.FreezeView {
	field := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	v := web.FreezeView{
		Name: field("name"), Seed: field("seed"), SourceRule: field("source_rule"), CapturedFrom: field("captured_from"), CapturedBefore: field("captured_before"),
		MinSeconds: field("min_seconds"), MaxSeconds: field("max_seconds"), Definition: field("definition"), Group: field("group"), Strata: form["strata"], Retention: field("retention"), Reason: field("reason"),
	}
	for _, split := range manifest.Splits() {
		v.Sides = append(v.Sides, web.SideAsk{Split: string(split), Share: field(string(split)), Size: field("size_" + string(split))})
	}
	for _, slug := range form["project"] {
		v.Projects = append(v.Projects, web.FreezeProject{Slug: slug, Chosen: true})
	}
	for _, name := range form["source"] {
		v.Sources = append(v.Sources, web.NameAsk{Name: name, Chosen: true})
	}
	for _, name := range form["class"] {
		v.Classes = append(v.Classes, web.NameAsk{Name: name, Chosen: true})
	}
	for _, key := range slices.Sorted(maps.Keys(form)) {
		if class, ok := strings.CutPrefix(key, definitionField); ok && field(key) != "" {
			v.Classes = withDefinition(v.Classes, class, field(key))
		}
	}
	return v
}

// recipeOf reads the typed form, or returns an InvalidError that names the field.
func recipeOf(v web.FreezeView) (manifest.Recipe, error) {
	recipe := manifest.Recipe{Group: manifest.GroupKey(v.Group), Retention: &manifest.Retention{Test: manifest.RetentionRule(v.Retention)}}
	for _, project := range v.Projects {
		if project.Chosen {
			recipe.Projects = append(recipe.Projects, project.Slug)
		}
	}
	for _, key := range v.Strata {
		recipe.Strata = append(recipe.Strata, manifest.StratumKey(key))
	}
	if recipe.Retention.Test == manifest.Allow { // a reason left over from before says nothing
		recipe.Retention.Reason = v.Reason
	}
	if len(recipe.Projects) == 0 {
		return recipe, refused("projects", "Choose at least one project.")
	}
	var err error
	if recipe.Seed, err = strconv.ParseInt(v.Seed, 10, 64); err != nil {
		return recipe, refused("seed", "Choose a whole number as the seed, such as 1.")
	}
	if err := readSides(v.Sides, &recipe); err != nil {
		return recipe, err
	}
	if recipe.Filter, err = filterOf(v); err != nil {
		return recipe, err
	}
	recipe.Normalize()
	return recipe, nil
}

func refused(field, reason string) error { return &store.InvalidError{Field: field, Reason: reason} }

func readSides(sides []web.SideAsk, recipe *manifest.Recipe) error {
	recipe.Sizes = &manifest.Sizes{}
	shares := map[manifest.Split]*manifest.Share{
		manifest.Training: &recipe.Shares.Training, manifest.Validation: &recipe.Shares.Validation, manifest.Test: &recipe.Shares.Test,
	}
	sizes := map[manifest.Split]*manifest.Size{
		manifest.Training: &recipe.Sizes.Training, manifest.Validation: &recipe.Sizes.Validation, manifest.Test: &recipe.Sizes.Test,
	}
	for _, side := range sides {
		split := manifest.Split(side.Split)
		percent, err := strconv.ParseFloat(side.Share, 64)
		if err == nil {
			*shares[split], err = manifest.ShareOf(percent / 100)
		}
		if err != nil {
			return refused("recipe", "Give the shares in per cent, between 0 and 100 with at most one decimal.")
		}
		if side.Size == "" {
			continue
		}
		if err := sizes[split].UnmarshalJSON([]byte(side.Size)); err != nil {
			return refused("recipe", fmt.Sprintf("Give the size of %s as a whole number of at least 1, or leave it empty to take all.", split))
		}
	}
	return nil
}

func filterOf(v web.FreezeView) (*manifest.Filter, error) {
	filter := &manifest.Filter{}
	names := chosenNames(v.Sources)
	switch v.SourceRule {
	case sourcesIn:
		filter.Sources = names
	case sourcesOut:
		filter.NotSources = names
	}
	filter.Classes = chosenNames(v.Classes)
	for at, text := range map[**manifest.Instant]string{&filter.CapturedFrom: v.CapturedFrom, &filter.CapturedBefore: v.CapturedBefore} {
		if text == "" {
			continue
		}
		instant, err := manifest.InstantOf(text)
		if err != nil {
			return nil, refused("captured", "Give the days as 2026-01-31, or with a time as 2026-01-31T06:00:00Z.")
		}
		*at = &instant
	}
	var err error
	for at, text := range map[*float64]string{&filter.MinSeconds: v.MinSeconds, &filter.MaxSeconds: v.MaxSeconds} {
		if text == "" {
			continue
		}
		if *at, err = strconv.ParseFloat(text, 64); err != nil {
			return nil, refused("seconds", "Give the shortest and the longest utterance in seconds, such as 0.5, or leave them empty.")
		}
	}
	if filter.Definition, err = definitionNumber(v.Definition); err != nil {
		return nil, err
	}
	for _, class := range v.Classes {
		if class.Definition == "" {
			continue
		}
		if filter.Definitions == nil {
			filter.Definitions = map[string]int{}
		}
		if filter.Definitions[class.Name], err = definitionNumber(class.Definition); err != nil {
			return nil, err
		}
	}
	return filter, nil
}

func chosenNames(asks []web.NameAsk) (names []string) {
	for _, ask := range asks {
		if ask.Chosen {
			names = append(names, ask.Name)
		}
	}
	return names
}

func definitionNumber(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, refused("definition", "Give the version of a definition as a whole number, or leave it empty for any.")
	}
	return n, nil
}

// offer completes the form with what can be chosen beside what is.
func offer(v *web.FreezeView, projects []store.Project, choices store.RecipeChoices) {
	chosen := v.Projects
	v.Projects = nil
	for _, p := range projects {
		was := slices.ContainsFunc(chosen, func(c web.FreezeProject) bool { return c.Slug == p.Slug })
		v.Projects = append(v.Projects, web.FreezeProject{Slug: p.Slug, Name: p.Name, Chosen: was, Sound: p.Kind == "audio"})
		v.Sound = v.Sound || p.Kind == "audio"
	}
	v.Sources = offered(v.Sources, choices.Sources)
	v.Classes = offered(v.Classes, choices.Classes)
	v.Groups = []ui.Option{
		{Value: "", Label: "Group: a coil, a batch, a call"},
		{Value: string(manifest.ByMedia), Label: "Media: copies of one image, or of one sound"},
		{Value: string(manifest.BySource), Label: "Source: all of a source"},
		{Value: string(manifest.ByItem), Label: "Nothing: each item alone"},
	}
	for _, key := range choices.Metadata {
		v.Groups = append(v.Groups, ui.Option{Value: string(manifest.MetadataGroup(key)), Label: "Metadata: " + key})
	}
	if !slices.ContainsFunc(v.Groups, func(o ui.Option) bool { return o.Value == v.Group }) {
		v.Groups = append(v.Groups, ui.Option{Value: v.Group, Label: v.Group})
	}
}

// offered lists every name once: those that there are, then those that were asked for all the same.
func offered(asked []web.NameAsk, names []string) []web.NameAsk {
	list := make([]web.NameAsk, 0, len(names))
	for _, name := range names {
		list = append(list, web.NameAsk{Name: name})
	}
	for _, ask := range asked {
		if i := slices.IndexFunc(list, func(a web.NameAsk) bool { return a.Name == ask.Name }); i >= 0 {
			list[i] = ask
		} else {
			list = append(list, ask)
		}
	}
	return list
}
