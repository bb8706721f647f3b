package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/manifest"
)

// candidate is what a selection reads of an item.
type candidate struct {
	manifest.Candidate

	truth int64
}

// into is where candidateColumns are scanned.
func (c *candidate) into() []any {
	return []any{&c.truth, &c.Item, &c.Source, &c.Project, &c.Group, &c.Media, &c.Recording, &c.Limited, &c.Value}
}

// recipeRule is a recipe's filter in SQL: a condition on the tables of freezeTables, with all arguments that they need.
type recipeRule struct {
	where string
	args  pgx.NamedArgs
}

// ruleOf turns names into ids, or returns an InvalidError that says which one there is not.
func ruleOf(ctx context.Context, q querier, recipe *manifest.Recipe, projects []int64) (recipeRule, error) {
	rule := recipeRule{"true", pgx.NamedArgs{"projects": projects, "metadata": recipe.Group.Metadata()}}
	if err := keepsMetadata(ctx, q, recipe.Group.Metadata(), projects); err != nil {
		return rule, err
	}
	filter := recipe.Filter
	if filter == nil {
		return rule, nil
	}
	if err := knowsClasses(ctx, q, filter, projects); err != nil {
		return rule, err
	}
	in, err := sourceIDs(ctx, q, filter.Sources)
	if err != nil {
		return rule, err
	}
	out, err := sourceIDs(ctx, q, filter.NotSources)
	if err != nil {
		return rule, err
	}
	parts := []string{"true"}
	add := func(name, condition string, value any) {
		parts = append(parts, condition)
		rule.args[name] = value
	}
	if len(in) > 0 {
		add("in", "i.source_id = ANY(@in)", in)
	}
	if len(out) > 0 {
		add("out", "i.source_id <> ALL(@out)", out)
	}
	if filter.CapturedFrom != nil {
		add("from", "i.captured_at >= @from", filter.CapturedFrom.Time)
	}
	if filter.CapturedBefore != nil {
		add("before", "i.captured_at < @before", filter.CapturedBefore.Time)
	}
	if filter.MinSeconds > 0 {
		add("min_seconds", "i.ends - i.begins >= @min_seconds", filter.MinSeconds)
	}
	if filter.MaxSeconds > 0 {
		add("max_seconds", "i.ends - i.begins <= @max_seconds", filter.MaxSeconds)
	}
	rule.where = "(" + strings.Join(parts, " AND ") + ")"
	return rule, nil
}

func sourceIDs(ctx context.Context, q querier, names []string) ([]int64, error) {
	if len(names) == 0 {
		return nil, nil
	}
	rows, err := q.Query(ctx, `SELECT n, s.id FROM unnest($1::text[]) n LEFT JOIN sources s ON s.name = n`, names) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return nil, fmt.Errorf("sources of a recipe: %w", err)
	}
	var name string
	var id *int64
	var ids []int64
	_, err = pgx.ForEachRow(rows, []any{&name, &id}, func() error {
		if id == nil {
			return invalid("sources", "There is no source "+name+". Check its name under filter.")
		}
		ids = append(ids, *id)
		return nil
	})
	return ids, err
}

// keepsMetadata refuses a metadata group whose key one of the projects does not keep.
func keepsMetadata(ctx context.Context, q querier, key string, projects []int64) error {
	if key == "" {
		return nil
	}
	var without []string
	err := q.QueryRow(ctx, `SELECT array_agg(slug ORDER BY slug) FROM projects WHERE id = ANY($1) AND NOT $2 = ANY(metadata_keys)`, projects, key).Scan(&without)
	if err != nil {
		return fmt.Errorf("metadata keys: %w", err)
	}
	if len(without) > 0 {
		return invalid("group", "Items cannot be grouped by "+key+": "+strings.Join(without, ", ")+
			" keeps no such metadata. Add the key to those that it keeps, or group by something else.")
	}
	return nil
}

// knowsClasses refuses a filter that names a class which none of the projects has.
func knowsClasses(ctx context.Context, q querier, filter *manifest.Filter, projects []int64) error {
	if !filter.ReadsBoxes() {
		return nil
	}
	classes, err := projectClasses(ctx, q, projects)
	if err != nil {
		return err
	}
	names := slices.Clone(filter.Classes)
	for name := range filter.Definitions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.ContainsFunc(classes, func(c VersionClass) bool { return c.Name == name }) {
			return invalid("classes", "None of these projects has a class "+name+". Check its name under filter, to the letter.")
		}
	}
	return nil
}

// projectClasses returns the classes of the projects by id, retired ones too, without definitions.
func projectClasses(ctx context.Context, q querier, projects []int64) ([]VersionClass, error) {
	rows, err := q.Query(ctx, `SELECT id, name, slot, '{}'::int[] AS definitions FROM classes WHERE project_id = ANY($1) ORDER BY id`, projects)
	if err != nil {
		return nil, fmt.Errorf("classes: %w", err)
	}
	classes, err := pgx.CollectRows(rows, pgx.RowToStructByName[VersionClass])
	if err != nil {
		return nil, fmt.Errorf("classes: %w", err)
	}
	return classes, nil
}

// expectClasses has a version that is balanced by class alone tell of the classes too of which it gets nothing.
func expectClasses(selection *manifest.Selection, recipe *manifest.Recipe, classes []VersionClass) {
	if !slices.Equal(recipe.Strata, []manifest.StratumKey{manifest.PerClass}) {
		return
	}
	for _, class := range classes {
		if recipe.Filter == nil || len(recipe.Filter.Classes) == 0 || slices.Contains(recipe.Filter.Classes, class.Name) {
			selection.Expect(manifest.Cell{Class: class.Name})
		}
	}
}

// RecipeChoices is what a recipe of projects can name.
type RecipeChoices struct {
	Sources  []string
	Classes  []string // each name once, those of the first project first
	Metadata []string // keys that every one of the projects keeps
}

// RecipeChoices returns what a recipe of these projects can name, of those that the actor sees.
func (s *Store) RecipeChoices(ctx context.Context, actor Actor, projects []string) (choices RecipeChoices, err error) {
	if err := actor.may(access.EditDatasets); err != nil {
		return choices, err
	}
	for i, slug := range projects {
		project, err := visibleProject(ctx, s.pool, actor, `p.slug = @key`, slug)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return choices, err
		}
		sources, err := s.SourcesOf(ctx, actor, project.ID)
		if err != nil {
			return choices, err
		}
		for _, source := range sources {
			choices.Sources = append(choices.Sources, source.Name)
		}
		classes, err := projectClasses(ctx, s.pool, []int64{project.ID})
		if err != nil {
			return choices, err
		}
		for _, class := range classes {
			if !slices.Contains(choices.Classes, class.Name) {
				choices.Classes = append(choices.Classes, class.Name)
			}
		}
		if i == 0 {
			choices.Metadata = slices.Clone(project.MetadataKeys)
		}
		choices.Metadata = slices.DeleteFunc(choices.Metadata, func(key string) bool { return !slices.Contains(project.MetadataKeys, key) })
	}
	slices.Sort(choices.Sources)
	choices.Sources = slices.Compact(choices.Sources)
	return choices, nil
}

// GuidelineOf is the version of a project's guideline that a dataset version saw.
type GuidelineOf struct {
	Project string // short name
	Version int    // 0: none was published
}

// VersionGuidelines returns the guidelines that a version saw; none for one that was frozen before they were recorded. The version came
// from a method that checked who asks.
func (s *Store) VersionGuidelines(ctx context.Context, version DatasetVersion) ([]GuidelineOf, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT p.slug AS project, g.guideline_version AS version FROM dataset_version_guidelines g JOIN projects p ON p.id = g.project_id
		WHERE g.version_id = $1 ORDER BY p.slug`, version.ID)
	if err != nil {
		return nil, fmt.Errorf("guidelines of version %d: %w", version.ID, err)
	}
	guidelines, err := pgx.CollectRows(rows, pgx.RowToStructByName[GuidelineOf])
	if err != nil {
		return nil, fmt.Errorf("guidelines of version %d: %w", version.ID, err)
	}
	return guidelines, nil
}
