package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// modelKinds are what a model can be: what finds boxes, hears words, writes words properly, or says what they mean.
func modelKinds() []string { return []string{"detector", "asr", "formatting", "nlp"} }

// Model is a thing that predicts.
type Model struct {
	ID          int64
	Name        string
	Kind        string // one of modelKinds
	Description string
	Versions    []string // oldest first
	CreatedAt   time.Time
}

const modelColumns = `m.id, m.name, m.kind, m.description, m.created_at,
	ARRAY(SELECT v.version FROM model_versions v WHERE v.model_id = m.id ORDER BY v.id) AS versions`

// Models returns every model with its versions, by name.
func (s *Store) Models(ctx context.Context, actor Actor) ([]Model, error) {
	if err := actor.may(access.ReadModels); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT `+modelColumns+` FROM models m ORDER BY lower(m.name), m.id`)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	models, err := pgx.CollectRows(rows, pgx.RowToStructByName[Model])
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	return models, nil
}

// Model returns one model by its name.
func (s *Store) Model(ctx context.Context, actor Actor, name string) (Model, error) {
	if err := actor.may(access.ReadModels); err != nil {
		return Model{}, err
	}
	rows, err := s.pool.Query(ctx, `SELECT `+modelColumns+` FROM models m WHERE m.name = $1`, name)
	if err != nil {
		return Model{}, fmt.Errorf("model: %w", err)
	}
	model, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Model])
	if err != nil {
		return Model{}, fmt.Errorf("model: %w", notFound(err))
	}
	return model, nil
}

// ModelVersion is one release of a model.
type ModelVersion struct {
	ID          int64
	Version     string
	Description string
	Successor   string // the version that it came after, "" for none
	CreatedBy   string
	CreatedAt   time.Time
	Adapter     string // by which it is asked, "" if nobody said
	ServerURL   string
	Launcher    string
	Training    []ModelTraining `db:"-"`
	Uses        []ModelUse      `db:"-"`
}

// ModelTraining is a dataset version that a model version was trained on.
type ModelTraining struct {
	Model   int64 // its version
	Dataset string
	Number  int
	Lines   int
	Erased  int // of those, by now
}

// ModelUse is what a model version has predicted in a project.
type ModelUse struct {
	Model      int64 // its version
	Slug, Name string
	Items      int
	Heard      int // of those, with a hypothesis
}

// ModelVersions returns the versions of a model, the newest first, with what they were trained on and have predicted, as far as the
// actor sees that.
func (s *Store) ModelVersions(ctx context.Context, actor Actor, model int64) ([]ModelVersion, error) {
	if err := actor.may(access.ReadModels); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT v.id, v.version, v.description, coalesce(o.version, '') AS successor, coalesce(n.name, c.pseudonym, '') AS created_by, v.created_at,
			coalesce(s.adapter, '') AS adapter, coalesce(s.url, '') AS server_url, coalesce(s.launcher, '') AS launcher
		FROM model_versions v LEFT JOIN model_versions o ON o.id = v.successor_of LEFT JOIN model_servers s ON s.model_version_id = v.id
		LEFT JOIN people c ON c.id = v.created_by LEFT JOIN person_identities n ON n.person_id = v.created_by
		WHERE v.model_id = $1 ORDER BY v.id DESC`, model)
	if err != nil {
		return nil, fmt.Errorf("model versions: %w", err)
	}
	versions, err := pgx.CollectRows(rows, pgx.RowToStructByName[ModelVersion])
	if err != nil {
		return nil, fmt.Errorf("model versions: %w", err)
	}
	args := actor.args(pgx.NamedArgs{"model": model})
	training, err := collectFor[ModelTraining](ctx, s.pool, `
		SELECT r.model_version_id AS model, d.name AS dataset, v.number, v.lines,
			(SELECT count(*) FROM dataset_lines l WHERE l.version_id = v.id AND l.item_id IS NULL)::int AS erased
		FROM model_training r JOIN model_versions o ON o.id = r.model_version_id JOIN dataset_versions v ON v.id = r.version_id JOIN datasets d ON d.id = v.dataset_id
		WHERE o.model_id = @model AND `+seesVersion+` ORDER BY d.name, v.number`, args)
	if err != nil {
		return nil, err
	}
	uses, err := collectFor[ModelUse](ctx, s.pool, `
		SELECT u.model, p.slug, p.name, u.items, u.heard FROM (
			SELECT q.model_version_id AS model, i.project_id, count(*)::int AS items, count(q.confidence)::int AS heard
			FROM model_versions v JOIN predictions q ON q.model_version_id = v.id JOIN items i ON i.id = q.item_id
			WHERE v.model_id = @model GROUP BY 1, 2) u
		JOIN projects p ON p.id = u.project_id AND p.archived_at IS NULL WHERE `+sees+` ORDER BY lower(p.name), p.id`, args)
	if err != nil {
		return nil, err
	}
	for i := range versions {
		v := &versions[i]
		for _, t := range training {
			if t.Model == v.ID {
				v.Training = append(v.Training, t)
			}
		}
		for _, u := range uses {
			if u.Model == v.ID {
				v.Uses = append(v.Uses, u)
			}
		}
	}
	return versions, nil
}

func collectFor[T any](ctx context.Context, q querier, query string, args pgx.NamedArgs) ([]T, error) {
	rows, err := q.Query(ctx, query, args)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	return list, nil
}

// AddModel registers a model without a description. Its name is what commands say before the @.
func (s *Store) AddModel(ctx context.Context, actor Actor, name, kind string) (id int64, err error) {
	return s.RegisterModel(ctx, actor, NewModel{Name: name, Kind: kind})
}

// NewModel is what registering a model needs.
type NewModel struct {
	Name        string
	Kind        string // one of modelKinds
	Description string
}

// descriptionLimit is how many characters a description may have.
const descriptionLimit = 5000

func checkDescription(text string) (string, error) {
	if text = strings.TrimSpace(text); len([]rune(text)) > descriptionLimit {
		return "", invalid("description", fmt.Sprintf("Keep the description under %d characters.", descriptionLimit))
	}
	return text, nil
}

// RegisterModel registers a model.
func (s *Store) RegisterModel(ctx context.Context, actor Actor, n NewModel) (id int64, err error) {
	if err := actor.may(access.RegisterModels); err != nil {
		return 0, err
	}
	switch {
	case !modelWord(n.Name):
		return 0, invalid("name", "Give the model a name without spaces, slashes and @.")
	case !slices.Contains(modelKinds(), n.Kind):
		return 0, invalid("kind", "Choose detector, asr, formatting or nlp.")
	}
	if n.Description, err = checkDescription(n.Description); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `INSERT INTO models (name, kind, description) VALUES ($1, $2, $3) RETURNING id`, n.Name, n.Kind, n.Description).Scan(&id)
		if violates(err, "models_name_key") {
			return invalid("name", "There is a model with this name already.")
		}
		if err != nil {
			return fmt.Errorf("add model: %w", err)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "model.add", ObjectType: "model", ObjectID: id})
	})
	return id, err
}

// DescribeModel changes what is said of a model.
func (s *Store) DescribeModel(ctx context.Context, actor Actor, name, description string) error {
	if err := actor.may(access.RegisterModels); err != nil {
		return err
	}
	description, err := checkDescription(description)
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var id int64
		if err := tx.QueryRow(ctx, `UPDATE models SET description = $2 WHERE name = $1 RETURNING id`, name, description).Scan(&id); err != nil {
			return fmt.Errorf("describe model: %w", notFound(err))
		}
		return audit(ctx, tx, actor, auditEvent{Action: "model.describe", ObjectType: "model", ObjectID: id})
	})
}

// ReleaseModel registers one release of a model, or returns ErrNotFound if there is no such model.
func (s *Store) ReleaseModel(ctx context.Context, actor Actor, name, version string) (id int64, err error) {
	return s.Release(ctx, actor, NewRelease{Model: name, Version: version})
}

// NewRelease is what registering a release needs.
type NewRelease struct {
	Model, Version string
	Description    string
	Successor      string           // the version of the same model that it came after, "" for none
	Training       []string         // what it was trained on: DATASET@NUMBER
	Server         *ModelServerEdit // how it is asked, nil for not said
}

// Release registers one release of a model with its lineage, or returns ErrNotFound if there is no such model.
func (s *Store) Release(ctx context.Context, actor Actor, n NewRelease) (id int64, err error) {
	if err := actor.may(access.RegisterModels); err != nil {
		return 0, err
	}
	if !modelWord(n.Version) {
		return 0, invalid("version", "Give the release a version without spaces, slashes and @.")
	}
	if n.Description, err = checkDescription(n.Description); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		successor, err := successorOf(ctx, tx, n)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `
			INSERT INTO model_versions (model_id, version, description, successor_of, created_by) SELECT m.id, $2, $3, $4, $5 FROM models m WHERE m.name = $1 RETURNING id`,
			n.Model, n.Version, n.Description, successor, orNull(actor.PersonID)).Scan(&id)
		if violates(err, "model_versions_model_id_version_key") {
			return invalid("version", "This version of the model has been released already.")
		}
		if err != nil {
			return fmt.Errorf("release model: %w", notFound(err))
		}
		if err := noteTraining(ctx, tx, actor, id, n.Training); err != nil {
			return err
		}
		if n.Server != nil {
			if err := s.setModelServer(ctx, tx, actor, n.Model, n.Version, *n.Server); err != nil {
				return err
			}
		}
		if err := changeRelease(ctx, tx, actor, id); err != nil {
			return err
		}
		if err := s.runAfterRelease(ctx, tx, id); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "model.release", ObjectType: "model_version", ObjectID: id, Detail: map[string]any{"successor_of": successor, "training": len(n.Training)},
		})
	})
	return id, err
}

func successorOf(ctx context.Context, tx pgx.Tx, n NewRelease) (id *int64, err error) {
	if n.Successor == "" {
		return nil, nil
	}
	err = tx.QueryRow(ctx, `SELECT v.id FROM models m JOIN model_versions v ON v.model_id = m.id WHERE m.name = $1 AND v.version = $2`, n.Model, n.Successor).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, invalid("successor_of", "Name a version of the same model that is registered.")
	}
	if err != nil {
		return nil, fmt.Errorf("successor: %w", err)
	}
	return id, nil
}

// noteTraining writes down which dataset versions a release was trained on.
func noteTraining(ctx context.Context, tx pgx.Tx, actor Actor, release int64, training []string) error {
	for _, named := range slices.Compact(slices.Sorted(slices.Values(training))) {
		dataset, number, _ := strings.Cut(strings.TrimSpace(named), "@")
		n, err := strconv.Atoi(number)
		if err != nil {
			return invalid("trained_on", "Name each dataset version as DATASET@NUMBER, such as calls@3.")
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO model_training (model_version_id, version_id)
			SELECT @release, v.id FROM dataset_versions v JOIN datasets d ON d.id = v.dataset_id
			WHERE d.name = @dataset AND v.number = @number::bigint AND v.frozen_at IS NOT NULL AND `+seesVersion, actor.args(pgx.NamedArgs{"release": release, "dataset": dataset, "number": n}))
		if err != nil {
			return fmt.Errorf("training: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return invalid("trained_on", "One of the dataset versions is not frozen, or not there. Name each as DATASET@NUMBER, such as calls@3.")
		}
	}
	return nil
}

// modelWord tells whether s can stand on one side of NAME@VERSION, and in an address.
func modelWord(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= 100 && !strings.ContainsAny(s, "@/ \t\r\n")
}
