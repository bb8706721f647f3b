package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Limits returns what a dataset promises, or ErrNotFound if the actor sees no version of it.
func (s *Store) Limits(ctx context.Context, actor Actor, dataset string) (limits Limits, err error) {
	if err := actor.may(access.ReadDatasets); err != nil {
		return Limits{}, err
	}
	defaults := DefaultLimits()
	err = s.pool.QueryRow(ctx, `
		SELECT coalesce(l.margin, @margin), coalesce(l.least_share, @share) FROM datasets d LEFT JOIN dataset_limits l ON l.dataset_id = d.id
		WHERE d.name = @dataset AND EXISTS (SELECT FROM dataset_versions v WHERE v.dataset_id = d.id AND `+seesVersion+`)`,
		actor.args(pgx.NamedArgs{"dataset": dataset, "margin": defaults.Margin, "share": defaults.LeastShare})).Scan(&limits.Margin, &limits.LeastShare)
	if err != nil {
		return Limits{}, fmt.Errorf("limits of dataset %s: %w", dataset, notFound(err))
	}
	return limits, nil
}

// SetLimits says what a dataset promises. Its forecasts follow within a minute.
func (s *Store) SetLimits(ctx context.Context, actor Actor, dataset string, limits Limits) error {
	if err := actor.may(access.EditDatasets); err != nil {
		return err
	}
	switch {
	case !(limits.Margin >= 0.001 && limits.Margin <= 0.5):
		return invalid("margin", "Choose an interval between ±0.1 and ±50 points.")
	case !(limits.LeastShare >= 0 && limits.LeastShare <= 1):
		return invalid("least_share", "Choose a share between 0 and 100 %.")
	}
	if _, err := s.Limits(ctx, actor, dataset); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var id int64
		err := tx.QueryRow(ctx, `
			INSERT INTO dataset_limits (dataset_id, margin, least_share) SELECT id, $2, $3 FROM datasets WHERE name = $1
			ON CONFLICT (dataset_id) DO UPDATE SET margin = $2, least_share = $3 RETURNING dataset_id`, dataset, limits.Margin, limits.LeastShare).Scan(&id)
		if err != nil {
			return fmt.Errorf("limits of dataset %s: %w", dataset, notFound(err))
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "dataset.limits", ObjectType: "dataset", ObjectID: id, Detail: map[string]any{"margin": limits.Margin, "least_share": limits.LeastShare},
		})
	})
}
