// Package store is the only package that speaks SQL. It owns transactions, and what a
// change causes (job, audit event, notice) is written in the transaction of the change.
package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"fiducial/internal/access"
	"fiducial/internal/receipt"
	"fiducial/store/blob"
)

// Store reads and writes application state.
type Store struct {
	pool  *pgxpool.Pool
	blobs *blob.Bucket
	queue *river.Client[pgx.Tx] // insert-only: no queues, never started

	signer  receipt.Key         // zero without one
	objects receipt.ObjectState // what deleting an object does
	ledger  Ledger              // nil without one

	// Called before each step of an erasure and of the rewriting after it, by tests.
	erasureStep, rewriteStep func(step string)

	// afterFreezeStep lets a test end the process that freezes, as it were, after each step in turn.
	afterFreezeStep func(step string)
}

// New returns a Store over pool and the bucket that holds the bytes.
func New(pool *pgxpool.Pool, blobs *blob.Bucket) (*Store, error) {
	queue, err := river.NewClient(riverpgxv5.New(pool), &river.Config{})
	if err != nil {
		return nil, fmt.Errorf("store: insert-only queue client: %w", err)
	}
	return &Store{pool: pool, blobs: blobs, queue: queue, objects: receipt.ObjectsOperators}, nil
}

// Ping reports whether the database and the object store both answer.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if err := s.blobs.Ping(ctx); err != nil {
		return fmt.Errorf("object storage: %w", err)
	}
	return nil
}

// inTx runs fn in a transaction, committing only if fn returns nil.
func (s *Store) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.pool, fn)
}

// querier is what a pool and a transaction have in common.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Actor is who does something: a person in a browser, or a token. Every method that reads or
// changes anything takes one and filters by it.
type Actor struct {
	PersonID  int64 // 0 for a token
	TokenID   int64 // 0 for a person
	Role      access.Role
	Scope     int64 // the only project that a token reaches; 0 for all
	RequestID string
}

// System is the actor of what nobody asked for by hand: jobs, the demo, the command line.
func System() Actor { return Actor{Role: access.Admin} }

// Allowed reports whether the actor may do action at all. A token has no account of its own, and
// one that is bound to a project does nothing that reaches beyond it.
func (a Actor) Allowed(action access.Action) bool {
	switch {
	case a.TokenID != 0 && action == access.Account:
		return false
	case a.Scope != 0 && access.Wide(action):
		return false
	}
	return access.Allows(a.Role, action)
}

// may returns ErrDenied unless the actor may do action.
func (a Actor) may(action access.Action) error {
	if !a.Allowed(action) {
		return fmt.Errorf("%s may not %s: %w", a.Role, action, ErrDenied)
	}
	return nil
}

// args are the actor's part of a query that calls sees_project(…, @role, @person, @token, @scope),
// together with the query's own named arguments.
func (a Actor) args(own pgx.NamedArgs) pgx.NamedArgs {
	all := pgx.NamedArgs{
		"role": string(a.Role), "person": orNull(a.PersonID), "token": orNull(a.TokenID), "scope": orNull(a.Scope),
	}
	for k, v := range own {
		all[k] = v
	}
	return all
}

// orNull is how an absent id is written to the database.
func orNull(id int64) *int64 {
	if id == 0 {
		return nil
	}
	return &id
}

// Empty reports whether nobody has an account yet.
func (s *Store) Empty(ctx context.Context) (empty bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM people)`).Scan(&empty)
	if err != nil {
		return false, fmt.Errorf("empty: %w", err)
	}
	return empty, nil
}
