package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
)

// The states of a dataset version.
const (
	VersionFreezing = "freezing"
	VersionFrozen   = "frozen"
	VersionFailed   = "failed"
)

// DatasetVersion is one frozen result of a recipe, or one on its way.
type DatasetVersion struct {
	ID          int64
	Dataset     string // its dataset's name
	Description string // of the dataset
	Number      int
	Recipe      manifest.Recipe
	State       string
	Error       string // why it failed, in a sentence
	Hash        []byte // SHA-256 over the sorted leaves; nil until frozen
	Lines       int
	Boxes       int64
	Kind        string  // of its projects: image or audio
	Seconds     float64 // of sound
	Words       int64   // of its transcripts, as they are written
	CreatedBy   string  // a name or a pseudonym; empty if no person asked for it
	CreatedAt   time.Time
	FrozenAt    *time.Time
	Parent      int        // number of the one before it in its dataset, 0 for none
	RebuildOf   int        // number of the one whose recipe it takes again, 0 for none
	LabelsAt    *time.Time // when its snapshot of the labels was taken; nil before it is frozen, and for versions of old
	LastTruthID int64      // the newest truth of all in that snapshot
}

const versionColumns = `v.id, d.name AS dataset, d.description, v.number, v.recipe, v.state, v.error, v.hash, v.lines, v.boxes,
	coalesce((SELECT p.kind FROM dataset_version_projects vp JOIN projects p ON p.id = vp.project_id WHERE vp.version_id = v.id LIMIT 1), 'image') AS kind,
	v.seconds, v.words,
	coalesce(pi.name, pe.pseudonym, '') AS created_by, v.created_at, v.frozen_at,
	coalesce((SELECT b.number FROM dataset_versions b WHERE b.id = v.parent_id), 0) AS parent,
	coalesce((SELECT b.number FROM dataset_versions b WHERE b.id = v.rebuild_of), 0) AS rebuild_of,
	v.labels_at, coalesce(v.last_truth_id, 0) AS last_truth_id`

const versionTables = `datasets d JOIN dataset_versions v ON v.dataset_id = d.id
	LEFT JOIN people pe ON pe.id = v.created_by LEFT JOIN person_identities pi ON pi.person_id = v.created_by`

// seesVersion is the condition that the actor sees every project of version v, and so the version.
const seesVersion = `NOT EXISTS (SELECT FROM dataset_version_projects vp
	WHERE vp.version_id = v.id AND NOT sees_project(vp.project_id, @role, @person, @token, @scope))`

func (s *Store) versions(ctx context.Context, actor Actor, query string, args pgx.NamedArgs) ([]DatasetVersion, error) {
	if err := actor.may(access.ReadDatasets); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, query, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("dataset versions: %w", err)
	}
	versions, err := pgx.CollectRows(rows, pgx.RowToStructByName[DatasetVersion])
	if err != nil {
		return nil, fmt.Errorf("dataset versions: %w", err)
	}
	return versions, nil
}

// Datasets returns the newest version of each dataset that the actor sees, by name, at most limit of those after a name.
func (s *Store) Datasets(ctx context.Context, actor Actor, after string, limit int) ([]DatasetVersion, error) {
	return s.versions(ctx, actor, `
		SELECT DISTINCT ON (d.name) `+versionColumns+` FROM `+versionTables+`
		WHERE d.name > @after AND `+seesVersion+` ORDER BY d.name, v.number DESC LIMIT @limit`,
		pgx.NamedArgs{"after": after, "limit": limit})
}

// DatasetVersions returns the versions of a dataset that the actor sees, the newest first, or ErrNotFound if there is none.
func (s *Store) DatasetVersions(ctx context.Context, actor Actor, dataset string) ([]DatasetVersion, error) {
	versions, err := s.versions(ctx, actor, `
		SELECT `+versionColumns+` FROM `+versionTables+` WHERE d.name = @dataset AND `+seesVersion+` ORDER BY v.number DESC`,
		pgx.NamedArgs{"dataset": dataset})
	if err == nil && len(versions) == 0 {
		err = fmt.Errorf("dataset %s: %w", dataset, ErrNotFound)
	}
	return versions, err
}

// DatasetVersion returns one version, or ErrNotFound if the actor does not see it.
func (s *Store) DatasetVersion(ctx context.Context, actor Actor, dataset string, number int) (DatasetVersion, error) {
	return s.oneVersion(ctx, actor, `d.name = @dataset AND v.number = @number::bigint`, pgx.NamedArgs{"dataset": dataset, "number": number})
}

func (s *Store) versionByID(ctx context.Context, actor Actor, id int64) (DatasetVersion, error) {
	return s.oneVersion(ctx, actor, `v.id = @id`, pgx.NamedArgs{"id": id})
}

func (s *Store) oneVersion(ctx context.Context, actor Actor, where string, args pgx.NamedArgs) (DatasetVersion, error) {
	versions, err := s.versions(ctx, actor, `SELECT `+versionColumns+` FROM `+versionTables+` WHERE `+where+` AND `+seesVersion, args)
	if err != nil {
		return DatasetVersion{}, err
	}
	if len(versions) == 0 {
		return DatasetVersion{}, fmt.Errorf("dataset version: %w", ErrNotFound)
	}
	return versions[0], nil
}

// Freeze makes the next version of the dataset, and the dataset if there is none of that name, and has a job fill it. The
// version that it returns is still freezing. Numbers have no gaps, whoever freezes at once.
func (s *Store) Freeze(ctx context.Context, actor Actor, dataset string, recipe manifest.Recipe) (DatasetVersion, error) {
	return s.freeze(ctx, actor, newVersion{dataset: dataset, recipe: recipe})
}

// Rebuild makes the next version of a version's dataset by that version's recipe: what it lost is replaced from the reserve of the
// same stratum, and everything else stays where it was.
func (s *Store) Rebuild(ctx context.Context, actor Actor, version DatasetVersion) (DatasetVersion, error) {
	if version.State != VersionFrozen {
		return DatasetVersion{}, invalid("", "This version is not frozen, so there is nothing to rebuild. Freeze one by its recipe instead.")
	}
	return s.freeze(ctx, actor, newVersion{dataset: version.Dataset, recipe: version.Recipe, rebuildOf: version.ID})
}

// newVersion is a version that is asked for.
type newVersion struct {
	dataset   string
	recipe    manifest.Recipe
	rebuildOf int64
	projects  []int64
}

func (s *Store) freeze(ctx context.Context, actor Actor, n newVersion) (version DatasetVersion, err error) {
	if err := actor.may(access.EditDatasets); err != nil {
		return DatasetVersion{}, err
	}
	if !slugPattern.MatchString(n.dataset) {
		return DatasetVersion{}, invalid("name", "Use lower-case letters, digits and hyphens for the dataset's name, at most 63.")
	}
	n.recipe.Normalize()
	if err := n.recipe.Validate(); err != nil {
		return DatasetVersion{}, invalid("recipe", "The recipe cannot be used: "+err.Error()+".")
	}
	var id int64
	err = s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if n.projects, err = recipeProjects(ctx, tx, actor, n.recipe); err != nil {
			return err
		}
		if _, err := ruleOf(ctx, tx, &n.recipe, n.projects); err != nil {
			return err
		}
		if id, err = addVersion(ctx, tx, actor, n); err != nil {
			return err
		}
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.FreezeVersion{VersionID: id}, nil); err != nil {
			return fmt.Errorf("enqueue freezing of version %d: %w", id, err)
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "dataset.freeze", ObjectType: "dataset_version", ObjectID: id, ProjectID: onlyOne(n.projects),
			Detail: map[string]any{"projects": n.projects, "rebuild_of": n.rebuildOf},
		})
	})
	if err != nil {
		return DatasetVersion{}, err
	}
	return s.versionByID(ctx, actor, id)
}

// onlyOne is the project that an audit event names: none if there are several.
func onlyOne(projects []int64) int64 {
	if len(projects) == 1 {
		return projects[0]
	}
	return 0
}

func recipeProjects(ctx context.Context, q querier, actor Actor, recipe manifest.Recipe) ([]int64, error) {
	ids := make([]int64, 0, len(recipe.Projects))
	kind := ""
	for _, slug := range recipe.Projects {
		project, err := visibleProject(ctx, q, actor, `p.slug = @key`, slug)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil, invalid("projects", "There is no project "+slug+" that you see. Check its short name.")
		case err != nil:
			return nil, err
		case kind != "" && project.Kind != kind:
			return nil, invalid("projects", "A version holds images or sound, not both, and "+slug+" is of another kind than the projects before it. Freeze it apart.")
		}
		kind = project.Kind
		ids = append(ids, project.ID)
	}
	return ids, nil
}

// addVersion numbers the version under the lock of its dataset's row.
func addVersion(ctx context.Context, tx pgx.Tx, actor Actor, n newVersion) (id int64, err error) {
	if _, err := tx.Exec(ctx, `INSERT INTO datasets (name, created_by) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
		n.dataset, orNull(actor.PersonID)); err != nil {
		return 0, fmt.Errorf("dataset %s: %w", n.dataset, err)
	}
	var datasetID int64
	var number int
	var visible bool
	if err := tx.QueryRow(ctx, `SELECT id FROM datasets WHERE name = $1 FOR UPDATE`, n.dataset).Scan(&datasetID); err != nil {
		return 0, fmt.Errorf("dataset %s: %w", n.dataset, err)
	}
	err = tx.QueryRow(ctx, `
		SELECT coalesce(max(v.number), 0) + 1, count(*) = 0 OR bool_or(`+seesVersion+`) FROM dataset_versions v WHERE v.dataset_id = @dataset`,
		actor.args(pgx.NamedArgs{"dataset": datasetID})).Scan(&number, &visible)
	if err != nil {
		return 0, fmt.Errorf("next number of %s: %w", n.dataset, err)
	}
	if !visible {
		return 0, invalid("name", "This name belongs to a dataset of other projects. Choose another.")
	}
	document, err := json.Marshal(n.recipe)
	if err != nil {
		return 0, fmt.Errorf("recipe: %w", err)
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO dataset_versions (dataset_id, number, recipe, created_by, rebuild_of, parent_id)
		SELECT $1, $2, $3, $4, $5, (SELECT id FROM dataset_versions WHERE dataset_id = $1 AND state <> 'failed' ORDER BY number DESC LIMIT 1)
		RETURNING id`, datasetID, number, document, orNull(actor.PersonID), orNull(n.rebuildOf)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("version %d of %s: %w", number, n.dataset, err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO dataset_version_projects (version_id, project_id) SELECT $1, unnest($2::bigint[])`, id, n.projects)
	if err != nil {
		return 0, fmt.Errorf("projects of version %d: %w", id, err)
	}
	return id, nil
}

// VersionClass is a class of a version as it was called when that was frozen.
type VersionClass struct {
	ID          int64
	Name        string
	Slot        int
	Definitions []int32 // versions of its definition that its boxes were made under; 0: before any was published
}

// VersionCount is how much of a version lies on one side: of one class, or of all for ClassID 0.
type VersionCount struct {
	Split   manifest.Split
	ClassID int64
	Items   int
	Boxes   int64
	Seconds float64 // of sound, of all classes alone
	Words   int64
}

// VersionSummary is what was counted when a version was frozen, and what has been erased since.
type VersionSummary struct {
	Classes []VersionClass
	Counts  []VersionCount
	Erased  int
}

// VersionSummary returns the counts of a version, whose id came from a method that checked who asks.
func (s *Store) VersionSummary(ctx context.Context, version DatasetVersion) (sum VersionSummary, err error) {
	if sum.Classes, err = versionClasses(ctx, s.pool, version.ID); err != nil {
		return sum, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT split, coalesce(class_id, 0) AS class_id, items, boxes, seconds, words FROM dataset_version_counts
		WHERE version_id = $1 ORDER BY split, class_id NULLS FIRST`, version.ID)
	if err != nil {
		return sum, fmt.Errorf("counts of version %d: %w", version.ID, err)
	}
	if sum.Counts, err = pgx.CollectRows(rows, pgx.RowToStructByName[VersionCount]); err != nil {
		return sum, fmt.Errorf("counts of version %d: %w", version.ID, err)
	}
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM dataset_lines WHERE version_id = $1 AND item_id IS NULL`, version.ID).Scan(&sum.Erased)
	if err != nil {
		return sum, fmt.Errorf("erased lines of version %d: %w", version.ID, err)
	}
	return sum, nil
}

func versionClasses(ctx context.Context, q querier, version int64) ([]VersionClass, error) {
	rows, err := q.Query(ctx, `SELECT class_id AS id, name, slot, definitions FROM dataset_version_classes
		WHERE version_id = $1 ORDER BY class_id`, version)
	if err != nil {
		return nil, fmt.Errorf("classes of version %d: %w", version, err)
	}
	classes, err := pgx.CollectRows(rows, pgx.RowToStructByName[VersionClass])
	if err != nil {
		return nil, fmt.Errorf("classes of version %d: %w", version, err)
	}
	return classes, nil
}

// DatasetLine is one line of a manifest; of an erased one only position and leaf are left.
type DatasetLine struct {
	Position      int
	Leaf          []byte
	Erased        bool
	Split         string
	ItemID        int64
	Key           string
	Width, Height int
	Boxes         int
	Seconds       float64 // of sound
	Text          string  // how its transcript begins
	Thumb         bool    // there is a thumbnail to show
}

// DatasetLines returns at most limit lines of a version after a position, of one split or of all for "". The version came
// from a method that checked who asks.
func (s *Store) DatasetLines(ctx context.Context, version DatasetVersion, split string, after, limit int) ([]DatasetLine, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT l.position, l.leaf, l.item_id IS NULL AS erased, coalesce(l.split, '') AS split, coalesce(l.item_id, 0) AS item_id,
			coalesce(x.external_key, '') AS key, coalesce(l.width, 0) AS width, coalesce(l.height, 0) AS height,
			(SELECT count(*)::int FROM truth_boxes b WHERE b.truth_id = l.truth_id) AS boxes, coalesce(i.ends - i.begins, 0) AS seconds,
			left(coalesce((SELECT string_agg(g->>'text', ' ') FROM jsonb_array_elements(tr.segments) g), ''), 200) AS text,
			EXISTS (SELECT FROM assets a WHERE a.item_id = l.item_id AND a.kind = 'thumb') AS thumb
		FROM dataset_lines l LEFT JOIN items i ON i.id = l.item_id LEFT JOIN item_texts x ON x.item_id = l.item_id
		LEFT JOIN transcripts tr ON tr.item_id = l.item_id AND tr.kind = 'truth' AND tr.of_id = l.truth_id
		WHERE l.version_id = $1 AND l.position > $2::bigint AND ($3 = '' OR l.split = $3)
		ORDER BY l.position LIMIT $4`, version.ID, after, split, limit)
	if err != nil {
		return nil, fmt.Errorf("lines of version %d: %w", version.ID, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByName[DatasetLine])
	if err != nil {
		return nil, fmt.Errorf("lines of version %d: %w", version.ID, err)
	}
	return lines, nil
}
