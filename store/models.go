package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Model is a thing that predicts.
type Model struct {
	ID        int64
	Name      string
	Kind      string   // "detector", "asr" or "nlp"
	Versions  []string // oldest first
	CreatedAt time.Time
}

// Models returns every model with its versions, by name.
func (s *Store) Models(ctx context.Context, actor Actor) ([]Model, error) {
	if err := actor.may(access.RegisterModels); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT m.id, m.name, m.kind, m.created_at,
		       ARRAY(SELECT v.version FROM model_versions v WHERE v.model_id = m.id ORDER BY v.id) AS versions
		FROM models m ORDER BY lower(m.name), m.id`)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	models, err := pgx.CollectRows(rows, pgx.RowToStructByName[Model])
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	return models, nil
}

// AddModel registers a model. Its name is what commands say before the @.
func (s *Store) AddModel(ctx context.Context, actor Actor, name, kind string) (id int64, err error) {
	if err := actor.may(access.RegisterModels); err != nil {
		return 0, err
	}
	switch {
	case !modelWord(name):
		return 0, invalid("name", "Give the model a name without spaces and without @.")
	case kind != "detector" && kind != "asr" && kind != "nlp":
		return 0, invalid("kind", "Choose detector, asr or nlp.")
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `INSERT INTO models (name, kind) VALUES ($1, $2) RETURNING id`, name, kind).Scan(&id)
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

// ReleaseModel registers one release of a model, or returns ErrNotFound if there is no such model.
func (s *Store) ReleaseModel(ctx context.Context, actor Actor, name, version string) (id int64, err error) {
	if err := actor.may(access.RegisterModels); err != nil {
		return 0, err
	}
	if !modelWord(version) {
		return 0, invalid("version", "Give the release a version without spaces and without @.")
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			INSERT INTO model_versions (model_id, version) SELECT m.id, $2 FROM models m WHERE m.name = $1 RETURNING id`,
			name, version).Scan(&id)
		if violates(err, "model_versions_model_id_version_key") {
			return invalid("version", "This version of the model has been released already.")
		}
		if err != nil {
			return fmt.Errorf("release model: %w", notFound(err))
		}
		return audit(ctx, tx, actor, auditEvent{Action: "model.release", ObjectType: "model_version", ObjectID: id})
	})
	return id, err
}

// modelWord tells whether s can stand on one side of NAME@VERSION.
func modelWord(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsAny(s, "@ \t\r\n")
}
