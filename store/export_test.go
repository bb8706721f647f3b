package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// TellConsumers tells consumers of an erasure, as the erasure itself does.
func (s *Store) TellConsumers(ctx context.Context, erasure int64) error {
	return s.inTx(ctx, func(tx pgx.Tx) error { return s.tellConsumers(ctx, tx, erasure) })
}

// AfterFreezeStep has do run after each step of every freeze, with the step's name.
func (s *Store) AfterFreezeStep(do func(step string)) { s.afterFreezeStep = do }
