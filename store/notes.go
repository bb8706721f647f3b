package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// noteKind is what a note is written on. Notes lie in a table of their own, item_notes, since that is rewritten soon after an
// erasure.
type noteKind string

const (
	skipNote    noteKind = "skip"
	reviewNote  noteKind = "review"
	markNote    noteKind = "mark"
	disputeNote noteKind = "dispute"
	contextNote noteKind = "context"
)

// noteOf is an expression: the note of that kind on the row whose id the expression id gives, about the item that
// the expression item gives; an empty text if there is none.
func noteOf(kind noteKind, item, id string) string {
	return `coalesce((SELECT body FROM item_notes WHERE item_id = ` + item + ` AND kind = '` + string(kind) + `' AND of_id = ` + id + `), '')`
}

// writeNote keeps a note on the row with that id; an empty one is none.
func writeNote(ctx context.Context, tx pgx.Tx, item int64, kind noteKind, id int64, body string) error {
	if body == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO item_notes (item_id, kind, of_id, body) VALUES ($1, $2, $3, $4)`, item, kind, id, body)
	if err != nil {
		return fmt.Errorf("note on %s %d: %w", kind, id, err)
	}
	return nil
}
