package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Cause is what people found behind errors.
type Cause struct {
	ID     int64
	Name   string
	Errors int // of a cell that bear it
}

// Causes lists every cause with how often it was found among the errors of a cell, the most frequent first.
func (s *Store) Causes(ctx context.Context, actor Actor, cell int64) ([]Cause, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT h.id, h.name, count(t.item_id)::int AS errors FROM causes h LEFT JOIN item_causes t ON t.cause_id = h.id AND t.cell_id = $1
		GROUP BY h.id ORDER BY errors DESC, lower(h.name)`, cell)
	if err != nil {
		return nil, fmt.Errorf("causes: %w", err)
	}
	causes, err := pgx.CollectRows(rows, pgx.RowToStructByName[Cause])
	if err != nil {
		return nil, fmt.Errorf("causes: %w", err)
	}
	return causes, nil
}

// ErrorRef names an error of a cell: the line, the kind of mistake, and its number among the line's mistakes of this kind.
type ErrorRef struct {
	Position int
	Kind     string
	Ordinal  int
}

// TagErrors says what lies behind errors of a cell, or with remove that it does not. New is the name of a cause that may not be there yet, in
// the place of the id.
type TagErrors struct {
	Cell   CellPage
	Errors []ErrorRef
	Cause  int64
	New    string
	Remove bool
}

// TagErrors tags errors with their cause, and returns how many of them are of items that are still there.
func (s *Store) TagErrors(ctx context.Context, actor Actor, t TagErrors) (n int, err error) {
	if err := actor.may(access.Review); err != nil {
		return 0, err
	}
	t.New = strings.TrimSpace(t.New)
	switch {
	case len(t.Errors) == 0:
		return 0, invalid("cause", "Tick the errors that have this cause first.")
	case t.Cause == 0 && t.New == "":
		return 0, invalid("cause", "Choose a cause, or write a new one.")
	case len([]rune(t.New)) > maxName:
		return 0, invalid("new", "Give the cause a name of at most 200 letters.")
	case t.New != "" && t.Remove:
		return 0, invalid("cause", "Choose the cause to take off.")
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if t.New != "" {
			err := tx.QueryRow(ctx, `
				INSERT INTO causes (name, created_by) VALUES ($1, $2) ON CONFLICT (lower(name)) DO UPDATE SET name = causes.name RETURNING id`,
				t.New, orNull(actor.PersonID)).Scan(&t.Cause)
			if err != nil {
				return fmt.Errorf("add cause: %w", err)
			}
		}
		var known bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM causes WHERE id = $1)`, t.Cause).Scan(&known); err != nil {
			return fmt.Errorf("cause: %w", err)
		}
		if !known {
			return invalid("cause", "Choose a cause from the list.")
		}
		if n, err = tagErrors(ctx, tx, actor, t); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "cell.cause", ObjectType: "cell", ObjectID: t.Cell.ID, Detail: map[string]any{"cause": t.Cause, "errors": n, "removed": t.Remove},
		})
	})
	return n, err
}

func tagErrors(ctx context.Context, tx pgx.Tx, actor Actor, t TagErrors) (int, error) {
	var positions, ordinals []int32
	var kinds []string
	for _, e := range t.Errors {
		positions, kinds, ordinals = append(positions, int32(e.Position)), append(kinds, e.Kind), append(ordinals, int32(e.Ordinal)) //nolint:gosec // integers of the database
	}
	query := `
		INSERT INTO item_causes (item_id, cell_id, kind, ordinal, cause_id, person_id)
		SELECT l.item_id, e.cell_id, e.kind, e.ordinal, @cause, @who`
	ending := ` ON CONFLICT DO NOTHING`
	if t.Remove {
		query = `DELETE FROM item_causes t USING (SELECT l.item_id, e.cell_id, e.kind, e.ordinal`
		ending = `) x WHERE t.item_id = x.item_id AND t.cell_id = x.cell_id AND t.kind = x.kind AND t.ordinal = x.ordinal AND t.cause_id = @cause`
	}
	query += `
		FROM unnest(@positions::int[], @kinds::text[], @ordinals::int[]) u (position, kind, ordinal)
		JOIN cell_errors e ON e.cell_id = @cell AND e.position = u.position AND e.kind = u.kind AND e.ordinal = u.ordinal
		JOIN dataset_lines l ON l.version_id = @version AND l.position = u.position AND l.item_id IS NOT NULL` + ending
	tag, err := tx.Exec(ctx, query, pgx.NamedArgs{
		"positions": positions, "kinds": kinds, "ordinals": ordinals, "cell": t.Cell.ID, "version": t.Cell.Version, "cause": t.Cause, "who": orNull(actor.PersonID),
	})
	if err != nil {
		return 0, fmt.Errorf("tag errors of cell %d: %w", t.Cell.ID, err)
	}
	return int(tag.RowsAffected()), nil
}
