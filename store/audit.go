package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// auditEvent says what was done to which object. Detail holds ids, counts and names of settings,
// never content.
type auditEvent struct {
	Action     string // "project.update"
	ObjectType string // "project"
	ObjectID   int64
	ProjectID  int64
	Detail     map[string]any
}

// audit records ev as done by actor, in the transaction of the change itself.
func audit(ctx context.Context, tx pgx.Tx, actor Actor, ev auditEvent) error {
	detail := ev.Detail
	if detail == nil {
		detail = map[string]any{}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO audit_events (person_id, token_id, action, object_type, object_id, project_id, request_id, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		orNull(actor.PersonID), orNull(actor.TokenID), ev.Action, ev.ObjectType, orNull(ev.ObjectID), orNull(ev.ProjectID),
		actor.RequestID, detail)
	if err != nil {
		return fmt.Errorf("audit %s: %w", ev.Action, err)
	}
	return nil
}
