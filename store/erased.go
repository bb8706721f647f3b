package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// ErasedItem tells ErrNotFound of what was never there, or is not for the actor to know of, from ErrErased of an item that was
// erased and whose project they see.
func (s *Store) ErasedItem(ctx context.Context, actor Actor, item int64, err error) error {
	return s.erasedBy(ctx, actor, `e.item_id = @id`, item, err)
}

// ErasedTask does the same for the task of an item.
func (s *Store) ErasedTask(ctx context.Context, actor Actor, task int64, err error) error {
	return s.erasedBy(ctx, actor, `e.task_id = @id`, task, err)
}

func (s *Store) erasedBy(ctx context.Context, actor Actor, which string, id int64, err error) error {
	if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrGone) && !Vanished(err) {
		return err
	}
	var erased bool
	asked := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM erasure_items e JOIN projects p ON p.id = e.project_id WHERE `+which+` AND `+sees+`)`,
		actor.args(pgx.NamedArgs{"id": id})).Scan(&erased)
	switch {
	case asked != nil:
		return errors.Join(err, asked)
	case erased:
		return ErrErased
	}
	return err
}

// Vanished reports whether err is that what was to be referred to went away this moment.
func Vanished(err error) bool { return hasCode(err, "23503") }

// ErasedAssignments are those of these ids under which there was an assignment that went with its item: nothing else deletes one.
func (s *Store) ErasedAssignments(ctx context.Context, actor Actor, ids []int64) ([]int64, error) {
	if err := actor.may(access.Label); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT w.id FROM unnest($1::bigint[]) w (id)
		WHERE w.id > 0 AND w.id <= (SELECT coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'public' AND sequencename = 'assignments_id_seq')
		  AND NOT EXISTS (SELECT FROM assignments a WHERE a.id = w.id) ORDER BY 1`, ids)
	if err != nil {
		return nil, fmt.Errorf("erased assignments: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// tomb is when, and by which erasure, an item of a key was erased.
type tomb struct {
	Hash    []byte `db:"key_hash"`
	Erasure int64
	At      time.Time
}

// tombsOf returns the tombstones of keys of a project, by the keys' hashes.
func tombsOf(ctx context.Context, q querier, project int64, hashes [][]byte) (map[string]tomb, error) {
	rows, err := q.Query(ctx, `
		SELECT DISTINCT ON (key_hash) key_hash, erasure_id AS erasure, erased_at AS at FROM erasure_items
		WHERE project_id = $1 AND key_hash = ANY($2) ORDER BY key_hash, item_id DESC`, project, hashes)
	if err != nil {
		return nil, fmt.Errorf("erased keys: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[tomb])
	if err != nil {
		return nil, fmt.Errorf("erased keys: %w", err)
	}
	tombs := make(map[string]tomb, len(all))
	for _, t := range all {
		tombs[string(t.Hash)] = t
	}
	return tombs, nil
}

func (t tomb) refusal() string {
	return fmt.Sprintf("It was erased on %s by request %d. Data that must not come back is refused; an admin may allow it for one import.", t.At.UTC().Format(time.DateOnly), t.Erasure)
}

// keptRedaction is why nothing comes in under the key of an item of which a redaction is kept.
const keptRedaction = "The time of an item of this name ran out, and a redaction of its words is kept. Erase that first."

// redactionsOf returns which of these hashes of keys of a project are those of redactions.
func redactionsOf(ctx context.Context, q querier, project int64, hashes [][]byte) (map[string]bool, error) {
	rows, err := q.Query(ctx, `SELECT key_hash FROM items WHERE project_id = $1 AND key_hash = ANY($2) AND state = 'redacted'`, project, hashes)
	if err != nil {
		return nil, fmt.Errorf("redactions of keys: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, fmt.Errorf("redactions of keys: %w", err)
	}
	redacted := map[string]bool{}
	for _, hash := range all {
		redacted[string(hash)] = true
	}
	return redacted, nil
}
