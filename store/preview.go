package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/manifest"
)

// Preview is what a freeze by a recipe would make now.
type Preview struct {
	// Every is how many items stand for one that was looked at: 1 for exact figures, more for an estimate from a sample.
	Every    int
	Truths   int // items with truth
	Filtered int // of these, kept out by the recipe's filter
	Refused  int // kept out of the test side because they are kept for a time only
	Reserve  int // left over where a side takes only so many
	Items    int // frozen
	Groups   int // that stay on one side, in what was looked at
	Strata   []StratumFigure
}

// StratumFigure is a stratum with the names of what it is balanced by, empty where it is not. An empty class is that of items without
// boxes.
type StratumFigure struct {
	manifest.Stratum

	Source, Project string
}

// previewItems is how many items a preview looks at; of larger projects it looks at a sample.
const previewItems = 20_000

// Preview says what a freeze by recipe would make now. It costs about the same for projects of any size.
func (s *Store) Preview(ctx context.Context, actor Actor, recipe manifest.Recipe) (Preview, error) {
	if err := actor.may(access.EditDatasets); err != nil {
		return Preview{}, err
	}
	recipe.Normalize()
	if err := recipe.Validate(); err != nil {
		return Preview{}, invalid("recipe", "The recipe cannot be used: "+err.Error()+".")
	}
	projects, err := recipeProjects(ctx, s.pool, actor, recipe)
	if err != nil {
		return Preview{}, err
	}
	var preview Preview
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, s.pool, opts, func(tx pgx.Tx) error {
		items := 0
		err := tx.QueryRow(ctx, `SELECT coalesce(sum(change), 0) FROM project_counts WHERE counted = 'items' AND project_id = ANY($1)`, projects).Scan(&items)
		if err != nil {
			return fmt.Errorf("size of the projects: %w", err)
		}
		preview.Every = max(1, (items+previewItems-1)/previewItems)
		return s.preview(ctx, tx, &recipe, projects, &preview)
	})
	return preview, err
}

func (s *Store) preview(ctx context.Context, tx pgx.Tx, recipe *manifest.Recipe, projects []int64, p *Preview) error {
	sampled := *recipe
	sampled.Sizes = shrunk(recipe.Sizes, p.Every)
	walk, err := s.newWalk(ctx, tx, &sampled, projects, p.Every)
	if err != nil {
		return err
	}
	groups := map[string]bool{}
	err = walk.each(ctx, func(c *candidate, boxes []manifest.Box, passes bool) {
		p.Truths++
		if !passes || !recipe.Filter.Lets(boxes) {
			p.Filtered++
			return
		}
		groups[recipe.Group.Together(&c.Candidate)] = true
		walk.place(c, boxes)
	})
	if err != nil {
		return err
	}
	walk.selection.Cut(len(walk.placed), func(i int) (int64, manifest.Place) { return walk.placed[i].item, walk.placed[i].place }, func(int) { p.Reserve++ })
	p.Groups = len(groups)
	p.Items = len(walk.placed) - p.Reserve
	if p.Strata, err = namedStrata(ctx, tx, walk.selection.Strata()); err != nil {
		return err
	}
	p.scale(recipe)
	return nil
}

// shrunk are the sizes for a sample.
func shrunk(sizes *manifest.Sizes, every int) *manifest.Sizes {
	if sizes == nil {
		return nil
	}
	part := func(n manifest.Size) manifest.Size { return (n + manifest.Size(every) - 1) / manifest.Size(every) }
	return &manifest.Sizes{Training: part(sizes.Training), Validation: part(sizes.Validation), Test: part(sizes.Test)}
}

// scale makes the figures of a sample those of the whole.
func (p *Preview) scale(recipe *manifest.Recipe) {
	for i := range p.Strata {
		stratum := &p.Strata[i]
		p.Refused += stratum.Refused * p.Every
		stratum.Refused *= p.Every
		stratum.Pool *= p.Every
		stratum.Items *= p.Every
		if stratum.Wanted = recipe.Sizes.Of(stratum.Split); stratum.Wanted > 0 {
			stratum.Items = min(stratum.Pool, stratum.Wanted)
		}
	}
	for _, n := range []*int{&p.Truths, &p.Filtered, &p.Reserve, &p.Items} {
		*n *= p.Every
	}
}

// walk reads the items with truth of projects, or one of every few, without what their lines would hold.
type walk struct {
	store     *Store
	tx        pgx.Tx
	query     lineQuery
	names     map[int64]string
	selection *manifest.Selection
	placed    []placedItem
	extra     []any // where the columns are scanned that a caller added
}

type placedItem struct {
	item  int64
	place manifest.Place
}

func (s *Store) newWalk(ctx context.Context, tx pgx.Tx, recipe *manifest.Recipe, projects []int64, every int) (*walk, error) {
	rule, err := ruleOf(ctx, tx, recipe, projects)
	if err != nil {
		return nil, err
	}
	classes, err := projectClasses(ctx, tx, projects)
	if err != nil {
		return nil, err
	}
	w := &walk{store: s, tx: tx, names: map[int64]string{}, selection: manifest.NewSelection(recipe)}
	for _, c := range classes {
		w.names[c.ID] = c.Name
	}
	expectClasses(w.selection, recipe, classes)
	rule.args["every"] = every
	sample := ""
	if every > 1 {
		sample = " AND t.id % @every = 0"
	}
	w.query = lineQuery{
		`SELECT ` + candidateColumns + `, ` + rule.where + ` IS TRUE` + freezeTables + freezeWhere + sample + ` ORDER BY t.id`,
		freezeBoxes + sample + ` ORDER BY b.truth_id, b.position`, rule.args,
	}
	return w, nil
}

// each calls do for every item; passes tells whether the filter lets it in as far as its boxes do not matter. The slice of boxes may not be
// kept.
func (w *walk) each(ctx context.Context, do func(c *candidate, boxes []manifest.Box, passes bool)) error {
	var c candidate
	var passes bool
	var line []manifest.Box
	into := append(append(c.into(), &passes), w.extra...)
	return w.store.eachLine(ctx, w.tx, w.query, into, func(boxes []truthBox) (err error) {
		if line, err = named(boxes, w.names, line[:0]); err != nil {
			return err
		}
		do(&c, line, passes)
		return nil
	})
}

func (w *walk) place(c *candidate, boxes []manifest.Box) {
	if place, ok := w.selection.Place(&c.Candidate, boxes); ok {
		w.placed = append(w.placed, placedItem{c.Item, place})
	}
}

// namedStrata adds the names of sources and projects.
func namedStrata(ctx context.Context, q querier, strata []manifest.Stratum) ([]StratumFigure, error) {
	figures := make([]StratumFigure, len(strata))
	var sources, projects []int64
	for i, s := range strata {
		figures[i].Stratum = s
		sources, projects = append(sources, s.Cell.Source), append(projects, s.Cell.Project)
	}
	sourceNames, err := namesOf(ctx, q, `SELECT id, name FROM sources WHERE id = ANY($1)`, sources)
	if err != nil {
		return nil, err
	}
	projectNames, err := namesOf(ctx, q, `SELECT id, slug FROM projects WHERE id = ANY($1)`, projects)
	if err != nil {
		return nil, err
	}
	for i := range figures {
		figures[i].Source, figures[i].Project = sourceNames[figures[i].Cell.Source], projectNames[figures[i].Cell.Project]
	}
	return figures, nil
}

// namesOf reads what things are called, by their ids, by a query of ids and names that is given ids.
func namesOf(ctx context.Context, q querier, query string, ids []int64) (map[int64]string, error) {
	rows, err := q.Query(ctx, query, ids) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	names := map[int64]string{}
	var id int64
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		names[id] = name
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	return names, nil
}

// VersionStrata returns the strata of a version, by split and number; none for one that was frozen before they were recorded. The version
// came from a method that checked who asks.
func (s *Store) VersionStrata(ctx context.Context, version DatasetVersion) ([]StratumFigure, error) {
	return versionStrata(ctx, s.pool, version.ID)
}

func versionStrata(ctx context.Context, q querier, version int64) ([]StratumFigure, error) {
	const query = `
		SELECT split, stratum, coalesce(class, ''), coalesce(source_id, 0), coalesce(project_id, 0), coalesce(wanted, 0), items, pool, refused
		FROM dataset_version_strata WHERE version_id = $1
		ORDER BY array_position(ARRAY['training', 'validation', 'test'], split), stratum`
	rows, err := q.Query(ctx, query, version) //nolint:rowserrcheck // ForEachRow checks it
	if err != nil {
		return nil, fmt.Errorf("strata of version %d: %w", version, err)
	}
	var strata []manifest.Stratum
	var one manifest.Stratum
	into := []any{
		&one.Split, &one.Number, &one.Cell.Class, &one.Cell.Source, &one.Cell.Project, &one.Wanted, &one.Items, &one.Pool, &one.Refused,
	}
	_, err = pgx.ForEachRow(rows, into, func() error {
		strata = append(strata, one)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("strata of version %d: %w", version, err)
	}
	return namedStrata(ctx, q, strata)
}
