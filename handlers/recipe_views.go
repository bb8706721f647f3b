package handlers

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"fiducial/internal/manifest"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// recipeName is what may stand in the name of a downloaded file.
var recipeName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,80}$`)

func previewView(recipe manifest.Recipe, p store.Preview) *web.PreviewView {
	v := &web.PreviewView{
		About: p.Every > 1, Truths: p.Truths, Filtered: p.Filtered, Refused: p.Refused, Reserve: p.Reserve, Items: p.Items, Groups: p.Groups * p.Every,
		Strata: strataView(recipe, p.Strata),
	}
	start := 0.0
	for _, split := range manifest.Splits() {
		items := 0
		for _, s := range p.Strata {
			if s.Split == split {
				items += s.Items
			}
		}
		if items > 0 {
			side := web.SideView{Split: string(split), Items: items, Start: start, Share: 100 * float64(items) / float64(max(1, p.Items))}
			start += side.Share
			v.Sides = append(v.Sides, side)
		}
	}
	return v
}

// strataView makes one row of a cell on all sides; those that fall short come first.
func strataView(recipe manifest.Recipe, strata []store.StratumFigure) web.StrataView {
	var v web.StrataView
	rows := map[manifest.Cell]*web.StratumRow{}
	var order []*web.StratumRow
	for _, s := range strata {
		if !slices.Contains(v.Sides, string(s.Split)) {
			v.Sides = append(v.Sides, string(s.Split))
		}
		row := rows[s.Cell]
		if row == nil {
			row = &web.StratumRow{Name: stratumName(recipe, s)}
			rows[s.Cell] = row
			order = append(order, row)
		}
		row.Cells = append(row.Cells, web.StratumCell{Split: string(s.Split), Items: s.Items, Wanted: s.Wanted, Pool: s.Pool, Refused: s.Refused, Short: s.Short()})
		row.Short += s.Short()
		if s.Short() > 0 {
			v.Short++
		}
	}
	slices.SortFunc(order, func(a, b *web.StratumRow) int {
		return cmp.Or(cmp.Compare(b.Short, a.Short), cmp.Compare(a.Name, b.Name))
	})
	for i, row := range order {
		if i == strataOnPage {
			v.More = len(order) - strataOnPage
			break
		}
		v.Rows = append(v.Rows, *row)
	}
	return v
}

// stratumName is what a stratum is called, empty where the recipe balances by nothing.
func stratumName(recipe manifest.Recipe, s store.StratumFigure) string {
	words := make([]string, 0, len(recipe.Strata))
	for _, key := range recipe.Strata {
		switch key {
		case manifest.PerClass:
			words = append(words, cmp.Or(s.Cell.Class, "without labels"))
		case manifest.PerSource:
			words = append(words, s.Source)
		case manifest.PerProject:
			words = append(words, s.Project)
		}
	}
	return strings.Join(words, " · ")
}

// fillRecipe reads what a version's page tells of its recipe.
func (s *Server) fillRecipe(r *http.Request, version store.DatasetVersion, v *web.VersionView) error {
	strata, err := s.Store.VersionStrata(r.Context(), version)
	if err != nil {
		return err
	}
	guidelines, err := s.Store.VersionGuidelines(r.Context(), version)
	if err != nil {
		return err
	}
	v.Strata = strataView(version.Recipe, strata)
	v.Strata.By = version.Recipe.Strata != nil || version.Recipe.Sizes != nil
	v.Made = web.MadeView{Parent: version.Parent, RebuildOf: version.RebuildOf, LastTruth: version.LastTruthID, Rules: recipeRules(version)}
	if version.LabelsAt != nil {
		v.Made.LabelsAt = *version.LabelsAt
	}
	for _, g := range guidelines {
		word := fmt.Sprintf("%s v%d", g.Project, g.Version)
		if g.Version == 0 {
			word = g.Project + ", none published"
		}
		v.Made.Guidelines = append(v.Made.Guidelines, word)
	}
	refused := 0
	for _, stratum := range strata {
		refused += stratum.Refused
	}
	v.Made.Retention = retentionView(version, refused)
	return nil
}

func retentionView(version store.DatasetVersion, refused int) web.RetentionView {
	rule := version.Recipe.Retention
	switch {
	case version.LabelsAt == nil:
		return web.RetentionView{Rule: "None. This version was frozen before recipes had one: its test side may hold items that expire."}
	case rule != nil && rule.Test == manifest.Allow:
		return web.RetentionView{Rule: "The test side takes items that are kept for a time only.", Allows: true, Reason: rule.Reason}
	case refused == 0:
		return web.RetentionView{Rule: "The test side refuses items that are kept for a time only. There were none."}
	case refused == 1:
		return web.RetentionView{Rule: "The test side refuses items that are kept for a time only. One was left out."}
	}
	return web.RetentionView{Rule: "The test side refuses items that are kept for a time only. " + ui.Number(refused) + " were left out."}
}

// recipeRules says a recipe in words, leaving out what is not special.
func recipeRules(version store.DatasetVersion) (rules []web.RuleView) {
	recipe := version.Recipe
	add := func(name, text string) { rules = append(rules, web.RuleView{Name: name, Text: text}) }
	if filter := recipe.Filter; filter != nil {
		if len(filter.Sources) > 0 {
			add("Sources", "only "+strings.Join(filter.Sources, ", "))
		}
		if len(filter.NotSources) > 0 {
			add("Sources", "all but "+strings.Join(filter.NotSources, ", "))
		}
		if len(filter.Classes) > 0 {
			add("Classes", "items with "+strings.Join(filter.Classes, " or "))
		}
		if filter.CapturedFrom != nil {
			add("Captured", "from "+filter.CapturedFrom.String())
		}
		if filter.CapturedBefore != nil {
			add("Captured", "before "+filter.CapturedBefore.String())
		}
		if filter.MinSeconds > 0 {
			add("Length", fmt.Sprintf("at least %v s", filter.MinSeconds))
		}
		if filter.MaxSeconds > 0 {
			add("Length", fmt.Sprintf("at most %v s", filter.MaxSeconds))
		}
		if words := definitionRules(filter); words != "" {
			add("Definitions", words)
		}
	}
	add("Together", togetherWords(recipe.Group))
	if len(recipe.Strata) > 0 {
		words := make([]string, len(recipe.Strata))
		for i, key := range recipe.Strata {
			words[i] = string(key)
		}
		add("Balanced by", strings.Join(words, ", "))
	}
	return rules
}

func definitionRules(filter *manifest.Filter) string {
	var words []string
	if filter.Definition > 0 {
		words = append(words, fmt.Sprintf("v%d or later", filter.Definition))
	}
	for _, ask := range formOf("", manifest.Recipe{Filter: filter}).Classes {
		switch ask.Definition {
		case "":
		case "0":
			words = append(words, ask.Name+" any")
		default:
			words = append(words, ask.Name+" v"+ask.Definition+" or later")
		}
	}
	return strings.Join(words, ", ")
}

func togetherWords(key manifest.GroupKey) string {
	switch key {
	case manifest.ByMedia:
		return "copies of one image, or of one sound"
	case manifest.BySource:
		return "all of a source"
	case manifest.ByItem:
		return "nothing, each item alone"
	case "", manifest.ByGroup:
		return "items of one group, spans of one recording, copies of one image or sound"
	}
	return "items of one " + key.Metadata()
}

func fillRebuild(v *web.RebuildView, recipe manifest.Recipe, p store.RebuildPreview) {
	v.Preview, v.Problem = p.State, p.Problem
	v.Erased, v.Expired, v.Moved = p.Erased, p.Expired, p.Moved
	for _, c := range p.Changes {
		row := web.RebuildRow{
			Stratum: stratumName(recipe, c.StratumFigure), Split: string(c.Split), Before: c.Before, Gone: c.Gone, Left: c.Left, Kept: c.Kept, Added: c.Added,
			After: c.Items, Wanted: c.Wanted, Short: c.Short(),
		}
		v.Gone, v.Left, v.Kept, v.Added, v.After = v.Gone+c.Gone, v.Left+c.Left, v.Kept+c.Kept, v.Added+c.Added, v.After+c.Items
		if c.Gone+c.Left+c.Added > 0 || c.Short() > 0 {
			v.Rows = append(v.Rows, row)
		}
	}
	if len(v.Rows) > strataOnPage {
		v.Rows, v.More = v.Rows[:strataOnPage], len(v.Rows)-strataOnPage
	}
}
