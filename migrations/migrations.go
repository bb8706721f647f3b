// Package migrations owns the schema history and applies it.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed *.sql
var files embed.FS

// Up brings the database behind pool to the newest schema: River's tables, from
// River itself, then ours. It does nothing if the schema is already current, and
// several processes may call it at once.
func Up(ctx context.Context, pool *pgxpool.Pool) error {
	return UpTo(ctx, pool, goose.MaxVersion)
}

// UpTo is Up, stopping after version; tests of upgrades use it.
func UpTo(ctx context.Context, pool *pgxpool.Pool, version int64) (err error) {
	queue, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return fmt.Errorf("migrations: queue: %w", err)
	}
	if _, err := queue.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrations: queue: %w", err)
	}
	return withProvider(pool, func(p *goose.Provider) error {
		_, err := p.UpTo(ctx, version)
		return err
	})
}

// Current tells whether the database behind pool has every migration of this binary.
func Current(ctx context.Context, pool *pgxpool.Pool) (current bool, err error) {
	err = withProvider(pool, func(p *goose.Provider) error {
		pending, err := p.HasPending(ctx)
		current = !pending
		return err
	})
	return current, err
}

// Version returns the number of the newest migration that the database behind pool has.
func Version(ctx context.Context, pool *pgxpool.Pool) (version int64, err error) {
	err = withProvider(pool, func(p *goose.Provider) error {
		version, err = p.GetDBVersion(ctx)
		return err
	})
	return version, err
}

// Newest returns the number of the newest migration that this binary has.
func Newest(ctx context.Context, pool *pgxpool.Pool) (version int64, err error) {
	err = withProvider(pool, func(p *goose.Provider) error {
		_, version, err = p.GetVersions(ctx)
		return err
	})
	return version, err
}

func withProvider(pool *pgxpool.Pool, fn func(*goose.Provider) error) (err error) {
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := newProvider(db)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if err := fn(provider); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}

// newProvider takes a session lock, so that two servers started together migrate once.
func newProvider(db *sql.DB) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
}
